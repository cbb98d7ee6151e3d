//! What else a change of a resource reaches: whoever is attached to it, lives in it or uses it.

use std::collections::BTreeSet;

use crate::inventory::kubernetes::Cluster;
use crate::inventory::machine_learning::ComputeKind;
use crate::inventory::network::Subnet;
use crate::inventory::{Inventory, Kind, Known, Reason, ResourceId};

use super::aci;

/// Who is reached by a change of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The kinds that were looked through; subnets stand among their VNets.
    pub kinds: &'static [Kind],
    /// Whom it surely reaches, in the order of their ids.
    pub known: Vec<ResourceId>,
    /// Why there may be others.
    pub unread: Option<Reason>,
}

/// Whom a change of this resource reaches; none for a kind that nobody is looked for behind.
pub fn touched(inventory: &Inventory, id: &ResourceId) -> Option<Touched> {
    let Some(arm_type) = id.resource_type() else {
        return (id.resource_group().as_ref() == Some(id)).then(|| of_group(inventory, id));
    };
    if arm_type == "microsoft.network/virtualnetworks/subnets" {
        return Some(of_network(inventory, id));
    }
    match Kind::of_arm_type(&arm_type)? {
        Kind::VirtualNetworks => Some(of_network(inventory, id)),
        Kind::NetworkSecurityGroups => Some(of_security_group(inventory, id)),
        Kind::RouteTables => Some(of_route_table(inventory, id)),
        Kind::AksClusters => Some(of_cluster(inventory, id)),
        Kind::Registries => Some(of_registry(inventory, id)),
        _ => None,
    }
}

/// Azure attaches a security group only within its own subscription.
fn of_security_group(inventory: &Inventory, id: &ResourceId) -> Touched {
    const KINDS: &[Kind] = &[Kind::VirtualNetworks, Kind::NetworkInterfaces, Kind::ScaleSets];
    let mut found = Found::within(inventory, KINDS, &subscription(id));
    let is = |group: &Known<Option<ResourceId>>| group.clone().map(|group| group.as_ref() == Some(id));
    found.subnets(inventory, id, |subnet| is(&subnet.security_group));
    for interface in inventory.interfaces.values().filter(|interface| beside(&interface.id, id)) {
        found.ask(&interface.id, is(&interface.security_group));
    }
    for set in inventory.scale_sets.values().filter(|set| beside(&set.id, id)) {
        let interfaces = set.interfaces.as_ref().map_err(Clone::clone);
        let any = interfaces.and_then(|all| any(all.iter().map(|interface| is(&interface.security_group))));
        found.ask(&set.id, any);
    }
    found.touched(KINDS)
}

/// The same holds for a route table.
fn of_route_table(inventory: &Inventory, id: &ResourceId) -> Touched {
    const KINDS: &[Kind] = &[Kind::VirtualNetworks];
    let mut found = Found::within(inventory, KINDS, &subscription(id));
    found.subnets(inventory, id, |subnet| subnet.route_table.clone().map(|table| table.as_ref() == Some(id)));
    found.touched(KINDS)
}

/// Who lives in a VNet or subnet.
fn of_network(inventory: &Inventory, place: &ResourceId) -> Touched {
    const KINDS: &[Kind] = &[Kind::AksClusters, Kind::ContainerGroups, Kind::PrivateEndpoints];
    let mut found = Found::anywhere(inventory, KINDS);
    let within = |subnets: &[ResourceId]| subnets.iter().any(|subnet| place.contains(subnet));
    for cluster in inventory.clusters.values() {
        found.ask(&cluster.id, lives_in(cluster, place));
    }
    for group in inventory.container_groups.values() {
        found.ask(&group.id, aci::placement(inventory, group).map(|subnets| within(&subnets)));
    }
    for endpoint in inventory.private_endpoints.values() {
        found.ask(&endpoint.id, endpoint.subnet.clone().map(|subnet| place.contains(&subnet)));
    }
    found.touched(KINDS)
}

