//! The daemon's listeners: health, metrics, the API and the page. They read one published view; all that they start is a sweep
//! that somebody asked for.

use std::future::Future;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tower_http::limit::RequestBodyLimitLayer;

use crate::config::Http;
use crate::store::Shared;

pub mod api;
pub mod auth;
mod connections;
mod guard;
mod page;
pub mod problem;
pub mod tls;
pub mod view;

pub use self::auth::Caller;
pub use self::connections::Limits;
use self::problem::Problem;
pub use self::tls::Certificate;
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
    /// Why what is shown is older than it should be; none if it is not.
    pub trouble: Option<String>,
    /// Whether the files say something else than what runs, because they are not valid.
    pub refused: bool,
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
    /// Who may read.
    pub doors: Doors,
}

/// The published view.
pub type Views = watch::Receiver<Arc<Published>>;

/// The configuration's table `http` as it is now, and what is wrong with the certificate.
#[derive(Clone)]
pub struct Doors {
    /// The table; a reload replaces it.
    pub http: watch::Receiver<Arc<Http>>,
    /// Why the certificate in use is not the one in the files.
    pub certificate: watch::Receiver<Option<String>>,
}

/// Where the daemon listens.
pub struct Listeners {
    /// For everything, save metrics that have a listener of their own.
    pub main: TcpListener,
    /// For metrics and health alone.
    pub metrics: Option<TcpListener>,
    /// The certificate of both; plain http without one.
    pub certificate: Option<Certificate>,
    /// What clients may take of the daemon.
    pub limits: Limits,
}

/// Serves until `shutdown` completes.
pub async fn serve(
    listeners: Listeners,
    face: Face,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let Listeners { main, metrics, certificate, limits } = listeners;
    let tls = certificate.as_ref().map(Certificate::acceptor);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let everything = match &metrics {
        Some(_) => well(),
        None => well().merge(measured()),
    };
    let everything = everything.merge(told());
    let router = behind_the_door(everything, &face, &main, limits)?;
    tasks.spawn(connections::serve(main, tls.clone(), router, limits, stopped.clone()));
    if let Some(metrics) = metrics {
        let router = behind_the_door(well().merge(measured()), &face, &metrics, limits)?;
        tasks.spawn(connections::serve(metrics, tls, router, limits, stopped));
    }
    if let Some(certificate) = certificate {
        let doors = face.doors.clone();
        let mut stopped = stop.subscribe();
        tasks.spawn(async move {
            tokio::select! {
                () = certificate.follow(doors) => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        });
    }
    tokio::pin!(shutdown);
    tokio::select! {
        () = &mut shutdown => {}
        // One that ends early takes the others along.
        Some(ended) = tasks.join_next() => ended.map_err(std::io::Error::other)?,
    }
    stop.send_replace(true);
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// What a machine asks that watches the process.
fn well() -> Router<Face> {
    Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(readiness))
}

fn measured() -> Router<Face> {
    Router::new().route("/metrics", get(metrics))
}

/// What is told of findings.
fn told() -> Router<Face> {
    page::router().merge(api::router())
}

/// The routes of one listener, with everything that stands before them.
fn behind_the_door(
    routes: Router<Face>,
    face: &Face,
    listener: &TcpListener,
    limits: Limits,
) -> std::io::Result<Router> {
    let door = auth::door(face, listener.local_addr()?);
    let places = Arc::new(Semaphore::new(limits.requests));
    let bounded = move |request: Request, next: Next| {
        let places = Arc::clone(&places);
        async move { answer_in_time(&places, limits, request, next).await }
    };
    Ok(routes
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address") })
        .layer(RequestBodyLimitLayer::new(limits.body))
        .layer(middleware::from_fn(bounded))
        .layer(middleware::from_fn_with_state(door, auth::admit))
        .layer(middleware::from_fn(problem::say_all))
        .layer(middleware::map_response(with_manners))
        .with_state(face.clone()))
}

/// Bounds how many answers are under way, and how long each may take. Health and metrics are texts that lie ready, and must
/// be told when all else is too much.
async fn answer_in_time(places: &Semaphore, limits: Limits, request: Request, next: Next) -> Response {
    if matches!(request.uri().path(), "/healthz" | "/readyz" | "/metrics") {
        return next.run(request).await;
    }
    let Ok(_place) = places.try_acquire() else {
        return Problem::for_the_moment("too many requests are under way", 1).into_response();
    };
    match tokio::time::timeout(limits.answer_within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let within = limits.answer_within.as_secs();
            Problem::for_the_moment(format!("no answer could be given within {within} s"), 5).into_response()
        }
    }
}

/// What every answer says to browsers, unless it says otherwise itself: guess no types, keep nothing, load nothing, and let
/// no other site embed it.
async fn with_manners(mut response: Response) -> Response {
    const MANNERS: [(HeaderName, HeaderValue); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    for (name, value) in MANNERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

async fn readiness(State(face): State<Face>, Extension(caller): Extension<Caller>) -> Response {
    let view = face.views.borrow().clone();
    let status = if view.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let trouble = face.doors.certificate.borrow().clone();
    let told = match (auth::may_know(&caller), trouble) {
        (true, Some(trouble)) => format!("{}; {trouble}\n", view.detail),
        (true, None) => format!("{}\n", view.detail),
        (false, _) if view.ready => "ready\n".to_owned(),
        (false, _) => "not ready\n".to_owned(),
    };
    (status, told).into_response()
}

async fn metrics(State(face): State<Face>) -> Response {
    let view = face.views.borrow().clone();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], view.metrics.clone())
        .into_response()
}
