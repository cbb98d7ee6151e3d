//! Network interfaces, of machines and of scale sets: who stands behind which security group.

use super::field::{self, Field, Part};
use super::state::State;
use super::{Known, Record, ResourceId};

/// A network interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its id.
    pub id: ResourceId,
    /// Its network security group, if it has one.
    pub security_group: Known<Option<ResourceId>>,
    /// Whether a private endpoint has it, rather than a machine.
    pub of_endpoint: Known<bool>,
    /// Its addresses.
    pub addresses: Known<Vec<InterfaceAddress>>,
}

/// An address of an interface.
#[derive(Clone, Debug)]
pub struct InterfaceAddress {
    /// The subnet that it is from.
    pub subnet: Known<ResourceId>,
    /// The address; not told while a dynamic one is not allocated.
    pub address: Known<String>,
    /// The application security groups that it is a member of.
    pub groups: Known<Vec<ResourceId>>,
}

/// A scale set, such as one that holds the nodes of an AKS pool. Its interfaces are in no list of interfaces.
#[derive(Clone, Debug)]
pub struct ScaleSet {
    /// Its id.
    pub id: ResourceId,
    /// Where it stands in its life; one that does not say is taken as settled.
    pub state: Known<State>,
    /// The AKS node pool that its tag names.
    pub pool: Option<String>,
    /// The pattern of its machines' interfaces.
    pub interfaces: Known<Vec<ScaleSetInterface>>,
}

/// The pattern of an interface.
#[derive(Clone, Debug)]
pub struct ScaleSetInterface {
    /// The network security group, if it has one.
    pub security_group: Known<Option<ResourceId>>,
    /// The patterns of its addresses.
    pub addresses: Known<Vec<ScaleSetAddress>>,
}

/// The pattern of an address.
#[derive(Clone, Debug)]
pub struct ScaleSetAddress {
    /// The subnet that it is from.
    pub subnet: Known<ResourceId>,
    /// The application security groups that it is a member of.
    pub groups: Known<Vec<ResourceId>>,
}

impl Interface {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let address = |part| InterfaceAddress {
            subnet: field::INTERFACE_SUBNET.told_id(part),
            address: field::INTERFACE_ADDRESS.told_text(part).map(str::to_owned),
            groups: groups(&field::INTERFACE_GROUPS, &field::INTERFACE_GROUP, part),
        };
        let list = field::INTERFACE_CONFIGURATIONS.list(part);
        Self {
            id: record.id().clone(),
            security_group: field::INTERFACE_NSG.id(part),
            of_endpoint: field::INTERFACE_ENDPOINT.text(part).map(|id| id.is_some()),
            addresses: list.map(|list| list.into_iter().map(address).collect()),
        }
    }
}

impl ScaleSet {
    pub(super) fn read(record: &Record) -> Self {
        let address = |part| ScaleSetAddress {
            subnet: field::SCALE_SET_SUBNET.told_id(part),
            groups: groups(&field::SCALE_SET_GROUPS, &field::SCALE_SET_GROUP, part),
        };
        let interface = |part| ScaleSetInterface {
            security_group: field::SCALE_SET_NSG.id(part),
            addresses: field::SCALE_SET_CONFIGURATIONS
                .list(part)
                .map(|list| list.into_iter().map(address).collect()),
        };
        let part = Part::of(record);
        let list = field::SCALE_SET_INTERFACES.list(part);
        Self {
            id: record.id().clone(),
            state: match field::SCALE_SET_STATE.text(part) {
                Ok(None) => Ok(State::Settled),
                _ => State::read(&field::SCALE_SET_STATE, part),
            },
            pool: field::SCALE_SET_POOL.text(part).ok().flatten().map(str::to_owned),
            interfaces: list.map(|list| list.into_iter().map(interface).collect()),
        }
    }
}

impl ScaleSet {
    /// Whether it holds the nodes of an AKS pool: by its tag, else by the name that AKS gives it.
    pub fn is_of_pool(&self, pool: &str) -> bool {
        match &self.pool {
            Some(tag) => tag.eq_ignore_ascii_case(pool),
            None => {
                let name = self.id.name().to_ascii_lowercase();
                name.starts_with(&format!("aks-{}-", pool.to_ascii_lowercase()))
            }
        }
    }
}

fn groups(list: &Field, id: &Field, part: Part<'_>) -> Known<Vec<ResourceId>> {
    list.list(part)?.into_iter().map(|part| id.told_id(part)).collect()
}
