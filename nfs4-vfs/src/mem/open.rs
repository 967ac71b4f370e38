//! OPEN: finding or making a file, checking rights, and holding it.

use std::sync::Arc;

use nfs4_engine::fs::{
    Creation, DirChange, FileKind, FsError, FsHandle, FsReply, FsResult, OpenHow, Opened, Rights,
    SetAttrs, Target,
};

use super::content::Content;
use super::directory::Entries;
use super::inode::{Body, Inode, Meta};
use super::names::searched;
use super::{Caller, MemFs, check_name, in_directory, no_change};

impl MemFs {
    pub(super) fn open(&self, caller: &Caller<'_>, target: Target, how: &OpenHow) -> FsResult {
        match target {
            Target::Handle(fh) => {
                if how.create != Creation::No {
                    return Err(FsError::Invalid);
                }
                let inode = self.inode(&fh)?;
                self.hold(&inode, false, DirChange::default(), |meta| {
                    check(caller, meta, how)
                })
            }
            Target::Name { dir, name } => {
                check_name(&name)?;
                self.open_name(caller, &*self.inode(&dir)?, &name, how)
            }
        }
    }

    pub(super) fn release_hold(&self, fh: &FsHandle) {
        let Ok(inode) = self.inode(fh) else {
            return;
        };
        {
            let mut meta = inode.meta();
            let Some(holds) = meta.holds.checked_sub(1) else {
                debug_assert!(false, "released a file that is not held");
                return;
            };
            meta.holds = holds;
        }
        drop(self.forget_if_gone(&inode));
    }

    fn open_name(&self, caller: &Caller<'_>, dir: &Inode, name: &[u8], how: &OpenHow) -> FsResult {
        let directory = searched(dir)?;
        in_directory(caller, &dir.meta(), Rights::EXECUTE)?;
        {
            // Most names exist. While the name does, its file is not removed, so the lock is kept
            // until the file is held.
            let entries = directory.read()?;
            if let Some(found) = entries.find(name) {
                return self.open_found(caller, dir, found, how);
            }
        }
        if how.create == Creation::No {
            return Err(FsError::NotFound);
        }
        let mut entries = directory.write()?;
        if let Some(found) = entries.find(name) {
            return self.open_found(caller, dir, found, how);
        }
        match how.create {
            Creation::No => Err(FsError::NotFound),
            Creation::Unchecked(set) | Creation::Guarded(set) => {
                self.open_new(caller, dir, &mut entries, name, &set, None)
            }
            Creation::Exclusive { verifier, set } => {
                self.open_new(caller, dir, &mut entries, name, &set, Some(verifier))
            }
        }
    }

    fn open_found(
        &self,
        caller: &Caller<'_>,
        dir: &Inode,
        found: &Arc<Inode>,
        how: &OpenHow,
    ) -> FsResult {
        match how.create {
            Creation::No | Creation::Unchecked(_) => {
                self.hold(found, false, no_change(dir), |meta| {
                    check(caller, meta, how)
                })
            }
            Creation::Guarded(_) => Err(FsError::Exists),
            Creation::Exclusive { verifier, set: _ } => {
                let same = found.meta().verifier == Some(verifier);
                if !same {
                    return Err(FsError::Exists);
                }
                // The same creation again: as the first time, its mode is not checked. A verifier
                // is no secret, so that holds for the creator only.
                self.hold(found, true, no_change(dir), |meta| {
                    if caller.cred.uid == meta.uid {
                        Ok(())
                    } else {
                        check(caller, meta, how)
                    }
                })
            }
        }
    }

    fn open_new(
        &self,
        caller: &Caller<'_>,
        dir: &Inode,
        entries: &mut Entries,
        name: &[u8],
        set: &SetAttrs,
        verifier: Option<[u8; 8]>,
    ) -> FsResult {
        in_directory(caller, &dir.meta(), Rights::CHANGE_ENTRIES)?;
        let body = Body::File(Content::new(&self.space));
        let (inode, change) = self.enter(caller, dir, entries, name, body, set)?;
        inode.meta().verifier = verifier;
        self.hold(&inode, true, change, |_| Ok(()))
    }

    /// Holds a regular file once more, if `check` finds nothing against it.
    pub(super) fn hold(
        &self,
        inode: &Inode,
        created: bool,
        dir: DirChange,
        check: impl FnOnce(&Meta) -> Result<(), FsError>,
    ) -> FsResult {
        inode.content()?;
        let mut meta = inode.meta();
        if meta.is_gone() {
            return Err(FsError::Stale);
        }
        check(&meta)?;
        meta.holds += 1;
        let attrs = inode.attrs(&meta);
        Ok(FsReply::Opened(Opened {
            fh: self.handle_of(inode),
            attrs,
            created,
            dir,
        }))
    }
}

fn check(caller: &Caller<'_>, meta: &Meta, how: &OpenHow) -> Result<(), FsError> {
    meta.protection(FileKind::Regular)
        .may_open(caller.cred, how.read, how.write)
}
