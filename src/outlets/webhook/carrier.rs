//! One event, brought to one receiver over HTTP: signed, past the guard, bounded in time and in what is read of the answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::guard::{self, Guarded};
use super::signature::Secrets;
use crate::config::Webhook;
use crate::inventory::printable;
use crate::store::Waiting;

/// How long one request may take, connecting included.
const LONGEST_ANSWER: Duration = Duration::from_secs(15);
/// What is read of an answer that tells of a failure.
const LONGEST_COMPLAINT: usize = 500;
/// The longest `Retry-After` that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Brings events to a receiver.
pub trait Carrier {
    /// Brings one; done when the receiver has said that it took it.
    fn carry(&self, event: &Waiting) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub told: String,
    /// Whether it is this event that is refused, and another one may be taken.
    pub of_event: bool,
    /// How long to wait at least.
    pub at_least: Option<Duration>,
}

impl Failure {
    fn of_receiver(told: impl Into<String>) -> Self {
        Self { told: told.into(), of_event: false, at_least: None }
    }
}

/// A receiver's place on the net.
pub struct Http {
    client: reqwest::Client,
    webhook: Webhook,
}

impl Http {
    /// Prepares requests to a receiver, whose name `resolver` resolves.
    pub fn new(webhook: &Webhook, resolver: Arc<dyn Resolve>) -> Result<Self, String> {
        // The first TLS provider in the process wins, which may be ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("mlfence/", env!("CARGO_PKG_VERSION")))
            // A place that nobody configured must not be told of findings.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would resolve the name itself, past the guard.
            .no_proxy()
            .dns_resolver(Guarded::new(resolver, &webhook.url))
            .connect_timeout(LONGEST_ANSWER / 3)
            .timeout(LONGEST_ANSWER)
            .build()
            .map_err(in_words)?;
        Ok(Self { client, webhook: webhook.clone() })
    }
}

impl Carrier for Http {
    async fn carry(&self, event: &Waiting) -> Result<(), Failure> {
        guard::check(&self.webhook.url).map_err(Failure::of_receiver)?;
        let source = self.webhook.secret.clone();
        // Read for each request, so that an exchanged secret counts at once.
        let secrets = tokio::task::spawn_blocking(move || Secrets::of(&source)).await;
        let secrets = secrets.map_err(|error| Failure::of_receiver(error.to_string()))?;
        let secrets = secrets.map_err(Failure::of_receiver)?;
        let now = OffsetDateTime::now_utc();
        let request = self
            .client
            .post(self.webhook.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", now.unix_timestamp())
            .header("webhook-signature", secrets.sign(&event.id, now.unix_timestamp(), &event.body))
            .body(event.body.clone());
        let answer = request.send().await.map_err(|error| Failure::of_receiver(in_words(error)))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(failure(answer, now).await)
    }
}

async fn failure(answer: Response, now: OffsetDateTime) -> Failure {
    let status = answer.status();
    let at_least = match status {
        StatusCode::GONE => Some(super::delivery::LONGEST_PAUSE),
        _ => retry_after(answer.headers(), now).map(|asked| asked.min(LONGEST_RETRY_AFTER)),
    };
    let more = match status {
        StatusCode::GONE => "; take it out of `webhooks` if it is gone for good".to_owned(),
        _ if status.is_redirection() => {
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            let to: String = to.chars().take(200).collect();
            format!("; redirects are not followed, so `url` has to be the last address ({to})")
        }
        _ => String::new(),
    };
    // What is wrong with one event need not be with another; what is wrong with us, or for the moment, is with all.
    let of_event = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY
    );
    let told = format!("it answers {status}{more}: {}", complaint(answer).await);
    Failure { told: printable(told.trim_end_matches([' ', ':'])), of_event, at_least }
}

