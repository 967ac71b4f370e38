//! How much memory a process has.

use std::fmt;

use crate::counting::live_bytes;

/// What a process holds at some time, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Pages in memory, as the system counts them.
    pub resident: u64,
    /// Bytes that this process has asked for and not given back; 0 for another process, or if
    /// [`Counting`](crate::counting::Counting) is not the allocator.
    pub live: i64,
}

impl Memory {
    /// Of this process, clients included.
    pub fn now() -> Memory {
        Memory {
            live: live_bytes(),
            ..Memory::of("self")
        }
    }

    /// Of another process.
    pub fn of_process(id: u32) -> Memory {
        Memory::of(&id.to_string())
    }

    fn of(process: &str) -> Memory {
        let path = format!("/proc/{process}/status");
        let text = std::fs::read_to_string(path).expect("the process runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib
            .and_then(|number| number.trim().parse().ok())
            .expect("kibibytes");
        Memory {
            resident: kib << 10,
            live: 0,
        }
    }
}

/// In mebibytes.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        write!(f, "{:.1}", mib(self.resident as f64))?;
        if self.live != 0 {
            write!(f, " ({:.1} live)", mib(self.live as f64))?;
        }
        f.write_str(" MiB")
    }
}
