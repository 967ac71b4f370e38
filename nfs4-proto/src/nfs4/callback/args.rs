//! The arguments of callback operations, each under the name of its operation.

use crate::nfs4::Status;
use crate::nfs4::args::LayoutIoMode;
use crate::nfs4::attr::{Bitmap, FattrRaw};
use crate::nfs4::basic::{DeviceId, Fsid, Owner, SessionId, Stateid, Verifier};
use crate::nfs4::consts::{LAYOUTRECALL4_ALL, LAYOUTRECALL4_FILE, LAYOUTRECALL4_FSID, NFS4_FHSIZE};
use crate::nfs4::res::{OpenDelegation, WriteResponse};
use crate::xdr::{Decode, Encode, List, Reader, Writer, XdrError, xdr};

xdr! {
    /// Arguments of CB_GETATTR [RFC 8881 §20.1].
    struct CbGetAttr<'a> {
        fh: &'a [u8] [max NFS4_FHSIZE],
        attr_request: Bitmap,
    }

    /// Arguments of CB_RECALL [RFC 8881 §20.2].
    struct CbRecall<'a> {
        stateid: Stateid,
        truncate: bool,
        fh: &'a [u8] [max NFS4_FHSIZE],
    }

    /// Arguments of CB_LAYOUTRECALL [RFC 8881 §20.3].
    struct CbLayoutRecall<'a> {
        r#type: u32,
        iomode: LayoutIoMode,
        changed: bool,
        recall: LayoutRecallWhat<'a>,
    }

    /// Which layouts are to go back [RFC 8881 §20.3].
    union LayoutRecallWhat<'a> {
        LAYOUTRECALL4_FILE => File {
            fh: &'a [u8] [max NFS4_FHSIZE],
            offset: u64,
            length: u64,
            stateid: Stateid,
        },
        LAYOUTRECALL4_FSID => Fsid(fsid: Fsid),
        LAYOUTRECALL4_ALL => All,
    }

    /// Arguments of CB_NOTIFY [RFC 8881 §20.4].
    struct CbNotify<'a> {
        stateid: Stateid,
        fh: &'a [u8] [max NFS4_FHSIZE],
        changes: List<'a, Notify<'a>>,
    }

    /// Changes of the kinds in the mask; the values lie one after the other [RFC 8881 §20.4].
    struct Notify<'a> {
        mask: Bitmap,
        vals: &'a [u8],
    }

    /// The kinds of changes of a directory: bits of [`Notify::mask`] [RFC 8881 §20.4].
    enum NotifyType {
        ChangeChildAttrs = 0 "NOTIFY4_CHANGE_CHILD_ATTRS",
        ChangeDirAttrs = 1 "NOTIFY4_CHANGE_DIR_ATTRS",
        RemoveEntry = 2 "NOTIFY4_REMOVE_ENTRY",
        AddEntry = 3 "NOTIFY4_ADD_ENTRY",
        RenameEntry = 4 "NOTIFY4_RENAME_ENTRY",
        ChangeCookieVerifier = 5 "NOTIFY4_CHANGE_COOKIE_VERIFIER",
    }

    /// An entry and its attributes [RFC 8881 §20.4].
    struct NotifyEntry<'a> {
        file: &'a [u8],
        attrs: FattrRaw<'a>,
    }

    /// The entry before another one [RFC 8881 §20.4].
    struct PrevEntry<'a> {
        prev_entry: NotifyEntry<'a>,
        prev_entry_cookie: u64,
    }

    /// An entry is gone [RFC 8881 §20.4].
    struct NotifyRemove<'a> {
        old_entry: NotifyEntry<'a>,
        old_entry_cookie: u64,
    }

    /// An entry is new [RFC 8881 §20.4].
    struct NotifyAdd<'a> {
        old_entry: Option<NotifyRemove<'a>>,
        new_entry: NotifyEntry<'a>,
        new_entry_cookie: Option<u64>,
        prev_entry: Option<PrevEntry<'a>>,
        last_entry: bool,
    }

    /// Attributes changed [RFC 8881 §20.4].
    struct NotifyAttr<'a> {
        changed_entry: NotifyEntry<'a>,
    }

    /// An entry has a new name [RFC 8881 §20.4].
    struct NotifyRename<'a> {
        old_entry: NotifyRemove<'a>,
        new_entry: NotifyAdd<'a>,
    }

    /// The cookie verifier changed [RFC 8881 §20.4].
    struct NotifyVerifier {
        old_cookieverf: Verifier,
        new_cookieverf: Verifier,
    }

    /// Arguments of CB_PUSH_DELEG [RFC 8881 §20.5].
    struct CbPushDeleg<'a> {
        fh: &'a [u8] [max NFS4_FHSIZE],
        delegation: OpenDelegation<'a>,
    }

    /// Arguments of CB_RECALL_ANY [RFC 8881 §20.6].
    struct CbRecallAny {
        objects_to_keep: u32,
        type_mask: Bitmap,
    }

    /// Arguments of CB_RECALLABLE_OBJ_AVAIL [RFC 8881 §20.7].
    struct CbRecallableObjAvail {
        objects_to_keep: u32,
        type_mask: Bitmap,
    }

    /// Arguments of CB_RECALL_SLOT [RFC 8881 §20.8].
    struct CbRecallSlot {
        target_highest_slotid: u32,
    }

    /// Arguments of CB_SEQUENCE [RFC 8881 §20.9].
    struct CbSequence<'a> {
        sessionid: SessionId,
        sequenceid: u32,
        slotid: u32,
        highest_slotid: u32,
        cachethis: bool,
        referring_call_lists: List<'a, ReferringCalls<'a>>,
    }

    /// Calls of the client to which the callback refers [RFC 8881 §20.9].
    struct ReferringCalls<'a> {
        sessionid: SessionId,
        referring_calls: List<'a, ReferringCall>,
    }

    /// One call of the client [RFC 8881 §20.9].
    struct ReferringCall {
        sequenceid: u32,
        slotid: u32,
    }

    /// Arguments of CB_WANTS_CANCELLED [RFC 8881 §20.10].
    struct CbWantsCancelled {
        contended_wants_cancelled: bool,
        resourced_wants_cancelled: bool,
    }

    /// Arguments of CB_NOTIFY_LOCK [RFC 8881 §20.11].
    struct CbNotifyLock<'a> {
        fh: &'a [u8] [max NFS4_FHSIZE],
        lock_owner: Owner<'a>,
    }

    /// Arguments of CB_NOTIFY_DEVICEID [RFC 8881 §20.12].
    struct CbNotifyDeviceId<'a> {
        changes: List<'a, Notify<'a>>,
    }

    /// The kinds of changes of a device: bits of [`Notify::mask`] [RFC 8881 §20.12].
    enum NotifyDeviceIdType {
        Change = 1 "NOTIFY_DEVICEID4_CHANGE",
        Delete = 2 "NOTIFY_DEVICEID4_DELETE",
    }

    /// A device is gone [RFC 8881 §20.12].
    struct DeviceDeleted {
        layouttype: u32,
        deviceid: DeviceId,
    }

    /// A device has another address [RFC 8881 §20.12].
    struct DeviceChanged {
        layouttype: u32,
        deviceid: DeviceId,
        immediate: bool,
    }

    /// Arguments of CB_OFFLOAD [RFC 7862 §16.1].
    struct CbOffload<'a> {
        fh: &'a [u8] [max NFS4_FHSIZE],
        stateid: Stateid,
        offload_info: OffloadInfo,
    }
}

