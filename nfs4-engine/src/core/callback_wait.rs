//! COMPOUNDs that wait a moment for the answer to a callback.

use crate::keys::{CompoundKey, DelegationKey};
use crate::peer::Peer;
use crate::state::States;
use crate::state::delegation::AttrQuery;
use crate::time::{Mono, Now};

/// A COMPOUND that waits for the holder of a delegation to answer CB_GETATTR.
#[derive(Clone, Copy)]
pub(crate) struct CallbackWait {
    pub(crate) asked: DelegationKey,
    pub(crate) run: CompoundKey,
    pub(crate) until: Mono,
    /// The peer that is charged with it.
    pub(crate) peer: Option<Peer>,
}

impl CallbackWait {
    /// Whether the holder has answered, or the time for that is over.
    pub(crate) fn is_over(&self, states: &States, now: Now) -> bool {
        let asked = states.delegation(self.asked);
        now.mono >= self.until || asked.is_none_or(|held| held.probe != AttrQuery::Asked)
    }
}
