//! RPC credentials, and a small cache of them. [RFC 5531 §8]

use std::sync::Arc;

use nfs4_engine::fs::Credential;
use nfs4_engine::proto::rpc::{AuthFlavor, AuthStat, AuthSys, OpaqueAuth};

/// The credentials used last on one connection, which carries the requests of all users of a
/// client.
///
/// They are found by their bytes without the stamp, which a client may change at will.
pub(crate) struct Credentials {
    none: Arc<Credential>,
    /// The last used first.
    known: Vec<(Box<[u8]>, Arc<Credential>)>,
}

impl Credentials {
    pub(crate) fn new() -> Credentials {
        Credentials {
            none: Arc::new(Credential::none()),
            known: Vec::new(),
        }
    }

    /// The user of a call.
    pub(crate) fn resolve(
        &mut self,
        cred: OpaqueAuth<'_>,
        verf: OpaqueAuth<'_>,
    ) -> Result<Arc<Credential>, AuthStat> {
        let user = match cred.flavor {
            AuthFlavor::NONE if cred.body.is_empty() => Arc::clone(&self.none),
            AuthFlavor::SYS => self.sys(cred.body)?,
            _ => return Err(AuthStat::BadCred),
        };
        if verf != OpaqueAuth::NONE {
            return Err(AuthStat::BadVerf);
        }
        Ok(user)
    }

    fn sys(&mut self, body: &[u8]) -> Result<Arc<Credential>, AuthStat> {
        let key = body.get(STAMP..).ok_or(AuthStat::BadCred)?;
        if let Some(at) = self.known.iter().position(|(known, _)| **known == *key) {
            self.known[..=at].rotate_right(1);
            return Ok(Arc::clone(&self.known[0].1));
        }
        let auth = AuthSys::from_body(body).map_err(|_malformed| AuthStat::BadCred)?;
        let mut groups = [0; Credential::MAX_GROUPS];
        let mut count = 0;
        for (place, group) in groups.iter_mut().zip(auth.gids.iter()) {
            *place = group;
            count += 1;
        }
        let user = Arc::new(Credential::sys(auth.uid, auth.gid, &groups[..count]));
        self.known.truncate(KEPT - 1);
        self.known.insert(0, (key.into(), Arc::clone(&user)));
        Ok(user)
    }
}

/// Length of the stamp at the start of the body, in bytes. [RFC 5531 appendix A]
const STAMP: usize = 4;
/// Maximum number of users that are remembered for one connection.
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use nfs4_engine::proto::xdr::{Encode, List, Writer};

    fn body(stamp: u32, uid: u32, gids: &[u32]) -> Vec<u8> {
        let auth = AuthSys {
            stamp,
            machinename: b"host",
            uid,
            gid: 100,
            gids: List::new(gids),
        };
        let mut writer = Writer::new();
        auth.encode(&mut writer);
        writer.into_vec()
    }

    fn sys(known: &mut Credentials, body: &[u8]) -> Result<Arc<Credential>, AuthStat> {
        known.resolve(
            OpaqueAuth {
                flavor: AuthFlavor::SYS,
                body,
            },
            OpaqueAuth::NONE,
        )
    }

    #[test]
    fn the_stamp_does_not_make_another_user() {
        let mut known = Credentials::new();
        let first = sys(&mut known, &body(1, 1000, &[5, 6])).unwrap();
        let again = sys(&mut known, &body(2, 1000, &[5, 6])).unwrap();
        let other = sys(&mut known, &body(1, 1000, &[5])).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(*first, Credential::sys(1000, 100, &[5, 6]));
        assert_eq!(*other, Credential::sys(1000, 100, &[5]));
    }

    #[test]
    fn the_longest_unused_user_is_forgotten() {
        let mut known = Credentials::new();
        let root = sys(&mut known, &body(0, 0, &[])).unwrap();
        for uid in 1..100 {
            sys(&mut known, &body(0, uid, &[])).unwrap();
            assert!(Arc::ptr_eq(
                &root,
                &sys(&mut known, &body(0, 0, &[])).unwrap()
            ));
            assert!(known.known.len() <= KEPT);
        }
        assert!(!known.known.iter().any(|(_, user)| user.uid == 1));
    }

    #[test]
    fn other_flavours_and_malformed_bodies_are_not_believed() {
        let mut known = Credentials::new();
        let none = OpaqueAuth::NONE;
        assert_eq!(*known.resolve(none, none).unwrap(), Credential::none());
        let cases = [
            (
                OpaqueAuth {
                    flavor: AuthFlavor::NONE,
                    body: b"x",
                },
                none,
                AuthStat::BadCred,
            ),
            (
                OpaqueAuth {
                    flavor: AuthFlavor::RPCSEC_GSS,
                    body: b"",
                },
                none,
                AuthStat::BadCred,
            ),
            (
                OpaqueAuth {
                    flavor: AuthFlavor::SYS,
                    body: b"abc",
                },
                none,
                AuthStat::BadCred,
            ),
            (
                OpaqueAuth {
                    flavor: AuthFlavor::SYS,
                    body: &[0; 24],
                },
                none,
                AuthStat::BadCred,
            ),
            (
                none,
                OpaqueAuth {
                    flavor: AuthFlavor::SYS,
                    body: b"",
                },
                AuthStat::BadVerf,
            ),
            (
                none,
                OpaqueAuth {
                    flavor: AuthFlavor::NONE,
                    body: b"x",
                },
                AuthStat::BadVerf,
            ),
        ];
        for (cred, verf, why) in cases {
            assert_eq!(known.resolve(cred, verf), Err(why), "{cred:?} {verf:?}");
        }
        assert!(known.known.is_empty());
    }
}
