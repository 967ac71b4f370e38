//! Counters: plain numbers inside the engine, which the driver takes at any time.

mod buckets;
mod driven;
mod failures;
mod levels;
#[cfg(feature = "prometheus")]
mod prometheus;
mod sequence_error;

use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::basic::SessionId;
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

pub use self::buckets::{
    Buckets, CallbackBuckets, CompoundBuckets, Doubling, FivesAndTwos, Scale, SessionBuckets,
};
pub use self::driven::{Driven, LockTimes};
pub use self::failures::Failure;
pub use self::levels::{ExportLevel, Levels};
#[cfg(feature = "prometheus")]
pub use self::prometheus::{PrometheusOptions, PrometheusRecorder};
pub use self::sequence_error::SequenceError;
use crate::delegation_kind::DelegationKind;
use crate::delegation_kind::RecallReason;
use crate::direction::Direction;
use crate::event::{Event, SessionGone, Unbound};

/// The counts since the driver last took them.
#[derive(Debug, Default)]
pub struct Metrics {
    operations: Vec<OperationCounts>,
    /// The set of rows of `operations` that are not zero, as bits.
    counted: [u64; 2],
    /// Bytes read and written, by export.
    bytes: Vec<ExportBytes>,
    /// Whether there are such bytes.
    moved: bool,
    failures: failures::Failures,
    /// Operations that failed.
    pub failed_operations: u64,
    /// SEQUENCE operations, whatever their result.
    pub sequences: u64,
    sequence_errors: [u64; SequenceError::ALL.len()],
    /// Requests answered from the replay cache.
    pub replay_hits: u64,
    /// Requests served on a connection that could not be bound to their session.
    pub unbound_requests: u64,
    /// Replies of clients that belong to no callback: too late, or never requested.
    pub stray_callback_replies: u64,
    /// COMPOUNDs answered, without those from the replay cache.
    pub compounds: u64,
    durations: [CompoundBuckets; MINORS],
    rare: Rare,
}

/// The counts of one operation.
#[derive(Clone, Debug, Default)]
struct OperationCounts {
    /// Its successes by minor version, and its failures.
    ended: [u64; MINORS + 1],
    /// The durations of those that have waited.
    waits: CompoundBuckets,
}

/// The bytes of an export that clients have read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportBytes {
    /// Bytes that READ has returned.
    pub read: u64,
    /// Bytes that WRITE has written.
    pub written: u64,
}

/// Events that happen once for a session or a connection.
#[derive(Debug, Default)]
struct Rare {
    any: bool,
    sessions_created: u64,
    sessions_destroyed: [u64; SessionGone::ALL.len()],
    lifetimes: SessionBuckets,
    binds: [u64; Direction::ALL.len()],
    unbinds: [u64; Unbound::ALL.len()],
    callbacks: u64,
    callback_retries: u64,
    callback_failures: u64,
    callback_durations: CallbackBuckets,
    granted: [u64; DelegationKind::ALL.len()],
    recalled: [[u64; RecallReason::ALL.len()]; DelegationKind::ALL.len()],
    revoked: [u64; DelegationKind::ALL.len()],
}

/// The load of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLoad {
    /// The session.
    pub session: SessionId,
    /// Slots whose request is in execution.
    pub slots_in_use: u32,
    /// Connections bound to it.
    pub connections: u32,
}

