//! The settings that requests have changed, in the state that outlasts the server.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nfs4_admin::SettingsPatch;
use serde_json::{Value, json};

use super::object::settings_of;
use super::store_fault::{LONGEST, StoreFault, VERSION};
use crate::fault::Fault;
use crate::stable::State;

/// Stored settings.
#[derive(Debug)]
pub(crate) struct Store {
    state: Arc<State>,
    /// The file of an earlier version, as long as its settings are not in the state.
    old: Option<PathBuf>,
}

impl Store {
    /// The settings of a state, or those of the file in which earlier versions kept them: see
    /// [`Store::import`].
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn open(state: Arc<State>) -> Result<(Store, SettingsPatch), Fault> {
        let file = state.path().with_file_name(FILE);
        if let Some(text) = state.settings()? {
            if file.exists() {
                let path = file.display();
                tracing::warn!(%path, "this file is not read any more: changed settings are in the database");
            }
            let stored = parse(text.as_bytes()).map_err(|source| Fault::Stored {
                path: state.path().to_owned(),
                source,
            })?;
            return Ok((Store { state, old: None }, stored));
        }
        match read(&file) {
            Ok(None) => Ok((Store { state, old: None }, SettingsPatch::default())),
            Ok(Some(stored)) => {
                let old = Some(file);
                Ok((Store { state, old }, stored))
            }
            Err(source) => Err(Fault::Stored { path: file, source }),
        }
    }

    /// Takes over the settings of an earlier version's file, once: the file is renamed.
    ///
    /// # Errors
    /// They cannot be stored, and the file is as it was.
    pub(crate) fn import(&mut self, settings: &SettingsPatch) -> Result<(), Fault> {
        let Some(old) = self.old.take() else {
            return Ok(());
        };
        self.state.put_settings(&text(settings)?)?;
        let path = old.display();
        match self.state.rename(FILE, IMPORTED) {
            Ok(()) => tracing::info!(%path, "changed settings are in the database now"),
            Err(why) => tracing::warn!(%path, %why, "an imported file keeps its name"),
        }
        Ok(())
    }

    /// Where the settings are.
    pub(crate) fn path(&self) -> &Path {
        self.old.as_deref().unwrap_or(self.state.path())
    }

    /// Whether these settings are stored.
    pub(crate) fn holds(&self, settings: &SettingsPatch) -> bool {
        let stored = self.state.settings().ok().flatten();
        let stored = stored.map(|text| parse(text.as_bytes()));
        matches!(stored, Some(Ok(stored)) if stored == *settings)
    }

    /// Replaces the stored settings: after a crash they are the ones or the others.
    ///
    /// # Errors
    /// They cannot be stored. If that failed at the very end, either may be.
    pub(crate) fn write(&self, settings: &SettingsPatch) -> io::Result<()> {
        Ok(self.state.put_settings(&text(settings)?)?)
    }
}

fn text(settings: &SettingsPatch) -> io::Result<String> {
    let text = json!({ "version": VERSION, "settings": settings });
    Ok(serde_json::to_string(&text)?)
}

/// The settings of a file; none if it is not there.
fn read(path: &Path) -> Result<Option<SettingsPatch>, StoreFault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(why.into()),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(StoreFault::TooLong);
    }
    parse(&bytes).map(Some)
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
    let (settings, wrong) = settings_of(settings);
    let told = wrong.into_iter();
    faults.extend(told.map(|one| format!("{}: {}", one.name, one.detail)));
    if faults.is_empty() {
        Ok(settings)
    } else {
        Err(StoreFault::Fields(faults))
    }
}

/// The file of earlier versions, and its name when it was imported.
const FILE: &str = "settings.json";
const IMPORTED: &str = "settings.json.imported";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory of this test, which removes it in the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let name = format!("nfs4d-store-{name}-{}", std::process::id());
            Directory(std::env::temp_dir().join(name))
        }

        fn store(&self) -> Result<(Store, SettingsPatch), Fault> {
            Store::open(Arc::new(State::open(&self.0)?))
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
        let (store, stored) = directory.store().unwrap();
        assert_eq!(stored, SettingsPatch::default());
        store.write(&lease(5)).unwrap();
        store.write(&lease(6)).unwrap();
        assert!(store.holds(&lease(6)) && !store.holds(&lease(5)));
        drop(store);
        let (_, stored) = directory.store().unwrap();
        assert_eq!(stored, lease(6));
    }

    #[test]
    fn the_file_of_an_earlier_version_is_imported_once() {
        let directory = Directory::new("import");
        fs::create_dir(&directory.0).unwrap();
        let file = directory.0.join(FILE);
        let write = |seconds| {
            let text = text(&lease(seconds)).unwrap();
            fs::write(&file, text).unwrap();
        };
        write(5);
        let (store, stored) = directory.store().unwrap();
        assert_eq!((stored, store.path()), (lease(5), &*file));
        drop(store);
        // A server that does not get further has imported nothing.
        write(6);
        let (mut store, stored) = directory.store().unwrap();
        store.import(&stored).unwrap();
        assert_ne!(store.path(), file);
        drop(store);
        assert!(!file.exists() && directory.0.join(IMPORTED).exists());
        write(7);
        assert_eq!(directory.store().unwrap().1, lease(6));
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
            let told = directory.store().unwrap_err().to_string();
            let place = path.to_str().unwrap();
            assert!(told.starts_with(place) && told.contains(part), "{told}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is untouched");
        }
    }
}
