//! Keys, as a terminal in raw mode sends them.

use crate::cli::SortKey;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Sort(SortKey),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// Makes keys of bytes, which come in any pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// A sequence that has begun with an escape.
    sequence: Vec<u8>,
}

/// Maximum length of a sequence; longer ones are no keys.
const MAX_SEQUENCE: usize = 16;

impl Keys {
    /// The key that a byte ends, if it ends one that means something.
    pub(super) fn read(&mut self, byte: u8) -> Option<Key> {
        if byte == 0x1b {
            self.sequence = vec![byte];
            return None;
        }
        if self.sequence.is_empty() {
            return plain(byte);
        }
        self.sequence.push(byte);
        let ended = match self.sequence.as_slice() {
            [_, b'[' | b'O'] => false,
            [_, b'[' | b'O', ..] => (0x40..=0x7e).contains(&byte),
            // An escape, and then another key.
            _ => {
                self.sequence.clear();
                return plain(byte);
            }
        };
        if !ended && self.sequence.len() < MAX_SEQUENCE {
            return None;
        }
        let sequence = std::mem::take(&mut self.sequence);
        match sequence.get(2..)? {
            b"A" => Some(Key::Up),
            b"B" => Some(Key::Down),
            b"H" | b"1~" | b"7~" => Some(Key::Home),
            b"F" | b"4~" | b"8~" => Some(Key::End),
            b"5~" => Some(Key::PageUp),
            b"6~" => Some(Key::PageDown),
            _ => None,
        }
    }
}

fn plain(byte: u8) -> Option<Key> {
    match byte {
        // Ctrl-C and Ctrl-D.
        b'q' | b'Q' | 0x03 | 0x04 => Some(Key::Quit),
        b'o' => Some(Key::Sort(SortKey::Ops)),
        b'r' => Some(Key::Sort(SortKey::Read)),
        b'w' => Some(Key::Sort(SortKey::Write)),
        b'l' => Some(Key::Sort(SortKey::Latency)),
        b'n' => Some(Key::Sort(SortKey::Owner)),
        b'k' => Some(Key::Up),
        b'j' => Some(Key::Down),
        b' ' => Some(Key::PageDown),
        b'b' => Some(Key::PageUp),
        b'g' => Some(Key::Home),
        b'G' => Some(Key::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        bytes.iter().filter_map(|byte| keys.read(*byte)).collect()
    }

    #[test]
    fn sequences_are_keys() {
        let bytes = b"j\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~l\x03";
        let expected = [
            Key::Down,
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::PageDown,
            Key::Home,
            Key::End,
            Key::Sort(SortKey::Latency),
            Key::Quit,
        ];
        assert_eq!(keys(bytes), expected);
    }

    #[test]
    fn what_is_no_key_does_not_hide_the_next() {
        assert_eq!(keys(b"x\x1b[1;5Cq"), [Key::Quit]);
        assert_eq!(keys(b"\x1bq"), [Key::Quit]);
        assert_eq!(keys(b"\x1b\x1b[Aq"), [Key::Up, Key::Quit]);
        let endless = [b"\x1b[".as_slice(), &[b'1'; 100], b"q"].concat();
        assert_eq!(keys(&endless), [Key::Quit]);
        assert_eq!(keys("ä\u{9b}".as_bytes()), []);
    }
}
