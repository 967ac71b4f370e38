//! `/api/v1/grace`.

use axum::Json;
use axum::extract::State;
use nfs4_admin::Grace;
use nfs4_driver::Node;
use nfs4_engine::Admin;

use super::refusal::{Refusal, Refused};

/// The grace period.
#[utoipa::path(
    get, path = "/api/v1/grace", tag = "grace", operation_id = "get_grace",
    responses((status = OK, description = "The grace period.", body = Grace), Refused),
)]
pub(super) async fn show(State(node): State<Node>) -> Result<Json<Grace>, Refusal> {
    let grace = node.grace()?;
    let (known, missing) = (grace.known as u64, grace.missing as u64);
    let owners = grace.some_missing.iter();
    let owners = owners.map(|client| client.owner.to_string()).collect();
    let shown = Grace::new(grace.active, grace.remaining, grace.length);
    Ok(Json(shown.with_clients(known, missing, owners)))
}

/// Ends the grace period, if it runs: new opens and locks are granted, and clients reclaim no more.
#[utoipa::path(
    post, path = "/api/v1/grace/end", tag = "grace", operation_id = "end_grace",
    responses((status = OK, description = "The grace period, which has ended.", body = Grace), Refused),
)]
pub(super) async fn end(State(node): State<Node>) -> Result<Json<Grace>, Refusal> {
    node.admin(Admin::EndGrace)?;
    show(State(node)).await
}
