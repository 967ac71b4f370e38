//! A walk over the sessions that recalls slots, part by part.

/// The progress of the walk.
pub(crate) struct Round {
    /// A timer is set for the next part.
    pub(crate) is_set: bool,
    /// The place of the next session.
    pub(crate) next: u32,
    /// Memory was short for a session that was passed.
    pub(crate) is_short: bool,
}

impl Round {
    pub(crate) const fn new() -> Round {
        Round {
            is_set: false,
            next: 0,
            is_short: false,
        }
    }
}
