//! NFSv4.0, 4.1, 4.2 and extended attributes: types of the wire
//! [RFC 7530, RFC 8881, RFC 7862, RFC 8276].

pub mod any;
pub mod args;
pub mod attr;
pub mod basic;
pub mod callback;
pub mod compound;
pub mod consts;
pub mod errors;
pub mod opnum;
pub mod res;
pub mod status;

pub use self::attr::{Bitmap, FattrRaw};
pub use self::basic::{
    Ace, ChangeInfo, ClientId, DelegationType, DeviceId, FileHandle, FileType, Fsid, LockType,
    NetAddr, Owner, SessionId, SpecData, StableHow, Stateid, Time, Verifier,
};
pub use self::opnum::{CbOp, CbOpNum, Op, OpNum};
pub use self::status::Status;
