//! The counts as series in a registry of the `prometheus` crate.

mod entries;
mod histogram;
mod level;
mod level_series;
mod series;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use ::prometheus::{IntCounter, IntGauge, Registry, Result};
use nfs4_proto::nfs4::basic::SessionId;
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

use self::level::Level;
use self::level_series::LevelParts;
use self::series::Series;
use super::{Driven, ExportLevel, Levels, MINORS, Metrics, Recorder, SequenceError, SessionLoad};
use crate::delegation_kind::{DelegationKind, RecallReason};
use crate::direction::Direction;
use crate::event::{SessionGone, Unbound};
use crate::ids::Hex;

/// The names of the series of a [`PrometheusRecorder`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrometheusOptions {
    /// The start of every name, before `_nfs_`.
    pub namespace: String,
    /// Whether each session has its own series: `slots_in_use` and `connections_bound`.
    pub per_session: bool,
    /// Maximum number of sessions that have series of their own: while there are more, none has.
    pub per_session_limit: usize,
}

/// Records the counts of an engine as series of a [`Registry`].
///
/// Recorders of several engines on one registry share the series, which then hold the sums. A
/// recorder that is dropped subtracts its part from all gauges.
#[derive(Debug)]
pub struct PrometheusRecorder {
    series: Option<Arc<Series>>,
    /// Maximum number of sessions that have series of their own.
    per_session: usize,
    /// Whether they had at the last count.
    lists_sessions: bool,
    succeeded: Vec<[Option<IntCounter>; MINORS]>,
    failed: BTreeMap<(Op, u32, Status), IntCounter>,
    sessions: BTreeMap<SessionId, SessionSeries>,
    round: u64,
    unlisted: Level,
    levels: LevelParts,
    exports: Vec<ExportSeries>,
}

/// The series of one export.
#[derive(Debug)]
struct ExportSeries {
    path: String,
    number: u16,
    read: IntCounter,
    written: IntCounter,
    clients: IntGauge,
    level: Level,
}

/// The series of one session.
#[derive(Debug)]
struct SessionSeries {
    slots_in_use: IntGauge,
    connections: IntGauge,
    /// The last round that had the session.
    round: u64,
}

impl PrometheusOptions {
    /// These options, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut PrometheusOptions)) -> PrometheusOptions {
        set(&mut self);
        self
    }
}

impl Default for PrometheusOptions {
    fn default() -> PrometheusOptions {
        PrometheusOptions {
            namespace: "nfs4".to_string(),
            per_session: true,
            per_session_limit: 1_000,
        }
    }
}

impl PrometheusRecorder {
    /// Makes a recorder on this registry; without a registry it does nothing.
    ///
    /// # Errors
    /// The namespace makes no valid name, or one of the names is registered for something else.
    pub fn new(
        registry: Option<&Registry>,
        options: &PrometheusOptions,
    ) -> Result<PrometheusRecorder> {
        let series = match registry {
            Some(registry) => Some(series::of(registry, &options.namespace)?),
            None => None,
        };
        Ok(PrometheusRecorder {
            series,
            per_session: if options.per_session {
                options.per_session_limit
            } else {
                0
            },
            lists_sessions: false,
            succeeded: Vec::new(),
            failed: BTreeMap::new(),
            sessions: BTreeMap::new(),
            round: 0,
            unlisted: Level::default(),
            levels: LevelParts::default(),
            exports: Vec::new(),
        })
    }

    fn delegations(series: &Series, counted: &Metrics) {
        let of_kind = DelegationKind::ALL.iter();
        for (kind, counter) in of_kind.clone().zip(&series.delegations_granted) {
            counter.inc_by(counted.delegations_granted(*kind));
        }
        for (kind, counters) in of_kind.clone().zip(&series.delegations_recalled) {
            for (reason, counter) in RecallReason::ALL.iter().zip(counters) {
                counter.inc_by(counted.delegations_recalled(*kind, *reason));
            }
        }
        for (kind, counter) in of_kind.zip(&series.delegations_revoked) {
            counter.inc_by(counted.delegations_revoked(*kind));
        }
    }

