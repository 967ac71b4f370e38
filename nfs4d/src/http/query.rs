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
    fn read(fields: Vec<(String, String)>) -> Fields {
        // What is not UTF-8 has become this character.
        let (lossy, fields): (Vec<_>, Vec<_>) = fields
            .into_iter()
            .partition(|(name, value)| [name, value].iter().any(|text| text.contains('\u{fffd}')));
        let lossy = lossy.into_iter();
        let faults = lossy.map(|(name, _)| FieldFault::new(name, "is not UTF-8"));
        Fields {
            fields,
            faults: faults.collect(),
        }
    }

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
        Ok(Fields::read(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_utf_8_is_refused() {
        let query = "/clients?owner=%ff&limit=7".parse().unwrap();
        let Query(fields) = Query::try_from_uri(&query).unwrap();
        let mut fields = Fields::read(fields);
        assert_eq!(fields.number("limit", 1, 10), Some(7));
        assert_eq!(fields.take("owner", |text| Ok(text.to_owned())), None);
        assert!(fields.end().is_err());
    }
}
