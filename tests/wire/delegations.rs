//! Delegations as clients on sockets see them: grant, recall and return.

use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::proto::client::{CbCallReader, CbReplyBuilder};
use nfs4_driver::engine::proto::nfs4::any::{CbArgOp, CbResOp};
use nfs4_driver::engine::proto::nfs4::callback::res;
use nfs4_driver::engine::proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_driver::engine::proto::nfs4::res::{OpenDelegation, Outcome};
use nfs4_driver::engine::proto::nfs4::{Op, Stateid, Status, args};
use nfs4_driver::engine::{Config, Now, Touch};
use nfs4_driver::{Limits, ManualClock};
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::caller::{CHANNEL, CLOSE, Caller, Reply, open};
use crate::metrics::Watch;
use crate::server::{Running, Transport, node_of};

/// A server of an empty `MemFs` that every user may write to, and its clock.
async fn serve(on: Transport, config: Config) -> (Running, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Now::default()));
    let root = Arc::new(MemFs::new(
        MemFsConfig::new(1, 16 << 20).with(|files| files.root_mode = 0o777),
    ));
    let node = node_of(config, Limits::default(), root, Arc::clone(&clock) as _);
    (Running::share(on, node).await, clock)
}

/// A client that can be called back.
pub(crate) async fn reachable(server: &Running, owner: &[u8]) -> Caller {
    let mut client = Caller::stranger(server.address).await;
    client.introduce(owner).await.all_ok();
    let flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    client.enter(CHANNEL, flags).await.all_ok();
    client
}

/// Opens a file for reading and writing, past calls of the server's.
pub(crate) async fn opens(client: &mut Caller, name: &[u8]) -> Reply {
    let call = client.request(0, |c| c.putrootfh().open(open(name)).getfh());
    client.peer.send(&call).await;
    client.reply_past_callbacks().await
}

/// The delegation that came with an open.
pub(crate) fn delegation(reply: &Reply) -> Option<Stateid> {
    match reply.after(1).open().unwrap().delegation {
        OpenDelegation::None => None,
        OpenDelegation::Write(write) => Some(write.stateid),
        other => panic!("{other:?}"),
    }
}

/// The answer OK to a callback, of which the operation after CB_SEQUENCE is CB_RECALL of this.
pub(crate) fn recalled(callback: &[u8], stateid: Stateid, fh: &[u8]) -> Vec<u8> {
    let mut reader = CbCallReader::parse(callback).unwrap();
    let xid = reader.rpc().xid;
    let Some(CbArgOp::Sequence(sequence)) = reader.next_op().unwrap() else {
        panic!("a callback begins with CB_SEQUENCE");
    };
    let Some(CbArgOp::Recall(recall)) = reader.next_op().unwrap() else {
        panic!("the delegation is recalled");
    };
    assert_eq!((recall.stateid, recall.fh), (stateid, fh));
    assert!(reader.next_op().unwrap().is_none());
    let ok = res::CbSequenceOk {
        sessionid: sequence.sessionid,
        sequenceid: sequence.sequenceid,
        slotid: sequence.slotid,
        highest_slotid: 15,
        target_highest_slotid: 15,
    };
    CbReplyBuilder::reply(xid, b"")
        .result(&CbResOp::Sequence(Outcome::Ok(ok)))
        .result(&CbResOp::Recall(Outcome::Ok(())))
        .finish()
}

/// DELEGRETURN.
pub(crate) async fn give_back(client: &mut Caller, fh: &[u8], deleg_stateid: Stateid) {
    let object = args::PutFh { object: fh };
    let back = args::DelegReturn { deleg_stateid };
    let reply = client.call(|c| c.putfh(object).delegreturn(back)).await;
    reply.all_ok();
}

on_each!(a_delegation_is_recalled_over_its_clients_connection_and_rests_for_a_while);

async fn a_delegation_is_recalled_over_its_clients_connection_and_rests_for_a_while(on: Transport) {
    let config = Config::default().with(|config| config.delegation_pause = Duration::from_secs(20));
    let (server, clock) = serve(on, config).await;
    let mut holder = reachable(&server, b"holder").await;
    let mut other = reachable(&server, b"other").await;
    let reply = opens(&mut holder, b"f").await.all_ok();
    let held = delegation(&reply).expect("a delegation");
    let fh = reply.after(2).getfh().unwrap().object.to_vec();
    let refused = other.call(|c| c.putrootfh().open(open(b"f"))).await;
    assert_eq!(refused.last(), (Op::Open, Status::DELAY));
    let callback = holder.peer.record().await.unwrap();
    let answer = recalled(&callback, held, &fh);
    holder.peer.send(&answer).await;
    let refused = other.call(|c| c.putrootfh().open(open(b"f"))).await;
    assert_eq!(refused.last(), (Op::Open, Status::DELAY));
    give_back(&mut holder, &fh, held).await;
    let reply = other
        .call(|c| c.putrootfh().open(open(b"f")).close(CLOSE))
        .await;
    assert_eq!(delegation(&reply.all_ok()), None, "the holder has it open");
    for (seconds, rested) in [(19, false), (1, true)] {
        clock.advance(Duration::from_secs(seconds));
        let reply = opens(&mut holder, b"f").await.all_ok();
        assert_eq!(delegation(&reply).is_some(), rested);
    }
}

