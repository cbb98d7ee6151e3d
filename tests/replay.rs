//! A tenant captured once and judged later gives what the live audit gave, byte for byte but for the time.

mod support;

use std::collections::BTreeSet;

use armsim::company::{Expected, Flaw};
use armsim::{Estate, Options, Server, company};
use mlfence::audit::{Setup, judge_snapshot};
use mlfence::azure::Client;
use mlfence::config::Config;
use mlfence::findings::Report;
use mlfence::inventory::{Depth, Snapshot};
use mlfence::{snapshot_file, sweep};
use time::macros::datetime;

async fn sweep(estate: Estate) -> Snapshot {
    sweep_at(estate, Depth::Rules).await
}

async fn sweep_at(estate: Estate, depth: Depth) -> Snapshot {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(estate, Options::default()).await.expect("armsim starts");
    let config = support::config_for(&server, folder.path());
    let client = Client::new(&config).expect("a client").with_depth(depth);
    let now = datetime!(2026-11-25 12:00 UTC);
    let collected =
        sweep::run(&client, &config.expectations, &BTreeSet::new(), now, &|_| {}).await.expect("a sweep");
    server.shutdown().await.expect("armsim ends");
    collected.snapshot
}

fn judged(snapshot: &Snapshot) -> Report {
    let setup = support::setup().clone();
    judge_snapshot(&setup, snapshot, &BTreeSet::new()).report
}

fn bytes(mut report: Report) -> String {
    report.taken_at.clear();
    serde_json::to_string_pretty(&report).expect("JSON")
}

#[tokio::test]
async fn a_capture_is_judged_as_the_live_tenant_was_twice() {
    let live = sweep(company::demo().0).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("capture.jsonl.zst");
    snapshot_file::write(&path, &live).expect("written");
    let captured = snapshot_file::read(&path).expect("read");
    assert_eq!(bytes(judged(&captured)), bytes(judged(&live)));
    assert_eq!(bytes(judged(&captured)), bytes(judged(&captured)));

    // The capture, served as if it were Azure, is the same tenant.
    let again = Estate::from_jsonl(&text(&captured)).expect("armsim reads what mlfence writes");
    let second = sweep(again).await;
    assert_eq!(bytes(judged(&second)), bytes(judged(&live)));
    assert!(!live.answers.is_empty());
    assert_eq!(second.answers, live.answers);
}

/// The estate that armsim was given, judged as a file, gives the verdicts of the live sweep.
#[tokio::test]
async fn the_file_that_is_served_is_judged_as_the_live_tenant() {
    let estate = company::demo().0;
    let mut file = judged(&support::snapshot(&estate));
    let mut rules = judged(&sweep(estate.clone()).await);
    let live = judged(&sweep_at(estate, Depth::Everything).await);
    assert_eq!(bytes(live), bytes(file.clone()));
    // What rules read is fewer records and gaps, and the same to them.
    assert!(rules.summary.records < file.summary.records && rules.gaps.len() < file.gaps.len());
    rules.summary.records = file.summary.records;
    file.gaps.retain(|gap| Depth::Rules.asks(gap.source));
    assert_eq!(bytes(rules), bytes(file));
}

#[tokio::test]
async fn the_violations_of_a_generated_estate_are_found_and_no_others() {
    let size = company::Size { workspaces: 80, seed: 7, subscriptions: 3 };
    let (estate, expected) = company::generate(&size);
    assert!(expected.len() > 30);
    holds_what_its_list_names(estate, &expected).await;
}

#[tokio::test]
async fn the_violations_of_the_demo_are_found_and_no_others() {
    let (estate, expected) = company::demo();
    holds_what_its_list_names(estate, &expected).await;
}

/// Live, and by the file alone, which holds what Azure answers about groups.
async fn holds_what_its_list_names(estate: Estate, expected: &[Expected]) {
    let declared = support::declarations(&estate);
    let file = support::snapshot(&estate);
    for snapshot in [file, sweep(estate).await] {
        let config = Config { expectations: declared.clone(), ..support::setup().config.clone() };
        let setup = Setup { config, ..support::setup().clone() };
        violated_as_listed(&judge_snapshot(&setup, &snapshot, &BTreeSet::new()).report, expected);
    }
}

fn violated_as_listed(report: &Report, expected: &[Expected]) {
    // The sidecar knows the policies that armsim's flaws violate, and no others: that a workspace serves by v1 at all is
    // no flaw that it injects.
    let known: BTreeSet<&str> = Flaw::ALL.into_iter().flat_map(|flaw| flaw.policies()).copied().collect();
    let violated: BTreeSet<(&str, String)> = report
        .results
        .iter()
        .filter(|result| !result.violations.is_empty())
        .map(|result| (result.policy.as_str(), result.subject.id.key().to_owned()))
        .collect();
    let (listed, unlisted): (BTreeSet<_>, BTreeSet<_>) =
        violated.into_iter().partition(|(policy, _)| known.contains(policy));
    let listed_for: BTreeSet<(&str, String)> =
        expected.iter().map(|one| (one.policy.as_str(), one.subject.to_ascii_lowercase())).collect();
    let missed: Vec<_> = listed_for.difference(&listed).collect();
    let beyond: Vec<_> = listed.difference(&listed_for).collect();
    assert!(missed.is_empty() && beyond.is_empty(), "missed {missed:#?}\nbeyond the list {beyond:#?}");
    let unlisted: BTreeSet<&str> = unlisted.into_iter().map(|(policy, _)| policy).collect();
    assert_eq!(unlisted, BTreeSet::from(["ACI-010", "LIF-001"]));
}

fn text(snapshot: &Snapshot) -> String {
    let mut text = Vec::new();
    snapshot.write(&mut text).expect("written");
    String::from_utf8(text).expect("text")
}
