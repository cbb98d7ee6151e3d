//! Every finding that is known, in one order that no sweep changes: by policy, subject and key, of which its fingerprint is
//! made. What became of each stands in the ledger and in the report, and is looked up there.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::View;
use crate::facts::{self, SubjectKind};
use crate::findings::PolicyResult;
use crate::findings::judge::{Subject, Violation};
use crate::findings::ledger::stamp;
use crate::findings::ledger::{Finding, Resolution, Resolved};
use crate::inventory::ResourceId;
use crate::severity::Severity;

/// What is known of a finding's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// The last sweep saw it.
    Open,
    /// It is open, and the last sweep could not tell whether it still stands; or there was none yet in this process.
    Stale,
    /// It was seen, but in fewer sweeps than `ledger.confirmations.open` asks for.
    Pending,
    /// Somebody accepted it.
    Waived,
    /// It is over: see `resolution`.
    Resolved,
}

/// What all findings are sorted by, and so what a page's cursor holds.
pub(super) type Key = (String, String, String);

/// One finding's place.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) key: Key,
    pub(super) state: State,
    /// The violation in the last report, by the places of its result and itself.
    seen: Option<(usize, usize)>,
}

/// Every finding.
pub(super) struct Found {
    /// In their order.
    pub(super) entries: Vec<Entry>,
    by_id: BTreeMap<String, usize>,
    users: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
    /// The ids of workspaces that something is known of.
    workspaces: BTreeSet<ResourceId>,
    /// The folded guids of subscriptions that something is known of.
    subscriptions: BTreeSet<String>,
}

/// A finding.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub(super) struct Shown<'a> {
    /// Its fingerprint: stable over time.
    id: &'a str,
    /// What is known of its life.
    state: State,
    /// The policy's id.
    policy: &'a str,
    /// The policy's title; none if it is no longer there.
    title: Option<&'a str>,
    /// How bad it is.
    pub(super) severity: Severity,
    /// What is wrong, in a sentence.
    message: &'a str,
    /// What would fix it, with the names filled in that are known.
    remediation: &'a str,
    /// Who violates the policy.
    pub(super) subject: &'a Subject,
    /// The resource to look at, if it is another than the subject.
    resource: Option<&'a str>,
    /// What tells it from the subject's other findings.
    key: &'a str,
    /// The guid of the subject's subscription.
    subscription: Option<&'a str>,
    /// The name of that subscription, if the last sweep told it.
    subscription_name: Option<&'a str>,
    /// The digest of the deciding facts, to pin a waiver to.
    evidence_digest: &'a str,
    /// When it was seen for the first time; RFC 3339, UTC, as all times are. None if it was accepted from the beginning.
    first_seen: Option<String>,
    /// When it was opened, or opened again; none if it never was.
    opened_at: Option<String>,
    /// When a sweep last saw it.
    confirmed_at: Option<String>,
    /// Since when sweeps cannot tell whether it still stands.
    stale_since: Option<String>,
    /// When it was resolved.
    resolved_at: Option<String>,
    /// Why it was resolved: fixed, resource_deleted, waived, policy_removed or out_of_scope.
    resolution: Option<&'static str>,
    /// How often it came back after it was resolved.
    reopened: u32,
}

impl Found {
    pub(super) fn of(view: &View) -> Self {
        let mut entries = BTreeMap::new();
        let mut add = |id: &str, finding: &Finding, state: State| {
            let key = (finding.policy.clone(), finding.subject.id.key().to_owned(), finding.key.clone());
            entries.insert(id.to_owned(), Entry { id: id.to_owned(), key, state, seen: None });
        };
        let ledger = &view.kept.ledger;
        for (id, finding) in &ledger.open {
            let sure = view.swept.is_some() && !finding.is_stale();
            add(id, finding, if sure { State::Open } else { State::Stale });
        }
        ledger.pending.iter().for_each(|(id, finding)| add(id, finding, State::Pending));
        for (id, resolved) in &ledger.resolved {
            let waived = resolved.resolution == Resolution::Waived;
            add(id, &resolved.finding, if waived { State::Waived } else { State::Resolved });
        }
        for (at, result) in view.swept.iter().flat_map(|swept| swept.report.results.iter().enumerate()) {
            for (nth, violation) in result.violations.iter().enumerate() {
                let entry = entries.entry(violation.id.clone()).or_insert_with(|| Entry {
                    id: violation.id.clone(),
                    key: (result.policy.clone(), result.subject.id.key().to_owned(), violation.key.clone()),
                    // What was accepted from the beginning was never opened, and is in no ledger. Of anything else the
                    // sweep could not be kept, which makes it no less wrong.
                    state: if violation.waiver.is_some() { State::Waived } else { State::Open },
                    seen: None,
                });
                entry.seen = Some((at, nth));
            }
        }
        let mut entries: Vec<Entry> = entries.into_values().collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let by_id = entries.iter().enumerate().map(|(at, entry)| (entry.id.clone(), at)).collect();
        let users = view.swept.as_ref().map(|swept| facts::users(&swept.inventory)).unwrap_or_default();
        let mut found =
            Self { entries, by_id, users, workspaces: BTreeSet::new(), subscriptions: BTreeSet::new() };
        found.note_names(view);
        found
    }

