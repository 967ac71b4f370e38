//! Directory entries, encoded as the file system pushes them. [RFC 8881 §18.23]

#[cfg(feature = "record")]
mod pushed;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

#[cfg(feature = "record")]
pub(crate) use self::pushed::{Push, Pushed};
use super::fault::FsFault;
use super::{Attrs, FileKind, FsHandle, FsStat};
use crate::attr::{self, Object, Source, Template, View};

/// Receives the entries of a READDIR; it knows the client's limits and the attributes that the
/// client requests.
///
/// The file system pushes the entries after the cookie of the request, in the order of their
/// cookies, or without [`Capabilities::ordered_cookies`](super::Capabilities::ordered_cookies) in an
/// order of its own. It stops when one is refused as [`Full`], or calls [`DirWriter::end`] after the last
/// one. The client continues with the cookie of the last entry that it got. A listing that gets no
/// entry and is not full ends there, with or without [`DirWriter::end`]: the client would repeat
/// the same request forever.
///
/// An entry that breaks a rule below is left out,
/// [`Event::FileSystemFault`](crate::Event::FileSystemFault) reports it, and the listing continues:
///
/// * Its name has 1 to 255 bytes, not more than
///   [`Capabilities::max_name`](super::Capabilities::max_name), is neither "." nor "..", and
///   contains neither '/' nor NUL.
/// * Its cookie is at least 3, and another than that of the request and that of the entry before it;
///   with [`Capabilities::ordered_cookies`](super::Capabilities::ordered_cookies) it is greater.
/// * Its attributes keep the rules of [`FsOp`](super::FsOp).
///
/// A user without the right to search the directory learns the names of its entries and nothing
/// else: see [`DirWriter::conceal`].
pub struct DirWriter {
    w: Writer,
    max: usize,
    /// Distinguishes it from the writers of other requests.
    number: u32,
    /// The cookie of the last entry, or before that of the request; the next one must be another.
    last: u64,
    /// Number of bytes left out.
    left_out: usize,
    faults: Faults,
    requested: Bitmap,
    view: View,
    export: u16,
    /// From which entries are encoded; made for the first one, and boxed: a request is moved often.
    template: Option<Box<Template>>,
    /// Boxed: it is seldom needed.
    common: Option<Box<Common>>,
    concealed: bool,
    /// An entry could not be encoded without an attribute that the user may not see.
    denied: bool,
    refused: bool,
    end: bool,
}

/// The properties that all entries share.
#[derive(Default)]
struct Common {
    stat: Option<FsStat>,
    locations: Option<Box<[u8]>>,
    /// The files whose attributes may differ from the file system's, if the caller chose to
    /// remember them.
    files: Option<Vec<Listed>>,
    /// What the file system did, if that is recorded.
    #[cfg(feature = "record")]
    pushed: Option<Vec<Push>>,
}

/// A regular file among the entries.
struct Listed {
    fh: FsHandle,
    change: u64,
    size: u64,
    /// The offset of its fattr4.
    at: usize,
}

/// The faults of the entries left out, one bit for each of [`Faults::OF_ENTRIES`].
#[derive(Clone, Copy, Default)]
struct Faults(u8);

