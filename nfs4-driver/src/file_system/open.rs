//! OPEN: finding or making a file, checking rights, and opening it.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Caller, Creation, DirChange, FileKind, FileSystem, FsError, FsHandle, FsReply, FsResult,
    OpenHow, Opened, Protection, SetAttrs, Target,
};

use super::Host;
use super::both::both;
use super::checks::is_file;
use super::ended::ended;
use super::names::unchanged;

impl<F: FileSystem> Host<F> {
    pub(super) async fn open(&self, caller: Caller, target: Target, how: OpenHow) -> FsResult {
        let opened = match target {
            Target::Handle(fh) => {
                let attrs = self.fs.getattr(caller.clone(), fh).await?;
                let none = DirChange::default();
                self.open_file(caller, (fh, attrs), &how, none).await?
            }
            Target::Name { dir, name } => self.open_name(caller, dir, name, &how).await?,
        };
        Ok(FsReply::Opened(opened))
    }

    async fn open_name(
        &self,
        caller: Caller,
        dir: FsHandle,
        name: Bytes,
        how: &OpenHow,
    ) -> Result<Opened, FsError> {
        // Another request can take the name, or remove its file, between two calls.
        for _ in 0..ATTEMPTS {
            let above = self.searched(&caller, dir);
            let found = self.fs.lookup(caller.clone(), dir, name.clone());
            let (above, found) = both(above, found).await;
            let above = above?;
            match found {
                Ok(found) => {
                    let place = (dir, &above, &name);
                    return self.open_found(caller, place, found, how).await;
                }
                Err(FsError::NotFound) if how.create != Creation::No => {}
                Err(why) => return Err(why),
            }
            let place = (dir, &above, &name);
            match self.open_new(caller.clone(), place, how).await {
                Err(FsError::Exists) if !matches!(how.create, Creation::Guarded(_)) => {}
                result => return result,
            }
        }
        Err(FsError::Busy)
    }

    async fn open_found(
        &self,
        caller: Caller,
        (dir, above, name): (FsHandle, &Attrs, &Bytes),
        (fh, attrs): (FsHandle, Attrs),
        how: &OpenHow,
    ) -> Result<Opened, FsError> {
        let repeated = match how.create {
            Creation::No | Creation::Unchecked(_) => false,
            Creation::Guarded(_) => return Err(FsError::Exists),
            Creation::Exclusive { verifier, .. } => {
                // In this order: a creation that has ended has noted its verifier.
                if self.verifiers.is_under_way(dir, name) {
                    return Err(FsError::Busy);
                }
                if !self.verifiers.is_of(&fh, verifier) {
                    return Err(FsError::Exists);
                }
                true
            }
        };
        let unchanged = unchanged(above);
        if repeated && caller.cred.uid == attrs.uid {
            // As the first time, its mode is not checked. A verifier is no secret, so that holds for
            // the creator only.
            return self.open_made(caller, (fh, attrs), how, unchanged).await;
        }
        let opened = self.open_file(caller, (fh, attrs), how, unchanged).await?;
        Ok(Opened {
            created: repeated,
            ..opened
        })
    }

    async fn open_new(
        &self,
        caller: Caller,
        (dir, above, name): (FsHandle, &Attrs, &Bytes),
        how: &OpenHow,
    ) -> Result<Opened, FsError> {
        self.may_change(&caller, above)?;
        let (set, verifier) = match how.create {
            Creation::No => return Err(FsError::NotFound),
            Creation::Unchecked(set) | Creation::Guarded(set) => (set, None),
            Creation::Exclusive { verifier, set } => (set, Some(verifier)),
        };
        let set: SetAttrs = self.first_attributes(&caller, above, FileKind::Regular, set)?;
        let under_way = match verifier {
            // The same creation may come again before the verifier of the file is noted.
            Some(_) => Some(
                self.verifiers
                    .begin(dir, name.clone())
                    .ok_or(FsError::Busy)?,
            ),
            None => None,
        };
        let made = self.fs.create(caller.clone(), dir, name.clone(), set);
        let (fh, attrs) = made.await?;
        if let Some(verifier) = verifier {
            self.verifiers.note(fh, verifier);
        }
        drop(under_way);
        let change = self.change(caller.clone(), dir, above).await?;
        self.open_made(caller, (fh, attrs), how, change).await
    }

    /// Opens a file that this request, or an earlier attempt, has made.
    async fn open_made(
        &self,
        caller: Caller,
        (fh, attrs): (FsHandle, Attrs),
        how: &OpenHow,
        dir: DirChange,
    ) -> Result<Opened, FsError> {
        self.hold(caller, fh, how).await?;
        Ok(Opened {
            fh,
            attrs,
            created: true,
            dir,
        })
    }

    /// Opens a file, and counts that.
    async fn hold(&self, caller: Caller, fh: FsHandle, how: &OpenHow) -> Result<(), FsError> {
        ended(self.fs.open(caller, fh, how.read, how.write)).await?;
        self.verifiers.opened(&fh);
        Ok(())
    }

    /// Opens a file that exists.
    async fn open_file(
        &self,
        caller: Caller,
        (fh, attrs): (FsHandle, Attrs),
        how: &OpenHow,
        dir: DirChange,
    ) -> Result<Opened, FsError> {
        // Whatever checks the rights, only files are opened.
        is_file(&attrs)?;
        if self.checks() {
            Protection::from(&attrs).may_open(&caller.cred, how.read, how.write)?;
        }
        self.hold(caller, fh, how).await?;
        Ok(Opened {
            fh,
            attrs,
            created: false,
            dir,
        })
    }
}

/// How often a name is looked up that other requests make and remove meanwhile.
const ATTEMPTS: u32 = 3;
