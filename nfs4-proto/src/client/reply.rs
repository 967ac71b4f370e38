//! Replies.

use crate::nfs4::any::{ResOp, for_each_op};
use crate::nfs4::compound::CompoundReplyHeader;
use crate::nfs4::res::{self, Outcome};
use crate::nfs4::{Op, OpNum, Status};
use crate::rpc::{Fault, ReplyError, ReplyHeader};
use crate::xdr::{Decode, Reader, XdrError};

/// Goes over the results of a COMPOUND [RFC 8881 §16.2].
#[derive(Debug, Clone, Copy)]
pub struct ReplyReader<'a> {
    xid: u32,
    header: CompoundReplyHeader<'a>,
    left: u32,
    reader: Reader<'a>,
}

impl<'a> ReplyReader<'a> {
    /// Starts on a whole reply, without its record mark.
    pub fn parse(record: &'a [u8]) -> Result<Self, ClientError> {
        let rpc = ReplyHeader::decode(record)?;
        let accepted = rpc.outcome.map_err(ClientError::Rpc)?;
        Self::start(rpc.xid, Reader::at(record, accepted.results))
    }

    /// Starts on the results of the procedure COMPOUND alone.
    pub fn body(results: &'a [u8]) -> Result<Self, ClientError> {
        Self::start(0, Reader::new(results))
    }

    fn start(xid: u32, mut reader: Reader<'a>) -> Result<Self, ClientError> {
        let header = CompoundReplyHeader::decode(&mut reader)?;
        Ok(Self {
            xid,
            header,
            left: header.ops,
            reader,
        })
    }

    /// The transaction id, 0 if there was no header.
    pub const fn xid(&self) -> u32 {
        self.xid
    }

    /// The status of the COMPOUND.
    pub const fn status(&self) -> Status {
        self.header.status
    }

    /// The tag.
    pub const fn tag(&self) -> &'a [u8] {
        self.header.tag
    }

    /// The number of results in the reply.
    pub const fn count(&self) -> u32 {
        self.header.ops
    }

    /// Number and status of the next result, without going on.
    pub fn peek(&self) -> Result<Option<(OpNum, Status)>, ClientError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut r = self.reader;
        Ok(Some((OpNum::decode(&mut r)?, Status::decode(&mut r)?)))
    }

    /// The next result, whatever it is.
    pub fn next_result(&mut self) -> Result<Option<ResOp<'a>>, ClientError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(ResOp::decode(&mut self.reader)?))
    }

    /// The next result as a number, a status and a reader at its body, which is then the caller's to
    /// read to its end.
    pub fn next_raw(&mut self) -> Result<Option<(OpNum, Status, &mut Reader<'a>)>, ClientError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let op = OpNum::decode(&mut self.reader)?;
        let status = Status::decode(&mut self.reader)?;
        Ok(Some((op, status, &mut self.reader)))
    }

    /// Reads all results that are left; they must succeed and nothing may follow them.
    pub fn finish(&mut self) -> Result<(), ClientError> {
        while let Some(result) = self.next_result()? {
            let status = result.status();
            if !status.is_ok() {
                return Err(ClientError::Failed {
                    op: result.op(),
                    status,
                });
            }
        }
        if !self.header.status.is_ok() {
            return Err(ClientError::Compound(self.header.status));
        }
        Ok(self.reader.finish()?)
    }

    fn expect<T, E>(&mut self, op: Op) -> Result<T, ClientError>
    where
        Outcome<T, E>: Decode<'a>,
    {
        let Some((found, _)) = self.peek()? else {
            return Err(ClientError::Missing {
                op,
                status: self.header.status,
            });
        };
        if found != op.number() {
            return Err(ClientError::OtherOp { wanted: op, found });
        }
        self.left -= 1;
        OpNum::decode(&mut self.reader)?;
        match Outcome::<T, E>::decode(&mut self.reader)? {
            Outcome::Ok(value) => Ok(value),
            Outcome::Err(status, _) => Err(ClientError::Failed { op, status }),
        }
    }
}

macro_rules! methods {
    ($(
        $variant:ident $method:ident [$($a:ident : $args:ty)?] [$ok:ty] [$err:ty];
    )*) => {
        /// One method for each operation, under its name: the next result must be of it and a
        /// success.
        impl<'a> ReplyReader<'a> {
            $(
                #[doc = concat!("The results of `", stringify!($variant), "`.")]
                pub fn $method(&mut self) -> Result<$ok, ClientError> {
                    self.expect::<$ok, $err>(Op::$variant)
                }
            )*
        }
    };
}

