//! The command line.

mod admin;
mod log;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use self::admin::AdminFlags;
use self::log::LogFlags;
use crate::config::{CallbackDial, Driver, Settings};
use crate::log::Format;
use crate::reach::Reach;
use crate::size::{Size, SizeFault};

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

    /// Time after which a silent client loses its opens and locks
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = Settings::default().lease.as_secs(),
        allow_hyphen_values = true,
        value_parser = lease,
    )]
    lease_time: u64,

    /// Time after a start in which new opens and locks get GRACE; 0 for none
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

    /// Time that a stop waits for running requests before it closes their connections
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = Settings::default().stop.as_secs(),
        allow_hyphen_values = true,
        value_parser = seconds,
    )]
    stop_time: u64,

    /// Maximum size of the file system, as in 512M or 2G
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
    /// Every host that reaches the address can read it. Without this option no metrics are served.
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

    #[command(flatten)]
    admin: AdminFlags,
    #[command(flatten)]
    log: LogFlags,
}

impl Cli {
    /// Reads the command line; a wrong one ends the process with a message and exit code 2.
    pub(crate) fn read() -> Cli {
        let cli = Cli::parse();
        if let Some(conflict) = cli.conflict() {
            let kind = clap::error::ErrorKind::ArgumentConflict;
            Cli::command().error(kind, conflict).exit();
        }
        cli
    }

    /// Two flags that cannot both be followed, if there are any.
    fn conflict(&self) -> Option<String> {
        // Port 0 is another port each time.
        let listen = self.listen.iter().filter(|address| address.port() != 0);
        if let Some(address) = twice(listen.clone()) {
            return Some(format!("--listen {address} is given twice"));
        }
        if let Some(address) = listen
            .clone()
            .find(|address| self.metrics == Some(**address))
        {
            return Some(format!(
                "--metrics {address} is also an address of --listen; metrics need a port of their own"
            ));
        }
        if let Some(address) = self.admin.address().filter(|address| address.port() != 0) {
            let flag = match self.metrics == Some(address) {
                true => "--metrics",
                false if self.listen.contains(&address) => "--listen",
                false => "",
            };
            if !flag.is_empty() {
                return Some(format!(
                    "--admin {address} is also an address of {flag}; administration needs a port of its own"
                ));
            }
        }
        if let Some(address) = self.server_addresses.get(MAX_SERVER_ADDRESSES) {
            return Some(format!(
                "--server-address {address} is one too many; expected at most {MAX_SERVER_ADDRESSES}"
            ));
        }
        let port = self.settings().listen.port();
        let reached = self.server_addresses.iter();
        let reached: Vec<_> = reached.map(|address| address.of_server_at(port)).collect();
        let address = twice(reached.iter())?;
        let written = reached.iter().rposition(|one| one == address)?;
        let written = self.server_addresses.get(written)?;
        Some(format!("--server-address {written} is given twice"))
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut listen = self.listen.iter().copied();
        Settings {
            // clap gives the default if there is none.
            listen: listen.next().unwrap_or(Settings::default().listen),
            also_listen: listen.collect(),
            lease: Duration::from_secs(self.lease_time),
            grace: Duration::from_secs(self.grace_time),
            stop: Duration::from_secs(self.stop_time),
            memory: self.memory,
            callback_dial: self.callback_dial,
            driver: self.driver,
            metrics: self.metrics,
            record: self.record.clone(),
            server_addresses: self.server_addresses.clone(),
            administration: self.admin.settings(),
            slow_request: self.log.slow_request(),
        }
    }

    pub(crate) fn log(&self) -> (tracing::Level, Format) {
        (self.log.level(), self.log.format())
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port up to 65535, as in 127.0.0.1:20490 or [::1]:20490; host \
         names are not accepted"
            .to_owned()
    })
}

fn lease(text: &str) -> Result<u64, String> {
    seconds_from(1, "90", text)
}

fn seconds(text: &str) -> Result<u64, String> {
    seconds_from(0, "10", text)
}

fn seconds_from(least: u64, example: &str, text: &str) -> Result<u64, String> {
    let number = text.parse().ok();
    number
        .filter(|seconds| (least..=3600).contains(seconds))
        .ok_or_else(|| {
            format!("expected a whole number of seconds from {least} to 3600 without a unit, as in {example}")
        })
}

/// An entry that is equal to one before it.
fn twice<T: PartialEq>(entries: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = Vec::new();
    for entry in entries {
        if seen.contains(&entry) {
            return Some(entry);
        }
        seen.push(entry);
    }
    None
}

/// An address that clients can be sent; the port that the server listens at is not known yet.
fn reach(text: &str) -> Result<Reach, String> {
    let expected = |fault: &dyn std::fmt::Display| {
        format!(
            "{fault}; expected an IP address, with or without a port, or a host name, as in 192.0.2.7, \
             [2001:db8::7]:2049 or files.example"
        )
    };
    let reach = text.parse::<Reach>().map_err(|fault| expected(&fault))?;
    match reach.of_server_at(1).validate() {
        Ok(()) => Ok(reach),
        Err(fault) => Err(expected(&fault)),
    }
}

fn memory(text: &str) -> Result<Size, String> {
    match text.parse::<Size>() {
        Ok(size) if size >= LEAST_MEMORY => Ok(size),
        Err(SizeFault::Malformed) => Err(SizeFault::Malformed.to_string()),
        Ok(_) | Err(SizeFault::TooLarge) => {
            Err("expected a size from 1M to 16777215T, as in 512M or 2G".to_owned())
        }
    }
}

