//! The exports: file systems, each at its path, under one tree. [RFC 8881 §7]

mod change;
mod plan;
mod pseudo;
mod served;
mod squashed;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::net::IpAddr;

pub(crate) use self::change::{Changed, Pass, Purpose};
use self::pseudo::PseudoFs;
pub(crate) use self::served::Served;
use self::squashed::Squashed;
use crate::attr::{self, View};
use crate::config::Config;
use crate::export::{Export, ExportFault};
use crate::export_set::ExportSet;
use crate::fh::Fh;
use crate::fs::{
    AccessMask, Backend, Capabilities, Creation, Credential, Flavor, FsError, FsHandle, FsOp,
    FsResult, Guarded,
};
use crate::map::Keyed;
use crate::squash::Squash;
use crate::terms::{Barrier, Terms};

/// All exports.
pub(crate) struct Exports {
    /// Of each number, the place in the list.
    by_number: Vec<u16>,
    list: Vec<Option<Served>>,
    /// The numbers that exports have had since the start.
    numbers: ExportSet,
    /// What the write verifier counts from under the numbers of exports that have ended.
    lost: BTreeMap<u16, u64>,
    /// The directories that lead to the exports; none if one is at "/".
    pseudo: Option<PseudoFs>,
    squashed: Squashed,
    /// The least squashing that any export has applied since the start.
    squash: Squash,
    /// Number of changes since the start.
    changes: u32,
    /// Whether an export has networks.
    has_rules: bool,
    epoch: u32,
    keyed: Keyed,
    /// The search for state that has to end or to be recalled.
    pass: Pass,
}

/// The peer of a request, as far as it decides which exports there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer {
    /// None if it is not known any more.
    pub(crate) host: Option<IpAddr>,
    pub(crate) minor: u32,
}

/// The way that a request to a file system takes.
pub(crate) enum Route {
    /// To the backend, on behalf of this user.
    Backend(Arc<dyn Backend>, Arc<Credential>),
    /// To the directories above the exports.
    Pseudo,
    /// To none, because of this error.
    Refused(FsError),
}

impl Exports {
    /// # Errors
    /// All faults of the list.
    pub(crate) fn new(
        list: Vec<Export>,
        epoch: u32,
        keyed: Keyed,
    ) -> Result<Exports, Vec<ExportFault>> {
        if list.is_empty() {
            return Err(alloc::vec![ExportFault::Empty]);
        }
        let mut exports = Exports {
            by_number: Vec::new(),
            list: Vec::new(),
            numbers: ExportSet::default(),
            lost: BTreeMap::new(),
            pseudo: None,
            squashed: Squashed::new(),
            squash: Squash::All,
            changes: 0,
            has_rules: false,
            epoch,
            keyed,
            pass: Pass::default(),
        };
        let numbered = |(place, export): (usize, Export)| Export {
            number: export.number.or(u16::try_from(place).ok()),
            ..export
        };
        let list = list.into_iter().enumerate().map(numbered).collect();
        let plan = exports.plan(list)?;
        exports.carry_out(plan);
        Ok(exports)
    }

    /// The filehandle that PUTROOTFH sets.
    pub(crate) fn root(&self) -> Fh {
        match &self.pseudo {
            Some(pseudo) => Fh {
                export: PSEUDO,
                handle: pseudo.root(),
            },
            // Without a tree above it, there is one export.
            None => self.all().next().map_or(NOWHERE, |only| only.root),
        }
    }

    /// The export with a number, if it is served.
    #[inline]
    pub(crate) fn get(&self, export: u16) -> Option<&Served> {
        self.find(export).filter(|served| !served.is_ending())
    }

    /// The export with a number, also one that is removed and ends.
    #[inline]
    fn find(&self, export: u16) -> Option<&Served> {
        let place = *self.by_number.get(usize::from(export))?;
        self.list.get(usize::from(place))?.as_ref()
    }

    #[inline]
    fn find_mut(&mut self, export: u16) -> Option<&mut Served> {
        let place = *self.by_number.get(usize::from(export))?;
        self.list.get_mut(usize::from(place))?.as_mut()
    }

