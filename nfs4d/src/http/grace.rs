//! `/api/v1/grace`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use nfs4_admin::Grace;
use nfs4_driver::Node;
use nfs4_engine::Admin;
use tokio::time::{Instant, sleep};

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

/// Ends the grace period, if it runs: clients reclaim no more, and new opens and locks are granted once that is
/// stored. The answer comes then, or after some seconds.
#[utoipa::path(
    post, path = "/api/v1/grace/end", tag = "grace", operation_id = "end_grace",
    responses((status = OK, description = "The grace period, which has ended; or is `ending`, if its end cannot be stored yet.", body = Grace), Refused),
)]
pub(super) async fn end(State(node): State<Node>) -> Result<Json<Grace>, Refusal> {
    node.admin(Admin::EndGrace)?;
    let end = Instant::now() + PATIENCE;
    loop {
        let shown = show(State(node.clone())).await?;
        if !shown.active || Instant::now() >= end {
            return Ok(shown);
        }
        sleep(PAUSE).await;
    }
}

/// How long a request to end the grace period waits until that is stored, at most, and between two looks.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(5);
