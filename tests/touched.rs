//! What else a change of a resource touches: whom the inventory shows, and when it says that there may be others.

use mlfence::facts::touched;
use mlfence::inventory::{Inventory, Kind, ResourceId, Snapshot};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";
const ELSEWHERE: &str = "/subscriptions/00000000-0000-0000-0000-000000000002";

fn at(subscription: &str, arm_type: &str, name: &str) -> String {
    format!("{subscription}/resourceGroups/rg/providers/{arm_type}/{name}")
}

fn here(arm_type: &str, name: &str) -> String {
    at(SUBSCRIPTION, arm_type, name)
}

fn subnet(name: &str) -> String {
    format!("{}/subnets/{name}", here("Microsoft.Network/virtualNetworks", "vnet"))
}

fn nsg() -> String {
    here("Microsoft.Network/networkSecurityGroups", "nsg")
}

fn table() -> String {
    here("Microsoft.Network/routeTables", "rt")
}

fn cluster() -> String {
    here("Microsoft.ContainerService/managedClusters", "aks")
}

fn workspace(name: &str) -> String {
    here("Microsoft.MachineLearningServices/workspaces", name)
}

fn registry() -> String {
    here("Microsoft.ContainerRegistry/registries", "cr")
}

/// One of everything, and something beside it that is not touched.
fn records() -> Vec<Value> {
    let record = |id: &str, arm_type: &str, properties: Value| json!({"id": id, "type": arm_type, "properties": properties});
    let vnet = "Microsoft.Network/virtualNetworks";
    let interface = |subnet_id: &str, nsg: Option<String>| {
        json!({"networkSecurityGroup": nsg.map(|id| json!({"id": id})),
               "ipConfigurations": [{"properties": {"subnet": {"id": subnet_id}}}]})
    };
    let set = |nsg: Option<String>| json!({"virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations": [{"properties": interface(&subnet("nodes"), nsg)}]}}});
    let compute = |workspace: &str, name: &str, properties: Value| {
        let arm_type = "Microsoft.MachineLearningServices/workspaces/computes";
        record(&format!("{workspace}/computes/{name}"), arm_type, properties)
    };
    vec![
        record(
            &here(vnet, "vnet"),
            vnet,
            json!({"subnets": [
                {"id": subnet("nodes"), "properties": {"networkSecurityGroup": {"id": nsg().to_uppercase()}, "routeTable": {"id": table()}}},
                {"id": subnet("endpoints"), "properties": {}},
            ]}),
        ),
        record(&nsg(), "Microsoft.Network/networkSecurityGroups", json!({})),
        record(&table(), "Microsoft.Network/routeTables", json!({})),
        record(
            &here("Microsoft.Network/networkInterfaces", "nic"),
            "Microsoft.Network/networkInterfaces",
            interface(&subnet("nodes"), Some(nsg())),
        ),
        record(
            &here("Microsoft.Network/networkInterfaces", "other"),
            "Microsoft.Network/networkInterfaces",
            interface(&subnet("nodes"), None),
        ),
        record(
            &here("Microsoft.Compute/virtualMachineScaleSets", "pool"),
            "Microsoft.Compute/virtualMachineScaleSets",
            set(Some(nsg())),
        ),
        record(
            &here("Microsoft.Compute/virtualMachineScaleSets", "other"),
            "Microsoft.Compute/virtualMachineScaleSets",
            set(None),
        ),
        record(
            &cluster(),
            "Microsoft.ContainerService/managedClusters",
            json!({"agentPoolProfiles": [{"vnetSubnetID": subnet("nodes")}]}),
        ),
        record(
            &here("Microsoft.ContainerService/managedClusters", "made"),
            "Microsoft.ContainerService/managedClusters",
            json!({"nodeResourceGroup": "mc", "agentPoolProfiles": [{"name": "default"}]}),
        ),
        record(
            &here("Microsoft.ContainerInstance/containerGroups", "aci"),
            "Microsoft.ContainerInstance/containerGroups",
            json!({"subnetIds": [{"id": subnet("nodes")}], "containers": []}),
        ),
        record(
            &here("Microsoft.Network/privateEndpoints", "pe"),
            "Microsoft.Network/privateEndpoints",
            json!({"subnet": {"id": subnet("endpoints")}}),
        ),
        record(
            &workspace("one"),
            "Microsoft.MachineLearningServices/workspaces",
            json!({"containerRegistry": registry()}),
        ),
        record(&workspace("two"), "Microsoft.MachineLearningServices/workspaces", json!({})),
        compute(&workspace("one"), "k8s", json!({"computeType": "Kubernetes", "resourceId": cluster()})),
        compute(&workspace("two"), "cpu", json!({"computeType": "AmlCompute"})),
        record(&registry(), "Microsoft.ContainerRegistry/registries", json!({})),
    ]
}

fn inventory(records: &[Value], gaps: &[(Kind, &str)]) -> Inventory {
    let kinds: serde_json::Map<String, Value> =
        Kind::ALL.iter().map(|kind| (kind.name().to_owned(), json!({"via": "resource_graph"}))).collect();
    let ids = [SUBSCRIPTION, ELSEWHERE]
        .map(|id| json!({"id": id.trim_start_matches("/subscriptions/"), "name": ""}));
    let mut lines = vec![json!({
        "mlfence": "snapshot/1", "taken_at": "2026-11-23T05:00:00Z", "tenant_id": "t", "cloud": "public",
        "subscriptions": ids, "kinds": kinds,
    })];
    lines.extend(records.iter().map(|record| json!({"record": record})));
    lines.extend(gaps.iter().map(|(kind, scope)| {
        json!({"gap": {"source": kind.name(), "scope": scope, "reason": "denied", "detail": ""}})
    }));
    lines.push(json!({"end": {"records": records.len(), "answers": 0, "gaps": gaps.len()}}));
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    Inventory::build(&Snapshot::read(text.join("\n").as_bytes()).expect("a snapshot"))
}

