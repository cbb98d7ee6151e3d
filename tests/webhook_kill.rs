//! A daemon that is killed at random moments, with receivers that fail in every way: each change in the ledger reaches each
//! receiver at least once, by one id, and none is overtaken by a later one of its finding.
//!
//! Ten kills; `MLFENCE_KILLS` asks for another number. What is expected is what the ledger's table of changes says.

#[path = "support/receiver.rs"]
mod receiver;
#[path = "support/serving.rs"]
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use armsim::{Estate, Options, Server, company};
use receiver::{Answer, PATIENCE, Receiver, Request};
use serving::{Serving, samples};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

/// The demo estate, in which one workspace's serving of v1 is gone, or one web service of another's: findings that end, and
/// such whose facts change.
fn estate(migrated: bool, one_less: bool) -> Estate {
    let mut estate = company::demo().0;
    let id = |record: &serde_json::Value| record["id"].as_str().unwrap_or_default().to_owned();
    let service = |record: &serde_json::Value| {
        let kind = record["type"].as_str().unwrap_or_default();
        kind.eq_ignore_ascii_case("microsoft.machinelearningservices/workspaces/services")
    };
    if one_less {
        let last = estate.records.iter().rfind(|record| service(record)).map(id).expect("a web service");
        estate.records.retain(|record| id(record) != last);
    }
    if migrated {
        let before = estate.records.len();
        let of = ["services", "computes"].map(|of| format!("/workspaces/mlw-churn-prod/{of}/"));
        estate.records.retain(|record| !of.iter().any(|of| id(record).contains(of)));
        assert!(estate.records.len() < before);
    }
    estate
}

/// How the receivers behave in a round.
const MODES: u8 = 6;

fn answer(mode: u8, number: u64) -> Answer {
    match mode {
        0 => Answer::Status(500),
        1 => Answer::With(302, "location: http://127.0.0.1:1/\r\n"),
        2 => Answer::Slow(Duration::from_millis(20 + number % 80), 200),
        3 => Answer::Lost,
        // Takes some, and asks for time now and then.
        4 if number.is_multiple_of(7) => Answer::With(429, "retry-after: 1\r\n"),
        _ => Answer::Status(200),
    }
}

fn flaky(mode: &Arc<AtomicU8>) -> Receiver {
    let (mode, mut number) = (Arc::clone(mode), 0);
    Receiver::start(move |_| {
        number += 1;
        answer(mode.load(Ordering::SeqCst), number)
    })
}

/// An address where nobody listens until it is needed. Nobody else binds ports there.
fn reserved() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.77:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// The changes by the ids that their events must have: sweep, finding, change.
async fn changes(path: &Path) -> BTreeMap<String, (i64, String, String)> {
    let mut connection =
        SqliteConnectOptions::new().filename(path).read_only(true).connect().await.expect("it opens");
    let ledger: String =
        sqlx::query_scalar("SELECT id FROM ledger").fetch_one(&mut connection).await.expect("an id");
    let rows = sqlx::query(
        "SELECT number, finished_at, fingerprint, change FROM changes JOIN sweeps ON sweeps.number = changes.sweep",
    );
    let rows = rows.fetch_all(&mut connection).await.expect("rows");
    let waiting: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM events").fetch_one(&mut connection).await.expect("a number");
    assert_eq!(waiting, 0, "what everybody took is still there");
    rows.iter()
        .map(|row| {
            let (sweep, at): (i64, i64) = (row.get("number"), row.get("finished_at"));
            let (finding, change): (String, String) = (row.get("fingerprint"), row.get("change"));
            (format!("{ledger}-{sweep}-{at}-{finding}"), (sweep, finding, change))
        })
        .collect()
}

