//! Looks into a running `nfs4d` and steers it, by the administration interface.
//!
//! The binary is [`main`] and nothing else.

#![forbid(unsafe_code)]

mod cli;
mod confirm;
mod export_flags;
mod fault;
mod figures;
mod generate;
mod ids;
mod number;
mod output;
mod settings_flags;
mod table;
mod text;
mod top;
mod verbs;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use nfs4_admin::client::Server;

use self::cli::{Cli, Common, Verb};
use self::fault::Fault;
use self::output::Output;

/// Reads the command line and carries it out; returns the exit code.
pub fn main() -> ExitCode {
    let Cli { common, verb } = Cli::parse();
    match run(&common, verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) if fault.is_closed_pipe() => ExitCode::SUCCESS,
        Err(fault) => {
            let told = format!("nfs4ctl: {fault}");
            // Standard error may have no reader.
            let _ = writeln!(std::io::stderr(), "{}", text::printable_lines(&told));
            ExitCode::from(fault.code())
        }
    }
}

fn run(common: &Common, verb: Verb) -> Result<(), Fault> {
    let verb = match verb {
        Verb::Completions { shell } => return generate::completions(shell),
        Verb::Man { directory } => return generate::man_pages(&directory),
        served => served,
    };
    let mut server = Server::new(common.server.clone()).with_timeout(common.timeout());
    if let Some(token) = common.token()? {
        server = server.with_token(&token)?;
    }
    let mut output = Output::to_stdout(common.output);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::System)?;
    let ended = runtime.block_on(verbs::carry_out(&server, &mut output, verb));
    // A thread may wait for a key that never comes.
    runtime.shutdown_background();
    ended
}
