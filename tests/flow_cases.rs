//! The worked cases of rule evaluation, through the code that policies use: records, graph, answer.

#[path = "flow/estate.rs"]
#[allow(dead_code)]
mod estate;

use estate::{Estate, id, interface, resource, subnet};
use mlfence::facts::exposure::{Exposure, Flow, PortRange, Protocols, Term};
use mlfence::inventory::Inventory;
use mlfence::inventory::security::Direction;
use serde::Deserialize;
use serde_json::{Value, json};

const CASES: &str = include_str!("fixtures/flow/cases.json");
const TAGS: &str = include_str!("fixtures/flow/tags.json");

#[derive(Deserialize)]
struct Cases {
    flows: Vec<FlowCase>,
    shadows: Vec<ShadowCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowCase {
    name: String,
    about: String,
    routes: Option<String>,
    subnet_rules: Option<Vec<Rule>>,
    interface_rules: Option<Vec<Rule>>,
    admin_rules: Option<Vec<Rule>>,
    way: Way,
    near: Vec<String>,
    far: Vec<String>,
    ports: Vec<String>,
    speaks: String,
    verdict: String,
    decided_by: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShadowCase {
    name: String,
    about: String,
    subnet_rules: Vec<Rule>,
    way: Way,
    rule: String,
    reachable: String,
    denied: String,
    by: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Inbound,
    Outbound,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Inbound => Direction::Inbound,
            Way::Outbound => Direction::Outbound,
        }
    }
}

/// A text stands for ARM's singular field, a list for the plural one, an object for a group.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    number: i64,
    way: String,
    does: String,
    speaks: String,
    from: Value,
    from_ports: Value,
    to: Value,
    to_ports: Value,
}

impl Rule {
    fn record(&self) -> Value {
        let mut properties = json!({
            "priority": self.number, "direction": self.way, "access": self.does, "protocol": self.speaks,
        });
        for (side, addresses, ports) in
            [("source", &self.from, &self.from_ports), ("destination", &self.to, &self.to_ports)]
        {
            match addresses {
                Value::Object(group) => {
                    let name = group["group"].as_str().expect("a group's name");
                    properties[format!("{side}ApplicationSecurityGroups")] =
                        json!([{"id": id("applicationSecurityGroups", name)}]);
                }
                Value::Array(_) => properties[format!("{side}AddressPrefixes")] = addresses.clone(),
                one => properties[format!("{side}AddressPrefix")] = one.clone(),
            }
            let plural = if ports.is_array() { "PortRanges" } else { "PortRange" };
            properties[format!("{side}{plural}")] = ports.clone();
        }
        json!({"name": self.name, "properties": properties})
    }
}

fn records(rules: &[Rule]) -> Vec<Value> {
    rules.iter().map(Rule::record).collect()
}

fn cases() -> Cases {
    serde_json::from_str(CASES).expect("cases")
}

fn terms(texts: &[String]) -> Vec<Term> {
    texts.iter().map(|text| text.parse().expect("a term")).collect()
}

/// Nobody read the interfaces, so members of groups are not known; the place is made from the subnet and the group.
fn estate(case: &FlowCase) -> Estate {
    let mut estate = Estate::new().with_tags(&serde_json::from_str(TAGS).expect("tags"));
    if let Some(rules) = &case.subnet_rules {
        estate = estate.on_subnet(records(rules));
    }
    if let Some(rules) = &case.interface_rules {
        estate = estate.on_interface(records(rules));
    }
    if case.routes.is_some() {
        estate = estate.with_routes(None);
    }
    estate.hide(mlfence::inventory::Kind::ScaleSets);
    estate
}

#[test]
fn every_case_is_decided_as_worked_out() {
    let cases = cases().flows;
    assert_eq!(cases.len(), 34);
    let mut wrong = Vec::new();
    for case in &cases {
        let inventory = estate(case).inventory();
        let exposure = Exposure::of(&inventory);
        let place = exposure.place(&resource(&interface())).expect("the interface");
        let flow = Flow {
            direction: case.way.into(),
            remote: terms(&case.far),
            local: Some(terms(&case.near)),
            source_ports: vec![PortRange::ALL],
            ports: case.ports.iter().map(|text| text.parse().expect("a port")).collect(),
            protocols: Protocols::named(&case.speaks).expect("a protocol"),
        };
        let answer = match &case.admin_rules {
            Some(rules) => exposure.ask_with_admin_rules(&place, &flow, &admin_rules(rules)),
            None => exposure.ask(&place, &flow, None),
        };
        let decided_by = answer.deciders();
        if answer.verdict.name() != case.verdict || decided_by != case.decided_by {
            wrong.push(format!(
                "{} ({}): {} by {decided_by:?}, not {} by {:?}",
                case.name, case.about, answer.verdict, case.verdict, case.decided_by
            ));
        }
        assert_eq!(
            answer.verdict.name() == "unknown",
            !answer.reasons.is_empty(),
            "{}: {answer:?}",
            case.name
        );
        let told = (answer.witness.allowed.is_some(), answer.witness.denied.is_some());
        match answer.verdict.name() {
            "allow" => assert_eq!(told, (true, false), "{}", case.name),
            "deny" => assert_eq!(told, (false, true), "{}", case.name),
            "partial" => assert_eq!(told, (true, true), "{}", case.name),
            _ => assert!(answer.witness.undecided.is_some(), "{}", case.name),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Admin rules in the form of a group's rules, as the cases write them.
fn admin_rules(rules: &[Rule]) -> Vec<mlfence::inventory::security::Rule> {
    let inventory: Inventory = Estate::new().on_subnet(records(rules)).inventory();
    let group =
        inventory.security_group(&resource(&id("networkSecurityGroups", "subnet-nsg"))).expect("read");
    group.rules.clone().expect("rules")
}

#[test]
fn every_shadow_falls_as_worked_out() {
    let cases = cases().shadows;
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let tags = serde_json::from_str(TAGS).expect("tags");
        let inventory = Estate::new().with_tags(&tags).on_subnet(records(&case.subnet_rules)).inventory();
        let shadow = Exposure::of(&inventory)
            .shadow(
                &resource(&subnet()),
                &resource(&id("networkSecurityGroups", "subnet-nsg")),
                case.way.into(),
                &case.rule,
            )
            .expect("the rule is there");
        let told = serde_json::to_value(&shadow).expect("json");
        let expected = json!({"reachable": case.reachable, "denied": case.denied, "by": case.by});
        for key in ["reachable", "denied", "by"] {
            assert_eq!(told[key], expected[key], "{} ({}): {key}", case.name, case.about);
        }
    }
}
