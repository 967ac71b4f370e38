//! The administration interface: REST under `/api/v1`, metrics and health.

mod health;
mod metrics;
mod refusal;

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use nfs4_driver::Node;
use tokio::net::TcpListener;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::metrics::Exported;
use crate::fault::Fault;

/// What the handlers share.
#[derive(Clone, Debug, FromRef)]
pub(crate) struct App {
    /// The server.
    pub(crate) node: Node,
    /// What it counts.
    pub(crate) exported: Arc<Exported>,
}

/// All routes, and their description.
fn routes(app: App) -> (Router, OpenApi) {
    let (router, document) = OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(metrics::metrics))
        .split_for_parts();
    (router.with_state(app), document)
}

/// A listener of the administration interface.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on `address`.
    ///
    /// # Errors
    /// It cannot listen there.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Listener, Fault> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Fault::Listen { address, source })?;
        let address = listener.local_addr()?;
        Ok(Listener { listener, address })
    }

    /// The address that is listened on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn serve(self, app: App) {
        let (router, _document) = routes(app);
        let ended = axum::serve(self.listener, router).await;
        if let Err(why) = ended {
            tracing::error!(%why, "the administration interface has ended");
        }
    }
}

/// Serves forever, if there is a listener.
pub(crate) async fn serve(listener: Option<Listener>, app: App) -> Infallible {
    if let Some(listener) = listener {
        listener.serve(app).await;
    }
    pending().await
}
