//! Reads an Azure estate: signs in, asks Resource Graph for what it holds and Azure Resource Manager for the rest,
//! and returns a [`Snapshot`] in which whatever was not read, or not proven to be read, is a gap.
//!
//! It only looks: a GET below the configured Azure Resource Manager, and the one POST that Resource Graph needs;
//! `azure/request.rs` can express nothing else. What a record means is left to `inventory`, what follows from it to
//! `facts`. One sweep is put together in `azure/sweep.rs`; each source has a file of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::config::{Cloud, Config, Scope};
use crate::inventory::authorization::AskAssignedTo;
use crate::inventory::snapshot::Answer;
use crate::inventory::{Depth, Snapshot};

mod arm;
mod assigned_to;
mod client;
mod credential;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gaps;
pub mod needs;
mod pace;
mod request;
mod resource_graph;
mod retry;
mod rights;
mod scope;
mod service_tags;
mod subscriptions;
mod sweep;

/// One identity at one Azure. It keeps its token from sweep to sweep.
pub struct Client {
    arm: client::Arm,
    cloud: Cloud,
    scope: Scope,
    depth: Depth,
}

/// What a sweep gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// The records, and the gaps between them.
    pub snapshot: Snapshot,
    /// What it took to get them.
    pub numbers: Numbers,
    /// The guids of subscriptions that the configured scope leaves out; one that is merely out of sight is not among them.
    pub excluded: BTreeSet<String>,
}

/// The cost of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Requests sent, retries included, by kind of record, or `resource_graph`, `permissions`, `assigned_to`, `token`.
    pub requests: BTreeMap<&'static str, u64>,
    /// Requests that failed for good, by the reason of the gap that they left, or of the answer that is missing.
    pub failures: BTreeMap<&'static str, u64>,
    /// Requests sent again.
    pub retries: u64,
    /// Time that requests spent waiting because Azure asked for it, summed over all of them.
    pub throttle_wait: Duration,
}

impl Numbers {
    /// Adds what more it took.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in [(&mut self.requests, &more.requests), (&mut self.failures, &more.failures)] {
            more.iter().for_each(|(of, n)| *sum.entry(of).or_default() += n);
        }
        self.retries += more.retries;
        self.throttle_wait += more.throttle_wait;
    }
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being read.
    pub stage: Stage,
    /// How much of it is done.
    pub done: usize,
    /// Of how much.
    pub of: usize,
}

/// The part of the estate that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Signing in and finding the subscriptions.
    Subscriptions,
    /// Rights and resources, subscription by subscription.
    Subscription,
    /// What stands in the workspaces, list by list.
    Workspaces,
    /// The rights once more, subscription by subscription.
    Rights,
    /// Whom grants to groups reach, question by question.
    Memberships,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.stage {
            Stage::Subscriptions => "finding subscriptions",
            Stage::Subscription => "reading subscriptions",
            Stage::Workspaces => "reading workspaces",
            Stage::Rights => "checking rights once more",
            Stage::Memberships => "asking whom groups reach",
        };
        write!(f, "{what} ({}/{})", self.done, self.of)
    }
}

/// Why nothing can be judged at all. Everything less is a gap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// The credential could not be set up.
    #[error("cannot set up the credential: {0}")]
    Credential(String),
    /// There is no token.
    #[error("cannot sign in to Azure: {cause}; {advice}")]
    Token {
        /// What the identity provider said.
        cause: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// Azure does not tell which subscriptions there are.
    #[error(
        "cannot list the subscriptions: {0}; check `cloud`, `endpoints` and that the identity belongs to the right directory"
    )]
    Subscriptions(String),
    /// There is nothing to sweep.
    #[error(
        "no subscription to read: {visible} visible to this identity, none of them in scope; assign it the role Reader on the subscriptions, or check `scope`"
    )]
    NoSubscription {
        /// How many the identity can see.
        visible: usize,
    },
}

impl Client {
    /// Sets up the credential and the connection, to read what rules need. Nothing is sent yet.
    pub fn new(config: &Config) -> Result<Self, CollectError> {
        let arm = client::Arm::new(config).map_err(CollectError::Credential)?;
        Ok(Self { arm, cloud: config.cloud, scope: config.scope.clone(), depth: Depth::default() })
    }

    /// Sets how much is asked for and kept.
    pub fn with_depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Takes a second of Azure's for this much shorter: the pauses that it asks for, those between retries, the refill of
    /// its rate limits. For a simulated Azure whose clock is as fast.
    pub fn at_speed(mut self, speed: f64) -> Self {
        self.arm.speed = speed;
        self
    }

    /// Reads the lists of the estate once. `earlier` holds the subscriptions that an earlier sweep of this process saw:
    /// one that is out of sight now is a gap, not a deletion.
    pub async fn sweep(
        &self,
        earlier: &BTreeSet<String>,
        now: OffsetDateTime,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Collected, CollectError> {
        let began = Instant::now();
        let order = sweep::Order {
            cloud: self.cloud,
            scope: &self.scope,
            depth: self.depth,
            earlier,
            now,
            began,
            progress,
        };
        sweep::run(&self.arm, &order).await
    }

    /// Asks which assignments reach whom, groups resolved, as part of the sweep that began then. A question that is not
    /// answered wholly leaves no answer.
    pub async fn ask_assigned_to(
        &self,
        questions: &[AskAssignedTo],
        began: Instant,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> (Vec<Answer>, Numbers) {
        sweep::ask_assigned_to(&self.arm, questions, began, progress).await
    }
}
