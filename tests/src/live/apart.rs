//! A core for the server alone, so that what the probe waits for is the server's.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whether `NFS4_ATTACK_APART` asks for it.
pub(super) fn is_wanted() -> bool {
    std::env::var_os("NFS4_ATTACK_APART").is_some()
}

/// Runs what starts a server: the threads that it starts, and those that they start, stay on the first
/// core. Afterwards this thread and those that it starts are on the second.
pub(super) fn server<T>(start: impl FnOnce() -> T) -> T {
    on_core(SERVER);
    let started = start();
    on_core(OTHERS);
    started
}

/// What this thread starts from now on gives way to what it has started: attackers to the probe, which
/// is on the same core.
pub(super) fn attackers() {
    run("renice", &["-n", "10", "-p", &thread()]);
}

/// Ends it for this thread.
pub(super) fn end() {
    run("renice", &["-n", "0", "-p", &thread()]);
}

fn on_core(core: &str) {
    run("taskset", &["-p", "-c", core, &thread()]);
}

/// The number of this thread.
fn thread() -> String {
    let path: PathBuf = std::fs::read_link("/proc/thread-self").expect("Linux");
    let name = path.file_name().expect("a number");
    name.to_string_lossy().into_owned()
}

fn run(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    let status = command.status().expect("util-linux is installed");
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

const SERVER: &str = "0";
const OTHERS: &str = "1";
