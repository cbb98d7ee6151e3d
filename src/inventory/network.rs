//! VNets with their subnets and peerings, private endpoints, network profiles.

use ipnet::IpNet;

use super::field::{self, Field, Part};
use super::state::State;
use super::{Code, Known, Reason, Record, ResourceId};

/// A private endpoint connection, as its target tells it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The private endpoint; it may lie in a subscription, or a tenant, that nobody here can read.
    pub endpoint: Known<ResourceId>,
    /// The endpoint's subnet, where the target tells it (`subnetArmId` of Azure Machine Learning).
    pub subnet: Option<ResourceId>,
    /// `approved`, `pending`, `rejected`, `disconnected`, `timeout`; folded.
    pub status: Known<String>,
    /// The state of the connection itself.
    pub state: Known<State>,
}

/// The states of a private endpoint connection in which no traffic flows.
const CLOSED: [&str; 4] = ["pending", "rejected", "disconnected", "timeout"];

impl Connection {
    /// The status of a connection. A word that is none of Azure's does not say that traffic is kept out.
    pub(super) fn status(field: &Field, part: Part<'_>) -> Known<String> {
        let word = field.told_text(part)?.to_ascii_lowercase();
        if word == "approved" || CLOSED.contains(&word.as_str()) {
            return Ok(word);
        }
        let message = format!("a private endpoint connection is `{word}`, which is not known");
        Err(Reason::new(Code::Malformed, message))
    }

    /// Whether the connection carries traffic: approved by the target's owner, and finished.
    pub fn usable(&self) -> Known<bool> {
        if self.status.clone()? != "approved" {
            return Ok(false);
        }
        match self.state.clone()? {
            State::Settled => Ok(true),
            State::Deleting | State::Failed(_) => Ok(false),
            State::Changing(word) => {
                let endpoint = self
                    .endpoint
                    .as_ref()
                    .map_or_else(|_| "a private endpoint".to_owned(), ToString::to_string);
                Err(Reason::new(Code::Transitional, format!("the connection of {endpoint} is `{word}`")))
            }
        }
    }
}

/// A VNet.
#[derive(Clone, Debug)]
pub struct Vnet {
    /// Its id.
    pub id: ResourceId,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Its address space, as Azure told it.
    pub prefixes: Known<Vec<String>>,
    /// Its subnets.
    pub subnets: Known<Vec<Subnet>>,
    /// Its side of its peerings.
    pub peerings: Known<Vec<Peering>>,
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Its id.
    pub id: Known<ResourceId>,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Its prefixes, as Azure told them.
    pub prefixes: Known<Vec<String>>,
    /// What it is delegated to.
    pub delegations: Known<Vec<Delegation>>,
    /// Whether it has the service endpoint of Azure Container Registry.
    pub registry_service_endpoint: Known<bool>,
    /// Its network security group, if it has one.
    pub security_group: Known<Option<ResourceId>>,
    /// Its route table, if it has one.
    pub route_table: Known<Option<ResourceId>>,
    /// Its NAT gateway, if it has one.
    pub nat_gateway: Known<Option<ResourceId>>,
    /// How many addresses are taken.
    pub taken: Known<usize>,
    /// Whether its network security group also filters what comes to private endpoints.
    pub filters_endpoints: Known<bool>,
}

/// A delegation of a subnet. Its name is free text and decides nothing.
#[derive(Clone, Debug)]
pub struct Delegation {
    /// The service, folded.
    pub service: Known<String>,
    /// Its state.
    pub state: Known<State>,
}

/// One side of a peering.
#[derive(Clone, Debug)]
pub struct Peering {
    /// The VNet on the other side.
    pub remote: Known<ResourceId>,
    /// Whether this side lets traffic through: connected, and access to the remote VNet allowed.
    pub open: Known<bool>,
    /// Whether this VNet uses the gateways of the other side, and so learns routes from it.
    pub uses_remote_gateways: Known<bool>,
}

