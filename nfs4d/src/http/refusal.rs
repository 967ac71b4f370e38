//! Why a request is refused, as `application/problem+json`. [RFC 9457]

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use nfs4_admin::{FieldFault, Problem};
use nfs4_driver::{AdminError, EngineDead};
use nfs4_engine::AdminFault;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldFault>,
    /// Name and value of a header.
    header: Option<(&'static str, &'static str)>,
}

/// Any refusal, in the description of a route.
#[derive(utoipa::IntoResponses)]
#[response(
    status = "default",
    description = "The request is refused, and has changed nothing.",
    content_type = "application/problem+json"
)]
#[expect(dead_code, reason = "it is only described")]
pub(crate) struct Refused(Problem);

impl Refusal {
    /// A request that is refused with this status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            header: None,
        }
    }

    /// The server has a fault of its own.
    pub(crate) fn internal(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, detail)
    }

    /// A part of the path, or fields of the query, are malformed.
    pub(crate) fn malformed(errors: Vec<FieldFault>) -> Refusal {
        Refusal::of_fields(StatusCode::BAD_REQUEST, errors)
    }

    /// Fields are wrong, and the status says how.
    pub(crate) fn of_fields(status: StatusCode, mut errors: Vec<FieldFault>) -> Refusal {
        errors.truncate(MOST_ERRORS);
        let each = errors.iter();
        let each: Vec<_> = each
            .map(|fault| format!("{}: {}", fault.field, fault.detail))
            .collect();
        Refusal::new(status, each.join("; ")).with_errors(errors)
    }

    /// It with the fields that are wrong, or the first of very many.
    pub(crate) fn with_errors(mut self, mut errors: Vec<FieldFault>) -> Refusal {
        errors.truncate(MOST_ERRORS);
        self.errors = errors;
        self
    }

    /// It with a header.
    pub(crate) fn with_header(mut self, name: &'static str, value: &'static str) -> Refusal {
        self.header = Some((name, value));
        self
    }
}

/// Maximum number of faults that an answer names: more than there are settings.
const MOST_ERRORS: usize = 64;

/// There is no such route.
pub(super) async fn no_route(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is nothing at {}", uri.path()))
}

/// There is such a route, and not this method; the router names those that there are.
pub(super) async fn no_method(method: Method, uri: Uri) -> Refusal {
    let detail = format!("{} does not take {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let problem =
            Problem::new(self.status.as_u16(), title, self.detail).with_errors(self.errors);
        let mut response = (self.status, Json(problem)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        if let Some((name, value)) = self.header {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        response
    }
}

impl From<PathRejection> for Refusal {
    fn from(why: PathRejection) -> Refusal {
        Refusal::new(why.status(), why.body_text())
    }
}

impl From<EngineDead> for Refusal {
    fn from(dead: EngineDead) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, dead.to_string())
    }
}

impl From<AdminError> for Refusal {
    fn from(why: AdminError) -> Refusal {
        let status = match &why {
            AdminError::Fault(AdminFault::Settings(_) | AdminFault::Exports(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            AdminError::Fault(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal::new(status, why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_does_not_grow_with_the_faults_of_a_request() {
        let faults = vec![FieldFault::new("x", "unknown"); 6_000];
        let status = StatusCode::BAD_REQUEST;
        let refusals = [
            Refusal::malformed(faults.clone()),
            Refusal::new(status, "").with_errors(faults),
        ];
        for refusal in refusals {
            assert_eq!(refusal.errors.len(), MOST_ERRORS);
            assert!(refusal.detail.len() < 1_000);
        }
    }
}
