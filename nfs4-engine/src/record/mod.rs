//! A log of what enters an engine and what comes of it, from which another engine repeats it.
//!
//! A [`Journal`] writes a log beside an engine, a [`Decoder`] reads one, and a [`Rerun`] is an
//! engine that is started and fed as the log says, with file systems that only answer what the log
//! has. What it does is written by a [`Journal`] as well, and is the same bytes as in the log.
//!
//! # Format
//!
//! All numbers are big-endian, and all values are XDR. [RFC 4506]
//!
//! A log begins with the 8 bytes `nfs4rec\n` and a version of 4 bytes, and consists of frames. A
//! frame is the length of its body in 4 bytes, 4 bytes that check the length, the body, and 8
//! bytes that check the body, the length, and all frames before. So a bit that differs is found in
//! the frame where it is, and a length is never believed before it is checked: a log that ends
//! within a frame was cut short, and is good up to there.
//!
//! The first frame is the [`Start`] of the engine. Then comes a frame for each [`LogEntry`]: the
//! time, an input or a run of the timers, and the actions that it caused, in full but for the
//! contents of files, of which there are the length and a hash. The last frame says that the log
//! is complete, that it has a gap and ends there, or with which input the engine panicked.
//!
//! The version is [`VERSION`]. A new setting is appended to the others, and logs without it have its
//! default; a new variant of an input, an action or an event gets the next number. Any other change
//! of what is written is a new version, which does not read logs of the one before.

mod entry;
mod frame;
mod fs_values;
mod journal;
mod rerun;
mod stand_in;
pub(crate) mod start;
mod value;
mod values;

pub use entry::{Actions, Cause, Contents, LogEntry, Part, Recorded};
pub use frame::{DECODED_FIRST, Damage, DamageKind, Decoder, FRAME_HEAD, Frame, VERSION};
pub use journal::Journal;
pub use rerun::{Rerun, RerunFault};
pub use start::Start;
