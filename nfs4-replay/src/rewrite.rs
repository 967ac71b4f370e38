//! Logs that are made of logs.

use std::io::{self, Read, Write};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{FsReply, Payload};
use nfs4_engine::record::{Actions, Cause, Frame, Rerun, RerunFault};
use nfs4_engine::{Admin, Input};

use crate::compound::{self, TARGET};
use crate::log::{Log, LogEnd, LogError, Next};
use crate::pseudonyms::Pseudonyms;
use crate::replay::ReplayError;

/// Why there is no new log.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// The log cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The new log cannot be written.
    #[error("the new log cannot be written: {0}")]
    Write(#[source] io::Error),
    /// With other names, or in this version, the engine does something else: the new log would not
    /// show what the old one shows.
    #[error("at entry {entry} the engine takes another course than in the log")]
    Course {
        /// The entry.
        entry: u64,
    },
    /// The entry is of a kind that may hold names and contents where this version does not know
    /// them.
    #[error("entry {entry} is of a kind whose names and contents this version does not know")]
    Unknown {
        /// The entry.
        entry: u64,
    },
}

/// Writes a log of the same course, up to and with the entry `until`, in which contents of files are
/// zeros and names are others of the same length; targets of symbolic links consist of the letter x.
///
/// Addresses, numbers of users, the names by which clients and lock owners identify themselves,
/// filehandles, attributes, and the [`Boot`](nfs4_engine::Boot) with the server's name and entropy
/// stay: what the engine does depends on them.
///
/// # Errors
/// The log cannot be replayed, takes another course without its names, or `out` cannot be written.
pub fn redact(
    log: Log<impl Read>,
    until: u64,
    out: &mut impl Write,
) -> Result<LogEnd, RewriteError> {
    rerun(log, until, out, Some(Pseudonyms::default()))
}

/// Writes a log of the same inputs, up to and with the entry `until`, with the actions of this
/// version's engine.
///
/// # Errors
/// The log cannot be replayed, or `out` cannot be written.
pub fn rewrite(
    log: Log<impl Read>,
    until: u64,
    out: &mut impl Write,
) -> Result<LogEnd, RewriteError> {
    rerun(log, until, out, None)
}

/// Gives an engine all inputs, with other names if there are any, and writes its log.
fn rerun(
    mut log: Log<impl Read>,
    until: u64,
    out: &mut impl Write,
    mut names: Option<Pseudonyms>,
) -> Result<LogEnd, RewriteError> {
    let mut start = log.start()?.ok_or(ReplayError::Empty)?;
    if let Some(names) = &mut names {
        for export in &mut start.exports {
            export.path = names.replace_path(&export.path);
        }
    }
    let mut rerun = Rerun::new(start).map_err(ReplayError::from)?;
    let mut memory = Vec::new();
    loop {
        let end = match log.read()? {
            Next::Frame(Frame::Entry(entry) | Frame::Panicked(entry)) if entry.number > until => {
                rerun.end();
                write(out, &rerun.take(memory))?;
                return Ok(LogEnd::Complete);
            }
            Next::Frame(Frame::Entry(entry)) => {
                let number = entry.number;
                let cause = replaced(entry.cause, names.as_mut())
                    .ok_or(RewriteError::Unknown { entry: number })?;
                let done = rerun
                    .run(entry.now, cause)
                    .map_err(|fault| at(number, fault))?;
                if names.is_some() && !is_same_course(entry.actions, done) {
                    return Err(RewriteError::Course { entry: number });
                }
                memory = rerun.take(memory);
                write(out, &memory)?;
                continue;
            }
            Next::Frame(Frame::Panicked(entry)) => {
                let cause = replaced(entry.cause, names.as_mut());
                let cause = cause.ok_or(RewriteError::Unknown {
                    entry: entry.number,
                })?;
                let done = rerun.give_up(entry.now, cause);
                done.map_err(|fault| at(entry.number, fault))?;
                LogEnd::Panicked
            }
            // The decoder lets no start be elsewhere.
            Next::Frame(Frame::Start(_) | Frame::End | Frame::Gap) => LogEnd::Complete,
            Next::End(end) => end,
        };
        let end = log.finish(end)?;
        match end {
            LogEnd::Panicked => {}
            LogEnd::Gap => rerun.gap(),
            LogEnd::Complete | LogEnd::CutShort { .. } => rerun.end(),
        }
        write(out, &rerun.take(memory))?;
        return Ok(end);
    }
}

