//! A fault of a configuration file, as the administrator reads it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A fault of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileFault {
    path: PathBuf,
    /// From 1 on; none if it is the file itself.
    line: Option<usize>,
    detail: String,
}

impl FileFault {
    /// A fault of a file that cannot be read.
    pub(super) fn of_file(path: &Path, detail: impl Into<String>) -> FileFault {
        FileFault {
            path: path.to_owned(),
            line: None,
            detail: detail.into(),
        }
    }

    /// A fault in a line of a file.
    pub(super) fn at(path: &Path, line: usize, detail: impl Into<String>) -> FileFault {
        FileFault {
            line: Some(line),
            ..FileFault::of_file(path, detail)
        }
    }

    /// The line, from 1 on; none if it is the file itself.
    pub(super) fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.detail)
    }
}
