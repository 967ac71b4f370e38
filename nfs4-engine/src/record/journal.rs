//! Writing a log beside an engine.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use nfs4_proto::xdr::Writer;

use super::entry::{Actions, Contents, put_action};
use super::frame::{self, FrameWriter};
use super::start::{self, Start};
use super::value::Value as _;
use crate::action::{Action, Outbox, Queued, Segment};
use crate::admin::Admin;
use crate::export::Export;
use crate::fs::{Backend, FsOp, FsRequest};
use crate::input::Input;
use crate::time::Now;

/// Writes a log of what an engine is given and what it does.
///
/// For each input, [`Journal::input`] goes before [`Engine::handle`](crate::Engine::handle), and
/// [`Journal::caused`] after it, before an action is taken out of the outbox; likewise
/// [`Journal::timers`] for the timers.
pub struct Journal {
    frames: FrameWriter,
    /// The file systems that there were, in the order in which they came; each has its place as number.
    file_systems: Vec<Weak<dyn Backend>>,
    /// Numbers of actions in the outbox that earlier inputs have caused.
    before: (usize, usize),
    /// Where the actions of the last entry are.
    actions: Range<usize>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

impl Journal {
    /// Begins a log of an engine that was started so and has been given nothing yet.
    pub fn new(start: &Start) -> Journal {
        let mut frames = FrameWriter::new();
        frames.begin(frame::START);
        start.put(&mut frames.w);
        frames.end();
        Journal {
            frames,
            file_systems: start.file_systems.clone(),
            before: (0, 0),
            actions: 0..0,
        }
    }

    /// Begins an entry: the engine is about to be given this.
    pub fn input(&mut self, now: Now, input: &Input, outbox: &Outbox) {
        self.begin(now, outbox);
        self.frames.w.u32(INPUT);
        if let Input::Admin(Admin::PutExport(export)) = input {
            let export = Box::new(self.stand_in(export));
            Input::Admin(Admin::PutExport(export)).put(&mut self.frames.w);
        } else if let Input::Admin(Admin::SetExports(exports)) = input {
            let exports = exports.iter().map(|export| self.stand_in(export)).collect();
            Input::Admin(Admin::SetExports(exports)).put(&mut self.frames.w);
        } else {
            input.put(&mut self.frames.w);
        }
    }

    /// Begins an entry: the engine is about to run its timers.
    pub fn timers(&mut self, now: Now, budget: usize, outbox: &Outbox) {
        self.begin(now, outbox);
        self.frames.w.u32(TIMERS);
        self.frames.w.u64(budget as u64);
    }

    /// Ends an entry with all actions that were added to the outbox.
    pub fn caused(&mut self, outbox: &mut Outbox) {
        let start = self.frames.w.len();
        for request in outbox.requests_after(self.before.1) {
            if let FsOp::ReadDir { entries, .. } = &mut request.op {
                entries.note_pushes();
            }
        }
        let w = &mut self.frames.w;
        for queued in outbox.after(self.before) {
            put_action(w, |w| match queued {
                Queued::Reply(reply) => {
                    w.u32(REPLY);
                    reply.conn.put(w);
                    let parts = outbox.segments(reply);
                    put_parts(w, parts);
                }
                Queued::Other(action) => put(w, action, outbox),
            });
        }
        self.actions = start..self.frames.w.len();
        self.frames.end();
    }

    /// Ends an entry and the log: the engine has panicked.
    pub fn panicked(&mut self) {
        self.frames.become_kind(frame::PANICKED);
        self.frames.end();
    }

    /// Ends the log: it is complete.
    pub fn end(&mut self) {
        self.frames.begin(frame::END);
        self.frames.end();
    }

    /// Ends the log: something was not recorded.
    pub fn gap(&mut self) {
        self.frames.begin(frame::GAP);
        self.frames.end();
    }

    /// The actions of the last entry, unless it was taken.
    pub fn actions(&self) -> Actions<'_> {
        let bytes = self.frames.w.as_slice().get(self.actions.clone());
        Actions::of(bytes.unwrap_or_default())
    }

    /// Number of bytes that are written and not taken.
    pub fn len(&self) -> usize {
        self.frames.w.len()
    }

