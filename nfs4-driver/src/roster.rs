//! The connections of a node: how many come from each peer, and which is evicted for another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use nfs4_engine::ConnId;

/// The side that opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    /// The client, to call the server.
    Peer,
    /// The server, to call the client back.
    Server,
}

/// The origin of a connection, by which shares are counted: an address, whatever the port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// An IPv4 address is the same behind a listener for IPv6.
    Address(IpAddr),
    /// The peer of a stream that has no address.
    Named(Box<str>),
}

/// What a connection did recently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// A number that changes whenever bytes have moved.
    pub(crate) moves: u32,
    /// Whether calls are in flight.
    pub(crate) busy: bool,
}

/// All counted connections, by origin. Connections that are not bound to a session are strangers:
/// they wait in line for eviction, each origin's in its own line; a connection that has moved bytes
/// since its line was last checked goes to the end. So reads and writes need not record the order
/// in which connections are used.
///
/// Those that are not bound to a session are strangers. They wait in line to give way, each origin's
/// in a line of its own; one that has moved since its origin's line was last checked goes to the
/// end. So no read and no write has to say in which order connections were used.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    seats: HashMap<ConnId, Seat>,
    peers: HashMap<Origin, Peer>,
    /// Origins with strangers: the one with the most first, among equals the earliest.
    ranking: BTreeMap<(Reverse<usize>, u64), Origin>,
    /// The last number given to a place in a line and to an origin.
    latest: u64,
}

#[derive(Debug)]
struct Seat {
    origin: Origin,
    /// The place in the line of strangers; none while it is bound.
    place: Option<u64>,
    /// Its [`Activity::moves`] when it was last checked.
    moves: u32,
}

#[derive(Debug)]
struct Peer {
    number: u64,
    seats: usize,
    strangers: BTreeMap<u64, ConnId>,
}

/// A stranger that can be evicted.
enum Stranger {
    Idle(ConnId),
    Active(ConnId),
}

impl Origin {
    /// The origin of a connection that was opened with `peer`.
    pub(crate) fn of(peer: &str) -> Origin {
        let address = peer.parse::<SocketAddr>().map(|address| address.ip());
        match address.or_else(|_| peer.parse::<IpAddr>()) {
            Ok(ip) => Origin::Address(ip.to_canonical()),
            Err(_) => Origin::Named(peer.into()),
        }
    }
}

impl Roster {
    /// Number of connections.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Number of connections from an origin.
    pub(crate) fn count(&self, origin: &Origin) -> usize {
        self.peers.get(origin).map_or(0, |peer| peer.seats)
    }

    /// Adds a connection; a stranger unless it is `bound`.
    pub(crate) fn enter(&mut self, conn: ConnId, origin: Origin, bound: bool) {
        self.latest += 1;
        let number = self.latest;
        let peer = self.peers.entry(origin.clone()).or_insert_with(|| Peer {
            number,
            seats: 0,
            strangers: BTreeMap::new(),
        });
        peer.seats += 1;
        let seat = Seat {
            origin,
            place: None,
            moves: 0,
        };
        self.seats.insert(conn, seat);
        self.set_bound(conn, bound);
    }

    /// Removes a connection.
    pub(crate) fn leave(&mut self, conn: ConnId) {
        self.set_bound(conn, true);
        let Some(seat) = self.seats.remove(&conn) else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&seat.origin) {
            peer.seats -= 1;
            if peer.seats == 0 {
                self.peers.remove(&seat.origin);
            }
        }
    }

    /// Records whether a connection is bound or a stranger.
    pub(crate) fn set_bound(&mut self, conn: ConnId, bound: bool) {
        let Some(seat) = self.seats.get_mut(&conn) else {
            return;
        };
        if seat.place.is_none() == bound {
            return;
        }
        let Some(peer) = self.peers.get_mut(&seat.origin) else {
            return;
        };
        self.ranking
            .remove(&(Reverse(peer.strangers.len()), peer.number));
        match seat.place.take() {
            Some(place) => {
                peer.strangers.remove(&place);
            }
            None => {
                self.latest += 1;
                seat.place = Some(self.latest);
                peer.strangers.insert(self.latest, conn);
            }
        }
        let strangers = peer.strangers.len();
        if strangers > 0 {
            let key = (Reverse(strangers), peer.number);
            self.ranking.insert(key, seat.origin.clone());
        }
    }

    /// Takes out a stranger for eviction, of this origin or of any: the one that has been idle for
    /// longest, of the origin that has the most. One that moves bytes is evicted if no idle one is
    /// found, one with calls in flight never.
    pub(crate) fn give_way(
        &mut self,
        origin: Option<&Origin>,
        look: impl Fn(ConnId) -> Activity,
    ) -> Option<ConnId> {
        let origins: Vec<Origin> = match origin {
            Some(origin) => vec![origin.clone()],
            None => self.ranking.values().take(ORIGINS).cloned().collect(),
        };
        let mut found = None;
        for origin in &origins {
            match self.stranger_of(origin, &look) {
                Some(Stranger::Idle(conn)) => {
                    found = Some(conn);
                    break;
                }
                Some(Stranger::Active(conn)) => found = found.or(Some(conn)),
                None => {}
            }
        }
        let conn = found?;
        self.leave(conn);
        Some(conn)
    }

    fn stranger_of(
        &mut self,
        origin: &Origin,
        look: &impl Fn(ConnId) -> Activity,
    ) -> Option<Stranger> {
        let peer = self.peers.get_mut(origin)?;
        let mut active = None;
        for _ in 0..peer.strangers.len().min(STRANGERS) {
            let (place, conn) = peer.strangers.pop_first()?;
            let rest = look(conn);
            let seat = self.seats.get_mut(&conn)?;
            if !rest.busy && rest.moves == seat.moves {
                // Still in line, for the caller that takes it out.
                peer.strangers.insert(place, conn);
                return Some(Stranger::Idle(conn));
            }
            if !rest.busy && active.is_none() {
                active = Some(Stranger::Active(conn));
            }
            self.latest += 1;
            (seat.place, seat.moves) = (Some(self.latest), rest.moves);
            peer.strangers.insert(self.latest, conn);
        }
        active
    }
}

