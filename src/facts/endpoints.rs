//! Private endpoints of a resource: whether one is usable, in which VNets they live, which VNets reach them.

use crate::inventory::containers::Registry;
use crate::inventory::graph::vnet_of;
use crate::inventory::machine_learning::Workspace;
use crate::inventory::network::Connection;
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Code, Inventory, Known, Reason, ResourceId};

use super::document::EndpointNetwork;

/// The private endpoint connections by which a resource is reached, each with the resource that lists it.
pub(super) struct Connections<'a>(Known<Vec<(&'a ResourceId, &'a Connection)>>);

/// A workspace's connections. A project workspace shares its hub's network.
pub(super) fn of_workspace<'a>(inventory: &'a Inventory, workspace: &'a Workspace) -> Connections<'a> {
    let all = || {
        let mut all = listed(&workspace.id, &workspace.connections)?;
        if let Some(hub) = workspace.hub.clone()? {
            let hub = inventory.workspace(&hub)?;
            all.extend(listed(&hub.id, &hub.connections)?);
        }
        Ok(all)
    };
    Connections(all())
}

/// A registry's connections.
pub(super) fn of_registry(registry: &Registry) -> Connections<'_> {
    Connections(listed(&registry.id, &registry.connections))
}

fn listed<'a>(
    target: &'a ResourceId,
    connections: &'a Known<Vec<Connection>>,
) -> Known<Vec<(&'a ResourceId, &'a Connection)>> {
    Ok(connections.as_ref().map_err(Clone::clone)?.iter().map(|connection| (target, connection)).collect())
}

/// Whether a workspace has a usable private endpoint.
///
/// The workspace's own list decides. An endpoint that claims an approved connection which the workspace
/// does not list is a contradiction: one of the two records is out of date, so "none" is not proven.
pub(super) fn has_endpoint(inventory: &Inventory, workspace: &Workspace) -> Known<bool> {
    let Connections(connections) = of_workspace(inventory, workspace);
    let connections = connections?;
    if exists(connections.iter().map(|(target, connection)| usable(inventory, target, connection)))? {
        return Ok(true);
    }
    unlisted_claim(inventory, workspace, &connections).map_or(Ok(false), Err)
}

fn unlisted_claim(
    inventory: &Inventory,
    workspace: &Workspace,
    listed: &[(&ResourceId, &Connection)],
) -> Option<Reason> {
    let claims = inventory.private_endpoints.values().find(|endpoint| {
        endpoint.claims(&workspace.id)
            && !listed.iter().any(|(_, connection)| connection.endpoint.as_ref() == Ok(&endpoint.id))
    })?;
    let message =
        format!("{} claims an approved connection to {}, which does not list it", claims.id, workspace.id);
    Some(Reason::new(Code::Contradiction, message))
}

/// Whether a connection carries traffic: approved and finished, and so is its endpoint where that can be read.
fn usable(inventory: &Inventory, target: &ResourceId, connection: &Connection) -> Known<bool> {
    if !connection.usable()? {
        return Ok(false);
    }
    let endpoint = connection.endpoint.as_ref().map_err(Clone::clone);
    let Ok(endpoint) = endpoint.and_then(|id| inventory.private_endpoint(id)) else {
        return Ok(true);
    };
    let claimed = endpoint.targets.iter().find(|(claimed, _)| claimed == target);
    if let Some((_, Some(status))) = claimed
        && status != "approved"
    {
        let message =
            format!("{target} says that its connection is approved, {} says `{status}`", endpoint.id);
        return Err(Reason::new(Code::Contradiction, message));
    }
    match &endpoint.state {
        Ok(State::Settled) => Ok(true),
        Ok(State::Deleting | State::Failed(_)) => Ok(false),
        // The connection told its own state already.
        Err(reason) if reason.code == Code::NotTold => Ok(true),
        Ok(State::Changing(_)) | Err(_) => unsettled(&endpoint.state, &endpoint.id).map_or(Ok(true), Err),
    }
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
pub(super) fn networks(inventory: &Inventory, connections: Connections<'_>) -> Known<Vec<EndpointNetwork>> {
    let mut networks = Vec::new();
    for (target, connection) in connections.0? {
        if usable(inventory, target, connection)? {
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
    connections: Connections<'_>,
    accepts: impl Fn(&ResourceId) -> Known<bool>,
) -> Known<bool> {
    exists(connections.0?.into_iter().map(|(target, connection)| {
        // An endpoint that surely lies elsewhere does not matter, whatever its connection's state.
        match subnet(inventory, connection).and_then(|subnet| accepts(&vnet_of(&subnet)?)) {
            Ok(false) => Ok(false),
            Ok(true) => usable(inventory, target, connection),
            Err(reason) => {
                if usable(inventory, target, connection)? {
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
        (Ok(true), Ok(true)) => match [one, other].iter().find_map(|id| settled(inventory, id).err()) {
            Some(reason) => Err(reason),
            None => Ok(true),
        },
        (Err(reason), _) | (_, Err(reason)) => Err(reason),
    }
}

/// Whether nothing in a VNet is being changed; whatever is read off one that is may not hold.
pub(super) fn settled(inventory: &Inventory, vnet: &ResourceId) -> Known<bool> {
    let node = inventory.vnet(vnet)?;
    unsettled(&node.state, vnet).map_or(Ok(true), Err)
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
