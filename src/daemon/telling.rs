//! What the outlets are told of a sweep, and what of it they find again after a restart.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{error, warn};

use super::{Daemon, History};
use crate::audit::{Judged, Setup};
use crate::outlets::alertmanager::{self, Alert, Outbox};
use crate::outlets::webhook;
use crate::severity::Severity;

/// The name under which the alerts are kept.
pub(super) const BOOK: &str = "alertmanager";

/// The name under which the tags of single findings' series are kept.
pub(super) const TAGS: &str = "metrics";

/// What was written down under a name before the restart.
async fn recalled<T: DeserializeOwned>(history: &History, name: &str) -> Option<T> {
    match history.outlet(name).await {
        Ok(text) => serde_json::from_str(&text?)
            .inspect_err(|error| warn!("what {name} knew before the restart is not known any more: {error}"))
            .ok(),
        Err(error) => {
            error!("{error}");
            None
        }
    }
}

impl Daemon {
    /// Goes on with the alerts, and the tags of findings, of before the restart.
    pub(super) async fn recall(&mut self) {
        if let Some(book) = recalled(&self.history, BOOK).await {
            self.book = book;
            self.send(self.book.alerts());
        }
        if let Some(tags) = recalled(&self.history, TAGS).await {
            self.metrics.recall_tags(tags);
        }
    }

    pub(super) async fn keep(&self, name: &str, state: &impl Serialize) {
        let text = match serde_json::to_string(state) {
            Ok(text) => text,
            Err(error) => {
                return error!("what {name} must know after a restart cannot be written down: {error}");
            }
        };
        if let Err(error) = self.history.keep_outlet(name, &text).await {
            error!("{error}");
            self.metrics.commit_failed();
        }
    }

    /// Who is sent events from now on.
    pub(super) fn orders(&self) -> webhook::Orders {
        webhook::Orders { receivers: self.setup.config.webhooks.clone(), written: self.written }
    }

    /// What waits for the receivers of events, and what they have lost.
    pub(super) async fn count_backlog(&mut self) {
        let receivers = self.setup.config.webhooks.iter().map(|webhook| webhook.name.as_str());
        let backlog = match self.history.backlog().await {
            Ok(backlog) => backlog,
            Err(error) => return error!("{error}"),
        };
        self.metrics.backlog(receivers, &backlog);
        for of in &backlog {
            let told =
                self.dropped.as_ref().map_or(of.dropped, |known| *known.get(&of.receiver).unwrap_or(&0));
            if of.dropped > told {
                warn!(
                    "{} events for the receiver {} were dropped, which waited too long or were too many: its tickets are out \
                     of step; {} since the ledger began",
                    of.dropped - told,
                    of.receiver,
                    of.dropped
                );
            }
        }
        self.dropped = Some(backlog.into_iter().map(|of| (of.receiver, of.dropped)).collect());
    }

    /// What Alertmanager is told from now on.
    pub(super) fn tell(&mut self, judged: &Judged, first: bool, now: i64) {
        let config = &self.setup.config;
        let life = alertmanager::life(config.schedule.interval);
        let view = alertmanager::View {
            open: self.history.open_findings(),
            report: &judged.report,
            inventory: &judged.inventory,
            labels: &config.labels,
            first,
            now,
        };
        let keep = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let alerts = self.book.advance(&config.alertmanager, &view, keep);
        self.send(alerts);
    }

    pub(super) fn send(&mut self, alerts: Vec<Alert>) {
        let config = &self.setup.config;
        let life = alertmanager::life(config.schedule.interval);
        self.outbox = Arc::new(Outbox { settings: config.alertmanager.clone(), life, alerts });
    }
}

/// The severities of which Alertmanager hears every finding.
pub(super) fn notified(setup: &Setup) -> Vec<&'static str> {
    let settings = &setup.config.alertmanager;
    let told = |severity: &Severity| !settings.urls.is_empty() && *severity >= settings.minimum_severity;
    Severity::WORST_FIRST.iter().filter(|severity| told(severity)).map(|severity| severity.name()).collect()
}
