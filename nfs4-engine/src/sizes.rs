//! How large the types may be that every call moves or every session keeps.
//!
//! A type that outgrows its line makes each call slower by the copies it takes on its way: shrink
//! it, or raise the number and say why.

use crate::action::{Action, Reply};
use crate::compound::{Compound, Stage};
use crate::fs::{FsOp, FsReply};
use crate::session::slot::Slot;

// Moved a dozen times between an operation and its file system, and back.
const _: () = assert!(size_of::<FsOp>() <= 256);
// 16 bytes say in which file system of an export an object is.
const _: () = assert!(size_of::<FsReply>() <= 272);
// 8 bytes of a READDIR say whether its cookies are in order.
const _: () = assert!(size_of::<Action>() <= 328);
const _: () = assert!(size_of::<Reply>() <= 64);
// Kept for each COMPOUND that waits; 24 bytes are the list that READ lends to its file system, which
// saves an allocation each time, 16 the start of an operation that waits, 8 what it has moved, 8 whether its
// reply waits for stable storage, 40 say what it waits for, and what it has waited for longest, and 32 which
// peer it is of and how that may use an export, which saves a look-up for each operation.
const _: () = assert!(size_of::<Stage>() <= 64);
const _: () = assert!(size_of::<Compound>() <= 992);
// Kept for each slot in use.
const _: () = assert!(size_of::<Slot>() <= 64);
