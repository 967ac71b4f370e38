//! The command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::mount::Layout;
use crate::subject::Subject;
use crate::workload::Workload;

/// Puts load on servers of NFSv4.1 and measures what it costs them.
#[derive(Debug, Parser)]
#[command(name = "nfs4-bench")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compares nfs4d with other servers and with an echo server, in turn, on this machine
    Compare(Compare),
    /// Puts load on one server
    Load(LoadOptions),
    /// Serves echoes: replies as long as the calls ask for
    Echo(Echo),
    /// Serves echoes, and makes for each the system call on a file that it asks for
    Plain(Plain),
}

#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// How often each server is measured; figures are medians
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,

    /// How long each measurement takes, after a fifth of it to warm up
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    pub(crate) seconds: f64,

    /// The workloads; all if not given
    #[arg(long, value_delimiter = ',')]
    pub(crate) workloads: Vec<Workload>,

    /// The servers; all if not given
    #[arg(long, value_delimiter = ',')]
    pub(crate) subjects: Vec<Subject>,

    /// Rounds of the curves against connections and slots; 0 for no curves
    #[arg(long, default_value_t = 3)]
    pub(crate) curve_rounds: usize,

    /// The workload of the curves
    #[arg(long, default_value = "getattr")]
    pub(crate) curve_workload: Workload,

    /// The nfs4d to measure; built if not given
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) nfs4d: Option<PathBuf>,

    /// A folder for the files of servers of real directories; the default is on a tmpfs
    #[arg(long, value_name = "FOLDER", default_value = "/dev/shm")]
    pub(crate) files: PathBuf,

    /// The processor of the servers; the last one if not given
    #[arg(long)]
    pub(crate) server_processor: Option<usize>,

    /// The processor of the load; the first one if not given
    #[arg(long)]
    pub(crate) client_processor: Option<usize>,

    /// Where report.json, report.md and the plots are written; bench/target/report if not given
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,

    /// Writes the tables and plots into docs/performance.md and README.md too
    #[arg(long)]
    pub(crate) docs: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LoadOptions {
    /// What is asked for
    pub(crate) workload: Workload,

    /// The server
    #[arg(long, value_name = "ADDR:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 20_490)))]
    pub(crate) server: SocketAddr,

    /// The server's process, to measure what it uses
    #[arg(long, value_name = "PID")]
    pub(crate) process: Option<u32>,

    /// Connections
    #[arg(long, default_value_t = 4, value_parser = number)]
    pub(crate) connections: usize,

    /// Sessions that the connections are bound to in turn; one for each connection if not given
    #[arg(long, value_parser = number)]
    pub(crate) sessions: Option<usize>,

    /// Slots in flight on each connection
    #[arg(long, default_value_t = 32, value_parser = number)]
    pub(crate) depth: usize,

    /// How long to measure, after a fifth of it to warm up
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    pub(crate) seconds: f64,

    /// The processor of the load
    #[arg(long)]
    pub(crate) processor: Option<usize>,
}

#[derive(Args, Debug)]
pub(crate) struct Echo {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
}

#[derive(Args, Debug)]
pub(crate) struct Plain {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,

    /// The file, which is made anew
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

impl LoadOptions {
    pub(crate) fn layout(&self) -> Layout {
        let sessions = self.sessions.unwrap_or(self.connections);
        Layout {
            connections: self.connections,
            sessions: sessions.min(self.connections),
            depth: self.depth,
        }
    }
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (1..=1_024).contains(number));
    number.ok_or_else(|| "expected a number from 1 to 1024".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds| (0.05..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| "expected a number of seconds from 0.05 to 3600".to_owned())
}
