//! The administration interface of `nfs4d`: [a client](client) of it, and what both sides exchange as JSON.
//!
//! Ids are hexadecimal digits, times are RFC 3339 in UTC, and every field is always there: null where
//! nothing is known, empty where there is nothing.

#![forbid(unsafe_code)]

pub mod client;
mod client_record;
mod connection;
mod event;
mod export;
mod grace;
mod problem;
mod session;
mod settings;

pub use self::client_record::{Client, LeaseStatus, Traffic};
pub use self::connection::{BoundSession, Connection};
pub use self::event::{Event, Fact};
pub use self::export::{
    Export, ExportBackend, ExportNetwork, ExportOptions, ExportSource, Security, Squash,
};
pub use self::grace::Grace;
pub use self::problem::{FieldFault, Problem};
pub use self::session::{
    BackChannel, Callbacks, ConnectionSummary, Direction, Session, SessionConnection, Transport,
};
pub use self::settings::{
    BindingPolicy, SETTINGS, Setting, SettingFault, SettingKind, Settings, SettingsPatch,
    SettingsValues,
};
