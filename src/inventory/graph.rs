//! The typed graph: nodes by id, references resolved with the reason why not.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::authorization::Authorization;
use super::balancers::{LoadBalancer, NatGateway, PublicAddress};
use super::containers::{ContainerGroup, Registry};
use super::extensions::Extension;
use super::kubernetes::Cluster;
use super::machine_learning::{Compute, OnlineEndpoint, Service, Workspace};
use super::network::{NetworkProfile, PrivateEndpoint, Subnet, Vnet};
use super::nodes::{Interface, ScaleSet};
use super::routes::RouteTable;
use super::security::{AdminRule, SecurityGroup};
use super::tags::ServiceTags;
use super::{Code, Coverage, Gap, GapReason, Kind, Known, Reason, Record, ResourceId, Snapshot};

/// What a snapshot holds, typed.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// What was read completely.
    pub coverage: Coverage,
    /// Workspaces.
    pub workspaces: BTreeMap<ResourceId, Workspace>,
    /// Computes.
    pub computes: BTreeMap<ResourceId, Compute>,
    /// v1 web services.
    pub services: BTreeMap<ResourceId, Service>,
    /// AKS clusters.
    pub clusters: BTreeMap<ResourceId, Cluster>,
    /// Container groups.
    pub container_groups: BTreeMap<ResourceId, ContainerGroup>,
    /// Network profiles.
    pub network_profiles: BTreeMap<ResourceId, NetworkProfile>,
    /// Container registries.
    pub registries: BTreeMap<ResourceId, Registry>,
    /// VNets.
    pub vnets: BTreeMap<ResourceId, Vnet>,
    /// Private endpoints.
    pub private_endpoints: BTreeMap<ResourceId, PrivateEndpoint>,
    /// Who may do what: assignments, definitions, management groups.
    pub authorization: Authorization,
    /// Network security groups.
    pub security_groups: BTreeMap<ResourceId, SecurityGroup>,
    /// Security admin rules of network managers.
    pub admin_rules: BTreeMap<ResourceId, AdminRule>,
    /// Route tables.
    pub route_tables: BTreeMap<ResourceId, RouteTable>,
    /// Network interfaces.
    pub interfaces: BTreeMap<ResourceId, Interface>,
    /// Scale sets.
    pub scale_sets: BTreeMap<ResourceId, ScaleSet>,
    /// Lists of service tags.
    pub service_tags: BTreeMap<ResourceId, ServiceTags>,
    /// Load balancers.
    pub load_balancers: BTreeMap<ResourceId, LoadBalancer>,
    /// NAT gateways.
    pub nat_gateways: BTreeMap<ResourceId, NatGateway>,
    /// Public addresses.
    pub public_addresses: BTreeMap<ResourceId, PublicAddress>,
    /// Online endpoints.
    pub online_endpoints: BTreeMap<ResourceId, OnlineEndpoint>,
    /// Extensions of clusters.
    pub extensions: BTreeMap<ResourceId, Extension>,
    /// The tags of workspaces, clusters, container groups and VNets, by their folded names. No verdict rests on them.
    pub tags: BTreeMap<ResourceId, BTreeMap<String, String>>,
    /// When the snapshot was taken; none where its header tells no time.
    pub taken_at: Option<OffsetDateTime>,
    /// How many records there are.
    pub records: usize,
    /// How many records of known kinds there are, by subscription and kind. Records above subscriptions count under "".
    pub counts: BTreeMap<(String, Kind), u64>,
}

/// The kinds whose tags are read.
const OWNED: &[Kind] = &[Kind::Workspaces, Kind::AksClusters, Kind::ContainerGroups, Kind::VirtualNetworks];

impl Inventory {
    /// Builds the graph. No record makes this fail: what a record does not tell is unknown where it is asked for.
    pub fn build(snapshot: &Snapshot) -> Self {
        let mut inventory = Self { coverage: Coverage::of(snapshot), ..Self::default() };
        inventory.authorization = Authorization::of(snapshot);
        inventory.taken_at = OffsetDateTime::parse(&snapshot.header.taken_at, &Rfc3339).ok();
        inventory.records = snapshot.records.len();
        for (id, record) in &snapshot.records {
            let Some(kind) = record.kind() else { continue };
            let subscription = id.subscription().unwrap_or_default().to_owned();
            *inventory.counts.entry((subscription, kind)).or_default() += 1;
            if OWNED.contains(&kind) {
                inventory.tag(record);
            }
            if !inventory.insert(kind, record) {
                // A record that cannot be what it says may stand for one that nobody sees.
                inventory.coverage.add(Gap {
                    source: kind,
                    scope: id.subscription_id().unwrap_or_else(ResourceId::root),
                    reason: GapReason::Malformed,
                    detail: format!("a record says that it is one of the {kind}, but its id is {id}"),
                });
            }
        }
        inventory
    }

