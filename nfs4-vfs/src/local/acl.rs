//! POSIX access control lists, as far as they decide on the rights of a user.

use std::sync::Arc;

use nfs4_engine::fs::Credential;

/// The access ACL of an object, which has more entries than a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acl {
    entries: Vec<Entry>,
    mask: u32,
}

/// The ACL of an object as it was with a ctime.
#[derive(Debug, Default)]
pub(super) struct KnownAcl {
    /// The ctime in nanoseconds.
    pub(super) ctime: u64,
    /// None if the mode decides alone.
    pub(super) acl: Option<Arc<Acl>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    permissions: u32,
    id: u32,
}

impl Acl {
    /// Name of the extended attribute that holds it.
    pub(super) const NAME: &'static str = "system.posix_acl_access";
    /// Name of that which new objects of a directory get it from.
    pub(super) const DEFAULT: &'static str = "system.posix_acl_default";

    /// Reads the value of [`Acl::NAME`]; none if it is not one.
    pub(super) fn parse(value: &[u8]) -> Option<Acl> {
        let (version, rest) = value.split_first_chunk()?;
        let (entries, tail) = rest.as_chunks::<8>();
        if u32::from_le_bytes(*version) != VERSION || !tail.is_empty() {
            return None;
        }
        let entries: Vec<Entry> = entries.iter().map(entry).collect();
        let mask = entries.iter().find(|entry| entry.tag == MASK);
        Some(Acl {
            mask: mask.map_or(7, |entry| entry.permissions),
            entries,
        })
    }

    /// The three permission bits of a user that is not the owner. `gid` is the object's group.
    pub(super) fn permissions(&self, cred: &Credential, gid: u32) -> u32 {
        let named = |entry: &&Entry| entry.tag == USER && entry.id == cred.uid;
        if let Some(user) = self.entries.iter().find(named) {
            return user.permissions & self.mask;
        }
        let groups = self.entries.iter().filter(|entry| match entry.tag {
            GROUP_OBJ => cred.is_in_group(gid),
            GROUP => cred.is_in_group(entry.id),
            _ => false,
        });
        let of_groups = groups.map(|entry| entry.permissions);
        if let Some(all) = of_groups.reduce(|all, one| all | one) {
            return all & self.mask;
        }
        let others = self.entries.iter().find(|entry| entry.tag == OTHER);
        others.map_or(0, |entry| entry.permissions)
    }
}

fn entry(bytes: &[u8; 8]) -> Entry {
    let [t0, t1, p0, p1, id @ ..] = *bytes;
    Entry {
        tag: u16::from_le_bytes([t0, t1]),
        permissions: u32::from(u16::from_le_bytes([p0, p1])) & 7,
        id: u32::from_le_bytes(id),
    }
}

const VERSION: u32 = 2;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend(tag.to_le_bytes());
            value.extend(permissions.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        value
    }

    #[test]
    fn the_first_class_that_a_user_is_in_decides() {
        let acl = Acl::parse(&value(&[
            (0x01, 7, u32::MAX),
            (USER, 6, 100),
            (USER, 0, 101),
            (GROUP_OBJ, 4, u32::MAX),
            (GROUP, 1, 200),
            (MASK, 5, u32::MAX),
            (OTHER, 2, u32::MAX),
        ]))
        .unwrap();
        let user =
            |uid, gid, groups: &[u32]| acl.permissions(&Credential::sys(uid, gid, groups), 50);
        assert_eq!(user(100, 50, &[]), 4, "cut by the mask");
        assert_eq!(
            user(101, 50, &[200]),
            0,
            "the user's own entry, whatever the groups have"
        );
        assert_eq!(user(102, 50, &[]), 4);
        assert_eq!(user(102, 9, &[200, 50]), 5);
        assert_eq!(user(102, 9, &[]), 2, "the mask does not cut others");
    }

    #[test]
    fn what_is_no_acl_is_none() {
        for bad in [&b""[..], &[2, 0, 0], &[3, 0, 0, 0], &[2, 0, 0, 0, 1]] {
            assert_eq!(Acl::parse(bad), None);
        }
        assert!(Acl::parse(&[2, 0, 0, 0]).is_some());
    }
}