    /// The series of an export that is removed stay as they are, without clients.
    fn exports(&mut self, series: &Series, counted: &Metrics, levels: &Levels<'_>) {
        let is = |own: &ExportSeries, export: &ExportLevel<'_>| {
            (own.number, own.path.as_str()) == (export.number, export.path)
        };
        for export in &levels.exports {
            if self.exports.iter().any(|own| is(own, export)) {
                continue;
            }
            let (read, written, clients) = series.of_export(export.path);
            self.exports.push(ExportSeries {
                path: export.path.into(),
                number: export.number,
                read,
                written,
                clients,
                level: Level::default(),
            });
        }
        for own in &self.exports {
            if let Some(bytes) = counted.export_bytes().get(usize::from(own.number)) {
                own.read.inc_by(bytes.read);
                own.written.inc_by(bytes.written);
            }
        }
        self.exports.retain_mut(|own| {
            let level = levels.exports.iter().find(|export| is(own, export));
            own.level
                .set(&own.clients, level.map_or(0, |export| export.clients));
            level.is_some()
        });
    }

    /// Whether each session has series of its own, now that there are this many.
    fn count_sessions(&mut self, series: &Series, sessions: usize) {
        self.lists_sessions = self.per_session > 0 && sessions <= self.per_session;
        let unlisted = if self.lists_sessions { 0 } else { sessions };
        self.unlisted.set(&series.unlisted, unlisted);
        if !self.lists_sessions {
            for session in self.sessions.keys() {
                series.forget(session);
            }
            self.sessions.clear();
        }
    }

    fn operations(&mut self, series: &Series, counted: &Metrics) {
        if self.succeeded.is_empty() {
            self.succeeded.resize(Op::COUNT, [const { None }; MINORS]);
        }
        for (op, minor, count) in counted.successes() {
            let of_op = self.succeeded.get_mut(op.index());
            if let Some(place) = of_op.and_then(|minors| minors.get_mut(minor as usize)) {
                place
                    .get_or_insert_with(|| series.operation(op, minor, Status::OK))
                    .inc_by(count);
            }
        }
        for (op, waits, at_once) in counted.operation_durations() {
            series.operation_duration.add(op.index(), waits);
            series.operation_duration.add_instants(op.index(), at_once);
        }
        for failure in counted.failures() {
            let (op, minor, status) = (failure.op, failure.minor, failure.status);
            self.failed
                .entry((op, minor, status))
                .or_insert_with(|| series.operation(op, minor, status))
                .inc_by(failure.count);
        }
        if counted.other_failures() > 0 {
            series.other_operations().inc_by(counted.other_failures());
        }
    }
}

impl Recorder for PrometheusRecorder {
    fn counted(&mut self, counted: &Metrics, levels: &Levels<'_>) {
        let Some(series) = self.series.clone() else {
            return;
        };
        series.sessions_created.inc_by(counted.sessions_created());
        for (reason, counter) in SessionGone::ALL.iter().zip(&series.sessions_destroyed) {
            counter.inc_by(counted.sessions_destroyed(*reason));
        }
        series.sessions_duration.add(0, counted.lifetimes());
        series.sequences.inc_by(counted.sequences);
        for (kind, counter) in SequenceError::ALL.iter().zip(&series.sequence_errors) {
            counter.inc_by(counted.sequence_errors(*kind));
        }
        series.replay_hits.inc_by(counted.replay_hits);
        for (direction, counter) in Direction::ALL.iter().zip(&series.binds) {
            counter.inc_by(counted.binds(*direction));
        }
        for (reason, counter) in Unbound::ALL.iter().zip(&series.unbinds) {
            counter.inc_by(counted.unbinds(*reason));
        }
        Self::delegations(&series, counted);
        self.operations(&series, counted);
        for (place, minor) in (0..MINORS).zip(0..) {
            if let Some(durations) = counted.durations(minor) {
                series.compound_duration.add(place, durations);
            }
        }
        series.callbacks.inc_by(counted.callbacks());
        series.callback_failures.inc_by(counted.callback_failures());
        series.callback_retries.inc_by(counted.callback_retries());
        series
            .callback_duration
            .add(0, counted.callback_durations());
        series.levels.engine(&mut self.levels, levels);
        self.exports(&series, counted, levels);
        self.count_sessions(&series, levels.tables.sessions);
    }

    fn driven(&mut self, driven: &Driven) {
        if let Some(series) = &self.series {
            series.timer_lag.add(0, &driven.timer_lag);
            series.lock_waits.add(0, &driven.lock.waits);
            series.lock_holds.add(0, &driven.lock.holds);
            series.levels.driver(&mut self.levels, driven);
        }
    }

    fn wants_sessions(&self) -> bool {
        self.lists_sessions
    }

    fn sessions(&mut self, page: &[SessionLoad]) {
        let Some(series) = self.series.as_ref().filter(|_| self.lists_sessions) else {
            return;
        };
        for load in page {
            let own = self.sessions.entry(load.session).or_insert_with(|| {
                let id = Hex(&load.session.0).to_string();
                SessionSeries {
                    slots_in_use: series.slots_in_use.with_label_values(&[&id]),
                    connections: series.connections_bound.with_label_values(&[&id]),
                    round: 0,
                }
            });
            own.slots_in_use.set(load.slots_in_use.into());
            own.connections.set(load.connections.into());
            own.round = self.round;
        }
    }

    fn end(&mut self) {
        if let Some(series) = &self.series {
            let round = self.round;
            self.sessions.retain(|session, own| {
                let stays = own.round == round;
                if !stays {
                    series.forget(session);
                }
                stays
            });
        }
        self.round += 1;
    }
}

impl Drop for PrometheusRecorder {
    fn drop(&mut self) {
        if let Some(series) = &self.series {
            self.unlisted.set(&series.unlisted, 0);
            series.levels.leave(&mut self.levels);
            for own in &mut self.exports {
                own.level.set(&own.clients, 0);
            }
            for session in self.sessions.keys() {
                series.forget(session);
            }
        }
    }
}
