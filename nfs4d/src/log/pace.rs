//! Limits the rate of log lines: lines that clients can cause at will must not fill a disk.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use prometheus::IntCounter;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::sink::Sink;

/// Lets through a burst of each kind of line, and then a few in a second. A kind is one place of the
/// program. Lines of DEBUG and TRACE all pass: the administrator has asked for them.
pub(super) struct Pace {
    kinds: Mutex<HashMap<Identifier, Kind>>,
    sink: Arc<Sink>,
    /// Number of lines that did not pass.
    pub(super) left_out: IntCounter,
}

struct Kind {
    level: Level,
    /// Lines that may pass at `since`.
    allowed: f64,
    since: Instant,
    /// Number of lines that did not pass and are not reported yet.
    left_out: u64,
    /// The text of the first of them.
    text: String,
}

/// The layer of a subscriber.
pub(super) struct Layered(Arc<Pace>);

impl Pace {
    pub(super) fn new(sink: Arc<Sink>) -> io::Result<Pace> {
        let left_out = IntCounter::new(
            "nfs4_nfs_log_lines_left_out_total",
            "Log lines left out because too many of their kind came.",
        );
        Ok(Pace {
            kinds: Mutex::default(),
            sink,
            left_out: left_out.map_err(io::Error::other)?,
        })
    }

    pub(super) fn layer(self: Arc<Pace>) -> Layered {
        Layered(self)
    }

    /// Logs how many lines were left out since the last time; returns whether there may be more.
    pub(super) fn tell(&self) -> bool {
        let mut told = Vec::new();
        for kind in self.lock().values_mut() {
            if kind.left_out > 0 {
                let text = std::mem::take(&mut kind.text);
                told.push((kind.level, std::mem::take(&mut kind.left_out), text));
            }
        }
        for (level, lines, like) in &told {
            match *level {
                Level::ERROR => {
                    tracing::error!(lines, like, "log lines were left out, too many of a kind");
                }
                Level::WARN => {
                    tracing::warn!(lines, like, "log lines were left out, too many of a kind");
                }
                _ => tracing::info!(lines, like, "log lines were left out, too many of a kind"),
            }
        }
        !told.is_empty()
    }

    fn passes(&self, event: &Event<'_>, now: Instant) -> bool {
        let metadata = event.metadata();
        // Reports of missing lines are few.
        if *metadata.level() > Level::INFO || metadata.target().starts_with(OWN) {
            return true;
        }
        let mut kinds = self.lock();
        let kind = kinds.entry(metadata.callsite()).or_insert_with(|| Kind {
            level: *metadata.level(),
            allowed: BURST,
            since: now,
            left_out: 0,
            text: String::new(),
        });
        let gained = now.saturating_duration_since(kind.since).as_secs_f64() * PER_SECOND;
        (kind.allowed, kind.since) = ((kind.allowed + gained).min(BURST), now);
        if kind.allowed >= 1.0 {
            kind.allowed -= 1.0;
            return true;
        }
        kind.left_out += 1;
        let is_first = kind.left_out == 1;
        if is_first {
            event.record(&mut Message(&mut kind.text));
        }
        drop(kinds);
        self.left_out.inc();
        if is_first {
            self.sink.ask();
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Identifier, Kind>> {
        // No panic leaves the value inconsistent.
        self.kinds
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<S: Subscriber> Layer<S> for Layered {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.0.passes(event, Instant::now())
    }
}

/// Takes the text of an event, without its fields.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
        }
    }
}

/// The modules that report missing lines.
const OWN: &str = "nfs4d::log::";
/// Maximum number of lines of a kind at once.
const BURST: f64 = 100.0;
/// Maximum number in a second after that.
const PER_SECOND: f64 = 10.0;
