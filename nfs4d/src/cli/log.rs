//! What is logged, and how.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::Settings;
use crate::log::Format;

/// The flags of the log.
#[derive(Clone, Debug, Args)]
pub(crate) struct LogFlags {
    /// The lowest level that is logged to standard error
    #[arg(
        long = "log",
        value_name = "LEVEL",
        default_value = "info",
        help_heading = "Log"
    )]
    log_level: Level,

    /// How a line of the log is written
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Log"
    )]
    log_format: Format,

    /// Time after which a request or a callback is logged as slow, in milliseconds; 0 for never
    ///
    /// It is logged while it still waits, with its client and what it waits for, and once more at its end;
    /// of one address 4 in ten seconds, of all 20, and the number of the others.
    #[arg(
        long,
        value_name = "MILLISECONDS",
        default_value_t = default_slow_request(),
        allow_hyphen_values = true,
        value_parser = millis,
        help_heading = "Log"
    )]
    slow_request_ms: u64,
}

impl LogFlags {
    pub(super) fn level(&self) -> tracing::Level {
        match self.log_level {
            Level::Error => tracing::Level::ERROR,
            Level::Warn => tracing::Level::WARN,
            Level::Info => tracing::Level::INFO,
            Level::Debug => tracing::Level::DEBUG,
            Level::Trace => tracing::Level::TRACE,
        }
    }

    pub(super) fn format(&self) -> Format {
        self.log_format
    }

    pub(super) fn slow_request(&self) -> Duration {
        Duration::from_millis(self.slow_request_ms)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

fn default_slow_request() -> u64 {
    let default = Settings::default().slow_request.as_millis();
    u64::try_from(default).unwrap_or(u64::MAX)
}

fn millis(text: &str) -> Result<u64, String> {
    let number = text.parse().ok();
    number.filter(|millis| *millis <= LONGEST).ok_or_else(|| {
        format!(
            "expected a whole number of milliseconds from 0 to {LONGEST} without a unit, as in 1000"
        )
    })
}

/// Maximum that the engine accepts, in milliseconds.
const LONGEST: u64 = 3_600_000;
