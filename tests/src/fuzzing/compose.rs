//! COMPOUNDs of a few operations, mostly in a session.

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::{Op, SessionId, args};

use super::ids::Ids;
use super::ops;
use super::tape::Tape;

/// Appends some operations, after a SEQUENCE mostly.
pub(super) fn operations(call: &mut CompoundBuilder, minor: u32, tape: &mut Tape<'_>, ids: &Ids) {
    if minor > 0
        && !tape.one_in(4)
        && let Some(session) = ids.sessions.pick(tape)
    {
        sequence(call, session, tape, ids);
    }
    match tape.below(8) {
        0..=2 => {
            call.putrootfh().lookup(args::Lookup { objname: b"a" });
            ops::append_one(call, Op::Open, tape, ids);
            call.getfh();
        }
        3 | 4 => {
            ops::append_one(call, Op::PutFh, tape, ids);
            ops::append_one(call, tape.pick(ops::OF_FILES), tape, ids);
        }
        5 => {
            call.putrootfh().lookup(args::Lookup { objname: b"a" });
        }
        _ => ops::append(call, tape, ids),
    }
    for _ in 0..tape.below(4) {
        ops::append(call, tape, ids);
    }
    if tape.one_in(32) {
        call.set_count(tape.word());
    }
}

/// SEQUENCE on one of a few slots, mostly with the seqid that comes next.
pub(super) fn sequence(
    call: &mut CompoundBuilder,
    session: SessionId,
    tape: &mut Tape<'_>,
    ids: &Ids,
) {
    let slot = tape.below(4) as u32;
    let last = ids.seqids.get(&(session, slot)).copied().unwrap_or(0);
    call.sequence(args::Sequence {
        sessionid: session,
        sequenceid: last.wrapping_add(u32::from(!tape.one_in(16))),
        slotid: slot,
        highest_slotid: tape.below(64) as u32,
        cachethis: tape.one_in(2),
    });
}
