//! What can be wrong with a workspace's network, and what is then violated: the one place where the two stand together.

use serde::{Deserialize, Serialize};

/// A violation that an estate was made with.
///
/// Some hold only under the declarations that [`declarations`](super::declarations) gives: ISO-002 where a private
/// control plane is demanded, PRE-002 and PRE-003 where the deployer is declared, NSG-001 where callers are, and what
/// rests on security groups (NSG-001 to NSG-003) where it is declared that no security admin rules overrule them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expected {
    /// The policy's id.
    pub policy: String,
    /// The workspace's id.
    pub workspace: String,
    /// The id of who is judged: a workspace, a compute or service, a cluster, a subnet.
    pub subject: String,
    /// The id of the cluster or container group at fault; of a deployer's rights, the network that they lack.
    pub resource: String,
    /// The id of the workspace's compute or service that it belongs to; of a deployer's rights, the workspace.
    pub attached_as: String,
}

/// Something wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The container group's network is in another resource group than the workspace.
    AciOtherGroup,
    /// The workspace's endpoint is in the hub, not in the container group's network.
    AciEndpointElsewhere,
    /// The registry has an endpoint in the container group's network.
    AciRegistryInside,
    /// The container group's subnet is not delegated.
    AciUndelegated,
    /// Cluster and network are in another region than the workspace.
    OtherRegion,
    /// The private cluster has a public name.
    PublicFqdn,
    /// The workspace's endpoint is not in a network that the cluster may use.
    EndpointElsewhere,
    /// The service range is a reserved one.
    ReservedRange,
    /// The node subnet, which the internal load balancer takes its address from, is delegated.
    DelegatedNodes,
    /// The service range overlaps a subnet.
    ServiceOverlap,
    /// The DNS service's address is outside the service range.
    DnsOutside,
    /// The Docker bridge of an old cluster overlaps a subnet.
    DockerBridge,
    /// The API server is public.
    PublicControlPlane,
    /// Scoring goes through the public load balancer, as it does unless somebody chooses.
    PublicScoring,
    /// Both of them.
    NothingPrivate,
    /// The attachment names a subnet for its internal load balancer that is not there any more (v1).
    BalancerSubnetGone,
    /// A deployment still names the address from before the load balancer was rebuilt.
    StaleAddress,
    /// Network Contributor was given to the nodes' identity instead of the cluster's.
    RoleOfKubelet,
    /// The cluster's identity is Network Contributor on the network alone.
    RoleOnNetworkAlone,
    /// The default route of the node subnet leads nowhere.
    RouteToNowhere,
    /// Outbound traffic is restricted, and nobody thought of the registry, which has no private endpoint.
    RegistryForgotten,
    /// The rule that lets the declared callers in stands below the one that denies the internet.
    CallersShutOut,
    /// The deployer has its rights on the subnets alone.
    DeployerOnSubnetsAlone,
    /// The deployer's role copied `virtualNetworks/subnet/join/action` from an old article.
    MisspeltJoin,
}

impl Flaw {
    /// All flaws.
    pub const ALL: [Self; 24] = [
        Self::AciOtherGroup,
        Self::AciEndpointElsewhere,
        Self::AciRegistryInside,
        Self::AciUndelegated,
        Self::OtherRegion,
        Self::PublicFqdn,
        Self::EndpointElsewhere,
        Self::ReservedRange,
        Self::DelegatedNodes,
        Self::ServiceOverlap,
        Self::DnsOutside,
        Self::DockerBridge,
        Self::PublicControlPlane,
        Self::PublicScoring,
        Self::NothingPrivate,
        Self::BalancerSubnetGone,
        Self::StaleAddress,
        Self::RoleOfKubelet,
        Self::RoleOnNetworkAlone,
        Self::RouteToNowhere,
        Self::RegistryForgotten,
        Self::CallersShutOut,
        Self::DeployerOnSubnetsAlone,
        Self::MisspeltJoin,
    ];

    /// The policies that it violates.
    pub fn policies(self) -> &'static [&'static str] {
        match self {
            Self::AciOtherGroup => &["ACI-001"],
            Self::AciEndpointElsewhere => &["ACI-002"],
            Self::AciRegistryInside => &["ACI-003"],
            Self::AciUndelegated => &["ACI-004"],
            Self::OtherRegion => &["AKS-001"],
            Self::PublicFqdn => &["AKS-002"],
            Self::EndpointElsewhere => &["AKS-003"],
            Self::ReservedRange => &["CNI-002"],
            Self::DelegatedNodes => &["CNI-004", "ILB-002"],
            Self::ServiceOverlap => &["NET-001"],
            Self::DnsOutside => &["NET-002"],
            Self::DockerBridge => &["NET-003"],
            Self::PublicControlPlane => &["ISO-002"],
            Self::PublicScoring => &["ILB-001"],
            Self::NothingPrivate => &["ILB-001", "ISO-001", "ISO-002"],
            Self::BalancerSubnetGone => &["ILB-002"],
            Self::StaleAddress => &["SCO-001"],
            Self::RoleOfKubelet => &["CNI-003", "RBAC-001"],
            Self::RoleOnNetworkAlone => &["RBAC-001"],
            Self::RouteToNowhere => &["CNI-001"],
            Self::RegistryForgotten => &["NSG-002", "NSG-003"],
            Self::CallersShutOut => &["NSG-001"],
            Self::DeployerOnSubnetsAlone => &["PRE-002"],
            Self::MisspeltJoin => &["PRE-003"],
        }
    }

    /// Whether it is a flaw of a container group, not of a cluster.
    pub(super) fn is_of_aci(self) -> bool {
        self.policies().iter().any(|policy| policy.starts_with("ACI"))
    }

    /// Whether it is a flaw of what a deployer may do in the workspace's network.
    pub(super) fn is_of_deployer(self) -> bool {
        matches!(self, Self::DeployerOnSubnetsAlone | Self::MisspeltJoin)
    }

    /// Whether it is a flaw of the network, and so of every cluster in it.
    pub(super) fn is_of_network(self) -> bool {
        matches!(
            self,
            Self::OtherRegion | Self::EndpointElsewhere | Self::RegistryForgotten | Self::CallersShutOut
        )
    }
}

/// What a violation is found at.
pub(super) struct At<'a> {
    pub(super) workspace: &'a str,
    /// The cluster, the container group, or the network.
    pub(super) resource: &'a str,
    /// The compute, the service, or the workspace itself.
    pub(super) attached_as: &'a str,
    /// The subnet that it lives in.
    pub(super) subnet: &'a str,
}

impl At<'_> {
    pub(super) fn violates(&self, policy: &str) -> Expected {
        let subject = match policy {
            "PRE-002" | "PRE-003" => self.workspace,
            "NSG-002" | "NSG-003" => self.subnet,
            "AKS-001" | "AKS-003" | "ILB-001" | "ILB-002" | "ISO-001" | "NSG-001" => self.attached_as,
            policy if policy.starts_with("ACI") => self.attached_as,
            _ => self.resource,
        };
        Expected {
            policy: policy.to_owned(),
            workspace: self.workspace.to_owned(),
            subject: subject.to_owned(),
            resource: self.resource.to_owned(),
            attached_as: self.attached_as.to_owned(),
        }
    }
}
