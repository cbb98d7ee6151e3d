//! One sweep: which subscriptions, what may be read there, then Resource Graph and the ARM lists, and at the end a
//! snapshot in which whatever is missing is a gap.
//!
//! What a single request does on trouble is left to `client`, what a gap hides to `inventory`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join, join_all};
use time::OffsetDateTime;
use time::UtcOffset;
use tokio::time::Instant;

use super::arm;
use super::client::{Arm, Session};
use super::failure::Failure;
use super::gaps::{Gaps, kinds_of_subscriptions};
use super::request::Request;
use super::resource_graph::{self, Answer, Query, SUBSCRIPTIONS};
use super::rights::{self, Rights};
use super::scope::Visible;
use super::subscriptions::{self, Chosen};
use super::{CollectError, Collected, Numbers, Progress, Stage, assigned_to, service_tags};
use crate::config::{Cloud, Scope};
use crate::inventory::authorization::AskAssignedTo;
use crate::inventory::snapshot::{self, FORMAT, Source, Subscription, Via};
use crate::inventory::{Depth, GapReason, Header, Kind, Record, ResourceId, Snapshot};

/// What Resource Graph doesn't hold, or not with inherited rows, and the api-version that has it. The v1 web
/// services left the API after 2021-04-01.
pub(super) const ARM_KINDS: &[(Kind, &str)] = &[
    (Kind::Computes, "2024-10-01"),
    (Kind::Services, "2021-04-01"),
    (Kind::OutboundRules, "2024-10-01"),
    (Kind::RoleAssignments, "2022-04-01"),
    (Kind::DenyAssignments, "2022-04-01"),
    (Kind::ServiceTags, service_tags::API_VERSION),
];

/// Lists below each workspace and below each subscription: kind and path.
const OF_WORKSPACE: &[(Kind, &str)] =
    &[(Kind::Computes, "computes"), (Kind::Services, "services"), (Kind::OutboundRules, "outboundRules")];
const OF_SUBSCRIPTION: &[(Kind, &str)] = &[
    (Kind::RoleAssignments, "providers/Microsoft.Authorization/roleAssignments"),
    (Kind::DenyAssignments, "providers/Microsoft.Authorization/denyAssignments"),
];

/// What a sweep is asked to do.
pub(super) struct Order<'a> {
    pub(super) cloud: Cloud,
    pub(super) scope: &'a Scope,
    /// How much is asked for, and kept of it.
    pub(super) depth: Depth,
    /// Subscriptions that an earlier sweep of this process saw.
    pub(super) earlier: &'a BTreeSet<String>,
    pub(super) now: OffsetDateTime,
    /// From when on the deadline counts.
    pub(super) began: Instant,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
}

