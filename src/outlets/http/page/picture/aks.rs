//! A cluster as compute of the workspace: its load balancer, its subnets, its identity, its ways out.

use std::collections::BTreeSet;

use crate::facts::document::{Cluster, Egress, Frontend, Router, RouterKind, SubnetEgress};
use crate::facts::{Document, Fact, SubjectKind};
use crate::inventory::ResourceId;

use super::called;
use super::model::{Frame, Lane, Mark, Node, Stands};
use super::survey::{Network, Survey, deciding, of_right, told};

/// What is drawn of a compute, and where.
pub(super) fn block(survey: &Survey<'_>, document: &Document) -> Option<(Network, Vec<Frame>)> {
    let (cluster, router) = (document.cluster.as_ref()?, document.router.as_ref()?);
    let compute = &document.subject.id;
    let id = cluster.id.value();
    let of_cluster = id.and_then(|id| survey.document(SubjectKind::AksCluster, id));
    let network = network(cluster);
    let mut balancer = balancer(survey, document, router);
    let mut node = Node {
        title: if cluster.name.is_empty() {
            "AKS cluster".to_owned()
        } else {
            format!("AKS cluster {}", cluster.name)
        },
        lines: lines(document, cluster),
        unknown: of_cluster.is_none() || cluster.id.value().is_none(),
        ..Node::default()
    };
    if let Some(id) = id {
        control_plane(survey, id, cluster, &mut node);
    }
    node.left.extend(
        survey.workspace_lane(&[("AKS-001", "must be attached"), ("AKS-004", "in one region")], compute),
    );
    let endpoints = document.workspace.as_ref().map(|workspace| &workspace.endpoint_networks);
    node.left.extend(survey.endpoint_lane(endpoints, &network, "AKS-003", compute));
    if let (Some(id), Some(of_cluster)) = (id, of_cluster) {
        identity(survey, id, of_cluster, &mut node);
        way_out(survey, id, of_cluster, &mut node);
        let marks = survey.verdicts.marks(&["SCO-001"], id);
        if !marks.is_empty() {
            let addresses =
                of_cluster.scoring.as_ref().map(|scoring| scoring.addresses.join(", ")).unwrap_or_default();
            balancer.down = Some(Lane {
                far: node.title.clone(),
                what: "scoring must lead here".to_owned(),
                marks,
                by: addresses,
                ..Lane::default()
            });
        }
    }
    let subnets = node_subnets(cluster);
    for subnet in &subnets {
        registries(survey, subnet, &mut node);
    }
    let (of_compute, passes) = survey.verdicts.rest(SubjectKind::AksCompute, compute);
    let (ours, of_balancer): (Vec<_>, Vec<_>) =
        of_compute.into_iter().partition(|mark| mark.policy != "ILB-002");
    balancer.marks.extend(of_balancer);
    node.marks.extend(ours);
    node.passes = passes;
    if let Some(id) = id {
        let (marks, passes) = survey.verdicts.rest(SubjectKind::AksCluster, id);
        node.marks.extend(marks);
        node.passes += passes;
    }
    Some((network, frames(router, cluster, &subnets, balancer, node)))
}

fn network(cluster: &Cluster) -> Network {
    match &cluster.vnets {
        Fact::Known { value } => value.first().map_or(Network::None, |vnet| Network::Vnet(vnet.id.clone())),
        Fact::Unknown { unknown } => Network::Unknown(unknown.message.clone()),
    }
}

fn node_subnets(cluster: &Cluster) -> Vec<ResourceId> {
    cluster.node_subnets.value().into_iter().flatten().map(|subnet| subnet.id.clone()).collect()
}

fn lines(document: &Document, cluster: &Cluster) -> Vec<String> {
    let mut lines = vec![format!("compute {}", document.subject.name), told("region", &cluster.location)];
    lines.push(match &cluster.private {
        Fact::Known { value: true } => "API server private".to_owned(),
        Fact::Known { value: false } => "API server public".to_owned(),
        Fact::Unknown { unknown } => format!("API server: not known: {}", unknown.message),
    });
    match &cluster.own_vnet {
        Fact::Known { value: false } => lines.push("AKS made its VNet".to_owned()),
        Fact::Known { value: true } => {}
        Fact::Unknown { unknown } => lines.push(format!("own VNet: not known: {}", unknown.message)),
    }
    let others = cluster.vnets.value().into_iter().flatten().skip(1);
    lines.extend(others.map(|vnet| format!("also in VNet {}", vnet.name)));
    if let Fact::Unknown { unknown } = &cluster.node_subnets {
        lines.push(format!("subnets not known: {}", unknown.message));
    }
    lines
}

