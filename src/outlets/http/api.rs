//! The HTTP API below `/api`: what is known, for programs. One table of routes mounts the handlers and writes the document
//! that describes them, so neither can lack what the other has.
//!
//! An answer never claims more than is known: each says which sweep it is of and whether that one read everything; where
//! nothing is known yet, there is a problem in place of an empty list.

use axum::Router;
use axum::http::Method;

use super::auth;
use super::problem::{self, Problem};
use super::view::View;
use super::{Caller, Face, Published};

mod asked;
mod findings;
mod found;
mod listing;
mod openapi;
mod policies;
mod routes;
mod snapshot;
mod sweeps;
mod waivers;
mod workspaces;

pub use self::openapi::document;
use self::routes::{Route, routes};

/// What answers are found by, made once for each published view.
#[derive(Default)]
pub struct Index {
    findings: std::sync::OnceLock<found::Found>,
    workspaces: std::sync::OnceLock<Vec<workspaces::Workspace>>,
}

/// Where the document is.
pub const DOCUMENT: &str = "/api/openapi.json";

/// The methods and paths of the API, without the document's own.
pub fn table() -> Vec<(Method, &'static str)> {
    routes().into_iter().map(|route| (route.method, route.path)).collect()
}

pub(super) fn router() -> Router<Face> {
    let document = axum::routing::get(|| async { ([("content-type", "application/json")], openapi::text()) });
    let mounted = Router::new().route(DOCUMENT, document);
    routes().into_iter().fold(mounted, |router, Route { path, handler, .. }| router.route(path, handler))
}
