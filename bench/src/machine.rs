//! What was measured on, and with which versions.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use crate::subject::{Programs, Subject};

/// Facts for people, each under its name.
pub(crate) fn facts(programs: &Programs) -> Vec<(&'static str, String)> {
    let ganesha = programs.ganesha.as_ref().ok();
    let nfs4d = programs.nfs4d.as_ref().ok();
    let mut facts = vec![
        ("processor", processor()),
        ("kernel", kernel()),
        ("compiler", said("rustc".as_ref(), &["--version"])),
        ("measured on", said("date".as_ref(), &["-u", "+%F"])),
    ];
    if let Some(program) = nfs4d {
        facts.push(("nfs4d", said(program, &["--version"])));
    }
    if let Some(program) = ganesha {
        facts.push((Subject::Ganesha.title(), said(program, &["-v"])));
    }
    if programs.embednfs.is_ok() {
        facts.push((Subject::Embednfs.title(), locked("embednfs")));
    }
    facts
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut names = info.lines().filter_map(|line| line.split_once(':'));
    let name = names.find(|(key, _)| key.trim() == "model name");
    let name = name.map_or("unknown", |(_, name)| name.trim());
    // Not what this process may use: it is pinned.
    let count = info.matches("model name").count();
    let count = count.max(available_parallelism().map_or(1, usize::from));
    format!("{count} × {name}")
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    release.map_or_else(
        |_| "unknown".to_owned(),
        |text| format!("Linux {}", text.trim()),
    )
}

/// The first line that a program prints.
fn said(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map_or_else(|_| Vec::new(), |output| output.stdout);
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// The version of a package in this package's lock file.
fn locked(package: &str) -> String {
    let name = format!("name = \"{package}\"");
    let mut lines = include_str!("../Cargo.lock").lines();
    let found = lines.any(|line| line == name);
    let version = lines.next().filter(|_| found);
    let version = version.and_then(|line| line.split('"').nth(1));
    version.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert_eq!(locked("nfs4-bench"), env!("CARGO_PKG_VERSION"));
        assert_eq!(locked("no such package"), "unknown");
    }
}
