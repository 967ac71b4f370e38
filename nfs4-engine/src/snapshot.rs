//! Views of the tables, for people: page by page, so that no look holds the engine for long.
//!
//! With the feature `serde` they can be serialised: ids as hexadecimal digits, times as RFC 3339
//! has them, and every field always there.

mod clients;
mod connections;
mod exports;
mod grace;
#[cfg(feature = "serde")]
mod json;
mod page;
mod sessions;

pub use self::clients::{ClientView, LeaseStatus, owner_text};
pub use self::connections::{BoundSession, ConnectionInfo, ConnectionType, ConnectionView};
pub use self::exports::ExportView;
pub use self::grace::{GraceView, MissingClient};
pub use self::page::{Cursor, Page};
pub use self::sessions::{BackChannelState, CallbacksView, ConnectionSummary, SessionView};

fn count_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
