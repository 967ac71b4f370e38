//! The results of operations that succeeded, without the status, and the bodies that some errors
//! have.
//!
//! An operation without a type here has no results but its status.

mod dir;
mod error;
mod file;
mod lock;
mod open;
mod pnfs;
mod session;
mod v40;
mod v42;

pub use self::dir::{
    CreateOk, DirEntries, DirEntry, GssInfo, LinkOk, ReadDirOk, ReadLinkOk, RemoveOk, RenameOk,
    SecInfoFlavor, SecInfoOk,
};
pub use self::error::{DecodeError, ErrorBody, Outcome, WithStatus};
pub use self::file::{AccessOk, CommitOk, GetAttrOk, GetFhOk, ReadOk, SetAttrRes, WriteOk};
pub use self::lock::{LockDenied, LockOk, LockUOk, TestStateidOk};
pub use self::open::{
    CloseOk, NoDelegation, OpenDelegation, OpenDowngradeOk, OpenOk, ReadDelegation, SpaceLimit,
    WriteDelegation,
};
pub use self::pnfs::{
    DeviceAddr, DeviceTooSmall, GetDeviceInfoOk, GetDeviceListOk, GetDirDelegationOk, Layout,
    LayoutCommitOk, LayoutContent, LayoutGetOk, LayoutReturnOk, LayoutTryLater, SetSsvOk,
};
pub use self::session::{
    BindConnToSessionOk, ChannelDirFromServer, CreateSessionOk, ExchangeIdOk, SequenceOk,
    ServerOwner, StateProtectOk,
};
pub use self::v40::{ClientIdInUse, OpenConfirmOk, SetClientIdOk};
pub use self::v42::{
    CopyNotifyOk, CopyOk, CopyRequirements, GetXattrOk, IoAdviseOk, ListXattrsOk, OffloadStatusOk,
    ReadPlusContent, ReadPlusOk, RemoveXattrOk, SeekOk, SetXattrOk, WriteResponse, XattrName,
};
