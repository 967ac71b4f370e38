//! Flags that contradict each other.

use std::fmt;
use std::net::SocketAddr;

use super::Cli;

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

    /// All conflicts, of each flag the first.
    pub(super) fn all(cli: &Cli) -> Vec<Conflict> {
        let found = [
            Conflict::of_listen(cli),
            Conflict::of_metrics(cli),
            Conflict::of_administration(cli),
            Conflict::of_server_addresses(cli),
        ];
        found.into_iter().flatten().collect()
    }

    fn of_listen(cli: &Cli) -> Option<Conflict> {
        let address = twice(listened(cli))?;
        Some(conflict("listen", "listen", address, TWICE))
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

    fn of_server_addresses(cli: &Cli) -> Option<Conflict> {
        if let Some(address) = cli.server_addresses.get(MAX_SERVER_ADDRESSES) {
            let why = format!("is one too many; expected at most {MAX_SERVER_ADDRESSES}");
            return Some(conflict("server_addresses", "server-address", address, why));
        }
        let port = cli.first_listen().port();
        let reached = cli.server_addresses.iter();
        let reached: Vec<_> = reached.map(|address| address.of_server_at(port)).collect();
        let address = twice(reached.iter())?;
        let written = reached.iter().rposition(|one| one == address)?;
        let written = cli.server_addresses.get(written)?;
        Some(conflict(
            "server_addresses",
            "server-address",
            written,
            TWICE,
        ))
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

const TWICE: &str = "is given twice";
/// Maximum number of addresses that the engine accepts.
const MAX_SERVER_ADDRESSES: usize = 16;
