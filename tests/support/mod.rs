//! What the integration tests share: estates from armsim, judged by the shipped policies.
#![allow(dead_code)] // Each test binary uses its own part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use armsim::Estate;
use mlfence::audit::{Judged, PolicyArguments, Setup, judge_snapshot};
use mlfence::expectations::Openness;
use mlfence::findings::{Report, Status};
use mlfence::inventory::Snapshot;

/// The shipped policies with a private control plane demanded, so that every policy has something to judge.
pub fn setup() -> &'static Setup {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    SETUP.get_or_init(|| {
        let mut setup = Setup::load(None, &PolicyArguments::default()).expect("the shipped policies load");
        setup.config.expectations.default.control_plane = Some(Openness::Private);
        setup
    })
}

pub fn snapshot(estate: &Estate) -> Snapshot {
    Snapshot::read(estate.to_jsonl().as_bytes()).expect("armsim writes what mlfence reads")
}

pub fn judge(snapshot: &Snapshot) -> Judged {
    judge_snapshot(setup(), snapshot, &BTreeSet::new())
}

pub fn report(estate: &Estate) -> Report {
    judge(&snapshot(estate)).report
}

/// A verdict's place: the policy and the last part of the subject's id (`hidden:SCOPE` for a hidden one).
pub type Place = (String, String);

/// The verdicts of a report by their places. Names are unique in the estates used here.
pub fn verdicts(report: &Report) -> BTreeMap<Place, Status> {
    let mut verdicts = BTreeMap::new();
    for result in &report.results {
        let id = &result.subject.id;
        let subject = if result.subject.hidden { format!("hidden:{id}") } else { id.name().to_owned() };
        let place = (result.policy.clone(), format!("{}:{subject}", result.subject.kind.name()));
        let earlier = verdicts.insert(place.clone(), result.status);
        assert_eq!(earlier, None, "two verdicts at {place:?}");
    }
    verdicts
}

/// The verdicts that differ between two reports: place, before, after.
pub fn moved(before: &Report, after: &Report) -> BTreeMap<Place, (Option<Status>, Option<Status>)> {
    let (before, after) = (verdicts(before), verdicts(after));
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    places
        .into_iter()
        .map(|place| (place.clone(), (before.get(place).copied(), after.get(place).copied())))
        .filter(|(_, (before, after))| before != after)
        .collect()
}
