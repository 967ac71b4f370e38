//! The settings of the administration interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where the server is administered, and what that takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administration {
    /// Where it listens for TCP.
    pub listen: AdminListen,
    /// The path of a Unix socket; none for no such socket.
    pub socket: Option<PathBuf>,
    /// The mode of the socket's file: the users that may administer the server by it.
    pub socket_mode: u32,
    /// The file of the token; without one it is the environment's variable `NFS4D_ADMIN_TOKEN`, and without
    /// that none is asked for.
    pub token_file: Option<PathBuf>,
}

/// Where the administration interface listens for TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Nowhere,
    /// At this address if no other process does, and nowhere otherwise.
    IfFree(SocketAddr),
    /// At this address.
    At(SocketAddr),
}

/// A port of loopback, if it is free.
impl Default for Administration {
    fn default() -> Administration {
        Administration {
            listen: AdminListen::IfFree(SocketAddr::from((Ipv4Addr::LOCALHOST, 20_491))),
            socket: None,
            socket_mode: 0o600,
            token_file: None,
        }
    }
}

impl AdminListen {
    /// The address, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            AdminListen::Nowhere => None,
            AdminListen::IfFree(address) | AdminListen::At(address) => Some(*address),
        }
    }
}
