//! What clusters and deployers may do in the networks that inference lives in.

use std::collections::BTreeSet;

use crate::inventory::graph::vnet_of;
use crate::inventory::kubernetes::Cluster;
use crate::inventory::machine_learning::Compute;
use crate::inventory::state::State;
use crate::inventory::{Code, Inventory, Kind, Known, ObjectId, Reason, ResourceId};

use super::access::{NETWORK_CONTRIBUTOR, Question, SUBNET_JOIN, Wanted};
use super::aci;
use super::cluster::{unwitnessed, vnet_ref};
use super::declared::undeclared;
use super::document::{
    ClusterAccess, DeployerRight, Deployers, Fact, GroupRights, Right, Search, SubnetRights,
};
use super::engines::{Engines, open_right, right};

/// What reading a subnet needs, which AKS does before it puts nodes there.
const SUBNET_READ: &str = "Microsoft.Network/virtualNetworks/subnets/read";

/// What the edition of 2026 of "Configure Azure CNI networking" asks of custom roles besides.
const WRITE_ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments/write";

/// What Network Contributor gives on networks.
const EVERY_NETWORK_ACTION: &str = "Microsoft.Network/*";

/// What deploying into a VNet needs at the VNet itself.
const VNET_JOIN: &str = "Microsoft.Network/virtualNetworks/join/action";

/// The rights of a cluster's control plane on the subnets of its nodes and pods, and on their VNets' resource groups.
pub(super) fn of_cluster(engines: &Engines<'_>, cluster: &Cluster) -> ClusterAccess {
    let subnets = pool_subnets(engines.inventory, cluster);
    let groups: Known<BTreeSet<ResourceId>> = subnets.clone().and_then(|subnets| {
        let group = |id: &ResourceId| {
            id.resource_group()
                .ok_or_else(|| Reason::new(Code::Malformed, format!("{id} names no resource group")))
        };
        subnets.iter().map(group).collect()
    });
    let principals = cluster.control_plane_principals();
    let ids: Known<Vec<ObjectId>> =
        principals.map(|all| all.into_iter().map(|principal| principal.object_id).collect());
    let kubelet = cluster.kubelet_principal().ok().flatten();
    let ask = |principal: &ObjectId, wanted: Option<Wanted>, scope: &ResourceId| -> Right {
        let Some(wanted) = wanted else {
            return open_right(&Reason::new(Code::Malformed, "nothing is asked for"));
        };
        right(engines.access.ask(&Question {
            principal: principal.clone(),
            wanted,
            scope: scope.clone(),
            kubelet: kubelet.clone(),
            now: engines.inventory.taken_at,
        }))
    };
    let of_subnets = || {
        let (ids, subnets) = (ids.clone()?, subnets?);
        let mut rights = Vec::new();
        for principal in &ids {
            for id in &subnets {
                rights.push(SubnetRights {
                    principal: principal.clone(),
                    id: id.clone(),
                    name: id.name().to_owned(),
                    vnet: vnet_ref(&vnet_of(id)?),
                    join: ask(principal, Wanted::action(SUBNET_JOIN), id),
                    read: ask(principal, Wanted::action(SUBNET_READ), id),
                    write_role_assignments: ask(principal, Wanted::action(WRITE_ASSIGNMENTS), id),
                });
            }
        }
        Ok(rights)
    };
    let of_groups = || {
        let (ids, groups) = (ids.clone()?, groups?);
        let mut rights = Vec::new();
        for principal in &ids {
            for id in &groups {
                rights.push(GroupRights {
                    principal: principal.clone(),
                    id: id.clone(),
                    name: id.name().to_owned(),
                    network_contributor: network_contributor(&|wanted| ask(principal, wanted, id)),
                });
            }
        }
        Ok(rights)
    };
    ClusterAccess { subnets: of_subnets().into(), groups: of_groups().into(), principals: ids.clone().into() }
}

/// The role, or whatever else gives all of `Microsoft.Network/*`, which is what AKS takes of it.
fn network_contributor(ask: &dyn Fn(Option<Wanted>) -> Right) -> Right {
    let role = ask(Wanted::role(NETWORK_CONTRIBUTOR));
    if role.held.value() == Some(&true) {
        return role;
    }
    let actions = ask(Wanted::action(EVERY_NETWORK_ACTION));
    match (actions.held.value(), role.held.value()) {
        (Some(true), _) => actions,
        (None, Some(false)) => Right { misses: role.misses, ..actions },
        _ => role,
    }
}

