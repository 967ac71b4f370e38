//! What a file system can do. [RFC 8881 §5.8]

/// What a file system can do; the engine shows it to clients as attributes. [RFC 8881 §5.8]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Hard links.
    pub hard_links: bool,
    /// Symbolic links.
    pub symlinks: bool,
    /// Names that differ only by case are the same.
    pub case_insensitive: bool,
    /// Names keep the case they were given.
    pub case_preserving: bool,
    /// The longest name, in bytes; at most 255 are ever asked for.
    pub max_name: u32,
    /// The most links to one object.
    pub max_links: u32,
    /// The largest file, in bytes.
    pub max_file_size: u64,
    /// The granularity of file times, in nanoseconds; at least 1 and at most one second.
    pub time_granularity: u32,
}
