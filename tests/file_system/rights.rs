//! Rights by mode, and file systems that check their own.

use std::sync::Barrier;
use std::thread;

use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, ClientId, FattrRaw, Owner, StableHow, Stateid, Status, Verifier};
use nfs4_tests::live::{CLOSE, Client};
use nfs4_tests::tree::{TreeFs, sleep};

use crate::served::{Polled, Served, Set, results, walk};

const ROOT: usize = 0;
const OWNER: usize = 1;
const MEMBER: usize = 2;
const OTHER: usize = 3;

/// The superuser, and the users 1, 2 and 3, each in the group of its number.
fn users(served: &Served) -> Vec<Client> {
    (0..4).map(|uid| served.client(uid)).collect()
}

/// A file of user 1's and group 2's with this mode.
fn make(users: &mut [Client], name: &str, mode: u32) {
    users[ROOT].open(name);
    users[ROOT].close();
    let given = Set::none().owner(1).group(2);
    assert_eq!(set(&mut users[ROOT], name, &given), Status::OK);
    assert_eq!(set(&mut users[ROOT], name, &Set::mode(mode)), Status::OK);
}

fn set(user: &mut Client, name: &str, set: &Set) -> Status {
    let change = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: set.raw(),
    };
    user.in_session(|c| walk(c, &[name]).setattr(change))
}

fn read(user: &mut Client, name: &str) -> Status {
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 10,
    };
    user.in_session(|c| walk(c, &[name]).read(read))
}

fn write(user: &mut Client, name: &str) -> Status {
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"bytes",
    };
    user.in_session(|c| walk(c, &[name]).write(write))
}

fn open(user: &mut Client, name: &str, share_access: u32) -> Status {
    let open = args::Open {
        seqid: 0,
        share_access,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(0),
            owner: b"owner",
        },
        openhow: OpenFlag::NoCreate,
        claim: OpenClaim::Null(name.as_bytes()),
    };
    user.in_session(|c| walk(c, &[]).open(open).close(CLOSE))
}

fn mode(user: &mut Client, name: &str) -> u32 {
    let attr_request = Bitmap::of(&[num::MODE]);
    let reply = user.call(|c| walk(c, &[name]).getattr(args::GetAttr { attr_request }));
    let mut results = results(&reply);
    while let Some(result) = results.next_result().unwrap() {
        if let ResOp::GetAttr(Outcome::Ok(ok)) = result {
            return u32::from_be_bytes(ok.obj_attributes.values.try_into().unwrap());
        }
    }
    unreachable!("every operation succeeded");
}

on_all!(the_mode_decides_for_owner_group_others_and_superuser);

fn the_mode_decides_for_owner_group_others_and_superuser(on: Polled) {
    let served = Served::start(on, TreeFs::new(0o777));
    let mut users = users(&served);
    for mode in [
        0o000, 0o400, 0o200, 0o040, 0o020, 0o004, 0o002, 0o640, 0o111, 0o777,
    ] {
        make(&mut users, "file", mode);
        for (user, client) in users.iter_mut().enumerate() {
            let class = match user {
                ROOT => 6,
                OWNER => mode >> 6,
                MEMBER => mode >> 3 & 7,
                _ => mode & 7,
            };
            let told = |allowed: bool| if allowed { Status::OK } else { Status::ACCESS };
            let (may_read, may_write) = (class & 5 != 0, class & 2 != 0);
            let context = format!("{mode:o} {user}");
            assert_eq!(open(client, "file", 1), told(may_read), "{context}");
            assert_eq!(open(client, "file", 2), told(may_write), "{context}");
            assert_eq!(
                open(client, "file", 3),
                told(may_read && may_write),
                "{context}"
            );
            // The owner may have it open, so that its mode is not checked.
            let owner = user == OWNER;
            assert_eq!(read(client, "file"), told(may_read || owner), "{context}");
            assert_eq!(write(client, "file"), told(may_write || owner), "{context}");
        }
        users[ROOT].unlink("file");
    }
    served.end(users);
}

on_all!(writing_cutting_and_giving_away_take_setuid_and_setgid);

fn writing_cutting_and_giving_away_take_setuid_and_setgid(on: Polled) {
    let served = Served::start(on, TreeFs::new(0o777));
    let mut users = users(&served);
    make(&mut users, "file", 0o6777);
    assert_eq!(write(&mut users[ROOT], "file"), Status::OK);
    assert_eq!(mode(&mut users[ROOT], "file"), 0o6777);
    assert_eq!(write(&mut users[OTHER], "file"), Status::OK);
    assert_eq!(mode(&mut users[ROOT], "file"), 0o777);
    for (user, change) in [
        (OTHER, Set::size(3)),
        (ROOT, Set::none().owner(1)),
        (ROOT, Set::none().group(2)),
    ] {
        assert_eq!(
            set(&mut users[ROOT], "file", &Set::mode(0o6777)),
            Status::OK
        );
        assert_eq!(mode(&mut users[ROOT], "file"), 0o6777);
        assert_eq!(set(&mut users[user], "file", &change), Status::OK);
        assert_eq!(mode(&mut users[ROOT], "file"), 0o777);
    }
    // A user outside the group gives away no rights of the group.
    assert_eq!(
        set(&mut users[OWNER], "file", &Set::mode(0o2775)),
        Status::OK
    );
    assert_eq!(mode(&mut users[ROOT], "file"), 0o775);
    assert_eq!(
        set(&mut users[OTHER], "file", &Set::mode(0o777)),
        Status::PERM
    );
    assert_eq!(
        set(&mut users[OWNER], "file", &Set::none().owner(3)),
        Status::PERM
    );
    served.end(users);
}

