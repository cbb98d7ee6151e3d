//! What is listed: open findings, and the verdicts of the last sweep that are no findings.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::findings::judge::Subject;
use crate::findings::ledger::{Finding, Resolution, Unknown};
use crate::findings::{PolicyResult, Status, Waiver};
use crate::inventory::{Reason, ResourceId};
use crate::severity::Severity;

use super::filter::{Filter, Wanted};
use super::{Moment, places};

/// One entry of the list.
pub(super) struct Item<'a> {
    pub(super) status: Status,
    pub(super) severity: Severity,
    /// The policies, and their titles where they are known; several where one unknown concerns them all.
    pub(super) policies: Vec<(&'a str, &'a str)>,
    pub(super) subject: &'a Subject,
    /// The resource to look at, if it is another than the subject.
    pub(super) resource: Option<&'a str>,
    pub(super) message: Cow<'a, str>,
    /// The finding's fingerprint.
    pub(super) finding: Option<&'a str>,
    /// Since when; seconds since 1970.
    pub(super) since: Option<i64>,
    pub(super) stale_since: Option<i64>,
    /// Whether it is seen, but not often enough to be a finding.
    pub(super) unconfirmed: bool,
    /// Whether this process has not checked it yet.
    pub(super) unchecked: bool,
    pub(super) waiver: Option<&'a Waiver>,
    /// When and why the finding was resolved, if it was.
    pub(super) resolved: Option<(i64, Resolution)>,
}

/// The entries that a filter lets through, the worst first.
pub(super) fn items<'a>(moment: &'a Moment, filter: &Filter) -> Vec<Item<'a>> {
    let mut all = Vec::new();
    let ledger = &moment.view().kept.ledger;
    let titles: BTreeMap<&str, &str> =
        moment.view().policies.iter().map(|listed| (listed.id.as_str(), listed.title.as_str())).collect();
    if filter.status.takes(Status::Fail) {
        all.extend(
            ledger.open.iter().map(|(id, finding)| open(id, finding, &titles, moment.swept().is_none())),
        );
    }
    if filter.status == Wanted::Resolved {
        all.extend(ledger.resolved.iter().map(|(id, over)| Item {
            resolved: Some((over.at, over.resolution)),
            stale_since: None,
            ..open(id, &over.finding, &titles, false)
        }));
    }
    match moment.swept() {
        Some(swept) => {
            let since: BTreeMap<Key<'_>, &Unknown> = ledger
                .unknowns
                .iter()
                .map(|((policy, subject), unknown)| (key(policy, subject), unknown))
                .collect();
            for result in &swept.report.results {
                judged(&mut all, result, filter.status, ledger, &since);
            }
        }
        None if filter.status.takes(Status::Unknown) => {
            all.extend(ledger.unknowns.iter().map(|((policy, subject), unknown)| {
                let listed = moment.view().policies.iter().find(|listed| listed.id == *policy);
                let severity = listed.map_or(Severity::Critical, |listed| listed.severity);
                let title = titles.get(policy.as_str()).copied().unwrap_or_default();
                Item {
                    since: Some(unknown.since),
                    unchecked: true,
                    ..blank(Status::Unknown, severity, policy, title, subject, unknown.code.name().into())
                }
            }));
        }
        None => {}
    }
    let text = filter.text.to_lowercase();
    all.retain(|item| passes(moment, filter, &text, item));
    let mut all = together(all);
    all.sort_by_cached_key(|item| {
        (
            item.status,
            Reverse(item.severity),
            item.policies.first().copied(),
            item.subject.clone(),
            item.finding,
        )
    });
    all
}

type Key<'a> = (&'a str, &'a ResourceId, bool);

fn key<'a>(policy: &'a str, subject: &'a Subject) -> Key<'a> {
    (policy, &subject.id, subject.hidden)
}

fn blank<'a>(
    status: Status,
    severity: Severity,
    policy: &'a str,
    title: &'a str,
    subject: &'a Subject,
    message: Cow<'a, str>,
) -> Item<'a> {
    Item {
        status,
        severity,
        policies: vec![(policy, title)],
        subject,
        resource: None,
        message,
        finding: None,
        since: None,
        stale_since: None,
        unconfirmed: false,
        unchecked: false,
        waiver: None,
        resolved: None,
    }
}

fn open<'a>(
    id: &'a str,
    finding: &'a Finding,
    titles: &BTreeMap<&'a str, &'a str>,
    unchecked: bool,
) -> Item<'a> {
    let title = titles.get(finding.policy.as_str()).copied().unwrap_or_default();
    Item {
        resource: finding.resource.as_deref(),
        finding: Some(id),
        since: Some(finding.opened_at),
        stale_since: finding.stale_since,
        unchecked,
        ..blank(
            Status::Fail,
            finding.severity,
            &finding.policy,
            title,
            &finding.subject,
            finding.message.as_str().into(),
        )
    }
}