on_each!(what_becomes_of_delegations_is_counted);

async fn what_becomes_of_delegations_is_counted(on: Transport) {
    let (server, clock) = serve(on, Config::default()).await;
    let mut watch = Watch::new();
    let node = &server.node;
    let mut holder = reachable(&server, b"holder").await;
    let mut other = reachable(&server, b"other").await;
    let reply = opens(&mut holder, b"f").await.all_ok();
    assert!(delegation(&reply).is_some());
    watch.expect(node, "delegations_granted_total", &["write"], 1);
    watch.expect(node, "delegations_active", &["write"], 1);
    let refused = other.call(|c| c.putrootfh().open(open(b"f"))).await;
    assert_eq!(refused.last(), (Op::Open, Status::DELAY));
    let recalled = ["conflict", "write"];
    watch.expect(node, "delegations_recalled_total", &recalled, 1);
    watch.expect(node, "delegations_revoked_total", &["write"], 0);
    // Its client says nothing, and renews its lease.
    for _ in 0..2 {
        clock.advance(Config::default().lease / 2);
        for client in [&mut holder, &mut other] {
            let call = client.request(0, |c| c);
            client.peer.send(&call).await;
            client.reply_past_callbacks().await.all_ok();
        }
    }
    let reply = other.call(|c| c.putrootfh().open(open(b"f"))).await;
    reply.all_ok();
    watch.expect(node, "delegations_revoked_total", &["write"], 1);
    watch.expect(node, "delegations_active", &["write"], 0);
}

on_each!(a_file_is_not_delegated_again_at_once);

async fn a_file_is_not_delegated_again_at_once(on: Transport) {
    let config = Config::default().with(|config| config.delegation_pause = Duration::from_secs(20));
    let (server, clock) = serve(on, config).await;
    let mut holder = reachable(&server, b"holder").await;
    let reply = opens(&mut holder, b"f").await.all_ok();
    let held = delegation(&reply).expect("a delegation");
    let object = reply.after(2).getfh().unwrap().object.to_vec();
    // Something beside the server wants it; behind three bytes it is the file system's own handle.
    let fh = nfs4_driver::engine::fs::FsHandle::new(&object[3..]).unwrap();
    let touch = || server.node.may_touch(0, fh, Touch::Change);
    assert_eq!(touch(), Ok(false));
    let callback = holder.peer.record().await.unwrap();
    let answer = recalled(&callback, held, &object);
    holder.peer.send(&answer).await;
    give_back(&mut holder, &object, held).await;
    assert_eq!(touch(), Ok(true));
    clock.advance(Duration::from_secs(19));
    let reply = opens(&mut holder, b"f").await.all_ok();
    assert_eq!(delegation(&reply), None);
    clock.advance(Duration::from_secs(1));
    let reply = opens(&mut holder, b"f").await.all_ok();
    assert!(delegation(&reply).is_some());
}

on_each!(there_are_as_many_delegations_as_are_set);

async fn there_are_as_many_delegations_as_are_set(on: Transport) {
    let all = Config::default();
    let none = Config::default().with(|config| config.delegations = false);
    let one_each = Config::default().with(|config| config.max_delegations_per_client = 1);
    let one = Config::default().with(|config| config.max_delegations = 1);
    for (config, expected) in [
        (all, [2, 2]),
        (none, [0, 0]),
        (one_each, [1, 1]),
        (one, [1, 0]),
    ] {
        let (server, _) = serve(on, config).await;
        for (owner, expected) in [b"a", b"b"].into_iter().zip(expected) {
            let mut client = reachable(&server, owner).await;
            let mut given = 0;
            for file in [b"1", b"2"] {
                let name = [*owner, *file].concat();
                let reply = opens(&mut client, &name).await.all_ok();
                given += usize::from(delegation(&reply).is_some());
            }
            assert_eq!(given, expected);
        }
    }
}
