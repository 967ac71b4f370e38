//! The administration interface: REST under `/api/v1`, metrics, health and a page.

#[cfg(test)]
mod agreement;
mod body;
mod clients;
mod connection;
mod connections;
#[cfg(test)]
mod crowd;
mod events;
mod exports;
mod fact;
mod grace;
mod guard;
mod health;
mod interface;
mod listen;
mod listing;
mod metrics;
mod openapi;
mod page;
mod path;
mod places;
mod query;
mod refusal;
mod sessions;
mod settings;
mod stall;
mod stopped;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use nfs4_driver::Node;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::events::Readers;
use self::guard::{Guard, guard};
pub(crate) use self::metrics::Exported;
use self::openapi::Description;
pub(crate) use self::places::{Access, Addresses, Places};
use self::stopped::Stopped;
pub use self::token::TokenFault;
use crate::exports::Exports;
use crate::settings::Live;

/// What the handlers share.
#[derive(Clone, Debug, FromRef)]
pub(crate) struct App {
    node: Node,
    settings: Arc<Live>,
    exports: Arc<Exports>,
    exported: Arc<Exported>,
    description: Description,
    readers: Readers,
    stopped: Stopped,
}

impl App {
    /// For the handlers of this server.
    pub(crate) fn new(
        node: Node,
        (settings, exports): (Arc<Live>, Arc<Exports>),
        exported: Exported,
    ) -> App {
        App {
            node,
            settings,
            exports,
            exported: Arc::new(exported),
            description: Description::default(),
            readers: Readers::default(),
            stopped: Stopped::default(),
        }
    }

    /// The same, for an interface that ends when this says so.
    fn until(self, stopped: Stopped) -> App {
        App { stopped, ..self }
    }

    /// All routes behind a guard.
    fn administration(mut self, guard: Guard) -> serde_json::Result<Router> {
        let (router, document) = administration().split_for_parts();
        self.description = Description::of(&document)?;
        Ok(self.behind(guard, router.merge(page::routes())))
    }

    /// The routes of metrics alone.
    fn metrics(self) -> Router {
        let (router, _) = metrics_only().split_for_parts();
        self.behind(Guard::Open, router)
    }

    fn behind(self, allowed: Guard, router: Router<App>) -> Router {
        router
            .fallback(refusal::no_route)
            .method_not_allowed_fallback(refusal::no_method)
            .layer(from_fn_with_state(allowed, guard))
            .with_state(self)
    }
}

/// What has a route, and its description.
fn administration() -> OpenApiRouter<App> {
    let without_query = OpenApiRouter::new()
        .routes(routes!(openapi::describe))
        .routes(routes!(clients::show, clients::evict))
        .routes(routes!(sessions::of_client))
        .routes(routes!(sessions::show, sessions::destroy))
        .routes(routes!(connections::show))
        .routes(routes!(connections::drain, connections::undrain))
        .routes(routes!(exports::list, exports::add))
        .routes(routes!(exports::show, exports::change, exports::remove))
        .routes(routes!(grace::show))
        .routes(routes!(grace::end))
        .routes(routes!(settings::show, settings::change))
        .routes(routes!(settings::show_defaults))
        .routes(routes!(settings::reset))
        .route_layer(from_fn(query::none));
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(metrics_only())
        .merge(without_query)
        .routes(routes!(clients::list))
        .routes(routes!(sessions::list))
        .routes(routes!(connections::list))
        .routes(routes!(events::stream))
}

fn metrics_only() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(metrics::metrics))
}
