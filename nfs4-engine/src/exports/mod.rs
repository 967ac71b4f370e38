//! The exports: file systems, each at its path, under one tree. [RFC 8881 §7]

mod pseudo;
mod squash;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

pub(crate) use self::pseudo::PseudoFs;
pub use self::squash::Squash;
use self::squash::Squashed;
use crate::attr::{self, View};
use crate::config::Config;
use crate::fh::Fh;
use crate::fs::{AccessMask, Backend, Capabilities, Creation, Credential, FsError, FsHandle, FsOp};
use crate::map::Keyed;

/// A file system to serve, and the way to serve it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Export {
    /// The path at which clients find it: "/" for a server of one file system, else a path such as
    /// "/srv/data". No export lies within another.
    pub path: String,
    /// The file system.
    pub backend: Arc<dyn Backend>,
    /// Whether every request that would change it is refused.
    pub read_only: bool,
    /// The users whose requests are made on behalf of [`Credential::NOBODY`].
    pub squash: Squash,
}

/// The reason for which a list of exports cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportFault {
    /// The list is empty.
    #[error("there is nothing to export")]
    Empty,
    /// The list has more exports than there are export numbers.
    #[error("there are more than {MAX_EXPORTS} exports")]
    TooMany,
    /// A path does not begin with '/', or has a part that is empty, ".", ".." or too long.
    #[error("\"{0}\" is not an absolute path of plain names")]
    Path(String),
    /// Two exports are the same directory, or one lies within the other.
    #[error("\"{0}\" and \"{1}\" overlap")]
    Overlap(String, String),
    /// One file system is at two paths: each of its files would have two filehandles, and opens and
    /// locks under one would not conflict with those under the other.
    #[error("\"{0}\" and \"{1}\" are one file system")]
    Shared(String, String),
    /// The file system has no names: [`Capabilities::max_name`] is zero.
    #[error("\"{0}\" has no names: max_name is 0")]
    Nameless(String),
    /// [`Capabilities::time_granularity`] is zero or more than a second.
    #[error("\"{0}\" has times of {1} nanoseconds, but it must be from 1 to 1000000000")]
    Times(String, u32),
}

/// An export, with the constant properties of its file system.
pub(crate) struct Served {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) capabilities: Capabilities,
    pub(crate) root: Fh,
    /// The fileid of the directory that it covers, if there are directories above it.
    covers: Option<u64>,
    path: String,
    fsid: (u64, u64),
    read_only: bool,
    is_private: bool,
    squash: Squash,
}

/// All exports.
pub(crate) struct Exports {
    list: Vec<Served>,
    /// The directories that lead to the exports; none if one is at "/".
    pseudo: Option<PseudoFs>,
    squashed: Squashed,
    /// The squashing that every export applies at least.
    squash: Squash,
}

/// The way that a request to a file system takes.
pub(crate) enum Route<'a> {
    /// To the backend, on behalf of this user.
    Backend(Arc<dyn Backend>, Arc<Credential>),
    /// To the directories above the exports.
    Pseudo(&'a PseudoFs),
    /// To none, because of this error.
    Refused(FsError),
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("path", &self.path)
            .field("read_only", &self.read_only)
            .field("squash", &self.squash)
            .finish_non_exhaustive()
    }
}

impl Export {
    /// This export, after `set` has set some of its fields.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Export)) -> Export {
        set(&mut self);
        self
    }

    /// A file system at a path, writable and without squashing.
    pub fn new(path: impl Into<String>, backend: Arc<dyn Backend>) -> Export {
        Export {
            path: path.into(),
            backend,
            read_only: false,
            squash: Squash::None,
        }
    }
}

