//! The routes that the client uses.

use std::fmt::Write as _;

use hyper::Method;

/// A method and a path of the administration interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    method: Method,
    path: &'static str,
}

impl Route {
    /// The method, as in `GET`.
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The path, with the names of its parts that vary in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn http_method(&self) -> Method {
        self.method.clone()
    }

    /// The path with `parts` in place of the names in braces.
    pub(super) fn with(&self, parts: &[&str]) -> String {
        let mut filled = String::new();
        let mut parts = parts.iter();
        for segment in self.path.split('/').skip(1) {
            filled.push('/');
            match parts.as_slice().first() {
                Some(part) if segment.starts_with('{') => {
                    encode(part, &mut filled);
                    parts.next();
                }
                _ => filled.push_str(segment),
            }
        }
        filled
    }
}

/// Appends `text` with everything escaped that means something in a path or a query.
pub(super) fn encode(text: &str, to: &mut String) {
    // A path of dots is one that is resolved, in whatever way it is escaped.
    let dots = text.bytes().all(|byte| byte == b'.');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !dots) {
            to.push(char::from(byte));
        } else {
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident: $method:ident $path:literal;)+) => {
        $(pub(super) const $name: Route = Route { method: Method::$method, path: $path };)+

        /// All routes that the client uses.
        pub const ROUTES: &[Route] = &[$($name),+];
    };
}

routes! {
    CLIENTS: GET "/api/v1/clients";
    CLIENT: GET "/api/v1/clients/{client_id}";
    EVICT_CLIENT: DELETE "/api/v1/clients/{client_id}";
    CLIENT_SESSIONS: GET "/api/v1/clients/{client_id}/sessions";
    SESSION: GET "/api/v1/clients/{client_id}/sessions/{session_id}";
    DESTROY_SESSION: DELETE "/api/v1/clients/{client_id}/sessions/{session_id}";
    SESSIONS: GET "/api/v1/sessions";
    CONNECTIONS: GET "/api/v1/connections";
    CONNECTION: GET "/api/v1/connections/{connection_id}";
    DRAIN: POST "/api/v1/connections/{connection_id}/drain";
    UNDRAIN: DELETE "/api/v1/connections/{connection_id}/drain";
    SETTINGS: GET "/api/v1/settings";
    UPDATE_SETTINGS: PATCH "/api/v1/settings";
    DEFAULT_SETTINGS: GET "/api/v1/settings/defaults";
    RESET_SETTINGS: POST "/api/v1/settings/reset";
    EXPORTS: GET "/api/v1/exports";
    EXPORT: GET "/api/v1/exports/{pseudo}";
    ADD_EXPORT: POST "/api/v1/exports";
    CHANGE_EXPORT: PATCH "/api/v1/exports/{pseudo}";
    REMOVE_EXPORT: DELETE "/api/v1/exports/{pseudo}";
    GRACE: GET "/api/v1/grace";
    END_GRACE: POST "/api/v1/grace/end";
    EVENTS: GET "/api/v1/events";
    OPENAPI: GET "/api/v1/openapi.json";
    HEALTH: GET "/healthz";
    METRICS: GET "/metrics";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path_stay_parts() {
        assert_eq!(
            SESSION.with(&["0a", "ff"]),
            "/api/v1/clients/0a/sessions/ff"
        );
        assert_eq!(DRAIN.with(&["7"]), "/api/v1/connections/7/drain");
        assert_eq!(
            CLIENT.with(&["a/b?c#d e%"]),
            "/api/v1/clients/a%2Fb%3Fc%23d%20e%25"
        );
        assert_eq!(
            EXPORT.with(&["/srv/my data"]),
            "/api/v1/exports/%2Fsrv%2Fmy%20data"
        );
        assert_eq!(CLIENT.with(&[""]), "/api/v1/clients/");
        assert_eq!(
            CLIENT.with(&["{client_id}"]),
            "/api/v1/clients/%7Bclient_id%7D"
        );
    }

    #[test]
    fn each_route_is_there_once() {
        for (at, route) in ROUTES.iter().enumerate() {
            assert!(!ROUTES[..at].contains(route), "{route:?}");
        }
    }
}