/// Who reaches scoring.
fn balancer(survey: &Survey<'_>, document: &Document, router: &Router) -> Node {
    let compute = &document.subject.id;
    let mut node = Node::default();
    match &router.frontends {
        Fact::Known { value } if value.is_empty() => {
            let none = router.declared.value() == Some(&RouterKind::NoLoadBalancer);
            node.title = if none {
                "No load balancer".to_owned()
            } else {
                "No load balancer serves scoring".to_owned()
            };
        }
        Fact::Known { value } => {
            let names: BTreeSet<&str> =
                value.iter().map(|frontend| called(&frontend.load_balancer)).collect();
            node.title = format!("Load balancer {}", names.into_iter().collect::<Vec<_>>().join(", "));
            node.lines.extend(value.iter().map(frontend));
        }
        Fact::Unknown { unknown } => {
            node.title = "Load balancer".to_owned();
            node.unknown = true;
            node.lines.push(format!("not known: {}", unknown.message));
            node.lines.extend(router.public_frontends.iter().map(frontend));
        }
    }
    let marks = survey.verdicts.marks(&["ILB-001"], compute);
    if !marks.is_empty() {
        let private = router.private.value() == Some(&true);
        let what = match (asked(&marks, "ILB-001"), private) {
            (true, _) => "scoring must be private",
            (false, true) if router.declared.value() == Some(&RouterKind::NoLoadBalancer) => {
                "no load balancer to scoring"
            }
            (false, true) => "scoring is private",
            (false, false) => "scoring may be public",
        };
        node.left.push(Lane {
            far: "Internet".to_owned(),
            what: what.to_owned(),
            kept_out: private,
            marks,
            ..Lane::default()
        });
    }
    let marks = survey.verdicts.marks(&["NSG-001"], compute);
    if !marks.is_empty() {
        let callers = document.expectations.callers.as_ref();
        let note = match callers {
            Some(callers) if callers.is_empty() => "none declared from outside".to_owned(),
            Some(callers) => callers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            None => "not declared".to_owned(),
        };
        let answer = document.flows.as_ref().and_then(|flows| flows.get("scoring_inbound"));
        let by = answer.map(|answer| answer.decided_by.join(", ")).unwrap_or_default();
        node.left.push(Lane {
            far: "Declared callers".to_owned(),
            notes: vec![note],
            what: "must reach scoring".to_owned(),
            marks,
            by,
            ..Lane::default()
        });
    }
    node
}

fn frontend(frontend: &Frontend) -> String {
    let kind = if frontend.public { "public" } else { "internal" };
    told(kind, &frontend.address)
}

/// Who reaches the API server. ISO-001 is no part of it: it passes where scoring is private, whatever the API server is.
fn control_plane(survey: &Survey<'_>, id: &ResourceId, cluster: &Cluster, node: &mut Node) {
    let marks = survey.verdicts.marks(&["ISO-002", "AKS-002"], id);
    if marks.is_empty() {
        return;
    }
    let private = cluster.private.value() == Some(&true);
    let what = match (asked(&marks, "ISO-002"), private) {
        (true, _) => "API server must be private",
        (false, true) => "API server is private",
        (false, false) => "API server may be public",
    };
    let by = cluster.fqdn.clone().filter(|_| cluster.public_fqdn.value() == Some(&true)).unwrap_or_default();
    node.left.push(Lane {
        far: "Internet".to_owned(),
        notes: vec!["to the API server".to_owned()],
        what: what.to_owned(),
        kept_out: private,
        marks,
        by,
        ..Lane::default()
    });
}

/// Whether a policy asks for anything here.
fn asked(marks: &[Mark], policy: &str) -> bool {
    marks.iter().any(|mark| mark.policy == policy && mark.stands != Stands::NotApplicable)
}

/// What the cluster's identity may do.
fn identity(survey: &Survey<'_>, id: &ResourceId, document: &Document, node: &mut Node) {
    let Some(access) = &document.access else { return };
    let mut told = false;
    for entry in access.subnets.value().into_iter().flatten() {
        let rights = [&entry.join, &entry.read];
        let marks = of_right(survey.verdicts.marks_at(&["CNI-003"], id, &entry.id), &rights);
        let by = deciding(&rights);
        told |= !marks.is_empty();
        node.left.extend(right(
            &entry.principal.to_string(),
            format!("must use subnet {}", entry.name),
            marks,
            by,
        ));
    }
    for entry in access.groups.value().into_iter().flatten() {
        let rights = [&entry.network_contributor];
        let marks = of_right(survey.verdicts.marks_at(&["RBAC-001"], id, &entry.id), &rights);
        let by = deciding(&rights);
        told |= !marks.is_empty();
        let what = format!("Network Contributor on {}", entry.name);
        node.left.extend(right(&entry.principal.to_string(), what, marks, by));
    }
    if !told {
        let marks = survey.verdicts.marks(&["CNI-003", "RBAC-001"], id);
        let who = if access.principals.value().is_some() { "" } else { "not known" };
        node.left.extend(right(who, "must use its network".to_owned(), marks, String::new()));
    }
}

fn right(principal: &str, what: String, marks: Vec<Mark>, by: String) -> Option<Lane> {
    (!marks.is_empty()).then(|| Lane {
        far: "Cluster's identity".to_owned(),
        notes: vec![principal.to_owned()].into_iter().filter(|told| !told.is_empty()).collect(),
        what,
        marks,
        by,
        ..Lane::default()
    })
}

