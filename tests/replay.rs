//! A tenant captured once and judged later gives what the live audit gave, byte for byte but for the time.

mod support;

use std::collections::BTreeSet;

use armsim::{Estate, Options, Server, company};
use mlfence::audit::{Setup, judge_snapshot};
use mlfence::azure::Client;
use mlfence::findings::Report;
use mlfence::inventory::Snapshot;
use mlfence::{snapshot_file, sweep};
use time::macros::datetime;

/// Somebody of whom every grant to a group leaves it open what they may.
const DEPLOYER: &str = "aaaaaaaa-0000-0000-0000-000000000001";

async fn sweep(estate: Estate) -> Snapshot {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(estate, Options::default()).await.expect("armsim starts");
    let mut config = support::config_for(&server, folder.path());
    config.expectations.default.deployers = Some(vec![DEPLOYER.to_owned()]);
    let client = Client::new(&config).expect("a client");
    let (declared, now) = (&config.expectations, datetime!(2026-11-25 12:00 UTC));
    let collected = sweep::run(&client, declared, &BTreeSet::new(), now, &|_| {}).await.expect("a sweep");
    server.shutdown().await.expect("armsim ends");
    collected.snapshot
}

fn judged(snapshot: &Snapshot) -> Report {
    let setup = Setup { config: support::setup().config.clone(), bundle: support::setup().bundle.clone() };
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
    let file = judged(&support::snapshot(&estate));
    let live = judged(&sweep(estate).await);
    assert_eq!(bytes(live), bytes(file));
}

#[tokio::test]
async fn the_violations_of_a_generated_estate_are_found_and_no_others() {
    let (estate, expected) = company::generate(&company::Size { workspaces: 60, seed: 7, subscriptions: 3 });
    let report = judged(&sweep(estate).await);
    // The sidecar knows the policies that armsim's flaws violate, and no others: that a workspace serves by v1 at all is
    // no flaw that it injects.
    let known: BTreeSet<&str> = company::Flaw::ALL.into_iter().map(company::Flaw::policy).collect();
    let found: BTreeSet<(String, String)> = report
        .results
        .iter()
        .filter(|result| known.contains(result.policy.as_str()) && !result.violations.is_empty())
        .map(|result| (result.policy.clone(), result.subject.id.to_string()))
        .collect();
    // A pair is judged at its attachment, a cluster at the cluster.
    let expected: BTreeSet<(String, String)> = expected
        .iter()
        .map(|expected| {
            let of_cluster = !matches!(expected.policy.as_str(), "AKS-001" | "AKS-003")
                && !expected.policy.starts_with("ACI");
            let id = if of_cluster { &expected.resource } else { &expected.attached_as };
            (expected.policy.clone(), id.to_ascii_lowercase())
        })
        .collect();
    let violated = report.results.iter().filter(|result| !result.violations.is_empty());
    let unlisted: BTreeSet<&str> =
        violated.map(|result| result.policy.as_str()).filter(|policy| !known.contains(policy)).collect();
    assert_eq!(unlisted, BTreeSet::from(["ACI-010", "LIF-001"]));
    assert!(expected.len() > 10);
    assert_eq!(found, expected);
}

fn text(snapshot: &Snapshot) -> String {
    let mut text = Vec::new();
    snapshot.write(&mut text).expect("written");
    String::from_utf8(text).expect("text")
}
