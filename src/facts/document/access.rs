//! Who may do what: answers of the access engine, as policies read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fact, Search, VnetRef};
use crate::facts::access::{Denial, Grant, Miss, Note};
use crate::inventory::{ObjectId, Reason, ResourceId};

/// Whether a principal holds something at a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// Whether it is held.
    pub held: Fact<bool>,
    /// Everything that keeps it from being known; empty where it is.
    pub reasons: Vec<Reason>,
    /// The assignments that give it.
    pub given_by: Vec<Grant>,
    /// The deny assignments that take it, or may.
    pub denied_by: Vec<Denial>,
    /// What came near, where it is not held.
    pub misses: Vec<Miss>,
    /// Remarks.
    pub notes: Vec<Note>,
}

/// The rights of a cluster's control plane in the customer's VNet. Where the cluster has several identities, each one
/// has its own entries, for it is not told which one is used. Subject: `aks_cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterAccess {
    /// The object ids of the control plane's identities.
    pub principals: Fact<Vec<ObjectId>>,
    /// Rights on each subnet of nodes or pods; none where AKS made the VNet.
    pub subnets: Fact<Vec<SubnetRights>>,
    /// Rights on the resource group of each VNet; none where AKS made the VNet.
    pub groups: Fact<Vec<GroupRights>>,
}

/// What an identity of a cluster may do at a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubnetRights {
    /// The identity.
    pub principal: ObjectId,
    /// The subnet.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Its VNet.
    pub vnet: VnetRef,
    /// `Microsoft.Network/virtualNetworks/subnets/join/action`
    pub join: Right,
    /// `Microsoft.Network/virtualNetworks/subnets/read`
    pub read: Right,
    /// `Microsoft.Authorization/roleAssignments/write`, which one edition of the documents asks of custom roles.
    pub write_role_assignments: Right,
}

/// What an identity of a cluster may do in the resource group of its VNet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRights {
    /// The identity.
    pub principal: ObjectId,
    /// The resource group.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The role Network Contributor, or at least everything that it gives.
    pub network_contributor: Right,
}

/// The rights of the declared deployers on the networks that the workspace's inference uses. Subject: `workspace`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployers {
    /// The object ids that the operator declared; unknown where nothing is declared.
    pub declared: Fact<Vec<String>>,
    /// The subnets that the workspace's clusters and web services live in.
    pub subnets: Search<ResourceId>,
    /// Whether these are all of them.
    pub complete: Fact<bool>,
    /// Each deployer at each VNet: `Microsoft.Network/virtualNetworks/join/action`.
    pub vnet_rights: Vec<DeployerRight>,
    /// Each deployer at each subnet: `Microsoft.Network/virtualNetworks/subnets/join/action`.
    pub subnet_rights: Vec<DeployerRight>,
}

/// Whether a deployer may join a VNet or subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployerRight {
    /// The deployer's object id.
    pub principal: String,
    /// The VNet or subnet.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Whether it may be joined.
    pub join: Right,
}
