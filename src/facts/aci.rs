//! Web services on Azure Container Instances: which container group runs them, whose it is, where it lives.

use std::collections::BTreeMap;

use crate::inventory::containers::{ContainerGroup, Registry as RegistryNode};
use crate::inventory::machine_learning::{Service, Workspace, is_private_address};
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId};

use super::cluster;
use super::document::{AciNetwork, AciService, AskedNetwork, Fact, Ownership, Registry};
use super::endpoints::{exists, in_vnet, of_registry, of_workspace, settled};

/// A web service, or a container group that shows a sign of being one.
pub(super) struct Found<'a> {
    pub(super) service: Option<&'a Service>,
    pub(super) group: Known<&'a ContainerGroup>,
    pub(super) workspace: Option<ResourceId>,
    pub(super) owner: Known<Ownership>,
    /// Whether the group at its address is being deleted, and so no witness of where it lives.
    pub(super) deleting: bool,
}

impl Found<'_> {
    /// The id of the service, else of its container group.
    pub(super) fn id(&self) -> Option<&ResourceId> {
        self.service.map(|service| &service.id).or(self.group.as_ref().ok().map(|group| &group.id))
    }
}

/// Every web service on container instances that the inventory shows or hints at.
pub(super) fn find(inventory: &Inventory) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut placed: Vec<&ResourceId> = Vec::new();
    let registries = Registries::of(inventory);
    for service in inventory.services.values() {
        if service.on_aci == Ok(false) || service.state == Ok(State::Deleting) {
            continue;
        }
        let group = group_of(inventory, &registries, service);
        let deleting = group.as_ref().is_ok_and(|group| group.state == Ok(State::Deleting));
        let group = match group {
            Ok(group) if deleting => {
                let message = format!("{}, at the address of {}, is being deleted", group.id, service.id);
                Err(Reason::new(Code::PlacementUnproven, message))
            }
            group => group,
        };
        placed.extend(group.as_ref().ok().map(|group| &group.id));
        let workspace = Some(service.workspace.clone());
        // The record is a child of its workspace: whose it is needs no further proof.
        found.push(Found {
            service: Some(service),
            group,
            workspace,
            owner: Ok(Ownership::ServiceRecord),
            deleting,
        });
    }
    for group in inventory.container_groups.values() {
        if placed.contains(&&group.id) || group.state == Ok(State::Deleting) {
            continue;
        }
        if let Some((workspace, owner)) = owner_by_image(inventory, &registries, group) {
            found.push(Found { service: None, group: Ok(group), workspace, owner, deleting: false });
        }
    }
    found
}

/// Whether a container group that is not proven to be a workspace's may be: it runs an image of its registry, or what
/// it runs, or the workspace's registry, is not known.
pub(super) fn may_be_of(inventory: &Inventory, found: &Found<'_>, workspace: &ResourceId) -> bool {
    let Ok(group) = &found.group else { return true };
    let Ok(images) = &group.images else { return true };
    let registry = inventory.workspace(workspace).and_then(|node| node.registry.clone());
    let host = registry.and_then(|id| id.map(|id| inventory.registry(&id)?.login_server.clone()).transpose());
    match host {
        Ok(Some(host)) => images.iter().any(|image| image.split('/').next() == Some(host.as_str())),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// The container group that answers at the service's address.
fn group_of<'a>(
    inventory: &'a Inventory,
    registries: &Registries<'_>,
    service: &Service,
) -> Known<&'a ContainerGroup> {
    let hosts = service.hosts.as_ref().map_err(Clone::clone)?;
    let unplaced = |message: String| Reason::new(Code::PlacementUnproven, message);
    if hosts.is_empty() {
        return Err(unplaced(format!("{} tells no address yet", service.id)));
    }
    let candidates: Vec<&ContainerGroup> = inventory
        .container_groups
        .values()
        .filter(|group| {
            group.hosts.iter().any(|host| {
                hosts.contains(host)
                    && (!is_private(host) || is_likely(inventory, registries, service, group))
            })
        })
        .collect();
    match candidates.as_slice() {
        [group] if group.hosts.iter().any(|host| hosts.contains(host) && !is_private(host)) => Ok(group),
        // A private address may repeat elsewhere: it is proof only if nothing in its subscription is hidden.
        [group] if group.id.subscription() == service.id.subscription() => {
            let subscription = group.id.subscription_id().unwrap_or_else(ResourceId::root);
            match inventory.coverage.incomplete(Kind::ContainerGroups, &subscription) {
                None => Ok(group),
                Some(reason) => Err(reason),
            }
        }
        [group] => Err(unplaced(format!(
            "{} has the private address of {}, but lies in another subscription",
            group.id, service.id
        ))),
        [] => Err(match inventory.coverage.incomplete_anywhere(Kind::ContainerGroups) {
            Some(reason) => reason,
            None => unplaced(match service.asked_network.as_ref().ok().and_then(Option::as_ref) {
                Some((vnet, subnet)) => format!(
                    "no container group has the address of {}; its record asks for VNet `{vnet}` and subnet `{subnet}`, by name only",
                    service.id
                ),
                None => format!("no container group has the address of {}", service.id),
            }),
        }),
        _ => {
            let ids: Vec<String> = candidates.iter().map(|group| group.id.to_string()).collect();
            Err(Reason::new(
                Code::Ambiguous,
                format!("several container groups have the address of {}: {}", service.id, ids.join(", ")),
            ))
        }
    }
}

