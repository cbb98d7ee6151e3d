//! Clients that take more than their share, and certificates that change, on listeners with limits of a test's own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use mlfence::config::Http;
use mlfence::config::http::Tls;
use mlfence::outlets::http::{self, Certificate, Doors, Face, Limits, Listeners, Published};
use mlfence::store::Store;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener with nothing behind it but the state before a first sweep.
struct Listening {
    address: String,
    end: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
    http: watch::Sender<Arc<Http>>,
    trouble: Option<watch::Receiver<Option<String>>>,
    _views: watch::Sender<Arc<Published>>,
    _asked: mpsc::Receiver<()>,
    store: Arc<Mutex<Store>>,
}

impl Listening {
    async fn start(limits: Limits, tls: Option<Tls>) -> Self {
        let main = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = main.local_addr().expect("bound").to_string();
        let certificate = tls.as_ref().map(|tls| Certificate::read(tls).expect("a certificate"));
        let trouble = certificate.as_ref().map(Certificate::trouble);
        let told = trouble.clone().unwrap_or_else(|| watch::channel(None).1);
        let (http, table) = watch::channel(Arc::new(Http { tls, ..Http::default() }));
        let published = Published { ready: true, detail: "well".to_owned(), ..Published::default() };
        let (views, view) = watch::channel(Arc::new(published));
        let (trigger, asked) = mpsc::channel(1);
        let store = Arc::new(Mutex::new(Store::in_memory().await.expect("a store")));
        let doors = Doors { http: table, certificate: told };
        let face = Face { views: view, store: Arc::clone(&store), trigger, doors };
        let (end, ended) = oneshot::channel();
        let listeners = Listeners { main, metrics: None, certificate, limits };
        let task = tokio::spawn(http::serve(listeners, face, async {
            let _ = ended.await;
        }));
        Self { address, end, task, http, trouble, _views: views, _asked: asked, store }
    }

    /// Ends it; nobody who is still connected may hold it.
    async fn end(self) {
        drop(self.end);
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("it ends");
        ended.expect("no panic").expect("no error");
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream
    }
}

/// Asks over a connection that stays open, and gives the status.
fn ask(stream: &mut TcpStream, path: &str) -> u16 {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).expect("an answer"), 1, "it was closed");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("a length").parse().expect("a number");
    stream.read_exact(&mut vec![0; length]).expect("a body");
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

