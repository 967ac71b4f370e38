//! All series of one namespace in one registry, and the way to find them there again.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ::prometheus::core::{Collector, Desc};
use ::prometheus::proto::MetricFamily;
use ::prometheus::{
    Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result,
};
use nfs4_proto::nfs4::basic::SessionId;
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

use super::super::buckets::{Doubling, FivesAndTwos};
use super::super::{MINORS, SequenceError};
use super::histogram::{BucketHistogram, Histogram};
use super::level_series::LevelSeries;
use crate::delegation_kind::{DelegationKind, RecallReason};
use crate::direction::Direction;
use crate::event::{SessionGone, Unbound};
use crate::ids::Hex;
use once_cell::race::OnceBox;

/// The series; those with a few known labels are resolved.
#[derive(Debug)]
pub(super) struct Series {
    namespace: String,
    marker: IntGauge,
    pub(super) sessions_created: IntCounter,
    /// What there is at the moment.
    pub(super) levels: LevelSeries,
    destroyed: IntCounterVec,
    /// In the order of [`SessionGone::ALL`].
    pub(super) sessions_destroyed: Vec<IntCounter>,
    pub(super) sessions_duration: BucketHistogram<Doubling<1_000_000_000>, 21>,
    pub(super) sequences: IntCounter,
    errors: IntCounterVec,
    /// In the order of [`SequenceError::ALL`].
    pub(super) sequence_errors: Vec<IntCounter>,
    pub(super) replay_hits: IntCounter,
    pub(super) slots_in_use: IntGaugeVec,
    /// Sessions that have no series of their own.
    pub(super) unlisted: IntGauge,
    bound: IntCounterVec,
    /// In the order of [`Direction::ALL`].
    pub(super) binds: Vec<IntCounter>,
    unbound: IntCounterVec,
    /// In the order of [`Unbound::ALL`].
    pub(super) unbinds: Vec<IntCounter>,
    pub(super) connections_bound: IntGaugeVec,
    granted: IntCounterVec,
    /// In the order of [`DelegationKind::ALL`].
    pub(super) delegations_granted: Vec<IntCounter>,
    recalled: IntCounterVec,
    /// In the order of [`DelegationKind::ALL`], each in that of [`RecallReason::ALL`].
    pub(super) delegations_recalled: Vec<Vec<IntCounter>>,
    revoked: IntCounterVec,
    /// In the order of [`DelegationKind::ALL`].
    pub(super) delegations_revoked: Vec<IntCounter>,
    operations: IntCounterVec,
    /// In the order of [`Op::ALL`].
    pub(super) operation_duration: BucketHistogram<Doubling<1_000>, 25>,
    read: IntCounterVec,
    written: IntCounterVec,
    clients: IntGaugeVec,
    pub(super) timer_lag: BucketHistogram<Doubling<1_000>, 25>,
    pub(super) lock_waits: BucketHistogram<Doubling<1_000>, 25>,
    pub(super) lock_holds: BucketHistogram<Doubling<1_000>, 25>,
    pub(super) compound_duration: BucketHistogram<Doubling<1_000>, 25>,
    pub(super) callbacks: IntCounter,
    pub(super) callback_failures: IntCounter,
    pub(super) callback_retries: IntCounter,
    pub(super) callback_duration: BucketHistogram<FivesAndTwos, 10>,
}

/// The series of this namespace in a registry; they are registered unless they are there.
pub(super) fn of(registry: &Registry, namespace: &str) -> Result<Arc<Series>> {
    let _alone = Alone::wait();
    if let Some(series) = find(registry, namespace) {
        return Ok(series);
    }
    let series = Arc::new(Series::new(namespace)?);
    registry.register(Box::new(Registered(Arc::clone(&series))))?;
    remember(&series);
    Ok(series)
}

