//! READDIR of file systems with cookies of their own and without.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Attrs, Caller, Data, Entries, Entry, FileSystem, FsError, FsHandle};
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, Status, Verifier, args};
use nfs4_tests::live::Client;
use nfs4_tests::sim::Rng;
use nfs4_tests::tree::TreeFs;

use crate::served::{Polled, Served, results, walk};

/// One part of a listing: its cookies and names, and whether it is the last.
fn part(
    user: &mut Client,
    cookie: u64,
    maxcount: u32,
) -> Result<(Vec<(u64, String)>, bool), Status> {
    let list = args::ReadDir {
        cookie,
        cookieverf: Verifier([0; 8]),
        dircount: maxcount,
        maxcount,
        attr_request: Bitmap::of(&[num::TYPE]),
    };
    let reply = user.reply_to(|c| walk(c, &[]).readdir(list));
    let mut results = results(&reply);
    let status = results.status();
    while let Some(result) = results.next_result().unwrap() {
        if let ResOp::ReadDir(Outcome::Ok(listed)) = result {
            let entries = listed.entries.iter();
            let entries = entries.map(|entry| {
                (
                    entry.cookie,
                    String::from_utf8(entry.name.to_vec()).unwrap(),
                )
            });
            return Ok((entries.collect(), listed.eof));
        }
    }
    Err(status)
}

/// The names of a whole listing; `between` runs between its parts.
fn listed(user: &mut Client, maxcount: u32, mut between: impl FnMut(&mut Client)) -> Vec<String> {
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let (entries, eof) = part(user, cookie, maxcount).unwrap();
        assert!(eof || !entries.is_empty(), "it goes on");
        cookie = entries.last().map_or(cookie, |(last, _)| *last);
        names.extend(entries.into_iter().map(|(_, name)| name));
        if eof {
            return names;
        }
        between(user);
    }
}

fn make(user: &mut Client, name: &str) {
    let status = user.in_session(|c| {
        walk(c, &[]).create(args::Create {
            objtype: args::CreateType::Fifo,
            objname: name.as_bytes(),
            createattrs: nfs4_proto::nfs4::FattrRaw::EMPTY,
        })
    });
    assert_eq!(status, Status::OK);
}

fn rename(user: &mut Client, from: &str, to: &str) {
    let rename = args::Rename {
        oldname: from.as_bytes(),
        newname: to.as_bytes(),
    };
    user.call(|c| walk(c, &[]).savefh().rename(rename));
}

#[test]
fn entries_that_stay_are_listed_once_while_others_come_go_and_are_renamed() {
    for fs in [
        TreeFs::new(0o777),
        TreeFs::new(0o777).with_pages(7),
        TreeFs::new(0o777).with_pages(1_000),
    ] {
        let served = Served::start(Polled::OnTokio, fs);
        let mut user = served.client(1);
        let mut chance = Rng::new(9);
        for number in 0..150 {
            make(&mut user, &format!("stays-{number}-0"));
            make(&mut user, &format!("goes-{number}"));
        }
        let mut renamed: BTreeMap<u64, u64> = BTreeMap::new();
        let mut turn = 0;
        let names = listed(&mut user, 500, |user| {
            for _ in 0..3 {
                let number = chance.next_u64() % 150;
                let times = renamed.entry(number).or_default();
                let from = format!("stays-{number}-{times}");
                *times += 1;
                rename(user, &from, &format!("stays-{number}-{times}"));
            }
            if turn < 150 {
                user.unlink(&format!("goes-{turn}"));
                make(user, &format!("comes-{turn}"));
            }
            turn += 1;
        });
        assert!(turn > 15, "in parts: {turn}");
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for name in &names {
            if let Some(number) = name.strip_prefix("stays-") {
                *counts.entry(number.split('-').next().unwrap()).or_default() += 1;
            }
        }
        assert_eq!(counts.len(), 150);
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        served.end([user]);
    }
}

on_all!(a_large_directory_is_listed_whole);

