//! Unknowns stay worth reading: with the usual declarations a healthy estate has none, and without them the report's last
//! lines say which ones would settle how many, and keep their word.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use armsim::Estate;
use mlfence::audit::{Setup, judge_snapshot};
use mlfence::expectations::{Declarations, EgressAppliance, Expectations, NoSecurityAdminRules};
use mlfence::findings::settle::{Deed, settle};
use mlfence::findings::{Report, Status};
use mlfence::inventory::{ResourceId, SettleBy};
use serde_json::{Value, json};

fn judged(estate: &Estate, expectations: Declarations) -> Report {
    let mut config = support::setup().config.clone();
    config.expectations = expectations;
    let setup = Setup { config, ..support::setup().clone() };
    judge_snapshot(&setup, &support::snapshot(estate), &BTreeSet::new()).report
}

fn unknown(report: &Report) -> BTreeSet<(String, ResourceId)> {
    let unknown = report.results.iter().filter(|result| result.status == Status::Unknown);
    unknown.map(|result| (result.policy.clone(), result.subject.id.clone())).collect()
}

/// What an operator would declare when the report asks for a key.
fn declare(key: &str, into: &mut Expectations) {
    match key {
        "expectations.deployers" => into.deployers = Some(vec![armsim::company::DEPLOYER.to_owned()]),
        "expectations.callers" => into.callers = Some(Vec::new()),
        "expectations.security_admin_rules" => into.security_admin_rules = Some(NoSecurityAdminRules::None),
        "expectations.egress_appliance" => into.egress_appliance = Some(EgressAppliance::Trusted),
        other => panic!("`{other}` is no key of the configuration"),
    }
}

fn follow(deed: &Deed, declarations: &mut Declarations) {
    assert_eq!(deed.by, SettleBy::Declaration, "{deed:?}");
    let own = declarations.workspaces.entry(deed.at.clone()).or_default();
    deed.what.iter().for_each(|key| declare(key, own));
}

/// The healthy estate, in which the clusters' traffic goes through an appliance, scoring is public, and security admin
/// rules could not be read.
fn in_need_of_declarations() -> Estate {
    let mut estate = support::without_v1();
    let hub = estate.header.subscriptions[0].id.clone();
    estate.gaps.push(json!({
        "source": "security_admin_rules", "scope": format!("/subscriptions/{hub}"), "reason": "unsupported", "detail": ""
    }));
    let table = estate.records.iter().find(|record| record["type"] == "Microsoft.Network/routeTables");
    let mut table = table.expect("the hub has one").clone();
    let id = table["id"].as_str().expect("an id").replace("rt-", "rt-spoke-");
    table["id"] = json!(id);
    table["properties"]["routes"] = json!([{"name": "out", "properties": {
        "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.255.0.4"}}]);
    for record in &mut estate.records {
        for subnet in record["properties"]["subnets"].as_array_mut().into_iter().flatten() {
            if subnet["name"] == "snet-aks" {
                subnet["properties"]["routeTable"] = json!({ "id": id });
            }
        }
    }
    estate.records.push(table);
    estate
}

/// No rule of the source article is unknown, and nothing fails: what v1 serves is excused elsewhere.
#[test]
fn with_the_usual_declarations_nothing_is_unknown() {
    let estate = support::without_v1();
    let report = judged(&estate, support::declarations(&estate));
    assert_eq!(unknown(&report), BTreeSet::new());
    assert!(report.results.iter().any(|result| result.policy == "NSG-002" && result.status == Status::Pass));
}

/// Each missing declaration is asked for once per workspace, and each one that is made settles as many unknowns as the
/// report promised, in the order in which it lists them.
#[test]
fn each_declaration_settles_what_was_promised() {
    let estate = in_need_of_declarations();
    let mut declarations = Declarations::default();
    let first = judged(&estate, declarations.clone());
    let settlement = settle(&first.results);
    let asked: BTreeMap<&ResourceId, &Vec<String>> =
        settlement.deeds.iter().map(|deed| (&deed.at, &deed.what)).collect();
    assert_eq!(asked.len(), settlement.deeds.len(), "one line per workspace: {:#?}", settlement.deeds);
    let keys: BTreeSet<&str> = asked.values().copied().flatten().map(String::as_str).collect();
    let expected =
        ["expectations.deployers", "expectations.egress_appliance", "expectations.security_admin_rules"];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(settlement.settled, settlement.unknowns, "{:#?}", settlement.deeds);
    let mut before = unknown(&first);
    for deed in &settlement.deeds {
        follow(deed, &mut declarations);
        let after = unknown(&judged(&estate, declarations.clone()));
        assert!(after.is_subset(&before), "{deed:?} made {:?} unknown", after.difference(&before));
        assert_eq!(before.len() - after.len(), deed.unknowns, "{deed:?}: {:?}", before.difference(&after));
        before = after;
    }
    assert_eq!(before, BTreeSet::new());
}

/// Callers need to be declared where scoring is public.
#[test]
fn callers_are_asked_for_where_scoring_is_public() {
    let (estate, _) = armsim::company::demo();
    let mut declarations = support::declarations(&estate);
    let pricing = declarations
        .workspaces
        .keys()
        .find(|id| id.name() == "mlw-pricing-dev")
        .expect("its callers are declared")
        .clone();
    declarations.workspaces.clear();
    declarations.default.callers = None;
    let before = judged(&estate, declarations.clone());
    let deed = settle(&before.results).deeds.into_iter().find(|deed| deed.by == SettleBy::Declaration);
    let deed = deed.expect("a declaration is asked for");
    assert_eq!((&deed.at, &deed.what), (&pricing, &vec!["expectations.callers".to_owned()]));
    follow(&deed, &mut declarations);
    let settled: Vec<_> =
        unknown(&before).difference(&unknown(&judged(&estate, declarations))).cloned().collect();
    assert_eq!(settled.len(), deed.unknowns, "{settled:?}");
    assert!(settled.iter().all(|(policy, _)| policy == "NSG-001"), "{settled:?}");
}

/// The last lines say the same as the numbers.
#[test]
fn the_report_ends_with_the_promise() {
    let report = judged(&in_need_of_declarations(), Declarations::default());
    let json: Value = serde_json::to_value(&report).expect("JSON");
    let promised: u64 = json["settle"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|deed| deed["unknowns"].as_u64().expect("a number"))
        .sum();
    assert_eq!(promised as usize, unknown(&report).len());
}