/// A receiver of the counts.
///
/// It gets everything in rounds: [`Recorder::counted`] once, and after it, if
/// [`Recorder::wants_sessions`], all sessions in any number of pages between [`Recorder::sessions`]
/// and [`Recorder::end`].
pub trait Recorder {
    /// Adds the counts since the last round, and records what there is at the moment.
    fn counted(&mut self, counted: &Metrics, levels: &Levels<'_>);

    /// Adds what the driver has measured since the last round.
    fn driven(&mut self, driven: &Driven) {
        let _ = driven;
    }

    /// Whether it records anything of each session.
    fn wants_sessions(&self) -> bool {
        false
    }

    /// Records some sessions.
    fn sessions(&mut self, page: &[SessionLoad]) {
        let _ = page;
    }

    /// Ends the pages of this round: a session that was in none of them is gone.
    fn end(&mut self) {}
}

impl Metrics {
    /// Number of successes of an operation in a minor version.
    pub fn succeeded(&self, op: Op, minor: u32) -> u64 {
        let of_op = self.operations.get(op.index());
        of_op
            .and_then(|of_op| of_op.ended.iter().take(MINORS).nth(minor as usize))
            .copied()
            .unwrap_or(0)
    }

    /// The time that each operation took, from the moment when the engine starts it to that of its result:
    /// the operation, the durations of those that have waited for anything, and the number of those that
    /// have not. By the engine's clock, which stands still while the engine processes one input, the
    /// latter take no time.
    pub fn operation_durations(&self) -> impl Iterator<Item = (Op, &CompoundBuckets, u64)> + '_ {
        let ops = Op::ALL.iter().zip(&self.operations);
        ops.filter_map(|(op, of_op)| {
            let all: u64 = of_op.ended.iter().sum();
            let at_once = all.saturating_sub(of_op.waits.counts().iter().sum());
            (all > 0).then_some((*op, &of_op.waits, at_once))
        })
    }

    /// The bytes read and written of each export, by its number; exports without any may be left out at the
    /// end.
    pub fn export_bytes(&self) -> &[ExportBytes] {
        &self.bytes
    }

