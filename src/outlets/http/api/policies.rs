//! The policies in force.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::Face;
use super::listing::{Known, Listing};

pub(super) async fn list(State(face): State<Face>) -> Response {
    let published = face.views.borrow().clone();
    let items: Vec<_> = published.view.policies.iter().collect();
    Json(Listing { known: Known::of(&published), total: items.len(), items, next: None }).into_response()
}
