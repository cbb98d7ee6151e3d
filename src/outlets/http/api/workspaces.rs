//! The workspaces, and how each of them stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Limit, Text, cursor, read_cursor};
use super::findings::found;
use super::found::{Found, State as Life};
use super::listing::{Known, Listing, not_yet};
use super::{Face, Problem, Published};
use crate::findings::{PolicyResult, Status};
use crate::inventory::ResourceId;
use crate::severity::Severity;

/// Which workspaces.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// How many at once.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: `next` of the page before.
    cursor: Option<Text>,
}

/// A workspace, and how it stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Workspace {
    /// Its ARM id, in lower case.
    id: ResourceId,
    /// Its name, as Azure spells it.
    name: String,
    /// The guid of its subscription.
    subscription: Option<String>,
    /// The name of that subscription.
    subscription_name: Option<String>,
    /// Whether the last sweep saw it; otherwise only its findings are known.
    seen: bool,
    /// The last sweep's verdicts by status, of the workspace itself and of everything that serves it, shared or not; and
    /// those on what may be hidden there. None if the sweep did not see it.
    results: Option<BTreeMap<&'static str, usize>>,
    /// Its findings that are open, by severity.
    findings: BTreeMap<&'static str, usize>,
    /// How many of these the last sweep could not check.
    stale: usize,
}

pub(super) async fn list(State(face): State<Face>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let published: Arc<Published> = face.views.borrow().clone();
    if published.view.swept.is_none() {
        return Err(not_yet(&published));
    }
    let known = Known::of(&published);
    let after: Option<String> = read_cursor(asked.cursor.as_ref().map(|cursor| cursor.0.as_str()))?;
    let all = published.view.index.workspaces.get_or_init(|| stand(&published, found(&published)));
    let start =
        after.map_or(0, |after| all.partition_point(|workspace| workspace.id.key() <= after.as_str()));
    let items: Vec<&Workspace> = all.iter().skip(start).take(asked.limit.0).collect();
    let more = start + items.len() < all.len();
    let next = items.last().filter(|_| more).map(|last| cursor(&last.id.key()));
    Ok(Json(Listing { known, total: all.len(), items, next }).into_response())
}

/// Every workspace, in the order of their ids.
fn stand(published: &Published, found: &Found) -> Vec<Workspace> {
    let view = &published.view;
    let Some(swept) = &view.swept else { return Vec::new() };
    let names = &swept.report.subscriptions;
    let mut all: BTreeMap<ResourceId, Workspace> = BTreeMap::new();
    let new = |id: &ResourceId, seen: bool| Workspace {
        id: id.clone(),
        name: id.name().to_owned(),
        subscription: id.subscription().map(str::to_owned),
        subscription_name: id.subscription().and_then(|guid| names.get(guid)).cloned(),
        seen,
        results: seen.then(|| Status::ALL.iter().map(|status| (status.name(), 0)).collect()),
        findings: Severity::WORST_FIRST.iter().map(|severity| (severity.name(), 0)).collect(),
        stale: 0,
    };
    for id in swept.inventory.workspaces.keys() {
        all.insert(id.clone(), new(id, true));
    }
    let concerned =
        Concerned { found, hidden: hidden(&swept.report.results, swept.inventory.workspaces.keys(), found) };
    for result in &swept.report.results {
        for id in concerned.by(result) {
            if let Some(results) = all.get_mut(id).and_then(|workspace| workspace.results.as_mut()) {
                *results.entry(result.status.name()).or_default() += 1;
            }
        }
    }
    let standing = found.entries.iter().filter(|entry| matches!(entry.state, Life::Open | Life::Stale));
    for (entry, shown) in standing.filter_map(|entry| Some((entry, found.show(view, entry)?))) {
        if found.may_concern_any(shown.subject) {
            for workspace in all.values_mut() {
                *workspace.findings.entry(shown.severity.name()).or_default() += 1;
                workspace.stale += usize::from(entry.state == Life::Stale);
            }
            continue;
        }
        for id in concerned.of(&shown.subject.id, shown.subject.workspace.as_ref()) {
            if !is_workspace(id) {
                continue;
            }
            let workspace = all.entry(id.clone()).or_insert_with(|| new(id, false));
            *workspace.findings.entry(shown.severity.name()).or_default() += 1;
            workspace.stale += usize::from(entry.state == Life::Stale);
        }
    }
    all.into_values().collect()
}

struct Concerned<'a> {
    found: &'a Found,
    /// The workspaces in which something may be hidden, by the scope of the gap.
    hidden: BTreeMap<&'a ResourceId, BTreeSet<&'a ResourceId>>,
}

impl<'a> Concerned<'a> {
    fn by<'b>(&'b self, result: &'b PolicyResult) -> BTreeSet<&'b ResourceId> {
        let subject = &result.subject;
        if subject.hidden {
            return self.hidden.get(&subject.id).cloned().unwrap_or_default();
        }
        self.of(&subject.id, subject.workspace.as_ref())
    }

    fn of<'b>(
        &'b self,
        subject: &'b ResourceId,
        workspace: Option<&'b ResourceId>,
    ) -> BTreeSet<&'b ResourceId> {
        let sharing = self.found.users().get(subject).into_iter().flatten();
        sharing.chain(workspace).chain(is_workspace(subject).then_some(subject)).collect()
    }
}

fn is_workspace(id: &ResourceId) -> bool {
    id.resource_type().as_deref() == Some("microsoft.machinelearningservices/workspaces")
}

/// Which workspaces a gap may hide something of: those in its scope, those that it lies in, and those that use what is.
fn hidden<'a>(
    results: &'a [PolicyResult],
    workspaces: impl Iterator<Item = &'a ResourceId>,
    found: &'a Found,
) -> BTreeMap<&'a ResourceId, BTreeSet<&'a ResourceId>> {
    let workspaces: Vec<&ResourceId> = workspaces.collect();
    let scopes: BTreeSet<&ResourceId> = results
        .iter()
        .map(|result| &result.subject)
        .filter(|subject| subject.hidden)
        .map(|subject| &subject.id)
        .collect();
    let touches = |scope: &ResourceId, id: &ResourceId| scope.contains(id) || id.contains(scope);
    let in_scope = |scope: &'a ResourceId| {
        let own = workspaces.iter().copied().filter(|id| touches(scope, id));
        let shared = found.users().iter().filter(|(id, _)| touches(scope, id)).flat_map(|(_, users)| users);
        (scope, own.chain(shared).collect())
    };
    scopes.into_iter().map(in_scope).collect()
}
