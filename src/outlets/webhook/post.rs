//! Which events a sweep makes, and for whom. Pure; the time is an argument.
//!
//! Each change of a finding is one event: opened, reopened, changed, resolved. What a gap hides has not changed, and a finding
//! that is merely seen again has not either: a ticket has nothing to do with them.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Data, Envelope};
use crate::config::Webhook;
use crate::config::webhook::KEEP;
use crate::findings::judge::Violation;
use crate::findings::ledger::{Changes, Finding, Ledger};
use crate::findings::{PolicyResult, Report};
use crate::severity::Severity;
use crate::store::{Event, Post};

/// What a sweep did.
pub struct View<'a> {
    /// What all its events have in common.
    pub envelope: Envelope<'a>,
    /// The findings before.
    pub before: &'a Ledger,
    /// The findings after.
    pub after: &'a Ledger,
    /// What changed.
    pub changes: &'a Changes,
    /// Where the facts behind it stand.
    pub report: &'a Report,
    /// Whether no sweep before could have opened a finding.
    pub first: bool,
    /// Receivers, and the open findings of which they have heard.
    pub told: &'a BTreeSet<(String, String)>,
}

/// What is to be written into the outbox together with the sweep.
pub fn post(receivers: &[Webhook], view: &View<'_>) -> Post {
    let since = |keep: std::time::Duration| {
        view.envelope.at.saturating_sub(i64::try_from(keep.as_secs()).unwrap_or(i64::MAX))
    };
    let mut post = Post {
        over: view.changes.resolved.iter().map(|(id, _)| id.clone()).collect(),
        keep_since: receivers.iter().map(|one| (one.name.clone(), since(one.keep))).collect(),
        keep_others_since: since(KEEP),
        ..Post::default()
    };
    if receivers.is_empty() {
        return post;
    }
    let digested = digests(receivers, view, &mut post);
    let texts = Texts::of(view.report);
    for (change, id) in in_order(view.changes) {
        let Some(finding) = view.after.finding(id) else { continue };
        let hears = |one: &&Webhook| {
            // The digest counts what is opened, and nothing else may go with it.
            let counted = change == "opened"
                && digested.contains(one.name.as_str())
                && finding.severity < Severity::Critical;
            let known = || view.told.contains(&(one.name.clone(), id.clone()));
            !counted && (finding.severity >= one.minimum_severity || known())
        };
        let names: Vec<String> = receivers.iter().filter(hears).map(|one| one.name.clone()).collect();
        if names.is_empty() {
            continue;
        }
        if change != "resolved" {
            post.told.extend(names.iter().map(|name| (name.clone(), id.clone())));
        }
        post.events.push(about(change, id, finding, names, view, &texts));
    }
    post
}

/// The changes of a sweep. It moves a finding once at most.
fn in_order(changes: &Changes) -> impl Iterator<Item = (&'static str, &String)> {
    let of = |change: &'static str, ids| std::iter::repeat(change).zip::<std::slice::Iter<'_, String>>(ids);
    of("opened", changes.opened.iter())
        .chain(of("reopened", changes.reopened.iter()))
        .chain(of("changed", changes.changed.iter()))
        .chain(changes.resolved.iter().map(|(id, _)| ("resolved", id)))
}

/// One event that counts instead of one for each finding, so that a first start is no flood of tickets; gives the names of the
/// receivers that get one. They count as told of what it counts, and hear of each one's further changes.
fn digests<'a>(receivers: &'a [Webhook], view: &View<'_>, post: &mut Post) -> BTreeSet<&'a str> {
    let mut digested = BTreeSet::new();
    if !view.first {
        return digested;
    }
    for severity in Severity::WORST_FIRST {
        let opened = view.changes.opened.iter().filter_map(|id| Some((id, view.after.finding(id)?)));
        let wanted: Vec<(&String, &Finding)> =
            opened.filter(|(_, finding)| finding.severity >= severity).collect();
        let takes = |one: &&Webhook| one.minimum_severity == severity && wanted.len() > one.digest_above;
        let names: Vec<&str> = receivers.iter().filter(takes).map(|one| one.name.as_str()).collect();
        if names.is_empty() {
            continue;
        }
        for name in &names {
            post.told.extend(wanted.iter().map(|(id, _)| ((*name).to_owned(), (*id).clone())));
        }
        let id = view.envelope.id(&format!("digest-{severity}"));
        let data = Data {
            change: "digest",
            sweep: view.envelope.sweep,
            finding: None,
            digest: Some(view.envelope.digest(wanted)),
        };
        let event = view.envelope.event(id, "findings.digest", None, data);
        post.events.push(stored(event, None, names.iter().map(|name| (*name).to_owned()).collect(), view));
        digested.extend(names);
    }
    digested
}

fn about(
    change: &'static str,
    id: &str,
    finding: &Finding,
    receivers: Vec<String>,
    view: &View<'_>,
    texts: &Texts<'_>,
) -> Event {
    let resolved = view.after.resolved.get(id).filter(|_| change == "resolved");
    let seen = texts.violations.get(id).copied().filter(|_| change != "resolved");
    let policy = texts.policies.get(finding.policy.as_str()).copied();
    let mut told = view.envelope.told(id, finding, resolved, policy, seen);
    let before = view.before.open.get(id).map(|before| before.severity);
    told.severity_before = before.filter(|before| *before != finding.severity);
    let subject = told.subject.clone();
    let data = Data { change, sweep: view.envelope.sweep, finding: Some(told), digest: None };
    let kind = format!("finding.{change}");
    let event = view.envelope.event(view.envelope.id(id), &kind, Some(subject), data);
    stored(event, Some(id.to_owned()), receivers, view)
}

fn stored(
    event: super::event::CloudEvent,
    finding: Option<String>,
    receivers: Vec<String>,
    view: &View<'_>,
) -> Event {
    // Maps with texts for keys, and nothing else that JSON could not hold.
    let body = serde_json::to_string(&event).unwrap_or_default();
    Event { id: event.id, finding, made_at: view.envelope.at, body, receivers }
}

/// What the report tells of policies and violations.
struct Texts<'a> {
    violations: BTreeMap<&'a str, &'a Violation>,
    policies: BTreeMap<&'a str, &'a PolicyResult>,
}

impl<'a> Texts<'a> {
    fn of(report: &'a Report) -> Self {
        let violations = report.results.iter().flat_map(|result| &result.violations);
        Self {
            violations: violations.map(|violation| (violation.id.as_str(), violation)).collect(),
            policies: report.results.iter().map(|result| (result.policy.as_str(), result)).collect(),
        }
    }
}
