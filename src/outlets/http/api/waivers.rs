//! The waivers, and how each of them stood in the last sweep.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::listing::{Known, Listing, not_yet};
use super::{Face, Problem};

pub(super) async fn list(State(face): State<Face>) -> Result<Response, Problem> {
    let published = face.views.borrow().clone();
    let Some(swept) = &published.view.swept else { return Err(not_yet(&published)) };
    let items: Vec<_> = swept.report.waivers.iter().collect();
    let listing = Listing { known: Known::of(&published), total: items.len(), items, next: None };
    Ok(Json(listing).into_response())
}
