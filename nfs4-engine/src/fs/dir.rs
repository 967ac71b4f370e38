//! Directory entries, encoded as the file system pushes them. [RFC 8881 §18.23]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

use super::{Attrs, FileKind, FsFault, FsHandle, FsStat};
use crate::attr::{self, Source, View};
use crate::fh::Fh;

/// Takes the entries of a READDIR; it knows the client's limits and which attributes it wants.
///
/// The file system pushes the entries that come after the cookie of the request, in the order of
/// their cookies, until one is refused because it is [`Full`], or it has pushed the last one and
/// says so by [`DirWriter::end`]. The client asks for the rest with the cookie of the last entry that
/// it got. A listing without an entry that is not full ends there, whether the file system has said so
/// or not: the client would ask the same again for ever.
///
/// An invalid entry is left out, which [`Event::FileSystemFault`](crate::Event::FileSystemFault)
/// reports, and the listing continues:
///
/// * Its name has 1 to 255 bytes, not more than
///   [`Capabilities::max_name`](super::Capabilities::max_name), and is neither "." nor ".."; '/' and
///   NUL are not in it.
/// * Its cookie is at least 3, greater than that of the request, and greater than that of the entry
///   before it.
/// * Its attributes are as described at [`FsOp`](super::FsOp).
///
/// A user without the right to search the directory gets names and nothing else of its entries:
/// [`DirWriter::conceal`].
pub struct DirWriter {
    w: Writer,
    max: usize,
    /// Distinguishes it from those of other requests.
    number: u32,
    /// The cookie that the next one must be greater than.
    last: u64,
    /// How many bytes were left out.
    left_out: usize,
    faults: Faults,
    asked: Bitmap,
    view: View,
    export: u16,
    /// Seldom asked for, and a request is moved often.
    common: Option<Box<Common>>,
    concealed: bool,
    /// An entry could not be sent without an attribute that the user may not see.
    denied: bool,
    refused: bool,
    end: bool,
}

/// What is the same for all entries.
#[derive(Default)]
struct Common {
    stat: Option<FsStat>,
    locations: Option<Box<[u8]>>,
    /// Files whose attributes may differ from the file system's, if they are to be sent so.
    files: Option<Vec<Listed>>,
}

/// A regular file among the entries.
struct Listed {
    fh: FsHandle,
    change: u64,
    size: u64,
    /// Where its fattr4 begins.
    at: usize,
}

/// Why entries were left out, one bit each of [`Faults::OF_ENTRIES`].
#[derive(Clone, Copy, Default)]
struct Faults(u8);

