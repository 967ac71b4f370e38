//! All exports together: where they come from, and which stand against each other.

use std::fmt;

use nfs4_admin::{ExportBackend, ExportOptions, ExportSource};

use super::entry::{Entry, ROOT};
use super::paths::holds;
use super::place::{Place, PlaceFault};
use super::wrong::Wrong;
use crate::size::Size;

/// The exports that are given at the start, and are not for requests to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenExports {
    /// By the configuration file.
    pub file: Vec<ExportOptions>,
    /// By the command line.
    pub line: Vec<ExportOptions>,
}

/// An export that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Its place in the list of its source.
    pub(crate) place: usize,
    pub(crate) source: ExportSource,
    pub(crate) wrong: Wrong,
}

/// Without a line of the file.
impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            ExportSource::CommandLine => write!(f, "--export {}", self.wrong.detail),
            _ => self.wrong.fmt(f),
        }
    }
}

impl GivenExports {
    /// Whether a directory is among them.
    pub(crate) fn has_directories(&self) -> bool {
        let mut all = self.file.iter().chain(&self.line);
        all.any(|one| one.backend.unwrap_or_default() == ExportBackend::Local)
    }

    /// The exports whose directories cannot be served on this machine, by this user: the place of each, those of the
    /// file first, and why. None if they are wrong by themselves.
    pub(crate) fn misplaced(&self, memory: Size) -> Vec<(usize, String)> {
        let entries = self.entries(memory).unwrap_or_default();
        misplaced(&entries)
    }

    /// The exports of the file, and then those of the command line; one in memory has `memory` bytes if it
    /// does not say how many.
    ///
    /// # Errors
    /// All that is wrong, with each option by itself and with the exports together.
    pub(crate) fn entries(&self, memory: Size) -> Result<Vec<Entry>, Vec<Misfit>> {
        let number = self.file.len() + self.line.len();
        let mut entries: Vec<Entry> = Vec::new();
        let mut misfits = Vec::new();
        let file = self.file.iter().enumerate();
        let file = file.map(|(place, one)| (ExportSource::ConfigurationFile, place, one.clone()));
        let line = self.line.iter().enumerate();
        let line = line.map(|(place, one)| {
            let mut one = one.clone();
            if number == 1 {
                one.pseudo.get_or_insert_with(|| ROOT.to_owned());
            }
            (ExportSource::CommandLine, place, one)
        });
        for (source, place, options) in file.chain(line) {
            let misfit = |wrong| Misfit {
                place,
                source,
                wrong,
            };
            match Entry::of(options, source, memory) {
                Ok(entry) => {
                    misfits.extend(against(&entry, &entries).map(misfit));
                    entries.push(entry);
                }
                Err(wrong) => misfits.extend(wrong.into_iter().map(misfit)),
            }
            if entries.len() > MOST_EXPORTS {
                let detail = format!("is one export too many; there are {MOST_EXPORTS} at most");
                misfits.push(misfit(Wrong::new("path", detail)));
                break;
            }
        }
        let networks: usize = entries.iter().map(|entry| entry.rules.networks.len()).sum();
        if networks > MOST_NETWORKS
            && let Some(last) = entries
                .iter()
                .rposition(|entry| !entry.rules.networks.is_empty())
        {
            let detail = format!("are too many: there are {MOST_NETWORKS} at most in all exports");
            misfits.push(Misfit {
                place: last,
                source: ExportSource::ConfigurationFile,
                wrong: Wrong::new("networks", detail),
            });
        }
        if misfits.is_empty() {
            Ok(entries)
        } else {
            Err(misfits)
        }
    }
}

/// Whether an export can be served beside others.
///
/// # Errors
/// Why not.
pub(super) fn fits(entry: &Entry, others: &[Entry]) -> Result<(), Wrong> {
    if others.len() >= MOST_EXPORTS {
        let detail = format!("is one export too many; there are {MOST_EXPORTS} at most");
        return Err(Wrong::new("path", detail));
    }
    against(entry, others).map_or(Ok(()), Err)
}

