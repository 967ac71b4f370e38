//! An engine that is given what a log says.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::entry::{Actions, Cause};
use super::journal::Journal;
use super::start::Start;
use crate::action::{Action, Outbox};
use crate::admin::Admin;
use crate::engine::{Engine, StartError};
use crate::export::Export;
use crate::fs::{Backend, DirWriter, FsOp, FsReply};
use crate::ids::ConnId;
use crate::input::Input;
use crate::time::Now;

/// An engine that is given what a log says, and a log of what it does.
pub struct Rerun {
    engine: Engine,
    outbox: Outbox,
    journal: Journal,
    /// The listings that the file systems would fill, by their numbers.
    listings: BTreeMap<u32, DirWriter>,
    connections: BTreeSet<ConnId>,
    /// The file systems by their numbers in the log.
    file_systems: BTreeMap<u32, Arc<dyn Backend>>,
}

impl fmt::Debug for Rerun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rerun").finish_non_exhaustive()
    }
}

/// Why an entry cannot be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RerunFault {
    /// The answer of a file system is for a listing that this engine has not asked for.
    #[error("the answer is listing {0}, which the engine has not asked for")]
    Listing(u32),
    /// A connection is opened that is open.
    #[error("connection {0} is opened twice")]
    Connection(ConnId),
}

impl Rerun {
    /// An engine that starts as the log says.
    ///
    /// # Errors
    /// No engine can have started so.
    pub fn new(start: Start) -> Result<Rerun, StartError> {
        let journal = Journal::new(&start);
        let Start {
            boot,
            config,
            exports,
            now,
            file_systems: _,
        } = start;
        let numbered = exports.iter().filter_map(|export| {
            let number = export.backend.recorded_as()?;
            Some((number, Arc::clone(&export.backend)))
        });
        let file_systems = numbered.collect();
        Ok(Rerun {
            file_systems,
            engine: Engine::new(boot, config, exports, now)?,
            outbox: Outbox::new(),
            journal,
            listings: BTreeMap::new(),
            connections: BTreeSet::new(),
        })
    }

    /// Gives the engine what an entry says; returns what it does.
    ///
    /// # Errors
    /// No driver does that; the engine was given nothing.
    pub fn run(&mut self, now: Now, cause: Cause) -> Result<Actions<'_>, RerunFault> {
        match cause {
            Cause::Input(mut input) => {
                self.prepare(&mut input)?;
                self.journal.input(now, &input, &self.outbox);
                self.engine.handle(now, input, &mut self.outbox);
            }
            Cause::Timers { budget } => {
                let budget = usize::try_from(budget).unwrap_or(usize::MAX);
                self.journal.timers(now, budget, &self.outbox);
                self.engine.handle_timeout(now, budget, &mut self.outbox);
            }
        }
        self.journal.caused(&mut self.outbox);
        while let Some(action) = self.outbox.pop() {
            if let Action::Fs { request, .. } = action
                && let FsOp::ReadDir { entries, .. } = request.op
            {
                self.listings.insert(entries.number(), entries);
            }
        }
        self.outbox.clear();
        Ok(self.journal.actions())
    }

    /// Notes what an entry says as that at which the engine panics, and ends the log.
    ///
    /// # Errors
    /// As [`Rerun::run`].
    pub fn give_up(&mut self, now: Now, cause: Cause) -> Result<(), RerunFault> {
        match cause {
            Cause::Input(mut input) => {
                self.prepare(&mut input)?;
                self.journal.input(now, &input, &self.outbox);
            }
            Cause::Timers { budget } => {
                let budget = usize::try_from(budget).unwrap_or(usize::MAX);
                self.journal.timers(now, budget, &self.outbox);
            }
        }
        self.journal.panicked();
        Ok(())
    }

    /// Ends the log of this engine: it has a gap.
    pub fn gap(&mut self) {
        self.journal.gap();
    }

    /// Ends the log of this engine.
    pub fn end(&mut self) {
        self.journal.end();
    }

    /// Takes the log of this engine, as far as it is written.
    pub fn take(&mut self, memory: Vec<u8>) -> Vec<u8> {
        self.journal.take(memory)
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Puts the listing of this engine into an answer, with the entries that the answer has.
    fn prepare(&mut self, input: &mut Input) -> Result<(), RerunFault> {
        match input {
            Input::FsDone {
                result: Ok(FsReply::Entries(answer)),
                ..
            } => {
                let number = answer.number();
                let listing = self.listings.remove(&number);
                let mut listing = listing.ok_or(RerunFault::Listing(number))?;
                listing.repeat(answer);
                *answer = listing;
            }
            Input::ConnOpened { conn, .. }
            | Input::Dialed {
                result: Ok(conn), ..
            } => {
                if !self.connections.insert(*conn) {
                    return Err(RerunFault::Connection(*conn));
                }
            }
            Input::ConnClosed { conn } => {
                self.connections.remove(conn);
            }
            Input::FsDone { .. }
            | Input::Dialed { .. }
            | Input::Call(_)
            | Input::CallbackReply(_)
            | Input::ConnHalfClosed { .. }
            | Input::Touched { .. }
            | Input::LeaseLost { .. }
            | Input::StableDone { .. }
            | Input::ReleasePanicked => {}
            Input::Admin(Admin::PutExport(export)) => self.know_again(export),
            Input::Admin(Admin::SetExports(exports)) => {
                exports
                    .iter_mut()
                    .for_each(|export| self.know_again(export));
            }
            Input::Admin(_) => {}
        }
        Ok(())
    }

    /// Puts the file system into an export that it had before in this log.
    fn know_again(&mut self, export: &mut Export) {
        if let Some(number) = export.backend.recorded_as() {
            let new = || Arc::clone(&export.backend);
            let known = Arc::clone(self.file_systems.entry(number).or_insert_with(new));
            export.backend = known;
        }
    }
}
