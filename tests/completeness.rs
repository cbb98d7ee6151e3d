//! Taking knowledge away: a kind, a field, a list. No verdict may become better by it.

#[path = "support/fields.rs"]
mod fields;
mod support;

use std::cell::Cell;
use std::collections::BTreeSet;

use armsim::Estate;
use fields::change;
use mlfence::findings::{Report, Status};
use mlfence::inventory::field::{self, Absent, Field};
use mlfence::inventory::{Gap, GapReason, Kind, ResourceId, Snapshot};
use serde_json::{Value, json};
use support::{Place, judge, moved, report, snapshot, verdicts};

/// On which kinds of record a pass of each policy rests, and on which a not-applicable; by the catalogue of rules,
/// not by the policies' own word.
const RESTS_ON: &[(&str, &[Kind], &[Kind])] = {
    use Kind::{
        AksClusters, Computes, ContainerGroups, DenyAssignments, LoadBalancers, NetworkSecurityGroups,
        OnlineEndpoints, PrivateEndpoints, Registries, RoleAssignments, RouteTables, ScaleSets, Services,
        VirtualNetworks, Workspaces,
    };
    &[
        ("ACI-001", &[Workspaces, Services, ContainerGroups], &[Workspaces, Services, ContainerGroups]),
        ("ACI-002", &[Workspaces, Services, ContainerGroups], &[Workspaces, Services, ContainerGroups]),
        (
            "ACI-003",
            &[Workspaces, Services, ContainerGroups, Registries, VirtualNetworks],
            &[Workspaces, Services, ContainerGroups],
        ),
        ("ACI-004", &[Services, ContainerGroups, VirtualNetworks], &[Services, ContainerGroups]),
        ("ACI-005", &[Services, ContainerGroups, VirtualNetworks], &[Services]),
        ("ACI-010", &[Services, ContainerGroups], &[]),
        ("AKS-001", &[Workspaces, Computes, AksClusters], &[Workspaces, Computes]),
        ("AKS-002", &[Computes, AksClusters], &[Computes, AksClusters]),
        ("AKS-003", &[Workspaces, Computes, AksClusters], &[Workspaces, Computes]),
        ("AKS-004", &[Computes, AksClusters], &[Computes, AksClusters]),
        (
            "CNI-001",
            &[
                Computes,
                AksClusters,
                LoadBalancers,
                VirtualNetworks,
                NetworkSecurityGroups,
                ScaleSets,
                RouteTables,
            ],
            &[Computes, AksClusters],
        ),
        ("CNI-002", &[Computes, AksClusters, VirtualNetworks], &[Computes, AksClusters]),
        (
            "CNI-003",
            &[Computes, AksClusters, RoleAssignments, DenyAssignments],
            &[Computes, AksClusters, VirtualNetworks],
        ),
        ("CNI-004", &[Computes, AksClusters, VirtualNetworks], &[Computes, AksClusters, VirtualNetworks]),
        ("ILB-001", &[Workspaces, Computes, AksClusters, LoadBalancers], &[Workspaces, Computes]),
        ("ILB-002", &[Computes, AksClusters, LoadBalancers, VirtualNetworks], &[Computes]),
        ("ISO-001", &[Computes, AksClusters], &[Computes]),
        ("ISO-002", &[Computes, AksClusters], &[Computes]),
        ("LIF-001", &[Workspaces, Computes, Services], &[]),
        ("NET-001", &[Computes, AksClusters, VirtualNetworks], &[Computes, AksClusters]),
        ("NET-002", &[Computes, AksClusters], &[Computes, AksClusters]),
        ("NET-003", &[Computes, AksClusters, VirtualNetworks], &[Computes, AksClusters]),
        (
            "NSG-001",
            &[
                Workspaces,
                Computes,
                AksClusters,
                LoadBalancers,
                NetworkSecurityGroups,
                ScaleSets,
                VirtualNetworks,
            ],
            &[Workspaces, Computes],
        ),
        // Without clusters the subnets of web services still pass, and the other way round.
        ("NSG-002", &[VirtualNetworks, NetworkSecurityGroups], &[VirtualNetworks]),
        (
            "NSG-003",
            &[Workspaces, Registries, VirtualNetworks, NetworkSecurityGroups],
            &[VirtualNetworks, NetworkSecurityGroups],
        ),
        ("PRE-001", &[VirtualNetworks], &[]),
        // The deployers of a workspace without clusters need no rights on any.
        (
            "PRE-002",
            &[Workspaces, Computes, Services, ContainerGroups, RoleAssignments, DenyAssignments],
            &[Workspaces, Computes, Services, ContainerGroups],
        ),
        (
            "PRE-003",
            &[Workspaces, Computes, Services, ContainerGroups, RoleAssignments, DenyAssignments],
            &[Workspaces, Computes, Services, ContainerGroups],
        ),
        (
            "RBAC-001",
            &[Computes, AksClusters, RoleAssignments, DenyAssignments],
            &[Computes, AksClusters, VirtualNetworks],
        ),
        (
            "SCO-001",
            &[Computes, AksClusters, Services, OnlineEndpoints, LoadBalancers],
            &[Computes, AksClusters, Services, OnlineEndpoints],
        ),
        // Built-in roles are told above the subscriptions, so that a gap in one takes nothing away.
        // Private endpoints and peerings decide where the workspace itself does not tell the endpoint's subnet.
        ("none", &[PrivateEndpoints], &[]),
    ]
};

