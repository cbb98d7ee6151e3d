//! A receiver of webhooks on loopback that answers as it is told, and remembers what it was sent.
#![allow(dead_code)] // Each test binary uses its own part.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver as Channel, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long anything may take before a test gives up. Nothing should come near it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers at once.
    Status(u16),
    /// The same, with headers, each with its line's end.
    With(u16, &'static str),
    /// Answers after a while.
    Slow(Duration, u16),
    /// Reads everything, and breaks off: whoever sent it does not know.
    Lost,
    /// Says yes, and then goes on talking for ever.
    Endless(u16),
}

/// A request, and what was answered; no status if nothing was.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) body: Value,
    pub(crate) status: Option<u16>,
}

impl Request {
    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().expect("an id")
    }

    pub(crate) fn finding(&self) -> &str {
        self.body["data"]["finding"]["id"].as_str().unwrap_or_default()
    }
}

type Answers = Arc<Mutex<dyn FnMut(&Request) -> Answer + Send>>;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Channel<Request>,
}

impl Receiver {
    pub(crate) fn start(answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), answer)
    }

    pub(crate) fn at(address: SocketAddr, answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("bound");
        let (send, seen) = mpsc::channel();
        let answers: Answers = Arc::new(Mutex::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (send, answers) = (send.clone(), Arc::clone(&answers));
                thread::spawn(move || serve(stream, &send, &answers));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next request, which may be on its way.
    pub(crate) fn next(&self) -> Request {
        self.seen.recv_timeout(PATIENCE).expect("a request in time")
    }

    /// Every request that has come since.
    pub(crate) fn all(&self) -> Vec<Request> {
        self.seen.try_iter().collect()
    }
}

fn serve(stream: TcpStream, send: &Sender<Request>, answers: &Answers) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let text = String::from_utf8(body).expect("UTF-8");
        let body = serde_json::from_str(&text).expect("JSON");
        let mut request = Request { headers, path, text, body, status: None };
        let answer = answers.lock().expect("unpoisoned")(&request);
        let (status, more, length) = match answer {
            Answer::Status(status) => (status, "", "content-length: 0\r\n"),
            Answer::With(status, more) => (status, more, "content-length: 0\r\n"),
            Answer::Slow(time, status) => {
                thread::sleep(time);
                (status, "", "content-length: 0\r\n")
            }
            Answer::Lost => {
                let _ = send.send(request);
                return None;
            }
            Answer::Endless(status) => (status, "", ""),
        };
        request.status = Some(status);
        // Noted first: whoever has the answer may look at once.
        send.send(request).ok()?;
        write!(writer, "HTTP/1.1 {status} x\r\n{more}{length}\r\n").ok()?;
        if length.is_empty() {
            while writer.write_all(&[b'x'; 1 << 16]).is_ok() {}
            return None;
        }
    }
}
