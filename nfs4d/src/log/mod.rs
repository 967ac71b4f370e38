//! Log lines on their way to standard error.
//!
//! A thread that logs appends a line in memory, and another thread writes it. A file that is slow,
//! full or closed costs lines, which are counted, and does not stop the server.

mod pace;
mod sink;

use std::io;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntCounter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use pace::Pace;
use sink::Sink;

/// The log of this process.
pub(crate) struct Log {
    sink: Arc<Sink>,
    pace: Arc<Pace>,
}

impl Log {
    /// Sends lines of this level and above to standard error from now on, and turns panics of
    /// threads into lines.
    ///
    /// # Errors
    /// The thread that writes them does not start, or the process has a log already.
    pub(crate) fn start(level: tracing::Level) -> io::Result<Log> {
        let sink = Arc::new(Sink::new()?);
        let pace = Arc::new(Pace::new(Arc::clone(&sink))?);
        Sink::start(&sink, io::stderr(), {
            let pace = Arc::clone(&pace);
            move || pace.tell()
        })?;
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(Arc::clone(&sink))
            .with_ansi(false)
            // Such errors would go straight to standard error.
            .log_internal_errors(false)
            .finish()
            .with(Arc::clone(&pace).layer())
            .try_init()
            .map_err(io::Error::other)?;
        std::panic::set_hook(Box::new(panicked));
        Ok(Log { sink, pace })
    }

    /// Logs a line at any level.
    pub(crate) fn say(&self, line: &str) {
        self.sink.put(format!("{line}\n").as_bytes());
    }

    /// Waits until all lines are written, within a limit: the file may never take them.
    pub(crate) fn flush(&self) {
        self.pace.tell();
        self.sink.flush(PATIENCE);
    }

    /// The counters of missing lines, by reason.
    pub(crate) fn counters(&self) -> Vec<IntCounter> {
        vec![self.sink.lost.clone(), self.pace.left_out.clone()]
    }
}

/// The hook of the standard library blocks on standard error.
fn panicked(info: &PanicHookInfo<'_>) {
    let why = info.payload();
    let why = why.downcast_ref::<String>().map(String::as_str);
    let why = why.or_else(|| info.payload().downcast_ref::<&str>().copied());
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(at, ?why, "a thread panicked");
}

/// Time that the end of the process waits for the log.
const PATIENCE: Duration = Duration::from_secs(1);
