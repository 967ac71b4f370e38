//! One line per fact; nothing without the feature `tracing`.

#![cfg_attr(
    not(feature = "tracing"),
    expect(
        unused_variables,
        reason = "without tracing nothing is said about them"
    )
)]

use std::io;
use std::net::SocketAddr;

#[cfg(feature = "tracing")]
use nfs4_engine::proto::dump::Dump;
use nfs4_engine::proto::rpc::Fault;
#[cfg(feature = "tracing")]
use nfs4_engine::proto::rpc::Mark;
use nfs4_engine::{Admin, ConnId, DialError, Event};

use crate::error::{Closing, Refused};

pub(crate) fn opened(conn: ConnId, peer: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%conn, peer, "connection opened");
}

pub(crate) fn dialled(conn: ConnId, peer: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%conn, peer, "connection made");
}

pub(crate) fn not_dialled(target: SocketAddr, why: DialError) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%target, %why, "no connection made");
}

pub(crate) fn accepts_failed(why: &io::Error, failed: u64) {
    #[cfg(feature = "tracing")]
    tracing::warn!(%why, failed, "connections cannot be accepted");
}

pub(crate) fn refused(peer: &str, why: Refused) {
    #[cfg(feature = "tracing")]
    tracing::warn!(peer, %why, "connection refused");
}

/// A connection that is closed for what its peer did is worth a warning.
pub(crate) fn closed(conn: ConnId, peer: &str, why: &Closing) {
    #[cfg(feature = "tracing")]
    match why {
        Closing::Record(_) | Closing::NotRpc | Closing::Stalled | Closing::Slow => {
            tracing::warn!(%conn, peer, %why, "connection closed");
        }
        Closing::EngineDead(_) => tracing::error!(%conn, peer, %why, "connection closed"),
        Closing::EndOfStream
        | Closing::Io(_)
        | Closing::Engine
        | Closing::Idle
        | Closing::GaveWay
        | Closing::Stopped
        | Closing::Abandoned => tracing::debug!(%conn, peer, %why, "connection closed"),
    }
}

pub(crate) fn call_refused(conn: ConnId, peer: &str, fault: Fault) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%conn, peer, %fault, "call refused");
}

/// A record that arrived, without its mark.
pub(crate) fn record(conn: ConnId, record: &[u8]) {
    #[cfg(feature = "tracing")]
    tracing::trace!(%conn, "<- {}", Dump::callback(record));
}

/// Whether records are logged, so that sent ones are kept for the log.
pub(crate) fn records() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::enabled!(tracing::Level::TRACE);
    #[cfg(not(feature = "tracing"))]
    return false;
}

/// A reply or a callback that leaves, mark included.
pub(crate) fn reply(conn: ConnId, reply: &[u8]) {
    #[cfg(feature = "tracing")]
    tracing::trace!(%conn, "-> {}", Dump::new(reply.get(Mark::LEN..).unwrap_or_default()));
}

/// An action of the administrator is a warning.
pub(crate) fn admin(admin: &Admin) {
    #[cfg(feature = "tracing")]
    tracing::warn!(?admin, "request of the administrator");
}

/// The log of inputs ends; the server goes on.
#[cfg(feature = "record")]
pub(crate) fn recording_failed(why: &io::Error) {
    #[cfg(feature = "tracing")]
    tracing::error!(%why, "the recording ends: it cannot be written");
}

/// The same.
#[cfg(feature = "record")]
pub(crate) fn recording_has_gap(unwritten: usize) {
    #[cfg(feature = "tracing")]
    tracing::error!(unwritten, "the recording ends: it is written too slowly");
}

/// Events that a client can cause with every request are logged at DEBUG, and a client that comes
/// or goes at INFO.
pub(crate) fn event(event: &Event) {
    #[cfg(feature = "tracing")]
    match event {
        Event::ClientConfirmed { .. } => tracing::info!(?event, "a client is confirmed"),
        Event::ClientGone { .. } => tracing::info!(?event, "a client is removed"),
        // They continue until the administrator acts, so they are logged ever more seldom.
        Event::SharedOwner { owner, times } if times.is_power_of_two() => {
            // The client's name is escaped to one line.
            let owner = owner.escape_ascii();
            tracing::warn!(%owner, times, "two clients use the same name and replace each other");
        }
        Event::BackChannelFaulty { .. } => tracing::info!(?event, "a back channel is out of use"),
        Event::DelegationRevoked { .. } => tracing::info!(?event, "a delegation is revoked"),
        Event::FileSystemFault {
            export,
            call,
            fault,
            untold,
        } => tracing::warn!(?export, ?call, %fault, untold, "a file system breaks its contract"),
        _ => tracing::debug!(?event),
    }
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use std::sync::{Arc, Mutex};

    use nfs4_engine::proto::client::CbReplyBuilder;
    use nfs4_engine::proto::nfs4::any::CbResOp;
    use nfs4_engine::proto::nfs4::res::Outcome;
    use nfs4_engine::proto::nfs4::{SessionId, callback};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut lines = self.0.lock().map_err(|_| io::Error::other("poisoned"))?;
            lines.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_arrives_is_a_call_or_the_answer_to_a_callback() {
        let ok = callback::res::CbSequenceOk {
            sessionid: SessionId([0; 16]),
            sequenceid: 1,
            slotid: 0,
            highest_slotid: 0,
            target_highest_slotid: 0,
        };
        let answer = CbReplyBuilder::reply(6, b"")
            .result(&CbResOp::Sequence(Outcome::Ok(ok)))
            .finish();
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            record(ConnId::FIRST, &answer[Mark::LEN..]);
        });
        let told = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(told.contains("NFS4_OK: CB_SEQUENCE {"), "{told}");
        assert!(!told.contains("malformed"), "{told}");
    }
}
