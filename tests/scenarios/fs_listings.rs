//! Listings of a file system that cannot be: they end, and the good entries are in them.

use nfs4_engine::Wall;
use nfs4_engine::fs::driver::{FsCall, FsFault};
use nfs4_engine::fs::{Attrs, Device, DirWriter, FileKind, FsHandle, FsOp, FsReply, Full};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::Verifier;
use nfs4_proto::nfs4::{Bitmap, Op, Status, args};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Pace, Sim};

use crate::asker::faults;

const fn attrs(fileid: u64) -> Attrs {
    const START: Wall = Wall {
        seconds: 0,
        nanos: 0,
    };
    Attrs {
        kind: FileKind::Regular,
        mode: 0o644,
        links: 1,
        uid: 0,
        gid: 0,
        device: Device { major: 0, minor: 0 },
        fileid,
        change: 1,
        size: 1,
        space_used: 1,
        accessed: START,
        modified: START,
        changed: START,
        created: START,
        fs: 0,
        mounted_on: 0,
    }
}

fn push(entries: &mut DirWriter, cookie: u64, name: &[u8]) -> Result<(), Full> {
    let fh = FsHandle::new(name.get(..8).unwrap_or(name)).expect("it is short");
    entries.push(cookie, name, &fh, &attrs(cookie.max(1)))
}

const fn readdir(cookie: u64, maxcount: u32) -> args::ReadDir {
    args::ReadDir {
        cookie,
        cookieverf: Verifier([0; 8]),
        dircount: 0,
        maxcount,
        attr_request: Bitmap::of(&[num::FILEID]),
    }
}

/// Cookies and names, and whether that is the end.
type Page = (Vec<(u64, Vec<u8>)>, bool);

/// One READDIR, whose entries `list` pushes.
fn page(
    sim: &mut Sim,
    client: &mut Client,
    args: args::ReadDir,
    list: impl FnOnce(u64, &mut DirWriter),
) -> Result<Page, Status> {
    let request = client.request(sim, 0, false, |c| c.putrootfh().readdir(args));
    sim.set_pace(Pace::Held);
    request.send(sim, client.conn);
    sim.run();
    sim.answer_as(0, |request| match request.op {
        FsOp::ReadDir {
            cookie,
            mut entries,
            ..
        } => {
            list(cookie, &mut entries);
            Ok(FsReply::Entries(entries))
        }
        other => panic!("no listing: {other:?}"),
    });
    client.advance(0);
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    if reply.status() != Status::OK {
        return Err(reply.status());
    }
    let ok = ok!(reply, ReadDir);
    let entries = ok.entries.iter();
    let entries = entries.map(|entry| (entry.cookie, entry.name.to_vec()));
    Ok((entries.collect(), ok.eof))
}

/// Reads a directory as a client does; in how many pages.
fn listed(
    sim: &mut Sim,
    client: &mut Client,
    mut list: impl FnMut(u64, &mut DirWriter),
) -> (Vec<Vec<u8>>, u32) {
    let (mut names, mut cookie) = (Vec::new(), 0);
    for pages in 1..100 {
        let page = page(sim, client, readdir(cookie, 1_000), &mut list);
        let (entries, ends) = page.expect("it is listed");
        cookie = entries.last().map_or(cookie, |(cookie, _)| *cookie);
        names.extend(entries.into_iter().map(|(_, name)| name));
        if ends {
            return (names, pages);
        }
    }
    panic!("it does not end")
}

fn mounted() -> (Sim, Client) {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    sim.take_events();
    (sim, client)
}

#[test]
fn a_listing_ends_whether_the_file_system_says_so_or_not() {
    let unended = [(FsCall::ReadDir, FsFault::Unended, 0)];
    // One that forgets its end.
    let (mut sim, mut client) = mounted();
    let (names, pages) = listed(&mut sim, &mut client, |cookie, entries| {
        for (at, name) in (3..).zip([b"a", b"b", b"c"]) {
            if at > cookie {
                push(entries, at, name).expect("there is room");
            }
        }
    });
    assert_eq!((names.concat(), pages), (b"abc".to_vec(), 2));
    assert_eq!(faults(&mut sim), unended);

    // One that knows no cookies either, and begins at the start each time.
    let (mut sim, mut client) = mounted();
    let (names, pages) = listed(&mut sim, &mut client, |_, entries| {
        for (at, name) in (3..).zip([b"a", b"b", b"c"]) {
            push(entries, at, name).expect("there is room");
        }
    });
    assert_eq!((names.concat(), pages), (b"abc".to_vec(), 2));
    let cookie = (FsCall::ReadDir, FsFault::Cookie, 0);
    assert_eq!(faults(&mut sim), [cookie, unended[0]]);

    // One that pushes nothing.
    let (mut sim, mut client) = mounted();
    let (names, pages) = listed(&mut sim, &mut client, |_, _| {});
    assert_eq!((names.len(), pages), (0, 1));
    assert_eq!(faults(&mut sim), unended);

    // One that comes in small pieces does nothing wrong.
    let (mut sim, mut client) = mounted();
    let (names, pages) = listed(&mut sim, &mut client, |cookie, entries| {
        let next = cookie.max(2) + 1;
        match next {
            3..=9 => push(entries, next, b"x").expect("there is room"),
            _ => entries.end(),
        }
    });
    assert_eq!((names.len(), pages), (7, 8));
    assert_eq!(faults(&mut sim), []);
}

