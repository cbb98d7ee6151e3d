//! One workspace: its picture, its results by policy, what is not known and why.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use crate::facts::{Document, SubjectKind, derive_workspace};
use crate::findings::{PolicyResult, Status};
use crate::inventory::{Gap, ResourceId};

use super::items::reasons;
use super::layout::page as framed;
use super::places::{Place, words};
use super::text::{age, moment as at, name, resource, sentence, severity, verdict};
use super::{Moment, picture};

/// Looks a place up by the part of its address.
pub(super) fn find(moment: &Moment, key: &str) -> Option<Place> {
    let mut places = BTreeSet::new();
    if let Some(swept) = moment.swept() {
        places.extend(swept.inventory.workspaces.keys().cloned().map(Place::Workspace));
        places.extend(swept.report.results.iter().map(|result| Place::of(&result.subject)));
    }
    let ledger = &moment.view().kept.ledger;
    let resolved = ledger.resolved.values().map(|resolved| &resolved.finding);
    let findings = ledger.open.values().chain(ledger.pending.values()).chain(resolved);
    places.extend(findings.map(|finding| Place::of(&finding.subject)));
    places.extend(ledger.unknowns.keys().map(|(_, subject)| Place::of(subject)));
    places.into_iter().find(|place| place.key() == key)
}

/// The page at `/workspaces/{key}`.
pub(super) fn page(moment: &Moment, place: &Place) -> Markup {
    let documents = match (place, moment.swept()) {
        (Place::Workspace(id), Some(swept)) => {
            derive_workspace(&swept.inventory, &moment.view().declarations, id)
        }
        _ => Vec::new(),
    };
    let results = results(moment, place, &documents);
    let own = place.name(moment);
    framed(
        moment,
        own,
        &html! {
            p.crumbs { a href="/" { "Overview" } " › " a href="/#workspaces" { "Workspaces" } }
            h1 { (place.what()) " " (name(own)) }
            p.where { (sentence(place.id().key())) }
            @if moment.swept().is_none() {
                p { "No sweep of this process has ended yet: there is no picture and there are no verdicts, only what the ledger kept." }
            }
            @if let (Place::Workspace(id), Some(_)) = (place, moment.swept()) {
                section aria-labelledby="picture" {
                    h2 #picture { "Its network" }
                    (picture::of(id, &documents, &results))
                }
            }
            (kept(moment, place, &results))
            (by_policy(&results))
            (unknowns(&results))
            (gaps(moment, place, &documents))
        },
    )
}

/// What concerns a place: its own verdicts, those on what it shares with others, and those on what may be hidden above it.
fn results<'a>(moment: &'a Moment, place: &Place, documents: &[Document]) -> Vec<&'a PolicyResult> {
    let Some(swept) = moment.swept() else { return Vec::new() };
    let used: BTreeSet<(SubjectKind, &ResourceId)> =
        documents.iter().map(|document| (document.subject.kind, &document.subject.id)).collect();
    let concerns = |result: &&PolicyResult| {
        let subject = &result.subject;
        Place::of(subject) == *place
            || !subject.hidden && used.contains(&(subject.kind, &subject.id))
            || subject.hidden
                && matches!(place, Place::Workspace(id) if subject.id.contains(id) || id.contains(&subject.id))
    };
    swept.report.results.iter().filter(concerns).collect()
}

