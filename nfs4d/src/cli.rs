//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum};
use nfs4_engine::Config;

use crate::config::{CallbackDial, Driver, Settings};
use crate::reach::Reach;
use crate::size::Size;

/// Serves an in-memory file system over NFSv4.
///
/// Nothing needs to be configured and root is not needed. What is stored is gone when the server
/// stops.
#[derive(Debug, Parser)]
#[command(name = "nfs4d", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
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

    /// How long a client may be silent before it loses its opens and locks
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = Settings::default().lease.as_secs(),
        allow_hyphen_values = true,
        value_parser = lease,
    )]
    lease_time: u64,

    /// How long after a start new opens and locks are refused with GRACE; 0 for not at all
    ///
    /// The server does not accept reclaims yet.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = Settings::default().grace.as_secs(),
        allow_hyphen_values = true,
        value_parser = seconds,
    )]
    grace_time: u64,

    /// How long a stop waits for requests that run before it cuts their connections off
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = Settings::default().stop.as_secs(),
        allow_hyphen_values = true,
        value_parser = seconds,
    )]
    stop_time: u64,

    /// The lowest level that is logged to standard error
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: Level,

    /// How much the file system may hold, as in 512M or 2G
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "1G",
        allow_hyphen_values = true,
        value_parser = memory
    )]
    memory: Size,

    /// Which address the server connects to for callbacks to a client of NFSv4.0
    ///
    /// A client may name any address, and delegations are only for clients that were reached.
    /// Clients of later versions are called back on their own connections.
    #[arg(long, value_name = "WHOM", default_value = "same-host")]
    callback_dial: CallbackDial,

    /// What drives the connections
    #[arg(long, value_name = "DRIVER", default_value = "tokio")]
    driver: Driver,

    /// Where to show what is counted, in Prometheus' text format, under `/metrics`
    ///
    /// Every host that reaches the address can read it. Without this option no metrics are served.
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    metrics: Option<SocketAddr>,

    /// Where clients reach this server: an address, with a port if it is not that of the first
    /// --listen, or a name; may be given several times
    ///
    /// Clients that ask for the locations of a file system get all of them, so that they can
    /// spread one session over several networks: Linux does when mounted with the options
    /// trunkdiscovery and max_connect=N.
    #[arg(long = "server-address", value_name = "ADDR[:PORT]", value_parser = reach)]
    server_addresses: Vec<Reach>,
}

impl Cli {
    /// The command line of this process; a wrong one ends the process with a message and exit code 2.
    pub(crate) fn read() -> Cli {
        let cli = Cli::parse();
        let mut seen = Vec::new();
        for address in &cli.listen {
            // Port 0 is another port each time.
            if address.port() != 0 && seen.contains(&address) {
                let message = format!("--listen {address} is given twice");
                let kind = clap::error::ErrorKind::ArgumentConflict;
                Cli::command().error(kind, message).exit();
            }
            seen.push(address);
        }
        cli
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut listen = self.listen.iter().copied();
        Settings {
            // Without one there is the default.
            listen: listen.next().unwrap_or(Settings::default().listen),
            also_listen: listen.collect(),
            lease: Duration::from_secs(self.lease_time),
            grace: Duration::from_secs(self.grace_time),
            stop: Duration::from_secs(self.stop_time),
            memory: self.memory,
            callback_dial: self.callback_dial,
            driver: self.driver,
            metrics: self.metrics,
            server_addresses: self.server_addresses.clone(),
        }
    }

    pub(crate) fn log(&self) -> tracing::Level {
        match self.log {
            Level::Error => tracing::Level::ERROR,
            Level::Warn => tracing::Level::WARN,
            Level::Info => tracing::Level::INFO,
            Level::Debug => tracing::Level::DEBUG,
            Level::Trace => tracing::Level::TRACE,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port up to 65535, as in 127.0.0.1:20490 or [::1]:20490; host \
         names are not accepted"
            .to_owned()
    })
}

fn lease(text: &str) -> Result<u64, String> {
    seconds_from(1, text)
}

