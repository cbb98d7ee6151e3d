//! Rules that Azure would refuse, or that this version does not know: never a panic, never a definite answer that rests
//! on them, and a reason that names the rule and the field.

#[path = "flow/estate.rs"]
#[allow(dead_code)]
mod estate;

use estate::{Estate, group, id, interface, resource, rule, subnet};
use mlfence::facts::exposure::{Answer, Exposure, Flow, PortRange, Protocols, Term, Verdict};
use mlfence::inventory::security::Direction;
use mlfence::inventory::{Code, Kind};
use serde_json::{Value, json};

fn outbound(remote: &str) -> Flow {
    let remote: Term = remote.parse().expect("a term");
    Flow::tcp(Direction::Outbound, vec![remote], vec![PortRange { first: 443, last: 443 }])
}

/// An allow that something is wrong with, over a deny to everything.
fn broken(key: &str, value: Value) -> Answer {
    let mut allow = rule("Odd", 200, "Outbound", "Allow", "Tcp", "*", "8.8.8.0/24", "443");
    match value {
        Value::Null => drop(allow["properties"].as_object_mut().expect("properties").remove(key)),
        value => allow["properties"][key] = value,
    }
    let deny = rule("DenyAll", 300, "Outbound", "Deny", "*", "*", "*", "*");
    Estate::new().on_subnet(vec![allow, deny]).ask(&outbound("8.8.8.8"))
}

#[test]
fn a_sound_rule_decides() {
    assert_eq!(broken("description", json!("sound")).verdict, Verdict::Allow);
}

#[test]
fn a_broken_rule_decides_nothing_and_is_named() {
    for (key, value, named) in [
        ("protocol", json!("Icmpv6"), "protocol"),
        ("protocol", json!("6"), "protocol"),
        ("protocol", json!(6), "protocol"),
        ("protocol", Value::Null, "protocol"),
        ("destinationAddressPrefix", json!("8.8.8.0/33"), "destinationAddressPrefix"),
        ("destinationAddressPrefix", json!("8.8.8.0/24,8.8.4.0/24"), "destinationAddressPrefix"),
        ("destinationAddressPrefix", json!("8.8.8.8.8"), "destinationAddressPrefix"),
        ("destinationAddressPrefix", json!("SomeTag.Region"), "destinationAddressPrefix"),
        ("destinationAddressPrefix", json!(""), "destinationAddressPrefix"),
        ("destinationAddressPrefix", json!(8), "destinationAddressPrefix"),
        ("destinationAddressPrefix", Value::Null, "destinationAddressPrefix"),
        ("destinationAddressPrefixes", json!(["8.8.8.0/24", "2001:4860::/32"]), "destinationAddressPrefix"),
        ("destinationAddressPrefixes", json!(["8.8.8.0/24", "what?"]), "destinationAddressPrefixes"),
        ("destinationAddressPrefixes", json!(["8.8.8.0/24", ""]), "destinationAddressPrefixes"),
        ("destinationAddressPrefixes", json!("8.8.8.0/24"), "destinationAddressPrefix"),
        ("sourceAddressPrefix", Value::Null, "sourceAddressPrefix"),
        ("destinationPortRange", json!("443-80"), "destinationPortRange"),
        ("destinationPortRange", json!("65536"), "destinationPortRange"),
        ("destinationPortRange", json!(443), "destinationPortRange"),
        ("destinationPortRange", Value::Null, "destinationPortRange"),
        ("destinationPortRanges", json!(["443", "x"]), "destinationPortRanges"),
        ("destinationPortRanges", json!(["443", " "]), "destinationPortRanges"),
        ("sourcePortRange", Value::Null, "sourcePortRange"),
        ("priority", json!(99), "priority"),
        ("priority", json!(4097), "priority"),
        ("priority", json!(65000), "priority"),
        ("priority", json!(-1), "priority"),
        ("priority", json!("soon"), "priority"),
        ("priority", json!(1e300), "priority"),
        ("priority", Value::Null, "priority"),
        ("direction", json!("Sideways"), "direction"),
        ("direction", Value::Null, "direction"),
        ("access", json!("Perhaps"), "access"),
        ("access", json!("AlwaysAllow"), "access"),
        ("access", Value::Null, "access"),
    ] {
        let answer = broken(key, value.clone());
        assert_eq!(answer.verdict, Verdict::Unknown, "{key} = {value}: {answer:?}");
        let told = answer.reasons.iter().any(|reason| {
            reason.message.contains("`Odd`")
                && reason.message.contains(named)
                && reason.message.contains("subnet-nsg")
        });
        assert!(told, "{key} = {value}: {:?}", answer.reasons);
    }
}