impl Series {
    fn new(namespace: &str) -> Result<Series> {
        let name = |name: &str| format!("{namespace}_nfs_{name}");
        let opts = |short: &str, help: &str| Opts::new(name(short), help);
        let destroyed = IntCounterVec::new(
            opts("sessions_destroyed_total", "Sessions that ended"),
            &["reason"],
        )?;
        let errors = IntCounterVec::new(
            opts(
                "sequence_errors_total",
                "SEQUENCE operations that began no new request",
            ),
            &["error_type"],
        )?;
        let bound = IntCounterVec::new(
            opts(
                "connections_bind_total",
                "Connections bound to a session, changes of direction included",
            ),
            &["direction"],
        )?;
        let unbound = IntCounterVec::new(
            opts("connections_unbind_total", "Connections unbound"),
            &["reason"],
        )?;
        let kinds = DelegationKind::ALL.map(DelegationKind::label);
        let granted = IntCounterVec::new(
            opts("delegations_granted_total", "Delegations that were granted"),
            &["type"],
        )?;
        let recalled = IntCounterVec::new(
            opts(
                "delegations_recalled_total",
                "Delegations that were recalled",
            ),
            &["type", "reason"],
        )?;
        let of_kind = |kind| {
            let reasons = RecallReason::ALL.iter().map(|reason| reason.label());
            let counters = reasons.map(|reason| recalled.with_label_values(&[kind, reason]));
            counters.collect()
        };
        let delegations_recalled = kinds.map(of_kind).into_iter().collect();
        let revoked = IntCounterVec::new(
            opts("delegations_revoked_total", "Delegations that were revoked"),
            &["type"],
        )?;
        let operations = IntCounterVec::new(
            opts("compound_operations_total", "Operations executed"),
            &["operation", "minor", "status"],
        )?;
        let of_exports = |short, help| IntCounterVec::new(opts(short, help), &["export"]);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Ok(Series {
            namespace: namespace.to_string(),
            marker: marker(namespace, number)?,
            sessions_created: IntCounter::with_opts(opts(
                "sessions_created_total",
                "Sessions created",
            ))?,
            levels: LevelSeries::new(namespace)?,
            sessions_destroyed: resolve(
                &destroyed,
                SessionGone::ALL.iter().map(|reason| reason.label()),
            ),
            destroyed,
            sessions_duration: BucketHistogram::new(
                name("sessions_duration_seconds"),
                "Lifetimes of the sessions that ended",
            )?,
            sequences: IntCounter::with_opts(opts("sequence_total", "SEQUENCE operations"))?,
            sequence_errors: resolve(
                &errors,
                SequenceError::ALL.iter().map(|error| error.label()),
            ),
            errors,
            replay_hits: IntCounter::with_opts(opts(
                "replay_hits_total",
                "Requests answered from the replay cache",
            ))?,
            slots_in_use: IntGaugeVec::new(
                opts("slots_in_use", "Slots whose request is in execution"),
                &["session_id"],
            )?,
            unlisted: IntGauge::with_opts(opts(
                "sessions_without_series",
                "Sessions that have no series of their own",
            ))?,
            binds: resolve(&bound, Direction::ALL.map(Direction::label)),
            bound,
            unbinds: resolve(&unbound, Unbound::ALL.iter().map(|reason| reason.label())),
            unbound,
            connections_bound: IntGaugeVec::new(
                opts("connections_bound", "Connections bound to a session"),
                &["session_id"],
            )?,
            delegations_granted: resolve(&granted, kinds),
            granted,
            delegations_recalled,
            recalled,
            delegations_revoked: resolve(&revoked, kinds),
            revoked,
            operations,
            operation_duration: BucketHistogram::labelled(
                name("operation_duration_seconds"),
                "Time from the start of an operation to its result, waits included",
                "operation",
                Op::ALL.iter().map(|op| op.name().to_string()),
            )?,
            read: of_exports("read_bytes_total", "Bytes that READ has returned")?,
            written: of_exports("written_bytes_total", "Bytes that WRITE has written")?,
            clients: IntGaugeVec::new(
                opts("export_clients", "Client records that have used an export"),
                &["export"],
            )?,
            timer_lag: BucketHistogram::new(
                name("timer_lag_seconds"),
                "How late the timer of the server ran",
            )?,
            lock_waits: BucketHistogram::new(
                name("engine_lock_wait_seconds"),
                "Waiting times of threads for the lock of the engine, a sample",
            )?,
            lock_holds: BucketHistogram::new(
                name("engine_lock_hold_seconds"),
                "Times for which the lock of the engine was held, a sample",
            )?,
            compound_duration: BucketHistogram::labelled(
                name("compound_duration_seconds"),
                "Time from the arrival of a COMPOUND to its reply",
                "minor",
                (0..MINORS).map(|minor| minor.to_string()),
            )?,
            callbacks: IntCounter::with_opts(opts(
                "backchannel_callbacks_total",
                "Callbacks sent, retransmissions included",
            ))?,
            callback_failures: IntCounter::with_opts(opts(
                "backchannel_callback_failures_total",
                "Callbacks that were not accepted, or that ended without a reply",
            ))?,
            callback_retries: IntCounter::with_opts(opts(
                "backchannel_callback_retries_total",
                "Callbacks retransmitted",
            ))?,
            callback_duration: BucketHistogram::new(
                name("backchannel_callback_duration_seconds"),
                "Time from the transmission of a callback to its reply",
            )?,
        })
    }

    /// The series of an operation with this status.
    pub(super) fn operation(&self, op: Op, minor: u32, status: Status) -> IntCounter {
        let (minor, status) = (minor.to_string(), status.to_string());
        self.operations
            .with_label_values(&[op.name(), &minor, &status])
    }

