//! The file of a socket that is reached by a path.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
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
    let aside = Aside::beside(path)?;
    let moved = aside.0.join("s");
    fs::rename(path, &moved)?;
    let dead = check_dead(&moved, path, &connect);
    if dead.is_err() {
        // It fails if yet another server listens at the path.
        let _ = fs::hard_link(&moved, path);
    }
    fs::remove_file(&moved)?;
    dead
}

/// A directory of this call alone, so that no other server moves a socket over the one that is checked
/// here: process numbers may be those of a server in another container. Removed when it is dropped.
struct Aside(PathBuf);

impl Aside {
    /// A new directory beside `path`, its name as short as names of sockets have to be.
    fn beside(path: &Path) -> io::Result<Aside> {
        let first = process::id();
        for number in first..first.saturating_add(MAX_ASIDE) {
            let place = path.with_file_name(format!(".{number}"));
            match DirBuilder::new().mode(0o700).create(&place) {
                Ok(()) => return Ok(Aside(place)),
                // Of another server, or left by one that was killed.
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
                Err(why) => return Err(why),
            }
        }
        let text = format!("too many directories beside {}", path.display());
        Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // One that stays takes a name, and nothing else.
        let _ = fs::remove_dir(&self.0);
    }
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

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Maximum number of names that are tried for a directory beside a socket.
const MAX_ASIDE: u32 = 1_000;

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn bind(path: &Path) -> io::Result<(SocketFile, UnixListener)> {
        let connect = |path: &Path| UnixStream::connect(path).map(drop);
        SocketFile::bind(path, |path| UnixListener::bind(path), connect)
    }

    /// As the one of a server with the same process number in another container.
    #[test]
    fn a_file_beside_the_socket_of_a_dead_server_stays() {
        let folder = std::env::temp_dir().join(format!("nfs4-socket-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let beside = folder.join(format!(".{}", process::id()));
        fs::write(&beside, "another server's").unwrap();
        let (file, _listener) = bind(&path).unwrap();
        assert_eq!(fs::read(&beside).unwrap(), b"another server's");
        assert_eq!(
            bind(&path).unwrap_err().kind(),
            io::ErrorKind::AddrInUse,
            "a server listens"
        );
        drop(file);
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            1,
            "nothing else is left"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
