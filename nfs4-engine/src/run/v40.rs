//! How a COMPOUND of minor version 0 begins, and what is kept of its reply. [RFC 7530 §9.1]

use alloc::vec::Vec;

use bytes::Bytes;

use crate::action::Outbox;
use crate::compound::Compound;
use crate::compound::reply::rpc_head;
use crate::core::Core;
use crate::duplicates::{self, Retransmission};
use crate::fingerprint::{self, RequestContent};
use crate::timer::Due;

/// Begins a COMPOUND of minor version 0. Returns whether it is executed: a retransmission is answered
/// from the cache instead.
pub(super) fn enter(core: &mut Core, run: &mut Compound, record: &Bytes, out: &mut Outbox) -> bool {
    let newest = core.connections.newest();
    if let Some(connection) = core.connections.get(run.conn) {
        let print = fingerprint::of(&RequestContent {
            user: core.exports.user(&run.cred),
            minor: run.minor,
            count: run.count,
            operations: record.get(run.next_at..).unwrap_or_default(),
        });
        let name = core.duplicates.name(run.xid, &connection.peer, print);
        let from = (run.conn, connection.host);
        match core.duplicates.enter(name, from, newest, &mut core.peers) {
            Retransmission::New(key) => run.request = Some(key),
            Retransmission::Unnamed => {}
            Retransmission::Running => return false,
            Retransmission::TooMany => run.answers_delay = true,
            Retransmission::Answered(body) => {
                let head = rpc_head(run.xid, body.len());
                out.reply(run.conn, &head, body, &mut Vec::new());
                out.metrics.replay_hits += 1;
                return false;
            }
        }
    }
    // No new work by this connection: the client comes back by another.
    run.answers_delay |= core.connections.is_draining(run.conn);
    run.max_reply = core.config.max_io as usize + REPLY_HEADERS;
    true
}

impl Core {
    /// The COMPOUND is answered: what it changed it must not change again.
    pub(super) fn end_request(&mut self, run: &mut Compound, out: &mut Outbox) {
        let now = out.now.mono;
        let Some(key) = run.request.take() else {
            return;
        };
        let reply = &run.reply;
        let kept = if run.changes {
            duplicates::kept(reply.len(), |body| reply.copy_to(body))
        } else {
            None
        };
        for conn in self.duplicates.finish(key, kept, now, &mut self.peers) {
            let mut body = Vec::new();
            reply.copy_to(&mut body);
            let head = rpc_head(run.xid, body.len());
            out.reply(conn, &head, &body, &mut Vec::new());
            out.metrics.replay_hits += 1;
        }
        if self.duplicates.arm() {
            self.set_timer(now.after(self.config.lease), Due::Replies);
        }
    }
}

/// What a reply may have beside the longest payload, in bytes.
const REPLY_HEADERS: usize = 64 << 10;
