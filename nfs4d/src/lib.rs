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
mod exports;
mod fault;
mod folder;
mod hand_over;
mod http;
mod listen;
mod lock;
mod log;
mod machine;
mod memory;
mod protocol;
mod reach;
mod reload;
mod server;
mod service;
mod settings;
mod signals;
mod size;
pub mod stable;
mod started;
mod state_dir;
mod system;

use std::io::Write as _;
use std::process::ExitCode;

pub use exports::GivenExports;
pub use fault::{Fault, TokenFault};
pub use nfs4_admin::client;
pub use reach::Reach;
pub use server::serve;
pub use service::SocketFault;
pub use settings::{Given, StoreFault};
pub use size::{Size, SizeFault};

use service::Service;

/// Reads the command line and serves until Ctrl-C or SIGTERM; returns the exit code.
pub fn main() -> ExitCode {
    let start = match cli::ask() {
        cli::Asked::Serve(start) => start,
        cli::Asked::Checked(path, needs) => {
            cli::Asked::say_checked(&path, needs);
            return ExitCode::SUCCESS;
        }
        cli::Asked::Written => return ExitCode::SUCCESS,
        cli::Asked::NotWritten(why) => {
            let _ = writeln!(std::io::stderr(), "nfs4d: {why}");
            return ExitCode::FAILURE;
        }
        cli::Asked::Wrong(faults) => {
            // Standard error may have no reader.
            let _ = writeln!(std::io::stderr(), "{}", faults.join("\n"));
            return ExitCode::from(WRONG);
        }
    };
    let (level, format) = start.log;
    let log = match log::Log::start(level, format) {
        Ok(log) => log,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "nfs4d: no log: {why}");
            return ExitCode::FAILURE;
        }
    };
    let ended = Service::of_environment()
        .map_err(Fault::from)
        .and_then(|service| {
            let notify = service.notify.clone();
            server::run(*start, service, log.counters())
                .inspect_err(|fault| notify.status(&fault.to_string()))
        });
    if let Err(fault) = &ended {
        log.end(fault);
    }
    log.flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => ExitCode::from(fault.exit_code()),
    }
}

/// The exit code when the configuration file is wrong, as it is of a wrong command line.
const WRONG: u8 = 2;
