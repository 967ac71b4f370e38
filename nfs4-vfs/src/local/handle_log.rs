//! Rows of the table of handles that are not in its database yet.
//!
//! A row is appended, and made durable together with those of other requests, before a client gets the
//! handle. Making the database durable empties the log.

use std::fs::{File, OpenOptions};
use std::hash::Hasher as _;
use std::io::{Read as _, Result, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use siphasher::sip::SipHasher24;

use super::handle_row::Row;

/// Two files that are filled in turns: one takes rows while those of the other go to the database.
pub(super) struct HandleLog {
    files: [Arc<File>; 2],
    /// The number after that of the last record in each file.
    ends: [u64; 2],
    /// The length of the whole records in each file, in bytes.
    lengths: [u64; 2],
    current: usize,
    /// Number of the next record.
    next: u64,
    buffer: Vec<u8>,
}

/// What is recorded: the row of a number, or that there is none any more.
pub(super) type Record = (u64, Option<Row>);

impl HandleLog {
    /// Opens the log beside the database of this path, and returns the records in it, in their order.
    ///
    /// # Errors
    /// The files cannot be opened or read.
    pub(super) fn open(database: &Path) -> Result<(HandleLog, Vec<Record>)> {
        let mut found = Vec::new();
        let mut open = |name| {
            let mut file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(beside(database, name))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            read_all(&bytes, &mut found);
            Ok::<_, std::io::Error>(Arc::new(file))
        };
        let files = [open("log0")?, open("log1")?];
        if let Some(folder) = database.parent() {
            // The names of the files.
            File::open(folder)?.sync_all()?;
        }
        found.sort_by_key(|(order, _)| *order);
        let lengths = [files[0].metadata()?.len(), files[1].metadata()?.len()];
        let log = HandleLog {
            files,
            ends: [0; 2],
            lengths,
            current: 0,
            next: 0,
            buffer: Vec::new(),
        };
        Ok((log, found.into_iter().map(|(_, record)| record).collect()))
    }

    /// Appends records.
    ///
    /// # Errors
    /// The file system is full, or the device fails.
    pub(super) fn append<'a>(
        &mut self,
        records: impl IntoIterator<Item = (u64, Option<&'a Row>)>,
    ) -> Result<()> {
        self.buffer.clear();
        for (number, row) in records {
            encode(&mut self.buffer, self.next, number, row);
            self.next += 1;
        }
        self.ends[self.current] = self.next;
        let mut file = &*self.files[self.current];
        let length = &mut self.lengths[self.current];
        if file.metadata()?.len() != *length {
            // Half a record, which could not be written whole, would hide those after it.
            file.set_len(*length)?;
        }
        file.write_all(&self.buffer)?;
        *length += self.buffer.len() as u64;
        Ok(())
    }

    /// The number after that of the last record.
    pub(super) fn end(&self) -> u64 {
        self.next
    }

    /// The files with records from this number on: what they hold is durable once they are.
    pub(super) fn files_from(&self, number: u64) -> Vec<Arc<File>> {
        let files = self.files.iter().zip(self.ends);
        let behind = files.filter(|(_, end)| *end > number);
        behind.map(|(file, _)| Arc::clone(file)).collect()
    }

    /// Further records go to the other file, which was emptied.
    pub(super) fn turn(&mut self) {
        self.current = 1 - self.current;
    }

    /// Empties the file that is not filled now: its records are in the database.
    ///
    /// # Errors
    /// The device fails.
    pub(super) fn empty(&mut self) -> Result<()> {
        let other = 1 - self.current;
        self.files[other].set_len(0)?;
        self.lengths[other] = 0;
        Ok(())
    }

    /// Empties both files.
    ///
    /// # Errors
    /// The device fails.
    pub(super) fn empty_all(&mut self) -> Result<()> {
        self.files.iter().try_for_each(|file| file.set_len(0))?;
        self.lengths = [0; 2];
        Ok(())
    }
}

fn beside(database: &Path, extension: &str) -> PathBuf {
    database.with_extension(extension)
}

fn encode(buffer: &mut Vec<u8>, order: u64, number: u64, row: Option<&Row>) {
    let start = buffer.len();
    buffer.extend([0; HEAD]);
    buffer.extend(order.to_le_bytes());
    buffer.extend(number.to_le_bytes());
    buffer.push(u8::from(row.is_some()));
    if let Some(row) = row {
        row.encode(buffer);
    }
    let body = &buffer[start + HEAD..];
    let (len, sum) = (body.len() as u32, sum(body));
    buffer[start..start + 4].copy_from_slice(&len.to_le_bytes());
    buffer[start + 4..start + HEAD].copy_from_slice(&sum.to_le_bytes());
}

/// Reads the records up to the first that is not whole: the machine stopped while it was written.
fn read_all(mut bytes: &[u8], found: &mut Vec<(u64, Record)>) {
    while let Some((record, rest)) = read(bytes) {
        found.push(record);
        bytes = rest;
    }
}

fn read(bytes: &[u8]) -> Option<((u64, Record), &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    let (sum_of, rest) = rest.split_first_chunk()?;
    let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    if sum(body) != u64::from_le_bytes(*sum_of) {
        return None;
    }
    let (order, body) = body.split_first_chunk()?;
    let (number, body) = body.split_first_chunk()?;
    let (is_there, body) = body.split_first()?;
    let row = match is_there {
        0 => None,
        _ => Some(Row::decode(body)?),
    };
    let record = (u64::from_le_bytes(*number), row);
    Some(((u64::from_le_bytes(*order), record), rest))
}

fn sum(body: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(body);
    hasher.finish()
}

/// Length of the part before the body, in bytes: its length and its sum.
const HEAD: usize = 12;
