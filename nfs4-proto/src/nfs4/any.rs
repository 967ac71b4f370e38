//! Every operation in one type: for dumps, tests and clients.
//!
//! A server decodes each operation where it runs it, and has no use for these.

use core::fmt;

use super::{args, callback as cb, res};
use crate::nfs4::res::Outcome;
use crate::nfs4::{CbOp, CbOpNum, Op, OpNum, Status};
use crate::xdr::{Decode, Encode, Reader, Show, Writer, XdrError};

/// Calls `$then` with a row for each operation: variant, method, arguments, results, error body.
macro_rules! for_each_op {
    ($then:ident $($more:tt)*) => {
        $then! {
            $($more)*
            Access access [args: args::Access] [res::AccessOk] [()];
            Close close [args: args::Close] [res::CloseOk] [()];
            Commit commit [args: args::Commit] [res::CommitOk] [()];
            Create create [args: args::Create<'a>] [res::CreateOk] [()];
            DelegPurge delegpurge [args: args::DelegPurge] [()] [()];
            DelegReturn delegreturn [args: args::DelegReturn] [()] [()];
            GetAttr getattr [args: args::GetAttr] [res::GetAttrOk<'a>] [()];
            GetFh getfh [] [res::GetFhOk<'a>] [()];
            Link link [args: args::Link<'a>] [res::LinkOk] [()];
            Lock lock [args: args::Lock<'a>] [res::LockOk] [Option<res::LockDenied<'a>>];
            LockT lockt [args: args::LockT<'a>] [()] [Option<res::LockDenied<'a>>];
            LockU locku [args: args::LockU] [res::LockUOk] [()];
            Lookup lookup [args: args::Lookup<'a>] [()] [()];
            LookupP lookupp [] [()] [()];
            NVerify nverify [args: args::NVerify<'a>] [()] [()];
            Open open [args: args::Open<'a>] [res::OpenOk<'a>] [()];
            OpenAttr openattr [args: args::OpenAttr] [()] [()];
            OpenConfirm open_confirm [args: args::OpenConfirm] [res::OpenConfirmOk] [()];
            OpenDowngrade open_downgrade [args: args::OpenDowngrade] [res::OpenDowngradeOk] [()];
            PutFh putfh [args: args::PutFh<'a>] [()] [()];
            PutPubFh putpubfh [] [()] [()];
            PutRootFh putrootfh [] [()] [()];
            Read read [args: args::Read] [res::ReadOk<'a>] [()];
            ReadDir readdir [args: args::ReadDir] [res::ReadDirOk<'a>] [()];
            ReadLink readlink [] [res::ReadLinkOk<'a>] [()];
            Remove remove [args: args::Remove<'a>] [res::RemoveOk] [()];
            Rename rename [args: args::Rename<'a>] [res::RenameOk] [()];
            Renew renew [args: args::Renew] [()] [()];
            RestoreFh restorefh [] [()] [()];
            SaveFh savefh [] [()] [()];
            SecInfo secinfo [args: args::SecInfo<'a>] [res::SecInfoOk<'a>] [()];
            SetAttr setattr [args: args::SetAttr<'a>] [res::SetAttrRes] [res::SetAttrRes];
            SetClientId setclientid [args: args::SetClientId<'a>] [res::SetClientIdOk] [Option<res::ClientIdInUse<'a>>];
            SetClientIdConfirm setclientid_confirm [args: args::SetClientIdConfirm] [()] [()];
            Verify verify [args: args::Verify<'a>] [()] [()];
            Write write [args: args::Write<'a>] [res::WriteOk] [()];
            ReleaseLockOwner release_lockowner [args: args::ReleaseLockOwner<'a>] [()] [()];
            BackchannelCtl backchannel_ctl [args: args::BackchannelCtl<'a>] [()] [()];
            BindConnToSession bind_conn_to_session [args: args::BindConnToSession] [res::BindConnToSessionOk] [()];
            ExchangeId exchange_id [args: args::ExchangeId<'a>] [res::ExchangeIdOk<'a>] [()];
            CreateSession create_session [args: args::CreateSession<'a>] [res::CreateSessionOk] [()];
            DestroySession destroy_session [args: args::DestroySession] [()] [()];
            FreeStateid free_stateid [args: args::FreeStateid] [()] [()];
            GetDirDelegation get_dir_delegation [args: args::GetDirDelegation] [res::GetDirDelegationOk] [()];
            GetDeviceInfo getdeviceinfo [args: args::GetDeviceInfo] [res::GetDeviceInfoOk<'a>] [Option<res::DeviceTooSmall>];
            GetDeviceList getdevicelist [args: args::GetDeviceList] [res::GetDeviceListOk<'a>] [()];
            LayoutCommit layoutcommit [args: args::LayoutCommit<'a>] [res::LayoutCommitOk] [()];
            LayoutGet layoutget [args: args::LayoutGet] [res::LayoutGetOk<'a>] [Option<res::LayoutTryLater>];
            LayoutReturn layoutreturn [args: args::LayoutReturn<'a>] [res::LayoutReturnOk] [()];
            SecInfoNoName secinfo_no_name [args: args::SecInfoNoName] [res::SecInfoOk<'a>] [()];
            Sequence sequence [args: args::Sequence] [res::SequenceOk] [()];
            SetSsv set_ssv [args: args::SetSsv<'a>] [res::SetSsvOk<'a>] [()];
            TestStateid test_stateid [args: args::TestStateid<'a>] [res::TestStateidOk<'a>] [()];
            WantDelegation want_delegation [args: args::WantDelegation] [res::OpenDelegation<'a>] [()];
            DestroyClientId destroy_clientid [args: args::DestroyClientId] [()] [()];
            ReclaimComplete reclaim_complete [args: args::ReclaimComplete] [()] [()];
            Allocate allocate [args: args::Allocate] [()] [()];
            Copy copy [args: args::Copy<'a>] [res::CopyOk] [Option<res::CopyRequirements>];
            CopyNotify copy_notify [args: args::CopyNotify<'a>] [res::CopyNotifyOk<'a>] [()];
            Deallocate deallocate [args: args::Deallocate] [()] [()];
            IoAdvise io_advise [args: args::IoAdvise] [res::IoAdviseOk] [()];
            LayoutError layouterror [args: args::LayoutError<'a>] [()] [()];
            LayoutStats layoutstats [args: args::LayoutStats<'a>] [()] [()];
            OffloadCancel offload_cancel [args: args::OffloadCancel] [()] [()];
            OffloadStatus offload_status [args: args::OffloadStatus] [res::OffloadStatusOk] [()];
            ReadPlus read_plus [args: args::ReadPlus] [res::ReadPlusOk<'a>] [()];
            Seek seek [args: args::Seek] [res::SeekOk] [()];
            WriteSame write_same [args: args::WriteSame<'a>] [res::WriteResponse] [()];
            Clone clone [args: args::Clone] [()] [()];
            GetXattr getxattr [args: args::GetXattr<'a>] [res::GetXattrOk<'a>] [()];
            SetXattr setxattr [args: args::SetXattr<'a>] [res::SetXattrOk] [()];
            ListXattrs listxattrs [args: args::ListXattrs] [res::ListXattrsOk<'a>] [()];
            RemoveXattr removexattr [args: args::RemoveXattr<'a>] [res::RemoveXattrOk] [()];
            Illegal illegal [] [()] [()];
        }
    };
}

/// Calls `$then` with a row for each callback operation, as [`for_each_op`].
macro_rules! for_each_cb_op {
    ($then:ident $($more:tt)*) => {
        $then! {
            $($more)*
            GetAttr cb_getattr [args: cb::args::CbGetAttr<'a>] [cb::res::CbGetAttrOk<'a>] [()];
            Recall cb_recall [args: cb::args::CbRecall<'a>] [()] [()];
            LayoutRecall cb_layoutrecall [args: cb::args::CbLayoutRecall<'a>] [()] [()];
            Notify cb_notify [args: cb::args::CbNotify<'a>] [()] [()];
            PushDeleg cb_push_deleg [args: cb::args::CbPushDeleg<'a>] [()] [()];
            RecallAny cb_recall_any [args: cb::args::CbRecallAny] [()] [()];
            RecallableObjAvail cb_recallable_obj_avail [args: cb::args::CbRecallableObjAvail] [()] [()];
            RecallSlot cb_recall_slot [args: cb::args::CbRecallSlot] [()] [()];
            Sequence cb_sequence [args: cb::args::CbSequence<'a>] [cb::res::CbSequenceOk] [()];
            WantsCancelled cb_wants_cancelled [args: cb::args::CbWantsCancelled] [()] [()];
            NotifyLock cb_notify_lock [args: cb::args::CbNotifyLock<'a>] [()] [()];
            NotifyDeviceId cb_notify_deviceid [args: cb::args::CbNotifyDeviceId<'a>] [()] [()];
            Offload cb_offload [args: cb::args::CbOffload<'a>] [()] [()];
            Illegal cb_illegal [] [()] [()];
        }
    };
}

pub(crate) use for_each_op;

macro_rules! any {
    (
        $(#[$arg_doc:meta])* $arg:ident, $(#[$res_doc:meta])* $res:ident, $op:ident, $num:ident,
        $(
            $variant:ident $method:ident [$($a:ident : $args:ty)?] [$ok:ty] [$err:ty];
        )*
    ) => {
        $(#[$arg_doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum $arg<'a> {
            $(
                #[doc = concat!("`", stringify!($method), "`.")]
                $variant $(($args))?,
            )*
        }

        impl<'a> $arg<'a> {
            /// Which operation it is.
            pub const fn op(&self) -> $op {
                match self {
                    $(Self::$variant { .. } => $op::$variant,)*
                }
            }

            /// Reads the arguments of `op`, whose number is read already.
            pub fn decode_args(op: $op, r: &mut Reader<'a>) -> Result<Self, XdrError> {
                let _ = &r;
                Ok(match op {
                    $($op::$variant => Self::$variant $((<$args>::decode(r)?))?,)*
                })
            }
        }

        impl fmt::Debug for $arg<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.op().name())?;
                match self {
                    $(Self::$variant $(($a))? => {
                        $(Show::show($a, f)?;)?
                    })*
                }
                Ok(())
            }
        }

        impl Encode for $arg<'_> {
            fn encode(&self, w: &mut Writer) {
                self.op().number().encode(w);
                match self {
                    $(Self::$variant $(($a))? => {
                        $($a.encode(w);)?
                    })*
                }
            }
        }

        impl<'a> Decode<'a> for $arg<'a> {
            const MIN: usize = 4;

            fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
                let op = $num::decode(r)?.known().ok_or(XdrError::BadDiscriminant)?;
                Self::decode_args(op, r)
            }
        }

        #[cfg(any(test, feature = "__fuzz"))]
        impl<'a> crate::xdr::sample::Sample for $arg<'a> {
            fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
                let Some(op) = $op::ALL.get(tape.below($op::COUNT)) else { return };
                op.number().encode(w);
                match op {
                    $($op::$variant => {
                        $(<$args>::sample(tape, w);)?
                    })*
                }
            }
        }

        #[cfg(any(test, feature = "__fuzz"))]
        impl<'a> crate::xdr::sample::Sample for $res<'a> {
            fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
                let Some(op) = $op::ALL.get(tape.below($op::COUNT)) else { return };
                op.number().encode(w);
                match op {
                    $($op::$variant => Outcome::<$ok, $err>::sample(tape, w),)*
                }
            }
        }

        $(#[$res_doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum $res<'a> {
            $(
                #[doc = concat!("`", stringify!($method), "`.")]
                $variant(Outcome<$ok, $err>),
            )*
        }

        impl<'a> $res<'a> {
            /// Which operation it is.
            pub const fn op(&self) -> $op {
                match self {
                    $(Self::$variant(_) => $op::$variant,)*
                }
            }

            /// The status of the operation.
            pub const fn status(&self) -> Status {
                match self {
                    $(Self::$variant(outcome) => outcome.status(),)*
                }
            }

            /// Reads the status and the results of `op`, whose number is read already.
            pub fn decode_res(op: $op, r: &mut Reader<'a>) -> Result<Self, XdrError> {
                Ok(match op {
                    $($op::$variant => Self::$variant(Outcome::decode(r)?),)*
                })
            }
        }

        impl fmt::Debug for $res<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} ", self.op().name())?;
                match self {
                    $(Self::$variant(outcome) => outcome.show(f),)*
                }
            }
        }

        impl Encode for $res<'_> {
            fn encode(&self, w: &mut Writer) {
                self.op().number().encode(w);
                match self {
                    $(Self::$variant(outcome) => outcome.encode(w),)*
                }
            }
        }

        impl<'a> Decode<'a> for $res<'a> {
            const MIN: usize = 8;

            fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
                let op = $num::decode(r)?.known().ok_or(XdrError::BadDiscriminant)?;
                Self::decode_res(op, r)
            }
        }
    };
}

for_each_op! { any
    /// An operation with its arguments: `nfs_argop4` [RFC 8881 §16.2].
    ArgOp,
    /// The result of an operation with its status: `nfs_resop4` [RFC 8881 §16.2].
    ResOp,
    Op, OpNum,
}

for_each_cb_op! { any
    /// A callback operation with its arguments: `nfs_cb_argop4` [RFC 8881 §19.2].
    CbArgOp,
    /// The result of a callback operation with its status: `nfs_cb_resop4` [RFC 8881 §19.2].
    CbResOp,
    CbOp, CbOpNum,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nfs4::attr::{self, AttrValue};
    use crate::nfs4::compound;
    use crate::rpc;
    use crate::xdr::sample::{Sample, Tape, check};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn operations_are_inverse(tape in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut w = Writer::new();
            check::<ArgOp<'_>>(&mut Tape::new(&tape), &mut w).map_err(TestCaseError::fail)?;
            check::<ResOp<'_>>(&mut Tape::new(&tape), &mut w).map_err(TestCaseError::fail)?;
            check::<CbArgOp<'_>>(&mut Tape::new(&tape), &mut w).map_err(TestCaseError::fail)?;
            check::<CbResOp<'_>>(&mut Tape::new(&tape), &mut w).map_err(TestCaseError::fail)?;
        }

        #[test]
        fn garbage_decodes_to_an_error_or_to_itself(
            bytes in proptest::collection::vec(prop_oneof![4 => 0..4_u8, 1 => any::<u8>()], 0..300),
        ) {
            for op in Op::ALL {
                let mut r = Reader::new(&bytes);
                if let Ok(args) = ArgOp::decode_args(*op, &mut r) {
                    let mut w = Writer::new();
                    args.encode(&mut w);
                    let mut again = Reader::new(w.as_slice());
                    prop_assert_eq!(ArgOp::decode(&mut again), Ok(args));
                }
                let mut r = Reader::new(&bytes);
                if let Ok(res) = ResOp::decode_res(*op, &mut r) {
                    let mut w = Writer::new();
                    res.encode(&mut w);
                    let mut again = Reader::new(w.as_slice());
                    prop_assert_eq!(ResOp::decode(&mut again), Ok(res));
                }
            }
        }
    }

    macro_rules! inverse {
        ($($name:ident: $($t:ty),+;)*) => {
            proptest! {
                #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $name(tape in proptest::collection::vec(any::<u8>(), 0..100)) {
                    let mut w = Writer::new();
                    $(check::<$t>(&mut Tape::new(&tape), &mut w).map_err(TestCaseError::fail)?;)+
                }
            )*}
        };
    }

    // What no operation holds in a typed form.
    inverse! {
        notifications_are_inverse: cb::args::NotifyRemove<'_>, cb::args::NotifyAdd<'_>,
            cb::args::NotifyAttr<'_>, cb::args::NotifyRename<'_>, cb::args::NotifyVerifier,
            cb::args::DeviceDeleted, cb::args::DeviceChanged;
        headers_are_inverse: compound::CompoundHeader<'_>, compound::CompoundReplyHeader<'_>,
            compound::CbCompoundHeader<'_>, rpc::OpaqueAuth<'_>, rpc::AuthSys<'_>;
        attributes_are_inverse: AnyAttr<'_>;
        enums_are_inverse: args::IoAdviseType, args::DataContent, cb::args::NotifyType,
            cb::args::NotifyDeviceIdType, rpc::AuthStat;
    }

    /// A number and the value of that attribute.
    #[derive(Debug, PartialEq)]
    struct AnyAttr<'a>(AttrValue<'a>);

    impl Encode for AnyAttr<'_> {
        fn encode(&self, w: &mut Writer) {
            w.u32(self.0.number());
            self.0.encode_value(w);
        }
    }

    impl<'a> Decode<'a> for AnyAttr<'a> {
        const MIN: usize = 8;

        fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
            let number = r.u32()?;
            AttrValue::decode_value(number, r).map(Self)
        }
    }

    impl Sample for AnyAttr<'_> {
        fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
            let info = &attr::num::ALL[tape.below(attr::num::ALL.len())];
            w.u32(info.number);
            AttrValue::sample_value(info.number, tape, w);
        }
    }
}