/// What a verdict adds to the open findings.
fn judged<'a>(
    all: &mut Vec<Item<'a>>,
    result: &'a PolicyResult,
    wanted: Wanted,
    ledger: &'a crate::findings::Ledger,
    since: &BTreeMap<Key<'_>, &Unknown>,
) {
    let entry = |status, severity, message| {
        blank(status, severity, &result.policy, &result.title, &result.subject, message)
    };
    for violation in &result.violations {
        let status = if violation.waiver.is_some() { Status::Waived } else { Status::Fail };
        if wanted.takes(status) && !(status == Status::Fail && ledger.open.contains_key(&violation.id)) {
            all.push(Item {
                resource: violation.resource.as_deref(),
                finding: Some(&violation.id),
                since: ledger.pending.get(&violation.id).map(|pending| pending.first_seen),
                unconfirmed: status == Status::Fail,
                waiver: violation.waiver.as_ref(),
                ..entry(status, violation.severity, violation.message.as_str().into())
            });
        }
    }
    match result.status {
        // More may be wrong than what is accepted: that is as unknown as any other.
        _ if result.undecided() && wanted.takes(Status::Unknown) => all.push(Item {
            since: since.get(&key(&result.policy, &result.subject)).map(|unknown| unknown.since),
            ..entry(Status::Unknown, result.severity, reasons(&result.reasons))
        }),
        // An accepted unknown; accepted violations stand above.
        Status::Waived if wanted.takes(Status::Waived) && result.violations.is_empty() => all.push(Item {
            waiver: result.waiver.as_ref(),
            ..entry(Status::Waived, result.severity, reasons(&result.reasons))
        }),
        Status::Pass | Status::NotApplicable if wanted.takes(result.status) => {
            all.push(entry(result.status, result.severity, "".into()));
        }
        _ => {}
    }
}

/// The reasons of an unknown, in a sentence.
pub(super) fn reasons(reasons: &[Reason]) -> Cow<'_, str> {
    let told: Vec<String> = reasons.iter().take(3).map(ToString::to_string).collect();
    let more = reasons.len().saturating_sub(3);
    match more {
        0 => told.join("; ").into(),
        _ => format!("{}; and {more} more", told.join("; ")).into(),
    }
}

fn passes(moment: &Moment, filter: &Filter, text: &str, item: &Item<'_>) -> bool {
    let subject = item.subject;
    let ids = || std::iter::once(&subject.id).chain(&subject.workspace);
    let subscription = || ids().any(|id| id.subscription().is_some_and(|guid| guid == filter.subscription));
    let holds = |hay: &str| hay.to_lowercase().contains(text);
    let found = || {
        item.policies.iter().any(|(id, title)| holds(id) || holds(title))
            || holds(&item.message)
            || ids().any(|id| id.key().contains(text))
            || item.resource.is_some_and(holds)
            || item.finding.is_some_and(|id| id == text)
            || ids().filter_map(|id| moment.subscription(id.subscription()?)).any(holds)
    };
    (filter.status != Wanted::Stale || item.stale_since.is_some() || item.unchecked && item.finding.is_some())
        && filter.severity.is_none_or(|severity| item.severity == severity)
        && (filter.policy.is_empty() || item.policies.iter().any(|(id, _)| *id == filter.policy))
        && (filter.subscription.is_empty() || subscription())
        && (text.is_empty() || found())
}

/// Unknowns in one place for the same reasons are one entry, however many policies they concern.
fn together(all: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut kept: Vec<Item<'_>> = Vec::with_capacity(all.len());
    let mut seen: BTreeMap<(ResourceId, bool, String), usize> = BTreeMap::new();
    for item in all {
        if item.status != Status::Unknown {
            kept.push(item);
            continue;
        }
        let same = (item.subject.id.clone(), item.subject.hidden, item.message.to_string());
        match seen.get(&same).and_then(|at| kept.get_mut(*at)) {
            Some(first) => {
                first.policies.extend(item.policies);
                first.severity = first.severity.max(item.severity);
                first.since = first.since.min(item.since).or(first.since).or(item.since);
            }
            None => {
                seen.insert(same, kept.len());
                kept.push(item);
            }
        }
    }
    kept
}

/// Where the entries lie.
pub(super) fn places_of(items: &[Item<'_>]) -> BTreeSet<places::Place> {
    items.iter().map(|item| places::Place::of(item.subject)).collect()
}