/// No further entry fits; the one that was refused is not in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl DirWriter {
    /// For a READDIR4resok of at most `max` bytes with the entries after `cookie`; none if not even
    /// an empty one fits.
    pub(crate) fn new(
        max: usize,
        cookie: u64,
        asked: Bitmap,
        view: View,
        export: u16,
    ) -> Option<DirWriter> {
        if max < HEAD + TAIL {
            return None;
        }
        let mut w = Writer::with_capacity(max.min(FIRST_CAPACITY));
        // The verifier: cookies of any age are good.
        w.u64(0);
        Some(DirWriter {
            w,
            max,
            number: 0,
            last: cookie.max(FIRST_COOKIE - 1),
            left_out: 0,
            faults: Faults::default(),
            asked,
            view,
            export,
            common: None,
            concealed: false,
            denied: false,
            refused: false,
            end: false,
        })
    }

    /// With what is asked for of all that is the same for all entries.
    pub(crate) fn with(mut self, stat: Option<FsStat>, locations: Option<Box<[u8]>>) -> DirWriter {
        if stat.is_some() || locations.is_some() {
            self.common = Some(Box::new(Common {
                stat,
                locations,
                files: None,
            }));
        }
        self
    }

    /// With a number that distinguishes it from those of other requests.
    pub(crate) fn numbered(mut self, number: u32) -> DirWriter {
        self.number = number;
        self
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Remembers files for [`DirWriter::retell`]; there are no more entries than can be gone through.
    pub(crate) fn remembering(mut self) -> DirWriter {
        self.common.get_or_insert_default().files = Some(Vec::new());
        self
    }

    /// Whether it remembers files.
    pub(crate) fn remembers(&self) -> bool {
        let common = self.common.as_deref();
        common.is_some_and(|common| common.files.is_some())
    }

    /// Sends change attribute and size of files other than the file system has them.
    ///
    /// # Errors
    /// That of the closure.
    pub(crate) fn retell<E>(
        &mut self,
        mut tell: impl FnMut(FsHandle, &mut u64, &mut u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let files = self
            .common
            .as_deref_mut()
            .and_then(|common| common.files.take());
        for file in files.into_iter().flatten() {
            let (mut change, mut size) = (file.change, file.size);
            tell(file.fh, &mut change, &mut size)?;
            if (change, size) != (file.change, file.size) {
                attr::tell_otherwise(&mut self.w, file.at, change, size);
            }
        }
        Ok(())
    }

    /// Says that the user may list the directory and not search it. Attributes and handles of
    /// entries that are added from here on are not sent, but that access to them is denied; nor is
    /// the listing itself if the client cannot learn that. [RFC 8881 §18.23.3, §5.8.1.12]
    pub fn conceal(&mut self) {
        self.concealed = true;
    }

    /// Adds an entry, or leaves it out if there can be no such entry.
    ///
    /// # Errors
    /// [`Full`] if it does not fit or may not be sent, or too much was left out; nothing can be
    /// added then.
    pub fn push(
        &mut self,
        cookie: u64,
        name: &[u8],
        fh: &FsHandle,
        attrs: &Attrs,
    ) -> Result<(), Full> {
        if let Some(fault) = self.fault_of(cookie, name, attrs) {
            self.leave_out(name, fault);
            return if self.is_closed() { Err(Full) } else { Ok(()) };
        }
        let before = self.begin(cookie, name)?;
        if self.concealed {
            return self.keep_concealed(before, cookie);
        }
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
            // The root of a file system is in none of its directories.
            covers: None,
        };
        let at = self.w.len();
        attr::encode(&mut self.w, &self.asked, &source);
        self.keep(before, cookie)?;
        if let Some(files) = self
            .common
            .as_mut()
            .and_then(|common| common.files.as_mut())
            && attrs.kind == FileKind::Regular
        {
            files.push(Listed {
                fh: fh.handle,
                change: attrs.change,
                size: attrs.size,
                at,
            });
            self.refused |= files.len() >= MOST_LISTED;
        }
        Ok(())
    }

    /// Adds an entry whose attributes cannot be sent here: another file system is mounted on it.
    pub(crate) fn push_unknown(
        &mut self,
        cookie: u64,
        name: &[u8],
        mounted_on: u64,
    ) -> Result<(), Full> {
        let before = self.begin(cookie, name)?;
        attr::encode_failed(&mut self.w, &self.asked, Status::DELAY, Some(mounted_on));
        self.keep(before, cookie)
    }

    fn keep_concealed(&mut self, before: usize, cookie: u64) -> Result<(), Full> {
        let told = Bitmap::of(&[num::RDATTR_ERROR]);
        let wanted = self.asked & self.view.served & !told;
        if !wanted.is_empty() && !self.asked.contains(num::RDATTR_ERROR) {
            self.w.truncate(before);
            (self.denied, self.refused) = (true, true);
            return Err(Full);
        }
        attr::encode_failed(&mut self.w, &self.asked, Status::ACCESS, None);
        self.keep(before, cookie)
    }

    fn begin(&mut self, cookie: u64, name: &[u8]) -> Result<usize, Full> {
        if self.is_closed() {
            return Err(Full);
        }
        let before = self.w.len();
        self.w.bool(true);
        self.w.u64(cookie);
        self.w.opaque(name);
        Ok(before)
    }

    /// Keeps the entry that began at `before`, if it fits.
    fn keep(&mut self, before: usize, cookie: u64) -> Result<(), Full> {
        if self.w.len() + TAIL > self.max {
            self.w.truncate(before);
            self.refused = true;
            return Err(Full);
        }
        self.last = cookie;
        Ok(())
    }

    /// Why there can be no such entry.
    fn fault_of(&self, cookie: u64, name: &[u8], attrs: &Attrs) -> Option<FsFault> {
        let longest = self.view.capabilities.max_name.min(MAX_NAME) as usize;
        let is_name = (1..=longest).contains(&name.len())
            && !matches!(name, b"." | b"..")
            && !name.iter().any(|byte| matches!(byte, b'/' | 0));
        if !is_name {
            Some(FsFault::Name)
        } else if cookie <= self.last {
            Some(FsFault::Cookie)
        } else if !attrs.are_sane() {
            Some(FsFault::Attributes)
        } else {
            None
        }
    }

    /// Continues without an entry. A file system that pushes nothing else must come to an end, too.
    #[cold]
    fn leave_out(&mut self, name: &[u8], fault: FsFault) {
        self.faults.add(fault);
        self.left_out = self.left_out.saturating_add(LEAST_ENTRY + name.len());
    }

    /// Whether nothing can be added any more.
    fn is_closed(&self) -> bool {
        self.refused || self.left_out > self.max.max(LEFT_OUT)
    }

    /// Says that the last entry of the directory was pushed.
    pub fn end(&mut self) {
        self.end = true;
    }

    /// What is wrong with what was pushed.
    pub(crate) fn faults(&self) -> impl Iterator<Item = FsFault> {
        let unended = !self.end && self.is_empty();
        let unended = unended.then_some(FsFault::Unended);
        self.faults.all().chain(unended)
    }

    /// Whether there is neither an entry nor one that has no room: the client would come back in
    /// vain.
    fn is_empty(&self) -> bool {
        !self.refused && self.w.len() == HEAD
    }

    /// READDIR4resok.
    ///
    /// # Errors
    /// TOOSMALL if there are entries and not even the first one fits, ACCESS if the user may not
    /// see what is asked for.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Status> {
        if self.denied {
            return Err(Status::ACCESS);
        }
        if self.refused && self.w.len() == HEAD {
            return Err(Status::TOOSMALL);
        }
        let ends = self.end && !self.is_closed() || self.is_empty();
        self.w.bool(false);
        self.w.bool(ends);
        Ok(self.w.into_vec())
    }
}

