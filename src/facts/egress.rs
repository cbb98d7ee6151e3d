//! How a cluster's nodes reach the internet.

use ipnet::{IpNet, Ipv4Net};

use crate::inventory::graph::vnet_of;
use crate::inventory::kubernetes::Cluster;
use crate::inventory::network::prefix;
use crate::inventory::routes::{Route as RouteNode, RouteTable};
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId};

use super::cluster;
use super::declared::Declared;
use super::document::{Egress, Route, Search, SubnetEgress};
use super::endpoints::exists;
use super::engines::Engines;
use super::exposure::{LEARNS_ROUTES, Parameters};

/// What no public address lies in: private, shared, link-local and loopback ranges, multicast and beyond.
const NOT_PUBLIC: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// The way out of a cluster's nodes.
pub(super) fn facts(engines: &Engines<'_>, cluster: &Cluster, declared: &Declared<'_>) -> Egress {
    let subnets = cluster::node_subnet_ids(cluster)
        .map(|ids| ids.iter().map(|id| of_subnet(engines, cluster, id, declared)).collect());
    Egress {
        r#type: cluster.outbound_type.clone().into(),
        provided: provided(engines.inventory, cluster).into(),
        appliance_trusted: declared.appliance_trusted().into(),
        subnets: subnets.into(),
    }
}

/// Whether what AKS keeps for the cluster's outbound type is there.
fn provided(inventory: &Inventory, cluster: &Cluster) -> Known<bool> {
    let kind = match cluster.outbound_type.as_deref().map_err(Clone::clone)? {
        "loadbalancer" => Kind::LoadBalancers,
        "managednatgateway" | "managednatgatewayv2" => Kind::NatGateways,
        _ => return Ok(true),
    };
    let group = cluster.node_resource_group.clone()?;
    // The addresses that the cluster's own record names are no proof: they stand there while a balancer is being deleted.
    if let Some(reason) = inventory.coverage.incomplete(kind, &group) {
        return Err(reason);
    }
    let found = if kind == Kind::LoadBalancers {
        let balancers = inventory.load_balancers.values().filter(|balancer| group.contains(&balancer.id));
        let balancers = balancers.filter(|balancer| balancer.state != Ok(State::Deleting));
        exists(balancers.map(|balancer| {
            let frontends = balancer.frontends.as_ref().map_err(Clone::clone)?;
            exists(frontends.iter().map(|frontend| Ok(frontend.subnet.clone()?.is_none())))
        }))
    } else {
        let gateways = inventory.nat_gateways.values().filter(|gateway| group.contains(&gateway.id));
        let gateways = gateways.filter(|gateway| gateway.state != Ok(State::Deleting));
        exists(gateways.map(|gateway| gateway.has_address.clone()))
    };
    if found? {
        return Ok(true);
    }
    let message = format!("among the {kind} of {group} none leads out, as the cluster's outbound type says");
    Err(Reason::new(Code::Unproven, message))
}

fn of_subnet(
    engines: &Engines<'_>,
    cluster: &Cluster,
    id: &ResourceId,
    declared: &Declared<'_>,
) -> SubnetEgress {
    let inventory = engines.inventory;
    let node = inventory.subnet(id);
    let table_id = node.clone().and_then(|node| node.route_table.clone());
    let table = match table_id.clone() {
        Ok(Some(id)) => inventory.route_table(&id).map(Some),
        Ok(None) => Ok(None),
        Err(reason) => Err(reason),
    };
    let routes: Known<&[RouteNode]> = match &table {
        Ok(Some(table)) => table.routes.as_deref().map_err(Clone::clone),
        Ok(None) => Ok(&[]),
        Err(reason) => Err(reason.clone()),
    };
    let places = engines.node_places(cluster, id);
    let gateway = node.and_then(|node| node.nat_gateway.clone());
    let settled = || {
        cluster::settled_subnet(inventory, id)?;
        if let Ok(Some(table)) = table
            && let Some(reason) = unsettled(&table.state, &table.id)
        {
            return Err(reason);
        }
        if let Ok(Some(gateway)) = gateway.clone()
            && let Ok(gateway) = inventory.nat_gateway(&gateway)
            && let Some(reason) = unsettled(&gateway.state, &gateway.id)
        {
            return Err(reason);
        }
        Ok(true)
    };
    SubnetEgress {
        id: id.clone(),
        name: id.name().to_owned(),
        settled: settled().into(),
        nat_gateway: gateway.clone().and_then(|id| usable_gateway(inventory, id)).into(),
        route_table: table_id.into(),
        default_route: routes.clone().and_then(default_route).into(),
        diversions: diversions(&routes),
        learns_routes: learns_routes(inventory, id, &table).into(),
        https: engines.named("internet_https_outbound", &Parameters::new(), &places, declared),
    }
}

