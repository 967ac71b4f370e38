//! What an operation sees while it runs.

use alloc::boxed::Box;

use bytes::Bytes;
use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::basic::{ClientId, Stateid};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Reader, Writer};

use super::Compound;
use crate::action::Outbox;
use crate::attr::{self, View};
use crate::compound::handler::{Handler, Row};
use crate::compound::opening::Opening;
use crate::core::Core;
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::fs::{DirChange, FsOp};
use crate::guards::Guard;
use crate::keys::{ClientKey, DelegationKey, FileKey, LockKey, OpenKey, SessionKey};
use crate::principal::Principal;
use crate::state::claim::Claim;
use crate::state::delegation::Answer;
use crate::state::stateid::Named;
use crate::time::Now;

/// An operation's view: the tables, its COMPOUND, and by the type `S` what is established.
pub(crate) struct Cx<'a, S> {
    pub(crate) core: &'a mut Core,
    pub(crate) run: &'a mut Compound,
    pub(crate) out: &'a mut Outbox,
    /// COMPOUND4args, for payloads that are slices of it.
    pub(crate) record: &'a Bytes,
    pub(crate) now: Now,
    pub(crate) scope: S,
}

/// What may be established around an operation.
pub(crate) trait Scope: Copy + 'static {
    /// The session of the request, if it has one.
    fn session(&self) -> Option<SessionKey>;

    /// The client that the request is known to come from.
    fn sender(cx: &Cx<'_, Self>) -> Option<ClientKey>;

    /// The same, if that may be learnt from the operation that begins at `next`.
    fn sender_before(cx: &Cx<'_, Self>, next: Reader<'_>) -> Option<ClientKey> {
        let _ = next;
        Self::sender(cx)
    }

    /// Whether what is established around an operation still stands, after a wait.
    fn stands(cx: &Cx<'_, Self>) -> bool {
        let _ = cx;
        true
    }

    /// What runs an operation in this scope, if it is legal in it.
    fn handler(row: &'static Row) -> Option<&'static Handler<Self>>;
}

/// A scope in which clients are known: by the session, or by what a request of minor version 0
/// names.
pub(crate) trait Established: Scope {
    /// The client that an owner is one of; see [`Cx::client_of`].
    fn client_of(cx: &mut Cx<'_, Self>, id: ClientId) -> Result<ClientKey, Status>;

    /// What a stateid names; see [`Cx::check`].
    fn check(cx: &mut Cx<'_, Self>, stateid: &Stateid, fh: Option<&Fh>) -> Result<Named, Status>;

    /// The stateid that is meant by the special value for the current one, if it means that here.
    fn current_stateid(cx: &Cx<'_, Self>) -> Option<Result<Stateid, Status>>;

    /// Whether the user behind the request may change or end state that this user opened for the
    /// client. A session is a secret of its client, which speaks for all its users.
    fn may_change(cx: &Cx<'_, Self>, client: ClientKey, opener: &Principal) -> bool {
        let _ = (cx, client, opener);
        true
    }

    /// Whether the client must confirm an OPEN, and can be given nothing more before it has.
    /// [RFC 7530 §9.1.11]
    fn must_confirm(cx: &Cx<'_, Self>, open: OpenKey) -> bool {
        let _ = (cx, open);
        false
    }
}

/// No session: an operation that stands alone. [RFC 8881 §2.10.2]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare;

/// After a SEQUENCE that succeeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequenced {
    pub(crate) client: ClientKey,
    pub(crate) session: SessionKey,
    pub(crate) slot: u32,
}

/// What an operation says when it returns.
#[expect(
    clippy::large_enum_variant,
    reason = "a request is moved once; boxing it would allocate"
)]
pub(crate) enum Step {
    /// It is done; a body is sent only with OK.
    Done(Status),
    /// It failed, and its result has a body all the same.
    Failed(Status),
    /// It waits for a file system.
    Wait(u16, FsOp, Stage),
    /// It waits for what the holder of a delegation was asked.
    Hold(DelegationKey, Stage),
    /// It has done a part, and lets others have their turn.
    Yield,
}

/// Where a waiting operation goes on. Its arguments are decoded again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Stage {
    /// It waited once, and ends with the answer.
    #[default]
    Last,
    /// It has ended, and the next one waits for its turn.
    Between,
    /// READDIR: the room in the file system is asked for.
    ReadDirStat,
    /// OPEN: the file is looked for, or made.
    OpenFound(Opening),
    /// REMOVE and RENAME: it is looked what the (old) name means,
    NameFound,
    /// and RENAME: what the new one does.
    OtherNameFound,
    /// REMOVE, RENAME and LINK: this file is delegated to another client, and it is looked whether the
    /// user may change the directory, or the one of the old name,
    MayChange(FileKey),
    /// and RENAME: the one of the new name.
    MayChangeOther(FileKey),
    /// REMOVE and RENAME: the name is removed of a file that is delegated to the caller,
    NameRemoved(FileKey),
    /// and it is looked whether the file is still there.
    NameGone(FileKey),
    /// GETATTR, VERIFY and NVERIFY: the holder of a write delegation was asked what it has made of
    /// the file,
    Asked,
    /// it has told that,
    Told(DelegationKey, Answer),
    /// that it has changed the file was noted, and it says that it has this length,
    Noted(DelegationKey, Option<u64>),
    /// it was noted once more, so that this change attribute is told beside this length and no more
    /// seen beside the file system's,
    Kept {
        held: DelegationKey,
        change: u64,
        size: u64,
        former: u64,
    },
    /// and the room in the file system was asked for once more.
    WithStat { change: u64, size: u64 },
    /// OPEN: the share is claimed, and the file is being cut.
    OpenCut {
        claim: Claim,
        dir: DirChange,
        room: Option<ClientKey>,
    },
}