impl Exports {
    /// # Errors
    /// All faults of the list.
    pub(crate) fn new(list: Vec<Export>, keyed: Keyed) -> Result<Exports, Vec<ExportFault>> {
        if list.is_empty() {
            return Err(alloc::vec![ExportFault::Empty]);
        }
        if list.len() > usize::from(MAX_EXPORTS) {
            return Err(alloc::vec![ExportFault::TooMany]);
        }
        let mut faults: Vec<ExportFault> = shared(&list).collect();
        let pseudo = match list.as_slice() {
            [only] if only.path == "/" => None,
            several => {
                let paths = several.iter().map(|export| export.path.as_str());
                PseudoFs::new(paths, keyed)
                    .map_err(|wrong| faults.extend(wrong))
                    .ok()
            }
        };
        let covered = |number| pseudo.as_ref().and_then(|pseudo| pseudo.covered(number));
        let list: Vec<Served> = (0..)
            .zip(list)
            .map(|(number, export)| Served::new(number, export, covered(number)))
            .collect();
        faults.extend(list.iter().flat_map(Served::faults));
        if !faults.is_empty() {
            return Err(faults);
        }
        let squash = list.iter().map(|served| served.squash).min();
        Ok(Exports {
            list,
            pseudo,
            squashed: Squashed::new(),
            squash: squash.unwrap_or_default(),
        })
    }

    /// The filehandle that PUTROOTFH sets.
    pub(crate) fn root(&self) -> Fh {
        match &self.pseudo {
            Some(pseudo) => Fh {
                export: PSEUDO,
                handle: pseudo.root(),
            },
            // Without a tree above it, there is one export.
            None => self.list.first().map_or(NOWHERE, |only| only.root),
        }
    }

    pub(crate) fn get(&self, export: u16) -> Option<&Served> {
        self.list.get(usize::from(export))
    }

    /// The capabilities of the file system of an export.
    pub(crate) fn capabilities(&self, export: u16) -> Option<Capabilities> {
        match self.get(export) {
            Some(served) => Some(served.capabilities),
            None if export == PSEUDO && self.pseudo.is_some() => Some(pseudo::CAPABILITIES),
            None => None,
        }
    }

    /// The properties that all objects of an export share.
    pub(crate) fn view(&self, export: u16, config: &Config, minor: u32) -> Option<View> {
        let fsid = match self.get(export) {
            Some(served) => served.fsid,
            None => PSEUDO_FSID,
        };
        Some(View {
            capabilities: self.capabilities(export)?,
            fsid,
            // At least one second, by the range of the setting.
            lease_seconds: u32::try_from(config.lease.as_secs()).unwrap_or(u32::MAX),
            max_io: config.max_io,
            served: attr::supported(minor, config),
            returned: attr::returned(minor, config),
        })
    }

    /// Whether the file system of an export has no users besides this server: only then are its files
    /// delegated.
    pub(crate) fn is_private(&self, export: u16) -> bool {
        self.get(export).is_some_and(|served| served.is_private)
    }

    /// The paths of the exports, in the order of the list.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|served| served.path.as_str())
    }

    /// The path of an export; "/" for the directories above the exports.
    pub(crate) fn path(&self, export: u16) -> &str {
        self.get(export).map_or("/", |served| &served.path)
    }

    /// Goes from the directory that an export covers to the root of the export.
    pub(crate) fn descend(&self, fh: Fh) -> Fh {
        let covered = self.pseudo.as_ref().filter(|_| fh.export == PSEUDO);
        let export = covered.and_then(|pseudo| pseudo.export_at(&fh.handle));
        export
            .and_then(|export| self.get(export))
            .map_or(fh, |served| served.root)
    }

    /// Goes from the root of an export to the directory above it.
    pub(crate) fn ascend(&self, fh: &Fh) -> Option<Fh> {
        let pseudo = self.pseudo.as_ref()?;
        let served = self.get(fh.export).filter(|served| served.root == *fh)?;
        let handle = pseudo.above(served.root.export)?;
        Some(Fh {
            export: PSEUDO,
            handle,
        })
    }

    /// `mounted_on_fileid` of the root of an export: the fileid of the directory that it covers, as
    /// a listing of the directory above shows it. [RFC 8881 §5.8.2.23]
    pub(crate) fn mounted_on(&self, fh: &Fh) -> Option<u64> {
        let served = self.get(fh.export)?;
        let covers = served.covers?;
        (served.root == *fh).then_some(covers)
    }

    /// Finds the way of a request, under the rules of the export.
    pub(crate) fn route(&mut self, export: u16, cred: &Arc<Credential>, op: &FsOp) -> Route<'_> {
        match (self.list.get(usize::from(export)), &self.pseudo) {
            (Some(served), _) if served.read_only && mutates(op) => {
                Route::Refused(FsError::ReadOnly)
            }
            (Some(served), _) => {
                let user = self.squashed.user(served.squash, cred);
                Route::Backend(Arc::clone(&served.backend), user)
            }
            (None, Some(pseudo)) if export == PSEUDO => Route::Pseudo(pseudo),
            (None, _) => Route::Refused(FsError::Stale),
        }
    }

    /// The user that an export's file system sees for a credential.
    pub(crate) fn acts_as(&mut self, export: u16, cred: &Arc<Credential>) -> Arc<Credential> {
        match self.list.get(usize::from(export)) {
            Some(served) => self.squashed.user(served.squash, cred),
            None => Arc::clone(cred),
        }
    }

    /// The user that a request counts for: [`Credential::NOBODY`] if every export squashes its
    /// user.
    pub(crate) fn user(&self, cred: &Credential) -> u32 {
        if self.squash.takes(cred) {
            Credential::NOBODY
        } else {
            cred.uid
        }
    }

    /// Whether a file of an export can have this length.
    pub(crate) fn fits(&self, export: u16, length: u64) -> bool {
        let capabilities = self.capabilities(export);
        // An export without regular files refuses the request itself.
        let most = capabilities.map_or(0, |found| found.max_file_size);
        most == 0 || length <= most
    }

    /// The rights that an export can grant at all.
    pub(crate) fn rights(&self, export: u16) -> AccessMask {
        match self.get(export) {
            Some(served) if !served.read_only => ALL_RIGHTS,
            _ => AccessMask::READ
                .union(AccessMask::LOOKUP)
                .union(AccessMask::EXECUTE),
        }
    }
}

