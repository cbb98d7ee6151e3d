//! One instance of Alertmanager, kept told: everything that stands, again and again, in batches. What is told is left to
//! `book`.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::watch;
use tracing::{info, warn};
use url::Url;

use super::alert::Alert;
use super::{Outbox, Tally};
use crate::config::alertmanager::Authorization;
use crate::config::{Alertmanager, is_loopback};

/// Alerts in one request.
const BATCH: usize = 100;
/// How long one request may take, connecting included.
const LONGEST_ANSWER: Duration = Duration::from_secs(15);
/// What is read of an answer that tells of a failure.
const LONGEST_COMPLAINT: usize = 500;
/// What is read of a file that holds a secret.
const LONGEST_SECRET: u64 = 64 << 10;
/// For how long an end is told again to an instance that has taken it, in seconds.
const ENDS_REPEATED: i64 = 300;

/// One instance.
pub(super) struct Instance {
    http: reqwest::Client,
    alerts: Url,
    settings: Alertmanager,
}

/// Why a request failed.
enum Failure {
    /// The instance took what it could; another batch may be better.
    Refused(String),
    /// There is no use in asking again at once.
    Unreachable(String),
}

impl Instance {
    /// Prepares requests to the instance at `url`.
    pub(super) fn new(url: &Url, settings: &Alertmanager) -> Result<Self, String> {
        // The first TLS provider in the process wins, which may be ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mlfence/", env!("CARGO_PKG_VERSION")))
            // An answer from elsewhere is none, and must not be sent the token.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(LONGEST_ANSWER / 3)
            .timeout(LONGEST_ANSWER);
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        let mut alerts = url.clone();
        alerts.set_path(&format!("{}/api/v2/alerts", url.path().trim_end_matches('/')));
        let http = builder.build().map_err(|error| in_words(&error))?;
        Ok(Self { http, alerts, settings: settings.clone() })
    }

    /// Sends everything at once, after each sweep, and every `resend`; after a failure sooner, then later and later.
    pub(super) async fn keep_told(
        self,
        mut outbox: watch::Receiver<Arc<Outbox>>,
        tally: Arc<watch::Sender<Tally>>,
    ) {
        let mut told = None;
        let mut failures: u32 = 0;
        loop {
            let current = Arc::clone(&outbox.borrow_and_update());
            let now = OffsetDateTime::now_utc().unix_timestamp();
            match self.tell(&current, now, told, &tally).await {
                Ok(()) => {
                    if failures > 0 {
                        info!("takes alerts again");
                    }
                    told = Some(now);
                    failures = 0;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    // Once at first, then ever more seldom: it may be down for days.
                    if failures.is_power_of_two() {
                        warn!(
                            "does not take alerts, which are sent again: {error} (failure {failures} in a row)"
                        );
                    }
                }
            }
            let pause = pause(self.settings.resend, failures);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = outbox.changed(), if failures == 0 => if changed.is_err() { return },
            }
        }
    }

    /// Sends what stands, and what ended since an instance that was told last at `told` may have missed it.
    async fn tell(
        &self,
        outbox: &Outbox,
        now: i64,
        told: Option<i64>,
        tally: &watch::Sender<Tally>,
    ) -> Result<(), String> {
        let missed = told.map_or(i64::MIN, |told| told.min(now).saturating_sub(ENDS_REPEATED));
        let current: Vec<&Alert> =
            outbox.alerts.iter().filter(|alert| alert.ended_at.is_none_or(|at| at >= missed)).collect();
        let link = self.settings.external_url.as_ref();
        let mut refused = None;
        // Nothing is sent too: that nobody takes alerts should be known before there is one.
        let nothing: &[&Alert] = &[];
        let batches = current.chunks(BATCH).chain(current.is_empty().then_some(nothing));
        for batch in batches {
            let body: Vec<Value> = batch.iter().map(|alert| alert.wire(now, outbox.life, link)).collect();
            match self.post(&Value::Array(body)).await {
                Ok(()) => tally.send_modify(|tally| tally.accepted += 1),
                Err(failure) => {
                    tally.send_modify(|tally| tally.failures += 1);
                    match failure {
                        Failure::Refused(error) => refused = Some(error),
                        Failure::Unreachable(error) => return Err(error),
                    }
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn post(&self, body: &Value) -> Result<(), Failure> {
        let request = self.http.post(self.alerts.clone()).header(CONTENT_TYPE, "application/json");
        let request = self.authorized(request).await.map_err(Failure::Unreachable)?;
        let sent = request.body(body.to_string()).send().await;
        let mut answer = sent.map_err(|error| Failure::Unreachable(in_words(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let mut complaint = Vec::new();
        while complaint.len() < LONGEST_COMPLAINT
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            complaint.extend_from_slice(&chunk[..chunk.len().min(LONGEST_COMPLAINT)]);
        }
        complaint.truncate(LONGEST_COMPLAINT);
        let complaint: String = String::from_utf8_lossy(&complaint)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let told = format!("it answers {status}: {}", complaint.trim());
        // What is wrong with one batch is wrong with no other; what is wrong with us, or for the moment, is with all.
        if matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
        ) {
            Err(Failure::Refused(told))
        } else {
            Err(Failure::Unreachable(told))
        }
    }

    async fn authorized(&self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        let Some(authorization) = self.settings.authorization.clone() else { return Ok(request) };
        let reading = tokio::task::spawn_blocking(move || {
            let path = authorization.path();
            let secret = secret(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Ok((authorization, secret))
        });
        let read: Result<_, String> = reading.await.map_err(|error| error.to_string())?;
        let (authorization, secret) = read?;
        Ok(match authorization {
            Authorization::Bearer(_) => request.bearer_auth(secret.trim()),
            Authorization::Basic(path) => {
                let (user, password) = secret
                    .trim_end_matches(['\r', '\n'])
                    .split_once(':')
                    .ok_or_else(|| format!("{} does not hold user:password", path.display()))?;
                request.basic_auth(user, Some(password))
            }
        })
    }
}

fn secret(path: &std::path::Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST_SECRET).read_to_string(&mut text)?;
    Ok(text)
}

/// Until the next round: `resend`, or after failures from a second on, doubled each time, up to `resend`.
fn pause(resend: Duration, failures: u32) -> Duration {
    match failures {
        0 => resend,
        n => Duration::from_secs(1).saturating_mul(1 << (n - 1).min(16)).min(resend),
    }
}

/// An error with its causes; the first one alone says no more than that a request failed.
fn in_words(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_followed_by_longer_and_longer_pauses_up_to_the_timer() {
        let minute = Duration::from_secs(60);
        let seconds: Vec<u64> = (0..9).map(|failures| pause(minute, failures).as_secs()).collect();
        assert_eq!(seconds, [60, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(minute, u32::MAX), minute);
    }
}