#[test]
fn an_entry_whose_name_cannot_be_is_left_out() {
    let long = [b'x'; 256];
    let wrong: [&[u8]; 8] = [b"", b".", b"..", b"/", b"a/b", b"\0", b"a\0", &long];
    for name in wrong {
        let (mut sim, mut client) = mounted();
        let (names, pages) = listed(&mut sim, &mut client, |_, entries| {
            push(entries, 3, b"before").expect("there is room");
            push(entries, 4, name).expect("it takes none");
            push(entries, 5, b"after").expect("there is room");
            entries.end();
        });
        assert_eq!(names, [&b"before"[..], b"after"], "{name:?}");
        assert_eq!(pages, 1);
        assert_eq!(faults(&mut sim), [(FsCall::ReadDir, FsFault::Name, 0)]);
    }
    let (mut sim, mut client) = mounted();
    let good: [&[u8]; 5] = [b"...", b".a", b"\xff\xfe", b" ", &long[..255]];
    let (names, _) = listed(&mut sim, &mut client, |_, entries| {
        for (cookie, name) in (3..).zip(good) {
            push(entries, cookie, name).expect("there is room");
        }
        entries.end();
    });
    assert_eq!(names, good);
    assert_eq!(faults(&mut sim), []);
}

#[test]
fn an_entry_whose_cookie_cannot_be_is_left_out() {
    let (mut sim, mut client) = mounted();
    let (entries, ends) = page(&mut sim, &mut client, readdir(5, 1_000), |_, entries| {
        for cookie in [0, 1, 2, 3, 5, 6, 6, 4, 9, u64::MAX, 10] {
            push(entries, cookie, b"x").expect("there is room");
        }
        entries.end();
    })
    .expect("it is listed");
    let cookies: Vec<u64> = entries.iter().map(|(cookie, _)| *cookie).collect();
    assert_eq!(cookies, [6, 9, u64::MAX]);
    assert!(ends);
    assert_eq!(faults(&mut sim), [(FsCall::ReadDir, FsFault::Cookie, 0)]);
}

#[test]
fn an_entry_whose_attributes_cannot_be_is_left_out() {
    let wrong: [fn(&mut Attrs); 3] = [
        |attrs| attrs.fileid = 0,
        |attrs| attrs.size = u64::MAX,
        |attrs| attrs.changed.nanos = u32::MAX,
    ];
    for wrong in wrong {
        let (mut sim, mut client) = mounted();
        let (names, _) = listed(&mut sim, &mut client, |_, entries| {
            let fh = FsHandle::new(b"bad").expect("it is short");
            let mut bad = attrs(9);
            wrong(&mut bad);
            entries.push(3, b"bad", &fh, &bad).expect("it takes none");
            push(entries, 4, b"good").expect("there is room");
            entries.end();
        });
        assert_eq!(names, [b"good"]);
        let told = faults(&mut sim);
        assert_eq!(told, [(FsCall::ReadDir, FsFault::Attributes, 0)]);
    }
}

#[test]
fn a_listing_of_bad_entries_becomes_full_too() {
    let (mut sim, mut client) = mounted();
    let mut pushed = 0;
    let (entries, ends) = page(&mut sim, &mut client, readdir(0, 16), |_, entries| {
        while push(entries, 3, b"..").is_ok() {
            pushed += 1;
            assert!(pushed < 100_000, "it is never full");
        }
        assert_eq!(push(entries, 3, b"good"), Err(Full));
    })
    .expect("it is listed");
    assert!(entries.is_empty() && ends);
    let kinds: Vec<FsFault> = faults(&mut sim).iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(kinds, [FsFault::Name, FsFault::Unended]);

    // What has good entries, too, goes on after them.
    let page = page(&mut sim, &mut client, readdir(0, 1_000), |_, entries| {
        push(entries, 3, b"good").expect("there is room");
        while push(entries, 4, b"..").is_ok() {}
        entries.end();
    });
    assert_eq!(page, Ok((vec![(3, b"good".to_vec())], false)));
}

#[test]
fn an_entry_without_room_is_no_end() {
    let (mut sim, mut client) = mounted();
    let too_small = page(&mut sim, &mut client, readdir(0, 16), |_, entries| {
        assert_eq!(push(entries, 3, b"a"), Err(Full));
        entries.end();
    });
    assert_eq!(too_small, Err(Status::TOOSMALL));
    let some = page(&mut sim, &mut client, readdir(0, 70), |_, entries| {
        push(entries, 3, b"a").expect("there is room");
        assert_eq!(push(entries, 4, b"b"), Err(Full));
        entries.end();
    });
    assert_eq!(some, Ok((vec![(3, b"a".to_vec())], false)));
    assert_eq!(faults(&mut sim), []);
}

#[test]
fn the_entries_of_another_listing_are_no_answer() {
    let (mut sim, client) = mounted();
    let requests = [0, 1].map(|slot| {
        let list = readdir(0, 1_000);
        client.request(&mut sim, slot, false, |c| c.putrootfh().readdir(list))
    });
    sim.set_pace(Pace::Held);
    for request in &requests {
        request.send(&mut sim, client.conn);
    }
    sim.run();
    let mut kept = None;
    sim.answer_as(0, |request| {
        kept = Some(request);
        Ok(FsReply::Done)
    });
    sim.answer_as(0, |_| match kept.take().map(|request| request.op) {
        Some(FsOp::ReadDir { mut entries, .. }) => {
            entries.end();
            Ok(FsReply::Entries(entries))
        }
        other => panic!("no listing: {other:?}"),
    });
    for request in requests {
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        assert_eq!(reply.last(), (Op::ReadDir, Status::SERVERFAULT));
    }
    assert_eq!(faults(&mut sim), [(FsCall::ReadDir, FsFault::Reply, 0)]);
}
