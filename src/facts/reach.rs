//! Who is asked about flows where: the places of a subnet and of a cluster, and how they reach the workspaces'
//! registries and their callers.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::kubernetes::Cluster;
use crate::inventory::state::unsettled;
use crate::inventory::{Code, Known, Reason, ResourceId};

use super::cluster;
use super::declared::Declared;
use super::document::{Fact, FlowAnswer, RegistryReach, Router};
use super::endpoints::{in_vnet, networks as endpoint_networks, of_registry, peered};
use super::engines::Engines;
use super::exposure::{Parameters, Place, PortRange, Verdict};
use super::frontends::{Serving, Way};
use super::router::Leading;
use super::unknown::AllUnknown;

/// What stands for a placeholder that a subject has nothing for.
fn nothing(placeholder: &str) -> Known<Vec<String>> {
    Err(Reason::new(Code::NotTold, format!("nothing says what `{{{placeholder}}}` is here")))
}

/// The places that packets are opened from in a subnet: its nodes with their interfaces' groups, and whatever else
/// lives there by the subnet alone.
pub(super) fn places_of_subnet(
    engines: &Engines<'_>,
    subnet: &ResourceId,
    users: &BTreeSet<ResourceId>,
) -> Known<Vec<Place>> {
    let inventory = engines.inventory;
    let mut places = Vec::new();
    let mut others = users.is_empty();
    for user in users {
        if inventory.container_groups.contains_key(user) {
            others = true;
            continue;
        }
        let cluster = inventory.cluster(user)?;
        if cluster::node_subnet_ids(cluster)?.contains(subnet) {
            places.extend(engines.node_places(cluster, subnet)?);
        } else {
            others = true;
        }
    }
    if others {
        places.push(engines.exposure.place(subnet)?);
    }
    Ok(places)
}

/// The places of a cluster's nodes, in the customer's VNet or in the one that AKS made.
pub(super) fn places_of_nodes(engines: &Engines<'_>, cluster: &Cluster) -> Known<Vec<Place>> {
    let mut places = Vec::new();
    if cluster::own_vnet(engines.inventory, cluster)? {
        for subnet in &cluster::node_subnet_ids(cluster)? {
            places.extend(engines.node_places(cluster, subnet)?);
        }
        return Ok(places);
    }
    for vnet in cluster::vnets(engines.inventory, cluster)? {
        for subnet in engines.inventory.vnet(&vnet)?.subnets.as_ref().map_err(Clone::clone)? {
            match engines.node_places(cluster, &subnet.id.clone()?) {
                Ok(found) => places.extend(found),
                // Not every subnet there holds nodes.
                Err(reason) if reason.code == Code::NotFound => {}
                Err(reason) => return Err(reason),
            }
        }
    }
    Ok(places)
}

/// The groups on the way at these places.
pub(super) fn groups_of(places: &Known<Vec<Place>>) -> Known<Vec<ResourceId>> {
    let mut groups = BTreeSet::new();
    for place in places.as_ref().map_err(Clone::clone)? {
        groups.extend(place.subnet_group.clone()?);
        groups.extend(place.interface_group.clone()?);
    }
    Ok(groups.into_iter().collect())
}

/// The registries of these workspaces, with the workspaces that use them.
fn registries_of(
    engines: &Engines<'_>,
    workspaces: &BTreeSet<ResourceId>,
) -> Known<BTreeMap<ResourceId, Vec<ResourceId>>> {
    let mut all: BTreeMap<ResourceId, Vec<ResourceId>> = BTreeMap::new();
    for id in workspaces {
        if let Some(registry) = engines.inventory.workspace(id)?.registry.clone()? {
            all.entry(registry).or_default().push(id.clone());
        }
    }
    Ok(all)
}

/// The regions of the workspaces and of their registries, as placeholders.
pub(super) fn regions(engines: &Engines<'_>, workspaces: &BTreeSet<ResourceId>) -> Parameters {
    let inventory = engines.inventory;
    let of_workspaces =
        || workspaces.iter().map(|id| inventory.workspace(id)?.location.clone()).collect::<Known<Vec<_>>>();
    let of_registries = || {
        let registries = registries_of(engines, workspaces)?;
        registries.keys().map(|id| inventory.registry(id)?.location.clone()).collect::<Known<Vec<_>>>()
    };
    let distinct = |regions: Known<Vec<String>>, placeholder| {
        let regions: BTreeSet<String> = regions?.into_iter().collect();
        if regions.is_empty() { nothing(placeholder) } else { Ok(regions.into_iter().collect()) }
    };
    Parameters::from([
        ("workspace_region", distinct(of_workspaces(), "workspace_region")),
        ("registry_region", distinct(of_registries(), "registry_region")),
    ])
}

