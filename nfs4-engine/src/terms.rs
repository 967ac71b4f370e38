//! On which terms a peer uses an export.

use crate::squash::Squash;

/// On which terms a peer uses an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) read_only: bool,
    pub(crate) squash: Squash,
}

/// Why a peer cannot use an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// There is no such export, or not any more.
    Gone,
    /// It is not for hosts of the peer's network, or not for requests of this minor version.
    Denied,
}

/// The terms of a peer for one export, as they were when the exports had last changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownTerms {
    pub(crate) export: u16,
    /// Number of changes of exports until then.
    pub(crate) changes: u32,
    /// None if it is not for the peer.
    pub(crate) terms: Option<Terms>,
}

/// The terms of a peer for the exports that it used last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TermsCache([Option<KnownTerms>; PLACES]);

impl TermsCache {
    /// The terms for an export, unless exports have changed since they were noted.
    #[inline]
    pub(crate) fn get(&self, export: u16, changes: u32) -> Option<KnownTerms> {
        let known = self.0.get(usize::from(export) % PLACES).copied().flatten();
        known.filter(|known| (known.export, known.changes) == (export, changes))
    }

    pub(crate) fn note(&mut self, known: KnownTerms) {
        if let Some(place) = self.0.get_mut(usize::from(known.export) % PLACES) {
            *place = Some(known);
        }
    }
}

/// Number of exports whose terms are kept for a connection.
const PLACES: usize = 4;
