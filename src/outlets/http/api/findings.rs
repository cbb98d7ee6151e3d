//! The findings: a list to be filtered, and each of them with its evidence and history.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::asked::{Limit, PolicyId, Text, Words, cursor, read_cursor};
use super::found::{Found, Key, Shown, State as Life};
use super::listing::{Known, Listing, not_yet};
use super::{Face, Problem, Published};
use crate::findings::ledger::stamp;
use crate::findings::waivers::Waiver;
use crate::inventory::ResourceId;
use crate::policy::{DocumentRef, Note};
use crate::severity::Severity;
use crate::store::KeptChange;

/// Which findings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Only of these policies.
    policy: Option<Words<PolicyId>>,
    /// Only of these severities.
    severity: Option<Words<Severity>>,
    /// Only of this severity or worse.
    minimum_severity: Option<Severity>,
    /// Only in these states; `open,stale` if not given, which is what is wrong now.
    state: Option<Words<Life>>,
    /// Only of this subscription: its guid, or its name.
    subscription: Option<Text>,
    /// Only of this workspace, by ARM id: its own, and those of what it shares with others.
    workspace: Option<Text>,
    /// Only those whose policy, title, message, key, ids or names hold this text, in whatever case.
    text: Option<Text>,
    /// How many at once.
    #[serde(default)]
    limit: Limit,
    /// Where to go on: `next` of the page before.
    cursor: Option<Text>,
}

/// A finding with all that is known of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FindingInFull")]
pub(super) struct InFull<'a> {
    #[serde(flatten)]
    shown: Shown<'a>,
    /// How much is known.
    known: Known,
    /// The deciding facts, if the last sweep saw it.
    evidence: Option<&'a Map<String, Value>>,
    /// The waiver that covers it, if the last sweep saw it.
    waiver: Option<&'a Waiver>,
    /// Remarks of the policy.
    notes: &'a [Note],
    /// The documents that state the requirement.
    documents: &'a [DocumentRef],
    /// What became of it, the oldest first, as long as the ledger's retention reaches.
    history: Vec<Change>,
}

/// What happened to a finding in one sweep.
#[derive(Debug, Serialize, JsonSchema)]
struct Change {
    /// The sweep's number.
    sweep: i64,
    /// When that sweep ended.
    at: String,
    /// `opened`, `reopened`, `changed` or `resolved`.
    change: String,
    /// The severity that the finding had then.
    severity: String,
    /// Why it was resolved, if it was.
    resolution: Option<String>,
}

impl From<KeptChange> for Change {
    fn from(kept: KeptChange) -> Self {
        let KeptChange { sweep, at, change, severity, resolution } = kept;
        Self { sweep, at: stamp(at), change, severity, resolution }
    }
}

/// The index over a published view's findings.
pub(super) fn found(published: &Published) -> &Found {
    published.view.index.findings.get_or_init(|| Found::of(&published.view))
}

pub(super) async fn list(State(face): State<Face>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let published: Arc<Published> = face.views.borrow().clone();
    let known = Known::or_not_yet(&published)?;
    let after: Option<Key> = read_cursor(asked.cursor.as_ref().map(|cursor| cursor.0.as_str()))?;
    let found = found(&published);
    let view = &published.view;
    let filter = Filter::of(&asked, &published, found)?;
    let mut total = 0;
    let mut items = Vec::new();
    let mut next = None;
    for entry in found.entries.iter().filter(|entry| filter.fits_place(&entry.key.0, entry.state)) {
        let Some(shown) = found.show_if(view, entry, &filter) else { continue };
        total += 1;
        if after.as_ref().is_some_and(|after| entry.key <= *after) {
            continue;
        }
        if items.len() < asked.limit.0 {
            items.push((shown, &entry.key));
        } else {
            next = next.or_else(|| items.last().map(|(_, key)| cursor(key)));
        }
    }
    let items = items.into_iter().map(|(shown, _)| shown).collect();
    Ok(Json(Listing { known, total, items, next }).into_response())
}

