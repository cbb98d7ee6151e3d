//! Rights lost between two sweeps: a subscription answers 403, vanishes, or shows one resource group only. Nothing
//! passes because of it, nothing is resolved by it, and what may be hidden is shown.

mod support;

use std::collections::BTreeSet;

use armsim::{Options, Server, company};
use mlfence::audit::{Judged, Setup, judge_snapshot};
use mlfence::azure::Client;
use mlfence::findings::Status;
use mlfence::findings::ledger::{Changes, Ledger, Sweep, Terms};
use mlfence::inventory::Snapshot;
use mlfence::outlets::metrics::{Metrics, View};
use mlfence::outlets::table::{self, Layout};
use time::OffsetDateTime;

/// A subscription of the demo company, by its name.
fn subscription(name: &str) -> String {
    let (estate, _) = company::demo();
    estate
        .header
        .subscriptions
        .iter()
        .find(|subscription| subscription.name == name)
        .expect("it is there")
        .id
        .clone()
}

fn group_in(subscription: &str) -> String {
    let (estate, _) = company::demo();
    let mut groups = estate.records.iter().filter_map(|record| record["id"].as_str()).filter(|id| {
        id.contains(subscription) && id.contains("/providers/Microsoft.MachineLearningServices/workspaces/")
    });
    let id = groups
        .next()
        .map(ToOwned::to_owned)
        .unwrap_or_else(|| format!("/subscriptions/{subscription}/resourceGroups/rg-hub/x"));
    id.split('/').take(5).collect::<Vec<_>>().join("/")
}

/// The demo estate, but with everything readable, so that what is lost is lost by the scenario.
fn readable() -> armsim::Estate {
    let mut estate = company::demo().0;
    estate.gaps.clear();
    estate
}

struct Watcher {
    setup: Setup,
    client: Client,
    seen: BTreeSet<String>,
    ledger: Ledger,
}

impl Watcher {
    async fn sweep(&mut self, now: i64) -> (Snapshot, Judged, Changes) {
        let collected =
            self.client.sweep(&self.seen, OffsetDateTime::UNIX_EPOCH, &|_| {}).await.expect("a sweep");
        let snapshot = collected.snapshot;
        let judged = judge_snapshot(&self.setup, &snapshot, &BTreeSet::new());
        self.seen = snapshot.header.subscriptions.iter().map(|s| s.id.to_ascii_lowercase()).collect();
        let sweep = Sweep {
            results: &judged.report.results,
            hidden: &judged.hidden,
            subscriptions: &self.seen,
            excluded: &collected.excluded,
            policies: &judged.policies,
            waivers: &[],
        };
        let (ledger, changes) = self.ledger.advance(&sweep, &Terms::default(), now);
        self.ledger = ledger;
        (snapshot, judged, changes)
    }
}