    fn note_names(&mut self, view: &View) {
        let (mut ids, mut workspaces) = (BTreeSet::new(), BTreeSet::new());
        for shown in self.entries.iter().filter_map(|entry| self.show(view, entry)) {
            workspaces.extend(shown.subject.workspace.clone());
            ids.insert(shown.subject.id.clone());
        }
        self.workspaces = workspaces;
        if let Some(swept) = &view.swept {
            self.workspaces.extend(swept.inventory.workspaces.keys().cloned());
            self.subscriptions.extend(swept.report.subscriptions.keys().cloned());
        }
        ids.extend(self.workspaces.iter().cloned());
        self.subscriptions.extend(ids.iter().filter_map(|id| id.subscription().map(str::to_owned)));
    }

    pub(super) fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.get(*self.by_id.get(id)?)
    }

    /// Whether anything is known of a workspace.
    pub(super) fn knows_workspace(&self, id: &ResourceId) -> bool {
        self.workspaces.contains(id)
    }

    /// The folded guids of the subscriptions of this guid or name.
    pub(super) fn subscriptions(&self, view: &View, named: &str) -> BTreeSet<String> {
        let folded = named.to_ascii_lowercase();
        let known = view.swept.iter().flat_map(|swept| &swept.report.subscriptions);
        let by_name =
            known.filter(|(_, name)| name.eq_ignore_ascii_case(named)).map(|(guid, _)| guid.clone());
        by_name.chain(self.subscriptions.get(&folded).cloned()).collect()
    }

    /// The workspaces that a subject concerns: its own, or all that share it.
    pub(super) fn concerns(&self, subject: &Subject, workspace: &ResourceId) -> bool {
        subject.id == *workspace
            || subject.workspace.as_ref() == Some(workspace)
            || self.users.get(&subject.id).is_some_and(|users| users.contains(workspace))
            || self.may_concern_any(subject)
    }

    /// Whether it is something that workspaces share, and no sweep could tell which: then it may concern each of them.
    pub(super) fn may_concern_any(&self, subject: &Subject) -> bool {
        subject.workspace.is_none()
            && subject.kind != SubjectKind::Workspace
            && !self.users.contains_key(&subject.id)
    }

    /// What shares subjects with others.
    pub(super) fn users(&self) -> &BTreeMap<ResourceId, BTreeSet<ResourceId>> {
        &self.users
    }

    /// The violation as the last sweep saw it.
    pub(super) fn violation<'a>(
        &self,
        view: &'a View,
        entry: &Entry,
    ) -> Option<(&'a PolicyResult, &'a Violation)> {
        let (at, nth) = entry.seen?;
        let result = view.swept.as_ref()?.report.results.get(at)?;
        Some((result, result.violations.get(nth)?))
    }

    /// The finding as it is told; none only if entry and view are of two sweeps.
    pub(super) fn show<'a>(&self, view: &'a View, entry: &'a Entry) -> Option<Shown<'a>> {
        let ledger = &view.kept.ledger;
        let names = view.swept.as_ref().map(|swept| &swept.report.subscriptions);
        let frame = |policy: &'a str, subject: &'a Subject| {
            let subscription = subject.id.subscription();
            let title =
                view.policies.iter().find(|listed| listed.id == policy).map(|listed| listed.title.as_str());
            (title, subscription, subscription.and_then(|guid| names?.get(guid)).map(String::as_str))
        };
        let resolved = ledger.resolved.get(&entry.id);
        if let Some(finding) = ledger.finding(&entry.id) {
            let (title, subscription, subscription_name) = frame(&finding.policy, &finding.subject);
            let opened = entry.state != State::Pending && !resolved.is_some_and(Resolved::was_never_open);
            return Some(Shown {
                id: &entry.id,
                state: entry.state,
                policy: &finding.policy,
                title,
                severity: finding.severity,
                message: &finding.message,
                remediation: &finding.remediation,
                subject: &finding.subject,
                resource: finding.resource.as_deref(),
                key: &finding.key,
                subscription,
                subscription_name,
                evidence_digest: &finding.evidence,
                first_seen: Some(stamp(finding.first_seen)),
                opened_at: opened.then(|| stamp(finding.opened_at)),
                confirmed_at: Some(stamp(finding.confirmed_at)),
                stale_since: finding.stale_since.map(stamp),
                resolved_at: resolved.map(|resolved| stamp(resolved.at)),
                resolution: resolved.map(|resolved| resolved.resolution.name()),
                reopened: finding.reopened,
            });
        }
        let (result, violation) = self.violation(view, entry)?;
        let (title, subscription, subscription_name) = frame(&result.policy, &result.subject);
        Some(Shown {
            id: &entry.id,
            state: entry.state,
            policy: &result.policy,
            title,
            severity: violation.severity,
            message: &violation.message,
            remediation: &violation.remediation,
            subject: &result.subject,
            resource: violation.resource.as_deref(),
            key: &violation.key,
            subscription,
            subscription_name,
            evidence_digest: &violation.evidence_digest,
            first_seen: None,
            opened_at: None,
            confirmed_at: view.swept.as_ref().map(|swept| stamp(swept.finished_at)),
            stale_since: None,
            resolved_at: None,
            resolution: None,
            reopened: 0,
        })
    }
}

impl Shown<'_> {
    /// Whether a folded text stands in what people read of it.
    pub(super) fn says(&self, folded: &str) -> bool {
        let texts = [
            self.policy,
            self.message,
            self.key,
            self.subject.id.key(),
            self.title.unwrap_or_default(),
            self.resource.unwrap_or_default(),
            self.subscription_name.unwrap_or_default(),
            self.subject.workspace.as_ref().map(ResourceId::key).unwrap_or_default(),
        ];
        texts.iter().any(|text| text.to_lowercase().contains(folded))
    }
}
