//! Every recorded body of a real Azure loads. The bodies are not part of this repository: the folder is named by
//! `MLFENCE_RECORDED_DIR`. Without it this says so and checks nothing; under `CI=true` that is a failure.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::{env, fs};

use mlfence::expectations::Declarations;
use mlfence::facts;
use mlfence::inventory::snapshot::{FORMAT, Header, Source, Subscription, Via};
use mlfence::inventory::{Code, Depth, Inventory, Kind, Record, Snapshot};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let folder = env::var_os("MLFENCE_RECORDED_DIR").map(PathBuf::from);
    match folder {
        Some(folder) if folder.is_dir() => Some(folder),
        other => {
            assert_ne!(
                env::var("CI").as_deref(),
                Ok("true"),
                "under CI the recorded bodies must be there, MLFENCE_RECORDED_DIR is {other:?}"
            );
            // Past the test harness's capture: whoever reads the run shall know.
            let _ = writeln!(
                io::stderr(),
                "left out: the tests over recorded bodies, MLFENCE_RECORDED_DIR names no folder"
            );
            None
        }
    }
}

/// The resources of a body: of a list, of a Resource Graph answer, or the body itself.
fn resources(body: &Value) -> Vec<Value> {
    for key in ["value", "data"] {
        if let Some(Value::Array(items)) = body.get(key) {
            return items.clone();
        }
    }
    vec![body.clone()]
}

#[test]
fn every_recorded_resource_loads_and_is_judged_without_complaint_about_its_form() {
    let Some(folder) = folder() else { return };
    let header = Header {
        mlfence: FORMAT.to_owned(),
        taken_at: "2026-01-01T00:00:00Z".to_owned(),
        tenant_id: None,
        cloud: "public".to_owned(),
        projection: None,
        subscriptions: Vec::new(),
        kinds: Kind::ALL.iter().map(|kind| (*kind, Source { via: Via::Arm, api_version: None })).collect(),
    };
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut records = 0;
    for entry in fs::read_dir(&folder).expect("the folder is readable") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "json")
            || name.contains("error-")
            || name.starts_with("arg-request")
        {
            continue;
        }
        let body: Value = serde_json::from_slice(&fs::read(&path).expect("readable")).expect("JSON");
        let mut snapshot = Snapshot::new(header.clone());
        for resource in resources(&body) {
            // The table form of Resource Graph has rows without names; mlfence asks for objects.
            if !resource.is_object() || resource.get("id").is_none() {
                assert!(name.contains("table-format"), "{name}: a resource without id");
                continue;
            }
            let record = Record::from_body(resource).unwrap_or_else(|error| panic!("{name}: {error}"));
            if let Some(kind) = record.kind() {
                *kinds.entry(kind).or_default() += 1;
            }
            if let Some(subscription) = record.id().subscription() {
                let subscription = Subscription { id: subscription.to_owned(), name: String::new() };
                if !snapshot.header.subscriptions.contains(&subscription) {
                    snapshot.header.subscriptions.push(subscription);
                }
            }
            records += 1;
            snapshot.add(record);
        }
        let inventory = Inventory::build(&snapshot);
        let mut kept = Snapshot { records: BTreeMap::new(), ..snapshot.clone() };
        snapshot.records.into_values().for_each(|record| kept.add(Depth::Rules.keep(record)));
        let cut = Inventory::build(&kept);
        assert_eq!(format!("{cut:?}"), format!("{inventory:?}"), "{name}: read from what is kept");
        let subjects = facts::derive(&inventory, &Declarations::default());
        let text = serde_json::to_string(&subjects.documents).expect("documents are JSON");
        assert!(!text.contains(&format!("\"code\":\"{}\"", Code::Malformed.name())), "{name}: {text}");
    }
    assert!(records > 40, "only {records} resources were found");
    for kind in [
        Kind::Workspaces,
        Kind::Computes,
        Kind::Services,
        Kind::AksClusters,
        Kind::ContainerGroups,
        Kind::Registries,
        Kind::VirtualNetworks,
        Kind::PrivateEndpoints,
    ] {
        assert!(kinds.contains_key(&kind), "no recorded body of {kind}; seen: {kinds:?}");
    }
}
