//! Subnets that host inference: every subnet that an attached cluster or a web service refers to.

use std::collections::{BTreeMap, BTreeSet};

use crate::expectations::Declarations;
use crate::inventory::machine_learning::Compute;
use crate::inventory::state::State;
use crate::inventory::{Inventory, Known, Reason, ResourceId};

use super::declared::Declared;
use super::document::{Document, HostingSubnet, SubjectKind};
use super::engines::Engines;
use super::subjects::{document as blank, subject};
use super::{aci, cluster, reach};

/// The subnets that host inference, and where more of them may be hidden.
#[derive(Default)]
pub(super) struct Hosting {
    pub(super) subnets: BTreeMap<ResourceId, Use>,
    pub(super) hidden: BTreeMap<ResourceId, Reason>,
}

/// Who lives in a subnet, and in whose name.
#[derive(Default)]
pub(super) struct Use {
    by: BTreeSet<ResourceId>,
    pub(super) workspaces: BTreeSet<ResourceId>,
    /// Why it may be that nobody of Azure Machine Learning's lives here; none once one surely does.
    unproven: Option<Reason>,
    proven: bool,
}

impl Hosting {
    pub(super) fn find(
        inventory: &Inventory,
        by_cluster: &BTreeMap<ResourceId, Vec<&Compute>>,
        services: &[aci::Found<'_>],
    ) -> Self {
        let mut hosting = Self::default();
        for (id, attached) in by_cluster {
            let cluster = match inventory.cluster(id) {
                Ok(cluster) if cluster.state == Ok(State::Deleting) => continue,
                Ok(cluster) => cluster,
                // A cluster that is proven gone lives nowhere.
                Err(_) if inventory.has_cluster(id) == Ok(false) => continue,
                Err(reason) => {
                    hosting.hidden.insert(id.clone(), reason);
                    continue;
                }
            };
            match cluster::unwitnessed(inventory, cluster).map_or_else(|| cluster.subnets(), Err) {
                Ok(subnets) => {
                    for subnet in subnets {
                        let place = hosting.subnets.entry(subnet).or_default();
                        place.by.insert(id.clone());
                        place.proven = true;
                        place.workspaces.extend(attached.iter().map(|compute| compute.workspace.clone()));
                    }
                }
                Err(reason) => {
                    hosting.hidden.insert(id.clone(), reason);
                }
            }
        }
        for found in services {
            let subnets = match aci::subnets(inventory, found) {
                Ok(subnets) => subnets,
                // What is on its way out needs no subnet any more.
                Err(_) if found.deleting => continue,
                Err(reason) => {
                    hosting.hidden.extend(found.id().map(|id| (id.clone(), reason)));
                    continue;
                }
            };
            for subnet in subnets {
                let place = hosting.subnets.entry(subnet).or_default();
                place.by.extend(found.group.as_ref().ok().map(|group| group.id.clone()));
                place.workspaces.extend(found.workspace.clone());
                match &found.owner {
                    Ok(_) => place.proven = true,
                    Err(reason) => place.unproven = Some(reason.clone()),
                }
            }
        }
        hosting
    }
}

/// The document of a subnet.
pub(super) fn document(
    engines: &Engines<'_>,
    declarations: &Declarations,
    id: &ResourceId,
    place: &Use,
) -> Option<Document> {
    let inventory = engines.inventory;
    let declared = Declared::of(declarations, place.workspaces.iter().cloned());
    let places = reach::places_of_subnet(engines, id, &place.by);
    let registries = reach::registries(engines, id, &place.workspaces, &places, &declared);
    let groups = reach::groups_of(&places);
    let sole = (place.workspaces.len() == 1).then(|| place.workspaces.first().cloned()).flatten();
    let mut touched = vec![id.clone()];
    touched.extend(place.by.iter().cloned());
    touched.extend(place.workspaces.iter().cloned());
    let expectations = sole.as_ref().map_or_else(|| declarations.default.clone(), |id| declarations.of(id));
    let hosts: Known<bool> = match (&place.unproven, place.proven) {
        (Some(reason), false) => Err(reason.clone()),
        _ => Ok(true),
    };
    Some(Document {
        subject: subject(SubjectKind::Subnet, id, sole, &touched),
        subnet: Some(HostingSubnet {
            subnet: cluster::subnet(inventory, id).ok()?,
            hosts_inference: hosts.into(),
            exists: inventory.has_subnet(id).into(),
            used_by: place.by.iter().cloned().collect(),
            guarded: groups.clone().map(|groups| !groups.is_empty()).into(),
            security_groups: groups.into(),
            registries: registries.into(),
        }),
        flows: Some(engines.every(&reach::regions(engines, &place.workspaces), &places, &declared)),
        ..blank(&[], expectations)
    })
}