/// No further entry fits; the one that was refused is not in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl DirWriter {
    /// A writer for a READDIR4resok of at most `max` bytes with the entries after `cookie`; none if
    /// not even an empty one fits.
    pub(crate) fn new(
        max: usize,
        cookie: u64,
        requested: Bitmap,
        view: View,
        export: u16,
    ) -> Option<DirWriter> {
        if max < HEAD + TAIL {
            return None;
        }
        let mut w = Writer::with_capacity(max.min(FIRST_CAPACITY));
        // The verifier: cookies of any age are valid.
        w.u64(0);
        Some(DirWriter {
            w,
            max,
            number: 0,
            last: cookie,
            left_out: 0,
            faults: Faults::default(),
            requested,
            view,
            export,
            template: None,
            common: None,
            concealed: false,
            denied: false,
            refused: false,
            end: false,
        })
    }

    /// Adds the requested properties that all entries share.
    pub(crate) fn with(mut self, stat: Option<FsStat>, locations: Option<Box<[u8]>>) -> DirWriter {
        if stat.is_some() || locations.is_some() {
            self.common = Some(Box::new(Common {
                stat,
                locations,
                ..Common::default()
            }));
        }
        self
    }

    /// Sets the number that distinguishes it from the writers of other requests.
    pub(crate) fn numbered(mut self, number: u32) -> DirWriter {
        self.number = number;
        self
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Remembers files for [`DirWriter::retell`], up to a maximum.
    pub(crate) fn remembering(mut self) -> DirWriter {
        self.common.get_or_insert_default().files = Some(Vec::new());
        self
    }

    /// Whether it remembers files.
    pub(crate) fn remembers(&self) -> bool {
        let common = self.common.as_deref();
        common.is_some_and(|common| common.files.is_some())
    }

    /// Replaces change attribute and length of the remembered files by those of `tell`.
    ///
    /// # Errors
    /// The error of `tell`.
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
                attr::overwrite_change_and_size(&mut self.w, file.at, change, size);
            }
        }
        Ok(())
    }

    /// States that the user may list the directory and not search it. Attributes and handles of
    /// entries pushed from here on are hidden: the client gets the error that access to them is
    /// denied. If the client requests no attribute for that error, the whole listing fails with it.
    /// [RFC 8881 §18.23.3, §5.8.1.12]
    pub fn conceal(&mut self) {
        #[cfg(feature = "record")]
        self.note(|| Push::Conceal);
        self.concealed = true;
    }

    /// Adds an entry, or leaves it out if it breaks a rule.
    ///
    /// # Errors
    /// [`Full`] if it does not fit, may not be shown, or too much was left out; nothing can be
    /// added from then on.
    pub fn push(
        &mut self,
        cookie: u64,
        name: &[u8],
        fh: &FsHandle,
        attrs: &Attrs,
    ) -> Result<(), Full> {
        #[cfg(feature = "record")]
        self.note(|| Push::Entry {
            cookie,
            name: name.to_vec(),
            fh: *fh,
            attrs: *attrs,
        });
        if let Some(fault) = self.fault_of(cookie, name, attrs) {
            self.leave_out(name, fault);
            return if self.is_closed() { Err(Full) } else { Ok(()) };
        }
        let before = self.begin(cookie, name)?;
        if self.concealed {
            return self.keep_concealed(before, cookie);
        }
        let object = Object {
            export: self.export,
            handle: fh,
            attrs,
            // The root of a file system is in none of its directories.
            covers: None,
        };
        let at = self.w.len();
        let template = self
            .template
            .get_or_insert_with(|| Box::new(Template::new()));
        if !template.encode(&mut self.w, &object) {
            let common = self.common.as_deref();
            let source = Source {
                view: &self.view,
                object,
                stat: common.and_then(|common| common.stat.as_ref()),
                locations: common.and_then(|common| common.locations.as_deref()),
            };
            template.learn(&mut self.w, &self.requested, &source);
        }
        self.keep(before, cookie)?;
        if let Some(files) = self
            .common
            .as_mut()
            .and_then(|common| common.files.as_mut())
            && attrs.kind == FileKind::Regular
        {
            files.push(Listed {
                fh: *fh,
                change: attrs.change,
                size: attrs.size,
                at,
            });
            self.refused |= files.len() >= MAX_REMEMBERED;
        }
        Ok(())
    }

    /// Whether an entry whose attributes cannot be read says why. [RFC 8881 §5.8.1.12]
    pub(crate) fn tells_errors(&self) -> bool {
        self.requested.contains(num::RDATTR_ERROR)
    }

    /// Adds an entry whose attributes are not known here: another file system is mounted on it.
    pub(crate) fn push_unknown(
        &mut self,
        cookie: u64,
        name: &[u8],
        mounted_on: u64,
    ) -> Result<(), Full> {
        let before = self.begin(cookie, name)?;
        attr::encode_failed(
            &mut self.w,
            &self.requested,
            Status::DELAY,
            Some(mounted_on),
        );
        self.keep(before, cookie)
    }

    fn keep_concealed(&mut self, before: usize, cookie: u64) -> Result<(), Full> {
        let rdattr_error = Bitmap::of(&[num::RDATTR_ERROR]);
        let wanted = self.requested & self.view.served & !rdattr_error;
        if !wanted.is_empty() && !self.tells_errors() {
            self.w.truncate(before);
            (self.denied, self.refused) = (true, true);
            return Err(Full);
        }
        attr::encode_failed(&mut self.w, &self.requested, Status::ACCESS, None);
        self.keep(before, cookie)
    }

    fn begin(&mut self, cookie: u64, name: &[u8]) -> Result<usize, Full> {
        if self.is_closed() {
            return Err(Full);
        }
        let before = self.w.len();
        let mut head = [0; 16];
        head[3] = 1;
        head[4..12].copy_from_slice(&cookie.to_be_bytes());
        // At most 255 bytes.
        head[12..].copy_from_slice(&(name.len() as u32).to_be_bytes());
        self.w.raw(&head);
        self.w.fixed(name);
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

    /// Whether an entry may have this cookie, after the one before it.
    fn may_follow(&self, cookie: u64) -> bool {
        let grows = self.view.capabilities.ordered_cookies;
        cookie >= FIRST_COOKIE && cookie != self.last && (!grows || cookie > self.last)
    }

    /// The rule that an entry breaks, if any.
    fn fault_of(&self, cookie: u64, name: &[u8], attrs: &Attrs) -> Option<FsFault> {
        let longest = self.view.capabilities.max_name.min(MAX_NAME) as usize;
        let is_name = (1..=longest).contains(&name.len())
            && !matches!(name, b"." | b"..")
            && !has_slash_or_nul(name);
        if !is_name {
            Some(FsFault::Name)
        } else if !self.may_follow(cookie) {
            Some(FsFault::Cookie)
        } else if !attrs.are_sane() {
            Some(FsFault::Attributes)
        } else {
            None
        }
    }

    /// Leaves an entry out. Its bytes count, so that a file system that pushes only such entries
    /// comes to an end.
    #[cold]
    fn leave_out(&mut self, name: &[u8], fault: FsFault) {
        self.faults.add(fault);
        self.left_out = self.left_out.saturating_add(MIN_ENTRY + name.len());
    }

    /// Whether nothing can be added any more.
    fn is_closed(&self) -> bool {
        self.refused || self.left_out > self.max.max(MAX_LEFT_OUT)
    }

    /// States that the last entry of the directory was pushed.
    pub fn end(&mut self) {
        #[cfg(feature = "record")]
        self.note(|| Push::End);
        self.end = true;
    }

    /// The faults of the entries that were left out.
    pub(crate) fn faults(&self) -> impl Iterator<Item = FsFault> {
        let unended = !self.end && self.is_empty();
        let unended = unended.then_some(FsFault::Unended);
        self.faults.all().chain(unended)
    }

    /// Whether there is neither an entry nor one without room: the client would continue in vain.
    fn is_empty(&self) -> bool {
        !self.refused && self.w.len() == HEAD
    }

    /// Whether the directory ends behind the last entry.
    pub(super) fn has_ended(&self) -> bool {
        self.end && !self.is_closed() || self.is_empty()
    }

    /// The cookie of the last entry.
    #[cfg(all(feature = "__test", feature = "record"))]
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Returns the READDIR4resok.
    ///
    /// # Errors
    /// TOOSMALL if there are entries and not even the first one fits, ACCESS if the user may not
    /// see the requested attributes.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Status> {
        if self.denied {
            return Err(Status::ACCESS);
        }
        if self.refused && self.w.len() == HEAD {
            return Err(Status::TOOSMALL);
        }
        let ends = self.has_ended();
        self.w.bool(false);
        self.w.bool(ends);
        Ok(self.w.into_vec())
    }
}

