//! The dependencies that each crate may have.

use std::path::PathBuf;

/// One package as cargo sees it.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    /// What all packages have in common, one `key = value` each.
    pub(crate) header: [String; 4],
    /// The package is outside the workspace: bench, fuzz.
    pub(crate) outside: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) default_features: bool,
    pub(crate) features: Vec<String>,
    /// The dependency is a crate of this repository, named by path.
    pub(crate) path: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// The crates that decode bytes of peers: no standard library, no unsafe code.
pub(crate) const FENCED: [&str; 2] = ["nfs4-proto", "nfs4-engine"];

pub(crate) const TRANSPORTS: [&str; 3] = [
    "nfs4-transport-tokio",
    "nfs4-transport-std",
    "nfs4-transport-memory",
];

/// Faults of the imports among the crates of the repository, and of the uses of runtimes.
pub(crate) fn imports(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        for dependency in &package.dependencies {
            if let Some(why) = import_fault(package, dependency) {
                faults.push(format!("{} -> {}: {why}", package.name, dependency.name));
            }
        }
    }
    faults
}

/// Faults of the dependencies of the fenced crates: each must stay `no_std` with the features in
/// use.
pub(crate) fn fence(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages
        .iter()
        .filter(|package| FENCED.contains(&package.name.as_str()))
    {
        for dependency in package
            .dependencies
            .iter()
            .filter(|found| found.kind != Kind::Dev)
        {
            let edge = format!("{} -> {}", package.name, dependency.name);
            if dependency.kind == Kind::Build {
                faults.push(format!(
                    "{edge}: build scripts are not allowed inside the fence"
                ));
            } else if !dependency.path && !FENCE_MAY_USE.contains(&dependency.name.as_str()) {
                faults.push(format!(
                    "{edge}: not on the list of crates that may be inside the fence"
                ));
            } else if !dependency.path && dependency.default_features {
                faults.push(format!(
                    "{edge}: default features are on, which may bring std"
                ));
            } else if dependency.features.iter().any(|feature| feature == "std") {
                faults.push(format!("{edge}: asks for the feature std"));
            }
        }
    }
    faults
}

/// Faults of the common `[workspace.package]`.
pub(crate) fn common_header(packages: &[Package]) -> Vec<String> {
    let inside: Vec<&Package> = packages.iter().filter(|package| !package.outside).collect();
    let Some(first) = inside.first() else {
        return vec!["there is no package".to_owned()];
    };
    let mut faults = Vec::new();
    for package in &inside {
        for (own, common) in package.header.iter().zip(&first.header) {
            if own != common {
                faults.push(format!("{}: {own}, elsewhere {common}", package.name));
            }
        }
    }
    faults
}

fn import_fault(package: &Package, dependency: &Dependency) -> Option<String> {
    let (from, to) = (package.name.as_str(), dependency.name.as_str());
    if to == "nfs4d" {
        return Some("no crate may depend on nfs4d".to_owned());
    }
    if TRANSPORTS.contains(&from) && TRANSPORTS.contains(&to) {
        return Some("no transport may depend on another".to_owned());
    }
    if let Some((_, homes)) = RUNTIMES.iter().find(|(runtime, _)| *runtime == to)
        && dependency.kind != Kind::Dev
        && !homes.contains(&from)
    {
        return Some(format!("only {} may use it", homes.join(" and ")));
    }
    if !dependency.path || dependency.kind == Kind::Dev {
        return None;
    }
    if package.outside {
        return None;
    }
    match MAY_IMPORT.iter().find(|(name, _)| *name == from) {
        None => Some("this package is not in the table of layers; add it".to_owned()),
        Some((_, allowed)) if allowed.contains(&to) => None,
        Some((_, [])) => Some("it may import no crate of this repository".to_owned()),
        Some((_, allowed)) => Some(format!("it may import only {}", allowed.join(", "))),
    }
}

/// The layers. Tests may import more (`[dev-dependencies]`), but never nfs4d, and no transport
/// another.
const MAY_IMPORT: [(&str, &[&str]); 12] = [
    ("nfs4-proto", &[]),
    ("nfs4-engine", &["nfs4-proto"]),
    ("nfs4-vfs", &["nfs4-engine"]),
    ("nfs4-driver", &["nfs4-engine"]),
    ("nfs4-transport-tokio", &["nfs4-driver"]),
    ("nfs4-transport-std", &["nfs4-driver"]),
    ("nfs4-transport-memory", &["nfs4-driver"]),
    (
        "nfs4d",
        &[
            "nfs4-engine",
            "nfs4-vfs",
            "nfs4-driver",
            "nfs4-transport-tokio",
            "nfs4-transport-std",
            "nfs4-admin",
        ],
    ),
    ("nfs4-admin", &[]),
    ("nfs4ctl", &["nfs4-admin"]),
    ("nfs4-replay", &["nfs4-engine"]),
    (
        "nfs4-tests",
        &[
            "nfs4-proto",
            "nfs4-engine",
            "nfs4-vfs",
            "nfs4-driver",
            "nfs4-replay",
            "nfs4-transport-tokio",
            "nfs4-transport-std",
            "nfs4-transport-memory",
        ],
    ),
];

