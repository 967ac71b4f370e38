//! The exports of a server that runs.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_admin::{Export as Shown, ExportOptions, ExportSource};
use nfs4_driver::{AdminError, Node};
use nfs4_engine::{Admin, AdminFault, Export, ExportFault};

use super::backend::{Maker, NotOpened};
use super::entry::Entry;
use super::list;
use super::served::{Served, Table};
use super::store::Store;
use super::wrong::Wrong;
use crate::lock::locked;

/// The exports of a running server, and the way to others.
#[derive(Debug)]
pub(crate) struct Exports {
    node: Node,
    pub(super) maker: Maker,
    pub(super) store: Store,
    /// One change at a time.
    pub(super) writer: Mutex<()>,
    /// What is served, for readers that do not wait for a writer.
    now: Mutex<Arc<Table>>,
    /// What is wrong with directories, by the paths of their exports.
    pub(super) faults: Mutex<BTreeMap<String, String>>,
}

/// Why exports stay as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// There is none at this path.
    #[error("there is no export at {0:?}")]
    Unknown(String),
    /// It is not for requests to change.
    #[error("the export at {0:?} is given by the {1}: change it there")]
    Fixed(String, &'static str),
    /// It is stored, and cannot be served.
    #[error("the export at {0:?} is not served, since {1}: remove it, or add it again")]
    Idle(String, String),
    /// The default export would be lost with what is in it.
    #[error(
        "clients use the file system in memory at \"/\", which is there only while there is no other export: \
         unmount it first"
    )]
    DefaultInUse,
    /// It is the default.
    #[error("the default export is there while there is no other: add another one")]
    Default,
    /// It stands against another one.
    #[error("another export is in the way")]
    InTheWay(Wrong),
    /// Options are wrong.
    #[error("options are wrong")]
    Wrong(Vec<Wrong>),
    /// It cannot be stored.
    #[error("the export cannot be stored: {0}")]
    Store(#[source] io::Error),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] AdminError),
}

impl Exports {
    /// The exports of a node that serves them.
    pub(super) fn new(node: Node, maker: Maker, store: Store, table: Table) -> Exports {
        Exports {
            node,
            maker,
            store,
            writer: Mutex::default(),
            now: Mutex::new(Arc::new(table)),
            faults: Mutex::default(),
        }
    }

    /// The exports of a server that has the default one, and keeps nothing.
    #[cfg(test)]
    pub(crate) fn of(node: Node) -> Exports {
        let settings = crate::config::Settings::default();
        let start = (1, nfs4_engine::Wall::default());
        let maker = Maker::new(settings.clone(), None, start).unwrap();
        let start = super::start::Start::open(&settings, maker, Store::new(None));
        start.unwrap().live(node)
    }

    /// All exports, in the order of their paths.
    ///
    /// # Errors
    /// The engine is dead.
    pub(crate) fn shown(&self) -> Result<Vec<Shown>, AdminError> {
        let used = self.node.exports().map_err(AdminError::from)?.into_iter();
        let used = used.filter(|used| !used.ending);
        let used: BTreeMap<u16, _> = used.map(|used| (used.number, used)).collect();
        let table = self.table();
        let faults = locked(&self.faults).clone();
        let served = table.served.values().map(|served| {
            let mut shown = served.shown(self.store.is_kept());
            if let Some(used) = used.get(&served.number) {
                shown.clients = u64::from(used.clients);
                shown.opens = u64::from(used.opens);
            }
            shown.fault = faults.get(&shown.pseudo).cloned();
            shown
        });
        let idle = table.idle.iter().map(|(pseudo, idle)| idle.shown(pseudo));
        let mut all: Vec<Shown> = served.chain(idle).collect();
        all.sort_by(|one, other| one.pseudo.cmp(&other.pseudo));
        Ok(all)
    }

    /// The export at a path.
    ///
    /// # Errors
    /// There is none, or the engine is dead.
    pub(crate) fn one(&self, pseudo: &str) -> Result<Shown, Refused> {
        let found = self
            .shown()?
            .into_iter()
            .find(|shown| shown.pseudo == pseudo);
        found.ok_or_else(|| Refused::Unknown(pseudo.to_owned()))
    }

