//! What servers have recorded, replayed.

mod committed;
mod damage;
mod forged;
mod recorded;
mod redacted;
mod session;

use nfs4_replay::{Difference, Log, LogEnd, ReplayError, Report, Verdict, replay};

/// Replays a log.
fn report_of(log: &[u8]) -> Result<Report, ReplayError> {
    replay(Log::open(log)?)
}

/// Replays a complete log, which must be the same to its end.
fn same(log: &[u8]) -> Report {
    let report = report_of(log).expect("it can be replayed");
    match &report.verdict {
        Verdict::Same(LogEnd::Complete) => {}
        Verdict::Differs(difference) => panic!("{difference}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(report.bytes, log.len() as u64);
    report
}

/// Replays a log in which an action differs.
fn different(log: &[u8]) -> Difference {
    match report_of(log).expect("it can be replayed").verdict {
        Verdict::Differs(difference) => *difference,
        other => panic!("{other:?}"),
    }
}
