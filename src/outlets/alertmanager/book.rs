//! Which alerts there are: the open findings of a sweep, and the alerts of the sweep before, give the alerts of now.
//!
//! Pure; the time is an argument. A finding's alert keeps its labels as long as it is open, whatever a gap hides
//! meanwhile; what is no longer open ends, and is told so for as long as an instance may still hold it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::alert::{Alert, text};
use crate::config::Alertmanager;
use crate::findings::judge::Violation;
use crate::findings::labels;
use crate::findings::ledger::Finding;
use crate::findings::ledger::stamp;
use crate::findings::{PolicyResult, Report};
use crate::inventory::Inventory;
use crate::severity::Severity;

/// The alerts so far. It can be written down and read back; without it a restart forgets which alerts ended of late, and
/// the tags of findings that no sweep can see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// By fingerprint.
    firing: BTreeMap<String, Entry>,
    /// Ended, the oldest first.
    ended: Vec<Alert>,
    digest: Option<Alert>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    alert: Alert,
    /// The labels that tags gave, and the tags that were asked for.
    tags: BTreeMap<String, String>,
    asked: Vec<(String, String)>,
}

/// What a sweep left.
pub struct View<'a> {
    /// The open findings, by fingerprint.
    pub open: &'a BTreeMap<String, Finding>,
    /// Where their texts stand.
    pub report: &'a Report,
    /// Where their resources' tags stand.
    pub inventory: &'a Inventory,
    /// Which tags become labels: the tag's folded name, and the label's.
    pub labels: &'a [(String, String)],
    /// Whether there was never a sweep before, of which anybody could have been told.
    pub first: bool,
    /// Now; seconds since 1970.
    pub now: i64,
}

impl Book {
    /// Takes a sweep in, and gives what is to be sent: the alerts that stand, and those that ended within `keep` seconds.
    pub fn advance(&mut self, settings: &Alertmanager, view: &View<'_>, keep: i64) -> Vec<Alert> {
        let wanted: BTreeMap<&String, &Finding> =
            view.open.iter().filter(|(_, finding)| finding.severity >= settings.minimum_severity).collect();
        let digest = view.first && wanted.len() > settings.digest_above;
        let texts = Texts::of(view.report);
        let mut firing = BTreeMap::new();
        for (id, finding) in &wanted {
            if !digest || finding.severity == Severity::Critical {
                let before = self.firing.get(*id);
                firing.insert((*id).clone(), entry(id, finding, before, view, &texts));
            }
        }
        let digest = digest.then(|| digest_of(&wanted, view.now));
        let before = std::mem::replace(&mut self.firing, firing).into_values().map(|entry| entry.alert);
        let before: Vec<Alert> = before.chain(std::mem::replace(&mut self.digest, digest)).collect();
        self.end(before, view.now, keep);
        self.alerts()
    }

    /// Ends what stood before and does no longer. An alert that stands again has not ended.
    fn end(&mut self, before: Vec<Alert>, now: i64, keep: i64) {
        let stands: BTreeSet<&BTreeMap<String, String>> = self
            .firing
            .values()
            .map(|entry| &entry.alert)
            .chain(&self.digest)
            .map(|alert| &alert.labels)
            .collect();
        let gone = before.into_iter().map(|alert| Alert { ended_at: Some(now), ..alert });
        self.ended.extend(gone);
        self.ended.retain(|alert| {
            alert.ended_at.is_some_and(|at| at.saturating_add(keep) > now) && !stands.contains(&alert.labels)
        });
    }

    /// The alerts that stand, and those that ended of late.
    pub fn alerts(&self) -> Vec<Alert> {
        let firing = self.firing.values().map(|entry| &entry.alert);
        firing.chain(&self.digest).chain(&self.ended).cloned().collect()
    }
}

/// What the report tells of findings and policies.
struct Texts<'a> {
    violations: BTreeMap<&'a str, (&'a PolicyResult, &'a Violation)>,
    policies: BTreeMap<&'a str, &'a PolicyResult>,
}

impl<'a> Texts<'a> {
    fn of(report: &'a Report) -> Self {
        let of = |result: &'a PolicyResult| {
            result.violations.iter().map(move |violation| (violation.id.as_str(), (result, violation)))
        };
        Self {
            violations: report.results.iter().flat_map(of).collect(),
            policies: report.results.iter().map(|result| (result.policy.as_str(), result)).collect(),
        }
    }
}

