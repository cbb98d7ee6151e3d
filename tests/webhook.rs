//! What reaches the receivers of webhooks, and what is left in the ledger when they fail.

#[path = "support/receiver.rs"]
mod receiver;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mlfence::config::{SecretSource, Webhook};
use mlfence::findings::ledger::Changes;
use mlfence::outlets::webhook::carrier::{Carrier, Failure};
use mlfence::outlets::webhook::{self, Orders, Tally, delivery};
use mlfence::severity::Severity;
use mlfence::store::{Backlog, Event, Kept, KeptSweep, Post, Shared, Store, Waiting};
use receiver::{Answer, PATIENCE, Receiver, Request};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::Instant;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER: &str = "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw";

/// A ledger in memory, filled by hand.
struct Ledger {
    store: Shared,
    kept: Kept,
}

impl Ledger {
    async fn new() -> Self {
        let store = Store::in_memory().await.expect("a ledger");
        Self { store: Arc::new(AsyncMutex::new(store)), kept: Kept::default() }
    }

    /// Writes a sweep with an event for each of the findings.
    async fn sweep(&mut self, findings: &[&str], receivers: &[&str], at: i64, keep_since: &[(&str, i64)]) {
        let number = self.kept.last.as_ref().map_or(1, |last| last.number + 1);
        let event = |finding: &&str| Event {
            id: format!("e{number}-{finding}"),
            finding: Some((*finding).to_owned()),
            made_at: at,
            body: json!({"id": format!("e{number}-{finding}"), "data": {"finding": {"id": finding}}})
                .to_string(),
            receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
        };
        let post = Post {
            events: findings.iter().map(event).collect(),
            keep_since: keep_since.iter().map(|(name, since)| ((*name).to_owned(), *since)).collect(),
            ..Post::default()
        };
        let last = KeptSweep { number, finished_at: at, ..KeptSweep::default() };
        let after = Kept { last: Some(last), ..self.kept.clone() };
        let mut store = self.store.lock().await;
        store.commit(&self.kept, &after, &Changes::default(), &post, 0).await.expect("written");
        drop(store);
        self.kept = after;
    }

    async fn backlog(&self) -> Vec<(String, i64, i64)> {
        let of = |backlog: Backlog| (backlog.receiver, backlog.waiting, backlog.dropped);
        self.store.lock().await.backlog().await.expect("read").into_iter().map(of).collect()
    }
}

fn secret_file(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("secret");
    std::fs::write(&path, text).expect("written");
    path
}

fn webhook(name: &str, url: &str, folder: &TempDir) -> Webhook {
    Webhook {
        name: name.to_owned(),
        url: url.parse().expect("a URL"),
        minimum_severity: Severity::Low,
        secret: SecretSource::File(folder.path().join("secret")),
        digest_above: 20,
        keep: Duration::from_secs(3600),
    }
}

struct Running {
    orders: watch::Sender<Arc<Orders>>,
    tally: watch::Receiver<Tally>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(receivers: Vec<Webhook>, store: &Shared) -> Self {
        let (orders, ordered) = watch::channel(Arc::new(Orders { receivers, written: 0 }));
        let (send, tally) = watch::channel(Tally::default());
        Self { orders, tally, task: tokio::spawn(webhook::run(ordered, Arc::clone(store), send)) }
    }

    fn written(&self) {
        self.orders.send_modify(|orders| Arc::make_mut(orders).written += 1);
    }

    async fn until(&mut self, reached: impl FnMut(&Tally) -> bool) -> Tally {
        let told = tokio::time::timeout(PATIENCE, self.tally.wait_for(reached));
        *told.await.expect("in time").expect("it runs")
    }
}

