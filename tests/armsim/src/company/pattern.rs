//! One workspace with its network and what serves its models, healthy or with chosen flaws.
//!
//! All estates here are made of this pattern.

use super::aks::{Aks, FrontEnd};
use super::flaw::{At, Expected, Flaw};
use super::hub::{Landscape, REGION, endpoint};
use super::machine_learning::{AksCompute, AksNetworking, KubernetesCompute, KubernetesEndpoint, Workspace};
use super::network::{Nsg, RouteTable, Rule, Subnet, Vnet};
use super::serving::{AciService, AksService, ContainerGroup, Registry};
use super::{Block, DEPLOYER, Resource, Role, Scope};

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

impl Serving {
    /// The name of the subnet that it lives in.
    fn subnet(self) -> &'static str {
        match self {
            Self::AksV1 | Self::KubernetesV2 => "snet-aks",
            Self::AksV1Created => "snet-aks-created",
            Self::Aci => "snet-aci",
        }
    }
}

/// One workspace to be built.
pub(super) struct Pattern<'a> {
    pub(super) scope: &'a Scope,
    pub(super) name: &'a str,
    pub(super) block: Block,
    pub(super) serving: &'a [Serving],
    pub(super) flaws: &'a [Flaw],
    /// Who calls the models from outside the network, as the owner notes it.
    pub(super) callers: Option<&'a str>,
    /// Whether what is not required is kept from leaving.
    pub(super) closed: bool,
}

