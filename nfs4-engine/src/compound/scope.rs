//! Scopes: what is established around an operation: a session, a client of 4.0, or nothing.

use nfs4_proto::nfs4::basic::{ClientId, Stateid};
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Reader;

use crate::compound::handler::{Handler, Row};
use crate::compound::{Cx, Sequenced, Sessionless};
use crate::fh::Fh;
use crate::keys::{ClientKey, OpenKey, SessionKey};
use crate::principal::Principal;
use crate::state::stateid::Named;

/// What is established around an operation.
pub(crate) trait Scope: Copy + 'static {
    /// Whether an operation must be the only one of its COMPOUND.
    const ALONE: bool = false;

    /// The session of the request, if it has one.
    fn session(&self) -> Option<SessionKey>;

    /// The client that the request is known to come from.
    fn sender(cx: &Cx<'_, Self>) -> Option<ClientKey>;

    /// The same, if the operation that begins at `next` names it.
    fn sender_before(cx: &Cx<'_, Self>, next: Reader<'_>) -> Option<ClientKey> {
        let _ = next;
        Self::sender(cx)
    }

    /// Whether the scope still stands.
    fn stands(cx: &Cx<'_, Self>) -> bool {
        let _ = cx;
        true
    }

    /// What runs an operation in this scope, if it is legal in it.
    fn handler(row: &'static Row) -> Option<&'static Handler<Self>>;

    /// The error of an operation that this scope has no handler for.
    fn unserved(row: &'static Row) -> Status {
        let _ = row;
        Status::NOTSUPP
    }
}

/// A scope in which clients are known: by the session, or by what a request of 4.0 names.
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

    /// Whether the client must confirm an OPEN before it gets anything more under it.
    /// [RFC 7530 §9.1.11]
    fn must_confirm(cx: &Cx<'_, Self>, open: OpenKey) -> bool {
        let _ = (cx, open);
        false
    }
}

impl Scope for Sessionless {
    const ALONE: bool = true;

    fn session(&self) -> Option<SessionKey> {
        None
    }

    fn sender(_: &Cx<'_, Sessionless>) -> Option<ClientKey> {
        None
    }

    fn handler(row: &'static Row) -> Option<&'static Handler<Sessionless>> {
        row.bare.as_ref()
    }

    /// An operation that is served after a SEQUENCE lacks one. [RFC 8881 §2.10.2]
    fn unserved(row: &'static Row) -> Status {
        match row.v41 {
            Some(_) => Status::OP_NOT_IN_SESSION,
            None => Status::NOTSUPP,
        }
    }
}

impl Scope for Sequenced {
    fn session(&self) -> Option<SessionKey> {
        Some(self.session)
    }

    fn sender(cx: &Cx<'_, Sequenced>) -> Option<ClientKey> {
        Some(cx.scope.client)
    }

    /// The session may have been destroyed.
    fn stands(cx: &Cx<'_, Sequenced>) -> bool {
        cx.core.sessions.contains(cx.scope.session)
    }

    fn handler(row: &'static Row) -> Option<&'static Handler<Sequenced>> {
        row.v41.as_ref()
    }

    /// An operation that is served without a session only must be alone. [RFC 8881 §18.34.3]
    fn unserved(row: &'static Row) -> Status {
        match row.bare {
            Some(_) => Status::NOT_ONLY_OP,
            None => Status::NOTSUPP,
        }
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
        cx.core.check_stateid(stateid, cx.scope.client, fh)
    }

    fn current_stateid(cx: &Cx<'_, Sequenced>) -> Option<Result<Stateid, Status>> {
        // A special one is none, whatever set it. [RFC 8881 §8.2.3]
        Some(match cx.run.current_stateid {
            Stateid::ANONYMOUS | Stateid::INVALID => Err(Status::BAD_STATEID),
            current => Ok(current),
        })
    }
}
