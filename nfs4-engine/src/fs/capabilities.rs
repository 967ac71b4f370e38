//! The capabilities of a file system. [RFC 8881 §5.8]

/// The capabilities of a file system; the engine shows them to clients as attributes.
/// [RFC 8881 §5.8]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Maximum length of a file, in bytes.
    pub max_file_size: u64,
    /// The granularity of file times, in nanoseconds; at least 1 and at most one second.
    pub time_granularity: u32,
}
