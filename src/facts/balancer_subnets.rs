//! The subnets that internal load balancers take, or should take, their addresses from.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::inventory::graph::vnet_of;
use crate::inventory::network::prefix;
use crate::inventory::{Code, Inventory, Known, Reason, ResourceId};

use super::cluster;
use super::document::{BalancerSubnet, Fact, RouterKind};
use super::ranges::{self, Ranges};
use super::router::Leading;

/// The subnets of the internal frontends that lead to scoring, and the declared one.
pub(super) fn of(
    inventory: &Inventory,
    serving: &Leading,
    declared: &Known<RouterKind>,
    declared_subnet: &Known<Option<String>>,
    vnets: &Known<Vec<ResourceId>>,
    service: &Ranges,
) -> Known<Vec<BalancerSubnet>> {
    let mut subnets = Vec::new();
    let judged = Judged { inventory, vnets, service };
    let mut taken = BTreeSet::new();
    for serving in &serving.found {
        if let Some(id) = &serving.facts.subnet {
            let address = match &serving.facts.address {
                Fact::Known { value } => Ok(Some(value.clone())),
                Fact::Unknown { unknown } => Err(unknown.clone()),
            };
            subnets.push(judged.subnet(id, inventory.has_subnet(id), address)?);
            taken.insert(id.clone());
        }
    }
    // Where one with a private address serves, a name beside it counts whatever type is told, or not told.
    let internal = !subnets.is_empty()
        || !matches!(declared, Ok(RouterKind::PublicLoadBalancer | RouterKind::NoLoadBalancer));
    if let Some(name) = declared_subnet.clone()?.filter(|_| internal) {
        // Only a name: it is looked for in the cluster's VNet.
        for vnet in vnets.as_ref().map_err(Clone::clone)? {
            let id = vnet.child(&format!("subnets/{name}"));
            if taken.insert(id.clone()) {
                subnets.push(judged.subnet(&id, inventory.has_subnet(&id), Ok(None))?);
            }
        }
    }
    // What was found is no answer as long as something else may serve.
    serving.all().map(|_| subnets)
}

/// What a subnet of a load balancer is judged against.
struct Judged<'a> {
    inventory: &'a Inventory,
    vnets: &'a Known<Vec<ResourceId>>,
    service: &'a Ranges,
}

impl Judged<'_> {
    fn subnet(
        &self,
        id: &ResourceId,
        exists: Known<bool>,
        address: Known<Option<String>>,
    ) -> Known<BalancerSubnet> {
        let vnet = vnet_of(id)?;
        let node = self.inventory.subnet(id);
        let prefixes = node.clone().and_then(|node| {
            let texts = node.prefixes.as_ref().map_err(Clone::clone)?;
            let read = |text: &String| {
                prefix(text)
                    .ok_or_else(|| Reason::new(Code::Malformed, format!("`{text}` of {id} is no prefix")))
            };
            texts.iter().map(read).collect::<Known<Vec<IpNet>>>()
        });
        let free = || {
            let taken = node.clone()?.taken.clone()?;
            let addresses: u64 = prefixes.clone()?.iter().map(usable).sum();
            Ok(addresses.saturating_sub(taken as u64))
        };
        let on_address = |absent: bool, ask: &dyn Fn(&str) -> Known<bool>| match &address {
            Ok(Some(address)) => ask(address),
            Ok(None) => Ok(absent),
            Err(reason) => Err(reason.clone()),
        };
        Ok(BalancerSubnet {
            subnet: cluster::subnet(self.inventory, id)?,
            exists: exists.into(),
            in_cluster_vnet: self.vnets.clone().map(|vnets| vnets.contains(&vnet)).into(),
            address_fits: on_address(true, &|address| fits(address, &prefixes.clone()?)).into(),
            address_in_service_cidr: on_address(false, &|address| ranges::contained(address, self.service))
                .into(),
            free_addresses: free().into(),
            address: address.into(),
        })
    }
}

/// How many addresses of an IPv4 prefix Azure gives away: all but the first four and the last.
fn usable(net: &IpNet) -> u64 {
    match net {
        IpNet::V4(net) => (1_u64 << (32 - net.prefix_len())).saturating_sub(5),
        IpNet::V6(_) => 0,
    }
}

/// Whether an address lies in one of the prefixes, and is none of the five that Azure keeps in each.
fn fits(address: &str, prefixes: &[IpNet]) -> Known<bool> {
    let address: IpAddr = address
        .trim()
        .parse()
        .map_err(|_| Reason::new(Code::Malformed, format!("`{address}` is no address")))?;
    let inside = |net: &IpNet| {
        let kept = match (net, address) {
            (IpNet::V4(net), IpAddr::V4(address)) => {
                let at = u32::from(address).wrapping_sub(u32::from(net.network()));
                at < 4 || address == net.broadcast()
            }
            (IpNet::V6(net), IpAddr::V6(address)) => {
                let at = u128::from(address).wrapping_sub(u128::from(net.network()));
                at < 4 || address == net.broadcast()
            }
            _ => return false,
        };
        net.contains(&address) && !kept
    };
    Ok(prefixes.iter().any(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azure_keeps_five_addresses() {
        let nets = [prefix("10.0.0.0/28").expect("a prefix")];
        let expected = [
            ("10.0.0.0", false),
            ("10.0.0.1", false),
            ("10.0.0.3", false),
            ("10.0.0.4", true),
            ("10.0.0.14", true),
            ("10.0.0.15", false),
            ("10.0.0.16", false),
            ("fd00::4", false),
        ];
        for (address, fit) in expected {
            assert_eq!(fits(address, &nets), Ok(fit), "{address}");
        }
        assert_eq!(usable(&nets[0]), 11);
        assert!(fits("scoring", &nets).is_err());
    }
}
