//! The overview: how the workspaces stand, what is open, what could not be read and what would settle it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::findings::Status;
use crate::findings::judge::Subject;
use crate::findings::waivers::{Standing, State};
use crate::inventory::{Code, Gap, Kind};
use crate::severity::Severity;

use super::filter::{Filter, Wanted};
use super::items::{Item, items, places_of};
use super::layout::{Part, page as framed, wide};
use super::places::{Place, Posture, postures, words};
use super::text::{age, moment as at, name, resource, said, sentence, severity, verdict};
use super::{Moment, chart};

/// How many entries of each list a page holds.
const FINDINGS: usize = 25;
const PLACES: usize = 15;
const DEEDS: usize = 10;
const SHORT: usize = 5;
const LONG: usize = 50;

/// The page at `/`.
pub(super) fn page(moment: &Moment, filter: &Filter) -> Markup {
    let listed = items(moment, filter);
    framed(
        moment,
        "Overview",
        &html! {
            h1 { "The fence around inferencing" }
            (numbers(moment))
            (workspaces(moment, filter, &listed))
            (findings(moment, filter, &listed))
            (settle(moment))
            (gaps_in_short(moment))
            (waivers_in_short(moment))
            section aria-labelledby="history" {
                h2 #history { "Last sweeps" }
                (chart::history(&moment.view().sweeps))
            }
        },
    )
}

/// The summary's numbers.
fn numbers(moment: &Moment) -> Markup {
    let ledger = &moment.view().kept.ledger;
    let stale = ledger.open.values().filter(|finding| finding.is_stale()).count();
    let of = |status| {
        moment.swept().map(|swept| match status {
            Status::Unknown => swept.report.unknowns(),
            status => swept.report.count(status),
        })
    };
    // Before a sweep has ended nothing is known not to be there.
    let counted = |n: usize| html! { @if n > 0 || moment.swept().is_some() { strong { (n) } } @else { span.none { "–" } } };
    html! {
        dl.numbers {
            div {
                dt { "Open findings" }
                dd {
                    (counted(ledger.open.len()))
                    @if moment.swept().is_none() {
                        @if ledger.open.is_empty() { " not known yet" } @else { " none of them checked by this process" }
                    }
                    @else if stale > 0 { " " (stale) " stale" }
                }
            }
            @for severity in Severity::WORST_FIRST {
                div {
                    dt { (super::text::severity(severity)) }
                    dd { (counted(ledger.open.values().filter(|finding| finding.severity == severity).count())) }
                }
            }
            @for status in [Status::Fail, Status::Unknown, Status::Waived, Status::Pass] {
                @if let Some(n) = of(status) {
                    div { dt { (verdict(status)) } dd { strong { (n) } } }
                }
            }
            @if let Some(swept) = moment.swept() {
                div { dt { "Workspaces" } dd { strong { (swept.report.summary.workspaces) } } }
                div { dt { "Not read" } dd { strong { (swept.report.gaps.len()) } " gaps" } }
            }
        }
    }
}

