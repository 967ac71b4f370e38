//! The check of a list of exports, as a whole, before anything changes.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Exports;
use super::pseudo::PseudoFs;
use super::served::Served;
use crate::export::{Export, ExportFault, MAX_EXPORTS, MAX_NETWORKS};

/// A list of exports that can be served, with all that is needed for that.
pub(super) struct Plan {
    /// Each with its number.
    pub(super) exports: Vec<Export>,
    pub(super) pseudo: Option<PseudoFs>,
}

impl Exports {
    /// Checks a list of exports that is to take the place of those that are served. An export whose file
    /// system is served keeps its number.
    ///
    /// # Errors
    /// All faults of the list.
    pub(super) fn plan(&self, mut list: Vec<Export>) -> Result<Plan, Vec<ExportFault>> {
        let ending = self.all().filter(|served| served.is_ending()).count();
        if list.len() + ending > MAX_EXPORTS {
            return Err(alloc::vec![ExportFault::TooMany]);
        }
        let mut faults: Vec<ExportFault> = shared(&list).collect();
        self.number(&mut list, &mut faults);
        let pseudo = match list.as_slice() {
            [only] if only.path == "/" => None,
            several => {
                let numbered = several
                    .iter()
                    .map(|export| (export.path.as_str(), export.number.unwrap_or_default()));
                // Epochs grow from start to start.
                let change = u64::from(self.epoch) << 32 | u64::from(self.changes.wrapping_add(1));
                PseudoFs::new(numbered, change, self.keyed)
                    .map_err(|wrong| {
                        faults.extend(wrong.into_iter().map(|fault| beside_root(fault, several)));
                    })
                    .ok()
            }
        };
        for export in &list {
            faults.extend(Served::faults(export).chain(export.faults()));
        }
        let networks: usize = list.iter().map(|export| export.access.len()).sum();
        if networks > MAX_NETWORKS {
            faults.push(ExportFault::TooManyNetworks);
        }
        if faults.is_empty() {
            Ok(Plan {
                exports: list,
                pseudo,
            })
        } else {
            Err(faults)
        }
    }

    /// The exports that are served, with one more, or with another one in the place of the one at its path.
    pub(super) fn with(&self, export: &Export) -> Vec<Export> {
        let others = self.served().filter(|other| other.path != export.path);
        others.chain([export]).cloned().collect()
    }

    /// The exports that are served, without the one at a path; none if there is none.
    pub(super) fn without(&self, path: &str) -> Option<Vec<Export>> {
        let mut found = false;
        let others = self.served().filter(|other| {
            found |= other.path == path;
            other.path != path
        });
        let others = others.cloned().collect();
        found.then_some(others)
    }

    pub(super) fn served(&self) -> impl Iterator<Item = &Export> {
        let served = self.all().filter(|served| !served.is_ending());
        served.map(|served| &served.export)
    }

    /// Gives each export of a list its number.
    fn number(&self, list: &mut [Export], faults: &mut Vec<ExportFault>) {
        let mut known: Vec<(usize, &Served)> = self
            .all()
            .map(|served| (address(&served.export), served))
            .collect();
        known.sort_unstable_by_key(|(address, _)| *address);
        let served_as = |export: &Export| {
            let place = known.binary_search_by_key(&address(export), |(address, _)| *address);
            known.get(place.ok()?).map(|(_, served)| *served)
        };
        let mut taken: Vec<(u16, usize)> = Vec::new();
        for (place, export) in list.iter_mut().enumerate() {
            match served_as(export) {
                Some(served) if served.is_ending() => {
                    faults.push(ExportFault::Ending(export.path.clone()));
                }
                Some(served) => {
                    let own = served.number();
                    if export.number.is_some_and(|number| number != own) {
                        faults.push(ExportFault::Renumbered(export.path.clone(), own));
                    }
                    export.number = Some(own);
                }
                None => {
                    let in_use = export.number.and_then(|number| self.find(number));
                    if in_use.is_some() {
                        faults.push(ExportFault::Ending(export.path.clone()));
                    }
                }
            }
            if let Some(number) = export.number {
                taken.push((number, place));
            }
        }
        taken.sort_unstable();
        for pair in taken.windows(2) {
            if let [(number, one), (other, second)] = pair
                && number == other
                && let (Some(one), Some(second)) = (list.get(*one), list.get(*second))
                && !one.is_same_file_system(second)
            {
                let (one, second) = (one.path.clone(), second.path.clone());
                faults.push(ExportFault::NumberTaken(one, second, *number));
            }
        }
        let is_taken = |number: u16| {
            let place = taken.binary_search_by_key(&number, |(number, _)| *number);
            place.is_ok() || self.numbers.contains(number)
        };
        let mut free = (0..u16::MAX).filter(|number| !is_taken(*number));
        for export in list.iter_mut().filter(|export| export.number.is_none()) {
            match free.next() {
                Some(number) => export.number = Some(number),
                None => faults.push(ExportFault::TooMany),
            }
        }
    }
}

/// The fault of an export at "/" that is not the only one: all others lie within it.
fn beside_root(fault: ExportFault, list: &[Export]) -> ExportFault {
    let is_root = matches!(&fault, ExportFault::Path(path) if path == "/");
    match list.iter().find(|export| export.path != "/") {
        Some(other) if is_root => ExportFault::Overlap(String::from("/"), other.path.clone()),
        _ => fault,
    }
}

/// The exports of a list that serve the same file system as an earlier one.
fn shared(list: &[Export]) -> impl Iterator<Item = ExportFault> {
    let mut places: Vec<(usize, usize)> = list.iter().map(address).zip(0..).collect();
    places.sort_unstable();
    let mut pairs: Vec<(usize, usize)> = places
        .chunk_by(|(one, _), (other, _)| one == other)
        .flat_map(|same| {
            let (_, first) = same[0];
            same[1..].iter().map(move |(_, other)| (*other, first))
        })
        .collect();
    pairs.sort_unstable_by_key(|(other, _)| Reverse(*other));
    core::iter::from_fn(move || {
        let (other, first) = pairs.pop()?;
        let (first, other) = (list.get(first)?, list.get(other)?);
        Some(ExportFault::Shared(first.path.clone(), other.path.clone()))
    })
}

/// The address of its file system in memory: two exports of one file system have the same.
fn address(export: &Export) -> usize {
    Arc::as_ptr(&export.backend).cast::<()>().addr()
}