/// The crates that may use each runtime or socket library, tests and benches aside.
const RUNTIMES: [(&str, &[&str]); 6] = [
    (
        "tokio",
        // A server that is compared in bench runs on it.
        &[
            "nfs4-transport-tokio",
            "nfs4d",
            "nfs4-admin",
            "nfs4ctl",
            "nfs4-tests",
            "nfs4-bench",
        ],
    ),
    ("async-std", &["nfs4-transport-std"]),
    ("async-global-executor", &["nfs4-transport-std"]),
    ("smol", &[]),
    ("mio", &[]),
    (
        "socket2",
        &[
            "nfs4-transport-tokio",
            "nfs4-transport-std",
            "nfs4d",
            "nfs4-tests",
        ],
    ),
];

const FENCE_MAY_USE: [&str; 8] = [
    "bytes",
    "hashbrown",
    "once_cell",
    "prometheus",
    "serde",
    "siphasher",
    "thiserror",
    "tracing",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: Vec<Dependency>) -> Package {
        Package {
            name: name.to_owned(),
            directory: PathBuf::new(),
            header: [
                "version = 1",
                "edition = 2024",
                "rust_version = 1",
                "license = X",
            ]
            .map(str::to_owned),
            outside: false,
            dependencies,
        }
    }

    fn ours(name: &str) -> Dependency {
        Dependency {
            path: true,
            ..foreign(name)
        }
    }

    fn foreign(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            kind: Kind::Normal,
            default_features: false,
            features: Vec::new(),
            path: false,
        }
    }

    fn dev(dependency: Dependency) -> Dependency {
        Dependency {
            kind: Kind::Dev,
            ..dependency
        }
    }

    #[test]
    fn an_upward_import_is_a_fault() {
        for (from, to) in [
            ("nfs4-proto", "nfs4-engine"),
            ("nfs4-engine", "nfs4-driver"),
            ("nfs4-engine", "nfs4-vfs"),
            ("nfs4-vfs", "nfs4-driver"),
            ("nfs4-driver", "nfs4-vfs"),
            ("nfs4-transport-tokio", "nfs4-vfs"),
            ("nfs4-new", "nfs4-proto"),
        ] {
            assert_eq!(
                imports(&[package(from, vec![ours(to)])]).len(),
                1,
                "{from} -> {to}"
            );
        }
        assert!(imports(&[package("nfs4-engine", vec![ours("nfs4-proto")])]).is_empty());
    }

    #[test]
    fn no_crate_depends_on_nfs4d_not_even_for_tests() {
        assert_eq!(
            imports(&[package("nfs4-tests", vec![ours("nfs4d")])]).len(),
            1
        );
        assert_eq!(
            imports(&[package("nfs4-tests", vec![dev(ours("nfs4d"))])]).len(),
            1
        );
        let outside = Package {
            outside: true,
            ..package("nfs4-fuzz", vec![ours("nfs4d")])
        };
        assert_eq!(imports(&[outside]).len(), 1);
    }

    #[test]
    fn transports_that_see_each_other_are_a_fault() {
        let [tokio, threads, _] = TRANSPORTS;
        assert_eq!(
            imports(&[package(tokio, vec![dev(ours(threads))])]).len(),
            1
        );
        assert_eq!(
            imports(&[package(threads, vec![dev(ours(tokio))])]).len(),
            1
        );
    }

    #[test]
    fn a_runtime_in_the_wrong_place_is_a_fault() {
        assert_eq!(
            imports(&[package("nfs4-driver", vec![foreign("tokio")])]).len(),
            1
        );
        assert_eq!(
            imports(&[package("nfs4-transport-std", vec![foreign("tokio")])]).len(),
            1
        );
        assert!(imports(&[package("nfs4-transport-tokio", vec![foreign("tokio")])]).is_empty());
        assert!(imports(&[package("nfs4-vfs", vec![dev(foreign("tokio"))])]).is_empty());
    }

    #[test]
    fn std_through_a_dependency_of_the_fence_is_a_fault() {
        let with_defaults = Dependency {
            default_features: true,
            ..foreign("bytes")
        };
        let with_std = Dependency {
            features: vec!["std".to_owned()],
            ..foreign("bytes")
        };
        let script = Dependency {
            kind: Kind::Build,
            ..foreign("bytes")
        };
        for wrong in [foreign("libc"), with_defaults, with_std, script] {
            let shown = format!("{wrong:?}");
            assert_eq!(
                fence(&[package("nfs4-engine", vec![wrong])]).len(),
                1,
                "{shown}"
            );
        }
        assert!(fence(&[package("nfs4-engine", vec![foreign("bytes")])]).is_empty());
        assert!(fence(&[package("nfs4-proto", vec![dev(foreign("libc"))])]).is_empty());
    }

    #[test]
    fn a_package_header_that_differs_is_a_fault() {
        let mut other = package("b", Vec::new());
        other.header[1] = "edition = 2021".to_owned();
        assert_eq!(common_header(&[package("a", Vec::new()), other]).len(), 1);
        assert_eq!(common_header(&[]).len(), 1);
    }
}
