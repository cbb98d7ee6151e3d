//! What the daemon remembers: the ledger in memory, and the store that keeps it.
//!
//! What is in memory is always what was committed last, so a sweep that could not be written is as if it had not been.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::info;

use crate::config;
use crate::findings::judge::Subject;
use crate::findings::ledger::{Changes, Finding, Sweep, Terms, Unknown};
use crate::findings::{Report, Status};
use crate::outlets::webhook;
use crate::outlets::webhook::event::Envelope;
use crate::store::{Backlog, Kept, KeptSweep, Shared, Store, StoreError};

/// The daemon's memory.
pub struct History {
    store: Shared,
    kept: Arc<Kept>,
    /// Why the last sweep could not be kept.
    trouble: Option<String>,
}

impl History {
    /// Opens the ledger that the configuration names, or begins one in memory.
    pub async fn open(config: &config::Ledger) -> Result<Self, StoreError> {
        let Some(path) = &config.path else {
            info!(
                "findings are kept in memory: a restart begins their history anew (`ledger.path` names a file)"
            );
            return Ok(Self::of(Store::in_memory().await?, Kept::default()));
        };
        let (store, kept) = Store::open(path).await?;
        let (open, path) = (kept.ledger.open.len(), path.display());
        match &kept.last {
            Some(last) => info!(
                "the ledger {path} holds {open} open findings; its last sweep, number {}, is of {}",
                last.number, last.taken_at
            ),
            None => info!("the ledger {path} is new"),
        }
        Ok(Self::of(store, kept))
    }

    fn of(store: Store, kept: Kept) -> Self {
        Self { store: Arc::new(Mutex::new(store)), kept: Arc::new(kept), trouble: None }
    }

    /// The store, for those who read what memory does not hold.
    pub(super) fn store(&self) -> Shared {
        Arc::clone(&self.store)
    }

    /// What was committed last.
    pub(super) fn kept(&self) -> Arc<Kept> {
        Arc::clone(&self.kept)
    }

    /// The last `limit` sweeps, the newest first.
    pub(super) async fn sweeps(&self, limit: i64) -> Result<Vec<KeptSweep>, StoreError> {
        self.store.lock().await.sweeps(None, limit).await
    }

    /// Leaves the ledger's file at rest.
    pub(super) async fn close(self) {
        // Whoever still reads holds it for as long as the process lives; nothing is lost by that.
        if let Some(store) = Arc::into_inner(self.store) {
            store.into_inner().close().await;
        }
    }

    /// What an outlet wrote down before the restart; none where findings are kept in memory.
    pub(super) async fn outlet(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.store.lock().await.outlet(name).await
    }

    /// Writes down what an outlet must know after a restart. It may lag a sweep behind the findings, as an outlet that was
    /// away does.
    pub(super) async fn keep_outlet(&self, name: &str, state: &str) -> Result<(), StoreError> {
        self.store.lock().await.keep_outlet(name, state).await
    }

    /// How it stands with the receivers of events.
    pub(super) async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.store.lock().await.backlog().await
    }

    /// The open findings, as they were last committed.
    pub(super) fn open_findings(&self) -> &BTreeMap<String, Finding> {
        &self.kept.ledger.open
    }

    /// The unknown verdicts, as they were last committed.
    pub(super) fn unknowns(&self) -> &BTreeMap<(String, Subject), Unknown> {
        &self.kept.ledger.unknowns
    }

    /// The subscriptions that the last sweep saw, and those that the configuration leaves out now: one that is no longer visible
    /// is a gap, not a deletion.
    pub(super) fn seen(&self) -> &BTreeSet<String> {
        &self.kept.seen
    }

    /// The last sweep that was committed, by this process or one before.
    pub(super) fn last(&self) -> Option<&KeptSweep> {
        self.kept.last.as_ref()
    }

    /// Why the last sweep could not be kept; none if it was.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Takes a sweep in, and gives what it changed. If it cannot be written, everything stays as it was.
    pub(super) async fn advance(
        &mut self,
        sweep: &Sweep<'_>,
        report: &Report,
        config: &config::Config,
        now: i64,
    ) -> Result<Changes, StoreError> {
        let advanced = self.commit(sweep, report, config, now).await;
        self.trouble = advanced.as_ref().err().map(ToString::to_string);
        advanced
    }

    async fn commit(
        &mut self,
        sweep: &Sweep<'_>,
        report: &Report,
        config: &config::Config,
        now: i64,
    ) -> Result<Changes, StoreError> {
        // After a failure it is open what reached the disk; the file itself tells.
        let mut store = self.store.lock().await;
        if self.trouble.is_some() {
            self.kept = Arc::new(store.load().await?);
        }
        let terms = terms(&config.ledger);
        let (ledger, changes) = self.kept.ledger.advance(sweep, &terms, now);
        let last = self.sweep(report, now);
        let told = store.told().await?;
        let post = webhook::post(
            &config.webhooks,
            &webhook::View {
                envelope: Envelope {
                    ledger: store.identity(),
                    sweep: last.number,
                    at: now,
                    link: config.external_url(),
                },
                before: &self.kept.ledger,
                after: &ledger,
                changes: &changes,
                report,
                first: last.number <= i64::from(terms.open_after),
                told: &told,
            },
        );
        // One that is left out stays known: when the scope takes it in again and it is out of sight, that is a gap.
        let seen = sweep.subscriptions | &(&self.kept.seen & sweep.excluded);
        let after = Kept { ledger, seen, last: Some(last) };
        let forget_before = now.saturating_sub(terms.retention_seconds);
        store.commit(&self.kept, &after, &changes, &post, forget_before).await?;
        self.kept = Arc::new(after);
        Ok(changes)
    }

    fn sweep(&self, report: &Report, now: i64) -> KeptSweep {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        KeptSweep {
            number: self.last().map_or(0, |last| last.number).saturating_add(1),
            taken_at: report.taken_at.clone(),
            finished_at: now,
            gaps: count(report.gaps.len()),
            results: Status::ALL.map(|status| count(report.count(status))),
        }
    }
}

fn terms(config: &config::Ledger) -> Terms {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Terms {
        open_after: config.open_after,
        resolve_after: config.resolve_after,
        retention_seconds: seconds(config.retention),
    }
}