    /// Adds an export, and stores it.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(crate) fn add(&self, options: ExportOptions) -> Result<Shown, Refused> {
        let _writer = locked(&self.writer);
        let before = self.table();
        let memory = self.maker.memory();
        let entry = Entry::of(options, ExportSource::Request, memory).map_err(Refused::Wrong)?;
        let mut next = Table::clone(&before);
        if let Some(default) = default_of(&next) {
            if self.is_used(&default)? {
                return Err(Refused::DefaultInUse);
            }
            next.served.remove(&default);
        }
        let others: Vec<Entry> = next.entries().cloned().collect();
        list::fits(&entry, &others).map_err(Refused::InTheWay)?;
        let served = self.open(entry, &next)?;
        let pseudo = served.entry.pseudo.clone();
        next.idle.remove(&pseudo);
        let options = served.entry.options.clone();
        next.served.insert(pseudo.clone(), Arc::new(served));
        self.stored(&pseudo, Some(&options), || self.serve(&before, next))?;
        self.one(&pseudo)
    }

    /// Changes options of an export that a request has added, and stores them.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(crate) fn change(&self, pseudo: &str, above: ExportOptions) -> Result<Shown, Refused> {
        let _writer = locked(&self.writer);
        let before = self.table();
        if let Some(idle) = before.idle.get(pseudo) {
            return Err(Refused::Idle(pseudo.to_owned(), idle.fault.clone()));
        }
        let found = before.served.get(pseudo);
        let found = found.ok_or_else(|| Refused::Unknown(pseudo.to_owned()))?;
        self.check_source(found)?;
        let wrong = constant(&above);
        if !wrong.is_empty() {
            return Err(Refused::Wrong(wrong));
        }
        let options = found.entry.options.clone().overlaid(above);
        let entry = Entry::of(options.clone(), ExportSource::Request, self.maker.memory());
        let entry = entry.map_err(Refused::Wrong)?;
        let mut next = Table::clone(&before);
        let changed = Served {
            entry,
            ..Served::clone(found)
        };
        next.served.insert(pseudo.to_owned(), Arc::new(changed));
        self.stored(pseudo, Some(&options), || self.serve(&before, next))?;
        self.one(pseudo)
    }

    /// Removes an export that a request has added.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(crate) fn remove(&self, pseudo: &str) -> Result<(), Refused> {
        let _writer = locked(&self.writer);
        let before = self.table();
        let mut next = Table::clone(&before);
        match next.served.remove(pseudo) {
            Some(found) => self.check_source(&found)?,
            None if next.idle.remove(pseudo).is_some() => {}
            None => return Err(Refused::Unknown(pseudo.to_owned())),
        }
        if next.served.is_empty() {
            let default = self.open(Entry::default_of(self.maker.memory()), &next)?;
            next.served
                .insert(default.entry.pseudo.clone(), Arc::new(default));
        }
        self.stored(pseudo, None, || self.serve(&before, next))
    }

    /// What is served, and what is stored and cannot be.
    pub(super) fn table(&self) -> Arc<Table> {
        Arc::clone(&locked(&self.now))
    }

    /// Opens the file system of an export that is to be served beside those of a table.
    fn open(&self, entry: Entry, beside: &Table) -> Result<Served, Refused> {
        let opened = self.maker.open_beside(entry, &self.store, beside);
        opened.map_err(|why| match why {
            NotOpened::Wrong(wrong) => Refused::Wrong(vec![wrong]),
            NotOpened::Number(why) => Refused::Store(why),
        })
    }

    /// Stores options, or that there are none, and does what follows from that; both or none.
    fn stored(
        &self,
        pseudo: &str,
        options: Option<&ExportOptions>,
        act: impl FnOnce() -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        // A server that no request reaches any more stores nothing.
        self.node.connections().map_err(AdminError::from)?;
        let before = self.store.get(pseudo).map_err(Refused::Store)?;
        // First: after a crash between the two the exports are as they were asked for.
        self.store.put(pseudo, options).map_err(Refused::Store)?;
        act().inspect_err(|_| {
            if let Err(why) = self.store.put(pseudo, before.as_ref()) {
                tracing::error!(%why, "the stored exports are not those that are served");
            }
        })
    }

    /// Serves the exports of a table in place of those before.
    pub(super) fn serve(&self, before: &Table, next: Table) -> Result<(), Refused> {
        let list = next.engine();
        let set = |list: &[Export]| self.node.admin(Admin::SetExports(list.to_vec()));
        let mut ended = match step(&before.engine(), &list) {
            Some(step) => self.node.admin(step),
            None => Ok(()),
        };
        if is_ending(&ended) {
            // The number of one is that of a removed one: first that one has to end.
            let stays = |export: &&Export| {
                let known = before.served.get(&export.path);
                known.is_some_and(|known| Arc::ptr_eq(&known.opened.backend(), &export.backend))
            };
            let stay: Vec<Export> = list.iter().filter(stays).cloned().collect();
            set(&stay)?;
            let deadline = Instant::now() + PATIENCE;
            while is_ending(&ended) && Instant::now() < deadline {
                thread::sleep(PAUSE);
                ended = set(&list);
            }
            if ended.is_err() && set(&before.engine()).is_err() {
                self.note_ended(before, &next, &stay);
            }
        }
        ended?;
        let mut faults = locked(&self.faults);
        faults.retain(|pseudo, _| {
            let (one, other) = (before.served.get(pseudo), next.served.get(pseudo));
            one.zip(other)
                .is_some_and(|(one, other)| one.opened.place == other.opened.place)
        });
        drop(faults);
        next.log(before);
        *locked(&self.now) = Arc::new(next);
        Ok(())
    }

    /// Exports have ended, and what was to take their places, in `next`, cannot be served yet; the others are as
    /// in `next`. When the exports are read again, those that are missing are served.
    fn note_ended(&self, before: &Table, next: &Table, stay: &[Export]) {
        let mut left = Table {
            served: next.served.clone(),
            idle: before.idle.clone(),
        };
        left.served
            .retain(|path, _| stay.iter().any(|export| export.path == *path));
        left.log(before);
        for export in next.served.keys() {
            if !left.served.contains_key(export) {
                tracing::error!(export, "an export cannot be served yet");
            }
        }
        *locked(&self.now) = Arc::new(left);
    }

    /// Whether a request may change an export.
    fn check_source(&self, served: &Served) -> Result<(), Refused> {
        let fixed = |by| Err(Refused::Fixed(served.entry.pseudo.clone(), by));
        match served.entry.source {
            ExportSource::CommandLine => fixed("command line"),
            ExportSource::ConfigurationFile => fixed("configuration file"),
            ExportSource::Default => Err(Refused::Default),
            _ => Ok(()),
        }
    }

    /// Whether clients use the default export, or there are files in it.
    fn is_used(&self, pseudo: &str) -> Result<bool, Refused> {
        let used = self.node.exports().map_err(AdminError::from)?;
        let used = used.iter().find(|used| used.path == pseudo && !used.ending);
        let table = self.table();
        let has_files = table
            .served
            .get(pseudo)
            .is_some_and(|served| served.opened.has_files());
        Ok(has_files || used.is_some_and(|used| used.clients > 0))
    }
}

