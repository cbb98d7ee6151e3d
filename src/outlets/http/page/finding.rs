//! One finding: the requirement, what is wrong, the deciding facts, the fix, the documents and what became of it.

use maud::{Markup, html};

use crate::findings::judge::{Subject, Violation};
use crate::findings::ledger::{Finding, Resolved};
use crate::findings::{PolicyResult, Status, Waiver};
use crate::policy::{DocumentRef, Listed};
use crate::severity::Severity;
use crate::store::KeptChange;

use super::layout::page as framed;
use super::places::{Place, words};
use super::text::{age, lines, moment as at, name, resource, sentence, severity, verdict};
use super::{Moment, evidence, layout};

/// What is known of a finding: by the last sweep, by the ledger, or by both.
pub(super) struct Found {
    id: String,
    policy: String,
    subject: Subject,
    key: String,
    severity: Severity,
    message: String,
    remediation: String,
    resource: Option<String>,
    digest: String,
    standing: Standing,
}

enum Standing {
    Open(Finding),
    Pending(Finding),
    Resolved(Resolved),
    /// In the last sweep alone: accepted, or not written down.
    Judged,
}

/// Looks a finding up by its fingerprint.
pub(super) fn find(moment: &Moment, id: &str) -> Option<Found> {
    let ledger = &moment.view().kept.ledger;
    let standing = || {
        let open = ledger.open.get(id).cloned().map(Standing::Open);
        let pending = || ledger.pending.get(id).cloned().map(Standing::Pending);
        let resolved = || ledger.resolved.get(id).cloned().map(Standing::Resolved);
        open.or_else(pending).or_else(resolved)
    };
    if let Some((result, violation)) = seen(moment, id) {
        return Some(Found {
            id: id.to_owned(),
            policy: result.policy.clone(),
            subject: result.subject.clone(),
            key: violation.key.clone(),
            severity: violation.severity,
            message: violation.message.clone(),
            remediation: violation.remediation.clone(),
            resource: violation.resource.clone(),
            digest: violation.evidence_digest.clone(),
            standing: standing().unwrap_or(Standing::Judged),
        });
    }
    let standing = standing()?;
    let kept = match &standing {
        Standing::Open(finding) | Standing::Pending(finding) => finding,
        Standing::Resolved(resolved) => &resolved.finding,
        Standing::Judged => return None,
    };
    Some(Found {
        id: id.to_owned(),
        policy: kept.policy.clone(),
        subject: kept.subject.clone(),
        key: kept.key.clone(),
        severity: kept.severity,
        message: kept.message.clone(),
        remediation: kept.remediation.clone(),
        resource: kept.resource.clone(),
        digest: kept.evidence.clone(),
        standing,
    })
}

/// The violation as the last sweep saw it.
fn seen<'a>(moment: &'a Moment, id: &str) -> Option<(&'a PolicyResult, &'a Violation)> {
    let results = moment.swept()?.report.results.iter();
    results
        .flat_map(|result| result.violations.iter().map(move |violation| (result, violation)))
        .find(|(_, violation)| violation.id == id)
}

/// The page at `/findings/{id}`.
pub(super) fn page(moment: &Moment, found: &Found, changes: &Result<Vec<KeptChange>, String>) -> Markup {
    let seen = seen(moment, &found.id);
    let listed = moment.view().policies.iter().find(|listed| listed.id == found.policy);
    let waiver = seen.and_then(|(_, violation)| violation.waiver.as_ref());
    let documents: &[DocumentRef] = match (seen, listed) {
        (Some((result, _)), _) => &result.documents,
        (None, Some(listed)) => &listed.documents,
        (None, None) => &[],
    };
    let place = Place::of(&found.subject);
    framed(
        moment,
        &format!("{} {}", found.policy, found.subject.id.name()),
        &html! {
            p.crumbs { a href="/" { "Overview" } " › " a href=(place.link()) { (place.what()) " " (name(place.name(moment))) } }
            h1 { (name(&found.policy)) @if let Some(listed) = listed { ": " (sentence(&listed.title)) } }
            p.head { (stands(moment, found, waiver)) " " (severity(found.severity)) }
            p.message.large { (sentence(&found.message)) }
            @if let Some(waiver) = waiver { (accepted(waiver)) }
            (requirement(listed))
            section aria-labelledby="evidence" {
                h2 #evidence { "Evidence" }
                @match seen {
                    Some((_, violation)) => (evidence::facts(&violation.evidence)),
                    None => p { (without_evidence(moment, found)) },
                }
            }
            (fix(found))
            (sources(documents))
            (life(moment, found, changes))
            (identity(found))
        },
    )
}

/// Why there is no evidence.
fn without_evidence(moment: &Moment, found: &Found) -> &'static str {
    match &found.standing {
        _ if moment.swept().is_none() => {
            "No sweep of this process has looked yet, so there is no evidence beside what an earlier one said."
        }
        Standing::Open(finding) if finding.is_stale() => {
            "The last sweep could not look whether this is still so, so there is no evidence beside what an earlier one said."
        }
        _ => "The last sweep did not show this violation, so there is no evidence beside what it last said.",
    }
}

