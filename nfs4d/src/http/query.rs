//! The fields of a query string.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use nfs4_admin::FieldFault;

use super::refusal::Refusal;

/// The fields of a query string that no handler has taken yet, and what was wrong with others.
#[derive(Debug, Default)]
pub(super) struct Fields {
    fields: Vec<(String, String)>,
    faults: Vec<FieldFault>,
}

impl Fields {
    /// Takes a field that `read` understands; what it says instead is reported by [`Fields::end`].
    pub(super) fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, FieldFault>,
    ) -> Option<T> {
        let place = self.fields.iter().position(|(field, _)| field == name)?;
        let (_, value) = self.fields.swap_remove(place);
        read(&value).map_err(|fault| self.faults.push(fault)).ok()
    }

    /// Takes a number between two others.
    pub(super) fn number(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        self.take(name, |text| {
            let number = u64::from_str(text).ok();
            number
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(|| {
                    let expected = format!("expected a number from {min} to {max}");
                    FieldFault::new(name, expected).with_range(min, max)
                })
        })
    }

    /// No more fields are known.
    ///
    /// # Errors
    /// Fields are unknown, given twice, or malformed.
    pub(super) fn end(mut self) -> Result<(), Refusal> {
        let left = self.fields.into_iter();
        let left = left.map(|(field, _)| FieldFault::new(field, "unknown here, or given twice"));
        self.faults.extend(left);
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Refusal::malformed(self.faults))
    }
}

/// Refuses a request with a query, which its route does not read: what a client asks for with it, perhaps a
/// condition, would not be done.
///
/// # Errors
/// There are fields.
pub(super) async fn none(
    fields: Fields,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    fields.end()?;
    Ok(next.run(request).await)
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Fields, Refusal> {
        let fields = Query::try_from_uri(&parts.uri);
        let Query(fields) =
            fields.map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why.body_text()))?;
        let faults = Vec::new();
        Ok(Fields { fields, faults })
    }
}
