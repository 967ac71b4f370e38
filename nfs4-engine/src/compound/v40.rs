//! What holds around an operation of minor version 0. [RFC 7530 §9.1]

use nfs4_proto::nfs4::basic::{ClientId, Stateid};
use nfs4_proto::nfs4::status::Status;

use super::context::{Cx, Established, Scope};
use super::state::Compound;
use crate::client::Client;
use crate::core::Core;
use crate::exports::Fh;
use crate::ops::table::{Handler, Row};
use crate::session::table::Session;
use crate::slab::Key;
use crate::state::stateid::{Named, check_seqid_v40};
use crate::time::Mono;

/// Minor version 0: there is no session, and each operation says whom it concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V40;

impl Scope for V40 {
    fn session(&self) -> Option<Key<Session>> {
        None
    }

    fn handler(row: &'static Row) -> Option<&'static Handler<V40>> {
        row.v40.as_ref()
    }
}

impl Established for V40 {
    fn client_of(cx: &mut Cx<'_, V40>, id: ClientId) -> Result<Key<Client>, Status> {
        let key = cx.core.client_v40(id, cx.now.mono)?;
        cx.core.hold_lease(cx.run, key, cx.now.mono);
        Ok(key)
    }

    fn check(cx: &mut Cx<'_, V40>, stateid: &Stateid, fh: Option<&Fh>) -> Result<Named, Status> {
        let (named, client) = cx.core.check_v40(stateid, fh, cx.now.mono)?;
        cx.core.hold_lease(cx.run, client, cx.now.mono);
        Ok(named)
    }

    fn current_stateid(_: &Cx<'_, V40>) -> Option<Result<Stateid, Status>> {
        None
    }
}

impl Core {
    /// The confirmed client of minor version 0 that this id names. [RFC 7530 §9.1.1]
    ///
    /// # Errors
    /// STALE_CLIENTID if there is none, EXPIRED if its lease has run out.
    pub(crate) fn client_v40(&self, id: ClientId, now: Mono) -> Result<Key<Client>, Status> {
        let key = self.clients.by_id(id.0).ok_or(Status::STALE_CLIENTID)?;
        let client = self.clients.get(key).ok_or(Status::STALE_CLIENTID)?;
        if client.about.minor != 0 || !client.confirmed {
            return Err(Status::STALE_CLIENTID);
        }
        if client.lease.is_expired(now, self.config.lease) {
            return Err(Status::EXPIRED);
        }
        Ok(key)
    }

    /// What a stateid names, and whose it is. [RFC 7530 §9.1.4.4]
    fn check_v40(
        &self,
        stateid: &Stateid,
        fh: Option<&Fh>,
        now: Mono,
    ) -> Result<(Named, Key<Client>), Status> {
        if stateid.other == [0; 12] || stateid.other == [0xff; 12] {
            return Err(Status::BAD_STATEID);
        }
        let stated = self.states.find_stateid(stateid)?;
        let client = self.clients.get(stated.client).ok_or(Status::EXPIRED)?;
        if client.about.minor != 0 || !self.states.is_of(&stated, fh) {
            return Err(Status::BAD_STATEID);
        }
        if client.lease.is_expired(now, self.config.lease) {
            return Err(Status::EXPIRED);
        }
        check_seqid_v40(stateid.seqid, stated.seqid)?;
        Ok((stated.named, stated.client))
    }

    /// A COMPOUND concerns this client, whose lease is renewed by that and holds until it is
    /// answered. [RFC 7530 §9.5]
    fn hold_lease(&mut self, run: &mut Compound, key: Key<Client>, now: Mono) {
        if run.holds == Some(key) {
            if let Some(client) = self.clients.get_mut(key) {
                client.lease.renew(now);
            }
            return;
        }
        self.end_hold(run, now);
        if let Some(client) = self.clients.get_mut(key) {
            client.lease.begin(now);
            run.holds = Some(key);
        }
    }

    /// The COMPOUND is answered, or goes on with another client's state.
    pub(crate) fn end_hold(&mut self, run: &mut Compound, now: Mono) {
        if let Some(client) = run.holds.take()
            && let Some(client) = self.clients.get_mut(client)
        {
            client.lease.end(now);
        }
    }
}
