//! Container groups of Azure Container Instances, and container registries.

use super::field::{self, Part};
use super::machine_learning::fold_region;
use super::network::Connection;
use super::state::State;
use super::{Code, Known, Record, ResourceId};

/// A container group.
#[derive(Clone, Debug)]
pub struct ContainerGroup {
    /// Its id.
    pub id: ResourceId,
    /// Its provisioning state.
    pub state: Known<State>,
    /// The subnets that it names itself; an error where it names none.
    pub subnets: Known<Vec<ResourceId>>,
    /// The network profile that it names, as groups made before api-version 2021-07-01 do.
    pub network_profile: Option<ResourceId>,
    /// Whether its address is public; an error where it tells no address.
    pub public: Known<bool>,
    /// Its addresses and names, folded.
    pub hosts: Vec<String>,
    /// The images of its containers.
    pub images: Known<Vec<String>>,
}

/// A container registry.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Its id.
    pub id: ResourceId,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Its region, folded.
    pub location: Known<String>,
    /// Whether it has replicas in other regions; unknown on Premium, unless its dedicated data endpoints tell.
    pub geo_replicated: Known<bool>,
    /// The host in its images' names, folded.
    pub login_server: Known<String>,
    /// Whether public access is enabled and allowed by default.
    pub public: Known<bool>,
    /// Subnets that its firewall names; none where this version of the API does not tell them.
    pub vnet_rules: Known<Option<Vec<ResourceId>>>,
    /// Its private endpoint connections.
    pub connections: Known<Vec<Connection>>,
}

impl ContainerGroup {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let hosts = [&field::GROUP_ADDRESS, &field::GROUP_FQDN];
        Self {
            id: record.id().clone(),
            state: State::read(&field::GROUP_STATE, part),
            subnets: field::GROUP_SUBNETS
                .list(part)
                .and_then(|list| list.into_iter().map(|part| field::GROUP_SUBNET_ID.told_id(part)).collect()),
            network_profile: field::GROUP_PROFILE.told_id(part).ok(),
            public: field::GROUP_ADDRESS_TYPE.told_text(part).map(|text| text.eq_ignore_ascii_case("public")),
            hosts: hosts
                .iter()
                .filter_map(|field| field.text(part).ok().flatten())
                .map(str::to_ascii_lowercase)
                .collect(),
            images: field::GROUP_CONTAINERS.list(part).and_then(|list| {
                let image = |part| field::GROUP_IMAGE.told_text(part).map(str::to_ascii_lowercase);
                list.into_iter().map(image).collect()
            }),
        }
    }
}

impl Registry {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        Self {
            id: record.id().clone(),
            state: State::read(&field::REGISTRY_STATE, part),
            location: field::REGISTRY_LOCATION.told_text(part).map(fold_region),
            geo_replicated: geo_replicated(part),
            login_server: field::REGISTRY_LOGIN_SERVER.told_text(part).map(str::to_ascii_lowercase),
            public: public(part),
            vnet_rules: match field::REGISTRY_VNET_RULES.list(part) {
                Err(reason) if reason.code == Code::NotTold => Ok(None),
                Err(reason) => Err(reason),
                Ok(list) => list
                    .into_iter()
                    .map(|part| field::REGISTRY_VNET_RULE_ID.told_id(part))
                    .collect::<Known<Vec<_>>>()
                    .map(Some),
            },
            connections: field::REGISTRY_ENDPOINTS.list(part).map(|list| {
                let read = |part| Connection {
                    endpoint: field::REGISTRY_ENDPOINT_ID.told_id(part),
                    subnet: None,
                    status: Connection::status(&field::REGISTRY_ENDPOINT_STATUS, part),
                    state: State::read(&field::REGISTRY_ENDPOINT_STATE, part),
                };
                list.into_iter().map(read).collect()
            }),
        }
    }
}

/// Only Premium has replicas, which are resources of their own; a dedicated data endpoint stands in each region.
fn geo_replicated(part: Part<'_>) -> Known<bool> {
    if !field::REGISTRY_SKU.told_text(part)?.eq_ignore_ascii_case("premium") {
        return Ok(false);
    }
    match field::REGISTRY_DATA_HOSTS.texts(part)?.len() {
        0 => Err(field::REGISTRY_DATA_HOSTS.not_told(part)),
        hosts => Ok(hosts > 1),
    }
}

/// Network rules exist on Premium only, so without a rule set the other tiers allow everybody.
fn public(part: Part<'_>) -> Known<bool> {
    if !field::REGISTRY_PUBLIC.told_text(part)?.eq_ignore_ascii_case("enabled") {
        return Ok(false);
    }
    match field::REGISTRY_DEFAULT_ACTION.told_text(part) {
        Ok(action) => Ok(action.eq_ignore_ascii_case("allow")),
        Err(reason) => match field::REGISTRY_SKU.told_text(part) {
            Ok(sku) if reason.code == Code::NotTold && !sku.eq_ignore_ascii_case("premium") => Ok(true),
            _ => Err(reason),
        },
    }
}
