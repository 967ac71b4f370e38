//! The command line, and the configuration file, which has the same flags.

mod admin;
mod check;
mod conflict;
#[cfg(test)]
mod docs_tests;
#[cfg(test)]
mod export_tests;
mod file;
mod file_fault;
#[cfg(test)]
mod file_tests;
mod generate;
mod line;
mod log;
mod parse;
mod protocol;
mod reload;
mod schema;
mod start;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::reload::{Reload, Reread};
pub(crate) use self::start::{Asked, Start, ask};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use nfs4_admin::ExportOptions;

use self::admin::AdminFlags;
use self::log::LogFlags;
use self::parse::{address, directory, max_io, memory, reach, seconds};
use self::protocol::ProtocolFlags;
use crate::config::{CallbackDial, Driver, Settings};
use crate::exports::GivenExports;
use crate::log::Format;
use crate::reach::Reach;
use crate::settings::Given;
use crate::size::Size;

/// Serves directories, or a file system in memory, over NFSv4.
///
/// Nothing needs to be configured and root is not needed. Without a directory to serve, what clients store
/// is gone when the server stops.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "nfs4d",
    version,
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    action: Option<Action>,

    /// A configuration file in TOML; SIGHUP reads it again
    ///
    /// It has a key for each of the other options, which go before it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// A directory for all that outlasts the server; made if need be
    ///
    /// The server keeps there by which name clients know it, which clients may reclaim their state after a
    /// restart, and exports and settings that are changed while it runs. Without this option it is the first
    /// of $STATE_DIRECTORY, which systemd sets. Without that variable, a server of directories has
    /// /var/lib/nfs4d if it is root's and ~/.local/state/nfs4d if not; a server in memory has none, and all this
    /// is gone when it stops.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// Take the place of a server that uses the same state directory
    ///
    /// The other one hands over its listening sockets, answers what runs, and ends; clients that connect
    /// meanwhile wait. Without another server this one starts as usual.
    #[arg(long)]
    take_over: bool,

    /// A directory to serve; may be given several times
    ///
    /// Clients find a single one at /, and each of several at its own path. Root of the clients acts as the
    /// user 65534. Tables [[export]] of the configuration file say more of an export.
    #[arg(long = "export", value_name = "PATH", value_parser = directory())]
    exports: Vec<String>,

    /// Where to listen; may be given several times
    ///
    /// All addresses serve the same files. The first is part of the server's identity. Only programs on
    /// this machine reach the default. The server does not verify user ids, so listen elsewhere only on a
    /// network where you trust every machine.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_values_t = [Settings::default().listen],
        value_parser = address,
    )]
    listen: Vec<SocketAddr>,

    /// Time that a stop waits for running requests before it closes their connections
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = Settings::default().stop.as_secs(),
        allow_hyphen_values = true,
        value_parser = seconds,
    )]
    stop_time: u64,

    /// Maximum size of a file system in memory, as in 512M or 2G
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "1G",
        allow_hyphen_values = true,
        value_parser = memory
    )]
    memory: Size,

    /// Addresses to which the server may connect for callbacks of NFSv4.0
    ///
    /// A client may name any address, and delegations are only for clients that were reached.
    /// Clients of later versions are called back on their own connections.
    #[arg(long, value_name = "ADDRESSES", default_value = "same-host")]
    callback_dial: CallbackDial,

    /// What drives the connections
    #[arg(long, value_name = "DRIVER", default_value = "tokio")]
    driver: Driver,

    /// Where to serve metrics in Prometheus' text format, under `/metrics`
    ///
    /// Every host that reaches the address can read it. Without this option only the administration interface has them.
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    metrics: Option<SocketAddr>,

    /// A new file for a log of all COMPOUNDs that clients send and of all that the server does
    ///
    /// `nfs4-replay FILE` repeats it without clients: a fault becomes one that can be looked for.
    /// The log has all names and contents, and grows with them; `nfs4-replay redact` makes one
    /// without them.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Where clients reach this server: an address, with a port if it is not that of the first
    /// --listen, or a name; may be given several times
    ///
    /// Clients that ask for the locations of a file system get all of them, so that they can
    /// spread one session over several networks: Linux does when mounted with the options
    /// trunkdiscovery and max_connect=N.
    #[arg(long = "server-address", value_name = "ADDR[:PORT]", value_parser = reach)]
    server_addresses: Vec<Reach>,

    /// Maximum number of bytes that one READ or WRITE carries, as in 64K or 1M
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "1M",
        allow_hyphen_values = true,
        value_parser = max_io
    )]
    max_io: u32,

    #[command(flatten)]
    admin: AdminFlags,

    #[command(flatten)]
    log: LogFlags,

    #[command(flatten)]
    protocol: ProtocolFlags,
}

/// What to do other than to serve.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Action {
    /// Checks a configuration file, and says all that is wrong
    ///
    /// That includes what is wrong with it on this machine and for this user, such as a directory that is not there.
    /// What another server uses now is not wrong. The exit code is 0 if nothing is wrong, and 2 otherwise.
    CheckConfig {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Writes what a shell needs to complete command lines to standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes the manual pages into a directory
    Man {
        /// The directory; it is made if it is not there
        directory: PathBuf,
    },
}

impl Cli {
    /// The address that is part of the server's identity.
    fn first_listen(&self) -> SocketAddr {
        // clap gives the default if there is none.
        let first = self.listen.first().copied();
        first.unwrap_or(Settings::default().listen)
    }

    /// The exports of the flags.
    fn exports(&self) -> Vec<ExportOptions> {
        let paths = self.exports.iter().cloned();
        let export = |path| ExportOptions {
            path: Some(path),
            ..ExportOptions::default()
        };
        paths.map(export).collect()
    }

    /// What the flags set, with these protocol settings and exports.
    fn settings(&self, protocol: Given, exports: GivenExports) -> Settings {
        Settings {
            listen: self.first_listen(),
            also_listen: self.listen.iter().skip(1).copied().collect(),
            stop: Duration::from_secs(self.stop_time),
            memory: self.memory,
            callback_dial: self.callback_dial,
            driver: self.driver,
            metrics: self.metrics,
            record: self.record.clone(),
            server_addresses: self.server_addresses.clone(),
            administration: self.admin.settings(),
            max_io: self.max_io,
            state_dir: self.state_dir.clone(),
            exports,
            protocol,
        }
    }

    fn log(&self) -> (tracing::Level, Format) {
        (self.log.level(), self.log.format())
    }
}

const AFTER_HELP: &str = "\
Examples:
  nfs4d                                      1 GiB of memory on 127.0.0.1:20490
  nfs4d --export /srv/data                   a directory
  nfs4d --memory 256M --lease-time 20        small, and quick to forget clients
  nfs4d --listen 0.0.0.0:2049 --log debug    for a trusted network; port 2049 needs no port option

It prints the command that mounts it. Ctrl-C or SIGTERM stops it, a second signal ends it at once.

Exit codes:
  0    stopped by a signal, or by another process that took its place; nothing is wrong with a file
  1    it cannot serve: an address, a directory or a file cannot be used, or the server has failed
  2    the command line or the configuration file is wrong
  3    the state directory is broken, incomplete, or of a later version
  130  a second signal has ended it at once";
