//! Private endpoints of a resource: whether one is usable, in which VNets they live, which VNets reach them.

use crate::inventory::graph::vnet_of;
use crate::inventory::machine_learning::Workspace;
use crate::inventory::network::Connection;
use crate::inventory::{Code, Inventory, Known, Reason, ResourceId};

use super::document::EndpointNetwork;

/// Whether a workspace has a usable private endpoint.
///
/// The workspace's own list decides. An endpoint that claims an approved connection which the workspace
/// does not list is a contradiction: one of the two records is out of date, so "none" is not proven.
pub(super) fn has_endpoint(inventory: &Inventory, workspace: &Workspace) -> Known<bool> {
    let connections = workspace.connections.as_ref().map_err(Clone::clone)?;
    if exists(connections.iter().map(Connection::usable))? {
        return Ok(true);
    }
    unlisted_claim(inventory, workspace, connections).map_or(Ok(false), Err)
}

fn unlisted_claim(inventory: &Inventory, workspace: &Workspace, listed: &[Connection]) -> Option<Reason> {
    let claims = inventory.private_endpoints.values().find(|endpoint| {
        endpoint.approved_targets.contains(&workspace.id)
            && !listed.iter().any(|connection| connection.endpoint.as_ref() == Ok(&endpoint.id))
    })?;
    let message =
        format!("{} claims an approved connection to {}, which does not list it", claims.id, workspace.id);
    Some(Reason::new(Code::Contradiction, message))
}

/// The subnet of a connection's endpoint, from the target's word, else from the endpoint's own record.
fn subnet(inventory: &Inventory, connection: &Connection) -> Known<ResourceId> {
    let endpoint = connection.endpoint.clone()?;
    let own = inventory.private_endpoint(&endpoint).and_then(|endpoint| endpoint.subnet.clone());
    match (&connection.subnet, own) {
        (Some(told), Ok(own)) if *told != own => {
            let message = format!("{endpoint} lies in {own}, but its target says {told}");
            Err(Reason::new(Code::Contradiction, message))
        }
        (Some(told), _) => Ok(told.clone()),
        (None, own) => own,
    }
}

/// Where the usable endpoints live; unknown as soon as one of them is.
pub(super) fn networks(
    inventory: &Inventory,
    connections: &Known<Vec<Connection>>,
) -> Known<Vec<EndpointNetwork>> {
    let mut networks = Vec::new();
    for connection in connections.as_ref().map_err(Clone::clone)? {
        if connection.usable()? {
            let subnet = subnet(inventory, connection)?;
            networks.push(EndpointNetwork {
                endpoint: connection.endpoint.clone()?,
                vnet: vnet_of(&subnet)?,
                subnet,
            });
        }
    }
    networks.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
    Ok(networks)
}

/// Whether a usable endpoint lives in a VNet that `accepts`.
pub(super) fn in_vnet(
    inventory: &Inventory,
    connections: &Known<Vec<Connection>>,
    accepts: impl Fn(&ResourceId) -> Known<bool>,
) -> Known<bool> {
    let connections = connections.as_ref().map_err(Clone::clone)?;
    exists(connections.iter().map(|connection| {
        // An endpoint that surely lies elsewhere does not matter, whatever its connection's state.
        match subnet(inventory, connection).and_then(|subnet| accepts(&vnet_of(&subnet)?)) {
            Ok(false) => Ok(false),
            Ok(true) => connection.usable(),
            Err(reason) => {
                if connection.usable()? {
                    Err(reason)
                } else {
                    Ok(false)
                }
            }
        }
    }))
}

/// Whether two VNets are peered: connected, and access allowed, on both sides. Peering is not transitive.
pub(super) fn peered(inventory: &Inventory, one: &ResourceId, other: &ResourceId) -> Known<bool> {
    let side = |from: &ResourceId, to: &ResourceId| {
        let peerings = inventory.vnet(from)?.peerings.as_ref().map_err(Clone::clone)?;
        exists(peerings.iter().map(|peering| match &peering.remote {
            Ok(remote) if remote != to => Ok(false),
            Ok(_) => peering.open.clone(),
            Err(reason) => Err(reason.clone()),
        }))
    };
    match (side(one, other), side(other, one)) {
        (Ok(false), _) | (_, Ok(false)) => Ok(false),
        (Ok(true), Ok(true)) => Ok(true),
        (Err(reason), _) | (_, Err(reason)) => Err(reason),
    }
}

/// Three-valued "there is one": a yes decides, else an unknown, else no.
pub(super) fn exists(items: impl IntoIterator<Item = Known<bool>>) -> Known<bool> {
    let mut unknown = None;
    for item in items {
        match item {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(reason) => unknown = unknown.or(Some(reason)),
        }
    }
    unknown.map_or(Ok(false), Err)
}
