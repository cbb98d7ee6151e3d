//! One authenticated request and its retry rules. Which question is asked, and what an answer means, is left to
//! the sources.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use url::Url;

use super::Numbers;
use super::credential::{Token, TokenError, TokenSource};
use super::failure::Failure;
use super::pace::{Limit, Pace, Sent, Told};
use super::request::{Endpoint, Request};
use super::retry;
use crate::config::{Collection, Config};
use crate::inventory::{Code, GapReason};

/// The longest answer that is read. Resource Graph stops at 16 MiB; the service tags of the public cloud have about 5 MB.
/// What is parsed may take twenty times as much memory.
const LONGEST_BODY: usize = 24 << 20;

/// A connection to one Azure Resource Manager under one identity; it outlives sweeps.
pub(super) struct Arm {
    http: reqwest::Client,
    pub(super) endpoint: Endpoint,
    pub(super) tokens: TokenSource,
    permits: Semaphore,
    collection: Collection,
    /// What each of Azure's rate limits still lets through.
    paces: Mutex<HashMap<String, Pace>>,
    /// Azure's seconds in one of ours; 1 but in tests.
    pub(super) speed: f64,
}

impl Arm {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        // reqwest is built without a TLS provider of its own; the first in the process wins, which may be ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = match &config.endpoints {
            Some(endpoints) => endpoints.resource_manager.clone(),
            None => Url::parse(config.cloud.resource_manager()).map_err(|error| error.to_string())?,
        };
        let endpoint = Endpoint::new(url);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mlfence/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.collection.request_timeout.min(Duration::from_secs(20)))
            .gzip(true);
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().map_err(|error| format!("no HTTP client: {error}"))?,
            endpoint,
            tokens: TokenSource::new(config)?,
            permits: Semaphore::new(config.collection.concurrency.max(1)),
            collection: config.collection.clone(),
            paces: Mutex::default(),
            speed: 1.0,
        })
    }

    /// Starts a sweep, or takes up one that began earlier: its deadline and its numbers.
    pub(super) fn session(&self, began: Instant) -> Session<'_> {
        Session { arm: self, deadline: began + self.collection.deadline, numbers: Mutex::default() }
    }
}

/// The requests of one sweep.
pub(super) struct Session<'a> {
    pub(super) arm: &'a Arm,
    deadline: Instant,
    numbers: Mutex<Numbers>,
}

enum Outcome {
    Answered(Value),
    Failed(Failure),
    Expired(Failure),
    Again { failure: Failure, after: Option<Duration> },
}

