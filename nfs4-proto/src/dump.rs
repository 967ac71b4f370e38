//! Any message on one line, for debugging.

use core::fmt;

use crate::nfs4::any::{ArgOp, CbArgOp, CbResOp, ResOp};
use crate::nfs4::compound::{CbCompoundHeader, CompoundHeader, CompoundReplyHeader};
use crate::rpc::{
    AuthFlavor, AuthSys, CB_COMPOUND, CallHeader, MessageType, NFS4_PROGRAM, NFSPROC4_COMPOUND,
    OpaqueAuth, ReplyHeader, peek_message_type,
};
use crate::xdr::{Decode, Reader, Show, XdrError};

/// Prints a record, without its mark, on one line; whatever it is, it prints something.
///
/// Calls of another program than NFS are taken for callbacks. A reply does not say what it answers:
/// [`Dump::new`] takes it for one of the server, [`Dump::callback`] for one of the client.
#[derive(Clone, Copy)]
pub struct Dump<'a> {
    record: &'a [u8],
    callback: bool,
}

impl<'a> Dump<'a> {
    /// A call of either side, or a reply of the server.
    pub const fn new(record: &'a [u8]) -> Self {
        Self {
            record,
            callback: false,
        }
    }

    /// A call of either side, or a client's reply to a callback.
    pub const fn callback(record: &'a [u8]) -> Self {
        Self {
            record,
            callback: true,
        }
    }
}

impl fmt::Display for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match peek_message_type(self.record) {
            Ok((_, MessageType::Call)) => call(self.record, f),
            Ok((_, MessageType::Reply)) => reply(self.record, self.callback, f),
            Err(e) => {
                write!(f, "no RPC message ({e}): ")?;
                self.record.show(f)
            }
        }
    }
}

impl fmt::Debug for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn call(record: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (header, at) = match CallHeader::decode(record) {
        Ok(header) => header,
        Err(e) => return write!(f, "CALL {e}"),
    };
    write!(f, "CALL xid={:#x} ", header.xid)?;
    credential(&header.cred, f)?;
    let mut r = Reader::at(record, at);
    let result = match (header.prog, header.proc) {
        (_, 0) => return write!(f, "NULL of program {} v{}", header.prog, header.vers),
        (NFS4_PROGRAM, NFSPROC4_COMPOUND) => compound(&mut r, f)?,
        (_, CB_COMPOUND) => cb_compound(&mut r, f)?,
        (prog, proc) => return write!(f, "procedure {proc} of program {prog} v{}", header.vers),
    };
    end(result, &r, f)
}

fn reply(record: &[u8], callback: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let header = match ReplyHeader::decode(record) {
        Ok(header) => header,
        Err(e) => return write!(f, "REPLY {e}"),
    };
    write!(f, "REPLY xid={:#x} ", header.xid)?;
    let accepted = match header.outcome {
        Ok(accepted) => accepted,
        Err(fault) => return write!(f, "refused: {fault}"),
    };
    let mut r = Reader::at(record, accepted.results);
    if r.is_empty() {
        return f.write_str("NULL");
    }
    let result = results(&mut r, callback, f)?;
    end(result, &r, f)
}

fn credential(cred: &OpaqueAuth<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match cred.flavor {
        AuthFlavor::NONE => f.write_str("AUTH_NONE "),
        AuthFlavor::SYS => match AuthSys::from_body(cred.body) {
            Ok(sys) => write!(f, "AUTH_SYS{sys:?} "),
            Err(e) => write!(f, "AUTH_SYS({e}) "),
        },
        AuthFlavor(other) => write!(f, "flavor={other} "),
    }
}

/// What was wrong with the message, after what could be printed of it.
type Malformed = Result<(), XdrError>;

/// Decodes, or returns from a function that prints.
macro_rules! decode {
    ($t:ty, $r:expr) => {
        match <$t>::decode($r) {
            Ok(value) => value,
            Err(e) => return Ok(Err(e)),
        }
    };
}

