//! The store, in memory: keys lead to numbers, which stay when keys change, and these to values.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nfs4_transport_std::driver::engine::Wall;
use nfs4_transport_std::driver::engine::bytes::Bytes;
use nfs4_transport_std::driver::engine::fs::{
    Attrs, Caller, Entry, FsError, FsHandle, FsResult, SetAttrs, Written,
};

const MAX_KEYS: usize = 1000;
const MAX_VALUE: u64 = 1 << 20;

pub(crate) struct Store(Mutex<Tables>);

struct Tables {
    keys: BTreeMap<Bytes, u64>,
    /// The directory is one of them, for its attributes.
    values: HashMap<u64, Value>,
    last: u64,
}

pub(crate) struct Value {
    pub(crate) attrs: Attrs,
    pub(crate) bytes: Bytes,
}

impl Store {
    /// The number of the directory.
    pub(crate) const DIRECTORY: u64 = 1;

    pub(crate) fn new() -> Store {
        let attrs = Attrs::dir(Store::DIRECTORY).with_mode(0o1777);
        let bytes = Bytes::new();
        Store(Mutex::new(Tables {
            keys: BTreeMap::new(),
            values: HashMap::from([(Store::DIRECTORY, Value { attrs, bytes })]),
            last: Store::DIRECTORY,
        }))
    }

    /// Does `work` with the value of a handle.
    pub(crate) fn with<T>(
        &self,
        fh: FsHandle,
        work: impl FnOnce(&mut Value) -> FsResult<T>,
    ) -> FsResult<T> {
        let (number, mut tables) = (fh.number()?, self.tables());
        work(tables.values.get_mut(&number).ok_or(FsError::Stale)?)
    }

    pub(crate) fn find(&self, key: &Bytes) -> FsResult<(FsHandle, Attrs)> {
        let tables = self.tables();
        let number = tables.keys.get(key).ok_or(FsError::NotFound)?;
        Ok((FsHandle::from_number(*number), tables.values[number].attrs))
    }

    /// All keys and their values.
    pub(crate) fn all(&self) -> Vec<Entry> {
        let tables = self.tables();
        let all = tables.keys.iter().map(|(key, number)| {
            let attrs = tables.values[number].attrs;
            Entry::new(key.clone(), FsHandle::from_number(*number), attrs)
        });
        all.collect()
    }

    pub(crate) fn insert(
        &self,
        key: Bytes,
        set: &SetAttrs,
        now: Wall,
    ) -> FsResult<(FsHandle, Attrs)> {
        let mut tables = self.tables();
        if tables.keys.contains_key(&key) {
            return Err(FsError::Exists);
        }
        if tables.keys.len() == MAX_KEYS {
            return Err(FsError::NoSpace);
        }
        tables.last += 1;
        let number = tables.last;
        let (attrs, bytes) = (Attrs::file(number, 0).with_times(now), Bytes::new());
        let mut value = Value { attrs, bytes };
        let attrs = value.set(set, now)?;
        tables.keys.insert(key, number);
        tables.values.insert(number, value);
        tables.touch(now);
        Ok((FsHandle::from_number(number), attrs))
    }

    pub(crate) fn remove(&self, key: &Bytes, now: Wall) -> FsResult<()> {
        let mut tables = self.tables();
        let number = tables.keys.remove(key).ok_or(FsError::NotFound)?;
        tables.values.remove(&number);
        tables.touch(now);
        Ok(())
    }

    pub(crate) fn rename(&self, from: &Bytes, to: Bytes, now: Wall) -> FsResult<()> {
        let mut tables = self.tables();
        let number = tables.keys.remove(from).ok_or(FsError::NotFound)?;
        if let Some(replaced) = tables.keys.insert(to, number)
            && replaced != number
        {
            tables.values.remove(&replaced);
        }
        tables.touch(now);
        Ok(())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Counts a change of the keys: clients then list them anew.
    fn touch(&mut self, now: Wall) {
        if let Some(directory) = self.values.get_mut(&Store::DIRECTORY) {
            directory.attrs.touch(now);
        }
    }
}

impl Value {
    /// Changes attributes; a new size cuts the value, or lengthens it by zeros.
    pub(crate) fn set(&mut self, set: &SetAttrs, now: Wall) -> FsResult<Attrs> {
        if let Some(size) = set.size {
            self.resize(size)?;
        }
        self.attrs.set(set, now);
        Ok(self.attrs)
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8], by: &Caller) -> FsResult<Written> {
        let end = offset.saturating_add(data.len() as u64);
        self.resize(end.max(self.attrs.size))?;
        let mut bytes = Vec::from(mem::take(&mut self.bytes));
        bytes[offset as usize..end as usize].copy_from_slice(data);
        self.bytes = bytes.into();
        self.attrs.written(end, by);
        Ok(Written::durable(data))
    }

    fn resize(&mut self, size: u64) -> FsResult<()> {
        if size > MAX_VALUE {
            return Err(FsError::TooLarge);
        }
        let mut bytes = Vec::from(mem::take(&mut self.bytes));
        bytes.resize(size as usize, 0);
        self.bytes = bytes.into();
        Ok(())
    }
}
