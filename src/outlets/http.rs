//! The daemon's listener: health, readiness, metrics. It reads one published view and never starts work.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the listener shows.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// The metrics' exposition.
    pub metrics: String,
    /// Whether a first sweep has finished.
    pub ready: bool,
    /// One line about the last sweep.
    pub detail: String,
}

type Views = watch::Receiver<Arc<Published>>;

/// Serves until `shutdown` completes.
pub async fn serve(
    listener: TcpListener,
    views: Views,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/", get(index))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(views);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn index(State(views): State<Views>) -> String {
    let detail = views.borrow().detail.clone();
    format!("mlfence {}\n{detail}\n\n/metrics  /healthz  /readyz\n", env!("CARGO_PKG_VERSION"))
}

async fn readiness(State(views): State<Views>) -> Response {
    let view = views.borrow().clone();
    let status = if view.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{}\n", view.detail)).into_response()
}

async fn metrics(State(views): State<Views>) -> Response {
    let view = views.borrow().clone();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], view.metrics.clone())
        .into_response()
}
