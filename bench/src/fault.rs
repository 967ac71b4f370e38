//! Why something could not be measured.

use std::fmt::{self, Display};

/// A reason in words, outermost part first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(String);

impl Fault {
    pub(crate) fn new(reason: impl Into<String>) -> Fault {
        Fault(reason.into())
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says at what something failed.
pub(crate) trait At<T> {
    /// # Errors
    /// The error, with `what` in front of it.
    fn at(self, what: impl Display) -> Result<T, Fault>;
}

impl<T, E: Display> At<T> for Result<T, E> {
    fn at(self, what: impl Display) -> Result<T, Fault> {
        self.map_err(|why| Fault(format!("{what}: {why}")))
    }
}