async fn lose(name: &str, scenario: &str, options: impl Fn(&str) -> Options) {
    let lost = subscription(name);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(readable(), Options::default()).await.expect("armsim starts");
    let config = support::config_for(&server, folder.path());
    let client = Client::new(&config).expect("a client").at_speed(500.0);
    let setup = Setup { config, ..support::setup().clone() };
    let mut watcher = Watcher { setup, client, seen: BTreeSet::new(), ledger: Ledger::default() };

    let (_, before, changes) = watcher.sweep(1).await;
    assert_eq!(before.report.gaps, [], "{scenario}: the first sweep reads everything");
    assert!(changes.opened.len() > 10, "{scenario}: {changes:?}");
    let open = watcher.ledger.open.clone();

    server.replace_options(options(&lost));
    let (_, after, changes) = watcher.sweep(2).await;
    assert_eq!(changes, Changes::default(), "{scenario} {name}: nothing opens, nothing is resolved");
    assert_eq!(
        watcher.ledger.open.keys().collect::<Vec<_>>(),
        open.keys().collect::<Vec<_>>(),
        "{scenario} {name}"
    );

    // Nothing that reaches into the lost subscription passes, and nothing gets better anywhere.
    for result in &after.report.results {
        let proven = matches!(result.status, Status::Pass | Status::NotApplicable);
        assert!(
            !(proven && result.subscription() == lost),
            "{scenario} {name}: {} {}",
            result.policy,
            result.subject.id
        );
    }
    for (place, (was, is)) in support::moved(&before.report, &after.report) {
        let better = matches!(is, Some(Status::Pass | Status::NotApplicable | Status::Waived));
        assert!(!better, "{scenario} {name}: {place:?} went from {was:?} to {is:?}");
    }

    // What may be hidden is shown: in the JSON, the table and the metrics.
    let hidden = after
        .report
        .results
        .iter()
        .filter(|result| result.subject.hidden && result.subscription() == lost)
        .count();
    let policies = watcher.setup.bundle.policies().len();
    assert_eq!(hidden, policies, "{scenario} {name}: one hidden subject per policy");
    let json = serde_json::to_value(&after.report).expect("JSON");
    let in_json = json["results"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|r| r["subject"]["hidden"] == true && r["status"] == "unknown");
    assert_eq!(in_json.count(), policies);
    let text = table::render(&after.report, Layout { width: 100, color: false });
    // A subscription that is out of sight no longer tells its name.
    let place = if scenario == "vanished" { lost.as_str() } else { name };
    assert!(text.contains(&format!("not visible in subscription {place}")), "{scenario} {name}:\n{text}");
    let mut metrics = Metrics::new("digest").expect("metrics");
    let view = View {
        report: &after.report,
        inventory: &after.inventory,
        open: &watcher.ledger.open,
        unknowns: &watcher.ledger.unknowns,
        finished_at: 2,
        outdated: false,
    };
    let exposition = metrics.render(Some(&view)).expect("rendered");
    let policies = after.report.results.iter().map(|result| result.policy.as_str()).collect::<BTreeSet<_>>();
    for policy in policies {
        let series = |status: &str| -> f64 {
            let wanted = format!("status=\"{status}\",subscription=\"{lost}\"");
            exposition
                .lines()
                .filter(|line| {
                    line.starts_with("mlfence_results{")
                        && line.contains(&format!("policy=\"{policy}\""))
                        && line.contains(&wanted)
                })
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum()
        };
        assert!(series("unknown") >= 1.0, "{scenario} {name}: {policy}\n{exposition}");
        assert!(
            (series("pass") + series("not_applicable")).abs() < f64::EPSILON,
            "{scenario} {name}: {policy}"
        );
    }
    let stale = watcher.ledger.open.values().filter(|finding| finding.is_stale()).count();
    let of_lost =
        watcher.ledger.open.values().filter(|finding| finding.subject.id.subscription() == Some(&lost));
    for finding in of_lost {
        assert!(finding.is_stale() || scenario == "one resource group", "{scenario} {name}: {finding:?}");
    }
    let up = format!("mlfence_source_up{{source=\"workspaces\",subscription=\"{lost}\"}} 0");
    assert!(exposition.contains(&up), "{scenario} {name}: {exposition}");

    // Rights come back: everything is confirmed again, nothing was opened twice.
    server.replace_options(Options::default());
    let (_, again, changes) = watcher.sweep(3).await;
    assert_eq!(changes, Changes::default(), "{scenario} {name}: {stale} were stale");
    assert_eq!(again.report.results, before.report.results);
    assert!(watcher.ledger.open.values().all(|finding| !finding.is_stale()));
    server.shutdown().await.expect("armsim ends");
}

#[tokio::test]
async fn a_subscription_that_answers_403() {
    for name in ["ml-dev", "ml-prod"] {
        lose(name, "403", |lost| Options {
            deny: vec![format!("/subscriptions/{lost}")],
            ..Options::default()
        })
        .await;
    }
}

#[tokio::test]
async fn a_subscription_that_vanishes() {
    for name in ["ml-dev", "ml-prod"] {
        lose(name, "vanished", |lost| Options { hide: vec![lost.to_owned()], ..Options::default() }).await;
    }
}

#[tokio::test]
async fn a_subscription_of_which_one_resource_group_is_readable() {
    for name in ["ml-dev", "ml-prod"] {
        lose(name, "one resource group", |lost| Options {
            readable_only: vec![group_in(lost)],
            ..Options::default()
        })
        .await;
    }
}
