//! Answers of file systems, processed only as far as they keep to the contract.

use alloc::vec;

use crate::action::Outbox;
use crate::compound::{Compound, Stage};
use crate::core::Core;
use crate::fs::driver::{FsFault, FsTicket};
use crate::fs::{FsError, FsReply, FsResult};
use crate::ids::RequestId;
use crate::keys::CompoundKey;
use crate::ops::errors;
use crate::run::Runner;
use crate::slab::Key;
use crate::timer::Due;

impl Runner {
    /// Continues with a COMPOUND whose file system has answered.
    pub(crate) fn fs_done(
        &mut self,
        ticket: FsTicket,
        result: &mut Option<FsResult>,
        out: &mut Outbox,
    ) {
        let key: CompoundKey = Key::new(ticket.index, ticket.generation);
        let Some(run) = self.parked.remove(key) else {
            // A driver that found a fault has answered meanwhile, and a completion reports that when
            // it is dropped.
            let is_answer = !matches!(result, Some(Err(error)) if error.is_no_answer());
            if is_answer {
                self.core.report_fault(ticket, FsFault::Again, None, out);
            }
            return;
        };
        let (is_served, is_last) = self.core.exports.answered(ticket.export);
        if !is_served {
            self.core.export_is_gone(&run, ticket, result, is_last, out);
        }
        let refused = match result {
            Some(Ok(reply)) => self.core.refusal(&run, ticket, reply, out),
            Some(Err(error)) => Some(self.core.nearest(&run, ticket, *error, out)),
            None => None,
        };
        if let Some(error) = refused {
            *result = Some(Err(error));
        }
        self.resume(run, result, out);
    }
}

impl Core {
    /// A file system has answered whose export was removed meanwhile: no state comes of that, and what the
    /// file system holds is released.
    #[cold]
    fn export_is_gone(
        &mut self,
        run: &Compound,
        ticket: FsTicket,
        result: &mut Option<FsResult>,
        is_last: bool,
        out: &mut Outbox,
    ) {
        if let Some(Ok(FsReply::Opened(opened))) = result {
            self.release(ticket.export, opened.fh, out);
        }
        if let Some(Ok(FsReply::Leased(_))) = result {
            self.end_lease_of(run, ticket, out);
        }
        if let Some(Ok(FsReply::Lock { held: None })) = result
            && let (Stage::Locking(lock), Some(fh)) = (run.stage, &run.current)
        {
            self.unlock(fh, vec![lock], out);
        }
        *result = Some(Err(FsError::Stale));
        if is_last {
            self.set_timer(out.now.mono, Due::Exports);
        }
    }

    /// The error that stands for an answer that breaks the contract.
    #[inline]
    fn refusal(
        &mut self,
        run: &Compound,
        ticket: FsTicket,
        reply: &FsReply,
        out: &mut Outbox,
    ) -> Option<FsError> {
        if let FsReply::Entries(entries) = reply {
            for fault in entries.faults() {
                self.report_fault(ticket, fault, Some(run.id()), out);
            }
        }
        let current = run.current.as_ref().map(|fh| &fh.handle);
        let fault = run.expected.check(reply, current, run.stage.lock()).err()?;
        self.report_fault(ticket, fault, Some(run.id()), out);
        if let FsReply::Opened(opened) = reply
            && fault != FsFault::Reply
        {
            // The file is held all the same.
            self.release(ticket.export, opened.fh, out);
        }
        if let FsReply::Leased(_) = reply
            && fault != FsFault::Reply
        {
            self.end_lease_of(run, ticket, out);
        }
        Some(FsError::NoAnswer)
    }

    /// The file system has taken a lease that serves nothing. It is of the current filehandle.
    fn end_lease_of(&mut self, run: &Compound, ticket: FsTicket, out: &mut Outbox) {
        if let Some(fh) = &run.current {
            self.unlease(ticket.export, fh.handle, out);
        }
    }

    /// The error that a COMPOUND continues with.
    fn nearest(
        &mut self,
        run: &Compound,
        ticket: FsTicket,
        error: FsError,
        out: &mut Outbox,
    ) -> FsError {
        if !ticket.call.may_answer(error) {
            self.report_fault(ticket, FsFault::Error(error), Some(run.id()), out);
        }
        errors::nearest(run.op, run.minor, ticket.call, error)
    }

    #[cold]
    fn report_fault(
        &mut self,
        ticket: FsTicket,
        fault: FsFault,
        request: Option<RequestId>,
        out: &mut Outbox,
    ) {
        self.report_fs_fault(Some(ticket.export), ticket.call, fault, request, out);
    }
}