/// Maximum number of addresses that the engine accepts.
const MAX_SERVER_ADDRESSES: usize = 16;
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
    use crate::config::{AdminListen, Administration};

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
            "--log-format=json",
            "--slow-request-ms=250",
            "--memory=2M",
            "--callback-dial=none",
            "--driver=threads",
            "--metrics=127.0.0.1:9100",
            "--record=server.log",
            "--server-address=192.0.2.7",
            "--server-address=files.example",
            "--admin=[::1]:9",
            "--admin-socket=admin.sock",
            "--admin-socket-mode=0660",
            "--admin-token-file=token",
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
                record: Some("server.log".into()),
                server_addresses: vec![
                    Reach::Ip("192.0.2.7".parse().unwrap(), None),
                    Reach::Name("files.example".to_owned()),
                ],
                administration: Administration {
                    listen: AdminListen::At("[::1]:9".parse().unwrap()),
                    socket: Some("admin.sock".into()),
                    socket_mode: 0o660,
                    token_file: Some("token".into()),
                },
                slow_request: Duration::from_millis(250),
            }
        );
        assert_eq!(cli.log(), (tracing::Level::TRACE, Format::Json));
    }

    #[test]
    fn a_wrong_value_is_explained() {
        for (argument, part) in [
            ("--listen=localhost:2049", "host names are not accepted"),
            ("--listen=127.0.0.1:99999", "a port up to 65535"),
            ("--metrics=9100", "an IP address and a port"),
            ("--admin=20491", "an IP address and a port"),
            ("--admin-socket-mode=0999", "in octal digits"),
            ("--admin-socket-mode=01777", "in octal digits"),
            ("--lease-time=0", "from 1 to 3600"),
            ("--grace-time=3601", "from 0 to 3600"),
            ("--stop-time=3601", "from 0 to 3600"),
            (
                "--log=loud",
                "possible values: error, warn, info, debug, trace",
            ),
            ("--log-format=xml", "possible values: text, json"),
            ("--slow-request-ms=1s", "from 0 to 3600000"),
            ("--slow-request-ms=-1", "from 0 to 3600000"),
            ("--slow-request-ms=3600001", "from 0 to 3600000"),
            (
                "--driver=uring",
                "possible values: tokio, threads, async-std",
            ),
            (
                "--callback-dial=some",
                "possible values: same-host, none, any",
            ),
            ("--memory=lots", "512M or 2G"),
            ("--memory=1K", "from 1M to 16777215T"),
            ("--memory=99999999999999G", "from 1M to 16777215T"),
            ("--stop-time=soon", "as in 10"),
            (
                "--server-address=1.2.3.4:99999",
                "its port is not a number from 1 to 65535",
            ),
            ("--server-address=files.example:1", "takes no port"),
            (
                "--server-address=0.0.0.0",
                "it is not the address of one host",
            ),
        ] {
            let message = parse(&[argument]).unwrap_err();
            assert!(message.contains(part), "{argument}: {message}");
            let (flag, value) = argument.split_once('=').expect("a flag and a value");
            assert!(
                message.contains(flag) && message.contains(value),
                "{message}"
            );
        }
    }

    #[test]
    fn as_many_server_addresses_are_accepted_as_the_engine_serves() {
        let arguments: Vec<String> = (1..=17)
            .map(|host| format!("--server-address=192.0.2.{host}"))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let most = parse(&arguments[..16]).unwrap();
        assert_eq!(most.conflict(), None);
        assert_eq!(most.settings().engine().validate(), Ok(()));
        let more = parse(&arguments).unwrap();
        assert!(more.settings().engine().validate().is_err());
        let message = "--server-address 192.0.2.17 is one too many; expected at most 16";
        assert_eq!(more.conflict().as_deref(), Some(message));
    }

    #[test]
    fn flags_that_contradict_each_other_are_named_as_they_were_written() {
        for (arguments, message) in [
            (
                ["--listen=127.0.0.1:1", "--listen=127.0.0.1:1"],
                "--listen 127.0.0.1:1 is given twice",
            ),
            (
                ["--server-address=192.0.2.7", "--server-address=192.0.2.7"],
                "--server-address 192.0.2.7 is given twice",
            ),
            (
                [
                    "--server-address=[2001:db8::7]",
                    "--server-address=[2001:db8::7]:20490",
                ],
                "--server-address [2001:db8::7]:20490 is given twice",
            ),
            (
                ["--server-address=a.example", "--server-address=A.Example"],
                "--server-address A.Example is given twice",
            ),
            (
                ["--listen=127.0.0.1:9100", "--metrics=127.0.0.1:9100"],
                "--metrics 127.0.0.1:9100 is also an address of --listen; metrics need a port of their own",
            ),
            (
                ["--admin=127.0.0.1:9100", "--metrics=127.0.0.1:9100"],
                "--admin 127.0.0.1:9100 is also an address of --metrics; administration needs a port of its own",
            ),
            (
                ["--admin=127.0.0.1:20490", "--metrics=127.0.0.1:9100"],
                "--admin 127.0.0.1:20490 is also an address of --listen; administration needs a port of its own",
            ),
        ] {
            let conflict = parse(&arguments).unwrap().conflict();
            assert_eq!(conflict.as_deref(), Some(message));
        }
        let none = parse(&["--admin=none"]).unwrap().settings();
        assert_eq!(none.administration.listen, AdminListen::Nowhere);
        for arguments in [
            ["--admin=127.0.0.1:0", "--listen=127.0.0.1:0"],
            ["--listen=127.0.0.1:0", "--listen=127.0.0.1:0"],
            ["--server-address=192.0.2.7", "--server-address=192.0.2.7:1"],
        ] {
            assert_eq!(parse(&arguments).unwrap().conflict(), None);
        }
    }
}
