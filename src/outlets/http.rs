//! The daemon's listener: the page, health, readiness, metrics. It reads one published view and never starts work.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::store::Shared;

mod page;
pub mod view;

pub use self::view::{Swept, View};

/// What the listener shows of one moment; consistent with itself.
#[derive(Clone, Default)]
pub struct Published {
    /// The metrics' exposition.
    pub metrics: String,
    /// Whether a first sweep has finished.
    pub ready: bool,
    /// One line about the last sweep.
    pub detail: String,
    /// What is known.
    pub view: View,
}

/// What the listener reads and asks.
#[derive(Clone)]
pub struct Face {
    /// The published view, which each sweep replaces.
    pub views: Views,
    /// What the view does not hold: older sweeps, and what became of a finding.
    pub store: Shared,
    /// Asks for a sweep now. A full channel means that one is already asked for.
    pub trigger: mpsc::Sender<()>,
}

/// The published view.
pub type Views = watch::Receiver<Arc<Published>>;

/// Serves until `shutdown` completes.
pub async fn serve(
    listener: TcpListener,
    face: Face,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .merge(page::router())
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(face);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn readiness(State(face): State<Face>) -> Response {
    let view = face.views.borrow().clone();
    let status = if view.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{}\n", view.detail)).into_response()
}

async fn metrics(State(face): State<Face>) -> Response {
    let view = face.views.borrow().clone();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], view.metrics.clone())
        .into_response()
}
