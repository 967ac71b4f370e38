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
            for (cookie, entry) in with_cookies(entries.collect()) {
                if cookie > after && push_one(writer, cookie, &entry).is_err() {
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

/// Gives entries cookies that depend on their handles alone, and sorts them by these. An entry that
/// would have the cookie of another, such as a second name of a file, gets the next one.
fn with_cookies(entries: Vec<Entry>) -> Vec<(u64, Entry)> {
    let mut all: Vec<(u64, Entry)> = entries
        .into_iter()
        .map(|entry| (cookie_of(&entry.fh), entry))
        .collect();
    all.sort_by(|(one, a), (other, b)| (one, &a.name).cmp(&(other, &b.name)));
    let mut last = FIRST_COOKIE - 1;
    for (cookie, _) in &mut all {
        *cookie = (*cookie).max(last + 1);
        last = *cookie;
    }
    all
}

/// The same after a restart of the server, in which a client may be listing.
fn cookie_of(fh: &FsHandle) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(fh.as_bytes());
    (hasher.finish() & COOKIES).max(FIRST_COOKIE)
}

/// NFS reserves the cookies 0 to 2. [RFC 8881 §18.23.3]
const FIRST_COOKIE: u64 = 3;
/// Systems take a cookie for a signed offset in the directory; room is left for those that follow.
const COOKIES: u64 = (1 << 62) - 1;

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
            let all = with_cookies(entries);
            let found = all.iter().find(|(_, entry)| entry.fh == fh);
            found.map(|(cookie, _)| *cookie).unwrap()
        };
        let before = cookie(many(0, 500), 300);
        assert_eq!(cookie(many(250, 900), 300), before);
        assert_eq!(cookie(vec![entry("another", 300)], 300), before);
    }

    #[test]
    fn cookies_grow_and_names_of_one_file_have_different_ones() {
        let names = ["c", "a", "b"].map(|name| entry(name, 7));
        let all = with_cookies(names.to_vec());
        let named: Vec<&[u8]> = all.iter().map(|(_, entry)| &entry.name[..]).collect();
        assert_eq!(named, [b"a", b"b", b"c"]);
        assert!(all.is_sorted_by(|(one, _), (other, _)| one < other));
        assert!(all[0].0 >= FIRST_COOKIE);
    }
}
