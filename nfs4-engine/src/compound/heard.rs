//! What a file system answers, heard only as far as it is an answer.

use alloc::boxed::Box;

use super::Compound;
use crate::action::Outbox;
use crate::core::Core;
use crate::engine::Engine;
use crate::fs::{FsError, FsFault, FsReply, FsResult, FsTicket};
use crate::ops::errors;
use crate::slab::Key;
use crate::time::{Mono, Now};

impl Engine {
    /// Goes on with a COMPOUND whose file system has answered.
    pub(crate) fn fs_done(
        &mut self,
        now: Now,
        ticket: FsTicket,
        result: FsResult,
        out: &mut Outbox,
    ) {
        let key: Key<Box<Compound>> = Key::new(ticket.index, ticket.generation);
        let Some(run) = self.parked.remove(key) else {
            // A driver that found a fault has answered meanwhile, and a completion says so when it
            // is dropped.
            if !result.is_err_and(FsError::is_no_answer) {
                self.core.blame(ticket, FsFault::Again, now.mono, out);
            }
            return;
        };
        let current = run.current.as_ref().map(|fh| &fh.handle);
        let checked = match &result {
            Ok(reply) => run.expected.check(reply, current),
            Err(error) if ticket.call.may_answer(*error) => Ok(()),
            Err(error) => Err(FsFault::Error(*error)),
        };
        if let Ok(FsReply::Entries(entries)) = &result {
            for fault in entries.faults() {
                self.core.blame(ticket, fault, now.mono, out);
            }
        }
        let result = match (checked, result) {
            (Ok(()), Ok(reply)) => Ok(reply),
            (checked, result) => Err(self.core.mend(&run, ticket, checked, result, now, out)),
        };
        self.go_on(run, result, now, out);
    }
}

impl Core {
    /// The error that a COMPOUND goes on with.
    #[cold]
    fn mend(
        &mut self,
        run: &Compound,
        ticket: FsTicket,
        checked: Result<(), FsFault>,
        result: FsResult,
        now: Now,
        out: &mut Outbox,
    ) -> FsError {
        if let Err(fault) = checked {
            self.blame(ticket, fault, now.mono, out);
        }
        match result {
            Ok(FsReply::Opened(opened)) if checked != Err(FsFault::Reply) => {
                // It is held all the same.
                self.release(ticket.export, opened.fh, out);
                FsError::NoAnswer
            }
            Ok(_) => FsError::NoAnswer,
            Err(error) => errors::nearest(run.op, run.minor, ticket.call, error),
        }
    }

    fn blame(&mut self, ticket: FsTicket, fault: FsFault, now: Mono, out: &mut Outbox) {
        let export = Some(ticket.export);
        self.faults.tell(export, ticket.call, fault, now, out);
    }
}
