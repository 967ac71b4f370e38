//! The connections of one session.

use core::time::Duration;

use crate::direction::Direction;
use crate::ids::ConnId;
use crate::small_list::SmallList;
use crate::time::{Mono, Now, Wall};

/// A connection bound to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) conn: ConnId,
    pub(crate) direction: Direction,
    pub(crate) bound_at: Wall,
    /// When the last request came by it.
    pub(crate) last_activity: Now,
}

/// The bindings of a session; few, so that a search walks over a few cache lines.
#[derive(Debug, Default)]
pub(crate) struct Bindings(SmallList<Binding>);

impl Binding {
    pub(crate) fn new(conn: ConnId, direction: Direction, now: Now) -> Binding {
        Binding {
            conn,
            direction,
            bound_at: now.wall,
            last_activity: now,
        }
    }
}

impl Bindings {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn find(&self, conn: ConnId) -> Option<&Binding> {
        self.0.iter().find(|binding| binding.conn == conn)
    }

    pub(crate) fn find_mut(&mut self, conn: ConnId) -> Option<&mut Binding> {
        self.0.iter_mut().find(|binding| binding.conn == conn)
    }

    pub(crate) fn contains(&self, conn: ConnId) -> bool {
        self.find(conn).is_some()
    }

    pub(crate) fn add(&mut self, binding: Binding) {
        debug_assert!(!self.contains(binding.conn), "a connection is bound once");
        self.0.push(binding);
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Binding> {
        let place = self.0.iter().position(|binding| binding.conn == conn)?;
        self.0.remove(place)
    }

    /// Whether a connection other than `conn` serves the fore channel.
    pub(crate) fn has_fore_besides(&self, conn: ConnId) -> bool {
        self.0
            .iter()
            .any(|binding| binding.conn != conn && binding.direction.is_fore())
    }

    /// Whether a connection serves the backchannel.
    pub(crate) fn has_back(&self) -> bool {
        self.0.iter().any(|binding| binding.direction.is_back())
    }

    /// A connection to unbind for a new one of direction `to`: no request came by it for a lease, so it
    /// may be half open. The last one of the fore channel is replaced only by another of that channel.
    pub(crate) fn silent(&self, now: Mono, lease: Duration, to: Direction) -> Option<ConnId> {
        let gives_way = |binding: &&Binding| {
            now > binding.last_activity.mono.after(lease)
                && (to.is_fore() || self.has_fore_besides(binding.conn))
        };
        self.0.iter().find(gives_way).map(|binding| binding.conn)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Binding> + '_ {
        self.0.iter()
    }
}
