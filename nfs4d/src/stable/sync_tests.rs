//! What a failed sync of the database leaves on the disk.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{ReadableTable as _, StorageBackend, TableDefinition};

use super::database::{builder, transact};

/// A file of which the system keeps pages in memory. A sync that fails loses those that it should have written: they
/// count as written from then on, as on Linux.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    cached: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// Number of syncs until one fails.
    fails_after: Option<u32>,
}

impl Disk {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().expect("no test has failed under it")
    }

    /// The disk after the power has failed.
    fn after_a_power_cut(&self) -> Disk {
        let durable = self.pages().durable.clone();
        Disk(Arc::new(Mutex::new(Pages {
            cached: durable.clone(),
            durable,
            ..Pages::default()
        })))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.pages().cached.len() as u64)
    }

    fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        Ok(self.pages().cached[offset as usize..][..len].to_vec())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut pages = self.pages();
        pages.cached.resize(len as usize, 0);
        pages.durable.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self, _eventual: bool) -> io::Result<()> {
        let mut pages = self.pages();
        let dirty = std::mem::take(&mut pages.dirty);
        match &mut pages.fails_after {
            Some(0) => {
                pages.fails_after = None;
                return Err(io::Error::other("the disk has failed"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let Pages {
            cached, durable, ..
        } = &mut *pages;
        for page in dirty {
            let end = ((page + 1) * PAGE).min(cached.len());
            durable[page * PAGE..end].copy_from_slice(&cached[page * PAGE..end]);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut pages = self.pages();
        let at = offset as usize;
        pages.cached[at..at + data.len()].copy_from_slice(data);
        pages
            .dirty
            .extend(at / PAGE..(at + data.len()).div_ceil(PAGE));
        Ok(())
    }
}

fn put(database: &redb::Database, rows: std::ops::Range<u32>) -> Result<(), redb::Error> {
    transact(database, |transaction| {
        let mut table = transaction.open_table(ROWS)?;
        for row in rows {
            table.insert(row, &[row as u8; 300][..])?;
        }
        Ok(())
    })
}

#[test]
fn what_is_stored_after_a_sync_has_failed_outlasts_a_power_cut() {
    let mut failed = 0;
    for fails_after in 0..4 {
        let disk = Disk::default();
        let database = builder().create_with_backend(disk.clone());
        let database = database.expect("it is new");
        put(&database, 0..100).expect("the disk works");
        disk.pages().fails_after = Some(fails_after);
        failed += u32::from(put(&database, 100..200).is_err());
        drop(database);
        disk.pages().fails_after = None;
        let database = builder().create_with_backend(disk.clone());
        let database = database.expect("the disk works again");
        put(&database, 200..201).expect("the disk works again");
        let after = disk.after_a_power_cut();
        let database = builder().create_with_backend(after);
        let mut database = database.expect("it was stored");
        assert!(database.check_integrity().is_ok_and(|whole| whole));
        let transaction = database.begin_read().expect("it is open");
        let table = transaction.open_table(ROWS).expect("it is there");
        let rows = table.iter().expect("it is whole").map(|row| {
            let (key, value) = row.expect("it is whole");
            assert_eq!(value.value(), [key.value() as u8; 300]);
            key.value()
        });
        let rows: Vec<_> = rows.collect();
        assert!(
            (0..100).chain([200]).all(|row| rows.contains(&row)),
            "{rows:?}"
        );
    }
    assert!(failed > 0, "no write has failed");
}

const ROWS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("rows");
const PAGE: usize = 4_096;
