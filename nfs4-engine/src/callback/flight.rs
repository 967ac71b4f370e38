//! Callbacks on the wire, by transaction id.

use crate::ids::ConnId;
use crate::keys::{ClientKey, FlightKey, PathCallKey, SessionKey, kind};
use crate::slab::{Entry, Slab};
use crate::time::Mono;

/// The way that a callback was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// On a slot of a session's backchannel.
    Slot { session: SessionKey, slot: u32 },
    /// On a connection that the server made to a client of minor version 0; without a callback it
    /// is CB_NULL.
    Dialled {
        client: ClientKey,
        call: Option<PathCallKey>,
    },
}

/// A callback that was sent and not answered.
#[derive(Debug)]
pub(crate) struct Flight {
    /// The connection that it was sent on.
    pub(crate) conn: ConnId,
    pub(crate) path: Path,
    pub(crate) sent: Mono,
    /// No operation waits for the reply any more, but the reply still shows whether the callback
    /// was executed.
    pub(crate) overdue: bool,
}

/// All callbacks on the wire. A transaction id is an index in this table and its generation.
pub(crate) struct Flights(Slab<Flight>);

impl Entry for Flight {
    type Kind = kind::Flight;
}

impl Flights {
    pub(crate) const fn new() -> Flights {
        Flights(Slab::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all transaction ids are in use.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= 1 << INDEX_BITS
    }

    pub(crate) fn insert(&mut self, flight: Flight) -> FlightKey {
        self.0.insert(flight)
    }

    pub(crate) fn get(&self, key: FlightKey) -> Option<&Flight> {
        self.0.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: FlightKey) -> Option<&mut Flight> {
        self.0.get_mut(key)
    }

    pub(crate) fn remove(&mut self, key: FlightKey) -> Option<Flight> {
        self.0.remove(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (FlightKey, &Flight)> + '_ {
        self.0.entries()
    }

    /// The callback that was sent on this connection under this transaction id.
    pub(crate) fn find(&self, conn: ConnId, xid: u32) -> Option<FlightKey> {
        let key = self.0.key_at(xid & ((1 << INDEX_BITS) - 1))?;
        let flight = self.0.get(key)?;
        (flight.conn == conn && xid_of(key) == xid).then_some(key)
    }
}

/// The transaction id of a callback.
pub(crate) fn xid_of(key: FlightKey) -> u32 {
    key.generation << INDEX_BITS | key.index
}

/// Number of bits of a transaction id for the index; the generation has the others.
const INDEX_BITS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_is_found_by_connection_and_xid_until_it_is_removed() {
        let mut flights = Flights::new();
        let flight = |conn| Flight {
            conn,
            path: Path::Slot {
                session: SessionKey::new(0, 1),
                slot: 0,
            },
            sent: Mono::ZERO,
            overdue: false,
        };
        let (one, two) = (ConnId::FIRST, ConnId::FIRST.next());
        let first = flights.insert(flight(one));
        let second = flights.insert(flight(two));
        assert_ne!(xid_of(first), xid_of(second));
        assert_eq!(flights.find(one, xid_of(first)), Some(first));
        assert_eq!(flights.find(two, xid_of(first)), None);
        flights.remove(first);
        let third = flights.insert(flight(one));
        assert_eq!(third.index, first.index);
        assert_eq!(flights.find(one, xid_of(first)), None);
        assert_eq!(flights.find(one, xid_of(third)), Some(third));
    }
}
