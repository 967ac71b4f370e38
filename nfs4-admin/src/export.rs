//! An export.

use serde::{Deserialize, Serialize};

/// An export: a file system at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Export {
    /// The path at which clients find it.
    pub pseudo: String,
    /// Its number, which is part of its filehandles; null while it is not served.
    pub number: Option<u16>,
    /// Where it comes from.
    pub source: ExportSource,
    /// Whether it outlasts the server.
    pub persistent: bool,
    /// Why it is not served, or what is wrong with its directory; null if nothing is.
    pub fault: Option<String>,
    /// What its files are kept in.
    pub backend: ExportBackend,
    /// The directory; null for memory.
    pub path: Option<String>,
    /// Whether file systems that are mounted below the directory are served, too.
    pub cross_mounts: bool,
    /// Whether clients and processes of the server's machine see each other's locks of byte ranges.
    #[serde(default)]
    pub local_locks: bool,
    /// Maximum size of a file system in memory, in bytes; null for a directory.
    pub memory: Option<u64>,
    /// Whether no host may change it.
    pub read_only: bool,
    /// Which users act as the anonymous user.
    pub squash: Squash,
    /// The anonymous user's id.
    pub anonymous_uid: u32,
    /// The anonymous user's group.
    pub anonymous_gid: u32,
    /// The networks for whose hosts the export is there; empty for all.
    pub networks: Vec<ExportNetwork>,
    /// The minor versions for whose clients the export is there.
    pub minor_versions: Vec<u32>,
    /// The security flavours that its requests may have.
    pub sec: Vec<Security>,
    /// Number of clients that have something open in it.
    pub clients: u64,
    /// Number of opens of its files.
    pub opens: u64,
}

impl Export {
    /// An export with the rules that hold if none are given, and without clients.
    pub fn new(pseudo: impl Into<String>, backend: ExportBackend, source: ExportSource) -> Export {
        Export {
            pseudo: pseudo.into(),
            number: None,
            source,
            persistent: false,
            fault: None,
            backend,
            path: None,
            cross_mounts: false,
            local_locks: false,
            memory: None,
            read_only: false,
            squash: Squash::of(backend),
            anonymous_uid: ANONYMOUS,
            anonymous_gid: ANONYMOUS,
            networks: Vec::new(),
            minor_versions: vec![0, 1, 2],
            sec: Security::of(backend),
            clients: 0,
            opens: 0,
        }
    }
}

/// Where an export comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportSource {
    /// It is there because there is no other.
    Default,
    /// The command line.
    CommandLine,
    /// The configuration file.
    ConfigurationFile,
    /// A request has added it.
    Request,
}

/// What the files of an export are kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportBackend {
    /// A directory of the server's machine.
    #[default]
    Local,
    /// The server's memory: the files are gone when the server stops.
    Memory,
}

/// Which users act as the anonymous user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Squash {
    /// None.
    None,
    /// Root, and root's group.
    Root,
    /// All.
    All,
}

impl Squash {
    /// The users that are squashed if nothing else is given.
    pub fn of(backend: ExportBackend) -> Squash {
        match backend {
            ExportBackend::Local => Squash::Root,
            ExportBackend::Memory => Squash::None,
        }
    }
}

/// A security flavour of RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Security {
    /// AUTH_SYS: the host names the user.
    Sys,
    /// AUTH_NONE: the user is the anonymous one.
    None,
}

impl Security {
    /// The flavours that requests may have if nothing else is given.
    pub fn of(backend: ExportBackend) -> Vec<Security> {
        match backend {
            ExportBackend::Local => vec![Security::Sys],
            ExportBackend::Memory => vec![Security::Sys, Security::None],
        }
    }
}

/// A network, and what differs for its hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ExportNetwork {
    /// An address and the length of its prefix, as in `192.0.2.0/24`.
    pub network: String,
    /// Whether its hosts may not change the export; null for what the export says.
    pub read_only: Option<bool>,
    /// Which of its users act as the anonymous user; null for what the export says.
    pub squash: Option<Squash>,
}

impl ExportNetwork {
    /// A network whose hosts have the rules of the export.
    pub fn new(network: impl Into<String>) -> ExportNetwork {
        ExportNetwork {
            network: network.into(),
            read_only: None,
            squash: None,
        }
    }
}

/// What is given for an export: to add one, or to change one. What is not given has its default, or stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ExportOptions {
    /// The directory: an absolute path. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The path at which clients find it; without it, that of the directory. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pseudo: Option<String>,
    /// What the files are kept in; `local` without it. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<ExportBackend>,
    /// Whether file systems that are mounted below the directory are served, too. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_mounts: Option<bool>,
    /// Whether clients and processes of the server's machine see each other's locks of byte ranges. It cannot
    /// be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_locks: Option<bool>,
    /// Maximum size of a file system in memory, as in `512M`. It cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Whether no host may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Which users act as the anonymous user; without it `root` for a directory, `none` for memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub squash: Option<Squash>,
    /// The anonymous user's id; 65534 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_uid: Option<u32>,
    /// The anonymous user's group; 65534 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_gid: Option<u32>,
    /// The networks for whose hosts the export is there; without it, it is there for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<ExportNetwork>>,
    /// The minor versions for whose clients the export is there; all without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor_versions: Option<Vec<u32>>,
    /// The security flavours that its requests may have; without it `sys`, and in memory also `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sec: Option<Vec<Security>>,
}

impl ExportOptions {
    /// The names of all options, in the order in which they are shown.
    pub const NAMES: [&str; 13] = [
        "path",
        "pseudo",
        "backend",
        "cross_mounts",
        "local_locks",
        "memory",
        "read_only",
        "squash",
        "anonymous_uid",
        "anonymous_gid",
        "networks",
        "minor_versions",
        "sec",
    ];

    /// It with the options of `above` in place of its own, where that has some.
    #[must_use]
    pub fn overlaid(self, above: ExportOptions) -> ExportOptions {
        ExportOptions {
            path: above.path.or(self.path),
            pseudo: above.pseudo.or(self.pseudo),
            backend: above.backend.or(self.backend),
            cross_mounts: above.cross_mounts.or(self.cross_mounts),
            local_locks: above.local_locks.or(self.local_locks),
            memory: above.memory.or(self.memory),
            read_only: above.read_only.or(self.read_only),
            squash: above.squash.or(self.squash),
            anonymous_uid: above.anonymous_uid.or(self.anonymous_uid),
            anonymous_gid: above.anonymous_gid.or(self.anonymous_gid),
            networks: above.networks.or(self.networks),
            minor_versions: above.minor_versions.or(self.minor_versions),
            sec: above.sec.or(self.sec),
        }
    }
}

/// The anonymous user and its group, if no other is given.
const ANONYMOUS: u32 = 65_534;
