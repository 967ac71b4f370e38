//! What outlasts the server: its identity, its clients, its settings, its exports, in a database in the state
//! directory.

#![expect(
    clippy::result_large_err,
    reason = "an error of the database is rare, and boxing it would hide its kinds"
)]

mod backend;
mod database;
mod directory;
mod fault;
mod records;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nfs4_driver::Identity;
use nfs4_engine::Boot;
use nfs4_engine::stable::{ClientRecord, StableWrite};
use redb::{ReadTransaction, ReadableTable as _, TableDefinition, TableError, WriteTransaction};

use self::database::{Database, NUMBERS};
pub(crate) use self::directory::check;
pub use self::fault::{Failed, StateFault};
pub(crate) use self::records::Records;

/// The state of one server, which no other process uses while this exists.
#[derive(Debug)]
pub struct State {
    database: Database,
    secret: [u8; 16],
    /// The epoch of this start; 0 before [`State::boot`].
    epoch: AtomicU64,
}

impl State {
    /// Takes a directory for this server alone, and makes it and its database if need be.
    ///
    /// # Errors
    /// It cannot be used, or the database is broken, missing, or a later version's. Nothing is changed
    /// then.
    pub fn open(directory: &Path) -> Result<State, Failed> {
        let made = |transaction: &WriteTransaction| {
            let mut bytes = transaction.open_table(BYTES)?;
            for name in [SECRET, ENTROPY] {
                bytes.insert(name, &random().map_err(redb::Error::Io)?[..])?;
            }
            Ok(())
        };
        let database = Database::open(directory, made);
        let database = database.map_err(|(path, source)| Failed { path, source })?;
        let secret = database.read(|transaction| found(transaction, SECRET));
        match secret.and_then(|secret| sixteen(secret.as_deref())) {
            Ok(secret) => Ok(State {
                database,
                secret,
                epoch: AtomicU64::new(0),
            }),
            Err(source) => {
                let path = database.path().to_owned();
                Err(Failed { path, source })
            }
        }
    }

