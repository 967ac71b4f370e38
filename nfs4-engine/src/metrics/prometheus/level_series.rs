//! The series of what there is at the moment, and of what limits it.

use alloc::format;
use alloc::vec::Vec;

use ::prometheus::core::{Collector, Desc};
use ::prometheus::proto::MetricFamily;
use ::prometheus::{IntGauge, IntGaugeVec, Opts, Result};

use super::super::{Driven, Levels};
use super::entries::TABLES;
use super::level::Level;
use crate::connection_state::ConnectionState;
use crate::delegation_kind::DelegationKind;
use crate::table_lengths::TableLengths;

/// Gauges whose labels, if they have one, have a few known values.
#[derive(Debug)]
pub(super) struct LevelSeries {
    families: Vec<Family>,
    /// The time of the start: no sum of several.
    started: IntGauge,
    /// 1, with the version as label.
    build: IntGaugeVec,
}

#[derive(Debug)]
struct Family {
    gauges: IntGaugeVec,
    /// In the order of the values of its label.
    series: Vec<IntGauge>,
}

/// What a recorder has added to the gauges.
#[derive(Debug, Default)]
pub(super) struct LevelParts(Vec<Vec<Level>>);

/// A family: its name, its help, its label, and the label's values.
type Row = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Vec<&'static str>,
);

/// The families of the engine, and then those of its driver.
fn rows() -> [Row; OF_ENGINE + OF_DRIVER] {
    let one = || alloc::vec![];
    let held = || HOLDERS.to_vec();
    [
        ("sessions_active", "Sessions", None, one()),
        (
            "replay_cache_bytes",
            "Bytes of replies kept for replay",
            None,
            one(),
        ),
        (
            "replay_cache_limit_bytes",
            "Maximum bytes of replies kept for replay",
            None,
            one(),
        ),
        (
            "delegations_active",
            "Delegations that clients hold",
            Some("type"),
            DelegationKind::ALL.map(DelegationKind::label).to_vec(),
        ),
        (
            "delegations_limit",
            "Maximum number of delegations",
            None,
            one(),
        ),
        (
            "lock_waiters",
            "Denied locks that clients wait for",
            None,
            one(),
        ),
        (
            "connections",
            "Connections by what they are used for",
            Some("state"),
            ConnectionState::ALL.map(ConnectionState::label).to_vec(),
        ),
        (
            "table_entries",
            "Entries of the tables of client state",
            Some("table"),
            TABLES.map(|(table, _)| table).to_vec(),
        ),
        (
            "table_limit",
            "Maximum number of entries of a table",
            Some("table"),
            alloc::vec!["clients", "sessions", "states"],
        ),
        (
            "connections_limit",
            "Maximum number of connections",
            None,
            one(),
        ),
        (
            "held_bytes",
            "Bytes that peers make the server hold: replies, requests and unfinished records",
            Some("peers"),
            held(),
        ),
        (
            "held_limit_bytes",
            "Maximum of the bytes that peers make the server hold",
            Some("peers"),
            held(),
        ),
    ]
}

impl LevelSeries {
    pub(super) fn new(namespace: &str) -> Result<LevelSeries> {
        let opts = |short: &str, help: &str| Opts::new(format!("{namespace}_nfs_{short}"), help);
        let family = |(name, help, label, values): Row| {
            let gauges = IntGaugeVec::new(opts(name, help), label.as_slice())?;
            let series = match label {
                Some(_) => {
                    let series = values
                        .iter()
                        .map(|value| gauges.with_label_values(&[value]));
                    series.collect()
                }
                None => alloc::vec![gauges.with_label_values::<&str>(&[])],
            };
            Ok(Family { gauges, series })
        };
        let build = IntGaugeVec::new(
            opts("build_info", "1, with the version of the server"),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(LevelSeries {
            families: rows().into_iter().map(family).collect::<Result<_>>()?,
            started: IntGauge::with_opts(opts(
                "start_time_seconds",
                "Time of the start, in seconds since 1970",
            ))?,
            build,
        })
    }

    /// Shows what an engine has.
    pub(super) fn engine(&self, parts: &mut LevelParts, levels: &Levels<'_>) {
        self.started.set(levels.started.seconds);
        let tables = &levels.tables;
        let limits = [levels.max_clients, levels.max_sessions, levels.max_states];
        let max_cached = usize::try_from(levels.max_cached_bytes).unwrap_or(usize::MAX);
        let entries = TABLES.map(|(_, entries): (_, fn(&TableLengths) -> usize)| entries(tables));
        let values: [&[usize]; OF_ENGINE] = [
            &[tables.sessions],
            &[tables.cached_bytes],
            &[max_cached],
            &[tables.read_delegations, tables.write_delegations],
            &[levels.max_delegations],
            &[tables.waiting],
            &levels.connections,
            &entries,
            &limits,
        ];
        self.set(parts, 0, &values);
    }

    /// Shows what a driver has.
    pub(super) fn driver(&self, parts: &mut LevelParts, driven: &Driven) {
        let ([strangers, most_of_strangers], [clients, most_of_clients]) =
            (driven.held_by_strangers, driven.held_by_clients);
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let values: [&[usize]; OF_DRIVER] = [
            &[driven.max_connections],
            &[bytes(strangers), bytes(clients)],
            &[bytes(most_of_strangers), bytes(most_of_clients)],
        ];
        self.set(parts, OF_ENGINE, &values);
    }

    /// Takes back what a recorder has added.
    pub(super) fn leave(&self, parts: &mut LevelParts) {
        for (family, levels) in self.families.iter().zip(&mut parts.0) {
            for (gauge, level) in family.series.iter().zip(levels) {
                level.set(gauge, 0);
            }
        }
    }

    fn set(&self, parts: &mut LevelParts, first: usize, values: &[&[usize]]) {
        parts.0.resize_with(self.families.len(), Vec::new);
        let families = self.families.iter().zip(&mut parts.0).skip(first);
        for ((family, levels), values) in families.zip(values) {
            levels.resize_with(family.series.len(), Level::default);
            for ((gauge, level), value) in family.series.iter().zip(levels).zip(*values) {
                level.set(gauge, *value);
            }
        }
    }

    fn collectors(&self) -> impl Iterator<Item = &dyn Collector> {
        let families = self.families.iter();
        let families = families.map(|family| &family.gauges as &dyn Collector);
        families.chain([&self.started as &dyn Collector, &self.build])
    }

    pub(super) fn desc(&self) -> impl Iterator<Item = &Desc> {
        self.collectors().flat_map(Collector::desc)
    }

    pub(super) fn collect(&self) -> impl Iterator<Item = MetricFamily> {
        self.collectors().flat_map(Collector::collect)
    }
}

const OF_ENGINE: usize = 9;
const OF_DRIVER: usize = 3;
/// In the order of the bytes that they hold.
const HOLDERS: [&str; 2] = ["strangers", "clients"];
