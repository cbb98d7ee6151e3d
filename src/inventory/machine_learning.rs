//! Azure Machine Learning: workspaces, their computes and their v1 web services.

use super::field::{self, Part};
use super::network::Connection;
use super::state::State;
use super::{Code, Known, Reason, Record, ResourceId};

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its id.
    pub id: ResourceId,
    /// Its region, folded.
    pub location: Known<String>,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Its private endpoint connections.
    pub connections: Known<Vec<Connection>>,
    /// The hub whose network a project workspace shares.
    pub hub: Known<Option<ResourceId>>,
    /// Its container registry; none until the first image is built.
    pub registry: Known<Option<ResourceId>>,
}

/// What a compute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComputeKind {
    /// `AKS`: an AKS cluster attached or made by v1.
    Aks,
    /// `Kubernetes`: an AKS or Arc cluster attached by v2.
    Kubernetes,
    /// Anything else: no inference cluster.
    Other,
}

/// A compute of a workspace.
#[derive(Clone, Debug)]
pub struct Compute {
    /// Its id.
    pub id: ResourceId,
    /// The workspace.
    pub workspace: ResourceId,
    /// What it is.
    pub kind: Known<ComputeKind>,
    /// The state of the attachment.
    pub state: Known<State>,
    /// Whether the cluster was attached; otherwise Azure Machine Learning made it.
    pub attached: Known<Option<bool>>,
    /// The name of the cluster's API server, as recorded when it was attached.
    pub cluster_fqdn: Known<Option<String>>,
    /// The cluster behind it.
    pub target: Known<ResourceId>,
    /// The service range that Azure Machine Learning recorded.
    pub service_cidrs: Known<Option<Vec<String>>>,
    /// The DNS service address that it recorded.
    pub dns_service_ip: Known<Option<String>>,
    /// The Docker bridge range that it recorded.
    pub docker_bridge_cidr: Known<Option<String>>,
    /// How its scoring router is reached; v1 only.
    pub router: V1Router,
}

/// What a v1 compute tells of its scoring router.
#[derive(Clone, Debug)]
pub struct V1Router {
    /// The kind of load balancer, folded: `publicip`, `internalloadbalancer`; public is the default.
    pub balancer: Known<Option<String>>,
    /// The name of the internal load balancer's subnet.
    pub subnet: Known<Option<String>>,
    /// The addresses of the scoring front end.
    pub addresses: Known<Vec<String>>,
    /// Whether scoring speaks TLS.
    pub tls: Known<bool>,
}

/// An online endpoint.
#[derive(Clone, Debug)]
pub struct OnlineEndpoint {
    /// Its id.
    pub id: ResourceId,
    /// The workspace.
    pub workspace: ResourceId,
    /// Its state.
    pub state: Known<State>,
    /// The Kubernetes compute that it runs on; none for managed endpoints.
    pub compute: Known<Option<ResourceId>>,
    /// Where it is scored; none until the first deployment is ready.
    pub scoring: Known<Option<ScoringUri>>,
}

/// The parts of a scoring URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoringUri {
    /// An address or a name, folded.
    pub host: String,
    /// The port, by the scheme where none is written.
    pub port: u16,
}

/// A v1 web service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id.
    pub id: ResourceId,
    /// The workspace.
    pub workspace: ResourceId,
    /// Whether it runs on Azure Container Instances (otherwise on AKS).
    pub on_aci: Known<bool>,
    /// Its state.
    pub state: Known<State>,
    /// The VNet and subnet that its deployment asked for, by name only: the model has no resource group.
    pub asked_network: Known<Option<(String, String)>>,
    /// The hosts by which it is reached: addresses and names, folded.
    pub hosts: Known<Vec<String>>,
    /// Whether the record tells a public address.
    pub public_address: Known<bool>,
    /// The name of the compute that a service on AKS runs on.
    pub compute: Known<String>,
    /// Where it is scored; none until the first deployment is ready.
    pub scoring: Known<Option<ScoringUri>>,
}