fn compound(r: &mut Reader<'_>, f: &mut fmt::Formatter<'_>) -> Result<Malformed, fmt::Error> {
    let header = decode!(CompoundHeader<'_>, r);
    write!(f, "COMPOUND v4.{}", header.minorversion)?;
    tag(header.tag, f)?;
    items::<ArgOp<'_>>(header.ops, r, f)
}

fn cb_compound(r: &mut Reader<'_>, f: &mut fmt::Formatter<'_>) -> Result<Malformed, fmt::Error> {
    let header = decode!(CbCompoundHeader<'_>, r);
    write!(
        f,
        "CB_COMPOUND v4.{} ident={}",
        header.minorversion, header.callback_ident
    )?;
    tag(header.tag, f)?;
    items::<CbArgOp<'_>>(header.ops, r, f)
}

fn results(
    r: &mut Reader<'_>,
    callback: bool,
    f: &mut fmt::Formatter<'_>,
) -> Result<Malformed, fmt::Error> {
    let header = decode!(CompoundReplyHeader<'_>, r);
    write!(f, "{}", header.status)?;
    tag(header.tag, f)?;
    if callback {
        items::<CbResOp<'_>>(header.ops, r, f)
    } else {
        items::<ResOp<'_>>(header.ops, r, f)
    }
}

fn tag(tag: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if tag.is_empty() {
        return Ok(());
    }
    f.write_str(" tag=")?;
    tag.show(f)
}

fn items<'a, T: Decode<'a> + fmt::Debug>(
    count: u32,
    r: &mut Reader<'a>,
    f: &mut fmt::Formatter<'_>,
) -> Result<Malformed, fmt::Error> {
    f.write_str(":")?;
    for i in 0..count {
        if i == MAX_ITEMS {
            write!(f, " and {} more", count - i)?;
            return Ok(r.rest().map(|_| ()));
        }
        match T::decode(r) {
            Ok(item) => write!(f, " {item:?};")?,
            Err(e) => {
                write!(f, " at {} of {count}", i + 1)?;
                return Ok(Err(e));
            }
        }
    }
    Ok(Ok(()))
}

fn end(result: Malformed, r: &Reader<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match result.and_then(|()| r.finish()) {
        Ok(()) => Ok(()),
        Err(e) => write!(f, " malformed: {e}"),
    }
}

/// More operations than this are only counted.
const MAX_ITEMS: u32 = 64;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::client::{CallCredential, CompoundBuilder, null_call};
    use crate::nfs4::attr::{Bitmap, num};
    use crate::nfs4::callback::res as cb_res;
    use crate::nfs4::res::{self, Outcome};
    use crate::nfs4::{FattrRaw, SessionId, Stateid, Status, args};
    use crate::rpc::reply::{Fault, write_fault, write_success};
    use crate::xdr::{Encode, List, Writer};

    #[test]
    fn calls() {
        let gids = [7];
        let sys = AuthSys {
            stamp: 1,
            machinename: b"m",
            uid: 2,
            gid: 3,
            gids: List::new(&gids),
        };
        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 4096,
            count: 512,
        };
        let record = CompoundBuilder::call(0x10, &CallCredential::Sys(sys), b"t", 1)
            .putfh(args::PutFh {
                object: b"\x01\x02",
            })
            .lookup(args::Lookup { objname: b"name" })
            .read(read)
            .getattr(args::GetAttr {
                attr_request: Bitmap::of(&[num::SIZE]),
            })
            .savefh()
            .finish();
        assert_eq!(
            Dump::new(&record[4..]).to_string(),
            "CALL xid=0x10 AUTH_SYS{stamp=1 machinename=\"m\" uid=2 gid=3 gids=[7]} \
             COMPOUND v4.1 tag=\"t\": PUTFH{object=0x0102}; LOOKUP{objname=\"name\"}; \
             READ{stateid={seqid=0 other=000000000000000000000000} offset=4096 count=512}; \
             GETATTR{attr_request={size}}; SAVEFH;"
        );
        let null = null_call(1, &CallCredential::None);
        let want = "CALL xid=0x1 AUTH_NONE NULL of program 100003 v4";
        assert_eq!(Dump::new(&null[4..]).to_string(), want);
        assert_eq!(
            Dump::new(&record[4..record.len() - 4])
                .to_string()
                .rsplit_once(';')
                .unwrap()
                .1,
            " at 5 of 5 malformed: the data ends early"
        );
    }

    #[test]
    fn replies() {
        let mut w = Writer::new();
        write_success(&mut w, 3);
        w.u32(Status::NOENT.0);
        w.opaque(b"");
        w.u32(2);
        let mask = Bitmap::of(&[num::TYPE, num::SIZE]);
        let values = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9];
        let obj_attributes = FattrRaw {
            mask,
            values: &values,
        };
        ResOp::GetAttr(Outcome::Ok(res::GetAttrOk { obj_attributes })).encode(&mut w);
        ResOp::Lookup(Outcome::Err(Status::NOENT, ())).encode(&mut w);
        assert_eq!(
            Dump::new(w.as_slice()).to_string(),
            "REPLY xid=0x3 NFS4ERR_NOENT: GETATTR {obj_attributes={type=NF4DIR, size=9}}; \
             LOOKUP NFS4ERR_NOENT ;"
        );
        w.clear();
        write_fault(&mut w, 4, Fault::ProgMismatch { low: 4, high: 4 });
        let want = "REPLY xid=0x4 refused: program versions 4 to 4 only";
        assert_eq!(Dump::new(w.as_slice()).to_string(), want);
        assert!(
            Dump::new(b"GET / HTTP/1.1")
                .to_string()
                .starts_with("no RPC message")
        );
    }

    #[test]
    fn callbacks() {
        let ok = cb_res::CbSequenceOk {
            sessionid: SessionId([0; 16]),
            sequenceid: 1,
            slotid: 0,
            highest_slotid: 0,
            target_highest_slotid: 0,
        };
        let record = crate::client::CbReplyBuilder::reply(6, b"")
            .result(&CbResOp::Sequence(Outcome::Ok(ok)))
            .finish();
        let line = Dump::callback(&record[4..]).to_string();
        assert!(
            line.starts_with("REPLY xid=0x6 NFS4_OK: CB_SEQUENCE {sessionid=0"),
            "{line}"
        );
        assert!(line.ends_with("target_highest_slotid=0};"), "{line}");
    }
}