fn without(estate: &Snapshot, kind: Kind, subscriptions: &BTreeSet<String>) -> Snapshot {
    let mut estate = estate.clone();
    let below = |id: &ResourceId| id.subscription().is_some_and(|guid| subscriptions.contains(guid));
    estate.records.retain(|id, record| record.kind() != Some(kind) || !below(id));
    for guid in subscriptions {
        let scope = ResourceId::subscription_scope(guid);
        estate.gaps.push(Gap {
            source: kind,
            scope,
            reason: GapReason::Denied,
            detail: "AuthorizationFailed".to_owned(),
        });
    }
    estate
}

fn subscriptions(estate: &Snapshot) -> BTreeSet<String> {
    estate.header.subscriptions.iter().map(|subscription| subscription.id.to_ascii_lowercase()).collect()
}

/// The results of these statuses, as `policy subject`.
fn with(report: &Report, statuses: &[Status]) -> BTreeSet<String> {
    let wanted = report.results.iter().filter(|result| statuses.contains(&result.status));
    wanted.map(|result| format!("{} {}", result.policy, result.subject.id)).collect()
}

#[test]
fn the_table_names_every_policy() {
    let ids: Vec<&str> =
        support::setup().bundle.policies().iter().map(|policy| policy.metadata.id.as_str()).collect();
    let named: Vec<&str> = RESTS_ON.iter().map(|(id, _, _)| *id).filter(|id| *id != "none").collect();
    assert_eq!(named, ids);
}

/// What the healthy estate cannot help: whoever serves by v1 violates these two, however well it is built, and a private
/// cluster of which Azure Machine Learning says that it made it is one that the catalogue neither passes nor fails.
const NOT_HELPED: &[(&str, &str, Status)] = &[
    ("ACI-010", "aci_service:score-mlw-vision", Status::Fail),
    ("AKS-004", "aks_compute:inf-mlw-churn-created", Status::Unknown),
    ("LIF-001", "workspace:mlw-churn", Status::Fail),
    ("LIF-001", "workspace:mlw-vision", Status::Fail),
];

/// The policies that pass somewhere.
fn passing(report: &Report) -> BTreeSet<String> {
    let passing = report.results.iter().filter(|result| result.status == Status::Pass);
    passing.map(|result| result.policy.clone()).collect()
}

