//! A log for people.

use std::io::{self, Read, Write};

use nfs4_engine::Mono;
use nfs4_engine::record::{Frame, LogEntry};

use crate::log::{Log, LogError, Next};
use crate::readable::{CauseLine, Readable};
use crate::replay::ReplayError;

/// Writes entries of a log, from the entry of this number on, at most so many: a line for what the
/// engine was given, and one for each action.
///
/// # Errors
/// The log cannot be read; what could be read is written. The outer error is that of `out`.
pub fn show(
    mut log: Log<impl Read>,
    from: u64,
    count: u64,
    out: &mut impl Write,
) -> io::Result<Result<(), ReplayError>> {
    let start = match log.start() {
        Ok(Some(start)) => start,
        Ok(None) => return Ok(Err(ReplayError::Empty)),
        Err(why) => return Ok(Err(why.into())),
    };
    if from <= 1 {
        writeln!(out, "{start:?}")?;
    }
    let last = from.max(1).saturating_add(count);
    loop {
        match log.read() {
            Ok(Next::Frame(Frame::Entry(entry) | Frame::Panicked(entry))) => {
                if entry.number >= last {
                    return Ok(Ok(()));
                }
                if entry.number >= from {
                    show_entry(&entry, start.now.mono, out)?;
                }
            }
            // The decoder lets no start be elsewhere.
            Ok(Next::Frame(Frame::Start(_) | Frame::End | Frame::Gap)) => {}
            Ok(Next::End(end)) => {
                writeln!(out, "{end}")?;
                return Ok(Ok(()));
            }
            Err(why) => return Ok(Err(LogError::into(why))),
        }
    }
}

fn show_entry(entry: &LogEntry<'_>, started: Mono, out: &mut impl Write) -> io::Result<()> {
    let seconds = entry.now.mono.since(started).as_secs_f64();
    let cause = CauseLine(&entry.cause);
    writeln!(out, "{} @{} +{seconds:.6} {cause}", entry.number, entry.at)?;
    for action in entry.actions.iter() {
        writeln!(out, "    {}", Readable(&action))?;
    }
    Ok(())
}
