//! What the methods of a [`FileSystem`](super::FileSystem) answer.

use alloc::boxed::Box;
use core::fmt;

use bytes::Bytes;

use super::{Attrs, FsHandle, Payload, Stability};

/// The bytes of a read.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// The bytes.
    pub payload: Payload,
    /// They reach the end of the file.
    pub eof: bool,
}

impl Data {
    /// Bytes, and whether they reach the end of the file.
    pub fn new(bytes: impl Into<Bytes>, eof: bool) -> Data {
        let mut payload = Payload::new();
        payload.push(bytes.into());
        Data { payload, eof }
    }

    /// At most `count` bytes from `offset` of a file with this content, which is not copied.
    pub fn part_of(content: &Bytes, offset: u64, count: u32) -> Data {
        let start = usize::try_from(offset).map_or(content.len(), |at| at.min(content.len()));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let end = start.saturating_add(count).min(content.len());
        Data::new(content.slice(start..end), end == content.len())
    }
}

/// The success of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Number of bytes written, from the first.
    pub count: u32,
    /// Their durability, at least as requested.
    pub stability: Stability,
}

impl Written {
    /// All of `data` is written, and durable: no [`FileSystem::commit`](super::FileSystem::commit)
    /// follows.
    pub fn durable(data: &[u8]) -> Written {
        Written {
            count: u32::try_from(data.len()).unwrap_or(u32::MAX),
            stability: Stability::File,
        }
    }
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name: 1 to 255 bytes, neither "." nor "..", without '/' and NUL.
    pub name: Bytes,
    /// The object.
    pub fh: FsHandle,
    /// Its attributes.
    pub attrs: Attrs,
}

impl Entry {
    /// The entry of this name.
    pub fn new(name: impl Into<Bytes>, fh: FsHandle, attrs: Attrs) -> Entry {
        Entry {
            name: name.into(),
            fh,
            attrs,
        }
    }

    /// The object, as [`FileSystem::lookup`](super::FileSystem::lookup) answers it.
    pub fn object(&self) -> (FsHandle, Attrs) {
        (self.fh, self.attrs)
    }
}

/// Entries of a directory, as an iterator.
///
/// A client lists a directory in parts; each part continues after the cookie of an entry.
pub struct Entries {
    entries: Listing,
}

/// How the entries come.
pub(super) type Iter<T> = Box<dyn Iterator<Item = T> + Send>;

/// The entries, with the file system's cookies or without.
pub enum Listing {
    /// All entries, in any order; the adapter gives them cookies.
    All(Iter<Entry>),
    /// The entries after a cookie, each with its own, in their order.
    Page {
        /// The entries.
        entries: Iter<(u64, Entry)>,
        /// There are more after the last one.
        more: bool,
    },
}

impl Entries {
    /// All entries of the directory, in any order, for a file system that has no cookies.
    ///
    /// The adapter gives each entry a cookie that depends on its handle, so that a listing stays
    /// complete while entries come, go and are renamed; of several names of one object, which have
    /// the same handle, one that is renamed may be missed. It sorts all entries for each part of a
    /// listing: a directory of many thousands of entries should have cookies of its own.
    pub fn all<I>(entries: I) -> Entries
    where
        I: IntoIterator<Item = Entry>,
        I::IntoIter: Send + 'static,
    {
        Entries {
            entries: Listing::All(Box::new(entries.into_iter())),
        }
    }

    /// Entries after the requested cookie, each with its own, in the order of their cookies.
    ///
    /// A cookie is at least 3, and stays valid while entries come and go; an entry keeps its cookie.
    /// The iterator is advanced only while the client has room: it may be lazy and long.
    ///
    /// If there are `more` after the last one, the file system is asked again with its cookie, as
    /// long as the client has room.
    pub fn page<I>(entries: I, more: bool) -> Entries
    where
        I: IntoIterator<Item = (u64, Entry)>,
        I::IntoIter: Send + 'static,
    {
        Entries {
            entries: Listing::Page {
                entries: Box::new(entries.into_iter()),
                more,
            },
        }
    }

    /// For the adapter: the entries.
    pub fn into_listing(self) -> Listing {
        self.entries
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listing::All(_) => f.write_str("All(..)"),
            Listing::Page { more, .. } => f
                .debug_struct("Page")
                .field("more", more)
                .finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_file_ends_where_the_file_does() {
        let file = Bytes::from_static(b"0123456789");
        for (offset, count, bytes, eof) in [
            (0, 4, &b"0123"[..], false),
            (6, 4, b"6789", true),
            (6, 9, b"6789", true),
            (10, 1, b"", true),
            (u64::MAX, u32::MAX, b"", true),
            (3, 0, b"", false),
        ] {
            let data = Data::part_of(&file, offset, count);
            assert_eq!((&data.payload.to_vec()[..], data.eof), (bytes, eof));
        }
    }
}
