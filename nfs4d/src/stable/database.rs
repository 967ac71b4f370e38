//! The database of a state directory: it is opened, read and written here, and nowhere else.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::backends::InMemoryBackend;
use redb::{
    Builder, Database as Redb, ReadTransaction, StorageBackend as _, TableDefinition,
    WriteTransaction,
};

use super::backend::Backend;
use super::directory::Directory;
use super::fault::{FORMAT, StateFault};

/// The database. After an error it is opened anew by the next use, and has what was committed before.
#[derive(Debug)]
pub(super) struct Database {
    directory: Directory,
    path: PathBuf,
    file: Arc<File>,
    open: Mutex<Option<Redb>>,
}

impl Database {
    /// Opens the database of a directory; if it is a new one, makes it with what `fill` writes.
    ///
    /// # Errors
    /// The path of what is wrong, and why. What is there is unchanged then.
    pub(super) fn open(
        directory: &Path,
        fill: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<Database, (PathBuf, StateFault)> {
        let taken = Directory::take(directory);
        let taken = taken.map_err(|fault| (directory.to_owned(), fault))?;
        let path = taken.join(FILE);
        let of_file = |fault| (path.clone(), fault);
        let (file, open) = match File::options().read(true).write(true).open(&path) {
            Ok(file) => existing(file).map_err(of_file)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                if taken.join(MARK).exists() {
                    return Err(of_file(StateFault::Missing));
                }
                new(&taken, fill).map_err(of_file)?
            }
            Err(why) => return Err(of_file(why.into())),
        };
        let open = Mutex::new(Some(open));
        let directory = taken;
        Ok(Database {
            directory,
            path,
            file,
            open,
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Leaves a note that this directory is a server's, with its name, if there is none: without it a
    /// directory whose database is lost would look like a new one.
    pub(super) fn mark(&self, name: &str) -> io::Result<()> {
        if self.directory.join(MARK).exists() {
            return Ok(());
        }
        let text = format!(
            "This directory is the state of the NFS server {name:?}; all of it is in {FILE}.\n\
             If that file is lost, put back a copy of it. If there is none, remove this file, and the server \
             starts as a new one, which clients do not know.\n"
        );
        self.directory.write(MARK, &text)
    }

    /// Changes it by one transaction, which is durable on return.
    ///
    /// # Errors
    /// Nothing has changed then; only if the last step has failed it may have, unseen until the next start.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StateFault> {
        self.with(|database| {
            self.check_place()?;
            Ok(transact(database, change)?)
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StateFault> {
        self.with(|database| {
            let transaction = database.begin_read().map_err(redb::Error::from)?;
            Ok(look(&transaction)?)
        })
    }

    fn with<T>(&self, run: impl FnOnce(&Redb) -> Result<T, StateFault>) -> Result<T, StateFault> {
        let mut open = self.lock();
        let database = match open.take() {
            Some(database) => database,
            None => guarded(|| opened(&self.file))?,
        };
        // A database that has failed refuses everything, and its memory may be ahead of its file.
        let (database, done) = guarded(move || {
            let done = run(&database);
            Ok((done.is_ok().then_some(database), done))
        })?;
        *open = database;
        done
    }

    /// What is written to a file without a name is gone with the process.
    fn check_place(&self) -> Result<(), StateFault> {
        let same = |there: &fs::Metadata| -> io::Result<bool> {
            let own = self.file.metadata()?;
            Ok((there.dev(), there.ino()) == (own.dev(), own.ino()))
        };
        match fs::metadata(&self.path) {
            Ok(there) if same(&there)? => Ok(()),
            Ok(_) => Err(StateFault::Lost),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Err(StateFault::Lost),
            Err(why) => Err(why.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Redb>> {
        // A panic leaves it closed.
        self.open
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Carries out one transaction, which is durable on return.
pub(super) fn transact<T>(
    database: &Redb,
    change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Pages that a failed sync has lost count as written, and are read from memory until the power fails. So a
    // transaction is a part of the database only once a sync of all its pages has succeeded.
    transaction.set_two_phase_commit(true);
    let changed = change(&transaction)?;
    transaction.commit()?;
    Ok(changed)
}

/// Opens a database that is there. A copy in memory is opened first: what it shows to be wrong leaves the
/// file as it is.
fn existing(file: File) -> Result<(Arc<File>, Redb), StateFault> {
    let file = Arc::new(file);
    guarded(|| rehearse(&file))?;
    let open = guarded(|| opened(&file))?;
    Ok((file, open))
}

fn rehearse(file: &File) -> Result<(), StateFault> {
    let mut bytes = Vec::new();
    let mut reader = file;
    reader.seek(SeekFrom::Start(0))?;
    reader.read_to_end(&mut bytes)?;
    if bytes.len() as u64 != expected_length(&bytes).unwrap_or(0) {
        return Err(StateFault::Broken("it is cut short".to_owned()));
    }
    let copy = InMemoryBackend::new();
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, &bytes)?;
    let database = builder().create_with_backend(copy);
    let mut database = database.map_err(redb::Error::from)?;
    check_format(&database)?;
    database.check_integrity().map_err(redb::Error::from)?;
    Ok(())
}

/// The length that a file must have by its header, if it has one; its own length if it is open for
/// writing, when the database finds that out by itself.
fn expected_length(bytes: &[u8]) -> Option<u64> {
    let number = |at: usize| -> Option<u64> {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_le_bytes(four)))
    };
    let [page, header, whole, regions, trailing] = [12, 16, 20, 24, 28].map(number);
    let (page, header, whole, regions, trailing) = (page?, header?, whole?, regions?, trailing?);
    let trailing = match trailing {
        0 => 0,
        pages => header + pages,
    };
    let pages = regions
        .checked_mul(header + whole)?
        .checked_add(trailing + 1)?;
    let length = pages.checked_mul(page)?;
    let own = bytes.len() as u64;
    Some(if length <= own { own } else { length })
}

/// Makes a database under another name, and gives it its own when it is complete.
fn new(
    directory: &Directory,
    fill: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(Arc<File>, Redb), StateFault> {
    let file = Arc::new(directory.create(NEW)?);
    let made = guarded(|| {
        let database = opened(&file)?;
        let transaction = database.begin_write().map_err(redb::Error::from)?;
        number_table(&transaction, |numbers| {
            numbers.insert("format", FORMAT)?;
            Ok(())
        })?;
        fill(&transaction)?;
        transaction.commit().map_err(redb::Error::from)?;
        Ok(database)
    });
    let done = made.and_then(|database| {
        file.sync_all()?;
        directory.rename(NEW, FILE)?;
        Ok((Arc::clone(&file), database))
    });
    if done.is_err() {
        // It may not be there; the next one is written in its place.
        let _ = fs::remove_file(directory.join(NEW));
    }
    done
}

fn number_table(
    transaction: &WriteTransaction,
    change: impl FnOnce(&mut redb::Table<'_, &str, u64>) -> Result<(), redb::StorageError>,
) -> Result<(), redb::Error> {
    Ok(change(&mut transaction.open_table(NUMBERS)?)?)
}

fn opened(file: &Arc<File>) -> Result<Redb, StateFault> {
    let database = builder().create_with_backend(Backend(Arc::clone(file)));
    Ok(database.map_err(redb::Error::from)?)
}

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder.create_with_file_format_v3(true);
    builder
}

fn check_format(database: &Redb) -> Result<(), StateFault> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let found = match transaction.open_table(NUMBERS) {
        Ok(numbers) => numbers.get("format").map_err(redb::Error::from)?,
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(other) => return Err(redb::Error::from(other).into()),
    };
    match found.map(|found| found.value()) {
        Some(FORMAT) => Ok(()),
        Some(later) if later > FORMAT => Err(StateFault::Newer(later.to_string())),
        _ => Err(StateFault::Broken("it is none of nfs4d's".to_owned())),
    }
}

/// Runs what meets bytes of a file, which the database partly asserts to be right.
fn guarded<T>(run: impl FnOnce() -> Result<T, StateFault>) -> Result<T, StateFault> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(StateFault::Broken(
            "the database finds itself inconsistent".to_owned(),
        ))
    })
}

/// Numbers that are one each.
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
const FILE: &str = "nfs4d.redb";
const NEW: &str = "nfs4d.redb.new";
const MARK: &str = "nfs4d.id";
/// Bytes of the file that are kept in memory.
const CACHE: usize = 4 << 20;
