//! As which user an export treats each user, and what only the superuser may do.

use nfs4_engine::Squash;
use nfs4_proto::client::CallCredential;
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::attr::{AttrValue, SettableAttrs, num};
use nfs4_proto::nfs4::basic::SpecData;
use nfs4_proto::nfs4::{Bitmap, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Fattr, Reply};

use super::{ALICE, Asked, ROOT, making, named, setting, user};

const OWNERS: args::GetAttr = args::GetAttr {
    attr_request: Bitmap::of(&[num::OWNER, num::OWNER_GROUP]),
};

/// Owner and group of what was made.
fn owners(reply: &Reply) -> (String, String) {
    let attrs = ok!(reply, GetAttr).obj_attributes;
    let text = |number| match attrs.get(number) {
        Some(AttrValue::Owner(name) | AttrValue::OwnerGroup(name)) => {
            String::from_utf8(name.to_vec()).expect("a number")
        }
        other => panic!("not an owner: {other:?}"),
    };
    (text(num::OWNER), text(num::OWNER_GROUP))
}

#[test]
fn only_an_unsquashed_superuser_makes_devices() {
    let spec = SpecData { major: 1, minor: 3 };
    let kinds = [
        (CreateType::Block(spec), true),
        (CreateType::Character(spec), true),
        (CreateType::Fifo, false),
        (CreateType::Socket, false),
        (CreateType::Directory, false),
        (CreateType::Symlink(b"target"), false),
    ];
    let users = [(ROOT, true), (ALICE, false), (CallCredential::None, false)];
    for minor in 0..3 {
        for squash in [Squash::None, Squash::Root, Squash::All] {
            let mut asked = Asked::serving(minor, &["/"], squash);
            for (kind, is_device) in kinds {
                for (at, (user, is_root)) in users.iter().enumerate() {
                    let name = format!("{kind:?} {at}");
                    let create = making(kind, name.as_bytes());
                    let reply = asked.ask(user, |c| c.putrootfh().create(create));
                    let expected = if is_device && !(*is_root && squash == Squash::None) {
                        Status::PERM
                    } else {
                        Status::OK
                    };
                    assert_eq!(
                        reply.last(),
                        (Op::Create, expected),
                        "{minor} {squash:?} {name}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_squashed_user_has_no_group_of_the_superusers() {
    const NOBODY: &str = "65534";
    // By each rule: owner and group of what the user makes, then whether that gets into a directory
    // of group 0 and into one of group 5.
    type Row = (Squash, (&'static str, &'static str), bool, bool);
    const NONE: Squash = Squash::None;
    let table: [(CallCredential<'_>, [Row; 3]); 6] = [
        (
            user(0, 0, &[0, 5]),
            [
                (NONE, ("0", "0"), true, true),
                (Squash::Root, (NOBODY, NOBODY), false, true),
                (Squash::All, (NOBODY, NOBODY), false, false),
            ],
        ),
        (
            user(0, 7, &[]),
            [
                (NONE, ("0", "7"), true, true),
                (Squash::Root, (NOBODY, "7"), false, false),
                (Squash::All, (NOBODY, NOBODY), false, false),
            ],
        ),
        (
            user(7, 0, &[]),
            [
                (NONE, ("7", "0"), true, false),
                (Squash::Root, ("7", NOBODY), false, false),
                (Squash::All, (NOBODY, NOBODY), false, false),
            ],
        ),
        (
            user(7, 7, &[5, 0]),
            [
                (NONE, ("7", "7"), true, true),
                (Squash::Root, ("7", "7"), false, true),
                (Squash::All, (NOBODY, NOBODY), false, false),
            ],
        ),
        (
            user(7, 5, &[]),
            [
                (NONE, ("7", "5"), false, true),
                (Squash::Root, ("7", "5"), false, true),
                (Squash::All, (NOBODY, NOBODY), false, false),
            ],
        ),
        (
            CallCredential::None,
            [
                (NONE, (NOBODY, NOBODY), false, false),
                (Squash::Root, (NOBODY, NOBODY), false, false),
                (Squash::All, (NOBODY, NOBODY), false, false),
            ],
        ),
    ];
    for minor in [0, 2] {
        for (at, (who, rows)) in table.iter().enumerate() {
            for (squash, owner, of_root, of_five) in rows {
                let case = format!("{minor} user {at} {squash:?}");
                let mut asked = Asked::serving(minor, &["/"], *squash);
                let create = making(CreateType::Directory, b"made");
                let reply = asked.ask(who, |c| c.putrootfh().create(create).getattr(OWNERS));
                let (uid, gid) = owners(&reply.all_ok());
                assert_eq!((&*uid, &*gid), *owner, "{case}");
                let into = [asked.of_group(0), asked.of_group(5)].map(|dir| {
                    let create = making(CreateType::Fifo, b"x");
                    let reply = asked.in_directory(who, &dir, |c| c.create(create));
                    match reply.last().1 {
                        Status::OK => true,
                        Status::ACCESS => false,
                        other => panic!("{case}: {other}"),
                    }
                });
                assert_eq!(into, [*of_root, *of_five], "{case}");
            }
        }
    }
}

impl Asked {
    /// A directory for members of a group only, made behind the server's back.
    fn of_group(&mut self, gid: u32) -> Vec<u8> {
        let name = format!("of {gid}");
        self.sim.fs().make_directory(name.as_bytes(), gid, 0o070);
        let reply = self.ask(&ALICE, |c| {
            c.putrootfh().lookup(named(name.as_bytes())).getfh()
        });
        ok!(reply.all_ok(), GetFh).object.to_vec()
    }
}

#[test]
fn no_user_gives_a_file_to_a_squashed_group() {
    let mut asked = Asked::serving(1, &["/"], Squash::Root);
    for (who, gid, expected) in [
        (user(7, 7, &[0, 5]), "0", Status::PERM),
        (user(7, 0, &[7]), "0", Status::PERM),
        (user(7, 7, &[0, 5]), "5", Status::OK),
        (user(7, 7, &[0, 5]), "65534", Status::OK),
    ] {
        let create = making(CreateType::Directory, b"d");
        let reply = asked
            .ask(&who, |c| c.putrootfh().create(create).getfh())
            .all_ok();
        let dir = ok!(reply, GetFh).object.to_vec();
        let attrs = Fattr::new(&SettableAttrs {
            owner_group: Some(gid.as_bytes()),
            ..SettableAttrs::default()
        });
        let set = setting(&attrs);
        let reply = asked.in_directory(&who, &dir, |c| c.setattr(set));
        assert_eq!(reply.last(), (Op::SetAttr, expected), "{gid}");
        let remove = args::Remove { target: b"d" };
        asked.ask(&who, |c| c.putrootfh().remove(remove)).all_ok();
    }
}
