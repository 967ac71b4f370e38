//! Other names for names.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;

/// Replaces names by others of the same length: the same name by the same each time, and different
/// names by different ones, as long as there are enough of that length.
///
/// What a server checks in a name stays: "." and ".." are not replaced, '/' and NUL stay where they
/// are, and what is no UTF-8 is replaced by what is none.
#[derive(Default)]
pub(crate) struct Pseudonyms {
    /// Random, so that a name cannot be found by trying names.
    hash: RandomState,
    of: HashMap<Vec<u8>, Vec<u8>>,
    used: HashSet<Vec<u8>>,
}

impl Pseudonyms {
    /// Replaces a name.
    pub(crate) fn replace(&mut self, name: &mut [u8]) {
        if name.is_empty() || name == b"." || name == b".." {
            return;
        }
        let pseudonym = match self.of.entry(name.to_vec()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let mut pseudonyms = (0..ATTEMPTS).map(|attempt| make(&self.hash, name, attempt));
                let free = pseudonyms.find(|one| !self.used.contains(one));
                let pseudonym = free.unwrap_or_else(|| make(&self.hash, name, 0));
                self.used.insert(pseudonym.clone());
                new.insert(pseudonym)
            }
        };
        name.copy_from_slice(pseudonym);
    }

    /// Replaces each name of a path.
    pub(crate) fn replace_path(&mut self, path: &str) -> String {
        let names = path.split('/').map(|name| {
            let mut name = name.as_bytes().to_vec();
            self.replace(&mut name);
            String::from_utf8_lossy(&name).into_owned()
        });
        names.collect::<Vec<_>>().join("/")
    }
}

fn make(hash: &RandomState, name: &[u8], attempt: u32) -> Vec<u8> {
    let stays = |byte: &u8| matches!(byte, b'/' | 0);
    let mut pseudonym = Vec::with_capacity(name.len());
    for (block, part) in (0_u32..).zip(name.chunks(PER_HASH)) {
        let mut rest = hash.hash_one((name, attempt, block));
        for byte in part {
            let letter = LETTERS[(rest % LETTERS.len() as u64) as usize];
            rest /= LETTERS.len() as u64;
            pseudonym.push(if stays(byte) { *byte } else { letter });
        }
    }
    if str::from_utf8(name).is_err()
        && let Some(place) = pseudonym.iter_mut().find(|byte| !stays(byte))
    {
        *place = NO_UTF8;
    }
    pseudonym
}

const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// Number of letters that a hash is enough for.
const PER_HASH: usize = 12;
/// After that a short name gets one that another has, too.
const ATTEMPTS: u32 = 1_000;
/// A byte that is nowhere in UTF-8.
const NO_UTF8: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(names: &mut Pseudonyms, name: &[u8]) -> Vec<u8> {
        let mut pseudonym = name.to_vec();
        names.replace(&mut pseudonym);
        assert_eq!(pseudonym.len(), name.len());
        pseudonym
    }

    #[test]
    fn the_same_name_gets_the_same_and_different_names_get_different_ones() {
        let mut names = Pseudonyms::default();
        let all: Vec<Vec<u8>> = (0..500).map(|n| format!("{n}").into_bytes()).collect();
        let first: Vec<_> = all.iter().map(|name| replaced(&mut names, name)).collect();
        let again: Vec<_> = all.iter().map(|name| replaced(&mut names, name)).collect();
        assert_eq!(first, again);
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(replaced(&mut names, &[b'x'; 300]) != [b'x'; 300]);
    }

    #[test]
    fn what_a_server_checks_in_a_name_stays() {
        let mut names = Pseudonyms::default();
        for kept in [b"".as_slice(), b".", b"..", b"/", b"\0", b"//"] {
            assert_eq!(replaced(&mut names, kept), kept);
        }
        let slash = replaced(&mut names, b"secret/path");
        assert!(slash[6] == b'/' && !slash.windows(4).any(|part| part == b"path"));
        for (name, is_text) in [("gr\u{fc}n".as_bytes(), true), (b"a\xffb", false)] {
            let name = replaced(&mut names, name);
            assert_eq!(str::from_utf8(&name).is_ok(), is_text);
        }
        let path = names.replace_path("/srv/data");
        let srv = replaced(&mut names, b"srv");
        assert!(path.starts_with(&format!("/{}/", str::from_utf8(&srv).unwrap())));
        assert_eq!(path.len(), 9);
        assert_eq!(names.replace_path("/"), "/");
    }
}