fn lives_in(cluster: &Cluster, place: &ResourceId) -> Known<bool> {
    if cluster.subnets()?.iter().any(|subnet| place.contains(subnet)) {
        return Ok(true);
    }
    // AKS makes a VNet for nodes that name no subnet, in their own group.
    let pools = cluster.pools.as_ref().map_err(Clone::clone)?;
    let made = pools.iter().any(|pool| pool.node_subnet == Ok(None));
    if made { Ok(cluster.node_resource_group.clone()?.contains(place)) } else { Ok(false) }
}

/// The workspaces that a cluster is attached to.
fn of_cluster(inventory: &Inventory, id: &ResourceId) -> Touched {
    const KINDS: &[Kind] = &[Kind::Workspaces, Kind::Computes];
    let mut found = Found::anywhere(inventory, KINDS);
    for compute in inventory.computes.values() {
        match &compute.target {
            Ok(target) if target == id => found.ask(&compute.workspace, Ok(true)),
            // Other computes have no cluster behind them, and hide none.
            Err(reason) if compute.kind != Ok(ComputeKind::Other) => {
                found.ask(&compute.workspace, Err(reason.clone()));
            }
            _ => {}
        }
    }
    found.touched(KINDS)
}

fn of_registry(inventory: &Inventory, id: &ResourceId) -> Touched {
    const KINDS: &[Kind] = &[Kind::Workspaces];
    let mut found = Found::anywhere(inventory, KINDS);
    for workspace in inventory.workspaces.values() {
        found.ask(&workspace.id, workspace.registry.clone().map(|registry| registry.as_ref() == Some(id)));
    }
    found.touched(KINDS)
}

/// What a role on a resource group reaches.
fn of_group(inventory: &Inventory, group: &ResourceId) -> Touched {
    const KINDS: &[Kind] = &[Kind::VirtualNetworks, Kind::AksClusters];
    let mut found = Found::within(inventory, KINDS, group);
    let nodes = inventory.vnets.keys().chain(inventory.clusters.keys());
    found.known.extend(nodes.filter(|id| group.contains(id)).cloned());
    found.touched(KINDS)
}

fn subscription(id: &ResourceId) -> ResourceId {
    id.subscription_id().unwrap_or_else(ResourceId::root)
}

fn beside(a: &ResourceId, b: &ResourceId) -> bool {
    a.subscription() == b.subscription()
}

/// Yes if one says yes, else the first who does not know.
fn any(answers: impl Iterator<Item = Known<bool>>) -> Known<bool> {
    let mut hidden = None;
    for answer in answers {
        match answer {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(reason) => hidden = hidden.or(Some(reason)),
        }
    }
    hidden.map_or(Ok(false), Err)
}

struct Found {
    known: BTreeSet<ResourceId>,
    unread: Option<Reason>,
}

impl Found {
    fn within(inventory: &Inventory, kinds: &[Kind], scope: &ResourceId) -> Self {
        let unread = kinds.iter().find_map(|kind| inventory.coverage.incomplete(*kind, scope));
        Self { known: BTreeSet::new(), unread }
    }

    fn anywhere(inventory: &Inventory, kinds: &[Kind]) -> Self {
        let unread = kinds.iter().find_map(|kind| inventory.coverage.incomplete_anywhere(*kind));
        Self { known: BTreeSet::new(), unread }
    }

    fn ask(&mut self, id: &ResourceId, answer: Known<bool>) {
        match answer {
            Ok(true) => drop(self.known.insert(id.clone())),
            Ok(false) => {}
            Err(reason) => drop(self.unread.get_or_insert(reason)),
        }
    }

    /// Asks every subnet in the subscription of `id`.
    fn subnets(&mut self, inventory: &Inventory, id: &ResourceId, answer: impl Fn(&Subnet) -> Known<bool>) {
        for vnet in inventory.vnets.values().filter(|vnet| beside(&vnet.id, id)) {
            match &vnet.subnets {
                // One that does not tell its id stands under its VNet.
                Ok(subnets) => subnets
                    .iter()
                    .for_each(|subnet| self.ask(subnet.id.as_ref().unwrap_or(&vnet.id), answer(subnet))),
                Err(reason) => self.ask(&vnet.id, Err(reason.clone())),
            }
        }
    }

    fn touched(self, kinds: &'static [Kind]) -> Touched {
        Touched { kinds, known: self.known.into_iter().collect(), unread: self.unread }
    }
}