/// Whom a change of `of` touches, as `TYPE/NAME` or `NAME` of its last segments, and whether there may be others.
#[track_caller]
fn check(inventory: &Inventory, of: &str, known: &[&str], others: Option<&str>) {
    let id = ResourceId::parse(of).expect("an id");
    let found = touched(inventory, &id).expect("it is asked for");
    let names: Vec<&str> = found.known.iter().map(ResourceId::name).collect();
    assert_eq!(names, known, "{of}");
    match (others, &found.unread) {
        (None, None) => {}
        (Some(part), Some(reason)) => assert!(reason.message.contains(part), "{of}: {reason:?}"),
        (wanted, reason) => panic!("{of}: {reason:?} instead of {wanted:?}"),
    }
}

#[test]
fn everything_that_hangs_on_a_resource_is_found() {
    let all = inventory(&records(), &[]);
    let vnet = here("Microsoft.Network/virtualNetworks", "vnet");
    check(&all, &nsg(), &["pool", "nic", "nodes"], None);
    check(&all, &table(), &["nodes"], None);
    check(&all, &subnet("nodes"), &["aci", "aks"], None);
    check(&all, &subnet("endpoints"), &["pe"], None);
    check(&all, &subnet("no-such"), &[], None);
    check(&all, &vnet, &["aci", "aks", "pe"], None);
    check(&all, &cluster(), &["one"], None);
    check(&all, &registry(), &["one"], None);
    check(&all, &format!("{SUBSCRIPTION}/resourceGroups/RG"), &["aks", "made", "vnet"], None);
    check(&all, &format!("{SUBSCRIPTION}/resourceGroups/r"), &[], None);
    // AKS made this VNet for the cluster that names no subnet.
    let made =
        format!("{SUBSCRIPTION}/resourceGroups/mc/providers/Microsoft.Network/virtualNetworks/aks-vnet");
    check(&all, &made, &["made"], None);
    check(&all, &format!("{made}/subnets/aks-subnet"), &["made"], None);
}

#[test]
fn nobody_is_looked_for_behind_other_resources() {
    let all = inventory(&records(), &[]);
    for other in [
        workspace("one"),
        SUBSCRIPTION.to_owned(),
        "/".to_owned(),
        format!("{}/computes/k8s", workspace("one")),
    ] {
        assert_eq!(touched(&all, &ResourceId::parse(&other).expect("an id")), None, "{other}");
    }
}

#[test]
fn what_was_not_read_may_hide_others() {
    let here_and_there = [SUBSCRIPTION, ELSEWHERE];
    for scope in here_and_there {
        let workspaces = inventory(&records(), &[(Kind::Workspaces, scope)]);
        check(&workspaces, &cluster(), &["one"], Some("workspaces of"));
        check(&workspaces, &registry(), &["one"], Some("workspaces of"));
        check(&inventory(&records(), &[(Kind::Computes, scope)]), &cluster(), &["one"], Some("computes of"));
        let endpoints = inventory(&records(), &[(Kind::PrivateEndpoints, scope)]);
        check(&endpoints, &subnet("nodes"), &["aci", "aks"], Some("private_endpoints of"));
    }
    // Security groups and route tables are attached within their subscription only.
    for (kind, of) in [
        (Kind::VirtualNetworks, nsg()),
        (Kind::NetworkInterfaces, nsg()),
        (Kind::ScaleSets, nsg()),
        (Kind::VirtualNetworks, table()),
    ] {
        let known: &[&str] = if of == nsg() { &["pool", "nic", "nodes"] } else { &["nodes"] };
        check(&inventory(&records(), &[(kind, SUBSCRIPTION)]), &of, known, Some(kind.name()));
        check(&inventory(&records(), &[(kind, ELSEWHERE)]), &of, known, None);
    }
    let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
    let inside = inventory(&records(), &[(Kind::AksClusters, &group)]);
    check(&inside, &group, &["aks", "made", "vnet"], Some("aks_clusters of"));
}

#[test]
fn what_a_record_does_not_tell_may_hide_others() {
    let change = |name: &str, properties: Value| {
        let mut records = records();
        let record =
            records.iter_mut().find(|record| record["id"].as_str().is_some_and(|id| id.ends_with(name)));
        record.expect("it is there")["properties"] = properties;
        inventory(&records, &[])
    };
    let untold = change("computes/k8s", json!({"computeType": "Kubernetes"}));
    check(&untold, &cluster(), &[], Some("resourceId"));
    let untold = change("privateEndpoints/pe", json!({}));
    check(&untold, &subnet("endpoints"), &[], Some("subnet"));
    let untold = change("virtualMachineScaleSets/pool", json!({}));
    check(&untold, &nsg(), &["nic", "nodes"], Some("networkInterfaceConfigurations"));
    let untold = change("containerGroups/aci", json!({}));
    check(&untold, &subnet("nodes"), &["aks"], Some("neither a subnet"));
}
