//! One pass over a live estate: its lists, then the few questions beyond them. Which those are only the graph tells, and
//! only Azure answers them, so this is where the two meet; whoever wants a live snapshot gets it here.

use std::collections::BTreeSet;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::azure::{Client, CollectError, Collected, Progress};
use crate::expectations::Declarations;
use crate::facts;
use crate::inventory::Inventory;

/// Reads the estate, and asks what is worth asking of it. `earlier` holds the subscriptions that an earlier sweep saw.
pub async fn run(
    client: &Client,
    declarations: &Declarations,
    earlier: &BTreeSet<String>,
    now: OffsetDateTime,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Collected, CollectError> {
    let began = Instant::now();
    let Collected { snapshot, mut numbers } = client.sweep(earlier, now, progress).await?;
    let declarations = declarations.clone();
    // Of a large estate the graph takes its time, and the signal to end must not wait for it.
    let finding = tokio::task::spawn_blocking(move || {
        let worth = facts::worth_asking(&Inventory::build(&snapshot), &declarations);
        (snapshot, worth)
    });
    let (mut snapshot, worth) = match finding.await {
        Ok(found) => found,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    if worth.left_out > 0 {
        tracing::warn!(
            asked = worth.questions.len(),
            left_out = worth.left_out,
            "there are more questions about groups than are asked in one sweep; what the others would tell stays unknown"
        );
    }
    if !worth.questions.is_empty() {
        let (answers, more) = client.ask_assigned_to(&worth.questions, began, progress).await;
        snapshot.answers = answers;
        numbers.add(&more);
    }
    Ok(Collected { snapshot, numbers })
}