/// Whether a group that has the service's private address is likely the one: it lives where the service's record asks
/// for, or its image proves that it is the same workspace's. An address alone may repeat in another network.
fn is_likely(
    inventory: &Inventory,
    registries: &Registries<'_>,
    service: &Service,
    group: &ContainerGroup,
) -> bool {
    let owner = owner_by_image(inventory, registries, group);
    if let Some((Some(workspace), Ok(Ownership::Image))) = owner {
        return workspace == service.workspace;
    }
    let Ok(Some((vnet, subnet))) = &service.asked_network else { return false };
    let subnets = placement(inventory, group).unwrap_or_default();
    subnets.iter().any(|id| is_named(id, vnet, subnet))
}

fn is_private(host: &str) -> bool {
    host.parse().is_ok_and(is_private_address)
}

/// The subnets that a container group lives in; empty if it surely lives in no VNet.
pub(super) fn placement(inventory: &Inventory, group: &ContainerGroup) -> Known<Vec<ResourceId>> {
    match &group.subnets {
        Ok(subnets) if !subnets.is_empty() => return Ok(subnets.clone()),
        Err(reason) if reason.code != Code::NotTold => return Err(reason.clone()),
        _ => {}
    }
    if let Some(profile) = &group.network_profile {
        return inventory.network_profile(profile)?.subnets.clone();
    }
    let users =
        inventory.network_profiles.values().find(|profile| profile.container_groups.contains(&group.id));
    if let Some(profile) = users {
        return profile.subnets.clone();
    }
    // A group in a VNet may not have a public address ("Virtual network scenarios and resources").
    if group.public == Ok(true) {
        return Ok(Vec::new());
    }
    let message = format!("{} tells neither a subnet nor a network profile nor a public address", group.id);
    Err(Reason::new(Code::PlacementUnproven, message))
}

/// Whether a container group lives in a VNet; a private address proves it, wherever the subnet is.
fn in_a_vnet(inventory: &Inventory, group: &ContainerGroup) -> Known<bool> {
    match placement(inventory, group) {
        Ok(subnets) => Ok(!subnets.is_empty()),
        Err(_) if group.network_profile.is_some() || group.public == Ok(false) => Ok(true),
        Err(reason) => Err(reason),
    }
}

/// The registries of workspaces.
#[derive(Default)]
struct Registries<'a> {
    /// The workspaces that each host serves.
    hosts: BTreeMap<String, Vec<&'a Workspace>>,
    /// The folded names of those whose host is not known, and why.
    unread: BTreeMap<String, Reason>,
    /// Why the registry of some workspace is not known at all.
    untold: Option<Reason>,
}

impl<'a> Registries<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut registries = Self::default();
        for workspace in inventory.workspaces.values() {
            let id = match &workspace.registry {
                Ok(Some(id)) => id,
                Ok(None) => continue,
                Err(reason) => {
                    registries.untold.get_or_insert_with(|| reason.clone());
                    continue;
                }
            };
            match inventory.registry(id).and_then(|registry| registry.login_server.clone()) {
                Ok(host) => registries.hosts.entry(host).or_default().push(workspace),
                Err(reason) => drop(registries.unread.insert(id.name().to_ascii_lowercase(), reason)),
            }
        }
        registries
    }

    /// Why a host may be that of a workspace's registry; none if it surely is, or surely is not.
    fn doubt(&self, host: &str) -> Option<&Reason> {
        if self.hosts.contains_key(host) {
            return None;
        }
        // A login server begins with the registry's name, which has letters and digits only; a hash may follow a hyphen.
        let name = host.split(['.', '-']).next().unwrap_or_default();
        self.unread.get(name).or(self.untold.as_ref().filter(|_| host.contains(".azurecr.")))
    }
}

