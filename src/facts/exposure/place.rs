//! Places: whose groups a packet passes, and which addresses are there.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Exposure;
use super::family::net;
use crate::inventory::graph::vnet_of;
use crate::inventory::network::prefix;
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Code, Kind, Known, Reason, ResourceId};

/// A place in the estate that packets are opened from and to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The subnet, the interface, or the scale set whose machines are meant.
    pub id: ResourceId,
    /// The subnet.
    pub subnet: Known<ResourceId>,
    /// The subnet's group, if it has one.
    pub subnet_group: Known<Option<ResourceId>>,
    /// The interface's group, if there is an interface and it has one.
    pub interface_group: Known<Option<ResourceId>>,
    /// The place's own addresses.
    pub addresses: Known<Vec<IpNet>>,
    /// What of the place is being changed, or failed to be.
    pub unsettled: Vec<Reason>,
}

impl Place {
    /// Whether no group is on the way; unknown if that was not read.
    pub fn unguarded(&self) -> Known<bool> {
        Ok(self.subnet_group.clone()?.is_none() && self.interface_group.clone()?.is_none())
    }
}

impl Exposure<'_> {
    /// The place of this id: a subnet, or a network interface, which brings its subnet's group.
    pub fn place(&self, id: &ResourceId) -> Known<Place> {
        match id.resource_type().as_deref() {
            Some("microsoft.network/virtualnetworks/subnets") => self.subnet_place(id),
            Some("microsoft.network/networkinterfaces") => self.interface_place(id),
            _ => {
                Err(Reason::new(Code::Malformed, format!("{id} is neither a subnet nor a network interface")))
            }
        }
    }

    fn subnet_place(&self, id: &ResourceId) -> Known<Place> {
        let subnet = self.inventory.subnet(id)?;
        let vnet = vnet_of(id).and_then(|vnet| self.inventory.vnet(&vnet));
        let vnet = vnet.ok().and_then(|vnet| unsettled(&vnet.state, &vnet.id));
        Ok(Place {
            unsettled: unsettled(&subnet.state, id).into_iter().chain(vnet).collect(),
            id: id.clone(),
            subnet: Ok(id.clone()),
            subnet_group: subnet.security_group.clone(),
            interface_group: Ok(None),
            addresses: nets(id, &subnet.prefixes, prefix),
        })
    }

    fn interface_place(&self, id: &ResourceId) -> Known<Place> {
        let interface = self.inventory.interface(id)?;
        let list = interface.addresses.as_ref().map_err(Clone::clone)?;
        let mut subnets = list.iter().map(|address| address.subnet.clone()).collect::<Known<Vec<_>>>()?;
        subnets.sort();
        subnets.dedup();
        let [subnet] = subnets.as_slice() else {
            let message = format!("{id} has addresses of {} subnets", subnets.len());
            return Err(Reason::new(Code::Ambiguous, message));
        };
        let texts = list.iter().map(|address| address.address.clone()).collect::<Known<Vec<_>>>();
        let mut place = self.subnet_place(subnet)?;
        if interface.of_endpoint.clone()? {
            // Unless the subnet says so, groups do not filter what comes to private endpoints.
            match &self.inventory.subnet(subnet)?.filters_endpoints {
                Ok(true) => {}
                Ok(false) => place.subnet_group = Ok(None),
                Err(reason) => place.subnet_group = Err(reason.clone()),
            }
        }
        Ok(Place {
            id: id.clone(),
            interface_group: interface.security_group.clone(),
            addresses: nets(id, &texts, net),
            ..place
        })
    }

    /// The places of an AKS cluster's nodes in a subnet: one for each group that their interfaces carry. `group` is
    /// the resource group of the nodes, `pools` are the names of the pools whose scale sets must be there.
    pub fn node_places(
        &self,
        group: &ResourceId,
        subnet: &ResourceId,
        pools: &[String],
    ) -> Known<Vec<Place>> {
        for kind in [Kind::ScaleSets, Kind::NetworkInterfaces] {
            if let Some(reason) = self.inventory.coverage.incomplete(kind, group) {
                return Err(reason);
            }
        }
        let mut found: BTreeMap<Option<ResourceId>, ResourceId> = BTreeMap::new();
        let mut changing = Vec::new();
        let sets = self
            .inventory
            .scale_sets
            .values()
            .filter(|set| group.contains(&set.id) && set.state != Ok(State::Deleting));
        if let Some(pool) = pools.iter().find(|pool| !sets.clone().any(|set| set.is_of_pool(pool))) {
            let message = format!("no scale set of the pool {pool} was found in {group}");
            return Err(Reason::new(Code::Unproven, message));
        }
        for set in sets {
            for interface in set.interfaces.as_ref().map_err(Clone::clone)? {
                for address in interface.addresses.as_ref().map_err(Clone::clone)? {
                    if address.subnet.clone()? == *subnet {
                        changing.extend(unsettled(&set.state, &set.id));
                        found.entry(interface.security_group.clone()?).or_insert_with(|| set.id.clone());
                    }
                }
            }
        }
        // Nodes of an availability set have interfaces of their own.
        let interfaces = self.inventory.interfaces.values().filter(|interface| group.contains(&interface.id));
        for interface in interfaces {
            if interface.of_endpoint.clone()? {
                continue;
            }
            for address in interface.addresses.as_ref().map_err(Clone::clone)? {
                if address.subnet.clone()? == *subnet {
                    found.entry(interface.security_group.clone()?).or_insert_with(|| interface.id.clone());
                }
            }
        }
        if found.is_empty() {
            let message = format!("no interface of a node in {subnet} was found in {group}");
            return Err(Reason::new(Code::NotFound, message));
        }
        let mut place = self.subnet_place(subnet)?;
        place.unsettled.extend(changing);
        place.unsettled.sort();
        place.unsettled.dedup();
        let of = |(interface_group, id)| Place { id, interface_group: Ok(interface_group), ..place.clone() };
        Ok(found.into_iter().map(of).collect())
    }
}

fn nets(
    of: &ResourceId,
    texts: &Known<Vec<String>>,
    net: impl Fn(&str) -> Option<IpNet>,
) -> Known<Vec<IpNet>> {
    let texts = texts.as_ref().map_err(Clone::clone)?;
    let read = |text: &String| {
        let malformed = || Reason::new(Code::Malformed, format!("`{text}` of {of} is no prefix or address"));
        net(text).ok_or_else(malformed)
    };
    texts.iter().map(read).collect()
}
