//! The collector against a simulated Azure that hurts: every named scenario of armsim, and random mixes of them, on the demo
//! estate. A sweep ends by itself; nothing passes that the undisturbed sweep did not pass; every difference is explained by
//! a gap; and where a persistent client can get everything, the report is the undisturbed one.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use armsim::{Options, Scenario, Server, company};
use futures_util::{StreamExt, stream};
use mlfence::azure::{Client, CollectError};
use mlfence::facts::SubjectKind;
use mlfence::findings::{PolicyResult, Report, Status};
use mlfence::inventory::{GapReason, Kind, Snapshot};
use mlfence::sweep;
use time::macros::datetime;
use tokio::sync::OnceCell;

/// How much faster than Azure's the simulated clock goes, on both sides.
const SPEED: f64 = 200.0;
/// A sweep's own deadline is far below it: whoever is not done by now does not end by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a sweep gave.
struct Swept {
    snapshot: Snapshot,
    report: Report,
}

async fn sweep_once(scenario: Scenario) -> Result<Swept, CollectError> {
    let options = Options { scenario, time_scale: SPEED, page_size: 3, ..Options::default() };
    let server = Server::start(company::demo().0, options).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config_for(&server, folder.path());
    config.collection.deadline = Duration::from_secs(30);
    config.collection.request_timeout = Duration::from_secs(2);
    let client = Client::new(&config).expect("a client").at_speed(SPEED);
    let (earlier, now) = (Default::default(), datetime!(2026-11-25 12:00 UTC));
    let sweep = sweep::run(&client, &config.expectations, &earlier, now, &|_| {});
    let collected = tokio::time::timeout(PATIENCE, sweep).await.expect("it ends by itself")?;
    server.shutdown().await.expect("armsim ends");
    // Judging takes its time, and the other sweeps' answers must not wait for it.
    let judging = tokio::task::spawn_blocking(move || {
        let snapshot = collected.snapshot;
        let mut report = support::judge(&snapshot).report;
        report.taken_at.clear();
        Swept { snapshot, report }
    });
    Ok(judging.await.expect("it judges"))
}

async fn undisturbed() -> &'static Swept {
    static UNDISTURBED: OnceCell<Swept> = OnceCell::const_new();
    UNDISTURBED.get_or_init(|| async { sweep_once(Scenario::default()).await.expect("a sweep") }).await
}

