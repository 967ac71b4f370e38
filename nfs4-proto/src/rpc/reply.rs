//! Replies [RFC 5531 §9].

use super::MessageType;
use super::auth::{AuthStat, OpaqueAuth};
use crate::xdr::{Decode, Encode, Reader, Writer, XdrError};

/// The number of bytes of the header of a success with a verifier of flavor NONE.
pub const SUCCESS_HEADER_LEN: usize = 24;

/// Writes the header of a success with a verifier of flavor NONE; the results follow [RFC 5531 §9].
#[inline]
pub fn write_success(w: &mut Writer, xid: u32) {
    w.raw(&success_header(xid));
}

/// The bytes that [`write_success`] writes.
#[inline]
pub const fn success_header(xid: u32) -> [u8; SUCCESS_HEADER_LEN] {
    let [a, b, c, d] = xid.to_be_bytes();
    [
        a, b, c, d, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]
}

/// Writes a whole reply that refuses a call [RFC 5531 §9].
pub fn write_fault(w: &mut Writer, xid: u32, fault: Fault) {
    w.u32(xid);
    w.u32(MessageType::Reply.number());
    match fault {
        Fault::RpcMismatch { low, high } => {
            w.u32(DENIED);
            w.u32(REJECT_RPC_MISMATCH);
            w.u32(low);
            w.u32(high);
        }
        Fault::AuthError(stat) => {
            w.u32(DENIED);
            w.u32(REJECT_AUTH_ERROR);
            stat.encode(w);
        }
        Fault::ProgUnavail => accepted(w, PROG_UNAVAIL),
        Fault::ProgMismatch { low, high } => {
            accepted(w, PROG_MISMATCH);
            w.u32(low);
            w.u32(high);
        }
        Fault::ProcUnavail => accepted(w, PROC_UNAVAIL),
        Fault::GarbageArgs => accepted(w, GARBAGE_ARGS),
        Fault::SystemErr => accepted(w, SYSTEM_ERR),
    }
}

/// Why RPC refuses a call: everything but success, accepted or denied [RFC 5531 §9].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// RPC itself has another version; these are spoken.
    #[error("RPC versions {low} to {high} only")]
    RpcMismatch {
        /// The lowest.
        low: u32,
        /// The highest.
        high: u32,
    },
    /// The caller is not believed.
    #[error("authentication: {}", .0.name())]
    AuthError(AuthStat),
    /// The program is not served here.
    #[error("no such program")]
    ProgUnavail,
    /// The program has other versions; these are served.
    #[error("program versions {low} to {high} only")]
    ProgMismatch {
        /// The lowest.
        low: u32,
        /// The highest.
        high: u32,
    },
    /// The program has no such procedure.
    #[error("no such procedure")]
    ProcUnavail,
    /// The arguments cannot be decoded.
    #[error("arguments cannot be decoded")]
    GarbageArgs,
    /// The server is out of something.
    #[error("system error")]
    SystemErr,
}

/// The header of a reply as a client reads it [RFC 5531 §9].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyHeader<'a> {
    /// The transaction id of the call.
    pub xid: u32,
    /// The verifier and the offset of the results, or why there are none.
    pub outcome: Result<Accepted<'a>, Fault>,
}

/// What a successful reply carries [RFC 5531 §9].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The verifier of the server.
    pub verf: OpaqueAuth<'a>,
    /// The offset of the procedure's results in the record.
    pub results: usize,
}

impl<'a> ReplyHeader<'a> {
    /// Reads the header of a record.
    pub fn decode(record: &'a [u8]) -> Result<Self, ReplyError> {
        let mut r = Reader::new(record);
        let xid = r.u32()?;
        if r.u32()? != MessageType::Reply.number() {
            return Err(ReplyError::NotAReply { xid });
        }
        let outcome = match r.u32()? {
            ACCEPTED => {
                let verf = OpaqueAuth::decode(&mut r)?;
                match r.u32()? {
                    SUCCESS => Ok(Accepted {
                        verf,
                        results: r.position(),
                    }),
                    PROG_UNAVAIL => Err(Fault::ProgUnavail),
                    PROG_MISMATCH => Err(Fault::ProgMismatch {
                        low: r.u32()?,
                        high: r.u32()?,
                    }),
                    PROC_UNAVAIL => Err(Fault::ProcUnavail),
                    GARBAGE_ARGS => Err(Fault::GarbageArgs),
                    SYSTEM_ERR => Err(Fault::SystemErr),
                    _ => return Err(XdrError::BadDiscriminant.into()),
                }
            }
            DENIED => match r.u32()? {
                REJECT_RPC_MISMATCH => Err(Fault::RpcMismatch {
                    low: r.u32()?,
                    high: r.u32()?,
                }),
                REJECT_AUTH_ERROR => Err(Fault::AuthError(AuthStat::decode(&mut r)?)),
                _ => return Err(XdrError::BadDiscriminant.into()),
            },
            _ => return Err(XdrError::BadDiscriminant.into()),
        };
        Ok(Self { xid, outcome })
    }
}

/// Why a record is not a reply: the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// It is a call.
    #[error("a call ({xid:#x}) where a reply was expected")]
    NotAReply {
        /// Its transaction id.
        xid: u32,
    },
    /// It is not XDR of a reply.
    #[error("malformed reply: {0}")]
    Xdr(#[from] XdrError),
}

fn accepted(w: &mut Writer, stat: u32) {
    w.u32(ACCEPTED);
    OpaqueAuth::NONE.encode(w);
    w.u32(stat);
}

const ACCEPTED: u32 = 0;
const DENIED: u32 = 1;
const REJECT_RPC_MISMATCH: u32 = 0;
const REJECT_AUTH_ERROR: u32 = 1;
const SUCCESS: u32 = 0;
const PROG_UNAVAIL: u32 = 1;
const PROG_MISMATCH: u32 = 2;
const PROC_UNAVAIL: u32 = 3;
const GARBAGE_ARGS: u32 = 4;
const SYSTEM_ERR: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_both_ways() {
        let mut w = Writer::new();
        write_success(&mut w, 0xabcd);
        w.u32(1);
        let header = ReplyHeader::decode(w.as_slice()).unwrap();
        assert_eq!(header.xid, 0xabcd);
        let accepted = header.outcome.unwrap();
        assert_eq!(accepted.results, SUCCESS_HEADER_LEN);
        assert_eq!(accepted.verf, OpaqueAuth::NONE);
    }

    #[test]
    fn faults_both_ways() {
        let faults = [
            Fault::RpcMismatch { low: 2, high: 2 },
            Fault::AuthError(AuthStat::TooWeak),
            Fault::ProgUnavail,
            Fault::ProgMismatch { low: 4, high: 4 },
            Fault::ProcUnavail,
            Fault::GarbageArgs,
            Fault::SystemErr,
        ];
        for fault in faults {
            let mut w = Writer::new();
            write_fault(&mut w, 5, fault);
            let want = ReplyHeader {
                xid: 5,
                outcome: Err(fault),
            };
            assert_eq!(ReplyHeader::decode(w.as_slice()), Ok(want));
            for cut in 0..w.len() {
                assert!(ReplyHeader::decode(&w.as_slice()[..cut]).is_err());
            }
        }
    }
}
