//! What an export is, and what is wrong with one.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use crate::fs::{Backend, Credential, Flavor};
use crate::network::{Cidr, NetworkRule};
use crate::squash::Squash;

/// A file system to serve, and the way to serve it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Export {
    /// The path at which clients find it: "/" for a server of one file system, else a path such as
    /// "/srv/data". No export lies within another.
    pub path: String,
    /// The file system.
    pub backend: Arc<dyn Backend>,
    /// The number, 0 to 65 534, that its filehandles and its fsid are made of: with another one, clients
    /// get STALE for all that they know of it. None: at the start, the place in the list; later, one that
    /// no export has had since the start. [RFC 8881 §5.8.1.9]
    pub number: Option<u16>,
    /// Whether every request that would change it is refused.
    pub read_only: bool,
    /// The users whose requests are made on behalf of the anonymous user.
    pub squash: Squash,
    /// The user id and group id of squashed users, and of requests without a credential.
    pub anonymous: (u32, u32),
    /// The networks whose hosts may use it; empty: all hosts. Of the networks that a host is in, the one
    /// with the longest prefix counts. For other hosts the export does not exist: no directory shows it,
    /// and requests with its filehandles get ACCESS. A peer without an IP address, by a Unix socket or in
    /// the same process, is 127.0.0.1.
    pub access: Vec<NetworkRule>,
    /// The minor versions that it is served in; in others it does not exist.
    pub minor_versions: RangeInclusive<u32>,
    /// The flavours of credentials that it is served to, the best first. Others get WRONGSEC.
    /// [RFC 8881 §2.6.3]
    pub flavors: Vec<Flavor>,
}

/// The reason for which a list of exports cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportFault {
    /// The list is empty.
    #[error("there is nothing to export")]
    Empty,
    /// There are too many exports, those included that are removed and whose requests have not all ended.
    #[error("there are more than {MAX_EXPORTS} exports")]
    TooMany,
    /// A path does not begin with '/', or has a part that is empty, ".", ".." or too long.
    #[error("\"{0}\" is not an absolute path of plain names")]
    Path(String),
    /// Two exports are the same directory, or one lies within the other. With an export at "/" there is no
    /// other.
    #[error("\"{0}\" and \"{1}\" overlap")]
    Overlap(String, String),
    /// One file system is at two paths: each of its files would have two filehandles, and opens and
    /// locks under one would not conflict with those under the other.
    #[error("\"{0}\" and \"{1}\" are one file system")]
    Shared(String, String),
    /// The file system has no names: [`Capabilities::max_name`](crate::fs::Capabilities::max_name) is zero.
    #[error("\"{0}\" has no names: max_name is 0")]
    Nameless(String),
    /// [`Capabilities::time_granularity`](crate::fs::Capabilities::time_granularity) is zero or more than a
    /// second.
    #[error("\"{0}\" has times of {1} nanoseconds, but it must be from 1 to 1000000000")]
    Times(String, u32),
    /// The number is out of range.
    #[error("\"{0}\" has number 65535, but numbers are from 0 to 65534")]
    Number(String),
    /// Two exports have one number.
    #[error("\"{0}\" and \"{1}\" have the same number {2}")]
    NumberTaken(String, String, u16),
    /// A file system that is served is to get another number.
    #[error("\"{0}\" is served under number {1}, which cannot change")]
    Renumbered(String, u16),
    /// The number, or the file system, belongs to an export that is removed, or is being replaced, and
    /// whose requests have not all ended, or for which stable storage does not have yet what clients have lost.
    #[error("\"{0}\" has the number or the file system of a removed export that has not ended yet")]
    Ending(String),
    /// No minor version is in the range, or one that does not exist.
    #[error("\"{0}\" has minor versions {1} to {2}, but there are 0 to {MAX_MINOR}")]
    MinorVersions(String, u32, u32),
    /// There is no flavour, or one twice.
    #[error("\"{0}\" has no flavour of credentials, or one twice")]
    Flavors(String),
    /// An anonymous id is 2^32 - 1, which system calls take for "unchanged".
    #[error("\"{0}\" has an anonymous id of 4294967295")]
    Anonymous(String),
    /// A network is there twice.
    #[error("\"{0}\" has network {1} twice")]
    Network(String, Cidr),
    /// The exports have too many networks, together.
    #[error("there are more than {MAX_NETWORKS} networks in all exports")]
    TooManyNetworks,
}