impl Session<'_> {
    /// The numbers so far.
    pub(super) fn numbers(&self) -> Numbers {
        self.locked().clone()
    }

    /// Obtains the first token, which tells whether anything can be asked at all.
    pub(super) async fn sign_in(&self) -> Result<(), TokenError> {
        match timeout_at(self.deadline, self.token(None)).await {
            Ok(signed_in) => signed_in.map(drop),
            Err(_) => Err(TokenError::Late(self.arm.collection.deadline)),
        }
    }

    /// Sends a request until it is answered, fails for good, or patience ends. `of` is the label it is counted by.
    pub(super) async fn send(&self, of: &'static str, request: &Request) -> Result<Value, Failure> {
        let result = self.persist(of, request).await;
        if let Err(failure) = &result
            && !failure.is_payload_too_large()
            && !failure.is_unregistered()
        {
            *self.locked().failures.entry(Code::from(failure.reason).name()).or_default() += 1;
        }
        result
    }

    async fn persist(&self, of: &'static str, request: &Request) -> Result<Value, Failure> {
        let bucket = request.bucket();
        let mut renewed = false;
        let mut tries = 0;
        loop {
            let token = self.token_or_failure(None).await?;
            let (permit, sent) = self.admission(&bucket, request.limit()).await?;
            tries += 1;
            *self.locked().requests.entry(of).or_default() += 1;
            let (outcome, told) = self.once(request, &token).await;
            self.pace(&bucket, request.limit(), |pace, now| pace.answered(sent, told, now));
            drop(permit);
            match outcome {
                Outcome::Answered(value) => return Ok(value),
                Outcome::Expired(_) if !renewed => {
                    renewed = true;
                    self.token_or_failure(Some(&token)).await?;
                }
                Outcome::Failed(failure) | Outcome::Expired(failure) => return Err(failure),
                Outcome::Again { failure, .. } if tries >= retry::TRIES => return Err(failure),
                Outcome::Again { failure, after } => {
                    let pause = after
                        .map_or_else(|| retry::pause(tries), |after| after.min(retry::LONGEST_RETRY_AFTER));
                    let until = Instant::now() + pause.div_f64(self.arm.speed);
                    // Asking before `Retry-After` is over renews the wait, so there is no point in a short one.
                    if until >= self.deadline {
                        return Err(failure);
                    }
                    if after.is_some() || failure.reason == GapReason::Throttled {
                        self.pace(&bucket, request.limit(), |pace, _| pace.close(until));
                    } else {
                        sleep_until(until).await;
                    }
                }
            }
            self.locked().retries += 1;
        }
    }

    async fn once(&self, request: &Request, token: &Token) -> (Outcome, Told) {
        let mut told = Told::default();
        let started = Instant::now();
        let left = self.deadline.saturating_duration_since(started);
        let patience = self.arm.collection.request_timeout.min(left);
        let (status, outcome) = match timeout(patience, self.exchange(request, token, &mut told)).await {
            Ok((status, outcome)) => (status.map_or(0, |status| status.as_u16()), outcome),
            Err(_) if patience == left => (0, Outcome::Failed(self.late())),
            Err(_) => {
                let detail = format!("no answer within {}", humantime::format_duration(patience));
                (0, Outcome::Again { failure: Failure::new(GapReason::Timeout, detail), after: None })
            }
        };
        let (method, path) = (request.method(), request.url().path());
        tracing::debug!(%method, path, status, duration = ?started.elapsed(), "asked Azure");
        (outcome, told)
    }

    async fn exchange(
        &self,
        request: &Request,
        token: &Token,
        told: &mut Told,
    ) -> (Option<StatusCode>, Outcome) {
        let mut building = self.arm.http.request(request.method(), request.url().clone());
        building = building.header(ACCEPT, "application/json");
        if self.arm.endpoint.owns(request.url())
            && let Some(value) = token.authorization()
        {
            building = building.header(AUTHORIZATION, value);
        }
        if let Some(body) = request.body() {
            // Resource Graph answers 500 to any other content type.
            building = building.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let mut response = match building.send().await {
            Ok(response) => response,
            Err(error) => return (None, broken(&error)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        *told = request.limit().read(&headers);
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > LONGEST_BODY => {
                    let detail = format!("an answer is longer than {} MiB", LONGEST_BODY >> 20);
                    return (Some(status), Outcome::Failed(Failure::new(GapReason::Malformed, detail)));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return (Some(status), broken(&error)),
            }
        }
        // A 202 or a 206 promises the rest of the rows for later.
        if status == StatusCode::OK {
            let outcome = match serde_json::from_slice::<Value>(&body) {
                Ok(value) if value.get("error").is_some_and(|error| !error.is_null()) => {
                    let failure =
                        Failure::new(GapReason::Malformed, "an answer holds an error beside its rows");
                    Outcome::Again { failure, after: None }
                }
                Ok(value) => Outcome::Answered(value),
                // A proxy's page, or an answer that was cut without a sign: the next one may be whole.
                Err(_) => {
                    let failure = Failure::new(GapReason::Malformed, "an answer is not JSON");
                    Outcome::Again { failure, after: None }
                }
            };
            return (Some(status), outcome);
        }
        let failure = Failure::of_answer(status.as_u16(), &body, request.url());
        let outcome = if status == StatusCode::UNAUTHORIZED && failure.is_expired_token() {
            Outcome::Expired(failure)
        } else if retry::is_transient(status.as_u16()) {
            Outcome::Again { failure, after: retry::retry_after(&headers, OffsetDateTime::now_utc()) }
        } else {
            Outcome::Failed(failure)
        };
        (Some(status), outcome)
    }

    async fn token_or_failure(&self, refused: Option<&Token>) -> Result<Token, Failure> {
        match timeout_at(self.deadline, self.token(refused)).await {
            Err(_) => Err(self.late()),
            Ok(Ok(token)) => Ok(token),
            Ok(Err(TokenError::Late(_))) => {
                Err(Failure::new(GapReason::Timeout, "the sign-in was not answered"))
            }
            Ok(Err(TokenError::Refused(_))) => {
                Err(Failure::new(GapReason::Denied, "the sign-in was refused"))
            }
        }
    }

    async fn token(&self, refused: Option<&Token>) -> Result<Token, TokenError> {
        let got = self.arm.tokens.token(refused).await;
        if !matches!(got, Ok((_, false))) {
            *self.locked().requests.entry("token").or_default() += 1;
        }
        got.map(|(token, _)| token)
    }

    /// Waits for a place among the requests under way and until the rate limit lets one through. The limit is asked once
    /// the place is there: whoever queued for one while it was open would run into it all the same.
    async fn admission(&self, bucket: &str, limit: Limit) -> Result<(SemaphorePermit<'_>, Sent), Failure> {
        loop {
            let Ok(Ok(permit)) = timeout_at(self.deadline, self.arm.permits.acquire()).await else {
                return Err(self.late());
            };
            let until = match self.pace(bucket, limit, |pace, now| pace.admit(now)) {
                Ok(sent) => return Ok((permit, sent)),
                Err(until) => until,
            };
            drop(permit);
            if until >= self.deadline {
                return Err(Failure::new(
                    GapReason::Throttled,
                    "Azure throttled beyond the sweep's deadline",
                ));
            }
            let began = Instant::now();
            sleep_until(until).await;
            self.locked().throttle_wait += began.elapsed();
        }
    }

    fn pace<T>(&self, bucket: &str, limit: Limit, look: impl FnOnce(&mut Pace, Instant) -> T) -> T {
        let now = Instant::now();
        let mut paces = self.arm.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(bucket.to_owned()).or_insert_with(|| Pace::new(limit, self.arm.speed, now));
        look(pace, now)
    }

    fn late(&self) -> Failure {
        let deadline = humantime::format_duration(self.arm.collection.deadline);
        Failure::new(GapReason::Timeout, format!("not read within the sweep's deadline of {deadline}"))
    }

    // Nothing panics while these locks are held; a poisoned one would still hold sound numbers.
    fn locked(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words are ours, but for the innermost cause: reqwest's own hold URLs with page tokens.
fn broken(error: &reqwest::Error) -> Outcome {
    let failure = if error.is_connect() {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let detail = format!("no connection to Azure Resource Manager: {cause}");
        Failure::new(GapReason::Timeout, detail)
    } else if error.is_builder() {
        return Outcome::Failed(Failure::new(GapReason::Malformed, "a request could not be built"));
    } else if error.is_body() || error.is_decode() {
        Failure::new(GapReason::Malformed, "an answer broke off")
    } else {
        Failure::new(GapReason::Timeout, "the connection to Azure Resource Manager broke")
    };
    Outcome::Again { failure, after: None }
}
