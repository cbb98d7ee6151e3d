//! False passes that an attacker found, each a small change to the healthy estate's cluster `aks-mlw-fraud`: what is
//! recorded beside a good record, lists that contradict each other, words that no witness bears out.

mod support;

use std::collections::BTreeSet;

use armsim::Estate;
use mlfence::audit::{Setup, judge_snapshot};
use mlfence::findings::Status;
use serde_json::{Value, json};
use support::{Place, verdicts};

fn record<'a>(estate: &'a mut Estate, suffix: &str) -> &'a mut Value {
    let ends = |record: &Value| {
        record["id"]
            .as_str()
            .is_some_and(|id| id.to_ascii_lowercase().ends_with(&suffix.to_ascii_lowercase()))
    };
    estate.records.iter_mut().find(|record| ends(record)).unwrap_or_else(|| panic!("no record {suffix}"))
}

const CLUSTER: &str = "managedClusters/aks-mlw-fraud";
const EXTENSION: &str =
    "managedClusters/aks-mlw-fraud/providers/Microsoft.KubernetesConfiguration/extensions/azureml";
const ENDPOINT: &str = "onlineEndpoints/predict-mlw-fraud";
const INTERNAL: &str =
    "MC_rg-ml-fraud_aks-mlw-fraud_westeurope/providers/Microsoft.Network/loadBalancers/kubernetes-internal";
const PUBLIC: &str =
    "MC_rg-ml-fraud_aks-mlw-fraud_westeurope/providers/Microsoft.Network/loadBalancers/kubernetes";

/// A rule that leads from the outbound frontend into the cluster.
fn open(estate: &mut Estate, port: u16) {
    let balancer = record(estate, PUBLIC);
    let frontend = json!({"id": balancer["properties"]["frontendIPConfigurations"][0]["id"]});
    balancer["properties"]["loadBalancingRules"] = json!([{"name": "open", "properties": {
        "frontendIPConfiguration": frontend, "protocol": "Tcp", "frontendPort": port, "backendPort": port,
        "enableFloatingIP": true}}]);
}

fn another_endpoint(estate: &mut Estate, uri: &str) -> usize {
    let mut copy = record(estate, ENDPOINT).clone();
    copy["id"] = json!(format!("{}-2", copy["id"].as_str().expect("an id")));
    copy["properties"]["scoringUri"] = json!(uri);
    estate.records.push(copy);
    estate.records.len() - 1
}

fn public_api_server(estate: &mut Estate) {
    let cluster = record(estate, CLUSTER);
    cluster["properties"]["apiServerAccessProfile"] = json!({"enablePrivateCluster": false});
    cluster["properties"]["fqdn"] = json!("aks-mlw-fraud.hcp.westeurope.azmk8s.io");
}

/// The verdicts of these policies about the cluster or its compute.
fn judged(change: impl FnOnce(&mut Estate), policies: &[&str]) -> Vec<(String, Option<Status>)> {
    let mut estate = armsim::company::healthy();
    change(&mut estate);
    let verdicts = verdicts(&support::report(&estate));
    let subject = |policy: &str| match policy {
        "CNI-001" | "CNI-003" | "RBAC-001" | "SCO-001" => "aks_cluster:aks-mlw-fraud",
        "PRE-002" | "PRE-003" => "workspace:mlw-fraud",
        _ => "aks_compute:k8s-mlw-fraud",
    };
    let at = |policy: &&str| -> Place { ((*policy).to_owned(), subject(policy).to_owned()) };
    policies.iter().map(|policy| ((*policy).to_owned(), verdicts.get(&at(policy)).copied())).collect()
}

fn unknown(name: &str, policies: &[&str], change: impl FnOnce(&mut Estate)) {
    let expected: Vec<_> =
        policies.iter().map(|policy| ((*policy).to_owned(), Some(Status::Unknown))).collect();
    assert_eq!(judged(change, policies), expected, "{name}");
}

#[test]
fn a_named_record_beside_an_address_may_lead_to_a_public_frontend() {
    unknown("a name beside an address", &["ILB-001", "ISO-001", "NSG-001"], |estate| {
        another_endpoint(estate, "http://public.example.com/score");
        open(estate, 80);
        public_api_server(estate);
    });
    unknown("a name with a port of its own", &["ILB-001"], |estate| {
        record(estate, ENDPOINT)["properties"]["scoringUri"] = json!("http://scoring.example.com:8080/score");
        open(estate, 8080);
    });
}