impl Workspace {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        Self {
            id: record.id().clone(),
            location: field::WORKSPACE_LOCATION.told_text(part).map(fold_region),
            state: State::read(&field::WORKSPACE_STATE, part),
            connections: field::WORKSPACE_ENDPOINTS.list(part).map(|list| {
                let read = |part| Connection {
                    endpoint: field::WORKSPACE_ENDPOINT_ID.told_id(part),
                    subnet: field::WORKSPACE_ENDPOINT_SUBNET.told_id(part).ok(),
                    status: Connection::status(&field::WORKSPACE_ENDPOINT_STATUS, part),
                    state: State::read(&field::WORKSPACE_ENDPOINT_STATE, part),
                };
                list.into_iter().map(read).collect()
            }),
            hub: field::WORKSPACE_HUB.id(part),
            registry: field::WORKSPACE_REGISTRY.id(part),
        }
    }
}

/// The other compute types that v1 services are known to have. A word that is none of them does not say "not ACI".
const NOT_ACI: [&str; 11] = [
    "aks",
    "aksendpoint",
    "amlarc",
    "amlcompute",
    "batchamlcompute",
    "fpga",
    "iot",
    "mir",
    "miramlcompute",
    "mirga",
    "mirsinglemodel",
];

fn on_aci(word: &str, service: &ResourceId) -> Known<bool> {
    let word = word.to_ascii_lowercase();
    if word == "aci" || NOT_ACI.contains(&word.as_str()) {
        return Ok(word == "aci");
    }
    let message = format!("`properties.computeType` of {service} is `{word}`, which is not known");
    Err(Reason::new(Code::Malformed, message))
}

impl Compute {
    pub(super) fn read(record: &Record) -> Option<Self> {
        let part = Part::of(record);
        let recorded = |field: &field::Field| match field.text(part) {
            Err(reason) if reason.code == super::Code::NotTold => Ok(None),
            told => told.map(|text| text.map(str::to_owned)),
        };
        Some(Self {
            id: record.id().clone(),
            workspace: workspace_of(record.id())?,
            kind: field::COMPUTE_TYPE.told_text(part).map(|text| match text.to_ascii_lowercase().as_str() {
                "aks" => ComputeKind::Aks,
                "kubernetes" => ComputeKind::Kubernetes,
                _ => ComputeKind::Other,
            }),
            state: State::read(&field::COMPUTE_STATE, part),
            attached: field::COMPUTE_ATTACHED.flag(part),
            cluster_fqdn: field::COMPUTE_FQDN.text(part).map(|text| text.map(str::to_ascii_lowercase)),
            target: field::COMPUTE_RESOURCE.told_id(part),
            service_cidrs: recorded(&field::COMPUTE_SERVICE_CIDR).map(|told| told.map(|text| vec![text])),
            dns_service_ip: recorded(&field::COMPUTE_DNS_SERVICE_IP),
            docker_bridge_cidr: recorded(&field::COMPUTE_DOCKER_BRIDGE),
            router: V1Router::read(part),
        })
    }
}

impl Service {
    pub(super) fn read(record: &Record) -> Option<Self> {
        let part = Part::of(record);
        let hosts = || -> Known<(Vec<String>, bool)> {
            let scoring = field::SERVICE_SCORING_URI.text(part)?;
            let address = field::SERVICE_PUBLIC_IP.text(part)?;
            let name = field::SERVICE_PUBLIC_FQDN.text(part)?;
            // The model calls it public, whatever address stands in it.
            let public = name.is_some() || address.is_some_and(is_public_address);
            let mut hosts: Vec<String> = [scoring.and_then(host_of), address, name]
                .into_iter()
                .flatten()
                .map(str::to_ascii_lowercase)
                .collect();
            hosts.sort();
            hosts.dedup();
            Ok((hosts, public))
        };
        let hosts = hosts();
        Some(Self {
            id: record.id().clone(),
            workspace: workspace_of(record.id())?,
            on_aci: field::SERVICE_COMPUTE_TYPE.told_text(part).and_then(|word| on_aci(word, record.id())),
            state: State::read(&field::SERVICE_STATE, part),
            asked_network: field::SERVICE_VNET.text(part).and_then(|vnet| {
                let subnet = field::SERVICE_SUBNET.text(part)?;
                let names = (vnet.unwrap_or_default().to_owned(), subnet.unwrap_or_default().to_owned());
                Ok((vnet.is_some() || subnet.is_some()).then_some(names))
            }),
            public_address: hosts.clone().map(|(_, public)| public),
            compute: field::SERVICE_COMPUTE_NAME.told_text(part).map(str::to_ascii_lowercase),
            scoring: scoring_uri(&field::SERVICE_SCORING_URI, part),
            hosts: hosts.map(|(hosts, _)| hosts),
        })
    }
}