impl Stage {
    /// A name is removed, of this file if it is delegated to the caller.
    pub(crate) fn losing(file: Option<FileKey>) -> Stage {
        file.map_or(Stage::Last, Stage::NameRemoved)
    }

    /// Whether the operation has only looked so far: it is as if it had not begun.
    pub(crate) const fn only_looked(self) -> bool {
        match self {
            Stage::NameFound
            | Stage::OtherNameFound
            | Stage::MayChange(_)
            | Stage::MayChangeOther(_) => true,
            Stage::Last
            | Stage::Between
            | Stage::ReadDirStat
            | Stage::OpenFound(_)
            | Stage::NameRemoved(_)
            | Stage::NameGone(_)
            | Stage::Asked
            | Stage::Told(..)
            | Stage::Noted(..)
            | Stage::Kept { .. }
            | Stage::WithStat { .. }
            | Stage::OpenCut { .. } => false,
        }
    }
}

impl Scope for Bare {
    fn session(&self) -> Option<SessionKey> {
        None
    }

    fn sender(_: &Cx<'_, Bare>) -> Option<ClientKey> {
        None
    }

    fn handler(row: &'static Row) -> Option<&'static Handler<Bare>> {
        row.bare.as_ref()
    }
}

impl Scope for Sequenced {
    fn session(&self) -> Option<SessionKey> {
        Some(self.session)
    }

    fn sender(cx: &Cx<'_, Sequenced>) -> Option<ClientKey> {
        Some(cx.scope.client)
    }

    /// The session may have been ended.
    fn stands(cx: &Cx<'_, Sequenced>) -> bool {
        cx.core.is_alive(&cx.scope)
    }

    fn handler(row: &'static Row) -> Option<&'static Handler<Sequenced>> {
        row.v41.as_ref()
    }
}

impl Established for Sequenced {
    /// The session's, whatever the owner says. [RFC 8881 §2.10.2]
    fn client_of(cx: &mut Cx<'_, Sequenced>, _: ClientId) -> Result<ClientKey, Status> {
        Ok(cx.scope.client)
    }

