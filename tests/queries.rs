//! Every query of the rules and the dashboards, asked of the real Prometheus that scrapes the real daemon over the demo
//! estate: it returns something, or stands below with the reason why it cannot. Rules are asked without their `for`.

#[path = "support/monitoring.rs"]
mod monitoring;
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/serving.rs"]
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use armsim::{Options, Server, company};
use monitoring::{DASHBOARDS, RULES, queries, read, rules, variables, words};
use prometheus::Prometheus;
use serving::{Serving, configure};
use time::OffsetDateTime;

/// How long anything may take before the test gives up. Nothing here should come near it.
const PATIENCE: Duration = Duration::from_secs(90);

/// The alerts that this test cannot have firing, and why; and the part of the rule that returns something even so.
const SILENT: &[(&str, &str, &str)] = &[
    (
        "MlfenceFindingOld",
        "nothing has been open for 30 days",
        "min by (job) (\n  min_over_time(mlfence_oldest_open_finding_timestamp_seconds{severity=~\"critical|high\"}[15m])\n)",
    ),
    (
        "MlfenceSubscriptionLost",
        "takes an hour out of sight",
        "time() - mlfence:subscription_seen:timestamp_seconds",
    ),
    ("MlfenceUnknownUnread", "what could not be read here is a matter of rights", ""),
    (
        "MlfenceSweepStale",
        "takes an hour without a sweep",
        "time() - max by (job, instance) (mlfence_sweep_last_success_timestamp_seconds)",
    ),
    (
        "MlfenceNoSweep",
        "the daemon has finished one",
        "max by (job, instance) (max_over_time(mlfence_build_info[10m]))",
    ),
    ("MlfenceAbsent", "the daemon is there", "max_over_time(mlfence_build_info[10m])"),
    ("MlfenceThrottled", "the simulated Azure does not throttle here", "mlfence:azure_throttle_wait:mean30m"),
    (
        "MlfencePolicyErrors",
        "no shipped policy fails",
        "sum by (job, policy) (increase(mlfence_policy_errors_total[1h]))",
    ),
    ("MlfenceCertificateRefused", "the daemon listens without TLS", ""),
    (
        "deploy/grafana/mlfence.json: 1 - max by (instance) (mlfence_tls_last_reload_successful{job=~\"$job\"})",
        "the daemon listens without TLS",
        "",
    ),
    (
        "MlfenceEventsDropped",
        "no event is given up",
        "sum by (job, instance, receiver) (increase(mlfence_webhook_events_dropped_total[1h]))",
    ),
    ("MlfenceLedgerNotWritten", "the ledger can be written", "mlfence_ledger_last_commit_successful"),
];

/// What a daemon without TLS does not show.
const WITH_TLS: &str = "mlfence_tls_last_reload_successful";

/// What returns something only after the daemon was told to send alerts and events, to nobody who listens, and then to read a file
/// that is not valid.
const LATER: &[&str] = &[
    "MlfenceNotificationsFail",
    "MlfenceNotificationsStopped",
    "MlfenceReloadRefused",
    "mlfence:notified_severity:held",
    "mlfence_notifications_total",
    "mlfence_notification_failures_total",
    "mlfence_webhook_events",
    "mlfence_notified_severity_info",
];

/// Every query by a name that tells where it stands.
fn every_query() -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        rules().into_iter().map(|rule| (rule.name().to_owned(), rule.expr)).collect();
    for path in DASHBOARDS {
        let chosen = |query: &str| {
            let names = ["job", "subscription", "workspace", "severity"];
            names
                .iter()
                .fold(query.to_owned(), |query, name| query.replace(&format!("\"${name}\""), "\".*\""))
        };
        for query in queries(path) {
            all.insert(format!("{path}: {query}"), chosen(&query));
        }
        for (selector, label) in variables(path) {
            let asked = format!("count by ({label}) ({})", chosen(&selector));
            all.insert(format!("{path}: variable {label}"), asked);
        }
    }
    assert!(!all.values().any(|query| query.contains('$')), "a variable has no value");
    all
}

/// Asks until nothing is left, or gives what never returned anything.
fn ask_all(prometheus: &Prometheus, asked: &mut BTreeMap<String, String>) {
    let until = Instant::now() + PATIENCE;
    while !asked.is_empty() && Instant::now() < until {
        asked.retain(|_, query| !prometheus.returns(query));
        thread::sleep(Duration::from_millis(200));
    }
}