pub(super) async fn one(State(face): State<Face>, Path(id): Path<String>) -> Result<Response, Problem> {
    let published: Arc<Published> = face.views.borrow().clone();
    let known = Known::or_not_yet(&published)?;
    let (found, view) = (found(&published), &published.view);
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no finding of this id, or no longer");
    let entry = found.entry(&id).ok_or_else(unknown)?;
    let shown = found.show(view, entry).ok_or_else(unknown)?;
    let history = face.store.lock().await.changes_of(&id).await.map_err(|error| {
        tracing::error!("{error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read; the log says why")
    })?;
    let seen = found.violation(view, entry);
    let full = InFull {
        evidence: seen.map(|(_, violation)| &violation.evidence),
        waiver: seen.and_then(|(_, violation)| violation.waiver.as_ref()),
        notes: seen.map_or(&[], |(result, _)| result.notes.as_slice()),
        documents: view
            .policies
            .iter()
            .find(|policy| policy.id == entry.key.0)
            .map_or(&[], |policy| policy.documents.as_slice()),
        history: history.into_iter().map(Change::from).collect(),
        known,
        shown,
    };
    Ok(Json(full).into_response())
}

/// What is asked for, understood.
struct Filter<'a> {
    asked: &'a Asked,
    subscriptions: Option<std::collections::BTreeSet<String>>,
    workspace: Option<ResourceId>,
    text: Option<String>,
}

impl<'a> Filter<'a> {
    /// Who asks by a name that nobody has gets no empty list, which would look as if nothing were wrong there.
    fn of(asked: &'a Asked, published: &Published, found: &Found) -> Result<Self, Problem> {
        let view = &published.view;
        // Before a first sweep there is nobody who could tell.
        let sure = view.swept.is_some();
        let nobody = |what: &str, name: &str| {
            Problem::new(StatusCode::NOT_FOUND, format!("nothing is known of the {what} `{name}`"))
        };
        for PolicyId(id) in asked.policy.iter().flat_map(|policies| policies.iter()) {
            let known = view.policies.iter().any(|policy| policy.id == *id)
                || found.entries.iter().any(|entry| entry.key.0 == *id);
            if !known {
                return Err(nobody("policy", id));
            }
        }
        let subscriptions = asked.subscription.as_ref().map(|named| found.subscriptions(view, &named.0));
        if let (Some(named), Some(none)) = (&asked.subscription, &subscriptions)
            && none.is_empty()
        {
            return Err(if sure { nobody("subscription", &named.0) } else { not_yet(published) });
        }
        let workspace = match &asked.workspace {
            None => None,
            Some(named) => {
                let id = ResourceId::parse(&named.0).filter(|id| !sure || found.knows_workspace(id));
                Some(id.ok_or_else(|| nobody("workspace", &named.0))?)
            }
        };
        let text = asked.text.as_ref().map(|text| text.0.to_lowercase());
        Ok(Self { asked, subscriptions, workspace, text })
    }

    fn fits_place(&self, policy: &str, state: Life) -> bool {
        let of_policy = self.asked.policy.as_ref().is_none_or(|ids| ids.iter().any(|id| id.0 == policy));
        let in_state = match &self.asked.state {
            Some(states) => states.contains(&state),
            None => matches!(state, Life::Open | Life::Stale),
        };
        of_policy && in_state
    }

    fn fits(&self, found: &Found, shown: &Shown<'_>) -> bool {
        let subject = shown.subject;
        let lies_in = |guids: &std::collections::BTreeSet<String>| {
            let ids = [Some(&subject.id), subject.workspace.as_ref()];
            ids.into_iter().flatten().filter_map(ResourceId::subscription).any(|guid| guids.contains(guid))
        };
        self.asked.severity.as_ref().is_none_or(|severities| severities.contains(&shown.severity))
            && self.asked.minimum_severity.is_none_or(|least| shown.severity >= least)
            && self.subscriptions.as_ref().is_none_or(lies_in)
            && self.workspace.as_ref().is_none_or(|workspace| found.concerns(subject, workspace))
            && self.text.as_ref().is_none_or(|text| shown.says(text))
    }
}

impl Found {
    fn show_if<'a>(
        &self,
        view: &'a super::View,
        entry: &'a super::found::Entry,
        filter: &Filter<'_>,
    ) -> Option<Shown<'a>> {
        self.show(view, entry).filter(|shown| filter.fits(self, shown))
    }
}
