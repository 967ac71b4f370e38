//! The file of a socket that is reached by a path.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process;

/// The file of a listening socket; removed when this is dropped, unless it has become another.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens at a path by `bind`. A socket file that a dead server has left there is replaced; one
    /// at which a server listens stays, as does a file of another kind. `connect` connects to the
    /// socket file at a path: [`io::ErrorKind::ConnectionRefused`] tells that no process has it.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if another server listens at the path,
    /// [`io::ErrorKind::AlreadyExists`] if the file there is no socket, or what the system says.
    pub fn bind<L>(
        path: &Path,
        bind: impl Fn(&Path) -> io::Result<L>,
        connect: impl Fn(&Path) -> io::Result<()>,
    ) -> io::Result<(SocketFile, L)> {
        let listener = match bind(path) {
            Err(why) if why.kind() == io::ErrorKind::AddrInUse => {
                remove_dead(path, connect)?;
                bind(path)?
            }
            bound => bound?,
        };
        let identity = identity(path)?;
        let path = path.to_owned();
        Ok((SocketFile { path, identity }, listener))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            // A file that stays is replaced by the next server.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the socket file of a dead server.
fn remove_dead(path: &Path, connect: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        let text = format!("{} exists and is not a socket", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    check_dead(path, path, &connect)?;
    // Another server may replace the file between the check and its removal: what is moved aside is
    // checked again, and put back if it is that server's.
    let aside = aside(path);
    fs::rename(path, &aside)?;
    let dead = check_dead(&aside, path, &connect);
    if dead.is_err() {
        // It fails if yet another server listens at the path.
        let _ = fs::hard_link(&aside, path);
    }
    // It is gone if another thread of this process has done the same.
    let _ = fs::remove_file(&aside);
    dead
}

/// Checks that no process has the socket whose file is at `place`.
fn check_dead(
    place: &Path,
    path: &Path,
    connect: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    match connect(place) {
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => Err(why),
        Ok(()) | Err(_) => {
            let text = format!("another process listens at {}", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
    }
}

/// A name beside `path`, as short as names of sockets have to be.
fn aside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}", process::id()))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