for_each_op! { methods }

/// Why a reply does not have the results that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// RPC refused the call.
    #[error("RPC: {0}")]
    Rpc(Fault),
    /// The record is no reply.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// The reply is not XDR of a COMPOUND's results.
    #[error("malformed reply: {0}")]
    Xdr(#[from] XdrError),
    /// The operation failed.
    #[error("{op}: {status}")]
    Failed {
        /// The operation.
        op: Op,
        /// Its status.
        status: Status,
    },
    /// The COMPOUND ended before the operation.
    #[error("no result of {op}, the COMPOUND ended with {status}")]
    Missing {
        /// The operation.
        op: Op,
        /// The status of the COMPOUND.
        status: Status,
    },
    /// The next result is of another operation.
    #[error("a result of {found} where {wanted} was expected")]
    OtherOp {
        /// The operation that was asked for.
        wanted: Op,
        /// The operation that is there.
        found: OpNum,
    },
    /// All operations succeeded and the COMPOUND did not.
    #[error("the COMPOUND failed with {0}")]
    Compound(Status),
}

impl ClientError {
    /// The NFS status in it, if that is what it is about.
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Failed { status, .. } | Self::Missing { status, .. } | Self::Compound(status) => {
                Some(*status)
            }
            Self::Rpc(_) | Self::Reply(_) | Self::Xdr(_) | Self::OtherOp { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::client::{CallCredential, CompoundBuilder};
    use crate::nfs4::attr::{Bitmap, FattrRaw};
    use crate::nfs4::{SessionId, args};
    use crate::rpc::reply::write_success;
    use crate::xdr::{Encode, Writer};

    fn reply(status: Status, results: &[ResOp<'_>]) -> Vec<u8> {
        let mut w = Writer::new();
        write_success(&mut w, 7);
        CompoundReplyHeader {
            status,
            tag: b"t",
            ops: results.len() as u32,
        }
        .encode(&mut w);
        for result in results {
            result.encode(&mut w);
        }
        w.into_vec()
    }

    #[test]
    fn typed_results() {
        let fattr = FattrRaw {
            mask: Bitmap::of(&[4]),
            values: &[0, 0, 0, 0, 0, 0, 0, 9],
        };
        let getattr = res::GetAttrOk {
            obj_attributes: fattr,
        };
        let record = reply(
            Status::NOENT,
            &[
                ResOp::PutRootFh(Outcome::Ok(())),
                ResOp::GetAttr(Outcome::Ok(getattr)),
                ResOp::Lookup(Outcome::Err(Status::NOENT, ())),
            ],
        );
        let mut r = ReplyReader::parse(&record).unwrap();
        assert_eq!(
            (r.xid(), r.status(), r.tag(), r.count()),
            (7, Status::NOENT, &b"t"[..], 3)
        );
        r.putrootfh().unwrap();
        let wrong = ClientError::OtherOp {
            wanted: Op::GetFh,
            found: Op::GetAttr.number(),
        };
        assert_eq!(r.getfh(), Err(wrong));
        assert_eq!(r.getattr(), Ok(getattr));
        let failed = ClientError::Failed {
            op: Op::Lookup,
            status: Status::NOENT,
        };
        assert_eq!(r.lookup(), Err(failed));
        let missing = ClientError::Missing {
            op: Op::GetFh,
            status: Status::NOENT,
        };
        assert_eq!(r.getfh(), Err(missing));
        assert_eq!(missing.status(), Some(Status::NOENT));
    }

    #[test]
    fn calls_are_what_the_other_side_reads() {
        let sequence = args::Sequence {
            sessionid: SessionId([3; 16]),
            sequenceid: 1,
            slotid: 0,
            highest_slotid: 0,
            cachethis: false,
        };
        let record = CompoundBuilder::call(5, &CallCredential::None, b"tag", 1)
            .sequence(sequence)
            .putrootfh()
            .finish();
        let mark = crate::rpc::Mark::peek(&record).unwrap();
        assert!(mark.last && mark.len as usize == record.len() - 4);
        let mut call = crate::client::CallReader::parse(&record[4..]).unwrap();
        assert_eq!((call.rpc().xid, call.header().minorversion), (5, 1));
        assert_eq!(
            call.next_op(),
            Ok(Some(crate::nfs4::any::ArgOp::Sequence(sequence)))
        );
        assert_eq!(call.next_op(), Ok(Some(crate::nfs4::any::ArgOp::PutRootFh)));
        assert_eq!(call.next_op(), Ok(None));
    }
}