/// How the nodes get out.
fn way_out(survey: &Survey<'_>, id: &ResourceId, document: &Document, node: &mut Node) {
    let Some(egress) = &document.egress else { return };
    let subnets = egress.subnets.value().map(Vec::as_slice).unwrap_or_default();
    for subnet in subnets {
        let marks = survey.verdicts.marks_at(&["CNI-001"], id, &subnet.id);
        if !marks.is_empty() {
            node.right.push(Lane {
                far: "Internet".to_owned(),
                notes: vec![by_way_of(egress, subnet)],
                what: format!("reached from {}", subnet.name),
                marks,
                by: subnet.https.decided_by.join(", "),
                ..Lane::default()
            });
        }
    }
    if subnets.is_empty() {
        let marks = survey.verdicts.marks(&["CNI-001"], id);
        if !marks.is_empty() {
            node.right.push(Lane {
                far: "Internet".to_owned(),
                notes: vec![told("by", &egress.r#type)],
                what: "reached from the nodes".to_owned(),
                marks,
                ..Lane::default()
            });
        }
    }
}

/// What the subnet's packets to the internet pass.
fn by_way_of(egress: &Egress, subnet: &SubnetEgress) -> String {
    if let Some(Some(route)) = subnet.default_route.value() {
        return match (route.next_hop.as_str(), &route.address) {
            ("virtualappliance", Some(address)) => format!("by the firewall or appliance {address}"),
            ("virtualappliance", None) => "by a firewall or appliance".to_owned(),
            ("virtualnetworkgateway", _) => "by a network gateway".to_owned(),
            ("none", _) => "default route leads nowhere".to_owned(),
            (hop, _) => format!("default route to {hop}"),
        };
    }
    // A route or gateway that nobody could read is not one that is not there.
    if subnet.default_route.value().is_none() {
        return "by which way is not known".to_owned();
    }
    match subnet.nat_gateway.value() {
        Some(Some(gateway)) => return format!("by NAT gateway {}", called(gateway)),
        Some(None) => {}
        None => return "by which way is not known".to_owned(),
    }
    told("by", &egress.r#type)
}

/// How a subnet reaches the registries of the workspaces in it.
pub(super) fn registries(survey: &Survey<'_>, subnet: &ResourceId, node: &mut Node) {
    let Some(document) = survey.document(SubjectKind::Subnet, subnet) else { return };
    let Some(facts) = &document.subnet else { return };
    let known = facts.registries.value().map(Vec::as_slice).unwrap_or_default();
    for reach in known {
        // NSG-002 is about the subnet's default rules, NSG-003 about each registry.
        let mut marks = survey.verdicts.marks(&["NSG-002"], subnet);
        marks.extend(survey.verdicts.marks_at(&["NSG-003"], subnet, &reach.registry));
        if marks.is_empty() {
            continue;
        }
        let (way, by) = match reach.endpoint_in_reach.value() {
            Some(true) => ("by private endpoint".to_owned(), reach.by_endpoint.decided_by.join(", ")),
            Some(false) => (told("region", &reach.region), reach.by_address.decided_by.join(", ")),
            None => ("by which way is not known".to_owned(), String::new()),
        };
        node.right.push(Lane {
            far: "Registry".to_owned(),
            notes: vec![reach.name.clone(), way],
            what: format!("reached from {}", called(subnet)),
            marks,
            by,
            ..Lane::default()
        });
    }
    if known.is_empty() {
        let marks = survey.verdicts.marks(&["NSG-002", "NSG-003"], subnet);
        if !marks.is_empty() {
            let note = facts.registries.reason().map(|reason| format!("not known: {}", reason.message));
            node.right.push(Lane {
                far: "Registry".to_owned(),
                notes: vec![note.unwrap_or_else(|| "none yet".to_owned())],
                what: format!("reached from {}", called(subnet)),
                marks,
                ..Lane::default()
            });
        }
    }
}

/// The balancer's frame above the cluster's, or both in one.
fn frames(
    router: &Router,
    cluster: &Cluster,
    subnets: &[ResourceId],
    balancer: Node,
    node: Node,
) -> Vec<Frame> {
    let names: Vec<&str> = subnets.iter().map(called).collect();
    let title = match names.as_slice() {
        [] if cluster.own_vnet.value() == Some(&false) => Some("Subnet that AKS made".to_owned()),
        [] => None,
        [name] => Some(format!("Subnet {name}")),
        several => Some(format!("Subnet {}", several.join(", "))),
    };
    let frame = |title, subnets: &[ResourceId], nodes| Frame {
        title,
        subnets: subnets.to_vec(),
        nodes,
        ..Frame::default()
    };
    let internal =
        router.frontends.value().into_iter().flatten().find_map(|frontend| frontend.subnet.as_ref());
    match internal {
        Some(subnet) if subnets.contains(subnet) => vec![frame(title, subnets, vec![balancer, node])],
        Some(subnet) => {
            let of_balancer = Some(format!("Subnet {}", called(subnet)));
            let own = frame(of_balancer, std::slice::from_ref(subnet), vec![balancer]);
            vec![own, frame(title, subnets, vec![node])]
        }
        None => vec![frame(None, &[], vec![balancer]), frame(title, subnets, vec![node])],
    }
}
