//! One workspace with its network and what serves its models, healthy or with chosen flaws.
//!
//! All estates here are made of this pattern, so that a flaw and the violation it causes are
//! written down in one place.

use super::aks::Aks;
use super::hub::{Landscape, REGION, endpoint};
use super::machine_learning::{AksCompute, AksNetworking, KubernetesCompute, KubernetesEndpoint, Workspace};
use super::network::{Nsg, Rule, Subnet, Vnet};
use super::serving::{AciService, AksService, ContainerGroup, Registry};
use super::{Block, Resource, Role, Scope};
use serde::{Deserialize, Serialize};

/// A violation that an estate was made with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expected {
    /// The policy's id. ISO-002 is violated only where a private control plane is demanded.
    pub policy: String,
    /// The workspace's id.
    pub workspace: String,
    /// The id of the cluster or container group at fault.
    pub resource: String,
    /// The id of the workspace's compute or service that it belongs to.
    pub attached_as: String,
}

/// Something wrong, and exactly one policy that it violates.
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
    /// The node subnet is delegated.
    DelegatedNodes,
    /// The service range overlaps a subnet.
    ServiceOverlap,
    /// The DNS service's address is outside the service range.
    DnsOutside,
    /// The Docker bridge of an old cluster overlaps a subnet.
    DockerBridge,
    /// The API server is public.
    PublicControlPlane,
}

impl Flaw {
    /// All flaws.
    pub const ALL: [Self; 13] = [
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
    ];

    /// The policy that it violates.
    pub fn policy(self) -> &'static str {
        match self {
            Self::AciOtherGroup => "ACI-001",
            Self::AciEndpointElsewhere => "ACI-002",
            Self::AciRegistryInside => "ACI-003",
            Self::AciUndelegated => "ACI-004",
            Self::OtherRegion => "AKS-001",
            Self::PublicFqdn => "AKS-002",
            Self::EndpointElsewhere => "AKS-003",
            Self::ReservedRange => "CNI-002",
            Self::DelegatedNodes => "CNI-004",
            Self::ServiceOverlap => "NET-001",
            Self::DnsOutside => "NET-002",
            Self::DockerBridge => "NET-003",
            Self::PublicControlPlane => "ISO-002",
        }
    }

    /// Whether it is a flaw of a container group, not of a cluster.
    pub(super) fn is_of_aci(self) -> bool {
        self.policy().starts_with("ACI")
    }

    /// Whether it is a flaw of the network, and so of every cluster in it.
    fn is_of_network(self) -> bool {
        matches!(self, Self::OtherRegion | Self::EndpointElsewhere)
    }
}

/// What serves a workspace's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serving {
    /// An attached v1 AKS compute.
    AksV1,
    /// A v1 AKS compute whose cluster AML created, on Kubernetes 1.18.
    AksV1Created,
    /// A v2 Kubernetes compute; the endpoint is in the hub.
    KubernetesV2,
    /// A v1 service on ACI.
    Aci,
}

/// One workspace to be built.
pub(super) struct Pattern<'a> {
    pub(super) scope: &'a Scope,
    pub(super) name: &'a str,
    pub(super) block: Block,
    pub(super) serving: &'a [Serving],
    pub(super) flaws: &'a [Flaw],
}

const BRIDGE: &str = "172.17.0.1/16";
const SERVICES: &str = "172.20.0.0/16";
const DNS: &str = "172.20.0.10";
const PODS: &str = "192.168.0.0/16";
const ACI: &str = "Microsoft.ContainerInstance/containerGroups";