on_all!(from_a_sticky_directory_users_take_their_own_names);

fn from_a_sticky_directory_users_take_their_own_names(on: Polled) {
    let served = Served::start(on, TreeFs::new(0o1777));
    let mut users = users(&served);
    make(&mut users, "file", 0o777);
    let rename = |user: &mut Client, from: &str, to: &str| {
        let rename = args::Rename {
            oldname: from.as_bytes(),
            newname: to.as_bytes(),
        };
        user.in_session(|c| walk(c, &[]).savefh().rename(rename))
    };
    let remove = |user: &mut Client, name: &str| {
        let target = name.as_bytes();
        user.in_session(|c| walk(c, &[]).remove(args::Remove { target }))
    };
    users[OTHER].open("own");
    users[OTHER].close();
    assert_eq!(remove(&mut users[OTHER], "file"), Status::ACCESS);
    assert_eq!(rename(&mut users[OTHER], "file", "new"), Status::ACCESS);
    assert_eq!(rename(&mut users[OTHER], "own", "file"), Status::ACCESS);
    assert_eq!(rename(&mut users[OTHER], "file", "file"), Status::OK);
    assert_eq!(remove(&mut users[OTHER], "nothing"), Status::NOENT);
    assert_eq!(rename(&mut users[OTHER], "own", "new"), Status::OK);
    assert_eq!(remove(&mut users[OTHER], "new"), Status::OK);
    assert_eq!(rename(&mut users[OWNER], "file", "new"), Status::OK);
    assert_eq!(remove(&mut users[ROOT], "new"), Status::OK);
    served.end(users);
}

on_all!(a_file_system_with_rights_of_its_own_is_asked_everything);

fn a_file_system_with_rights_of_its_own_is_asked_everything(on: Polled) {
    let served = Served::start(on, TreeFs::new(0o000).with_own_rights());
    let mut users = users(&served);
    make(&mut users, "file", 0o000);
    for user in &mut users {
        assert_eq!(open(user, "file", 3), Status::OK);
        assert_eq!(read(user, "file"), Status::OK);
        assert_eq!(write(user, "file"), Status::OK);
        user.open("new");
        user.close();
        user.unlink("new");
        // Types are no rights.
        assert_eq!(user.in_session(|c| walk(c, &["file", "x"])), Status::NOTDIR);
        assert_eq!(open(user, "x", 1), Status::NOENT);
    }
    served.end(users);
}

on_all!(of_many_that_create_one_name_each_finds_one_file);

fn of_many_that_create_one_name_each_finds_one_file(on: Polled) {
    let fs = TreeFs::new(0o777).with_before(|called| match called {
        "create" | "lookup" => Box::pin(sleep(std::time::Duration::from_millis(1))),
        _ => Box::pin(std::future::ready(())),
    });
    let served = Served::start(on, fs.clone());
    let users = (0..6).map(|place| {
        let mut user = Client::on(served.connection(), Some(1));
        user.mount(&format!("racer {place}"), 1);
        user
    });
    let mut users: Vec<_> = users.collect();
    for turn in 0..5_u8 {
        for how in 0..3 {
            let name = format!("{turn}-{how}");
            let start = Barrier::new(users.len());
            let made: Vec<Status> = thread::scope(|scope| {
                let racers = users.iter_mut().enumerate().map(|(place, user)| {
                    let (name, start) = (&name, &start);
                    scope.spawn(move || {
                        let raw = FattrRaw::EMPTY;
                        let how = || match how {
                            0 => CreateHow::Unchecked(raw),
                            1 => CreateHow::Guarded(raw),
                            _ => CreateHow::Exclusive(Verifier([place as u8; 8])),
                        };
                        start.wait();
                        let open = || args::Open {
                            seqid: 0,
                            share_access: 3,
                            share_deny: 0,
                            owner: Owner {
                                clientid: ClientId(0),
                                owner: b"racer",
                            },
                            openhow: OpenFlag::Create(how()),
                            claim: OpenClaim::Null(name.as_bytes()),
                        };
                        loop {
                            let status =
                                user.in_session(|c| walk(c, &[]).open(open()).close(CLOSE));
                            // The name is being made for another.
                            if status != Status::DELAY {
                                break status;
                            }
                        }
                    })
                });
                let racers: Vec<_> = racers.collect();
                racers
                    .into_iter()
                    .map(|racer| racer.join().unwrap())
                    .collect()
            });
            let won = made.iter().filter(|status| status.is_ok()).count();
            let lost = made.iter().filter(|status| **status == Status::EXIST);
            let expected = if how == 0 { (6, 0) } else { (1, 5) };
            assert_eq!((won, lost.count()), expected, "{how} {made:?}");
        }
    }
    assert_eq!(fs.objects(), 16);
    served.end(users);
}
