//! Why a request was refused.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request was refused, as `application/problem+json`. [RFC 9457]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// What HTTP calls the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong with this request.
    pub detail: String,
    /// The fields that were wrong; empty if it was none of them.
    pub errors: Vec<FieldFault>,
}

/// A field that was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct FieldFault {
    /// The name of the field.
    pub field: String,
    /// What was wrong.
    pub detail: String,
    /// The least allowed value, where there is one.
    pub min: Option<u64>,
    /// The greatest allowed value, where there is one.
    pub max: Option<u64>,
}

impl FieldFault {
    /// What was wrong with a field.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> FieldFault {
        FieldFault {
            field: field.into(),
            detail: detail.into(),
            min: None,
            max: None,
        }
    }

    /// It with the least and the greatest allowed value.
    #[must_use]
    pub fn with_range(mut self, min: u64, max: u64) -> FieldFault {
        (self.min, self.max) = (Some(min), Some(max));
        self
    }
}

impl Problem {
    /// A problem that is not one of fields.
    pub fn new(status: u16, title: impl Into<String>, detail: impl Into<String>) -> Problem {
        Problem {
            kind: "about:blank".to_owned(),
            title: title.into(),
            status,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// It with the fields that were wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldFault>) -> Problem {
        self.errors = errors;
        self
    }
}

/// The reason, and the faults of the fields that the reason does not name.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.detail.is_empty() {
            &self.title
        } else {
            &self.detail
        })?;
        for fault in &self.errors {
            if !self.detail.contains(&fault.detail) {
                write!(f, "; {}: {}", fault.field, fault.detail)?;
            }
        }
        Ok(())
    }
}