#[test]
fn every_policy_passes_somewhere_on_the_healthy_estate_and_none_fails() {
    let report = report(&armsim::company::healthy());
    let all = RESTS_ON.iter().map(|(id, _, _)| (*id).to_owned()).filter(|id| id != "none");
    // Its only web service on container instances lives in a VNet; the demo has a public one.
    let all: BTreeSet<String> = all.filter(|id| id != "ACI-010").collect();
    assert_eq!(passing(&report), all);
    let wrong: Vec<(String, String, Status)> = verdicts(&report)
        .into_iter()
        .filter(|(_, status)| matches!(status, Status::Fail | Status::Unknown))
        .map(|((policy, subject), status)| (policy, subject, status))
        .collect();
    let expected: Vec<(String, String, Status)> = NOT_HELPED
        .iter()
        .map(|(policy, subject, status)| ((*policy).to_owned(), (*subject).to_owned(), *status))
        .collect();
    assert_eq!(wrong, expected);
}

#[test]
fn a_public_service_passes_where_a_vnet_is_unsupported() {
    let places = verdicts(&report(&armsim::company::demo().0));
    let place = ("ACI-010".to_owned(), "aci_service:score-playground".to_owned());
    assert_eq!(places.get(&place), Some(&Status::Pass));
}

/// Without v1 nothing is excused.
#[test]
fn without_v1_every_subject_of_the_healthy_estate_passes_or_is_not_concerned() {
    let report = report(&support::without_v1());
    assert_eq!(with(&report, &[Status::Fail, Status::Unknown]), BTreeSet::new());
    let passing = passing(&report);
    for policy in ["AKS-001", "AKS-004", "CNI-004", "LIF-001", "PRE-001"] {
        assert!(passing.contains(policy), "{policy}: {passing:?}");
    }
}

#[test]
fn without_a_kind_no_verdict_that_rests_on_it_stands() {
    let whole = snapshot(&armsim::company::healthy());
    for kind in Kind::ALL.iter().copied() {
        let less = judge(&without(&whole, kind, &subscriptions(&whole))).report;
        for (policy, pass, not_applicable) in RESTS_ON {
            for result in less.results.iter().filter(|result| result.policy == *policy) {
                let relied = match result.status {
                    Status::Pass => *pass,
                    Status::NotApplicable => *not_applicable,
                    _ => &[],
                };
                assert!(
                    !relied.contains(&kind),
                    "without {kind}: {policy} is {:?} for {}",
                    result.status,
                    result.subject.id
                );
            }
        }
    }
}

#[test]
fn without_a_kind_nothing_becomes_better_and_the_reason_names_it() {
    let whole = snapshot(&armsim::company::healthy());
    let before = judge(&whole).report;
    for kind in Kind::ALL.iter().copied() {
        let less = without(&whole, kind, &subscriptions(&whole));
        let after = judge(&less).report;
        for (place, (was, is)) in moved(&before, &after) {
            // A container group whose service record is out of sight stands for itself, proven by its image, and
            // what is wrong with it is as wrong as before.
            let stands_for_itself = was.is_none() && place.1.starts_with("aci_service:score-mlw-vision-");
            let better = match is {
                Some(Status::Fail) => !(stands_for_itself && kind == Kind::Services),
                is => matches!(is, Some(Status::Pass | Status::NotApplicable)),
            };
            assert!(!better, "without {kind}, {place:?} went from {was:?} to {is:?}");
        }
        // What was unknown before has its own reasons.
        let was_unknown = with(&before, &[Status::Unknown]);
        let unknown = after.results.iter().filter(|result| result.status == Status::Unknown);
        for result in unknown
            .filter(|result| !was_unknown.contains(&format!("{} {}", result.policy, result.subject.id)))
        {
            let named = result.reasons.iter().any(|reason| reason.message.contains(kind.name()));
            assert!(named, "without {kind}, {} says {:?}", result.policy, result.reasons);
        }
    }
}

