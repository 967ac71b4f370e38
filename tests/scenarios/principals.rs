//! What a client has is its own: another user of the network can neither guess its names nor use
//! them. [RFC 8881 §2.4.3, §18.34, §18.37, RFC 7530 §9.1.1]

use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Reply, Sim};

#[test]
fn another_principal_finds_neither_session_nor_client() {
    let mut sim = Sim::new();
    let mut owner = Client::mounted(&mut sim, "owner");
    let mut thief = Client::stranger(&mut sim, "thief");
    thief.uid = owner.uid + 1;
    (thief.id, thief.session) = (owner.id, owner.session);
    let bind = args::BindConnToSession {
        sessid: owner.session,
        dir: ChannelDirFromClient::ForeOrBoth,
        use_conn_in_rdma_mode: false,
    };
    let bound = thief.bare(&mut sim, |c| c.bind_conn_to_session(bind));
    assert_eq!(bound.last(), (Op::BindConnToSession, Status::BADSESSION));
    let sessionid = owner.session;
    let destroy = args::DestroySession { sessionid };
    let destroyed = thief.bare(&mut sim, |c| c.destroy_session(destroy));
    assert_eq!(destroyed.last(), (Op::DestroySession, Status::BADSESSION));
    let clientid = owner.id;
    let forget = args::DestroyClientId { clientid };
    let forgotten = thief.bare(&mut sim, |c| c.destroy_clientid(forget));
    let refused = (Op::DestroyClientId, Status::STALE_CLIENTID);
    assert_eq!(forgotten.last(), refused);
    owner.call(&mut sim, |c| c.putrootfh()).all_ok();
    assert_eq!(sim.tables().sessions, 1);
}

/// The same connection carries the requests of all users of a host, so that it proves nothing.
#[test]
fn state_of_minor_version_0_is_changed_by_its_opener_and_by_the_principal_of_its_client() {
    let mut sim = Sim::new();
    let mut host = Client40::mounted(&mut sim, "host");
    let (root, user, thief) = (host.uid, host.uid + 1, host.uid + 2);
    host.uid = user;
    let opened = host.open(&mut sim, b"owner", b"file");
    let lock = host.lock_args(b"owner", &opened, b"locker", (0, 10));
    let locked = host.on(&mut sim, &opened.fh, |c| c.lock(lock)).all_ok();
    let lock_stateid = ok!(locked, Lock).lock_stateid;

    host.uid = thief;
    let seqid = host.seqids[&b"owner"[..]];
    let unlock = args::LockU {
        locktype: LockType::Write,
        seqid: 2,
        lock_stateid,
        offset: 0,
        length: 10,
    };
    let close = args::Close {
        seqid,
        open_stateid: opened.stateid,
    };
    let downgrade = args::OpenDowngrade {
        open_stateid: opened.stateid,
        seqid,
        share_access: 1,
        share_deny: 0,
    };
    let fh = &opened.fh;
    let stolen: [Reply; 3] = [
        host.on(&mut sim, fh, |c| c.locku(unlock)),
        host.on(&mut sim, fh, |c| c.open_downgrade(downgrade)),
        host.on(&mut sim, fh, |c| c.close(close)),
    ];
    for reply in stolen {
        assert_eq!(reply.last().1, Status::BAD_STATEID, "{reply:?}");
    }
    let tables = sim.tables();
    assert_eq!((tables.opens, tables.locks), (1, 1));

    // The refusals did not count as requests of the owners.
    host.uid = user;
    host.on(&mut sim, fh, |c| c.locku(unlock)).all_ok();
    host.uid = root;
    host.on(&mut sim, fh, |c| c.close(close)).all_ok();
    assert_eq!(sim.tables().opens, 0);
}

#[test]
fn names_of_clients_and_state_cannot_be_counted() {
    let mut sim = Sim::new();
    let mut ids = Vec::new();
    let mut stateids = Vec::new();
    for number in 0..20 {
        let mut client = Client::mounted(&mut sim, &format!("client {number}"));
        ids.push(client.id.0);
        let name = format!("file {number}");
        stateids.push(client.make_file(&mut sim, name.as_bytes(), 0));
    }
    for pair in ids.windows(2) {
        assert!(pair[0].abs_diff(pair[1]) > 1 << 32, "{ids:x?}");
    }
    for pair in stateids.windows(2) {
        let words = |at: usize| u32::from_be_bytes(pair[at].other[8..].try_into().expect("four"));
        assert!(words(0).abs_diff(words(1)) > 1 << 8, "{stateids:x?}");
    }
}
