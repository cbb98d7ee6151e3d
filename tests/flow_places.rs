//! What the graph contributes: whose groups count where, what the great tags hold, who is a member, what was not read.

#[path = "flow/estate.rs"]
#[allow(dead_code)]
mod estate;

use estate::{Estate, SUBSCRIPTION, group, id, resource, rule, subnet};
use mlfence::expectations::NoSecurityAdminRules;
use mlfence::facts::exposure::{Answer, Exposure, Flow, PortRange, Protocols, Term, Verdict};
use mlfence::inventory::security::Direction;
use mlfence::inventory::{Code, Kind, ResourceId, SettleBy};
use serde_json::{Value, json};

fn terms(texts: &str) -> Vec<Term> {
    texts.split(' ').map(|text| text.parse().expect("a term")).collect()
}

fn outbound(remote: &str) -> Flow {
    Flow::tcp(Direction::Outbound, terms(remote), vec![PortRange { first: 443, last: 443 }])
}

fn inbound(remote: &str) -> Flow {
    Flow { direction: Direction::Inbound, ..outbound(remote) }
}

fn deny_out(to: &str) -> Value {
    rule("DenyOut", 300, "Outbound", "Deny", "*", "*", to, "*")
}

fn verdict(answer: &Answer) -> (&'static str, Vec<String>) {
    (answer.verdict.name(), answer.deciders())
}

fn decided(name: &'static str, by: &[&str]) -> (&'static str, Vec<String>) {
    (name, by.iter().map(|text| (*text).to_owned()).collect())
}

// ---- Default routes, gateways, and the cover of public addresses by the two great tags.

#[test]
fn with_default_rules_alone_public_addresses_are_reached_whatever_the_routes_say() {
    for routes in [None, Some(&["0.0.0.0/0"][..]), Some(&["SomeTag"][..]), Some(&["what?"][..])] {
        let estate = Estate::new().on_subnet(Vec::new()).with_routes(routes);
        let expected = decided("allow", &["subnet:AllowVnetOutBound", "subnet:AllowInternetOutBound"]);
        assert_eq!(verdict(&estate.ask(&outbound("8.8.8.8"))), expected, "{routes:?}");
        assert_eq!(verdict(&estate.ask(&outbound("Internet"))), expected, "{routes:?}");
        let both = vec![
            deny_out("Internet"),
            rule("DenyVnet", 301, "Outbound", "Deny", "*", "*", "VirtualNetwork", "*"),
        ];
        let estate = Estate::new().on_subnet(both).with_routes(routes);
        assert_eq!(estate.ask(&outbound("8.8.8.8")).verdict, Verdict::Deny, "{routes:?}");
        let estate = Estate::new().on_subnet(vec![deny_out("Internet")]).with_routes(routes);
        let answer = estate.ask(&outbound("8.8.8.8"));
        assert_eq!(answer.verdict, Verdict::Unknown, "{routes:?}");
        assert!(
            answer.reasons[0].message.contains("route") || answer.reasons[0].message.contains("sometag"),
            "{answer:?}"
        );
    }
    let harmless =
        Estate::new().on_subnet(vec![deny_out("Internet")]).with_routes(Some(&["10.1.5.0/24", "::/0"]));
    assert_eq!(harmless.ask(&outbound("8.8.8.8")).verdict, Verdict::Deny);
}

#[test]
fn a_default_route_may_let_the_internet_in() {
    let rules = vec![
        rule("AllowVnet", 200, "Inbound", "Allow", "*", "VirtualNetwork", "*", "*"),
        rule("DenyInternet", 300, "Inbound", "Deny", "*", "Internet", "*", "*"),
    ];
    let closed = Estate::new().on_subnet(rules.clone());
    assert_eq!(closed.ask(&inbound("Internet")).verdict, Verdict::Deny);
    let open = Estate::new().on_subnet(rules).with_routes(Some(&["0.0.0.0/0"]));
    assert_eq!(open.ask(&inbound("Internet")).verdict, Verdict::Unknown);
}