    /// Notes a record's tags; what is no text is no tag.
    fn tag(&mut self, record: &Record) {
        let Some(tags) = record.body().get("tags").and_then(Value::as_object) else { return };
        let tags: BTreeMap<String, String> = tags
            .iter()
            .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
            .collect();
        if !tags.is_empty() {
            self.tags.insert(record.id().clone(), tags);
        }
    }

    /// A tag, by its folded name, of a resource or of what it lies in; the nearest one counts.
    pub fn tag_of(&self, id: &ResourceId, name: &str) -> Option<&str> {
        let mut at = Some(id.clone());
        while let Some(id) = at {
            if let Some(value) = self.tags.get(&id).and_then(|tags| tags.get(name)) {
                return Some(value);
            }
            at = id.parent();
        }
        None
    }

    /// Takes a record in as a node of its kind; false if its id is none of that kind.
    fn insert(&mut self, kind: Kind, record: &Record) -> bool {
        let id = record.id().clone();
        if record
            .id()
            .resource_type()
            .as_deref()
            .and_then(Kind::of_arm_type)
            .is_some_and(|of_id| of_id != kind)
        {
            return false;
        }
        match kind {
            Kind::Workspaces => drop(self.workspaces.insert(id, Workspace::read(record))),
            Kind::Computes => {
                return Compute::read(record).map(|node| self.computes.insert(id, node)).is_some();
            }
            Kind::Services => {
                return Service::read(record).map(|node| self.services.insert(id, node)).is_some();
            }
            Kind::AksClusters => drop(self.clusters.insert(id, Cluster::read(record))),
            Kind::ContainerGroups => drop(self.container_groups.insert(id, ContainerGroup::read(record))),
            Kind::NetworkProfiles => drop(self.network_profiles.insert(id, NetworkProfile::read(record))),
            Kind::Registries => drop(self.registries.insert(id, Registry::read(record))),
            Kind::VirtualNetworks => drop(self.vnets.insert(id, Vnet::read(record))),
            Kind::PrivateEndpoints => drop(self.private_endpoints.insert(id, PrivateEndpoint::read(record))),
            Kind::NetworkSecurityGroups => drop(self.security_groups.insert(id, SecurityGroup::read(record))),
            Kind::SecurityAdminRules => drop(self.admin_rules.insert(id, AdminRule::read(record))),
            Kind::RouteTables => drop(self.route_tables.insert(id, RouteTable::read(record))),
            Kind::NetworkInterfaces => drop(self.interfaces.insert(id, Interface::read(record))),
            Kind::ScaleSets => drop(self.scale_sets.insert(id, ScaleSet::read(record))),
            Kind::ServiceTags => drop(self.service_tags.insert(id, ServiceTags::read(record))),
            Kind::LoadBalancers => drop(self.load_balancers.insert(id, LoadBalancer::read(record))),
            Kind::NatGateways => drop(self.nat_gateways.insert(id, NatGateway::read(record))),
            Kind::PublicIpAddresses => drop(self.public_addresses.insert(id, PublicAddress::read(record))),
            // Deployments are of the same kind, and lie below their endpoint.
            Kind::OnlineEndpoints
                if id.resource_type().as_deref().is_some_and(|of| of.ends_with("/deployments")) => {}
            Kind::OnlineEndpoints => {
                return OnlineEndpoint::read(record)
                    .map(|node| self.online_endpoints.insert(id, node))
                    .is_some();
            }
            Kind::Extensions => drop(self.extensions.insert(id, Extension::read(record))),
            _ => {}
        }
        true
    }

    /// The cluster of this id, or why it is not known.
    pub fn cluster(&self, id: &ResourceId) -> Known<&Cluster> {
        self.resolve(&self.clusters, Kind::AksClusters, id)
    }

    /// The registry of this id, or why it is not known.
    pub fn registry(&self, id: &ResourceId) -> Known<&Registry> {
        self.resolve(&self.registries, Kind::Registries, id)
    }

    /// The VNet of this id, or why it is not known.
    pub fn vnet(&self, id: &ResourceId) -> Known<&Vnet> {
        self.resolve(&self.vnets, Kind::VirtualNetworks, id)
    }

    /// The private endpoint of this id, or why it is not known.
    pub fn private_endpoint(&self, id: &ResourceId) -> Known<&PrivateEndpoint> {
        self.resolve(&self.private_endpoints, Kind::PrivateEndpoints, id)
    }

