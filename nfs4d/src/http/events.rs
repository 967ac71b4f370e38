//! `GET /api/v1/events`: what happens, as server-sent events.
//!
//! All readers share the node's history, and none of them holds the engine: one that is too slow hears how
//! many events it has lost.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use nfs4_admin::{Event, Fact, FieldFault};
use nfs4_driver::{Events, Happened, Node};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fact;
use super::query::Fields;
use super::refusal::{Refusal, Refused};
use super::stopped::Stopped;

/// The places for readers.
#[derive(Clone, Debug)]
pub(super) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Readers {
        Readers(Arc::new(Semaphore::new(MOST_READERS)))
    }
}

impl Readers {
    fn admit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let detail = format!("{MOST_READERS} programs read events already");
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            refusal.with_header("retry-after", "10")
        })
    }
}

/// A reader.
struct Reader {
    events: Events,
    stopped: Stopped,
    /// The kinds that it wants; empty for all.
    kinds: BTreeSet<String>,
    _place: OwnedSemaphorePermit,
}

/// What happens: clients, sessions, connections, delegations, the grace period, exports and settings.
///
/// An event has the number, kind and value of an `Event`. One of kind `lost` says how many are missing before
/// the next, as `{"lost":N}`. A comment comes every 15 seconds.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "read_events",
    params(
        ("kind" = Option<String>, Query, description = "Only events of these kinds, separated by commas."),
        ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event that was read: those after it come first, as far as they are kept."),
    ),
    responses((status = OK, description = "Events without an end.", body = Event, content_type = "text/event-stream"), Refused),
)]
pub(super) async fn stream(
    State(node): State<Node>,
    State(readers): State<Readers>,
    State(stopped): State<Stopped>,
    mut fields: Fields,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let kinds = fields.take("kind", kinds).unwrap_or_default();
    fields.end()?;
    let after = last_number(&headers)?;
    let reader = Reader {
        _place: readers.admit()?,
        events: match after {
            Some(number) => node.events_since(number),
            None => node.events(),
        },
        stopped,
        kinds,
    };
    let events = unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

impl Reader {
    /// The next event that it wants; none when the server ends.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            let happened = tokio::select! {
                happened = self.events.next() => happened?,
                () = self.stopped.wait() => return None,
            };
            match happened {
                Happened::Fact(happened) => {
                    let Some(fact) = fact::of(&happened.event) else {
                        continue;
                    };
                    let event = Event::new(happened.number, happened.at.to_string(), fact);
                    if self.kinds.is_empty() || self.kinds.contains(event.fact.kind()) {
                        return told(&event);
                    }
                }
                Happened::Lost(lost) => {
                    let data = format!("{{\"lost\":{lost}}}");
                    return Some(sse::Event::default().event("lost").data(data));
                }
                // Of a later driver.
                _ => {}
            }
        }
    }
}

fn told(event: &Event) -> Option<sse::Event> {
    let data = serde_json::to_string(event).ok()?;
    let told = sse::Event::default().id(event.number.to_string());
    Some(told.event(event.fact.kind()).data(data))
}

/// Kinds that are separated by commas.
fn kinds(text: &str) -> Result<BTreeSet<String>, FieldFault> {
    let kinds: BTreeSet<_> = text.split(',').map(str::to_owned).collect();
    let known = kinds
        .iter()
        .all(|kind| Fact::KINDS.contains(&kind.as_str()));
    known.then_some(kinds).ok_or_else(|| {
        let expected = format!("expected kinds of events, of {}", Fact::KINDS.join(", "));
        FieldFault::new("kind", expected)
    })
}

fn last_number(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        let fault = FieldFault::new("Last-Event-ID", "expected the number of an event");
        Refusal::malformed(vec![fault.with_range(0, u64::MAX)])
    })
}

const LAST_EVENT_ID: &str = "last-event-id";
/// Maximum number of readers.
const MOST_READERS: usize = 32;
/// Interval of comments, for proxies that close what is silent and for peers that are gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
