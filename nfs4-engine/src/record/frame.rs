//! Frames: parts of a log with a length and a check.

use core::fmt;
use core::hash::Hasher as _;

use nfs4_proto::xdr::{Reader, Writer, XdrError};
use siphasher::sip::SipHasher13;

use super::entry::LogEntry;
use super::start::Start;
use super::value::Value as _;

/// The version of the format and of all that is written in it.
pub const VERSION: u32 = 4;
/// Number of bytes before the first frame.
pub const DECODED_FIRST: usize = 12;
/// Number of bytes of a frame before its body.
pub const FRAME_HEAD: usize = 8;

/// A frame of a log.
#[derive(Debug)]
pub enum Frame<'a> {
    /// The start of the engine; the first frame.
    Start(Start),
    /// An input or a run of the timers.
    Entry(LogEntry<'a>),
    /// What the engine was given when it panicked; it has no actions, and the log ends.
    Panicked(LogEntry<'a>),
    /// The log is complete: the recording was ended.
    End,
    /// More was to be recorded than could be kept, and nothing is recorded from here on.
    Gap,
}

/// Why a log is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}, in {}: {kind}", Place(*.entry))]
pub struct Damage {
    /// The offset of the frame, in bytes.
    pub at: u64,
    /// The entry, counted from 1; 0 is the start.
    pub entry: u64,
    /// What is wrong.
    pub kind: DamageKind,
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    /// It does not begin as a log does.
    #[error("this is no log of nfs4")]
    Magic,
    /// It is of another version.
    #[error("the log is of version {0}, and only version {VERSION} can be replayed")]
    Version(u32),
    /// The length of a frame does not match its check.
    #[error("the length of the frame is damaged")]
    Length,
    /// A frame does not match its check.
    #[error("the frame is damaged")]
    Check,
    /// The frame is whole, but what is in it is none of this version.
    #[error("the frame cannot be decoded: {0}")]
    Content(XdrError),
    /// A frame is not where it belongs.
    #[error("the frame is out of place")]
    Order,
}

struct Place(u64);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the start"),
            entry => write!(f, "entry {entry}"),
        }
    }
}

/// Checks and decodes a log, frame by frame, in whatever parts it is read.
#[derive(Debug)]
pub struct Decoder {
    chain: Chain,
    at: u64,
    /// The number of the next entry; 0 before the start.
    entry: u64,
    ended: bool,
}

impl Decoder {
    /// Checks the first bytes of a log.
    ///
    /// # Errors
    /// They are not those of a log of this version.
    pub fn new(first: &[u8; DECODED_FIRST]) -> Result<Decoder, Damage> {
        let damage = |at, kind| Damage { at, entry: 0, kind };
        let (magic, version) = first.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(damage(0, DamageKind::Magic));
        }
        match Reader::new(version).u32() {
            Ok(VERSION) => Ok(Decoder {
                chain: Chain::default(),
                at: DECODED_FIRST as u64,
                entry: 0,
                ended: false,
            }),
            version => Err(damage(
                MAGIC.len() as u64,
                DamageKind::Version(version.unwrap_or(0)),
            )),
        }
    }

    /// The offset of the next frame, in bytes.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Number of entries so far.
    pub fn entries(&self) -> u64 {
        self.entry.saturating_sub(1)
    }

    /// Whether the last frame was the last one of a log.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Number of bytes that follow the head of the next frame.
    ///
    /// # Errors
    /// The head is damaged, or nothing may follow any more.
    pub fn rest_of(&self, head: &[u8; FRAME_HEAD]) -> Result<usize, Damage> {
        if self.ended {
            return Err(self.damage(DamageKind::Order));
        }
        let mut r = Reader::new(head);
        let read = r.u32().and_then(|len| Ok((len, r.u32()?)));
        let (len, check) = read.map_err(|why| self.damage(DamageKind::Content(why)))?;
        if check != self.chain.head(len) {
            return Err(self.damage(DamageKind::Length));
        }
        usize::try_from(len)
            .ok()
            .and_then(|len| len.checked_add(CHECK))
            .ok_or(self.damage(DamageKind::Length))
    }

    /// Checks and decodes what followed a head, as many bytes as [`Decoder::rest_of`] has said.
    ///
    /// # Errors
    /// The frame is damaged, cannot be decoded, or is out of place.
    pub fn frame<'a>(&mut self, rest: &'a [u8]) -> Result<Frame<'a>, Damage> {
        let Some((body, check)) = rest.split_last_chunk::<CHECK>() else {
            return Err(self.damage(DamageKind::Check));
        };
        if self.chain.close(body) != u64::from_be_bytes(*check) {
            return Err(self.damage(DamageKind::Check));
        }
        let frame = self.decode(body)?;
        self.ended = matches!(frame, Frame::End | Frame::Gap | Frame::Panicked(_));
        self.at += (FRAME_HEAD + rest.len()) as u64;
        self.entry += u64::from(!self.ended);
        Ok(frame)
    }

    fn decode<'a>(&self, body: &'a [u8]) -> Result<Frame<'a>, Damage> {
        let wrong = |why| self.damage(DamageKind::Content(why));
        let mut r = Reader::new(body);
        let frame = match (r.u32().map_err(wrong)?, self.entry) {
            (START, 0) => Frame::Start(Start::take(&mut r).map_err(wrong)?),
            (ENTRY, 1..) => {
                Frame::Entry(LogEntry::take(self.entry, self.at, &mut r).map_err(wrong)?)
            }
            (PANICKED, 1..) => {
                Frame::Panicked(LogEntry::take(self.entry, self.at, &mut r).map_err(wrong)?)
            }
            (END, 1..) => Frame::End,
            (GAP, 1..) => Frame::Gap,
            (START | ENTRY | END | GAP | PANICKED, _) => return Err(self.damage(DamageKind::Order)),
            _ => return Err(wrong(XdrError::BadDiscriminant)),
        };
        r.finish().map_err(wrong)?;
        Ok(frame)
    }

    /// A fault of the next frame.
    pub(super) fn damage(&self, kind: DamageKind) -> Damage {
        Damage {
            at: self.at,
            entry: self.entry,
            kind,
        }
    }
}