    fn check(
        cx: &mut Cx<'_, Sequenced>,
        stateid: &Stateid,
        fh: Option<&Fh>,
    ) -> Result<Named, Status> {
        cx.core.states.check(stateid, cx.scope.client, fh)
    }

    fn current_stateid(cx: &Cx<'_, Sequenced>) -> Option<Result<Stateid, Status>> {
        // A special one is none, whatever set it. [RFC 8881 §8.2.3]
        Some(match cx.run.current_stateid {
            Stateid::ANONYMOUS | Stateid::INVALID => Err(Status::BAD_STATEID),
            current => Ok(current),
        })
    }
}

impl<S> Cx<'_, S> {
    /// Where the operation's result is encoded.
    pub(crate) fn body(&mut self) -> &mut Writer {
        self.run.reply.body()
    }

    /// The current filehandle.
    ///
    /// # Errors
    /// NOFILEHANDLE if there is none.
    pub(crate) fn current(&self) -> Result<Fh, Status> {
        self.run.current.ok_or(Status::NOFILEHANDLE)
    }

    /// What is the same for all objects of the export of a filehandle.
    ///
    /// # Errors
    /// STALE if it is not served any more.
    pub(crate) fn view(&self, fh: Fh) -> Result<View, Status> {
        let core = &*self.core;
        core.exports
            .view(fh.export, &core.config, self.run.minor)
            .ok_or(Status::STALE)
    }

    /// The attributes that are served.
    pub(crate) fn served(&self) -> Bitmap {
        attr::supported(self.run.minor, &self.core.config)
    }

    /// Where the file system of a filehandle is, as an fs_locations4, if that is asked for and
    /// served.
    pub(crate) fn locations(&self, fh: Fh, asked: &Bitmap) -> Option<Box<[u8]>> {
        let addresses = &*self.core.config.server_addresses;
        let wanted = asked.contains(num::FS_LOCATIONS) && !addresses.is_empty();
        wanted.then(|| attr::fs_locations(self.core.exports.path(fh.export), addresses))
    }
}

impl<S> Cx<'_, S> {
    /// Keeps something from being delegated until the engine has heard of all that the current
    /// operation does, whatever has become of its state and its client by then.
    #[inline]
    pub(crate) fn guard(&mut self, guard: Guard) {
        if !matches!(self.run.guard, Guard::None) && !self.guards_otherwise(guard) {
            return;
        }
        self.core.guards.take(guard);
        self.run.guard = guard;
    }

    /// Ends what was guarded before, unless that is the same.
    #[cold]
    fn guards_otherwise(&mut self, guard: Guard) -> bool {
        if self.run.guard == guard {
            return false;
        }
        self.unguard();
        true
    }

    /// Ends [`Cx::guard`].
    pub(crate) fn unguard(&mut self) {
        if !matches!(self.run.guard, Guard::None) {
            self.core
                .guards
                .give_back(core::mem::take(&mut self.run.guard));
        }
    }

    /// Whether delegations keep `who` from doing this to a file; they are recalled then.
    pub(crate) fn recalls(
        &mut self,
        fh: &Fh,
        who: Option<ClientKey>,
        touch: Touch,
        truncate: bool,
    ) -> bool {
        self.core
            .recall_for(fh, who, touch, truncate, self.now, self.out)
    }
}

impl<S: Scope> Cx<'_, S> {
    /// Says that the current operation does this to a file.
    ///
    /// # Errors
    /// DELAY while a delegation of another client is in the way.
    pub(crate) fn touch(&mut self, fh: &Fh, touch: Touch, truncate: bool) -> Result<(), Status> {
        let who = S::sender(self);
        if self.recalls(fh, who, touch, truncate) {
            return Err(Status::DELAY);
        }
        let place = self.core.guards.of(fh);
        self.guard(match touch {
            Touch::Read => Guard::Read(place),
            Touch::Change => Guard::Change(place),
        });
        Ok(())
    }
}