#[test]
fn gateways_learn_routes() {
    let estate = Estate::new().on_subnet(vec![deny_out("Internet")]);
    assert_eq!(estate.ask(&outbound("8.8.8.8")).verdict, Verdict::Deny);
    let mut gateway = estate.clone();
    let subnets = gateway.vnet["properties"]["subnets"].as_array_mut().expect("subnets");
    subnets.push(json!({"id": format!("{}/subnets/gatewaysubnet", id("virtualNetworks", "vnet")), "properties": {"provisioningState": "Succeeded", "addressPrefix": "10.1.255.0/27"}}));
    assert_eq!(gateway.ask(&outbound("8.8.8.8")).verdict, Verdict::Unknown);
    for flag in [json!(true), json!("what?")] {
        let mut remote = estate.clone();
        remote.vnet["properties"]["virtualNetworkPeerings"] = json!([{"properties": {
            "remoteVirtualNetwork": {"id": id("virtualNetworks", "vnet")}, "peeringState": "Connected",
            "allowVirtualNetworkAccess": true, "useRemoteGateways": flag,
        }}]);
        assert_eq!(remote.ask(&outbound("8.8.8.8")).verdict, Verdict::Unknown, "{flag}");
    }
}

#[test]
fn questions_in_words_mean_what_the_words_mean_here() {
    let plain = Estate::new().on_subnet(Vec::new());
    assert_eq!(
        verdict(&plain.ask(&outbound("VirtualNetwork"))),
        decided("allow", &["subnet:AllowVnetOutBound"])
    );
    assert_eq!(
        verdict(&plain.ask(&inbound("VirtualNetwork"))),
        decided("allow", &["subnet:AllowVnetInBound"])
    );
    assert_eq!(
        verdict(&plain.ask(&inbound("AzureLoadBalancer"))),
        decided("allow", &["subnet:AllowVnetInBound"])
    );
    // Whatever `VirtualNetwork` is, the default rule lets it pass.
    let routed = Estate::new().on_subnet(Vec::new()).with_routes(None);
    assert_eq!(
        verdict(&routed.ask(&outbound("VirtualNetwork"))),
        decided("allow", &["subnet:AllowVnetOutBound"])
    );
    let denied = Estate::new().on_subnet(vec![deny_out("10.1.7.0/24")]);
    assert_eq!(denied.ask(&outbound("VirtualNetwork")).verdict, Verdict::Partial);
    // With an unread route table it is not known whether what is stopped is a part of it at all.
    let beside = Estate::new().on_subnet(vec![deny_out("10.7.0.0/16")]).with_routes(None);
    let answer = beside.ask(&outbound("VirtualNetwork"));
    assert_eq!((answer.verdict, answer.reasons[0].code), (Verdict::Unknown, Code::Denied));
    let anything = Flow {
        protocols: Protocols::ANY,
        ports: vec![PortRange::ALL],
        ..outbound("Internet VirtualNetwork")
    };
    assert_eq!(plain.ask(&anything).verdict, Verdict::Allow);
    assert_eq!(Estate::new().ask(&anything).deciders(), ["no-nsg"]);
}

// ---- The platform.

#[test]
fn the_platform_is_exempt_where_that_is_documented() {
    let closed = Estate::new().on_subnet(vec![deny_out("*")]);
    let ask = |estate: &Estate, remote: &str, port: u16, protocols: Protocols| {
        let ports = vec![PortRange { first: port, last: port }];
        estate.ask(&Flow { protocols, ports, ..outbound(remote) }).verdict
    };
    assert_eq!(ask(&closed, "168.63.129.16", 53, Protocols::UDP), Verdict::Allow);
    assert_eq!(ask(&closed, "168.63.129.16", 53, Protocols::TCP), Verdict::Allow);
    assert_eq!(ask(&closed, "169.254.169.254", 80, Protocols::TCP), Verdict::Allow);
    assert_eq!(ask(&closed, "169.254.169.254", 80, Protocols::UDP), Verdict::Unknown);
    assert_eq!(ask(&closed, "168.63.129.16", 80, Protocols::TCP), Verdict::Unknown);
    assert_eq!(ask(&closed, "*", 443, Protocols::TCP), Verdict::Deny);
    let named = Estate::new().on_subnet(vec![deny_out("AzurePlatformDNS")]);
    assert_eq!(ask(&named, "168.63.129.16", 53, Protocols::UDP), Verdict::Unknown);
    assert_eq!(ask(&named, "8.8.8.8", 53, Protocols::UDP), Verdict::Allow);
    // Inbound probes have no exemption.
    let deny_in = rule("DenyVnet", 300, "Inbound", "Deny", "*", "VirtualNetwork", "*", "*");
    assert_eq!(
        Estate::new().on_subnet(vec![deny_in]).ask(&inbound("AzureLoadBalancer")).verdict,
        Verdict::Deny
    );
}

