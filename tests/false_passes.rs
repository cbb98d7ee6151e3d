//! Ways in which a pass, a not-applicable or a silence was once claimed without proof, each named after what went wrong.

mod support;

use armsim::Estate;
use mlfence::findings::{Report, Status};
use serde_json::{Value, json};
use support::report;

fn of_type<'a>(estate: &'a mut Estate, wanted: &'a str) -> impl Iterator<Item = &'a mut Value> {
    estate
        .records
        .iter_mut()
        .filter(move |record| record["type"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
}

const WORKSPACE: &str = "Microsoft.MachineLearningServices/workspaces";
const COMPUTE: &str = "Microsoft.MachineLearningServices/workspaces/computes";
const SERVICE: &str = "Microsoft.MachineLearningServices/workspaces/services";
const CLUSTER: &str = "Microsoft.ContainerService/managedClusters";
const GROUP: &str = "Microsoft.ContainerInstance/containerGroups";
const REGISTRY: &str = "Microsoft.ContainerRegistry/registries";
const VNET: &str = "Microsoft.Network/virtualNetworks";
const ENDPOINT: &str = "Microsoft.Network/privateEndpoints";

/// The statuses of a policy's results, without the hidden ones.
fn statuses(report: &Report, policy: &str) -> Vec<Status> {
    let of = report.results.iter().filter(|result| result.policy == policy && !result.subject.hidden);
    of.map(|result| result.status).collect()
}

/// Policies of which a result has one of these statuses.
fn with(report: &Report, wanted: &[Status]) -> Vec<String> {
    let of = report.results.iter().filter(|result| wanted.contains(&result.status));
    of.map(|result| format!("{} {}", result.policy, result.subject.id.name())).collect()
}

#[test]
fn subscriptions_that_nobody_saw_may_hide_subjects_of_every_kind() {
    let mut estate = armsim::company::healthy();
    estate.gaps.push(
        json!({"source": "subscriptions", "scope": "/", "reason": "truncated", "detail": "a page was lost"}),
    );
    let report = report(&estate);
    let hidden = report.results.iter().filter(|result| result.subject.hidden);
    assert_eq!(
        hidden.filter(|result| result.subject.id.key() == "/").count(),
        support::setup().bundle.policies().len()
    );
}

#[test]
fn a_gap_at_a_management_group_covers_what_is_below_it() {
    let mut estate = armsim::company::healthy();
    let scope = "/providers/Microsoft.Management/managementGroups/mg-contoso";
    estate.gaps.push(json!({"source": "aks_clusters", "scope": scope, "reason": "denied", "detail": ""}));
    let report = report(&estate);
    assert_eq!(statuses(&report, "AKS-002").iter().filter(|status| **status == Status::Pass).count(), 0);
}

#[test]
fn a_workspace_that_uses_the_cluster_unseen_may_demand_a_private_control_plane() {
    let mut estate = armsim::company::healthy();
    let ids: Vec<String> = of_type(&mut estate, WORKSPACE)
        .filter_map(|record| record["id"].as_str().map(str::to_owned))
        .collect();
    let (seen, unseen) = (ids[0].clone(), ids[1].clone());
    of_type(&mut estate, CLUSTER).for_each(|record| {
        record["properties"]["apiServerAccessProfile"]["enablePrivateCluster"] = json!(false)
    });
    estate.records.retain(|record| {
        !record["id"].as_str().is_some_and(|id| id.starts_with(&format!("{unseen}/computes/")))
    });
    estate.gaps.push(json!({"source": "computes", "scope": unseen, "reason": "timeout", "detail": ""}));
    let mut setup = support::setup().clone();
    setup.config = mlfence::config::Config::parse(&format!(
        "expectations: {{ workspaces: {{ '{unseen}': {{ control_plane: private }} }} }}"
    ))
    .expect("valid");
    let judged = mlfence::audit::judge_snapshot(
        &setup,
        &support::snapshot(&estate),
        &std::collections::BTreeSet::new(),
    );
    let found = statuses(&judged.report, "ISO-002");
    assert!(!found.is_empty() && found.iter().all(|status| *status == Status::Unknown), "{seen}: {found:?}");
}

#[test]
fn a_private_address_is_not_public_because_it_stands_under_public_ip() {
    let mut estate = armsim::company::healthy();
    for record in of_type(&mut estate, SERVICE).filter(|record| record["properties"]["computeType"] == "ACI")
    {
        record["properties"]["publicIp"] = json!("10.50.128.4");
        record["properties"]["vnetConfiguration"] = Value::Null;
    }
    of_type(&mut estate, GROUP).for_each(|record| {
        record["properties"]["ipAddress"] = Value::Null;
        record["properties"]["containers"][0]["properties"]["image"] = json!("nginx");
    });
    let report = report(&estate);
    for policy in ["ACI-001", "ACI-002", "ACI-003", "ACI-004"] {
        assert_eq!(statuses(&report, policy), [Status::Unknown], "{policy}");
    }
}

#[test]
fn a_project_workspace_has_its_hubs_endpoint() {
    let mut estate = armsim::company::healthy();
    let hub = of_type(&mut estate, WORKSPACE).next().expect("one").clone();
    let (id, connections) = (hub["id"].clone(), hub["properties"]["privateEndpointConnections"].clone());
    let mut lonely = armsim::company::healthy();
    for record in of_type(&mut lonely, WORKSPACE) {
        record["properties"]["privateEndpointConnections"] = json!([]);
        record["properties"]["hubResourceId"] = json!(format!("{}-hub", id.as_str().expect("an id")));
        record["kind"] = json!("Project");
    }
    lonely.records.retain(|record| record["type"] != ENDPOINT);
    // The hub is not among the workspaces that were read, so nothing is proven.
    let unread = report(&lonely);
    assert!(
        statuses(&unread, "AKS-001").iter().all(|status| *status == Status::Unknown),
        "{:?}",
        statuses(&unread, "AKS-001")
    );
    let mut with_hub = hub.clone();
    with_hub["id"] = json!(format!("{}-hub", id.as_str().expect("an id")));
    with_hub["properties"]["privateEndpointConnections"] = connections;
    lonely.records.push(with_hub);
    assert!(statuses(&report(&lonely), "AKS-001").contains(&Status::Pass));
}

#[test]
fn each_address_family_needs_its_service_range() {
    let mut estate = armsim::company::healthy();
    for record in of_type(&mut estate, CLUSTER) {
        let network = &mut record["properties"]["networkProfile"];
        network["serviceCidr"] = Value::Null;
        network["serviceCidrs"] = json!(["fd00:1234::/108"]);
        network["ipFamilies"] = json!(["IPv4", "IPv6"]);
    }
    of_type(&mut estate, COMPUTE).for_each(|record| record["properties"]["properties"] = json!({}));
    let report = report(&estate);
    for policy in ["NET-001", "CNI-002"] {
        assert!(statuses(&report, policy).iter().all(|status| *status != Status::Pass), "{policy}");
    }
}

#[test]
fn odd_spellings_of_a_range_are_no_ranges() {
    for odd in ["010.0.0.0/16", "::ffff:10.0.0.0/112", "10.0.0.0/+16", "10.0.0.0", "10.0.0.0/33"] {
        let mut estate = armsim::company::healthy();
        for record in of_type(&mut estate, CLUSTER) {
            record["properties"]["networkProfile"]["serviceCidr"] = json!(odd);
            record["properties"]["networkProfile"]["serviceCidrs"] = json!([odd]);
        }
        assert!(
            statuses(&report(&estate), "NET-001").iter().all(|status| *status == Status::Unknown),
            "{odd}"
        );
    }
}

#[test]
fn an_endpoint_that_contradicts_its_target_is_no_witness() {
    let mut estate = armsim::company::healthy();
    for record in of_type(&mut estate, ENDPOINT) {
        for list in ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"] {
            for connection in record["properties"][list].as_array_mut().into_iter().flatten() {
                connection["properties"]["privateLinkServiceConnectionState"]["status"] =
                    json!("Disconnected");
            }
        }
    }
    let report = report(&estate);
    for policy in ["AKS-001", "AKS-003", "ACI-002"] {
        assert!(statuses(&report, policy).iter().all(|status| *status == Status::Unknown), "{policy}");
    }
}

#[test]
fn vnets_of_which_only_some_subnets_are_peered_prove_no_path() {
    let mut estate = armsim::company::healthy();
    let before =
        statuses(&report(&estate), "AKS-003").iter().filter(|status| **status == Status::Pass).count();
    for record in of_type(&mut estate, VNET) {
        for peering in record["properties"]["virtualNetworkPeerings"].as_array_mut().into_iter().flatten() {
            peering["properties"]["peerCompleteVnets"] = json!(false);
        }
    }
    let after = statuses(&report(&estate), "AKS-003");
    assert!(after.iter().filter(|status| **status == Status::Pass).count() < before);
    assert!(after.contains(&Status::Unknown));
}

#[test]
fn blank_text_is_no_empty_list() {
    let mut estate = armsim::company::healthy();
    for record in of_type(&mut estate, VNET) {
        for subnet in record["properties"]["subnets"].as_array_mut().into_iter().flatten() {
            subnet["properties"]["delegations"] = json!("");
        }
    }
    assert!(statuses(&report(&estate), "CNI-004").iter().all(|status| *status == Status::Unknown));
}

/// Whatever makes a subject's record unfit, the subject does not vanish in silence.
#[test]
fn unfit_records_hide_subjects_visibly() {
    let whole = report(&armsim::company::healthy());
    let aks = support::setup().bundle.policies().iter().filter(|p| p.metadata.id.starts_with("AKS")).count();
    let judged = |estate: &Estate| {
        let report = report(estate);
        let better = with(&report, &[Status::Pass, Status::NotApplicable]).len()
            + with(&report, &[Status::Unknown]).len();
        (report, better)
    };
    for (name, spoil) in [
        (
            "an id that is no child of a workspace",
            Box::new(|record: &mut Value| {
                record["id"] = json!(
                    "/subscriptions/09419373-39be-4ca4-be84-4ffa922a775f/resourceGroups/g/providers/Microsoft.MachineLearningServices/computes/x"
                );
            }) as Box<dyn Fn(&mut Value)>,
        ),
        (
            "a type that contradicts the id",
            Box::new(|record: &mut Value| {
                record["id"] = json!(
                    "/subscriptions/09419373-39be-4ca4-be84-4ffa922a775f/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/x"
                );
            }),
        ),
    ] {
        let mut estate = armsim::company::healthy();
        of_type(&mut estate, COMPUTE).for_each(&spoil);
        let (report, _) = judged(&estate);
        let hidden =
            report.results.iter().filter(|result| result.subject.hidden && result.policy.starts_with("AKS"));
        assert_eq!(hidden.count(), aks, "{name}");
    }
    for (name, word) in [("a new word for the type", "AksV2"), ("a type in another case", "aks")] {
        let mut estate = armsim::company::healthy();
        of_type(&mut estate, COMPUTE).for_each(|record| record["properties"]["computeType"] = json!(word));
        let subjects = |report: &Report| statuses(report, "AKS-001").len();
        assert_eq!(subjects(&judged(&estate).0), subjects(&whole), "{name}");
    }
}

/// A gap inside a resource that is there: what was read of it may not be all of it.
#[test]
fn a_gap_exactly_at_a_record_counts() {
    let mut estate = armsim::company::healthy();
    let vnets: Vec<Value> = of_type(&mut estate, VNET).map(|record| record["id"].clone()).collect();
    for id in vnets {
        estate
            .gaps
            .push(json!({"source": "virtual_networks", "scope": id, "reason": "truncated", "detail": ""}));
    }
    let report = report(&estate);
    for policy in ["CNI-004", "NET-001", "CNI-002", "ACI-004"] {
        assert!(statuses(&report, policy).iter().all(|status| *status == Status::Unknown), "{policy}");
    }
}

/// A container group whose only sign of Azure Machine Learning is that its image is from a workspace's registry.
#[test]
fn a_group_that_runs_an_image_of_a_registry_that_nobody_read_does_not_vanish() {
    let estate = |host: &str| {
        let mut estate = armsim::company::healthy();
        estate.records.retain(|record| record["type"] != SERVICE);
        let mut groups = of_type(&mut estate, GROUP);
        let group = groups.next().expect("one");
        group["properties"]["containers"][0]["properties"]["image"] = json!(format!("{host}/scoring:1"));
        assert!(groups.next().is_none());
        drop(groups);
        estate
    };
    let mut healthy = armsim::company::healthy();
    let group = of_type(&mut healthy, GROUP).next().expect("one");
    let image = group["properties"]["containers"][0]["properties"]["image"].as_str().expect("text");
    let host = image.split('/').next().expect("a host").to_owned();
    let name = host.strip_suffix(".azurecr.io").expect("a registry of Azure").to_owned();
    let denied = |estate: &mut Estate| {
        estate.records.retain(|record| record["type"] != REGISTRY);
        for subscription in estate.header.subscriptions.clone() {
            let scope = format!("/subscriptions/{}", subscription.id);
            estate
                .gaps
                .push(json!({"source": "registries", "scope": scope, "reason": "denied", "detail": ""}));
        }
    };
    let untold = |estate: &mut Estate| {
        of_type(estate, REGISTRY).for_each(|record| record["properties"]["loginServer"] = Value::Null);
    };
    let misshapen = |estate: &mut Estate| {
        of_type(estate, WORKSPACE).for_each(|record| record["properties"]["containerRegistry"] = json!(7));
    };
    let changes: [&dyn Fn(&mut Estate); 3] = [&denied, &untold, &misshapen];
    for (at, change) in changes.into_iter().enumerate() {
        for host in [host.clone(), format!("{name}-d4f3a2.azurecr.io")] {
            let mut estate = estate(&host);
            change(&mut estate);
            let report = report(&estate);
            for policy in ["ACI-001", "ACI-002", "ACI-003", "ACI-010"] {
                assert_eq!(statuses(&report, policy), [Status::Unknown], "change {at}, {host}: {policy}");
            }
        }
        // An image from anywhere else is none of Azure Machine Learning's.
        let mut estate = estate("mcr.microsoft.com");
        change(&mut estate);
        assert_eq!(statuses(&report(&estate), "ACI-001"), [], "change {at}");
    }
    let mut known = estate("other.azurecr.io");
    denied(&mut known);
    assert_eq!(statuses(&report(&known), "ACI-001"), []);
}

/// A subject whose ids name no subscription: what its policies require was asked nowhere, and so found complete.
#[test]
fn a_subject_without_subscription_requires_its_kinds_everywhere() {
    let mut estate = armsim::company::healthy();
    let strip = |value: &mut Value| {
        if let Some(text) = value.as_str() {
            let rest: Vec<&str> = text.splitn(4, '/').collect();
            *value = json!(format!("/{}", rest.last().expect("an id")));
        }
    };
    estate.records.iter_mut().for_each(|record| strip(&mut record["id"]));
    of_type(&mut estate, COMPUTE).for_each(|record| strip(&mut record["properties"]["resourceId"]));
    let guid = estate.header.subscriptions[0].id.clone();
    estate.gaps.push(json!({"source": "aks_clusters", "scope": format!("/subscriptions/{guid}"), "reason": "denied", "detail": ""}));
    let report = report(&estate);
    assert!(!statuses(&report, "AKS-002").is_empty());
    assert!(
        statuses(&report, "AKS-002").iter().all(|status| *status == Status::Unknown),
        "{:?}",
        statuses(&report, "AKS-002")
    );
}

/// A web service whose network profile nobody could read lives in a subnet all the same.
#[test]
fn a_service_that_is_placed_nowhere_hides_its_subnet_visibly() {
    let mut estate = armsim::company::healthy();
    let judged = |report: &Report| report.results.iter().filter(|result| result.policy == "PRE-001").count();
    let before = judged(&report(&estate));
    of_type(&mut estate, GROUP).for_each(|record| {
        record["properties"]["subnetIds"] = json!([]);
        record["properties"]["networkProfile"] =
            json!({"id": "/subscriptions/00000000-0000-0000-0000-0000000000ff/resourceGroups/g/providers/Microsoft.Network/networkProfiles/p"});
    });
    let after = report(&estate);
    assert_eq!(judged(&after), before, "the subnet vanished");
    let hidden = after.results.iter().find(|result| result.policy == "PRE-001" && result.subject.hidden);
    assert_eq!(hidden.map(|result| result.status), Some(Status::Unknown));
}
