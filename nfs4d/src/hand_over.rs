//! A server gives its place to another process: its listening sockets at once, and its state directory when
//! it has ended.
//!
//! The other process connects to a Unix socket in the state directory, gets the listening sockets, and answers
//! with a byte when it has prepared all it can. Then this process stops as after SIGTERM. Whatever connects
//! meanwhile waits in the sockets, which both have.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, future};

use nfs4_driver::SocketFile;
use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::service::{MOST, SocketFault, tcp};
use crate::system;

/// A running server's offer to give its place to another process.
#[derive(Debug)]
pub(crate) struct Offer {
    listener: UnixListener,
    sockets: Arc<Vec<OwnedFd>>,
    /// Removed in the end.
    _file: SocketFile,
}

impl Offer {
    /// Offers these sockets to processes of this user that know the state directory.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn make(directory: &Path, listeners: &[TcpListener]) -> io::Result<Offer> {
        let sockets = listeners.iter().take(MOST);
        let sockets: io::Result<_> = sockets
            .map(|one| one.as_fd().try_clone_to_owned())
            .collect();
        let bind = |path: &Path| StdUnixListener::bind(path);
        let connect = |path: &Path| UnixStream::connect(path).map(drop);
        let path = directory.join(NAME);
        let (file, listener) = SocketFile::bind(&path, bind, connect)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Offer {
            listener: UnixListener::from_std(listener)?,
            sockets: Arc::new(sockets?),
            _file: file,
        })
    }

    /// Waits until a process has the sockets, and is ready to go on.
    pub(crate) async fn taken(&self) {
        loop {
            match self.given().await {
                Ok(()) => return,
                Err(why) => {
                    tracing::warn!(%why, "the sockets are not handed over");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn given(&self) -> io::Result<()> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred()?.uid();
        if user != system::user() && user != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        let sockets = Arc::clone(&self.sockets);
        spawn_blocking(move || give(&stream, &sockets)).await?
    }
}

/// Waits for the end of an offer, if there is one, and else forever.
pub(crate) async fn taken(offer: Option<&Offer>) {
    match offer {
        Some(offer) => offer.taken().await,
        None => future::pending().await,
    }
}

/// The sockets of a running server, which goes on until they are confirmed.
#[derive(Debug)]
pub(crate) struct Taken {
    stream: UnixStream,
    pub(crate) sockets: Vec<(SocketAddr, StdListener)>,
}

impl Taken {
    /// Asks the server that uses a state directory for its sockets; none if there is no such server.
    ///
    /// # Errors
    /// It does not give them.
    pub(crate) fn ask(directory: &Path) -> Result<Option<Taken>, SocketFault> {
        let stream = match UnixStream::connect(directory.join(NAME)) {
            Ok(stream) => stream,
            Err(why) => {
                let none = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
                return match none.contains(&why.kind()) {
                    true => Ok(None),
                    false => Err(why.into()),
                };
            }
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        let sockets = receive(&stream)?.into_iter();
        let sockets: Result<_, _> = sockets.map(|socket| tcp("listen", socket)).collect();
        let sockets = sockets?;
        Ok(Some(Taken { stream, sockets }))
    }

    /// The other server stops now.
    ///
    /// # Errors
    /// It has ended already, or has not waited.
    pub(crate) fn confirm(mut self) -> io::Result<()> {
        self.stream.write_all(READY)
    }
}

/// Sends the sockets, and waits for the word.
fn give(mut stream: &UnixStream, sockets: &[OwnedFd]) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let borrowed: Vec<_> = sockets.iter().map(|one| one.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // There is room for all.
    control.push(SendAncillaryMessage::ScmRights(&borrowed));
    let message = [IoSlice::new(GREETING)];
    let sent = sendmsg(stream, &message, &mut control, SendFlags::NOSIGNAL)?;
    if sent != GREETING.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    let mut word = [0; READY.len()];
    stream.read_exact(&mut word)?;
    match &word == READY {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn receive(stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut greeting = [0; GREETING.len()];
    let mut buffers = [IoSliceMut::new(&mut greeting)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(stream, &mut buffers, &mut control, flags)?;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            sockets.extend(passed);
        }
    }
    match received.bytes == greeting.len() && greeting == *GREETING {
        true => Ok(sockets),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the server is of another version, which hands over otherwise",
        )),
    }
}

/// The name of the Unix socket in the state directory.
const NAME: &str = "hand-over.sock";
/// What goes with the sockets; it says how the two go on.
const GREETING: &[u8; 19] = b"nfs4d hands over 1\n";
const READY: &[u8; 1] = b"!";
/// Time that one process waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time after an attempt that has failed.
const PAUSE: Duration = Duration::from_millis(100);
