//! What outlasts the server of its exports: their numbers, and those that requests have added.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use nfs4_admin::ExportOptions;
use serde_json::{Value, json};

use super::entry::Entry;
use super::options;
use crate::lock::locked;
use crate::stable::State;

/// The numbers of exports, and those that requests have added.
#[derive(Debug)]
pub(crate) struct Store {
    /// None if nothing outlasts the server.
    state: Option<Arc<State>>,
    /// The numbers, and the added ones, of a server without a state.
    own: Mutex<Own>,
}

#[derive(Debug, Default)]
struct Own {
    numbers: BTreeMap<String, u16>,
    added: BTreeMap<String, ExportOptions>,
}

/// An export that is stored, by its path; or why it cannot be read.
pub(super) type Stored = (String, Result<ExportOptions, String>);

impl Store {
    /// That of a state.
    pub(crate) fn new(state: Option<Arc<State>>) -> Store {
        Store {
            state,
            own: Mutex::default(),
        }
    }

    /// Whether anything outlasts the server.
    pub(super) fn is_kept(&self) -> bool {
        self.state.is_some()
    }

    /// The number of an export: with other files, it is another one.
    ///
    /// # Errors
    /// It cannot be stored, or there is none left.
    pub(super) fn number(&self, entry: &Entry) -> io::Result<u16> {
        let key = format!("{}\0{}", entry.pseudo, entry.files.identity());
        if let Some(state) = &self.state {
            return Ok(state.export_number(&key)?);
        }
        let mut own = locked(&self.own);
        let next = own.numbers.len();
        if let Some(known) = own.numbers.get(&key) {
            return Ok(*known);
        }
        let number = u16::try_from(next).ok().filter(|number| *number < u16::MAX);
        let number = number.ok_or_else(|| io::Error::other("there is no number left"))?;
        own.numbers.insert(key, number);
        Ok(number)
    }

    /// The exports that requests have added.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn read(&self) -> io::Result<Vec<Stored>> {
        let Some(state) = &self.state else {
            let added = locked(&self.own).added.clone();
            return Ok(added
                .into_iter()
                .map(|(path, one)| (path, Ok(one)))
                .collect());
        };
        let all = state.exports()?.into_iter();
        Ok(all.map(|(path, text)| (path, parsed(&text))).collect())
    }

    /// The options of an export that a request has added.
    ///
    /// # Errors
    /// They cannot be read.
    pub(super) fn get(&self, pseudo: &str) -> io::Result<Option<ExportOptions>> {
        let all = self.read()?.into_iter();
        let found = all.filter(|(path, _)| path == pseudo);
        Ok(found.filter_map(|(_, options)| options.ok()).next())
    }

    /// Stores the options of an export, or that there is none any more.
    ///
    /// # Errors
    /// It is as it was.
    pub(super) fn put(&self, pseudo: &str, options: Option<&ExportOptions>) -> io::Result<()> {
        let mut own = locked(&self.own);
        match (&self.state, options) {
            (Some(state), Some(options)) => {
                let text = json!({ "version": VERSION, "export": options });
                state.put_export(pseudo, &text.to_string())?;
            }
            (Some(state), None) => {
                state.remove_export(pseudo)?;
            }
            (None, Some(options)) => {
                own.added.insert(pseudo.to_owned(), options.clone());
            }
            (None, None) => {
                own.added.remove(pseudo);
            }
        }
        Ok(())
    }
}

/// The options that a text stores.
fn parsed(text: &str) -> Result<ExportOptions, String> {
    let value: Value = serde_json::from_str(text).map_err(|why| format!("it is no JSON: {why}"))?;
    let version = &value["version"];
    if *version != json!(VERSION) {
        return Err(format!(
            "its version is {version}, and this nfs4d knows {VERSION}"
        ));
    }
    let Value::Object(object) = &value["export"] else {
        return Err("it has no options".to_owned());
    };
    options::of_json(object).map_err(|wrong| {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        wrong.join("; ")
    })
}

/// The version of the form in which an export is stored.
const VERSION: u64 = 1;
