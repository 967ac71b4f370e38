//! Change of settings while the server runs.

use crate::action::Outbox;
use crate::change::{Change, differing};
use crate::core::Core;
use crate::event::Event;
use crate::op_set::OpSet;

impl Core {
    /// Changes settings, unless one of them is out of its range.
    pub(crate) fn configure(&mut self, change: &Change, out: &mut Outbox) {
        let Ok(config) = change.made_to(&self.config) else {
            return;
        };
        let settings = differing(&self.config, &config);
        self.blocked = OpSet::of(&config.blocked_operations);
        self.terms.change(config.lease);
        self.config = config;
        self.change_grace(out.now.mono);
        self.courtesy_changed(out.now.mono);
        self.slow_changed(out.now.mono);
        self.templates.clear();
        if !settings.is_empty() {
            out.event(Event::SettingsChanged { settings });
        }
    }
}
