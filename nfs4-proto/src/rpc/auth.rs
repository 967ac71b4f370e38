//! Credentials and verifiers [RFC 5531 §8, appendix A].

use crate::xdr::{Decode, Encode, List, Reader, Writer, XdrError, xdr};

/// The most bytes of the body of a credential or verifier [RFC 5531 §8.2].
pub const MAX_AUTH_BYTES: usize = 400;
/// The most bytes of a machine name in [`AuthSys`] [RFC 5531 appendix A].
pub const MAX_MACHINE_NAME: usize = 255;
/// The most supplementary groups in [`AuthSys`] [RFC 5531 appendix A].
pub const MAX_AUTH_SYS_GIDS: usize = 16;

/// An authentication flavor; the numbers are a registry's, so the type is open [RFC 5531 §8.2].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthFlavor(pub u32);

impl AuthFlavor {
    /// No authentication.
    pub const NONE: Self = Self(0);
    /// Unix user and group numbers.
    pub const SYS: Self = Self(1);
    /// A short hand for an earlier credential.
    pub const SHORT: Self = Self(2);
    /// Diffie-Hellman.
    pub const DH: Self = Self(3);
    /// GSS-API [RFC 2203].
    pub const RPCSEC_GSS: Self = Self(6);
}

impl Encode for AuthFlavor {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        w.u32(self.0);
    }
}

impl<'a> Decode<'a> for AuthFlavor {
    const MIN: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        r.u32().map(Self)
    }
}

xdr! {
    /// A credential or verifier whose body is not looked into yet [RFC 5531 §8.2].
    struct OpaqueAuth<'a> {
        flavor: AuthFlavor,
        body: &'a [u8] [max MAX_AUTH_BYTES],
    }

    /// The body of a credential of flavor [`AuthFlavor::SYS`] [RFC 5531 appendix A].
    struct AuthSys<'a> {
        stamp: u32,
        machinename: &'a [u8] [max MAX_MACHINE_NAME],
        uid: u32,
        gid: u32,
        gids: List<'a, u32> [max MAX_AUTH_SYS_GIDS],
    }

    /// Why authentication failed [RFC 5531 §9].
    enum AuthStat {
        Ok = 0 "AUTH_OK",
        BadCred = 1 "AUTH_BADCRED",
        RejectedCred = 2 "AUTH_REJECTEDCRED",
        BadVerf = 3 "AUTH_BADVERF",
        RejectedVerf = 4 "AUTH_REJECTEDVERF",
        TooWeak = 5 "AUTH_TOOWEAK",
        InvalidResp = 6 "AUTH_INVALIDRESP",
        Failed = 7 "AUTH_FAILED",
        KerbGeneric = 8 "AUTH_KERB_GENERIC",
        TimeExpire = 9 "AUTH_TIMEEXPIRE",
        TktFile = 10 "AUTH_TKT_FILE",
        Decode = 11 "AUTH_DECODE",
        NetAddr = 12 "AUTH_NET_ADDR",
        GssCredProblem = 13 "RPCSEC_GSS_CREDPROBLEM",
        GssCtxProblem = 14 "RPCSEC_GSS_CTXPROBLEM",
    }
}

impl OpaqueAuth<'_> {
    /// Flavor NONE with an empty body.
    pub const NONE: OpaqueAuth<'static> = OpaqueAuth {
        flavor: AuthFlavor::NONE,
        body: &[],
    };
}

impl<'a> AuthSys<'a> {
    /// Reads the body of a credential, which must hold nothing else.
    pub fn from_body(body: &'a [u8]) -> Result<Self, XdrError> {
        let mut r = Reader::new(body);
        let auth = Self::decode(&mut r)?;
        r.finish()?;
        Ok(auth)
    }
}

crate::xdr::as_debug!(AuthFlavor);

#[cfg(any(test, feature = "__fuzz"))]
impl crate::xdr::sample::Sample for AuthFlavor {
    fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
        w.u32(u32::from(tape.byte()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_sys_both_ways() {
        let gids = [1, 2, 3];
        let auth = AuthSys {
            stamp: 7,
            machinename: b"host",
            uid: 1000,
            gid: 100,
            gids: List::new(&gids),
        };
        let mut w = Writer::new();
        auth.encode(&mut w);
        assert_eq!(AuthSys::from_body(w.as_slice()), Ok(auth));
        w.u32(0);
        assert_eq!(AuthSys::from_body(w.as_slice()), Err(XdrError::Trailing));
        let many = [0; 17];
        w.clear();
        AuthSys {
            gids: List::new(&many),
            ..auth
        }
        .encode(&mut w);
        assert_eq!(AuthSys::from_body(w.as_slice()), Err(XdrError::TooLong));
    }
}
