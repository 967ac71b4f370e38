//! Which requests are let in.
//!
//! A browser sends requests for any page that it shows, from this machine. A page may make them to a
//! loopback address, or to a name of its own that it lets point there, which browsers then take for the
//! page's own server: so without a token the name in a request must be one of loopback, and a request that
//! changes something must not come from another page.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::body;
use super::page;
use super::refusal::Refusal;
use super::token::Token;

/// What a request has to prove.
#[derive(Clone, Debug)]
pub(super) enum Guard {
    /// It comes by loopback, and must name a server there.
    Loopback,
    /// It must bring the token.
    Token(Arc<Token>),
    /// It comes by a Unix socket, and the mode of its file says which users may connect.
    UnixSocket,
    /// Nothing: everyone may read the metrics.
    Open,
}

/// Lets a request in, or says why not.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

impl Guard {
    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let (uri, headers) = (request.uri(), request.headers());
        let host = host(uri, headers)?;
        match (self, host) {
            (Guard::UnixSocket | Guard::Open | Guard::Token(_), _) => {}
            (Guard::Loopback, None) => return Err(no_host()),
            (Guard::Loopback, Some(host)) if is_loopback(host) => {}
            (Guard::Loopback, Some(_)) => {
                let detail = "without a token, requests must name localhost or a loopback address";
                return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, detail));
            }
        }
        if host.is_none() && request.version() == Version::HTTP_11 && !self.is_socket() {
            return Err(no_host());
        }
        check_origin(request, host)?;
        if let Guard::Token(token) = self
            && !is_open(uri.path())
            && !token.is_in(headers)
        {
            let detail = "the administration token is missing or wrong";
            let refusal = Refusal::new(StatusCode::UNAUTHORIZED, detail);
            return Err(refusal.with_header("www-authenticate", "Bearer"));
        }
        body::check(headers)
    }

    fn is_socket(&self) -> bool {
        matches!(self, Guard::UnixSocket)
    }
}

/// Host and port that the request is for.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(HOST).iter();
    let (value, more) = (values.next(), values.next());
    let text = value.map(|value| value.to_str()).transpose();
    let (Ok(text), None) = (text, more) else {
        let detail = "there is more than one header Host, or it is no text";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, detail));
    };
    // What a proxy is asked. [RFC 9112 §3.2.2]
    let of_uri = uri.authority().map(|authority| authority.as_str());
    Ok(of_uri.or(text).filter(|host| !host.is_empty()))
}

fn no_host() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "the header Host is missing")
}

/// Whether a host, with or without a port, is this machine by its name alone.
fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().to_canonical().is_loopback();
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        _ => (host, ""),
    };
    if port.len() > 5 {
        return false;
    }
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    match (bare, bare.unwrap_or(name).parse::<IpAddr>()) {
        (Some(_), Ok(IpAddr::V6(ip))) => ip.to_canonical().is_loopback(),
        (None, Ok(IpAddr::V4(ip))) => ip.is_loopback(),
        (None, Err(_)) => name.eq_ignore_ascii_case("localhost"),
        _ => false,
    }
}

