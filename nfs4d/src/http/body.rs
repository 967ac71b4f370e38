//! JSON in the body of a request.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::refusal::Refusal;

/// The body of a request: JSON of at most [`MOST_BYTES`].
#[derive(Clone, Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<JsonBody<T>, Refusal> {
        if !is_json(request.headers()) {
            return Err(not_json());
        }
        let bytes = read(request.into_body()).await?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(JsonBody(value)),
            Err(why) if why.is_data() => Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                why.to_string(),
            )),
            Err(why) => {
                let detail = format!("the body is not JSON: {why}");
                Err(Refusal::new(StatusCode::BAD_REQUEST, detail))
            }
        }
    }
}

/// Refuses a request whose headers announce a body that no handler reads.
///
/// # Errors
/// The body is not JSON, or too long.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.unwrap_or(0) > MOST_BYTES as u64 {
        return Err(too_long());
    }
    let has_body = length.unwrap_or(0) > 0 || headers.contains_key(TRANSFER_ENCODING);
    if has_body && !is_json(headers) {
        return Err(not_json());
    }
    Ok(())
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let body = Limited::new(body, MOST_BYTES).collect();
    let Ok(body) = timeout(PATIENCE, body).await else {
        let detail = format!("the body did not come within {} s", PATIENCE.as_secs());
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, detail));
    };
    match body {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(why) if why.is::<LengthLimitError>() => Err(too_long()),
        Err(why) => Err(Refusal::new(StatusCode::BAD_REQUEST, why.to_string())),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("");
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn not_json() -> Refusal {
    let detail = "the body of a request is application/json";
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
}

fn too_long() -> Refusal {
    let detail = format!("the body of a request has at most {MOST_BYTES} bytes");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// Maximum length of a body.
const MOST_BYTES: usize = 64 << 10;
/// Time within which the body must come.
const PATIENCE: Duration = Duration::from_secs(10);
