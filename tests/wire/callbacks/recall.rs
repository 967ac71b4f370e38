//! CB_RECALL to a session, byte for byte. [RFC 8881 §20.2]

use nfs4_driver::engine::proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_driver::engine::proto::nfs4::res::OpenDelegation;
use nfs4_driver::engine::proto::nfs4::{Op, Stateid, Status, args};
use nfs4_driver::engine::proto::xdr::Writer;

use super::{callback, flags, over, patient, reachable, serve};
use crate::caller::{CLOSE, Caller, open};
use crate::server::Transport;

on_each!(a_recall_is_this_and_nothing_else);

async fn a_recall_is_this_and_nothing_else(on: Transport) {
    let server = serve(on, patient()).await;
    let mut holder = reachable(&server, b"holder").await;
    let quietly = args::Open {
        share_access: OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 3,
        ..open(b"file")
    };
    holder
        .call(|c| c.putrootfh().open(quietly).close(CLOSE))
        .await
        .all_ok();
    let opening = args::Open {
        share_access: 1,
        openhow: args::OpenFlag::NoCreate,
        ..open(b"file")
    };
    let reply = holder
        .call(|c| c.putrootfh().open(opening).getfh())
        .await
        .all_ok();
    let mut results = reply.after(1);
    let OpenDelegation::Read(read) = results.open().unwrap().delegation else {
        panic!("no delegation");
    };
    let delegation = read.stateid;
    let fh = results.getfh().unwrap().object.to_vec();
    // It is known to have seen the reply: there is no call to refer to.
    holder.call(|c| c).await.all_ok();

    let mut other = Caller::mounted(server.address, b"other").await;
    let to_write = args::Open {
        share_access: OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 2,
        openhow: args::OpenFlag::NoCreate,
        ..open(b"file")
    };
    let denied = other.call(|c| c.putrootfh().open(to_write)).await;
    assert_eq!(denied.last(), (Op::Open, Status::DELAY));

    let record = holder.peer.called().await;
    let expected = recall_record(&record[..4], &holder, delegation, &fh);
    assert_eq!(record, expected);

    let recall = nfs4_tests::sim::Callback::new(
        nfs4_driver::engine::ConnId::FIRST,
        &crate::peer::mark(&record),
    );
    holder.peer.send(&recall.ok()).await;
    over(&server).await;
    let denied = other.call(|c| c.putrootfh().open(to_write)).await;
    assert_eq!(denied.last(), (Op::Open, Status::DELAY), "not given back");
    let give_back = args::DelegReturn {
        deleg_stateid: delegation,
    };
    let file = args::PutFh { object: &fh };
    holder
        .call(|c| c.putfh(file).delegreturn(give_back))
        .await
        .all_ok();
    other.call(|c| c.putrootfh().open(to_write)).await.all_ok();
    assert_eq!(flags(&mut holder).await, 0);
    assert!(!holder.peer.was_called() && !other.peer.was_called());
}

/// The first CB_RECALL of a session; the server chooses the transaction id.
fn recall_record(xid: &[u8], holder: &Caller, delegation: Stateid, fh: &[u8]) -> Vec<u8> {
    let mut expected = Writer::new();
    expected.raw(xid);
    // A call, RPC 2, the program, version 1, CB_COMPOUND, and an AUTH_NONE credential and verifier.
    for word in [0, 2, 0x4000_0000, 1, 1, 0, 0, 0, 0] {
        expected.u32(word);
    }
    // No tag, minor version 1, callback_ident 0, two operations.
    for word in [0, 1, 0, 2] {
        expected.u32(word);
    }
    // CB_SEQUENCE: seqid 1, slot 0, highest slot 0, not to be kept, no referring calls.
    expected.u32(11);
    expected.raw(&holder.session.0);
    for word in [1, 0, 0, 0, 0] {
        expected.u32(word);
    }
    // CB_RECALL: the stateid, not to be cut, the filehandle.
    expected.u32(4);
    expected.u32(delegation.seqid);
    expected.raw(&delegation.other);
    expected.u32(0);
    expected.opaque(fh);
    expected.into_vec()
}

on_each!(a_recall_refers_to_the_request_whose_reply_may_be_on_its_way);

async fn a_recall_refers_to_the_request_whose_reply_may_be_on_its_way(on: Transport) {
    let server = serve(on, patient()).await;
    let mut holder = reachable(&server, b"holder").await;
    let reply = holder
        .call(|c| c.putrootfh().open(open(b"file")))
        .await
        .all_ok();
    let sequence = reply.results().sequence().unwrap();
    let mut other = Caller::mounted(server.address, b"other").await;
    let denied = other.call(|c| c.putrootfh().open(open(b"file"))).await;
    assert_eq!(denied.last(), (Op::Open, Status::DELAY));
    let recall = callback(&mut holder.peer).await;
    let lists = recall.sequence().referring_call_lists;
    let referred: Vec<_> = lists.into_iter().collect();
    assert_eq!(referred.len(), 1);
    assert_eq!(referred[0].sessionid, holder.session);
    let calls: Vec<_> = referred[0].referring_calls.into_iter().collect();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].slotid, calls[0].sequenceid),
        (sequence.slotid, sequence.sequenceid)
    );
}
