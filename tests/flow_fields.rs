//! Every field that flows rest on, against what its absence means: an answer may become unknown, never another one.

#[path = "flow/estate.rs"]
#[allow(dead_code)]
mod estate;
#[path = "support/fields.rs"]
mod fields;

use std::collections::BTreeMap;

use estate::{Estate, SUBSCRIPTION, group, id, interface, resource, rule, subnet};
use fields::change;
use mlfence::facts::exposure::{Exposure, Flow, PortRange, Protocols, Term, Verdict};
use mlfence::inventory::field::{Absent, FLOW_ALL, Field};
use mlfence::inventory::security::Direction;
use mlfence::inventory::{Inventory, ResourceId, Snapshot};
use serde_json::{Value, json};

/// An estate that holds every field, and whose answers hang on each.
fn rich() -> Snapshot {
    let asg = id("applicationSecurityGroups", "nodes");
    let other = id("applicationSecurityGroups", "workers");
    let hub = id("virtualNetworks", "hub");
    let peering = |remote: &str| {
        json!([{"properties": {"remoteVirtualNetwork": {"id": remote}, "peeringState": "Connected",
            "allowVirtualNetworkAccess": true, "useRemoteGateways": false}}])
    };
    // One rule for each way to write a side, each over a deny at the end.
    let plural = |name: &str, number: i64, properties: Value| {
        let mut rule = rule(name, number, "Outbound", "Allow", "Tcp", "*", "*", "443");
        for (key, value) in properties.as_object().expect("properties") {
            rule["properties"][key] = value.clone();
        }
        rule
    };
    let rules = vec![
        rule("Prefix", 200, "Outbound", "Allow", "Tcp", "10.1.0.0/24", "8.8.8.0/24", "443"),
        plural("Tag", 201, json!({"destinationAddressPrefix": "SomeTag"})),
        plural(
            "Plurals",
            202,
            json!({
                "sourceAddressPrefix": "", "sourceAddressPrefixes": ["10.1.0.0/24"],
                "destinationAddressPrefix": null, "destinationAddressPrefixes": ["9.9.9.0/24"],
                "sourcePortRange": "", "sourcePortRanges": ["1000-65535"],
                "destinationPortRange": null, "destinationPortRanges": ["443", "80"],
            }),
        ),
        plural(
            "FromMembers",
            203,
            json!({
                "sourceAddressPrefix": "", "sourceApplicationSecurityGroups": [{"id": asg}],
                "destinationAddressPrefix": "7.7.7.0/24",
            }),
        ),
        plural(
            "ToMembers",
            204,
            json!({
                "destinationAddressPrefix": "", "destinationApplicationSecurityGroups": [{"id": asg}],
            }),
        ),
        plural(
            "ToWorkers",
            205,
            json!({
                "destinationAddressPrefix": "", "destinationApplicationSecurityGroups": [{"id": other}],
            }),
        ),
        rule("AllowVnet", 206, "Outbound", "Allow", "Tcp", "*", "VirtualNetwork", "443"),
        rule("DenyAll", 300, "Outbound", "Deny", "*", "*", "*", "*"),
    ];
    let mut estate = Estate::new()
        .with_tags(&json!({"SomeTag": ["20.0.0.0/24"]}))
        .with_routes(Some(&["192.168.0.0/16"]))
        .on_subnet(rules)
        .on_interface(vec![rule("Deny5", 200, "Outbound", "Deny", "*", "*", "8.8.8.5", "*")]);
    estate.records[1]["properties"]["routes"][0]["properties"]["nextHopIpAddress"] = json!("10.2.0.4");
    let default = |name: &str, number: i64, way: &str, does: &str, from: &str, to: &str| {
        rule(name, number, way, does, "*", from, to, "*")
    };
    estate.records[2]["properties"]["defaultSecurityRules"] = json!([
        default("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        default("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
        default("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"),
    ]);
    estate.vnet["properties"]["virtualNetworkPeerings"] = peering(&hub);
    estate.vnet["properties"]["subnets"][0]["properties"]["privateEndpointNetworkPolicies"] =
        json!("Enabled");
    estate.interface["properties"]["ipConfigurations"][0]["properties"]["applicationSecurityGroups"] =
        json!([{"id": asg}]);
    estate.records.push(json!({"id": hub, "type": "Microsoft.Network/virtualNetworks", "properties": {
        "provisioningState": "Succeeded", "addressSpace": {"addressPrefixes": ["10.2.0.0/16"]}, "subnets": [],
        "virtualNetworkPeerings": peering(&id("virtualNetworks", "vnet")),
    }}));
    estate
        .records
        .push(json!({"id": id("privateEndpoints", "pe"), "type": "Microsoft.Network/privateEndpoints",
        "properties": {"applicationSecurityGroups": [{"id": other}]}}));
    let mut endpoint = estate.interface.clone();
    endpoint["id"] = json!(id("networkInterfaces", "pe"));
    endpoint["properties"]["privateEndpoint"] = json!({"id": id("privateEndpoints", "pe")});
    endpoint["properties"]["ipConfigurations"][0]["properties"] =
        json!({"privateIPAddress": "10.1.0.9", "subnet": {"id": subnet()}});
    estate.records.push(endpoint);
    estate
        .records
        .push(group("scale-nsg", vec![rule("Deny6", 200, "Outbound", "Deny", "*", "*", "8.8.8.6", "*")]));
    estate.records.push(json!({
        "id": format!("{SUBSCRIPTION}/resourceGroups/nodes/providers/Microsoft.Compute/virtualMachineScaleSets/workers"),
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "properties": {"virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations": [{
            "properties": {
                "networkSecurityGroup": {"id": id("networkSecurityGroups", "scale-nsg")},
                "ipConfigurations": [{"properties": {"subnet": {"id": subnet()}, "applicationSecurityGroups": [{"id": other}]}}],
            },
        }]}}},
    }));
    estate.snapshot()
}

