//! Address ranges of a cluster against each other: overlap and containment, by prefix arithmetic.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::inventory::network::prefix;
use crate::inventory::state::unsettled;
use crate::inventory::{Code, Inventory, Known, Reason, ResourceId};

use super::document::{Overlap, RangeUse, Search};

/// The ranges that AKS reserves for itself ("Configure Azure CNI networking", prerequisites): they may not be
/// used for services, pods, or the cluster's VNet.
const RESERVED: [&str; 4] = ["169.254.0.0/16", "172.30.0.0/16", "172.31.0.0/16", "192.0.2.0/24"];

/// A range and what it is for.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) what: RangeUse,
    pub(super) resource: Option<ResourceId>,
    /// As Azure told it.
    pub(super) text: String,
    pub(super) net: IpNet,
}

/// Ranges that were told, and the reason why more may exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges {
    pub(super) known: Vec<Range>,
    pub(super) hidden: Option<Reason>,
}

impl Ranges {
    /// Adds the ranges of one use; what does not parse is hidden.
    pub(super) fn add(&mut self, what: RangeUse, resource: Option<&ResourceId>, texts: Known<Vec<String>>) {
        let texts = match texts {
            Ok(texts) => texts,
            Err(reason) => return self.hide(reason),
        };
        for text in texts {
            match prefix(&text) {
                Some(net) => self.known.push(Range { what, resource: resource.cloned(), text, net }),
                None => {
                    let of = resource.map_or_else(|| "the cluster".to_owned(), ToString::to_string);
                    self.hide(Reason::new(Code::Malformed, format!("`{text}` of {of} is no address range")));
                }
            }
        }
    }

    pub(super) fn hide(&mut self, reason: Reason) {
        self.hidden.get_or_insert(reason);
    }

    /// Adds the subnets of VNets, and their address spaces too if asked.
    pub(super) fn add_vnets(
        &mut self,
        inventory: &Inventory,
        vnets: &Known<Vec<ResourceId>>,
        with_space: bool,
    ) {
        let vnets = match vnets {
            Ok(vnets) => vnets,
            Err(reason) => return self.hide(reason.clone()),
        };
        for id in vnets {
            let vnet = match inventory.vnet(id) {
                Ok(vnet) => vnet,
                Err(reason) => return self.hide(reason),
            };
            if let Some(reason) = unsettled(&vnet.state, id) {
                self.hide(reason);
            }
            if with_space {
                self.add(RangeUse::Vnet, Some(id), vnet.prefixes.clone());
            }
            match &vnet.subnets {
                Ok(subnets) => {
                    for subnet in subnets {
                        // A subnet without an id of its own is shown by its VNet.
                        let named = subnet.id.as_ref().unwrap_or(id);
                        if let Some(reason) = unsettled(&subnet.state, named) {
                            self.hide(reason);
                        }
                        self.add(RangeUse::Subnet, Some(named), subnet.prefixes.clone());
                    }
                }
                Err(reason) => self.hide(reason.clone()),
            }
        }
    }

    /// Which of these ranges overlap one of `others`. "None" is proven only if both sides are told completely
    /// and neither is empty: an empty side would make it vacuous.
    pub(super) fn overlapping(&self, others: &Ranges) -> Search<Overlap> {
        let mut found = Vec::new();
        for range in &self.known {
            for other in others.known.iter().filter(|other| overlap(range.net, other.net)) {
                found.push(Overlap {
                    what: range.what,
                    range: range.text.clone(),
                    resource: range.resource.clone(),
                    name: range.resource.as_ref().map(|id| id.name().to_owned()).unwrap_or_default(),
                    overlaps: other.text.clone(),
                });
            }
        }
        found.sort();
        found.dedup();
        let vacuous = || {
            let empty = self.known.is_empty() || others.known.is_empty();
            empty.then(|| Reason::new(Code::NotTold, "no address range was told to compare with"))
        };
        let hidden = self.hidden.clone().or_else(|| others.hidden.clone()).or_else(vacuous);
        Search::of(found, hidden)
    }
}

/// The reserved ranges, to compare with.
pub(super) fn reserved() -> Ranges {
    let mut reserved = Ranges::default();
    reserved.add(RangeUse::Vnet, None, Ok(RESERVED.map(str::to_owned).to_vec()));
    reserved
}

/// Two prefixes overlap exactly if one contains the other; families never meet.
pub(super) fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// Whether an address lies in one of the ranges of its family.
pub(super) fn contained(address: &str, ranges: &Ranges) -> Known<bool> {
    let Ok(address) = address.trim().parse::<IpAddr>() else {
        return Err(Reason::new(Code::Malformed, format!("`{address}` is no address")));
    };
    let family = |range: &&Range| range.net.addr().is_ipv4() == address.is_ipv4();
    if ranges.known.iter().filter(family).any(|range| range.net.contains(&address)) {
        return Ok(true);
    }
    if let Some(reason) = &ranges.hidden {
        return Err(reason.clone());
    }
    if !ranges.known.iter().any(|range| family(&range)) {
        return Err(Reason::new(Code::NotTold, format!("no range of the family of {address} was told")));
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        prefix(text).expect("a prefix")
    }

    #[test]
    fn overlap_is_not_equality_and_not_text() {
        for (one, other, expected) in [
            ("10.0.0.0/16", "10.0.240.0/24", true),
            ("10.0.0.0/16", "10.1.0.0/16", false),
            ("172.16.0.0/12", "172.30.0.0/16", true),
            ("172.29.0.0/16", "172.30.0.0/16", false),
            ("172.17.0.1/16", "172.17.4.0/24", true),
            ("10.0.0.0/8", "fd00::/8", false),
        ] {
            assert_eq!(overlap(net(one), net(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_dns_address_is_contained_by_arithmetic() {
        let ranges = |texts: &[&str]| {
            let mut ranges = Ranges::default();
            ranges.add(RangeUse::ServiceCidr, None, Ok(texts.iter().map(|t| (*t).to_owned()).collect()));
            ranges
        };
        assert_eq!(contained("10.0.10.10", &ranges(&["10.0.0.0/20"])), Ok(true));
        assert_eq!(contained("10.1.0.10", &ranges(&["10.0.0.0/16"])), Ok(false));
        assert_eq!(contained("10.0.0.16", &ranges(&["10.0.0.0/28"])), Ok(false));
        assert!(contained("10.0.0.10", &ranges(&["fd00::/108"])).is_err(), "no range of its family");
        assert!(contained("10.0.0.10", &ranges(&["10.0.0.0/33"])).is_err(), "unparsable");
    }

    proptest! {
        /// Brute force: two prefixes overlap if some address lies in both.
        #[test]
        fn overlap_is_a_common_address(a in any::<u8>(), la in 24u8..=32, b in any::<u8>(), lb in 24u8..=32) {
            let one = IpNet::new(IpAddr::from([10, 0, 0, a]), la).expect("length").trunc();
            let other = IpNet::new(IpAddr::from([10, 0, 0, b]), lb).expect("length").trunc();
            let common = (0..=255u8).map(|last| IpAddr::from([10, 0, 0, last])).any(|ip| one.contains(&ip) && other.contains(&ip));
            prop_assert_eq!(overlap(one, other), common);
        }
    }
}
