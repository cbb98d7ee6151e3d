//! A daemon that is left running on an estate that never rests: every scrape is one consistent view, also while a sweep is
//! under way, and neither memory nor file descriptors grow with the number of sweeps. How far the ledger grows is told.
//!
//! Twenty-five sweeps; `MLFENCE_SWEEPS=1000` is the whole, and prints what it measured.

#[path = "support/serving.rs"]
mod serving;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use armsim::{Estate, Options, Server, company};
use mlfence::store::Store;
use serving::{Serving, samples};

/// The demo, in which a compute of v1 comes and goes, and another subscription is out of sight now and then.
fn churning(round: usize) -> Estate {
    let mut estate = company::demo().0;
    if round % 2 == 1 {
        estate.records.retain(|record| {
            let id = record["id"].as_str().unwrap_or_default();
            !id.contains("/workspaces/mlw-churn-prod/services/")
        });
    }
    if round % 5 == 4 {
        estate.header.subscriptions.retain(|subscription| subscription.name != "ml-dev");
    }
    estate
}

/// Resident memory in KiB and open file descriptors, by the kernel's account.
fn held(pid: u32) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib = resident.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    (kib, fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count())
}

fn size(ledger: &Path) -> u64 {
    let of =
        |ending: &str| fs::metadata(format!("{}{ending}", ledger.display())).map_or(0, |file| file.len());
    of("") + of("-wal")
}

/// No fewer findings are confirmed than results fail, and unknowns are counted alike in two ways.
fn is_one_view(exposition: &str) {
    let sum = |metric: &str, labels: &[&str]| samples(exposition, metric, labels).iter().sum::<f64>();
    let fails = sum("mlfence_results", &["status=\"fail\""]);
    let confirmed = sum("mlfence_open_findings", &["state=\"confirmed\""]);
    assert!(confirmed >= fails, "{fails} failures, yet {confirmed} confirmed findings");
    let unknown = sum("mlfence_results", &["status=\"unknown\""]);
    assert_eq!(sum("mlfence_unknown_results", &[]), unknown, "unknown results are counted in two ways");
    let finished = samples(exposition, "mlfence_sweep_last_success_timestamp_seconds", &[]);
    assert_eq!(finished.len(), 1, "one last sweep");
    let mut series: BTreeMap<&str, usize> = BTreeMap::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        *series.entry(line.rsplit_once(' ').expect("a sample").0).or_default() += 1;
    }
    assert!(series.values().all(|times| *times == 1), "a series stands there twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_memory_nor_descriptors_grow_and_every_scrape_is_one_view() {
    let sweeps: usize = match std::env::var("MLFENCE_SWEEPS") {
        Ok(number) => number.parse().expect("MLFENCE_SWEEPS is a number"),
        Err(_) => 25,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("ledger.db");
    let options = Options { rate_limits: false, ..Options::default() };
    let server = Server::start(churning(0), options).await.expect("armsim starts");
    // Long enough for a row of a few sweeps, short against the run.
    let declared = company::declarations(&company::demo().0);
    let config = serving::configure(folder.path(), &server, "100ms", &ledger, &declared);
    let text =
        fs::read_to_string(&config).expect("read").replace("/ledger.db'", "/ledger.db', retention: 1h");
    fs::write(&config, text).expect("written");
    let daemon = Serving::start(&server, &config);
    daemon.next_sweep();

    let (mut measured, mut scrapes) = (Vec::new(), Vec::new());
    for round in 1..=sweeps {
        server.replace_estate(churning(round));
        // As many as fit while the next sweep is under way.
        for _ in 0..8 {
            let began = Instant::now();
            let (status, exposition) = daemon.get("/metrics");
            scrapes.push(began.elapsed());
            assert_eq!(status, 200);
            is_one_view(&exposition);
        }
        daemon.next_sweep();
        let (kib, descriptors) = held(daemon.pid());
        measured.push((kib, descriptors, size(&ledger)));
    }

    // A tenth of the run to warm up in; then the last tenth holds no more than the second one did, within what an allocator
    // keeps back and a log of SQLite's may take.
    let tenth = (sweeps / 10).max(1);
    let most = |from: usize| measured[from..from + tenth].iter().map(|(kib, ..)| *kib).max().expect("some");
    let (early, late) = (most(tenth), most(sweeps - tenth));
    assert!(late <= early + early / 4 + 8 * 1024, "resident memory went from {early} to {late} KiB");
    let descriptors = |at: usize| measured[at].1;
    assert!(descriptors(sweeps - 1) <= descriptors(tenth) + 2, "file descriptors: {measured:?}");
    let exposition = daemon.get("/metrics").1;
    daemon.kill();
    let (_, kept) = Store::open(&ledger).await.expect("it opens");
    let number = kept.last.expect("swept").number;
    assert!(number >= i64::try_from(sweeps).expect("small"), "{number} sweeps in the ledger");
    assert!(exposition.lines().count() < 2000);
    told(sweeps, &measured, &mut scrapes);
}

#[allow(clippy::print_stdout)] // What was measured; shown by `--nocapture`.
fn told(sweeps: usize, measured: &[(u64, usize, u64)], scrapes: &mut [Duration]) {
    scrapes.sort();
    let (first, last) = (measured[measured.len() / 10], measured[measured.len() - 1]);
    println!(
        "{sweeps} sweeps: resident {} then {} KiB, descriptors {} then {}, ledger {} then {} bytes; {} scrapes, median {:?}, slowest {:?}",
        first.0,
        last.0,
        first.1,
        last.1,
        first.2,
        last.2,
        scrapes.len(),
        scrapes[scrapes.len() / 2],
        scrapes[scrapes.len() - 1],
    );
}
