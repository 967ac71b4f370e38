//! What the administrator does, and other programs on the server.

use std::time::Duration;

use nfs4_engine::fs::FsHandle;
use nfs4_engine::{Admin, BindingPolicy, Change, ConnId, Touch};
use nfs4_proto::nfs4::Op;

use super::ids::Ids;
use super::tape::Tape;

/// An order, or a fact.
pub(super) enum Order {
    Admin(Admin),
    /// A program that is no client reads or changes a file.
    Touch {
        export: u16,
        fh: FsHandle,
        touch: Touch,
    },
    ReleasePanicked,
}

/// One of them, about a connection, a client or a session.
pub(super) fn of(tape: &mut Tape<'_>, conn: Option<ConnId>, ids: &Ids) -> Option<Order> {
    Some(Order::Admin(match tape.below(12) {
        0 => Admin::Drain { conn: conn? },
        1 => Admin::StopDraining { conn: conn? },
        2 => {
            let clients = [&ids.clients, &ids.clients_v40];
            let client = clients[tape.below(2)].pick(tape)?;
            Admin::EvictClient { client }
        }
        3 => {
            let session = ids.sessions.pick(tape)?;
            Admin::DestroySession { session }
        }
        4..=6 => return touch(tape, ids),
        7 => return Some(Order::ReleasePanicked),
        8 => Admin::EndGrace,
        _ => Admin::Configure(Box::new(change(tape))),
    }))
}

fn touch(tape: &mut Tape<'_>, ids: &Ids) -> Option<Order> {
    let handle = ids.handles.pick(tape)?;
    // A byte for the format, and two for the export.
    let export = handle.get(1..3)?;
    Some(Order::Touch {
        export: u16::from_be_bytes([export[0], export[1]]),
        fh: FsHandle::new(handle.get(3..)?).ok()?,
        touch: tape.pick(&[Touch::Read, Touch::Change]),
    })
}

fn change(tape: &mut Tape<'_>) -> Change {
    let mut change = Change::default();
    // Two that belong together act at once.
    for _ in 0..=tape.below(3) {
        set(&mut change, tape);
    }
    change
}

/// Sets one value, which is often the least, below what is held, or the greatest.
fn set(change: &mut Change, tape: &mut Tape<'_>) {
    match tape.below(25) {
        0 => change.max_connections_per_session = Some(u32::from(tape.byte() % 4)),
        1 => change.min_minor_version = Some(u32::from(tape.byte() % 3)),
        2 => change.lease = Some(seconds(tape, &[1, 2, 10, 30, 3_600])),
        3 => change.fore_slots = Some(tape.pick(&[1, 2, 17, 64, 1_024])),
        4 => {
            let policies = [BindingPolicy::Exclusive, BindingPolicy::Shared];
            change.binding_policy = Some(tape.pick(&policies));
        }
        5 => {
            let blocked = [Op::ReadDir, Op::Lock, Op::Open, Op::GetAttr, Op::Sequence];
            let count = tape.below(3);
            change.blocked_operations = Some((0..count).map(|_| tape.pick(&blocked)).collect());
        }
        6 => change.max_minor_version = Some(u32::from(tape.byte() % 3)),
        7 => change.grace = Some(seconds(tape, &[0, 1, 5, 3_600])),
        8 => change.max_cached_reply = Some(tape.pick(&[512, 4_096, 64 << 10, 1 << 20])),
        9 => change.max_reply_cache = Some(tape.pick(&[512, 4_096, 64 << 10, 1 << 40])),
        10 => change.max_operations = Some(tape.pick(&[8, 9, 64, 1_024])),
        11 => change.sessions_per_client = Some(tape.pick(&[1, 2, 1_024])),
        12 => change.max_sessions = Some(tape.pick(&[1, 2, 8, 1 << 20])),
        13 => change.drain_deadline = Some(seconds(tape, &[0, 1, 30, 3_600])),
        14 => change.callback_timeout = Some(millis(tape, &[10, 1_000, 600_000])),
        15 => change.callback_pause = Some(millis(tape, &[1, 1_000, 600_000])),
        16 => change.max_clients = Some(tape.pick(&[1, 2, 8, 1 << 16])),
        17 => change.max_opens_per_client = Some(tape.pick(&[1, 2, 1 << 24])),
        18 => change.max_states = Some(tape.pick(&[16, 20, 64, 1 << 26])),
        19 => change.delegations = Some(tape.one_in(2)),
        20 => change.max_delegations_per_client = Some(tape.pick(&[1, 2, 1 << 24])),
        21 => change.max_delegations = Some(tape.pick(&[1, 2, 1 << 26])),
        22 => change.delegation_pause = Some(seconds(tape, &[0, 1, 10, 3_600])),
        23 => change.courtesy = Some(seconds(tape, &[0, 1, 60, 86_400])),
        _ => change.delegation_penalty = Some(seconds(tape, &[0, 1, 60, 86_400])),
    }
}

fn seconds(tape: &mut Tape<'_>, from: &[u64]) -> Duration {
    Duration::from_secs(tape.pick(from))
}

fn millis(tape: &mut Tape<'_>, from: &[u64]) -> Duration {
    Duration::from_millis(tape.pick(from))
}
