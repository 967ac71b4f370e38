//! A listing, page by page.

use std::fmt::Write as _;
use std::marker::PhantomData;

use hyper::header::{HeaderMap, LINK};
use serde::de::DeserializeOwned;

use super::exchange::{Question, Server};
use super::fault::ServerFault;
use super::routes::{Route, encode};

/// Maximum number of entries of a listing that is collected.
const MAX_ENTRIES: usize = 1 << 20;

/// A listing, page by page. What comes and goes while it is read may be missing or be there twice.
#[derive(Clone, Debug)]
pub struct Pages<T> {
    server: Server,
    route: Route,
    filter: String,
    limit: u32,
    place: Place,
    entries: PhantomData<fn() -> T>,
}

/// Where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Start,
    At(String),
    End,
}

impl<T: DeserializeOwned> Pages<T> {
    /// All that the route lists and the filter, a query, lets through; `limit` a page.
    pub(super) fn new(server: &Server, route: Route, filter: String, limit: u32) -> Pages<T> {
        Pages {
            server: server.clone(),
            route,
            filter,
            limit,
            place: Place::Start,
            entries: PhantomData,
        }
    }

    /// The next page, none after the last. It can be called again after an error, for the same page.
    ///
    /// # Errors
    /// See [`ServerFault`].
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, ServerFault> {
        if self.place == Place::End {
            return Ok(None);
        }
        let answer = loop {
            let question = Question::new(&self.route, &[]).query(&self.query());
            match self.server.ask(&question).await {
                // Entries have any length: a session has one for each connection.
                Err(ServerFault::TooLong { .. }) if self.limit > 1 => self.limit /= 2,
                ended => break ended?,
            }
        };
        let entries = answer.decode()?;
        let next = match next_cursor(&answer.headers) {
            Some(cursor) => Place::At(cursor),
            None => Place::End,
        };
        if next == self.place {
            let why = "the next page is the same as this one".to_owned();
            return Err(ServerFault::Garbled(why));
        }
        self.place = next;
        Ok(Some(entries))
    }

    /// All entries of the pages that have not been read.
    ///
    /// # Errors
    /// See [`ServerFault`]; there are more than 1 048 576 entries.
    pub async fn all(mut self) -> Result<Vec<T>, ServerFault> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
            if all.len() > MAX_ENTRIES {
                return Err(ServerFault::TooLong {
                    limit: MAX_ENTRIES,
                    unit: "entries",
                });
            }
        }
        Ok(all)
    }

    fn query(&self) -> String {
        let mut query = self.filter.clone();
        if !query.is_empty() {
            query.push('&');
        }
        let _ = write!(query, "limit={}", self.limit);
        if let Place::At(cursor) = &self.place {
            query.push_str("&cursor=");
            encode(cursor, &mut query);
        }
        query
    }
}

/// The cursor in `<PATH?…cursor=N…>; rel="next"`. The rest of the link is not followed, as it could
/// lead a token elsewhere.
fn next_cursor(headers: &HeaderMap) -> Option<String> {
    let mut links = headers
        .get_all(LINK)
        .iter()
        .filter_map(|link| link.to_str().ok());
    links.find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let mut parameters = parameters.split(';').map(str::trim);
        parameters.find(|parameter| matches!(*parameter, r#"rel="next""# | "rel=next"))?;
        let (_, query) = target.split_once('?')?;
        let cursor = query
            .split('&')
            .find_map(|field| field.strip_prefix("cursor="));
        cursor.map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor_of(link: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().unwrap());
        next_cursor(&headers)
    }

    #[test]
    fn the_cursor_of_the_next_page_is_found() {
        for link in [
            r#"</api/v1/clients?limit=2&cursor=7>; rel="next""#,
            "</api/v1/clients?cursor=7&owner=%3E>;title=x ; rel=next",
            r#"<https://elsewhere/?cursor=7>; rel="next""#,
        ] {
            assert_eq!(cursor_of(link).as_deref(), Some("7"), "{link}");
        }
        for link in [
            r#"</api/v1/clients?cursor=7>; rel="prev""#,
            r#"</api/v1/clients?limit=2>; rel="next""#,
            r#"</api/v1/clients>; rel="next""#,
            "/api/v1/clients?cursor=7",
        ] {
            assert_eq!(cursor_of(link), None, "{link}");
        }
        assert_eq!(next_cursor(&HeaderMap::new()), None);
    }
}
