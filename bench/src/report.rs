//! The results of a comparison.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::figures::Figures;
use crate::mount::Layout;
use crate::subject::Subject;
use crate::workload::Workload;

/// All that a comparison has found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) subjects: Vec<Subject>,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) rounds: usize,
    pub(crate) curve_rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) rows: Vec<Row>,
}

/// What all subjects did with one case.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) case: Case,
    /// A subject that could not be measured has the reason.
    pub(crate) results: BTreeMap<Subject, Result<Figures, Fault>>,
}

/// A workload on so many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) set: Set,
    pub(crate) workload: Workload,
    pub(crate) layout: Layout,
}

/// Cases that are shown together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Every workload on 4 connections, a session each, with 32 slots in flight.
    Busy,
    /// Every workload with one request in flight.
    Single,
    /// More and more connections, on as few sessions as servers allow, 64 slots in flight together.
    Connections,
    /// More and more slots in flight, on up to 16 connections.
    Slots,
}

impl Set {
    /// The name in files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Set::Busy => "busy",
            Set::Single => "single",
            Set::Connections => "connections",
            Set::Slots => "slots",
        }
    }

    /// The layouts of a set, for each workload.
    pub(crate) fn layouts(self) -> Vec<Layout> {
        let layout = |connections: usize, slots: usize| Layout {
            connections,
            sessions: connections.div_ceil(16).max(slots.div_ceil(64)),
            depth: slots / connections,
        };
        match self {
            Set::Busy => vec![Layout {
                connections: 4,
                sessions: 4,
                depth: 32,
            }],
            Set::Single => vec![layout(1, 1)],
            Set::Connections => (0..=6).map(|power| layout(1 << power, 64)).collect(),
            Set::Slots => (0..=5)
                .map(|power| 1_usize << (2 * power))
                .map(|slots| layout(slots.min(16), slots))
                .collect(),
        }
    }
}

impl Report {
    /// The rows of a set.
    pub(crate) fn rows_of(&self, set: Set) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.case.set == set)
    }

    /// Everything as JSON.
    pub(crate) fn json(&self) -> Value {
        let facts = self.facts.iter().map(|(name, fact)| (*name, fact.as_str()));
        json!({
            "machine": facts.collect::<BTreeMap<_, _>>(),
            "rounds": self.rounds,
            "curve_rounds": self.curve_rounds,
            "seconds": self.seconds,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }

    /// Processors that worked for other processes: the mean of all measurements.
    pub(crate) fn others_share(&self) -> f64 {
        let results = self.rows.iter().flat_map(|row| row.results.values());
        let shares: Vec<f64> = results
            .flatten()
            .map(|figures| figures.others_share)
            .collect();
        shares.iter().sum::<f64>() / shares.len().max(1) as f64
    }
}

impl Row {
    /// The figures of a subject, if it was measured.
    pub(crate) fn figures(&self, subject: Subject) -> Option<&Figures> {
        self.results.get(&subject)?.as_ref().ok()
    }

    fn json(&self) -> Value {
        let layout = self.case.layout;
        let results = self.results.iter().map(|(subject, result)| {
            let value = match result {
                Ok(figures) => {
                    let mut value = figures.json();
                    let floor = self.figures(Subject::Echo);
                    value["times_echo"] = json!(floor.map(|floor| figures.multiple_of(floor)));
                    value
                }
                Err(why) => json!({ "not_run": why.to_string() }),
            };
            (subject.title(), value)
        });
        json!({
            "set": self.case.set.name(),
            "workload": self.case.workload.name(),
            "connections": layout.connections,
            "sessions": layout.sessions,
            "slots_in_flight": layout.connections * layout.depth,
            "servers": results.collect::<BTreeMap<_, _>>(),
        })
    }
}

/// The folder of the plots, beside the text that shows them.
pub(crate) const PLOTS: &str = "performance";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::figures::tests::costing;

    /// A report with one row of which a server was not run.
    pub(crate) fn report() -> Report {
        let results = [
            (Subject::Echo, Ok(costing(2))),
            (Subject::Nfs4dTokio, Ok(costing(5))),
            (Subject::Ganesha, Err(Fault::new("it is not installed"))),
        ];
        Report {
            subjects: vec![Subject::Echo, Subject::Nfs4dTokio, Subject::Ganesha],
            facts: vec![("kernel", "Linux 1".to_owned())],
            rounds: 5,
            curve_rounds: 3,
            seconds: 1.0,
            rows: vec![Row {
                case: Case {
                    set: Set::Busy,
                    workload: Workload::Getattr,
                    layout: Set::Busy.layouts()[0],
                },
                results: results.into(),
            }],
        }
    }

    #[test]
    fn layouts_stay_within_what_servers_grant() {
        for set in [Set::Busy, Set::Single, Set::Connections, Set::Slots] {
            for layout in set.layouts() {
                assert!(layout.slots() <= 64, "{layout:?}");
                assert!(layout.sessions <= layout.connections, "{layout:?}");
                assert!(layout.sessions <= 16, "{layout:?}");
                assert!(
                    layout.connections.div_ceil(layout.sessions) <= 16,
                    "{layout:?}"
                );
            }
        }
        let most = |set: Set| {
            set.layouts()
                .last()
                .map(|l| (l.connections, l.connections * l.depth))
        };
        assert_eq!(most(Set::Connections), Some((64, 64)));
        assert_eq!(most(Set::Slots), Some((16, 1_024)));
    }

    #[test]
    fn json_has_multiples_and_reasons() {
        let row = &report().json()["rows"][0];
        assert_eq!(row["slots_in_flight"], 128);
        let servers = &row["servers"];
        assert_eq!(servers["nfs4d tokio"]["times_echo"], 2.5);
        assert_eq!(servers["Ganesha VFS"]["not_run"], "it is not installed");
    }
}