fn reload(daemon: &Serving) {
    let pid = daemon.pid().to_string();
    assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().expect("kill runs").success());
    daemon.log("last sweep");
}

/// An Azure that never throttles: sweeps follow each other much faster here than its allowances come back.
fn calm() -> Options {
    Options { rate_limits: false, ..Options::default() }
}

fn waiver(folder: &Path) {
    let soon = OffsetDateTime::now_utc().date() + time::Duration::days(3);
    let text = format!(
        "waivers:\n- policy: ACI-010\n  scope: /subscriptions/{}\n  reason: moves to AKS\n  owner: ann@example.com\n  \
         expires: {soon}\n  allow_broad: true\n",
        "200286c6-7cb1-4b76-8d5e-5e3980316e49"
    );
    fs::write(folder.join("waivers.yaml"), text).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_returns_something_or_tells_why_not() {
    let estate = company::demo().0;
    let declarations = company::declarations(&estate);
    let lost = "200286c6-7cb1-4b76-8d5e-5e3980316e49";
    let server = Server::start(estate, calm()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    waiver(folder.path());
    let ledger = folder.path().join("ledger.db");
    let more = format!("{declarations}metrics: {{ detail: all }}\nwaivers: {{ files: [waivers.yaml] }}\n");
    let config = configure(folder.path(), &server, "1h", &ledger, &more);
    let daemon = Serving::start(&server, &config);
    daemon.log("last sweep");
    let prometheus = Prometheus::start(&daemon.address, &read(RULES));

    let mut asked = every_query();
    let mut later = BTreeMap::new();
    let mut silent = BTreeMap::new();
    for (name, query) in std::mem::take(&mut asked) {
        let into = match () {
            () if SILENT.iter().any(|(alert, ..)| *alert == name) => &mut silent,
            () if LATER.iter().any(|word| name.contains(word)) => &mut later,
            () => &mut asked,
        };
        into.insert(name, query);
    }
    assert_eq!(silent.len(), SILENT.len(), "the list of silent alerts names one that there is not");

    // A subscription that was read before and now is not: its findings become stale. Rates need sweeps between scrapes.
    let scraped =
        |at: f64| prometheus.ask("mlfence_findings_opened_total").iter().any(|(_, value)| *value >= at);
    let until = Instant::now() + PATIENCE;
    while !scraped(1.0) {
        assert!(Instant::now() < until, "Prometheus scrapes nothing");
        thread::sleep(Duration::from_millis(100));
    }
    server.replace_options(Options { deny: vec![format!("/subscriptions/{lost}")], ..calm() });
    reload(&daemon);
    ask_all(&prometheus, &mut asked);
    assert!(asked.is_empty(), "nothing is returned by:\n{}", told(&asked));
    for (name, query) in &later {
        assert!(!prometheus.returns(query), "{name} returns something before its time");
    }

    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    fs::write(folder.path().join("secret"), format!("whsec_{}", "A".repeat(44))).expect("written");
    let sending = format!(
        "alertmanager: {{ urls: ['http://{nobody}'], resend: 1s }}\n\
         webhooks: [{{ name: tickets, url: 'http://{nobody}/', secret_file: secret }}]\n"
    );
    let text = fs::read_to_string(&config).expect("readable");
    fs::write(&config, format!("{text}{sending}")).expect("written");
    reload(&daemon);
    fs::write(&config, format!("{text}{sending}nonsense: true\n")).expect("written");
    reload(&daemon);
    ask_all(&prometheus, &mut later);
    assert!(later.is_empty(), "nothing is returned by:\n{}", told(&later));

    for (alert, why, part) in SILENT {
        let query = &silent[*alert];
        assert!(!prometheus.returns(query), "{alert} fires, though {why}");
        assert!(query.contains(part), "{alert} no longer holds {part}");
        assert!(
            part.is_empty() || prometheus.returns(part),
            "{alert}: nothing is returned by its part {part}"
        );
    }

    // What the daemon has shown by now is every metric that is asked about.
    let shown = daemon.get("/metrics").1;
    let shown: BTreeSet<&str> = words(&shown, &["mlfence_"]);
    for (name, query) in every_query() {
        for metric in words(&query, &["mlfence_"]) {
            let known = metric == WITH_TLS || shown.contains(metric);
            assert!(known, "{name} asks for {metric}, which the daemon does not show");
        }
    }
}

fn told(queries: &BTreeMap<String, String>) -> String {
    queries.iter().map(|(name, query)| format!("{name}\n    {query}\n")).collect()
}
