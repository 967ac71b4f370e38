//! Why a server does not start with a state directory, or cannot keep anything in it.

use std::io;
use std::path::PathBuf;

/// What is wrong with a state directory, or with what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateFault {
    /// The operating system refuses it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What is there is none.
    #[error("it is no directory")]
    NoDirectory,
    /// The directory that it would be made in is not there.
    #[error("the directory that it lies in is not there")]
    NoParent,
    /// Another server uses it.
    #[error("another nfs4d uses this directory")]
    Taken,
    /// The database is not there, although the directory has been used.
    #[error("it is missing, but this directory is that of a server that has had it")]
    Missing,
    /// The database was removed or replaced while the server runs.
    #[error("it has been removed or replaced while the server uses it")]
    Lost,
    /// The database cannot be understood.
    #[error("it is broken: {0}")]
    Broken(String),
    /// A later version has written the database.
    #[error(
        "its format is {0}, and this nfs4d knows none after {FORMAT}: a later nfs4d has written it"
    )]
    Newer(String),
    /// It has no room for what the server asks.
    #[error("it has had {0} exports, and has no number for another")]
    Numbers(u64),
}

/// What has failed, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}{}", path.display(), source.advice())]
pub struct Failed {
    /// The directory, or a file in it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: StateFault,
}

impl StateFault {
    /// Whether it is the same at another start.
    pub(crate) fn stays(&self) -> bool {
        match self {
            StateFault::Missing | StateFault::Broken(_) | StateFault::Newer(_) => true,
            StateFault::Io(_)
            | StateFault::NoDirectory
            | StateFault::NoParent
            | StateFault::Taken
            | StateFault::Lost
            | StateFault::Numbers(_) => false,
        }
    }

    /// What the administrator can do about it, as the rest of a message.
    fn advice(&self) -> &'static str {
        match self {
            StateFault::Io(why) => match why.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    ".\nThe disk is full: the server needs 2 MiB there to start. See --state-dir."
                }
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    ".\nThe server must be able to write there what it promises to clients: see --state-dir."
                }
                _ => ".\nThe server keeps there what outlasts it: see --state-dir.",
            },
            StateFault::NoDirectory => {
                ".\nThe server keeps there what outlasts it: --state-dir names a directory."
            }
            StateFault::NoParent => {
                ".\nThe server makes the last part of the path alone: make the others, or see --state-dir."
            }
            StateFault::Taken => {
                ".\n--state-dir names one for each. To take the place of the other one: --take-over."
            }
            StateFault::Missing => {
                ".\nPut back a copy of it. To start as a new server, which clients do not know, remove nfs4d.id."
            }
            StateFault::Lost => ".\nPut it back, or start the server anew.",
            StateFault::Broken(_) => {
                ".\nNothing is changed in it. Put back a copy of it. To start as a new server, which clients \
                 do not know, remove it and nfs4d.id."
            }
            StateFault::Newer(_) => ".\nNothing is changed in it. Install that version again.",
            StateFault::Numbers(_) => "",
        }
    }
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> io::Error {
        match failed.source {
            StateFault::Io(why) => why,
            _ => io::Error::other(failed),
        }
    }
}

impl From<redb::Error> for StateFault {
    fn from(error: redb::Error) -> StateFault {
        match error {
            redb::Error::Io(why) if why.kind() != io::ErrorKind::InvalidData => StateFault::Io(why),
            redb::Error::Corrupted(why) if why.starts_with("Expected file format version") => {
                let found = why.rsplit(' ').next().unwrap_or_default();
                StateFault::Newer(format!("{found} of redb"))
            }
            redb::Error::Io(_) => StateFault::Broken("it is no redb database".to_owned()),
            other => StateFault::Broken(other.to_string()),
        }
    }
}

/// The format of what is in the tables.
pub(super) const FORMAT: u64 = 1;