/// Writes frames.
pub(super) struct FrameWriter {
    pub(super) w: Writer,
    chain: Chain,
    /// Where the frame begins that is being written.
    start: usize,
}

impl FrameWriter {
    pub(super) fn new() -> FrameWriter {
        let mut w = Writer::new();
        w.raw(MAGIC);
        w.u32(VERSION);
        FrameWriter {
            w,
            chain: Chain::default(),
            start: 0,
        }
    }

    pub(super) fn begin(&mut self, kind: u32) {
        self.start = self.w.len();
        self.w.u64(0);
        self.w.u32(kind);
    }

    /// Changes the kind of the frame that is being written.
    pub(super) fn become_kind(&mut self, kind: u32) {
        self.w.patch_u32(self.start + FRAME_HEAD, kind);
    }

    pub(super) fn end(&mut self) {
        let body = self.start + FRAME_HEAD;
        // What a frame holds came in records and answers of far less than 4 GiB.
        let len = u32::try_from(self.w.len() - body).unwrap_or(u32::MAX);
        self.w.patch_u32(self.start, len);
        self.w.patch_u32(self.start + 4, self.chain.head(len));
        let check = self
            .chain
            .close(self.w.as_slice().get(body..).unwrap_or_default());
        self.w.u64(check);
    }

    /// Takes all frames that are written; none may be begun.
    pub(super) fn take(&mut self, empty: alloc::vec::Vec<u8>) -> alloc::vec::Vec<u8> {
        core::mem::replace(&mut self.w, Writer::from_vec(empty)).into_vec()
    }
}

/// The check of all frames so far.
#[derive(Debug, Default)]
struct Chain(u64);

impl Chain {
    fn hasher(&self) -> SipHasher13 {
        // It finds accidents, and no forgery: anyone can compute it.
        let mut hasher = SipHasher13::new();
        hasher.write(&self.0.to_be_bytes());
        hasher
    }

    fn head(&self, len: u32) -> u32 {
        let mut hasher = self.hasher();
        hasher.write(&len.to_be_bytes());
        // Half of it: a length has as many bits.
        (hasher.finish() >> 32) as u32
    }

    fn close(&mut self, body: &[u8]) -> u64 {
        let mut hasher = self.hasher();
        hasher.write(&(body.len() as u64).to_be_bytes());
        hasher.write(body);
        self.0 = hasher.finish();
        self.0
    }
}

const MAGIC: &[u8] = b"nfs4rec\n";
/// Number of bytes of a frame after its body.
const CHECK: usize = 8;

pub(super) const START: u32 = 0;
pub(super) const ENTRY: u32 = 1;
pub(super) const END: u32 = 2;
pub(super) const GAP: u32 = 3;
pub(super) const PANICKED: u32 = 4;
