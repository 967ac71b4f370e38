//! How an operation returns, and where it continues.

use nfs4_proto::nfs4::status::Status;

use crate::compound::opening::Opening;
use crate::compound::permission_query::PermissionQuery;
use crate::fs::{DirChange, FsOp};
use crate::keys::{ClientKey, DelegationKey, FileKey};
use crate::state::claim::Claim;
use crate::state::delegation::HolderAnswer;

/// What an operation says when it returns.
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
    /// It waits for what the holder of a delegation was asked.
    AwaitHolder(DelegationKey, Stage),
    /// It has done a part, and lets others be served.
    Yield,
}

/// Where a waiting operation continues. Its arguments are decoded again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Stage {
    /// It waited once, and ends with the answer.
    #[default]
    Last,
    /// It has ended, and the next one waits for its turn.
    Between,
    /// READDIR: the room in the file system is asked for.
    ReadDirStat,
    /// OPEN: the file is looked for, or made.
    OpenFound(Opening),
    /// REMOVE and RENAME: it is looked what the (old) name means,
    NameFound,
    /// and RENAME: what the new one does.
    OtherNameFound,
    /// A file is delegated, and it is looked whether the user may do to it what has to do with that.
    Queried(PermissionQuery),
    /// REMOVE and RENAME: the name is removed of a file that is delegated to the caller,
    NameRemoved(FileKey),
    /// and it is looked whether the file is still there.
    NameGone(FileKey),
    /// GETATTR, VERIFY and NVERIFY: the holder of a write delegation was asked what it has made of
    /// the file,
    Asked,
    /// The holder has answered.
    Told(DelegationKey, HolderAnswer),
    /// that it has changed the file was noted, and it says that it has this length,
    Noted(DelegationKey, Option<u64>),
    /// The change was noted once more, so that this change attribute goes with this size and is no more
    /// seen beside the file system's,
    Kept {
        held: DelegationKey,
        change: u64,
        size: u64,
        former: u64,
    },
    /// and the room in the file system was asked for once more.
    WithStat { change: u64, size: u64 },
    /// OPEN: the share is claimed, and the file is being cut.
    OpenCut {
        claim: Claim,
        dir: DirChange,
        room: Option<ClientKey>,
    },
}

impl Stage {
    /// A name is removed, of this file if it is delegated to the caller.
    pub(crate) fn losing(file: Option<FileKey>) -> Stage {
        file.map_or(Stage::Last, Stage::NameRemoved)
    }

    /// Whether the operation has only looked so far: it is as if it had not begun.
    pub(crate) const fn only_looked(self) -> bool {
        match self {
            Stage::NameFound | Stage::OtherNameFound | Stage::Queried(_) => true,
            Stage::Last
            | Stage::Between
            | Stage::ReadDirStat
            | Stage::OpenFound(_)
            | Stage::NameRemoved(_)
            | Stage::NameGone(_)
            | Stage::Asked
            | Stage::Told(..)
            | Stage::Noted(..)
            | Stage::Kept { .. }
            | Stage::WithStat { .. }
            | Stage::OpenCut { .. } => false,
        }
    }
}
