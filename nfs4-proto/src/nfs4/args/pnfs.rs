//! Layouts, devices, directory delegations and the SSV: what 4.1 has and few servers do.

use crate::nfs4::attr::Bitmap;
use crate::nfs4::basic::{DelegationType, DeviceId, Stateid, Time, Verifier};
use crate::nfs4::consts::{
    CLAIM_DELEG_PREV_FH, CLAIM_FH, CLAIM_PREVIOUS, LAYOUTRETURN4_ALL, LAYOUTRETURN4_FILE,
    LAYOUTRETURN4_FSID,
};
use crate::xdr::xdr;

xdr! {
    /// Arguments of GET_DIR_DELEGATION [RFC 8881 §18.39].
    struct GetDirDelegation {
        signal_deleg_avail: bool,
        notification_types: Bitmap,
        child_attr_delay: Time,
        dir_attr_delay: Time,
        child_attributes: Bitmap,
        dir_attributes: Bitmap,
    }

    /// Arguments of GETDEVICEINFO [RFC 8881 §18.40].
    struct GetDeviceInfo {
        device_id: DeviceId,
        layout_type: u32,
        maxcount: u32,
        notify_types: Bitmap,
    }

    /// Arguments of GETDEVICELIST [RFC 8881 §18.41].
    struct GetDeviceList {
        layout_type: u32,
        maxdevices: u32,
        cookie: u64,
        cookieverf: Verifier,
    }

    /// What a client may do through a layout [RFC 8881 §3.3.20].
    enum LayoutIoMode {
        Read = 1 "LAYOUTIOMODE4_READ",
        ReadWrite = 2 "LAYOUTIOMODE4_RW",
        Any = 3 "LAYOUTIOMODE4_ANY",
    }

    /// What a client has to say about a layout, in the layout type's own form
    /// [RFC 8881 §3.3.18].
    struct LayoutUpdate<'a> {
        r#type: u32,
        body: &'a [u8],
    }

    /// Arguments of LAYOUTCOMMIT [RFC 8881 §18.42].
    struct LayoutCommit<'a> {
        offset: u64,
        length: u64,
        reclaim: bool,
        stateid: Stateid,
        last_write_offset: Option<u64>,
        time_modify: Option<Time>,
        layoutupdate: LayoutUpdate<'a>,
    }

    /// Arguments of LAYOUTGET [RFC 8881 §18.43].
    struct LayoutGet {
        signal_layout_avail: bool,
        layout_type: u32,
        iomode: LayoutIoMode,
        offset: u64,
        length: u64,
        minlength: u64,
        stateid: Stateid,
        maxcount: u32,
    }

    /// Arguments of LAYOUTRETURN [RFC 8881 §18.44].
    struct LayoutReturn<'a> {
        reclaim: bool,
        layout_type: u32,
        iomode: LayoutIoMode,
        layoutreturn: LayoutReturnWhat<'a>,
    }

    /// Which layouts go back [RFC 8881 §18.44].
    union LayoutReturnWhat<'a> {
        LAYOUTRETURN4_FILE => File {
            offset: u64,
            length: u64,
            stateid: Stateid,
            body: &'a [u8],
        },
        LAYOUTRETURN4_FSID => Fsid,
        LAYOUTRETURN4_ALL => All,
    }

    /// Arguments of SET_SSV [RFC 8881 §18.47].
    struct SetSsv<'a> {
        ssv: &'a [u8],
        digest: &'a [u8],
    }

    /// Arguments of WANT_DELEGATION [RFC 8881 §18.49].
    struct WantDelegation {
        want: u32,
        claim: DelegClaim,
    }

    /// By what right a delegation is wanted [RFC 8881 §18.49].
    union DelegClaim {
        CLAIM_PREVIOUS => Previous(delegate_type: DelegationType),
        CLAIM_FH => Fh,
        CLAIM_DELEG_PREV_FH => DelegPrevFh,
    }
}
