//! Signed CloudEvents for whoever keeps tickets: one for each change of a finding, delivered at least once and in the order of
//! the finding's changes.
//!
//! `event` is the form of an event and `post` decides which there are and for whom (both pure); the ledger keeps them until
//! they are taken. `delivery` brings them to one receiver, by `carrier` over HTTP, past the `guard`, with a `signature`. When
//! sweeps happen, and who counts what was sent, is left to the daemon.

pub mod carrier;
pub mod delivery;
pub mod event;
pub mod guard;
pub mod post;
pub mod signature;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument, info_span, warn};

use crate::config::Webhook;
use crate::store::Shared;

use self::carrier::Http;
pub use self::post::{View, post};

/// What is to be done until something else is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Orders {
    /// The receivers.
    pub receivers: Vec<Webhook>,
    /// Moves with each sweep that may have written events.
    pub written: u64,
}

/// What was sent since the start, over all receivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that a receiver took.
    pub accepted: u64,
    /// Requests that failed.
    pub failures: u64,
}

/// Brings every receiver what waits for it in the ledger, until the orders are closed. Each receiver has a task of its own, so
/// that none waits for another.
pub async fn run(mut orders: watch::Receiver<Arc<Orders>>, store: Shared, tally: watch::Sender<Tally>) {
    let tally = Arc::new(tally);
    loop {
        let receivers = orders.borrow_and_update().receivers.clone();
        let mut tasks = JoinSet::new();
        for webhook in receivers.clone() {
            let span = info_span!("webhook", receiver = webhook.name);
            let served = serve(webhook, Arc::clone(&store), orders.clone(), Arc::clone(&tally));
            tasks.spawn(served.instrument(span));
        }
        // Other receivers begin anew; the set's end stops its tasks. What was under way is sent again.
        tokio::select! {
            changed = orders.wait_for(|next| next.receivers != receivers) => if changed.is_err() { return },
            // A task ends with the orders, or breaks off: then somebody is not told any more, and must not be thought to be.
            Some(_) = tasks.join_next() => return,
        }
    }
}

/// Serves one receiver. One that cannot even be asked counts as failing.
async fn serve(
    webhook: Webhook,
    store: Shared,
    orders: watch::Receiver<Arc<Orders>>,
    tally: Arc<watch::Sender<Tally>>,
) {
    let mut failures = 0;
    loop {
        match Http::new(&webhook, guard::system()) {
            Ok(carrier) => return delivery::run(&webhook.name, &carrier, store, orders, &tally).await,
            Err(error) => warn!("cannot be sent anything: {error}"),
        }
        tally.send_modify(|tally| tally.failures += 1);
        failures += 1;
        tokio::time::sleep(delivery::pause(failures)).await;
    }
}