    /// All exports that are served or end, in the order of their numbers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Served> {
        let places = self.by_number.iter();
        places.filter_map(|place| self.list.get(usize::from(*place))?.as_ref())
    }

    /// The file system of an export, also of one that is removed, as long as requests use it.
    pub(crate) fn backend(&self, export: u16) -> Option<Arc<dyn Backend>> {
        self.find(export)
            .map(|served| Arc::clone(&served.export.backend))
    }

    /// Whether an export is not for all hosts in the same way.
    pub(crate) fn has_rules(&self) -> bool {
        self.has_rules
    }

    /// Number of changes since the start; it wraps.
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }

    /// The terms of an export that serves every host in every minor version.
    #[inline]
    pub(crate) fn plain_terms(&self, export: u16) -> Option<Terms> {
        match self.get(export) {
            Some(served) => served.is_plain.then_some(served.terms),
            None if self.is_pseudo(export) => Some(PSEUDO_TERMS),
            None => None,
        }
    }

    /// The terms of a peer.
    ///
    /// # Errors
    /// There is no such export, or not for the peer.
    pub(crate) fn terms(&self, export: u16, viewer: Viewer) -> Result<Terms, Barrier> {
        let Some(served) = self.get(export) else {
            return match self.plain_terms(export) {
                Some(terms) => Ok(terms),
                None => Err(Barrier::Gone),
            };
        };
        if !served.is_served_in(viewer.minor) {
            return Err(Barrier::Denied);
        }
        served.terms_of(viewer.host).ok_or(Barrier::Denied)
    }

    /// The terms of a host for an export, whatever the minor version; none if there is no such export.
    pub(crate) fn terms_of_host(&self, export: u16, host: Option<IpAddr>) -> Option<Option<Terms>> {
        self.get(export).map(|served| served.terms_of(host))
    }

    /// Whether an export is served in a minor version.
    pub(crate) fn is_served_in(&self, export: u16, minor: u32) -> bool {
        let served = self.get(export);
        served.is_none_or(|served| served.is_served_in(minor))
    }

    /// Whether the objects of an export may be used with a credential of this flavour. The directories above
    /// the exports, where clients ask for the flavours of each, have all.
    pub(crate) fn accepts(&self, export: u16, flavor: Flavor) -> bool {
        self.get(export).is_none_or(|served| served.accepts(flavor))
    }

    /// The flavours that an export is served to, the best first.
    pub(crate) fn flavors(&self, export: u16) -> &[Flavor] {
        self.get(export)
            .map_or(&[Flavor::Sys, Flavor::None], |served| {
                &served.export.flavors
            })
    }

    #[inline]
    fn is_pseudo(&self, export: u16) -> bool {
        export == PSEUDO && self.pseudo.is_some()
    }

    /// The capabilities of the file system of an export.
    pub(crate) fn capabilities(&self, export: u16) -> Option<Capabilities> {
        match self.get(export) {
            Some(served) => Some(served.capabilities),
            None => self.is_pseudo(export).then_some(pseudo::CAPABILITIES),
        }
    }

    /// The properties that all objects of an export share.
    pub(crate) fn view(&self, export: u16, config: &Config, minor: u32) -> Option<View> {
        let served = self.get(export);
        // What other processes change is told by the time of that, and the clock may be set back: a client that
        // took it for a counter would take new attributes for old ones until the time comes again.
        let counts_changes = served.is_none_or(|served| served.guarded == Guarded::Private);
        let fsid = served.map_or(PSEUDO_FSID, |served| served.fsid);
        Some(View {
            capabilities: self.capabilities(export)?,
            counts_changes,
            fsid,
            // At least one second, by the range of the setting.
            lease_seconds: u32::try_from(config.lease.as_secs()).unwrap_or(u32::MAX),
            max_io: config.max_io,
            served: attr::supported(minor, config),
            returned: attr::returned(minor, config),
        })
    }

    /// What keeps other processes from delegated files of an export.
    pub(crate) fn guarded(&self, export: u16) -> Guarded {
        self.get(export)
            .map_or(Guarded::Not, |served| served.guarded)
    }

    /// Whether the file system of an export has part in locks of byte ranges.
    pub(crate) fn has_local_locks(&self, export: u16) -> bool {
        self.get(export)
            .is_some_and(|served| served.capabilities.local_locks)
    }

    /// The path of an export; "/" for the directories above the exports.
    pub(crate) fn path(&self, export: u16) -> &str {
        self.get(export).map_or("/", |served| &served.export.path)
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
        let served = self.get(fh.export).filter(|served| served.root == *fh)?;
        Some(Fh {
            export: PSEUDO,
            handle: served.above?,
        })
    }

    /// `mounted_on_fileid` of the root of an export: the fileid of the directory that it covers, as
    /// a listing of the directory above shows it. [RFC 8881 §5.8.2.23]
    pub(crate) fn mounted_on(&self, fh: &Fh) -> Option<u64> {
        let served = self.get(fh.export)?;
        let covers = served.covers?;
        (served.root == *fh).then_some(covers)
    }

    /// Finds the way of a request, on these terms.
    #[inline]
    pub(crate) fn route(
        &mut self,
        export: u16,
        terms: Terms,
        cred: &Arc<Credential>,
        op: &FsOp,
    ) -> Route {
        let place = self.by_number.get(usize::from(export));
        let served = place.and_then(|place| self.list.get(usize::from(*place))?.as_ref());
        match served.filter(|served| !served.is_ending()) {
            Some(_) if terms.read_only && mutates(op) => Route::Refused(FsError::ReadOnly),
            Some(served) => {
                let user = self.squashed.user(terms.squash, &served.anonymous, cred);
                Route::Backend(Arc::clone(&served.export.backend), user)
            }
            None if self.is_pseudo(export) => Route::Pseudo,
            None => Route::Refused(FsError::Stale),
        }
    }

    /// Answers a request to the directories above the exports. Returns the number of steps as well.
    pub(crate) fn answer(&self, op: FsOp, viewer: Viewer) -> (FsResult, usize) {
        let Some(pseudo) = &self.pseudo else {
            return (Err(FsError::Stale), 0);
        };
        let steps = Cell::new(0);
        let result = pseudo.answer(op, &|export| {
            steps.set(steps.get() + 1 + self.networks_of(export));
            self.terms(export, viewer).is_ok()
        });
        (result, steps.get() / NETWORKS_PER_STEP)
    }

    /// Number of steps to find out whether an export is for a host.
    pub(crate) fn steps_to_terms(&self, export: u16) -> usize {
        self.networks_of(export) / NETWORKS_PER_STEP
    }

    fn networks_of(&self, export: u16) -> usize {
        self.get(export)
            .map_or(0, |served| served.export.access.len())
    }

    /// The user that an export's file system sees for a credential, on these terms.
    pub(crate) fn acts_as(
        &mut self,
        export: u16,
        terms: Terms,
        cred: &Arc<Credential>,
    ) -> Arc<Credential> {
        let place = self.by_number.get(usize::from(export));
        let served = place.and_then(|place| self.list.get(usize::from(*place))?.as_ref());
        match served {
            Some(served) => self.squashed.user(terms.squash, &served.anonymous, cred),
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

    /// What the write verifier counts when the file system of an export says how often it has lost bytes. One
    /// that takes the place of another under its number begins to count anew, and may not know what the other
    /// one has lost: no value of the other one comes again. [RFC 8881 §18.32.3]
    pub(crate) fn losses_of(&mut self, export: u16, losses: u64) -> u64 {
        let Some(served) = self.find_mut(export) else {
            return losses;
        };
        let lost = served.lost_before.wrapping_add(losses);
        served.most_lost = served.most_lost.max(lost);
        lost
    }

    /// Its file system is asked something.
    #[inline]
    pub(crate) fn asked(&mut self, export: u16) {
        if let Some(served) = self.find_mut(export) {
            served.asked += 1;
        }
    }
}

impl Terms {
    /// The rights that can be granted at all.
    pub(crate) fn rights(self) -> AccessMask {
        if self.read_only {
            AccessMask::READ
                .union(AccessMask::LOOKUP)
                .union(AccessMask::EXECUTE)
        } else {
            ALL_RIGHTS
        }
    }
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
        | FsOp::Commit { .. }
        | FsOp::Lease { .. }
        | FsOp::Lock { .. }
        | FsOp::TestLock { .. } => false,
    }
}

/// The export number of the directories above the exports.
const PSEUDO: u16 = u16::MAX;
const PSEUDO_FSID: u64 = 0;
const PSEUDO_TERMS: Terms = Terms {
    read_only: true,
    squash: Squash::None,
};
const ALL_RIGHTS: AccessMask = AccessMask(0x3f);
/// Number of networks that are compared with a host for one step of the walk.
const NETWORKS_PER_STEP: usize = 64;
/// A filehandle that names nothing.
const NOWHERE: Fh = Fh {
    export: PSEUDO,
    handle: FsHandle::EMPTY,
};