/// How an asynchronous copy ended [RFC 7862 §16.1].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffloadInfo {
    /// With success.
    Done(WriteResponse),
    /// With a status that is not OK, after this many bytes.
    Failed {
        /// Why.
        status: Status,
        /// How far it came.
        bytes_copied: u64,
    },
}

crate::xdr::as_debug!(OffloadInfo);

impl Encode for OffloadInfo {
    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Done(response) => {
                Status::OK.encode(w);
                response.encode(w);
            }
            Self::Failed {
                status,
                bytes_copied,
            } => {
                status.encode(w);
                w.u64(*bytes_copied);
            }
        }
    }
}

impl<'a> Decode<'a> for OffloadInfo {
    const MIN: usize = 12;

    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        let status = Status::decode(r)?;
        if status.is_ok() {
            WriteResponse::decode(r).map(Self::Done)
        } else {
            Ok(Self::Failed {
                status,
                bytes_copied: r.u64()?,
            })
        }
    }
}

#[cfg(any(test, feature = "__fuzz"))]
impl crate::xdr::sample::Sample for OffloadInfo {
    fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
        let status = tape.below(2) as u32;
        w.u32(status);
        if status == 0 {
            WriteResponse::sample(tape, w);
        } else {
            w.u64(tape.u64());
        }
    }
}
