//! A real daemon on an armsim, as a process that can be signalled and killed.
#![allow(dead_code)] // Each test binary uses its own part.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use armsim::RunningServer;

/// How long anything may take before a test gives up. Nothing should come near it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a configuration whose daemon sweeps `server` every `interval` and keeps its ledger at `ledger`.
pub(crate) fn configure(
    folder: &Path,
    server: &RunningServer,
    interval: &str,
    ledger: &Path,
    more: &str,
) -> PathBuf {
    let (config, url) = (folder.join("mlfence.yaml"), server.base_url());
    let http = if more.lines().any(|line| line.starts_with("http:")) {
        ""
    } else {
        "http: { listen: '127.0.0.1:0' }\n"
    };
    let text = format!(
        "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\ncredential: {{ type: managed_identity }}\n\
         schedule: {{ interval: {interval}, jitter: 0% }}\n{http}ledger: {{ path: '{}' }}\n{more}",
        ledger.display()
    );
    fs::write(&config, text).expect("written");
    config
}

fn command(server: &RunningServer, config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlfence"));
    command
        .args(["serve", "--config"])
        .arg(config)
        .env("IDENTITY_ENDPOINT", server.identity_endpoint())
        .env("IDENTITY_HEADER", armsim::server::SECRET)
        .env_remove("MLFENCE_LOG")
        .stderr(Stdio::piped());
    command
}

/// A start that is expected to end by itself.
pub(crate) fn refused(server: &RunningServer, config: &Path) -> Output {
    command(server, config).output().expect("mlfence runs")
}

/// Starts a daemon and kills it a moment after a file has appeared.
pub(crate) fn kill_at(server: &RunningServer, config: &Path, file: &Path, moment: Duration) {
    let mut process = command(server, config).stderr(Stdio::null()).spawn().expect("mlfence starts");
    let until = Instant::now() + PATIENCE;
    while !file.exists() {
        assert!(Instant::now() < until, "there is no {}", file.display());
        thread::sleep(Duration::from_micros(100));
    }
    thread::sleep(moment);
    process.kill().expect("it runs");
    process.wait().expect("it is ours");
}

/// A daemon, and what it logs.
pub(crate) struct Serving {
    process: Child,
    logs: Receiver<String>,
    /// Where it listens.
    pub(crate) address: String,
    metrics: Option<String>,
}

impl Serving {
    /// Starts it and waits until it listens.
    pub(crate) fn start(server: &RunningServer, config: &Path) -> Self {
        Self::of(command(server, config))
    }

    /// The same, as talkative as it can be.
    pub(crate) fn start_talking(server: &RunningServer, config: &Path) -> Self {
        let mut command = command(server, config);
        command.env("MLFENCE_LOG", "trace");
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut process = command.spawn().expect("mlfence starts");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let (send, logs) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).all(|line| send.send(line).is_ok()));
        let mut serving = Self { process, logs, address: String::new(), metrics: None };
        while serving.address.is_empty() {
            let line = serving.log(" http");
            let address = |line: &str| line.rsplit("://").next().expect("an address").trim().to_owned();
            if line.contains("listens on") {
                serving.address = address(&line);
            } else if line.contains("metrics are at") {
                serving.metrics = Some(address(line.trim_end_matches("/metrics")));
            }
        }
        serving
    }

    /// Waits for a line of the log that holds `text`.
    pub(crate) fn log(&self, text: &str) -> String {
        self.log_through(text).pop().expect("the line itself")
    }

    /// Every line of the log from here to one that holds `text`, which is the last of them.
    pub(crate) fn log_through(&self, text: &str) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let line = self.logs.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("`{text}` was not logged:\n{}", seen.join("\n")));
            seen.push(line);
            if seen.last().is_some_and(|line| line.contains(text)) {
                return seen;
            }
        }
    }

    /// Waits for the next sweep to end, which may have begun already.
    pub(crate) fn next_sweep(&self) {
        while self.logs.try_recv().is_ok() {}
        self.log("last sweep");
    }

    /// Waits for the end of a sweep that began after this call.
    pub(crate) fn fresh_sweep(&self) {
        self.next_sweep();
        self.log("last sweep");
    }

    /// Lets it run for a while; it must not end by itself.
    pub(crate) fn run_for(&self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            match self.logs.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => assert!(!line.contains("ERROR"), "{line}"),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => panic!("the daemon ended by itself"),
            }
        }
    }

    /// Waits until a file is written to. It looks again all the time, for the moment is short.
    pub(crate) fn until_written(&self, file: &Path) {
        let written = || fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
        let (before, until) = (written(), Instant::now() + PATIENCE);
        while written() == before {
            assert!(Instant::now() < until, "nothing was written into {}", file.display());
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Every line that was logged so far.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.logs.try_iter().collect()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The address of the metrics, where they have one of their own.
    pub(crate) fn metrics_address(&self) -> String {
        self.metrics.clone().expect("metrics have a listener of their own")
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask("GET", path, &[]);
        (answer.status, answer.text())
    }

    /// One request with headers of its own; one without a `Host` gets the daemon's address.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        Answer::of(&self.address, method, path, headers)
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Ends it by SIGTERM and gives its exit code; panics if it hasn't ended after five seconds, which is promised.
    pub(crate) fn end(mut self) -> i32 {
        self.signal("TERM");
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(status) = self.process.try_wait().expect("it is ours") {
                return status.code().expect("not by a signal");
            }
            assert!(Instant::now() < until, "it did not end within 5 s of SIGTERM");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9`: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is ours")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A failed test leaves no daemon behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The samples of a metric whose labels hold all of `labels`.
pub(crate) fn samples(exposition: &str, metric: &str, labels: &[&str]) -> Vec<f64> {
    exposition
        .lines()
        .filter(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .collect()
}

/// An answer as it came over the wire.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Asks at an address, over a connection of its own.
    pub(crate) fn of(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request += &format!("Host: {address}\r\n");
        }
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        request += "\r\n";
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP answer");
        let head = String::from_utf8(answer[..end].to_vec()).expect("headers are text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head, body: answer[end + 4..].to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.head, self.text()))
    }

    /// The values of a header, in their order.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// The detail of a problem, which must be a whole one.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            ["application/problem+json"],
            "{}\n{}",
            self.head,
            self.text()
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        problem["detail"].as_str().expect("a detail").to_owned()
    }
}
