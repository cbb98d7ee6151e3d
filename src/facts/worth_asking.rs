//! What is worth asking Azure beyond its lists: for whom, and where, a right that policies ask about hangs on groups of
//! which nobody told who is in them.
//!
//! A question costs a request, so there are as few as will do: none where the answer is known without, and none for what
//! another question tells as well. Whoever is in a group at one place is in it at every place.

use std::collections::{BTreeMap, BTreeSet};

use crate::expectations::Declarations;
use crate::inventory::authorization::AskAssignedTo;
use crate::inventory::graph::vnet_of;
use crate::inventory::state::State;
use crate::inventory::{Code, Inventory, Kind, ObjectId, ResourceId};

use super::access::{Access, NETWORK_CONTRIBUTOR, Question, SUBNET_JOIN, SUBNET_READ, VNET_JOIN, Wanted};
use super::aci;
use super::hosting::Hosting;
use super::subjects::{by_cluster, computes};

/// No more questions than this are asked in one sweep. What a further one would have told stays unknown.
pub const MOST_QUESTIONS: usize = 500;

/// The questions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorthAsking {
    /// In a stable order, at most [`MOST_QUESTIONS`].
    pub questions: Vec<AskAssignedTo>,
    /// How many more there would have been.
    pub left_out: usize,
}

/// In which capacity somebody needs a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Capacity {
    /// As a cluster that lives in it.
    ControlPlane,
    /// As somebody who deploys into it.
    Deployer,
}

/// Finds the questions. An inventory that holds their answers leaves none of them open.
pub fn worth_asking(inventory: &Inventory, declarations: &Declarations) -> WorthAsking {
    let mut access = Access::index(inventory);
    let mut all = Vec::new();
    for (principal, needs) in needs(inventory, declarations) {
        if access.may_ask_about(&principal) {
            all.extend(
                fewest(&mut access, inventory, &principal, &needs)
                    .into_iter()
                    .map(|scope| AskAssignedTo { principal: principal.clone(), scope }),
            );
        }
    }
    let left_out = all.len().saturating_sub(MOST_QUESTIONS);
    all.truncate(MOST_QUESTIONS);
    WorthAsking { questions: all, left_out }
}

type Needs = BTreeSet<(ResourceId, Capacity)>;

/// Who needs which subnets.
fn needs(inventory: &Inventory, declarations: &Declarations) -> BTreeMap<ObjectId, Needs> {
    let mut needs: BTreeMap<ObjectId, Needs> = BTreeMap::new();
    let by_cluster = by_cluster(&computes(inventory));
    for cluster in by_cluster.keys().filter_map(|id| inventory.cluster(id).ok()) {
        if cluster.state == Ok(State::Deleting) {
            continue;
        }
        let subnets = cluster.subnets().unwrap_or_default();
        for principal in cluster.control_plane_principals().unwrap_or_default() {
            let own = subnets.iter().map(|subnet| (subnet.clone(), Capacity::ControlPlane));
            needs.entry(principal.object_id).or_default().extend(own);
        }
    }
    let hosting = Hosting::find(inventory, &by_cluster, &aci::find(inventory));
    for (subnet, place) in &hosting.subnets {
        let mut deployers: Vec<String> =
            place.workspaces.iter().filter_map(|id| declarations.of(id).deployers).flatten().collect();
        // A subnet that is not one workspace's is judged by the defaults.
        if place.workspaces.len() != 1 {
            deployers.extend(declarations.default.deployers.iter().flatten().cloned());
        }
        for principal in deployers.iter().filter_map(|text| ObjectId::parse(text)) {
            needs.entry(principal).or_default().insert((subnet.clone(), Capacity::Deployer));
        }
    }
    needs
}

/// The fewest subnets at which to ask about a principal, near enough: each time the one that tells most of the groups
/// that are still open.
fn fewest(
    access: &mut Access<'_>,
    inventory: &Inventory,
    principal: &ObjectId,
    needs: &Needs,
) -> Vec<ResourceId> {
    let mut open = BTreeSet::new();
    for (subnet, capacity) in needs {
        for question in questions(principal, subnet, *capacity) {
            open.extend(access.open_groups(&question));
        }
    }
    let subnets: BTreeSet<&ResourceId> = needs.iter().map(|(subnet, _)| subnet).collect();
    let mut told: Vec<(&ResourceId, BTreeSet<&str>)> = Vec::new();
    if !open.is_empty() {
        let answers = subnets.into_iter().filter(|subnet| may_answer(inventory, subnet));
        told.extend(answers.map(|subnet| (subnet, access.told_groups(principal, subnet))));
    }
    let mut asked = Vec::new();
    while !open.is_empty() {
        let gain = |groups: &BTreeSet<&str>| groups.iter().filter(|group| open.contains(**group)).count();
        // The first of equals.
        let best = told.iter().map(|(subnet, groups)| (gain(groups), *subnet, groups)).rev();
        let Some((gain, subnet, groups)) = best.max_by_key(|(gain, ..)| *gain) else { break };
        if gain == 0 {
            break;
        }
        asked.push(subnet.clone());
        open.retain(|group| !groups.contains(group.as_str()));
    }
    asked.sort();
    asked
}

/// What policies ask of a principal about a subnet: of a cluster's identity the actions that AKS needs and the role that
/// the article asks for on the VNet's group, of a deployer the two joins.
fn questions(principal: &ObjectId, subnet: &ResourceId, capacity: Capacity) -> Vec<Question> {
    let vnet = vnet_of(subnet).ok();
    let wanted = match capacity {
        Capacity::ControlPlane => [
            (Wanted::action(SUBNET_JOIN), Some(subnet.clone())),
            (Wanted::action(SUBNET_READ), Some(subnet.clone())),
            (Wanted::role(NETWORK_CONTRIBUTOR), vnet.and_then(|vnet| vnet.resource_group())),
        ]
        .to_vec(),
        Capacity::Deployer => {
            [(Wanted::action(SUBNET_JOIN), Some(subnet.clone())), (Wanted::action(VNET_JOIN), vnet)].to_vec()
        }
    };
    wanted
        .into_iter()
        .filter_map(|(wanted, scope)| Some(Question::new(principal.clone(), wanted?, scope?)))
        .collect()
}

/// Whether an answer may be had at a subnet: not where it is gone, and not where the assignments were refused already.
fn may_answer(inventory: &Inventory, subnet: &ResourceId) -> bool {
    let refused = inventory.coverage.hides(Kind::RoleAssignments, subnet);
    vnet_of(subnet).is_ok()
        && inventory.has_subnet(subnet) != Ok(false)
        && !refused.is_some_and(|reason| matches!(reason.code, Code::Denied | Code::NotAsked))
}
