//! The operations, one small family a file, and the table that says which are legal where.

pub(crate) mod access;
pub(crate) mod close;
pub(crate) mod commit;
pub(crate) mod create;
pub(crate) mod create_session;
pub(crate) mod destroy;
pub(crate) mod exchange_id;
pub(crate) mod filehandle;
pub(crate) mod getattr;
pub(crate) mod io;
pub(crate) mod lookup;
pub(crate) mod names;
pub(crate) mod open;
pub(crate) mod read;
pub(crate) mod readdir;
pub(crate) mod reclaim;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod secinfo;
pub(crate) mod sequence;
pub(crate) mod setattr;
pub(crate) mod table;
pub(crate) mod write;
