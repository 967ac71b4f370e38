//! Flags that contradict each other.

use std::fmt;
use std::net::SocketAddr;

use super::Cli;
use crate::reach::Reach;

/// A flag that cannot be followed beside others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// The flag's id.
    pub(super) id: &'static str,
    flag: &'static str,
    value: String,
    why: String,
}

/// As the command line has it.
impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{} {} {}", self.flag, self.value, self.why)
    }
}

impl Conflict {
    /// Without the flag, for a file.
    pub(super) fn detail(&self) -> String {
        format!("{} {}", self.value, self.why)
    }

    /// All conflicts.
    pub(super) fn all(cli: &Cli) -> Vec<Conflict> {
        let mut found = Conflict::of_listen(cli);
        found.extend(Conflict::of_metrics(cli));
        found.extend(Conflict::of_administration(cli));
        found.extend(Conflict::of_server_addresses(cli));
        found
    }

    fn of_listen(cli: &Cli) -> Vec<Conflict> {
        let again = again(listened(cli)).into_iter();
        again
            .map(|(_, address)| conflict("listen", "listen", address, TWICE))
            .collect()
    }

    fn of_metrics(cli: &Cli) -> Option<Conflict> {
        let address = listened(cli).find(|address| cli.metrics == Some(**address))?;
        let why = "is also an address of --listen; metrics need a port of their own";
        Some(conflict("metrics", "metrics", address, why))
    }

    fn of_administration(cli: &Cli) -> Option<Conflict> {
        let address = cli.admin.address().filter(|address| address.port() != 0)?;
        let flag = match cli.metrics == Some(address) {
            true => "--metrics",
            false => cli.listen.contains(&address).then_some("--listen")?,
        };
        let why = format!("is also an address of {flag}; administration needs a port of its own");
        Some(conflict("admin_listen", "admin", &address, why))
    }

    fn of_server_addresses(cli: &Cli) -> Vec<Conflict> {
        let of = |written: &Reach, why: String| {
            conflict("server_addresses", "server-address", written, why)
        };
        let too_many = cli.server_addresses.get(MAX_SERVER_ADDRESSES).map(|first| {
            let why = format!("is one too many; expected at most {MAX_SERVER_ADDRESSES}");
            of(first, why)
        });
        let port = cli.first_listen().port();
        let reached = cli.server_addresses.iter();
        let again = again(reached.map(|address| address.of_server_at(port))).into_iter();
        let written = again.filter_map(|(place, _)| cli.server_addresses.get(place));
        let again = written.map(|written| of(written, TWICE.to_owned()));
        too_many.into_iter().chain(again).collect()
    }
}

/// The addresses to listen on, without those of port 0, which is another port each time.
fn listened(cli: &Cli) -> impl Iterator<Item = &SocketAddr> + Clone {
    cli.listen.iter().filter(|address| address.port() != 0)
}

fn conflict(
    id: &'static str,
    flag: &'static str,
    value: &impl ToString,
    why: impl Into<String>,
) -> Conflict {
    Conflict {
        id,
        flag,
        value: value.to_string(),
        why: why.into(),
    }
}

/// The entries that are equal to one before them, each with its place, and each value once.
fn again<T: PartialEq>(entries: impl Iterator<Item = T>) -> Vec<(usize, T)> {
    let (mut seen, mut again): (Vec<T>, Vec<(usize, T)>) = Default::default();
    for (place, entry) in entries.enumerate() {
        if !seen.contains(&entry) {
            seen.push(entry);
        } else if !again.iter().any(|(_, one)| *one == entry) {
            again.push((place, entry));
        }
    }
    again
}

const TWICE: &str = "is given twice";
/// Maximum number of addresses that the engine accepts.
const MAX_SERVER_ADDRESSES: usize = 16;
