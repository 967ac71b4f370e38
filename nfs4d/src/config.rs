//! The server's settings, and what each becomes: the engine's, the driver's, the file system's.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use nfs4_driver::{DialAny, DialNone, DialPolicy, Limits, SameHost};
use nfs4_engine::Config;
use nfs4_vfs::MemFsConfig;

use crate::reach::Reach;
use crate::size::Size;

/// What may be set on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; with the machine it makes up the server's identity.
    pub listen: SocketAddr,
    /// Where to listen besides.
    pub also_listen: Vec<SocketAddr>,
    /// How long a client may be silent before it loses its state.
    pub lease: Duration,
    /// How long after a start new opens and locks are refused with GRACE; zero for not at all.
    pub grace: Duration,
    /// How long a stop waits for requests that run.
    pub stop: Duration,
    /// What the file system may hold, names and attributes included.
    pub memory: Size,
    /// Addresses to connect to when a client of NFSv4.0 wants to be called back.
    pub callback_dial: CallbackDial,
    /// What drives the connections.
    pub driver: Driver,
    /// Where to show what is counted; nowhere if not set.
    pub metrics: Option<SocketAddr>,
    /// Where clients reach the server, as it reports it; empty for nowhere.
    pub server_addresses: Vec<Reach>,
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
}

/// Loopback and a port that needs no root. No grace period: memory does not outlive the server, so no
/// client has anything to reclaim.
impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 20_490)),
            also_listen: Vec::new(),
            lease: Config::default().lease,
            grace: Duration::ZERO,
            stop: Limits::default().stop_timeout,
            memory: Size(1 << 30),
            callback_dial: CallbackDial::default(),
            driver: Driver::default(),
            metrics: None,
            server_addresses: Vec::new(),
        }
    }
}

impl Settings {
    /// The protocol's share; `listen` has the port that is really listened at.
    pub fn engine(&self) -> Config {
        let port = self.listen.port();
        let addresses = self.server_addresses.iter();
        let default = Config::default();
        Config {
            // A stop drains, and may take longer than an operator has patience with a connection.
            drain_deadline: default.drain_deadline.max(self.stop),
            lease: self.lease,
            grace: self.grace,
            server_addresses: addresses.map(|at| at.of_server_at(port)).collect(),
            ..default
        }
    }

    /// The share of sockets, records and queues.
    pub fn limits(&self) -> Limits {
        Limits {
            stop_timeout: self.stop,
            ..Limits::for_max_io(self.engine().max_io)
        }
    }

    /// What decides which addresses may be dialled.
    pub fn dial_policy(&self) -> Arc<dyn DialPolicy> {
        match self.callback_dial {
            CallbackDial::SameHost => Arc::new(SameHost),
            CallbackDial::None => Arc::new(DialNone),
            CallbackDial::Any => Arc::new(DialAny),
        }
    }

    /// The file system's share. Its root is as open as `/tmp`: a server that any user may start has no
    /// better owner to give it to.
    pub fn file_system(&self, epoch: u32) -> MemFsConfig {
        MemFsConfig {
            root_mode: 0o1777,
            ..MemFsConfig::new(epoch, self.memory.0)
        }
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
    fn a_connection_drains_for_as_long_as_a_stop_waits() {
        for seconds in [0, 5, 40, 3_600] {
            let settings = Settings {
                stop: Duration::from_secs(seconds),
                ..Settings::default()
            };
            let (engine, limits) = (settings.engine(), settings.limits());
            assert!(engine.drain_deadline >= limits.stop_timeout, "{seconds} s");
            assert_eq!((engine.validate(), limits.validate()), (Ok(()), Ok(())));
        }
    }

    #[test]
    fn each_setting_reaches_its_owner() {
        let settings = Settings {
            lease: Duration::from_secs(20),
            grace: Duration::from_secs(7),
            stop: Duration::from_secs(8),
            memory: Size(3 << 20),
            listen: "127.0.0.1:4000".parse().unwrap(),
            server_addresses: vec!["192.0.2.7".parse().unwrap()],
            ..Settings::default()
        };
        assert_eq!(settings.engine().lease, Duration::from_secs(20));
        assert_eq!(settings.engine().grace, Duration::from_secs(7));
        let address = ServerAddress::Ip("192.0.2.7".parse().unwrap(), 4000);
        assert_eq!(settings.engine().server_addresses, [address]);
        assert_eq!(settings.limits().stop_timeout, Duration::from_secs(8));
        assert_eq!(settings.file_system(9).capacity, 3 << 20);
        assert_eq!(settings.file_system(9).epoch, 9);
    }
}
