//! The arguments of operations, each under the name of its operation.

mod dir;
mod file;
mod lock;
mod open;
mod pnfs;
mod session;
mod v40;
mod v42;

pub use self::dir::{Create, CreateType, Link, Lookup, ReadDir, Remove, Rename, SecInfo};
pub use self::file::{Access, Commit, GetAttr, NVerify, PutFh, Read, SetAttr, Verify, Write};
pub use self::lock::{
    DelegReturn, ExistLockOwner, FreeStateid, Lock, LockT, LockU, Locker, OpenToLockOwner,
    TestStateid,
};
pub use self::open::{Close, CreateHow, Open, OpenClaim, OpenDowngrade, OpenFlag};
pub use self::pnfs::{
    DelegClaim, GetDeviceInfo, GetDeviceList, GetDirDelegation, LayoutCommit, LayoutGet,
    LayoutIoMode, LayoutReturn, LayoutReturnWhat, LayoutUpdate, SetSsv, WantDelegation,
};
pub use self::session::{
    BackchannelCtl, BindConnToSession, CallbackSecParms, ChannelAttrs, ChannelDirFromClient,
    ClientOwner, CreateSession, DestroyClientId, DestroySession, ExchangeId, GssCbHandles, GssSvc,
    ImplId, ReclaimComplete, SecInfoNoName, SecInfoStyle, Sequence, SspOps, StateProtect,
};
pub use self::v40::{
    CbClient, DelegPurge, NfsClientId, OpenAttr, OpenConfirm, ReleaseLockOwner, Renew, SetClientId,
    SetClientIdConfirm,
};
pub use self::v42::{
    Allocate, AppDataBlock, Clone, Copy, CopyNotify, DataContent, Deallocate, DeviceError,
    GetXattr, IoAdvise, IoAdviseType, IoInfo, LayoutError, LayoutStats, ListXattrs, NetLoc,
    OffloadCancel, OffloadStatus, ReadPlus, RemoveXattr, Seek, SetXattr, SetXattrOption, WriteSame,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// They are decoded for every request: a field too many shows here.
    #[test]
    fn hot_arguments_stay_small() {
        assert_eq!(size_of::<Sequence>(), 32);
        assert_eq!(size_of::<PutFh<'_>>(), 16);
        assert_eq!(size_of::<Read>(), 32);
        assert_eq!(size_of::<Write<'_>>(), 48);
        assert!(size_of::<Open<'_>>() <= 128, "{}", size_of::<Open<'_>>());
        assert!(size_of::<LockT<'_>>() <= 48, "{}", size_of::<LockT<'_>>());
    }
}
