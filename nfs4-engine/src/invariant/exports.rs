//! What is counted of the exports is what the tables have, and what is removed leaves nothing.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::check;
use crate::engine::Engine;
use crate::slow::WaitsFor;
use crate::timer::Due;

impl Engine {
    /// Requests and opens are counted; an export that is removed ends by a timer or by answers; no file of
    /// another number has opens or delegations.
    pub(super) fn check_exports(&self) -> Result<(), String> {
        let core = &self.runner.core;
        let (mut asked, mut opens) = (BTreeMap::new(), BTreeMap::<u16, u32>::new());
        for (_, run) in self.runner.parked.entries() {
            if let WaitsFor::FileSystem { export, .. } = run.waits_for {
                *asked.entry(export).or_default() += 1;
            }
        }
        for (key, file) in core.states.inside().files.entries() {
            let export = file.fh.export;
            *opens.entry(export).or_default() += file.opens.len() as u32;
            let has_state = !file.opens.is_empty() || !file.delegations.is_empty();
            let is_there = core.exports.unanswered(export).is_some();
            check(is_there || !has_state, "state of no export", (key, export))?;
        }
        for served in core.exports.all() {
            let number = served.number();
            let waiting = asked.remove(&number).unwrap_or(0);
            let counted = core.exports.unanswered(number);
            check(
                counted == Some(waiting),
                "requests to an export",
                (number, counted, waiting),
            )?;
            let open = opens.remove(&number).unwrap_or(0);
            let counted = core.states.files.opens_of(number);
            check(
                counted == open,
                "opens of an export",
                (number, counted, open),
            )?;
            let searched = core.exports.purpose(number).is_none()
                || core.timers.entries().any(|(_, due)| due == Due::Exports);
            check(searched, "no timer for the state of an export", number)?;
        }
        check(asked.is_empty(), "requests to exports that are gone", asked)
    }
}
