//! Errors that end the server, as the administrator reads them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use nfs4_engine::{ConfigFaults, StartError};

pub use crate::http::TokenFault;
use crate::service::SocketFault;
use crate::settings::StoreFault;
use crate::stable::Failed;

/// An error that ended the server.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}{}.\n--listen, --metrics and --admin choose another address or port.",
        listen_advice(source)
    )]
    Listen {
        /// The address of the command line.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The Unix socket of the administration interface cannot be listened on.
    #[error("cannot listen at {}: {source}.\n--admin-socket chooses another path.", path.display())]
    AdminSocket {
        /// The path of the command line.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The administration interface would be open to other machines.
    #[error(
        "the administration interface may listen on {0} only with a token: other machines may reach that \
         address.\n--admin-token-file, or the environment's variable NFS4D_ADMIN_TOKEN, sets one; --admin \
         chooses another address."
    )]
    AdminWithoutToken(SocketAddr),
    /// The token of the administration interface is of no use.
    #[error("the administration token of {of}: {fault}")]
    AdminToken {
        /// The file, or the variable of the environment.
        of: String,
        /// What is wrong with it.
        fault: TokenFault,
    },
    /// There is no state directory by which a running server is found.
    #[error("--take-over needs the state directory of the running server.\n--state-dir names it.")]
    TakeOverOfNone,
    /// The sockets of a running server cannot be taken over.
    #[error("cannot take over from the server of {}: {source}", path.display())]
    TakeOver {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: SocketFault,
    },
    /// A socket that the service manager has passed is not what it is named.
    #[error(transparent)]
    Passed(#[from] SocketFault),
    /// The recording cannot be written.
    #[error("cannot record to {}: {source}{}.\n--record names a new file.", path.display(), file_advice(source))]
    Record {
        /// The file of the command line.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The state directory, or the database in it, cannot be used.
    #[error(transparent)]
    State(#[from] Failed),
    /// Stored settings cannot be read.
    #[error(
        "{}: {source}.\nNothing is changed in it. Without the file the server starts with its defaults.",
        path.display()
    )]
    Stored {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreFault,
    },
    /// Exports cannot be served; each is a line.
    #[error("{}", .0.join("\n"))]
    Exports(Vec<String>),
    /// Protocol settings are out of their ranges; each is a line.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    /// The operating system has no randomness, without which clients could choose hash collisions.
    #[error("the operating system gives no random bytes: {0}")]
    Randomness(#[source] io::Error),
    /// The engine does not start with these settings.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// Limits of the driver are out of their range.
    #[error(transparent)]
    Limits(#[from] ConfigFaults),
    /// The engine has failed.
    #[error(transparent)]
    Serve(#[from] nfs4_driver::task::ServeError),
    /// The engine has failed, or threads could not be started.
    #[error(transparent)]
    ServeOnThreads(#[from] nfs4_transport_std::ServeError),
    /// The operating system refuses something else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fault {
    /// The exit code of the process that ends with it. What another start cannot mend has its own, so that a
    /// service manager does not try again.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Fault::State(failed) if failed.source.stays() => STATE,
            Fault::Stored { .. } => STATE,
            _ => FAILURE,
        }
    }
}

/// What an error means that refuses an address.
pub(crate) fn listen_advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => ": another server may listen there",
        io::ErrorKind::PermissionDenied => ": ports below 1024 are for root",
        io::ErrorKind::AddrNotAvailable => ": this machine does not have that address",
        _ => "",
    }
}

/// What an error means that refuses a new file.
pub(crate) fn file_advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AlreadyExists => ". No file is overwritten",
        io::ErrorKind::NotFound => ": the directory that it would lie in is not there",
        _ => "",
    }
}

const FAILURE: u8 = 1;
/// The state directory is broken, incomplete, or a later version's.
const STATE: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_about_it_is_said() {
        for (kind, part) in [
            (io::ErrorKind::AddrInUse, "another server"),
            (io::ErrorKind::PermissionDenied, "for root"),
            (io::ErrorKind::AddrNotAvailable, "does not have"),
        ] {
            let address = "192.0.2.1:111".parse().unwrap();
            let text = Fault::Listen {
                address,
                source: kind.into(),
            }
            .to_string();
            assert!(
                text.contains("192.0.2.1:111") && text.contains(part),
                "{text}"
            );
        }
    }
}
