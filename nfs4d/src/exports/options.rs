//! Options of an export, read from a table or an object.

use std::collections::BTreeMap;

use nfs4_admin::{ExportBackend, ExportNetwork, ExportOptions, Security, Squash};
use nfs4_engine::{Cidr, CidrFault};
use serde_json::{Map, Value as Json};
use toml::de::DeTable;

use super::paths;
use super::value::{self, Item, Name, Table, Value, cut};
use super::wrong::Wrong;
use crate::settings::like;
use crate::size::Size;

/// Options that a file gives, and where they stand in it.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) options: ExportOptions,
    /// The first byte of the name of each.
    places: BTreeMap<&'static str, usize>,
    /// The first byte of the table.
    at: usize,
}

impl Placed {
    /// The first byte of an option; that of the table if it has not the option.
    pub(crate) fn place(&self, field: &str) -> usize {
        // A fault may be in a part of the option.
        let option = field.split(['.', '[']).next().unwrap_or_default();
        self.places.get(option).copied().unwrap_or(self.at)
    }
}

/// The options of a table whose first byte is `at`.
///
/// # Errors
/// All that is wrong, each with its place.
pub(crate) fn of_toml(at: usize, table: &DeTable<'_>) -> Result<Placed, Vec<(usize, Wrong)>> {
    let mut reader = Reader::default();
    reader.table(&value::of_toml(table));
    match reader.wrong.is_empty() {
        true => Ok(Placed {
            options: reader.options,
            places: reader.places,
            at,
        }),
        false => Err(reader.wrong),
    }
}

/// The options of an object.
///
/// # Errors
/// All that is wrong.
pub(crate) fn of_json(object: &Map<String, Json>) -> Result<ExportOptions, Vec<Wrong>> {
    let mut reader = Reader::default();
    reader.table(&value::of_json(object));
    match reader.wrong.is_empty() {
        true => Ok(reader.options),
        false => Err(reader.wrong.into_iter().map(|(_, wrong)| wrong).collect()),
    }
}

/// Reads options, and goes on after a fault.
#[derive(Debug, Default)]
struct Reader {
    options: ExportOptions,
    places: BTreeMap<&'static str, usize>,
    wrong: Vec<(usize, Wrong)>,
}

impl Reader {
    fn table(&mut self, table: &Table) {
        for (name, item) in table {
            let known = ExportOptions::NAMES.iter();
            match known.copied().find(|known| *known == name.text) {
                Some(known) => {
                    self.places.insert(known, name.at);
                    self.option(known, item);
                }
                None => self.unknown("", name, &ExportOptions::NAMES),
            }
        }
    }

    fn option(&mut self, name: &'static str, item: &Item) {
        match name {
            "path" => {
                self.options.path = self.read(name, item, |value| path(value, paths::directory));
            }
            "pseudo" => {
                self.options.pseudo = self.read(name, item, |value| path(value, paths::pseudo));
            }
            "backend" => self.options.backend = self.read(name, item, backend),
            "cross_mounts" => self.options.cross_mounts = self.read(name, item, switch),
            "local_locks" => self.options.local_locks = self.read(name, item, switch),
            "memory" => self.options.memory = self.read(name, item, memory),
            "read_only" => self.options.read_only = self.read(name, item, switch),
            "squash" => self.options.squash = self.read(name, item, squash),
            "anonymous_uid" => self.options.anonymous_uid = self.read(name, item, id),
            "anonymous_gid" => self.options.anonymous_gid = self.read(name, item, id),
            "networks" => self.options.networks = self.networks(name, item),
            "minor_versions" => self.options.minor_versions = self.minor_versions(name, item),
            "sec" => self.options.sec = self.list(name, item, security),
            _ => debug_assert!(false, "{name} is no option"),
        }
    }

    fn read<T>(
        &mut self,
        name: &str,
        item: &Item,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let read = read(&item.value);
        read.map_err(|detail| self.fault(item.at, name, &item.value, &detail))
            .ok()
    }

