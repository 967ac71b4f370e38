//! A client with a session, and what its slots must answer.

use nfs4_proto::nfs4::args::{ChannelAttrs, CreateSession};

use super::*;

/// A client whose session has the usual sizes.
pub(super) fn mounted() -> (Sim, Client) {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    (sim, client)
}

/// A client whose session has these sizes.
pub(super) fn measured(fore_chan_attrs: ChannelAttrs) -> (Sim, Client) {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    let args = CreateSession {
        fore_chan_attrs,
        ..client.session_args()
    };
    client.create_session_with(&mut sim, args).all_ok();
    (sim, client)
}

/// The retry of a request gets the first reply once more.
#[track_caller]
pub(super) fn assert_replayed(sim: &mut Sim, client: &Client, request: &Request, first: &Reply) {
    let again = request.again(sim).exchange(sim, client.conn);
    assert_eq!(again.body(), first.body());
}

/// After a refusal, the next request on slot 0 under the same seqid is served.
#[track_caller]
pub(super) fn assert_not_poisoned(sim: &mut Sim, client: &mut Client) {
    client.call(sim, |c| c.putrootfh()).all_ok();
    client.call(sim, |c| c.putrootfh().getfh()).all_ok();
}

#[track_caller]
pub(super) fn assert_refused(reply: &Reply, status: Status) {
    assert!(
        reply.is_only(Op::Sequence, status),
        "{:?}",
        reply.statuses()
    );
}