/// Python's own HMAC, over what came over the wire.
fn verified_by_python(secret: &str, request: &Request) -> Vec<bool> {
    let script = "
import base64, hashlib, hmac, json, sys
told = json.load(sys.stdin)
key = base64.b64decode(told['secret'].removeprefix('whsec_'))
signed = f\"{told['id']}.{told['timestamp']}.\".encode() + told['text'].encode()
expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
for one in told['signature'].split(' '):
    version, value = one.split(',', 1)
    assert version == 'v1'
    print(hmac.compare_digest(value, expected))
";
    let told = json!({
        "secret": secret, "text": request.text, "id": request.headers["webhook-id"],
        "timestamp": request.headers["webhook-timestamp"], "signature": request.headers["webhook-signature"],
    });
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(told.to_string().as_bytes()).expect("written");
    drop(stdin);
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text").lines().map(|line| line == "True").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_signed_by_each_secret_of_the_moment_and_taken_out_of_the_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    secret_file(&folder, SECRET);
    let fake = Receiver::start(|_| Answer::Status(204));
    let mut ledger = Ledger::new().await;
    ledger.sweep(&["a", "ü“</script>"], &["tickets"], 1000, &[]).await;
    let mut running = Running::start(vec![webhook("tickets", &fake.url(), &folder)], &ledger.store);
    for _ in 0..2 {
        let seen = fake.next();
        assert_eq!(seen.path, "/hook");
        assert_eq!(seen.headers["content-type"], "application/cloudevents+json; charset=utf-8");
        assert_eq!(seen.headers["webhook-id"], seen.id());
        let sent: i64 = seen.headers["webhook-timestamp"].parse().expect("seconds");
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        assert!((now - 60..=now + 1).contains(&sent), "{sent}");
        assert_eq!(verified_by_python(SECRET, &seen), [true]);
        assert_eq!(verified_by_python(OTHER, &seen), [false]);
    }
    running.until(|tally| tally.accepted == 2).await;
    assert_eq!(ledger.backlog().await, []);

    secret_file(&folder, &format!("{OTHER}\n{SECRET}\n"));
    ledger.sweep(&["b"], &["tickets"], 1001, &[]).await;
    running.written();
    let seen = fake.next();
    assert_eq!(verified_by_python(SECRET, &seen), [false, true]);
    assert_eq!(verified_by_python(OTHER, &seen), [true, false]);

    // Without a secret nothing is sent, and nothing is lost.
    running.until(|tally| tally.accepted == 3).await;
    std::fs::remove_file(folder.path().join("secret")).expect("it was there");
    ledger.sweep(&["c"], &["tickets"], 1002, &[]).await;
    running.written();
    running.until(|tally| tally.failures >= 1).await;
    assert_eq!(ledger.backlog().await, [("tickets".to_owned(), 1, 0)]);
    secret_file(&folder, SECRET);
    assert_eq!(fake.next().id(), "e3-c");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_sent_again_by_the_same_id_and_redirects_lead_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    secret_file(&folder, SECRET);
    let elsewhere = Receiver::start(|_| Answer::Status(200));
    let to: &'static str = format!("location: {}\r\n", elsewhere.url()).leak();
    let mut answers = vec![Answer::Status(200), Answer::Lost, Answer::With(307, to)];
    let fake = Receiver::start(move |_| answers.pop().unwrap_or(Answer::Status(200)));
    let mut ledger = Ledger::new().await;
    ledger.sweep(&["a"], &["tickets"], 1000, &[]).await;
    let mut running = Running::start(vec![webhook("tickets", &fake.url(), &folder)], &ledger.store);
    let tally = running.until(|tally| tally.accepted == 1).await;
    assert_eq!(tally, Tally { accepted: 1, failures: 2 });
    let seen = fake.all();
    let ids: Vec<&str> = seen.iter().map(Request::id).collect();
    assert_eq!(ids, ["e1-a"; 3]);
    assert!(elsewhere.all().is_empty(), "a redirect was followed");
    assert_eq!(ledger.backlog().await, []);
}