/// A gap that comes to a lost field makes nothing better either: what is not read must not be taken for a witness. The two
/// pairs that once did, and every ninety-seventh of all pairs of a field and a kind.
#[test]
fn a_gap_beside_a_lost_field_makes_nothing_better() {
    let pairs: Vec<(&Field, Kind)> =
        fields().flat_map(|field| Kind::ALL.iter().map(move |kind| (field, *kind))).collect();
    let once = [
        (&field::CLUSTER_POOL_SUBNET, Kind::VirtualNetworks),
        (&field::BALANCER_FRONTENDS, Kind::LoadBalancers),
    ];
    for whole in [armsim::company::healthy(), armsim::company::demo().0].map(|estate| snapshot(&estate)) {
        for (field, kind) in once.into_iter().chain(pairs.iter().copied().step_by(97)) {
            let (lost, times) = change(&whole, field, &|object, key| drop(object.remove(key)));
            if times == 0 {
                continue;
            }
            let before = judge(&lost).report;
            let after = judge(&without(&lost, kind, &subscriptions(&lost))).report;
            for (place, (was, is)) in moved(&before, &after) {
                let what = format!("without {} {} and {kind}", field.kind, field.path);
                assert!(!better(&place, was, is), "{what}: {place:?} went from {was:?} to {is:?}");
            }
        }
    }
}

/// A kind that brings subjects to light leaves one hidden subject per policy of theirs.
#[test]
fn hidden_subjects_are_shown() {
    let whole = snapshot(&armsim::company::healthy());
    for (kind, expected) in [
        (Kind::Workspaces, 30),
        (Kind::Computes, 21),
        (Kind::Services, 9),
        (Kind::ContainerGroups, 9),
        (Kind::VirtualNetworks, 0),
    ] {
        for guid in subscriptions(&whole) {
            let after = judge(&without(&whole, kind, &BTreeSet::from([guid.clone()]))).report;
            let hidden: Vec<_> = after.results.iter().filter(|result| result.subject.hidden).collect();
            assert_eq!(hidden.len(), expected, "without {kind} of {guid}");
            for result in hidden {
                assert_eq!(result.status, Status::Unknown);
                assert_eq!(result.subject.id, ResourceId::subscription_scope(&guid));
            }
        }
    }
}

/// A kind that the snapshot's header does not name was not asked for: never "none".
#[test]
fn an_older_file_without_a_kind_says_not_asked() {
    let mut older = snapshot(&armsim::company::healthy());
    older.header.kinds.remove(&Kind::VirtualNetworks);
    older.records.retain(|_, record| record.kind() != Some(Kind::VirtualNetworks));
    let report = judge(&older).report;
    let result = report.results.iter().find(|result| result.policy == "NET-001").expect("NET-001 was judged");
    let reason = result.reason.as_ref().expect("it is unknown");
    assert_eq!((reason.code.name(), result.status), ("not_asked", Status::Unknown));
}