/// Whose the group is by its images: none if nothing hints at Azure Machine Learning.
///
/// Proof is an image from an `azureml/` repository of a registry that serves one workspace and, as far as
/// anybody could hide, no other. An `azureml` image from elsewhere is a sign, but no proof.
fn owner_by_image(
    inventory: &Inventory,
    registries: &Registries<'_>,
    group: &ContainerGroup,
) -> Option<(Option<ResourceId>, Known<Ownership>)> {
    let unproven = |message: String| Err(Reason::new(Code::OwnershipUnproven, message));
    let images = match &group.images {
        Ok(images) => images,
        Err(reason) => {
            return Some((
                None,
                unproven(format!("the images of {} are not known: {}", group.id, reason.message)),
            ));
        }
    };
    // Any image of a workspace's registry is a sign, one of what may be such a registry too, and so is any `azureml` image.
    let image = images.iter().find(|image| {
        image.split('/').skip(1).any(|segment| segment == "azureml")
            || image.split_once('/').is_some_and(|(host, _)| {
                registries.hosts.contains_key(host) || registries.doubt(host).is_some()
            })
    })?;
    let (host, repository) = image.split_once('/')?;
    let workspaces = registries.hosts.get(host).map(Vec::as_slice).unwrap_or_default();
    if let Some(reason) = registries.doubt(host) {
        let message = format!(
            "{} runs `{image}`, but whether {host} is a workspace's registry is not known: {}",
            group.id, reason.message
        );
        return Some((None, Err(Reason { message, ..reason.clone() })));
    }
    Some(match workspaces {
        [workspace] if repository.starts_with("azureml/") => {
            let unseen = inventory.coverage.incomplete_anywhere(Kind::Workspaces);
            match unseen.or_else(|| registries.untold.clone()) {
                None => (Some(workspace.id.clone()), Ok(Ownership::Image)),
                Some(reason) => {
                    let message = format!(
                        "{} runs `{image}`, but whether {host} serves other workspaces too is not known: {}",
                        group.id, reason.message
                    );
                    (Some(workspace.id.clone()), unproven(message))
                }
            }
        }
        [] => {
            (None, unproven(format!("{} runs `{image}`, but no workspace is known to use {host}", group.id)))
        }
        [workspace] => (
            Some(workspace.id.clone()),
            unproven(format!("{} runs `{image}`, not from an azureml/ repository", group.id)),
        ),
        several => {
            let names: Vec<String> = several.iter().map(|workspace| workspace.id.to_string()).collect();
            (
                None,
                unproven(format!(
                    "{} runs `{image}`, and {host} serves several workspaces: {}",
                    group.id,
                    names.join(", ")
                )),
            )
        }
    })
}

/// The facts of a web service.
pub(super) fn facts(inventory: &Inventory, found: &Found<'_>, workspace: &Known<&Workspace>) -> AciService {
    let registry = registry(inventory, workspace);
    let subnets = subnets(inventory, found);
    let in_vnet = match (&found.group, &subnets) {
        (Ok(group), _) => in_a_vnet(inventory, group),
        (Err(_), Ok(subnets)) => Ok(!subnets.is_empty()),
        (Err(reason), Err(_)) => Err(reason.clone()),
    };
    let asked = match found.service {
        Some(service) => service.asked_network.clone(),
        None => Err(Reason::new(Code::NotFound, "no v1 service record tells what its deployment asked for")),
    };
    let networks = subnets.clone().and_then(|subnets| {
        subnets.iter().map(|id| network(inventory, id, workspace, &registry)).collect::<Known<Vec<_>>>()
    });
    let id = found.service.map(|service| &service.id);
    AciService {
        name: id
            .or(found.group.as_ref().ok().map(|group| &group.id))
            .map(|id| id.name().to_owned())
            .unwrap_or_default(),
        container_group: found.group.as_ref().ok().map(|group| group.id.clone()),
        owner: found.owner.clone().into(),
        being_deleted: found.deleting,
        in_vnet: in_vnet.into(),
        asked_network: asked
            .clone()
            .map(|names| names.map(|(vnet, subnet)| AskedNetwork { vnet, subnet }))
            .into(),
        as_asked: as_asked(&asked, &subnets).into(),
        public_address: match (&found.group, found.service) {
            (Ok(group), _) => group.public.clone(),
            (Err(_), Some(service)) if service.public_address == Ok(true) => Ok(true),
            (Err(reason), _) => Err(reason.clone()),
        }
        .into(),
        networks: networks.into(),
        registry: registry
            .map(|registry| {
                registry.map(|node| Registry {
                    id: node.id.clone(),
                    name: node.id.name().to_owned(),
                    public: open(node).into(),
                })
            })
            .into(),
    }
}

