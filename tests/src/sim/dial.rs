//! Connections that the server wants to make.

use std::net::SocketAddr;
use std::time::Duration;

use nfs4_engine::{ConnId, DialError, DialId, Input};

use super::world::Sim;

/// What becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialling {
    /// The port is closed.
    #[default]
    Fails,
    /// They may not be made.
    IsRefused,
    /// What the scenario says: [`Sim::end_dial`].
    IsHeld,
    /// There is a connection.
    Succeeds,
}

/// A connection that the server wanted to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// What the server calls it.
    pub id: DialId,
    /// The target.
    pub target: SocketAddr,
    /// Where the client is that wanted it.
    pub peer: String,
    /// When, since the start.
    pub at: Duration,
    /// What was made.
    pub conn: Option<ConnId>,
}

impl Sim {
    /// What becomes of connections that the server wants to make from now on.
    pub fn set_dialling(&mut self, dialling: Dialling) {
        self.dialling = dialling;
    }

    /// All connections that the server has wanted to make.
    pub fn dials(&self) -> &[Dial] {
        &self.dials
    }

    /// Makes a connection that was held.
    pub fn end_dial(&mut self, id: DialId) -> ConnId {
        let conn = self.network.connect();
        self.note_made(id, conn);
        let result = Ok(conn);
        self.handle(Input::Dialed { dial: id, result });
        conn
    }

    pub(super) fn dial(&mut self, id: DialId, target: SocketAddr, peer: String) {
        self.dials.push(Dial {
            id,
            target,
            peer,
            at: Duration::from_nanos(self.now),
            conn: None,
        });
        let result = match self.dialling {
            Dialling::Fails => Err(DialError::Failed),
            Dialling::IsRefused => Err(DialError::Refused),
            Dialling::IsHeld => return,
            Dialling::Succeeds => {
                let conn = self.network.connect();
                self.note_made(id, conn);
                Ok(conn)
            }
        };
        self.network.dialed(id, result, self.now);
    }

    pub(super) fn is_dialled(&self, conn: ConnId) -> bool {
        self.dials.iter().any(|dial| dial.conn == Some(conn))
    }

    fn note_made(&mut self, id: DialId, conn: ConnId) {
        for dial in self.dials.iter_mut().filter(|dial| dial.id == id) {
            dial.conn = Some(conn);
        }
    }
}
