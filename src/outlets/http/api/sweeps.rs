//! The sweeps that were, and one on demand.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::TrySendError;
use tracing::info;

use super::asked::{Limit, Text, cursor, read_cursor};
use super::listing::Known;
use super::{Caller, Face, Problem, Published};
use crate::findings::Status;
use crate::findings::ledger::stamp;
use crate::store::KeptSweep;

/// Which sweeps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// How many at once.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: `next` of the page before.
    cursor: Option<Text>,
}

/// A sweep that ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sweep")]
pub(super) struct Shown {
    /// Counted from 1, over restarts.
    number: i64,
    /// When Azure was read.
    taken_at: String,
    /// When it ended.
    finished_at: String,
    /// Whether it read everything.
    complete: bool,
    /// How much could not be read.
    gaps: i64,
    /// Its verdicts by status.
    results: std::collections::BTreeMap<&'static str, i64>,
}

/// The sweeps, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SweepList")]
pub(super) struct Sweeps {
    #[serde(flatten)]
    known: Known,
    /// Whether a further one is asked for and has not begun.
    waiting: bool,
    /// Those of this page.
    items: Vec<Shown>,
    /// The `cursor` of the next page; none on the last one.
    next: Option<String>,
}

/// What becomes of a sweep that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SweepAsked")]
pub(super) struct Taken {
    /// Whether one was waiting already: then that one is it, for no two ever wait.
    already_waiting: bool,
}

impl From<&KeptSweep> for Shown {
    fn from(kept: &KeptSweep) -> Self {
        Self {
            number: kept.number,
            taken_at: kept.taken_at.clone(),
            finished_at: stamp(kept.finished_at),
            complete: kept.gaps == 0,
            gaps: kept.gaps,
            results: Status::ALL.iter().zip(kept.results).map(|(status, n)| (status.name(), n)).collect(),
        }
    }
}

pub(super) async fn list(State(face): State<Face>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let published: Arc<Published> = face.views.borrow().clone();
    let before: Option<i64> = read_cursor(asked.cursor.as_ref().map(|cursor| cursor.0.as_str()))?;
    let limit = asked.limit.0;
    // One more tells whether there is a next page. Most ask for the newest, which are at hand.
    let wanted = limit.saturating_add(1);
    let at_hand = &published.view.sweeps;
    let read = match before {
        None if at_hand.len() >= wanted => at_hand[..wanted].to_vec(),
        _ => {
            let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
            face.store.lock().await.sweeps(before, wanted).await.map_err(|error| {
                tracing::error!("{error}");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read; the log says why")
            })?
        }
    };
    let items: Vec<Shown> = read.iter().take(limit).map(Shown::from).collect();
    let next = items.last().filter(|_| read.len() > limit).map(|last| cursor(&last.number));
    let waiting = face.trigger.capacity() == 0;
    Ok(Json(Sweeps { known: Known::of(&published), waiting, items, next }).into_response())
}

pub(super) async fn ask(
    State(face): State<Face>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Response, Problem> {
    // One that is announced is refused unread: waiting for it would hold a place that others need.
    if !body.is_end_stream() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "a sweep is asked for without a body"));
    }
    let already_waiting = match face.trigger.try_send(()) {
        Ok(()) => false,
        Err(TrySendError::Full(())) => true,
        Err(TrySendError::Closed(())) => {
            return Err(Problem::for_the_moment("the daemon is shutting down", 10));
        }
    };
    if !already_waiting {
        info!(
            by = caller.name.as_deref().unwrap_or("somebody without a token"),
            "a sweep was asked for by HTTP"
        );
    }
    Ok((StatusCode::ACCEPTED, Json(Taken { already_waiting })).into_response())
}
