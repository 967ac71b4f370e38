//! Requests that wait for a file system while the administrator changes its export.

use nfs4_engine::NetworkRule;
use nfs4_proto::nfs4::basic::LockType;
use nfs4_tests::sim::{Pace, Request, making_args, open_args};

use super::super::holder::{Holder, owner};
use super::*;

/// For hosts of another network only.
fn elsewhere(export: &Export) -> Export {
    let rule = NetworkRule::new("198.51.100.0/24".parse().expect("a network"));
    export.clone().with(|export| export.access = vec![rule])
}

fn read_only(export: &Export) -> Export {
    export.clone().with(|export| export.read_only = true)
}

/// A server of this export with a file "f", and a client.
fn serving(shared: &Export) -> (Sim, Client, Vec<u8>) {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    sim.admin(Admin::SetExports(vec![shared.clone()]));
    let root = handle(&mut sim, &mut client, "/");
    let making = making_args(b"maker", b"f");
    on(&mut sim, &mut client, &root, |c| c.open(making)).all_ok();
    (sim, client, root)
}

/// An OPEN of "f" that the file system has executed, and the engine does not know of that.
fn send_open(sim: &mut Sim, client: &mut Client, root: &[u8], open: args::Open<'_>) -> Request {
    sim.set_pace(Pace::Held);
    let put = args::PutFh { object: root };
    let request = client.request(sim, 1, true, |c| c.putfh(put).open(open));
    request.send(sim, client.conn);
    client.advance(1);
    sim.settle();
    sim.execute(0);
    request
}

#[track_caller]
fn last(sim: &mut Sim, request: &Request) -> (Op, Status) {
    sim.complete_all();
    sim.set_pace(Pace::Delayed);
    sim.run();
    let reply = sim.take_reply(request.xid());
    reply.expect("it is answered").last()
}

#[test]
fn an_open_for_writing_is_refused_if_the_export_is_read_only_when_the_file_system_answers() {
    for (access, expected) in [(1, Status::OK), (2, Status::ROFS), (3, Status::ROFS)] {
        let (shared, fs) = export("/");
        let (mut sim, mut client, root) = serving(&shared);
        let open = args::Open {
            share_access: access,
            ..open_args(b"o", b"f")
        };
        let held = fs.held();
        let request = send_open(&mut sim, &mut client, &root, open);
        put(&mut sim, &read_only(&shared));
        assert_eq!(last(&mut sim, &request), (Op::Open, expected));
        assert_eq!(fs.held() - held, u64::from(expected == Status::OK));
        sim.assert_nothing_is_left();
    }
}

#[test]
fn an_open_is_refused_if_the_export_is_not_for_the_client_when_the_file_system_answers() {
    let (shared, fs) = export("/");
    let (mut sim, mut client, root) = serving(&shared);
    let open = args::Open {
        share_access: 1,
        ..open_args(b"o", b"f")
    };
    let held = fs.held();
    let request = send_open(&mut sim, &mut client, &root, open);
    put(&mut sim, &elsewhere(&shared));
    assert_eq!(last(&mut sim, &request), (Op::Open, Status::ACCESS));
    assert_eq!(fs.held(), held, "the file is released");
    sim.assert_nothing_is_left();
}

#[test]
fn a_lock_is_refused_if_the_export_is_not_for_the_client_when_the_file_system_answers() {
    let fs = Arc::new(Fs::numbered(77).with_local_locks());
    let backend = Arc::clone(&fs) as Arc<dyn Backend>;
    let shared = Export::new("/", backend);
    let mut sim = Sim::new();
    sim.admin(Admin::SetExports(vec![shared.clone()]));
    let mut one = Holder::new(&mut sim, "one", 3);
    let lock = args::Lock {
        locktype: LockType::Write,
        reclaim: false,
        offset: 0,
        length: 10,
        locker: args::Locker::New(args::OpenToLockOwner {
            open_seqid: 0,
            open_stateid: one.open,
            lock_seqid: 0,
            lock_owner: owner(b"x"),
        }),
    };
    sim.set_pace(Pace::Held);
    let put_fh = args::PutFh { object: &one.fh };
    let client = &mut one.client;
    let request = client.request(&mut sim, 1, true, |c| c.putfh(put_fh).lock(lock));
    request.send(&mut sim, client.conn);
    client.advance(1);
    sim.settle();
    sim.execute(0);
    assert!(fs.strength(&one.fh, 0).is_some(), "it is counted");
    put(&mut sim, &elsewhere(&shared));
    assert_eq!(last(&mut sim, &request), (Op::Lock, Status::ACCESS));
    assert_eq!(fs.strength(&one.fh, 0), None, "it is returned");
    sim.assert_nothing_is_left();
}
