//! `/api/v1/clients/{client_id}/sessions` and `/api/v1/sessions`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use nfs4_admin::Session;
use nfs4_driver::Node;
use nfs4_engine::Admin;
use nfs4_engine::snapshot::SessionView;

use super::clients;
use super::listing::{LAST_CURSOR, Part, PartParams, Table, of_engine};
use super::path::{self, Path};
use super::query::Fields;
use super::refusal::{Refusal, Refused};

/// The sessions of all clients, with their connections.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "sessions", operation_id = "list_sessions",
    params(PartParams),
    responses(
        (status = OK, description = "Sessions.", body = Vec<Session>, headers(("Link" = String, description = "the next page, if there is one"))),
        Refused,
    ),
)]
pub(super) async fn list(
    State(node): State<Node>,
    mut fields: Fields,
    uri: Uri,
) -> Result<Response, Refusal> {
    let part = Part::take(&mut fields, LAST_CURSOR);
    fields.end()?;
    let table = Table {
        read: move |from, max| of_engine(from, |from| node.sessions(from, max)),
        wanted: |_: &SessionView| true,
    };
    table.answer(part, &uri).await
}

/// The sessions of a client, with their connections.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/sessions", tag = "sessions", operation_id = "list_sessions_of_client",
    params(("client_id" = String, Path, description = "16 hexadecimal digits")),
    responses((status = OK, description = "Sessions.", body = Vec<Session>), Refused),
)]
pub(super) async fn of_client(
    State(node): State<Node>,
    Path(id): Path<String>,
) -> Result<Json<Vec<SessionView>>, Refusal> {
    let id = path::client(&id)?;
    let sessions = node.sessions_of(id)?;
    sessions.map(Json).ok_or_else(|| clients::unknown(id))
}

/// A session of a client.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/sessions/{session_id}", tag = "sessions", operation_id = "get_session",
    params(
        ("client_id" = String, Path, description = "16 hexadecimal digits"),
        ("session_id" = String, Path, description = "32 hexadecimal digits"),
    ),
    responses((status = OK, description = "The session.", body = Session), Refused),
)]
pub(super) async fn show(
    State(node): State<Node>,
    Path((client, session)): Path<(String, String)>,
) -> Result<Json<SessionView>, Refusal> {
    find(&node, &client, &session).map(Json)
}

/// Destroys a session, whatever runs in it. Its client stays, with all its other state.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}/sessions/{session_id}", tag = "sessions",
    operation_id = "destroy_session",
    params(
        ("client_id" = String, Path, description = "16 hexadecimal digits"),
        ("session_id" = String, Path, description = "32 hexadecimal digits"),
    ),
    responses((status = NO_CONTENT, description = "The session is gone."), Refused),
)]
pub(super) async fn destroy(
    State(node): State<Node>,
    Path((client, session)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    // A session never changes its client, and its id is not used again.
    let session = find(&node, &client, &session)?.session_id;
    node.admin(Admin::DestroySession { session })?;
    Ok(StatusCode::NO_CONTENT)
}

fn find(node: &Node, client: &str, session: &str) -> Result<SessionView, Refusal> {
    let client_id = path::client(client)?;
    let session_id = path::session(session)?;
    let view = node.session(&session_id)?;
    view.filter(|view| view.client_id == client_id)
        .ok_or_else(|| {
            let (client, session) = (client.to_lowercase(), session.to_lowercase());
            Refusal::not_found(format!("client {client} has no session {session}"))
        })
}