/// One event that a receiver cannot take must neither hold up the others nor be overtaken by its own finding's next.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_holds_up_its_finding_and_no_other() {
    for status in [400, 409, 413, 422] {
        let folder = tempfile::tempdir().expect("a folder");
        secret_file(&folder, SECRET);
        let fake = Receiver::start(move |request| {
            Answer::Status(if request.id() == "e1-bad" { status } else { 200 })
        });
        let mut ledger = Ledger::new().await;
        ledger.sweep(&["bad", "good"], &["tickets"], 1000, &[]).await;
        ledger.sweep(&["bad", "good", "other"], &["tickets"], 1001, &[]).await;
        let mut running = Running::start(vec![webhook("tickets", &fake.url(), &folder)], &ledger.store);
        running.until(|tally| tally.accepted == 3).await;
        let seen = fake.all();
        let ids: Vec<&str> = seen.iter().map(Request::id).collect();
        assert_eq!(ids, ["e1-bad", "e1-good", "e2-good", "e2-other"], "{status}");
        assert_eq!(ledger.backlog().await, [("tickets".to_owned(), 2, 0)], "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_receiver_has_its_own_progress_and_none_waits_for_another() {
    let folder = tempfile::tempdir().expect("a folder");
    secret_file(&folder, SECRET);
    let well = Receiver::start(|_| Answer::Status(200));
    // It says yes, and an answer without end is not listened to.
    let talkative = Receiver::start(|_| Answer::Endless(200));
    let broken = Receiver::start(|_| Answer::Endless(500));
    let mut ledger = Ledger::new().await;
    ledger.sweep(&["a", "b", "c"], &["broken", "dead", "talkative", "well"], 1000, &[]).await;
    let receivers = vec![
        webhook("broken", &broken.url(), &folder),
        webhook("dead", "http://127.0.0.77:1/", &folder),
        webhook("talkative", &talkative.url(), &folder),
        webhook("well", &well.url(), &folder),
    ];
    let mut running = Running::start(receivers.clone(), &ledger.store);
    running.until(|tally| tally.accepted == 6 && tally.failures >= 2).await;
    let waiting: Vec<(String, i64, i64)> = ledger.backlog().await;
    assert_eq!(waiting, [("broken".to_owned(), 3, 0), ("dead".to_owned(), 3, 0)]);

    // Another address for one that is known by its name: it goes on where it was, at once.
    let moved = Receiver::start(|_| Answer::Status(200));
    let mut other = receivers;
    other[1] = webhook("dead", &moved.url(), &folder);
    running.orders.send_modify(|orders| Arc::make_mut(orders).receivers = other);
    let ids: Vec<String> = (0..3).map(|_| moved.next().id().to_owned()).collect();
    assert_eq!(ids, ["e1-a", "e1-b", "e1-c"]);
    drop(running.orders);
    tokio::time::timeout(PATIENCE, running.task).await.expect("it ends with its orders").expect("no panic");
}

/// What is dropped is counted for good, and what others still wait for stays.
#[tokio::test]
async fn what_waits_too_long_or_is_too_much_is_dropped_the_oldest_first_and_counted() {
    let mut ledger = Ledger::new().await;
    ledger.sweep(&["a", "b"], &["gone", "patient"], 1000, &[]).await;
    ledger.sweep(&["c"], &["gone", "patient"], 2000, &[("gone", 1000), ("patient", 0)]).await;
    let of = |gone: (i64, i64), patient: i64| {
        vec![("gone".to_owned(), gone.0, gone.1), ("patient".to_owned(), patient, 0)]
    };
    assert_eq!(ledger.backlog().await, of((3, 0), 3));
    ledger.sweep(&[], &[], 3000, &[("gone", 1001), ("patient", 0)]).await;
    assert_eq!(ledger.backlog().await, of((1, 2), 3));
    ledger.sweep(&[], &[], 3001, &[("gone", 2001), ("patient", 0)]).await;
    assert_eq!(ledger.backlog().await, of((0, 3), 3));

    let many: Vec<String> = (0..20_001).map(|n| format!("{n:05}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    ledger.sweep(&many, &["patient"], 4000, &[("gone", 0), ("patient", 0)]).await;
    let expected = vec![("gone".to_owned(), 0, 3), ("patient".to_owned(), 20_000, 4)];
    assert_eq!(ledger.backlog().await, expected);
    let first = ledger.store.lock().await.events_after("patient", 0, 1).await.expect("read");
    assert_eq!(first[0].1.as_deref(), Some("00001"));
}

/// Neither a change of which nobody is told, nor an event of what was not.
#[tokio::test]
async fn a_sweep_and_its_events_are_written_together_or_not_at_all() {
    let mut ledger = Ledger::new().await;
    ledger.sweep(&["a"], &["tickets"], 1000, &[]).await;
    let event = |id: &str| Event {
        id: id.to_owned(),
        finding: None,
        made_at: 1001,
        body: "{}".to_owned(),
        receivers: vec!["tickets".to_owned()],
    };
    let after = |number| Kept {
        last: Some(KeptSweep { number, finished_at: 1001, ..KeptSweep::default() }),
        seen: BTreeSet::from(["a".to_owned()]),
        ..ledger.kept.clone()
    };
    let mut store = ledger.store.lock().await;
    // The second event cannot be written, for its id is taken; the sweep cannot, for its number is.
    for (number, ids) in [(2, ["x", "e1-a"]), (1, ["x", "y"])] {
        let post = Post { events: ids.map(event).to_vec(), ..Post::default() };
        let written = store.commit(&ledger.kept, &after(number), &Changes::default(), &post, 0).await;
        assert!(written.is_err(), "{ids:?}");
        assert_eq!(store.load().await.expect("read"), ledger.kept, "{ids:?}");
        let waiting: Vec<i64> = store.backlog().await.expect("read").iter().map(|of| of.waiting).collect();
        assert_eq!(waiting, [1], "{ids:?}");
    }
}

/// A receiver that is down until a moment, by the clock of the test.
struct Down {
    until: Instant,
    tries: Mutex<Vec<(Duration, String)>>,
    since: Instant,
}

impl Carrier for Down {
    async fn carry(&self, event: &Waiting) -> Result<(), Failure> {
        self.tries.lock().expect("unpoisoned").push((self.since.elapsed(), event.id.clone()));
        if Instant::now() >= self.until {
            return Ok(());
        }
        Err(Failure { told: "down".to_owned(), of_event: false, at_least: None })
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_down_for_an_hour_hears_of_everything_within_five_minutes_and_was_not_pestered() {
    let mut ledger = Ledger::new().await;
    ledger.sweep(&["a", "b"], &["tickets"], 1000, &[]).await;
    ledger.sweep(&["a", "c"], &["tickets"], 1001, &[]).await;
    let since = Instant::now();
    let hour = Duration::from_secs(3600);
    let down = Down { until: since + hour, tries: Mutex::default(), since };
    let (_orders, ordered) = watch::channel(Arc::new(Orders::default()));
    let (send, mut tally) = watch::channel(Tally::default());
    let store = Arc::clone(&ledger.store);
    tokio::select! {
        () = delivery::run("tickets", &down, store, ordered, &send) => panic!("it ended"),
        told = tally.wait_for(|tally| tally.accepted == 4) => drop(told.expect("it runs")),
    }
    let tries = down.tries.into_inner().expect("unpoisoned");
    let (failed, taken) = tries.split_at(tries.len() - 4);
    assert!(failed.iter().all(|(_, id)| id == "e1-a"), "another one overtook it: {failed:?}");
    assert!((15..=40).contains(&failed.len()), "{} tries in an hour", failed.len());
    let ids: Vec<&str> = taken.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["e1-a", "e1-b", "e2-a", "e2-c"]);
    assert!(taken.iter().all(|(at, _)| *at >= hour && *at <= hour + Duration::from_secs(300)), "{taken:?}");
    assert_eq!(ledger.backlog().await, []);
    // Chance keeps many daemons from coming back together.
    let pauses: BTreeSet<u128> = tries.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_millis()).collect();
    assert!(pauses.len() > 10, "{pauses:?}");
}

/// Answers by a list, then takes everything.
struct Listed(Mutex<Vec<Failure>>, Mutex<Vec<(Duration, String)>>, Instant);

impl Carrier for Listed {
    async fn carry(&self, event: &Waiting) -> Result<(), Failure> {
        self.1.lock().expect("unpoisoned").push((self.2.elapsed(), event.id.clone()));
        self.0.lock().expect("unpoisoned").pop().map_or(Ok(()), Err)
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_time_gets_it_and_one_that_refuses_everything_is_left_alone() {
    let asked =
        Failure { told: "busy".to_owned(), of_event: false, at_least: Some(Duration::from_secs(777)) };
    let refused = Failure { told: "no".to_owned(), of_event: true, at_least: None };
    let mut answers = vec![asked];
    answers.extend(std::iter::repeat_n(refused, 30));
    answers.reverse();
    let mut ledger = Ledger::new().await;
    let findings: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let findings: Vec<&str> = findings.iter().map(String::as_str).collect();
    ledger.sweep(&findings, &["tickets"], 1000, &[]).await;
    let listed = Listed(Mutex::new(answers), Mutex::default(), Instant::now());
    let (_orders, ordered) = watch::channel(Arc::new(Orders::default()));
    let (send, mut tally) = watch::channel(Tally::default());
    let store = Arc::clone(&ledger.store);
    tokio::select! {
        () = delivery::run("tickets", &listed, store, ordered, &send) => panic!("it ended"),
        told = tally.wait_for(|tally| tally.accepted == 10) => drop(told.expect("it runs")),
    }
    let tries = listed.1.into_inner().expect("unpoisoned");
    assert_eq!(tries.len(), 41);
    assert_eq!(tries[1].0.as_secs(), 777);
    // Thirty refusals over ten findings, most of them minutes apart.
    let span = tries[30].0 - tries[1].0;
    assert!(span > Duration::from_secs(20 * 150), "{span:?}");
    let taken: BTreeSet<&str> = tries[31..].iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(taken.len(), 10, "each was taken once");
}
