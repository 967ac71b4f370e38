//! Numbers of objects, where the kernel's handles are not permitted.
//!
//! A row holds inode, time of birth, and the directory and name by which the object was seen last: it is found
//! by them, and checked by inode and birth. Before a client gets the handle, a new row is written to a
//! log, which is made durable once for all requests that wait for it; every second the rows go to a database
//! that is then made durable.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use nfs4_engine::fs::FsError;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableTable as _, TableDefinition};

use super::error::Result;
use super::handle_log::HandleLog;
use super::handle_row::{Key, Row};
use crate::sync::lock;

/// The rows of one export.
pub(super) struct HandleTable {
    database: Database,
    recent: Mutex<Recent>,
    /// The number after that of the last record in the log.
    end: AtomicU64,
    /// That of the last one of which all before are durable.
    settled: AtomicU64,
    settling: Mutex<Settling>,
    /// A thread has made records durable, or could not.
    ended: Condvar,
}

/// How records become durable: one thread at a time does it for all.
#[derive(Default)]
struct Settling {
    is_running: bool,
    /// The device has failed, and may have given up what was written: then only the database makes
    /// the records durable.
    has_failed: bool,
}

/// Rows that are not in the database, and those on the way there.
struct Recent {
    new: Rows,
    leaving: Rows,
    /// The number after that of the last record of `leaving`.
    leaving_end: u64,
    /// None if nothing survives the process.
    log: Option<HandleLog>,
    next_number: u64,
}

#[derive(Default)]
struct Rows {
    /// None for one that was removed.
    rows: HashMap<u64, Option<Row>>,
    numbers: HashMap<Key, u64>,
}

