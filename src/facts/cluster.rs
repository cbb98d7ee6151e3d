//! Facts of an AKS cluster, from its own record and what Azure Machine Learning recorded of it.

use std::collections::BTreeSet;

use crate::inventory::graph::vnet_of;
use crate::inventory::machine_learning::Compute;
use crate::inventory::network::Subnet as SubnetNode;
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId, kubernetes};

use super::document::{Cluster, Delegation, Fact, RangeUse, Search, Subnet, VnetRef};
use super::endpoints::settled;
use super::ranges::{self, Ranges};
use super::unknown::AllUnknown;

/// The facts of the cluster behind `target`; `computes` are its attachments.
pub(super) fn facts(inventory: &Inventory, target: &Known<ResourceId>, computes: &[&Compute]) -> Cluster {
    let found = target.clone().and_then(|id| inventory.cluster(&id));
    let cluster = match found {
        Ok(cluster) => cluster,
        Err(reason) => {
            let mut unknown = Cluster::all_unknown(&reason);
            if let Ok(id) = target {
                unknown.id = Fact::of(id.clone());
                unknown.name = id.name().to_owned();
                unknown.resource_group = id.resource_group_name().unwrap_or_default().to_owned();
            }
            return unknown;
        }
    };
    let own = own_vnet(inventory, cluster);
    let vnets = vnets(inventory, cluster);
    let service = service_ranges(cluster, computes);
    let dns = first_told(cluster.dns_service_ip.clone(), computes, |compute| &compute.dns_service_ip);
    let dns_contained =
        dns.value.clone().and_then(|ip| match (ranges::contained(&ip, &service)?, dns.unsettled) {
            (true, Some(reason)) => Err(reason),
            (contained, _) => Ok(contained),
        });
    let docker = docker_bridge(cluster, computes);
    let mut subnets = Ranges::default();
    subnets.add_vnets(inventory, &vnets, false);

    let mut all = service.clone();
    all.add(RangeUse::PodCidr, None, cluster.pod_cidrs.clone());
    all.add_vnets(inventory, &vnets, true);
    // IPv6 is not concerned, and pods of flat Azure CNI have no range of their own.
    all.known.retain(|range| range.net.addr().is_ipv4());

    Cluster {
        id: Fact::of(cluster.id.clone()),
        name: cluster.id.name().to_owned(),
        resource_group: cluster.id.resource_group_name().unwrap_or_default().to_owned(),
        location: cluster.location.clone().into(),
        private: cluster.private().into(),
        public_fqdn: cluster.public_fqdn().into(),
        fqdn: cluster.fqdn.clone().ok().flatten(),
        private_dns_zone: cluster.private_dns_zone.clone().ok().flatten(),
        kubernetes_version: cluster.version.clone().into(),
        before_containerd: cluster.version.clone().and_then(|version| before_containerd(&version)).into(),
        node_subnets: own.clone().and_then(|_| node_subnets(inventory, cluster)).into(),
        own_vnet: own.into(),
        vnets: vnets.clone().map(|ids| ids.iter().map(vnet_ref).collect()).into(),
        service_cidrs: match &service.hidden {
            Some(reason) => Fact::Unknown { unknown: reason.clone() },
            None => Fact::of(service.known.iter().map(|range| range.text.clone()).collect()),
        },
        dns_service_ip_in_service_cidr: dns_contained.into(),
        dns_service_ip: dns.value.into(),
        reserved_range_overlaps: all.overlapping(&ranges::reserved()),
        service_cidr_overlaps: subnets.overlapping(&service),
        docker_bridge_overlaps: match &docker.value {
            Err(reason) => Search::all_unknown(reason),
            Ok(None) => {
                Search::all_unknown(&Reason::new(Code::NotTold, "no Docker bridge range is recorded"))
            }
            Ok(Some(text)) => {
                let mut others = service.clone();
                others.add_vnets(inventory, &vnets, false);
                let mut bridge = Ranges::default();
                bridge.add(RangeUse::ServiceCidr, None, Ok(vec![text.clone()]));
                if let Some(reason) = docker.unsettled {
                    bridge.hide(reason);
                }
                others.overlapping(&bridge)
            }
        },
        docker_bridge_cidr: docker.value.into(),
    }
}