    /// The network profile of this id, or why it is not known.
    pub fn network_profile(&self, id: &ResourceId) -> Known<&NetworkProfile> {
        self.resolve(&self.network_profiles, Kind::NetworkProfiles, id)
    }

    /// The workspace of this id, or why it is not known.
    pub fn workspace(&self, id: &ResourceId) -> Known<&Workspace> {
        self.resolve(&self.workspaces, Kind::Workspaces, id)
    }

    /// The network security group of this id, or why it is not known.
    pub fn security_group(&self, id: &ResourceId) -> Known<&SecurityGroup> {
        self.resolve(&self.security_groups, Kind::NetworkSecurityGroups, id)
    }

    /// The route table of this id, or why it is not known.
    pub fn route_table(&self, id: &ResourceId) -> Known<&RouteTable> {
        self.resolve(&self.route_tables, Kind::RouteTables, id)
    }

    /// The NAT gateway of this id, or why it is not known.
    pub fn nat_gateway(&self, id: &ResourceId) -> Known<&NatGateway> {
        self.resolve(&self.nat_gateways, Kind::NatGateways, id)
    }

    /// The public address of this id, or why it is not known.
    pub fn public_address(&self, id: &ResourceId) -> Known<&PublicAddress> {
        self.resolve(&self.public_addresses, Kind::PublicIpAddresses, id)
    }

    /// The network interface of this id, or why it is not known.
    pub fn interface(&self, id: &ResourceId) -> Known<&Interface> {
        self.resolve(&self.interfaces, Kind::NetworkInterfaces, id)
    }

    /// The subnet of this id, found in its VNet's record, or why it is not known.
    pub fn subnet(&self, id: &ResourceId) -> Known<&Subnet> {
        let vnet = vnet_of(id)?;
        let subnets = self.vnet(&vnet)?.subnets.as_ref().map_err(Clone::clone)?;
        if let Some(subnet) = subnets.iter().find(|subnet| subnet.id.as_ref() == Ok(id)) {
            return Ok(subnet);
        }
        // A subnet whose own id was not told may be the one.
        if let Some(reason) = subnets.iter().find_map(|subnet| subnet.id.as_ref().err()) {
            return Err(reason.clone());
        }
        Err(Reason::new(Code::NotFound, format!("{vnet} was read, and {id} is not in it")))
    }

    /// Whether a cluster of this id exists: false only if a complete list does not hold it.
    pub fn has_cluster(&self, id: &ResourceId) -> Known<bool> {
        self.has(&self.clusters, Kind::AksClusters, id)
    }

    /// Whether a subnet of this id exists: false only if its VNet was read and does not hold it, or a complete list does
    /// not hold the VNet.
    pub fn has_subnet(&self, id: &ResourceId) -> Known<bool> {
        let vnet = vnet_of(id)?;
        if !self.has(&self.vnets, Kind::VirtualNetworks, &vnet)? {
            return Ok(false);
        }
        match self.subnet(id) {
            Ok(_) => Ok(true),
            // The VNet is there and was read, so this is the subnet's own absence.
            Err(reason) if reason.code == Code::NotFound => {
                self.coverage.within(Kind::VirtualNetworks, &vnet).map_or(Ok(false), Err)
            }
            Err(reason) => Err(reason),
        }
    }

    fn has<T>(&self, nodes: &BTreeMap<ResourceId, T>, kind: Kind, id: &ResourceId) -> Known<bool> {
        if nodes.contains_key(id) {
            return Ok(true);
        }
        self.coverage.hides(kind, id).map_or(Ok(false), Err)
    }

    /// Judged by the target's own subscription: a reference into a place that nobody read stays unknown.
    fn resolve<'a, T>(
        &self,
        nodes: &'a BTreeMap<ResourceId, T>,
        kind: Kind,
        id: &ResourceId,
    ) -> Known<&'a T> {
        if let Some(node) = nodes.get(id) {
            return self.coverage.within(kind, id).map_or(Ok(node), Err);
        }
        Err(self.coverage.hides(kind, id).unwrap_or_else(|| {
            Reason::new(
                Code::NotFound,
                format!("{id} is referred to, but not among the {kind} that were read"),
            )
        }))
    }
}

/// The VNet that a subnet's id lies in.
pub fn vnet_of(subnet: &ResourceId) -> Known<ResourceId> {
    subnet
        .ancestor("microsoft.network/virtualnetworks")
        .ok_or_else(|| Reason::new(Code::Malformed, format!("{subnet} is no subnet's id")))
}