fn seconds(text: &str) -> Result<u64, String> {
    seconds_from(0, text)
}

fn seconds_from(least: u64, text: &str) -> Result<u64, String> {
    let number = text.parse().ok();
    number
        .filter(|seconds| (least..=3600).contains(seconds))
        .ok_or_else(|| format!("expected a whole number of seconds from {least} to 3600, as in 90"))
}

/// An address that clients can be sent; the port that the server listens at is not known yet.
fn reach(text: &str) -> Result<Reach, String> {
    let Ok(reach) = text.parse::<Reach>();
    let config = Config {
        server_addresses: vec![reach.of_server_at(1)],
        ..Config::default()
    };
    match config.validate() {
        Ok(()) => Ok(reach),
        Err(faults) => Err(format!(
            "{faults}; expected an IP address, with or without a port, or a host name, as in 192.0.2.7"
        )),
    }
}

fn memory(text: &str) -> Result<Size, String> {
    let size: Size = text
        .parse()
        .map_err(|fault: crate::size::SizeFault| fault.to_string())?;
    if size < LEAST_MEMORY {
        return Err(format!("a file system needs at least {LEAST_MEMORY}"));
    }
    Ok(size)
}

const LEAST_MEMORY: Size = Size(1 << 20);

const AFTER_HELP: &str = "\
Examples:
  nfs4d                                      1 GiB on 127.0.0.1:20490
  nfs4d --memory 256M --lease-time 20        small, and quick to forget clients
  nfs4d --listen 0.0.0.0:2049 --log debug    for a trusted network; port 2049 needs no port option

It prints the command that mounts it. Ctrl-C or SIGTERM stops it, a second signal ends it at once.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, String> {
        Cli::try_parse_from(["nfs4d"].iter().chain(arguments)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        assert_eq!(parse(&[]).unwrap().settings(), Settings::default());
    }

    #[test]
    fn every_flag_has_its_effect() {
        let cli = parse(&[
            "--listen=[::1]:4000",
            "--listen=127.0.0.1:4001",
            "--lease-time=20",
            "--grace-time=7",
            "--stop-time=8",
            "--log=trace",
            "--memory=2M",
            "--callback-dial=none",
            "--driver=threads",
            "--metrics=127.0.0.1:9100",
            "--server-address=192.0.2.7",
            "--server-address=files.example",
        ])
        .unwrap();
        assert_eq!(
            cli.settings(),
            Settings {
                listen: "[::1]:4000".parse().unwrap(),
                also_listen: vec!["127.0.0.1:4001".parse().unwrap()],
                lease: Duration::from_secs(20),
                grace: Duration::from_secs(7),
                stop: Duration::from_secs(8),
                memory: Size(2 << 20),
                callback_dial: CallbackDial::None,
                driver: Driver::Threads,
                metrics: Some("127.0.0.1:9100".parse().unwrap()),
                server_addresses: vec![
                    Reach::Ip("192.0.2.7".parse().unwrap(), None),
                    Reach::Name("files.example".to_owned()),
                ],
            }
        );
        assert_eq!(cli.log(), tracing::Level::TRACE);
    }

    #[test]
    fn a_wrong_value_is_explained() {
        for (argument, part) in [
            ("--listen=localhost:2049", "host names are not accepted"),
            ("--listen=127.0.0.1:99999", "a port up to 65535"),
            ("--metrics=9100", "an IP address and a port"),
            ("--lease-time=0", "from 1 to 3600"),
            ("--grace-time=3601", "from 0 to 3600"),
            ("--stop-time=3601", "from 0 to 3600"),
            (
                "--log=loud",
                "possible values: error, warn, info, debug, trace",
            ),
            ("--driver=uring", "possible values: tokio, threads"),
            (
                "--callback-dial=some",
                "possible values: same-host, none, any",
            ),
            ("--memory=lots", "512M or 2G"),
            ("--memory=1K", "at least 1 MiB"),
        ] {
            let message = parse(&[argument]).unwrap_err();
            assert!(message.contains(part), "{argument}: {message}");
        }
    }
}
