//! An NFSv4 server that starts with one command.
//!
//! The binary is [`main`] and nothing else. The pieces are public, for programs that start a
//! server the same way.

#![forbid(unsafe_code)]

mod banner;
mod boot;
mod cli;
pub mod config;
mod fault;
mod metrics;
mod reach;
mod server;
mod signals;
mod size;

use std::process::ExitCode;

use clap::Parser as _;

pub use fault::Fault;
pub use reach::Reach;
pub use server::serve;
pub use size::{Size, SizeFault};

/// Reads the command line, serves until Ctrl-C or SIGTERM, and says how it went.
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    tracing_subscriber::fmt()
        .with_max_level(cli.log())
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match server::run(&cli.settings()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("nfs4d: {fault}");
            ExitCode::FAILURE
        }
    }
}
