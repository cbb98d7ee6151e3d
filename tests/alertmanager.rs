//! What reaches Alertmanager, seen by a fake one on loopback: who gets what, and what a bad instance does to the others.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mlfence::config::Alertmanager;
use mlfence::config::alertmanager::Authorization;
use mlfence::outlets::alertmanager::{self, Alert, Outbox, Tally};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;
use url::Url;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request as the fake saw it.
struct Seen {
    path: String,
    authorization: Option<String>,
    alerts: Vec<Value>,
}

/// An instance that answers with the statuses that wait, and 200 after those.
struct Fake {
    url: Url,
    seen: Receiver<Seen>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
}

impl Fake {
    fn start(prefix: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}{prefix}", listener.local_addr().expect("bound"));
        let (send, seen) = mpsc::channel();
        let statuses = Arc::new(Mutex::new(VecDeque::new()));
        let answers = Arc::clone(&statuses);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (send, answers) = (send.clone(), Arc::clone(&answers));
                thread::spawn(move || serve(stream, &send, &answers));
            }
        });
        Self { url: Url::parse(&url).expect("a URL"), seen, statuses }
    }

    fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("a request in time")
    }
}

fn serve(stream: TcpStream, send: &Sender<Seen>, answers: &Mutex<VecDeque<u16>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let (mut length, mut authorization) = (0, None);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "authorization" => authorization = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let alerts = serde_json::from_slice::<Vec<Value>>(&body).ok()?;
        let status = answers.lock().ok()?.pop_front().unwrap_or(200);
        let more = if status == 302 { "location: http://127.0.0.1:1/\r\n" } else { "" };
        write!(writer, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\n{more}\r\n").ok()?;
        send.send(Seen { path, authorization, alerts }).ok()?;
    }
}

/// An instance that takes connections and never answers.
fn silent() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    (listener, Url::parse(&url).expect("a URL"))
}

fn alert(name: &str, ended_at: Option<i64>) -> Alert {
    let labels = [("alertname".to_owned(), name.to_owned())].into();
    Alert { labels, annotations: Default::default(), starts_at: 60, ended_at }
}

fn settings(urls: &[&Url]) -> Alertmanager {
    let urls = urls.iter().map(|url| (*url).clone()).collect();
    Alertmanager { urls, resend: Duration::from_millis(50), ..Alertmanager::default() }
}

fn outbox(settings: &Alertmanager, alerts: Vec<Alert>) -> Arc<Outbox> {
    Arc::new(Outbox { settings: settings.clone(), life: Duration::from_secs(86_400), alerts })
}

struct Running {
    outbox: watch::Sender<Arc<Outbox>>,
    tally: watch::Receiver<Tally>,
    _task: tokio::task::JoinHandle<()>,
}