/// Runs a sweep.
pub(super) async fn run(arm: &Arm, order: &Order<'_>) -> Result<Collected, CollectError> {
    let session = arm.session(order.began);
    let ticker = Ticker::new(order.progress, Stage::Subscriptions, 3);
    if let Err(error) = session.sign_in().await {
        let advice = arm.tokens.advice();
        return Err(CollectError::Token { cause: error.to_string(), advice });
    }
    ticker.tick();
    let mut gaps = Gaps::new(order.depth);
    let (visible, listed) = subscriptions::list(&session, order.depth, &mut gaps).await?;
    ticker.tick();
    let chosen = subscriptions::choose(&session, order, &visible, listed).await;
    ticker.tick();
    if chosen.swept.is_empty() && chosen.hidden.is_empty() {
        return Err(CollectError::NoSubscription { visible: visible.len() });
    }
    let mut snapshot = Snapshot::new(header(order, &chosen, &visible));

    let swept: Vec<String> = chosen.swept.keys().cloned().collect();
    let groups = swept.chunks(resource_graph::GROUP);
    let questions: Vec<(&[String], &Query)> = groups
        .flat_map(|group| resource_graph::queries(order.depth).map(move |query| (group, query)))
        .collect();
    let ticker = Ticker::new(order.progress, Stage::Subscription, swept.len() + questions.len());
    let (told, answers) =
        join(
            join_all(swept.iter().map(|id| ticker.after(of_subscription(&session, id, order.depth)))),
            join_all(questions.iter().map(|(group, query)| {
                ticker.after(resource_graph::ask(&session, query, group, order.depth))
            })),
        )
        .await;

    let (rights, lists): (Vec<Rights>, Vec<_>) = told.into_iter().unzip();
    let rights: BTreeMap<&str, &Rights> = swept.iter().map(String::as_str).zip(&rights).collect();
    gaps_of_rights(&rights, &mut gaps);
    for (subscription, failure) in &chosen.hidden {
        gaps.of_everything(subscription, failure);
    }
    for (group, answer) in &chosen.failures {
        gaps_of_answer(&SUBSCRIPTIONS, group, answer, &rights, &mut gaps);
    }
    let shown: BTreeSet<&str> = answers
        .iter()
        .flat_map(|answer| &answer.records)
        .filter_map(|record| record.id().subscription())
        .collect();
    gaps_of_unseen(&chosen.unseen, &BTreeSet::new(), order.depth, &rights, &mut gaps);
    for id in chosen.untold.iter().filter(|id| !shown.contains(id.as_str())) {
        // What a query lost of its own kinds is told better by its own gap.
        let asked = questions.iter().zip(&answers).filter(|((group, _), _)| group.contains(id));
        let lost = asked.filter(|(_, answer)| !answer.lost.is_empty());
        let lost = lost.flat_map(|((_, query), _)| query.kinds).chain(SUBSCRIPTIONS.kinds).copied().collect();
        gaps_of_unseen(&BTreeSet::from([id.clone()]), &lost, order.depth, &rights, &mut gaps);
    }
    chosen.records.into_iter().for_each(|record| snapshot.add(record));
    for ((group, query), answer) in questions.iter().zip(answers) {
        gaps_of_answer(query, group, &answer, &rights, &mut gaps);
        answer.records.into_iter().for_each(|record| snapshot.add(record));
    }
    let denied: BTreeSet<String> =
        rights.iter().filter(|(_, rights)| rights.denied()).map(|(id, _)| (*id).to_owned()).collect();
    let tags_at = places_of_service_tags(order.cloud, &rights, &snapshot, &mut gaps);
    for (subscription, lists) in swept.iter().zip(lists) {
        for (kind, records) in lists {
            keep(kind, &ResourceId::subscription_scope(subscription), records, &mut snapshot, &mut gaps);
        }
    }

    let workspaces = workspaces(&snapshot, &chosen.swept, &denied);
    read_workspaces(&session, order, &workspaces, &tags_at, &mut snapshot, &mut gaps).await;
    gaps_of_rights_lost(&session, order, &rights, &mut gaps).await;
    snapshot.gaps = gaps.finish(&workspaces);
    let numbers = session.numbers();
    tracing::info!(
        subscriptions = snapshot.header.subscriptions.len(),
        records = snapshot.records.len(),
        gaps = snapshot.gaps.len(),
        requests = numbers.requests.values().sum::<u64>(),
        retries = numbers.retries,
        "read the estate"
    );
    Ok(Collected { snapshot, numbers, excluded: chosen.excluded })
}

/// Asks what is worth asking beyond lists. A question that failed leaves no answer.
pub(super) async fn ask_assigned_to(
    arm: &Arm,
    questions: &[AskAssignedTo],
    began: Instant,
    progress: &(dyn Fn(Progress) + Sync),
) -> (Vec<snapshot::Answer>, Numbers) {
    let session = arm.session(began);
    let ticker = Ticker::new(progress, Stage::Memberships, questions.len());
    let asked =
        join_all(questions.iter().map(|question| ticker.after(assigned_to::ask(&session, question)))).await;
    let mut answers = Vec::new();
    let mut failures = Vec::new();
    for answer in asked {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(failure) => failures.push(failure),
        }
    }
    let numbers = session.numbers();
    match failures.first() {
        None => tracing::info!(answers = answers.len(), "asked whom grants to groups reach"),
        Some(first) => tracing::warn!(
            answers = answers.len(),
            unanswered = failures.len(),
            "whom grants to groups reach was not answered throughout, so it stays unknown: {}",
            first.detail
        ),
    }
    (answers, numbers)
}

/// The caller's rights on a subscription, and the lists of it. They are not asked for where not even the rights
/// may be read.
async fn of_subscription(
    session: &Session<'_>,
    subscription: &str,
    depth: Depth,
) -> (Rights, Vec<(Kind, Records)>) {
    let rights = rights::of(session, subscription).await;
    if rights.denied() {
        return (rights, Vec::new());
    }
    let scope = format!("/subscriptions/{subscription}");
    let lists = OF_SUBSCRIPTION.iter().map(|(kind, path)| list(session, *kind, &scope, path, depth));
    let lists = join_all(lists).await;
    (rights, OF_SUBSCRIPTION.iter().map(|(kind, _)| *kind).zip(lists).collect())
}

/// What is kept of a list, and what is wrong with it.
type Records = (Vec<Record>, Vec<Failure>);