impl Faults {
    /// The faults that an entry can have.
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

/// Whether a name contains a byte that no name may contain; eight bytes are looked at together.
fn has_slash_or_nul(name: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const SLASHES: u64 = u64::from_ne_bytes([b'/'; 8]);
    // The highest bit of a byte is set if the byte is zero, or if a lower byte is.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & ONES << 7;
    let (words, rest) = name.as_chunks::<8>();
    words.iter().any(|word| {
        let word = u64::from_ne_bytes(*word);
        zeros(word) | zeros(word ^ SLASHES) != 0
    }) || rest.iter().any(|byte| matches!(byte, b'/' | 0))
}

impl fmt::Debug for DirWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirWriter")
            .field("number", &self.number)
            .field("len", &self.w.len())
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

/// Length of the verifier, in bytes.
const HEAD: usize = 8;
/// Length of the end, in bytes: no further entry, and whether the directory ends here.
const TAIL: usize = 8;
/// Minimum length of an entry, in bytes: its presence, its cookie, the length of its name, and no
/// attributes.
const MIN_ENTRY: usize = 24;
/// Maximum number of bytes left out; beyond it a writer is full, even if it has room.
const MAX_LEFT_OUT: usize = 64 << 10;
/// NFS reserves the cookies 0 to 2. [RFC 8881 §18.23.3]
const FIRST_COOKIE: u64 = 3;
/// Maximum length of a name, in bytes, whatever the file system states.
pub(crate) const MAX_NAME: u32 = 255;
/// Maximum number of files remembered, which are processed under the engine's lock.
const MAX_REMEMBERED: usize = 2_048;
/// Initial capacity, in bytes; clients request much more than most directories need.
const FIRST_CAPACITY: usize = 4096;
