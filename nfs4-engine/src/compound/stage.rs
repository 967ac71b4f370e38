//! How an operation returns, and where it continues.

use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::status::Status;

use crate::compound::opening::Opening;
use crate::compound::permission_query::PermissionQuery;
use crate::delegation_kind::DelegationKind;
use crate::fs::{ByteLock, DirChange, FsOp};
use crate::keys::{ClientKey, DelegationKey, FileKey, OpenKey};
use crate::stable::StableTicket;
use crate::state::claim::Claim;
use crate::state::delegation::HolderAnswer;

/// How an operation returns.
#[expect(
    clippy::large_enum_variant,
    reason = "a request is moved once; boxing it would allocate"
)]
pub(crate) enum Step {
    /// It is done; a body is sent only with OK.
    Done(Status),
    /// It failed, and its result has a body all the same.
    Failed(Status),
    /// It waits for a file system.
    Wait(u16, FsOp, Stage),
    /// It waits for the holder of a delegation to answer CB_GETATTR.
    AwaitHolder(DelegationKey, Stage),
    /// It waits for stable storage. If the write fails, it continues with [`FsError::Busy`].
    ///
    /// [`FsError::Busy`]: crate::fs::FsError::Busy
    Durable(StableTicket, Stage),
    /// It has done a part, and lets others be served.
    Yield,
}

/// Where a waiting operation continues. Its arguments are decoded again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Stage {
    /// It waited once, and ends with the answer.
    #[default]
    Last,
    /// It has ended, and the next operation waits until others have been served.
    Between,
    /// It has done nothing yet, and begins anew once stable storage has what it depends on.
    Anew,
    /// READDIR: it waits for the free space of the file system.
    ReadDirStat,
    /// OPEN: it waits for the file to be found or made.
    OpenFound(Opening),
    /// REMOVE and RENAME: it waits for the file of the (old) name.
    NameFound,
    /// RENAME: it waits for the file of the new name.
    OtherNameFound,
    /// It waits for the answer whether the user may use a delegated file as intended.
    Queried(PermissionQuery),
    /// REMOVE and RENAME: it waits for the removal of a name of a file that is delegated to the caller.
    NameRemoved(FileKey),
    /// REMOVE and RENAME: it waits for the answer whether that file still exists.
    NameGone(FileKey),
    /// GETATTR, VERIFY and NVERIFY: it waits for the holder of a write delegation to answer
    /// CB_GETATTR.
    Asked,
    /// The holder has answered.
    HolderAnswered(DelegationKey, HolderAnswer),
    /// The holder has changed the file: it waits for the change to be noted, beside the reported size.
    Noted(DelegationKey, Option<u64>),
    /// It waits for the change to be noted once more, so that this change attribute goes with this size
    /// and is never seen with the file system's.
    Kept {
        held: DelegationKey,
        change: u64,
        size: u64,
        former: u64,
    },
    /// It waits for the free space of the file system once more.
    WithStat { change: u64, size: u64 },
    /// LOCK: it waits for the file system to lock and count this.
    Locking(ByteLock),
    /// LOCKT: it waits for the answer whether another process has a lock that conflicts with this one.
    Testing(ByteLock),
    /// OPEN: the share is reserved, and it waits for the file to be truncated.
    OpenCut {
        claim: Claim,
        dir: DirChange,
        room: Option<ClientKey>,
    },
    /// OPEN: the file is open, and it waits for it to be leased, to be delegated.
    OpenLeased {
        open: OpenKey,
        kind: DelegationKind,
        dir: DirChange,
        set: Bitmap,
    },
}

impl Stage {
    /// A name is removed, of this file if it is delegated to the caller.
    pub(crate) fn losing(file: Option<FileKey>) -> Stage {
        file.map_or(Stage::Last, Stage::NameRemoved)
    }

    /// The lock that a file system was asked for.
    pub(crate) fn lock(&self) -> Option<&ByteLock> {
        if let Stage::Locking(lock) | Stage::Testing(lock) = self {
            Some(lock)
        } else {
            None
        }
    }

    /// Whether the operation has only asked so far: it is as if it had not begun.
    pub(crate) const fn only_looked(self) -> bool {
        match self {
            Stage::Anew | Stage::NameFound | Stage::OtherNameFound | Stage::Queried(_) => true,
            Stage::Last
            | Stage::Between
            | Stage::ReadDirStat
            | Stage::OpenFound(_)
            | Stage::NameRemoved(_)
            | Stage::NameGone(_)
            | Stage::Asked
            | Stage::HolderAnswered(..)
            | Stage::Noted(..)
            | Stage::Kept { .. }
            | Stage::WithStat { .. }
            | Stage::Locking(_)
            | Stage::Testing(_)
            | Stage::OpenCut { .. }
            | Stage::OpenLeased { .. } => false,
        }
    }
}