    /// A start of this server now, which is recorded before it returns. The epoch only grows, also when
    /// the clock is set back; the server's name is that of its first start, which is that of the machine
    /// and of `listen`. It has the records of the clients that may reclaim state.
    ///
    /// # Errors
    /// It cannot be recorded, or the system has no randomness.
    pub fn boot(&self, listen: SocketAddr) -> Result<Boot, Failed> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let clock = epoch_of(since.unwrap_or_default().as_millis());
        let boot = Identity::of_machine(listen).boot();
        let boot = boot.map_err(|why| self.told(why.into()))?;
        let low = random().map_err(|why| self.told(why.into()))?;
        let recorded = self.database.write(|transaction| {
            let mut numbers = transaction.open_table(NUMBERS)?;
            let last = numbers.get(EPOCH)?.map_or(0, |last| last.value());
            let epoch = epoch_after(last, clock);
            numbers.insert(EPOCH, epoch)?;
            let mut bytes = transaction.open_table(BYTES)?;
            let known = bytes.get(SERVER)?.map(|name| name.value().to_vec());
            let name = match known {
                Some(name) => name,
                None => {
                    bytes.insert(SERVER, &boot.server_major[..])?;
                    boot.server_major.clone()
                }
            };
            let entropy = bytes.get(ENTROPY)?.map(|bytes| bytes.value().to_vec());
            Ok((last, epoch, name, entropy))
        });
        let recorded = recorded.and_then(|(last, epoch, name, entropy)| {
            Ok((last, epoch, name, sixteen(entropy.as_deref())?))
        });
        let (last, epoch, name, entropy) = recorded.map_err(|source| self.told(source))?;
        if clock < last {
            let seconds = (last - clock) / PER_SECOND;
            tracing::warn!(seconds, "the clock is behind the last start of this server");
        }
        self.epoch.store(epoch, Ordering::Relaxed);
        let records = self.records()?;
        let marked = self.database.mark(&String::from_utf8_lossy(&name));
        marked.map_err(|why| self.told(why.into()))?;
        let id = epoch as u32;
        Ok(boot.with(|boot| {
            boot.epoch = id;
            boot.entropy = entropy;
            // The upper half is new at every start; what a file system has lost is added to the lower one.
            boot.write_verifier[..4].copy_from_slice(&id.to_be_bytes());
            boot.write_verifier[4..].copy_from_slice(&low[..4]);
            boot.write_verifier[4] >>= 1;
            boot.server_major.clone_from(&name);
            boot.server_scope = name;
            boot.recovered = Some(records);
        }))
    }

    /// Random bytes that are the same at every start, and that no client knows: with them file systems
    /// sign filehandles.
    pub fn secret(&self) -> [u8; 16] {
        self.secret
    }

    /// All records of clients.
    fn records(&self) -> Result<Vec<ClientRecord>, Failed> {
        let all = self.database.read(|transaction| {
            let table = match transaction.open_table(CLIENTS) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Ok(Vec::new())),
                Err(other) => return Err(other.into()),
            };
            let mut all = Vec::new();
            for row in table.iter()? {
                let (_, record) = row?;
                match ClientRecord::from_bytes(record.value().1) {
                    Ok(record) => all.push(record),
                    Err(damage) => return Ok(Err(StateFault::Broken(damage.to_string()))),
                }
            }
            Ok(Ok(all))
        });
        all.and_then(|all| all).map_err(|source| self.told(source))
    }

    /// Carries out writes in their order, all or none of them; they are durable on return.
    fn apply(&self, writes: &[StableWrite]) -> Result<(), Failed> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        let applied = self.database.write(|transaction| {
            let mut clients = transaction.open_table(CLIENTS)?;
            for write in writes {
                match write {
                    StableWrite::Client(record) => {
                        let (key, record) = (record.key.to_bytes(), record.to_bytes());
                        clients.insert(&key[..], (epoch, &record[..]))?;
                    }
                    StableWrite::Forget { key } => {
                        clients.remove(&key.to_bytes()[..])?;
                    }
                    StableWrite::GraceOver => clients.retain(|_, (of, _)| of >= epoch)?,
                    // Of a later engine than this was compiled with.
                    other => {
                        let unknown = format!("no such write: {other:?}");
                        return Err(redb::Error::Corrupted(unknown));
                    }
                }
            }
            Ok(())
        });
        applied.map_err(|source| self.told(source))
    }

    /// The number of an export that is known by `key`, such as its path: the same at every start, and of
    /// no other export, also when this one is gone.
    ///
    /// # Errors
    /// A new number cannot be recorded.
    pub fn export_number(&self, key: &str) -> Result<u16, Failed> {
        let known =
            self.database
                .read(|transaction| match transaction.open_table(EXPORT_NUMBERS) {
                    Ok(table) => Ok(table.get(key)?.map(|number| number.value())),
                    Err(TableError::TableDoesNotExist(_)) => Ok(None),
                    Err(other) => Err(other.into()),
                });
        if let Some(number) = known.map_err(|source| self.told(source))? {
            return Ok(number);
        }
        let made = self.database.write(|transaction| {
            let mut numbers = transaction.open_table(NUMBERS)?;
            let next = numbers.get(NEXT_EXPORT)?.map_or(0, |next| next.value());
            // The last number is that of the directories above the exports.
            let Some(number) = u16::try_from(next).ok().filter(|own| *own < u16::MAX) else {
                return Ok(Err(StateFault::Numbers(next)));
            };
            numbers.insert(NEXT_EXPORT, next + 1)?;
            transaction
                .open_table(EXPORT_NUMBERS)?
                .insert(key, number)?;
            Ok(Ok(number))
        });
        made.and_then(|made| made)
            .map_err(|source| self.told(source))
    }

    /// The exports that were put here, by their path, in its order; what each text says is the caller's.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn exports(&self) -> Result<Vec<(String, String)>, Failed> {
        let all = self
            .database
            .read(|transaction| match transaction.open_table(EXPORTS) {
                Ok(table) => {
                    let mut all = Vec::new();
                    for row in table.iter()? {
                        let (path, text) = row?;
                        all.push((path.value().to_owned(), text.value().to_owned()));
                    }
                    Ok(all)
                }
                Err(TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
                Err(other) => Err(other.into()),
            });
        all.map_err(|source| self.told(source))
    }

    /// Stores an export, in the place of one with the same path; it is durable on return.
    ///
    /// # Errors
    /// It cannot be stored, and what was there is as before.
    pub fn put_export(&self, path: &str, text: &str) -> Result<(), Failed> {
        let put = self.database.write(|transaction| {
            transaction.open_table(EXPORTS)?.insert(path, text)?;
            Ok(())
        });
        put.map_err(|source| self.told(source))
    }

    /// Forgets an export, durably; returns whether it was there.
    ///
    /// # Errors
    /// It is there as before.
    pub fn remove_export(&self, path: &str) -> Result<bool, Failed> {
        let removed = self.database.write(|transaction| {
            let mut table = transaction.open_table(EXPORTS)?;
            let removed = table.remove(path)?.is_some();
            Ok(removed)
        });
        removed.map_err(|source| self.told(source))
    }

    /// The settings that requests have changed, as text of the caller's; none if none were stored.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn settings(&self) -> Result<Option<String>, Failed> {
        let text = self
            .database
            .read(|transaction| match transaction.open_table(TEXTS) {
                Ok(table) => Ok(table.get(SETTINGS)?.map(|text| text.value().to_owned())),
                Err(TableError::TableDoesNotExist(_)) => Ok(None),
                Err(other) => Err(other.into()),
            });
        text.map_err(|source| self.told(source))
    }

    /// Stores settings in the place of all others, durably.
    ///
    /// # Errors
    /// They cannot be stored. If that failed at the very end, they may be.
    pub fn put_settings(&self, text: &str) -> Result<(), Failed> {
        let put = self.database.write(|transaction| {
            transaction.open_table(TEXTS)?.insert(SETTINGS, text)?;
            Ok(())
        });
        put.map_err(|source| self.told(source))
    }

    /// The file of the database.
    pub fn path(&self) -> &Path {
        self.database.path()
    }

    /// Gives a file in the directory another name, durably.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.database.directory().rename(from, to)
    }

    fn told(&self, source: StateFault) -> Failed {
        let path = self.database.path().to_owned();
        Failed { path, source }
    }
}

