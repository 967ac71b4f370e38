//! Tables of the engine as JSON arrays.
//!
//! The engine is asked page by page, and its lock is free between two pages. No more than one page is
//! held of a table that is sent as a whole: the next is read when the connection has taken the last. Pages
//! are short, and after each the thread offers its processor to others, while it does not hold the lock: a
//! connection of NFS then waits for a page at most. A lower priority of the thread would not do, since the
//! thread would also be stopped while it holds the lock.

use std::thread;

use axum::body::Body;
use axum::http::Uri;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use nfs4_driver::EngineDead;
use nfs4_engine::snapshot::{Cursor, Page};
use serde::Serialize;
use tokio::task::yield_now;

use super::query::Fields;
use super::refusal::Refusal;

/// Which part of a table a request wants.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// At most as many rows; none for all.
    limit: Option<usize>,
    /// Where it begins; the start of a table is 0.
    from: u64,
}

/// Some rows, and where those after them begin; none if there are no more.
pub(super) type RowsFrom<V> = (Vec<V>, Option<u64>);

/// The fields of a query that [`Part`] knows.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct PartParams {
    /// Maximum number of rows of a page. Without it the answer has all rows. A page can be short and yet not
    /// be the last: the header `Link` says where it continues.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<u32>,
    /// Where the page begins, from the header `Link` of the page before it.
    cursor: Option<u64>,
}

impl Part {
    /// The part that a query asks for, of a table whose places end at `last`.
    pub(super) fn take(fields: &mut Fields, last: u64) -> Part {
        let limit = fields.number("limit", 1, MOST_ROWS);
        let from = fields.number("cursor", 0, last);
        Part {
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
            from: from.unwrap_or_default(),
        }
    }
}

/// A page of the engine's: its cursors are [`LAST_CURSOR`] at most.
pub(super) fn of_engine<V>(
    from: u64,
    read: impl FnOnce(Cursor) -> Result<Page<V>, EngineDead>,
) -> Result<RowsFrom<V>, EngineDead> {
    let from = u32::try_from(from).unwrap_or(u32::MAX);
    let page = read(Cursor::at(from))?;
    Ok((page.items, page.next.map(|next| next.number().into())))
}

/// A table of the engine.
pub(super) struct Table<R, W> {
    /// Reads a page.
    pub(super) read: R,
    /// Whether a row is to be shown.
    pub(super) wanted: W,
}

impl<R, W> Table<R, W> {
    /// The part as JSON; `uri` is that of the request, from which that of the next page is made.
    ///
    /// # Errors
    /// The engine is dead.
    pub(super) async fn answer<V>(self, part: Part, uri: &Uri) -> Result<Response, Refusal>
    where
        V: Serialize,
        R: Fn(u64, usize) -> Result<RowsFrom<V>, EngineDead> + Send + 'static,
        W: Fn(&V) -> bool + Send + 'static,
    {
        let Some(limit) = part.limit else {
            return self.whole(part.from);
        };
        let mut rows = Rows::default();
        let mut next = Some(part.from);
        while let Some(from) = next {
            if rows.number == limit || rows.text.len() >= LONG {
                break;
            }
            next = self.page(from, limit - rows.number, &mut rows)?;
            others_first().await;
        }
        rows.text.push(b']');
        let mut response = ([(CONTENT_TYPE, JSON)], rows.text).into_response();
        let link = next.and_then(|next| link(uri, next).parse().ok());
        let headers = response.headers_mut();
        headers.extend(link.map(|link| (LINK, link)));
        Ok(response)
    }

    /// All rows, as the connection takes them.
    fn whole<V>(self, from: u64) -> Result<Response, Refusal>
    where
        V: Serialize,
        R: Fn(u64, usize) -> Result<RowsFrom<V>, EngineDead> + Send + 'static,
        W: Fn(&V) -> bool + Send + 'static,
    {
        let mut rows = Rows::default();
        // A dead engine is an answer; later it can only cut the answer off.
        let next = self.page(from, usize::MAX, &mut rows)?;
        let frames = unfold(Some((self, rows, next)), |state| async {
            let (table, mut rows, mut next) = state?;
            while rows.text.is_empty() {
                others_first().await;
                let Some(from) = next else { break };
                match table.page(from, usize::MAX, &mut rows) {
                    Ok(then) => next = then,
                    Err(dead) => return Some((Err(dead), None)),
                }
            }
            let mut text = std::mem::take(&mut rows.text);
            if next.is_some() {
                return Some((Ok(text), Some((table, rows, next))));
            }
            text.push(b']');
            Some((Ok(text), None))
        });
        let body = Body::from_stream(frames);
        Ok(([(CONTENT_TYPE, JSON)], body).into_response())
    }

