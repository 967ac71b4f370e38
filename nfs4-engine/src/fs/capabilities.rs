//! The capabilities of a file system. [RFC 8881 §5.8]

/// The capabilities of a file system; the engine shows them to clients as attributes.
/// [RFC 8881 §5.8]
///
/// ```
/// use nfs4_engine::fs::Capabilities;
///
/// let capabilities = Capabilities::default().with(|can| {
///     can.hard_links = true;
///     can.max_links = 1_000;
/// });
/// assert!(capabilities.hard_links && capabilities.symlinks);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// It has hard links.
    pub hard_links: bool,
    /// It has symbolic links.
    pub symlinks: bool,
    /// Names that differ only by case are the same.
    pub case_insensitive: bool,
    /// Names keep the case in which they were created.
    pub case_preserving: bool,
    /// Maximum length of a name, in bytes; the engine never asks for more than 255.
    pub max_name: u32,
    /// Maximum number of links to one object.
    pub max_links: u32,
    /// Maximum length of a file, in bytes. Clients are told; the file system refuses more itself,
    /// with [`FsError::TooLarge`](super::FsError::TooLarge).
    pub max_file_size: u64,
    /// The granularity of file times, in nanoseconds; at least 1 and at most one second.
    pub time_granularity: u32,
    /// The cookies of a directory's entries grow in the order of a listing. The engine then sees
    /// when the file system lists the same entries again, and no client lists for ever.
    pub ordered_cookies: bool,
    /// Processes that are no clients lock byte ranges too, and the file system has part in that: the
    /// engine asks it for every lock that a client gets ([`FsOp::Lock`](super::FsOp::Lock),
    /// [`FsOp::TestLock`](super::FsOp::TestLock)), and returns each
    /// ([`Backend::unlock`](super::Backend::unlock)). Else locks are between clients alone.
    pub local_locks: bool,
}

impl Capabilities {
    /// These capabilities, after `set` has set some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Capabilities)) -> Capabilities {
        set(&mut self);
        self
    }
}

impl Default for Capabilities {
    /// Those of a plain file system: names of up to 255 bytes that keep their case, files of up to
    /// 2^63 - 1 bytes, times in nanoseconds, symbolic links, and neither hard links nor locks of other processes.
    fn default() -> Capabilities {
        Capabilities {
            hard_links: false,
            symlinks: true,
            case_insensitive: false,
            case_preserving: true,
            max_name: 255,
            max_links: 1,
            max_file_size: i64::MAX as u64,
            time_granularity: 1,
            ordered_cookies: true,
            local_locks: false,
        }
    }
}
