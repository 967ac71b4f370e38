//! `GET /api/v1/openapi.json`: the description of all routes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use nfs4_admin::{FieldFault, Problem};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

use super::listing::JSON;

/// What the description says of no single route.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "nfs4d", description = "The administration interface of nfs4d. Errors are problem details. [RFC 9457]"),
    components(schemas(Problem, FieldFault)),
    modifiers(&Security),
    security(("token" = []), ()),
)]
struct Frame;

/// The token is needed where one is set.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The description without routes.
pub(super) fn frame() -> OpenApi {
    Frame::openapi()
}

/// The description as it is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Description(Arc<str>);

impl Description {
    pub(super) fn of(document: &OpenApi) -> serde_json::Result<Description> {
        Ok(Description(document.to_json()?.into()))
    }
}

/// This description.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", operation_id = "describe",
    responses((status = OK, description = "An OpenAPI document.", content_type = "application/json")),
)]
pub(super) async fn describe(State(description): State<Description>) -> Response {
    let text = description.0.to_string();
    ([(CONTENT_TYPE, JSON)], text).into_response()
}