impl Served {
    fn new(number: u16, export: Export, covers: Option<u64>) -> Served {
        let Export {
            path,
            backend,
            read_only,
            squash,
        } = export;
        let root = Fh {
            export: number,
            handle: backend.root(),
        };
        let capabilities = backend.capabilities();
        let is_private = backend.is_private();
        let fsid = (u64::from(number) + 1, 0);
        Served {
            backend,
            capabilities,
            root,
            covers,
            path,
            fsid,
            read_only,
            is_private,
            squash,
        }
    }

    /// The faults in the properties that the file system states.
    fn faults(&self) -> impl Iterator<Item = ExportFault> {
        let Capabilities {
            max_name,
            time_granularity,
            ..
        } = self.capabilities;
        let nameless = (max_name == 0).then(|| ExportFault::Nameless(self.path.clone()));
        let coarse = !(1..=1_000_000_000).contains(&time_granularity);
        let times = coarse.then(|| ExportFault::Times(self.path.clone(), time_granularity));
        nameless.into_iter().chain(times)
    }
}

/// The exports that serve the same file system as an earlier one.
fn shared(list: &[Export]) -> impl Iterator<Item = ExportFault> {
    list.iter().enumerate().filter_map(|(at, export)| {
        let earlier = list.get(..at)?;
        let is_same = |other: &&Export| Arc::ptr_eq(&other.backend, &export.backend);
        let other = earlier.iter().find(is_same)?;
        Some(ExportFault::Shared(other.path.clone(), export.path.clone()))
    })
}

/// Whether a request changes anything.
fn mutates(op: &FsOp) -> bool {
    match op {
        FsOp::SetAttrs { .. }
        | FsOp::Write { .. }
        | FsOp::Create { .. }
        | FsOp::Link { .. }
        | FsOp::Remove { .. }
        | FsOp::Rename { .. } => true,
        // An open that must not create a file is submitted with `Creation::No`.
        FsOp::Open { how, .. } => how.write || how.create != Creation::No,
        FsOp::GetAttrs { .. }
        | FsOp::Access { .. }
        | FsOp::Lookup { .. }
        | FsOp::LookupParent { .. }
        | FsOp::ReadDir { .. }
        | FsOp::ReadLink { .. }
        | FsOp::Read { .. }
        | FsOp::Commit { .. } => false,
    }
}

/// The export number of the directories above the exports.
const PSEUDO: u16 = u16::MAX;
const PSEUDO_FSID: (u64, u64) = (0, 0);
const MAX_EXPORTS: u16 = 1024;
const ALL_RIGHTS: AccessMask = AccessMask(0x3f);
/// A filehandle that names nothing.
const NOWHERE: Fh = Fh {
    export: PSEUDO,
    handle: FsHandle::EMPTY,
};