/// The VNets that a cluster lives in.
pub(super) fn vnets(inventory: &Inventory, cluster: &kubernetes::Cluster) -> Known<Vec<ResourceId>> {
    if pools_in_own_vnet(cluster)? {
        let vnets = cluster.subnets()?.iter().map(vnet_of).collect::<Known<BTreeSet<_>>>()?;
        return Ok(vnets.into_iter().collect());
    }
    // AKS made the VNet: it lies in the node resource group.
    let group = cluster.node_resource_group.clone()?;
    if let Some(reason) = inventory.coverage.incomplete(Kind::VirtualNetworks, &group) {
        return Err(reason);
    }
    let made: Vec<ResourceId> = inventory.vnets.keys().filter(|id| group.contains(id)).cloned().collect();
    match made.len() {
        1 => Ok(made),
        0 => Err(Reason::new(Code::NotFound, format!("no VNet made by AKS was found in {group}"))),
        _ => Err(Reason::new(Code::Ambiguous, format!("more than one VNet lies in {group}"))),
    }
}

/// Whether a cluster's nodes live in a VNet that the customer brought. That AKS made one needs a witness: pools that name no
/// subnet may have lost it, and a gap that hides the witness makes their word no better.
pub(super) fn own_vnet(inventory: &Inventory, cluster: &kubernetes::Cluster) -> Known<bool> {
    match (pools_in_own_vnet(cluster)?, unwitnessed(inventory, cluster)) {
        (false, Some(reason)) => Err(reason),
        (own, _) => Ok(own),
    }
}

/// Why it is not believed that AKS made a cluster's VNet, as its pools say; none if they don't, or where it is.
pub(super) fn unwitnessed(inventory: &Inventory, cluster: &kubernetes::Cluster) -> Option<Reason> {
    if pools_in_own_vnet(cluster) != Ok(false) {
        return None;
    }
    // Several VNets in the node resource group leave open which one it is, not that AKS made it.
    vnets(inventory, cluster).err().filter(|reason| reason.code != Code::Ambiguous)
}

fn pools_in_own_vnet(cluster: &kubernetes::Cluster) -> Known<bool> {
    let mut own = BTreeSet::new();
    for pool in cluster.pools.as_ref().map_err(Clone::clone)? {
        own.insert(pool.node_subnet.clone()?.is_some());
    }
    match (own.contains(&true), own.contains(&false)) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        _ => {
            Err(Reason::new(Code::Ambiguous, format!("only some node pools of {} name a subnet", cluster.id)))
        }
    }
}

fn node_subnets(inventory: &Inventory, cluster: &kubernetes::Cluster) -> Known<Vec<Subnet>> {
    node_subnet_ids(cluster)?.iter().map(|id| subnet(inventory, id)).collect()
}

/// The distinct subnets of a cluster's node pools; none where AKS made the VNet.
pub(super) fn node_subnet_ids(cluster: &kubernetes::Cluster) -> Known<BTreeSet<ResourceId>> {
    let mut ids = BTreeSet::new();
    for pool in cluster.pools.as_ref().map_err(Clone::clone)? {
        ids.extend(pool.node_subnet.clone()?);
    }
    Ok(ids)
}

/// The facts of a subnet that something refers to.
pub(super) fn subnet(inventory: &Inventory, id: &ResourceId) -> Known<Subnet> {
    let vnet = vnet_of(id)?;
    Ok(Subnet {
        id: id.clone(),
        name: id.name().to_owned(),
        vnet: vnet_ref(&vnet),
        delegations: inventory.subnet(id).and_then(delegations).into(),
        settled: settled_subnet(inventory, id).into(),
    })
}

/// Whether neither a subnet nor its VNet is being changed.
pub(super) fn settled_subnet(inventory: &Inventory, id: &ResourceId) -> Known<bool> {
    let node = inventory.subnet(id)?;
    unsettled(&node.state, id).map_or_else(|| settled(inventory, &vnet_of(id)?), Err)
}

