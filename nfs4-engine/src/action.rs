//! The actions that the engine causes.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::ops::Range;

use bytes::Bytes;
use nfs4_proto::rpc::reply::write_fault;
use nfs4_proto::rpc::{Fault, write_mark};
use nfs4_proto::xdr::Writer;

use crate::event::Event;
use crate::fs::driver::FsTicket;
use crate::fs::{Backend, ByteLock, FsHandle, FsRequest};
use crate::ids::{ConnId, DialId};
use crate::metrics::Metrics;
use crate::stable::{StableTicket, StableWrite};
use crate::time::Now;

/// One order to the driver. Actions are carried out in the order of the queue.
///
/// There may be more in later versions. The engine gives such an order only where a setting or an input
/// asks for it, so a driver ignores one that it does not know.
#[expect(
    clippy::large_enum_variant,
    reason = "a request is moved once; boxing it would allocate"
)]
#[non_exhaustive]
pub enum Action {
    /// Send these bytes: a whole RPC reply, record mark included; see [`Outbox::segments`].
    Reply(Reply),
    /// Send these bytes: a whole RPC call, record mark included; see [`Outbox::call`].
    Callback(Callback),
    /// Connect to an address, and report the outcome as
    /// [`Input::Dialed`](crate::Input::Dialed).
    Dial {
        /// Names the dial.
        dial: DialId,
        /// The address to connect to.
        target: SocketAddr,
        /// The peer's address of the connection by which the client asked for it.
        peer: String,
    },
    /// Submit this request, outside the engine's lock, and report its result as
    /// [`Input::FsDone`](crate::Input::FsDone).
    Fs {
        /// Names the request.
        ticket: FsTicket,
        /// The file system.
        backend: Arc<dyn Backend>,
        /// The request.
        request: FsRequest,
    },
    /// Call [`Backend::release`].
    Release {
        /// The number of its export.
        export: u16,
        /// The file system.
        backend: Arc<dyn Backend>,
        /// The file to release.
        fh: FsHandle,
    },
    /// Call [`Backend::unlease`].
    Unlease {
        /// The number of its export.
        export: u16,
        /// The file system.
        backend: Arc<dyn Backend>,
        /// The file whose lease ends.
        fh: FsHandle,
    },
    /// Call [`Backend::unlock`].
    Unlock {
        /// The number of its export.
        export: u16,
        /// The file system.
        backend: Arc<dyn Backend>,
        /// The file.
        fh: FsHandle,
        /// The locks.
        locks: Vec<ByteLock>,
    },
    /// Drop the file system of an export that was removed, outside the engine's lock: nothing of the engine
    /// uses it any more.
    Forget {
        /// The number that the export had.
        export: u16,
        /// The file system.
        backend: Arc<dyn Backend>,
    },
    /// The client behind the connection is known: a request of one of its sessions arrived on it, or in
    /// 4.0 one that names a confirmed client id. Sent once for each connection.
    Known {
        /// The connection.
        conn: ConnId,
    },
    /// Close the connection after what was queued for it before.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Store this, outside the engine's lock, and report the end as
    /// [`Input::StableDone`](crate::Input::StableDone) once it is durable, or has failed. There is such an
    /// action only with [`Boot::recovered`](crate::Boot::recovered).
    Stable {
        /// Names the write.
        ticket: StableTicket,
        /// What to store.
        write: StableWrite,
    },
    /// A fact for logs and for observers.
    Event(Event),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Reply(reply) => reply.fmt(f),
            Action::Callback(callback) => callback.fmt(f),
            Action::Dial { dial, target, peer } => f
                .debug_struct("Dial")
                .field("dial", dial)
                .field("target", target)
                .field("peer", peer)
                .finish(),
            Action::Fs {
                ticket, request, ..
            } => f
                .debug_struct("Fs")
                .field("ticket", ticket)
                .field("request", request)
                .finish_non_exhaustive(),
            Action::Release { export, fh, .. } => f
                .debug_struct("Release")
                .field("export", export)
                .field("fh", fh)
                .finish_non_exhaustive(),
            Action::Unlease { export, fh, .. } => f
                .debug_struct("Unlease")
                .field("export", export)
                .field("fh", fh)
                .finish_non_exhaustive(),
            Action::Unlock {
                export, fh, locks, ..
            } => f
                .debug_struct("Unlock")
                .field("export", export)
                .field("fh", fh)
                .field("locks", locks)
                .finish_non_exhaustive(),
            Action::Forget { export, .. } => f
                .debug_struct("Forget")
                .field("export", export)
                .finish_non_exhaustive(),
            Action::Known { conn } => f.debug_struct("Known").field("conn", conn).finish(),
            Action::Close { conn } => f.debug_struct("Close").field("conn", conn).finish(),
            Action::Stable { ticket, write } => f
                .debug_struct("Stable")
                .field("ticket", ticket)
                .field("write", write)
                .finish(),
            Action::Event(event) => event.fmt(f),
        }
    }
}

