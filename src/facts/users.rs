//! Which workspaces use what several of them may share. A verdict on it is news for each of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Inventory, ResourceId};

use super::aci;
use super::hosting::Hosting;
use super::subjects::{by_cluster, computes};

/// The workspaces behind each cluster and each subnet that hosts inference.
pub fn users(inventory: &Inventory) -> BTreeMap<ResourceId, BTreeSet<ResourceId>> {
    let computes = computes(inventory);
    let by_cluster = by_cluster(&computes);
    let hosting = Hosting::find(inventory, &by_cluster, &aci::find(inventory));
    let of_cluster = |attached: &[&crate::inventory::machine_learning::Compute]| {
        attached.iter().map(|compute| compute.workspace.clone()).collect()
    };
    let clusters = by_cluster.iter().map(|(id, attached)| (id.clone(), of_cluster(attached)));
    let subnets = hosting.subnets.into_iter().map(|(id, place)| (id, place.workspaces));
    clusters.chain(subnets).collect()
}
