//! Log lines on their way to standard error.
//!
//! A thread that logs appends a line in memory, and another thread writes it. A file that is slow,
//! full or closed costs lines, which are counted, and does not stop the server. Times are UTC.

mod json;
mod pace;
mod sink;

use std::fmt::Display;
use std::io;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use prometheus::IntCounter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use json::Json;
use pace::Pace;
use sink::Sink;

/// The log of this process.
pub(crate) struct Log {
    sink: Arc<Sink>,
    pace: Arc<Pace>,
    format: Format,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Time, level, place in the program, message and fields, for people
    #[default]
    Text,
    /// One object a line, for programs
    Json,
}

impl Log {
    /// Sends lines of this level and above to standard error from now on, in this format, and turns panics of
    /// threads into lines.
    ///
    /// # Errors
    /// The thread that writes them does not start, or the process has a log already.
    pub(crate) fn start(level: tracing::Level, format: Format) -> io::Result<Log> {
        let sink = Arc::new(Sink::new()?);
        let pace = Arc::new(Pace::new(Arc::clone(&sink))?);
        Sink::start(&sink, io::stderr(), {
            let pace = Arc::clone(&pace);
            move || pace.tell()
        })?;
        let lines = SubscriberBuilder::default()
            .with_max_level(level)
            .with_writer(Arc::clone(&sink))
            .with_ansi(false)
            // Such errors would go straight to standard error.
            .log_internal_errors(false);
        let layer = Arc::clone(&pace).layer();
        match format {
            Format::Text => lines.finish().with(layer).try_init(),
            Format::Json => lines.event_format(Json).finish().with(layer).try_init(),
        }
        .map_err(io::Error::other)?;
        std::panic::set_hook(Box::new(panicked));
        Ok(Log { sink, pace, format })
    }

    /// Says why the server ends, which a person may have asked for at a terminal.
    pub(crate) fn end(&self, why: &dyn Display) {
        match self.format {
            Format::Text => self.sink.put(format!("nfs4d: {why}\n").as_bytes()),
            Format::Json => tracing::error!(%why, "the server has ended"),
        }
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
