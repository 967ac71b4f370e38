//! The scope of an operation of 4.0. [RFC 7530 §9.1]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{ClientId, Stateid};
use nfs4_proto::nfs4::opnum::{Op, OpNum};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::{Decode, Reader};

use super::state::Compound;
use crate::action::Outbox;
use crate::compound::V40;
use crate::compound::handler::{Handler, Row};
use crate::compound::{Cx, Established, Scope};
use crate::core::Core;
use crate::fh::Fh;
use crate::keys::{ClientKey, OpenKey, SessionKey};
use crate::principal::Principal;
use crate::state::stateid::{Named, check_seqid_v40};
use crate::time::Mono;

impl Scope for V40 {
    fn session(&self) -> Option<SessionKey> {
        None
    }

    /// Known once a stateid or an owner has named it, by a connection from its host. Client ids and
    /// stateids can be learned from replies: another host that names them has its accesses checked
    /// against the client's delegations.
    fn sender(cx: &Cx<'_, V40>) -> Option<ClientKey> {
        let key = cx.run.leased_by?;
        let client = cx.core.clients.get(key)?;
        let connection = cx.core.connections.get(cx.run.conn)?;
        (connection.host.host == client.peer.host).then_some(key)
    }

    /// Linux asks for the attributes before it returns a delegation or closes. If that waited until the
    /// delegation is returned, it would wait for itself.
    fn sender_before(cx: &Cx<'_, V40>, mut next: Reader<'_>) -> Option<ClientKey> {
        let announced = || {
            if cx.run.begun >= cx.run.count {
                return None;
            }
            let op = OpNum(next.u32().ok()?).known()?;
            let stateid = if op == Op::DelegReturn {
                args::DelegReturn::decode(&mut next).ok()?.deleg_stateid
            } else if op == Op::Close {
                args::Close::decode(&mut next).ok()?.open_stateid
            } else {
                return None;
            };
            let fh = cx.current().ok()?;
            let checked = cx.core.check_v40(&stateid, Some(&fh), cx.out.now.mono);
            checked.ok().map(|(_, client)| client)
        };
        V40::sender(cx).or_else(announced)
    }

    fn handler(row: &'static Row) -> Option<&'static Handler<V40>> {
        row.v40.as_ref()
    }
}

impl Established for V40 {
    fn client_of(cx: &mut Cx<'_, V40>, id: ClientId) -> Result<ClientKey, Status> {
        let key = cx.core.client_v40(id, cx.out.now.mono)?;
        hold(cx, key);
        Ok(key)
    }

    fn check(cx: &mut Cx<'_, V40>, stateid: &Stateid, fh: Option<&Fh>) -> Result<Named, Status> {
        let (named, client) = cx.core.check_v40(stateid, fh, cx.out.now.mono)?;
        let open = match named {
            Named::Open(open) => Some(open),
            Named::Lock(lock) => cx.core.states.lock(lock).map(|lock| lock.open),
            Named::Deleg(_) => None,
        };
        if cx.run.op != Op::OpenConfirm && open.is_some_and(|open| V40::must_confirm(cx, open)) {
            return Err(Status::BAD_STATEID);
        }
        hold(cx, client);
        Ok(named)
    }

    fn current_stateid(_: &Cx<'_, V40>) -> Option<Result<Stateid, Status>> {
        None
    }

    /// The opener and the principal of the client: machine credentials stand for all users of a
    /// host. [RFC 7530 §16.27.4]
    fn may_change(cx: &Cx<'_, V40>, client: ClientKey, opener: &Principal) -> bool {
        *opener == Principal::of(&cx.run.cred) || cx.core.is_own(client, &cx.run.cred)
    }

    fn must_confirm(cx: &Cx<'_, V40>, open: OpenKey) -> bool {
        cx.core.states.is_unconfirmed(open)
    }
}

/// The request concerns this client, which its connection is known for.
fn hold(cx: &mut Cx<'_, V40>, client: ClientKey) {
    if cx.run.leased_by != Some(client) {
        cx.core.mark_client_known(cx.run.conn, Some(client), cx.out);
    }
    cx.core.hold_lease(cx.run, client, cx.out);
}

impl Core {
    /// The confirmed client of minor version 0 that this id names. [RFC 7530 §9.1.1]
    ///
    /// # Errors
    /// STALE_CLIENTID if there is none, EXPIRED if its lease has run out and its state is not kept.
    pub(crate) fn client_v40(&self, id: ClientId, now: Mono) -> Result<ClientKey, Status> {
        let Some(key) = self.clients.by_id(id.0) else {
            return Err(if self.clients.was_lost(id.0) {
                Status::EXPIRED
            } else {
                Status::STALE_CLIENTID
            });
        };
        let client = self.clients.get(key).ok_or(Status::STALE_CLIENTID)?;
        if client.about.minor != 0 || !client.confirmed {
            return Err(Status::STALE_CLIENTID);
        }
        if self.is_lost(key, now) {
            return Err(Status::EXPIRED);
        }
        Ok(key)
    }

    /// The state that a stateid names, and its client. [RFC 7530 §9.1.4.4]
    fn check_v40(
        &self,
        stateid: &Stateid,
        fh: Option<&Fh>,
        now: Mono,
    ) -> Result<(Named, ClientKey), Status> {
        if is_reserved(stateid) {
            return Err(Status::BAD_STATEID);
        }
        let stated = self.states.find_stateid(stateid)?;
        let client = self.clients.get(stated.client).ok_or(Status::EXPIRED)?;
        if client.about.minor != 0 || !self.states.is_of(&stated, fh) {
            return Err(Status::BAD_STATEID);
        }
        if self.is_lost(stated.client, now) {
            return Err(Status::EXPIRED);
        }
        check_seqid_v40(stateid.seqid, stated.seqid)?;
        Ok((stated.named, stated.client))
    }

    /// A COMPOUND concerns this client, whose lease is renewed by that and holds until it is
    /// answered. [RFC 7530 §9.5]
    pub(crate) fn hold_lease(&mut self, run: &mut Compound, key: ClientKey, out: &mut Outbox) {
        let now = out.now.mono;
        if run.leased_by == Some(key) {
            if let Some(client) = self.clients.get_mut(key) {
                client.lease.renew(now);
            }
            return;
        }
        self.end_hold(run, now);
        if let Some(client) = self.clients.get_mut(key) {
            client.lease.begin(now);
            run.leased_by = Some(key);
            if client.courteous {
                self.end_courtesy(key, run.conn, out);
            }
        }
    }

    /// The COMPOUND is answered, or continues with another client's state.
    pub(crate) fn end_hold(&mut self, run: &mut Compound, now: Mono) {
        if let Some(key) = run.leased_by.take()
            && let Some(client) = self.clients.get_mut(key)
        {
            client.lease.end(now);
            if let Some(current) = &run.current {
                self.visit(key, current);
            }
        }
    }
}

/// Whether it is of the values that no server gives out. [RFC 7530 §9.1.4.3]
pub(crate) fn is_reserved(stateid: &Stateid) -> bool {
    stateid.other == [0; 12] || stateid.other == [0xff; 12]
}