// ---- Service tags.

#[test]
fn tags_that_are_not_loaded_are_known_by_name_only() {
    let allow =
        |tag: &str| vec![rule("AllowTag", 200, "Outbound", "Allow", "Tcp", "*", tag, "443"), deny_out("*")];
    for (tag, asked, expected) in [
        ("AzureContainerRegistry", "AzureContainerRegistry.WestEurope", "allow"),
        ("azurecontainerregistry.westeurope", "AzureContainerRegistry.WestEurope", "allow"),
        ("AzureContainerRegistry.WestEurope", "AzureContainerRegistry", "unknown"),
        ("AzureContainerRegistry.NorthEurope", "AzureContainerRegistry.WestEurope", "unknown"),
        ("AzureCloud.FranceCentral", "AzureCloud.centralfrance", "allow"),
        ("AzureCloud", "AzureContainerRegistry", "unknown"),
        ("Internet", "AzureContainerRegistry", "unknown"),
        ("*", "AzureContainerRegistry", "allow"),
    ] {
        let mut estate = Estate::new().on_subnet(allow(tag));
        assert_eq!(estate.ask(&outbound(asked)).verdict.name(), expected, "{tag} for {asked}");
        estate.unasked.push(Kind::ServiceTags);
        let answer = estate.ask(&outbound(asked));
        assert_eq!(answer.verdict.name(), expected, "{tag} for {asked}");
        if expected == "unknown" {
            assert!(
                answer.reasons.iter().any(|reason| reason.code == Code::NotAsked),
                "{:?}",
                answer.reasons
            );
        }
    }
    // What stops everything stops an unknown tag as well.
    assert_eq!(Estate::new().on_subnet(vec![deny_out("*")]).ask(&outbound("NewTag")).verdict, Verdict::Deny);
}

#[test]
fn tags_are_found_in_any_spelling_and_azure_cloud_in_both() {
    let tags = json!({"AzureCloud.centralfrance": ["20.40.128.0/19", "2603:1020:800::/47"], "Broken": ["20.1.0.0/16", "x"]});
    for tag in ["AZURECLOUD.CentralFrance", "AzureCloud.FranceCentral"] {
        let rules = vec![rule("Allow", 200, "Outbound", "Allow", "*", "*", tag, "*"), deny_out("*")];
        let estate = Estate::new().with_tags(&tags).on_subnet(rules);
        assert_eq!(estate.ask(&outbound("20.40.130.1")).verdict, Verdict::Allow, "{tag}");
        assert_eq!(estate.ask(&outbound("20.41.0.1")).verdict, Verdict::Deny, "{tag}");
    }
    let rules = vec![rule("Allow", 200, "Outbound", "Allow", "*", "*", "Broken", "*"), deny_out("*")];
    let estate = Estate::new().with_tags(&tags).on_subnet(rules);
    assert_eq!(estate.ask(&outbound("20.1.0.1")).verdict, Verdict::Allow);
    assert_eq!(estate.ask(&outbound("20.2.0.1")).verdict, Verdict::Unknown);
}

// ---- IPv6.