fn findings(moment: &Moment, filter: &Filter, listed: &[Item<'_>]) -> Markup {
    let part = Part::of(listed.len(), filter.page, FINDINGS);
    let title = match filter.status {
        Wanted::Attention => "Findings and unknowns",
        Wanted::Stale => "Stale findings",
        Wanted::Resolved => "Resolved findings",
        Wanted::Only(Status::Fail) => "Findings",
        _ => "Results",
    };
    html! {
        section aria-labelledby="findings" {
            h2 #findings { (title) }
            (filter.form(moment))
            @for what in unheard_of(moment, filter) { p.notice { strong { "Nothing is known of " (what) } ": an empty list does not say that all is well there." } }
            p.count role="status" {
                @if listed.is_empty() && moment.swept().is_none() { "Not known yet" }
                @else {
                    (listed.len()) @if listed.len() == 1 { " entry" } @else { " entries" }
                    @if filter.narrows() { " that match" }
                }
            }
            @if listed.is_empty() {
                p {
                    @if !moment.ever_swept() { "Nothing is known before the first sweep has ended." }
                    @else if moment.swept().is_none() { "The ledger keeps nothing of this kind; what is so now is not known before a sweep has ended." }
                    @else if !unheard_of(moment, filter).is_empty() { "Nothing is known, so nothing is listed." }
                    @else if filter.narrows() { "Nothing matches." }
                    @else { "Nothing fails, and nothing is unknown." }
                }
            }
            ul.list {
                @for item in part.slice(listed) { li { (entry(moment, item)) } }
            }
            (part.links("Pages of findings", &|page| Filter { page, ..filter.clone() }.link()))
        }
    }
}

/// What the filter names that nobody has heard of: no sweep, no ledger, no policy in force.
fn unheard_of(moment: &Moment, filter: &Filter) -> Vec<Markup> {
    let kept = &moment.view().kept;
    let ledger = &kept.ledger;
    let results = || moment.swept().into_iter().flat_map(|swept| &swept.report.results);
    let findings = || {
        let resolved = ledger.resolved.values().map(|over| &over.finding);
        ledger.open.values().chain(ledger.pending.values()).chain(resolved)
    };
    let known_policy = |id: &str| {
        moment.view().policies.iter().any(|listed| listed.id == id)
            || results().any(|result| result.policy == id)
            || findings().any(|finding| finding.policy == id)
            || ledger.unknowns.keys().any(|(policy, _)| policy == id)
    };
    let known_subscription = |guid: &str| {
        let of = |subject: &Subject| {
            std::iter::once(&subject.id).chain(&subject.workspace).any(|id| id.subscription() == Some(guid))
        };
        moment.swept().is_some_and(|swept| swept.report.subscriptions.contains_key(guid))
            || kept.seen.contains(guid)
            || results().any(|result| of(&result.subject))
            || findings().any(|finding| of(&finding.subject))
            || ledger.unknowns.keys().any(|(_, subject)| of(subject))
    };
    let mut all = Vec::new();
    if !filter.policy.is_empty() && !known_policy(&filter.policy) {
        all.push(html! { "the policy " (name(&filter.policy)) });
    }
    if !filter.subscription.is_empty() && !known_subscription(&filter.subscription) {
        all.push(html! { "the subscription " (name(&filter.subscription)) });
    }
    all
}

/// One entry of a list.
pub(super) fn entry(moment: &Moment, item: &Item<'_>) -> Markup {
    let place = Place::of(item.subject);
    let own = item.subject.workspace.as_ref() == Some(&item.subject.id);
    html! {
        div.head {
            @match item.resolved {
                Some((_, why)) => { strong { "resolved" } " (" (why.name().replace('_', " ")) ") " }
                None => { (verdict(item.status)) " " }
            }
            (severity(item.severity)) " "
            span.policies {
                @for (index, (id, title)) in item.policies.iter().enumerate() {
                    @if index > 0 { ", " }
                    @match item.finding {
                        Some(finding) => a href={ "/findings/" (finding) } { (name(id)) },
                        None => abbr title=(crate::inventory::printable(title)) { (name(id)) },
                    }
                }
            }
            @if let [(_, title)] = item.policies.as_slice() { " " span.title { (sentence(title)) } }
        }
        @if !item.message.is_empty() { p.message { (sentence(&item.message)) } }
        p.where {
            @if item.subject.hidden { "Subjects that may be there: " (words(item.subject.kind)) " · " }
            @else if !own { (words(item.subject.kind)) " " (resource(&item.subject.id)) " · " }
            a href=(place.link()) { (place.what()) " " (name(place.name(moment))) }
            @if let Some(guid) = item.subject.id.subscription() {
                " · subscription " (name(moment.subscription(guid).unwrap_or(guid)))
            }
        }
        p.times {
            @if let Some((when, _)) = item.resolved { "resolved " (age(when, moment.now)) " ago (" (at(when)) ")" }
            @else if let Some(since) = item.since {
                @if item.status == Status::Unknown { "unknown for " } @else if item.unconfirmed { "first seen " } @else { "open for " }
                (age(since, moment.now)) @if item.unconfirmed { " ago" } " (since " (at(since)) ")"
            }
            @if let Some(since) = item.stale_since {
                " · " strong { "stale" } " since " (at(since)) ": the last sweeps could not check it"
            } @else if item.unchecked { " · " strong { "not checked" } " by this process yet" }
            @if item.unconfirmed {
                @if item.since.is_some() { " · seen, but not yet often enough to be a finding" }
                @else { " · seen, but the ledger could not keep it" }
            }
            @if let Some(waiver) = item.waiver {
                "waived until " (waiver.expires) " by " (name(&waiver.owner)) ": " (sentence(&waiver.reason))
            }
        }
    }
}

fn workspaces(moment: &Moment, filter: &Filter, listed: &[Item<'_>]) -> Markup {
    let mut all = postures(moment);
    if filter.narrows() {
        let matching = places_of(listed);
        all.retain(|(place, _)| matching.contains(place));
    }
    let part = Part::of(all.len(), filter.places, PLACES);
    let caption = match (moment.swept(), filter.narrows()) {
        (None, _) if !moment.ever_swept() => "Not known before the first sweep has ended",
        (None, _) => {
            "What the ledger kept of each workspace, the worst first; nothing of it was checked by this process"
        }
        (_, true) => "Workspaces in which something matches, the worst first; all their results are counted",
        _ => "Results of the last sweep, the worst workspace first",
    };
    html! {
        section aria-labelledby="workspaces" {
            h2 #workspaces { "Workspaces" }
            p.hint { "The table is wider than a small screen: scroll it sideways for more." }
            (wide("Workspaces and their results", &html! {
                table.posture {
                    caption { (caption) }
                    thead {
                        tr {
                            th scope="col" { "Where" }
                            th scope="col" { "Fail" }
                            th scope="col" { "Stale" }
                            th scope="col" { "Unknown" }
                            th scope="col" { "Waived" }
                            th scope="col" { "Pass" }
                        }
                    }
                    tbody { @for (place, posture) in part.slice(&all) { (row(moment, place, posture)) } }
                }
            }))
            @if all.is_empty() { p { @if moment.swept().is_none() { "Not known yet." } @else if filter.narrows() { "None in which something matches." } @else { "There is none." } } }
            (part.links("Pages of workspaces", &|places| Filter { places, ..filter.clone() }.link()))
        }
    }
}

fn row(moment: &Moment, place: &Place, posture: &Posture) -> Markup {
    // Where nobody has judged, none is no number.
    let none = if moment.swept().is_some() && posture.is_judged() { "0" } else { "–" };
    let counted = |counts: [usize; 4], none: &str| {
        html! {
            @if counts.iter().sum::<usize>() == 0 { span.none { (none) } }
            @else {
                ul.counts {
                    @for (severity, n) in Severity::WORST_FIRST.into_iter().zip(counts).filter(|(_, n)| *n > 0) {
                        li { (n) " " (super::text::severity(severity)) }
                    }
                }
            }
        }
    };
    let cell = |status| {
        let quiet = matches!(status, Status::Waived | Status::Pass);
        html! { td.quiet[quiet] { (counted(posture.of(status), none)) } }
    };
    let subscription = place.id().subscription().map(|guid| moment.subscription(guid).unwrap_or(guid));
    html! {
        tr {
            th scope="row" {
                a href=(place.link()) { @if !matches!(place, Place::Workspace(_)) { (place.what()) " " } (name(place.name(moment))) }
                @if let (Place::Workspace(_) | Place::Shared(..), Some(subscription)) = (place, subscription) { br; small { (name(subscription)) } }
            }
            (cell(Status::Fail))
            td { (counted(posture.stale, "0")) }
            (cell(Status::Unknown))
            (cell(Status::Waived))
            (cell(Status::Pass))
        }
    }
}

/// What would settle the unknowns.
fn settle(moment: &Moment) -> Markup {
    let Some(swept) = moment.swept() else { return html! {} };
    let report = &swept.report;
    let Some(headline) = report.settlement.headline() else { return html! {} };
    html! {
        section aria-labelledby="settle" {
            h2 #settle { "What would settle the unknowns" }
            p { (sentence(&headline)) "." }
            ol.deeds {
                @for deed in report.settle.iter().take(DEEDS) {
                    li { (sentence(&deed.action)) @if deed.unknowns > 0 { " – settles " (deed.unknowns) } @else { " – needed beside others" } }
                }
            }
            @if report.settle.len() > DEEDS { p { "And " (report.settle.len() - DEEDS) " more, each of which settles no more than these." } }
        }
    }
}

/// Gaps with one cause in one place.
struct Cause<'a> {
    scope: &'a crate::inventory::ResourceId,
    reason: &'static str,
    kinds: Vec<Kind>,
    detail: &'a str,
}

fn causes(gaps: &[Gap]) -> Vec<Cause<'_>> {
    let mut causes: BTreeMap<_, Cause<'_>> = BTreeMap::new();
    for gap in gaps {
        let reason = Code::from(gap.reason).name();
        let cause = causes.entry((&gap.scope, reason)).or_insert_with(|| Cause {
            scope: &gap.scope,
            reason,
            kinds: Vec::new(),
            detail: &gap.detail,
        });
        cause.kinds.push(gap.source);
    }
    causes.into_values().collect()
}

