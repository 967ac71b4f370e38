//! Changes of the exports while they are served, and the end of those that are removed.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Exports;
use super::plan::Plan;
use super::served::{Phase, Served};
use crate::event::Event;
use crate::export::{Export, ExportFaults};
use crate::fs::Backend;
use crate::keys::ClientKey;

/// What has changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) events: Vec<Event>,
    /// Whether there is state that has to end or to be recalled.
    pub(crate) searches: bool,
}

/// What becomes of the state of an export that a pass comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It ends.
    End,
    /// Its write delegations are recalled.
    RecallWrites,
}

/// The search through all files with state, from the first to the last, in parts. An export that is changed
/// during a pass is searched by the next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pass {
    /// The number of the pass that runs, or that ran last.
    number: u32,
    /// Where it continues; none if there is no pass.
    from: Option<u32>,
}

impl Exports {
    /// # Errors
    /// All reasons for which the exports cannot be as after [`Exports::put`].
    pub(crate) fn check_put(&self, export: &Export) -> Result<(), ExportFaults> {
        self.check(self.with(export))
    }

    /// # Errors
    /// All reasons for which these cannot be the exports.
    pub(crate) fn check(&self, list: Vec<Export>) -> Result<(), ExportFaults> {
        self.plan(list).map(|_| ()).map_err(ExportFaults)
    }

