//! A client that bears anything: it reads what comes, and tells how it came.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code, unreachable_pub)]

use super::support::Azure;
use armsim::{Estate, Options, Scenario, Server};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than any whole answer of the tests but the padded one, and less than a flood.
const ENOUGH: usize = 5 << 20;
/// What a body that drips may send after its end before the client has seen enough.
const DRIPS: usize = 20;
/// Only a body that stands still is waited for that long.
const SILENCE: Duration = Duration::from_millis(700);

/// A request, as it is written.
#[derive(Clone, Debug)]
pub struct Sent {
    pub path: String,
    text: String,
}

impl Sent {
    pub fn get(path: &str, token: &str) -> Self {
        Self::new("GET", path, &format!("Authorization: Bearer {token}\r\n"), "")
    }

    pub fn post(path: &str, token: &str, body: &Value) -> Self {
        let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        Self::new("POST", path, &headers, &body.to_string())
    }

    pub fn token(n: usize) -> Self {
        let path = format!("/msi/token?api-version=2019-08-01&resource=https://management.azure.com&n={n}");
        Self::new("GET", &path, "X-IDENTITY-HEADER: armsim\r\n", "")
    }

    fn new(method: &str, path: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: armsim\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        Self { path: path.to_owned(), text }
    }
}

/// What came of a request.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// Path and query of the request.
    pub asked: String,
    /// Zero if there was no head.
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    /// Without the framing of chunks.
    pub body: Vec<u8>,
    /// Whether the body came to the end that was announced.
    pub complete: bool,
    /// Whether the server closed the connection.
    pub ended: bool,
    /// In how many pieces it came.
    pub reads: usize,
}

/// A server under a scenario, and a token from before its troubles.
pub async fn serve_scenario(estate: Estate, scenario: Scenario, options: Options) -> Azure {
    // What a scenario does to a request must not hang on what was asked before it.
    let options = Options { rate_limits: false, ..options };
    let server = Server::start(estate, options.clone()).await.expect("a loopback port is free");
    let mut azure = Azure { server, token: String::new() };
    azure.token = azure.fresh_token().await;
    azure.server.replace_options(Options { scenario, ..options });
    azure
}

/// Sends a request and reads until the server closes, falls silent, or has sent enough.
pub async fn ask(azure: &Azure, sent: Sent) -> Raw {
    let host = azure.server.base_url().strip_prefix("http://").expect("the server is plain http");
    let mut stream = TcpStream::connect(host).await.expect("the server listens");
    let text = sent.text.replacen("Host: armsim", &format!("Host: {host}"), 1);
    stream.write_all(text.as_bytes()).await.expect("the server reads");
    let (mut received, mut reads, mut ended) = (Vec::new(), 0, false);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match tokio::time::timeout(SILENCE, stream.read(&mut buffer)).await {
            Err(_) => break,
            Ok(Ok(0) | Err(_)) => {
                ended = true;
                break;
            }
            Ok(Ok(some)) => received.extend_from_slice(&buffer[..some]),
        }
        reads += 1;
        if received.len() > ENOUGH || received.ends_with(&b"1\r\n \r\n".repeat(DRIPS)) {
            break;
        }
    }
    Raw { asked: sent.path, ended, reads, ..taken_apart(&received) }
}

fn taken_apart(received: &[u8]) -> Raw {
    let Some(at) = received.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Raw::default();
    };
    let head = String::from_utf8_lossy(&received[..at]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let rest = &received[at + 4..];
    let (body, complete) = match headers.get("content-length").and_then(|all| all.parse::<usize>().ok()) {
        Some(promised) => (rest.to_vec(), rest.len() == promised),
        None => unchunked(rest),
    };
    Raw { status: status.unwrap_or_default(), headers, body, complete, ..Raw::default() }
}

/// What the chunks hold, and whether the last one came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|end| end == b"\r\n") {
        let size =
            std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let (Some(size), data) = (size, &rest[end + 2..]) else { break };
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&data[..size.min(data.len())]);
        let Some(after) = data.get(size + 2..) else { break };
        rest = after;
    }
    (body, false)
}

impl Raw {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The error's code.
    pub fn code(&self) -> String {
        self.json().pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    pub fn promised(&self) -> Option<usize> {
        self.headers.get("content-length")?.parse().ok()
    }

    pub fn is_html(&self) -> bool {
        self.headers.get("content-type").is_some_and(|told| told == "text/html")
            && self.body.starts_with(b"<!DOCTYPE html>")
    }

    pub fn is_gzip(&self) -> bool {
        self.headers.get("content-encoding").is_some_and(|told| told == "gzip")
    }

    pub fn inflated(&self) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        flate2::read::GzDecoder::new(self.body.as_slice()).read_to_end(&mut all)?;
        Ok(all)
    }

    pub fn leads_elsewhere(&self) -> bool {
        self.headers.get("location") == Some(&format!("https://elsewhere.invalid{}", self.asked))
    }

    pub fn blanks_at_the_end(&self) -> usize {
        self.body.iter().rev().take_while(|byte| **byte == b' ').count()
    }

    /// How often the key stands before a text.
    pub fn texts_of(&self, key: &str) -> usize {
        self.text().matches(&format!("\"{key}\":\"")).count()
    }

    /// How long a token says it lives, in seconds from now.
    pub fn lives_for(&self) -> i64 {
        let end = self.json()["expires_on"].as_str().and_then(|end| end.parse::<i64>().ok());
        end.expect("a token has an end") - now()
    }

    /// By how many seconds the server's clock is wrong.
    pub fn clock_offset(&self) -> i64 {
        seconds(&self.headers["date"]).expect("a date") - now()
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_secs()).expect("it is not that late")
}

/// The seconds since 1970 of an HTTP date.
pub fn seconds(date: &str) -> Option<i64> {
    let since = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}
