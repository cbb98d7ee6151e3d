//! A daemon that is killed at random moments while the estate changes under it: its ledger opens each time, and no finding
//! is lost, doubled or wrongly resolved.
//!
//! Thirty kills; `MLFENCE_KILLS` asks for another number. What is expected of which estate stands in the model below and is
//! the rule of LIF-001: a workspace with serving of v1 violates it, one that has none and was read completely does not.

#[path = "support/serving.rs"]
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use armsim::{Estate, Options, Server, company};
use mlfence::store::{Kept, Store};
use serving::Serving;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

const WORKSPACES: [&str; 3] = ["mlw-churn", "mlw-fraud", "mlw-vision"];

/// What may be otherwise than in the healthy estate, each independently.
#[derive(Clone, Copy, Default)]
struct Variant {
    /// Churn's serving of v1 is gone: fixed.
    migrated: bool,
    /// Fraud's compute is of v1: a new violation.
    v1: bool,
    /// Vision's subscription is out of sight: nobody can tell.
    vanished: bool,
}

impl Variant {
    fn random(chance: &mut fastrand::Rng) -> Self {
        Self { migrated: chance.bool(), v1: chance.bool(), vanished: chance.bool() }
    }

    fn estate(self) -> Estate {
        let mut estate = company::healthy();
        let ends =
            |record: &serde_json::Value, end: &str| record["id"].as_str().is_some_and(|id| id.ends_with(end));
        if self.migrated {
            let gone = ["computes/inf-mlw-churn", "computes/inf-mlw-churn-created"];
            let served = ["services/predict-mlw-churn", "services/predict-mlw-churn-created"];
            let before = estate.records.len();
            estate.records.retain(|record| !gone.iter().chain(&served).any(|end| ends(record, end)));
            assert_eq!(before - estate.records.len(), 4);
        }
        if self.v1 {
            let mut computes =
                estate.records.iter_mut().filter(|record| ends(record, "computes/k8s-mlw-fraud"));
            computes.next().expect("fraud's compute")["properties"]["computeType"] = "AKS".into();
        }
        if self.vanished {
            estate.header.subscriptions.retain(|subscription| subscription.name != "ml-dev");
        }
        estate
    }

    /// Whether a workspace violates LIF-001; none where that cannot be seen.
    fn violates(self, workspace: &str) -> Option<bool> {
        match workspace {
            "mlw-churn" => Some(!self.migrated),
            "mlw-fraud" => Some(self.v1),
            _ => (!self.vanished).then_some(true),
        }
    }
}

/// Which states a workspace's finding may be in: open or not.
type Possible = BTreeMap<&'static str, BTreeSet<bool>>;

fn is_open(kept: &Kept, workspace: &str) -> bool {
    let mut found = kept.ledger.open.values();
    found.any(|finding| finding.policy == "LIF-001" && finding.subject.id.name() == workspace)
}

