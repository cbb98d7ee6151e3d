//! The real Prometheus, of Debian, over one daemon.
#![allow(dead_code)] // Each test binary uses its own part.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

/// How long anything may take before a test gives up. Nothing should come near it.
const PATIENCE: Duration = Duration::from_secs(90);

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    // By HTTP/1.0, so that no answer comes in chunks.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|status| *status == "200").map(|_| body.to_owned())
}

/// Prometheus over one daemon, with its rules evaluated every second.
pub(crate) struct Prometheus {
    process: Child,
    pub(crate) address: String,
    _folder: TempDir,
}

impl Prometheus {
    pub(crate) fn start(daemon: &str, rules: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        fs::write(file("rules.yaml"), rules.replace("interval: 1m", "interval: 1s")).expect("written");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yaml]\n\
             scrape_configs: [{{ job_name: mlfence, static_configs: [{{ targets: ['{daemon}'] }}] }}]\n"
        );
        fs::write(file("config.yaml"), config).expect("written");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file("config.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", file("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus cannot be run ({error}); `make tools` installs it"));
        let prometheus = Self { process, address: address.to_string(), _folder: folder };
        let until = Instant::now() + PATIENCE;
        while get(&prometheus.address, "/-/ready").is_none() {
            assert!(Instant::now() < until, "Prometheus does not start");
            thread::sleep(Duration::from_millis(50));
        }
        prometheus
    }

    /// The series that a query returns, with their values.
    pub(crate) fn ask(&self, query: &str) -> Vec<(Value, f64)> {
        let encoded: String = byte_serialize(query.as_bytes()).collect();
        let body = get(&self.address, &format!("/api/v1/query?query={encoded}"));
        let body = body.unwrap_or_else(|| panic!("Prometheus refuses {query}"));
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let series = answer["data"]["result"].as_array().expect("a vector");
        let value = |series: &Value| series["value"][1].as_str().and_then(|value| value.parse().ok());
        series.iter().map(|series| (series["metric"].clone(), value(series).expect("a number"))).collect()
    }

    /// Whether a query returns anything that a panel could draw.
    pub(crate) fn returns(&self, query: &str) -> bool {
        self.ask(query).iter().any(|(_, value)| !value.is_nan())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
