//! Server-sent events, as a stream of bytes has them.

/// Maximum length of an event, in bytes.
pub(super) const MAX_EVENT: usize = 64 << 10;

/// Makes events of bytes, which come in any pieces.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a line.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed that follows it ends nothing.
    returned: bool,
    kind: String,
    data: String,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its name.
    pub(super) kind: String,
    /// What it says.
    pub(super) data: String,
}

/// An event is longer than any that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Decoder {
    /// Reads `bytes` and puts the events that they end into `sent`.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        sent: &mut impl Extend<Sent>,
    ) -> Result<(), TooLong> {
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.returned, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => sent.extend(self.end_line()),
                _ if self.line.len() + self.kind.len() + self.data.len() >= MAX_EVENT => {
                    return Err(TooLong);
                }
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Option<Sent> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            return self.end_event();
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // The number of an event is in its data as well; the rest is of no use, or a comment.
            _ => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<Sent> {
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        // The line feed after the last line.
        data.pop()?;
        Some(Sent { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(kind: &str, data: &str) -> Sent {
        Sent {
            kind: kind.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn events_are_the_same_in_any_pieces_and_with_any_ends_of_lines() {
        let text = "\u{feff}: hello\n\nid: 7\nevent: a\ndata: {\"x\":\ndata:1}\n\n:\n\ndata\n\n\
                    event: nothing\n\nevent: ä\ndata:  two\nretry: 5\n\n data: x\n\ndata: cut";
        let expected = [sent("a", "{\"x\":\n1}"), sent("", ""), sent("ä", " two")];
        for end in ["\n", "\r\n", "\r"] {
            let bytes = text.replace('\n', end).into_bytes();
            for size in [1, 2, 3, 7, bytes.len()] {
                let mut decoder = Decoder::default();
                let mut events = Vec::new();
                for piece in bytes.chunks(size) {
                    decoder.read(piece, &mut events).unwrap();
                }
                assert_eq!(events, expected, "{end:?} {size}");
            }
        }
    }

    #[test]
    fn an_event_has_a_length_at_most() {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        let line = vec![b'x'; MAX_EVENT];
        assert_eq!(decoder.read(&line, &mut events), Ok(()));
        assert_eq!(decoder.read(b"x", &mut events), Err(TooLong));
        let mut decoder = Decoder::default();
        let endless = (0..=MAX_EVENT / 3).map(|_| decoder.read(b"data: yy\n", &mut events));
        assert_eq!(endless.last(), Some(Err(TooLong)));
        assert_eq!(events, []);
    }
}
