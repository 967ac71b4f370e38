//! `/api/v1/settings`: what can change while the server runs.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use nfs4_admin::{FieldFault, Settings, SettingsPatch, SettingsValues};
use tokio::task::spawn_blocking;

use super::body::JsonBody;
use super::refusal::{Refusal, Refused};
use crate::settings::{self, Live, Object, Shown, Unchanged, Wrong, settings_of};

/// The settings in force.
///
/// The header ETag names them for the If-Match of a change.
#[utoipa::path(
    get, path = "/api/v1/settings", tag = "settings", operation_id = "get_settings",
    responses((status = OK, description = "The settings in force.", body = Settings, headers(("ETag" = String, description = "names these settings"))), Refused),
)]
pub(super) async fn show(State(live): State<Arc<Live>>) -> Shown {
    live.shown()
}

/// Changes the settings that are named, all or none of them, and stores them.
///
/// 409 names settings that the command line or the configuration file fixes, 412 says that they are others
/// by now, and 422 names every field that is wrong with its range.
#[utoipa::path(
    patch, path = "/api/v1/settings", tag = "settings", operation_id = "change_settings",
    params(("If-Match" = Option<String>, Header, description = "the ETag of the settings that the request is meant for")),
    request_body = SettingsPatch,
    responses((status = OK, description = "The settings in force.", body = Settings, headers(("ETag" = String, description = "names these settings"))), Refused),
)]
pub(super) async fn change(
    State(live): State<Arc<Live>>,
    headers: HeaderMap,
    JsonBody(Object(object)): JsonBody<Object>,
) -> Result<Shown, Refusal> {
    let (patch, mut wrong) = settings_of(&object);
    if !wrong.is_empty() {
        // The reply names all faults at once.
        wrong.extend(live.faults(&patch));
        wrong.sort_by(|one, other| one.name.cmp(&other.name));
        let refusal = Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "fields are wrong");
        return Err(refusal.with_errors(faults(wrong)));
    }
    let wanted = Wanted::of(&headers)?;
    write(move || live.change(&patch, |tag| wanted.holds(tag))).await
}

/// The settings without anything that was changed or given.
#[utoipa::path(
    get, path = "/api/v1/settings/defaults", tag = "settings", operation_id = "get_default_settings",
    responses((status = OK, description = "The default of every setting.", body = SettingsValues), Refused),
)]
pub(super) async fn show_defaults() -> Json<SettingsValues> {
    Json(settings::defaults())
}

/// Forgets all that was changed.
#[utoipa::path(
    post, path = "/api/v1/settings/reset", tag = "settings", operation_id = "reset_settings",
    params(("If-Match" = Option<String>, Header, description = "the ETag of the settings that the request is meant for")),
    responses((status = OK, description = "The settings in force.", body = Settings, headers(("ETag" = String, description = "names these settings"))), Refused),
)]
pub(super) async fn reset(
    State(live): State<Arc<Live>>,
    headers: HeaderMap,
) -> Result<Shown, Refusal> {
    let wanted = Wanted::of(&headers)?;
    write(move || live.reset(|tag| wanted.holds(tag))).await
}

/// It waits for a disk.
async fn write(
    write: impl FnOnce() -> Result<Shown, Unchanged> + Send + 'static,
) -> Result<Shown, Refusal> {
    let written = spawn_blocking(write).await;
    let written = written.map_err(|why| Refusal::internal(why.to_string()))?;
    Ok(written?)
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        ([(ETAG, self.tag)], Json(self.settings)).into_response()
    }
}

impl From<Unchanged> for Refusal {
    fn from(refused: Unchanged) -> Refusal {
        let detail = refused.to_string();
        let told = |status, wrong| Refusal::new(status, detail.clone()).with_errors(faults(wrong));
        match refused {
            Unchanged::Changed => Refusal::new(StatusCode::PRECONDITION_FAILED, detail),
            Unchanged::Fixed(wrong) => told(StatusCode::CONFLICT, wrong),
            Unchanged::Wrong(wrong) => told(StatusCode::UNPROCESSABLE_ENTITY, wrong),
            Unchanged::Store(why) => {
                tracing::error!(%why, "the settings cannot be stored, and are as before");
                let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
                let status = match full.contains(&why.kind()) {
                    true => StatusCode::INSUFFICIENT_STORAGE,
                    false => StatusCode::INTERNAL_SERVER_ERROR,
                };
                Refusal::new(status, detail)
            }
            Unchanged::Engine(why) => why.into(),
        }
    }
}

fn faults(wrong: Vec<Wrong>) -> Vec<FieldFault> {
    wrong.into_iter().map(FieldFault::from).collect()
}

/// The settings that a request is meant for. [RFC 9110 §13.1.1]
enum Wanted {
    Any,
    /// Those with one of these entity tags.
    Tags(Vec<String>),
}

impl Wanted {
    fn of(headers: &HeaderMap) -> Result<Wanted, Refusal> {
        let mut tags = Vec::new();
        let mut lines = headers.get_all(IF_MATCH).iter().peekable();
        if lines.peek().is_none() {
            return Ok(Wanted::Any);
        }
        for line in lines {
            let line = line.to_str().map_err(|_| malformed())?.trim();
            if line == "*" {
                return Ok(Wanted::Any);
            }
            // No tag of ours has a comma.
            for tag in line.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                let opaque = tag.strip_prefix("W/").unwrap_or(tag);
                if opaque.len() < 2 || !opaque.starts_with('"') || !opaque.ends_with('"') {
                    return Err(malformed());
                }
                tags.push(tag.to_owned());
            }
        }
        Ok(Wanted::Tags(tags))
    }

    /// A weak tag is equal to none.
    fn holds(&self, tag: &str) -> bool {
        match self {
            Wanted::Any => true,
            Wanted::Tags(tags) => tags.iter().any(|wanted| wanted == tag),
        }
    }
}

fn malformed() -> Refusal {
    let detail = "If-Match: expected entity tags in quotes, as ETag has them, or *";
    Refusal::new(StatusCode::BAD_REQUEST, detail)
}