fn entry(id: &str, finding: &Finding, before: Option<&Entry>, view: &View<'_>, texts: &Texts<'_>) -> Entry {
    // Tags count as they were when the alert began. Else one that somebody edits would resolve it and page anew, and so
    // would a gap that hides the resource.
    let (tags, asked) = match before {
        Some(before) if before.asked == view.labels => (before.tags.clone(), before.asked.clone()),
        // Other tags are asked for while nobody can see them: those that are known stay, and the next sight tells the rest.
        Some(before) if finding.is_stale() => {
            let allowed = |name: &String| view.labels.iter().any(|(_, label)| label == name);
            let kept = before.tags.iter().filter(|(name, _)| allowed(name));
            (kept.map(|(name, value)| (name.clone(), value.clone())).collect(), before.asked.clone())
        }
        _ => (labels::of(&finding.subject, view.labels, view.inventory), view.labels.to_vec()),
    };
    let known = before.map(|before| &before.alert.annotations);
    let mut own = own_labels(id, finding);
    if let Some(before) = before {
        // So does the workspace: which one uses a cluster or a subnet alone hangs on which could be read.
        let workspace = before.alert.labels.get(WORKSPACE).cloned();
        own.remove(WORKSPACE);
        own.extend(workspace.map(|workspace| (WORKSPACE.to_owned(), workspace)));
    }
    let alert = Alert {
        labels: own.into_iter().chain(tags.clone()).collect(),
        annotations: annotations(id, finding, known, texts),
        starts_at: finding.opened_at,
        ended_at: None,
    };
    Entry { alert, tags, asked }
}

const WORKSPACE: &str = "workspace";

/// Nothing that changes while a finding is open: no evidence, no age, no count.
fn own_labels(id: &str, finding: &Finding) -> BTreeMap<String, String> {
    let subject = &finding.subject;
    let workspace = subject.workspace.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        ("alertname", "MlfenceFinding"),
        ("policy", &finding.policy),
        ("severity", finding.severity.name()),
        ("subscription", subject.id.subscription().unwrap_or_default()),
        (WORKSPACE, &workspace),
        ("resource", &subject.id.to_string()),
        ("finding", id),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), labels::value(value)?)))
    .collect()
}

fn annotations(
    id: &str,
    finding: &Finding,
    known: Option<&BTreeMap<String, String>>,
    texts: &Texts<'_>,
) -> BTreeMap<String, String> {
    let mut told = match (texts.violations.get(id), known) {
        (Some((result, violation)), _) => {
            let mut told = of_policy(result, finding);
            told.insert("description".to_owned(), text(&violation.message));
            told.insert("remediation".to_owned(), text(&violation.remediation));
            told
        }
        // What the last sweep that saw it told still holds.
        (None, Some(known)) => known.clone(),
        (None, None) => {
            let result = texts.policies.get(finding.policy.as_str());
            let mut told = result.map(|result| of_policy(result, finding)).unwrap_or_default();
            told.entry("summary".to_owned()).or_insert_with(|| summary(&finding.policy, finding));
            let described = format!("Found under the key `{}`.", finding.key);
            told.insert("description".to_owned(), text(&described));
            told
        }
    };
    told.remove("stale");
    if finding.is_stale() {
        let stale = format!(
            "The last sweep could not check whether this still stands; it was last seen at {}.",
            stamp(finding.confirmed_at)
        );
        told.insert("stale".to_owned(), stale);
    }
    told
}

/// The summary and the documents, which a policy's other results tell too.
fn of_policy(result: &PolicyResult, finding: &Finding) -> BTreeMap<String, String> {
    let documents: Vec<String> = result
        .documents
        .iter()
        .map(|document| match &document.url {
            Some(url) => format!("{}: {url}", document.title),
            None => document.title.clone(),
        })
        .collect();
    let mut told = BTreeMap::from([("summary".to_owned(), summary(&result.title, finding))]);
    if !documents.is_empty() {
        told.insert("documents".to_owned(), text(&documents.join("\n")));
    }
    if let Some(url) = result.documents.iter().find_map(|document| document.url.as_deref()) {
        told.insert("runbook_url".to_owned(), text(url));
    }
    told
}

/// The requirement that is violated, and by whom.
fn summary(requirement: &str, finding: &Finding) -> String {
    let id = finding.subject.id.to_string();
    let name = id.rsplit('/').next().unwrap_or_default();
    text(&format!("{} violated by {name}: {requirement}", finding.policy))
}

/// One alert for many findings, so that a first start is no flood.
fn digest_of(wanted: &BTreeMap<&String, &Finding>, now: i64) -> Alert {
    let count = |severity| wanted.values().filter(|finding| finding.severity == severity).count();
    let counts: Vec<(Severity, usize)> = Severity::WORST_FIRST.iter().map(|s| (*s, count(*s))).collect();
    let told = counts.iter().filter(|(_, n)| *n > 0);
    let worst = told.clone().next().map_or("", |(severity, _)| severity.name());
    let list: Vec<String> = told.map(|(severity, n)| format!("{n} {severity}")).collect();
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Alert {
        labels: [label("alertname", "MlfenceDigest"), label("severity", worst)].into(),
        annotations: [
            label("summary", &format!("mlfence's first sweep found {}", list.join(", "))),
            label(
                "description",
                "Critical findings have alerts of their own already; the others follow with the next sweep. `mlfence \
                 audit`, with the daemon's configuration, lists them.",
            ),
        ]
        .into(),
        starts_at: now,
        ended_at: None,
    }
}