#[test]
fn an_endpoint_of_a_compute_that_nobody_knows_may_run_on_this_one() {
    for compute in ["azureml:k8s-mlw-fraud", "k8s-mlw-fraud", "//"] {
        unknown(compute, &["SCO-001"], |estate| {
            record(estate, ENDPOINT)["properties"]["compute"] = json!(compute);
        });
        unknown(compute, &["ILB-001", "SCO-001"], |estate| {
            let at = another_endpoint(estate, "http://20.86.146.224/score");
            estate.records[at]["properties"]["compute"] = json!(compute);
            open(estate, 80);
        });
    }
}

#[test]
fn without_a_load_balancer_a_recorded_public_address_is_somebody_elses() {
    unknown("a gateway in front", &["ILB-001", "ISO-001"], |estate| {
        record(estate, EXTENSION)["properties"]["configurationSettings"]["inferenceRouterServiceType"] =
            json!("ClusterIP");
        let balancer = record(estate, INTERNAL);
        balancer["properties"]["frontendIPConfigurations"] = json!([]);
        balancer["properties"]["loadBalancingRules"] = json!([]);
        record(estate, ENDPOINT)["properties"]["scoringUri"] = json!("http://52.1.2.3/score");
        public_api_server(estate);
    });
}

#[test]
fn a_vnet_that_aks_made_needs_a_witness() {
    for lost in [None, Some(Value::Null), Some(json!(""))] {
        unknown("no subnet told", &["CNI-001", "CNI-003", "RBAC-001", "PRE-002", "PRE-003"], |estate| {
            let pools = record(estate, CLUSTER)["properties"]["agentPoolProfiles"].as_array_mut();
            for pool in pools.expect("pools") {
                match &lost {
                    Some(value) => pool["vnetSubnetID"] = value.clone(),
                    None => drop(pool.as_object_mut().expect("an object").remove("vnetSubnetID")),
                }
            }
        });
    }
    unknown("a subnet id that is none", &["PRE-002", "PRE-003", "CNI-003"], |estate| {
        record(estate, CLUSTER)["properties"]["agentPoolProfiles"][1]["podSubnetID"] =
            json!("/subscriptions/x");
    });
}

/// Its scale set may be in any subnet, under a group that refuses the scoring port.
#[test]
fn a_pool_whose_machines_nobody_saw_may_be_fenced_otherwise() {
    let made_by_aks = |another: Option<&'static str>| {
        move |estate: &mut Estate| {
            let pools =
                record(estate, CLUSTER)["properties"]["agentPoolProfiles"].as_array_mut().expect("pools");
            let subnet = pools[0]["vnetSubnetID"].as_str().expect("a subnet").to_owned();
            for pool in pools.iter_mut() {
                pool["vnetSubnetID"] = Value::Null;
            }
            if let Some(name) = another {
                let mut unseen = pools[0].clone();
                unseen["name"] = json!(name);
                pools.push(unseen);
            }
            let nodes = record(estate, INTERNAL)["id"].as_str().expect("an id").to_owned();
            let nodes = nodes.split("/providers/").next().expect("a resource group");
            let vnet = subnet.split("/subnets/").next().expect("a VNet");
            let made = format!("{nodes}/providers/Microsoft.Network/virtualNetworks/aks-vnet");
            let text = Value::from(std::mem::take(&mut estate.records)).to_string().replace(vnet, &made);
            estate.records = serde_json::from_str(&text).expect("the same records");
        }
    };
    let passes = [("NSG-001".to_owned(), Some(Status::Pass))];
    assert_eq!(judged(made_by_aks(None), &["NSG-001"]), passes);
    unknown("a pool without a scale set", &["NSG-001"], made_by_aks(Some("unseen")));
}

#[test]
fn an_outbound_type_is_no_way_out_by_itself() {
    unknown("no load balancer leads out", &["CNI-001"], |estate| {
        let id = record(estate, PUBLIC)["id"].clone();
        estate.records.retain(|record| record["id"] != id);
    });
    unknown("no NAT gateway", &["CNI-001"], |estate| {
        record(estate, CLUSTER)["properties"]["networkProfile"]["outboundType"] = json!("managedNATGateway");
    });
    unknown("a load balancer that goes away", &["CNI-001"], |estate| {
        record(estate, PUBLIC)["properties"]["provisioningState"] = json!("Deleting");
    });
    let gateway = |state: &str| {
        let state = json!(state);
        move |estate: &mut Estate| {
            let mut gateway = record(estate, PUBLIC).clone();
            let id =
                gateway["id"].as_str().expect("an id").replace("loadBalancers/kubernetes", "natGateways/out");
            gateway["id"] = json!(id);
            gateway["type"] = json!("Microsoft.Network/natGateways");
            gateway["properties"] =
                json!({"provisioningState": state, "publicIpAddresses": [{"id": format!("{id}-ip")}]});
            estate.records.push(gateway);
            record(estate, CLUSTER)["properties"]["networkProfile"]["outboundType"] =
                json!("managedNATGateway");
        }
    };
    let passes = [("CNI-001".to_owned(), Some(Status::Pass))];
    assert_eq!(judged(gateway("Succeeded"), &["CNI-001"]), passes);
    unknown("a NAT gateway that goes away", &["CNI-001"], gateway("Deleting"));
}

