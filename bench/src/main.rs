//! Load generator for NFSv4.1, and a comparison of servers: `nfs4-bench --help`.

mod artifact;
mod call;
mod channel;
mod cli;
mod compare;
mod cutter;
mod docs;
mod echo;
mod fault;
mod figures;
mod files;
mod lane;
mod line;
mod load;
mod machine;
mod measure;
mod mount;
mod outbox;
mod pin;
mod plain;
mod plot;
mod poller;
mod report;
mod serve;
mod slot;
#[cfg(test)]
mod smoke;
mod subject;
mod table;
mod usage;
mod workload;

use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::cli::{Cli, Command, Echo, LoadOptions};
use crate::fault::{At as _, Fault};
use crate::load::Load;
use crate::pin::pin;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Compare(options) => compare::run(&options),
        Command::Load(options) => load(&options),
        Command::Echo(options) => echo(&options),
        Command::Plain(options) => plain::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("nfs4-bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn echo(options: &Echo) -> Result<(), Fault> {
    let listener = TcpListener::bind(options.listen).at(options.listen)?;
    println!("echo at {}", listener.local_addr().at(options.listen)?);
    echo::serve(&listener)
}

/// Prints the figures of one load, one a line.
fn load(options: &LoadOptions) -> Result<(), Fault> {
    if let Some(processor) = options.processor {
        pin(processor)?;
    }
    let load = Load {
        server: options.server,
        process: options.process,
        layout: options.layout(),
        warm_up: Duration::from_secs_f64(options.seconds / 5.0),
        time: Duration::from_secs_f64(options.seconds),
    };
    let sample = load.run(options.workload)?;
    let (voluntary, involuntary) = sample.switches();
    println!("requests/s            {:12.0}", sample.rate());
    println!("data, MB/s            {:12.1}", sample.megabytes());
    if options.process.is_some() {
        println!("server, us/request    {:12.3}", sample.server_us());
        println!("server, processors    {:12.2}", sample.server_share());
        println!("voluntary switches    {voluntary:12.1} for 1000 requests");
        println!("involuntary switches  {involuntary:12.1} for 1000 requests");
    }
    println!("client, us/request    {:12.3}", sample.client_us());
    println!("other processors      {:12.2}", sample.others_share());
    for percent in [50.0, 90.0, 99.0, 99.9, 100.0] {
        let took = sample.percentile_us(percent);
        println!("latency, p{percent:<5}       {took:12.1} us");
    }
    println!("errors                {:12}", sample.failed());
    for (error, count) in &sample.errors {
        println!("  {count} x {error}");
    }
    if let Some(why) = sample.after {
        println!("after the load: {why}");
    }
    Ok(())
}
