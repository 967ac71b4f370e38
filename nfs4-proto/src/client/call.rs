//! Calls.

use alloc::vec::Vec;

use crate::nfs4::any::{ArgOp, for_each_op};
use crate::nfs4::compound::CompoundHeader;
use crate::nfs4::{Op, OpNum, args};
use crate::rpc::{
    AuthFlavor, AuthSys, CallHeader, NFS_V4, NFS4_PROGRAM, NFSPROC4_COMPOUND, NFSPROC4_NULL,
    OpaqueAuth, write_mark,
};
use crate::xdr::{Encode, Writer};

/// What a call says of its caller [RFC 5531 §8.2].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallCredential<'a> {
    /// Nothing.
    None,
    /// Unix numbers.
    Sys(AuthSys<'a>),
    /// Anything else, ready made.
    Raw(OpaqueAuth<'a>),
}

/// Builds a COMPOUND operation by operation [RFC 8881 §16.2].
///
/// Nothing is checked: tests want to send nonsense too.
#[derive(Debug, Clone)]
pub struct CompoundBuilder {
    w: Writer,
    marked: bool,
    count_at: usize,
    count: u32,
}

impl CompoundBuilder {
    /// Starts a whole call with its record mark.
    pub fn call(xid: u32, cred: &CallCredential<'_>, tag: &[u8], minorversion: u32) -> Self {
        let mut w = Writer::with_capacity(512);
        w.reserve_u32();
        write_header(&mut w, xid, NFSPROC4_COMPOUND, cred);
        Self::start(w, true, tag, minorversion)
    }

    /// Starts only the arguments of a COMPOUND: no mark and no RPC header.
    pub fn body(tag: &[u8], minorversion: u32) -> Self {
        Self::start(Writer::with_capacity(512), false, tag, minorversion)
    }

    fn start(mut w: Writer, marked: bool, tag: &[u8], minorversion: u32) -> Self {
        CompoundHeader {
            tag,
            minorversion,
            ops: 0,
        }
        .encode(&mut w);
        let count_at = w.len() - 4;
        Self {
            w,
            marked,
            count_at,
            count: 0,
        }
    }

    /// Appends an operation.
    pub fn op(&mut self, op: &ArgOp<'_>) -> &mut Self {
        self.count += 1;
        op.encode(&mut self.w);
        self
    }

    /// Appends an operation with arguments that are XDR already, or are not XDR at all.
    pub fn raw(&mut self, op: OpNum, args: &[u8]) -> &mut Self {
        self.count += 1;
        op.encode(&mut self.w);
        self.w.raw(args);
        self
    }

    /// The number of operations so far.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Lies about the number of operations.
    pub const fn set_count(&mut self, count: u32) -> &mut Self {
        self.count = count;
        self
    }

    /// The call; the builder is empty afterwards.
    pub fn finish(&mut self) -> Vec<u8> {
        self.w.patch_u32(self.count_at, self.count);
        finish_record(core::mem::take(&mut self.w), self.marked)
    }
}

/// A whole call of the procedure NULL, with its record mark [RFC 8881 §16.1].
pub fn null_call(xid: u32, cred: &CallCredential<'_>) -> Vec<u8> {
    let mut w = Writer::new();
    w.reserve_u32();
    write_header(&mut w, xid, NFSPROC4_NULL, cred);
    finish_record(w, true)
}

macro_rules! methods {
    ($(
        $variant:ident $method:ident [$($a:ident : $args:ty)?] [$ok:ty] [$err:ty];
    )*) => {
        /// One method for each operation, under its name.
        #[expect(clippy::extra_unused_lifetimes, reason = "the rows of the table name it or not")]
        impl CompoundBuilder {
            $(
                #[doc = concat!("Appends `", stringify!($variant), "`.")]
                pub fn $method<'a>(&mut self $(, $a: $args)?) -> &mut Self {
                    self.count += 1;
                    Op::$variant.number().encode(&mut self.w);
                    $($a.encode(&mut self.w);)?
                    self
                }
            )*
        }
    };
}

for_each_op! { methods }

/// Fills the place of the mark, if there is one.
pub(super) fn finish_record(mut w: Writer, marked: bool) -> Vec<u8> {
    if marked {
        let mark = write_mark(w.len().saturating_sub(4));
        w.patch_u32(0, u32::from_be_bytes(mark));
    }
    w.into_vec()
}

fn write_header(w: &mut Writer, xid: u32, proc: u32, cred: &CallCredential<'_>) {
    let mut body = Writer::new();
    let cred = match cred {
        CallCredential::None => OpaqueAuth::NONE,
        CallCredential::Raw(raw) => *raw,
        CallCredential::Sys(sys) => {
            sys.encode(&mut body);
            OpaqueAuth {
                flavor: AuthFlavor::SYS,
                body: body.as_slice(),
            }
        }
    };
    let (prog, vers) = (NFS4_PROGRAM, NFS_V4);
    CallHeader {
        xid,
        prog,
        vers,
        proc,
        cred,
        verf: OpaqueAuth::NONE,
    }
    .encode(w);
}
