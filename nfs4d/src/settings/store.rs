//! The settings that requests have changed, in a file that outlasts the server.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nfs4_admin::SettingsPatch;
use serde_json::{Value, json};

use super::object::settings_of;
use crate::system;

/// The directory with the state of one server.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    /// Open, so that it can be made durable, and locked.
    directory: File,
}

/// Why a server does not start with a state directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFault {
    /// The operating system refuses it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Another server uses it.
    #[error("another nfs4d uses this directory")]
    Taken,
    /// It is longer than any that a server writes.
    #[error("it is longer than {} bytes, and none of nfs4d's", LONGEST)]
    TooLong,
    /// It is not JSON.
    #[error("it is no JSON: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is JSON of another form.
    #[error("{0}")]
    Form(&'static str),
    /// A later version has written it.
    #[error(
        "its version is {0}, and this nfs4d knows none after {VERSION}: a later nfs4d has written it"
    )]
    Newer(u64),
    /// Fields are wrong.
    #[error("{}", .0.join("; "))]
    Fields(Vec<String>),
}

impl Store {
    /// Takes a directory for this server alone, and makes it if need be; returns the settings in it.
    ///
    /// # Errors
    /// The path of what is wrong, and why. Nothing is changed then.
    pub(crate) fn open(directory: &Path) -> Result<(Store, SettingsPatch), (PathBuf, StoreFault)> {
        let of_directory = |fault| (directory.to_owned(), fault);
        let opened = match File::open(directory) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let made = DirBuilder::new().mode(0o700).create(directory);
                made.and_then(|()| File::open(directory))
            }
            opened => opened,
        };
        let opened = opened.map_err(|why| of_directory(why.into()))?;
        let found = opened.metadata();
        let found = found.map_err(|why| of_directory(why.into()))?;
        if !found.is_dir() {
            return Err(of_directory(
                io::Error::from(io::ErrorKind::NotADirectory).into(),
            ));
        }
        if is_of_others(found.uid(), found.mode(), system::user()) {
            let path = directory.display();
            tracing::warn!(%path, "other users may change the state directory, and by it the server's settings");
        }
        match system::lock(&opened) {
            Ok(true) => {}
            Ok(false) => return Err(of_directory(StoreFault::Taken)),
            Err(why) => return Err(of_directory(why.into())),
        }
        let path = directory.join(FILE);
        match read(&path) {
            Ok(stored) => {
                let store = Store {
                    path,
                    directory: opened,
                };
                Ok((store, stored))
            }
            Err(fault) => Err((path, fault)),
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file has these settings.
    pub(crate) fn holds(&self, settings: &SettingsPatch) -> bool {
        read(&self.path).is_ok_and(|stored| stored == *settings)
    }

    /// Replaces the settings in the file: after a crash it has the ones or the others.
    ///
    /// # Errors
    /// The operating system refuses. If it did so at the very end, the file may have either.
    pub(crate) fn write(&self, settings: &SettingsPatch) -> io::Result<()> {
        let text = json!({ "version": VERSION, "settings": settings });
        let text = serde_json::to_string_pretty(&text)? + "\n";
        let new = self.path.with_extension("json.new");
        let written = write_durably(&new, text.as_bytes());
        let renamed = written.and_then(|()| fs::rename(&new, &self.path));
        if renamed.is_err() {
            // It may not be there; the next one is written over it.
            let _ = fs::remove_file(&new);
        }
        renamed?;
        self.directory.sync_all()
    }
}

/// Whether another user than this process's, `own`, and the superuser may replace files in a directory.
fn is_of_others(owner: u32, mode: u32, own: u32) -> bool {
    (owner != own && owner != 0) || mode & 0o002 != 0
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What is there is of a server that was stopped, or a link or pipe of another user's: it is not opened.
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The settings of a file; none if it is not there.
fn read(path: &Path) -> Result<SettingsPatch, StoreFault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(SettingsPatch::default()),
        Err(why) => return Err(why.into()),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(StoreFault::TooLong);
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<SettingsPatch, StoreFault> {
    let value: Value = serde_json::from_slice(bytes)?;
    let object = value.as_object();
    let object = object.ok_or(StoreFault::Form("it is not a JSON object"))?;
    // First: a later version may have other fields.
    match object.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(later) if later > VERSION => return Err(StoreFault::Newer(later)),
        _ => return Err(StoreFault::Form("version is no number that nfs4d writes")),
    }
    let mut faults = Vec::new();
    for name in object.keys() {
        if name != "version" && name != "settings" {
            faults.push(format!("{name:?}: there is no such field"));
        }
    }
    let settings = object.get("settings").and_then(Value::as_object);
    let settings = settings.ok_or(StoreFault::Form("settings is not a JSON object"))?;
    match settings_of(settings) {
        Ok(settings) if faults.is_empty() => return Ok(settings),
        Ok(_) => {}
        Err(wrong) => {
            let told = wrong.into_iter();
            faults.extend(told.map(|one| format!("{}: {}", one.name, one.detail)));
        }
    }
    Err(StoreFault::Fields(faults))
}