    /// The operations that succeeded at least once, each with its minor version and count.
    pub fn successes(&self) -> impl Iterator<Item = (Op, u32, u64)> + '_ {
        let ops = Op::ALL.iter().zip(&self.operations);
        ops.flat_map(|(op, of_op)| {
            let counts = (0..)
                .zip(of_op.ended.iter().take(MINORS))
                .filter(|(_, count)| **count > 0);
            counts.map(|(minor, count)| (*op, minor, *count))
        })
    }

    /// The failures by operation and status, as far as the table has room.
    pub fn failures(&self) -> &[Failure] {
        self.failures.kinds()
    }

    /// Failed operations that [`Metrics::failures`] has no room for.
    pub fn other_failures(&self) -> u64 {
        self.failures.others()
    }

    /// SEQUENCE operations that began no new request, for this reason.
    pub fn sequence_errors(&self, kind: SequenceError) -> u64 {
        self.sequence_errors
            .get(kind as usize)
            .copied()
            .unwrap_or(0)
    }

    /// Time from the arrival of a COMPOUND to its reply, in a minor version, 0 to 2.
    pub fn durations(&self, minor: u32) -> Option<&CompoundBuckets> {
        self.durations.get(minor as usize)
    }

    /// Sessions created.
    pub fn sessions_created(&self) -> u64 {
        self.rare.sessions_created
    }

    /// Sessions that ended for this reason.
    pub fn sessions_destroyed(&self, reason: SessionGone) -> u64 {
        let by_reason = &self.rare.sessions_destroyed;
        by_reason.get(reason as usize).copied().unwrap_or(0)
    }

    /// The lifetimes of the sessions that ended.
    pub fn lifetimes(&self) -> &SessionBuckets {
        &self.rare.lifetimes
    }

    /// Connections bound in this direction, changes of the direction included.
    pub fn binds(&self, direction: Direction) -> u64 {
        let by_direction = &self.rare.binds;
        by_direction.get(direction as usize).copied().unwrap_or(0)
    }

    /// Connections unbound for this reason.
    pub fn unbinds(&self, reason: Unbound) -> u64 {
        let by_reason = &self.rare.unbinds;
        by_reason.get(reason as usize).copied().unwrap_or(0)
    }

    /// Callbacks sent, retransmissions included.
    pub fn callbacks(&self) -> u64 {
        self.rare.callbacks
    }

    /// Retransmissions of callbacks.
    pub fn callback_retries(&self) -> u64 {
        self.rare.callback_retries
    }

    /// Callbacks that were not accepted, or that ended without a reply of the client.
    pub fn callback_failures(&self) -> u64 {
        self.rare.callback_failures
    }

    /// Time from the transmission of a callback to its reply.
    pub fn callback_durations(&self) -> &CallbackBuckets {
        &self.rare.callback_durations
    }

    /// Delegations of this kind that were granted.
    pub fn delegations_granted(&self, kind: DelegationKind) -> u64 {
        self.rare.granted.get(kind as usize).copied().unwrap_or(0)
    }

    /// Delegations of this kind that were recalled for this reason.
    pub fn delegations_recalled(&self, kind: DelegationKind, reason: RecallReason) -> u64 {
        let of_kind = self.rare.recalled.get(kind as usize);
        of_kind
            .and_then(|reasons| reasons.get(reason as usize))
            .copied()
            .unwrap_or(0)
    }

    /// Delegations of this kind that were revoked.
    pub fn delegations_revoked(&self, kind: DelegationKind) -> u64 {
        self.rare.revoked.get(kind as usize).copied().unwrap_or(0)
    }

    /// Sets all counts to zero, at a cost proportional to the number of those that are not.
    pub fn clear(&mut self) {
        for (counted, first) in self.counted.iter_mut().zip([0, ROWS_PER_WORD]) {
            while *counted != 0 {
                let place = first + counted.trailing_zeros() as usize;
                if let Some(of_op) = self.operations.get_mut(place) {
                    of_op.ended = Default::default();
                    of_op.waits.clear();
                }
                *counted &= *counted - 1;
            }
        }
        if core::mem::take(&mut self.moved) {
            self.bytes.fill(ExportBytes::default());
        }
        self.failures.clear();
        self.failed_operations = 0;
        self.sequences = 0;
        self.sequence_errors = Default::default();
        self.replay_hits = 0;
        self.unbound_requests = 0;
        self.stray_callback_replies = 0;
        self.compounds = 0;
        for durations in &mut self.durations {
            durations.clear();
        }
        if self.rare.any {
            self.rare = Rare::default();
        }
    }

    /// Counts an operation. `waited` are the nanoseconds from its start to its result, if it was parked.
    pub(crate) fn operation(&mut self, op: Op, minor: u32, status: Status, waited: Option<u64>) {
        if self.operations.is_empty() {
            self.make_rows();
        }
        let place = if status == Status::OK {
            minor as usize
        } else {
            self.failed(op, minor, status);
            MINORS
        };
        let Some(of_op) = self.operations.get_mut(op.index()) else {
            return;
        };
        if let Some(count) = of_op.ended.get_mut(place)
            && let Some(counted) = self.counted.get_mut(op.index() / ROWS_PER_WORD)
        {
            *count += 1;
            *counted |= 1 << (op.index() % ROWS_PER_WORD);
        }
        if let Some(nanos) = waited {
            of_op.waits.observe_nanos(nanos);
        }
    }

    #[cold]
    fn make_rows(&mut self) {
        self.operations
            .resize(Op::COUNT, OperationCounts::default());
    }

    #[cold]
    fn failed(&mut self, op: Op, minor: u32, status: Status) {
        self.failed_operations += 1;
        self.failures.add(op, minor, status);
    }

    /// Counts bytes that were read.
    pub(crate) fn read(&mut self, export: u16, bytes: usize) {
        if let Some(of_export) = self.of_export(export) {
            of_export.read += bytes as u64;
        }
    }

    /// Counts bytes that were written.
    pub(crate) fn written(&mut self, export: u16, bytes: u32) {
        if let Some(of_export) = self.of_export(export) {
            of_export.written += u64::from(bytes);
        }
    }

    fn of_export(&mut self, export: u16) -> Option<&mut ExportBytes> {
        self.moved = true;
        let place = usize::from(export);
        if self.bytes.len() <= place {
            self.bytes.resize(place + 1, ExportBytes::default());
        }
        self.bytes.get_mut(place)
    }

    pub(crate) fn sequence(&mut self) {
        self.sequences += 1;
    }

    pub(crate) fn sequence_error(&mut self, kind: SequenceError) {
        if let Some(count) = self.sequence_errors.get_mut(kind as usize) {
            *count += 1;
        }
        if kind == SequenceError::ReplayHit {
            self.replay_hits += 1;
        }
    }

    pub(crate) fn unbound_request(&mut self) {
        self.unbound_requests += 1;
    }

    pub(crate) fn unmatched_callback_reply(&mut self) {
        self.stray_callback_replies += 1;
    }

    pub(crate) fn callback_sent(&mut self, again: bool) {
        self.rare.any = true;
        self.rare.callbacks += 1;
        self.rare.callback_retries += u64::from(again);
    }

    pub(crate) fn callback_failed(&mut self) {
        self.rare.any = true;
        self.rare.callback_failures += 1;
    }

    pub(crate) fn callback_took(&mut self, took: Duration) {
        self.rare.any = true;
        self.rare.callback_durations.observe(took);
    }

    pub(crate) fn compound(&mut self, minor: u32, nanos: u64) {
        self.compounds += 1;
        if let Some(durations) = self.durations.get_mut(minor as usize) {
            durations.observe_nanos(nanos);
        }
    }

    pub(crate) fn session_lived(&mut self, lived: Duration) {
        self.rare.any = true;
        self.rare.lifetimes.observe(lived);
    }

    /// Counts an event.
    pub(crate) fn event(&mut self, event: &Event) {
        let rare = &mut self.rare;
        let count = match event {
            Event::ClientConfirmed { .. }
            | Event::SharedOwner { .. }
            | Event::ClientGone { .. }
            | Event::ClientCourteous { .. }
            | Event::ClientReturned { .. } => None,
            Event::SessionCreated { .. } => Some(&mut rare.sessions_created),
            Event::SessionDestroyed { reason, .. } => {
                rare.sessions_destroyed.get_mut(*reason as usize)
            }
            Event::Bound { direction, .. } => rare.binds.get_mut(*direction as usize),
            Event::NotBound { .. }
            | Event::RdmaRefused { .. }
            | Event::BackChannelLost { .. }
            | Event::BackChannelFaulty { .. }
            | Event::GraceEnded { .. }
            | Event::StableFailed { .. }
            | Event::SettingsChanged { .. }
            | Event::ExportAdded { .. }
            | Event::ExportChanged { .. }
            | Event::ExportRemoved { .. }
            | Event::FileSystemFault { .. }
            | Event::SlowRequest(_)
            | Event::SlowCallback(_)
            | Event::SlowUnreported { .. } => None,
            Event::Unbound { reason, .. } => rare.unbinds.get_mut(*reason as usize),
            Event::DelegationGranted { kind, .. } => rare.granted.get_mut(*kind as usize),
            Event::DelegationRecalled { kind, reason, .. } => {
                let of_kind = rare.recalled.get_mut(*kind as usize);
                of_kind.and_then(|reasons| reasons.get_mut(*reason as usize))
            }
            Event::DelegationRevoked { kind, .. } => rare.revoked.get_mut(*kind as usize),
        };
        if let Some(count) = count {
            *count += 1;
            rare.any = true;
        }
    }
}

/// Minor versions 0 to 2.
const MINORS: usize = 3;
/// Number of rows that a word of [`Metrics::counted`] has bits for.
const ROWS_PER_WORD: usize = u64::BITS as usize;
const _: () = assert!(Op::COUNT <= 2 * ROWS_PER_WORD, "a row has a bit");
