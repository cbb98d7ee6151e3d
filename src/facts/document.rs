//! The subject document: the one form in which policies see the estate. A change here is a breaking change.
//!
//! Every fact is three-valued: `{"value": …}` if it was told or proven, `{"unknown": {"code", "message"}}`
//! otherwise. A search for something bad is a [`Search`]: what was found, and whether it is *proven* that
//! there is nothing (more).

mod access;
mod aci;
mod flow;
mod scoring;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::access::{ClusterAccess, DeployerRight, Deployers, GroupRights, Right, SubnetRights};
pub use self::aci::{AciNetwork, AciService, AskedNetwork, Ownership, Registry};
pub use self::flow::{Egress, FlowAnswer, RegistryReach, Route, StoppingRule, SubnetEgress};
pub use self::scoring::{BalancerSubnet, Frontend, Router, RouterKind, Scoring, ScoringRecord};
use crate::expectations::Expectations;
use crate::inventory::{Known, Reason, ResourceId};

/// The version of the document's form.
pub const SCHEMA: &str = "mlfence.subject/1";

/// A fact: known, or unknown with the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Fact<T> {
    /// Told by Azure or proven from what it told.
    Known {
        /// The fact.
        value: T,
    },
    /// Not known.
    Unknown {
        /// Why, and what would settle it.
        unknown: Reason,
    },
}

impl<T> Fact<T> {
    /// A known fact.
    pub fn of(value: T) -> Self {
        Fact::Known { value }
    }

    /// The value, if it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Fact::Known { value } => Some(value),
            Fact::Unknown { .. } => None,
        }
    }

    /// The reason why it is not known, if it is not.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Fact::Known { .. } => None,
            Fact::Unknown { unknown } => Some(unknown),
        }
    }
}

impl<T> From<Known<T>> for Fact<T> {
    fn from(known: Known<T>) -> Self {
        match known {
            Ok(value) => Fact::Known { value },
            Err(unknown) => Fact::Unknown { unknown },
        }
    }
}

/// The result of looking for something: what was found, and whether it is proven that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search<T> {
    /// What was found; more may be hidden while `none` is unknown.
    pub found: Vec<T>,
    /// `true`: everything was looked at and nothing found; `false`: something was found; unknown: nothing was
    /// found in what could be looked at.
    pub none: Fact<bool>,
}

impl<T> Search<T> {
    /// The result of a search that found `found` and could not look behind `hidden`.
    pub fn of(found: Vec<T>, hidden: Option<Reason>) -> Self {
        let none = match (found.is_empty(), hidden) {
            (false, _) => Fact::of(false),
            (true, Some(reason)) => Fact::Unknown { unknown: reason },
            (true, None) => Fact::of(true),
        };
        Self { found, none }
    }
}

/// What a policy is judged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A workspace.
    Workspace,
    /// A workspace together with one AKS cluster that is attached to it as compute.
    AksCompute,
    /// An AKS cluster that workspaces use, for rules of the cluster alone.
    AksCluster,
    /// A workspace together with one of its web services on Azure Container Instances.
    AciService,
    /// A subnet that hosts inference.
    Subnet,
    /// A managed or Kubernetes online endpoint.
    OnlineEndpoint,
}

impl SubjectKind {
    /// Every kind.
    pub const ALL: [SubjectKind; 6] = [
        SubjectKind::Workspace,
        SubjectKind::AksCompute,
        SubjectKind::AksCluster,
        SubjectKind::AciService,
        SubjectKind::Subnet,
        SubjectKind::OnlineEndpoint,
    ];

    /// The name in metadata and reports.
    pub fn name(self) -> &'static str {
        match self {
            SubjectKind::Workspace => "workspace",
            SubjectKind::AksCompute => "aks_compute",
            SubjectKind::AksCluster => "aks_cluster",
            SubjectKind::AciService => "aci_service",
            SubjectKind::Subnet => "subnet",
            SubjectKind::OnlineEndpoint => "online_endpoint",
        }
    }
}