/// A private endpoint.
#[derive(Clone, Debug)]
pub struct PrivateEndpoint {
    /// Its id.
    pub id: ResourceId,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Its subnet.
    pub subnet: Known<ResourceId>,
    /// The resources that it claims a connection to, and the state of the claim, folded.
    pub targets: Vec<(ResourceId, Option<String>)>,
    /// The application security groups that it is a member of.
    pub groups: Known<Vec<ResourceId>>,
}

/// A network profile, by which old container groups name their subnet.
#[derive(Clone, Debug)]
pub struct NetworkProfile {
    /// Its id.
    pub id: ResourceId,
    /// The subnets that it stands for.
    pub subnets: Known<Vec<ResourceId>>,
    /// The container groups that use it, where they are told.
    pub container_groups: Vec<ResourceId>,
}

impl Vnet {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        Self {
            id: record.id().clone(),
            state: State::read(&field::VNET_STATE, part),
            prefixes: field::VNET_PREFIXES.texts(part),
            subnets: field::VNET_SUBNETS.list(part).map(|list| list.into_iter().map(Subnet::read).collect()),
            peerings: field::VNET_PEERINGS
                .list(part)
                .map(|list| list.into_iter().map(Peering::read).collect()),
        }
    }
}

impl Subnet {
    fn read(part: Part<'_>) -> Self {
        Self {
            id: field::SUBNET_ID.told_id(part),
            state: State::read(&field::SUBNET_STATE, part),
            prefixes: singular_and_plural(&field::SUBNET_PREFIX, &field::SUBNET_PREFIXES, part),
            delegations: field::SUBNET_DELEGATIONS.list(part).map(|list| {
                let read = |part| Delegation {
                    service: field::DELEGATION_SERVICE.told_text(part).map(str::to_ascii_lowercase),
                    state: State::read(&field::DELEGATION_STATE, part),
                };
                list.into_iter().map(read).collect()
            }),
            registry_service_endpoint: field::SUBNET_SERVICE_ENDPOINTS.list(part).and_then(|list| {
                let services: Known<Vec<&str>> =
                    list.into_iter().map(|part| field::SERVICE_ENDPOINT_SERVICE.told_text(part)).collect();
                Ok(services?
                    .iter()
                    .any(|service| service.eq_ignore_ascii_case("Microsoft.ContainerRegistry")))
            }),
            security_group: field::SUBNET_NSG.id(part),
            route_table: field::SUBNET_ROUTES.id(part),
            nat_gateway: field::SUBNET_NAT.id(part),
            taken: field::SUBNET_IP_CONFIGURATIONS.list(part).map(|list| list.len()),
            filters_endpoints: field::SUBNET_ENDPOINT_POLICIES.told_text(part).and_then(|text| {
                match text.to_ascii_lowercase().as_str() {
                    "enabled" | "networksecuritygroupenabled" => Ok(true),
                    "disabled" | "routetableenabled" => Ok(false),
                    _ => {
                        let path = field::SUBNET_ENDPOINT_POLICIES.path;
                        Err(Reason::new(Code::Malformed, format!("`{path}` is `{text}`")))
                    }
                }
            }),
        }
    }
}

impl Peering {
    fn read(part: Part<'_>) -> Self {
        let open = || {
            let connected = match field::PEERING_STATE.told_text(part)?.to_ascii_lowercase().as_str() {
                "connected" => true,
                "initiated" | "disconnected" => false,
                word => {
                    let message = format!("a peering is `{word}`, which is not known");
                    return Err(Reason::new(Code::Malformed, message));
                }
            };
            let open = connected && field::PEERING_ACCESS.flag(part)? == Some(true);
            if open && field::PEERING_COMPLETE.flag(part)? == Some(false) {
                let message = "only some subnets of two VNets are peered; which ones is not judged";
                return Err(Reason::new(Code::Undecidable, message));
            }
            Ok(open)
        };
        Self {
            remote: field::PEERING_REMOTE.told_id(part),
            open: open(),
            uses_remote_gateways: field::PEERING_REMOTE_GATEWAYS.flag(part).map(|flag| flag == Some(true)),
        }
    }
}

