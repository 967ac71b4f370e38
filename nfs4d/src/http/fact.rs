//! What the engine tells, as the administration interface tells it.

use nfs4_admin::{Direction, Fact};
use nfs4_engine::proto::nfs4::basic::SessionId;
use nfs4_engine::snapshot::owner_text;
use nfs4_engine::{self as engine, Event};

use crate::settings::of_engine;

/// The fact; none if it is for the server's log alone.
pub(super) fn of(event: &Event) -> Option<Fact> {
    Some(match event {
        Event::ClientConfirmed { client, conn, peer } => Fact::ClientConfirmed {
            client_id: client_id(*client),
            connection_id: conn.get(),
            peer: peer.clone(),
        },
        Event::ClientGone { client, reason } => Fact::ClientGone {
            client_id: client_id(*client),
            reason: reason.label().to_owned(),
        },
        Event::ClientCourteous { client } => Fact::ClientCourteous {
            client_id: client_id(*client),
        },
        Event::ClientReturned { client } => Fact::ClientReturned {
            client_id: client_id(*client),
        },
        Event::SharedOwner { owner, times } => Fact::SharedOwner {
            owner: owner_text(owner).into_owned(),
            times: *times,
        },
        Event::SessionCreated {
            session,
            client,
            conn,
            slots,
        } => Fact::SessionCreated {
            session_id: session_id(session),
            client_id: client_id(*client),
            connection_id: conn.get(),
            slots: *slots,
        },
        Event::SessionDestroyed { session, reason } => Fact::SessionDestroyed {
            session_id: session_id(session),
            reason: reason.label().to_owned(),
        },
        Event::Bound {
            conn,
            session,
            direction,
        } => Fact::ConnectionBound {
            connection_id: conn.get(),
            session_id: session_id(session),
            direction: self::direction(*direction),
        },
        Event::Unbound {
            conn,
            session,
            reason,
        } => Fact::ConnectionUnbound {
            connection_id: conn.get(),
            session_id: session_id(session),
            reason: reason.label().to_owned(),
        },
        Event::BackChannelLost { session, conn, why } => Fact::BackChannelLost {
            connection_id: conn.get(),
            session_id: session_id(session),
            reason: why.label().to_owned(),
        },
        Event::BackChannelFaulty { session } => Fact::BackChannelFault {
            session_id: session_id(session),
        },
        Event::DelegationGranted { client, kind } => Fact::DelegationGranted {
            client_id: client_id(*client),
            delegation: kind.label().to_owned(),
        },
        Event::DelegationRecalled {
            client,
            kind,
            reason,
        } => Fact::DelegationRecalled {
            client_id: client_id(*client),
            delegation: kind.label().to_owned(),
            reason: reason.label().to_owned(),
        },
        Event::DelegationRevoked { client, kind } => Fact::DelegationRevoked {
            client_id: client_id(*client),
            delegation: kind.label().to_owned(),
        },
        Event::GraceEnded { reason } => Fact::GraceEnded {
            reason: reason.label().to_owned(),
        },
        Event::ExportAdded { path, .. } => Fact::ExportAdded {
            pseudo: path.clone(),
        },
        Event::ExportChanged { path, .. } => Fact::ExportChanged {
            pseudo: path.clone(),
        },
        Event::ExportRemoved { path, .. } => Fact::ExportRemoved {
            pseudo: path.clone(),
        },
        Event::SettingsChanged { settings } => Fact::SettingsChanged {
            settings: settings.iter().map(|name| setting(name)).collect(),
        },
        // These say what a client asked for in vain, or what is wrong with a file system.
        Event::NotBound { .. } | Event::RdmaRefused { .. } | Event::FileSystemFault { .. } => {
            return None;
        }
        // Of a later engine.
        _ => return None,
    })
}

/// The administration's name of a setting that the engine names; the engine's for one that only an
/// embedder changes.
fn setting(name: &str) -> String {
    of_engine(name).unwrap_or(name).to_owned()
}

fn client_id(id: u64) -> String {
    format!("{id:016x}")
}

fn session_id(id: &SessionId) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn direction(direction: engine::Direction) -> Direction {
    match direction {
        engine::Direction::Fore => Direction::Fore,
        engine::Direction::Back => Direction::Back,
        engine::Direction::Both => Direction::Both,
    }
}
