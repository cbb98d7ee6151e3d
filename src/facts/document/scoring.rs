//! Where models are scored: the router of a cluster, the load balancer in front of it, and the scoring records.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fact, Search, Subnet};
use crate::inventory::ResourceId;

/// The scoring router of a cluster as a compute of a workspace. Subject: `aks_compute`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// Whether scoring must be private: declared, else whether the workspace has a private endpoint.
    pub private_demanded: Fact<bool>,
    /// What the attachment (v1) or the extension (v2) declares.
    pub declared: Fact<RouterKind>,
    /// The name of the load balancer's subnet that the attachment declares, `null` where it declares none.
    pub declared_subnet: Fact<Option<String>>,
    /// The addresses that scoring records name; names that only DNS could resolve make this unknown.
    pub addresses: Fact<Vec<String>>,
    /// The ports of scoring: 443 with TLS, else 80.
    pub ports: Fact<Vec<u16>>,
    /// The frontends that serve scoring, of all load balancers of the cluster: those at the scoring addresses, or, where
    /// no address is recorded, those with rules, if they are all internal or all public. Frontends for outbound
    /// traffic alone serve nothing.
    pub frontends: Fact<Vec<Frontend>>,
    /// The public frontends because of which scoring is not private, whatever else is not known.
    pub public_frontends: Vec<Frontend>,
    /// Whether scoring is private: an internal load balancer is declared and serves it, or there is none and nothing
    /// else is public. `false` if a public frontend serves it, or none does and a public one is declared.
    pub private: Fact<bool>,
    /// `true` if none of the cluster's load balancers is being changed; otherwise no pass may rest on them.
    pub settled: Fact<bool>,
    /// The subnets of internal frontends that serve scoring, and the declared one.
    pub balancer_subnets: Fact<Vec<BalancerSubnet>>,
}

/// How the router is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RouterKind {
    /// By an internal load balancer.
    InternalLoadBalancer,
    /// By a public load balancer, which is the default.
    PublicLoadBalancer,
    /// By none: a node port or an address inside the cluster.
    NoLoadBalancer,
}

/// A frontend of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Frontend {
    /// The load balancer.
    pub load_balancer: ResourceId,
    /// The frontend's name.
    pub name: String,
    /// Whether it is public; otherwise it has an address of a subnet.
    pub public: bool,
    /// Its address.
    pub address: Fact<String>,
    /// Its subnet, where it is internal.
    pub subnet: Option<ResourceId>,
    /// The ports that its rules serve.
    pub ports: Vec<u16>,
    /// Whether packets keep the frontend's address as their destination.
    pub floating_ip: Fact<bool>,
}

/// A subnet that an internal load balancer takes, or should take, its address from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BalancerSubnet {
    /// The subnet.
    pub subnet: Subnet,
    /// Whether it exists.
    pub exists: Fact<bool>,
    /// Whether it lies in a VNet of the cluster.
    pub in_cluster_vnet: Fact<bool>,
    /// The frontend's address in it, `null` where only the declaration names the subnet.
    pub address: Fact<Option<String>>,
    /// Whether that address lies in the subnet's ranges and is none of the five that Azure keeps; `true` without one.
    pub address_fits: Fact<bool>,
    /// Whether that address lies in a service range of the cluster; `false` without one.
    pub address_in_service_cidr: Fact<bool>,
    /// How many addresses of the subnet are free.
    pub free_addresses: Fact<u64>,
}

/// Where the deployments on a cluster are scored. Subject: `aks_cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Whether the router is reached by a load balancer.
    pub balanced: Fact<bool>,
    /// The deployments on this cluster, of every workspace that uses it.
    pub records: Search<ScoringRecord>,
    /// Whether these are all of them.
    pub complete: Fact<bool>,
    /// The distinct addresses that they name.
    pub addresses: Vec<String>,
}

/// A deployment, and who serves the address that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoringRecord {
    /// The v1 service or online endpoint, or the compute that records the router's address.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Its workspace.
    pub workspace: ResourceId,
    /// The address that it names; unknown where it names none yet, or one that only DNS could resolve.
    pub address: Fact<String>,
    /// Whether a frontend of this cluster serves the address.
    pub served_here: Fact<bool>,
    /// Other clusters that serve the very address: a public one, or one in the same or a peered VNet.
    pub served_by: Vec<ResourceId>,
    /// Other clusters that use the same private address in a VNet that is not connected with this one.
    pub repeated_by: Vec<ResourceId>,
}