/// The last sweep saw every finding that is neither stale nor on its way out. The last of a row of changes must be where the finding is now, and each must follow from the one before.
async fn history_is_whole(path: &Path, kept: &Kept) {
    for (id, finding) in kept.ledger.open.iter().filter(|(_, finding)| !finding.is_stale()) {
        let last = kept.last.as_ref().map(|last| last.finished_at);
        assert_eq!(Some(finding.confirmed_at), last, "{id} is of another sweep");
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await.expect("it opens");
    let sweeps: Vec<i64> = sqlx::query_scalar("SELECT number FROM sweeps ORDER BY number")
        .fetch_all(&mut connection)
        .await
        .expect("rows");
    let last = kept.last.as_ref().map_or(0, |last| last.number);
    assert_eq!(sweeps, (1..=last).collect::<Vec<_>>(), "a sweep is missing, or there twice");
    let rows = sqlx::query("SELECT fingerprint, change, resolution FROM changes ORDER BY sweep")
        .fetch_all(&mut connection)
        .await
        .expect("rows");
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    for row in &rows {
        let (id, change): (String, String) = (row.get("fingerprint"), row.get("change"));
        match (change.as_str(), open.get(&id)) {
            ("opened", None) | ("reopened", Some(false)) => drop(open.insert(id, true)),
            ("resolved", Some(true)) => drop(open.insert(id, false)),
            ("changed", Some(true)) => {}
            (change, state) => panic!("{id} was {change} although its state was {state:?}"),
        }
    }
    let ids = |wanted: bool| open.iter().filter(move |(_, open)| **open == wanted).map(|(id, _)| id);
    assert_eq!(ids(true).collect::<Vec<_>>(), kept.ledger.open.keys().collect::<Vec<_>>());
    assert_eq!(ids(false).collect::<Vec<_>>(), kept.ledger.resolved.keys().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_at_any_moment_loses_doubles_and_resolves_nothing() {
    let kills: u32 = match std::env::var("MLFENCE_KILLS") {
        Ok(number) => number.parse().expect("MLFENCE_KILLS is a number"),
        Err(_) => 30,
    };
    let mut chance = fastrand::Rng::with_seed(7);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let mut variant = Variant::default();
    // Azure's own limits would let a sweep begin every five seconds or so.
    let options = Options { rate_limits: false, ..Options::default() };
    let server = Server::start(variant.estate(), options).await.expect("armsim starts");
    let config = serving::configure(folder.path(), &server, "100ms", &path, "");

    // The first sweep opens vision's finding, which stands from then on whatever happens.
    let daemon = Serving::start(&server, &config);
    daemon.fresh_sweep();
    let began = Instant::now();
    daemon.log("last sweep");
    let a_sweep = began.elapsed();
    daemon.kill();
    let (_, first) = Store::open(&path).await.expect("it opens");
    let vision = |kept: &Kept| {
        let mut found = kept.ledger.open.values();
        let found = found.find(|f| f.policy == "LIF-001" && f.subject.id.name() == "mlw-vision");
        found.map(|finding| (finding.first_seen, finding.opened_at, finding.reopened))
    };
    let standing = vision(&first).expect("vision violates LIF-001");
    let mut possible: Possible =
        WORKSPACES.map(|name| (name, BTreeSet::from([is_open(&first, name)]))).into();
    let (mut sweeps, mut newest) = (0, first.last.map_or(0, |last| last.number));

    for round in 0..kills {
        let daemon = Serving::start(&server, &config);
        for _ in 0..chance.u32(0..3) {
            daemon.run_for(a_sweep.mul_f64(chance.f64()));
            variant = Variant::random(&mut chance);
            server.replace_estate(variant.estate());
            for name in WORKSPACES {
                possible.entry(name).or_default().extend(variant.violates(name));
            }
        }
        match round % 5 {
            // The last estate is swept to the end, and there is one possible state.
            4 => {
                daemon.fresh_sweep();
                for name in WORKSPACES {
                    if let Some(violates) = variant.violates(name) {
                        possible.insert(name, BTreeSet::from([violates]));
                    }
                }
            }
            // In the middle of writing a sweep that moves something.
            1 | 3 => {
                variant.v1 = !variant.v1;
                server.replace_estate(variant.estate());
                possible.entry("mlw-fraud").or_default().insert(variant.v1);
                // The sweep under way may have begun before.
                daemon.next_sweep();
                daemon.until_written(&folder.path().join("ledger.db-wal"));
            }
            _ => daemon.run_for(a_sweep.mul_f64(chance.f64() * 2.0)),
        }
        daemon.kill();

        let (store, kept) = Store::open(&path).await.unwrap_or_else(|error| panic!("kill {round}: {error}"));
        drop(store);
        history_is_whole(&path, &kept).await;
        assert_eq!(vision(&kept), Some(standing), "kill {round}: the standing finding");
        for name in WORKSPACES {
            let open = is_open(&kept, name);
            assert!(
                possible[name].contains(&open),
                "kill {round}: {name} open: {open}, possible {possible:?}"
            );
            // What the last estates said may still be to come, where it can be seen.
            possible.insert(name, BTreeSet::from_iter([open].into_iter().chain(variant.violates(name))));
        }
        let number = kept.last.map_or(0, |last| last.number);
        assert!(number >= newest, "kill {round}: sweep {newest} was lost");
        sweeps += number - newest;
        newest = number;
    }
    // Kills that only ever met a start-up would show nothing; two of five rounds or more end a sweep.
    assert!(sweeps >= i64::from(kills / 5), "{sweeps} sweeps in {kills} rounds");
}

/// Killed while it makes its ledger: the next start finds none, or a whole one.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_while_it_makes_its_ledger_leaves_no_half_of_one() {
    let server = Server::start(company::healthy(), Options::default()).await.expect("armsim starts");
    let mut chance = fastrand::Rng::with_seed(11);
    for round in 0..12 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        let config = serving::configure(folder.path(), &server, "1h", &path, "");
        let appears = ["ledger.db.lock", "ledger.db.new", "ledger.db"][round % 3];
        // Somewhere in the making, or just after it.
        let moment = Duration::from_micros(chance.u64(0..20_000));
        serving::kill_at(&server, &config, &folder.path().join(appears), moment);
        Store::open(&path).await.unwrap_or_else(|error| panic!("{round}: {error}"));
    }
}
