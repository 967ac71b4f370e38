//! `/api/v1/connections`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use nfs4_admin::Connection;
use nfs4_driver::{EngineDead, Node};
use nfs4_engine::snapshot::ConnectionInfo;
use nfs4_engine::{Admin, ConnId};

use super::listing::{Part, PartParams, RowsFrom, Table};
use super::path::{self, Path};
use super::query::Fields;
use super::refusal::{Refusal, Refused};

/// All connections, whether they serve a session or not.
#[utoipa::path(
    get, path = "/api/v1/connections", tag = "connections", operation_id = "list_connections",
    params(PartParams),
    responses(
        (status = OK, description = "Connections.", body = Vec<Connection>, headers(("Link" = String, description = "the next page, if there is one"))),
        Refused,
    ),
)]
pub(super) async fn list(
    State(node): State<Node>,
    mut fields: Fields,
    uri: Uri,
) -> Result<Response, Refusal> {
    let part = Part::take(&mut fields, u64::MAX);
    fields.end()?;
    let table = Table {
        read: move |from, max| page(&node, from, max),
        wanted: |_: &ConnectionInfo| true,
    };
    table.answer(part, &uri).await
}

/// At most `max` connections after the one with this number, which is where the next page begins.
fn page(node: &Node, after: u64, max: usize) -> Result<RowsFrom<ConnectionInfo>, EngineDead> {
    let max = max.max(1);
    let mut rows = node.all_connections(ConnId::new(after), max + 1)?;
    let whole = rows.len() <= max;
    rows.truncate(max);
    let last = rows.last().map(|row| row.connection_id);
    let next = match last {
        // Some may have closed while they were looked at.
        Some(_) if whole && node.all_connections(last, 1)?.is_empty() => None,
        last => last.map(ConnId::get),
    };
    Ok((rows, next))
}

/// A connection.
#[utoipa::path(
    get, path = "/api/v1/connections/{connection_id}", tag = "connections", operation_id = "get_connection",
    params(("connection_id" = u64, Path, minimum = 1)),
    responses((status = OK, description = "The connection.", body = Connection), Refused),
)]
pub(super) async fn show(
    State(node): State<Node>,
    Path(id): Path<String>,
) -> Result<Json<ConnectionInfo>, Refusal> {
    let conn = path::connection(&id)?;
    let found = node.connection(conn)?;
    let found = found.map(Json);
    found.ok_or_else(|| Refusal::not_found(format!("there is no connection {conn}")))
}

/// Drains a connection: it gets no new work, finishes what it has begun, and is closed.
#[utoipa::path(
    post, path = "/api/v1/connections/{connection_id}/drain", tag = "connections", operation_id = "drain_connection",
    params(("connection_id" = u64, Path, minimum = 1)),
    responses((status = ACCEPTED, description = "The connection drains."), Refused),
)]
pub(super) async fn drain(
    State(node): State<Node>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let conn = path::connection(&id)?;
    node.admin(Admin::Drain { conn })?;
    Ok(StatusCode::ACCEPTED)
}

/// Stops draining a connection: it takes new work again.
#[utoipa::path(
    delete, path = "/api/v1/connections/{connection_id}/drain", tag = "connections", operation_id = "undrain_connection",
    params(("connection_id" = u64, Path, minimum = 1)),
    responses((status = NO_CONTENT, description = "The connection takes new work."), Refused),
)]
pub(super) async fn undrain(
    State(node): State<Node>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let conn = path::connection(&id)?;
    node.admin(Admin::StopDraining { conn })?;
    Ok(StatusCode::NO_CONTENT)
}
