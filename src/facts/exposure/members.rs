//! Application security groups: the addresses of the interfaces that are members.

use std::collections::BTreeMap;

use super::bounds::Bounds;
use super::family::{Family, addresses, net};
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId};

/// Who is a member of which group.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    groups: BTreeMap<ResourceId, Group>,
    /// Why any group may have more members than are known.
    anywhere: Option<Reason>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    addresses: Vec<ipnet::IpNet>,
    hidden: Option<Reason>,
}

impl Members {
    /// The members of every group of an estate.
    pub(super) fn of(inventory: &Inventory) -> Self {
        let mut members = Self::default();
        for interface in inventory.interfaces.values() {
            match &interface.addresses {
                Ok(list) => {
                    for address in list {
                        members.add(&interface.id, &address.groups, address.address.clone());
                    }
                }
                Err(reason) => members.hide(reason),
            }
        }
        // Whether the interface of a private endpoint repeats its groups is not documented.
        for endpoint in inventory.private_endpoints.values() {
            let message = format!("the addresses of {} as a member are not told", endpoint.id);
            members.add(&endpoint.id, &endpoint.groups, Err(Reason::new(Code::NotTold, message)));
        }
        // The machines of a scale set have addresses that no record tells.
        for set in inventory.scale_sets.values() {
            let untold = || {
                let message = format!("the addresses of the machines of {} are not told", set.id);
                Err(Reason::new(Code::NotTold, message))
            };
            match &set.interfaces {
                Ok(interfaces) => {
                    for interface in interfaces {
                        match &interface.addresses {
                            Ok(list) => {
                                list.iter()
                                    .for_each(|address| members.add(&set.id, &address.groups, untold()));
                            }
                            Err(reason) => members.hide(reason),
                        }
                    }
                }
                Err(reason) => members.hide(reason),
            }
        }
        members
    }

    /// The addresses of a group's members. What is not known of them leaves `upper` empty: all members lie in one
    /// VNet, so the caller bounds them by `VirtualNetwork`.
    pub(super) fn find(&self, inventory: &Inventory, family: Family, id: &ResourceId) -> Bounds {
        let group = self.groups.get(id);
        let mut bounds =
            Bounds::known(addresses(family, group.into_iter().flat_map(|group| &group.addresses)));
        let hidden = group
            .and_then(|group| group.hidden.clone())
            .or_else(|| self.anywhere.clone())
            .or_else(|| hidden(inventory, id));
        bounds.doubts.extend(hidden.map(|reason| {
            let message = format!("the members of {id} are not known: {}", reason.message);
            Reason { message, ..reason }
        }));
        bounds
    }

    fn add(&mut self, of: &ResourceId, groups: &Known<Vec<ResourceId>>, address: Known<String>) {
        let groups = match groups {
            Ok(groups) => groups,
            Err(reason) => return self.hide(reason),
        };
        let net = address.and_then(|text| {
            let malformed = || Reason::new(Code::Malformed, format!("`{text}` of {of} is no address"));
            net(&text).ok_or_else(malformed)
        });
        for id in groups {
            let group = self.groups.entry(id.clone()).or_default();
            match &net {
                Ok(net) => group.addresses.push(*net),
                Err(reason) => drop(group.hidden.get_or_insert_with(|| reason.clone())),
            }
        }
    }

    fn hide(&mut self, reason: &Reason) {
        self.anywhere.get_or_insert_with(|| reason.clone());
    }
}

/// A group, its VNet and the interfaces in it belong to one subscription.
fn hidden(inventory: &Inventory, id: &ResourceId) -> Option<Reason> {
    let subscription = id.subscription_id().unwrap_or_else(ResourceId::root);
    [Kind::NetworkInterfaces, Kind::ScaleSets, Kind::PrivateEndpoints]
        .into_iter()
        .find_map(|kind| inventory.coverage.incomplete(kind, &subscription))
}