    /// Whether nothing is written that was not taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the part of the log that is written, between two entries; `memory`, which is cleared,
    /// is used for the next part.
    pub fn take(&mut self, mut memory: Vec<u8>) -> Vec<u8> {
        memory.clear();
        self.actions = 0..0;
        self.frames.take(memory)
    }

    /// Appends the part of the log that is written to `log`, between two entries.
    pub fn append_to(&mut self, log: &mut Vec<u8>) {
        log.extend_from_slice(self.frames.w.as_slice());
        self.actions = 0..0;
        self.frames.w.clear();
    }

    /// An export whose file system has its number.
    fn stand_in(&mut self, export: &Export) -> Export {
        let file_system = Arc::downgrade(&export.backend);
        let mut known = self.file_systems.iter();
        let place = known.position(|known| known.ptr_eq(&file_system));
        let place = place.unwrap_or_else(|| {
            self.file_systems.push(file_system);
            self.file_systems.len() - 1
        });
        start::stand_in((export, u32::try_from(place).unwrap_or(u32::MAX)))
    }

    fn begin(&mut self, now: Now, outbox: &Outbox) {
        self.before = outbox.lengths();
        self.frames.begin(frame::ENTRY);
        now.put(&mut self.frames.w);
    }
}

fn put(w: &mut Writer, action: &Action, outbox: &Outbox) {
    match action {
        Action::Reply(reply) => {
            w.u32(REPLY);
            reply.conn.put(w);
            put_parts(w, outbox.segments(reply));
        }
        Action::Callback(callback) => {
            w.u32(1);
            callback.conn.put(w);
            callback.xid.put(w);
            w.opaque(outbox.call(callback));
        }
        Action::Dial { dial, target, peer } => {
            w.u32(2);
            dial.put(w);
            target.put(w);
            peer.put(w);
        }
        // The ticket has the number of the file system.
        Action::Fs {
            ticket,
            backend: _,
            request,
        } => {
            w.u32(3);
            ticket.put(w);
            put_request(w, request);
        }
        Action::Release {
            export,
            backend: _,
            fh,
        } => {
            w.u32(4);
            export.put(w);
            fh.put(w);
        }
        Action::Unlease {
            export,
            backend: _,
            fh,
        } => {
            w.u32(10);
            export.put(w);
            fh.put(w);
        }
        Action::Unlock {
            export,
            backend: _,
            fh,
            locks,
        } => {
            w.u32(11);
            export.put(w);
            fh.put(w);
            locks.put(w);
        }
        Action::Forget { export, backend: _ } => {
            w.u32(9);
            export.put(w);
        }
        Action::Known { conn } => {
            w.u32(5);
            conn.put(w);
        }
        Action::Close { conn } => {
            w.u32(6);
            conn.put(w);
        }
        Action::Event(event) => {
            w.u32(7);
            event.put(w);
        }
        Action::Stable { ticket, write } => {
            w.u32(8);
            ticket.put(w);
            write.put(w);
        }
    }
}

fn put_parts<'a>(w: &mut Writer, segments: impl Iterator<Item = Segment<'a>>) {
    let at = w.reserve_u32();
    let mut count = 0;
    for segment in segments {
        count += 1;
        match segment {
            Segment::Bytes(bytes) => {
                w.u32(0);
                w.opaque(bytes);
            }
            Segment::Payload(bytes) => {
                w.u32(1);
                Contents::of(bytes).put(w);
            }
        }
    }
    w.patch_u32(at, count);
}

/// A request, and the bytes to write apart from it.
fn put_request(w: &mut Writer, request: &FsRequest) {
    let FsOp::Write {
        fh,
        offset,
        data,
        stability,
        authority,
    } = &request.op
    else {
        request.put(w);
        w.bool(false);
        return;
    };
    FsRequest {
        cred: Arc::clone(&request.cred),
        now: request.now,
        op: FsOp::Write {
            fh: *fh,
            offset: *offset,
            data: bytes::Bytes::new(),
            stability: *stability,
            authority: *authority,
        },
    }
    .put(w);
    Some(Contents::of(data)).put(w);
}

const INPUT: u32 = 0;
const TIMERS: u32 = 1;
const REPLY: u32 = 0;