/// Whether the other side has closed, or closes while one waits.
fn closes(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_silent_connections_keep_nobody_out() {
    let limits = Limits { connections: 4, headers_within: PATIENCE * 10, ..Limits::default() };
    let listening = Listening::start(limits, None).await;
    let mut silent: Vec<TcpStream> = (0..12).map(|_| listening.connect()).collect();
    for stream in &mut silent[8..] {
        // Some send a header and then nothing, which is no request either.
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").expect("sent");
    }
    for _ in 0..12 {
        assert_eq!(ask(&mut listening.connect(), "/healthz"), 200);
    }
    // The oldest ones gave way; it did not take their time-out.
    assert!(silent[..8].iter_mut().all(closes));
    let mut kept = listening.connect();
    for _ in 0..20 {
        assert_eq!(ask(&mut kept, "/readyz"), 200);
        drop(listening.connect());
    }
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_come_drop_by_drop_and_idle_connections_are_given_up() {
    let limits = Limits { headers_within: Duration::from_millis(200), ..Limits::default() };
    let listening = Listening::start(limits, None).await;
    let mut slow = listening.connect();
    let mut writer = slow.try_clone().expect("a handle");
    let dripping = thread::spawn(move || {
        let drops =
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'a'));
        for byte in drops.take(2000) {
            if writer.write_all(&[*byte]).is_err() {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    });
    let mut idle = listening.connect();
    assert_eq!(ask(&mut idle, "/healthz"), 200);
    assert!(closes(&mut idle), "an idle connection is kept for ever");
    assert!(closes(&mut slow) && dripping.join().expect("no panic"), "headers may take for ever");
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_are_answered_at_once_are_told_to_come_again() {
    let listening = Listening::start(Limits { requests: 0, ..Limits::default() }, None).await;
    let mut stream = listening.connect();
    assert_eq!(ask(&mut stream, "/api/v1/policies"), 503);
    // Who watches the process is answered all the same.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&mut stream, path), 200, "{path}");
    }
    listening.end().await;
}

/// A ledger that is locked for long holds no answer for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_takes_too_long_is_given_up() {
    let limits = Limits { answer_within: Duration::from_millis(50), ..Limits::default() };
    let listening = Listening::start(limits, None).await;
    let locked = listening.store.lock().await;
    let mut stream = listening.connect();
    assert_eq!(tokio::task::block_in_place(|| ask(&mut stream, "/api/v1/sweeps")), 503);
    drop(locked);
    assert_eq!(ask(&mut stream, "/api/v1/sweeps"), 200);
    listening.end().await;
}

/// A new certificate for `name` and its key, in PEM.
fn certificate(name: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
    (parameters.self_signed(&key).expect("signed").pem(), key.serialize_pem())
}

/// Whether a client that trusts only this certificate is answered.
async fn answered(address: &str, name: &str, pem: &str) -> bool {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("PEM");
    let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
    let client = client.resolve(name, address.parse().expect("an address")).build().expect("a client");
    let port = address.rsplit(':').next().expect("a port");
    let answer = client.get(format!("https://{name}:{port}/healthz")).timeout(PATIENCE).send().await;
    match answer {
        Ok(answer) => answer.status() == 200,
        Err(error) => {
            assert!(error.is_connect(), "{error:?}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_used_and_a_bad_one_leaves_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
    let write = |(certificate, key): &(String, String)| {
        fs::write(&tls.certificate, certificate).expect("written");
        fs::write(&tls.key, key).expect("written");
    };
    let (first, second) = (certificate("localhost"), certificate("localhost"));
    write(&first);
    let listening = Listening::start(Limits::default(), Some(tls.clone())).await;
    let address = listening.address.clone();
    assert!(answered(&address, "localhost", &first.0).await);
    assert!(!answered(&address, "localhost", &second.0).await, "the client trusts anything");
    let mut trouble = listening.trouble.clone().expect("TLS");

    // A key that is none of this certificate's.
    fs::write(&tls.certificate, &second.0).expect("written");
    tokio::time::timeout(PATIENCE, trouble.changed()).await.expect("it is seen").expect("it is served");
    let said = trouble.borrow_and_update().clone().expect("trouble");
    assert!(said.contains("tls.key") && said.contains("the one before stays"), "{said}");
    assert!(answered(&address, "localhost", &first.0).await);

    write(&second);
    tokio::time::timeout(PATIENCE, trouble.changed()).await.expect("it is seen").expect("it is served");
    assert_eq!(*trouble.borrow_and_update(), None);
    assert!(answered(&address, "localhost", &second.0).await);

    fs::remove_file(&tls.key).expect("removed");
    tokio::time::timeout(PATIENCE, trouble.changed()).await.expect("it is seen").expect("it is served");
    assert!(trouble.borrow_and_update().is_some());
    assert!(answered(&address, "localhost", &second.0).await);

    // Other files, named by a reload, are looked at without waiting for a second look.
    let third = certificate("localhost");
    let other = Tls { certificate: folder.path().join("other.crt"), key: folder.path().join("other.key") };
    fs::write(&other.certificate, &third.0).expect("written");
    fs::write(&other.key, &third.1).expect("written");
    listening.http.send_replace(Arc::new(Http { tls: Some(other), ..Http::default() }));
    tokio::time::timeout(PATIENCE, trouble.changed()).await.expect("it is seen").expect("it is served");
    assert!(answered(&address, "localhost", &third.0).await);

    let health = |text: String| {
        let config = folder.path().join("mlfence.yaml");
        fs::write(&config, text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlfence"));
        command.arg("health").arg("--ready").arg("--config").arg(config).output().expect("mlfence runs")
    };
    let by = |more: &str| health(format!("http: {{ listen: '{address}'{more} }}\n"));
    let well = by(", tls: { certificate: c, key: k }");
    assert!(well.status.success(), "{}", String::from_utf8_lossy(&well.stderr));
    assert_eq!(String::from_utf8_lossy(&well.stdout), "well\n");
    assert_eq!(by("").status.code(), Some(3), "plain http is not spoken there");
    listening.end().await;
}

/// Who only connects, and never begins TLS, is no better than who sends no header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_that_never_begins_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Tls { certificate: folder.path().join("c"), key: folder.path().join("k") };
    let made = certificate("localhost");
    fs::write(&tls.certificate, &made.0).expect("written");
    fs::write(&tls.key, &made.1).expect("written");
    let limits = Limits { headers_within: Duration::from_millis(200), ..Limits::default() };
    let listening = Listening::start(limits, Some(tls)).await;
    let mut silent = listening.connect();
    assert!(closes(&mut silent));
    assert!(answered(&listening.address, "localhost", &made.0).await);
    listening.end().await;
}

#[test]
fn a_certificate_that_is_none_is_refused_with_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (good, bad) = (certificate("localhost"), folder.path().join("bad"));
    let (crt, key) = (folder.path().join("crt"), folder.path().join("key"));
    fs::write(&bad, "nothing in PEM").expect("written");
    fs::write(&crt, &good.0).expect("written");
    fs::write(&key, &good.1).expect("written");
    let refused = |certificate: &Path, key: &Path| {
        let tls = Tls { certificate: certificate.to_owned(), key: key.to_owned() };
        Certificate::read(&tls).err().expect("refused")
    };
    for (found, file) in [
        (refused(&bad, &key), &bad),
        (refused(&crt, &bad), &bad),
        (refused(&folder.path().join("none"), &key), &folder.path().join("none")),
        (refused(&key, &key), &key),
    ] {
        assert!(found.starts_with(&file.display().to_string()), "{found}");
    }
    let tls = Tls { certificate: crt, key };
    assert!(Certificate::read(&tls).is_ok());
}
