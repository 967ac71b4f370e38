//! Why a request is refused, as `application/problem+json`. [RFC 9457]

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
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
}

impl Refusal {
    /// A request that is refused with this status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal {
            status,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// The server has a fault of its own.
    pub(crate) fn internal(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// It with the fields that are wrong.
    pub(crate) fn with_errors(mut self, errors: Vec<FieldFault>) -> Refusal {
        self.errors = errors;
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or_default();
        let problem =
            Problem::new(self.status.as_u16(), title, self.detail).with_errors(self.errors);
        let mut response = (self.status, Json(problem)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
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
            AdminError::Fault(AdminFault::Settings(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            AdminError::Fault(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal::new(status, why.to_string())
    }
}