    /// Adds a page of at most `max` rows; returns where the next begins.
    fn page<V>(&self, from: u64, max: usize, rows: &mut Rows) -> Result<Option<u64>, EngineDead>
    where
        V: Serialize,
        R: Fn(u64, usize) -> Result<RowsFrom<V>, EngineDead>,
        W: Fn(&V) -> bool,
    {
        let (page, next) = (self.read)(from, max.min(ROWS_AT_ONCE))?;
        for row in page.iter().filter(|row| (self.wanted)(row)) {
            rows.add(row);
        }
        Ok(next)
    }
}

/// Lets other requests go on, and other threads that want this processor.
async fn others_first() {
    yield_now().await;
    thread::yield_now();
}

/// The beginning of an array, or its continuation.
#[derive(Debug)]
struct Rows {
    text: Vec<u8>,
    /// Number of rows so far.
    number: usize,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows {
            text: vec![b'['],
            number: 0,
        }
    }
}

impl Rows {
    fn add(&mut self, row: &impl Serialize) {
        if self.number > 0 {
            self.text.push(b',');
        }
        self.number += 1;
        let written = serde_json::to_writer(&mut self.text, row);
        debug_assert!(written.is_ok(), "views have no keys that are not text");
    }
}

/// Where the next page is. [RFC 8288]
fn link(uri: &Uri, next: u64) -> String {
    let fields = uri.query().unwrap_or("").split('&');
    let others: String = fields
        .filter(|field| !field.is_empty() && !field.starts_with("cursor="))
        .flat_map(|field| [field, "&"])
        .collect();
    let path = uri.path();
    format!("<{path}?{others}cursor={next}>; rel=\"next\"")
}

pub(super) const JSON: &str = "application/json";
/// Maximum number of rows of a page.
const MOST_ROWS: u64 = 10_000;
pub(super) const LAST_CURSOR: u64 = u32::MAX as u64;
/// Rows that are read and written between two offers of the processor: at most 0.2 ms, for sessions with many
/// connections.
const ROWS_AT_ONCE: usize = 16;
/// Bytes after which a page ends early: rows may be long, and a page is held as a whole.
const LONG: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn few_rows_are_read_at_once() {
        let uri: Uri = "/a".parse().unwrap();
        for (limit, rows) in [(None, 1_000), (Some(300), 300), (Some(10), 10)] {
            let table = Table {
                read: |from: u64, max: usize| {
                    assert!(max <= 100, "{max} rows at once");
                    let to = (from + max as u64).min(1_000);
                    Ok(((from..to).collect(), Some(to).filter(|to| *to < 1_000)))
                },
                wanted: |_: &u64| true,
            };
            let part = Part { limit, from: 0 };
            let answer = table.answer(part, &uri).await.unwrap();
            let link = answer.headers().get(LINK).cloned();
            let expected = limit.map(|limit| format!("</a?cursor={limit}>; rel=\"next\""));
            let link = link.map(|link| link.to_str().unwrap().to_owned());
            assert_eq!(link, expected);
            let text = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
            let listed: Vec<u64> = serde_json::from_slice(&text.unwrap()).unwrap();
            assert_eq!(listed, (0..rows).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_next_page_has_the_same_filters() {
        let of = |uri: &str| link(&uri.parse().unwrap(), 7);
        assert_eq!(of("/a?limit=2"), "</a?limit=2&cursor=7>; rel=\"next\"");
        assert_eq!(
            of("/a?cursor=3&owner=b%26c&limit=2"),
            "</a?owner=b%26c&limit=2&cursor=7>; rel=\"next\""
        );
    }
}