/// Reads a list. What is not kept of it goes at once, since the lists of a large estate are under way together.
async fn list(session: &Session<'_>, kind: Kind, scope: &str, path: &str, depth: Depth) -> Records {
    let version = ARM_KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, version)| version);
    let Some(request) = Request::below(&session.arm.endpoint, scope, path, version) else {
        let failure = Failure::new(GapReason::Malformed, "an id cannot be asked for as it is spelled");
        return (Vec::new(), vec![failure]);
    };
    arm::list(session, kind.name(), request, "value").await.into_records(kind, depth)
}

/// What stands in the workspaces, and the service tags of the cloud.
async fn read_workspaces(
    session: &Session<'_>,
    order: &Order<'_>,
    workspaces: &BTreeMap<String, Vec<ResourceId>>,
    tags_at: &[(String, String)],
    snapshot: &mut Snapshot,
    gaps: &mut Gaps,
) {
    let ids = workspaces.values().flatten();
    let asked = OF_WORKSPACE.iter().filter(|(kind, _)| order.depth.asks(*kind));
    let wanted: Vec<(&ResourceId, Kind, &str)> =
        ids.flat_map(|id| asked.clone().map(move |(kind, path)| (id, *kind, *path))).collect();
    let ticker = Ticker::new(order.progress, Stage::Workspaces, wanted.len() + 1);
    let lists = wanted
        .iter()
        .map(|(id, kind, path)| ticker.after(list(session, *kind, id.as_spelled(), path, order.depth)));
    let tags = ticker.after(service_tags::read(session, order.cloud, order.depth, tags_at));
    let (lists, (tags, lost)) = join(join_all(lists), tags).await;
    for ((id, kind, _), records) in wanted.iter().zip(lists) {
        keep(*kind, id, records, snapshot, gaps);
    }
    tags.into_iter().for_each(|record| snapshot.add(record));
    for failure in lost {
        gaps.add(Kind::ServiceTags, ResourceId::root(), &failure);
    }
}

fn keep(kind: Kind, scope: &ResourceId, (records, lost): Records, snapshot: &mut Snapshot, gaps: &mut Gaps) {
    records.into_iter().for_each(|record| snapshot.add(record));
    for failure in lost {
        gaps.add(kind, scope.clone(), &failure);
    }
}

/// The workspaces to ask, by subscription.
fn workspaces(
    snapshot: &Snapshot,
    swept: &BTreeMap<String, Visible>,
    denied: &BTreeSet<String>,
) -> BTreeMap<String, Vec<ResourceId>> {
    let mut found: BTreeMap<String, Vec<ResourceId>> = BTreeMap::new();
    for record in snapshot.records.values().filter(|record| record.kind() == Some(Kind::Workspaces)) {
        if let Some(subscription) = record.id().subscription()
            && swept.contains_key(subscription)
            && !denied.contains(subscription)
        {
            found.entry(subscription.to_owned()).or_default().push(record.id().clone());
        }
    }
    found
}

fn gaps_of_rights(rights: &BTreeMap<&str, &Rights>, gaps: &mut Gaps) {
    for (subscription, rights) in rights {
        for kind in kinds_of_subscriptions() {
            if let Some(missing) = rights.missing(kind) {
                gaps.of_subscription(kind, subscription, &missing);
            }
        }
    }
}

/// Rights that were taken away while the estate was read, or the sight of a whole subscription, leave rows out as silently as
/// rights that never were. Asking once more when everything is read is what tells.
async fn gaps_of_rights_lost(
    session: &Session<'_>,
    order: &Order<'_>,
    before: &BTreeMap<&str, &Rights>,
    gaps: &mut Gaps,
) {
    let swept: Vec<(&str, &Rights)> =
        before.iter().map(|(id, rights)| (*id, *rights)).filter(|(_, rights)| !rights.denied()).collect();
    let ticker = Ticker::new(order.progress, Stage::Rights, swept.len());
    let after = join_all(swept.iter().map(|(id, _)| ticker.after(rights::of(session, id)))).await;
    for ((subscription, before), after) in swept.iter().zip(&after) {
        for kind in kinds_of_subscriptions() {
            if let (None, Some(missing)) = (before.missing(kind), after.missing(kind)) {
                gaps.of_subscription(kind, subscription, &missing);
            }
        }
    }
}

