//! The metrics of a running daemon against README's table, and the series of single findings.

#[path = "support/serving.rs"]
mod serving;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use armsim::estate::Estate;
use armsim::{Options, RunningServer, Server, company};
use mlfence::config::{self, Detail};
use mlfence::findings::labels;
use mlfence::findings::ledger::{Ledger, Sweep, Terms};
use mlfence::outlets::metrics::{Metrics, View};
use serde_json::{Value, json};

use serving::{Serving, configure, samples};

/// What the demo estate violates, as its injected faults are counted in `tests/daemon.rs` too.
const OPEN: usize = 42;

/// A daemon on the demo estate, after its first sweep, and what it exposes.
async fn exposed(more: &str) -> (RunningServer, String) {
    let (mut estate, _) = company::demo();
    // What its operator declares is read off its own tags.
    let declared = company::declarations(&estate);
    for record in &mut estate.records {
        if record["type"].as_str().is_some_and(|of| of.eq_ignore_ascii_case(WORKSPACES)) {
            record["tags"] = json!({"Owner": "ann\n<b>\"", "team": ""});
        }
    }
    let server = Server::start(estate, Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.db");
    let config = configure(folder.path(), &server, "1h", &ledger, &format!("{declared}{more}"));
    let daemon = Serving::start(&server, &config);
    daemon.log("last sweep");
    let exposition = daemon.get("/metrics").1;
    (server, exposition)
}

const WORKSPACES: &str = "Microsoft.MachineLearningServices/workspaces";

/// Each family: its type, and its help.
fn families(exposition: &str) -> BTreeMap<String, (String, String)> {
    let mut families: BTreeMap<String, (String, String)> = BTreeMap::new();
    for line in exposition.lines() {
        let mut words = line.splitn(4, ' ');
        if let (Some("#"), Some(what), Some(name), Some(rest)) =
            (words.next(), words.next(), words.next(), words.next())
        {
            let family = families.entry(name.to_owned()).or_default();
            let place = if what == "TYPE" { &mut family.0 } else { &mut family.1 };
            rest.clone_into(place);
        }
    }
    families
}

/// The rows of README's table: names, types, texts.
fn documented() -> BTreeMap<String, (String, String)> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("readable");
    let rows = readme.lines().filter(|line| line.starts_with("| `mlfence_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), cells[3].to_owned()))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_daemon_exposes_is_what_the_readme_lists() {
    let (_server, exposition) = exposed("metrics: { detail: all }\n").await;
    let (exposed, listed) = (families(&exposition), documented());
    for (name, family) in &exposed {
        assert_eq!(Some(family), listed.get(name), "{name}");
    }
    // These begin with what they count: a failed request, a retry of a labelled kind, a receiver.
    let silent: BTreeSet<&str> =
        listed.keys().map(String::as_str).filter(|name| !exposed.contains_key(*name)).collect();
    let expected = [
        "mlfence_notification_failures_total",
        "mlfence_notifications_total",
        "mlfence_notified_severity_info",
        "mlfence_webhook_events_dropped_total",
        "mlfence_webhook_events_waiting",
    ];
    assert_eq!(silent, BTreeSet::from(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_no_series_names_a_resource() {
    let (_server, exposition) = exposed("").await;
    assert!(!exposition.contains("resourcegroups"), "a resource's name is exposed");
    assert!(samples(&exposition, "mlfence_finding_open_timestamp_seconds", &[]).is_empty());
    assert!(samples(&exposition, "mlfence_finding_series_suppressed", &[]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_open_finding_has_a_series_with_its_labels() {
    let more = "metrics: { detail: failing }\nlabels_from_tags: [owner, team]\n";
    let (_server, exposition) = exposed(more).await;
    let series =
        |labels: &[&str]| samples(&exposition, "mlfence_finding_open_timestamp_seconds", labels).len();
    assert_eq!(series(&["state=\"confirmed\""]), OPEN);
    for policy in ["AKS-001", "NSG-001", "RBAC-001"] {
        let labels = [format!("policy=\"{policy}\"")];
        let open: f64 = samples(&exposition, "mlfence_open_findings", &[&labels[0]]).iter().sum();
        assert_eq!(series(&[&labels[0]]) as f64, open, "{policy}");
    }
    // The workspace's tag, for a subject that has none of its own; an escaped text, without its line break.
    assert!(series(&["owner=\"ann <b>\\\"\"", "team=\"\"", "workspace=\"/subscriptions/"]) > 0);
    assert_eq!(samples(&exposition, "mlfence_finding_series_suppressed", &[]), [0.0]);
    assert!(samples(&exposition, "mlfence_unknown_since_timestamp_seconds", &[]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_holds_back_the_least_severe_and_counts_them() {
    let (_server, exposition) = exposed("metrics: { detail: all, detail_limit: 5 }\n").await;
    let series =
        |labels: &[&str]| samples(&exposition, "mlfence_finding_open_timestamp_seconds", labels).len();
    let open =
        |severity: &str| samples(&exposition, "mlfence_open_findings", &[severity]).iter().sum::<f64>();
    let critical = open("severity=\"critical\"") as usize;
    assert_eq!(series(&["severity=\"critical\""]), critical.min(5));
    assert_eq!(series(&["severity=\"high\""]), 5_usize.saturating_sub(critical));
    assert_eq!(series(&[]), 5);
    let unknown: f64 = samples(&exposition, "mlfence_results", &["status=\"unknown\""]).iter().sum();
    let suppressed = samples(&exposition, "mlfence_finding_series_suppressed", &[]);
    assert_eq!(suppressed, [OPEN as f64 + unknown - 5.0]);
    assert!(samples(&exposition, "mlfence_unknown_since_timestamp_seconds", &[]).is_empty());
}

/// The exposition after each of the estates was swept in turn, with the series of single findings and the tag `owner`.
fn swept(estates: &[&Estate]) -> Vec<String> {
    let allowed = [("owner".to_owned(), "owner".to_owned())];
    let mut metrics = Metrics::new("digest").expect("metrics");
    metrics.detail(&config::Metrics { detail: Detail::All, ..config::Metrics::default() }, &allowed);
    let mut ledger = Ledger::default();
    let mut now = 0;
    let sweeps = estates.iter().map(|estate| {
        now += 1;
        let snapshot = support::snapshot(estate);
        let mut judged = support::judge(&snapshot);
        for result in &mut judged.report.results {
            result.labels = labels::of(&result.subject, &allowed, &judged.inventory);
        }
        let subscriptions =
            snapshot.header.subscriptions.iter().map(|seen| seen.id.to_ascii_lowercase()).collect();
        let sweep = Sweep {
            results: &judged.report.results,
            hidden: &judged.hidden,
            subscriptions: &subscriptions,
            excluded: &BTreeSet::new(),
            policies: &judged.policies,
            waivers: &[],
        };
        ledger = ledger.advance(&sweep, &Terms::default(), now).0;
        metrics.learn_tags(&judged.report, &ledger.open);
        let view = View {
            report: &judged.report,
            inventory: &judged.inventory,
            open: &ledger.open,
            unknowns: &ledger.unknowns,
            finished_at: now,
            outdated: false,
        };
        metrics.render(Some(&view)).expect("rendered")
    });
    sweeps.collect()
}

/// A gap makes a series stale and nothing else: with other labels it would be another finding to Prometheus.
#[test]
fn a_gap_leaves_a_findings_tags_as_they_were() {
    let mut estate = company::demo().0;
    for record in &mut estate.records {
        record["tags"] = json!({"owner": "ann"});
    }
    let mut hidden = estate.clone();
    let subscriptions: BTreeSet<String> = estate.records.iter().filter_map(subscription_of).collect();
    for subscription in &subscriptions {
        let scope = format!("/subscriptions/{subscription}");
        for source in hidden.header.kinds.keys().cloned().collect::<Vec<_>>() {
            hidden.gaps.push(json!({"source": source, "scope": scope, "reason": "denied", "detail": "AuthorizationFailed"}));
        }
    }
    hidden.records.clear();
    let texts = swept(&[&estate, &hidden]);
    let name = "mlfence_finding_open_timestamp_seconds";
    let of = |text: &str, state: &str| samples(text, name, &["owner=\"ann\"", state]).len();
    assert_eq!((of(&texts[0], "state=\"confirmed\""), of(&texts[0], "state=\"stale\"")), (OPEN, 0));
    assert_eq!((of(&texts[1], "state=\"confirmed\""), of(&texts[1], "state=\"stale\"")), (0, OPEN));
}

fn subscription_of(record: &Value) -> Option<String> {
    record["id"].as_str()?.split('/').nth(2).map(str::to_owned)
}

/// A tenant may have thousands of subscriptions that have nothing to do with inferencing.
#[test]
fn a_subscription_without_subjects_has_no_series_but_that_it_is_swept() {
    let mut estate = company::demo().0;
    let guid = "99999999-0000-0000-0000-000000000009";
    estate
        .header
        .subscriptions
        .push(serde_json::from_value(json!({"id": guid, "name": "empty"})).expect("one"));
    let mut gapped = estate.clone();
    gapped.gaps.push(json!({"source": "registries", "scope": format!("/subscriptions/{guid}"), "reason": "denied", "detail": "AuthorizationFailed"}));
    let texts = swept(&[&estate, &gapped]);
    // But that it is swept: the rules hold the findings of a subscription that is not.
    let series: Vec<&str> = texts[0].lines().filter(|line| line.contains(guid)).collect();
    assert_eq!(series.len(), 2, "{series:?}");
    assert!(series.iter().all(|line| line.contains("source=\"subscriptions\"")), "{series:?}");
    // What could not be read of it counts.
    let down = ["source=\"registries\"", &format!("subscription=\"{guid}\"")].map(str::to_owned);
    assert_eq!(samples(&texts[1], "mlfence_source_up", &[&down[0], &down[1]]), [0.0]);
}
