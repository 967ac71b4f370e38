//! What the table of handles knows of an object.

/// Identifies an object of one file system: no two objects have the same inode and time of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    /// The file system: 0 for the root's.
    pub(super) fs: u64,
    pub(super) ino: u64,
    /// In nanoseconds.
    pub(super) born: u64,
}

/// An object, and where it was seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: Key,
    /// Number of its directory.
    pub(super) parent: u64,
    /// Its name there.
    pub(super) name: Vec<u8>,
}

impl Row {
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        let Key { fs, ino, born } = self.key;
        for word in [fs, ino, born, self.parent] {
            buffer.extend(word.to_le_bytes());
        }
        buffer.extend(&self.name);
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Row> {
        let (words, name) = bytes.split_at_checked(32)?;
        let (words, _) = words.as_chunks::<8>();
        let [fs, ino, born, parent] = words else {
            return None;
        };
        let [fs, ino, born, parent] = [fs, ino, born, parent].map(|word| u64::from_le_bytes(*word));
        Some(Row {
            key: Key { fs, ino, born },
            parent,
            name: name.to_vec(),
        })
    }
}