    /// Whether an export is at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.served().any(|export| export.path == path)
    }

    /// Adds an export, or changes the one at its path; nothing if there is a fault.
    pub(crate) fn put(&mut self, export: Export) -> Changed {
        self.set(self.with(&export))
    }

    /// Removes the export at a path, if there is one.
    pub(crate) fn remove(&mut self, path: &str) -> Changed {
        match self.without(path) {
            Some(list) => self.set(list),
            None => Changed::default(),
        }
    }

    /// Makes these the exports; nothing if there is a fault.
    pub(crate) fn set(&mut self, list: Vec<Export>) -> Changed {
        match self.plan(list) {
            Ok(plan) => self.carry_out(plan),
            Err(_) => Changed::default(),
        }
    }

    pub(super) fn carry_out(&mut self, plan: Plan) -> Changed {
        let mut changed = Changed::default();
        let next_pass = self.pass.next();
        let mut keeps: Vec<u16> = plan
            .exports
            .iter()
            .filter_map(|export| export.number)
            .collect();
        keeps.sort_unstable();
        for served in self.list.iter_mut().flatten() {
            if !served.is_ending() && keeps.binary_search(&served.number()).is_err() {
                served.phase = Phase::Ends(next_pass);
                changed.searches = true;
                changed.events.push(Event::ExportRemoved {
                    path: served.export.path.clone(),
                    number: served.number(),
                });
            }
        }
        for export in plan.exports {
            // The plan has numbered all.
            let number = export.number.unwrap_or_default();
            self.squash = self.squash.min(least_squash(&export));
            match self.find_mut(number) {
                Some(served) => {
                    let options: Vec<String> =
                        served.export.differing(&export).map(String::from).collect();
                    if options.is_empty() {
                        continue;
                    }
                    let was_writable = served.is_writable();
                    served.change(export);
                    if served.is_writable() {
                        served.phase = Phase::Served;
                    } else if was_writable {
                        served.phase = Phase::Recalls(next_pass);
                        changed.searches = true;
                    }
                    changed.events.push(Event::ExportChanged {
                        path: served.export.path.clone(),
                        number,
                        options,
                    });
                }
                None => {
                    changed.events.push(Event::ExportAdded {
                        path: export.path.clone(),
                        number,
                    });
                    let before = self.lost.get(&number).copied().unwrap_or_default();
                    self.insert(Served::new(number, export).losing_from(before));
                }
            }
        }
        self.pseudo = plan.pseudo;
        self.follow_tree();
        self.changes = self.changes.wrapping_add(1);
        let has_rules = self.served().any(|export| !export.access.is_empty());
        self.has_rules = has_rules;
        changed
    }

    fn insert(&mut self, served: Served) {
        let number = served.number();
        self.numbers.insert(number);
        let place = match self.list.iter().position(Option::is_none) {
            Some(place) => {
                if let Some(free) = self.list.get_mut(place) {
                    *free = Some(served);
                }
                place
            }
            None => {
                self.list.push(Some(served));
                self.list.len() - 1
            }
        };
        let reach = usize::from(number) + 1;
        if self.by_number.len() < reach {
            self.by_number.resize(reach, NO_PLACE);
        }
        if let Some(entry) = self.by_number.get_mut(usize::from(number)) {
            // There are at most MAX_EXPORTS.
            *entry = u16::try_from(place).unwrap_or(NO_PLACE);
        }
    }

    /// Notes of each export where it is in the tree.
    fn follow_tree(&mut self) {
        for served in self.list.iter_mut().flatten() {
            (served.covers, served.above) = (None, None);
        }
        let covered: Vec<_> = self
            .pseudo
            .iter()
            .flat_map(|pseudo| pseudo.covered())
            .collect();
        for (number, covers, above) in covered {
            if let Some(served) = self.find_mut(number) {
                (served.covers, served.above) = (Some(covers), Some(above));
            }
        }
    }

    /// Whether and why the state of a file of this export is searched for.
    pub(crate) fn purpose(&self, export: u16) -> Option<Purpose> {
        match self.find(export)?.phase {
            Phase::Ends(_) => Some(Purpose::End),
            Phase::Recalls(_) => Some(Purpose::RecallWrites),
            Phase::Served | Phase::Ended => None,
        }
    }

    /// Where the search continues, which begins if there is something to search for; none if it is over.
    pub(crate) fn search_from(&mut self) -> Option<u32> {
        if self.pass.from.is_none() {
            let next = self.pass.next();
            let waits = |served: &Served| match served.phase {
                Phase::Ends(pass) | Phase::Recalls(pass) => pass == next,
                Phase::Served | Phase::Ended => false,
            };
            if self.list.iter().flatten().any(waits) {
                self.pass = Pass {
                    number: next,
                    from: Some(0),
                };
            }
        }
        self.pass.from
    }

    /// The search has come to this place.
    pub(crate) fn continue_search_from(&mut self, from: u32) {
        self.pass.from = Some(from);
    }

    /// The search has come to the last file: what was to be searched for when it began is done.
    pub(crate) fn search_is_done(&mut self) {
        self.pass.from = None;
        let done = self.pass.number;
        for served in self.list.iter_mut().flatten() {
            match served.phase {
                Phase::Ends(pass) if pass == done => served.phase = Phase::Ended,
                Phase::Recalls(pass) if pass == done => served.phase = Phase::Served,
                Phase::Ends(_) | Phase::Recalls(_) | Phase::Served | Phase::Ended => {}
            }
        }
    }

    /// A file system has answered. Returns whether its export is served, and whether that was the last
    /// answer to an export that is removed.
    #[inline]
    pub(crate) fn answered(&mut self, export: u16) -> (bool, bool) {
        let Some(served) = self.find_mut(export) else {
            return (false, false);
        };
        served.asked = served.asked.saturating_sub(1);
        (!served.is_ending(), served.is_over())
    }

    /// Takes out an export that is removed and that nothing uses any more.
    pub(crate) fn take_ended(&mut self) -> Option<(u16, Arc<dyn Backend>)> {
        let place = self
            .list
            .iter()
            .position(|served| served.as_ref().is_some_and(Served::is_over))?;
        let ended = self.list.get_mut(place)?.take()?;
        let number = ended.number();
        self.lost.insert(number, ended.most_lost.wrapping_add(1));
        if let Some(entry) = self.by_number.get_mut(usize::from(number)) {
            *entry = NO_PLACE;
        }
        Some((number, ended.export.backend))
    }

    /// An export that is removed does not end before a client's loss of all its state there is durable.
    pub(crate) fn awaits_loss(&mut self, export: u16, client: ClientKey) {
        if let Some(served) = self.find_mut(export)
            && let Err(place) = served.losses.binary_search(&client)
        {
            served.losses.insert(place, client);
        }
    }

    /// Losses of a client may be durable; `waits` says of which exports they are not. Returns whether one was
    /// waited for, and is.
    pub(crate) fn loss_stored(&mut self, client: ClientKey, waits: impl Fn(u16) -> bool) -> bool {
        let mut any = false;
        for served in self.list.iter_mut().flatten() {
            if let Ok(place) = served.losses.binary_search(&client)
                && !waits(served.number())
            {
                served.losses.remove(place);
                any = true;
            }
        }
        any
    }

    /// Number of requests that the file system of an export has not answered.
    pub(crate) fn unanswered(&self, export: u16) -> Option<u32> {
        self.find(export).map(|served| served.asked)
    }
}

impl Pass {
    /// The pass that searches for what changes now.
    fn next(self) -> u32 {
        self.number.wrapping_add(1)
    }
}

impl Served {
    /// Whether it is removed, and nothing uses it any more.
    fn is_over(&self) -> bool {
        self.phase == Phase::Ended && self.asked == 0 && self.losses.is_empty()
    }

    /// Whether any host may change its files.
    fn is_writable(&self) -> bool {
        let rules = &self.export.access;
        let writable = |read_only: Option<bool>| !read_only.unwrap_or(self.export.read_only);
        match rules.as_slice() {
            [] => writable(None),
            rules => rules.iter().any(|rule| writable(rule.read_only)),
        }
    }
}

/// The least squashing of any host.
fn least_squash(export: &Export) -> crate::squash::Squash {
    let rules = export.access.iter();
    let of_rules = rules.map(|rule| rule.squash.unwrap_or(export.squash));
    of_rules.min().unwrap_or(export.squash)
}

/// Stands in [`Exports::by_number`] for a number that no export has.
const NO_PLACE: u16 = u16::MAX;