impl HandleTable {
    /// Opens the table in this file, or makes one in memory.
    ///
    /// # Errors
    /// The file is not a database of this version, another process has it, or it cannot be read.
    pub(super) fn open(path: Option<&Path>) -> io::Result<HandleTable> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE);
        let database = match path {
            Some(path) => builder.create(path),
            None => builder.create_with_backend(InMemoryBackend::new()),
        };
        let (log, records) = match path.map(HandleLog::open).transpose()? {
            Some((log, records)) => (Some(log), records),
            None => (None, Vec::new()),
        };
        let mut table = HandleTable {
            database: database.map_err(stored)?,
            recent: Mutex::new(Recent {
                new: Rows::default(),
                leaving: Rows::default(),
                leaving_end: 0,
                log,
                next_number: 1,
            }),
            end: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            settling: Mutex::default(),
            ended: Condvar::new(),
        };
        let mut rows = Rows::default();
        for (number, row) in records {
            rows.put(number, row);
        }
        table.write(&rows)?;
        let next = table.next_number()?;
        let recent = table.recent.get_mut();
        let recent = recent.unwrap_or_else(PoisonError::into_inner);
        recent.next_number = next;
        if let Some(log) = &mut recent.log {
            log.empty_all()?;
        }
        Ok(table)
    }

    /// The number of an object; it is new if `place` says where the object is.
    ///
    /// # Errors
    /// Io if the table cannot be read or written; Stale if there is none, and no place.
    pub(super) fn number(&self, key: Key, place: Option<(u64, &[u8])>) -> Result<u64> {
        let mut recent = lock(&self.recent);
        let known = recent.new.numbers.get(&key);
        let known = known.or_else(|| recent.leaving.numbers.get(&key)).copied();
        if let Some(number) = known {
            return Ok(number);
        }
        if let Some(number) = self.stored_number(key).map_err(failed)? {
            // It may have been removed since.
            let removed = |rows: &Rows| rows.rows.get(&number) == Some(&None);
            if !removed(&recent.new) && !removed(&recent.leaving) {
                return Ok(number);
            }
        }
        let (parent, name) = place.ok_or(FsError::Stale)?;
        let number = recent.next_number;
        let name = name.to_vec();
        self.put(&mut recent, number, Some(Row { key, parent, name }))?;
        recent.next_number += 1;
        Ok(number)
    }

    /// The row of a number.
    ///
    /// # Errors
    /// Stale if there is none, Io if the table cannot be read.
    pub(super) fn row(&self, number: u64) -> Result<Row> {
        {
            let recent = lock(&self.recent);
            let rows = [&recent.new, &recent.leaving];
            if let Some(row) = rows.iter().find_map(|rows| rows.rows.get(&number)) {
                return row.clone().ok_or(FsError::Stale);
            }
        }
        self.stored_row(number)
            .map_err(failed)?
            .ok_or(FsError::Stale)
    }

    /// Notes that an object has another place now.
    ///
    /// # Errors
    /// Io if that cannot be written.
    pub(super) fn moved(&self, number: u64, parent: u64, name: &[u8]) -> Result<()> {
        let Ok(mut row) = self.row(number) else {
            return Ok(());
        };
        if (row.parent, &row.name[..]) == (parent, name) {
            return Ok(());
        }
        (row.parent, row.name) = (parent, name.to_vec());
        self.put(&mut lock(&self.recent), number, Some(row))
    }

    /// Notes that an object is gone.
    ///
    /// # Errors
    /// Io if that cannot be written.
    pub(super) fn removed(&self, number: u64) -> Result<()> {
        self.put(&mut lock(&self.recent), number, None)
    }

    /// Whether all rows outlast a loss of power.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire) >= self.end.load(Ordering::Acquire)
    }

    /// Has all rows that were written until now outlast a loss of power. Of threads that call it
    /// meanwhile, one waits for the device, and the next one for all others.
    ///
    /// # Errors
    /// Busy if the device has failed, until [`HandleTable::flush`] succeeds.
    pub(super) fn settle(&self) -> Result<()> {
        let needed = self.end.load(Ordering::Acquire);
        let is_done = || self.settled.load(Ordering::Acquire) >= needed;
        if is_done() {
            return Ok(());
        }
        let mut settling = lock(&self.settling);
        while settling.is_running && !is_done() {
            let waited = self.ended.wait(settling);
            settling = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if is_done() {
            return Ok(());
        }
        if settling.has_failed {
            return Err(FsError::Busy);
        }
        settling.is_running = true;
        drop(settling);
        let (end, files) = match &lock(&self.recent).log {
            Some(log) => (
                log.end(),
                log.files_from(self.settled.load(Ordering::Acquire)),
            ),
            None => (needed, Vec::new()),
        };
        let synced = files.iter().try_for_each(|file| file.sync_data());
        let mut settling = lock(&self.settling);
        settling.is_running = false;
        match &synced {
            Ok(()) => drop(self.settled.fetch_max(end, Ordering::AcqRel)),
            Err(_) => settling.has_failed = true,
        }
        self.ended.notify_all();
        synced.map_err(|_| FsError::Busy)
    }

    /// Makes all rows durable.
    ///
    /// # Errors
    /// The database cannot be written; the rows stay in the log.
    pub(super) fn flush(&self) -> Result<()> {
        {
            let recent = &mut *lock(&self.recent);
            if recent.new.rows.is_empty() && recent.leaving.rows.is_empty() {
                return Ok(());
            }
            if recent.leaving.rows.is_empty() {
                recent.leaving = std::mem::take(&mut recent.new);
                if let Some(log) = &mut recent.log {
                    recent.leaving_end = log.end();
                    log.turn();
                }
            }
        }
        // Only this method changes `leaving`, and one thread calls it.
        let (end, leaving) = {
            let recent = lock(&self.recent);
            let rows = Rows {
                rows: recent.leaving.rows.clone(),
                numbers: HashMap::new(),
            };
            (recent.leaving_end, rows)
        };
        self.write(&leaving).map_err(failed)?;
        let mut recent = lock(&self.recent);
        recent.leaving = Rows::default();
        self.settled.fetch_max(end, Ordering::AcqRel);
        lock(&self.settling).has_failed = false;
        match &mut recent.log {
            Some(log) => log.empty().map_err(failed),
            None => Ok(()),
        }
    }

    fn put(&self, recent: &mut Recent, number: u64, row: Option<Row>) -> Result<()> {
        if let Some(log) = &mut recent.log {
            let written = log.append([(number, row.as_ref())]);
            // Also of what was written in part, so that no file with records is passed over.
            self.end.store(log.end(), Ordering::Release);
            written.map_err(failed)?;
        }
        recent.new.put(number, row);
        Ok(())
    }

    fn write(&self, rows: &Rows) -> io::Result<()> {
        let write = self.database.begin_write().map_err(stored)?;
        {
            let mut by_number = write.open_table(ROWS).map_err(stored)?;
            let mut by_object = write.open_table(OBJECTS).map_err(stored)?;
            let mut value = Vec::new();
            for (number, row) in &rows.rows {
                if let Some(row) = row {
                    value.clear();
                    row.encode(&mut value);
                    by_number.insert(number, &value[..]).map_err(stored)?;
                    by_object.insert(key_of(row.key), number).map_err(stored)?;
                } else {
                    let former = by_number.remove(number).map_err(stored)?;
                    if let Some(row) = former.and_then(|value| Row::decode(value.value())) {
                        by_object.remove(key_of(row.key)).map_err(stored)?;
                    }
                }
            }
            let mut next = write.open_table(NEXT).map_err(stored)?;
            let former = next.get(()).map_err(stored)?.map_or(1, |next| next.value());
            let used = rows.rows.keys().max().map_or(0, |last| last + 1);
            next.insert((), former.max(used)).map_err(stored)?;
        }
        write.commit().map_err(stored)
    }

    fn next_number(&self) -> io::Result<u64> {
        let read = self.database.begin_read().map_err(stored)?;
        let table = read.open_table(NEXT).map_err(stored)?;
        let next = table.get(()).map_err(stored)?;
        Ok(next.map_or(1, |next| next.value()))
    }

    fn stored_number(&self, key: Key) -> io::Result<Option<u64>> {
        let read = self.database.begin_read().map_err(stored)?;
        let table = read.open_table(OBJECTS).map_err(stored)?;
        let number = table.get(key_of(key)).map_err(stored)?;
        Ok(number.map(|number| number.value()))
    }

    fn stored_row(&self, number: u64) -> io::Result<Option<Row>> {
        let read = self.database.begin_read().map_err(stored)?;
        let table = read.open_table(ROWS).map_err(stored)?;
        let value = table.get(number).map_err(stored)?;
        Ok(value.and_then(|value| Row::decode(value.value())))
    }
}

