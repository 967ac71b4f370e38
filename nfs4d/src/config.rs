//! The server's settings, and their translation for the engine, the driver and the file system.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use nfs4_driver::{DialAny, DialNone, DialPolicy, Limits, SameHost};
use nfs4_engine::Config;
use nfs4_vfs::MemFsConfig;

pub use crate::administration::{AdminListen, Administration};
use crate::exports::GivenExports;
use crate::reach::Reach;
use crate::settings::{Given, base};
use crate::size::Size;

/// The settings that a server starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address to listen on; with the machine's id it is the server's identity.
    pub listen: SocketAddr,
    /// Further addresses to listen on.
    pub also_listen: Vec<SocketAddr>,
    /// Time that a stop waits for running requests.
    pub stop: Duration,
    /// Maximum size of a file system in memory, names and attributes included, whose export does not say it.
    pub memory: Size,
    /// Addresses to connect to when a client of NFSv4.0 wants to be called back.
    pub callback_dial: CallbackDial,
    /// What drives the connections.
    pub driver: Driver,
    /// Where metrics are served; none for nowhere.
    pub metrics: Option<SocketAddr>,
    /// The file to which everything is written that enters the engine and that comes of it, for
    /// `nfs4-replay`; none for no recording. It must not exist.
    pub record: Option<PathBuf>,
    /// Where clients reach the server, as it reports it; empty for nowhere.
    pub server_addresses: Vec<Reach>,
    /// Where the server is administered.
    pub administration: Administration,
    /// Maximum payload of a READ or WRITE, in bytes.
    pub max_io: u32,
    /// Where settings that are changed while the server runs outlast it; none for nowhere.
    pub state_dir: Option<PathBuf>,
    /// The exports that are given, and that no request changes; none for a file system in memory.
    pub exports: GivenExports,
    /// Protocol settings that are given, and that no request changes.
    pub protocol: Given,
}

/// Addresses to connect to when a client of NFSv4.0 wants to be called back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CallbackDial {
    /// The address that the client's own connection comes from
    #[default]
    SameHost,
    /// No address: clients of NFSv4.0 get no delegations
    None,
    /// Whatever address a client names
    Any,
}

/// What drives the connections; clients see no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// Tasks on a pool of threads, one for each processor
    #[default]
    Tokio,
    /// A thread for each connection
    Threads,
    /// Tasks on async-std, which its developers no longer maintain
    AsyncStd,
}

impl Driver {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Driver::Tokio => "tokio",
            Driver::Threads => "threads",
            Driver::AsyncStd => "async-std",
        }
    }
}

/// The default is loopback, and a port that needs no root. There is no grace period: the files do
/// not outlive the server, so no client has anything to reclaim.
impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 20_490)),
            also_listen: Vec::new(),
            stop: Limits::default().stop_timeout,
            memory: Size(1 << 30),
            callback_dial: CallbackDial::default(),
            driver: Driver::default(),
            metrics: None,
            record: None,
            server_addresses: Vec::new(),
            administration: Administration::default(),
            max_io: Config::default().max_io,
            state_dir: None,
            exports: GivenExports::default(),
            protocol: Given::default(),
        }
    }
}

impl Settings {
    /// The engine's settings that never change; `listen` has the port that was bound. The protocol
    /// settings of [`Settings::protocol`] come on top.
    pub fn engine(&self) -> Config {
        let port = self.listen.port();
        let addresses = self.server_addresses.iter();
        base().with(|config| {
            config.max_io = self.max_io;
            config.server_addresses = addresses.map(|at| at.of_server_at(port)).collect();
        })
    }

    /// The driver's limits.
    pub fn limits(&self) -> Limits {
        Limits::for_max_io(self.max_io).with(|limits| limits.stop_timeout = self.stop)
    }

    /// The policy for addresses that may be dialled.
    pub fn dial_policy(&self) -> Arc<dyn DialPolicy> {
        match self.callback_dial {
            CallbackDial::SameHost => Arc::new(SameHost),
            CallbackDial::None => Arc::new(DialNone),
            CallbackDial::Any => Arc::new(DialAny),
        }
    }

    /// The file system's settings. Its root directory is writable for all, as `/tmp`: a server that
    /// any user may start has no better owner for it.
    pub fn file_system(&self, epoch: u32) -> MemFsConfig {
        MemFsConfig::new(epoch, self.memory.0).with(|files| files.root_mode = 0o1777)
    }
}

#[cfg(test)]
mod tests {
    use nfs4_engine::ServerAddress;

    use super::*;

    #[test]
    fn the_defaults_are_valid_everywhere() {
        let settings = Settings::default();
        assert_eq!(settings.engine().validate(), Ok(()));
        assert_eq!(settings.limits().validate(), Ok(()));
    }

    #[test]
    fn each_setting_reaches_its_owner() {
        let settings = Settings {
            max_io: 64 << 10,
            stop: Duration::from_secs(8),
            memory: Size(3 << 20),
            listen: "127.0.0.1:4000".parse().unwrap(),
            server_addresses: vec!["192.0.2.7".parse().unwrap()],
            ..Settings::default()
        };
        assert_eq!(settings.engine().max_io, 64 << 10);
        assert_eq!(
            settings.limits(),
            Limits::for_max_io(64 << 10).with(|limits| limits.stop_timeout = settings.stop)
        );
        let address = ServerAddress::Ip("192.0.2.7".parse().unwrap(), 4000);
        assert_eq!(settings.engine().server_addresses, [address]);
        assert_eq!(settings.limits().stop_timeout, Duration::from_secs(8));
        assert_eq!(settings.file_system(9).capacity, 3 << 20);
        assert_eq!(settings.file_system(9).epoch, 9);
    }
}