/// A reply within an [`Outbox`].
#[derive(Debug)]
pub struct Reply {
    /// The connection to answer on.
    pub conn: ConnId,
    bytes: Range<usize>,
    payloads: Range<usize>,
}

/// A call within an [`Outbox`].
#[derive(Debug)]
pub struct Callback {
    /// The connection to call on.
    pub conn: ConnId,
    /// Its transaction id.
    pub xid: u32,
    bytes: Range<usize>,
}

/// A part of a reply.
#[derive(Debug)]
pub enum Segment<'a> {
    /// Bytes to copy.
    Bytes(&'a [u8]),
    /// A large payload to send without copying.
    Payload(&'a Bytes),
}

/// An action in the queue.
#[cfg(feature = "record")]
pub(crate) enum Queued<'a> {
    Reply(&'a Reply),
    Other(&'a Action),
}

/// The queue of actions, reused from call to call, with the bytes of the replies beside it.
///
/// The driver takes all actions out with [`Outbox::pop`] and then calls [`Outbox::clear`].
#[derive(Default)]
pub struct Outbox {
    replies: VecDeque<Reply>,
    // Everything else, each with how many replies were put in before it. Replies lie apart because
    // a queue moves every entry at the size of its largest, and a request is many times a reply's.
    others: VecDeque<(u64, Action)>,
    // How many replies were ever put in and taken out.
    put: u64,
    taken: u64,
    bytes: Vec<u8>,
    // A payload and the offset in `bytes` that it stands before.
    payloads: Vec<(usize, Bytes)>,
    /// What was counted since the driver last took it.
    pub metrics: Metrics,
    /// The instant of the input that causes these actions, which every procedure goes by.
    pub(crate) now: Now,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("replies", &self.replies.len())
            .field("others", &self.others.len())
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty one.
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// Takes the oldest action out.
    #[inline]
    pub fn pop(&mut self) -> Option<Action> {
        match self.others.front() {
            Some((replies, _)) if *replies == self.taken => {
                self.others.pop_front().map(|(_, action)| action)
            }
            _ => {
                let reply = self.replies.pop_front()?;
                self.taken += 1;
                Some(Action::Reply(reply))
            }
        }
    }

    /// The instant of the last input.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Whether no action is left.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.others.is_empty()
    }

    /// The parts of a reply, in order; good until [`Outbox::clear`].
    pub fn segments(&self, reply: &Reply) -> impl Iterator<Item = Segment<'_>> {
        let payloads = self
            .payloads
            .get(reply.payloads.clone())
            .unwrap_or_default();
        let end = reply.bytes.end;
        let mut at = reply.bytes.start;
        let mut next = payloads.iter();
        let mut held: Option<&Bytes> = None;
        core::iter::from_fn(move || {
            if let Some(payload) = held.take() {
                return Some(Segment::Payload(payload));
            }
            let stop = match next.next() {
                Some((offset, payload)) => {
                    held = Some(payload);
                    *offset
                }
                None => end,
            };
            let from = core::mem::replace(&mut at, stop);
            if from == stop {
                return held.take().map(Segment::Payload);
            }
            self.bytes.get(from..stop).map(Segment::Bytes)
        })
    }

    /// The bytes of a callback; good until [`Outbox::clear`].
    pub fn call(&self, callback: &Callback) -> &[u8] {
        self.bytes.get(callback.bytes.clone()).unwrap_or_default()
    }

    /// Drops the bytes of replies, once all actions were taken out; keeps the memory.
    pub fn clear(&mut self) {
        debug_assert!(self.is_empty(), "actions are taken out before the bytes go");
        self.bytes.clear();
        self.payloads.clear();
    }

    /// Numbers of replies and of other actions in the queue.
    #[cfg(feature = "record")]
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.replies.len(), self.others.len())
    }

    /// The actions that follow the first ones, of which there were so many, in their order.
    #[cfg(feature = "record")]
    pub(crate) fn after(
        &self,
        (mut reply, mut other): (usize, usize),
    ) -> impl Iterator<Item = Queued<'_>> {
        core::iter::from_fn(move || match self.others.get(other) {
            Some((replies, action)) if *replies == self.taken + reply as u64 => {
                other += 1;
                Some(Queued::Other(action))
            }
            _ => {
                let found = self.replies.get(reply)?;
                reply += 1;
                Some(Queued::Reply(found))
            }
        })
    }

    /// The requests to file systems among the actions after the first ones that are no replies.
    #[cfg(feature = "record")]
    pub(crate) fn requests_after(&mut self, other: usize) -> impl Iterator<Item = &mut FsRequest> {
        let later = self.others.iter_mut().skip(other);
        later.filter_map(|(_, action)| match action {
            Action::Fs { request, .. } => Some(request),
            Action::Reply(_)
            | Action::Callback(_)
            | Action::Dial { .. }
            | Action::Release { .. }
            | Action::Unlease { .. }
            | Action::Unlock { .. }
            | Action::Forget { .. }
            | Action::Known { .. }
            | Action::Close { .. }
            | Action::Stable { .. }
            | Action::Event(_) => None,
        })
    }

    /// Appends a call of the server: `head`, then `body`.
    pub(crate) fn callback(&mut self, conn: ConnId, xid: u32, head: &[u8], body: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(body);
        let bytes = start..self.bytes.len();
        let callback = Callback { conn, xid, bytes };
        self.others
            .push_back((self.put, Action::Callback(callback)));
    }

    pub(crate) fn push(&mut self, action: Action) {
        debug_assert!(
            !matches!(
                action,
                Action::Reply(_) | Action::Callback(_) | Action::Event(_)
            ),
            "replies have a queue of their own, callbacks have bytes, and events are counted"
        );
        self.others.push_back((self.put, action));
    }

    /// Reports a rare fact, and counts it.
    pub(crate) fn event(&mut self, event: Event) {
        self.metrics.event(&event);
        self.others.push_back((self.put, Action::Event(event)));
    }

    /// Appends the reply to a call that cannot be decoded.
    pub(crate) fn fault(&mut self, conn: ConnId, xid: u32, fault: Fault) {
        let mut w = Writer::new();
        write_fault(&mut w, xid, fault);
        self.reply(conn, &write_mark(w.len()), w.as_slice(), &mut Vec::new());
    }

    /// Appends a reply: `head`, then `body` with each payload, which is taken out of the list,
    /// spliced in before its offset in `body`.
    pub(crate) fn reply<const HEAD: usize>(
        &mut self,
        conn: ConnId,
        head: &[u8; HEAD],
        body: &[u8],
        payloads: &mut Vec<(usize, Bytes)>,
    ) {
        let start = self.bytes.len();
        let first = self.payloads.len();
        self.bytes.extend_from_slice(head);
        let base = self.bytes.len();
        self.bytes.extend_from_slice(body);
        // Most replies have none, and a check costs less than the set-up.
        if !payloads.is_empty() {
            let payloads = payloads.drain(..);
            self.payloads
                .extend(payloads.map(|(offset, payload)| (base + offset, payload)));
        }
        let reply = Reply {
            conn,
            bytes: start..self.bytes.len(),
            payloads: first..self.payloads.len(),
        };
        self.replies.push_back(reply);
        self.put += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_come_out_in_the_order_they_went_in() {
        let mut out = Outbox::new();
        let close = |number| Action::Close {
            conn: ConnId::new(number).unwrap(),
        };
        for round in 0..3 {
            out.push(close(1));
            out.reply(ConnId::new(2).unwrap(), b"", b"", &mut Vec::new());
            out.reply(ConnId::new(3).unwrap(), b"", b"", &mut Vec::new());
            out.push(close(4));
            out.push(close(5));
            for expected in 1..=5 {
                let conn = match out.pop() {
                    Some(Action::Close { conn }) => conn,
                    Some(Action::Reply(reply)) => reply.conn,
                    other => unreachable!("in round {round}: {}", other.is_some()),
                };
                assert_eq!(conn.get(), expected, "round {round}");
            }
            assert!(out.is_empty() && out.pop().is_none());
            out.clear();
        }
    }

    #[test]
    fn payloads_stand_where_they_were_put() {
        let mut out = Outbox::new();
        let mut payloads = alloc::vec![
            (2, Bytes::from_static(b"XX")),
            (4, Bytes::from_static(b"YY")),
        ];
        out.reply(ConnId::FIRST, b"hd", b"abcd", &mut payloads);
        out.reply(ConnId::FIRST, b"h2", b"", &mut Vec::new());
        let mut sent = Vec::new();
        while let Some(action) = out.pop() {
            let Action::Reply(reply) = action else {
                unreachable!("only replies were queued")
            };
            for segment in out.segments(&reply) {
                match segment {
                    Segment::Bytes(bytes) => sent.extend_from_slice(bytes),
                    Segment::Payload(bytes) => sent.extend_from_slice(bytes),
                }
            }
        }
        assert_eq!(sent, b"hdabXXcdYYh2");
        out.clear();
        assert!(out.is_empty());
    }
}