impl Rows {
    fn put(&mut self, number: u64, row: Option<Row>) {
        let key = row.as_ref().map(|row| row.key);
        let former = self.rows.insert(number, row);
        match (key, former) {
            (Some(key), _) => drop(self.numbers.insert(key, number)),
            (None, Some(Some(former))) => drop(self.numbers.remove(&former.key)),
            (None, _) => {}
        }
    }
}

fn key_of(key: Key) -> (u64, u64, u64) {
    (key.fs, key.ino, key.born)
}

/// The error of the database.
fn stored(error: impl Into<redb::Error>) -> io::Error {
    io::Error::other(error.into())
}

fn failed(_: io::Error) -> FsError {
    FsError::Io
}

/// Rows by number.
const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
/// Numbers by file system, inode and birth.
const OBJECTS: TableDefinition<'_, (u64, u64, u64), u64> = TableDefinition::new("objects");
/// The next number: none is used twice.
const NEXT: TableDefinition<'_, (), u64> = TableDefinition::new("next");
/// Size of the database's cache, in bytes.
const CACHE: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use super::*;

    /// A folder of the test's own, and the path of a table in it.
    fn place(name: &str) -> (PathBuf, PathBuf) {
        let folder = std::env::temp_dir().join(format!("nfs4-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("handles.redb");
        (folder, path)
    }

    fn key(ino: u64) -> Key {
        Key {
            fs: 0,
            ino,
            born: 7,
        }
    }

    #[test]
    fn numbers_survive_the_end_of_the_process_and_are_not_used_twice() {
        let (folder, path) = place("handles");
        let table = HandleTable::open(Some(&path)).unwrap();
        let first = table.number(key(1), Some((0, b"a"))).unwrap();
        let second = table.number(key(2), Some((first, b"b"))).unwrap();
        assert_eq!(table.number(key(1), None), Ok(first));
        assert_eq!(table.number(key(3), None), Err(FsError::Stale));
        table.flush().unwrap();
        table.moved(second, 0, b"c").unwrap();
        let third = table.number(key(3), Some((0, b"d"))).unwrap();
        table.removed(third).unwrap();
        // What was not flushed is in the log.
        drop(table);

        let table = HandleTable::open(Some(&path)).unwrap();
        assert_eq!(table.number(key(1), None), Ok(first));
        let row = table.row(second).unwrap();
        assert_eq!((row.parent, &row.name[..], row.key), (0, &b"c"[..], key(2)));
        assert_eq!(table.row(third), Err(FsError::Stale));
        assert_eq!(table.number(key(3), None), Err(FsError::Stale));
        assert!(table.number(key(4), Some((0, b"e"))).unwrap() > third);
        table.flush().unwrap();
        drop(table);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// A device that has taken half a record, and did not let it be cut off at once.
    #[test]
    fn half_a_record_hides_no_later_one() {
        let (folder, path) = place("half");
        let table = HandleTable::open(Some(&path)).unwrap();
        let first = table.number(key(1), Some((0, b"a"))).unwrap();
        let log = folder.join("handles.log0");
        let mut half = std::fs::OpenOptions::new().append(true).open(log).unwrap();
        half.write_all(&[40, 0, 0, 0, 1]).unwrap();
        let second = table.number(key(2), Some((0, b"b"))).unwrap();
        drop(table);
        let table = HandleTable::open(Some(&path)).unwrap();
        assert_eq!(table.number(key(1), None), Ok(first));
        assert_eq!(table.number(key(2), None), Ok(second));
        drop(table);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn rows_are_durable_when_they_are_settled_or_flushed() {
        let folder = std::env::temp_dir().join(format!("nfs4-settled-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let table = HandleTable::open(Some(&folder.join("handles.redb"))).unwrap();
        let made = |ino| {
            let key = Key {
                fs: 0,
                ino,
                born: 7,
            };
            table.number(key, Some((0, b"name"))).unwrap();
        };
        assert!(table.is_settled(), "there are none");
        made(1);
        assert!(!table.is_settled());
        table.settle().unwrap();
        assert!(table.is_settled());
        // Rows in both files of the log.
        made(2);
        {
            let mut recent = lock(&table.recent);
            let log = recent.log.as_mut().unwrap();
            assert_eq!(log.files_from(1).len(), 1);
            log.turn();
        }
        made(3);
        assert_eq!(
            lock(&table.recent)
                .log
                .as_ref()
                .unwrap()
                .files_from(1)
                .len(),
            2
        );
        table.settle().unwrap();
        assert!(table.is_settled());
        made(4);
        table.flush().unwrap();
        assert!(table.is_settled());
        // A device that has failed may have given up what is not in the database.
        made(5);
        lock(&table.settling).has_failed = true;
        assert_eq!(table.settle(), Err(FsError::Busy));
        table.flush().unwrap();
        made(6);
        table.settle().unwrap();
        drop(table);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
