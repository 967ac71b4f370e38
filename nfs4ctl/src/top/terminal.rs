//! The terminal while `top` has it.

use std::io::{self, Read as _, Write as _};
use std::panic;
use std::sync::Once;
use std::thread;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use super::keys::{Key, Keys};

/// What a terminal has that tells nothing of its size.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The terminal, which is as it was once this is dropped.
#[derive(Debug)]
pub(super) struct Terminal {
    keys: Receiver<Key>,
    resized: Signal,
    ends: [Signal; 3],
}

/// What happens to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Key(Key),
    Resized,
    /// The process is to end.
    Ended,
}

impl Terminal {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Terminal> {
        let resized = signal(SignalKind::window_change())?;
        let ends = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ];
        restore_on_panic();
        enable_raw_mode()?;
        // From here on it is restored, also if the next step fails.
        let terminal = Terminal {
            keys: read_keys(),
            resized,
            ends,
        };
        execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, Hide)?;
        Ok(terminal)
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> (usize, usize) {
        match size() {
            Ok((columns, lines)) if columns > 0 && lines > 0 => (columns.into(), lines.into()),
            _ => USUAL_SIZE,
        }
    }

    /// Replaces what is shown.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut frame = Vec::new();
        for (row, line) in (0..).zip(lines) {
            queue!(frame, MoveTo(0, row))?;
            frame.write_all(line.as_bytes())?;
            queue!(frame, Clear(ClearType::UntilNewLine))?;
        }
        if let Ok(rows) = u16::try_from(lines.len()) {
            queue!(frame, MoveTo(0, rows), Clear(ClearType::FromCursorDown))?;
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&frame)?;
        stdout.flush()
    }

    /// What happens next. Nothing is lost if it is dropped before it is done.
    pub(super) async fn next(&mut self) -> Happening {
        let [interrupt, terminate, hangup] = &mut self.ends;
        tokio::select! {
            _ = interrupt.recv() => Happening::Ended,
            _ = terminate.recv() => Happening::Ended,
            _ = hangup.recv() => Happening::Ended,
            _ = self.resized.recv() => Happening::Resized,
            key = self.keys.recv() => key.map_or(Happening::Ended, Happening::Key),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// The keys, read by a thread that ends with the process.
fn read_keys() -> Receiver<Key> {
    let (sender, keys) = channel(16);
    thread::spawn(move || {
        let mut reader = Keys::default();
        let mut bytes = [0; 64];
        loop {
            match io::stdin().lock().read(&mut bytes) {
                Ok(read @ 1..) => {
                    let pressed = bytes
                        .iter()
                        .take(read)
                        .filter_map(|byte| reader.read(*byte));
                    for key in pressed {
                        if sender.blocking_send(key).is_err() {
                            return;
                        }
                    }
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                // The terminal has gone.
                Ok(0) | Err(_) => return,
            }
        }
    });
    keys
}

fn restore() {
    // It may have gone.
    let _ = execute!(io::stdout(), Show, EnableLineWrap, LeaveAlternateScreen);
    let _ = disable_raw_mode();
}

/// A panic is told on the usual screen.
fn restore_on_panic() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |why| {
            restore();
            usual(why);
        }));
    });
}
