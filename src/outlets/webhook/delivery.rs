//! One receiver, served from the ledger: what waits for it, one event at a time, again and again until it is taken.
//!
//! A receiver that fails is left alone for longer and longer, up to five minutes. An event that it refuses is set aside with
//! its finding, whose later events must not overtake it, and the others go on. Nothing is given up here; the ledger drops
//! what has waited too long.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, info, warn};

use super::carrier::{Carrier, Failure};
use super::{Orders, Tally};
use crate::store::{Shared, StoreError, Waiting};

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of our own choosing.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// So many events may be refused in a row before it is taken to be the receiver who fails.
const REFUSALS: u32 = 3;
/// How often the daemon hears of what goes well.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Events that are looked at in one step.
const PAGE: i64 = 200;

/// Brings a receiver what waits for it, until the orders are closed.
pub async fn run(
    receiver: &str,
    carrier: &impl Carrier,
    store: Shared,
    mut orders: watch::Receiver<Arc<Orders>>,
    tally: &watch::Sender<Tally>,
) {
    let mut aside = Aside::default();
    let mut counted = Counted { tally, untold: false, last: Instant::now() };
    let mut failures: u32 = 0;
    loop {
        // Before the ledger is read: what is written after that wakes this task.
        orders.borrow_and_update();
        let pause = match next(&store, receiver, &aside).await {
            Ok(Some(event)) => match carrier.carry(&event).await {
                Ok(()) => match store.lock().await.taken(receiver, event.position).await {
                    Ok(()) => {
                        if failures > 0 {
                            info!("takes events again");
                        }
                        failures = 0;
                        aside.forget(&event);
                        counted.accepted();
                        continue;
                    }
                    // It is sent again, by the same id.
                    Err(error) => trouble(&error, &mut failures),
                },
                Err(failure) => {
                    failures = failures.saturating_add(1);
                    counted.failed();
                    tell(&failure, &event, failures);
                    if failure.of_event {
                        aside.put(&event);
                        if failures <= REFUSALS {
                            continue;
                        }
                    }
                    pause(failures).max(failure.at_least.unwrap_or_default())
                }
            },
            Ok(None) => {
                counted.tell();
                aside.forget_due();
                tokio::select! {
                    changed = orders.changed() => if changed.is_err() { return },
                    () = aside.due() => {}
                }
                continue;
            }
            Err(error) => trouble(&error, &mut failures),
        };
        sleep(pause).await;
        // The sender may be gone while nobody listens to it.
        if orders.has_changed().is_err() {
            return;
        }
    }
}

fn trouble(error: &StoreError, failures: &mut u32) -> Duration {
    *failures = failures.saturating_add(1);
    error!("{error}");
    pause(*failures)
}

/// Once at first, then ever more seldom: it may be down for days.
fn tell(failure: &Failure, event: &Waiting, failures: u32) {
    if failures.is_power_of_two() {
        let id = &event.id;
        warn!(
            "does not take the event {id}, which is sent again: {} (failure {failures} in a row)",
            failure.told
        );
    }
}

/// The next event to send: the first one whose finding is not set aside, or else one that is due again.
async fn next(store: &Shared, receiver: &str, aside: &Aside) -> Result<Option<Waiting>, StoreError> {
    let mut store = store.lock().await;
    let (mut from, mut due) = (i64::MIN, None);
    loop {
        let page = store.events_after(receiver, from, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        from = *last;
        if let Some((position, _)) = page.iter().find(|(_, finding)| !aside.holds(finding)) {
            return store.event(*position).await;
        }
        due = due.or(page.iter().find(|(_, finding)| aside.is_due(finding)).map(|(position, _)| *position));
    }
    match due {
        Some(position) => store.event(position).await,
        None => Ok(None),
    }
}

/// Findings of which the receiver refused an event.
#[derive(Default)]
struct Aside(BTreeMap<Option<String>, (u32, Instant)>);

impl Aside {
    fn put(&mut self, event: &Waiting) {
        let refusals = self.0.get(&event.finding).map_or(1, |(refusals, _)| refusals.saturating_add(1));
        // Long from the first one on: it is no passing trouble.
        let until = Instant::now() + pause(refusals.saturating_add(6));
        self.0.insert(event.finding.clone(), (refusals, until));
    }

    fn forget(&mut self, event: &Waiting) {
        self.0.remove(&event.finding);
    }

    /// Where nothing waits that could be tried again: the ledger has dropped it.
    fn forget_due(&mut self) {
        self.0.retain(|_, (_, until)| *until > Instant::now());
    }

    fn holds(&self, finding: &Option<String>) -> bool {
        self.0.contains_key(finding)
    }

    fn is_due(&self, finding: &Option<String>) -> bool {
        self.0.get(finding).is_some_and(|(_, until)| *until <= Instant::now())
    }

    /// Completes when one of them may be tried again; never if there is none.
    async fn due(&self) {
        match self.0.values().map(|(_, until)| *until).min() {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

/// Counts, and tells the daemon of failures at once, of the rest now and then: each time it renders its metrics anew.
struct Counted<'a> {
    tally: &'a watch::Sender<Tally>,
    untold: bool,
    last: Instant,
}

impl Counted<'_> {
    fn accepted(&mut self) {
        self.untold = true;
        self.tally.send_if_modified(|tally| {
            tally.accepted += 1;
            false
        });
        if self.last.elapsed() >= TOLD_EVERY {
            self.tell();
        }
    }

    fn failed(&mut self) {
        self.tally.send_modify(|tally| tally.failures += 1);
        self.told();
    }

    fn tell(&mut self) {
        if self.untold {
            self.tally.send_modify(|_| {});
        }
        self.told();
    }

    fn told(&mut self) {
        self.untold = false;
        self.last = Instant::now();
    }
}

/// Twice as long after each failure up to the longest, of which half is left to chance, so that many don't return in step.
pub(super) fn pause(failures: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    let chance = RandomState::new().hash_one(()) >> 11;
    whole.mul_f64(0.5 + 0.5 * (chance as f64 / (1u64 << 53) as f64))
}
