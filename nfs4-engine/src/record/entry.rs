//! Entries: what entered an engine, and what came of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::Hasher as _;
use core::net::SocketAddr;

use bytes::Bytes;
use nfs4_proto::xdr::{Reader, Writer, XdrError};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::value::{Value, enums, structs};
use crate::event::Event;
use crate::fs::driver::FsTicket;
use crate::fs::{ByteLock, FsHandle, FsRequest};
use crate::ids::{ConnId, DialId};
use crate::input::Input;
use crate::stable::{StableTicket, StableWrite};
use crate::time::Now;

/// One input or one run of the timers, and the actions that it caused.
#[derive(Debug)]
pub struct LogEntry<'a> {
    /// Counted from 1.
    pub number: u64,
    /// The offset of its frame in the log, in bytes.
    pub at: u64,
    /// The time.
    pub now: Now,
    /// What the engine was given.
    pub cause: Cause,
    /// The same as it is in the log, for [`Cause::decode`].
    pub cause_bytes: &'a [u8],
    /// What it did.
    pub actions: Actions<'a>,
}

/// What an engine was given.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
#[derive(Debug)]
pub enum Cause {
    /// [`Engine::handle`](crate::Engine::handle)
    Input(Input),
    /// [`Engine::handle_timeout`](crate::Engine::handle_timeout)
    Timers {
        /// Maximum number of steps.
        budget: u64,
    },
}

enums! {
    Cause { 0 = Input(input), 1 = Timers { budget } }
}

/// The actions of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions<'a> {
    bytes: &'a [u8],
}

/// An action as a log has it.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    bytes: &'a [u8],
}

/// An action in parts.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
#[derive(Debug)]
pub(super) enum Parts {
    Reply {
        conn: ConnId,
        reply: Vec<Part>,
    },
    Callback {
        conn: ConnId,
        xid: u32,
        call: Bytes,
    },
    Dial {
        dial: DialId,
        target: SocketAddr,
        peer: String,
    },
    Fs {
        ticket: FsTicket,
        request: FsRequest,
        /// The bytes to write, which `request` lacks.
        written: Option<Contents>,
    },
    Release {
        export: u16,
        fh: FsHandle,
    },
    Unlock {
        export: u16,
        fh: FsHandle,
        locks: Vec<ByteLock>,
    },
    Known {
        conn: ConnId,
    },
    Close {
        conn: ConnId,
    },
    Event(Event),
    Stable {
        ticket: StableTicket,
        write: StableWrite,
    },
    Forget {
        export: u16,
    },
    Unlease {
        export: u16,
        fh: FsHandle,
    },
}

/// A part of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The bytes themselves.
    Bytes(Bytes),
    /// Contents of a file.
    Contents(Contents),
}

/// Contents of a file, which an input of the log has in full.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Number of bytes.
    pub len: u64,
    hash: u64,
    more: u64,
}

structs! {
    Contents { len, hash, more }
}

enums! {
    Part { 0 = Bytes(bytes), 1 = Contents(contents) }
    Parts {
        0 = Reply { conn, reply },
        1 = Callback { conn, xid, call },
        2 = Dial { dial, target, peer },
        3 = Fs { ticket, request, written },
        4 = Release { export, fh },
        5 = Known { conn },
        6 = Close { conn },
        7 = Event(event),
        8 = Stable { ticket, write },
        9 = Forget { export },
        10 = Unlease { export, fh },
        11 = Unlock { export, fh, locks },
    }
}

impl<'a> LogEntry<'a> {
    pub(super) fn take(number: u64, at: u64, r: &mut Reader<'a>) -> Result<LogEntry<'a>, XdrError> {
        let now = Value::take(r)?;
        let start = r.position();
        let cause = Value::take(r)?;
        let cause_bytes = r.since(start);
        let actions = Actions { bytes: r.rest()? };
        let mut all = Reader::new(actions.bytes);
        while !all.is_empty() {
            all.opaque(usize::MAX)?;
        }
        Ok(LogEntry {
            number,
            at,
            now,
            cause,
            cause_bytes,
            actions,
        })
    }
}

impl Cause {
    /// Decodes once more what an entry has.
    pub fn decode(bytes: &[u8]) -> Option<Cause> {
        Cause::take(&mut Reader::new(bytes)).ok()
    }
}

impl<'a> Actions<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Actions<'a> {
        Actions { bytes }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Recorded<'a>> + use<'a> {
        let mut r = Reader::new(self.bytes);
        core::iter::from_fn(move || {
            let bytes = r.opaque(usize::MAX).ok()?;
            Some(Recorded { bytes })
        })
    }
}

impl<'a> Recorded<'a> {
    /// As it is in the log.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it is a callback.
    pub fn is_callback(&self) -> bool {
        matches!(self.parts(), Ok(Parts::Callback { .. }))
    }