fn delegations(subnet: &SubnetNode) -> Known<Vec<Delegation>> {
    let told = subnet.delegations.as_ref().map_err(Clone::clone)?;
    let read = |delegation: &crate::inventory::network::Delegation| {
        let succeeded = delegation.state.clone().map(|state| state == State::Settled);
        Ok(Delegation { service: delegation.service.clone()?, succeeded: succeeded.into() })
    };
    let mut delegations = told.iter().map(read).collect::<Known<Vec<_>>>()?;
    delegations.sort();
    Ok(delegations)
}

/// A VNet by its id alone.
pub(super) fn vnet_ref(id: &ResourceId) -> VnetRef {
    VnetRef {
        id: id.clone(),
        name: id.name().to_owned(),
        resource_group: id.resource_group().unwrap_or_else(|| id.clone()),
    }
}

/// A value from the cluster's record, or from what Azure Machine Learning recorded of it; then with the reason why
/// the recording compute may not be relied on just now.
struct Told<T> {
    value: Known<T>,
    unsettled: Option<Reason>,
}

/// The service ranges: the cluster's word wins over what Azure Machine Learning recorded.
pub(super) fn service_ranges(cluster: &kubernetes::Cluster, computes: &[&Compute]) -> Ranges {
    let told = first_told(cluster.service_cidrs.clone(), computes, |compute| &compute.service_cidrs);
    let mut ranges = Ranges::default();
    ranges.add(RangeUse::ServiceCidr, None, told.value);
    if let Some(reason) = told.unsettled {
        ranges.hide(reason);
    }
    match &cluster.families {
        Ok(families) => {
            let speaks = |family: &str| families.iter().any(|told| told == family);
            // Each family has a range of its own, and a cluster that tells no family speaks IPv4.
            for (spoken, v4) in [(speaks("ipv4") || !speaks("ipv6"), true), (speaks("ipv6"), false)] {
                if spoken && !ranges.known.iter().any(|range| range.net.addr().is_ipv4() == v4) {
                    let family = if v4 { "IPv4" } else { "IPv6" };
                    let message = format!(
                        "{} speaks {family}, but its {family} service range was not told",
                        cluster.id
                    );
                    ranges.hide(Reason::new(Code::NotTold, message));
                }
            }
        }
        Err(reason) => ranges.hide(reason.clone()),
    }
    ranges
}

/// The Docker bridge range, none where nobody recorded one.
fn docker_bridge(cluster: &kubernetes::Cluster, computes: &[&Compute]) -> Told<Option<String>> {
    let own = match cluster.docker_bridge_cidr.clone() {
        Ok(Some(range)) => Ok(range),
        Ok(None) => Err(Reason::new(Code::NotTold, "no Docker bridge range is recorded")),
        Err(reason) => Err(reason),
    };
    let told = first_told(own, computes, |compute| &compute.docker_bridge_cidr);
    let value = match told.value {
        Err(reason) if reason.code == Code::NotTold => Ok(None),
        value => value.map(Some),
    };
    Told { value, unsettled: told.unsettled }
}

/// The cluster's own word if it told one, else the first that Azure Machine Learning recorded.
fn first_told<T: Clone>(
    own: Known<T>,
    computes: &[&Compute],
    recorded: impl Fn(&Compute) -> &Known<Option<T>>,
) -> Told<T> {
    match own {
        Err(reason) if reason.code == Code::NotTold => {
            let found = computes.iter().find_map(|compute| match recorded(compute).clone() {
                Ok(None) => None,
                Ok(Some(value)) => {
                    Some(Told { value: Ok(value), unsettled: unsettled(&compute.state, &compute.id) })
                }
                Err(reason) => Some(Told { value: Err(reason), unsettled: None }),
            });
            found.unwrap_or(Told { value: Err(reason), unsettled: None })
        }
        value => Told { value, unsettled: None },
    }
}

/// Whether nodes of this version may run on Docker, whose bridge range AKS ignores since 1.19.
fn before_containerd(version: &str) -> Known<bool> {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor) < (1, 19)),
        _ => Err(Reason::new(Code::Malformed, format!("`{version}` is no Kubernetes version"))),
    }
}