/// Every answer that the estate gives: what is proven, or `Unknown`.
fn answers(snapshot: &Snapshot) -> BTreeMap<String, Verdict> {
    let inventory = Inventory::build(snapshot);
    let exposure = Exposure::of(&inventory);
    let subnet = resource(&subnet());
    let mut places = BTreeMap::new();
    for at in [interface(), id("networkInterfaces", "pe"), subnet.as_spelled().to_owned()] {
        places.insert(at.clone(), exposure.place(&resource(&at)));
    }
    let nodes: ResourceId = resource(&format!("{SUBSCRIPTION}/resourceGroups/nodes"));
    places.insert(
        "nodes".to_owned(),
        exposure.node_places(&nodes, &subnet, &[]).map(|mut places| places.remove(0)),
    );
    let mut answers = BTreeMap::new();
    for (at, place) in places {
        for remote in [
            "8.8.8.8",
            "8.8.8.5",
            "8.8.8.6",
            "9.9.9.9",
            "7.7.7.7",
            "20.0.0.7",
            "6.6.6.6",
            "10.1.0.4",
            "10.1.0.99",
            "10.2.0.7",
            "192.168.1.1",
            "172.16.0.1",
            "SomeTag",
            "VirtualNetwork",
            "Internet",
        ] {
            for direction in [Direction::Inbound, Direction::Outbound] {
                let flow = Flow {
                    direction,
                    remote: vec![remote.parse::<Term>().expect("a term")],
                    local: None,
                    source_ports: vec![PortRange { first: 2000, last: 3000 }],
                    ports: vec![PortRange { first: 443, last: 443 }],
                    protocols: Protocols::TCP,
                };
                let answer = place.as_ref().map(|place| exposure.ask(place, &flow, None).proven());
                let verdict = answer.ok().and_then(Result::ok).unwrap_or(Verdict::Unknown);
                answers.insert(format!("{at} {direction:?} {remote}"), verdict);
            }
        }
    }
    answers
}

/// How many answers became unknown; panics if one became another.
fn lost(field: &Field, how: &str, before: &BTreeMap<String, Verdict>, after: &Snapshot) -> usize {
    let mut lost = 0;
    for (question, verdict) in answers(after) {
        let was = before[&question];
        if verdict != was {
            assert_eq!(verdict, Verdict::Unknown, "{} {how}: {question} was {was}", field.path);
            lost += 1;
        }
    }
    lost
}

#[test]
fn the_estate_is_rich() {
    let answers = answers(&rich());
    for verdict in [Verdict::Allow, Verdict::Deny, Verdict::Partial] {
        assert!(answers.values().any(|other| *other == verdict), "{verdict}");
    }
    let known = answers.values().filter(|verdict| **verdict != Verdict::Unknown).count();
    assert!(known * 3 > answers.len() * 2, "{known} of {}: {answers:#?}", answers.len());
}

#[test]
fn a_field_that_is_not_told_only_makes_answers_unknown() {
    let snapshot = rich();
    let before = answers(&snapshot);
    let mut unnoticed = Vec::new();
    for field in FLOW_ALL {
        let (removed, times) = change(&snapshot, field, &|object, key| drop(object.remove(key)));
        let (nulled, _) =
            change(&snapshot, field, &|object, key| drop(object.insert(key.to_owned(), Value::Null)));
        assert_eq!(answers(&removed), answers(&nulled), "{}: null is not the same as missing", field.path);
        let lost = match field.absent {
            Absent::Nothing => 1,
            _ => lost(field, "removed", &before, &removed),
        };
        // What a route's next hop is matters to others; a rule's name only names it.
        let told_only =
            field.path.ends_with("nextHopType") || field.path == "properties.securityRules[].name";
        if times == 0 || (lost == 0 && !told_only) {
            unnoticed
                .push(format!("{} {}: there {times} times, {lost} answers lost", field.kind, field.path));
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

#[test]
fn an_emptied_field_is_none_only_where_the_table_says_so() {
    let snapshot = rich();
    let before = answers(&snapshot);
    for field in FLOW_ALL.iter().filter(|field| field.empty != Absent::Nothing) {
        let (emptied, _) = change(&snapshot, field, &|object, key| {
            let empty = if object[key].is_array() { json!([]) } else { json!("") };
            object.insert(key.to_owned(), empty);
        });
        lost(field, "emptied", &before, &emptied);
    }
}

#[test]
fn a_field_of_the_wrong_type_only_makes_answers_unknown() {
    let snapshot = rich();
    let before = answers(&snapshot);
    for field in FLOW_ALL {
        for wrong in [json!(42.5), json!(["x", 1]), json!({"surprise": true}), json!("neither this nor that")]
        {
            // Text is the right type for a name, and a strange word is refused elsewhere.
            let name =
                field.path.ends_with("name") || field.path.ends_with("id") || field.path.ends_with("State");
            if wrong.is_string() && (name || field.path.ends_with("nextHopType")) {
                continue;
            }
            let (broken, _) =
                change(&snapshot, field, &|object, key| drop(object.insert(key.to_owned(), wrong.clone())));
            lost(field, &wrong.to_string(), &before, &broken);
        }
    }
}