/// How the registries of the workspaces in a subnet are reached from there.
pub(super) fn registries(
    engines: &Engines<'_>,
    subnet: &ResourceId,
    workspaces: &BTreeSet<ResourceId>,
    places: &Known<Vec<Place>>,
    declared: &Declared<'_>,
) -> Known<Vec<RegistryReach>> {
    let vnet = crate::inventory::graph::vnet_of(subnet)?;
    if workspaces.is_empty() {
        let message = format!("it is not known which workspace serves from {subnet}");
        return Err(Reason::new(Code::OwnershipUnproven, message));
    }
    let reach = |(id, users): (ResourceId, Vec<ResourceId>)| {
        let node = engines.inventory.registry(&id);
        let region = node.clone().and_then(|node| node.location.clone());
        let parameters = Parameters::from([("registry_region", region.clone().map(|region| vec![region]))]);
        let near = |other: &ResourceId| {
            if *other == vnet { Ok(true) } else { peered(engines.inventory, &vnet, other) }
        };
        // A pass would rest on them: a registry that is being changed, a workspace that may come to use another.
        let changing = || {
            let of_users = users.iter().filter_map(|id| engines.inventory.workspace(id).ok());
            node.clone()
                .ok()
                .and_then(|node| unsettled(&node.state, &node.id))
                .or_else(|| of_users.into_iter().find_map(|user| unsettled(&user.state, &user.id)))
        };
        let mut by_address = engines.named("registry_outbound", &parameters, places, declared);
        let mut endpoint = node.clone().and_then(|node| in_vnet(engines.inventory, of_registry(node), near));
        let places_of_endpoints = node.clone().and_then(|node| {
            let networks = endpoint_networks(engines.inventory, of_registry(node))?;
            let mut nets = Vec::new();
            for network in networks {
                if near(&network.vnet) != Ok(false) {
                    nets.extend(engines.inventory.subnet(&network.subnet)?.prefixes.clone()?);
                }
            }
            Ok(nets)
        });
        let by_endpoint = match engines.to_addresses(&places_of_endpoints, places, declared) {
            // Wherever in the VNet and its peers they lie.
            answer if answer.verdict.is_unknown() => {
                let anywhere = engines.named("vnet_https_outbound", &Parameters::new(), places, declared);
                let let_out = anywhere.verdict.value() == Some(&Verdict::Allow);
                if let_out { anywhere } else { answer }
            }
            answer => answer,
        };
        if let Some(reason) = changing() {
            if by_address.verdict.value() == Some(&Verdict::Allow) {
                by_address = FlowAnswer::all_unknown(&reason);
            }
            if endpoint == Ok(true) {
                endpoint = Err(reason);
            }
        }
        RegistryReach {
            name: id.name().to_owned(),
            geo_replicated: node.and_then(|node| node.geo_replicated.clone()).into(),
            workspaces: users,
            by_address,
            endpoint_in_reach: endpoint.into(),
            by_endpoint,
            region: region.into(),
            registry: id,
        }
    };
    Ok(registries_of(engines, workspaces)?.into_iter().map(reach).collect())
}

/// Every question at the nodes of a compute's cluster; scoring is asked where its frontends serve it.
pub(super) fn of_compute(
    engines: &Engines<'_>,
    cluster: &Known<&Cluster>,
    workspace: &ResourceId,
    router: &Router,
    serving: &Leading,
    callers: Known<Vec<String>>,
    declared: &Declared<'_>,
) -> BTreeMap<String, FlowAnswer> {
    let places = cluster.clone().and_then(|cluster| places_of_nodes(engines, cluster));
    let mut parameters = regions(engines, &BTreeSet::from([workspace.clone()]));
    let addresses = || {
        let known = |serving: &Serving| match &serving.facts.address {
            Fact::Known { value } => Ok(value.clone()),
            Fact::Unknown { unknown } => Err(unknown.clone()),
        };
        let addresses = serving.found.iter().map(known).collect::<Known<Vec<_>>>()?;
        if addresses.is_empty() {
            let message = "no frontend of the cluster's load balancers leads to scoring";
            let nothing = || Reason::new(Code::NotFound, message);
            return Err(serving.missing.clone().unwrap_or_else(nothing));
        }
        Ok(addresses)
    };
    let ports = match &router.ports {
        Fact::Known { value } => Ok(value.iter().map(ToString::to_string).collect()),
        Fact::Unknown { unknown } => Err(unknown.clone()),
    };
    parameters.insert("callers", callers);
    parameters.insert("scoring_addresses", addresses());
    parameters.insert("scoring_ports", ports);
    let mut answers = engines.every(&parameters, &places, declared);
    if let Some(answer) = answers.get_mut("scoring_inbound") {
        let asked = Asked { engines, parameters: &parameters, places: &places, declared };
        if let Some(better) = asked.scoring(answer, &serving.found) {
            *answer = better;
        }
        // A caller to whose family no frontend speaks is not let in.
        if answer.verdict.value() == Some(&Verdict::Allow)
            && let Some(reason) = unspoken(&parameters)
        {
            *answer = FlowAnswer::all_unknown(&reason);
        }
        // Who is stopped at one address is stopped; who is let in at those that were found may be stopped at others.
        if let (Some(Verdict::Allow), Some(reason)) = (answer.verdict.value(), &serving.missing) {
            *answer = FlowAnswer::all_unknown(reason);
        }
    }
    answers
}