/// Whether the service lives where its record asks for; names only, for the record has no resource group.
fn as_asked(asked: &Known<Option<(String, String)>>, subnets: &Known<Vec<ResourceId>>) -> Known<bool> {
    let Some((vnet, subnet)) = asked.clone()? else { return Ok(true) };
    Ok(subnets.clone()?.iter().any(|id| is_named(id, &vnet, &subnet)))
}

/// Whether a subnet and its VNet have these names.
fn is_named(id: &ResourceId, vnet: &str, subnet: &str) -> bool {
    id.name().eq_ignore_ascii_case(subnet)
        && id.parent().is_some_and(|parent| parent.name().eq_ignore_ascii_case(vnet))
}

/// The subnets that the service lives in.
pub(super) fn subnets(inventory: &Inventory, found: &Found<'_>) -> Known<Vec<ResourceId>> {
    match (&found.group, found.service) {
        (Ok(group), _) => placement(inventory, group),
        // Without its group, a record that tells a public address and asks for no VNet places the service outside.
        (Err(_), Some(service))
            if service.public_address == Ok(true) && service.asked_network == Ok(None) =>
        {
            Ok(Vec::new())
        }
        (Err(reason), _) => Err(reason.clone()),
    }
}

fn registry<'a>(inventory: &'a Inventory, workspace: &Known<&Workspace>) -> Known<Option<&'a RegistryNode>> {
    match workspace.clone()?.registry.clone()? {
        Some(id) => inventory.registry(&id).map(Some),
        None => Ok(None),
    }
}

/// Whether the registry is open to everybody; while it is being changed, that it is open is not proven.
fn open(registry: &RegistryNode) -> Known<bool> {
    match (registry.public.clone()?, unsettled(&registry.state, &registry.id)) {
        (true, Some(reason)) => Err(reason),
        (open, _) => Ok(open),
    }
}

fn network(
    inventory: &Inventory,
    id: &ResourceId,
    workspace: &Known<&Workspace>,
    registry: &Known<Option<&RegistryNode>>,
) -> Known<AciNetwork> {
    let subnet = cluster::subnet(inventory, id)?;
    let vnet = subnet.vnet.id.clone();
    let here = |other: &ResourceId| Ok(*other == vnet);
    let ask_registry = |ask: &dyn Fn(&RegistryNode) -> Known<bool>| match registry {
        Ok(Some(registry)) => ask(registry),
        Ok(None) => Ok(false),
        Err(reason) => Err(reason.clone()),
    };
    Ok(AciNetwork {
        workspace_endpoint_in_vnet: workspace
            .clone()
            .and_then(|workspace| in_vnet(inventory, of_workspace(inventory, workspace), here))
            .into(),
        registry_endpoint_in_vnet: ask_registry(&|registry| in_vnet(inventory, of_registry(registry), here))
            .into(),
        registry_rule_for_vnet: ask_registry(&|registry| rule_for_vnet(inventory, registry, &vnet)).into(),
        subnet,
    })
}

/// Whether the registry's firewall names a subnet of the VNet. Newer API versions do not tell those rules any
/// more; without them, only a VNet of which no subnet has the registry's service endpoint is surely not named.
fn rule_for_vnet(inventory: &Inventory, registry: &RegistryNode, vnet: &ResourceId) -> Known<bool> {
    if let Some(rules) = registry.vnet_rules.clone()? {
        return Ok(rules.iter().any(|rule| vnet.contains(rule)));
    }
    let subnets = inventory.vnet(vnet)?.subnets.as_ref().map_err(Clone::clone)?;
    match exists(subnets.iter().map(|subnet| subnet.registry_service_endpoint.clone()))? {
        false => settled(inventory, vnet).map(|_| false),
        true => Err(Reason::new(
            Code::Unproven,
            format!(
                "a subnet of {vnet} has the service endpoint of Azure Container Registry, and this API version does not tell the VNet rules of {}",
                registry.id
            ),
        )),
    }
}

/// The states on which a pass would rest.
pub(super) fn states<'a>(found: &Found<'a>) -> Vec<(&'a Known<State>, &'a ResourceId)> {
    let service = found.service.map(|service| (&service.state, &service.id));
    let group = found.group.as_ref().ok().map(|group| (&group.state, &group.id));
    service.into_iter().chain(group).collect()
}

/// A fact of nobody's workspace.
pub(super) fn no_workspace(found: &Found<'_>) -> Reason {
    match &found.owner {
        Err(reason) => reason.clone(),
        Ok(_) => Reason::new(Code::OwnershipUnproven, "the workspace is not known"),
    }
}

impl<T> Fact<T> {
    /// Whether the fact is not known.
    pub fn is_unknown(&self) -> bool {
        self.value().is_none()
    }
}
