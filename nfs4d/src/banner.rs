//! What the server prints when it is ready.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nfs4_engine::Config;

use crate::config::{AdminListen, Settings};
use crate::http::Addresses;

/// Prints the banner on standard output. A thread of its own waits for a slow reader, and ends with
/// the process.
pub(crate) fn show(banner: String) {
    let shown = thread::Builder::new()
        .name("nfs4d-banner".to_owned())
        .spawn(move || drop(writeln!(io::stdout(), "{banner}")));
    if let Err(why) = shown {
        tracing::warn!(%why, "no thread says what is served");
    }
}

/// What is served, and what outlasts the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct What {
    /// A line for each export; none for the default one.
    pub(crate) exports: Option<Vec<String>>,
    /// The state directory.
    pub(crate) state: Option<PathBuf>,
    /// How long the grace period lasts at most; zero if there is none.
    pub(crate) grace: Duration,
}

/// What is served, by which of the engine's settings, where, and how to mount it; `addresses` are those
/// listened on, `http` those of the administration interface.
pub(crate) fn banner(
    settings: &Settings,
    engine: &Config,
    what: &What,
    addresses: &[SocketAddr],
    http: &Addresses,
) -> String {
    let lease = engine.lease.as_secs();
    let grace = match what.grace.as_secs() {
        0 => "no grace period".to_owned(),
        seconds => format!("grace period {seconds} s"),
    };
    let listens: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let address = addresses.first().copied().unwrap_or(settings.listen);
    let everywhere = if address.ip().is_unspecified() {
        "\n\nFrom another machine, use this one's address instead."
    } else {
        ""
    };
    let metrics = match http.metrics {
        Some(address) => format!("\n\nWhat it counts is at http://{address}/metrics."),
        None => String::new(),
    };
    let page = http.tcp.map(|address| format!("http://{address}/"));
    let socket = http.socket.as_ref().map(|path| path.display().to_string());
    let places: Vec<String> = page.into_iter().chain(socket).collect();
    let administration = match (places.is_empty(), settings.administration.listen) {
        (false, _) => format!("\n\nIt is administered at {}", places.join(" and ")),
        (true, AdminListen::IfFree(address)) => format!(
            "\n\nIt is not administered: {address} is in use. --admin chooses another address."
        ),
        (true, _) => String::new(),
    };
    let served = match &what.exports {
        None => format!(
            "an empty file system in memory: at most {}, gone when it stops.",
            settings.memory
        ),
        Some(lines) => format!("these paths:\n\n    {}\n", lines.join("\n    ")),
    };
    let state = match &what.state {
        Some(path) => format!("What outlasts it is in {}.\n", path.display()),
        None => String::new(),
    };
    format!(
        "nfs4d {version} serves {served}\n{state}\
         It listens on {listens}; lease {lease} s, {grace}.\n\n\
         Mount it, as root:\n\n    {mount}{everywhere}{metrics}{administration}\n\n\
         Ctrl-C stops it.",
        version = env!("CARGO_PKG_VERSION"),
        listens = listens.join(" and "),
        mount = mount_command(address),
    )
}

/// The Linux client's command, from this machine.
fn mount_command(address: SocketAddr) -> String {
    let (protocol, host) = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => ("tcp", Ipv4Addr::LOCALHOST.to_string()),
        IpAddr::V4(ip) => ("tcp", ip.to_string()),
        IpAddr::V6(ip) if ip.is_unspecified() => ("tcp6", format!("[{}]", Ipv6Addr::LOCALHOST)),
        IpAddr::V6(ip) => ("tcp6", format!("[{ip}]")),
    };
    let port = address.port();
    format!("mount -t nfs4 -o vers=4.1,proto={protocol},port={port} {host}:/ /mnt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(address: &str) -> String {
        mount_command(address.parse().unwrap())
    }

    #[test]
    fn the_mount_command_fits_the_address() {
        let default = mount_command(Settings::default().listen);
        assert_eq!(
            default,
            "mount -t nfs4 -o vers=4.1,proto=tcp,port=20490 127.0.0.1:/ /mnt"
        );
        assert!(mount("0.0.0.0:2049").ends_with("proto=tcp,port=2049 127.0.0.1:/ /mnt"));
        assert!(mount("[::]:2049").ends_with("proto=tcp6,port=2049 [::1]:/ /mnt"));
        assert!(mount("10.1.2.3:1").ends_with(" 10.1.2.3:/ /mnt"));
    }

    #[test]
    fn it_says_what_is_served() {
        let engine = Config::default();
        let what = What {
            grace: Duration::from_secs(9),
            ..What::default()
        };
        let metrics = "127.0.0.1:9100".parse().unwrap();
        let addresses = ["0.0.0.0:20490", "[::1]:4000"].map(|address| address.parse().unwrap());
        let http = Addresses {
            metrics: Some(metrics),
            tcp: Some("127.0.0.1:20491".parse().unwrap()),
            socket: Some("/run/nfs4d.sock".into()),
        };
        let text = banner(&Settings::default(), &engine, &what, &addresses, &http);
        for part in [
            "listens on 0.0.0.0:20490 and [::1]:4000;",
            "at most 1 GiB",
            "lease 90 s",
            "grace period 9 s",
            "From another machine",
            "http://127.0.0.1:9100/metrics",
            "administered at http://127.0.0.1:20491/ and /run/nfs4d.sock\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let what = What {
            exports: Some(vec!["/a  /srv/a".to_owned(), "/b  /srv/b".to_owned()]),
            state: Some("/var/lib/nfs4d".into()),
            grace: Duration::ZERO,
        };
        let text = banner(&Settings::default(), &engine, &what, &addresses, &http);
        for part in [
            "serves these paths:\n\n    /a  /srv/a\n    /b  /srv/b\n\n",
            "What outlasts it is in /var/lib/nfs4d.\nIt listens on",
            "no grace period",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
