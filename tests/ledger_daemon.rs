//! The daemon and its ledger as an operator meets them: a restart goes on where it was, a file that is none of ours ends the
//! start with advice, and a ledger that cannot be written is told everywhere.

#[path = "support/serving.rs"]
mod serving;

use std::fs;

use armsim::{Fault, Options, Server, company};
use serving::{Serving, configure, samples};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

/// Findings in memory would all be new, and the oldest one as old as the restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was_and_shows_no_false_zero() {
    let server = Server::start(company::demo().0, Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.db");
    let more = company::declarations(&company::demo().0);
    let config = configure(folder.path(), &server, "1h", &ledger, &more);
    let oldest = "mlfence_oldest_open_finding_timestamp_seconds";

    let daemon = Serving::start(&server, &config);
    daemon.log("last sweep");
    let before = daemon.get("/metrics").1;
    assert_eq!(samples(&before, "mlfence_open_findings", &["state=\"confirmed\""]).iter().sum::<f64>(), 42.0);
    assert_eq!(samples(&before, oldest, &[]).len(), 4, "one for each severity");
    daemon.kill();

    // Azure refuses the first sweep after the restart, so what is shown is the ledger's.
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 100 });
    let daemon = Serving::start(&server, &config);
    daemon.log("the sweep failed");
    let between = daemon.get("/metrics").1;
    assert_eq!(samples(&between, "mlfence_open_findings", &["state=\"stale\""]).iter().sum::<f64>(), 42.0);
    assert_eq!(samples(&between, "mlfence_open_findings", &["state=\"confirmed\""]).iter().sum::<f64>(), 0.0);
    let last = "mlfence_sweep_last_success_timestamp_seconds";
    for metric in [oldest, last] {
        assert_eq!(samples(&between, metric, &[]), samples(&before, metric, &[]), "{metric}");
    }
    assert_eq!(samples(&between, "mlfence_results", &[]), Vec::<f64>::new());
    assert_eq!(daemon.get("/readyz").0, 503);
    daemon.kill();

    let server_again = Server::start(company::demo().0, Options::default()).await.expect("armsim starts");
    let config = configure(folder.path(), &server_again, "1h", &ledger, &more);
    let daemon = Serving::start(&server_again, &config);
    let line = daemon.log("last sweep");
    assert!(line.contains("42 open findings (0 stale), 0 new, 0 resolved"), "{line}");
    let after = daemon.get("/metrics").1;
    assert_eq!(samples(&after, "mlfence_open_findings", &["state=\"confirmed\""]).iter().sum::<f64>(), 42.0);
    assert_eq!(samples(&after, oldest, &[]), samples(&before, oldest, &[]));
    assert_eq!(samples(&after, "mlfence_findings_opened_total", &[]), [0.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_ledger_ends_the_start_with_advice() {
    let server = Server::start(company::healthy(), Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("letters.txt");
    fs::write(&ledger, "dear reader").expect("written");
    let config = configure(folder.path(), &server, "1h", &ledger, "");
    let output = serving::refused(&server, &config);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in ["letters.txt", "no SQLite database", "left as it is", "ledger.path"] {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
    assert_eq!(fs::read_to_string(&ledger).expect("readable"), "dear reader");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2, "something was put beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_one_ledger_is_refused() {
    let server = Server::start(company::healthy(), Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let config = configure(folder.path(), &server, "1h", &folder.path().join("ledger.db"), "");
    let _daemon = Serving::start(&server, &config);
    let output = serving::refused(&server, &config);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("in use by another mlfence"), "{said}");
}

/// Somebody holds the file's write lock, as a full disk would keep it from being written.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_cannot_be_kept_is_told_and_the_next_one_goes_on_from_the_last_kept() {
    let options = Options { rate_limits: false, ..Options::default() };
    let server = Server::start(company::healthy(), options).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.db");
    let config = configure(folder.path(), &server, "100ms", &ledger, "");
    let daemon = Serving::start(&server, &config);
    daemon.fresh_sweep();
    let open = |exposition: &str| samples(exposition, "mlfence_open_findings", &[]).iter().sum::<f64>();
    let healthy = open(&daemon.get("/metrics").1);

    let options = SqliteConnectOptions::new().filename(&ledger);
    let mut other = options.connect().await.expect("a connection");
    let held = other.begin_with("BEGIN IMMEDIATE").await.expect("the write lock");
    server.replace_estate(company::demo().0);
    let line = daemon.log("could not be written");
    assert!(line.contains("ledger.db"), "{line}");
    let line = daemon.log("last sweep");
    assert!(line.contains("could not be written and keeps the sweep before"), "{line}");
    assert!(line.contains(" 0 new, 0 resolved"), "{line}");
    assert!(daemon.get("/readyz").1.contains("could not be written"));
    let exposition = daemon.get("/metrics").1;
    assert_eq!(open(&exposition), healthy, "findings that nobody kept were shown");
    assert!(samples(&exposition, "mlfence_ledger_commit_failures_total", &[])[0] >= 1.0);
    let kept = |exposition: &str| samples(exposition, "mlfence_ledger_last_commit_successful", &[]);
    assert_eq!(kept(&exposition), [0.0]);

    held.rollback().await.expect("the lock is free");
    loop {
        let line = daemon.log("last sweep");
        if !line.contains("could not be written") {
            break;
        }
    }
    daemon.fresh_sweep();
    assert!(!daemon.get("/readyz").1.contains("could not be written"));
    let exposition = daemon.get("/metrics").1;
    assert_eq!(kept(&exposition), [1.0]);
    assert!(open(&exposition) > healthy, "the demo estate has more findings");
    let opened = samples(&exposition, "mlfence_findings_opened_total", &[])[0];
    assert!(opened >= open(&exposition), "{opened}");
}

/// SQLite goes on in a file that has no name any more; a daemon that did so would begin anew at its next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_lost_under_a_running_daemon_is_told() {
    let options = Options { rate_limits: false, ..Options::default() };
    let server = Server::start(company::healthy(), options).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.db");
    let config = configure(folder.path(), &server, "100ms", &ledger, "");
    let daemon = Serving::start(&server, &config);
    daemon.fresh_sweep();
    for end in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{end}", ledger.display())).expect("removed");
    }
    let line = daemon.log("ERROR");
    assert!(line.contains("ledger.db could not be written, for it is not where it was opened"), "{line}");
    daemon.fresh_sweep();
    assert!(daemon.get("/readyz").1.contains("could not be written"));
    let exposition = daemon.get("/metrics").1;
    assert_eq!(samples(&exposition, "mlfence_ledger_last_commit_successful", &[]), [0.0]);
    assert!(samples(&exposition, "mlfence_ledger_commit_failures_total", &[])[0] >= 1.0);
}

/// Taken out of the scope while the daemon was down: that is a decision, not a gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_the_configuration_leaves_out_takes_its_findings_along() {
    let demo = company::demo().0;
    let server = Server::start(demo.clone(), Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let (ledger, declared) = (folder.path().join("ledger.db"), company::declarations(&demo));
    let dev = demo.header.subscriptions.iter().find(|subscription| subscription.name == "ml-dev");
    let guid = dev.expect("the demo has it").id.to_ascii_lowercase();
    let label = format!("subscription=\"{guid}\"");
    let open = |exposition: &str, labels: &[&str]| {
        samples(exposition, "mlfence_open_findings", labels).iter().sum::<f64>()
    };

    let config = configure(folder.path(), &server, "1h", &ledger, &declared);
    let daemon = Serving::start(&server, &config);
    daemon.log("last sweep");
    let before = daemon.get("/metrics").1;
    let inside = open(&before, &[&label]);
    assert!(inside > 0.0 && inside < 42.0, "{inside}");
    daemon.kill();

    let server = Server::start(demo.clone(), Options::default()).await.expect("armsim starts");
    let more = format!("{declared}scope: {{ exclude: {{ subscriptions: ['{guid}'] }} }}\n");
    let config = configure(folder.path(), &server, "1h", &ledger, &more);
    let daemon = Serving::start(&server, &config);
    daemon.log("last sweep");
    let after = daemon.get("/metrics").1;
    assert_eq!(open(&after, &[&label]), 0.0);
    assert_eq!(open(&after, &[]), 42.0 - inside, "whoever is not in it stays");
    let resolved =
        |reason: &str| samples(&after, "mlfence_findings_resolved_total", &[&format!("reason=\"{reason}\"")]);
    assert_eq!((resolved("out_of_scope"), resolved("resource_deleted")), (vec![inside], vec![0.0]));
    daemon.kill();

    // Out of sight it is left out all the same; and once it no longer is, nobody can tell what became of its findings.
    let mut without = demo;
    without.header.subscriptions.retain(|subscription| !subscription.id.eq_ignore_ascii_case(&guid));
    without
        .records
        .retain(|record| !record["id"].as_str().unwrap_or_default().to_lowercase().contains(&guid));
    let server = Server::start(without, Options::default()).await.expect("armsim starts");
    for (more, expected) in [(more.as_str(), 0.0), (&more, 0.0), (&declared, inside)] {
        let config = configure(folder.path(), &server, "1h", &ledger, more);
        let daemon = Serving::start(&server, &config);
        daemon.log("last sweep");
        let exposition = daemon.get("/metrics").1;
        assert_eq!(open(&exposition, &[&label, "state=\"stale\""]), expected);
        assert_eq!(open(&exposition, &[&label]), expected);
        daemon.kill();
    }
}