/// Troubles that leave no trace in what is read: rows that ARM loses, and a field that is not there and by Azure's own word
/// means "none" then. A sweep can only end.
fn leaves_no_trace(scenario: &Scenario) -> bool {
    let told = scenario.to_string();
    let damage =
        |how: &str| told.lines().any(|line| line.contains(r#""trouble":"damage""#) && line.contains(how));
    scenario.undetectable() || damage(r#""how":"missing""#) || damage(r#""how":"null""#)
}

type Place = (String, String);

/// Verdicts by policy and subject, in the folded form of ids: casing is Azure's to choose.
fn verdicts(report: &Report) -> BTreeMap<Place, &PolicyResult> {
    let place = |result: &PolicyResult| (result.policy.clone(), result.subject.id.key().to_owned());
    report.results.iter().map(|result| (place(result), result)).collect()
}

/// What is wrong with a disturbed sweep, next to the undisturbed one.
fn complaints(scenario: &Scenario, swept: &Result<Swept, CollectError>, calm: &Swept) -> Vec<String> {
    let swept = match swept {
        Ok(swept) => swept,
        Err(error) if scenario.recoverable() => return vec![format!("nothing was read: {error}")],
        Err(_) => return Vec::new(),
    };
    let (before, after) = (verdicts(&calm.report), verdicts(&swept.report));
    let mut wrong = Vec::new();
    if scenario.recoverable() {
        for gap in gaps(swept).symmetric_difference(&gaps(calm)) {
            wrong.push(format!("a gap more or less: {gap:?}"));
        }
        for (place, result) in &before {
            let same = after.get(place).is_some_and(|after| told(after) == told(result));
            if !same {
                wrong.push(format!("{place:?} was {:?} and is {:?}", result, after.get(place)));
            }
        }
        if after.len() != before.len() {
            wrong.push(format!("{} verdicts instead of {}", after.len(), before.len()));
        }
        return wrong;
    }
    if !scenario.undetectable() {
        wrong.extend(gone(&before, &after, &swept.snapshot));
    }
    if leaves_no_trace(scenario) {
        return wrong;
    }
    for (place, result) in &after {
        let was = before.get(place).map(|result| result.status);
        // Whoever only now may be a subject (a service of an unheard-of type) may be one that a rule does not apply to, and
        // a container group whose service no longer tells its address stands for itself, proven by its image.
        let stands_for_itself = place.1.contains("/microsoft.containerinstance/containergroups/");
        let new = was.is_none()
            && (result.status == Status::NotApplicable || result.status == Status::Fail && stands_for_itself);
        if was == Some(result.status) || result.status == Status::Unknown || new {
            continue;
        }
        wrong.push(format!("{place:?} was {was:?} and is {:?}", result.status));
    }
    let differs = before
        .iter()
        .any(|(place, result)| after.get(place).is_none_or(|after| after.status != result.status));
    let damaged = scenario.to_string().contains(r#""trouble":"damage""#)
        || scenario.to_string().contains("novel_values");
    // A question about groups that failed leaves no answer, and the verdicts that wait for it say so.
    let unanswered = swept.snapshot.answers.len() < calm.snapshot.answers.len();
    if differs && gaps(swept).is_subset(&gaps(calm)) && !damaged && !unanswered {
        wrong.push("verdicts differ and there is no gap".to_owned());
    }
    wrong
}

/// Who is no subject any more, although no result says that somebody may be hidden there. What was hidden undisturbed (the
/// demo has a subscription that may not be read) explains nobody's absence.
fn gone(
    before: &BTreeMap<Place, &PolicyResult>,
    after: &BTreeMap<Place, &PolicyResult>,
    snapshot: &Snapshot,
) -> Vec<String> {
    let newly_hidden: Vec<&PolicyResult> = after
        .iter()
        .filter(|(place, result)| result.subject.hidden && !before.contains_key(place))
        .map(|(_, result)| *result)
        .collect();
    let mut wrong = Vec::new();
    for (place, was) in before.iter().filter(|(place, _)| !after.contains_key(place)) {
        // A cluster or a subnet is brought to light by any workspace that uses it, wherever that is.
        let anywhere = matches!(was.subject.kind, SubjectKind::AksCluster | SubjectKind::Subnet);
        let explains = |result: &&PolicyResult| {
            result.policy == place.0 && (anywhere || below(&place.1, result.subject.id.key()))
        };
        // Out of sight before this sweep listed the subscriptions, and never seen by one before: nobody can tell.
        let unseen = was.subject.id.subscription().is_some_and(|guid| {
            !snapshot.header.subscriptions.iter().any(|seen| seen.id.eq_ignore_ascii_case(guid))
        });
        if !unseen && !newly_hidden.iter().any(explains) {
            wrong.push(format!("{place:?} is gone without a word"));
        }
    }
    wrong
}

/// What must be the same, whatever way the answers came: everything but the spelling of ids.
fn told(result: &PolicyResult) -> (Status, Vec<String>, Option<String>) {
    let mut ids: Vec<String> = result.violations.iter().map(|violation| violation.id.clone()).collect();
    ids.sort();
    (result.status, ids, result.reason.as_ref().map(|reason| reason.code.name().to_owned()))
}

/// Kind, scope and reason of what was not read; the demo itself has a subscription that may not be read.
fn gaps(swept: &Swept) -> BTreeSet<(Kind, String, GapReason)> {
    swept.snapshot.gaps.iter().map(|gap| (gap.source, gap.scope.key().to_owned(), gap.reason)).collect()
}

fn below(id: &str, scope: &str) -> bool {
    scope == "/" || id == scope || id.strip_prefix(scope).is_some_and(|rest| rest.starts_with('/'))
}

async fn check(scenarios: Vec<Scenario>) {
    let calm = undisturbed().await;
    let all = scenarios.len();
    // Most of the time goes by waiting, so that several share the cores.
    let failed: Vec<String> = stream::iter(scenarios)
        .map(|scenario| {
            tokio::spawn(async move {
                let swept = sweep_once(scenario.clone()).await;
                let wrong = complaints(&scenario, &swept, calm);
                (!wrong.is_empty()).then(|| format!("{scenario}  {}", wrong.join("\n  ")))
            })
        })
        .buffer_unordered(6)
        .filter_map(|joined| async { joined.unwrap_or_else(|error| Some(format!("panicked: {error}"))) })
        .collect()
        .await;
    assert!(failed.is_empty(), "{} of {all} failed:\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_named_scenario_is_survived() {
    check(Scenario::NAMES.iter().map(|name| Scenario::named(name, 1).expect("named")).collect()).await;
}

/// `MLFENCE_MIXES` many, from the seed `MLFENCE_MIXES_SEED` on; a failure shows the scenario with its seed, in the form that
/// `armsim serve --scenario` reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_mixes_of_troubles_are_survived() {
    let number = |name: &str, default: u64| {
        let told = std::env::var(name).ok();
        told.map_or(default, |told| told.parse().unwrap_or_else(|_| panic!("{name} is no number: {told}")))
    };
    let (first, count) = (number("MLFENCE_MIXES_SEED", 1), number("MLFENCE_MIXES", 60));
    #[allow(clippy::print_stderr)] // Whoever runs many wants to know which.
    {
        eprintln!("{count} mixes from seed {first} on");
    }
    check((first..first + count).map(Scenario::random).collect()).await;
}