fn write(out: &mut impl Write, part: &[u8]) -> Result<(), RewriteError> {
    let written = out.write_all(part).and_then(|()| out.flush());
    written.map_err(RewriteError::Write)
}

fn at(entry: u64, fault: RerunFault) -> ReplayError {
    ReplayError::Entry { entry, fault }
}

/// Whether the actions are of the same kinds, on the same connections.
fn is_same_course(one: Actions<'_>, other: Actions<'_>) -> bool {
    let shapes = one.iter().map(|action| action.shape());
    shapes.eq(other.iter().map(|action| action.shape()))
}

/// The cause with other names and contents; none if it is of an unknown kind.
fn replaced(cause: Cause, names: Option<&mut Pseudonyms>) -> Option<Cause> {
    let (mut input, names) = match (cause, names) {
        (Cause::Input(input), Some(names)) => (input, names),
        (cause, _) => return Some(cause),
    };
    match &mut input {
        Input::Call(call) => {
            let mut body = call.body.to_vec();
            compound::redact(&mut body, names);
            call.body = body.into();
        }
        Input::FsDone {
            result: Ok(reply), ..
        } => match reply {
            FsReply::Entries(entries) => entries.rename_pushed(|name| names.replace(name)),
            FsReply::Link(target) => *target = vec![TARGET; target.len()].into(),
            FsReply::Data { data, .. } => *data = zeros(data),
            FsReply::Done
            | FsReply::Attrs { .. }
            | FsReply::Access { .. }
            | FsReply::Node { .. }
            | FsReply::Written { .. }
            | FsReply::Committed { .. }
            | FsReply::Created { .. }
            | FsReply::Opened(_)
            | FsReply::Linked { .. }
            | FsReply::Lock { .. }
            | FsReply::Removed { .. }
            | FsReply::Renamed { .. }
            | FsReply::Leased(_) => {}
            _ => return None,
        },
        Input::FsDone { result: Err(_), .. }
        | Input::ConnOpened { .. }
        | Input::ConnClosed { .. }
        | Input::ConnHalfClosed { .. }
        | Input::CallbackReply(_)
        | Input::Dialed { .. }
        | Input::Touched { .. }
        | Input::LeaseLost { .. }
        | Input::StableDone { .. }
        | Input::ReleasePanicked => {}
        Input::Admin(admin) => rename_exports(admin, names)?,
        _ => return None,
    }
    Some(Cause::Input(input))
}

/// Replaces the paths of exports; none if the request is of an unknown kind.
fn rename_exports(admin: &mut Admin, names: &mut Pseudonyms) -> Option<()> {
    let mut rename = |path: &mut String| *path = names.replace_path(path);
    match admin {
        Admin::PutExport(export) => rename(&mut export.path),
        Admin::RemoveExport { path } => rename(path),
        Admin::SetExports(exports) => {
            for export in exports {
                rename(&mut export.path);
            }
        }
        Admin::Drain { .. }
        | Admin::StopDraining { .. }
        | Admin::EvictClient { .. }
        | Admin::DestroySession { .. }
        | Admin::EndGrace
        | Admin::Configure(_) => {}
        _ => return None,
    }
    Some(())
}

/// As many bytes in the same pieces.
fn zeros(data: &Payload) -> Payload {
    let pieces = data.pieces();
    pieces
        .map(|piece| Bytes::from(vec![0; piece.len()]))
        .collect()
}

impl From<LogError> for RewriteError {
    fn from(why: LogError) -> RewriteError {
        RewriteError::Replay(why.into())
    }
}
