//! SEQUENCE: the slot, exactly-once execution and the lease. [RFC 8881 §18.46]

use alloc::vec::Vec;

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::res;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Encode, Reader};

use crate::action::Outbox;
use crate::compound::reply::rpc_head;
use crate::compound::{Compound, Sequenced};
use crate::core::Core;
use crate::count::Count;
use crate::direction::Direction;
use crate::fingerprint::{self, RequestContent};
use crate::keys::SessionKey;
use crate::metrics::SequenceError;
use crate::peer::{Peer, PeerUsage};
use crate::session::demand::Pressure;
use crate::session::slot::ReplyToKeep;
use crate::session::slot::{Acquire, SequenceValues};
use crate::session::table::Session;
use crate::time::Now;

/// The outcome of SEQUENCE.
pub(crate) enum SequenceOutcome {
    /// The request runs.
    Accepted(Sequenced),
    /// SEQUENCE failed. Only the last activity of its connection has changed.
    Refused(Status),
    /// The reply was sent again.
    Replayed,
}

/// The outcome of the slot for a request that was not refused.
enum SlotOutcome {
    New,
    /// The request is a retransmission, and gets the kept reply.
    Replayed,
    /// The request is the retransmission of a lone SEQUENCE, and gets its result again.
    Repeated(SequenceValues),
    /// The request is a retransmission whose reply is not kept.
    Uncached,
}

/// Memory for a kept reply, in bytes.
#[derive(Clone, Copy)]
struct Memory {
    /// What is left of the peer's share.
    cache_room: usize,
    /// What is kept even beyond the share.
    beyond_share: usize,
}

/// Acquires the slot of a request. All checks come before the first change.
pub(crate) fn enter(
    core: &mut Core,
    run: &mut Compound,
    args: &mut Reader<'_>,
    out: &mut Outbox,
) -> SequenceOutcome {
    out.metrics.sequence();
    match admit(core, run, args, out) {
        Ok(entry) => entry,
        Err(status) => {
            if let Some(kind) = SequenceError::of(status) {
                out.metrics.sequence_error(kind);
            }
            SequenceOutcome::Refused(status)
        }
    }
}

fn admit(
    core: &mut Core,
    run: &mut Compound,
    reader: &mut Reader<'_>,
    out: &mut Outbox,
) -> Result<SequenceOutcome, Status> {
    let now = out.now;
    let args = args::Sequence::decode(reader)?;
    let found = core.sessions.find(&args.sessionid);
    let (key, session) = found.ok_or(Status::BADSESSION)?;
    // The lease of a recently used session is not checked: that needs a look-up in another table.
    let client = session.client;
    let idle = session.is_idle(now.mono, core.terms.shortest());
    if idle && core.is_lost(client, now.mono) {
        return Err(Status::BADSESSION);
    }
    let (outcome, bound, peer) = take(core, run, &args, *reader, key, now)?;
    let held = core.sessions.reply_memory().0.held(peer);
    let (pressure, lease) = (core.pressure_of(held), core.config.lease);
    let memory = Memory::of(core, peer, held);
    let session = core.sessions.get_mut(key).ok_or(Status::BADSESSION)?;
    let mut freed = 0;
    session.last_used = now.mono;
    match outcome {
        SlotOutcome::New => {
            run.cache_room = memory.cache_room;
            if run.max_kept > memory.cache_room {
                // A request whose reply gets too long is refused before it has effects, and the client
                // can send it again without `cachethis`.
                run.max_kept = run.max_kept.min(memory.cache_room.max(memory.beyond_share));
            }
            freed = session.steer(&args, pressure, now.mono, lease);
            session.running += 1;
        }
        SlotOutcome::Replayed | SlotOutcome::Repeated(_) => {
            out.metrics.sequence_error(SequenceError::ReplayHit);
            session.replay_hits += 1;
        }
        SlotOutcome::Uncached => out.metrics.sequence_error(SequenceError::RetryUncached),
    }
    let scope = Sequenced {
        client: session.client,
        session: key,
        slot: args.slotid,
    };
    let mut values = sequence_values(session, pressure);
    if idle {
        core.end_courtesy(client, run.conn, out);
    }
    if freed > 0 {
        core.sessions.free_kept(peer, freed);
    }
    if !bound {
        core.associate(key, run.conn, Direction::Fore, out);
    }
    match outcome {
        SlotOutcome::New => {
            values.flags = core.status_flags(key);
            encode(run, &args, values);
            run.sequenced = Some(scope);
            run.sequence_values = values;
            return Ok(SequenceOutcome::Accepted(scope));
        }
        SlotOutcome::Replayed => send_again(core, run, &scope, out),
        SlotOutcome::Repeated(values) => {
            encode(run, &args, values);
            run.reply.finish();
            run.reply.send(run.conn, run.xid, out);
        }
        SlotOutcome::Uncached => {
            values.flags = core.status_flags(key);
            encode(run, &args, values);
            send_uncached(run, *reader, out);
        }
    }
    Ok(SequenceOutcome::Replayed)
}

