//! Web services on Azure Container Instances, as policies read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fact, Subnet};
use crate::inventory::ResourceId;

/// A web service on Azure Container Instances (SDK and CLI v1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AciService {
    /// Its name.
    pub name: String,
    /// The container group that runs it, where it was found.
    pub container_group: Option<ResourceId>,
    /// What proves that the container group belongs to the workspace.
    pub owner: Fact<Ownership>,
    /// Whether its container group is being deleted.
    pub being_deleted: bool,
    /// Whether it lives in a VNet.
    pub in_vnet: Fact<bool>,
    /// The VNet and subnet that its deployment asked for, by name; `null` where it asked for none.
    pub asked_network: Fact<Option<AskedNetwork>>,
    /// Whether it lives in a subnet of the asked names; `true` where it asked for none.
    pub as_asked: Fact<bool>,
    /// Whether its address is public.
    pub public_address: Fact<bool>,
    /// The subnets that it lives in; none where it lives in no VNet.
    pub networks: Fact<Vec<AciNetwork>>,
    /// The workspace's container registry, `null` where it has none yet.
    pub registry: Fact<Option<Registry>>,
}

/// The VNet and subnet that a v1 deployment asked for. The record has no resource group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedNetwork {
    /// The VNet's name.
    pub vnet: String,
    /// The subnet's name.
    pub subnet: String,
}

/// What proves that a container group belongs to a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// The v1 service record of the workspace names the group's address.
    ServiceRecord,
    /// It runs an image from an `azureml/` repository of a registry that serves this one workspace.
    Image,
}

/// A subnet that a web service lives in, and what else is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AciNetwork {
    /// The subnet.
    pub subnet: Subnet,
    /// Whether an approved private endpoint of the workspace lies in the same VNet.
    pub workspace_endpoint_in_vnet: Fact<bool>,
    /// Whether an approved private endpoint of the workspace's registry lies in the same VNet.
    pub registry_endpoint_in_vnet: Fact<bool>,
    /// Whether the registry's firewall names a subnet of the same VNet.
    pub registry_rule_for_vnet: Fact<bool>,
}

/// A container registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Its ARM id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Whether anybody may reach it from the internet: public access enabled, and allowed by default.
    pub public: Fact<bool>,
}