/// Open findings that the last sweep did not see.
fn kept(moment: &Moment, place: &Place, results: &[&PolicyResult]) -> Markup {
    let seen: BTreeSet<&str> =
        results.iter().flat_map(|result| &result.violations).map(|violation| violation.id.as_str()).collect();
    let open = moment.view().kept.ledger.open.iter();
    let mut unseen: Vec<_> = open
        .filter(|(id, finding)| Place::of(&finding.subject) == *place && !seen.contains(id.as_str()))
        .collect();
    unseen.sort_by_key(|(id, finding)| (std::cmp::Reverse(finding.severity), &finding.policy, *id));
    html! {
        @if !unseen.is_empty() {
            section aria-labelledby="kept" {
                h2 #kept {
                    @if moment.swept().is_some() { "Open findings that the last sweep could not check" }
                    @else { "Open findings that no sweep of this process has checked yet" }
                }
                ul.list {
                    @for (id, finding) in unseen {
                        li {
                            div.head { (verdict(Status::Fail)) " " (severity(finding.severity)) " " a href={ "/findings/" (id) } { (name(&finding.policy)) } }
                            p.message { (sentence(&finding.message)) }
                            p.times {
                                "open for " (age(finding.opened_at, moment.now))
                                @if let Some(since) = finding.stale_since { " · " strong { "stale" } " since " (at(since)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The results, by policy; the worst first.
fn by_policy(results: &[&PolicyResult]) -> Markup {
    let mut policies: BTreeMap<&str, Vec<&PolicyResult>> = BTreeMap::new();
    for result in results.iter().filter(|result| !result.subject.hidden) {
        policies.entry(&result.policy).or_default().push(result);
    }
    let worst = |results: &[&PolicyResult]| {
        results.iter().map(|result| (result.status, std::cmp::Reverse(result.worst()))).min()
    };
    let mut policies: Vec<_> = policies.into_iter().collect();
    policies.sort_by_key(|(id, results)| (worst(results), *id));
    html! {
        section aria-labelledby="results" {
            h2 #results { "Results by policy" }
            @if policies.is_empty() { p { "There are none." } }
            ul.list {
                @for (id, results) in policies {
                    @for result in results {
                        li {
                            div.head {
                                (verdict(result.status)) " " (severity(result.worst())) " "
                                strong { (name(id)) } " " span.title { (sentence(&result.title)) }
                            }
                            p.where { (words(result.subject.kind)) " " (resource(&result.subject.id)) }
                            @for violation in &result.violations {
                                p.message {
                                    a href={ "/findings/" (violation.id) } { (sentence(&violation.message)) }
                                    @if let Some(waiver) = &violation.waiver { " – waived until " (waiver.expires) " by " (name(&waiver.owner)) }
                                }
                            }
                            @for note in &result.notes { p.times { "note: " (sentence(&note.message)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What is not known, and why: beside verdicts that are unknown also what may hide behind others.
fn unknowns(results: &[&PolicyResult]) -> Markup {
    let mut alike: BTreeMap<(&ResourceId, bool, String), Vec<&PolicyResult>> = BTreeMap::new();
    for result in results.iter().filter(|result| !result.reasons.is_empty()) {
        let subject = &result.subject;
        alike
            .entry((&subject.id, subject.hidden, reasons(&result.reasons).into_owned()))
            .or_default()
            .push(result);
    }
    html! {
        @if !alike.is_empty() {
            section aria-labelledby="unknowns" {
                h2 #unknowns { "What is not known, and why" }
                ul.list {
                    @for ((id, hidden, reason), results) in alike {
                        li {
                            div.head {
                                (verdict(Status::Unknown)) " "
                                @for (index, result) in results.iter().enumerate() {
                                    @if index > 0 { ", " }
                                    (name(&result.policy))
                                    @if result.waiver.is_some() { " (accepted)" }
                                }
                            }
                            p.where { @if hidden { "Subjects that may be there, in " } (resource(id)) }
                            p.message { (sentence(&reason)) }
                        }
                    }
                }
            }
        }
    }
}

/// The gaps in the subscriptions that the workspace reaches.
fn gaps(moment: &Moment, place: &Place, documents: &[Document]) -> Markup {
    let Some(swept) = moment.swept() else { return html! {} };
    let mut subscriptions: BTreeSet<&str> =
        documents.iter().flat_map(|document| &document.subject.subscriptions).map(String::as_str).collect();
    subscriptions.extend(place.id().subscription());
    let concerns = |gap: &&Gap| gap.scope.subscription().is_none_or(|guid| subscriptions.contains(guid));
    let mut causes: BTreeMap<(&ResourceId, &str, &str), Vec<&str>> = BTreeMap::new();
    for gap in swept.report.gaps.iter().filter(concerns) {
        let reason = crate::inventory::Code::from(gap.reason).name();
        causes.entry((&gap.scope, reason, &gap.detail)).or_default().push(gap.source.name());
    }
    html! {
        section aria-labelledby="gaps" {
            h2 #gaps { "What could not be read where it reaches" }
            @if causes.is_empty() {
                @if swept.report.gaps.is_empty() { p { "Everything that was asked for was read." } }
                @else {
                    p {
                        "Nothing in the subscriptions that it is known to reach. "
                        a href="/gaps" { "Elsewhere something could not be read" } ", which may be why a verdict is unknown."
                    }
                }
            }
            ul.list {
                @for ((scope, reason, detail), kinds) in causes.iter().take(20) {
                    li {
                        p.message { strong { (reason) } ": " (resource(scope)) }
                        p.where { (kinds.join(", ").replace('_', " ")) }
                        @if !detail.is_empty() { p.times { (sentence(detail)) } }
                    }
                }
            }
            @if causes.len() > 20 { p { a href="/gaps" { "and " (causes.len() - 20) " more" } } }
        }
    }
}