/// Why a caller finds no frontend of its address family.
fn unspoken(parameters: &Parameters) -> Option<Reason> {
    let texts = |name| parameters.get(name).and_then(|texts| texts.as_ref().ok()).into_iter().flatten();
    let version_6 = |text: &String| text.contains(':');
    let caller = texts("callers")
        .find(|caller| texts("scoring_addresses").all(|address| version_6(address) != version_6(caller)))?;
    let message = format!("no frontend that serves scoring speaks the address family of the caller {caller}");
    Some(Reason::new(Code::Undecidable, message))
}

/// What a question of scoring is asked with.
struct Asked<'a> {
    engines: &'a Engines<'a>,
    parameters: &'a Parameters,
    places: &'a Known<Vec<Place>>,
    declared: &'a Declared<'a>,
}

impl Asked<'_> {
    /// Groups see the frontend's address as the destination if it floats, which is the default of the cloud provider
    /// for Kubernetes; otherwise the node's address and the backend's port.
    fn scoring(&self, by_frontend: &FlowAnswer, serving: &[Serving]) -> Option<FlowAnswer> {
        if serving.is_empty() {
            return None;
        }
        if let Some(closed) = self.closed(serving) {
            return Some(closed);
        }
        let question = self.engines.question_named("scoring_inbound")?;
        let mut flow = question.flow(self.parameters).ok()?;
        let asked = |port: u16| flow.ports.iter().any(|range| (range.first..=range.last).contains(&port));
        let ways: Vec<&Way> =
            serving.iter().flat_map(|serving| &serving.ways).filter(|way| asked(way.port)).collect();
        let floating = match ways.iter().map(|way| way.floating.clone()).collect::<Known<Vec<bool>>>() {
            Ok(floating) => floating,
            Err(reason) => return Some(FlowAnswer::all_unknown(&reason)),
        };
        if floating.iter().all(|floating| *floating) {
            return None;
        }
        if floating.iter().any(|floating| *floating) {
            let message =
                "some ports of scoring keep the frontend's address as the destination, and some do not";
            return Some(FlowAnswer::all_unknown(&Reason::new(Code::Ambiguous, message)));
        }
        flow.ports =
            ways.iter().map(|way| PortRange { first: way.backend_port, last: way.backend_port }).collect();
        flow.local = None;
        if flow.ports.is_empty() {
            return None;
        }
        let by_node = self.engines.flow(&flow, self.places, self.declared);
        match (by_frontend.verdict.value(), by_node.verdict.value()) {
            // The articles ask for a rule for the frontend's address; the groups' documentation says that they see the
            // node's. What both let in is let in.
            (Some(Verdict::Allow), Some(Verdict::Deny | Verdict::Partial)) => {
                let message = "a rule lets callers in to the frontend's address, but it does not float, and to the nodes' own addresses they are stopped: the documents do not agree which one counts";
                Some(FlowAnswer::all_unknown(&Reason::new(Code::Undecidable, message)))
            }
            _ => Some(by_node),
        }
    }

    /// A standard load balancer lets nobody in where no group is on the way; from inside the network to an internal
    /// one, the documents differ.
    fn closed(&self, serving: &[Serving]) -> Option<FlowAnswer> {
        let places = self.places.as_ref().ok()?;
        if places.is_empty() || !places.iter().any(|place| place.unguarded() == Ok(true)) {
            return None;
        }
        let standard = serving.iter().any(|serving| serving.sku.as_deref() != Ok("basic"));
        if !standard {
            return None;
        }
        if serving.iter().any(|serving| serving.facts.public) {
            let sku = serving.iter().find_map(|serving| serving.sku.as_ref().err());
            if let Some(reason) = sku {
                return Some(FlowAnswer::all_unknown(reason));
            }
            return Some(FlowAnswer {
                verdict: Fact::of(Verdict::Deny),
                reasons: Vec::new(),
                decided_by: vec!["no-nsg".to_owned()],
                security_groups: Vec::new(),
                stopped_by: Vec::new(),
                stopped_at_some_place: true,
                by_any_to_any: false,
                arrives: None,
                stopped: None,
            });
        }
        let message = "no network security group is on the way, and the documents do not agree whether a standard internal load balancer is open then";
        Some(FlowAnswer::all_unknown(&Reason::new(Code::Undecidable, message)))
    }
}
