//! The page for people: what the last sweep found, as HTML that needs no script and nothing from elsewhere.
//!
//! It shows what was published and decides nothing. Every text that comes from Azure is escaped by the templates and made
//! fit to be shown by `text`; what a browser may do with the page is bounded by its headers as well.

mod chart;
mod evidence;
mod filter;
mod finding;
mod items;
mod layout;
mod overview;
mod picture;
mod places;
mod text;
mod workspace;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::Markup;
use time::OffsetDateTime;
use tracing::error;

use super::{Face, Published, Swept, View};

use self::filter::Filter;

/// The page's addresses.
pub(super) fn router() -> Router<Face> {
    Router::new()
        .route("/", get(overview))
        .route("/gaps", get(gaps))
        .route("/waivers", get(waivers))
        .route("/findings/{id}", get(finding))
        .route("/workspaces/{key}", get(workspace))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .layer(map_response(guarded))
}

/// What a browser may do with an answer: show it, with the style and nothing else.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

async fn guarded(mut response: Response) -> Response {
    response.headers_mut().extend(HEADERS);
    response
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page/style.css"))
}

async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("page/icon.svg"))
}

/// What a page is made of: one published view, and what time it is.
struct Moment {
    published: Arc<Published>,
    now: i64,
    /// Whether metrics are on this listener too.
    metrics: bool,
}

impl Moment {
    fn of(face: &Face) -> Self {
        let published = face.views.borrow().clone();
        Self { published, now: OffsetDateTime::now_utc().unix_timestamp(), metrics: has_metrics(face) }
    }

    fn view(&self) -> &View {
        &self.published.view
    }

    fn swept(&self) -> Option<&Swept> {
        self.published.view.swept.as_deref()
    }

    /// Whether any sweep is known of, be it an earlier process's that the ledger kept.
    fn ever_swept(&self) -> bool {
        self.swept().is_some() || self.view().kept.last.is_some()
    }

    /// What people call a subscription; none if nobody told.
    fn subscription(&self, guid: &str) -> Option<&str> {
        let names = &self.swept()?.report.subscriptions;
        names.get(guid).map(String::as_str).filter(|name| !name.is_empty())
    }
}

/// Whether metrics are on the page's listener, and have none of their own.
fn has_metrics(face: &Face) -> bool {
    face.doors.http.borrow().metrics.is_none()
}

async fn overview(State(face): State<Face>, RawQuery(query): RawQuery) -> Response {
    drawn(move || overview::page(&Moment::of(&face), &Filter::read(query.as_deref()))).await
}

async fn gaps(State(face): State<Face>, RawQuery(query): RawQuery) -> Response {
    drawn(move || overview::gaps(&Moment::of(&face), &Filter::read(query.as_deref()))).await
}

async fn waivers(State(face): State<Face>, RawQuery(query): RawQuery) -> Response {
    drawn(move || overview::waivers(&Moment::of(&face), &Filter::read(query.as_deref()))).await
}

async fn finding(State(face): State<Face>, Path(id): Path<String>) -> Response {
    let moment = Moment::of(&face);
    let Some(found) = finding::find(&moment, &id) else {
        return nothing_here(&moment, "There is no such finding, or it is no longer kept.");
    };
    // What is not read is told, never left out as if there were nothing.
    let changes = face.store.lock().await.changes_of(&id).await.map_err(|trouble| {
        error!("{trouble}");
        trouble.to_string()
    });
    Html(finding::page(&moment, &found, &changes).into_string()).into_response()
}

async fn workspace(State(face): State<Face>, Path(key): Path<String>) -> Response {
    let moment = Moment::of(&face);
    match workspace::find(&moment, &key) {
        // Facts are derived anew for it, which takes too long to hold up everybody else.
        Some(place) => drawn(move || workspace::page(&moment, &place)).await,
        None => nothing_here(
            &moment,
            "There is no such workspace in the last sweep, nor among what the ledger keeps.",
        ),
    }
}

/// A page made beside the listener's own threads.
async fn drawn(page: impl FnOnce() -> Markup + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(page).await {
        Ok(page) => Html(page.into_string()).into_response(),
        Err(trouble) => {
            error!("the page could not be made: {trouble}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn nothing_here(moment: &Moment, what: &str) -> Response {
    (StatusCode::NOT_FOUND, Html(layout::nothing(moment, what).into_string())).into_response()
}
