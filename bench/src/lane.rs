//! One request in flight: what sends it, and what its reply must be.

use std::sync::Arc;
use std::time::Instant;

use nfs4_proto::client::{ClientError, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::{ClientId, SessionId, StableHow, Stateid};

use crate::call::Call;
use crate::channel::compound;
use crate::files::{FILE, Files, LINUX_GETATTR, open, readdir};
use crate::mount::{Client, create_session};
use crate::outbox::Outbox;
use crate::slot::Slot;
use crate::workload::{Echo, LARGE, Size, Step};

/// What all lanes of a load share.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) steps: Vec<Step>,
    /// Nothing if the load is for the echo server, or makes sessions only.
    pub(crate) files: Option<Files>,
    /// What echoes are filled with.
    pub(crate) filling: Arc<[u8]>,
}

/// By what a lane is known to the server.
#[derive(Debug)]
pub(crate) enum Seat {
    /// A slot of a session.
    Slot {
        client: ClientId,
        session: SessionId,
        highest: u32,
        slot: Slot,
    },
    /// A client of its own, which makes sessions.
    Client(Client),
    /// Nothing: the echo server asks for nothing.
    Echo,
}

/// A sequence of requests, of which one is in flight at a time.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) index: u32,
    pub(crate) connection: usize,
    pub(crate) seat: Seat,
    /// When the request in flight was sent.
    pub(crate) sent: Instant,
    /// The step in flight, or the next one.
    at: usize,
    turn: u32,
    calls: Vec<Option<Call>>,
    sizes: Vec<Option<Size>>,
    name: Vec<u8>,
    /// What the last OPEN gave.
    open: Stateid,
    file: Vec<u8>,
    /// What the last CREATE_SESSION gave.
    made: SessionId,
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Well, and so many bytes of data were moved.
    Well(usize),
    /// With a status that is none of success, or a reply that is wrong.
    Badly(String),
}

impl Lane {
    pub(crate) fn new(index: u32, connection: usize, seat: Seat, steps: usize) -> Lane {
        Lane {
            index,
            connection,
            seat,
            sent: Instant::now(),
            at: 0,
            turn: 0,
            calls: vec![None; steps],
            sizes: vec![None; steps],
            name: format!("nfs4-bench-{index}").into_bytes(),
            open: Stateid::ANONYMOUS,
            file: Vec::new(),
            made: SessionId::default(),
        }
    }

    /// The index of the lane whose call a reply answers.
    pub(crate) fn of_reply(head: &[u8]) -> Option<usize> {
        let xid = u32::from_be_bytes(*head.first_chunk()?);
        Some((xid & INDEX) as usize)
    }

    /// Whether the lane has ended its steps, and leaves nothing on the server.
    pub(crate) fn rests(&self) -> bool {
        self.at == 0
    }

    /// The lengths of calls and replies, if every step was seen.
    pub(crate) fn sizes(&self) -> Option<Vec<Size>> {
        self.sizes.iter().copied().collect()
    }

    /// The offset at which a lane reads and writes.
    pub(crate) fn offset(index: u32, bytes: usize) -> usize {
        index as usize * bytes % LARGE
    }

    /// Sends the request of the next step.
    pub(crate) fn start(&mut self, ground: &Ground, outbox: &mut Outbox, now: Instant) {
        self.turn = self.turn.wrapping_add(1);
        self.sent = now;
        let step = ground.steps[self.at];
        let sequence = match &mut self.seat {
            Seat::Slot { slot, .. } => slot.begin(),
            Seat::Client(_) | Seat::Echo => 0,
        };
        let call = match self.calls[self.at].take() {
            Some(call) => call,
            None => self.build(step, ground),
        };
        call.send(self.xid(), sequence, outbox);
        self.sizes[self.at].get_or_insert(Size {
            call: call.len(),
            reply: 0,
        });
        let changes = matches!(
            step,
            Step::Close | Step::CreateSession | Step::DestroySession
        );
        if !changes {
            self.calls[self.at] = Some(call);
        }
    }

    /// Whether a reply is to the call in flight.
    pub(crate) fn awaits(&self, head: &[u8]) -> bool {
        head.first_chunk() == Some(&self.xid().to_be_bytes())
    }

    /// Takes the reply, of which `head` is the beginning, and goes on to the next step.
    pub(crate) fn finish(&mut self, ground: &Ground, head: &[u8], len: usize) -> Ended {
        let step = ground.steps[self.at];
        let verdict = self.take(step, head, len);
        match verdict {
            Ok(()) => {
                self.at = (self.at + 1) % ground.steps.len();
                Ended::Well(step.data())
            }
            Err(why) => {
                self.at = 0;
                Ended::Badly(format!("{step:?}: {why}"))
            }
        }
    }

    fn xid(&self) -> u32 {
        self.index | self.turn << INDEX.count_ones()
    }

    fn take(&mut self, step: Step, head: &[u8], len: usize) -> Result<(), String> {
        if let Step::Echo(Echo { size, .. }) = step {
            let right = len == size.reply;
            return right.then_some(()).ok_or_else(|| wrong(len, size.reply));
        }
        let results = ReplyReader::parse(head).map_err(|why| why.to_string());
        self.results(step, results)?;
        if let Step::Read(bytes) = step
            && len < bytes
        {
            return Err(wrong(len, bytes));
        }
        let size = self.sizes[self.at].get_or_insert(Size { call: 0, reply: 0 });
        let before = std::mem::replace(&mut size.reply, len);
        let varies = matches!(step, Step::Open | Step::CreateSession);
        if before != 0 && before != len && !varies {
            return Err(wrong(len, before));
        }
        Ok(())
    }

