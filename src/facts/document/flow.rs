//! What packets may do: answers of the flow engine, as policies read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fact, Search};
use crate::facts::exposure::Verdict;
use crate::inventory::{Reason, ResourceId};

/// The answer to a question of `policies/flows.yaml` at every place that the subject opens packets from or to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowAnswer {
    /// Whether the packets arrive; unknown too where something that was not read could overrule the groups.
    pub verdict: Fact<Verdict>,
    /// Everything that keeps it from being known; empty where it is.
    pub reasons: Vec<Reason>,
    /// What decides, in the order in which packets pass it, each as `attachment:rule`.
    pub decided_by: Vec<String>,
    /// The network security groups whose rules decide.
    pub security_groups: Vec<ResourceId>,
    /// The rules that stop packets, the first that does first.
    pub stopped_by: Vec<StoppingRule>,
    /// Whether no packet at all arrives at one of the places, such as the nodes of one pool.
    pub stopped_at_some_place: bool,
    /// Whether everything that arrives does so by rules for any protocol from anywhere to anything.
    pub by_any_to_any: bool,
    /// A packet that certainly arrives.
    pub arrives: Option<String>,
    /// A packet that certainly does not.
    pub stopped: Option<String>,
}

/// A rule that stops packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoppingRule {
    /// Its network security group.
    pub security_group: ResourceId,
    /// Its name.
    pub name: String,
    /// Whether it is one of the default rules, which cannot be deleted.
    pub default: bool,
}

/// How a registry is reached from a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryReach {
    /// The registry.
    pub registry: ResourceId,
    /// Its name.
    pub name: String,
    /// The workspaces that use it and live in the subnet.
    pub workspaces: Vec<ResourceId>,
    /// Its region, folded (`westeurope`).
    pub region: Fact<String>,
    /// Whether it has replicas in other regions; unknown on Premium, unless its dedicated data endpoints tell.
    pub geo_replicated: Fact<bool>,
    /// The question `registry_outbound`, at its region.
    pub by_address: FlowAnswer,
    /// Whether an approved private endpoint of it lies in the subnet's VNet or in one that is peered with it.
    pub endpoint_in_reach: Fact<bool>,
    /// Whether packets to TCP 443 of the subnets of those endpoints arrive; where these are not known, whether those to
    /// anywhere in the VNet and its peers do.
    pub by_endpoint: FlowAnswer,
}

/// How a cluster's nodes reach the internet. Subject: `aks_cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// The cluster's `outboundType`, folded: `loadbalancer`, `managednatgateway`, `managednatgatewayv2`,
    /// `userassignednatgateway`, `userdefinedrouting`, `none` or `block`.
    pub r#type: Fact<String>,
    /// Whether what AKS keeps for that type is there: a load balancer with a public frontend, or a NAT gateway among the
    /// nodes' resources. `true` for types whose way out is the customer's.
    pub provided: Fact<bool>,
    /// `true` if the operator declared for a workspace that uses the cluster that the appliance behind a default route
    /// lets the required traffic out; else unknown.
    pub appliance_trusted: Fact<bool>,
    /// The node subnets; none where AKS made the VNet.
    pub subnets: Fact<Vec<SubnetEgress>>,
}

/// How nodes in a subnet reach the internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubnetEgress {
    /// The subnet.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Its NAT gateway, `null` where it has none.
    pub nat_gateway: Fact<Option<ResourceId>>,
    /// Its route table, `null` where it has none.
    pub route_table: Fact<Option<ResourceId>>,
    /// The table's route to 0.0.0.0/0, `null` where it has none.
    pub default_route: Fact<Option<Route>>,
    /// Its other routes that take public addresses elsewhere than to the internet.
    pub diversions: Search<Route>,
    /// `true` if nothing of this is being changed: the subnet and its VNet, the route table, the NAT gateway.
    pub settled: Fact<bool>,
    /// Whether routes that are not told may be learned from a gateway.
    pub learns_routes: Fact<bool>,
    /// The question `internet_https_outbound`, at the nodes in this subnet.
    pub https: FlowAnswer,
}

/// A route of a route table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its prefix or service tag.
    pub prefix: String,
    /// Where packets go next, folded: `virtualappliance`, `virtualnetworkgateway`, `vnetlocal`, `internet`, `none`.
    pub next_hop: String,
    /// The appliance's address, where there is one.
    pub address: Option<String>,
}
