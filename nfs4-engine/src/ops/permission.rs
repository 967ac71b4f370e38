//! Queries whether the file system permits an access that conflicts with a delegation. They come before
//! the recall. [RFC 8881 §10.4]

use alloc::sync::Arc;

use nfs4_proto::nfs4::status::Status;

use crate::compound::permission_query::{IntendedUse, PermissionQuery, PermissionSubject};
use crate::compound::{Cx, Scope, Stage, Step};
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::fs::{AccessMask, Attrs, Credential, FsError, FsOp, FsReply, FsResult, Want};
use crate::keys::ClientKey;
use crate::keys::FileKey;

/// The file, if a delegation of another client conflicts with this access.
pub(crate) fn delegated<S>(
    cx: &Cx<'_, S>,
    fh: &Fh,
    sender: Option<ClientKey>,
    touch: Touch,
) -> Option<FileKey> {
    let states = &cx.core.states;
    let key = states.in_the_way(fh, sender, touch).next()?;
    states.delegation(key).map(|held| held.file)
}

/// Records that the current operation accesses a file in this way. If a query is returned, the file
/// system must answer it first; for a user that is `permitted` there is none.
///
/// # Errors
/// DELAY while a delegation of another client conflicts with an access that the user may make.
pub(crate) fn touch<S: Scope>(
    cx: &mut Cx<'_, S>,
    fh: &Fh,
    (touch, truncate): (Touch, bool),
    permitted: bool,
) -> Result<Option<FileKey>, Status> {
    if !permitted && let Some(file) = delegated(cx, fh, S::sender(cx), touch) {
        return Ok(Some(file));
    }
    cx.touch(fh, touch, truncate)?;
    Ok(None)
}

/// Asks whether the user may access a delegated file in this way.
///
/// # Errors
/// ROFS if no user may.
pub(crate) fn ask<S>(cx: &Cx<'_, S>, wish: IntendedUse, file: FileKey) -> Result<Step, Status> {
    let rights = cx.rights(cx.current()?.export);
    let (changes, about) = match wish {
        IntendedUse::Look | IntendedUse::Read | IntendedUse::TestLock => {
            (false, PermissionSubject::Owner)
        }
        IntendedUse::Write | IntendedUse::Own => (true, PermissionSubject::Owner),
        IntendedUse::Link | IntendedUse::Remove | IntendedUse::Move | IntendedUse::Replace => {
            (true, PermissionSubject::Dir)
        }
    };
    if changes && !rights.contains(AccessMask::MODIFY) {
        return Err(Status::ROFS);
    }
    put(cx, PermissionQuery { wish, file, about })
}

