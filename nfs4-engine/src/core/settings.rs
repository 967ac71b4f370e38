//! Change of settings while the server runs.

use crate::change::Change;
use crate::core::Core;
use crate::op_set::OpSet;
use crate::time::Now;

impl Core {
    /// Changes settings, unless one of them is out of its range.
    pub(crate) fn configure(&mut self, change: &Change, now: Now) {
        let Ok(config) = change.made_to(&self.config) else {
            return;
        };
        self.blocked = OpSet::of(&config.blocked_operations);
        if self.in_grace(now.mono) {
            self.grace_until = self.started.mono.after(config.grace);
        }
        self.terms.change(config.lease);
        self.config = config;
        self.templates.clear();
    }
}
