//! Which filehandles are good. [RFC 8881 §4.2]

use nfs4_engine::Squash;
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::attr::{AttrValue, num};
use nfs4_proto::nfs4::{Bitmap, Op, Status};
use nfs4_tests::ok;

use super::{ALICE, Asked, making, named};

const OWNER: args::GetAttr = args::GetAttr {
    attr_request: Bitmap::of(&[num::OWNER]),
};

#[test]
fn no_handle_is_good_that_was_not_given_out() {
    for minor in 0..3 {
        let mut asked = Asked::serving(minor, &["/one", "/two", "/srv/three"], Squash::None);
        let mut known = Vec::new();
        for path in [&[][..], &["srv"], &["one"], &["two"], &["srv", "three"]] {
            let reply = asked.ask(&ALICE, |c| {
                let walk = |c, name: &&str| CompoundBuilder::lookup(c, named(name.as_bytes()));
                path.iter().fold(c.putrootfh(), walk).getfh()
            });
            known.push(ok!(reply.all_ok(), GetFh).object.to_vec());
        }
        let create = making(CreateType::Directory, b"private");
        for export in [b"one", b"two"] {
            let reply = asked.ask(&ALICE, |c| {
                c.putrootfh().lookup(named(export)).create(create).getfh()
            });
            known.push(ok!(reply.all_ok(), GetFh).object.to_vec());
        }
        let mut tried = 0;
        for fh in &known {
            asked
                .in_directory(&ALICE, fh, |c| c.getattr(OWNER))
                .all_ok();
            let mut forged = Vec::new();
            for bit in 0..8 * fh.len() {
                let mut other = fh.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                forged.push(other);
            }
            // As of each other export, and cut, and longer.
            for export in [0u16, 1, 2, 3, u16::MAX] {
                let mut other = fh.clone();
                other[1..3].copy_from_slice(&export.to_be_bytes());
                forged.push(other);
            }
            forged.extend((0..fh.len()).map(|len| fh[..len].to_vec()));
            forged.push([&fh[..], &[0]].concat());
            for forged in forged.iter().filter(|forged| !known.contains(forged)) {
                tried += 1;
                for reply in [
                    asked.in_directory(&ALICE, forged, |c| c.getattr(OWNER)),
                    asked.in_directory(&ALICE, forged, |c| c.getfh()),
                    asked.in_directory(&ALICE, forged, |c| c.lookup(named(b"private"))),
                ] {
                    let (op, status) = reply.last();
                    let expected = match status {
                        Status::BADHANDLE => op == Op::PutFh,
                        Status::STALE => true,
                        _ => false,
                    };
                    assert!(expected, "{minor} {forged:02x?}: {op} {status}");
                }
            }
        }
        assert!(tried > 1000, "{tried}");
    }
}

#[test]
fn handles_above_the_exports_are_good_while_they_lead_to_one() {
    let handles = |asked: &mut Asked| {
        let change = args::GetAttr {
            attr_request: Bitmap::of(&[num::CHANGE]),
        };
        [&[][..], &["srv"]].map(|path: &[&str]| {
            let reply = asked.ask(&ALICE, |c| {
                let walk = |c, name: &&str| CompoundBuilder::lookup(c, named(name.as_bytes()));
                path.iter()
                    .fold(c.putrootfh(), walk)
                    .getfh()
                    .getattr(change)
            });
            let reply = reply.all_ok();
            let change = ok!(reply, GetAttr).obj_attributes.get(num::CHANGE);
            let Some(AttrValue::Change(change)) = change else {
                panic!("no change attribute")
            };
            (ok!(reply, GetFh).object.to_vec(), change)
        })
    };
    let paths = ["/srv/a", "/srv/b", "/home"];
    let mut first = Asked::serving(0, &paths, Squash::None);
    let known = handles(&mut first);
    first.sim.restart();
    first.conn = first.sim.connect();
    for ((fh, change), (again, later)) in known.iter().zip(handles(&mut first)) {
        assert_eq!(*fh, again, "the same server, started again");
        assert!(*change < later, "{change} {later}");
    }
    for others in [
        &["/srv/a", "/srv/b"][..],
        &["/srv/b", "/srv/a", "/home"],
        &["/srv/a", "/srv/b", "/home", "/more"],
    ] {
        let mut other = Asked::serving(0, others, Squash::None);
        for ((fh, _), (again, _)) in known.iter().zip(handles(&mut other)) {
            assert_eq!(*fh, again, "{others:?}");
        }
    }
    let mut without = Asked::serving(0, &["/home", "/more"], Squash::None);
    let [_, (srv, _)] = known;
    let reply = without.in_directory(&ALICE, &srv, |c| c.getattr(OWNER));
    assert_eq!(reply.status(), Status::STALE);
}
