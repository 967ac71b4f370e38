//! The data that the rules check: the packages that cargo sees and the source files on disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::graph::{Dependency, Kind, Package};
use crate::tokens::Scan;

/// Packages outside the workspace, each with its own lock file.
const OUTSIDE: [&str; 2] = ["bench", "fuzz"];

/// The checked-out repository.
pub(crate) struct Repository {
    root: PathBuf,
    packages: Vec<Package>,
}

/// One source file; `path` is relative to the repository.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn scan(&self) -> Scan {
        Scan::parse(&self.path, &self.text)
    }
}

impl Repository {
    pub(crate) fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root
            .canonicalize()
            .expect("the manifest directory has a parent");
        let mut packages = read_packages(&root.join("Cargo.toml"));
        for package in OUTSIDE {
            packages.extend(read_packages(&root.join(package).join("Cargo.toml")));
        }
        Self { root, packages }
    }

    pub(crate) fn packages(&self) -> Vec<Package> {
        self.packages.clone()
    }

    pub(crate) fn library_root(&self, package: &str) -> File {
        self.read(&self.directory(package).join("src/lib.rs"))
    }

    /// The path of a package's `src`, relative to the repository.
    pub(crate) fn source_root(&self, package: &str) -> String {
        let folder = self.directory(package).join("src");
        let folder = folder.strip_prefix(&self.root).unwrap_or(&folder);
        folder.to_string_lossy().into_owned()
    }

    /// The package's `src`, without the modules that only exist under `cfg(test)`.
    pub(crate) fn sources_without_tests(&self, package: &str) -> Vec<(String, Scan)> {
        let scans: Vec<(String, Scan)> = self
            .files_under(&self.directory(package).join("src"))
            .iter()
            .map(|file| (file.path.clone(), file.scan()))
            .collect();
        without_test_modules(scans)
    }

    /// All Rust sources of the repository, tests included.
    pub(crate) fn all_sources(&self) -> Vec<File> {
        self.files_under(&self.root)
    }

    /// The files of a folder with this extension.
    pub(crate) fn texts(&self, folder: &str, extension: &str) -> Vec<File> {
        let entries = std::fs::read_dir(self.root.join(folder))
            .into_iter()
            .flatten();
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("a directory entry is readable").path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        paths.sort();
        paths.iter().map(|path| self.read(path)).collect()
    }

    /// What is in a file, if it is there; `path` is relative to the repository.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    fn directory(&self, package: &str) -> PathBuf {
        let found = self
            .packages
            .iter()
            .find(|candidate| candidate.name == package);
        found
            .unwrap_or_else(|| panic!("no package is called {package}"))
            .directory
            .clone()
    }

    fn files_under(&self, directory: &Path) -> Vec<File> {
        let mut paths = Vec::new();
        collect(directory, &mut paths);
        paths.sort();
        paths.iter().map(|path| self.read(path)).collect()
    }

    fn read(&self, path: &Path) -> File {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        File {
            path: relative.to_string_lossy().into_owned(),
            text,
        }
    }
}

/// Drops the files that some other file declares as `#[cfg(test)] mod name;`, and what lies below.
pub(crate) fn without_test_modules(scans: Vec<(String, Scan)>) -> Vec<(String, Scan)> {
    let mut files = BTreeSet::new();
    let mut folders = Vec::new();
    for (path, scan) in &scans {
        let folder = module_folder(path);
        for module in &scan.test_modules {
            files.insert(format!("{folder}/{module}.rs"));
            folders.push(format!("{folder}/{module}/"));
        }
    }
    scans
        .into_iter()
        .filter(|(path, _)| !files.contains(path))
        .filter(|(path, _)| !folders.iter().any(|folder| path.starts_with(folder)))
        .collect()
}

/// Where the modules that a file declares are looked for.
fn module_folder(path: &str) -> &str {
    for root in ["/lib.rs", "/main.rs", "/mod.rs"] {
        if let Some(folder) = path.strip_suffix(root) {
            return folder;
        }
    }
    path.strip_suffix(".rs").unwrap_or(path)
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a directory entry is readable").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn read_packages(manifest: &Path) -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
            "--manifest-path",
        ])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    list(&metadata["packages"])
        .iter()
        .map(read_package)
        .collect()
}

fn read_package(package: &serde_json::Value) -> Package {
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    Package {
        name: text(&package["name"]),
        directory: manifest
            .parent()
            .expect("a manifest lies in a folder")
            .to_path_buf(),
        header: ["version", "edition", "rust_version", "license"]
            .map(|key| format!("{key} = {}", package[key])),
        outside: OUTSIDE
            .iter()
            .any(|folder| manifest.ends_with(format!("{folder}/Cargo.toml"))),
        dependencies: list(&package["dependencies"])
            .iter()
            .map(read_dependency)
            .collect(),
    }
}

fn read_dependency(dependency: &serde_json::Value) -> Dependency {
    Dependency {
        name: text(&dependency["name"]),
        kind: match dependency["kind"].as_str() {
            None => Kind::Normal,
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            Some(other) => panic!("cargo has a new kind of dependency: {other}"),
        },
        default_features: dependency["uses_default_features"] == true,
        features: list(&dependency["features"]).iter().map(text).collect(),
        path: dependency["path"].is_string(),
    }
}

fn list(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().expect("cargo metadata has a list here")
}

fn text(value: &serde_json::Value) -> String {
    value
        .as_str()
        .expect("cargo metadata has a string here")
        .to_owned()
}

#[test]
fn a_test_module_in_its_own_file_does_not_count() {
    let scan = |path: &str, text: &str| (path.to_owned(), Scan::parse(path, text));
    let left = without_test_modules(vec![
        scan("x/src/lib.rs", "mod a; #[cfg(test)] mod tests;"),
        scan("x/src/tests.rs", "use std::fs;"),
        scan("x/src/a/mod.rs", "#[cfg(test)] mod inner;"),
        scan("x/src/a/inner/deep.rs", ""),
        scan("x/src/a.rs", "#[cfg(test)] mod other;"),
        scan("x/src/a/other.rs", ""),
        scan("x/src/a/kept.rs", ""),
    ]);
    let left: Vec<&str> = left.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        left,
        [
            "x/src/lib.rs",
            "x/src/a/mod.rs",
            "x/src/a.rs",
            "x/src/a/kept.rs"
        ]
    );
}
