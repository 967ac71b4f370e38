//! The directory with the state of one server.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::fault::StateFault;
use crate::{folder, system};

/// A directory that is of this server alone, until it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Open, so that it can be made durable, and locked.
    file: File,
}

impl Directory {
    /// Takes a directory, and makes it if need be.
    ///
    /// # Errors
    /// It cannot be used, or another server uses it.
    pub(super) fn take(path: &Path) -> Result<Directory, StateFault> {
        check(path)?;
        let file = match File::open(path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let made = DirBuilder::new().mode(0o700).create(path);
                made.and_then(|()| File::open(path))
            }
            opened => opened,
        }?;
        let found = file.metadata()?;
        if !found.is_dir() {
            return Err(StateFault::NoDirectory);
        }
        if is_of_others(found.uid(), found.mode(), system::user()) {
            let path = path.display();
            tracing::warn!(%path, "other users may change the state directory, and by it the server's settings");
        }
        if !system::lock(&file)? {
            return Err(StateFault::Taken);
        }
        let path = path.to_owned();
        Ok(Directory { path, file })
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes names in it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Makes a file that is not there, for this user alone. What is in its place is of a server that was
    /// stopped, or a link or pipe of another user's: it is removed, and never opened.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let path = self.join(name);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let mut options = File::options();
        let options = options.read(true).write(true).create_new(true);
        options.mode(0o600).open(path)
    }

    /// Makes a small file with this text durable.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let new = format!("{name}.new");
        let mut file = self.create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        self.rename(&new, name)
    }

    /// Gives a file another name, durably.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.join(from), self.join(to))?;
        self.sync()
    }
}

/// Looks whether a directory is there, or can be made by its last part alone; nothing is made.
///
/// # Errors
/// It cannot be used.
pub(crate) fn check(path: &Path) -> Result<(), StateFault> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(File::open(path).map(drop)?),
        Ok(_) => Err(StateFault::NoDirectory),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            match folder::of(path).map(fs::metadata).transpose() {
                Err(why) if why.kind() == io::ErrorKind::NotFound => Err(StateFault::NoParent),
                found => Ok(found.map(drop)?),
            }
        }
        Err(why) => Err(why.into()),
    }
}

/// Whether another user than this process's, `own`, and the superuser may replace files in a directory.
fn is_of_others(owner: u32, mode: u32, own: u32) -> bool {
    (owner != own && owner != 0) || mode & 0o002 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_another_user_can_change_is_noticed() {
        for (owner, mode, own, others) in [
            (7, 0o700, 7, false),
            (0, 0o755, 7, false),
            (7, 0o770, 7, false),
            (8, 0o700, 7, true),
            (8, 0o700, 0, true),
            (7, 0o777, 7, true),
            (0, 0o1777, 0, true),
        ] {
            let mode = mode | libc::S_IFDIR;
            assert_eq!(
                is_of_others(owner, mode, own),
                others,
                "{owner} {mode:o} {own}"
            );
        }
    }
}