fn a_large_directory_is_listed_whole(on: Polled) {
    struct Large(u64, bool);

    impl Large {
        fn entry(number: u64) -> Entry {
            Entry::new(
                format!("entry {number}"),
                FsHandle::from_number(number),
                Attrs::file(number, 0),
            )
        }
    }

    impl FileSystem for Large {
        fn root(&self) -> FsHandle {
            FsHandle::from_number(1)
        }

        async fn getattr(&self, _: Caller, node: FsHandle) -> Result<Attrs, FsError> {
            match node.number()? {
                1 => Ok(Attrs::dir(1)),
                other => Ok(Attrs::file(other, 0)),
            }
        }

        async fn lookup(
            &self,
            _: Caller,
            _: FsHandle,
            _: Bytes,
        ) -> Result<(FsHandle, Attrs), FsError> {
            Err(FsError::NotFound)
        }

        async fn readdir(&self, _: Caller, _: FsHandle, after: u64) -> Result<Entries, FsError> {
            let last = self.0 + 2;
            if self.1 {
                let page = after.max(2) + 1..last.min(after.max(2) + 50);
                let more = page.end < last;
                let page = page.map(|number| (number, Large::entry(number)));
                return Ok(Entries::page(page, more));
            }
            Ok(Entries::all((2..last).map(Large::entry)))
        }

        async fn read(&self, _: Caller, _: FsHandle, _: u64, _: u32) -> Result<Data, FsError> {
            Ok(Data::default())
        }
    }

    for (count, pages) in [(5_000, false), (20_000, true)] {
        let served = Served::start(on, Large(count, pages));
        let mut user = served.client(1);
        let names = listed(&mut user, 64 << 10, |_| {});
        let mut sorted: Vec<u64> = names
            .iter()
            .map(|name| name.strip_prefix("entry ").unwrap().parse().unwrap())
            .collect();
        sorted.sort_unstable();
        sorted.dedup();
        let expected = if pages { count - 1 } else { count };
        assert_eq!(
            (names.len() as u64, sorted.len() as u64),
            (expected, expected)
        );
        served.end([user]);
    }
}

/// A directory whose pages break the rules, by the number of the fault.
struct Broken(u64, AtomicU64);

impl FileSystem for Broken {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(1)
    }

    async fn getattr(&self, _: Caller, _: FsHandle) -> Result<Attrs, FsError> {
        Ok(Attrs::dir(1))
    }

    async fn lookup(&self, _: Caller, _: FsHandle, _: Bytes) -> Result<(FsHandle, Attrs), FsError> {
        Err(FsError::NotFound)
    }

    async fn readdir(&self, _: Caller, dir: FsHandle, after: u64) -> Result<Entries, FsError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let entry = |name: &str| Entry::new(name.to_owned(), dir, Attrs::file(7, 0));
        let page = match self.0 {
            // Nothing, and more; and always the same page.
            0 => vec![],
            1 => vec![(10, entry("a")), (11, entry("b"))],
            // Out of order, and cookies that are reserved.
            2 if after == 0 => vec![
                (20, entry("a")),
                (10, entry("b")),
                (2, entry("c")),
                (30, entry("d")),
            ],
            // Names and attributes that are none.
            3 if after == 0 => vec![
                (10, entry(&"x".repeat(300))),
                (11, entry("..")),
                (12, entry("a/b")),
                (13, Entry::new("zero", dir, Attrs::file(0, 0))),
                (14, entry("good")),
            ],
            // Only such.
            4 => vec![(after + 10, entry(""))],
            5 => return Err(FsError::BadCookie),
            _ => return Ok(Entries::page([], false)),
        };
        Ok(Entries::page(page, true))
    }

    async fn read(&self, _: Caller, _: FsHandle, _: u64, _: u32) -> Result<Data, FsError> {
        Ok(Data::default())
    }
}

on_all!(pages_that_break_the_rules_cost_their_listing_only);

fn pages_that_break_the_rules_cost_their_listing_only(on: Polled) {
    let expected: [Result<&[&str], Status>; 6] = [
        Ok(&[]),
        Ok(&["a", "b"]),
        Ok(&["a", "d"]),
        Ok(&["good"]),
        Ok(&[]),
        Err(Status::BAD_COOKIE),
    ];
    for (fault, expected) in (0..).zip(expected) {
        let served = Served::start(on, Broken(fault, AtomicU64::new(0)));
        let mut user = served.client(1);
        let first = part(&mut user, 0, 4_096);
        let names: Result<Vec<String>, _> = first.map(|(entries, _)| {
            let names = entries.into_iter().map(|(_, name)| name);
            names.collect()
        });
        let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
        assert_eq!(names, expected, "{fault}");
        if expected.is_ok() {
            listed(&mut user, 4_096, |_| {});
        }
        assert_eq!(user.in_session(|c| walk(c, &["x"])), Status::NOENT);
        served.end([user]);
    }
}