    /// A list of values that are all different; it has one at least.
    fn list<T: PartialEq>(
        &mut self,
        name: &str,
        item: &Item,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let items = self.items(name, item)?;
        let faults = self.wrong.len();
        let mut all = Vec::new();
        for item in items {
            let Some(one) = self.read(name, item, &read) else {
                continue;
            };
            if all.contains(&one) {
                self.fault(item.at, name, &item.value, "is given twice");
            } else {
                all.push(one);
            }
        }
        (self.wrong.len() == faults).then_some(all)
    }

    fn items<'a>(&mut self, name: &str, item: &'a Item) -> Option<&'a [Item]> {
        let Value::List(items) = &item.value else {
            let example = match name {
                "networks" => "[\"192.0.2.0/24\"]",
                "minor_versions" => "[1, 2]",
                _ => "[\"sys\"]",
            };
            let detail = format!("expected a list, as in {example}");
            self.fault(item.at, name, &item.value, &detail);
            return None;
        };
        let detail = match items.len() {
            0 => "expected one value at least; without it there is no restriction".to_owned(),
            number if number > MOST_ITEMS => format!("expected {MOST_ITEMS} values at most"),
            _ => return Some(items),
        };
        self.wrong.push((item.at, Wrong::new(name, detail)));
        None
    }

    fn networks(&mut self, name: &str, item: &Item) -> Option<Vec<ExportNetwork>> {
        let items = self.items(name, item)?;
        let faults = self.wrong.len();
        let mut networks: Vec<ExportNetwork> = Vec::new();
        for item in items {
            let network = match &item.value {
                Value::Table(table) => self.network(item.at, table),
                value => self
                    .read(name, item, |_| network(value))
                    .map(ExportNetwork::new),
            };
            let Some(network) = network else {
                continue;
            };
            if networks.iter().any(|one| one.network == network.network) {
                let detail = format!("{} is given twice", network.network);
                self.wrong.push((item.at, Wrong::new(name, detail)));
            } else {
                networks.push(network);
            }
        }
        (self.wrong.len() == faults).then_some(networks)
    }

    /// A network with rules of its own.
    fn network(&mut self, at: usize, table: &Table) -> Option<ExportNetwork> {
        let faults = self.wrong.len();
        let mut read = ExportNetwork::new("");
        for (name, item) in table {
            match name.text.as_str() {
                "network" => {
                    let text = self.read("networks.network", item, network);
                    read.network = text.unwrap_or_default();
                }
                // Answers have null where the export's own rule holds.
                "read_only" | "squash" if item.value == Value::Other("null".to_owned()) => {}
                "read_only" => read.read_only = self.read("networks.read_only", item, switch),
                "squash" => read.squash = self.read("networks.squash", item, squash),
                _ => self.unknown("networks.", name, &["network", "read_only", "squash"]),
            }
        }
        if self.wrong.len() > faults {
            return None;
        }
        if read.network.is_empty() {
            let detail = "is missing: expected { network = \"192.0.2.0/24\", … }";
            self.wrong
                .push((at, Wrong::new("networks.network", detail)));
            return None;
        }
        Some(read)
    }

    /// Versions that follow each other.
    fn minor_versions(&mut self, name: &str, item: &Item) -> Option<Vec<u32>> {
        let mut versions = self.list(name, item, minor_version)?;
        versions.sort_unstable();
        let follow = versions
            .windows(2)
            .all(|pair| matches!(pair, [one, next] if one + 1 == *next));
        if !follow {
            let detail = "leaves one out; expected versions that follow each other, as in [1, 2]";
            self.wrong.push((item.at, Wrong::new(name, detail)));
            return None;
        }
        Some(versions)
    }

    fn unknown(&mut self, before: &str, name: &Name, known: &[&'static str]) {
        let advice = match like(&name.text, known.iter().copied()) {
            Some(meant) => format!("; {meant} is one"),
            None => format!("; the options are {}", known.join(", ")),
        };
        let field = format!("{before}{:?}", cut(&name.text));
        let detail = format!("there is no such option{advice}");
        self.wrong.push((name.at, Wrong::unknown(field, detail)));
    }

    fn fault(&mut self, at: usize, name: &str, value: &Value, detail: &str) {
        let joint = match detail.starts_with("expected") {
            true => "; ",
            false => ", which ",
        };
        let detail = match detail {
            "is given twice" => format!("{value} {detail}"),
            _ => format!("is {value}{joint}{detail}"),
        };
        self.wrong.push((at, Wrong::new(name, detail)));
    }
}

