//! The page at `/`: files that are part of the binary, and need nothing from elsewhere.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// The routes of the files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, file| {
        let tag = file.tag();
        let answer = move |headers: HeaderMap| async move { file.answer(&tag, &headers) };
        router.route(file.path, get(answer))
    })
}

/// Whether a path is a file of the page.
pub(super) fn has(path: &str) -> bool {
    FILES.iter().any(|file| file.path == path)
}

/// A file of the page.
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

impl File {
    const fn new(path: &'static str, kind: &'static str, text: &'static str) -> File {
        File { path, kind, text }
    }

    /// Another version of the server has another tag for another text. [RFC 9110 §8.8.3]
    fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    fn answer(&self, tag: &str, headers: &HeaderMap) -> Response {
        let known = headers.get_all(IF_NONE_MATCH).iter();
        let known = known.filter_map(|value| value.to_str().ok());
        let mut tags = known.flat_map(|value| value.split(','));
        let is_known = tags.any(|one| {
            let one = one.trim();
            one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
        });
        let mut response = match is_known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(CONTENT_TYPE, self.kind)], self.text).into_response(),
        };
        let answered = response.headers_mut();
        for (name, value) in HEADERS {
            answered.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(tag) = HeaderValue::from_str(tag) {
            answered.insert(ETAG, tag);
        }
        response
    }
}

const FILES: [File; 7] = [
    File::new("/", HTML, include_str!("../../page/index.html")),
    File::new("/page.js", SCRIPT, include_str!("../../page/page.js")),
    File::new("/api.js", SCRIPT, include_str!("../../page/api.js")),
    File::new("/draw.js", SCRIPT, include_str!("../../page/draw.js")),
    File::new("/figures.js", SCRIPT, include_str!("../../page/figures.js")),
    File::new("/page.css", STYLE, include_str!("../../page/page.css")),
    File::new("/icon.svg", ICON, include_str!("../../page/icon.svg")),
];

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const ICON: &str = "image/svg+xml";

/// What a browser may do with a file: names of clients are in the page, and must stay text.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-cache"),
    (OPENER_POLICY, "same-origin"),
    (RESOURCE_POLICY, "same-origin"),
];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(path: &str, headers: &[&str]) -> Response {
        let file = FILES.iter().find(|file| file.path == path).unwrap();
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(IF_NONE_MATCH, value.parse().unwrap());
        }
        file.answer(&file.tag(), &map)
    }

    #[test]
    fn all_files_together_have_less_than_60_kb() {
        let total: usize = FILES.iter().map(|file| file.text.len()).sum();
        assert!(total < 60_000, "{total} bytes");
    }

    #[test]
    fn the_page_needs_no_other_server_and_nothing_inline() {
        for file in &FILES {
            // Names, not addresses: of a document type's elements.
            let text = file.text.replace("http://www.w3.org/2000/svg", "");
            for outside in ["http:", "https:", "src=\"//", "@import", "url("] {
                assert!(!text.contains(outside), "{outside} in {}", file.path);
            }
            for inline in ["style=", "<style", "onclick", "onload", "javascript:"] {
                assert!(!text.contains(inline), "{inline} in {}", file.path);
            }
            for markup in ["innerHTML", "outerHTML", "insertAdjacent", "document.write"] {
                assert!(!text.contains(markup), "{markup} in {}", file.path);
            }
        }
        let html = FILES[0].text;
        assert_eq!(html.matches("<script").count(), 1);
        assert!(html.contains("<script type=\"module\" src=\"/page.js\"></script>"));
    }

    #[test]
    fn every_file_that_is_named_is_served() {
        for file in &FILES {
            for mark in ["src=\"", "href=\"/", "from \"."] {
                for rest in file.text.split(mark).skip(1) {
                    let name = rest.split('"').next().unwrap().trim_start_matches('/');
                    assert!(has(&format!("/{name}")), "{name} in {}", file.path);
                }
            }
        }
    }

    #[test]
    fn a_file_is_sent_once_as_long_as_it_stays_the_same() {
        let first = answer("/page.js", &[]);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[ETAG].to_str().unwrap();
        let weak = format!("\"other\", W/{tag}");
        for known in [&[tag][..], &["\"other\"", tag], &[&weak], &["*"]] {
            let again = answer("/page.js", known);
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!(again.headers()[ETAG], tag);
            assert_eq!(again.headers()[CONTENT_SECURITY_POLICY], POLICY);
        }
        for unknown in [&["\"other\""][..], &["\"\""], &[tag.trim_matches('"')]] {
            let again = answer("/page.js", unknown);
            assert_eq!(again.status(), StatusCode::OK, "{unknown:?}");
        }
        assert_ne!(answer("/", &[]).headers()[ETAG], tag);
    }
}
