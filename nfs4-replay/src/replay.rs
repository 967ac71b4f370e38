//! Repeating what a log says.

use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nfs4_engine::record::{Actions, Cause, Frame, LogEntry, Recorded, Rerun, RerunFault, Start};
use nfs4_engine::{Mono, Now, StartError};

use crate::log::{Log, LogEnd, LogError, Next};
use crate::readable::{CauseLine, Readable};

/// What came of a replay.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of entries that were replayed: inputs, and runs of the timers.
    pub entries: u64,
    /// Number of inputs.
    pub inputs: u64,
    /// Number of actions.
    pub actions: u64,
    /// Number of callbacks among the actions.
    pub callbacks: u64,
    /// Number of bytes of the log.
    pub bytes: u64,
    /// Whether it was the same.
    pub verdict: Verdict,
}

/// Whether a replay did the same.
#[derive(Debug)]
pub enum Verdict {
    /// All actions are the same, up to the end of the log.
    Same(LogEnd),
    /// An action differs.
    Differs(Box<Difference>),
    /// The engine panicked at this entry, as recorded or not.
    Panicked {
        /// The entry.
        entry: u64,
    },
}

/// The first action that differs.
#[derive(Debug)]
pub struct Difference {
    /// The entry, counted from 1.
    pub entry: u64,
    /// The offset of the entry in the log, in bytes.
    pub at: u64,
    /// The time of the entry.
    pub now: Now,
    /// The time of the start.
    pub started: Mono,
    /// What the engine was given, for people.
    pub cause: String,
    /// The place of the action among those of the entry, counted from 1.
    pub action: usize,
    /// The action in the log, for people; none if the log has no further one.
    pub recorded: Option<String>,
    /// The action of this engine, for people; none if it does nothing more.
    pub replayed: Option<String>,
}

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// No engine can have started so.
    #[error("the engine cannot start as the log says: {0}")]
    Start(#[from] StartError),
    /// No driver gives an engine what an entry says.
    #[error("entry {entry}: {fault}")]
    Entry {
        /// The entry.
        entry: u64,
        /// What is wrong with it.
        fault: RerunFault,
    },
    /// The log ends before the start of the engine.
    #[error("the log ends before the start of the engine")]
    Empty,
}

impl Default for Verdict {
    fn default() -> Verdict {
        Verdict::Same(LogEnd::default())
    }
}

/// Starts an engine as a log says, gives it what the log says, and compares each action with that of
/// the log, up to the first that differs.
///
/// # Errors
/// The log cannot be replayed: it is damaged, or of another version.
pub fn replay(log: Log<impl Read>) -> Result<Report, ReplayError> {
    let mut report = Report::default();
    let done = catch_unwind(AssertUnwindSafe(|| run(log, &mut report)));
    if let Ok(done) = done {
        done?;
    } else {
        let entry = report.entries + 1;
        report.verdict = Verdict::Panicked { entry };
    }
    Ok(report)
}

/// The same, but a panic of the engine is one of the caller.
pub(crate) fn run(mut log: Log<impl Read>, report: &mut Report) -> Result<(), ReplayError> {
    let start = log.start()?.ok_or(ReplayError::Empty)?;
    let started = start.now.mono;
    let mut engine = Engine::start(start)?;
    loop {
        report.bytes = log.position();
        let end = match log.read()? {
            Next::Frame(Frame::Entry(entry)) => {
                if let Some(difference) = engine.run(entry, started, report)? {
                    report.verdict = Verdict::Differs(Box::new(difference));
                    return Ok(());
                }
                continue;
            }
            Next::Frame(Frame::Panicked(entry)) => {
                engine.give(entry.number, entry.now, entry.cause)?;
                report.entries += 1;
                LogEnd::Panicked
            }
            // The decoder lets no start be elsewhere.
            Next::Frame(Frame::Start(_) | Frame::End | Frame::Gap) => LogEnd::Complete,
            Next::End(end) => end,
        };
        report.bytes = log.position();
        report.verdict = Verdict::Same(log.finish(end)?);
        return Ok(());
    }
}

/// The engine of a replay.
struct Engine {
    rerun: Rerun,
    memory: Vec<u8>,
}

impl Engine {
    fn start(start: Start) -> Result<Engine, StartError> {
        Ok(Engine {
            rerun: Rerun::new(start)?,
            memory: Vec::new(),
        })
    }

    fn give(&mut self, entry: u64, now: Now, cause: Cause) -> Result<Actions<'_>, ReplayError> {
        self.memory = self.rerun.take(std::mem::take(&mut self.memory));
        let given = self.rerun.run(now, cause);
        given.map_err(|fault| ReplayError::Entry { entry, fault })
    }

    fn run(
        &mut self,
        entry: LogEntry<'_>,
        started: Mono,
        report: &mut Report,
    ) -> Result<Option<Difference>, ReplayError> {
        let LogEntry {
            number,
            at,
            now,
            cause,
            cause_bytes,
            actions: recorded,
        } = entry;
        let is_input = matches!(cause, Cause::Input(_));
        let replayed = self.give(number, now, cause)?;
        if recorded != replayed {
            let (action, [recorded, replayed]) = first_difference(recorded, replayed);
            let cause = Cause::decode(cause_bytes);
            return Ok(Some(Difference {
                entry: number,
                at,
                now,
                started,
                cause: cause.map_or_else(String::new, |cause| CauseLine(&cause).to_string()),
                action,
                recorded,
                replayed,
            }));
        }
        report.entries += 1;
        report.inputs += u64::from(is_input);
        for action in recorded.iter() {
            report.actions += 1;
            report.callbacks += u64::from(action.is_callback());
        }
        Ok(None)
    }
}

/// The place of the first action that differs, and both sides of it.
fn first_difference(one: Actions<'_>, other: Actions<'_>) -> (usize, [Option<String>; 2]) {
    let (mut one, mut other) = (one.iter(), other.iter());
    let mut place = 0;
    loop {
        place += 1;
        let pair = [one.next(), other.next()];
        let [left, right] = pair
            .each_ref()
            .map(|side| side.as_ref().map(Recorded::as_bytes));
        if left != right || left.is_none() {
            let readable =
                |side: Option<Recorded<'_>>| side.map(|side| Readable(&side).to_string());
            return (place, pair.map(readable));
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: &Option<String>| match side {
            Some(side) => side.clone(),
            None => "nothing".to_owned(),
        };
        writeln!(
            f,
            "entry {} at byte {}, {}, {:.6} s after the start: action {} differs",
            self.entry,
            self.at,
            self.now.wall,
            self.now.mono.since(self.started).as_secs_f64(),
            self.action
        )?;
        writeln!(f, "  input:  {}", self.cause)?;
        writeln!(f, "  log:    {}", side(&self.recorded))?;
        write!(f, "  replay: {}", side(&self.replayed))
    }
}