/// Callers with public addresses of their own, who come over a private line.
const PARTNERS: &str = "203.0.113.0/24";
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
            callers: self.callers().map(str::to_owned),
        });
        for serving in self.serving {
            match serving {
                Serving::Aci => self.container(land, &vnet, &registry, &workspace, expected),
                cluster => self.cluster(land, &vnet, *cluster, location, &workspace, expected),
            }
        }
        land.grant(&self.scope.group_id(), Role::Contributor, &format!("team-{}", self.name), "Group");
        self.deployer(land, &vnet, &workspace, expected);
        land.company.add(&vnet);
        workspace
    }

    fn callers(&self) -> Option<&str> {
        if self.has(Flaw::CallersShutOut) { Some(PARTNERS) } else { self.callers }
    }

    /// What the deployer may do in the workspace and in its network.
    fn deployer(&self, land: &mut Landscape, vnet: &Vnet, workspace: &str, expected: &mut Vec<Expected>) {
        let group = self.scope.group_id();
        let subnets: Vec<String> =
            self.serving.iter().map(|serving| vnet.subnet_id(serving.subnet())).collect();
        if self.has(Flaw::DeployerOnSubnetsAlone) {
            land.grant_deployer(workspace, Role::Contributor);
            for subnet in &subnets {
                land.grant_deployer(subnet, Role::NetworkContributor);
            }
        } else {
            let role = if self.has(Flaw::MisspeltJoin) { Role::MisspeltDeployer } else { Role::Contributor };
            land.grant_deployer(&group, role);
            if vnet.scope.group_id() != group {
                land.grant_deployer(&vnet.scope.group_id(), role);
            }
        }
        let mut flaws = self.flaws.iter().filter(|flaw| flaw.is_of_deployer()).peekable();
        if let (Some(_), Some(subnet)) = (flaws.peek(), subnets.iter().min()) {
            land.ask(DEPLOYER, subnet);
        }
        let at = At { workspace, resource: &vnet.id(), attached_as: workspace, subnet: "" };
        expected.extend(flaws.flat_map(|flaw| flaw.policies()).map(|policy| at.violates(policy)));
    }

    fn network(&self, land: &mut Landscape, location: &str) -> Vnet {
        let scope = if self.has(Flaw::AciOtherGroup) {
            let name = format!("{}-net", self.scope.group);
            land.company.group(&self.scope.subscription, &name, REGION)
        } else {
            self.scope.clone()
        };
        let mut nsg = Nsg::new(&scope, &format!("nsg-{}", self.name), self.rules());
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
        if self.has(Flaw::RouteToNowhere)
            && let Some(nodes) = self.main().map(Serving::subnet)
        {
            let route = ["default", "0.0.0.0/0", "None", ""].map(str::to_owned).into();
            let table = RouteTable {
                scope: scope.clone(),
                name: format!("rt-{}", self.name),
                location: location.to_owned(),
                routes: vec![route],
            };
            for subnet in vnet.subnets.iter_mut().filter(|subnet| subnet.name == nodes) {
                subnet.route_table = Some(land.company.add(&table));
            }
        }
        land.company.add(&nsg);
        vnet
    }

    /// What its subnets let through.
    fn rules(&self) -> Vec<Rule> {
        let mut rules = scoring_rules();
        if self.has(Flaw::RegistryForgotten) {
            // The tag of the whole cloud holds the registry's addresses as well.
            rules.retain(|rule| !matches!(rule.name.as_str(), "allow-acr" | "allow-cloud"));
        }
        if self.closed || self.has(Flaw::RegistryForgotten) {
            rules.push(Rule::deny_out("deny-internet-out", 4000, "Internet"));
        }
        if self.has(Flaw::CallersShutOut) {
            rules.push(Rule::allow_in("allow-partners", 4010, PARTNERS, &["80", "443"]));
        }
        rules
    }

    /// A created cluster has the cluster's flaws only where there is no other cluster to have them.
    fn delegates_created(&self) -> bool {
        self.has(Flaw::DelegatedNodes) && self.main() == Some(Serving::AksV1Created)
    }

    /// Where a cluster's nodes are.
    fn nodes(&self, serving: Serving) -> Block {
        self.block.quarter(if serving == Serving::AksV1Created { 3 } else { 1 })
    }

    fn main(&self) -> Option<Serving> {
        let clusters = [Serving::AksV1, Serving::KubernetesV2, Serving::AksV1Created];
        clusters.into_iter().find(|serving| self.serves(*serving))
    }

    fn registry(&self, land: &mut Landscape, vnet: &Vnet, location: &str) -> Registry {
        let plain: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("cr{plain}");
        let id = Registry::id_of(self.scope, &name);
        let mut endpoints = Vec::new();
        if !self.has(Flaw::RegistryForgotten) {
            endpoints.push(land.endpoint(&format!("pe-{name}"), &id, "registry"));
        }
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
        let suffix = if created { "-created" } else { "" };
        let name = format!("aks-{}{suffix}", self.name);
        let nodes = self.nodes(serving);
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
        let public_scoring = flawed(Flaw::PublicScoring) || flawed(Flaw::NothingPrivate);
        let salt = land.company.guid(&format!("cluster {name}"));
        let outbound_ip = format!("20.86.{}.{}", u8_of(&salt, 0), u8_of(&salt, 2));
        let cluster = Aks {
            scope: self.scope.clone(),
            name: name.clone(),
            location: location.to_owned(),
            version: if created { "1.18.14" } else { "1.31.7" }.to_owned(),
            subnet: vnet.subnet_id(serving.subnet()),
            private: !flawed(Flaw::PublicControlPlane) && !flawed(Flaw::NothingPrivate),
            public_fqdn: flawed(Flaw::PublicFqdn),
            service_cidr: services.clone(),
            dns_service_ip: dns.clone(),
            pod_cidr: (serving == Serving::KubernetesV2).then(|| PODS.to_owned()),
            api_server_ip: nodes.address(4),
            front_end: if public_scoring {
                FrontEnd::Public(self.block.public_address(u8_of(&salt, 4)))
            } else {
                FrontEnd::Internal(nodes.address(100))
            },
            outbound_ip,
            principal_id: land.company.guid(&format!("principal {name}")),
            kubelet_id: land.company.guid(&format!("principal {name}-agentpool")),
            tenant_id: land.company.tenant_id().to_owned(),
            extension: serving == Serving::KubernetesV2,
            salt,
        };
        let id = land.company.add(&cluster);
        let (network, kubelet) = (vnet.scope.group_id(), format!("{name}-agentpool"));
        let (at, whom) = match () {
            () if flawed(Flaw::RoleOfKubelet) => (network, &kubelet),
            () if flawed(Flaw::RoleOnNetworkAlone) => (vnet.id(), &name),
            () => (network, &name),
        };
        land.grant(&at, Role::NetworkContributor, whom, "ServicePrincipal");
        land.grant(&self.scope.group_id(), Role::AcrPull, &kubelet, "ServicePrincipal");
        if flawed(Flaw::RoleOfKubelet) || flawed(Flaw::RoleOnNetworkAlone) {
            land.ask(&cluster.principal_id, &cluster.subnet);
        }
        let compute = self.attach(land, serving, &cluster, workspace);
        let at = At { workspace, resource: &id, attached_as: &compute, subnet: &cluster.subnet };
        for flaw in self.flaws.iter().filter(|flaw| !flaw.is_of_aci() && !flaw.is_of_deployer()) {
            let here = match flaw {
                Flaw::DockerBridge => created,
                flaw if flaw.is_of_network() => true,
                _ => main,
            };
            // A public load balancer takes no address of a subnet, whatever is wrong with that.
            let judged = |policy: &&&str| here && !(public_scoring && **policy == "ILB-002");
            expected.extend(flaw.policies().iter().filter(judged).map(|policy| at.violates(policy)));
        }
    }

    fn attach(&self, land: &mut Landscape, serving: Serving, cluster: &Aks, workspace: &str) -> String {
        let name = cluster.name.trim_start_matches("aks-").to_owned();
        let main = self.main() == Some(serving);
        let now = (format!("predict-{name}"), cluster.front_end.address().to_owned());
        let before = (format!("predict-{name}-v1"), self.nodes(serving).address(90));
        let deployments =
            std::iter::once(now).chain((main && self.has(Flaw::StaleAddress)).then_some(before));
        if serving == Serving::KubernetesV2 {
            let compute = land.company.add(&KubernetesCompute {
                workspace: workspace.to_owned(),
                name: format!("k8s-{name}"),
                location: self.scope.location.clone(),
                cluster: cluster.id(),
            });
            for (name, address) in deployments {
                land.company.add(&KubernetesEndpoint {
                    compute: compute.clone(),
                    name,
                    location: self.scope.location.clone(),
                    address,
                });
            }
            return compute;
        }
        let created = serving == Serving::AksV1Created;
        let bridge = if self.has(Flaw::DockerBridge) {
            format!("{}/26", self.endpoints().address(1))
        } else {
            BRIDGE.to_owned()
        };
        let subnet = cluster.subnet.clone();
        for (service, address) in deployments {
            land.company.add(&AksService {
                workspace: workspace.to_owned(),
                name: service,
                compute: format!("inf-{name}"),
                address,
            });
        }
        let balancer_subnet =
            if main && self.has(Flaw::BalancerSubnetGone) { "snet-ilb" } else { serving.subnet() };
        land.company.add(&AksCompute {
            workspace: workspace.to_owned(),
            name: format!("inf-{name}"),
            location: self.scope.location.clone(),
            cluster: cluster.id(),
            cluster_fqdn: cluster.private_fqdn(),
            front_end: cluster.front_end.clone(),
            subnet_name: balancer_subnet.to_owned(),
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
        let at = At { workspace, resource: &group_id, attached_as: &id, subnet: &vnet.subnet_id("snet-aci") };
        let flaws = self.flaws.iter().filter(|flaw| flaw.is_of_aci());
        expected.extend(flaws.flat_map(|flaw| flaw.policies()).map(|policy| at.violates(policy)));
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
