//! What is logged, and how.

use clap::{Args, ValueEnum};

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
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}