/// Everything that policies may read of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Always `mlfence.subject/1`.
    pub schema: String,
    /// Who is judged.
    pub subject: Subject,
    /// What the operator declared for the subject's workspace. An `aks_cluster` may serve several
    /// workspaces; their declarations stand in `attachments`.
    pub expectations: Expectations,
    /// Changes under way or failed, because of which a pass may not be claimed.
    pub unsettled: Vec<Reason>,
    /// The workspace. Subjects: `workspace`, `aks_compute`, `aci_service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// The attachment. Subject: `aks_compute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
    /// The cluster. Subjects: `aks_compute`, `aks_cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// The workspaces that use the cluster. Subject: `aks_cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<Attachment>>,
    /// What the workspaces that use the cluster demand of it. Subject: `aks_cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demands: Option<Demands>,
    /// The declared deployers' rights. Subject: `workspace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployers: Option<Deployers>,
    /// The scoring router. Subject: `aks_compute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Router>,
    /// The way out of the cluster's nodes. Subject: `aks_cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
    /// The rights of the cluster's control plane. Subject: `aks_cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<ClusterAccess>,
    /// Where deployments on the cluster are scored. Subject: `aks_cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scoring: Option<Scoring>,
    /// Answers to the questions of `policies/flows.yaml`, by their names. A question with a placeholder that says
    /// nothing for the subject is unknown. Subjects: `aks_compute` (asked at its nodes), `subnet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows: Option<BTreeMap<String, FlowAnswer>>,
    /// The web service. Subject: `aci_service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<AciService>,
    /// The subnet. Subject: `subnet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<HostingSubnet>,
}

/// Who is judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What kind of subject.
    pub kind: SubjectKind,
    /// Its ARM id, in lower case.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The workspace that it belongs to; none for a cluster that several workspaces share.
    pub workspace: Option<ResourceId>,
    /// The guids of the subscriptions that it touches; none where one of its ids does not tell.
    pub subscriptions: Vec<String>,
}

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Its ARM id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The ARM id of its resource group.
    pub resource_group: ResourceId,
    /// Its region, folded (`eastus2`).
    pub location: Fact<String>,
    /// Whether an approved, finished private endpoint leads to it.
    pub private_endpoint: Fact<bool>,
    /// The private endpoints that still wait for approval, by their ARM ids.
    pub pending_endpoints: Vec<ResourceId>,
    /// The VNets of its approved private endpoints.
    pub endpoint_networks: Fact<Vec<EndpointNetwork>>,
    /// Its computes of type `AKS`, which SDK and CLI v1 made or attached.
    pub v1_computes: Search<ResourceId>,
    /// Its v1 web services.
    pub v1_services: Search<ResourceId>,
}

/// Where a private endpoint lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointNetwork {
    /// The private endpoint.
    pub endpoint: ResourceId,
    /// Its subnet.
    pub subnet: ResourceId,
    /// Its VNet.
    pub vnet: ResourceId,
}

/// A cluster as compute of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// Its ARM id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// How the cluster is attached.
    pub r#type: Fact<ComputeType>,
    /// Whether the cluster was attached; otherwise Azure Machine Learning made it.
    pub attached: Fact<bool>,
    /// Whether the attachment failed.
    pub attachment_failed: Fact<bool>,
    /// Whether the cluster that it names exists; `false` only if a complete list does not hold it.
    pub cluster_exists: Fact<bool>,
    /// Whether the API server's name that was recorded when it was attached is still the cluster's; `true` where none
    /// was recorded.
    pub same_cluster: Fact<bool>,
    /// For each VNet of the cluster, the way to the workspace's private endpoints.
    pub endpoint_paths: Fact<Vec<EndpointPath>>,
}

/// How a cluster is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComputeType {
    /// `AKS`, of SDK and CLI v1.
    Aks,
    /// `Kubernetes`, of v2.
    Kubernetes,
}

/// The way from a VNet to the workspace's private endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointPath {
    /// The VNet that the cluster lives in.
    pub vnet: VnetRef,
    /// Whether an approved endpoint of the workspace lies in this VNet.
    pub same_vnet: Fact<bool>,
    /// Whether one lies in this VNet or in one that is peered with it, connected on both sides.
    pub same_or_peered_vnet: Fact<bool>,
}

/// A workspace's use of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The workspace.
    pub workspace: ResourceId,
    /// The compute.
    pub compute: ResourceId,
    /// What the operator declared for that workspace.
    pub expectations: Expectations,
}

/// What the workspaces that use a cluster demand of it, by what the operator declared for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Demands {
    /// Whether one of them demands a private control plane; unknown where one that does may use it unseen.
    pub private_control_plane: Fact<bool>,
    /// Whether one of them demands the cluster identity's role on the VNet's resource group, as the source article does:
    /// all that did not declare `role_scope: least_privilege`.
    pub role_on_resource_group: Fact<bool>,
}

