//! One pass over a live estate: its lists, then the few questions beyond them. Which those are only the graph tells, and
//! only Azure answers them, so this is where the two meet; whoever wants a live snapshot gets it here.

use std::collections::BTreeSet;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::azure::{Client, CollectError, Collected, Progress};
use crate::expectations::Declarations;
use crate::facts::{self, WorthAsking};
use crate::inventory::{Inventory, Snapshot};

/// Reads the estate, and asks what is worth asking of it. `earlier` holds the subscriptions that an earlier sweep saw.
pub async fn run(
    client: &Client,
    declarations: &Declarations,
    earlier: &BTreeSet<String>,
    now: OffsetDateTime,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Collected, CollectError> {
    let began = Instant::now();
    let Collected { snapshot, mut numbers, excluded } = client.sweep(earlier, now, progress).await?;
    let (mut snapshot, mut worth) = find(snapshot, declarations).await;
    let mut asked = Vec::new();
    if !worth.then.is_empty() {
        // Who has a right by a group high above, as the first answer tells, needs no further question.
        asked = std::mem::take(&mut worth.first);
        let (answers, more) = client.ask_assigned_to(&asked, began, progress).await;
        snapshot.answers.extend(answers);
        numbers.add(&more);
        (snapshot, worth) = find(snapshot, declarations).await;
    }
    if worth.left_out > 0 {
        tracing::warn!(
            left_out = worth.left_out,
            "there are more questions about groups than one sweep asks; what the others would tell stays unknown"
        );
    }
    // What failed a moment ago is not asked again in this sweep.
    let mut questions = [worth.first, worth.then].concat();
    questions.retain(|question| !asked.contains(question));
    if !questions.is_empty() {
        let (answers, more) = client.ask_assigned_to(&questions, began, progress).await;
        snapshot.answers.extend(answers);
        numbers.add(&more);
    }
    snapshot.answers.sort_by(|a, b| (&a.principal, &a.scope).cmp(&(&b.principal, &b.scope)));
    Ok(Collected { snapshot, numbers, excluded })
}

/// Finds what is worth asking. Of a large estate the graph takes its time, and the signal to end must not wait for it.
async fn find(snapshot: Snapshot, declarations: &Declarations) -> (Snapshot, WorthAsking) {
    let declarations = declarations.clone();
    let finding = tokio::task::spawn_blocking(move || {
        let worth = facts::worth_asking(&Inventory::build(&snapshot), &declarations);
        (snapshot, worth)
    });
    match finding.await {
        Ok(found) => found,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
