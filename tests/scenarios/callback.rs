//! Calls of the server's over a client's own connections. [RFC 8881 §2.10.3.1, §20]

use nfs4_proto::rpc::reply::write_success;
use nfs4_proto::rpc::write_mark;
use nfs4_proto::xdr::Writer;
use nfs4_tests::sim::{Client, Sim};

#[test]
fn a_reply_that_answers_nothing_is_counted_and_dropped() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut w = Writer::new();
    write_success(&mut w, 7);
    let mut record = write_mark(w.len()).to_vec();
    record.extend_from_slice(w.as_slice());
    sim.send(client.conn, record);
    sim.run();
    assert_eq!(sim.metrics().stray_callback_replies, 1);
    client.call(&mut sim, |c| c).all_ok();
}