#[test]
fn families_never_mix() {
    let six = |rules: Vec<Value>| {
        let mut estate = Estate::new().on_subnet(rules);
        estate.vnet["properties"]["addressSpace"]["addressPrefixes"] = json!(["10.1.0.0/16", "fd00:1::/48"]);
        estate.interface["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] =
            json!("fd00:1::4");
        estate
    };
    let google = "2001:4860:4860::8888";
    assert_eq!(six(Vec::new()).ask(&outbound(google)).deciders(), ["subnet:AllowInternetOutBound"]);
    assert_eq!(six(vec![deny_out("8.0.0.0/8")]).ask(&outbound(google)).verdict, Verdict::Allow);
    assert_eq!(six(vec![deny_out("::/0")]).ask(&outbound(google)).verdict, Verdict::Deny);
    assert_eq!(six(vec![deny_out("*")]).ask(&outbound(google)).verdict, Verdict::Deny);
    // Whether the IPv4 way to say "everything" covers IPv6 is not documented.
    assert_eq!(six(vec![deny_out("0.0.0.0/0")]).ask(&outbound(google)).verdict, Verdict::Unknown);
    let tags = json!({"AzureCloud": ["20.0.0.0/8", "2001:4860::/32"]});
    let cloud = vec![rule("Allow", 200, "Outbound", "Allow", "*", "*", "AzureCloud", "*"), deny_out("*")];
    assert_eq!(six(cloud).with_tags(&tags).ask(&outbound(google)).verdict, Verdict::Unknown);
    let icmp = Flow { protocols: Protocols::ICMP, ..outbound(google) };
    let deny_icmp = rule("DenyPing", 300, "Outbound", "Deny", "Icmp", "*", "*", "*");
    assert_eq!(six(vec![deny_icmp]).ask(&icmp).verdict, Verdict::Unknown);
}

// ---- Members of application security groups.

#[test]
fn members_are_addresses_of_interfaces() {
    let asg = id("applicationSecurityGroups", "nodes");
    let mut allow = rule("AllowNodes", 200, "Outbound", "Allow", "Tcp", "", "*", "443");
    allow["properties"]["sourceApplicationSecurityGroups"] = json!([{"id": asg.to_uppercase()}]);
    let estate = Estate::new().on_subnet(vec![allow, deny_out("*")]);
    assert_eq!(estate.ask(&outbound("8.8.8.8")).verdict, Verdict::Deny);
    let mut member = estate.clone();
    member.interface["properties"]["ipConfigurations"][0]["properties"]["applicationSecurityGroups"] =
        json!([{"id": asg}]);
    assert_eq!(member.ask(&outbound("8.8.8.8")).verdict, Verdict::Allow);
    for kind in [Kind::NetworkInterfaces, Kind::ScaleSets, Kind::PrivateEndpoints] {
        let mut hidden = estate.clone();
        hidden.hide(kind);
        assert_eq!(hidden.ask(&outbound("8.8.8.8")).verdict, Verdict::Unknown, "{kind}");
        let mut hidden = member.clone();
        hidden.hide(kind);
        assert_eq!(hidden.ask(&outbound("8.8.8.8")).verdict, Verdict::Allow, "{kind}");
    }
    let mut endpoint = estate.clone();
    endpoint
        .records
        .push(json!({"id": id("privateEndpoints", "pe"), "type": "Microsoft.Network/privateEndpoints",
        "properties": {"applicationSecurityGroups": [{"id": asg}]}}));
    assert_eq!(endpoint.ask(&outbound("8.8.8.8")).verdict, Verdict::Unknown);
    // The machines of a scale set have addresses that nobody tells.
    let mut scaled = estate;
    scaled.records.push(scale_set("workers", None, Some(&asg)));
    let answer = scaled.ask(&outbound("8.8.8.8"));
    assert_eq!(answer.verdict, Verdict::Unknown);
    assert!(answer.reasons[0].message.contains("workers"), "{:?}", answer.reasons);
}

// ---- Nodes of a cluster.

fn scale_set(name: &str, nsg: Option<&str>, asg: Option<&str>) -> Value {
    let mut configuration = json!({"name": "one", "properties": {"subnet": {"id": subnet()}}});
    if let Some(asg) = asg {
        configuration["properties"]["applicationSecurityGroups"] = json!([{"id": asg}]);
    }
    let mut interface = json!({"name": "nic", "properties": {"ipConfigurations": [configuration]}});
    if let Some(nsg) = nsg {
        interface["properties"]["networkSecurityGroup"] = json!({"id": id("networkSecurityGroups", nsg)});
    }
    json!({
        "id": format!("{SUBSCRIPTION}/resourceGroups/MC_nodes/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"),
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "properties": {"virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations": [interface]}}},
    })
}

fn node_group() -> ResourceId {
    resource(&format!("{SUBSCRIPTION}/resourceGroups/mc_nodes"))
}