impl V1Router {
    fn read(part: Part<'_>) -> Self {
        let inner = || {
            if field::COMPUTE_INNER.is_object(part)? {
                return Ok(());
            }
            Err(field::COMPUTE_INNER.not_told(part))
        };
        let text =
            |field: &field::Field| inner().and_then(|()| Ok(field.text(part)?.map(str::to_ascii_lowercase)));
        let addresses = || {
            inner()?;
            let mut addresses = Vec::new();
            for part in field::COMPUTE_SYSTEM_SERVICES.list(part)? {
                if field::SYSTEM_SERVICE_TYPE.told_text(part)?.eq_ignore_ascii_case("ScoringFrontEnd") {
                    addresses.extend(field::SYSTEM_SERVICE_ADDRESS.text(part)?.map(str::to_ascii_lowercase));
                }
            }
            Ok(addresses)
        };
        Self {
            balancer: text(&field::COMPUTE_BALANCER),
            subnet: inner().and_then(|()| Ok(field::COMPUTE_BALANCER_SUBNET.text(part)?.map(str::to_owned))),
            addresses: addresses(),
            tls: field::COMPUTE_TLS.told_text(part).map(|text| !text.eq_ignore_ascii_case("disabled")),
        }
    }
}

impl OnlineEndpoint {
    pub(super) fn read(record: &Record) -> Option<Self> {
        let part = Part::of(record);
        Some(Self {
            id: record.id().clone(),
            workspace: workspace_of(record.id())?,
            state: State::read(&field::ONLINE_STATE, part),
            compute: kubernetes_compute(part),
            scoring: scoring_uri(&field::ONLINE_URI, part),
        })
    }
}

/// The compute of an endpoint on Kubernetes; only a managed one has none.
fn kubernetes_compute(part: Part<'_>) -> Known<Option<ResourceId>> {
    match field::ONLINE_COMPUTE.told_id(part) {
        Err(reason) if reason.code == Code::NotTold => {
            let managed = field::ONLINE_KIND.told_text(part)?.eq_ignore_ascii_case("managed");
            if managed { Ok(None) } else { Err(reason) }
        }
        told => told.map(Some),
    }
}

fn scoring_uri(field: &field::Field, part: Part<'_>) -> Known<Option<ScoringUri>> {
    let Some(text) = field.text(part)? else { return Ok(None) };
    let uri = ScoringUri::parse(text);
    uri.map(Some).ok_or_else(|| field.not_understood(part, "a URI of http or https"))
}

impl ScoringUri {
    /// Reads a URI such as `http://10.10.5.4:80/score`.
    pub fn parse(uri: &str) -> Option<Self> {
        let host = host_of(uri)?.to_ascii_lowercase();
        let (scheme, rest) = uri.split_once("://")?;
        let by_scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
        let behind = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
        let port = match behind.rsplit_once(':') {
            Some((_, port)) => port.parse().ok()?,
            None => by_scheme,
        };
        Some(Self { host, port })
    }
}

/// Whether a text is an address that is reached from the internet.
fn is_public_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok_and(|address| !is_private_address(address))
}

/// Whether an address is reached inside a network only.
pub fn is_private_address(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || ip.is_unspecified() || shared
        }
        std::net::IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_private_address(ip.into()),
            None => {
                ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback() || ip.is_unspecified()
            }
        },
    }
}

/// The host of a URI such as `http://10.10.5.4:80/score`, without user and port.
fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => host.split(':').next(),
    }
    .filter(|host| !host.is_empty())
}

/// The workspace that a compute or service is a child of.
fn workspace_of(id: &ResourceId) -> Option<ResourceId> {
    let parent = id.parent()?;
    (parent.resource_type().as_deref() == Some("microsoft.machinelearningservices/workspaces"))
        .then_some(parent)
}

/// `East US 2` and `eastus2` are one region.
pub(super) fn fold_region(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}
