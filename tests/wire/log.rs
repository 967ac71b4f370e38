//! The server's log lines, kept to be looked at.

use std::io;
use std::sync::{Mutex, Once};

/// Starts keeping log lines; the first call of the process counts.
pub(crate) fn keep() {
    static START: Once = Once::new();
    START.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(|| Lines)
            .init();
    });
}

/// The lines that hold both texts.
pub(crate) fn lines(one: &str, other: &str) -> Vec<String> {
    let kept = KEPT.lock().unwrap();
    let text = String::from_utf8_lossy(&kept);
    text.lines()
        .filter(|line| line.contains(one) && line.contains(other))
        .map(str::to_owned)
        .collect()
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        KEPT.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