impl Pattern<'_> {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaws.contains(&flaw)
    }

    fn serves(&self, serving: Serving) -> bool {
        self.serving.contains(&serving)
    }

    fn endpoints(&self) -> Block {
        self.block.quarter(0).part(26, 0)
    }

    /// Puts everything into the landscape; what is violated goes to `expected`. Returns the
    /// workspace's id.
    pub(super) fn build(&self, land: &mut Landscape, expected: &mut Vec<Expected>) -> String {
        let location = if self.has(Flaw::OtherRegion) { "northeurope" } else { REGION };
        let mut vnet = self.network(land, location);
        let workspace = Workspace::id_of(self.scope, self.name);
        let v2_only = self.serves(Serving::KubernetesV2);
        let in_hub = v2_only || self.has(Flaw::EndpointElsewhere) || self.has(Flaw::AciEndpointElsewhere);
        let name = format!("pe-{}", self.name);
        let endpoint = if in_hub {
            land.endpoint(&name, &workspace, "amlworkspace")
        } else {
            let (subnet, address) = (vnet.subnet_id("snet-pe"), self.endpoints().address(4));
            endpoint(self.scope, location, &name, &workspace, "amlworkspace", subnet, address)
        };
        land.peer(&mut vnet, !(v2_only && self.has(Flaw::EndpointElsewhere)));
        let registry = self.registry(land, &vnet, location);
        land.company.add(&Workspace {
            scope: self.scope.clone(),
            name: self.name.to_owned(),
            guid: land.company.guid(&format!("workspace {}", self.name)),
            tenant_id: land.company.tenant_id().to_owned(),
            principal_id: land.company.guid(&format!("principal {}", self.name)),
            registry: Some(registry.id()),
            endpoints: vec![endpoint],
            public: false,
        });
        for serving in self.serving {
            match serving {
                Serving::Aci => self.container(land, &vnet, &registry, &workspace, expected),
                cluster => self.cluster(land, &vnet, *cluster, location, &workspace, expected),
            }
        }
        land.grant(&self.scope.group_id(), Role::Contributor, &format!("team-{}", self.name), "Group");
        land.company.add(&vnet);
        workspace
    }

    fn network(&self, land: &mut Landscape, location: &str) -> Vnet {
        let scope = if self.has(Flaw::AciOtherGroup) {
            let name = format!("{}-net", self.scope.group);
            land.company.group(&self.scope.subscription, &name, REGION)
        } else {
            self.scope.clone()
        };
        let mut nsg = Nsg::new(&scope, &format!("nsg-{}", self.name), scoring_rules());
        location.clone_into(&mut nsg.location);
        let mut vnet = Vnet::new(&scope, &format!("vnet-{}", self.name), self.block);
        location.clone_into(&mut vnet.location);
        let open = Subnet { nsg: Some(nsg.id()), ..Subnet::default() };
        let subnet = |name: &str, prefix: Block, delegated: bool| Subnet {
            name: name.to_owned(),
            prefix: prefix.to_string(),
            delegated_to: delegated.then(|| ACI.to_owned()),
            ..open.clone()
        };
        vnet.subnets.push(subnet("snet-pe", self.endpoints(), false));
        if self.serves(Serving::AksV1) || self.serves(Serving::KubernetesV2) {
            vnet.subnets.push(subnet("snet-aks", self.block.quarter(1), self.has(Flaw::DelegatedNodes)));
        }
        if self.serves(Serving::Aci) {
            vnet.subnets.push(subnet("snet-aci", self.block.quarter(2), !self.has(Flaw::AciUndelegated)));
        }
        if self.serves(Serving::AksV1Created) {
            vnet.subnets.push(subnet("snet-aks-created", self.block.quarter(3), self.delegates_created()));
        }
        land.company.add(&nsg);
        vnet
    }

    /// A created cluster has the cluster's flaws only where there is no other cluster to have them.
    fn delegates_created(&self) -> bool {
        self.has(Flaw::DelegatedNodes) && self.main() == Some(Serving::AksV1Created)
    }

    fn main(&self) -> Option<Serving> {
        let clusters = [Serving::AksV1, Serving::KubernetesV2, Serving::AksV1Created];
        clusters.into_iter().find(|serving| self.serves(*serving))
    }

    fn registry(&self, land: &mut Landscape, vnet: &Vnet, location: &str) -> Registry {
        let plain: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("cr{plain}");
        let id = Registry::id_of(self.scope, &name);
        let mut endpoints = vec![land.endpoint(&format!("pe-{name}"), &id, "registry")];
        if self.has(Flaw::AciRegistryInside) {
            let (subnet, address) = (vnet.subnet_id("snet-pe"), self.endpoints().address(6));
            endpoints.push(endpoint(
                self.scope,
                location,
                &format!("pe-{name}-local"),
                &id,
                "registry",
                subnet,
                address,
            ));
        }
        let registry = Registry { scope: self.scope.clone(), name, endpoints, public: true };
        land.company.add(&registry);
        registry
    }

    fn cluster(
        &self,
        land: &mut Landscape,
        vnet: &Vnet,
        serving: Serving,
        location: &str,
        workspace: &str,
        expected: &mut Vec<Expected>,
    ) {
        let created = serving == Serving::AksV1Created;
        let main = self.main() == Some(serving);
        let flawed = |flaw: Flaw| self.has(flaw) && main;
        let (suffix, subnet_name, part) =
            if created { ("-created", "snet-aks-created", 3) } else { ("", "snet-aks", 1) };
        let name = format!("aks-{}{suffix}", self.name);
        let nodes = self.block.quarter(part);
        let (mut services, mut dns) = (SERVICES.to_owned(), DNS.to_owned());
        if flawed(Flaw::ReservedRange) {
            (services, dns) = ("172.30.0.0/16".to_owned(), "172.30.0.10".to_owned());
        }
        if flawed(Flaw::ServiceOverlap) {
            (services, dns) = (self.endpoints().to_string(), self.endpoints().address(10));
        }
        if flawed(Flaw::DnsOutside) {
            dns = "172.21.0.10".to_owned();
        }
        let salt = land.company.guid(&format!("cluster {name}"));
        let outbound_ip = format!("20.86.{}.{}", u8_of(&salt, 0), u8_of(&salt, 2));
        let cluster = Aks {
            scope: self.scope.clone(),
            name: name.clone(),
            location: location.to_owned(),
            version: if created { "1.18.14" } else { "1.31.7" }.to_owned(),
            subnet: vnet.subnet_id(subnet_name),
            private: !flawed(Flaw::PublicControlPlane),
            public_fqdn: flawed(Flaw::PublicFqdn),
            service_cidr: services.clone(),
            dns_service_ip: dns.clone(),
            pod_cidr: (serving == Serving::KubernetesV2).then(|| PODS.to_owned()),
            api_server_ip: nodes.address(4),
            scoring_ip: Some(nodes.address(100)),
            outbound_ip,
            principal_id: land.company.guid(&format!("principal {name}")),
            kubelet_id: land.company.guid(&format!("principal {name}-agentpool")),
            tenant_id: land.company.tenant_id().to_owned(),
            extension: serving == Serving::KubernetesV2,
            salt,
        };
        let id = land.company.add(&cluster);
        land.grant(&vnet.scope.group_id(), Role::NetworkContributor, &name, "ServicePrincipal");
        land.grant(&self.scope.group_id(), Role::AcrPull, &format!("{name}-agentpool"), "ServicePrincipal");
        let compute = self.attach(land, vnet, serving, &cluster, workspace);
        for flaw in self.flaws.iter().filter(|flaw| !flaw.is_of_aci()) {
            let here = match flaw {
                Flaw::DockerBridge => created,
                flaw if flaw.is_of_network() => true,
                _ => main,
            };
            if here {
                expected.push(violation(*flaw, workspace, &id, &compute));
            }
        }
    }

    fn attach(
        &self,
        land: &mut Landscape,
        vnet: &Vnet,
        serving: Serving,
        cluster: &Aks,
        workspace: &str,
    ) -> String {
        let name = cluster.name.trim_start_matches("aks-").to_owned();
        if serving == Serving::KubernetesV2 {
            let compute = land.company.add(&KubernetesCompute {
                workspace: workspace.to_owned(),
                name: format!("k8s-{name}"),
                location: self.scope.location.clone(),
                cluster: cluster.id(),
            });
            land.company.add(&KubernetesEndpoint {
                compute: compute.clone(),
                name: format!("predict-{name}"),
                location: self.scope.location.clone(),
                address: cluster.scoring_ip.clone().unwrap_or_default(),
            });
            return compute;
        }
        let created = serving == Serving::AksV1Created;
        let bridge = if self.has(Flaw::DockerBridge) {
            format!("{}/26", self.endpoints().address(1))
        } else {
            BRIDGE.to_owned()
        };
        let subnet = cluster.subnet.clone();
        if let Some(address) = &cluster.scoring_ip {
            land.company.add(&AksService {
                workspace: workspace.to_owned(),
                name: format!("predict-{name}"),
                compute: format!("inf-{name}"),
                address: address.clone(),
            });
        }
        land.company.add(&AksCompute {
            workspace: workspace.to_owned(),
            name: format!("inf-{name}"),
            location: self.scope.location.clone(),
            cluster: cluster.id(),
            cluster_fqdn: cluster.private_fqdn(),
            scoring_ip: cluster.scoring_ip.clone(),
            subnet_name: subnet
                .strip_prefix(&format!("{}/subnets/", vnet.id()))
                .unwrap_or_default()
                .to_owned(),
            created_with: created.then(|| AksNetworking {
                subnet,
                service_cidr: cluster.service_cidr.clone(),
                dns_service_ip: cluster.dns_service_ip.clone(),
                docker_bridge_cidr: bridge,
            }),
        })
    }

    fn container(
        &self,
        land: &mut Landscape,
        vnet: &Vnet,
        registry: &Registry,
        workspace: &str,
        expected: &mut Vec<Expected>,
    ) {
        let service = format!("score-{}", self.name);
        let salt = land.company.guid(&format!("group {service}"));
        let group = ContainerGroup {
            scope: self.scope.clone(),
            name: format!("{service}-{}", salt.get(..8).unwrap_or_default()),
            image: format!("{}/azureml/azureml_{}:latest", registry.login_server(), salt.replace('-', "")),
            address: self.block.quarter(2).address(4),
            subnet: Some(vnet.subnet_id("snet-aci")),
        };
        let group_id = group.id();
        let id = land.company.add(&AciService { workspace: workspace.to_owned(), name: service, group });
        for flaw in self.flaws.iter().filter(|flaw| flaw.is_of_aci()) {
            expected.push(violation(*flaw, workspace, &group_id, &id));
        }
    }
}

