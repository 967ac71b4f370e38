//! The storeys of the engine, and that no crate has a loop of imports.

use crate::imports::Imports;

/// The storeys of `nfs4-engine`, from the lowest. A file is in the storey that names the longest part
/// of its module path, and imports nothing from a storey above its own.
pub(crate) const ENGINE: [(&str, &[&str]); 7] = [
    (
        "leaves",
        &[
            "action",
            "admin",
            "attr",
            "boot",
            "chain",
            "change",
            "config",
            "connection_state",
            "count",
            "delegation_kind",
            "direction",
            "event",
            "export",
            "export_set",
            "fh",
            "fingerprint",
            "fs",
            "grace",
            "ids",
            "input",
            "key_index",
            "keys",
            "map",
            "metrics",
            "network",
            "op_set",
            "parted",
            "principal",
            "seal",
            "server_address",
            "slab",
            "slow",
            "small_list",
            "stable",
            "squash",
            "table_lengths",
            "terms",
            "time",
            "timer",
            "traffic",
        ],
    ),
    (
        "tables",
        &[
            "callback",
            "client",
            "connection",
            "duplicates",
            "exports",
            "faults",
            "guards",
            "lapses",
            "peer",
            "recovered",
            "session",
            "slow_log",
            "state",
            "stores",
        ],
    ),
    ("core", &["core"]),
    ("compound", &["compound"]),
    ("ops", &["ops"]),
    ("run", &["run"]),
    (
        "engine",
        &["", "engine", "invariant", "record", "sizes", "snapshot"],
    ),
];

/// A table is what is known; what comes of a change of it goes out through the core.
pub(crate) const ACTIONS: &str = "action";

/// Small loops within one folder that may stay: files that are one thought. At most five in all.
pub(crate) const LOOPS: [(&str, &[&str], &str); 5] = [
    (
        "nfs4-engine",
        &["compound::context", "compound::handler", "compound::scope"],
        "a scope says which handlers it has, which take the context, which has a scope",
    ),
    (
        "nfs4-engine",
        &["ops::filehandle", "ops::table"],
        "PUTFH looks up what the operation after it needs in the table that PUTFH is in",
    ),
    (
        "nfs4-vfs",
        &["mem::directory", "mem::inode"],
        "a directory holds the objects that its names mean, and is one",
    ),
    (
        "nfs4-tests",
        &["sim::dial", "sim::world"],
        "the simulated network holds the connections that it is asked to make",
    ),
    (
        "nfs4-tests",
        &["sim::held", "sim::world"],
        "the simulated network holds the requests that its file system has not answered",
    ),
];

/// Imports that go up, and files that are in no storey.
pub(crate) fn upward(imports: &Imports, storeys: &[(&str, &[&str])]) -> Vec<String> {
    let storey = |module: &str| {
        let named = storeys
            .iter()
            .enumerate()
            .flat_map(|(height, (_, modules))| {
                let within = modules.iter().filter(|part| is_within(module, part));
                within.map(move |part| (part.len(), height))
            });
        named.max().map(|(_, height)| height)
    };
    let mut faults = Vec::new();
    for (module, path) in &imports.files {
        let Some(own) = storey(module) else {
            faults.push(format!("{path}: is in no storey"));
            continue;
        };
        for target in imports.edges.get(module).into_iter().flatten() {
            let Some(other) = storey(target) else {
                continue;
            };
            let (own_name, other_name) = (storeys[own].0, storeys[other].0);
            if other > own {
                faults.push(format!(
                    "{path}: in {own_name}, imports {target}, which is above it in {other_name}"
                ));
            }
            if own_name == "tables" && target == ACTIONS {
                faults.push(format!("{path}: a table knows no actions"));
            }
        }
    }
    faults
}

/// Loops of imports that may not be.
pub(crate) fn loops(
    package: &str,
    imports: &Imports,
    allowed: &[(&str, &[&str], &str)],
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut left: Vec<(&[&str], bool)> = allowed
        .iter()
        .filter(|(of, _, _)| *of == package)
        .map(|(_, files, _)| (*files, false))
        .collect();
    for found in imports.loops() {
        let is_listed = |(files, _): &&mut (&[&str], bool)| {
            found.iter().all(|file| files.contains(&file.as_str()))
        };
        if let Some((_, met)) = left.iter_mut().find(is_listed)
            && found.iter().all(|file| folder(file) == folder(&found[0]))
        {
            *met = true;
            continue;
        }
        faults.push(format!(
            "{package}: a loop of imports: {} -> {}",
            found.join(" -> "),
            found[0]
        ));
    }
    for (files, _) in left.iter().filter(|(_, met)| !met) {
        faults.push(format!("{package}: {files:?} are no loop any more"));
    }
    faults
}

fn is_within(module: &str, part: &str) -> bool {
    module == part || !part.is_empty() && module.starts_with(&format!("{part}::"))
}

fn folder(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::tests::crate_of;

    const TWO: [(&str, &[&str]); 2] = [("tables", &["table", "action"]), ("core", &["", "core"])];

    #[test]
    fn an_import_from_above_is_found() {
        let imports = crate_of(&[
            ("lib.rs", "mod core; mod table;"),
            (
                "core.rs",
                "use crate::table::Table; pub struct Core(Table);",
            ),
            ("table.rs", "pub struct Table(crate::core::Core);"),
        ]);
        let faults = upward(&imports, &TWO);
        assert_eq!(
            faults,
            ["a/src/table.rs: in tables, imports core, which is above it in core"]
        );
    }

    #[test]
    fn a_file_in_no_storey_and_a_table_with_actions_are_found() {
        let imports = crate_of(&[
            ("action.rs", "pub struct Outbox;"),
            ("table.rs", "use crate::action::Outbox;"),
            ("stray.rs", ""),
        ]);
        let faults = upward(&imports, &TWO);
        assert_eq!(
            faults,
            [
                "a/src/stray.rs: is in no storey",
                "a/src/table.rs: a table knows no actions"
            ]
        );
    }

    #[test]
    fn a_loop_is_found_unless_it_is_listed_and_in_one_folder() {
        let files = [
            ("one/a.rs", "use super::b::B; pub struct A;"),
            ("one/b.rs", "use super::a::A; pub struct B;"),
        ];
        let listed: [(&str, &[&str], &str); 1] = [("p", &["one::a", "one::b"], "one thought")];
        assert!(loops("p", &crate_of(&files), &listed).is_empty());
        assert_eq!(
            loops("p", &crate_of(&files), &[]),
            ["p: a loop of imports: one::a -> one::b -> one::a"]
        );
        assert_eq!(
            loops("p", &crate_of(&files[..1]), &listed),
            ["p: [\"one::a\", \"one::b\"] are no loop any more"]
        );
        let across = [
            ("one/a.rs", "use crate::two::b::B; pub struct A;"),
            ("two/b.rs", "use crate::one::a::A; pub struct B;"),
        ];
        let listed: [(&str, &[&str], &str); 1] = [("p", &["one::a", "two::b"], "no reason")];
        assert_eq!(loops("p", &crate_of(&across), &listed).len(), 2);
    }
}
