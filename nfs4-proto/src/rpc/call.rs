//! The header of a call [RFC 5531 §9].

use super::auth::{AuthFlavor, AuthStat, MAX_AUTH_BYTES, OpaqueAuth};
use super::reply::Fault;
use super::{MessageType, RPC_VERSION};
use crate::xdr::{Encode, Reader, Writer, XdrError};

/// The header of a call, with the bodies of both authenticators still borrowed [RFC 5531 §9].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallHeader<'a> {
    /// The transaction id, which the reply repeats.
    pub xid: u32,
    /// The program.
    pub prog: u32,
    /// The version of the program.
    pub vers: u32,
    /// The procedure of the program.
    pub proc: u32,
    /// The credential.
    pub cred: OpaqueAuth<'a>,
    /// The verifier.
    pub verf: OpaqueAuth<'a>,
}

impl<'a> CallHeader<'a> {
    /// Reads the header of a record and returns with it the offset of the procedure's arguments.
    pub fn decode(record: &'a [u8]) -> Result<(Self, usize), CallError> {
        let mut r = Reader::new(record);
        let xid = r.u32().map_err(|_| CallError::NoHeader)?;
        match r.u32() {
            Ok(0) => {}
            Ok(1) => return Err(CallError::NotACall { xid }),
            Ok(2..) | Err(_) => return Err(CallError::NoHeader),
        }
        let answer = |fault| CallError::Answer { xid, fault };
        let garbage = |_| answer(Fault::GarbageArgs);
        if r.u32().map_err(garbage)? != RPC_VERSION {
            return Err(answer(Fault::RpcMismatch {
                low: RPC_VERSION,
                high: RPC_VERSION,
            }));
        }
        let prog = r.u32().map_err(garbage)?;
        let vers = r.u32().map_err(garbage)?;
        let proc = r.u32().map_err(garbage)?;
        let mut auth = |stat| {
            let flavor = AuthFlavor(r.u32().map_err(garbage)?);
            let body = r.opaque(MAX_AUTH_BYTES).map_err(|e| match e {
                XdrError::TooLong => answer(Fault::AuthError(stat)),
                XdrError::Short
                | XdrError::BadBool
                | XdrError::BadDiscriminant
                | XdrError::Trailing => garbage(e),
            })?;
            Ok(OpaqueAuth { flavor, body })
        };
        let cred = auth(AuthStat::BadCred)?;
        let verf = auth(AuthStat::BadVerf)?;
        Ok((
            Self {
                xid,
                prog,
                vers,
                proc,
                cred,
                verf,
            },
            r.position(),
        ))
    }

    /// Checks program and version against the one program that is served here.
    pub fn expect(&self, prog: u32, low: u32, high: u32) -> Result<(), Fault> {
        if self.prog != prog {
            Err(Fault::ProgUnavail)
        } else if self.vers < low || self.vers > high {
            Err(Fault::ProgMismatch { low, high })
        } else {
            Ok(())
        }
    }
}

impl Encode for CallHeader<'_> {
    fn encode(&self, w: &mut Writer) {
        w.u32(self.xid);
        w.u32(MessageType::Call.number());
        w.u32(RPC_VERSION);
        w.u32(self.prog);
        w.u32(self.vers);
        w.u32(self.proc);
        self.cred.encode(w);
        self.verf.encode(w);
    }
}

/// Why a record is not a call that can be checked further: the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is not even a transaction id and a message type: nothing can be answered.
    #[error("not an RPC message")]
    NoHeader,
    /// It is a reply.
    #[error("a reply ({xid:#x}) where a call was expected")]
    NotACall {
        /// Its transaction id.
        xid: u32,
    },
    /// The call can be answered, with this.
    #[error("call {xid:#x}: {fault}")]
    Answer {
        /// The transaction id of the call.
        xid: u32,
        /// What to answer.
        fault: Fault,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallHeader<'static> = CallHeader {
        xid: 0x1234,
        prog: 100_003,
        vers: 4,
        proc: 1,
        cred: OpaqueAuth {
            flavor: AuthFlavor::SYS,
            body: b"credential",
        },
        verf: OpaqueAuth::NONE,
    };

    #[test]
    fn both_ways() {
        let mut w = Writer::new();
        CALL.encode(&mut w);
        let end = w.len();
        w.u32(99);
        assert_eq!(CallHeader::decode(w.as_slice()), Ok((CALL, end)));
        for cut in 8..end {
            let want = CallError::Answer {
                xid: 0x1234,
                fault: Fault::GarbageArgs,
            };
            assert_eq!(CallHeader::decode(&w.as_slice()[..cut]), Err(want), "{cut}");
        }
        for cut in 0..8 {
            assert_eq!(
                CallHeader::decode(&w.as_slice()[..cut]),
                Err(CallError::NoHeader)
            );
        }
    }

    #[test]
    fn faults_carry_the_xid() {
        let mut w = Writer::new();
        let large = [0; 401];
        CallHeader {
            verf: OpaqueAuth {
                body: &large,
                ..CALL.verf
            },
            ..CALL
        }
        .encode(&mut w);
        let want = CallError::Answer {
            xid: 0x1234,
            fault: Fault::AuthError(AuthStat::BadVerf),
        };
        assert_eq!(CallHeader::decode(w.as_slice()), Err(want));
        w.patch_u32(8, 3);
        let fault = Fault::RpcMismatch { low: 2, high: 2 };
        assert_eq!(
            CallHeader::decode(w.as_slice()),
            Err(CallError::Answer { xid: 0x1234, fault })
        );
        w.patch_u32(4, 1);
        assert_eq!(
            CallHeader::decode(w.as_slice()),
            Err(CallError::NotACall { xid: 0x1234 })
        );
    }

    #[test]
    fn programs() {
        assert_eq!(CALL.expect(100_003, 4, 4), Ok(()));
        assert_eq!(CALL.expect(100_005, 1, 3), Err(Fault::ProgUnavail));
        assert_eq!(
            CALL.expect(100_003, 2, 3),
            Err(Fault::ProgMismatch { low: 2, high: 3 })
        );
    }
}