    /// The series of failures without operation and status.
    pub(super) fn other_operations(&self) -> IntCounter {
        self.operations.with_label_values(&["other"; 3])
    }

    /// The bytes read and written of an export, and the number of its clients.
    pub(super) fn of_export(&self, path: &str) -> (IntCounter, IntCounter, IntGauge) {
        (
            self.read.with_label_values(&[path]),
            self.written.with_label_values(&[path]),
            self.clients.with_label_values(&[path]),
        )
    }

    /// Removes the series of a session.
    pub(super) fn forget(&self, session: &SessionId) {
        let id = Hex(&session.0).to_string();
        // A series that does not exist need not be removed.
        let _ = self.slots_in_use.remove_label_values(&[&id]);
        let _ = self.connections_bound.remove_label_values(&[&id]);
    }

    fn collectors(&self) -> [&dyn Collector; 20] {
        [
            &self.sessions_created,
            &self.destroyed,
            &self.sequences,
            &self.errors,
            &self.replay_hits,
            &self.slots_in_use,
            &self.unlisted,
            &self.bound,
            &self.unbound,
            &self.connections_bound,
            &self.granted,
            &self.recalled,
            &self.revoked,
            &self.operations,
            &self.read,
            &self.written,
            &self.clients,
            &self.callbacks,
            &self.callback_failures,
            &self.callback_retries,
        ]
    }

    fn histograms(&self) -> [&dyn Histogram; 7] {
        [
            &self.sessions_duration,
            &self.compound_duration,
            &self.operation_duration,
            &self.callback_duration,
            &self.timer_lag,
            &self.lock_waits,
            &self.lock_holds,
        ]
    }
}

fn resolve<'a>(
    family: &IntCounterVec,
    labels: impl IntoIterator<Item = &'a str>,
) -> Vec<IntCounter> {
    let labels = labels.into_iter();
    let resolved = labels.map(|label| family.with_label_values(&[label]));
    resolved.collect()
}

/// The series, as a registry holds them.
struct Registered(Arc<Series>);

impl Collector for Registered {
    fn desc(&self) -> Vec<&Desc> {
        let series = &*self.0;
        let mut descs = series.marker.desc();
        for collector in series.collectors() {
            descs.extend(collector.desc());
        }
        descs.extend(series.levels.desc());
        descs.extend(series.histograms().map(Histogram::desc));
        descs
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let series = &*self.0;
        let collectors = series.collectors().into_iter();
        let mut families: Vec<_> = collectors.flat_map(Collector::collect).collect();
        families.extend(series.levels.collect());
        families.extend(series.histograms().map(Histogram::collect));
        families
    }
}

/// A collector without a value, whose name shows whether a registry holds it.
struct Marker(IntGauge);

impl Collector for Marker {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        vec![]
    }
}

fn marker(namespace: &str, number: u64) -> Result<IntGauge> {
    let name = format!("{namespace}_nfs_recorder");
    let opts = Opts::new(name, "Marks a registry").const_label("number", number.to_string());
    IntGauge::with_opts(opts)
}

// A registry does not return the collectors that it holds, and has no identity. So every set of
// series is kept here with a number, and its registry is the one in which a marker with this number
// is registered.

struct Link {
    series: Weak<Series>,
    next: OnceBox<Link>,
}

static FIRST: OnceBox<Link> = OnceBox::new();
static NUMBERS: AtomicU64 = AtomicU64::new(0);

fn find(registry: &Registry, namespace: &str) -> Option<Arc<Series>> {
    let mut next = FIRST.get();
    while let Some(link) = next {
        if let Some(series) = link.series.upgrade()
            && series.namespace == namespace
            && holds(registry, &series)
        {
            return Some(series);
        }
        next = link.next.get();
    }
    None
}

fn holds(registry: &Registry, series: &Series) -> bool {
    let mark = || Box::new(Marker(series.marker.clone()));
    match registry.register(mark()) {
        Ok(()) => {
            // It was registered only for this check.
            let _ = registry.unregister(mark());
            false
        }
        Err(error) => matches!(error, Error::AlreadyReg),
    }
}

fn remember(series: &Arc<Series>) {
    let mut place = &FIRST;
    let mut link = Box::new(Link {
        series: Arc::downgrade(series),
        next: OnceBox::new(),
    });
    while let Err(again) = place.set(link) {
        link = again;
        match place.get() {
            Some(taken) => place = &taken.next,
            None => return,
        }
    }
}

/// A lock for the check, which for a moment shows in the registry.
struct Alone;

static TAKEN: AtomicBool = AtomicBool::new(false);

impl Alone {
    fn wait() -> Alone {
        while TAKEN.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        Alone
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}