fn path(value: &Value, check: fn(&str) -> Result<String, String>) -> Result<String, String> {
    match value {
        Value::Text(text) => check(text),
        _ => Err("expected an absolute path, as in \"/srv/data\"".to_owned()),
    }
}

fn backend(value: &Value) -> Result<ExportBackend, String> {
    match value {
        Value::Text(text) if text == "local" => Ok(ExportBackend::Local),
        Value::Text(text) if text == "memory" => Ok(ExportBackend::Memory),
        _ => Err("expected local or memory".to_owned()),
    }
}

fn switch(value: &Value) -> Result<bool, String> {
    match value {
        Value::Switch(switch) => Ok(*switch),
        _ => Err("expected true or false".to_owned()),
    }
}

fn memory(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::Text(text) => Some(text.clone()),
        // A number of bytes.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    text.filter(|text| text.parse().is_ok_and(|size: Size| size >= LEAST_MEMORY))
        .ok_or_else(|| "expected a size from 1M to 16777215T, as in \"512M\" or \"2G\"".to_owned())
}

fn squash(value: &Value) -> Result<Squash, String> {
    match value {
        Value::Text(text) if text == "none" => Ok(Squash::None),
        Value::Text(text) if text == "root" => Ok(Squash::Root),
        Value::Text(text) if text == "all" => Ok(Squash::All),
        _ => Err("expected none, root or all".to_owned()),
    }
}

fn id(value: &Value) -> Result<u32, String> {
    // 2^32 - 1 stands for no id in system calls.
    let most = u32::MAX - 1;
    let id = match value {
        Value::Number(number) => u32::try_from(*number).ok().filter(|id| *id <= most),
        _ => None,
    };
    id.ok_or_else(|| format!("expected the number of a user or a group, from 0 to {most}"))
}

fn network(value: &Value) -> Result<String, String> {
    let expected = "expected a network, as in \"192.0.2.0/24\" or \"2001:db8::/32\"";
    let Value::Text(text) = value else {
        return Err(expected.to_owned());
    };
    match text.parse::<Cidr>() {
        Ok(network) => Ok(network.to_string()),
        Err(CidrFault::Host(network)) => Err(format!(
            "has bits after its prefix: the network is {network}"
        )),
        Err(CidrFault::Prefix { most, .. }) => {
            Err(format!("has a prefix of more than {most} bits"))
        }
        Err(_) => Err(format!("{expected}; host names are not accepted")),
    }
}

fn minor_version(value: &Value) -> Result<u32, String> {
    match value {
        Value::Number(number @ 0..=2) => Ok(u32::try_from(*number).unwrap_or_default()),
        _ => Err("expected 0, 1 or 2".to_owned()),
    }
}

fn security(value: &Value) -> Result<Security, String> {
    match value {
        Value::Text(text) if text == "sys" => Ok(Security::Sys),
        Value::Text(text) if text == "none" => Ok(Security::None),
        _ => Err("expected sys or none; Kerberos is not implemented".to_owned()),
    }
}

/// Maximum number of values of a list.
const MOST_ITEMS: usize = 256;
const LEAST_MEMORY: Size = Size(1 << 20);