#[test]
fn nodes_carry_the_groups_of_their_scale_sets() {
    let mut estate = Estate::new().on_subnet(Vec::new());
    estate.records.push(group("nodes-nsg", vec![deny_out("Internet")]));
    estate.records.push(scale_set("system", Some("nodes-nsg"), None));
    estate.records.push(scale_set("user", None, None));
    let inventory = estate.inventory();
    let exposure = Exposure::of(&inventory);
    let places = exposure.node_places(&node_group(), &resource(&subnet()), &[]).expect("nodes");
    let answers: Vec<Answer> =
        places.iter().map(|place| exposure.ask(place, &outbound("8.8.8.8"), None)).collect();
    assert_eq!(verdict(&answers[0]), decided("allow", &["subnet:AllowInternetOutBound"]));
    assert_eq!(verdict(&answers[1]), decided("deny", &["networkInterface:DenyOut"]));
    let together = Answer::together(answers).expect("two");
    assert_eq!(together.verdict, Verdict::Partial);
    assert_eq!(
        exposure
            .node_places(&resource("/subscriptions/x/resourceGroups/y"), &resource(&subnet()), &[])
            .map(|_| ())
            .map_err(|r| r.code),
        Err(Code::NotAsked)
    );
    let other = resource(&format!("{}/subnets/other", id("virtualNetworks", "vnet")));
    assert_eq!(
        exposure.node_places(&node_group(), &other, &[]).map(|_| ()).map_err(|r| r.code),
        Err(Code::NotFound)
    );
    estate.hide(Kind::ScaleSets);
    let inventory = estate.inventory();
    let hidden = Exposure::of(&inventory).node_places(&node_group(), &resource(&subnet()), &[]);
    assert_eq!(hidden.map(|_| ()).map_err(|reason| reason.code), Err(Code::Denied));
}

#[test]
fn both_groups_must_allow_in_the_order_of_the_way() {
    let allow = |name: &str| rule(name, 200, "Inbound", "Allow", "Tcp", "Internet", "*", "443");
    let estate = Estate::new().on_subnet(vec![allow("AtSubnet")]).on_interface(vec![allow("AtNic")]);
    assert_eq!(
        verdict(&estate.ask(&inbound("Internet"))),
        decided("allow", &["subnet:AtSubnet", "networkInterface:AtNic"])
    );
    let estate = Estate::new().on_subnet(vec![allow("AtSubnet")]).on_interface(Vec::new());
    let expected = decided("deny", &["subnet:AtSubnet", "networkInterface:DenyAllInBound"]);
    assert_eq!(verdict(&estate.ask(&inbound("Internet"))), expected);
}

#[test]
fn groups_filter_private_endpoints_only_where_the_subnet_says_so() {
    let mut estate =
        Estate::new().on_subnet(vec![rule("DenyAll", 300, "Inbound", "Deny", "*", "*", "*", "*")]);
    estate.interface["properties"]["privateEndpoint"] = json!({"id": id("privateEndpoints", "pe")});
    for (policies, expected) in [
        (json!("Enabled"), "deny"),
        (json!("NetworkSecurityGroupEnabled"), "deny"),
        (json!("Disabled"), "allow"),
        (json!("RouteTableEnabled"), "allow"),
        (json!("What"), "unknown"),
        (json!(null), "unknown"),
    ] {
        estate.vnet["properties"]["subnets"][0]["properties"]["privateEndpointNetworkPolicies"] =
            policies.clone();
        assert_eq!(estate.ask(&inbound("10.1.9.9")).verdict.name(), expected, "{policies}");
    }
}

// ---- Security admin rules.

#[test]
fn security_admin_rules_that_were_not_read_are_a_reservation() {
    let mut estate = Estate::new().on_subnet(Vec::new());
    assert!(estate.ask(&outbound("8.8.8.8")).proven().is_ok(), "a complete list without rows");
    estate.unasked.push(Kind::SecurityAdminRules);
    let inventory = estate.inventory();
    let exposure = Exposure::of(&inventory);
    let answer = exposure.ask_flow(&resource(&subnet()), &outbound("8.8.8.8"), None);
    assert_eq!(answer.verdict, Verdict::Allow);
    let reason = answer.proven().expect_err("reserved");
    assert_eq!(reason.code, Code::NotAsked);
    let settle = reason.settle.expect("a declaration");
    assert_eq!(
        (settle.by, settle.what.as_str()),
        (SettleBy::Declaration, "expectations.security_admin_rules")
    );
    let declared =
        exposure.ask_flow(&resource(&subnet()), &outbound("8.8.8.8"), Some(NoSecurityAdminRules::None));
    assert_eq!(declared.proven(), Ok(Verdict::Allow));
}

