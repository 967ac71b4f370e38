//! What a process has used of the machine, all its threads together.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Counters since the start of a process, or what was added to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Time on a processor, in the kernel too.
    pub(crate) cpu: Duration,
    /// Context switches because a thread waited.
    pub(crate) voluntary: u64,
    /// Context switches because another thread was to run.
    pub(crate) involuntary: u64,
}

impl Usage {
    /// The counters of the threads that a process has now, as `/proc` shows them.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn of(process: u32) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may end while its neighbours are read.
            let Ok(of_thread) = Usage::of_thread(&thread?.path()) else {
                continue;
            };
            usage.cpu += of_thread.cpu;
            usage.voluntary += of_thread.voluntary;
            usage.involuntary += of_thread.involuntary;
        }
        Ok(usage)
    }

    /// What was added since.
    pub(crate) fn since(&self, before: &Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(before.cpu),
            voluntary: self.voluntary.saturating_sub(before.voluntary),
            involuntary: self.involuntary.saturating_sub(before.involuntary),
        }
    }

    fn of_thread(folder: &Path) -> io::Result<Usage> {
        let schedstat = fs::read_to_string(folder.join("schedstat"))?;
        let status = fs::read_to_string(folder.join("status"))?;
        Ok(Usage {
            cpu: running(&schedstat).ok_or(io::ErrorKind::InvalidData)?,
            voluntary: field(&status, "voluntary_ctxt_switches:").unwrap_or(0),
            involuntary: field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0),
        })
    }
}

/// The time on a processor; the first number of `schedstat` is in nanoseconds.
fn running(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().parse().ok()
}

/// The time that all processors of the machine have worked since its start.
pub(crate) fn machine() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    busy(&stat).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// User, nice, system, irq and softirq of the line `cpu`, in ticks of 10 ms.
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
    let ticks = ticks.get(..7)?;
    let busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
    Some(Duration::from_millis(10 * busy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_proc() {
        assert_eq!(running("1500 27 3\n"), Some(Duration::from_nanos(1_500)));
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(12));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), Some(3));
        let stat = "cpu  100 1 20 5000 7 2 3 9 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy(stat), Some(Duration::from_millis(1_260)));
    }

    #[test]
    fn this_process_uses_time() {
        let before = Usage::of(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while Usage::of(std::process::id()).unwrap().since(&before).cpu < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(machine().unwrap() > Duration::ZERO);
    }
}
