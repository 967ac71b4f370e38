//! An NFSv4 server that starts with one command.
//!
//! The binary is [`main`] and nothing else. The pieces are public, for programs that start a
//! server the same way.

#![deny(unsafe_code)]

mod administration;
mod banner;
mod cli;
pub mod config;
mod descriptors;
mod fault;
mod http;
mod log;
mod memory;
mod reach;
mod server;
mod signals;
mod size;
mod started;
mod system;

use std::io::Write as _;
use std::process::ExitCode;

pub use fault::{Fault, TokenFault};
pub use nfs4_admin::client;
pub use reach::Reach;
pub use server::serve;
pub use size::{Size, SizeFault};

/// Reads the command line and serves until Ctrl-C or SIGTERM; returns the exit code.
pub fn main() -> ExitCode {
    let cli = cli::Cli::read();
    let (level, format) = cli.log();
    let log = match log::Log::start(level, format) {
        Ok(log) => log,
        Err(why) => {
            // Standard output may have no reader.
            let _ = writeln!(std::io::stderr(), "nfs4d: no log: {why}");
            return ExitCode::FAILURE;
        }
    };
    let ended = server::run(&cli.settings(), log.counters());
    if let Err(fault) = &ended {
        log.end(fault);
    }
    log.flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
