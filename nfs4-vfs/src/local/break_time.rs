//! How long the kernel lets processes wait for leases.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

/// The kernel's setting, which stays open: that descriptors run out does not hide it.
#[derive(Debug)]
pub(super) struct BreakTime(File);

impl BreakTime {
    /// Opens the setting.
    ///
    /// # Errors
    /// `/proc` is not there, or there is no descriptor.
    pub(super) fn open() -> io::Result<BreakTime> {
        let setting = BreakTime(File::open("/proc/sys/fs/lease-break-time")?);
        setting.read().ok_or(io::ErrorKind::InvalidData)?;
        Ok(setting)
    }

    /// The time, as it is now; the shortest if the setting cannot be read.
    pub(super) fn get(&self) -> Duration {
        self.read().unwrap_or_default()
    }

    /// How long a process waits before the kernel lets it go on, less what a revocation needs.
    pub(super) fn patience(&self) -> Duration {
        let whole = self.get();
        whole - MARGIN.min(whole / 4)
    }

    fn read(&self) -> Option<Duration> {
        let mut text = [0; 32];
        let len = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..len)?).ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Time for a revocation before the kernel ends the lease by itself.
const MARGIN: Duration = Duration::from_secs(1);