/// Continues with the answer to a query: asks for more, or by `then` if the user is permitted.
///
/// # Errors
/// ACCESS or PERM if the user is not permitted, DELAY if the delegation has ended and the file is unknown
/// without it.
#[cold]
pub(crate) fn answered<S: Scope>(
    cx: &mut Cx<'_, S>,
    query: PermissionQuery,
    result: FsResult,
    then: impl FnOnce(&mut Cx<'_, S>, FileKey) -> Result<Step, Status>,
) -> Result<Step, Status> {
    let next = match query.about {
        PermissionSubject::Dir | PermissionSubject::NewDir => in_directory(query, result)?,
        PermissionSubject::Sticky => sticky(cx, result)?,
        PermissionSubject::Owner => owner(cx, query, result)?,
        PermissionSubject::Rights => {
            rights(query, result)?;
            None
        }
    };
    match next {
        Some(about) => put(cx, PermissionQuery { about, ..query }),
        None => then(cx, query.file),
    }
}

/// Recalls a file's delegations from other clients, for a user that may change the file's names.
///
/// # Errors
/// DELAY while a delegation of another client conflicts.
pub(crate) fn recall<S: Scope>(cx: &mut Cx<'_, S>, file: FileKey) -> Result<(), Status> {
    let sender = S::sender(cx);
    match cx.core.states.handle_of(file) {
        Some(fh) if cx.recalls(&fh, sender, Touch::Change, false) => Err(Status::DELAY),
        Some(_) | None => Ok(()),
    }
}

/// The request that carries a query to the file system.
fn put<S>(cx: &Cx<'_, S>, query: PermissionQuery) -> Result<Step, Status> {
    let current = cx.current()?;
    let old = if matches!(query.wish, IntendedUse::Move | IntendedUse::Replace) {
        cx.run.saved.ok_or(Status::NOFILEHANDLE)?
    } else {
        current
    };
    let fh = match (query.about, query.wish) {
        (PermissionSubject::Dir, _) | (PermissionSubject::Sticky, IntendedUse::Move) => old,
        (
            PermissionSubject::Owner,
            IntendedUse::Remove | IntendedUse::Move | IntendedUse::Replace,
        ) => {
            let file = cx.core.states.handle_of(query.file);
            file.ok_or(Status::DELAY)?
        }
        (
            PermissionSubject::NewDir
            | PermissionSubject::Sticky
            | PermissionSubject::Owner
            | PermissionSubject::Rights,
            _,
        ) => current,
    };
    let op = match query.about {
        PermissionSubject::Dir | PermissionSubject::NewDir | PermissionSubject::Rights => {
            FsOp::Access {
                fh: fh.handle,
                mask: query.needed(),
            }
        }
        PermissionSubject::Sticky | PermissionSubject::Owner => FsOp::GetAttrs {
            fh: fh.handle,
            want: Want {
                attrs: true,
                stat: false,
            },
        },
    };
    Ok(Step::Wait(fh.export, op, Stage::Queried(query)))
}

fn in_directory(
    query: PermissionQuery,
    result: FsResult,
) -> Result<Option<PermissionSubject>, Status> {
    if !granted(result)?.contains(query.needed()) {
        return Err(Status::ACCESS);
    }
    Ok(match (query.about, query.wish) {
        (PermissionSubject::Dir, IntendedUse::Move | IntendedUse::Replace) => {
            Some(PermissionSubject::NewDir)
        }
        (_, IntendedUse::Link) => None,
        (_, _) => Some(PermissionSubject::Sticky),
    })
}

/// In a sticky directory, a user may remove only names of its own files, unless it owns the directory.
fn sticky<S>(cx: &mut Cx<'_, S>, result: FsResult) -> Result<Option<PermissionSubject>, Status> {
    let dir = attributes(result)?;
    let user = user(cx)?;
    let free = dir.mode & STICKY == 0 || user.is_root() || user.uid == dir.uid;
    Ok((!free).then_some(PermissionSubject::Owner))
}

fn owner<S>(
    cx: &mut Cx<'_, S>,
    query: PermissionQuery,
    result: FsResult,
) -> Result<Option<PermissionSubject>, Status> {
    let file = attributes(result)?;
    let user = user(cx)?;
    match query.wish {
        // The file system returned the attributes, so the user may read them.
        IntendedUse::Look => Ok(None),
        _ if user.uid == file.uid => Ok(None),
        IntendedUse::Read | IntendedUse::Write | IntendedUse::TestLock => {
            Ok(Some(PermissionSubject::Rights))
        }
        IntendedUse::Own if user.is_root() => Ok(None),
        IntendedUse::Own => Err(Status::PERM),
        IntendedUse::Link | IntendedUse::Remove | IntendedUse::Move | IntendedUse::Replace => {
            Err(Status::ACCESS)
        }
    }
}

fn rights(query: PermissionQuery, result: FsResult) -> Result<(), Status> {
    let granted = granted(result)?.intersection(query.needed());
    if granted == AccessMask::default() {
        Err(Status::ACCESS)
    } else {
        Ok(())
    }
}

fn granted(result: FsResult) -> Result<AccessMask, Status> {
    let FsReply::Access { granted, .. } = result? else {
        return Err(Status::SERVERFAULT);
    };
    Ok(granted)
}

fn attributes(result: FsResult) -> Result<Attrs, Status> {
    let FsReply::Attrs { attrs, .. } = result? else {
        return Err(Status::SERVERFAULT);
    };
    Ok(attrs)
}

/// The user as the file system knows it, after squashing.
pub(super) fn user<S>(cx: &mut Cx<'_, S>) -> Result<Arc<Credential>, Status> {
    let export = cx.current()?.export;
    let terms = cx.terms(export).map_err(FsError::from)?;
    Ok(cx.core.exports.acts_as(export, terms, &cx.run.cred))
}

impl PermissionQuery {
    pub(super) fn is_to(self, wish: IntendedUse) -> bool {
        self.wish == wish
    }

    /// The rights that a query needs: of a directory all, of a file any of them.
    const fn needed(self) -> AccessMask {
        let (read, write) = (AccessMask::READ, AccessMask::MODIFY);
        // A user that may execute a file may read it. [RFC 8881 §6.3.1.1]
        let read = read.union(AccessMask::EXECUTE);
        match (self.about, self.wish) {
            (PermissionSubject::NewDir, IntendedUse::Replace) => {
                AccessMask::EXTEND.union(AccessMask::DELETE)
            }
            (PermissionSubject::NewDir, _) | (_, IntendedUse::Link) => AccessMask::EXTEND,
            (_, IntendedUse::Remove | IntendedUse::Move | IntendedUse::Replace) => {
                AccessMask::DELETE
            }
            (_, IntendedUse::Look | IntendedUse::Read) => read,
            (_, IntendedUse::Write | IntendedUse::Own) => write,
            (_, IntendedUse::TestLock) => read.union(write),
        }
    }
}

/// The mode bit of a directory in which a user may not remove names of other users' files.
const STICKY: u32 = 0o1000;
