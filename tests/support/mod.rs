//! What the integration tests share: estates from armsim, judged by the shipped policies.
#![allow(dead_code)] // Each test binary uses its own part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use armsim::Estate;
use mlfence::audit::{Judged, PolicyArguments, Setup, judge_snapshot};
use mlfence::config::Config;
use mlfence::expectations::Declarations;
use mlfence::facts::SubjectKind;
use mlfence::findings::{PolicyResult, Report, Status};
use mlfence::inventory::Snapshot;

/// The shipped policies under what the operators of armsim's estates declare, so that every policy has something to judge.
pub(crate) fn setup() -> &'static Setup {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    SETUP.get_or_init(|| {
        let mut setup = Setup::load(None, &PolicyArguments::default()).expect("the shipped policies load");
        setup.config.expectations = declarations(&armsim::company::healthy());
        setup.config.expectations.workspaces.extend(declarations(&armsim::company::demo().0).workspaces);
        setup
    })
}

/// What the operator of one of armsim's estates declares.
pub(crate) fn declarations(estate: &Estate) -> Declarations {
    let text = armsim::company::declarations(estate);
    Config::parse(&text).unwrap_or_else(|problems| panic!("{problems:?} in {text}")).expectations
}

pub(crate) fn snapshot(estate: &Estate) -> Snapshot {
    Snapshot::read(estate.to_jsonl().as_bytes()).expect("armsim writes what mlfence reads")
}

pub(crate) fn judge(snapshot: &Snapshot) -> Judged {
    judge_snapshot(setup(), snapshot, &BTreeSet::new())
}

pub(crate) fn report(estate: &Estate) -> Report {
    judge(&snapshot(estate)).report
}

/// The healthy estate without the computes, web services and container groups of v1: nothing in it is excused.
pub(crate) fn without_v1() -> Estate {
    let mut estate = armsim::company::healthy();
    estate.records.retain(|record| {
        let kind = record["type"].as_str().unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "microsoft.machinelearningservices/workspaces/computes" => {
                record["properties"]["computeType"] != "AKS"
            }
            "microsoft.machinelearningservices/workspaces/services"
            | "microsoft.containerinstance/containergroups" => false,
            _ => true,
        }
    });
    estate
}

/// A verdict's place: the policy and the subject as [`subject`] writes it.
pub(crate) type Place = (String, String);

/// Who was judged: `KIND:NAME`, `subnet:VNET/NAME`, `KIND:hidden:SCOPE` for a hidden one.
pub(crate) fn subject(result: &PolicyResult) -> String {
    let subject = &result.subject;
    let id = &subject.id;
    let name = match id.parent() {
        _ if subject.hidden => format!("hidden:{id}"),
        Some(vnet) if subject.kind == SubjectKind::Subnet => {
            // Every reference spells it as it likes, and whichever comes first names the subject.
            format!("{}/{}", vnet.name(), id.name()).to_ascii_lowercase()
        }
        _ => id.name().to_owned(),
    };
    format!("{}:{name}", subject.kind.name())
}

/// The verdicts of a report by their places. Names are unique in the estates used here.
pub(crate) fn verdicts(report: &Report) -> BTreeMap<Place, Status> {
    let mut verdicts = BTreeMap::new();
    for result in &report.results {
        let place = (result.policy.clone(), subject(result));
        let earlier = verdicts.insert(place.clone(), result.status);
        assert_eq!(earlier, None, "two verdicts at {place:?}");
    }
    verdicts
}

/// The verdicts that differ between two reports: place, before, after.
pub(crate) fn moved(before: &Report, after: &Report) -> BTreeMap<Place, (Option<Status>, Option<Status>)> {
    let (before, after) = (verdicts(before), verdicts(after));
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    places
        .into_iter()
        .map(|place| (place.clone(), (before.get(place).copied(), after.get(place).copied())))
        .filter(|(_, (before, after))| before != after)
        .collect()
}

/// A configuration whose client asks `server`, as a service principal of its own, with the declarations of [`setup`].
pub(crate) fn config_for(server: &armsim::RunningServer, folder: &std::path::Path) -> Config {
    let secret = folder.join("secret");
    std::fs::write(&secret, armsim::server::SECRET).expect("a secret file");
    let url = server.base_url();
    let text = format!(
        "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\n\
         credential: {{ type: client_secret, tenant_id: 11111111-1111-1111-1111-111111111111, client_id: 22222222-2222-2222-2222-222222222222, secret_file: '{}' }}\n",
        secret.display()
    );
    let mut config = Config::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    config.expectations = setup().config.expectations.clone();
    config
}
