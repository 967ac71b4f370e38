//! An export as it is to be served.

use std::path::{Path, PathBuf};

use nfs4_admin::{ExportBackend, ExportOptions, ExportSource, Security, Squash};
use nfs4_engine::{Cidr, CidrFault};

use super::wrong::Wrong;
use crate::size::Size;

/// An export as it is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path at which clients find it.
    pub(crate) pseudo: String,
    pub(crate) source: ExportSource,
    pub(crate) files: Files,
    pub(crate) rules: Rules,
    /// What was given for it.
    pub(super) options: ExportOptions,
}

/// What the files of an export are kept in. An export whose files are kept in something else is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    Local {
        path: PathBuf,
        /// File systems that are mounted below it are served, too.
        cross_mounts: bool,
        /// Locks of byte ranges are also between clients and processes of this machine.
        local_locks: bool,
    },
    Memory {
        size: Size,
    },
}

/// Which requests an export accepts, and on behalf of which users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) read_only: bool,
    pub(crate) squash: Squash,
    /// The anonymous user and its group.
    pub(crate) anonymous: (u32, u32),
    /// Empty for all hosts.
    pub(crate) networks: Vec<NetworkRule>,
    /// The lowest and the highest.
    pub(crate) minor_versions: (u32, u32),
    pub(crate) sec: Vec<Security>,
}

/// What differs for the hosts of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NetworkRule {
    pub(crate) network: Cidr,
    pub(crate) read_only: Option<bool>,
    pub(crate) squash: Option<Squash>,
}

impl Entry {
    /// The export of these options; a file system in memory has `memory` bytes if they do not say how many.
    ///
    /// # Errors
    /// All options that are missing, or for another backend.
    pub(super) fn of(
        options: ExportOptions,
        source: ExportSource,
        memory: Size,
    ) -> Result<Entry, Vec<Wrong>> {
        let (files, rules) = match (files(&options, memory), Rules::read(&options)) {
            (Ok(files), Ok(rules)) => (files, rules),
            (files, rules) => {
                let wrong = [files.err(), rules.err()];
                return Err(wrong.into_iter().flatten().flatten().collect());
            }
        };
        let pseudo = options.pseudo.clone().or_else(|| options.path.clone());
        Ok(Entry {
            pseudo: pseudo.unwrap_or_else(|| ROOT.to_owned()),
            source,
            files,
            rules,
            options,
        })
    }

    /// The export that is there without any other: memory.
    pub(super) fn default_of(memory: Size) -> Entry {
        let options = ExportOptions {
            pseudo: Some(ROOT.to_owned()),
            backend: Some(ExportBackend::Memory),
            ..ExportOptions::default()
        };
        Entry {
            pseudo: ROOT.to_owned(),
            source: ExportSource::Default,
            files: Files::Memory { size: memory },
            rules: Rules::of(ExportBackend::Memory),
            options,
        }
    }

    /// The directory, if it has one.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match &self.files {
            Files::Local { path, .. } => Some(path),
            Files::Memory { .. } => None,
        }
    }
}

impl Files {
    /// A name that is another one for other files: an export at the same path that has them is another.
    pub(super) fn identity(&self) -> String {
        match self {
            Files::Local {
                path,
                cross_mounts,
                local_locks,
            } => {
                let mounts = if *cross_mounts {
                    " and what is mounted there"
                } else {
                    ""
                };
                let locks = if *local_locks {
                    " with the locks of this machine"
                } else {
                    ""
                };
                format!("{}{mounts}{locks}", path.display())
            }
            Files::Memory { .. } => "memory".to_owned(),
        }
    }
}

impl Rules {
    /// The rules that these options give.
    ///
    /// # Errors
    /// All networks that are none.
    pub(super) fn read(options: &ExportOptions) -> Result<Rules, Vec<Wrong>> {
        let default = Rules::of(options.backend.unwrap_or_default());
        let (mut networks, mut wrong) = (Vec::new(), Vec::new());
        for one in options.networks.iter().flatten() {
            match one.network.parse() {
                Ok(network) => networks.push(NetworkRule {
                    network,
                    read_only: one.read_only,
                    squash: one.squash,
                }),
                Err(why) => {
                    let why: CidrFault = why;
                    let detail = format!("{:?}: {why}", one.network);
                    wrong.push(Wrong::new("networks", detail));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let versions = options.minor_versions.iter().flatten().copied();
        let (lowest, highest) = default.minor_versions;
        Ok(Rules {
            read_only: options.read_only.unwrap_or(default.read_only),
            squash: options.squash.unwrap_or(default.squash),
            anonymous: (
                options.anonymous_uid.unwrap_or(default.anonymous.0),
                options.anonymous_gid.unwrap_or(default.anonymous.1),
            ),
            networks,
            minor_versions: (
                versions.clone().min().unwrap_or(lowest),
                versions.max().unwrap_or(highest),
            ),
            sec: options.sec.clone().unwrap_or(default.sec),
        })
    }

    /// The rules that hold if none are given.
    fn of(backend: ExportBackend) -> Rules {
        Rules {
            read_only: false,
            squash: Squash::of(backend),
            anonymous: (ANONYMOUS, ANONYMOUS),
            networks: Vec::new(),
            minor_versions: (0, 2),
            sec: Security::of(backend),
        }
    }
}

fn files(options: &ExportOptions, memory: Size) -> Result<Files, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let files = match options.backend.unwrap_or_default() {
        ExportBackend::Memory => {
            if options.path.is_some() {
                let detail = "is for the backend local: memory has no directory";
                wrong.push(Wrong::new("path", detail));
            }
            if options.cross_mounts.is_some() {
                let detail = "is for the backend local: nothing is mounted in memory";
                wrong.push(Wrong::new("cross_mounts", detail));
            }
            if options.local_locks.is_some() {
                let detail = "is for the backend local: no process locks what is in memory";
                wrong.push(Wrong::new("local_locks", detail));
            }
            if options.pseudo.is_none() {
                let detail = "is missing: at which path do clients find the files in memory?";
                wrong.push(Wrong::new("pseudo", detail));
            }
            let size = options.memory.as_deref().map(str::parse);
            Files::Memory {
                size: size.and_then(Result::ok).unwrap_or(memory),
            }
        }
        // A directory.
        _ => {
            if options.memory.is_some() {
                let detail = "is for the backend memory: a directory has the size of its disk";
                wrong.push(Wrong::new("memory", detail));
            }
            if options.path.is_none() {
                let detail = "is missing: which directory is served?";
                wrong.push(Wrong::new("path", detail));
            }
            Files::Local {
                path: options.path.clone().unwrap_or_default().into(),
                cross_mounts: options.cross_mounts.unwrap_or_default(),
                local_locks: options.local_locks.unwrap_or_default(),
            }
        }
    };
    if wrong.is_empty() {
        Ok(files)
    } else {
        Err(wrong)
    }
}

/// The path of a single export.
pub(super) const ROOT: &str = "/";
/// The anonymous user and its group, if no other is given.
const ANONYMOUS: u32 = 65_534;