/// An estate in which the fields appear that the healthy one lacks: a container group without service record, placed by
/// a network profile; a registry with VNet rules; private endpoints that only their own records place, manually
/// approved; pods with a subnet of their own; subnets with several prefixes.
fn older() -> Estate {
    let mut estate = armsim::company::healthy();
    let mut profiles = Vec::new();
    estate.records.retain(|record| record["properties"]["computeType"] != "ACI");
    for record in &mut estate.records {
        let kind = record["type"].as_str().unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "microsoft.containerinstance/containergroups" => {
                let subnets = record["properties"]["subnetIds"].take();
                let id = record["id"].as_str().expect("an id").to_owned();
                let profile = id.replace(
                    "Microsoft.ContainerInstance/containerGroups",
                    "Microsoft.Network/networkProfiles",
                );
                record["properties"]["networkProfile"] = json!({ "id": profile });
                profiles.push(json!({
                    "id": profile, "type": "Microsoft.Network/networkProfiles", "name": "profile", "location": "westeurope",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "containerNetworkInterfaceConfigurations": [
                            {"properties": {"ipConfigurations": [{"properties": {"subnet": {"id": subnets[0]["id"]}}}]}}
                        ],
                        "containerNetworkInterfaces": [{"properties": {"container": {"id": id}}}],
                    }
                }));
            }
            "microsoft.containerregistry/registries" => {
                record["properties"]["networkRuleSet"]["virtualNetworkRules"] = json!([{"id": "/subscriptions/00000000-0000-0000-0000-0000000000ff/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/elsewhere/subnets/s"}]);
            }
            "microsoft.machinelearningservices/workspaces" => {
                // Its own hub: the same connections once more.
                record["properties"]["hubResourceId"] = record["id"].clone();
                for connection in
                    record["properties"]["privateEndpointConnections"].as_array_mut().into_iter().flatten()
                {
                    connection["properties"]["privateEndpoint"]
                        .as_object_mut()
                        .map(|endpoint| endpoint.remove("subnetArmId"));
                }
            }
            "microsoft.network/privateendpoints" => {
                let properties = record["properties"].as_object_mut().expect("an object");
                let connections = properties.insert("privateLinkServiceConnections".to_owned(), json!([]));
                properties.insert(
                    "manualPrivateLinkServiceConnections".to_owned(),
                    connections.unwrap_or_default(),
                );
            }
            "microsoft.containerservice/managedclusters" => {
                record["properties"]["networkProfile"]["dockerBridgeCidr"] = json!("172.17.0.1/16");
                record["properties"]["apiServerAccessProfile"]["subnetId"] =
                    record["properties"]["agentPoolProfiles"][0]["vnetSubnetID"].clone();
                record["extendedLocation"] = json!({"type": "EdgeZone", "name": "somewhere"});
                for pool in record["properties"]["agentPoolProfiles"].as_array_mut().into_iter().flatten() {
                    pool["podSubnetID"] = pool["vnetSubnetID"].clone();
                }
            }
            "microsoft.network/loadbalancers" => {
                let frontend = json!({"id": record["properties"]["frontendIPConfigurations"][0]["id"]});
                let translation = json!([{"properties": {"frontendIPConfiguration": frontend}}]);
                record["properties"]["inboundNatRules"] = translation.clone();
                record["properties"]["inboundNatPools"] = translation;
                for frontend in
                    record["properties"]["frontendIPConfigurations"].as_array_mut().into_iter().flatten()
                {
                    if frontend["properties"]["subnet"].is_null() {
                        frontend["properties"]["publicIPPrefix"] = json!({"id": "/subscriptions/00000000-0000-0000-0000-0000000000ff/resourceGroups/g/providers/Microsoft.Network/publicIPPrefixes/p"});
                    }
                }
            }
            "microsoft.network/natgateways" => {
                record["properties"]["publicIpPrefixes"] = record["properties"]["publicIpAddresses"].take();
            }
            "microsoft.network/virtualnetworks" => {
                for peering in
                    record["properties"]["virtualNetworkPeerings"].as_array_mut().into_iter().flatten()
                {
                    peering["properties"]["peerCompleteVnets"] = json!(true);
                }
                for subnet in record["properties"]["subnets"].as_array_mut().into_iter().flatten() {
                    let prefix = subnet["properties"]["addressPrefix"].take();
                    subnet["properties"]["addressPrefixes"] = json!([prefix, "fd00:db8::/64"]);
                }
            }
            _ => {}
        }
    }
    estate.records.extend(profiles);
    estate
}

/// The healthy estate with service endpoints on every subnet.
fn with_service_endpoints() -> Estate {
    let mut estate = armsim::company::healthy();
    for record in &mut estate.records {
        for subnet in record["properties"]["subnets"].as_array_mut().into_iter().flatten() {
            subnet["properties"]["serviceEndpoints"] =
                json!([{"service": "Microsoft.Storage", "locations": ["*"]}]);
        }
    }
    estate
}

