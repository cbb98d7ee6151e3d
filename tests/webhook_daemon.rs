//! Webhooks as an operator meets them: a first start, a restart, another configuration.

#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/serving.rs"]
mod serving;

use std::collections::BTreeMap;

use armsim::{Estate, Fault, Options, Server, company};
use receiver::{Answer, Receiver, Request};
use serving::{Serving, configure, samples};

fn webhook(name: &str, url: &str) -> String {
    format!("- {{ name: {name}, url: '{url}', minimum_severity: low, secret_file: secret }}\n")
}

/// The demo estate without what one workspace serves by v1: LIF-001 is fixed there.
fn migrated() -> Estate {
    let mut estate = company::demo().0;
    estate.records.retain(|record| {
        let id = record["id"].as_str().unwrap_or_default();
        !["services", "computes"].iter().any(|of| id.contains(&format!("/workspaces/mlw-churn-prod/{of}/")))
    });
    estate
}

fn kind(request: &Request) -> String {
    request.body["type"].as_str().expect("a type").to_owned()
}

/// The events of one sweep, by their type; `wanted` ends them.
fn kinds(receiver: &Receiver, number: usize) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for _ in 0..number {
        *kinds.entry(kind(&receiver.next())).or_default() += 1;
    }
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_is_no_flood_a_restart_is_silent_and_a_later_receiver_hears_of_what_comes() {
    let options = Options { rate_limits: false, ..Options::default() };
    let server = Server::start(company::demo().0, options).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n")
        .expect("written");
    let (first, later) = (Receiver::start(|_| Answer::Status(200)), Receiver::start(|_| Answer::Status(202)));
    let ledger = folder.path().join("ledger.db");
    let declared = company::declarations(&company::demo().0);
    let more = format!("{declared}webhooks:\n{}", webhook("first", &first.url()));
    let config = configure(folder.path(), &server, "100ms", &ledger, &more);
    let daemon = Serving::start(&server, &config);
    daemon.fresh_sweep();
    let exposition = daemon.get("/metrics").1;
    let critical: f64 =
        samples(&exposition, "mlfence_open_findings", &["severity=\"critical\""]).iter().sum();
    assert!(critical > 0.0);
    let expected = BTreeMap::from([
        ("mlfence.finding.opened".to_owned(), critical as usize),
        ("mlfence.findings.digest".to_owned(), 1),
    ]);
    assert_eq!(kinds(&first, critical as usize + 1), expected);
    daemon.fresh_sweep();
    daemon.kill();

    let more = format!("{more}{}", webhook("later", &later.url()));
    let config = configure(folder.path(), &server, "100ms", &ledger, &more);
    let daemon = Serving::start(&server, &config);
    daemon.fresh_sweep();
    assert_eq!(first.all().len(), 0, "a restart is no news");
    server.replace_estate(migrated());
    // The end of a finding that the digest counted is told, and the receiver that came later hears of it too.
    let ended = |receiver: &Receiver| loop {
        let request = receiver.next();
        assert!(!kind(&request).ends_with("opened"), "{}", request.text);
        if request.body["data"]["finding"]["policy"] == "LIF-001" {
            return request;
        }
    };
    let (one, other) = (ended(&first), ended(&later));
    assert_eq!(one.text, other.text);
    assert_eq!(kind(&one), "mlfence.finding.resolved");
    assert_eq!(one.body["data"]["finding"]["resolution"], "fixed");
    assert!(one.body["subject"].as_str().is_some_and(|id| id.ends_with("/workspaces/mlw-churn-prod")));
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_counts_at_once_though_no_sweep_succeeds() {
    let server = Server::start(company::demo().0, Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n")
        .expect("written");
    let ledger = folder.path().join("ledger.db");
    let declared = company::declarations(&company::demo().0);
    let with = |webhook: String| format!("{declared}webhooks:\n{webhook}");
    // Nobody listens there.
    let config =
        configure(folder.path(), &server, "1h", &ledger, &with(webhook("tickets", "http://127.0.0.77:1/")));
    let daemon = Serving::start(&server, &config);
    let line = daemon.log("does not take the event");
    assert!(line.contains("tickets") && line.contains("sent again") && line.contains("refused"), "{line}");
    let waiting = |daemon: &Serving| {
        let exposition = daemon.get("/metrics").1;
        let of = |metric: &str| samples(&exposition, metric, &[]);
        (of("mlfence_webhook_events_waiting"), of("mlfence_notification_failures_total"))
    };
    // The digest, and the critical ones.
    assert!(waiting(&daemon).0[0] > 1.0);
    daemon.log("failure 2 in a row");

    let there = Receiver::start(|_| Answer::Status(200));
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 100 });
    configure(folder.path(), &server, "1h", &ledger, &with(webhook("tickets", &there.url())));
    assert_eq!(kind(&there.next()), "mlfence.findings.digest");
    daemon.log("the sweep failed");
    assert!(waiting(&daemon).1[0] >= 2.0);
}
