//! The estates that come with armsim: deterministic, whole, and true to their own lists.

mod support;

use armsim::arm_id::ArmId;
use armsim::company::{self, Expected, Flaw, Size};
use armsim::{Estate, kinds};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn size(seed: u64) -> Size {
    Size { workspaces: 60, seed, subscriptions: 3 }
}

fn ids(estate: &Estate) -> BTreeSet<ArmId> {
    estate.records.iter().filter_map(armsim::estate::id_of).collect()
}

/// Every ARM id in the records must be that of a record, or of a named part of one.
fn check_references(estate: &Estate) {
    // Storage accounts, vaults and the like are no records; built-in roles stand at the tenant's root.
    let elsewhere = [
        "/microsoft.storage/",
        "/microsoft.keyvault/",
        "/microsoft.insights/",
        "/microsoft.managedidentity/",
        "/roledefinitions/",
    ];
    let known = ids(estate);
    assert_eq!(known.len(), estate.records.len(), "ids are unique");
    let (mut texts, mut named) = (Vec::new(), known.clone());
    for record in &estate.records {
        strings(record, &mut texts);
        named_parts(record, &mut named);
    }
    let referred: BTreeSet<ArmId> = texts
        .iter()
        .filter(|text| text.starts_with("/subscriptions/"))
        .map(|text| ArmId::new(text))
        .filter(|id| !elsewhere.iter().any(|part| id.as_str().contains(part)))
        .collect();
    assert!(referred.len() > known.len() / 2);
    let lost: Vec<&ArmId> = referred.difference(&named).collect();
    assert!(lost.is_empty(), "these lead nowhere: {lost:#?}");
}

/// The ids of objects that have a name beside it: subnets, rules, front ends, connections.
fn named_parts(value: &Value, into: &mut BTreeSet<ArmId>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| named_parts(item, into)),
        Value::Object(fields) => {
            if let (Some(Value::String(id)), true) = (fields.get("id"), fields.contains_key("name")) {
                into.insert(ArmId::new(id));
            }
            fields.values().for_each(|field| named_parts(field, into));
        }
        _ => {}
    }
}

fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, into)),
        _ => {}
    }
}

fn check_expected(estate: &Estate, expected: &[Expected]) {
    let known = ids(estate);
    for one in expected {
        let subject = one.subject.split("/subnets/").next().unwrap_or_default();
        for id in [&one.workspace, subject, &one.resource, &one.attached_as] {
            assert!(known.contains(&ArmId::new(id)), "{id} of {} is no record", one.policy);
        }
        assert!(ArmId::new(&one.workspace).contains(&ArmId::new(&one.attached_as)));
    }
}

fn policies(expected: &[Expected]) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    expected.iter().for_each(|one| *count.entry(one.policy.as_str()).or_default() += 1);
    count
}

fn every_policy() -> BTreeSet<&'static str> {
    Flaw::ALL.iter().flat_map(|flaw| flaw.policies()).copied().collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (first, expected) = company::generate(&size(7));
    let (again, expected_again) = company::generate(&size(7));
    assert_eq!(first.to_jsonl(), again.to_jsonl());
    assert_eq!(company::expected_json(&expected), company::expected_json(&expected_again));
    assert_ne!(first.to_jsonl(), company::generate(&size(8)).0.to_jsonl());
}

#[test]
fn a_generated_estate_holds_what_its_list_names() {
    let (estate, expected) = company::generate(&size(7));
    check_expected(&estate, &expected);
    check_references(&estate);
    assert_eq!(policies(&expected).into_keys().collect::<BTreeSet<_>>(), every_policy());
    let workspaces =
        estate.records.iter().filter(|r| r["type"] == "Microsoft.MachineLearningServices/workspaces");
    assert_eq!(workspaces.count(), 60);
    let read_back: Vec<Expected> =
        serde_json::from_str(&company::expected_json(&expected)).expect("the list is JSON");
    assert_eq!(read_back, expected);
}

#[test]
fn the_healthy_estate_is_whole() {
    let estate = company::healthy();
    check_references(&estate);
    assert!(estate.gaps.is_empty());
    assert_eq!(estate.header.subscriptions.len(), 3);
    assert_eq!(estate.header.kinds.len(), kinds::KINDS.len());
    assert_eq!(estate.header.kinds["services"]["api_version"], "2021-04-01");
    assert_eq!(estate.header.kinds["virtual_networks"]["via"], "resource_graph");
}

#[test]
fn the_demo_violates_each_policy_and_hides_a_subscription() {
    let (estate, expected) = company::demo();
    check_references(&estate);
    check_expected(&estate, &expected);
    assert_eq!(policies(&expected).into_keys().collect::<BTreeSet<_>>(), every_policy());
    assert_eq!(estate.header.subscriptions.len(), 4);
    // Service tags are those of the whole cloud, so no subscription lacks them.
    assert_eq!(estate.gaps.len(), kinds::KINDS.len() - 1);
    for healthy in ["mlw-churn-prod", "mlw-fraud-prod", "mlw-sandbox-dev"] {
        assert!(!expected.iter().any(|one| one.workspace.ends_with(healthy)), "{healthy}");
    }
}

/// Whoever is declared to call is noted on the workspace; everybody else has no callers.
#[test]
fn what_is_declared_names_the_callers_of_each_workspace() {
    let estate = company::demo().0;
    let text = company::declarations(&estate);
    assert!(text.contains(company::DEPLOYER) && text.contains("callers: []"), "{text}");
    for (workspace, callers) in [("mlw-churn-prod", "10.255.1.0/24"), ("mlw-pricing-dev", "203.0.113.0/24")] {
        let line = text.lines().find(|line| line.contains(workspace)).expect("it is named");
        assert!(line.contains(&format!("{workspace}\": {{ callers: [\"{callers}\"] }}")), "{line}");
    }
    assert!(!text.contains("mlw-sandbox-dev"), "{text}");
}

#[test]
fn an_estate_survives_each_of_its_file_forms() {
    let (estate, _) = company::demo();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for name in ["plain.jsonl", "small.jsonl.zst", "small.jsonl.gz"] {
        let path = folder.path().join(name);
        estate.save(&path).expect("the file can be written");
        assert_eq!(Estate::load(&path).expect("the file can be read"), estate, "{name}");
    }
    assert!(Estate::load(folder.path().join("missing.jsonl")).is_err());
}