/// A subnet's NAT gateway; one that was not read, or has no address to send from, is no proof of a way out.
fn usable_gateway(inventory: &Inventory, id: Option<ResourceId>) -> Known<Option<ResourceId>> {
    let Some(id) = id else { return Ok(None) };
    if inventory.nat_gateway(&id)?.has_address.clone()? {
        return Ok(Some(id));
    }
    Err(Reason::new(Code::Unproven, format!("{id} has no public address to send from")))
}

fn route(node: &RouteNode) -> Known<Route> {
    Ok(Route {
        prefix: node.prefix.clone()?,
        next_hop: node.next_hop.clone()?,
        address: node.next_hop_address.clone()?,
    })
}

fn is_default(route: &Route) -> bool {
    matches!(prefix(&route.prefix), Some(IpNet::V4(net)) if net.prefix_len() == 0)
}

fn default_route(routes: &[RouteNode]) -> Known<Option<Route>> {
    let mut found: Option<Route> = None;
    for node in routes {
        let route = route(node)?;
        if !is_default(&route) {
            continue;
        }
        // Azure lets a table have one route per prefix.
        if found.as_ref().is_some_and(|other| *other != route) {
            return Err(Reason::new(Code::Ambiguous, "the route table has several default routes"));
        }
        found = Some(route);
    }
    Ok(found)
}

/// The routes, but for the default one, that take public addresses elsewhere than to the internet. A service tag stands
/// for public addresses.
fn diversions(routes: &Known<&[RouteNode]>) -> Search<Route> {
    let mut hidden = routes.as_ref().err().cloned();
    let mut found = Vec::new();
    for node in routes.iter().copied().flatten() {
        match route(node) {
            Ok(route) if !is_default(&route) && route.next_hop != "internet" && public(&route.prefix) => {
                found.push(route);
            }
            Ok(_) => {}
            Err(reason) => drop(hidden.get_or_insert(reason)),
        }
    }
    found.sort();
    Search::of(found, hidden)
}

/// Whether public IPv4 addresses may lie in a route's prefix.
fn public(text: &str) -> bool {
    match prefix(text) {
        Some(IpNet::V4(net)) => !NOT_PUBLIC
            .iter()
            .filter_map(|text| text.parse::<Ipv4Net>().ok())
            .any(|private| private.contains(&net)),
        Some(IpNet::V6(_)) => false,
        None => true,
    }
}

/// Whether routes that no table tells may be learned: from a gateway or route server of the VNet, or of a peer whose
/// gateways it uses.
fn learns_routes(
    inventory: &Inventory,
    subnet: &ResourceId,
    table: &Known<Option<&RouteTable>>,
) -> Known<bool> {
    if let Ok(Some(table)) = table
        && table.keeps_learned_out == Ok(true)
    {
        return Ok(false);
    }
    let vnet = inventory.vnet(&vnet_of(subnet)?)?;
    let subnets = vnet.subnets.as_ref().map_err(Clone::clone)?;
    let own = exists(subnets.iter().map(|subnet| {
        let id = subnet.id.clone()?;
        Ok(LEARNS_ROUTES.iter().any(|name| id.name().eq_ignore_ascii_case(name)))
    }));
    let peerings = vnet.peerings.as_ref().map_err(Clone::clone)?;
    let of_peers = exists(peerings.iter().map(|peering| peering.uses_remote_gateways.clone()));
    exists([own, of_peers, table.as_ref().map(|_| false).map_err(Reason::clone)])
}
