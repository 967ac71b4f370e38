//! Directory entries, encoded as the file system pushes them. [RFC 8881 §18.23]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::xdr::Writer;

use super::{Attrs, FsHandle, FsStat};
use crate::attr::{self, Source, View};
use crate::exports::Fh;

/// Takes the entries of a READDIR; it knows the client's limits and which attributes it wants.
pub struct DirWriter {
    w: Writer,
    max: usize,
    asked: Bitmap,
    view: View,
    export: u16,
    /// Seldom asked for, and a request is moved often.
    common: Option<Box<Common>>,
    refused: bool,
    end: bool,
}

/// What is the same for all entries.
struct Common {
    stat: Option<FsStat>,
    locations: Option<Box<[u8]>>,
}

/// No further entry fits; the one that was refused is not in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl DirWriter {
    /// For a READDIR4resok of at most `max` bytes; none if not even an empty one fits.
    pub(crate) fn new(max: usize, asked: Bitmap, view: View, export: u16) -> Option<DirWriter> {
        if max < HEAD + TAIL {
            return None;
        }
        let mut w = Writer::with_capacity(max.min(FIRST_CAPACITY));
        // The verifier: cookies of any age are good.
        w.u64(0);
        Some(DirWriter {
            w,
            max,
            asked,
            view,
            export,
            common: None,
            refused: false,
            end: false,
        })
    }

    /// With what is asked for of all that is the same for all entries.
    pub(crate) fn with(mut self, stat: Option<FsStat>, locations: Option<Box<[u8]>>) -> DirWriter {
        if stat.is_some() || locations.is_some() {
            self.common = Some(Box::new(Common { stat, locations }));
        }
        self
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Full`] if it does not fit; nothing can be added then.
    pub fn push(
        &mut self,
        cookie: u64,
        name: &[u8],
        fh: &FsHandle,
        attrs: &Attrs,
    ) -> Result<(), Full> {
        let before = self.begin(cookie, name)?;
        let fh = Fh {
            export: self.export,
            handle: *fh,
        };
        let common = self.common.as_deref();
        let source = Source {
            view: &self.view,
            fh: &fh,
            attrs,
            stat: common.and_then(|common| common.stat.as_ref()),
            locations: common.and_then(|common| common.locations.as_deref()),
        };
        attr::encode(&mut self.w, &self.asked, &source);
        self.keep(before)
    }

    /// Adds an entry whose attributes cannot be told here: another file system is mounted on it.
    pub(crate) fn push_unknown(
        &mut self,
        cookie: u64,
        name: &[u8],
        mounted_on: u64,
    ) -> Result<(), Full> {
        let before = self.begin(cookie, name)?;
        attr::encode_unknown(&mut self.w, &self.asked, mounted_on);
        self.keep(before)
    }

    fn begin(&mut self, cookie: u64, name: &[u8]) -> Result<usize, Full> {
        if self.refused {
            return Err(Full);
        }
        let before = self.w.len();
        self.w.bool(true);
        self.w.u64(cookie);
        self.w.opaque(name);
        Ok(before)
    }

    /// Keeps the entry that began at `before`, if it fits.
    fn keep(&mut self, before: usize) -> Result<(), Full> {
        if self.w.len() + TAIL > self.max {
            self.w.truncate(before);
            self.refused = true;
            return Err(Full);
        }
        Ok(())
    }

    /// Says that the last entry of the directory was pushed.
    pub fn end(&mut self) {
        self.end = true;
    }

    /// READDIR4resok; none if there are entries and not even the first one fits.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        if self.refused && self.w.len() == HEAD {
            return None;
        }
        self.w.bool(false);
        self.w.bool(self.end && !self.refused);
        Some(self.w.into_vec())
    }
}

impl fmt::Debug for DirWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirWriter")
            .field("len", &self.w.len())
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

/// The verifier.
const HEAD: usize = 8;
/// No further entry, and whether the directory ends here.
const TAIL: usize = 8;
/// Memory taken at once; a client asks for much more than most directories need.
const FIRST_CAPACITY: usize = 4096;