/// What the engine is to be asked for, so that it goes from one list to the other; none if they are equal.
fn step(before: &[Export], after: &[Export]) -> Option<Admin> {
    let mut gone = before
        .iter()
        .filter(|one| after.iter().all(|other| other.path != one.path));
    let mut other = after.iter().filter(|one| !before.contains(one));
    // A log names the request.
    Some(
        match (gone.next(), gone.next(), other.next(), other.next()) {
            (None, _, None, _) => return None,
            (Some(gone), None, None, _) => Admin::RemoveExport {
                path: gone.path.clone(),
            },
            (None, _, Some(put), None) => Admin::PutExport(Box::new(put.clone())),
            _ => Admin::SetExports(after.to_vec()),
        },
    )
}

/// The path of the default export, if it is served.
fn default_of(table: &Table) -> Option<String> {
    let mut entries = table.entries();
    let default = entries.find(|entry| entry.source == ExportSource::Default)?;
    Some(default.pseudo.clone())
}

/// What cannot be changed of an export, although it was asked for.
fn constant(above: &ExportOptions) -> Vec<Wrong> {
    let given = [
        ("path", above.path.is_some()),
        ("pseudo", above.pseudo.is_some()),
        ("backend", above.backend.is_some()),
        ("cross_mounts", above.cross_mounts.is_some()),
        ("local_locks", above.local_locks.is_some()),
        ("memory", above.memory.is_some()),
    ];
    let given = given.into_iter().filter(|(_, given)| *given);
    let detail = "cannot be changed: remove the export, and add another";
    given.map(|(name, _)| Wrong::new(name, detail)).collect()
}

fn is_ending(ended: &Result<(), AdminError>) -> bool {
    let Err(AdminError::Fault(AdminFault::Exports(faults))) = ended else {
        return false;
    };
    let ending = |fault: &ExportFault| matches!(fault, ExportFault::Ending(_));
    faults.0.iter().all(ending)
}

/// Time that requests to a removed export have to end, before another may have its number.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
