//! `/api/v1/exports`.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use nfs4_admin::{Export, ExportOptions, FieldFault};
use tokio::task::spawn_blocking;

use super::body::JsonBody;
use super::path::Path;
use super::refusal::{Refusal, Refused};
use crate::exports::{self, Exports, Wrong, options};
use crate::settings::Object;

/// All exports, in the order of their paths.
#[utoipa::path(
    get, path = "/api/v1/exports", tag = "exports", operation_id = "list_exports",
    responses((status = OK, description = "Exports.", body = Vec<Export>), Refused),
)]
pub(super) async fn list(
    State(exports): State<Arc<Exports>>,
) -> Result<Json<Vec<Export>>, Refusal> {
    Ok(Json(exports.shown()?))
}

/// The export at a path of clients, which stands percent-encoded in the path of the request: `%2Fsrv%2Fdata`.
#[utoipa::path(
    get, path = "/api/v1/exports/{pseudo}", tag = "exports", operation_id = "get_export",
    params(("pseudo" = String, Path, description = "the path at which clients find it")),
    responses((status = OK, description = "The export.", body = Export), Refused),
)]
pub(super) async fn show(
    State(exports): State<Arc<Exports>>,
    Path(pseudo): Path<String>,
) -> Result<Json<Export>, Refusal> {
    Ok(Json(exports.one(&plain(pseudo))?))
}

/// Adds an export, and stores it.
///
/// 409 says which export is in its way, and 422 names every option that is wrong. The default export, in
/// memory, is removed unless it is in use, which 409 says.
#[utoipa::path(
    post, path = "/api/v1/exports", tag = "exports", operation_id = "add_export",
    request_body = ExportOptions,
    responses((status = CREATED, description = "The export.", body = Export), Refused),
)]
pub(super) async fn add(
    State(exports): State<Arc<Exports>>,
    JsonBody(Object(object)): JsonBody<Object>,
) -> Result<Response, Refusal> {
    let options = read(&object)?;
    let export = blocking(move || exports.add(options)).await?;
    Ok((StatusCode::CREATED, Json(export)).into_response())
}

/// Changes options of an export that a request has added, all or none of them, and stores them.
///
/// Clients keep what they have open in it. 409 says that the command line or the configuration file gives the
/// export, and 422 names every option that is wrong, or cannot be changed.
#[utoipa::path(
    patch, path = "/api/v1/exports/{pseudo}", tag = "exports", operation_id = "change_export",
    params(("pseudo" = String, Path, description = "the path at which clients find it")),
    request_body = ExportOptions,
    responses((status = OK, description = "The export.", body = Export), Refused),
)]
pub(super) async fn change(
    State(exports): State<Arc<Exports>>,
    Path(pseudo): Path<String>,
    JsonBody(Object(object)): JsonBody<Object>,
) -> Result<Json<Export>, Refusal> {
    let options = read(&object)?;
    let export = blocking(move || exports.change(&plain(pseudo), options)).await?;
    Ok(Json(export))
}

/// Removes an export that a request has added: its filehandles become stale, and what clients have open in it
/// is closed. Its files stay, unless they are in memory.
///
/// 409 says that the command line or the configuration file gives the export, or that it is the default.
#[utoipa::path(
    delete, path = "/api/v1/exports/{pseudo}", tag = "exports", operation_id = "remove_export",
    params(("pseudo" = String, Path, description = "the path at which clients find it")),
    responses((status = NO_CONTENT, description = "The export is gone."), Refused),
)]
pub(super) async fn remove(
    State(exports): State<Arc<Exports>>,
    Path(pseudo): Path<String>,
) -> Result<StatusCode, Refusal> {
    blocking(move || exports.remove(&plain(pseudo))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The form in which exports have their paths.
fn plain(pseudo: String) -> String {
    exports::pseudo(&pseudo).unwrap_or(pseudo)
}

fn read(object: &serde_json::Map<String, serde_json::Value>) -> Result<ExportOptions, Refusal> {
    options::of_json(object).map_err(wrong)
}

/// It waits for disks.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, exports::Refused> + Send + 'static,
) -> Result<T, Refusal> {
    let acted = spawn_blocking(act).await;
    let acted = acted.map_err(|why| Refusal::internal(why.to_string()))?;
    Ok(acted?)
}

fn wrong(wrong: Vec<Wrong>) -> Refusal {
    let detail = "options are wrong";
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(faults(wrong))
}

fn faults(wrong: Vec<Wrong>) -> Vec<FieldFault> {
    wrong.into_iter().map(FieldFault::from).collect()
}

impl From<exports::Refused> for Refusal {
    fn from(refused: exports::Refused) -> Refusal {
        use exports::Refused;
        let detail = refused.to_string();
        match refused {
            Refused::Unknown(_) => Refusal::not_found(detail),
            Refused::Fixed(..) | Refused::Idle(..) | Refused::Default | Refused::DefaultInUse => {
                Refusal::new(StatusCode::CONFLICT, detail)
            }
            Refused::InTheWay(one) => {
                Refusal::new(StatusCode::CONFLICT, detail).with_errors(faults(vec![one]))
            }
            Refused::Wrong(all) => wrong(all),
            Refused::Store(why) => {
                tracing::error!(%why, "exports cannot be stored, and are as before");
                let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
                let status = match full.contains(&why.kind()) {
                    true => StatusCode::INSUFFICIENT_STORAGE,
                    false => StatusCode::INTERNAL_SERVER_ERROR,
                };
                Refusal::new(status, detail)
            }
            Refused::Engine(why) => why.into(),
        }
    }
}
