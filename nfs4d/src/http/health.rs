//! `GET /healthz`: whether the server serves.

use axum::extract::State;
use nfs4_driver::Node;

use super::refusal::{Refusal, Refused};

/// Whether the server serves: 200 while the engine runs, 503 when it has failed.
#[utoipa::path(get, path = "/healthz", responses((status = OK, description = "The server serves.", body = String), Refused))]
pub(super) async fn health(State(node): State<Node>) -> Result<&'static str, Refusal> {
    node.connections()?;
    Ok("ok\n")
}