impl Faults {
    /// What can be wrong with an entry.
    const OF_ENTRIES: [FsFault; 3] = [FsFault::Name, FsFault::Cookie, FsFault::Attributes];

    fn add(&mut self, fault: FsFault) {
        let place = Faults::OF_ENTRIES.iter().position(|one| *one == fault);
        self.0 |= place.map_or(0, |place| 1 << place);
    }

    fn all(self) -> impl Iterator<Item = FsFault> {
        let places = (0..).zip(Faults::OF_ENTRIES);
        places.filter_map(move |(place, fault)| (self.0 & 1 << place != 0).then_some(fault))
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
/// Of an entry: that there is one, its cookie, how long its name is, and no attributes.
const LEAST_ENTRY: usize = 24;
/// When this many bytes were left out, a writer is full, even if it has room for few.
const LEFT_OUT: usize = 64 << 10;
/// 0 to 2 mean something else in NFS. [RFC 8881 §18.23.3]
const FIRST_COOKIE: u64 = 3;
/// No name is longer, whatever the file system says.
pub(crate) const MAX_NAME: u32 = 255;
/// Maximum number of files that are checked in one call, under the engine's lock.
const MOST_LISTED: usize = 2_048;
/// Memory taken at once; a client asks for much more than most directories need.
const FIRST_CAPACITY: usize = 4096;