fn check(name: &str, requests: &[Request], expected: &BTreeMap<String, (i64, String, String)>) {
    let mut texts: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut taken, mut newest) = (BTreeSet::new(), BTreeMap::new());
    for request in requests {
        let id = request.id();
        assert_eq!(id, request.headers["webhook-id"]);
        let (sweep, finding, change) =
            expected.get(id).unwrap_or_else(|| panic!("{name}: no change has the id {id}"));
        let data = &request.body["data"];
        assert_eq!(
            (&data["sweep"], &data["change"]),
            (&(*sweep).into(), &change.as_str().into()),
            "{name}: {id}"
        );
        assert_eq!(request.finding(), finding, "{name}: {id}");
        let before = texts.insert(id, &request.text);
        assert!(before.is_none_or(|text| text == request.text), "{name}: {id} is told in two ways");
        let last = newest.insert(finding, *sweep).unwrap_or(0);
        assert!(last <= *sweep, "{name}: sweep {last} was told of {finding} before {sweep}");
        if request.status == Some(200) {
            taken.insert(id.to_owned());
        }
    }
    let missing: Vec<&String> = expected.keys().filter(|id| !taken.contains(*id)).collect();
    assert!(missing.is_empty(), "{name} never took {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_or_doubled_by_kills_and_failing_receivers() {
    let kills: u32 = match std::env::var("MLFENCE_KILLS") {
        Ok(number) => number.parse().expect("MLFENCE_KILLS is a number"),
        Err(_) => 10,
    };
    let mut chance = fastrand::Rng::with_seed(23);
    let folder = tempfile::tempdir().expect("a folder");
    let (path, secret) = (folder.path().join("ledger.db"), folder.path().join("secret"));
    std::fs::write(&secret, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n").expect("written");
    let options = Options { rate_limits: false, ..Options::default() };
    let server = Server::start(estate(false, false), options).await.expect("armsim starts");
    let mode = Arc::new(AtomicU8::new(0));
    let (one, other, late) = (flaky(&mode), flaky(&mode), reserved());
    let webhook = |name: &str, url: &str| {
        format!(
            "- {{ name: {name}, url: '{url}', minimum_severity: low, secret_file: secret, digest_above: 1000000 }}\n"
        )
    };
    let more = format!(
        "{}webhooks:\n{}{}{}",
        company::declarations(&company::demo().0),
        webhook("one", &one.url()),
        webhook("other", &other.url()),
        webhook("late", &format!("http://{late}/")),
    );
    let config = serving::configure(folder.path(), &server, "100ms", &path, &more);
    let mut requests: BTreeMap<&str, Vec<Request>> = BTreeMap::new();

    for round in 0..kills {
        // Each of them in its turn, and others by chance.
        mode.store((round % u32::from(MODES)) as u8, Ordering::SeqCst);
        let daemon = Serving::start(&server, &config);
        for _ in 0..chance.u32(1..3) {
            server.replace_estate(estate(chance.bool(), chance.bool()));
            if chance.bool() {
                daemon.fresh_sweep();
            } else {
                daemon.run_for(Duration::from_millis(chance.u64(0..400)));
            }
            if chance.bool() {
                mode.store(chance.u8(0..MODES), Ordering::SeqCst);
            }
        }
        if round % 3 == 0 {
            // In the middle of writing: a sweep, or that an event was taken.
            daemon.next_sweep();
            daemon.until_written(&folder.path().join("ledger.db-wal"));
        }
        daemon.kill();
        requests.entry("one").or_default().extend(one.all());
        requests.entry("other").or_default().extend(other.all());
    }

    mode.store(5, Ordering::SeqCst);
    let back = Receiver::at(late, |_| Answer::Status(200));
    let daemon = Serving::start(&server, &config);
    daemon.fresh_sweep();
    let waiting = |exposition: &str| samples(exposition, "mlfence_webhook_events_waiting", &[]);
    let until = Instant::now() + PATIENCE;
    loop {
        let exposition = daemon.get("/metrics").1;
        let waiting = waiting(&exposition);
        assert_eq!(waiting.len(), 3, "{exposition}");
        if waiting.iter().all(|waiting| *waiting == 0.0) {
            let dropped = samples(&exposition, "mlfence_webhook_events_dropped_total", &[]);
            assert_eq!(dropped, [0.0; 3]);
            let taken = samples(&exposition, "mlfence_notifications_total", &["outlet=\"webhook\""]);
            assert!(taken[0] > 0.0, "{taken:?}");
            break;
        }
        assert!(Instant::now() < until, "still waiting: {waiting:?}");
        thread::sleep(Duration::from_millis(20));
    }
    daemon.kill();
    for (name, receiver) in [("one", &one), ("other", &other), ("late", &back)] {
        requests.entry(name).or_default().extend(receiver.all());
    }

    let expected = changes(&path).await;
    assert!(expected.len() > 42, "only {} changes", expected.len());
    for (name, requests) in &requests {
        check(name, requests, &expected);
    }
    let sent: usize = requests.values().map(Vec::len).sum();
    assert!(
        sent > 3 * expected.len(),
        "nothing was sent twice: nobody failed, and nobody was killed in time"
    );
}