/// All reasons for which exports cannot be served so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ExportFaults(pub Vec<ExportFault>);

impl fmt::Display for ExportFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        self.0.iter().try_for_each(|fault| {
            let written = write!(f, "{between}{fault}");
            between = "; ";
            written
        })
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("path", &self.path)
            .field("number", &self.number)
            .field("read_only", &self.read_only)
            .field("squash", &self.squash)
            .field("anonymous", &self.anonymous)
            .field("access", &self.access)
            .field("minor_versions", &self.minor_versions)
            .field("flavors", &self.flavors)
            .finish_non_exhaustive()
    }
}

/// Two exports are equal if they serve one file system in the same way.
impl PartialEq for Export {
    fn eq(&self, other: &Export) -> bool {
        self.is_same_file_system(other)
            && self.number == other.number
            && self.differing(other).next().is_none()
    }
}

impl Eq for Export {}

impl Export {
    /// A file system at a path, writable and without squashing, for all hosts, with AUTH_SYS or without a
    /// credential.
    pub fn new(path: impl Into<String>, backend: Arc<dyn Backend>) -> Export {
        Export {
            path: path.into(),
            backend,
            number: None,
            read_only: false,
            squash: Squash::None,
            anonymous: (Credential::NOBODY, Credential::NOBODY),
            access: Vec::new(),
            minor_versions: 0..=MAX_MINOR,
            flavors: alloc::vec![Flavor::Sys, Flavor::None],
        }
    }

    /// This export, after `set` has set some of its fields.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Export)) -> Export {
        set(&mut self);
        self
    }

    pub(crate) fn is_same_file_system(&self, other: &Export) -> bool {
        Arc::ptr_eq(&self.backend, &other.backend)
    }

    /// The names of the options in which two exports differ.
    pub(crate) fn differing(&self, other: &Export) -> impl Iterator<Item = &'static str> {
        let differ = [
            ("path", self.path != other.path),
            ("read_only", self.read_only != other.read_only),
            ("squash", self.squash != other.squash),
            ("anonymous", self.anonymous != other.anonymous),
            ("access", self.access != other.access),
            (
                "minor_versions",
                self.minor_versions != other.minor_versions,
            ),
            ("flavors", self.flavors != other.flavors),
        ];
        differ
            .into_iter()
            .filter_map(|(name, differs)| differs.then_some(name))
    }

    /// What is wrong with its options.
    pub(crate) fn faults(&self) -> impl Iterator<Item = ExportFault> {
        let path = || self.path.clone();
        let reserved = self.number == Some(u16::MAX);
        let number = reserved.then(|| ExportFault::Number(path()));
        let (first, last) = (*self.minor_versions.start(), *self.minor_versions.end());
        let minor = (first > last || last > MAX_MINOR)
            .then(|| ExportFault::MinorVersions(path(), first, last));
        let twice = self.flavors.iter().enumerate();
        let mut twice = twice.filter(|(at, flavor)| {
            let earlier = self.flavors.get(..*at);
            earlier.is_some_and(|earlier| earlier.contains(flavor))
        });
        let flavors = self.flavors.is_empty() || twice.next().is_some();
        let flavors = flavors.then(|| ExportFault::Flavors(path()));
        let (uid, gid) = self.anonymous;
        let unchanged = uid == u32::MAX || gid == u32::MAX;
        let anonymous = unchanged.then(|| ExportFault::Anonymous(path()));
        let network = twice_in(&self.access).map(|network| ExportFault::Network(path(), network));
        let faults = [number, minor, flavors, anonymous, network];
        faults.into_iter().flatten()
    }
}

/// A network for which there are two rules.
fn twice_in(rules: &[NetworkRule]) -> Option<Cidr> {
    let mut networks: Vec<Cidr> = rules.iter().map(|rule| rule.network).collect();
    networks.sort_unstable_by_key(|network| (network.address(), network.prefix()));
    let mut pairs = networks.windows(2);
    pairs.find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    })
}

/// Maximum number of exports at a time.
pub(crate) const MAX_EXPORTS: usize = 1024;
/// Maximum number of networks of all exports: a host may be looked up in all of them under one hold of the
/// engine's lock.
pub(crate) const MAX_NETWORKS: usize = 4096;
/// The last minor version.
const MAX_MINOR: u32 = 2;