#[test]
fn a_number_written_as_text_is_a_number_and_host_bits_are_cleared() {
    assert_eq!(broken("priority", json!("200")).verdict, Verdict::Allow);
    assert_eq!(broken("destinationAddressPrefix", json!("8.8.8.77/24")).verdict, Verdict::Allow);
    assert_eq!(broken("protocol", json!("TCP")).verdict, Verdict::Allow);
}

#[test]
fn two_rules_of_one_number_leave_open_what_they_disagree_on() {
    let allow = rule("Yes", 200, "Outbound", "Allow", "Tcp", "*", "8.8.8.0/24", "443");
    let deny = rule("No", 200, "Outbound", "Deny", "*", "*", "8.8.0.0/16", "*");
    let inbound = rule("Elsewhere", 200, "Inbound", "Deny", "*", "*", "*", "*");
    let estate = Estate::new().on_subnet(vec![allow.clone(), deny, inbound]);
    let answer = estate.ask(&outbound("8.8.8.8"));
    assert_eq!(
        (answer.verdict, answer.deciders()),
        (Verdict::Unknown, vec!["subnet:No".to_owned(), "subnet:Yes".to_owned()])
    );
    assert!(
        answer.reasons[0].message.contains("rules `No` and `Yes`")
            && answer.reasons[0].message.contains("priority")
    );
    assert_eq!(estate.ask(&outbound("8.8.4.4")).verdict, Verdict::Deny);
    assert_eq!(estate.ask(&outbound("9.9.9.9")).verdict, Verdict::Allow);
    // One number in each direction is no contradiction.
    let inbound = rule("In", 200, "Inbound", "Deny", "*", "*", "*", "*");
    assert_eq!(
        Estate::new().on_subnet(vec![allow, inbound]).ask(&outbound("8.8.8.8")).verdict,
        Verdict::Allow
    );
}

#[test]
fn groups_that_are_no_groups_leave_everything_open() {
    for rules in [json!("none"), json!([1]), json!(null), json!({"a": 1})] {
        let mut estate = Estate::new().on_subnet(Vec::new());
        estate.records[0]["properties"]["securityRules"] = rules.clone();
        let answer = estate.ask(&outbound("8.8.8.8"));
        assert_eq!(answer.verdict, Verdict::Unknown, "{rules}");
        assert!(answer.reasons[0].message.contains("securityRules"), "{rules}: {:?}", answer.reasons);
    }
    let mut gone = Estate::new().on_subnet(Vec::new());
    gone.records.clear();
    assert_eq!(gone.ask(&outbound("8.8.8.8")).reasons[0].code, Code::NotFound);
    gone.hide(Kind::NetworkSecurityGroups);
    let answer = gone.ask(&outbound("8.8.8.8"));
    assert_eq!((answer.verdict, answer.reasons[0].code), (Verdict::Unknown, Code::Denied));
    assert!(answer.reasons[0].settle.is_some(), "{:?}", answer.reasons);
    // What the other group stops is stopped all the same.
    let deny = rule("DenyAll", 300, "Outbound", "Deny", "*", "*", "*", "*");
    let mut half = Estate::new().on_interface(vec![deny]);
    half.vnet["properties"]["subnets"][0]["properties"]["networkSecurityGroup"] =
        json!({"id": id("networkSecurityGroups", "unread")});
    assert_eq!(half.ask(&outbound("8.8.8.8")).verdict, Verdict::Deny);
}

#[test]
fn default_rules_are_there_even_if_nobody_told_them() {
    let default = |name: &str, number: i64, does: &str, to: &str| {
        rule(name, number, "Outbound", does, "*", "*", to, "*")
    };
    for told in [
        json!(null),
        json!([]),
        json!([default("allowinternetoutbound", 65001, "Allow", "Internet")]),
        json!([default("DenyAllOutbound", 65500, "Deny", "*")]),
        json!("what?"),
    ] {
        let mut estate = Estate::new().on_subnet(Vec::new());
        estate.records[0]["properties"]["defaultSecurityRules"] = told.clone();
        assert_eq!(estate.ask(&outbound("8.8.8.8")).verdict, Verdict::Allow, "{told}");
        let inbound = Flow { direction: Direction::Inbound, ..outbound("8.8.8.8") };
        assert_eq!(estate.ask(&inbound).verdict, Verdict::Deny, "{told}");
    }
}