    /// The kind of the action and the connection it concerns, which stay as they are when names and
    /// contents are replaced.
    pub fn shape(&self) -> (&'static str, Option<ConnId>) {
        match self.parts() {
            Ok(Parts::Reply { conn, .. }) => ("reply", Some(conn)),
            Ok(Parts::Callback { conn, .. }) => ("callback", Some(conn)),
            Ok(Parts::Dial { .. }) => ("dial", None),
            Ok(Parts::Fs { ticket, .. }) => ("request", Some(ticket.conn)),
            Ok(Parts::Release { .. }) => ("release", None),
            Ok(Parts::Unlock { .. }) => ("unlock", None),
            Ok(Parts::Forget { .. }) => ("forget", None),
            Ok(Parts::Unlease { .. }) => ("unlease", None),
            Ok(Parts::Known { conn }) => ("known", Some(conn)),
            Ok(Parts::Close { conn }) => ("close", Some(conn)),
            Ok(Parts::Event(_)) => ("event", None),
            Ok(Parts::Stable { .. }) => ("store", None),
            Err(_) => ("damage", None),
        }
    }

    /// The RPC message that it sends, without its record mark; contents of files are zeros.
    /// Contents of more than `max` bytes are left out.
    pub fn message(&self, max: u64) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        match self.parts().ok()? {
            Parts::Callback { call, .. } => message.extend_from_slice(&call),
            Parts::Reply { reply, .. } => {
                for part in reply {
                    match part {
                        Part::Bytes(bytes) => message.extend_from_slice(&bytes),
                        Part::Contents(contents) if contents.len <= max => {
                            let end = message.len() + usize::try_from(contents.len).ok()?;
                            message.resize(end, 0);
                        }
                        Part::Contents(_) => {}
                    }
                }
            }
            Parts::Dial { .. }
            | Parts::Fs { .. }
            | Parts::Release { .. }
            | Parts::Unlock { .. }
            | Parts::Known { .. }
            | Parts::Close { .. }
            | Parts::Stable { .. }
            | Parts::Forget { .. }
            | Parts::Unlease { .. }
            | Parts::Event(_) => return None,
        }
        message.get(MARK..).map(<[u8]>::to_vec)
    }

    pub(super) fn parts(&self) -> Result<Parts, XdrError> {
        let mut r = Reader::new(self.bytes);
        let parts = Parts::take(&mut r)?;
        r.finish()?;
        Ok(parts)
    }
}

/// All but the message of a reply or callback.
impl fmt::Display for Recorded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Ok(Parts::Reply { conn, reply }) => {
                write!(f, "reply on connection {conn}:")?;
                reply.iter().try_for_each(|part| match part {
                    Part::Bytes(bytes) => write!(f, " {} bytes", bytes.len()),
                    Part::Contents(contents) => write!(f, " {contents:?}"),
                })
            }
            Ok(Parts::Callback { conn, xid, call }) => {
                let len = call.len();
                write!(f, "callback {xid:#x} on connection {conn}: {len} bytes")
            }
            Ok(Parts::Dial { dial, target, peer }) => {
                write!(f, "dial {} to {target} for {peer}", dial.get())
            }
            Ok(Parts::Fs {
                ticket,
                request,
                written,
            }) => {
                let FsTicket { conn, export, .. } = ticket;
                write!(f, "request of connection {conn} to export {export}: ")?;
                write!(
                    f,
                    "{:?} by {}:{}",
                    request.op, request.cred.uid, request.cred.gid
                )?;
                written.map_or(Ok(()), |written| write!(f, " with {written:?}"))
            }
            Ok(Parts::Release { export, fh }) => write!(f, "release of {fh:?} to export {export}"),
            Ok(Parts::Unlock { export, fh, locks }) => {
                write!(f, "unlock {locks:?} of {fh:?} in export {export}")
            }
            Ok(Parts::Forget { export }) => write!(f, "forget export {export}"),
            Ok(Parts::Unlease { export, fh }) => {
                write!(f, "end of the lease of {fh:?} to export {export}")
            }
            Ok(Parts::Known { conn }) => write!(f, "connection {conn} is known"),
            Ok(Parts::Close { conn }) => write!(f, "close connection {conn}"),
            Ok(Parts::Event(event)) => write!(f, "event {event:?}"),
            Ok(Parts::Stable { write, .. }) => write!(f, "store {write:?}"),
            Err(why) => write!(f, "an action that cannot be decoded: {why}"),
        }
    }
}

impl Contents {
    pub(super) fn of(bytes: &[u8]) -> Contents {
        let mut hasher = SipHasher13::new();
        hasher.write(bytes);
        let hash = hasher.finish128();
        Contents {
            len: bytes.len() as u64,
            hash: hash.h1,
            more: hash.h2,
        }
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes of a file with hash {:016x}{:016x}",
            self.len, self.hash, self.more
        )
    }
}

/// Writes one action: its length in bytes, then what `put` writes.
pub(super) fn put_action(w: &mut Writer, put: impl FnOnce(&mut Writer)) {
    let at = w.reserve_u32();
    let start = w.len();
    put(w);
    let len = w.len() - start;
    w.patch_u32(at, u32::try_from(len).unwrap_or(u32::MAX));
}

/// Number of bytes of a record mark. [RFC 5531 §11]
const MARK: usize = 4;
