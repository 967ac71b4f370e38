//! The context of an operation while it runs.

use alloc::boxed::Box;

use bytes::Bytes;
use nfs4_proto::nfs4::attr::{Bitmap, num};
use nfs4_proto::nfs4::basic::{ClientId, Stateid};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

use super::Compound;
use crate::action::Outbox;
use crate::attr::{self, View};
use crate::compound::{Established, Scope, Stage, Step};
use crate::core::Core;
use crate::delegation_kind::Touch;
use crate::fh::Fh;
use crate::guards::Guard;
use crate::keys::{ClientKey, LockKey, OpenKey};
use crate::stable::StableTicket;
use crate::state::stateid::Named;

/// An operation's context: the tables, its COMPOUND, and by the type `S` its scope.
pub(crate) struct Cx<'a, S> {
    pub(crate) core: &'a mut Core,
    pub(crate) run: &'a mut Compound,
    pub(crate) out: &'a mut Outbox,
    /// COMPOUND4args, for payloads that are slices of it.
    pub(crate) record: &'a Bytes,
    pub(crate) scope: S,
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

    /// Properties that all objects of the export of a filehandle share.
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
    /// Keeps something from being delegated until the engine has processed all that the current
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
                .release(core::mem::take(&mut self.run.guard));
        }
    }

    /// Whether delegations of other clients than `sender` conflict with this access; they are recalled then.
    pub(crate) fn recalls(
        &mut self,
        fh: &Fh,
        sender: Option<ClientKey>,
        touch: Touch,
        truncate: bool,
    ) -> bool {
        self.core.recall_for(fh, sender, touch, truncate, self.out)
    }
}

impl<S> Cx<'_, S> {
    /// Lets the current operation, which has done nothing yet, begin anew when a write to stable storage
    /// has ended.
    ///
    /// # Errors
    /// DELAY if too many COMPOUNDs wait for that write.
    pub(crate) fn begin_after(&self, ticket: StableTicket) -> Result<Step, Status> {
        if self.core.stores.admits(ticket) {
            Ok(Step::Durable(ticket, Stage::Anew))
        } else {
            Err(Status::DELAY)
        }
    }
}

impl<S: Scope> Cx<'_, S> {
    /// Records that the current operation accesses a file in this way.
    ///
    /// # Errors
    /// DELAY while a delegation of another client conflicts.
    pub(crate) fn touch(&mut self, fh: &Fh, touch: Touch, truncate: bool) -> Result<(), Status> {
        let sender = S::sender(self);
        if self.recalls(fh, sender, touch, truncate) {
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
    /// The client of an owner, by the client id that it names; its lease is renewed.
    ///
    /// # Errors
    /// Only in 4.0: STALE_CLIENTID for one that is not confirmed or not of this boot, EXPIRED.
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
            Ok(Named::Open(_) | Named::Lock(_) | Named::Deleg(_)) => Err(Status::BAD_STATEID),
            Err(status) => Err(self.of_no_delegation(stateid, status)),
        }
    }

    /// BAD_STATEID instead of the status of a delegation that is revoked.
    fn of_no_delegation(&self, stateid: &Stateid, status: Status) -> Status {
        match self.core.named(stateid) {
            Ok(Named::Deleg(_))
                if status == Status::DELEG_REVOKED || status == Status::ADMIN_REVOKED =>
            {
                Status::BAD_STATEID
            }
            Ok(_) | Err(_) => status,
        }
    }

    /// The locks that a lock stateid names.
    ///
    /// # Errors
    /// As [`Cx::check_open`].
    pub(crate) fn check_lock(&mut self, stateid: &Stateid, fh: &Fh) -> Result<LockKey, Status> {
        match self.check(stateid, Some(fh)) {
            Ok(Named::Lock(key)) if self.may_change_lock(key) => Ok(key),
            Ok(Named::Lock(_) | Named::Open(_) | Named::Deleg(_)) => Err(Status::BAD_STATEID),
            Err(status) => Err(self.of_no_delegation(stateid, status)),
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
