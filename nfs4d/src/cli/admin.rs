//! The flags of the administration interface.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::parse::address;
use crate::config::{AdminListen, Administration};

/// Where the server is administered.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Administration")]
pub(super) struct AdminFlags {
    /// Where to administer the server and to see its clients, in a browser or by REST; `none` for nowhere
    /// [default: 127.0.0.1:20491, if it is free]
    ///
    /// An address that other machines reach needs a token, which nothing encrypts: use it on a network
    /// that you trust.
    #[arg(long = "admin", value_name = "ADDR:PORT", value_parser = listen)]
    admin_listen: Option<AdminListen>,

    /// A Unix socket where the server is administered, too; no token is asked for there
    #[arg(long, value_name = "PATH")]
    admin_socket: Option<PathBuf>,

    /// The mode of the Unix socket: which users may administer the server by it
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = mode)]
    admin_socket_mode: u32,

    /// A file with a token of at least 16 bytes, which every request for administration by TCP must bring
    ///
    /// Without this option the environment's variable NFS4D_ADMIN_TOKEN is the token, if it is set.
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

impl AdminFlags {
    pub(super) fn settings(&self) -> Administration {
        Administration {
            listen: self
                .admin_listen
                .unwrap_or(Administration::default().listen),
            socket: self.admin_socket.clone(),
            socket_mode: self.admin_socket_mode,
            token_file: self.admin_token_file.clone(),
        }
    }

    /// The address that other machines reach and for which no file has a token.
    pub(super) fn needs_token(&self) -> Option<SocketAddr> {
        let address = self.address()?;
        let is_reached = !address.ip().to_canonical().is_loopback();
        (is_reached && self.admin_token_file.is_none()).then_some(address)
    }

    /// The address that was given.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.admin_listen.and_then(|listen| listen.address())
    }
}

fn listen(text: &str) -> Result<AdminListen, String> {
    match text {
        "none" => Ok(AdminListen::Nowhere),
        _ => address(text).map(AdminListen::At),
    }
}

fn mode(text: &str) -> Result<u32, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| digits && *mode <= 0o777)
        .ok_or_else(|| "expected the mode of a file in octal digits, as in 0600 or 0660".to_owned())
}