fn stands(moment: &Moment, found: &Found, waiver: Option<&Waiver>) -> Markup {
    html! {
        @match &found.standing {
            _ if waiver.is_some() => (verdict(Status::Waived)),
            Standing::Resolved(resolved) => {
                strong { "resolved" } " (" (resolved.resolution.name().replace('_', " ")) ") " (at(resolved.at))
            }
            Standing::Open(finding) => {
                (verdict(Status::Fail)) " open for " (age(finding.opened_at, moment.now))
                @if let Some(since) = finding.stale_since { ", " strong { "stale" } " since " (at(since)) }
                @else if moment.swept().is_none() { ", " strong { "not checked" } " by this process yet" }
            }
            Standing::Pending(_) => { (verdict(Status::Fail)) " not yet seen often enough to be a finding" }
            Standing::Judged => { (verdict(Status::Fail)) " as the last sweep saw it; the ledger does not hold it" }
        }
    }
}

fn accepted(waiver: &Waiver) -> Markup {
    html! {
        section aria-labelledby="waiver" {
            h2 #waiver { "Waiver" }
            p { "Accepted until " strong { (waiver.expires) } " by " (name(&waiver.owner)) ": " (sentence(&waiver.reason)) }
            p.times { "Scope " (resource(&waiver.scope)) @if let Some(key) = &waiver.key { ", key " (name(key)) } "; it stands in " (name(&waiver.at)) }
        }
    }
}

fn requirement(listed: Option<&Listed>) -> Markup {
    html! {
        section aria-labelledby="requirement" {
            h2 #requirement { "Requirement" }
            @match listed {
                Some(listed) => {
                    @for paragraph in listed.description.split("\n\n") { p { (sentence(&one_line(paragraph))) } }
                    @if !listed.enabled { p { strong { "This policy is switched off now." } } }
                }
                None => p { "The policy is not among those in force any more." },
            }
        }
    }
}

/// A paragraph, however its author broke it.
fn one_line(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fix(found: &Found) -> Markup {
    html! {
        section aria-labelledby="fix" {
            h2 #fix { "What would fix it" }
            @if found.remediation.trim().is_empty() { p { "The policy does not say." } }
            @else { pre tabindex="0" role="region" aria-label="Steps and commands" { code { (lines(&found.remediation)) } } }
        }
    }
}

fn sources(documents: &[DocumentRef]) -> Markup {
    html! {
        @if !documents.is_empty() {
            section aria-labelledby="documents" {
                h2 #documents { "Documents" }
                ul {
                    @for document in documents {
                        li {
                            // Nothing but https is followed: a policy of somebody's own may name anything.
                            @match document.url.as_deref().filter(|url| is_https(url)) {
                                Some(url) => a href=(url) rel="noreferrer" { (sentence(&document.title)) },
                                None => (sentence(&document.title)),
                            }
                            ", revised " (sentence(&document.revised))
                            @if let Some(by) = &document.superseded { "; superseded: " (sentence(by)) }
                        }
                    }
                }
            }
        }
    }
}

fn is_https(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host())
}

fn life(moment: &Moment, found: &Found, changes: &Result<Vec<KeptChange>, String>) -> Markup {
    let kept = match &found.standing {
        Standing::Open(finding) | Standing::Pending(finding) => Some(finding),
        Standing::Resolved(resolved) => Some(&resolved.finding),
        Standing::Judged => None,
    };
    html! {
        section aria-labelledby="life" {
            h2 #life { "History" }
            @match kept {
                Some(finding) => {
                    dl.facts {
                        div { dt { "first seen" } dd { (at(finding.first_seen)) ", " (age(finding.first_seen, moment.now)) " ago" } }
                        div { dt { "opened" } dd { (at(finding.opened_at)) } }
                        div { dt { "last confirmed" } dd { (at(finding.confirmed_at)) } }
                        @if let Some(since) = finding.stale_since { div { dt { "stale since" } dd { (at(since)) } } }
                        @if finding.reopened > 0 { div { dt { "came back" } dd { (finding.reopened) " times" } } }
                    }
                }
                None => p { "The ledger keeps no history of it." },
            }
            @match changes {
                Err(trouble) => p { strong { "The changes could not be read: " } (sentence(trouble)) },
                Ok(changes) if changes.is_empty() => {}
                Ok(changes) => (layout::wide("Changes", &table_of_changes(changes))),
            }
        }
    }
}

fn table_of_changes(changes: &[KeptChange]) -> Markup {
    html! {
        table {
            caption { "What sweeps changed about it, the oldest first, as far as the ledger reaches" }
            thead { tr { @for column in ["Sweep", "When", "Change", "Severity"] { th scope="col" { (column) } } } }
            tbody {
                @for change in changes {
                    tr {
                        th scope="row" { (change.sweep) }
                        td { (at(change.at)) }
                        td { (name(&change.change)) @if let Some(resolution) = &change.resolution { " (" (name(&resolution.replace('_', " "))) ")" } }
                        td { (name(&change.severity)) }
                    }
                }
            }
        }
    }
}

fn identity(found: &Found) -> Markup {
    html! {
        section aria-labelledby="identity" {
            h2 #identity { "Identity" }
            dl.facts {
                div { dt { "fingerprint" } dd { code { (found.id) } } }
                div { dt { "subject, " (words(found.subject.kind)) } dd { (sentence(found.subject.id.key())) } }
                @if let Some(workspace) = &found.subject.workspace { div { dt { "workspace" } dd { (sentence(workspace.key())) } } }
                @if let Some(resource) = &found.resource { div { dt { "resource" } dd { (sentence(resource)) } } }
                div { dt { "key" } dd { (sentence(&found.key)) } }
                div { dt { "evidence, to pin a waiver to" } dd { code { (found.digest) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_linked() {
        for (text, linked) in [
            ("https://learn.microsoft.com/x", true),
            ("http://learn.microsoft.com/x", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("//evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_https(text), linked, "{text}");
        }
    }
}