/// The beginning of what the receiver says of a failure.
async fn complaint(mut answer: Response) -> String {
    let mut read = Vec::new();
    while read.len() < LONGEST_COMPLAINT
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        read.extend_from_slice(&chunk[..chunk.len().min(LONGEST_COMPLAINT)]);
    }
    read.truncate(LONGEST_COMPLAINT);
    String::from_utf8_lossy(&read).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `Retry-After` asks for: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(Duration::try_from(until - now).unwrap_or(Duration::ZERO))
}

/// An error with its causes, without the address, which may be a secret's.
fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    printable(&words)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use reqwest::dns::{Addrs, Name, Resolving};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::SecretSource;
    use crate::severity::Severity;

    /// A resolver that somebody else has in hand.
    struct Says(Vec<SocketAddr>);

    impl Resolve for Says {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses = self.0.clone();
            Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
        }
    }

    async fn carried(url: &str, resolved: &[&str]) -> Result<(), Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw").expect("written");
        let webhook = Webhook {
            name: "a".to_owned(),
            url: url.parse().expect("a URL"),
            minimum_severity: Severity::Low,
            secret: SecretSource::File(secret),
            digest_above: 0,
            keep: Duration::from_secs(3600),
        };
        let says = resolved.iter().map(|ip| SocketAddr::new(ip.parse().expect("an address"), 0)).collect();
        let event = Waiting { position: 1, id: "a-1".to_owned(), finding: None, body: "{}".to_owned() };
        Http::new(&webhook, Arc::new(Says(says))).expect("a client").carry(&event).await
    }

    /// A receiver that takes everything, and its port.
    async fn receiver() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = [0; 4096];
                let _ = stream.read(&mut read).await;
                let _ = stream.write_all(b"HTTP/1.1 204 x\r\nconnection: close\r\n\r\n").await;
            }
        });
        port
    }

    #[tokio::test]
    async fn a_name_that_leads_where_no_receiver_is_is_not_connected_to() {
        let port = receiver().await;
        let (https, plain) =
            (format!("https://receiver.example:{port}/"), format!("http://localhost:{port}/"));
        for ip in [
            "169.254.169.254",
            "168.63.129.16",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "0.0.0.0",
            "::",
            "ff02::1",
        ] {
            let failure = carried(&https, &[ip]).await.expect_err(ip);
            assert!(
                failure.told.contains("receiver.example leads to") && failure.told.contains("refused"),
                "{failure:?}"
            );
            assert!(!failure.of_event);
        }
        // Whoever has the resolver in hand must not get what is sent in plain text.
        let failure = carried(&plain, &["203.0.113.7"]).await.expect_err("elsewhere");
        assert!(failure.told.contains("plain http"), "{failure:?}");
        // What is allowed among what is not is used.
        assert_eq!(carried(&plain, &["169.254.169.254", "127.0.0.1"]).await, Ok(()));
    }

    #[tokio::test]
    async fn an_address_by_number_is_looked_at_too() {
        for host in ["169.254.169.254", "[::ffff:168.63.129.16]", "2852039166", "[fd00:ec2::254]", "0"] {
            let failure = carried(&format!("https://{host}/"), &[]).await.expect_err(host);
            assert!(failure.told.contains("refused"), "{host}: {failure:?}");
        }
        let failure = carried("http://203.0.113.7/", &[]).await.expect_err("plain");
        assert!(failure.told.contains("plain http"), "{failure:?}");
        assert_eq!(carried(&format!("http://127.0.0.1:{}/", receiver().await), &[]).await, Ok(()));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = time::macros::datetime!(2026-11-25 10:00:00 UTC);
        let asked = |text: &str| {
            let headers = [(RETRY_AFTER, text.parse().expect("a value"))].into_iter().collect();
            retry_after(&headers, now).map(|asked| asked.as_secs())
        };
        assert_eq!(asked("7"), Some(7));
        assert_eq!(asked("Wed, 25 Nov 2026 10:00:30 GMT"), Some(30));
        assert_eq!(asked("Wed, 25 Nov 2026 09:00:00 GMT"), Some(0));
        assert_eq!(asked("soon"), None);
    }
}
