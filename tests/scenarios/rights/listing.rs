//! What a user learns of the entries of a directory. [RFC 8881 §18.23.3]

use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args::{self, CreateHow, CreateType, OpenFlag};
use nfs4_proto::nfs4::attr::{AttrValue, num};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::open_args;

use super::{ALICE, Asked, BOB, listing, making, named};

#[test]
fn a_listing_ends_however_what_it_has_is_renamed() {
    for minor in 0..3 {
        let mut asked = Asked::new(minor);
        let dir = asked.mkdir(&ALICE, b"d", 0o755);
        for name in [b"a", b"b", b"c"] {
            let create = making(CreateType::Fifo, name);
            asked
                .in_directory(&ALICE, &dir, |c| c.create(create))
                .all_ok();
        }
        let (mut cookie, mut seen) = (0, Vec::new());
        for round in 0.. {
            assert!(round < 4, "{minor}: the listing goes on");
            // One entry fits, and not two.
            let list = listing(cookie, 64, &[num::FILEID]);
            let reply = asked
                .in_directory(&ALICE, &dir, |c| c.readdir(list))
                .all_ok();
            let page = ok!(reply, ReadDir);
            for entry in page.entries.iter() {
                cookie = entry.cookie;
                seen.push(entry.name.to_vec());
                let newname = format!("new {round}");
                let rename = args::Rename {
                    oldname: entry.name,
                    newname: newname.as_bytes(),
                };
                let reply = asked.in_directory(&ALICE, &dir, |c| c.savefh().rename(rename));
                reply.all_ok();
            }
            if page.eof {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen, [b"a", b"b", b"c"], "{minor}");
    }
}

/// All that says something of an object, and some that is the same everywhere.
const ATTRIBUTES: [u32; 13] = [
    num::TYPE,
    num::CHANGE,
    num::SIZE,
    num::FSID,
    num::FILEHANDLE,
    num::FILEID,
    num::MODE,
    num::NUMLINKS,
    num::OWNER,
    num::SPACE_FREE,
    num::TIME_MODIFY,
    num::MOUNTED_ON_FILEID,
    num::SUPPORTED_ATTRS,
];

/// Which attributes are told of each entry, and the value of rdattr_error; or why there is no
/// listing.
type Told = Result<(Bitmap, Option<Status>), Status>;

/// What a user is told of a directory with the entries x and y.
fn told(asked: &mut Asked, who: &CallCredential<'_>, dir: &[u8], attrs: &[u32]) -> Told {
    let list = listing(0, 4096, attrs);
    let reply = asked.in_directory(who, dir, |c| c.readdir(list));
    if reply.last() != (Op::ReadDir, Status::OK) {
        return Err(reply.last().1);
    }
    let page = ok!(reply, ReadDir);
    assert!(page.eof);
    let (mut names, mut given) = (Vec::new(), Vec::new());
    for entry in page.entries.iter() {
        names.push(entry.name.to_vec());
        let error = match entry.attrs.get(num::RDATTR_ERROR) {
            Some(AttrValue::RdattrError(error)) => Some(error),
            _ => None,
        };
        given.push((entry.attrs.mask, error));
    }
    names.sort();
    assert_eq!(names, [b"x", b"y"]);
    assert_eq!(given[0], given[1]);
    Ok(given[0])
}

#[test]
fn without_the_right_to_search_a_listing_tells_names_only() {
    let denied = Err(Status::ACCESS);
    let only_error = Bitmap::of(&[num::RDATTR_ERROR]);
    for minor in 0..3 {
        let mut asked = Asked::new(minor);
        let dir = asked.mkdir(&ALICE, b"d", 0o755);
        for name in [b"x", b"y"] {
            let create = making(CreateType::Fifo, name);
            asked
                .in_directory(&ALICE, &dir, |c| c.create(create))
                .all_ok();
        }
        for (mode, may_list, may_search) in [
            (0o755, true, true),
            (0o744, true, false),
            (0o711, false, true),
        ] {
            asked.chmod(&ALICE, &dir, mode);
            for attribute in ATTRIBUTES {
                let seen = Bitmap::of(&[attribute]);
                let (alone, both) = match (may_list, may_search) {
                    (false, _) => (denied, denied),
                    (true, false) => (denied, Ok((only_error, Some(Status::ACCESS)))),
                    (true, true) => (
                        Ok((seen, None)),
                        Ok((seen.with(num::RDATTR_ERROR), Some(Status::OK))),
                    ),
                };
                let case = format!("{minor} {mode:o} {attribute}");
                let with_error = [attribute, num::RDATTR_ERROR];
                assert_eq!(told(&mut asked, &BOB, &dir, &[attribute]), alone, "{case}");
                assert_eq!(told(&mut asked, &BOB, &dir, &with_error), both, "{case}");
                // The owner keeps all rights.
                let owner = told(&mut asked, &ALICE, &dir, &[attribute]);
                assert_eq!(owner, Ok((seen, None)), "{case}");
            }
            // An unsupported attribute is not returned to a user with search permission, either.
            for unknown in [&[][..], &[num::ACL]] {
                let expected = if may_list {
                    Ok((Bitmap::EMPTY, None))
                } else {
                    denied
                };
                let got = told(&mut asked, &BOB, &dir, unknown);
                assert_eq!(got, expected, "{minor} {mode:o}");
            }
        }
    }
}

#[test]
fn an_empty_directory_has_nothing_to_hide() {
    let mut asked = Asked::new(1);
    let dir = asked.mkdir(&ALICE, b"d", 0o744);
    let list = listing(0, 4096, &[num::FILEHANDLE]);
    let reply = asked.in_directory(&BOB, &dir, |c| c.readdir(list)).all_ok();
    assert!(ok!(reply, ReadDir).eof);
}

/// An operation on a child that is called "it".
type Tells = fn(&mut CompoundBuilder) -> &mut CompoundBuilder;

/// All that looks names up in the current filehandle, which is the saved one, too.
const TELLS: [(Op, Tells); 11] = [
    (Op::Lookup, |c| c.lookup(named(b"it"))),
    (Op::LookupP, |c| c.lookupp()),
    (Op::SecInfo, |c| c.secinfo(args::SecInfo { name: b"it" })),
    (Op::Remove, |c| c.remove(args::Remove { target: b"it" })),
    (Op::Create, |c| c.create(making(CreateType::Fifo, b"it"))),
    (Op::Rename, |c| {
        c.rename(args::Rename {
            oldname: b"it",
            newname: b"its new name",
        })
    }),
    (Op::Rename, |c| {
        c.rename(args::Rename {
            oldname: b"other",
            newname: b"it",
        })
    }),
    (Op::Link, |c| {
        // The root is a directory, but whether the name is free is looked at only with the right.
        c.link(args::Link { newname: b"it" })
    }),
    (Op::ReadDir, |c| c.readdir(listing(0, 4096, &[num::FILEID]))),
    (Op::Open, |c| c.open(open_args(b"owner", b"it"))),
    (Op::Open, |c| {
        c.open(args::Open {
            openhow: OpenFlag::Create(CreateHow::Guarded(FattrRaw::EMPTY)),
            ..open_args(b"owner", b"it")
        })
    }),
];

#[test]
fn without_the_right_to_search_no_name_tells_whether_it_is_there() {
    for minor in 0..3 {
        let mut asked = Asked::new(minor);
        let dir = asked.mkdir(&ALICE, b"d", 0o777);
        let create = making(CreateType::Fifo, b"file");
        let reply = asked
            .ask(&BOB, |c| c.putrootfh().create(create).getfh())
            .all_ok();
        let file = ok!(reply, GetFh).object.to_vec();
        for mode in [0o766, 0o744, 0o722, 0o700] {
            // Of minor version 0 OPEN has rules of its own on the way to the file system.
            for (op, tells) in TELLS
                .into_iter()
                .filter(|(op, _)| *op != Op::Open || minor > 0)
            {
                let mut answers = Vec::new();
                for there in [false, true] {
                    if there {
                        let create = making(CreateType::Fifo, b"it");
                        asked
                            .in_directory(&ALICE, &dir, |c| c.create(create))
                            .all_ok();
                    }
                    asked.chmod(&ALICE, &dir, mode);
                    let saved = if op == Op::Link { &file } else { &dir };
                    let reply = asked.in_directory(&BOB, saved, |c| {
                        tells(c.savefh().putfh(args::PutFh { object: &dir }))
                    });
                    answers.push(reply.last());
                }
                let reply =
                    asked.in_directory(&ALICE, &dir, |c| c.remove(args::Remove { target: b"it" }));
                reply.all_ok();
                if op == Op::ReadDir && mode & 0o4 != 0 {
                    // Names may be read, so it shows that there is one; but not what it is.
                    assert_eq!(answers[1], (op, Status::ACCESS), "{minor} {mode:o}");
                } else {
                    let denied = vec![(op, Status::ACCESS); 2];
                    assert_eq!(answers, denied, "{minor} {mode:o} {op}");
                }
            }
        }
    }
}