/// The subnets of a cluster's nodes and pods. The API server's own is delegated, and AKS asks other rights there.
fn pool_subnets(inventory: &Inventory, cluster: &Cluster) -> Known<BTreeSet<ResourceId>> {
    if let Some(reason) = unwitnessed(inventory, cluster) {
        return Err(reason);
    }
    let mut subnets = BTreeSet::new();
    for pool in cluster.pools.as_ref().map_err(Clone::clone)? {
        subnets.extend(pool.node_subnet.clone()?);
        subnets.extend(pool.pod_subnet.clone()?);
    }
    Ok(subnets)
}

/// The networks that a workspace's inference uses, and why there may be more of them.
struct Networks {
    subnets: BTreeSet<ResourceId>,
    hidden: Option<Reason>,
}

fn networks(
    inventory: &Inventory,
    workspace: &ResourceId,
    computes: &[&Compute],
    services: &[aci::Found<'_>],
) -> Networks {
    let coverage = &inventory.coverage;
    let lists = [Kind::Computes, Kind::Services, Kind::ContainerGroups];
    let mut hidden = lists.into_iter().find_map(|kind| coverage.incomplete(kind, workspace));
    let mut subnets = BTreeSet::new();
    for compute in computes.iter().filter(|compute| compute.workspace == *workspace) {
        let cluster = compute.target.clone().and_then(|id| {
            // A cluster that is proven gone, or on its way out, needs no network.
            if inventory.has_cluster(&id) == Ok(false) {
                return Ok(None);
            }
            inventory.cluster(&id).map(|cluster| (cluster.state != Ok(State::Deleting)).then_some(cluster))
        });
        let found = cluster.and_then(|cluster| {
            cluster.map_or(Ok(BTreeSet::new()), |cluster| pool_subnets(inventory, cluster))
        });
        match found {
            Ok(found) => subnets.extend(found),
            Err(reason) => drop(hidden.get_or_insert(reason)),
        }
    }
    for found in services {
        match &found.owner {
            Ok(_) if found.workspace.as_ref() == Some(workspace) => {}
            Ok(_) => continue,
            // Of a group that is not proven anybody's, it may not be proven either that it is not this workspace's.
            Err(reason) => {
                if aci::may_be_of(inventory, found, workspace) {
                    hidden.get_or_insert(reason.clone());
                }
                continue;
            }
        }
        match aci::subnets(inventory, found) {
            Ok(found) => subnets.extend(found),
            // What is on its way out needs no subnet any more.
            Err(_) if found.deleting => {}
            Err(reason) => drop(hidden.get_or_insert(reason)),
        }
    }
    Networks { subnets, hidden }
}

/// The declared deployers' rights on the networks that a workspace's inference uses.
pub(super) fn of_deployers(
    engines: &Engines<'_>,
    workspace: &ResourceId,
    declared: Option<&[String]>,
    computes: &[&Compute],
    services: &[aci::Found<'_>],
) -> Deployers {
    let Networks { subnets, hidden } = networks(engines.inventory, workspace, computes, services);
    let vnets: BTreeSet<ResourceId> = subnets.iter().filter_map(|id| vnet_of(id).ok()).collect();
    let rights = |places: &BTreeSet<ResourceId>, action: &str| -> Vec<DeployerRight> {
        let deployers = declared.unwrap_or_default();
        let pairs = deployers.iter().flat_map(|deployer| places.iter().map(move |id| (deployer, id)));
        pairs
            .map(|(deployer, id)| DeployerRight {
                principal: deployer.clone(),
                id: id.clone(),
                name: id.name().to_owned(),
                join: may(engines, deployer, action, id),
            })
            .collect()
    };
    Deployers {
        declared: match declared {
            Some(deployers) => Fact::of(deployers.to_vec()),
            None => Fact::Unknown {
                unknown: undeclared(
                    "deployers",
                    workspace,
                    "who must be able to deploy into the workspace's networks is not declared",
                ),
            },
        },
        vnet_rights: rights(&vnets, VNET_JOIN),
        subnet_rights: rights(&subnets, SUBNET_JOIN),
        complete: hidden.clone().map_or(Ok(true), Err).into(),
        subnets: Search::of(subnets.into_iter().collect(), hidden),
    }
}

fn may(engines: &Engines<'_>, deployer: &str, action: &str, scope: &ResourceId) -> Right {
    match (ObjectId::parse(deployer), Wanted::action(action)) {
        (Some(principal), Some(wanted)) => right(engines.access.ask(&Question {
            now: engines.inventory.taken_at,
            ..Question::new(principal, wanted, scope.clone())
        })),
        _ => open_right(&Reason::new(Code::Malformed, format!("`{deployer}` is no object id"))),
    }
}