#[test]
fn a_list_that_contradicts_itself_proves_nothing() {
    unknown("rules of a frontend that is not listed", &["ILB-001", "SCO-001", "NSG-001"], |estate| {
        record(estate, INTERNAL)["properties"]["frontendIPConfigurations"] = json!([]);
    });
    unknown("an internal frontend of no subnet", &["ILB-001"], |estate| {
        record(estate, INTERNAL)["properties"]["frontendIPConfigurations"][0]["properties"]["subnet"] =
            json!({"id": "//"});
    });
    for first in ["None", "Internet"] {
        unknown("two default routes", &["CNI-001"], |estate| {
            let id = with_routes(estate, first);
            let vnet = record(estate, "virtualNetworks/vnet-mlw-fraud");
            for subnet in vnet["properties"]["subnets"].as_array_mut().expect("subnets") {
                if subnet["name"] == "snet-aks" {
                    subnet["properties"]["routeTable"] = json!({ "id": id });
                }
            }
        });
    }
}

/// A route table with two default routes, of which one leads nowhere.
fn with_routes(estate: &mut Estate, first: &str) -> Value {
    let table = estate.records.iter().find(|record| record["type"] == "Microsoft.Network/routeTables");
    let mut table = table.expect("the hub has one").clone();
    let id = json!(format!("{}-2", table["id"].as_str().expect("an id")));
    table["id"] = id.clone();
    let second = if first == "None" { "Internet" } else { "None" };
    let route = |name: &str, hop: &str| json!({"name": name, "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": hop}});
    table["properties"]["routes"] = json!([route("a", first), route("b", second)]);
    estate.records.push(table);
    id
}

/// Each declared caller counts, and each port of scoring.
#[test]
fn no_caller_and_no_port_is_left_out() {
    let nsg = |change: &dyn Fn(&mut Estate), callers: &[&str]| {
        let mut estate = armsim::company::healthy();
        change(&mut estate);
        let mut config = support::setup().config.clone();
        let callers = callers.iter().map(|text| text.parse().expect("a prefix")).collect();
        config.expectations.workspaces.clear();
        config.expectations.default.callers = Some(callers);
        let setup = Setup { config, ..support::setup().clone() };
        let report = judge_snapshot(&setup, &support::snapshot(&estate), &BTreeSet::new()).report;
        verdicts(&report)[&("NSG-001".to_owned(), "aks_compute:k8s-mlw-fraud".to_owned())]
    };
    let unchanged = |_: &mut Estate| {};
    assert_eq!(nsg(&unchanged, &["10.255.1.0/24"]), Status::Pass);
    assert_eq!(nsg(&unchanged, &["2001:db8::/32", "10.255.1.0/24"]), Status::Unknown);
    // One of two ports of scoring does not float, and its way to the nodes is closed.
    let mixed = |estate: &mut Estate| {
        another_endpoint(estate, "http://10.20.64.100/score");
        let rules =
            record(estate, INTERNAL)["properties"]["loadBalancingRules"].as_array_mut().expect("rules");
        for rule in rules.iter_mut().filter(|rule| rule["properties"]["frontendPort"] == 443) {
            rule["properties"]["enableFloatingIP"] = json!(false);
            rule["properties"]["backendPort"] = json!(30443);
        }
        let group = record(estate, "networkSecurityGroups/nsg-mlw-fraud");
        group["properties"]["securityRules"].as_array_mut().expect("rules").push(json!({
            "name": "deny-node-port", "properties": {"priority": 110, "direction": "Inbound", "access": "Deny",
                "protocol": "Tcp", "sourceAddressPrefix": "*", "sourcePortRange": "*",
                "destinationAddressPrefix": "*", "destinationPortRange": "30443"}}));
    };
    assert_eq!(nsg(&mixed, &["10.255.1.0/24"]), Status::Unknown);
}

/// An address is the same in whatever form it is written.
#[test]
fn a_mapped_address_is_the_address() {
    let change = |estate: &mut Estate| {
        record(estate, ENDPOINT)["properties"]["scoringUri"] = json!("https://[::ffff:10.20.64.100]/score");
    };
    let expected = ["ILB-001", "SCO-001"].map(|policy| (policy.to_owned(), Some(Status::Pass)));
    assert_eq!(judged(change, &["ILB-001", "SCO-001"]), expected);
}