impl PrivateEndpoint {
    /// Whether it claims a connection to a target that is approved, or may be.
    pub fn claims(&self, target: &ResourceId) -> bool {
        let may = |status: &Option<String>| status.as_deref().is_some_and(|status| !CLOSED.contains(&status));
        self.targets.iter().any(|(of, status)| of == target && may(status))
    }

    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let mut targets = Vec::new();
        for (list, target, status) in [
            (&field::ENDPOINT_CONNECTIONS, &field::ENDPOINT_TARGET, &field::ENDPOINT_STATUS),
            (
                &field::ENDPOINT_MANUAL_CONNECTIONS,
                &field::ENDPOINT_MANUAL_TARGET,
                &field::ENDPOINT_MANUAL_STATUS,
            ),
        ] {
            for part in list.list(part).unwrap_or_default() {
                if let Ok(Some(target)) = target.id(part) {
                    targets.push((target, status.text(part).ok().flatten().map(str::to_ascii_lowercase)));
                }
            }
        }
        Self {
            id: record.id().clone(),
            state: State::read(&field::ENDPOINT_STATE, part),
            subnet: field::ENDPOINT_SUBNET.told_id(part),
            targets,
            groups: field::ENDPOINT_GROUPS
                .list(part)
                .and_then(|list| list.into_iter().map(|part| field::ENDPOINT_GROUP.told_id(part)).collect()),
        }
    }
}

impl NetworkProfile {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let subnets = || {
            let mut subnets = Vec::new();
            for part in field::PROFILE_CONFIGURATIONS.list(part)? {
                for part in field::PROFILE_IP_CONFIGURATIONS.list(part)? {
                    subnets.push(field::PROFILE_SUBNET.told_id(part)?);
                }
            }
            Ok(subnets)
        };
        let interfaces = field::PROFILE_INTERFACES.list(part).unwrap_or_default();
        Self {
            id: record.id().clone(),
            subnets: subnets(),
            container_groups: interfaces
                .into_iter()
                .filter_map(|part| field::PROFILE_CONTAINER.id(part).ok().flatten())
                .collect(),
        }
    }
}

/// The value as a subnet's id, for fields whose absence means that there is none.
pub(super) fn subnet_id(field: &Field, part: Part<'_>) -> Known<Option<ResourceId>> {
    let Some(id) = field.id(part)? else { return Ok(None) };
    match id.resource_type().as_deref() {
        Some("microsoft.network/virtualnetworks/subnets") => Ok(Some(id)),
        _ => Err(field.not_understood(part, "a subnet's id")),
    }
}

/// The union of a singular and a plural field; not told only if both are not.
pub(super) fn singular_and_plural(singular: &Field, plural: &Field, part: Part<'_>) -> Known<Vec<String>> {
    let one = singular.told_text(part).map(|text| vec![text.to_owned()]);
    let mut all = match (one, plural.texts(part)) {
        (Ok(one), Ok(many)) => [one, many].concat(),
        (Ok(found), Err(reason)) | (Err(reason), Ok(found)) if reason.code == Code::NotTold => found,
        (Err(reason), _) | (_, Err(reason)) => return Err(reason),
    };
    all.sort();
    all.dedup();
    Ok(all)
}

/// Reads a prefix as Azure writes it: host bits are cleared. An address without a length is no prefix.
pub fn prefix(text: &str) -> Option<IpNet> {
    // The standard library's reading of addresses, which takes no leading zeros; mapped addresses are neither family.
    let (address, length) = text.trim().split_once('/')?;
    let address: std::net::IpAddr = address.parse().ok()?;
    let mapped = matches!(address, std::net::IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    if mapped || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    IpNet::new(address, length.parse().ok()?).ok().map(|net| net.trunc())
}
