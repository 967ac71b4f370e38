//! Layouts, devices, directory delegations and the SSV.

use crate::nfs4::args::LayoutIoMode;
use crate::nfs4::attr::Bitmap;
use crate::nfs4::basic::{DeviceId, Stateid, Verifier};
use crate::nfs4::consts::{GDD4_OK, GDD4_UNAVAIL};
use crate::xdr::{List, xdr};

xdr! {
    /// Results of GET_DIR_DELEGATION: that there is none is no error [RFC 8881 §18.39].
    union GetDirDelegationOk {
        GDD4_OK => Granted {
            cookieverf: Verifier,
            stateid: Stateid,
            notification: Bitmap,
            child_attributes: Bitmap,
            dir_attributes: Bitmap,
        },
        GDD4_UNAVAIL => Unavailable(will_signal_deleg_avail: bool),
    }

    /// Results of GETDEVICEINFO [RFC 8881 §18.40].
    struct GetDeviceInfoOk<'a> {
        device_addr: DeviceAddr<'a>,
        notification: Bitmap,
    }

    /// How to reach a device, in the layout type's own form [RFC 8881 §3.3.15].
    struct DeviceAddr<'a> {
        layout_type: u32,
        addr_body: &'a [u8],
    }

    /// With `NFS4ERR_TOOSMALL` from GETDEVICEINFO [RFC 8881 §18.40].
    struct DeviceTooSmall {
        mincount: u32,
    }

    /// Results of GETDEVICELIST [RFC 8881 §18.41].
    struct GetDeviceListOk<'a> {
        cookie: u64,
        cookieverf: Verifier,
        deviceid_list: List<'a, DeviceId>,
        eof: bool,
    }

    /// Results of LAYOUTCOMMIT [RFC 8881 §18.42].
    struct LayoutCommitOk {
        newsize: Option<u64>,
    }

    /// Results of LAYOUTGET [RFC 8881 §18.43].
    struct LayoutGetOk<'a> {
        return_on_close: bool,
        stateid: Stateid,
        layout: List<'a, Layout<'a>>,
    }

    /// One layout [RFC 8881 §3.3.17].
    struct Layout<'a> {
        offset: u64,
        length: u64,
        iomode: LayoutIoMode,
        content: LayoutContent<'a>,
    }

    /// A layout in the layout type's own form [RFC 8881 §3.3.16].
    struct LayoutContent<'a> {
        r#type: u32,
        body: &'a [u8],
    }

    /// With `NFS4ERR_LAYOUTTRYLATER` from LAYOUTGET [RFC 8881 §18.43].
    struct LayoutTryLater {
        will_signal_layout_avail: bool,
    }

    /// Results of LAYOUTRETURN [RFC 8881 §18.44].
    struct LayoutReturnOk {
        stateid: Option<Stateid>,
    }

    /// Results of SET_SSV [RFC 8881 §18.47].
    struct SetSsvOk<'a> {
        digest: &'a [u8],
    }
}