/// Whatever was lost of a query was lost of each kind that it carries, in each subscription that it asked about.
fn gaps_of_answer(
    query: &Query,
    group: &[String],
    answer: &Answer,
    rights: &BTreeMap<&str, &Rights>,
    gaps: &mut Gaps,
) {
    let explained = |subscription: &str, kind| {
        rights.get(subscription).is_some_and(|rights| rights.missing(kind).is_some())
    };
    for subscription in group {
        for kind in query.kinds {
            for failure in &answer.lost {
                // That none of them is readable is told better by the rights.
                if !(failure.is_none_readable() && explained(subscription, *kind)) {
                    gaps.of_subscription(*kind, subscription, failure);
                }
            }
            let about = |(told, at): &(Option<Kind>, Option<String>)| {
                told.is_none_or(|told| told == *kind || !query.kinds.contains(&told))
                    && at.as_ref().is_none_or(|at| at == subscription)
            };
            if answer.unreadable.iter().any(about) {
                let failure = Failure::new(GapReason::Malformed, "a row of Resource Graph was unreadable");
                gaps.of_subscription(*kind, subscription, &failure);
            }
        }
    }
}

/// Resource Graph drops subscriptions that it thinks unreadable without a sign, which `/subscriptions` brings to
/// light: a role granted a moment ago shows there only with the next token.
fn gaps_of_unseen(
    unseen: &BTreeSet<String>,
    lost: &BTreeSet<Kind>,
    depth: Depth,
    rights: &BTreeMap<&str, &Rights>,
    gaps: &mut Gaps,
) {
    let failure = Failure::new(
        GapReason::PartialRights,
        "Resource Graph does not show this subscription to this identity",
    );
    for subscription in unseen {
        for kind in resource_graph::kinds(depth).filter(|kind| !lost.contains(kind)) {
            if rights.get(subscription.as_str()).is_none_or(|rights| rights.missing(kind).is_none()) {
                gaps.of_subscription(kind, subscription, &failure);
            }
        }
    }
}

/// Where service tags can be asked for: subscriptions with the right, each with a location.
fn places_of_service_tags(
    cloud: Cloud,
    rights: &BTreeMap<&str, &Rights>,
    snapshot: &Snapshot,
    gaps: &mut Gaps,
) -> Vec<(String, String)> {
    let mut places = Vec::new();
    let mut refused = None;
    for (subscription, rights) in rights {
        if places.len() == service_tags::MOST_SUBSCRIPTIONS {
            break;
        }
        if let Some(missing) = rights.missing(Kind::ServiceTags) {
            refused.get_or_insert(missing);
            continue;
        }
        let here =
            || snapshot.records.values().filter(|record| record.id().subscription() == Some(*subscription));
        let workspaces = here().filter(|record| record.kind() == Some(Kind::Workspaces));
        places.push(((*subscription).to_owned(), service_tags::location(cloud, workspaces.chain(here()))));
    }
    if places.is_empty() {
        let nowhere = || Failure::new(GapReason::NotFound, "no subscription to ask for service tags");
        gaps.add(Kind::ServiceTags, ResourceId::root(), &refused.unwrap_or_else(nowhere));
    }
    places
}

fn header(order: &Order<'_>, chosen: &Chosen, visible: &BTreeMap<String, Visible>) -> Header {
    let ids: BTreeSet<&String> = chosen.swept.keys().chain(chosen.hidden.keys()).collect();
    let name =
        |id: &String| visible.get(id).map(|subscription| subscription.name.clone()).unwrap_or_default();
    let graph = resource_graph::kinds(order.depth);
    let graph = graph.map(|kind| (kind, Source { via: Via::ResourceGraph, api_version: None }));
    let lists = ARM_KINDS.iter().filter(|(kind, _)| order.depth.asks(*kind));
    let lists = lists
        .map(|(kind, version)| (*kind, Source { via: Via::Arm, api_version: Some((*version).to_owned()) }));
    let at = order.now.to_offset(UtcOffset::UTC);
    Header {
        mlfence: FORMAT.to_owned(),
        taken_at: format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        tenant_id: chosen.swept.values().find_map(|subscription| subscription.tenant.clone()),
        cloud: order.cloud.name().to_owned(),
        projection: order.depth.projection().map(str::to_owned),
        subscriptions: ids.into_iter().map(|id| Subscription { id: id.clone(), name: name(id) }).collect(),
        kinds: graph.chain(lists).collect(),
    }
}

/// Tells how far a stage is.
struct Ticker<'a> {
    progress: &'a (dyn Fn(Progress) + Sync),
    stage: Stage,
    done: AtomicUsize,
    of: usize,
}

impl<'a> Ticker<'a> {
    fn new(progress: &'a (dyn Fn(Progress) + Sync), stage: Stage, of: usize) -> Self {
        progress(Progress { stage, done: 0, of });
        Self { progress, stage, done: AtomicUsize::new(0), of }
    }

    fn tick(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.progress)(Progress { stage: self.stage, done, of: self.of });
    }

    async fn after<T>(&self, work: impl Future<Output = T>) -> T {
        let result = work.await;
        self.tick();
        result
    }
}