#[test]
fn security_admin_rules_in_effect_leave_everything_open() {
    let row = |text: String| {
        json!({"id": format!("{SUBSCRIPTION}/providers/Microsoft.Network/effectiveSecurityAdminRules/one"),
            "type": "microsoft.network/effectivesecurityadminrules", "properties": {"somewhere": [{"id": text}]}})
    };
    let ask = |text: String, declared| {
        let mut estate = Estate::new().on_subnet(Vec::new());
        estate.records.push(row(text));
        let inventory = estate.inventory();
        Exposure::of(&inventory).ask_flow(&resource(&subnet()), &outbound("8.8.8.8"), declared).verdict
    };
    assert_eq!(ask(id("virtualNetworks", "VNET"), None), Verdict::Unknown);
    assert_eq!(ask(subnet(), None), Verdict::Unknown);
    assert_eq!(ask("nothing".to_owned(), None), Verdict::Unknown);
    assert_eq!(ask(id("virtualNetworks", "other"), None), Verdict::Allow);
    assert_eq!(ask(id("virtualNetworks", "vnet"), Some(NoSecurityAdminRules::None)), Verdict::Allow);
}

#[test]
fn always_allow_skips_the_groups() {
    let rules = |does: &str| {
        let inventory = Estate::new()
            .on_subnet(vec![rule("Admin", 10, "Outbound", does, "*", "*", "8.8.8.8", "*")])
            .inventory();
        inventory
            .security_group(&resource(&id("networkSecurityGroups", "subnet-nsg")))
            .expect("read")
            .rules
            .clone()
            .expect("rules")
    };
    let inventory = Estate::new().on_subnet(vec![deny_out("*")]).inventory();
    let exposure = Exposure::of(&inventory);
    let place = exposure.place(&resource(&subnet())).expect("a place");
    let ask = |does: &str, remote: &str| {
        verdict(&exposure.ask_with_admin_rules(&place, &outbound(remote), &rules(does)))
    };
    assert_eq!(ask("AlwaysAllow", "8.8.8.8"), decided("allow", &["admin:Admin"]));
    assert_eq!(ask("AlwaysAllow", "8.8.8.8 8.8.4.4"), decided("partial", &["admin:Admin", "subnet:DenyOut"]));
    assert_eq!(ask("Allow", "8.8.8.8"), decided("deny", &["admin:Admin", "subnet:DenyOut"]));
    assert_eq!(ask("Deny", "8.8.8.8"), decided("deny", &["admin:Admin"]));
}

#[test]
fn a_group_that_is_being_changed_is_a_reservation() {
    let mut estate = Estate::new().on_subnet(Vec::new());
    estate.records[0]["properties"]["provisioningState"] = json!("Updating");
    let answer = estate.ask(&outbound("8.8.8.8"));
    assert_eq!(
        (answer.verdict, answer.proven().map_err(|reason| reason.code)),
        (Verdict::Allow, Err(Code::Transitional))
    );
}

#[test]
fn an_answer_is_written_as_documented() {
    let estate = Estate::new().on_subnet(vec![deny_out("8.8.4.0/24")]);
    let answer = estate.ask(&outbound("8.8.8.8 8.8.4.4"));
    let expected = json!({
        "verdict": "partial",
        "decided_by": ["subnet:DenyOut", "subnet:AllowInternetOutBound"],
        "witness": {
            "allowed": {"protocol": "Tcp", "source": "10.1.0.4", "source_port": 50000, "destination": "8.8.8.8", "port": 443},
            "denied": {"protocol": "Tcp", "source": "10.1.0.4", "source_port": 50000, "destination": "8.8.4.4", "port": 443},
        },
        "reasons": [],
        "reservations": [],
        "unsettled": [],
    });
    assert_eq!(serde_json::to_value(&answer).expect("json"), expected);
    let witness = answer.witness.allowed.expect("one");
    assert_eq!(witness.to_string(), "Tcp 10.1.0.4:50000 → 8.8.8.8:443");
}
