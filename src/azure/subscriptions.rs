//! The subscriptions of a sweep: what `/subscriptions` lists, narrowed to the configured scope, and those that have
//! gone out of sight. What is read in them is left to `sweep`.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;

use super::CollectError;
use super::arm;
use super::client::Session;
use super::failure::Failure;
use super::gaps::Gaps;
use super::request::Request;
use super::resource_graph::{self, Answer, SUBSCRIPTIONS};
use super::scope::{self, Above, Membership, Visible};
use super::sweep::Order;
use crate::inventory::{Depth, GapReason, Kind, Record, ResourceId};

/// What is said of a subscription that `/subscriptions` leaves out.
pub(super) const NOT_VISIBLE: &str = "the subscription is not visible to this identity";

const DISABLED: &str =
    "the subscription is disabled, so what is in it was not read: enable it, or exclude it from the scope";
const DELETED: &str = "the subscription is deleted, so nobody can tell what became of what was in it: exclude it from the scope";

/// The subscriptions of a sweep.
#[derive(Default)]
pub(super) struct Chosen {
    /// To be read.
    pub(super) swept: BTreeMap<String, Visible>,
    /// In the sweep, yet not to be read, and why.
    pub(super) hidden: BTreeMap<String, Failure>,
    /// Left out by the configured scope, seen or not.
    pub(super) excluded: BTreeSet<String>,
    /// What `/subscriptions` and Resource Graph said of those to be read.
    pub(super) records: Vec<Record>,
    /// What went wrong on the way.
    pub(super) failures: Vec<(Vec<String>, Answer)>,
    /// Those that Resource Graph left out without a word.
    pub(super) unseen: BTreeSet<String>,
    /// Those of which its list of subscriptions was lost: only other rows can tell whether it shows them.
    pub(super) untold: BTreeSet<String>,
}

impl Chosen {
    fn decides(&self, id: &str) -> bool {
        self.swept.contains_key(id) || self.hidden.contains_key(id) || self.excluded.contains(id)
    }
}

/// `/subscriptions`: what can be seen at all. Nothing can be judged without it.
pub(super) async fn list(
    session: &Session<'_>,
    depth: Depth,
    gaps: &mut Gaps,
) -> Result<(BTreeMap<String, Visible>, Vec<Record>), CollectError> {
    let request = Request::get(&session.arm.endpoint, "/subscriptions", "2022-12-01");
    let listing = arm::list(session, Kind::Subscriptions.name(), request, "value").await;
    if let Some(lost) = &listing.lost {
        if listing.rows.is_empty() {
            return Err(CollectError::Subscriptions(lost.detail.clone()));
        }
        gaps.add(Kind::Subscriptions, ResourceId::root(), lost);
    }
    let (mut visible, mut records) = (BTreeMap::new(), Vec::new());
    for mut row in listing.rows {
        let read = Visible::read(&row);
        // The list leaves the type out, and without it a record has no kind.
        if let Value::Object(body) = &mut row
            && !body.get("type").is_some_and(Value::is_string)
        {
            body.insert("type".to_owned(), Value::String("Microsoft.Resources/subscriptions".to_owned()));
        }
        match (read, Record::from_body(row)) {
            (Some((id, subscription)), Ok(record)) => {
                // Told twice, in two states: whichever lets it be read.
                let known = visible.entry(id).or_insert_with(|| subscription.clone());
                if !known.is_live() {
                    *known = subscription;
                }
                records.push(depth.keep(record));
            }
            _ => {
                let failure = Failure::new(GapReason::Malformed, "a row of /subscriptions was unreadable");
                gaps.add(Kind::Subscriptions, ResourceId::root(), &failure);
            }
        }
    }
    Ok((visible, records))
}

/// Decides what is swept. Management groups are told by Resource Graph only.
pub(super) async fn choose(
    session: &Session<'_>,
    order: &Order<'_>,
    visible: &BTreeMap<String, Visible>,
    listed: Vec<Record>,
) -> Chosen {
    let candidates: Vec<String> = visible
        .iter()
        .filter(|(id, subscription)| {
            !subscription.is_deleted()
                && scope::membership(order.scope, id, subscription, None) != Membership::Out
        })
        .map(|(id, _)| id.clone())
        .collect();
    let groups: Vec<Vec<String>> = candidates.chunks(resource_graph::GROUP).map(<[String]>::to_vec).collect();
    let answers =
        join_all(groups.iter().map(|group| resource_graph::ask(session, &SUBSCRIPTIONS, group, order.depth)))
            .await;
    let mut answers: Vec<(Vec<String>, Answer)> = groups.iter().cloned().zip(answers).collect();

    let mut chosen = Chosen::default();
    let out = visible.iter().filter(|(id, subscription)| {
        scope::membership(order.scope, id, subscription, None) == Membership::Out
    });
    chosen.excluded = out.map(|(id, _)| id.clone()).collect();
    let above: BTreeMap<String, Above> =
        answers.iter().flat_map(|(_, answer)| resource_graph::management_groups(&answer.records)).collect();
    for id in candidates {
        let Some(subscription) = visible.get(&id) else { continue };
        match scope::membership(order.scope, &id, subscription, above.get(&id)) {
            Membership::In if !subscription.is_live() => {
                chosen.hidden.insert(id, Failure::new(GapReason::NotFound, DISABLED));
            }
            Membership::In => {
                chosen.swept.insert(id, subscription.clone());
            }
            Membership::Out => {
                chosen.excluded.insert(id);
            }
            Membership::Unknown => {
                let detail = "its management groups or tags were not told, so it is open whether it belongs to the scope";
                let asked = answers.iter().find(|(group, _)| group.contains(&id));
                let failure = match asked.and_then(|(_, answer)| answer.lost.first()) {
                    Some(lost) => Failure::new(lost.reason, format!("{detail}: {}", lost.detail)),
                    None => Failure::new(GapReason::NotAsked, detail),
                };
                chosen.hidden.insert(id, failure);
            }
        }
    }
    for id in order.earlier.iter().chain(&order.scope.include.subscriptions) {
        let id = id.to_ascii_lowercase();
        if chosen.decides(&id) {
            continue;
        }
        let detail = if visible.contains_key(&id) { DELETED } else { NOT_VISIBLE };
        if scope::may_belong(order.scope, &id) {
            chosen.hidden.insert(id, Failure::new(GapReason::NotFound, detail));
        } else {
            chosen.excluded.insert(id);
        }
    }
    let known = |record: &Record| {
        record
            .id()
            .subscription()
            .is_some_and(|id| chosen.swept.contains_key(id) || chosen.hidden.contains_key(id))
    };
    chosen.records = listed.into_iter().filter(known).collect();
    for (group, answer) in &mut answers {
        let told: BTreeSet<&str> =
            answer.records.iter().filter_map(|record| record.id().subscription()).collect();
        let unseen =
            group.iter().filter(|id| !told.contains(id.as_str()) && chosen.swept.contains_key(*id)).cloned();
        if answer.lost.is_empty() {
            chosen.unseen.extend(unseen);
        } else {
            chosen.untold.extend(unseen);
        }
        let records = std::mem::take(&mut answer.records);
        chosen.records.extend(
            records
                .into_iter()
                .filter(|record| record.id().subscription().is_some_and(|id| chosen.swept.contains_key(id))),
        );
        group.retain(|id| chosen.swept.contains_key(id));
    }
    chosen.failures = answers;
    chosen
}