    fn results(
        &mut self,
        step: Step,
        results: Result<ReplyReader<'_>, String>,
    ) -> Result<(), String> {
        if let Seat::Slot { slot, .. } = &mut self.seat {
            let first = results.as_ref().map(|results| results.peek());
            slot.end(matches!(first, Ok(Ok(Some((_, status)))) if status.is_ok()));
        }
        let mut results = results?;
        if !results.status().is_ok() {
            return Err(results.status().to_string());
        }
        match self.keep(step, &mut results) {
            Ok(true) => Ok(()),
            Ok(false) => Err("not all bytes are written".to_owned()),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Keeps what later steps need; false for a WRITE that has not written all.
    fn keep(&mut self, step: Step, results: &mut ReplyReader<'_>) -> Result<bool, ClientError> {
        match step {
            Step::Write(bytes) => {
                results.sequence()?;
                results.putfh()?;
                return Ok(results.write()?.count as usize == bytes);
            }
            Step::Open => {
                results.sequence()?;
                results.putrootfh()?;
                self.open = results.open()?.stateid;
                self.file.clear();
                self.file.extend_from_slice(results.getfh()?.object);
            }
            Step::CreateSession => {
                self.made = results.create_session()?.sessionid;
                if let Seat::Client(client) = &mut self.seat {
                    client.sequence = client.sequence.wrapping_add(1);
                }
            }
            Step::Sequence
            | Step::GetAttr
            | Step::Lookup
            | Step::Read(_)
            | Step::Close
            | Step::Remove
            | Step::ReadDir(_)
            | Step::DestroySession
            | Step::Echo(_) => {}
        }
        Ok(true)
    }

    fn build(&self, step: Step, ground: &Ground) -> Call {
        match (step, &self.seat) {
            (Step::Echo(echo), _) => {
                let offset = Lane::offset(self.index, echo.task.data());
                Call::echo(echo, offset, &ground.filling)
            }
            (Step::CreateSession, Seat::Client(client)) => {
                Call::bare(create_session(client, 1, self.xid()))
            }
            (Step::DestroySession, _) => {
                let sessionid = self.made;
                let destroy = args::DestroySession { sessionid };
                Call::bare(compound(0).destroy_session(destroy).finish())
            }
            (_, Seat::Slot { client, .. }) => {
                let mut call = compound(0);
                call.sequence(self.sequence());
                let Some(files) = &ground.files else {
                    return Call::sequenced(&mut call);
                };
                self.operations(step, *client, files, &mut call);
                match step {
                    Step::Write(bytes) => Call::ending_with(&mut call, &files.written, bytes),
                    _ => Call::sequenced(&mut call),
                }
            }
            (_, Seat::Client(_) | Seat::Echo) => unreachable!("{step:?} needs a slot"),
        }
    }

    fn sequence(&self) -> args::Sequence {
        let Seat::Slot {
            session,
            highest,
            slot,
            ..
        } = &self.seat
        else {
            unreachable!("only a slot has sequence numbers");
        };
        args::Sequence {
            sessionid: *session,
            sequenceid: 0,
            slotid: slot.id,
            highest_slotid: *highest,
            cachethis: false,
        }
    }

    /// What follows SEQUENCE.
    fn operations(&self, step: Step, client: ClientId, files: &Files, call: &mut CompoundBuilder) {
        let attr_request = Bitmap::from_words(LINUX_GETATTR);
        let getattr = args::GetAttr { attr_request };
        let data = args::PutFh {
            object: &files.data,
        };
        match step {
            Step::GetAttr => call.putfh(data).getattr(getattr),
            Step::Lookup => call
                .putrootfh()
                .lookup(args::Lookup { objname: FILE })
                .getfh()
                .getattr(getattr),
            Step::Read(bytes) => call.putfh(data).read(args::Read {
                stateid: files.open,
                offset: Lane::offset(self.index, bytes) as u64,
                count: bytes as u32,
            }),
            Step::Write(bytes) => call.putfh(data).write(args::Write {
                stateid: files.open,
                offset: Lane::offset(self.index, bytes) as u64,
                stable: StableHow::Unstable,
                data: &files.written[..bytes],
            }),
            Step::Open => call
                .putrootfh()
                .open(open(client, &self.name, &self.name))
                .getfh(),
            Step::Close => call
                .putfh(args::PutFh { object: &self.file })
                .close(args::Close {
                    seqid: 0,
                    open_stateid: self.open,
                }),
            Step::Remove => call.putrootfh().remove(args::Remove { target: &self.name }),
            Step::ReadDir(part) => call
                .putfh(args::PutFh {
                    object: &files.listing,
                })
                .readdir(readdir(files.parts[part])),
            Step::Sequence | Step::CreateSession | Step::DestroySession | Step::Echo(_) => call,
        };
    }
}

fn wrong(len: usize, expected: usize) -> String {
    format!("a reply of {len} bytes, and not {expected}")
}

/// The bits of an XID that name the lane.
const INDEX: u32 = 0xffff;
