//! Log lines on their way to standard error.
//!
//! A thread that logs only leaves a line in memory: another thread writes it. So a file that is slow,
//! full or gone costs lines, which are counted, and nothing else.

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
    /// From now on lines of this level and above go to standard error, and panics of threads become
    /// lines as well.
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
            // It would go to standard error, whatever became of that.
            .log_internal_errors(false)
            .finish()
            .with(Arc::clone(&pace).layer())
            .try_init()
            .map_err(io::Error::other)?;
        std::panic::set_hook(Box::new(panicked));
        Ok(Log { sink, pace })
    }

    /// A line of its own, whatever the level.
    pub(crate) fn say(&self, line: &str) {
        self.sink.put(format!("{line}\n").as_bytes());
    }

    /// Waits until all is written, but not for long: the file may never take it.
    pub(crate) fn flush(&self) {
        self.pace.tell();
        self.sink.flush(PATIENCE);
    }

    /// Number of lines are missing, and why.
    pub(crate) fn counters(&self) -> Vec<IntCounter> {
        vec![self.sink.lost.clone(), self.pace.left_out.clone()]
    }
}

/// The standard library's own hook writes to standard error, and waits for that.
fn panicked(info: &PanicHookInfo<'_>) {
    let why = info.payload();
    let why = why.downcast_ref::<String>().map(String::as_str);
    let why = why.or_else(|| info.payload().downcast_ref::<&str>().copied());
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(at, ?why, "a thread panicked");
}

/// How long the end of the process waits for its log.
const PATIENCE: Duration = Duration::from_secs(1);
