//! Checks of a file system's answers against its contract; the engine checks them nowhere else.

use super::fault::FsFault;
use super::{
    Attrs, ByteLock, FileKind, FsHandle, FsOp, FsReply, FsStat, Payload, Stability, Target, Want,
};

/// The rules for the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// No request was made.
    Nothing,
    Attrs(Want),
    Access,
    Node(Want),
    /// The writer with this number.
    Entries(u32),
    Link,
    /// At most this number of bytes.
    Data(u32),
    /// At most this number of bytes, and at least this durable.
    Written(u32, Stability),
    Committed,
    Created,
    Opened,
    /// The object of the current filehandle, and no other.
    OpenedCurrent,
    Linked,
    Removed,
    Renamed,
    Leased,
    Lock,
}

impl Expected {
    #[inline]
    pub(crate) fn of(op: &FsOp) -> Expected {
        match op {
            FsOp::GetAttrs { want, .. } => Expected::Attrs(*want),
            FsOp::SetAttrs { .. } => Expected::Attrs(Want {
                attrs: true,
                stat: false,
            }),
            FsOp::Access { .. } => Expected::Access,
            FsOp::Lookup { want, .. } | FsOp::LookupParent { want, .. } => Expected::Node(*want),
            FsOp::ReadDir { entries, .. } => Expected::Entries(entries.number()),
            FsOp::ReadLink { .. } => Expected::Link,
            FsOp::Read { count, .. } => Expected::Data(*count),
            FsOp::Write {
                data, stability, ..
            } => {
                // The length is a part of a record, far below 2^32.
                let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
                Expected::Written(len, *stability)
            }
            FsOp::Commit { .. } => Expected::Committed,
            FsOp::Create { .. } => Expected::Created,
            FsOp::Open { target, .. } => match target {
                Target::Name { .. } => Expected::Opened,
                Target::Handle(_) => Expected::OpenedCurrent,
            },
            FsOp::Link { .. } => Expected::Linked,
            FsOp::Remove { .. } => Expected::Removed,
            FsOp::Rename { .. } => Expected::Renamed,
            FsOp::Lease { .. } => Expected::Leased,
            FsOp::Lock { .. } | FsOp::TestLock { .. } => Expected::Lock,
        }
    }

    /// The fault of an answer; `current` is the object of the current filehandle, and `lock` the requested
    /// one.
    ///
    /// # Errors
    /// The first fault.
    #[inline]
    pub(crate) fn check(
        self,
        reply: &FsReply,
        current: Option<&FsHandle>,
        lock: Option<&ByteLock>,
    ) -> Result<(), FsFault> {
        match (self, reply) {
            (Expected::Attrs(want), FsReply::Attrs { attrs, stat })
            | (Expected::Node(want), FsReply::Node { attrs, stat, .. }) => {
                wanted(want, attrs, stat.as_ref())
            }
            (Expected::Data(most), FsReply::Data { data, eof }) => {
                let is_stuck = data.is_empty() && !eof && most > 0;
                ensure(data.len() <= most as usize && !is_stuck, FsFault::Length)?;
                ensure(data.piece_count() <= Payload::MAX_PIECES, FsFault::Pieces)
            }
            (
                Expected::Written(most, least),
                FsReply::Written {
                    count, stability, ..
                },
            ) => {
                let is_stuck = *count == 0 && most > 0;
                ensure(*count <= most && !is_stuck, FsFault::Length)?;
                ensure(*stability >= least, FsFault::Stability)
            }
            (Expected::Entries(number), FsReply::Entries(entries)) => {
                ensure(entries.number() == number, FsFault::Reply)
            }
            (Expected::Link, FsReply::Link(target)) => {
                let is_one = (1..=FsOp::MAX_TARGET).contains(&target.len()) && !target.contains(&0);
                ensure(is_one, FsFault::Target)
            }
            (Expected::Created, FsReply::Created { attrs, .. }) => sane(attrs),
            (Expected::Opened, FsReply::Opened(opened)) => regular(&opened.attrs),
            (Expected::OpenedCurrent, FsReply::Opened(opened)) => {
                ensure(current == Some(&opened.fh), FsFault::Handle)?;
                regular(&opened.attrs)
            }
            (Expected::Leased, FsReply::Leased(attrs)) => regular(attrs),
            (Expected::Lock, FsReply::Lock { held: Some(held) }) => {
                let conflicts = lock.is_some_and(|lock| held.conflicts(lock));
                ensure(
                    conflicts && held.range.first <= held.range.last,
                    FsFault::Lock,
                )
            }
            (Expected::Lock, FsReply::Lock { held: None })
            | (Expected::Committed, FsReply::Committed { .. })
            | (Expected::Access, FsReply::Access { .. })
            | (Expected::Linked, FsReply::Linked { .. })
            | (Expected::Removed, FsReply::Removed { .. })
            | (Expected::Renamed, FsReply::Renamed { .. }) => Ok(()),
            // Any other kind of answer, future ones included.
            _ => Err(FsFault::Reply),
        }
    }
}

impl Attrs {
    /// Whether an object can have these attributes.
    #[inline]
    pub(super) fn are_sane(&self) -> bool {
        const SECOND: u32 = 1_000_000_000;
        let latest = self.accessed.nanos.max(self.modified.nanos);
        let latest = latest.max(self.changed.nanos).max(self.created.nanos);
        self.fileid != 0 && self.size <= i64::MAX as u64 && latest < SECOND
    }
}

#[inline]
fn wanted(want: Want, attrs: &Attrs, stat: Option<&FsStat>) -> Result<(), FsFault> {
    ensure(!want.attrs || attrs.are_sane(), FsFault::Attributes)?;
    ensure(!want.stat || stat.is_some(), FsFault::Stat)
}

fn sane(attrs: &Attrs) -> Result<(), FsFault> {
    ensure(attrs.are_sane(), FsFault::Attributes)
}

fn regular(attrs: &Attrs) -> Result<(), FsFault> {
    let is_one = attrs.are_sane() && attrs.kind == FileKind::Regular;
    ensure(is_one, FsFault::Attributes)
}

fn ensure(holds: bool, fault: FsFault) -> Result<(), FsFault> {
    if holds { Ok(()) } else { Err(fault) }
}