/// The healthy estate with a NAT gateway and a route table on the clusters' subnets.
fn with_a_way_out() -> Estate {
    let mut estate = armsim::company::healthy();
    let one = |kind: &str| {
        let record = estate.records.iter().find(|record| record["type"] == kind).expect("the hub has one");
        record["id"].clone()
    };
    let (gateway, table) = (one("Microsoft.Network/natGateways"), one("Microsoft.Network/routeTables"));
    for record in &mut estate.records {
        for subnet in record["properties"]["subnets"].as_array_mut().into_iter().flatten() {
            if subnet["name"] == "snet-aks" {
                subnet["properties"]["natGateway"] = json!({ "id": gateway });
                subnet["properties"]["routeTable"] = json!({ "id": table });
            }
        }
    }
    estate
}

fn estates() -> [Snapshot; 5] {
    [
        armsim::company::healthy(),
        armsim::company::demo().0,
        older(),
        with_service_endpoints(),
        with_a_way_out(),
    ]
    .map(|estate| snapshot(&estate))
}

/// Whether a verdict claims more than before. A subject that only now appears (a compute that no longer tells that it is
/// an Arc cluster) may be one that a rule does not apply to; and a container group whose service no longer tells its
/// address stands for itself, proven by its image.
fn better(place: &Place, was: Option<Status>, is: Option<Status>) -> bool {
    match is {
        Some(Status::Pass) => was.is_some() || !place.1.starts_with("aci_service:score-"),
        Some(Status::NotApplicable) => was.is_some(),
        _ => false,
    }
}

/// Every field that facts read.
fn fields() -> impl Iterator<Item = &'static Field> {
    [field::ALL, field::ACCESS_ALL, field::FLOW_ALL, field::SERVING_ALL].into_iter().flatten().copied()
}

/// Every field that facts read, against what its absence means.
#[test]
fn a_field_that_is_not_told_never_makes_a_verdict_better() {
    let estates = estates();
    let before: Vec<Report> = estates.iter().map(|estate| judge(estate).report).collect();
    let mut unread = Vec::new();
    for field in fields() {
        let mut seen = 0;
        let mut to_unknown = 0;
        for (estate, before) in estates.iter().zip(&before) {
            let (removed, times) = change(estate, field, &|object, key| drop(object.remove(key)));
            if times == 0 {
                continue;
            }
            seen += times;
            let after = judge(&removed).report;
            if seen == times {
                // In the first estate that holds the field; reading it is the same everywhere.
                let (nulled, _) =
                    change(estate, field, &|object, key| drop(object.insert(key.to_owned(), Value::Null)));
                assert_eq!(
                    judge(&nulled).report.results,
                    after.results,
                    "{} {}: null is not the same as missing",
                    field.kind,
                    field.path
                );
            }
            if field.absent == Absent::Nothing {
                continue;
            }
            for (place, (was, is)) in moved(before, &after) {
                assert!(
                    !better(&place, was, is),
                    "without {} {}: {place:?} went from {was:?} to {is:?}",
                    field.kind,
                    field.path
                );
                to_unknown += usize::from(is == Some(Status::Unknown));
            }
        }
        // That each field of flows and rights is noticed is shown where those engines are tested alone.
        let of_engines =
            [field::ACCESS_ALL, field::FLOW_ALL].concat().iter().any(|one| std::ptr::eq(*one, field));
        if !of_engines && (seen == 0 || field.absent == Absent::NotTold && to_unknown == 0) {
            unread.push(format!(
                "{} {}: seen {seen} times, moved {to_unknown} verdicts to unknown",
                field.kind, field.path
            ));
        }
    }
    assert!(
        unread.is_empty(),
        "fields that no estate holds, or whose absence nothing notices:\n{}",
        unread.join("\n")
    );
}