/// Checks a request against its session, then acquires its slot. Returns the outcome, whether the
/// connection is bound to the session, and the session's peer. The operations begin at `rest`.
fn take(
    core: &mut Core,
    run: &mut Compound,
    args: &args::Sequence,
    rest: Reader<'_>,
    key: SessionKey,
    now: Now,
) -> Result<(SlotOutcome, bool, Peer), Status> {
    let session = core.sessions.get_mut(key).ok_or(Status::BADSESSION)?;
    let fore = session.fore;
    if run.message_len > fore.max_request {
        return Err(Status::REQ_TOO_BIG);
    }
    if run.count > fore.max_operations {
        return Err(Status::TOO_MANY_OPS);
    }
    run.keep = args.cachethis;
    run.max_reply = fore.max_response as usize;
    run.max_kept = fore.max_response_cached as usize;
    run.begun = 1;
    run.room_for(RESULT_LEN)?;
    let bound = match session.bindings.find_mut(run.conn) {
        Some(binding) => {
            binding.last_activity = now;
            true
        }
        None => false,
    };
    let operations = rest.buffer().get(rest.position()..);
    let fingerprint = fingerprint::of(&RequestContent {
        user: core.exports.user(&run.cred),
        minor: run.minor,
        count: run.count,
        operations: operations.unwrap_or_default(),
    });
    let peer = session.peer;
    let slots = &mut session.slots;
    let outcome = match slots.acquire(args.slotid, args.sequenceid, fingerprint) {
        Acquire::New => SlotOutcome::New,
        Acquire::Replay => SlotOutcome::Replayed,
        Acquire::Repeat(values) => SlotOutcome::Repeated(values),
        Acquire::Uncached => SlotOutcome::Uncached,
        Acquire::Running => return Err(Status::DELAY),
        Acquire::Misordered => return Err(Status::SEQ_MISORDERED),
        Acquire::FalseRetry => return Err(Status::SEQ_FALSE_RETRY),
        Acquire::NoSlot { freed } => {
            core.sessions.free_kept(peer, freed);
            return Err(Status::BADSLOT);
        }
    };
    Ok((outcome, bound, peer))
}

impl Memory {
    /// The memory for a peer whose kept replies are `held`.
    fn of(core: &Core, peer: Peer, mut held: PeerUsage) -> Memory {
        let limit = usize::try_from(core.config.max_reply_cache).unwrap_or(usize::MAX);
        let too_much = held.host > limit / 2;
        held.add(core.sessions.reply_memory().1.held(peer));
        Memory {
            cache_room: held.spare(limit),
            beyond_share: if too_much { 0 } else { KEPT_BEYOND_SHARE },
        }
    }
}

/// The values of a session's SEQUENCE result, without status flags.
fn sequence_values(session: &Session, pressure: Pressure) -> SequenceValues {
    let count = session.slots.count();
    SequenceValues {
        highest: count - 1,
        target: session.target(pressure).min(count) - 1,
        flags: 0,
    }
}

fn encode(run: &mut Compound, args: &args::Sequence, values: SequenceValues) {
    let result = res::SequenceOk {
        sessionid: args.sessionid,
        sequenceid: args.sequenceid,
        slotid: args.slotid,
        highest_slotid: values.highest,
        target_highest_slotid: values.target,
        status_flags: values.flags,
    };
    result.encode(run.reply.body());
    run.reply.end_op(Status::OK, false);
}

/// Releases the slot of an answered request.
pub(crate) fn leave(core: &mut Core, scope: &Sequenced, run: &Compound, now: Now) {
    let took = now.mono.nanos_since(run.arrived);
    let Some(session) = core.sessions.get_mut(scope.session) else {
        if let Some(client) = core.clients.get_mut(scope.client) {
            client.lease.end(now.mono);
            client.traffic.count(run.begun, run.moved, took);
        }
        return;
    };
    session.running.lower(1);
    session.last_used = now.mono;
    session.traffic.count(run.begun, run.moved, took);
    let current = run.current.as_ref();
    let visited = current.filter(|current| current.export != session.export);
    if let Some(current) = visited {
        session.export = current.export;
    }
    let peer = session.peer;
    if let Some(slot) = session.slots.get_mut(scope.slot) {
        // The reply to a lone SEQUENCE is always kept: a retry must get it again. So is the reply of
        // an unexecutable second operation, for which RETRY_UNCACHED_REP is not allowed.
        let refused = run.begun == 2 && run.reply.ends_unexecuted();
        let keep = if run.count == 1 {
            ReplyToKeep::Sequence(run.sequence_values)
        } else if run.keep || refused {
            ReplyToKeep::Body(|cache: &mut Vec<u8>| run.reply.copy_to(cache))
        } else {
            ReplyToKeep::Nothing
        };
        let (before, after) = slot.finish(keep, run.changes);
        core.sessions.change_kept(peer, before, after);
        core.check_slot_memory(peer, now);
    }
    if let Some(current) = visited {
        core.visit(scope.client, current);
    }
}

/// Sends the kept reply of the slot.
fn send_again(core: &Core, run: &Compound, scope: &Sequenced, out: &mut Outbox) {
    let session = core.sessions.get(scope.session);
    if let Some(slot) = session.and_then(|session| session.slots.get(scope.slot)) {
        let body = slot.kept();
        let head = rpc_head(run.xid, body.len());
        out.reply(run.conn, &head, body, &mut Vec::new());
    }
}

/// Answers the retry of a request whose reply is not kept: the second operation fails.
/// [RFC 8881 §2.10.6.1.3]
fn send_uncached(run: &mut Compound, mut rest: Reader<'_>, out: &mut Outbox) {
    // A served second operation exists: all other replies are kept, see [`leave`].
    let second = rest.u32().map_or(Op::Illegal.number(), OpNum);
    run.reply.begin_op(second);
    run.reply.end_op(Status::RETRY_UNCACHED_REP, false);
    run.reply.finish();
    run.reply.send(run.conn, run.xid, out);
}

/// Length of SEQUENCE4resok, in bytes.
const RESULT_LEN: usize = 36;
/// Maximum length of a reply that is kept beyond the peer's share, in bytes, unless its host uses too
/// much. Nearly all replies fit but those of READ and READDIR, which are shortened to the memory left.
const KEPT_BEYOND_SHARE: usize = 1024;
