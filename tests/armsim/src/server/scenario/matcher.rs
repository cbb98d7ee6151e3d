//! Where and when a trouble strikes.

use super::super::request::{Request, kind_of};
use crate::kinds;
use axum::http::Method;
use serde_json::{Map, Value};

/// Kinds of requests that the statistics know besides the kinds of records.
const OTHER_KINDS: &[&str] =
    &["resource_graph", "token", "permissions", "assigned_to", "subnets", "locations", "providers", "other"];

/// Which requests a trouble is about; by default every call of ARM and Resource Graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Place {
    /// As in the statistics: `computes`, `resource_graph`, `token`.
    pub(super) kind: Option<String>,
    /// Part of the path and query, or of Resource Graph's request; lower case.
    path: Option<String>,
    api: Option<Api>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Api {
    Arm,
    Graph,
}

/// A request as far as matching is concerned.
pub(super) struct Seen {
    kind: &'static str,
    graph: bool,
    text: String,
    get: bool,
}

impl Seen {
    pub(super) fn new(request: &Request<'_>) -> Self {
        let kind = kind_of(request);
        let graph = kind == "resource_graph";
        let mut text = request.line();
        if graph {
            text.push(' ');
            text.push_str(&String::from_utf8_lossy(request.body).to_lowercase());
        }
        Self { kind, graph, text, get: *request.method == Method::GET }
    }

    pub(super) fn is_token(&self) -> bool {
        self.kind == "token"
    }

    pub(super) fn is_graph(&self) -> bool {
        self.graph
    }

    /// Whether it can be the list of ARM.
    pub(super) fn is_arm(&self) -> bool {
        self.get && !self.graph && !self.is_token()
    }
}

impl Place {
    /// Takes `kind`, `path` and `api` out of a trouble's JSON form.
    pub(super) fn take(from: &mut Map<String, Value>) -> Result<Self, String> {
        let kind = take_text(from, "kind")?;
        if let Some(kind) = &kind
            && kinds::by_name(kind).is_none()
            && !OTHER_KINDS.contains(&kind.as_str())
        {
            return Err(format!("kind '{kind}' is not among the kinds of the statistics"));
        }
        let api = match take_text(from, "api")?.as_deref() {
            None => None,
            Some("arm") => Some(Api::Arm),
            Some("graph") => Some(Api::Graph),
            Some(other) => return Err(format!("api '{other}' is neither 'arm' nor 'graph'")),
        };
        Ok(Self { kind, path: take_text(from, "path")?.map(|path| path.to_lowercase()), api })
    }

    pub(super) fn matches(&self, seen: &Seen) -> bool {
        let of_kind = match &self.kind {
            Some(kind) => kind == seen.kind,
            None => !seen.is_token(),
        };
        let of_api = match self.api {
            Some(Api::Arm) => !seen.graph && !seen.is_token(),
            Some(Api::Graph) => seen.graph,
            None => true,
        };
        of_kind && of_api && self.path.as_ref().is_none_or(|path| seen.text.contains(path))
    }

    pub(super) fn is_graph_only(&self) -> bool {
        self.api == Some(Api::Graph) || self.kind.as_deref() == Some("resource_graph")
    }
}

/// Which of the matching requests are struck; by default all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct When {
    /// So many matching requests pass first.
    pub(super) after: u64,
    /// So many are struck, then no more.
    pub(super) times: Option<u64>,
    /// The same request is struck so often in a row at most; then it is answered once.
    pub(super) tries: Option<u32>,
    pub(super) probability: f64,
}

impl When {
    /// Takes `after`, `times`, `tries` and `probability` out of a trouble's JSON form.
    pub(super) fn take(from: &mut Map<String, Value>) -> Result<Self, String> {
        let tries = take_count(from, "tries")?;
        let when = Self {
            after: take_count(from, "after")?.unwrap_or_default(),
            times: take_count(from, "times")?,
            tries: tries.map(|tries| u32::try_from(tries).unwrap_or(u32::MAX)),
            probability: match from.remove("probability") {
                None => 1.0,
                Some(told) => told
                    .as_f64()
                    .filter(|told| (0.0..=1.0).contains(told))
                    .ok_or_else(|| format!("probability {told} is not between 0 and 1"))?,
            },
        };
        Ok(when)
    }

    /// An event happens once unless told otherwise, and by no chance.
    pub(super) fn as_event(&mut self) -> Result<(), String> {
        if self.tries.is_some() || self.probability < 1.0 {
            return Err(
                "it happens after some number of requests; 'tries' and 'probability' mean nothing".into()
            );
        }
        self.times = self.times.or(Some(1));
        Ok(())
    }
}

fn take_text(from: &mut Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match from.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{key} {other} is no text")),
    }
}

fn take_count(from: &mut Map<String, Value>, key: &str) -> Result<Option<u64>, String> {
    match from.remove(key) {
        None => Ok(None),
        Some(told) => match told.as_u64() {
            Some(count) => Ok(Some(count)),
            None => Err(format!("{key} {told} is not a whole number")),
        },
    }
}
