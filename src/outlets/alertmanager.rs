//! Alerts for Alertmanager: one for each open finding, sent to every configured instance and renewed by a timer of
//! its own.
//!
//! `alert` is the form of an alert, `book` decides which there are (both pure), `delivery` brings them to one instance.
//! When sweeps happen, and who counts what was sent, is left to the daemon. Routing, grouping, silences and receivers are
//! Alertmanager's.

pub mod alert;
pub mod book;
pub mod delivery;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument, info_span, warn};
use url::Url;

use crate::config::Alertmanager;

pub use self::alert::Alert;
pub use self::book::{Book, View};
use self::delivery::Instance;

/// What is to be sent until the next sweep says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Where to, and how often.
    pub settings: Alertmanager,
    /// How long an alert lives when nobody renews it; see [`life`].
    pub life: Duration,
    /// The alerts that stand, and those that ended of late.
    pub alerts: Vec<Alert>,
}

/// How long an alert lives when nobody renews it: a day, or three intervals. A daemon that is down must be told by the
/// watchdog rules long before its findings would seem resolved.
pub fn life(interval: Duration) -> Duration {
    Duration::from_secs(24 * 3600).max(interval.saturating_mul(3))
}

/// What was sent since the start, over all instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that an instance took, each with up to a hundred alerts.
    pub accepted: u64,
    /// Requests that failed.
    pub failures: u64,
}

/// Keeps every instance told until the outbox is closed. Each instance has a task of its own, so that none waits for
/// another.
pub async fn run(mut outbox: watch::Receiver<Arc<Outbox>>, tally: watch::Sender<Tally>) {
    let tally = Arc::new(tally);
    loop {
        let settings = outbox.borrow_and_update().settings.clone();
        let mut instances = JoinSet::new();
        for url in settings.urls.clone() {
            let span = info_span!("alertmanager", instance = %url);
            let told = keep_told(url, settings.clone(), outbox.clone(), Arc::clone(&tally));
            instances.spawn(told.instrument(span));
        }
        // Other settings begin anew; the set's end stops its tasks.
        tokio::select! {
            changed = outbox.wait_for(|next| next.settings != settings) => if changed.is_err() { return },
            // A task ends with the outbox, or breaks off: then somebody is not told any more, and must not be thought to be.
            Some(_) = instances.join_next() => return,
        }
    }
}

/// Keeps one instance told. One that cannot be asked counts as failing, for the rules that leave findings to this outlet.
async fn keep_told(
    url: Url,
    settings: Alertmanager,
    outbox: watch::Receiver<Arc<Outbox>>,
    tally: Arc<watch::Sender<Tally>>,
) {
    loop {
        match Instance::new(&url, &settings) {
            Ok(instance) => return instance.keep_told(outbox, tally).await,
            Err(error) => warn!("cannot be told of anything: {error}"),
        }
        tally.send_modify(|tally| tally.failures += 1);
        tokio::time::sleep(settings.resend).await;
    }
}