impl<S: Established> Cx<'_, S> {
    /// The client that an owner is one of, by the client id that he names; its lease is renewed.
    ///
    /// # Errors
    /// Only in minor version 0: STALE_CLIENTID for one that is not confirmed or not of this boot,
    /// EXPIRED.
    pub(crate) fn client_of(&mut self, id: ClientId) -> Result<ClientKey, Status> {
        S::client_of(self, id)
    }

    /// What a stateid names, of this file if one is given. [RFC 8881 §8.2.4, RFC 7530 §9.1.4.4]
    ///
    /// # Errors
    /// BAD_STATEID for one that is unknown, another client's or another file's, OLD_STATEID for one
    /// that was replaced; in minor version 0 also STALE_STATEID for one of another boot, and
    /// EXPIRED.
    pub(crate) fn check(&mut self, stateid: &Stateid, fh: Option<&Fh>) -> Result<Named, Status> {
        S::check(self, stateid, fh)
    }

    /// The open that an open stateid names.
    ///
    /// # Errors
    /// As [`Cx::check`], and BAD_STATEID for any other stateid, also for one of a delegation that is
    /// revoked.
    pub(crate) fn check_open(&mut self, stateid: &Stateid, fh: &Fh) -> Result<OpenKey, Status> {
        match self.check(stateid, Some(fh)) {
            Ok(Named::Open(key)) if self.may_change_open(key) => Ok(key),
            Ok(Named::Open(_) | Named::Lock(_) | Named::Deleg(_)) | Err(Status::DELEG_REVOKED) => {
                Err(Status::BAD_STATEID)
            }
            Err(status) => Err(status),
        }
    }

    /// The locks that a lock stateid names.
    ///
    /// # Errors
    /// As [`Cx::check_open`].
    pub(crate) fn check_lock(&mut self, stateid: &Stateid, fh: &Fh) -> Result<LockKey, Status> {
        match self.check(stateid, Some(fh)) {
            Ok(Named::Lock(key)) if self.may_change_lock(key) => Ok(key),
            Ok(Named::Lock(_) | Named::Open(_) | Named::Deleg(_)) | Err(Status::DELEG_REVOKED) => {
                Err(Status::BAD_STATEID)
            }
            Err(status) => Err(status),
        }
    }

    fn may_change_open(&self, key: OpenKey) -> bool {
        let open = self.core.states.get(key);
        open.is_some_and(|open| S::may_change(self, open.client, open.opener()))
    }

    fn may_change_lock(&self, key: LockKey) -> bool {
        let lock = self.core.states.lock(key);
        lock.is_some_and(|lock| self.may_change_open(lock.open))
    }

    /// The stateid that an operation means: the current one for the special value, whatever its
    /// seqid is by now. [RFC 8881 §8.2.3, §16.2.3.1.2]
    ///
    /// # Errors
    /// BAD_STATEID if the current one is asked for and there is none.
    pub(crate) fn meant(&self, stateid: Stateid) -> Result<Stateid, Status> {
        let meant = self.meant_exactly(stateid)?;
        if stateid == Stateid::CURRENT {
            Ok(Stateid { seqid: 0, ..meant })
        } else {
            Ok(meant)
        }
    }

    /// As [`Cx::meant`], but with the seqid: for CLOSE and OPEN_DOWNGRADE. [RFC 8881 §8.2.3]
    ///
    /// # Errors
    /// BAD_STATEID if the current one is asked for and there is none.
    pub(crate) fn meant_exactly(&self, stateid: Stateid) -> Result<Stateid, Status> {
        match S::current_stateid(self) {
            Some(current) if stateid == Stateid::CURRENT => current,
            _ => Ok(stateid),
        }
    }
}
