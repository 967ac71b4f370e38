//! What a test needs to ask a file system as a driver does, and to judge its answers as the engine does.

use alloc::vec::Vec;

use nfs4_proto::nfs4::attr::Bitmap;

use super::dir::Push;
use super::driver::{FsCall, FsFault, FsTicket};
use super::{
    Attrs, ByteLock, Capabilities, DirWriter, Expected, FsHandle, FsOp, FsReply, FsResult, Target,
};
use crate::attr::View;
use crate::ids::ConnId;

/// The rules for the answer to one request: those of [`FsOp`] and [`DirWriter`].
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    call: FsCall,
    expected: Expected,
    /// The file that an open by handle names.
    current: Option<FsHandle>,
    /// The lock that is asked for.
    lock: Option<ByteLock>,
}

impl Contract {
    /// The rules for the answer to this request.
    pub fn of(op: &FsOp) -> Contract {
        let current = if let FsOp::Open {
            target: Target::Handle(fh),
            ..
        } = op
        {
            Some(*fh)
        } else {
            None
        };
        let lock = if let FsOp::Lock { lock, .. } | FsOp::TestLock { lock, .. } = op {
            Some(*lock)
        } else {
            None
        };
        Contract {
            call: op.call(),
            expected: Expected::of(op),
            current,
            lock,
        }
    }

    /// Checks an answer.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, answer: &FsResult) -> Result<(), FsFault> {
        match answer {
            Ok(reply) => {
                self.expected
                    .check(reply, self.current.as_ref(), self.lock.as_ref())?;
                if let FsReply::Entries(entries) = reply
                    && let Some(fault) = entries.faults().next()
                {
                    return Err(fault);
                }
                Ok(())
            }
            Err(error) if self.call.may_answer(*error) => Ok(()),
            Err(error) => Err(FsFault::Error(*error)),
        }
    }
}

impl FsTicket {
    /// The name of a request that no engine made.
    pub fn of_probe(op: &FsOp) -> FsTicket {
        FsTicket {
            conn: ConnId::FIRST,
            index: 0,
            generation: 0,
            export: 0,
            call: op.call(),
        }
    }
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its cookie.
    pub cookie: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Its object.
    pub fh: FsHandle,
    /// The attributes of its object.
    pub attrs: Attrs,
}

/// A part of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries, in their order.
    pub entries: Vec<Listed>,
    /// The directory ends here.
    pub ended: bool,
    /// The client learns names only: the user may not search the directory.
    pub concealed: bool,
}

impl DirWriter {
    /// A writer for entries after `cookie`, of names alone and of at most `max` bytes, 16 of which are no
    /// entries'; an entry takes 24 bytes and its name, rounded up to a multiple of four.
    pub fn of_probe(max: usize, cookie: u64, capabilities: Capabilities) -> Option<DirWriter> {
        let view = View {
            capabilities,
            counts_changes: true,
            fsid: 0,
            lease_seconds: 0,
            max_io: 0,
            served: Bitmap::default(),
            returned: Bitmap::default(),
        };
        let mut writer = DirWriter::new(max, cookie, Bitmap::default(), view, 0)?;
        writer.note_pushes();
        Some(writer)
    }

    /// The entries that a client gets.
    pub fn into_page(self) -> Page {
        let last = self.last();
        let ended = self.has_ended();
        let mut concealed = false;
        let mut entries = Vec::new();
        for push in self.listing().pushed {
            match push {
                Push::Entry {
                    cookie,
                    name,
                    fh,
                    attrs,
                } => entries.push(Listed {
                    cookie,
                    name,
                    fh,
                    attrs,
                }),
                Push::Conceal => concealed = true,
                Push::End => {}
            }
        }
        // Without the one that did not fit. Cookies are in no order.
        let fitted = entries.iter().rposition(|entry| entry.cookie == last);
        entries.truncate(fitted.map_or(0, |at| at + 1));
        Page {
            entries,
            ended,
            concealed,
        }
    }
}