fn start(first: Arc<Outbox>) -> Running {
    let (outbox, receive) = watch::channel(first);
    let (send, tally) = watch::channel(Tally::default());
    Running { outbox, tally, _task: tokio::spawn(alertmanager::run(receive, send)) }
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn ends_at(alert: &Value) -> i64 {
    let text = alert["endsAt"].as_str().expect("a time");
    OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .expect("a time")
        .unix_timestamp()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_and_a_silent_instance_hold_nobody_up() {
    let (first, second) = (Fake::start(""), Fake::start("/prefix/"));
    let (_listener, silent) = silent();
    let dead = Url::parse("http://127.0.0.1:1").expect("a URL");
    let settings = settings(&[&dead, &silent, &first.url, &second.url]);
    let mut running = start(outbox(&settings, vec![alert("a", None)]));
    for (fake, path) in [(&first, "/api/v2/alerts"), (&second, "/prefix/api/v2/alerts")] {
        // Again and again, by its own timer.
        for _ in 0..3 {
            let seen = fake.next();
            assert_eq!((seen.path.as_str(), seen.alerts.len()), (path, 1));
            assert_eq!(seen.alerts[0]["startsAt"], "1970-01-01T00:01:00Z");
            let ahead = ends_at(&seen.alerts[0]) - now();
            assert!((86_400 - 60..=86_400).contains(&ahead), "it ends in {ahead} s");
        }
    }
    let counted = running.tally.wait_for(|tally| tally.accepted >= 6 && tally.failures >= 1);
    tokio::time::timeout(PATIENCE, counted).await.expect("in time").expect("it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_come_in_batches_and_a_refused_batch_does_not_hold_back_the_next() {
    // Of the second and third, a proxy finds the batch too long, and a gateway its contents unfit.
    for status in [400, 413, 422] {
        let fake = Fake::start("");
        fake.statuses.lock().expect("unpoisoned").push_back(status);
        let alerts = (0..250).map(|at| alert(&format!("a{at}"), None)).collect();
        let settings = Alertmanager { resend: Duration::from_secs(3600), ..settings(&[&fake.url]) };
        let mut running = start(outbox(&settings, alerts));
        let sizes: Vec<usize> = (0..3).map(|_| fake.next().alerts.len()).collect();
        assert_eq!(sizes, [100, 100, 50], "{status}");
        let counted = running.tally.wait_for(|tally| tally.accepted >= 2);
        let tally = *tokio::time::timeout(PATIENCE, counted).await.expect("in time").expect("it runs");
        assert_eq!(tally.failures, 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_asked_even_if_there_is_nothing_to_tell() {
    let fake = Fake::start("");
    let _running = start(outbox(&settings(&[&fake.url]), Vec::new()));
    assert_eq!(fake.next().alerts.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let fake = Fake::start("");
    fake.statuses.lock().expect("unpoisoned").push_back(302);
    let mut running = start(outbox(&settings(&[&fake.url]), vec![alert("a", None)]));
    let counted = running.tally.wait_for(|tally| tally.accepted >= 1);
    let tally = *tokio::time::timeout(PATIENCE, counted).await.expect("in time").expect("it runs");
    assert_eq!(tally.failures, 1);
}

/// An instance that was away when a finding was resolved still learns of it; one that knows is told for minutes only.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_repeated_until_the_instance_has_taken_it_and_for_some_minutes() {
    let fake = Fake::start("");
    let (long_ago, just_now) = (now() - 3600, now() - 10);
    let alerts = vec![alert("stands", None), alert("old", Some(long_ago)), alert("new", Some(just_now))];
    let _running = start(outbox(&settings(&[&fake.url]), alerts));
    let names = |seen: &Seen| -> Vec<String> {
        seen.alerts
            .iter()
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let first = fake.next();
    assert_eq!(names(&first), ["stands", "old", "new"]);
    assert_eq!(ends_at(&first.alerts[1]), long_ago);
    for _ in 0..2 {
        let seen = fake.next();
        assert_eq!(names(&seen), ["stands", "new"]);
        assert_eq!(ends_at(&seen.alerts[1]), just_now);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_from_its_file_for_each_request() {
    let fake = Fake::start("");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, "ann:pass:word\n").expect("written");
    let basic =
        Alertmanager { authorization: Some(Authorization::Basic(path.clone())), ..settings(&[&fake.url]) };
    let running = start(outbox(&basic, vec![alert("a", None)]));
    // base64 of `ann:pass:word`
    assert_eq!(fake.next().authorization.as_deref(), Some("Basic YW5uOnBhc3M6d29yZA=="));

    std::fs::write(&path, "first\n").expect("written");
    let bearer =
        Alertmanager { authorization: Some(Authorization::Bearer(path.clone())), ..settings(&[&fake.url]) };
    running.outbox.send_replace(outbox(&bearer, vec![alert("a", None)]));
    for token in ["first", "second"] {
        std::fs::write(&path, token).expect("written");
        let expected = format!("Bearer {token}");
        // Requests under way may still carry the one before.
        assert!((0..20).any(|_| fake.next().authorization.as_ref() == Some(&expected)), "{expected}");
    }
}

/// A new configuration: another instance, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn other_settings_take_effect_at_once() {
    let (before, after) = (Fake::start(""), Fake::start(""));
    let running = start(outbox(&settings(&[&before.url]), vec![alert("a", None)]));
    before.next();
    running.outbox.send_replace(outbox(&settings(&[&after.url]), vec![alert("b", None)]));
    assert_eq!(after.next().alerts[0]["labels"]["alertname"], "b");
    running.outbox.send_replace(outbox(&settings(&[]), vec![alert("c", None)]));
}
