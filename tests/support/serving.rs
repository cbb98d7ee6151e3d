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
    let text = format!(
        "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\ncredential: {{ type: managed_identity }}\n\
         schedule: {{ interval: {interval}, jitter: 0% }}\nhttp: {{ listen: '127.0.0.1:0' }}\n\
         ledger: {{ path: '{}' }}\n{more}",
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
}

impl Serving {
    /// Starts it and waits until it listens.
    pub(crate) fn start(server: &RunningServer, config: &Path) -> Self {
        let mut process = command(server, config).spawn().expect("mlfence starts");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let (send, logs) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).all(|line| send.send(line).is_ok()));
        let mut serving = Self { process, logs, address: String::new() };
        let line = serving.log("listens on http://");
        serving.address = line.rsplit("http://").next().expect("an address").trim().to_owned();
        serving
    }

    /// Waits for a line of the log that holds `text`.
    pub(crate) fn log(&self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let line = self.logs.recv_timeout(until.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("`{text}` was not logged:\n{}", seen.join("\n")));
            if line.contains(text) {
                return line;
            }
            seen.push(line);
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

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
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
