//! An `nfs4d` that is looked at from outside.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Memory;

/// A child process; killed at the latest when dropped.
pub struct Daemon {
    child: Child,
    /// Where it serves.
    pub address: SocketAddr,
    metrics: SocketAddr,
}

impl Daemon {
    /// Starts it on free ports, with this lease in seconds. Its log is this process's.
    ///
    /// # Errors
    /// It does not start, or says nothing of where it listens.
    pub fn start(nfs4d: &Path, driver: &str, lease: u64) -> io::Result<Daemon> {
        let lease = lease.to_string();
        let arguments = [
            "--driver",
            driver,
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
            "--grace-time",
            "0",
            "--lease-time",
            &lease,
            "--memory",
            "256M",
            "--log",
            "warn",
        ];
        let mut child = Command::new(nfs4d)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("it is piped");
        let mut banner = String::new();
        let mut stdout = BufReader::new(stdout);
        while !banner.contains("Ctrl-C stops it") {
            if stdout.read_line(&mut banner)? == 0 {
                return Err(io::Error::other(format!("nfs4d ended early: {banner}")));
            }
        }
        let after = |text: &str, end: char| {
            let rest = banner.split(text).nth(1);
            let found = rest.and_then(|rest| rest.split(end).next()?.parse().ok());
            found.ok_or_else(|| io::Error::other("the banner does not say where"))
        };
        Ok(Daemon {
            address: after("listens on ", ';')?,
            metrics: after("is at http://", '/')?,
            child,
        })
    }

    /// What it has of the system's memory, in bytes.
    pub fn resident(&self) -> u64 {
        Memory::of_process(self.child.id()).resident
    }

    /// Seconds of processor time that it has used.
    pub fn worked(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(path).expect("the process runs");
        let fields = text.rsplit(')').next().expect("fields").split_whitespace();
        let ticks = fields.skip(11).take(2).map(|field| field.parse::<f64>());
        ticks.map(|ticks| ticks.expect("ticks")).sum::<f64>() / TICKS
    }

    /// The tables that are not empty, as `/metrics` shows them.
    ///
    /// # Errors
    /// It does not answer.
    pub fn tables(&self) -> io::Result<BTreeMap<String, u64>> {
        let mut stream = TcpStream::connect(self.metrics)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let mut tables = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("nfs4_nfs_table_entries{table=\"") else {
                continue;
            };
            let (table, entries) = rest.split_once("\"} ").expect("a name and a number");
            let entries: u64 = entries.parse().expect("a number");
            if entries > 0 {
                tables.insert(table.to_owned(), entries);
            }
        }
        if !text.contains("nfs4_nfs_table_entries") {
            return Err(io::Error::other(format!("no tables in {text}")));
        }
        Ok(tables)
    }

    /// SIGTERM; how it ends.
    ///
    /// # Errors
    /// It does not end in time, or not well.
    pub fn stop(mut self) -> io::Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait()? {
                return match status.success() {
                    true => Ok(()),
                    false => Err(io::Error::other(format!("nfs4d ended with {status}"))),
                };
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::other("nfs4d does not end"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What Linux counts processor time in, a second: `USER_HZ`.
const TICKS: f64 = 100.0;