fn list_of_causes(moment: &Moment, causes: &[Cause<'_>]) -> Markup {
    html! {
        ul.list {
            @for cause in causes {
                @let name_of = cause.scope.subscription().filter(|_| cause.scope.subscription_id().as_ref() == Some(cause.scope))
                    .and_then(|guid| moment.subscription(guid));
                li {
                    p.message {
                        strong { (cause.reason) } ": "
                        @if let Some(known) = name_of { "subscription " (name(known)) } @else { (resource(cause.scope)) }
                    }
                    p.where { (cause.kinds.iter().map(|kind| kind.name().replace('_', " ")).collect::<Vec<_>>().join(", ")) }
                    @if !cause.detail.is_empty() { p.times { (sentence(cause.detail)) } }
                }
            }
        }
    }
}

fn gaps_in_short(moment: &Moment) -> Markup {
    let Some(swept) = moment.swept() else { return html! {} };
    let causes = causes(&swept.report.gaps);
    html! {
        section aria-labelledby="gaps" {
            h2 #gaps { "What could not be read" }
            @if causes.is_empty() { p { "Everything that was asked for was read." } }
            (list_of_causes(moment, causes.get(..SHORT).unwrap_or(&causes)))
            @if causes.len() > SHORT { p { a href="/gaps" { "All " (causes.len()) " causes" } } }
        }
    }
}

/// The page at `/gaps`.
pub(super) fn gaps(moment: &Moment, filter: &Filter) -> Markup {
    let all = moment.swept().map(|swept| causes(&swept.report.gaps)).unwrap_or_default();
    let part = Part::of(all.len(), filter.page, LONG);
    framed(
        moment,
        "Gaps",
        &html! {
            h1 { "What could not be read" }
            p { "A gap proves nothing: what it hides is unknown, and a finding behind it stays open as stale." }
            @if moment.swept().is_none() { p { "No sweep of this process has ended yet, so it is not known what can be read." } }
            @else if all.is_empty() { p { "Everything that was asked for was read." } }
            (list_of_causes(moment, part.slice(&all)))
            (part.links("Pages of gaps", &|page| format!("/gaps?page={page}")))
        },
    )
}

fn waivers_in_short(moment: &Moment) -> Markup {
    let Some(swept) = moment.swept() else { return html! {} };
    let all = &swept.report.waivers;
    let due: Vec<&Standing> = all.iter().filter(|standing| standing.state != State::Active).collect();
    html! {
        section aria-labelledby="waivers" {
            h2 #waivers { "Waivers" }
            @if all.is_empty() { p { "There are none." } }
            @else {
                p { (counts(all)) ". " a href="/waivers" { "All of them" } }
                @if !due.is_empty() { (table_of_waivers("Waivers that somebody should look at", due.get(..SHORT).unwrap_or(&due))) }
            }
        }
    }
}

fn counts(all: &[Standing]) -> String {
    let of = |state: State| all.iter().filter(|standing| standing.state == state).count();
    let told = State::ALL.iter().map(|state| (of(*state), state.name())).filter(|(n, _)| *n > 0);
    told.map(|(n, state)| format!("{n} {state}")).collect::<Vec<_>>().join(", ")
}

/// The page at `/waivers`.
pub(super) fn waivers(moment: &Moment, filter: &Filter) -> Markup {
    let all: Vec<&Standing> = moment.swept().iter().flat_map(|swept| &swept.report.waivers).collect();
    let part = Part::of(all.len(), filter.page, LONG);
    framed(
        moment,
        "Waivers",
        &html! {
            h1 { "Waivers" }
            @if moment.swept().is_none() { p { "No sweep of this process has ended yet, so it is not known how they stand." } }
            @else if all.is_empty() { p { "There are none." } }
            @else { (table_of_waivers("Waivers as they stand after the last sweep", part.slice(&all))) }
            (part.links("Pages of waivers", &|page| format!("/waivers?page={page}")))
        },
    )
}

fn table_of_waivers(caption: &str, standings: &[&Standing]) -> Markup {
    wide(
        caption,
        &html! {
            table {
                caption { (caption) }
                thead {
                    tr { @for column in ["State", "Policy", "Scope", "Accepts", "Until", "Owner and reason", "Covers", "Stands in"] { th scope="col" { (column) } } }
                }
                tbody {
                    @for Standing { waiver, state, covers } in standings {
                        tr {
                            td { (state.name()) }
                            th scope="row" { (name(&waiver.policy)) }
                            td { (resource(&waiver.scope)) @if let Some(key) = &waiver.key { br; small { "key " (name(key)) } } }
                            td { @match waiver.accepts { crate::findings::waivers::Accepts::Fail => (said(Status::Fail)), crate::findings::waivers::Accepts::Unknown => (said(Status::Unknown)) } }
                            td { (waiver.expires) }
                            td { (name(&waiver.owner)) br; small { (sentence(&waiver.reason)) } }
                            td { (covers) }
                            td { (name(&waiver.at)) }
                        }
                    }
                }
            }
        },
    )
}
