//! Directory entries and their cookies.

use std::hash::Hasher as _;

use nfs4_engine::fs::driver::Listing;
use nfs4_engine::fs::{
    Caller, DirWriter, Entry, FileKind, FileSystem, FsError, FsHandle, FsReply, FsResult, Full,
    Protection, Rights,
};
use siphasher::sip::SipHasher13;

use super::Host;
use super::both::both;

impl<F: FileSystem> Host<F> {
    pub(super) async fn read_dir(
        &self,
        caller: Caller,
        dir: FsHandle,
        cookie: u64,
        mut entries: DirWriter,
    ) -> FsResult {
        let check = self.check_list(&caller, dir);
        let first = self.fs.readdir(caller.clone(), dir, cookie);
        let (checked, first) = both(check, first).await;
        if !checked? {
            entries.conceal();
        }
        let (mut part, mut after) = (first?.into_listing(), cookie);
        // Nothing more is asked for once the listing is over, or the client has no room.
        while let Some(last) = push(part, after, &mut entries) {
            part = self
                .fs
                .readdir(caller.clone(), dir, last)
                .await?
                .into_listing();
            after = last;
        }
        Ok(FsReply::Entries(entries))
    }

    /// Checks that the user may list the directory; returns whether the user may search it.
    async fn check_list(&self, caller: &Caller, dir: FsHandle) -> Result<bool, FsError> {
        if !self.checks() {
            return Ok(true);
        }
        let attrs = self.fs.getattr(caller.clone(), dir).await?;
        if attrs.kind != FileKind::Directory {
            return Err(FsError::NotDirectory);
        }
        let rights = Protection::from(&attrs).rights(&caller.cred);
        rights.require(Rights::READ)?;
        Ok(rights.allow(Rights::EXECUTE))
    }
}

/// Pushes entries; returns the cookie to continue with, if there are more and room for them.
fn push(part: Listing, after: u64, writer: &mut DirWriter) -> Option<u64> {
    match part {
        Listing::All(entries) => {
            for (cookie, entry) in with_cookies(entries.collect(), after) {
                if push_one(writer, cookie, &entry).is_err() {
                    return None;
                }
            }
            writer.end();
            None
        }
        Listing::Page { entries, more } => {
            let mut last = after;
            for (cookie, entry) in entries {
                if push_one(writer, cookie, &entry).is_err() {
                    return None;
                }
                last = last.max(cookie);
            }
            if !more {
                writer.end();
                return None;
            }
            // A page without an entry that is new would be asked for again for ever.
            (last > after).then_some(last)
        }
    }
}

fn push_one(writer: &mut DirWriter, cookie: u64, entry: &Entry) -> Result<(), Full> {
    writer.push(cookie, &entry.name, &entry.fh, &entry.attrs)
}

/// Gives entries cookies, and sorts those after `after` by them.
///
/// A cookie has a hash of the entry's handle, so that it stays when the entry is renamed, and then
/// [`ONLY_NAME`], or a hash of the name where an object has several. A client that stopped at the only
/// name goes on with other objects; one that stopped at one of several names, with those that follow,
/// even if only one of them is left.
fn with_cookies(entries: Vec<Entry>, after: u64) -> Vec<(u64, Entry)> {
    let mut all: Vec<(u64, Entry)> = entries
        .into_iter()
        .map(|entry| (object_cookie(&entry.fh), entry))
        .filter(|(object, _)| object | ONLY_NAME > after)
        .collect();
    all.sort_unstable_by_key(|(object, _)| *object);
    let mut last = 0;
    for names in all.chunk_by_mut(|(one, _), (other, _)| one == other) {
        if let [(cookie, entry)] = names {
            // Of several names, the client stopped at one.
            let was_passed = *cookie < after && *cookie | name_hash(&entry.name) <= after;
            *cookie |= if was_passed { 0 } else { ONLY_NAME };
        } else {
            for (cookie, entry) in &mut *names {
                *cookie |= name_hash(&entry.name);
            }
            names.sort_unstable_by(|(one, a), (other, b)| (one, &a.name).cmp(&(other, &b.name)));
        }
        for (cookie, _) in names {
            *cookie = (*cookie).max(last + 1);
            last = *cookie;
        }
    }
    all.retain(|(cookie, _)| *cookie > after);
    all
}

/// The same after a restart of the server, in which a client may be listing.
fn object_cookie(fh: &FsHandle) -> u64 {
    (hash(fh.as_bytes()) & OBJECTS).max(ONLY_NAME + 1)
}

fn name_hash(name: &[u8]) -> u64 {
    // Neither 0, which stands for no name, nor that of an only name.
    hash(name) % (ONLY_NAME - 1) + 1
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The place of the name in the cookie of an object's only name.
const ONLY_NAME: u64 = 0xffff;
/// The place of the object; systems take a cookie for a signed offset in the directory, and room is
/// left for those that follow.
const OBJECTS: u64 = ((1 << 62) - 1) & !ONLY_NAME;

#[cfg(test)]
mod tests {
    use nfs4_engine::fs::Attrs;

    use super::*;

    fn entry(name: &str, number: u64) -> Entry {
        let (name, fh) = (name.to_owned(), FsHandle::from_number(number));
        Entry::new(name, fh, Attrs::file(number, 0))
    }

    #[test]
    fn a_cookie_stays_while_other_entries_come_and_go_and_the_entry_is_renamed() {
        let many = |from: u64, to: u64| (from..to).map(|n| entry(&format!("n{n}"), n)).collect();
        let cookie = |entries: Vec<Entry>, number: u64| {
            let fh = FsHandle::from_number(number);
            let all = with_cookies(entries, 0);
            let found = all.iter().find(|(_, entry)| entry.fh == fh);
            found.map(|(cookie, _)| *cookie).unwrap()
        };
        let before = cookie(many(0, 500), 300);
        assert_eq!(cookie(many(250, 900), 300), before);
        assert_eq!(cookie(vec![entry("another", 300)], 300), before);
    }

    #[test]
    fn names_of_one_file_stay_when_others_of_them_go() {
        let names: Vec<Entry> = (0..100).map(|n| entry(&format!("name {n}"), 7)).collect();
        let all = with_cookies(names, 0);
        assert!(all.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(all[0].0 > 2);
        for (place, (after, _)) in all.iter().enumerate() {
            for (other, (_, left)) in all.iter().enumerate() {
                let listed = with_cookies(vec![left.clone()], *after);
                assert_eq!(listed.len(), usize::from(other > place));
            }
            assert_eq!(
                with_cookies(all.iter().map(|(_, entry)| entry.clone()).collect(), *after),
                all[place + 1..]
            );
        }
    }

    #[test]
    fn the_only_name_is_listed_once_however_it_is_renamed() {
        let [(cookie, _)] = &with_cookies(vec![entry("a", 7)], 0)[..] else {
            unreachable!("there is one");
        };
        for name in ["b", "c", "z"] {
            assert_eq!(with_cookies(vec![entry(name, 7)], *cookie), []);
            assert_eq!(
                with_cookies(vec![entry(name, 7)], *cookie - (1 << 16)).len(),
                1
            );
        }
    }
}