/// Counts eighths of a second, so that a restart within a second has another epoch too.
fn epoch_of(millis: u128) -> u64 {
    u64::try_from(millis / (1000 / u128::from(PER_SECOND))).unwrap_or(u64::MAX / 2)
}

/// The epoch of a start after `last`: that of the clock, unless the clock is behind. Its low half is the
/// engine's, and never zero.
fn epoch_after(last: u64, clock: u64) -> u64 {
    let next = clock.max(last.saturating_add(1));
    if next as u32 == 0 { next + 1 } else { next }
}

fn found(transaction: &ReadTransaction, name: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    let table = transaction.open_table(BYTES)?;
    Ok(table.get(name)?.map(|bytes| bytes.value().to_vec()))
}

fn sixteen(bytes: Option<&[u8]>) -> Result<[u8; 16], StateFault> {
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| StateFault::Broken("it has no secret".to_owned()))
}

fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Byte strings that are one each.
const BYTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("bytes");
/// Texts that are one each.
const TEXTS: TableDefinition<'_, &str, &str> = TableDefinition::new("texts");
/// The records of clients by their keys, each with the epoch of the start that has written it.
const CLIENTS: TableDefinition<'_, &[u8], (u64, &[u8])> = TableDefinition::new("clients");
const EXPORT_NUMBERS: TableDefinition<'_, &str, u16> = TableDefinition::new("export numbers");
const EXPORTS: TableDefinition<'_, &str, &str> = TableDefinition::new("exports");

const EPOCH: &str = "epoch";
const NEXT_EXPORT: &str = "next export";
const SECRET: &str = "secret";
const ENTROPY: &str = "entropy";
const SERVER: &str = "server";
const SETTINGS: &str = "settings";

const PER_SECOND: u64 = 8;

#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod tests;
