//! `GET /metrics`: what the server counts, for Prometheus.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use nfs4_driver::Node;
use nfs4_engine::metrics::{PrometheusOptions, PrometheusRecorder};
use prometheus::{IntCounter, Registry, TextEncoder};
use tokio::task::spawn_blocking;

use super::refusal::{Refusal, Refused};
use crate::exports::{ExportCounters, Exports};

/// What is exported.
#[derive(Debug)]
pub(crate) struct Exported {
    registry: Registry,
    recorder: Mutex<PrometheusRecorder>,
    node: Node,
}

impl Exported {
    /// What `node`, `exports` and `counters` count.
    ///
    /// # Errors
    /// Two of the counters have one name.
    pub(crate) fn new(
        node: Node,
        exports: Arc<Exports>,
        counters: Vec<IntCounter>,
    ) -> prometheus::Result<Exported> {
        let registry = Registry::new();
        registry.register(Box::new(ExportCounters::new(exports)?))?;
        for counter in counters {
            registry.register(Box::new(counter))?;
        }
        let recorder = PrometheusRecorder::new(Some(&registry), &PrometheusOptions::default())?;
        Ok(Exported {
            registry,
            recorder: Mutex::new(recorder),
            node,
        })
    }

    /// One at a time: there is one recorder.
    fn text(&self) -> Result<String, Refusal> {
        let mut recorder = self
            .recorder
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        self.node.record(&mut *recorder)?;
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.map_err(|why| Refusal::internal(why.to_string()))
    }
}

/// What the server counts, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", responses((status = OK, description = "The metrics.", body = String, content_type = "text/plain"), Refused))]
pub(super) async fn metrics(State(exported): State<Arc<Exported>>) -> Result<Response, Refusal> {
    let text = spawn_blocking(move || exported.text()).await;
    let text = text.map_err(|why| Refusal::internal(why.to_string()))??;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
