//! What is wrong with an export.

use std::fmt;

use nfs4_admin::FieldFault;

/// An option that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The option, or the name that is none.
    pub(crate) field: String,
    /// What is wrong about it.
    pub(crate) detail: String,
    /// It is the name that is wrong.
    unknown: bool,
}

impl Wrong {
    /// An option whose value is wrong.
    pub(super) fn new(field: impl Into<String>, detail: impl Into<String>) -> Wrong {
        Wrong {
            field: field.into(),
            detail: detail.into(),
            unknown: false,
        }
    }

    /// A name that is no option.
    pub(super) fn unknown(field: String, detail: String) -> Wrong {
        Wrong {
            field,
            detail,
            unknown: true,
        }
    }
}

/// As a configuration file has it.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joint = if self.unknown { ": " } else { " " };
        write!(f, "export.{}{joint}{}", self.field, self.detail)
    }
}

impl From<Wrong> for FieldFault {
    fn from(wrong: Wrong) -> FieldFault {
        FieldFault::new(wrong.field.replace('"', ""), wrong.detail)
    }
}