const FILE: &str = "settings.json";
/// The version of the file's form.
const VERSION: u64 = 1;
/// In bytes: all settings with all operations blocked take a tenth of it.
const LONGEST: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of this test, which removes it in the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let name = format!("nfs4d-store-{name}-{}", std::process::id());
            Directory(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn lease(seconds: u64) -> SettingsPatch {
        SettingsPatch {
            lease_time: Some(seconds),
            ..SettingsPatch::default()
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = Directory::new("again");
        let (store, stored) = Store::open(&directory.0).unwrap();
        assert_eq!(stored, SettingsPatch::default());
        store.write(&lease(5)).unwrap();
        store.write(&lease(6)).unwrap();
        drop(store);
        let (_, stored) = Store::open(&directory.0).unwrap();
        assert_eq!(stored, lease(6));
        let left = fs::read_dir(&directory.0).unwrap().count();
        assert_eq!(left, 1, "no file is left over");
    }

    #[test]
    fn a_directory_that_another_user_can_change_is_noticed() {
        for (owner, mode, own, others) in [
            (7, 0o700, 7, false),
            (0, 0o755, 7, false),
            (7, 0o770, 7, false),
            (8, 0o700, 7, true),
            (8, 0o700, 0, true),
            (7, 0o777, 7, true),
            (0, 0o1777, 0, true),
        ] {
            let mode = mode | libc::S_IFDIR;
            assert_eq!(
                is_of_others(owner, mode, own),
                others,
                "{owner} {mode:o} {own}"
            );
        }
        let own = system::user();
        let directory = Directory::new("own");
        Store::open(&directory.0).unwrap();
        let found = fs::metadata(&directory.0).unwrap();
        assert!(!is_of_others(found.uid(), found.mode(), own));
    }

    #[test]
    fn a_directory_is_of_one_server() {
        let directory = Directory::new("one");
        let one = Store::open(&directory.0).unwrap();
        let (path, fault) = Store::open(&directory.0).unwrap_err();
        assert_eq!(path, directory.0);
        assert!(matches!(fault, StoreFault::Taken), "{fault}");
        drop(one);
        Store::open(&directory.0).unwrap();
    }

    #[test]
    fn what_is_in_the_place_of_the_new_file_is_not_opened() {
        let directory = Directory::new("link");
        let (store, _) = Store::open(&directory.0).unwrap();
        let elsewhere = directory.0.join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        let new = directory.0.join("settings.json.new");
        let place = |seconds, put: &dyn Fn()| {
            put();
            store.write(&lease(seconds)).unwrap();
            assert!(store.holds(&lease(seconds)));
            assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
        };
        place(5, &|| std::os::unix::fs::symlink(&elsewhere, &new).unwrap());
        place(6, &|| fs::hard_link(&elsewhere, &new).unwrap());
        fs::create_dir(&new).unwrap();
        store.write(&lease(7)).unwrap_err();
        assert!(store.holds(&lease(6)));
    }

    #[test]
    fn a_file_that_no_server_of_this_version_writes_is_refused() {
        let directory = Directory::new("refused");
        fs::create_dir(&directory.0).unwrap();
        let path = directory.0.join(FILE);
        let long = " ".repeat(LONGEST as usize + 1);
        for (text, part) in [
            ("", "no JSON: EOF"),
            (
                "{\"version\": 1,\n \"settings\": {\"lease_time\": 5}",
                "line 2",
            ),
            ("[]", "not a JSON object"),
            ("{}", "version is no number"),
            ("{\"version\": 0, \"settings\": {}}", "version is no number"),
            ("{\"version\": 2, \"policies\": {}}", "its version is 2"),
            ("{\"version\": 1}", "settings is not a JSON object"),
            (
                "{\"version\": 1, \"settings\": {}, \"more\": 1}",
                "\"more\": there is no",
            ),
            (
                "{\"version\": 1, \"settings\": {\"lease_tim\": 5}}",
                "lease_tim: there is no such setting; lease_time",
            ),
            (
                "{\"version\": 1, \"settings\": {\"lease_time\": \"x\"}}",
                "lease_time: expected a whole number of seconds from 1 to 3600",
            ),
            (&long, "longer than 65536 bytes"),
        ] {
            fs::write(&path, text).unwrap();
            let (at, fault) = Store::open(&directory.0).unwrap_err();
            assert_eq!(at, path);
            let told = fault.to_string();
            assert!(told.contains(part), "{told}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is untouched");
        }
    }
}
