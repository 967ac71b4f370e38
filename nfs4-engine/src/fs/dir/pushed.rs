//! What a file system did with a [`DirWriter`], for a log from which a listing is repeated.

use alloc::vec::Vec;

use nfs4_proto::nfs4::attr::Bitmap;

use super::{Attrs, DirWriter, FsHandle};
use crate::attr::View;
use crate::fs::Capabilities;

/// One call of a file system.
#[expect(clippy::large_enum_variant, reason = "nearly all are entries")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// [`DirWriter::push`]
    Entry {
        cookie: u64,
        name: Vec<u8>,
        fh: FsHandle,
        attrs: Attrs,
    },
    /// [`DirWriter::conceal`]
    Conceal,
    /// [`DirWriter::end`]
    End,
}

/// What a log keeps of a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    pub(crate) number: u32,
    /// Maximum length in bytes.
    pub(crate) max: u64,
    pub(crate) requested: Bitmap,
    pub(crate) pushed: Vec<Push>,
}

impl DirWriter {
    /// Notes all calls from now on.
    pub(crate) fn note_pushes(&mut self) {
        let common = self.common.get_or_insert_default();
        common.pushed.get_or_insert_default();
    }

    #[inline]
    pub(super) fn note(&mut self, push: impl FnOnce() -> Push) {
        let common = self.common.as_deref_mut();
        if let Some(pushed) = common.and_then(|common| common.pushed.as_mut()) {
            pushed.push(push());
        }
    }

    fn pushed(&self) -> &[Push] {
        let common = self.common.as_deref();
        let pushed = common.and_then(|common| common.pushed.as_deref());
        pushed.unwrap_or_default()
    }

    pub(crate) fn listing(&self) -> Pushed {
        Pushed {
            number: self.number,
            max: self.max as u64,
            requested: self.requested,
            pushed: self.pushed().to_vec(),
        }
    }

    /// A writer as a log has it, which only carries what was pushed.
    pub(crate) fn of(listing: Pushed) -> Option<DirWriter> {
        let view = View {
            capabilities: Capabilities {
                hard_links: false,
                symlinks: false,
                case_insensitive: false,
                case_preserving: false,
                max_name: 0,
                max_links: 0,
                max_file_size: 0,
                time_granularity: 1,
                ordered_cookies: true,
                local_locks: false,
            },
            counts_changes: true,
            fsid: 0,
            lease_seconds: 0,
            max_io: 0,
            served: Bitmap::default(),
            returned: Bitmap::default(),
        };
        let max = usize::try_from(listing.max).ok()?;
        let mut writer = DirWriter::new(max, 0, listing.requested, view, 0)?;
        writer.number = listing.number;
        writer.common.get_or_insert_default().pushed = Some(listing.pushed);
        Some(writer)
    }

    /// Repeats the calls that another writer has noted.
    pub(crate) fn repeat(&mut self, other: &DirWriter) {
        for push in other.pushed() {
            match push {
                Push::Entry {
                    cookie,
                    name,
                    fh,
                    attrs,
                } => {
                    // A file system may go on after an entry that was refused.
                    let _ = DirWriter::push(self, *cookie, name, fh, attrs);
                }
                Push::Conceal => self.conceal(),
                Push::End => self.end(),
            }
        }
    }

    /// Changes the names that were noted.
    pub fn rename_pushed(&mut self, mut rename: impl FnMut(&mut [u8])) {
        let common = self.common.as_deref_mut();
        let pushed = common.and_then(|common| common.pushed.as_mut());
        for push in pushed.into_iter().flatten() {
            if let Push::Entry { name, .. } = push {
                rename(name);
            }
        }
    }
}