#[test]
fn an_emptied_list_is_none_only_where_the_table_says_so() {
    let estates = estates();
    let before: Vec<Report> = estates.iter().map(|estate| judge(estate).report).collect();
    for field in fields().filter(|field| field.empty != Absent::Nothing) {
        for (estate, before) in estates.iter().zip(&before) {
            let empty = |object: &mut serde_json::Map<String, Value>, key: &str| {
                let empty = match object.get(key) {
                    Some(Value::Array(_)) => json!([]),
                    Some(Value::String(_)) => json!(""),
                    _ => Value::Null,
                };
                object.insert(key.to_owned(), empty);
            };
            let (emptied, times) = change(estate, field, &empty);
            if times == 0 {
                continue;
            }
            for (place, (was, is)) in moved(before, &judge(&emptied).report) {
                assert!(
                    !better(&place, was, is),
                    "emptied {} {}: {place:?} went from {was:?} to {is:?}",
                    field.kind,
                    field.path
                );
            }
        }
    }
}

#[test]
fn a_field_of_the_wrong_type_never_makes_a_verdict_better() {
    let estates = estates();
    let before: Vec<Report> = estates.iter().map(|estate| judge(estate).report).collect();
    for field in fields() {
        for wrong in [json!(42), json!(["x", 1]), json!({"surprise": true})] {
            let broken = |(estate, before)| {
                let (broken, times) =
                    change(estate, field, &|object, key| drop(object.insert(key.to_owned(), wrong.clone())));
                (times > 0).then_some((broken, before))
            };
            // The first estate that holds the field.
            if let Some((broken, before)) = estates.iter().zip(&before).find_map(broken) {
                for (place, (was, is)) in moved(before, &judge(&broken).report) {
                    assert!(
                        !better(&place, was, is),
                        "{} {} = {wrong}: {place:?} went from {was:?} to {is:?}",
                        field.kind,
                        field.path
                    );
                }
            }
        }
    }
}

/// Azure's enumerations grow: a word that nobody knew when this was written proves nothing, in whichever field it stands.
#[test]
fn a_word_that_nobody_knows_never_makes_a_verdict_better() {
    let estates = estates();
    let before: Vec<Report> = estates.iter().map(|estate| judge(estate).report).collect();
    let word = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.chars().all(|c| c.is_ascii_alphabetic())
    };
    let mut wrong = Vec::new();
    for field in fields() {
        // The healthy estate and the demo hold every such field.
        for (estate, before) in estates.iter().zip(&before).take(2) {
            let words = Cell::new(0);
            let (changed, _) = change(estate, field, &|object, key| {
                if object.get(key).and_then(Value::as_str).is_some_and(word) {
                    object.insert(key.to_owned(), json!("Novelty"));
                    words.set(words.get() + 1);
                }
            });
            if words.get() == 0 {
                continue;
            }
            for (place, (was, is)) in moved(before, &judge(&changed).report) {
                if better(&place, was, is) {
                    wrong.push(format!(
                        "{} {}: {place:?} went from {was:?} to {is:?}",
                        field.kind, field.path
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

/// The order of lines, and the case of ids, change nothing.
#[test]
fn order_and_casing_do_not_matter() {
    let estate = armsim::company::demo().0;
    let plain = report(&estate);
    let mut reversed = estate.clone();
    reversed.records.reverse();
    assert_eq!(report(&reversed).results, plain.results);
    let mut shouted = estate.clone();
    for record in &mut shouted.records {
        shout_ids(record);
    }
    let after = report(&shouted);
    let statuses = |report: &Report| -> Vec<_> {
        report
            .results
            .iter()
            .map(|r| {
                (
                    r.policy.clone(),
                    r.subject.clone(),
                    r.status,
                    r.violations.iter().map(|v| v.id.clone()).collect::<Vec<_>>(),
                )
            })
            .collect()
    };
    assert_eq!(statuses(&after), statuses(&plain));
}

/// Upper-cases every ARM id in a record.
fn shout_ids(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("/subscriptions/") => *text = text.to_ascii_uppercase(),
        Value::Array(items) => items.iter_mut().for_each(shout_ids),
        Value::Object(object) => object.values_mut().for_each(shout_ids),
        _ => {}
    }
}
