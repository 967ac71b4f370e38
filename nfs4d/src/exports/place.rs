//! Where a directory is: two paths may lead to one, and one directory may lie within another under any name.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A directory, by what it is and not by the path that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    id: Id,
    /// The directories above it.
    above: Vec<Id>,
}

/// Device and inode.
type Id = (u64, u64);

/// Why a directory cannot be exported.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceFault {
    #[error("is not there: make the directory, or mount what belongs there")]
    Missing,
    #[error("is no directory")]
    NoDirectory,
    #[error("may not be read by the user that the server runs as")]
    Unreadable,
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for PlaceFault {
    fn from(why: io::Error) -> PlaceFault {
        match why.kind() {
            io::ErrorKind::NotFound => PlaceFault::Missing,
            io::ErrorKind::NotADirectory => PlaceFault::NoDirectory,
            io::ErrorKind::PermissionDenied => PlaceFault::Unreadable,
            _ => PlaceFault::Io(why),
        }
    }
}

impl Place {
    /// Finds a directory that this process may read.
    ///
    /// # Errors
    /// It may not, or there is none.
    pub(super) fn find(path: &Path) -> Result<Place, PlaceFault> {
        // A pipe or a device is not opened.
        if !fs::metadata(path)?.is_dir() {
            return Err(PlaceFault::NoDirectory);
        }
        let found = File::open(path)?.metadata()?;
        fs::read_dir(path)?.next().transpose()?;
        let path = fs::canonicalize(path)?;
        let above = path.ancestors().skip(1);
        let above = above.map(|path| Ok(id(&fs::metadata(path)?)));
        Ok(Place {
            id: id(&found),
            above: above.collect::<io::Result<_>>()?,
        })
    }

    /// Whether the two are one directory, or one of them lies within the other.
    pub(super) fn overlaps(&self, other: &Place) -> bool {
        self.id == other.id || self.above.contains(&other.id) || other.above.contains(&self.id)
    }

    /// Whether what is at a path lies within it.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let Ok(path) = fs::canonicalize(path) else {
            return false;
        };
        let is_this = |path: &Path| fs::metadata(path).is_ok_and(|found| id(&found) == self.id);
        path.ancestors().any(is_this)
    }

    /// What has become of it, if it is not as it was: nothing at `path` is this directory any more.
    pub(super) fn fault(&self, path: &Path) -> Option<String> {
        match fs::metadata(path) {
            Ok(found) if id(&found) == self.id => None,
            Ok(_) => Some(format!("{} is another directory by now", path.display())),
            Err(why) => Some(format!("{}: {why}", path.display())),
        }
    }
}

fn id(found: &fs::Metadata) -> Id {
    (found.dev(), found.ino())
}
