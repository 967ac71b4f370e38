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
    match tape.below(6) {
        0 => change.max_connections_per_session = Some(u32::from(tape.byte() % 4)),
        1 => {
            change.min_minor_version = Some(u32::from(tape.byte() % 3));
            change.max_minor_version = Some(2);
        }
        2 => change.lease = Some(Duration::from_secs(u64::from(tape.byte() % 30) + 1)),
        3 => change.fore_slots = Some(u32::from(tape.byte()) + 1),
        4 => {
            let policies = [BindingPolicy::Exclusive, BindingPolicy::Shared];
            change.binding_policy = Some(tape.pick(&policies));
        }
        _ => {
            let blocked = [Op::ReadDir, Op::Lock, Op::Open, Op::GetAttr];
            let count = tape.below(3);
            change.blocked_operations = Some((0..count).map(|_| tape.pick(&blocked)).collect());
        }
    }
    change
}