/// Refuses what another page makes a browser ask.
fn check_origin(request: &Request, host: Option<&str>) -> Result<(), Refusal> {
    let headers = request.headers();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let of = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    // One of this site is of another port, and may be of another user.
    let other_page = matches!(of(&FETCH_SITE), Some(b"cross-site" | b"same-site"));
    // A link to the page is good. Frames navigate, too: one with a stream of events holds a place.
    let navigates = of(&FETCH_MODE) == Some(b"navigate");
    let links = reads && navigates && page::has(request.uri().path());
    let own = headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().unwrap_or("null");
        let name = origin.split_once("://").map(|(_, name)| name);
        name.is_some_and(|name| host.is_some_and(|host| host.eq_ignore_ascii_case(name)))
    });
    if (other_page && !links) || (!own && !reads) {
        let detail = "another page may not make this request";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

/// What needs no token: the page, which asks for it, and whether the server is alive.
fn is_open(path: &str) -> bool {
    path == "/healthz" || page::has(path)
}

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn loopback_is_known_by_its_names() {
        for host in [
            "localhost",
            "LocalHost:20491",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:20491",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "example.org",
            "example.org:20491",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "127.0.0.1.nip.io:20491",
            "192.0.2.1",
            "[2001:db8::1]:1",
            "localhost@example.org",
            "localhost:20491:1",
            "localhost:99999999",
            "[127.0.0.1]",
            "::1",
            "",
            ":1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    fn status(guard: &Guard, method: &str, uri: &str, headers: &[(&str, &str)]) -> StatusCode {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let checked = guard.check(&request.body(Body::empty()).unwrap());
        checked.map_or_else(
            |refusal| refusal.into_response().status(),
            |()| StatusCode::OK,
        )
    }

    #[test]
    fn a_page_of_another_server_cannot_pass_for_this_one() {
        let status = |uri, headers: &[_]| status(&Guard::Loopback, "GET", uri, headers);
        let own = ("Host", "localhost:20491");
        let evil = ("Host", "evil.example:20491");
        assert_eq!(status("/", &[own]), StatusCode::OK);
        assert_eq!(status("/", &[evil]), StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(status("/", &[]), StatusCode::BAD_REQUEST);
        assert_eq!(status("/", &[("Host", "")]), StatusCode::BAD_REQUEST);
        assert_eq!(status("/", &[own, evil]), StatusCode::BAD_REQUEST);
        let absolute = "http://evil.example:20491/";
        assert_eq!(status(absolute, &[own]), StatusCode::MISDIRECTED_REQUEST);
    }

    #[test]
    fn another_page_changes_nothing_and_reads_no_events() {
        let own = ("Host", "localhost:20491");
        let cross = ("Sec-Fetch-Site", "cross-site");
        let origin = |origin| ("Origin", origin);
        let (ok, no) = (StatusCode::OK, StatusCode::FORBIDDEN);
        for (method, headers, expected) in [
            ("POST", &[own][..], ok),
            ("POST", &[own, origin("http://localhost:20491")], ok),
            ("POST", &[own, origin("http://LOCALHOST:20491")], ok),
            ("POST", &[own, origin("http://localhost:8080")], no),
            ("POST", &[own, origin("http://localhost")], no),
            ("DELETE", &[own, origin("https://evil.example")], no),
            ("PATCH", &[own, origin("null")], no),
            ("POST", &[own, cross], no),
            ("POST", &[own, cross, ("Sec-Fetch-Mode", "navigate")], no),
            ("POST", &[own, ("Sec-Fetch-Site", "same-origin")], ok),
            ("GET", &[own, cross, ("Sec-Fetch-Mode", "navigate")], no),
            ("GET", &[own, ("Sec-Fetch-Site", "same-site")], no),
            ("GET", &[own, ("Sec-Fetch-Site", "same-origin")], ok),
            ("GET", &[own, cross, ("Sec-Fetch-Mode", "cors")], no),
            ("GET", &[own, ("Sec-Fetch-Site", "none")], ok),
        ] {
            let status = status(&Guard::Loopback, method, "/api/v1/events", headers);
            assert_eq!(status, expected, "{method} {headers:?}");
        }
        let link = [own, cross, ("Sec-Fetch-Mode", "navigate")];
        assert_eq!(status(&Guard::Loopback, "GET", "/", &link), ok);
    }

    #[test]
    fn a_token_is_asked_for_all_but_the_page_and_health() {
        let token = Token::from_variable("0123456789abcdef".as_ref()).unwrap();
        let guard = Guard::Token(Arc::new(token));
        let host = ("Host", "files.example:20491");
        for path in ["/api/v1/clients", "/metrics", "/none", "//", "/healthz/"] {
            let right = ("Authorization", "Bearer 0123456789abcdef");
            let wrong = ("Authorization", "Bearer 0123456789abcdeg");
            assert_eq!(status(&guard, "GET", path, &[host, right]), StatusCode::OK);
            for headers in [&[host][..], &[host, wrong]] {
                let status = status(&guard, "GET", path, headers);
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            }
        }
        for path in ["/", "/page.js", "/figures.js", "/icon.svg", "/healthz"] {
            assert_eq!(status(&guard, "GET", path, &[host]), StatusCode::OK);
        }
    }

    #[test]
    fn a_unix_socket_needs_no_name() {
        let status = status(&Guard::UnixSocket, "DELETE", "/api/v1/clients/1", &[]);
        assert_eq!(status, StatusCode::OK);
    }
}
