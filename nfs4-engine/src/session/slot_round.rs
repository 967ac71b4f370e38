//! A round through the sessions for slots that must come back.

/// How far the sessions were gone through.
pub(crate) struct Round {
    /// A reminder is set.
    pub(crate) is_set: bool,
    /// The place of the session that is next.
    pub(crate) next: u32,
    /// Memory ran short for one that was passed.
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