#[test]
fn a_vnet_that_tells_no_space_may_be_everywhere() {
    let deny = rule("DenyVnet", 300, "Outbound", "Deny", "*", "*", "VirtualNetwork", "*");
    for space in [json!([]), json!(null), json!(["10.1.0.0/16", "x"]), json!("10.1.0.0/16")] {
        let mut estate = Estate::new().on_subnet(vec![deny.clone()]);
        estate.vnet["properties"]["addressSpace"]["addressPrefixes"] = space.clone();
        assert_eq!(estate.ask(&outbound("8.8.8.8")).verdict, Verdict::Unknown, "{space}");
    }
    let mut estate = Estate::new();
    estate.vnet["properties"]["subnets"] =
        json!([{"id": subnet(), "name": "nodes", "properties": {"provisioningState": "Succeeded"}}]);
    let inventory = estate.on_subnet(vec![deny]).inventory();
    let exposure = Exposure::of(&inventory);
    let answer = exposure.ask_flow(&resource(&subnet()), &outbound("10.1.9.9"), None);
    assert_eq!(
        answer.verdict,
        Verdict::Deny,
        "a deny whose source is everything holds wherever the subnet is"
    );
    let answer = exposure.ask_flow(&resource(&subnet()), &outbound("10.9.9.9"), None);
    assert_eq!(answer.verdict, Verdict::Unknown);
}

#[test]
fn peerings_in_a_circle_end() {
    let (one, two) = (id("virtualNetworks", "vnet"), id("virtualNetworks", "two"));
    let three = id("virtualNetworks", "three");
    let peering = |remote: &str| json!({"name": "p", "properties": {"remoteVirtualNetwork": {"id": remote}, "peeringState": "Connected", "allowVirtualNetworkAccess": true}});
    let vnet = |own: &str, prefix: &str, peers: &[&str]| {
        json!({"id": own, "type": "Microsoft.Network/virtualNetworks", "properties": {
            "provisioningState": "Succeeded", "addressSpace": {"addressPrefixes": [prefix]}, "subnets": [],
            "virtualNetworkPeerings": peers.iter().map(|peer| peering(peer)).collect::<Vec<_>>(),
        }})
    };
    let mut estate = Estate::new().on_subnet(Vec::new());
    estate.vnet["properties"]["virtualNetworkPeerings"] = json!([peering(&two), peering(&one)]);
    estate.records.push(vnet(&two, "10.2.0.0/16", &[&one, &three]));
    estate.records.push(vnet(&three, "10.3.0.0/16", &[&two, &one]));
    assert_eq!(estate.ask(&outbound("10.2.0.9")).verdict, Verdict::Allow);
    // Peering is not transitive.
    assert_eq!(estate.ask(&outbound("10.3.0.9")).verdict, Verdict::Unknown);
}

#[test]
fn questions_about_nothing_and_nowhere_are_unknown() {
    let inventory = Estate::new().inventory();
    let exposure = Exposure::of(&inventory);
    for (at, flow) in [
        (interface(), outbound("2001:4860::1")),
        (interface(), Flow { remote: Vec::new(), ..outbound("8.8.8.8") }),
        (interface(), Flow { ports: Vec::new(), ..outbound("8.8.8.8") }),
        (interface(), Flow { protocols: Protocols::NONE, ..outbound("8.8.8.8") }),
        (interface(), Flow { local: Some(Vec::new()), ..outbound("8.8.8.8") }),
        (id("virtualNetworks", "vnet"), outbound("8.8.8.8")),
        (id("networkInterfaces", "gone"), outbound("8.8.8.8")),
        (format!("{}/subnets/gone", id("virtualNetworks", "vnet")), outbound("8.8.8.8")),
        ("/".to_owned(), outbound("8.8.8.8")),
    ] {
        let answer = exposure.ask_flow(&resource(&at), &flow, None);
        assert_eq!(answer.verdict, Verdict::Unknown, "{at} {flow:?}");
        assert!(!answer.reasons.is_empty(), "{at} {flow:?}");
    }
}

#[test]
fn a_thousand_odd_rules_end() {
    let rules: Vec<Value> = (0..1000)
        .map(|n| {
            let mut odd = rule(&format!("r{n}"), 100 + n, "Outbound", "Deny", "Tcp", "*", "*", "*");
            odd["properties"]["sourceAddressPrefix"] = json!(format!("10.1.0.{}", n % 250));
            odd["properties"]["destinationAddressPrefix"] = json!(format!("8.{}.{}.0/24", n % 200, n % 7));
            odd["properties"]["destinationPortRange"] = json!(format!("{}-{}", n * 3, n * 50));
            odd["properties"]["sourcePortRange"] = json!(format!("{}-60000", n * 7));
            odd
        })
        .collect();
    let mut everything = outbound("Internet");
    everything.protocols = Protocols::ANY;
    everything.ports = vec![PortRange::ALL];
    let mut estate = Estate::new();
    estate.records.push(group("other", Vec::new()));
    let inventory = estate.on_subnet(rules).inventory();
    let answer = Exposure::of(&inventory).ask_flow(&resource(&subnet()), &everything, None);
    assert_eq!(answer.verdict, Verdict::Partial);
}