fn violation(flaw: Flaw, workspace: &str, resource: &str, attached_as: &str) -> Expected {
    Expected {
        policy: flaw.policy().to_owned(),
        workspace: workspace.to_owned(),
        resource: resource.to_owned(),
        attached_as: attached_as.to_owned(),
    }
}

/// Two hexadecimal digits of a guid, as a number.
fn u8_of(guid: &str, at: usize) -> u8 {
    guid.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

/// What a subnet that serves models lets through: scoring from the network, and what Azure Machine
/// Learning and AKS document as required outbound.
fn scoring_rules() -> Vec<Rule> {
    let mut rules = vec![
        Rule::allow_in("allow-scoring", 200, "VirtualNetwork", &["80", "443"]),
        Rule::allow_in("allow-load-balancer", 210, "AzureLoadBalancer", &["*"]),
        Rule::deny_in("deny-internet", 4000, "Internet"),
    ];
    let required = [
        ("aml", "AzureMachineLearning"),
        ("acr", "AzureContainerRegistry.WestEurope"),
        ("mcr", "MicrosoftContainerRegistry"),
        ("front-door", "AzureFrontDoor.FirstParty"),
        ("aad", "AzureActiveDirectory"),
        ("arm", "AzureResourceManager"),
        ("storage", "Storage.WestEurope"),
        ("cloud", "AzureCloud.WestEurope"),
    ];
    for (priority, (name, tag)) in (300..).step_by(10).zip(required) {
        rules.push(Rule::allow_out(&format!("allow-{name}"), priority, tag, &["443"]));
    }
    rules
}