/// What one of the others says against an export.
fn against(entry: &Entry, others: &[Entry]) -> Option<Wrong> {
    let path = entry.directory().and_then(|path| path.to_str());
    let overlaps = |one: &str, other: &str| holds(one, other) || holds(other, one);
    for other in others {
        let taken = other.directory().and_then(|path| path.to_str());
        if let (Some(path), Some(taken)) = (path, taken)
            && overlaps(path, taken)
        {
            let detail = format!("is {path:?}, {}", how(path, taken, TWICE));
            return Some(Wrong::new("path", detail));
        }
    }
    let pseudo = &entry.pseudo;
    let other = others
        .iter()
        .find(|other| overlaps(pseudo, &other.pseudo))?;
    let detail = format!(
        "is {pseudo:?}, {}, and no export lies within another: {}",
        how(pseudo, &other.pseudo, "of another export"),
        way_out(other)
    );
    Some(Wrong::new("pseudo", detail))
}

/// What the administrator can do about an export that takes the path of another one.
fn way_out(other: &Entry) -> &'static str {
    match other.source {
        // That of a single one is not chosen.
        ExportSource::CommandLine if other.pseudo == ROOT => {
            "the only --export is at \"/\"; with a second one each is at its own path, and a table [[export]] of \
             the configuration file can give it another pseudo"
        }
        _ => "give one of the two another pseudo",
    }
}

/// Where the directory of an export is, if it has one, which is to be served beside others.
///
/// # Errors
/// It cannot be served, or overlaps the directory of another one.
pub(super) fn place<'a>(
    entry: &Entry,
    mut others: impl Iterator<Item = (&'a Entry, &'a Place)>,
) -> Result<Option<Place>, String> {
    let Some(path) = entry.directory() else {
        return Ok(None);
    };
    let place = Place::find(path).map_err(|why| {
        let is_line = entry.source == ExportSource::CommandLine;
        let advice = match (&why, path.to_str()) {
            (PlaceFault::Missing, Some(path)) if is_line && path.contains(MORE) => ALONE,
            _ => "",
        };
        format!("{why}{advice}")
    })?;
    match others.find(|(_, other)| place.overlaps(other)) {
        Some((other, _)) => Err(format!(
            "leads to the directory of the export {}, or one of the two lies within the other: a file would have \
             two names, and opens and locks of the one would not conflict with those of the other",
            other.given_as()
        )),
        None => Ok(Some(place)),
    }
}

/// The exports that are given whose directories cannot be served together: the place of each in the list, and why.
pub(super) fn misplaced(entries: &[Entry]) -> Vec<(usize, String)> {
    let mut places: Vec<(&Entry, Place)> = Vec::new();
    let mut wrong = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let others = places.iter().map(|(entry, place)| (*entry, place));
        match place(entry, others) {
            Ok(place) => places.extend(place.map(|place| (entry, place))),
            Err(why) => wrong.push((number, why)),
        }
    }
    wrong
}

fn how(path: &str, other: &str, why: &str) -> String {
    match (path == other, holds(path, other)) {
        (true, _) => format!("which is that {why}"),
        (false, true) => format!("within which is {other:?} {why}"),
        (false, false) => format!("which lies within {other:?} {why}"),
    }
}

const TWICE: &str = "of another export: a file would have two names, and opens and locks of the one would \
                     not conflict with those of the other";
/// Signs in an argument of `--export` that seem to say more than a directory; "~" is one that no shell has replaced.
const MORE: [char; 6] = ['=', ':', ',', ';', ' ', '~'];
const ALONE: &str = "; --export takes a directory alone: a table [[export]] of the configuration file gives it another \
                     path and rules";
/// Maximum number of exports of the engine.
const MOST_EXPORTS: usize = 1_024;
/// Maximum number of networks of the engine.
const MOST_NETWORKS: usize = 4_096;
