//! The programs that are compared, built where that is needed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::Compare;
use crate::fault::{At as _, Fault};
use crate::subject::{Programs, Subject, find};

/// The folder of this package.
pub(crate) fn package() -> PathBuf {
    let now = std::env::var_os("CARGO_MANIFEST_DIR");
    now.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// The folder of the repository.
pub(crate) fn repository() -> PathBuf {
    package().join("..")
}

/// Finds or builds what the subjects need.
pub(crate) fn programs(options: &Compare, subjects: &[Subject]) -> Programs {
    let wanted = |subject| subjects.contains(&subject);
    let not_wanted = || Err(Fault::new("it is not asked for"));
    let nfs4d = match &options.nfs4d {
        Some(program) => Ok(program.clone()),
        None if subjects.iter().any(|subject| subject.is_nfs4d()) => {
            let manifest = repository().join("Cargo.toml");
            build(manifest, &["-p", "nfs4d", "--bin", "nfs4d"])
        }
        None => not_wanted(),
    };
    let embednfs = match wanted(Subject::Embednfs) {
        true => {
            let manifest = package().join("Cargo.toml");
            build(
                manifest,
                &["--features", "embednfs", "--bin", "embednfs-server"],
            )
        }
        false => not_wanted(),
    };
    Programs {
        nfs4d,
        ganesha: find("ganesha.nfsd"),
        embednfs,
        files: options.files.clone(),
    }
}

/// Builds a program as users do, and returns where it is.
fn build(manifest: PathBuf, what: &[&str]) -> Result<PathBuf, Fault> {
    eprintln!("building {}", what.join(" "));
    let output = Command::new("cargo")
        .args(["build", "--release", "--locked", "--message-format"])
        .args(["json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .args(what)
        .stderr(Stdio::inherit())
        .output()
        .at("cargo")?;
    if !output.status.success() {
        return Err(Fault::new("it does not build"));
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Fault::new("cargo names no program"))
}

/// The program that cargo names last, one JSON value a line.
fn executable(messages: &str) -> Option<PathBuf> {
    let values = messages
        .lines()
        .rev()
        .flat_map(serde_json::from_str::<Value>);
    let mut named = values.filter_map(|value| value["executable"].as_str().map(PathBuf::from));
    named.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_what_cargo_names() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/x/nfs4d\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some("/x/nfs4d".into()));
        assert_eq!(executable("{}"), None);
    }
}
