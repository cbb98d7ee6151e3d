//! The table of routes: what is mounted, and what the document says of it.

use axum::http::{Method, StatusCode};
use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::listing::Listing;
use super::{Face, findings, found, policies, snapshot, sweeps, waivers, workspaces};
use crate::findings::waivers::Standing;
use crate::policy::Listed;

/// One route.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) handler: MethodRouter<Face>,
    /// Its name in generated clients.
    pub(super) id: &'static str,
    /// What it is, in a few words.
    pub(super) summary: &'static str,
    /// What whoever uses it must know.
    pub(super) description: &'static str,
    /// The schema of its query.
    pub(super) query: Option<Make>,
    /// The status and the form of its answer.
    pub(super) answer: (StatusCode, Answer),
    /// What it may refuse with, besides what stands before every route.
    pub(super) problems: &'static [StatusCode],
}

/// Makes a schema.
pub(super) type Make = fn(&mut SchemaGenerator) -> Schema;

/// What an answer is.
pub(super) enum Answer {
    /// JSON of a schema.
    Json(Make),
    /// A file of a media type.
    File(&'static str),
}

fn make<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema itself, for its properties become parameters.
fn whole<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

const NOT_YET: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
const UNKNOWN: StatusCode = StatusCode::NOT_FOUND;
const MALFORMED: StatusCode = StatusCode::BAD_REQUEST;
const LEDGER: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            method: Method::GET,
            path: "/api/v1/findings",
            handler: get(findings::list),
            id: "listFindings",
            summary: "The findings",
            description: "In the order of policy, subject and key, which never changes: a cursor passes over nothing \
                and repeats nothing, even if a sweep ends in between. Without `state` what is wrong now. Before the \
                first sweep of a process what the ledger kept, all of it stale. A policy, subscription or workspace \
                that nobody knows is a 404, not an empty list.",
            query: Some(whole::<findings::Asked>),
            answer: (StatusCode::OK, Answer::Json(make::<Listing<found::Shown<'_>>>)),
            problems: &[MALFORMED, UNKNOWN, NOT_YET],
        },
        Route {
            method: Method::GET,
            path: "/api/v1/findings/{id}",
            handler: get(findings::one),
            id: "getFinding",
            summary: "A finding with its evidence and history",
            description: "Evidence and waiver are there if the last sweep saw the violation.",
            query: None,
            answer: (StatusCode::OK, Answer::Json(make::<findings::InFull<'_>>)),
            problems: &[UNKNOWN, LEDGER, NOT_YET],
        },
        Route {
            method: Method::GET,
            path: "/api/v1/workspaces",
            handler: get(workspaces::list),
            id: "listWorkspaces",
            summary: "The workspaces, and how each of them stands",
            description: "What several workspaces share counts for each of them. Verdicts on what may be hidden from \
                the sweep count for every workspace that it may concern.",
            query: Some(whole::<workspaces::Asked>),
            answer: (StatusCode::OK, Answer::Json(make::<Listing<workspaces::Workspace>>)),
            problems: &[MALFORMED, NOT_YET],
        },
        Route {
            method: Method::GET,
            path: "/api/v1/sweeps",
            handler: get(sweeps::list),
            id: "listSweeps",
            summary: "The sweeps that ended, the newest first",
            description: "As long as the ledger's retention reaches. A sweep that failed as a whole is not among them.",
            query: Some(whole::<sweeps::Asked>),
            answer: (StatusCode::OK, Answer::Json(make::<sweeps::Sweeps>)),
            problems: &[MALFORMED, LEDGER],
        },
        Route {
            method: Method::POST,
            path: "/api/v1/sweeps",
            handler: post(sweeps::ask),
            id: "askForSweep",
            summary: "Ask for a sweep",
            description: "It begins when the one under way has ended, and not before ten seconds after the beginning \
                of the last one. At most one waits. A browser is heard for a page of this very address only.",
            query: None,
            answer: (StatusCode::ACCEPTED, Answer::Json(make::<sweeps::Taken>)),
            problems: &[MALFORMED, StatusCode::PAYLOAD_TOO_LARGE],
        },
        Route {
            method: Method::GET,
            path: "/api/v1/policies",
            handler: get(policies::list),
            id: "listPolicies",
            summary: "The policies in force",
            description: "With those that the configuration switches off.",
            query: None,
            answer: (StatusCode::OK, Answer::Json(make::<Listing<Listed>>)),
            problems: &[],
        },
        Route {
            method: Method::GET,
            path: "/api/v1/waivers",
            handler: get(waivers::list),
            id: "listWaivers",
            summary: "The waivers, and how each of them stood in the last sweep",
            description: "In the order of their files.",
            query: None,
            answer: (StatusCode::OK, Answer::Json(make::<Listing<Standing>>)),
            problems: &[NOT_YET],
        },
        Route {
            method: Method::GET,
            path: "/api/v1/snapshot/latest",
            handler: get(snapshot::latest),
            id: "getSnapshot",
            summary: "The last sweep's snapshot, for `mlfence audit --snapshot`",
            description: "JSON lines, compressed by Zstandard. Only with `http.snapshot: true`.",
            query: None,
            answer: (StatusCode::OK, Answer::File(snapshot::MEDIA_TYPE)),
            problems: &[UNKNOWN, NOT_YET],
        },
    ]
}
