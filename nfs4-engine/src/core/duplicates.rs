//! Replies of 4.0 that are too old for a retransmission.

use core::time::Duration;

use crate::core::Core;
use crate::time::Mono;
use crate::timer::Due;

impl Core {
    /// Drops replies that are a lease old; `false` if there are more than `budget` allows.
    pub(crate) fn forget_replies(&mut self, now: Mono, budget: &mut usize) -> bool {
        let lease = self.config.lease;
        match self.duplicates.forget(now, lease, budget, &mut self.peers) {
            Some(oldest) if now <= oldest.after(lease) => {
                let at = oldest.after(lease).after(Duration::from_nanos(1));
                self.timers.set(at, Due::Replies);
                true
            }
            Some(_) => false,
            None => true,
        }
    }
}