/// An AKS cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its ARM id; unknown where the attachment names none.
    pub id: Fact<ResourceId>,
    /// Its name; empty where the attachment names no cluster.
    pub name: String,
    /// Its resource group's name.
    pub resource_group: String,
    /// Its region, folded (`eastus2`).
    pub location: Fact<String>,
    /// Whether its API server is private.
    pub private: Fact<bool>,
    /// Whether a private cluster has an additional public FQDN; a cluster that is not private has `true` by nature.
    pub public_fqdn: Fact<bool>,
    /// The public FQDN, where one was told.
    pub fqdn: Option<String>,
    /// The private DNS zone setting as Azure told it (`system`, `none` or a zone's id).
    pub private_dns_zone: Option<String>,
    /// The Kubernetes version.
    pub kubernetes_version: Fact<String>,
    /// Whether the version is older than 1.19, whose nodes may still run on Docker.
    pub before_containerd: Fact<bool>,
    /// Whether its nodes live in a VNet that the customer brought; otherwise AKS made one.
    pub own_vnet: Fact<bool>,
    /// The VNets that it lives in.
    pub vnets: Fact<Vec<VnetRef>>,
    /// The distinct subnets of its node pools; none where AKS made the VNet.
    pub node_subnets: Fact<Vec<Subnet>>,
    /// The ranges of Kubernetes services.
    pub service_cidrs: Fact<Vec<String>>,
    /// The address of the cluster's DNS service.
    pub dns_service_ip: Fact<String>,
    /// Whether that address lies in a service range of its family.
    pub dns_service_ip_in_service_cidr: Fact<bool>,
    /// The Docker bridge range as recorded, `null` where none is recorded.
    pub docker_bridge_cidr: Fact<Option<String>>,
    /// Service, pod, VNet and subnet ranges that overlap one of the ranges that AKS reserves.
    pub reserved_range_overlaps: Search<Overlap>,
    /// Subnets of the cluster's VNets that overlap a service range.
    pub service_cidr_overlaps: Search<Overlap>,
    /// Subnets and service ranges that overlap the Docker bridge range.
    pub docker_bridge_overlaps: Search<Overlap>,
}

/// A VNet, by its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VnetRef {
    /// Its ARM id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The ARM id of its resource group.
    pub resource_group: ResourceId,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Its ARM id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Its VNet.
    pub vnet: VnetRef,
    /// The services that it is delegated to.
    pub delegations: Fact<Vec<Delegation>>,
    /// `true` if neither it nor its VNet is being changed; otherwise unknown, and no pass may rest on it.
    pub settled: Fact<bool>,
}

/// A delegation of a subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The service's name in lower case, such as `microsoft.containerinstance/containergroups`.
    pub service: String,
    /// Whether the delegation is finished.
    pub succeeded: Fact<bool>,
}

/// Two address ranges that overlap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overlap {
    /// What the first range is.
    pub what: RangeUse,
    /// The first range, as Azure told it.
    pub range: String,
    /// The VNet or subnet that has it; none for a setting of the cluster itself.
    pub resource: Option<ResourceId>,
    /// The name of that VNet or subnet; empty for a setting of the cluster itself.
    pub name: String,
    /// The range that it overlaps.
    pub overlaps: String,
}

/// What an address range is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RangeUse {
    /// Kubernetes services.
    ServiceCidr,
    /// Pods of an overlay or kubenet cluster.
    PodCidr,
    /// A VNet's address space.
    Vnet,
    /// A subnet.
    Subnet,
}

/// A subnet that hosts inference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostingSubnet {
    /// The subnet.
    pub subnet: Subnet,
    /// Whether something of Azure Machine Learning's lives in it; unknown where only a sign hints at it.
    pub hosts_inference: Fact<bool>,
    /// Whether it exists; `false` only if its VNet was read and does not hold it, or a complete list does not hold the VNet.
    pub exists: Fact<bool>,
    /// The clusters and container groups that live in it.
    pub used_by: Vec<ResourceId>,
    /// Whether a network security group is on the way: the subnet's own, or one of the nodes' interfaces.
    pub guarded: Fact<bool>,
    /// These groups.
    pub security_groups: Fact<Vec<ResourceId>>,
    /// The container registries of the workspaces that live in it.
    pub registries: Fact<Vec<RegistryReach>>,
}
