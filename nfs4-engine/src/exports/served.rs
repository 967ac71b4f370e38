//! An export that is served, with the constant properties of its file system.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::squashed::Anonymous;
use crate::export::{Export, ExportFault};
use crate::fh::Fh;
use crate::fs::{Capabilities, Flavor, FsHandle, Guarded};
use crate::keys::ClientKey;
use crate::terms::Terms;

/// An export that is served, or that is removed and ends.
pub(crate) struct Served {
    pub(crate) export: Export,
    pub(crate) capabilities: Capabilities,
    pub(crate) root: Fh,
    pub(super) guarded: Guarded,
    /// The first word of its fsid.
    pub(super) fsid: u64,
    /// Its terms for hosts without a rule of their own.
    pub(super) terms: Terms,
    /// It is served on these terms to every host in every minor version.
    pub(super) is_plain: bool,
    pub(super) anonymous: Anonymous,
    /// The fileid of the directory that it covers, and the handle of the one above, if there are
    /// directories above it.
    pub(super) covers: Option<u64>,
    pub(super) above: Option<FsHandle>,
    /// Number of requests that its file system has not answered.
    pub(super) asked: u32,
    /// What a write verifier has counted under the number before, and the most that one has counted since.
    pub(super) lost_before: u64,
    pub(super) most_lost: u64,
    /// The clients whose loss of state in this export, which is removed, is not durable, in their order.
    pub(super) losses: Vec<ClientKey>,
    pub(super) phase: Phase,
}

/// What becomes of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is served.
    Served,
    /// It is served, and its write delegations are recalled by the sweep with this number.
    Recalls(u32),
    /// It is removed, and its state ends by the sweep with this number.
    Ends(u32),
    /// It is removed, and its state has ended.
    Ended,
}

impl Served {
    pub(super) fn new(number: u16, export: Export) -> Served {
        let (root, capabilities) = (export.backend.root(), export.backend.capabilities());
        let guarded = Guarded::of(&*export.backend);
        let mut served = Served {
            capabilities,
            root: Fh {
                export: number,
                handle: root,
            },
            guarded,
            fsid: u64::from(number) + 1,
            terms: Terms {
                read_only: false,
                squash: export.squash,
            },
            is_plain: true,
            anonymous: Anonymous::new(export.anonymous),
            covers: None,
            above: None,
            asked: 0,
            lost_before: 0,
            most_lost: 0,
            losses: Vec::new(),
            phase: Phase::Served,
            export,
        };
        served.follow_options();
        served
    }

    /// The number.
    pub(crate) fn number(&self) -> u16 {
        self.root.export
    }

    /// Counts losses from `before` on.
    pub(super) fn losing_from(self, before: u64) -> Served {
        Served {
            lost_before: before,
            most_lost: before,
            ..self
        }
    }

    /// Takes other options over.
    pub(super) fn change(&mut self, export: Export) {
        self.export = Export {
            number: self.export.number,
            ..export
        };
        self.follow_options();
    }

    fn follow_options(&mut self) {
        let export = &self.export;
        self.terms = Terms {
            read_only: export.read_only,
            squash: export.squash,
        };
        self.is_plain = export.access.is_empty() && is_any(export);
        self.anonymous = Anonymous::new(export.anonymous);
    }

    /// Whether it is removed.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ends(_) | Phase::Ended)
    }

    /// The terms of a host; none if it is not for it. A host that is not known is in no network.
    pub(super) fn terms_of(&self, host: Option<IpAddr>) -> Option<Terms> {
        let rules = &self.export.access;
        if rules.is_empty() {
            return Some(self.terms);
        }
        let of_host = rules
            .iter()
            .filter(|rule| host.is_some_and(|host| rule.network.contains(host)));
        let rule = of_host.max_by_key(|rule| rule.network.prefix())?;
        Some(Terms {
            read_only: rule.read_only.unwrap_or(self.terms.read_only),
            squash: rule.squash.unwrap_or(self.terms.squash),
        })
    }

    pub(super) fn is_served_in(&self, minor: u32) -> bool {
        self.export.minor_versions.contains(&minor)
    }

    /// Whether requests of this flavour may use it.
    pub(crate) fn accepts(&self, flavor: Flavor) -> bool {
        self.export.flavors.contains(&flavor)
    }

    /// The faults in the properties that the file system states.
    pub(super) fn faults(export: &Export) -> impl Iterator<Item = ExportFault> {
        let Capabilities {
            max_name,
            time_granularity,
            ..
        } = export.backend.capabilities();
        let nameless = (max_name == 0).then(|| ExportFault::Nameless(export.path.clone()));
        let coarse = !(1..=1_000_000_000).contains(&time_granularity);
        let times = coarse.then(|| ExportFault::Times(export.path.clone(), time_granularity));
        nameless.into_iter().chain(times)
    }
}

fn is_any(export: &Export) -> bool {
    (0..=2).all(|minor| export.minor_versions.contains(&minor))
}