/// Maximum number of origins that are checked for a stranger, and of strangers of each: nothing
/// walks all of them under the engine's lock.
const ORIGINS: usize = 8;
const STRANGERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// A roster of `(origin, bound)`, numbered from 1.
    fn roster(of: &[(&str, bool)]) -> Roster {
        let mut roster = Roster::default();
        for (at, (peer, bound)) in of.iter().enumerate() {
            roster.enter(conn(at as u64 + 1), Origin::of(peer), *bound);
        }
        roster
    }

    fn conn(number: u64) -> ConnId {
        ConnId::new(number).unwrap()
    }

    fn resting(_: ConnId) -> Activity {
        Activity::default()
    }

    /// The connections that give way, one after the other, until none does.
    fn order(mut roster: Roster, look: impl Fn(ConnId) -> Activity) -> Vec<u64> {
        let mut order = Vec::new();
        while let Some(conn) = roster.give_way(None, &look) {
            order.push(conn.get());
        }
        order
    }

    #[test]
    fn the_same_address_is_one_origin() {
        let one = Origin::of("192.0.2.1:700");
        for same in ["192.0.2.1:701", "192.0.2.1", "[::ffff:192.0.2.1]:9"] {
            assert_eq!(Origin::of(same), one, "{same}");
        }
        for other in ["192.0.2.2:700", "[2001:db8::1]:700", "a pipe", ""] {
            assert_ne!(Origin::of(other), one, "{other}");
        }
    }

    #[test]
    fn the_oldest_stranger_of_the_largest_origin_gives_way_first() {
        let all = [
            ("10.0.0.1:1", false),
            ("10.0.0.2:1", true),
            ("10.0.0.2:2", false),
            ("10.0.0.2:3", false),
            ("10.0.0.2:4", false),
            ("10.0.0.3:1", false),
        ];
        assert_eq!(order(roster(&all), resting), [3, 4, 1, 5, 6]);
    }

    #[test]
    fn busy_connections_never_give_way_and_active_ones_last() {
        let all = [("10.0.0.1:1", false); 4];
        let look = |conn: ConnId| Activity {
            moves: u32::from(conn.get() == 1),
            busy: conn.get() == 2,
        };
        assert_eq!(order(roster(&all), look), [3, 4, 1]);
        // All are busy, and one of them has to go.
        let moving = std::cell::Cell::new(0);
        let look = |_| {
            moving.set(moving.get() + 1);
            Activity {
                moves: moving.get(),
                busy: false,
            }
        };
        assert_eq!(roster(&all).give_way(None, look), Some(conn(1)));
    }

    #[test]
    fn a_connection_gives_way_to_another_of_its_origin() {
        let all = [
            ("10.0.0.1:1", false),
            ("10.0.0.2:1", false),
            ("10.0.0.2:2", true),
        ];
        let mut roster = roster(&all);
        let own = Origin::of("10.0.0.2:9");
        assert_eq!(roster.count(&own), 2);
        assert_eq!(roster.give_way(Some(&own), resting), Some(conn(2)));
        assert_eq!(roster.give_way(Some(&own), resting), None);
        assert_eq!((roster.count(&own), roster.len()), (1, 2));
        // What is not bound any more is a stranger again.
        roster.set_bound(conn(3), false);
        roster.set_bound(conn(3), false);
        assert_eq!(roster.give_way(Some(&own), resting), Some(conn(3)));
    }

    #[test]
    fn nothing_is_left_of_clients_that_have_left() {
        let all = [
            ("10.0.0.1:1", false),
            ("10.0.0.2:1", true),
            ("a pipe", false),
        ];
        let mut roster = roster(&all);
        roster.set_bound(conn(1), true);
        for number in 1..=3 {
            roster.leave(conn(number));
            roster.leave(conn(number));
        }
        assert_eq!(roster.len(), 0);
        assert!(roster.peers.is_empty() && roster.ranking.is_empty());
    }
}
