//! The directory for what outlasts the server.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::config::Settings;
use crate::system;

/// The directory that is given. A server of directories has one in any case, as their clients must find their
/// files, opens and locks again after a restart; its parents are made if need be.
///
/// # Errors
/// A parent cannot be made.
pub(crate) fn of(settings: &Settings) -> io::Result<Option<PathBuf>> {
    if settings.state_dir.is_some() || !settings.exports.has_directories() {
        return Ok(settings.state_dir.clone());
    }
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let default = default(system::user(), variable("XDG_STATE_HOME"), variable("HOME"));
    if let Some(parent) = default.as_ref().and_then(|path| path.parent()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    Ok(default)
}

fn default(user: u32, state_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    if user == 0 {
        return Some("/var/lib/nfs4d".into());
    }
    // A relative path is to be ignored. [XDG Base Directory Specification]
    let state_home = state_home.filter(|path| path.is_absolute());
    let home = home.filter(|path| path.is_absolute());
    let state_home = state_home.or_else(|| home.map(|home| home.join(".local/state")));
    state_home.map(|path| path.join("nfs4d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_place() {
        let some = |path: &str| Some(PathBuf::from(path));
        for (user, state_home, home, expected) in [
            (0, some("/s"), some("/root"), some("/var/lib/nfs4d")),
            (7, some("/s"), some("/home/a"), some("/s/nfs4d")),
            (
                7,
                some("s"),
                some("/home/a"),
                some("/home/a/.local/state/nfs4d"),
            ),
            (7, None, some("/home/a"), some("/home/a/.local/state/nfs4d")),
            (7, None, some(""), None),
            (7, None, None, None),
        ] {
            assert_eq!(default(user, state_home, home), expected);
        }
    }
}
