//! The text of a configuration file: how it is read, where its lines are, and what is no TOML.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::file_fault::FileFault;

/// Where the lines of a text end, in order.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &[u8]) -> Lines {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Lines(ends.map(|(at, _)| at).collect())
    }

    /// The line of a byte, from 1 on.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.0.partition_point(|end| *end < at)
    }
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is no text, or too long.
pub(super) fn read(path: &Path) -> Result<String, FileFault> {
    let bytes = bytes(path).map_err(|why| FileFault::of_file(path, why.to_string()))?;
    String::from_utf8(bytes).map_err(|why| {
        let line = Lines::of(why.as_bytes()).line(why.utf8_error().valid_up_to());
        FileFault::at(path, line, "it is not UTF-8, which TOML is")
    })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        let detail = format!("it is longer than {LONGEST} bytes");
        return Err(io::Error::other(detail));
    }
    Ok(bytes)
}

/// What is no TOML, and its place.
pub(super) fn syntax(error: &toml::de::Error, text: &str) -> (usize, String) {
    let at = error.span().map_or(0, |span| span.start);
    let place = error.span().and_then(|span| text.get(span));
    let message = error.message();
    // What it expects then says no more.
    let message = [", expected nothing", ", expected literal string"]
        .iter()
        .fold(message, |message, end| {
            message.strip_suffix(end).unwrap_or(message)
        });
    let what = match (message, place) {
        ("duplicate key", Some(name)) => format!("{name:?} is given twice"),
        ("unexpected leading zero", _) => format!(
            "{message} in {:?}; a number has none, and what is no number has quotes, as in socket_mode = \"0600\"",
            around(text, at)
        ),
        _ => format!("{message} in {:?}", around(text, at)),
    };
    (at, what)
}

/// The line of a byte, as much of it as is repeated.
fn around(text: &str, at: usize) -> String {
    let begin = text.get(..at).and_then(|before| before.rfind('\n'));
    let begin = begin.map_or(0, |end| end + 1);
    let line = text.get(begin..).and_then(|rest| rest.lines().next());
    cut(line.unwrap_or_default().trim())
}

/// As much of a wrong value as is repeated.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// In bytes.
const LONGEST: u64 = 1 << 20;
const SHOWN: usize = 64;
