//! What `VirtualNetwork` stands for at a subnet.
//!
//! Azure documents the tag as the VNet's address space, the peered VNets', what lies behind a gateway, the
//! platform's address, and the prefixes of user-defined routes; it "might also contain default routes". So:
//! address spaces that were read are certain; a default route, or anything that was not read, makes every
//! address possible; a route's prefix is possible where it is public (there, reports contradict the definition),
//! else certain.

use ipnet::IpNet;

use super::bounds::Bounds;
use super::family::{Family, PLATFORM, addresses};
use super::tags::Tags;
use super::term::Term;
use crate::facts::endpoints::peered;
use crate::inventory::graph::vnet_of;
use crate::inventory::network::{Peering, Subnet, Vnet, prefix};
use crate::inventory::routes::Route;
use crate::inventory::{Code, Inventory, Known, Reason, ResourceId};

/// Subnets of what learns routes from outside.
pub const LEARNS_ROUTES: [&str; 2] = ["GatewaySubnet", "RouteServerSubnet"];

/// The bounds of `VirtualNetwork` at a subnet.
pub(super) fn bounds(inventory: &Inventory, tags: &Tags, family: Family, subnet: &ResourceId) -> Bounds {
    let mut space = Space::new(family);
    let vnet = vnet_of(subnet).and_then(|id| inventory.vnet(&id));
    match vnet {
        Ok(vnet) => {
            space.add_prefixes(&vnet.id, &vnet.prefixes);
            match &vnet.peerings {
                Ok(peerings) => peerings.iter().for_each(|peering| space.add_peer(inventory, vnet, peering)),
                Err(reason) => space.anything(reason.clone()),
            }
            space.add_gateway(vnet);
            match inventory.subnet(subnet) {
                Ok(subnet) => space.add_routes(inventory, tags, subnet),
                Err(reason) => space.anything(reason),
            }
        }
        Err(reason) => space.anything(reason),
    }
    space.bounds
}

struct Space {
    family: Family,
    bounds: Bounds,
}

impl Space {
    fn new(family: Family) -> Self {
        let platform = addresses(family, &[IpNet::from(std::net::IpAddr::from(PLATFORM))]);
        Self { family, bounds: Bounds::known(platform) }
    }

    fn anything(&mut self, reason: Reason) {
        self.bounds.add_possible(&self.family.everything(), reason);
    }

    fn add_prefixes(&mut self, of: &ResourceId, texts: &Known<Vec<String>>) {
        let (nets, problem) = parsed(of, texts);
        self.bounds.add(&addresses(self.family, &nets));
        if let Some(reason) = problem {
            self.anything(reason);
        }
    }

    fn add_peer(&mut self, inventory: &Inventory, vnet: &Vnet, peering: &Peering) {
        match &peering.uses_remote_gateways {
            Ok(false) => {}
            Ok(true) => {
                let message = format!("{} uses the gateways of a peer, which learn routes", vnet.id);
                self.anything(Reason::new(Code::Undecidable, message));
            }
            Err(reason) => self.anything(reason.clone()),
        }
        let remote = match &peering.remote {
            Ok(remote) => remote,
            Err(reason) => return self.anything(reason.clone()),
        };
        let prefixes = match inventory.vnet(remote) {
            Ok(remote) => &remote.prefixes,
            Err(reason) => return self.anything(reason),
        };
        match peered(inventory, &vnet.id, remote) {
            Ok(true) => self.add_prefixes(remote, prefixes),
            unproven => {
                let (nets, problem) = parsed(remote, prefixes);
                let message =
                    format!("the peering of {} with {remote} is not in effect on both sides", vnet.id);
                let reason = unproven.err().unwrap_or_else(|| Reason::new(Code::Undecidable, message));
                self.bounds.add_possible(&addresses(self.family, &nets), reason);
                if let Some(reason) = problem {
                    self.anything(reason);
                }
            }
        }
    }

    fn add_gateway(&mut self, vnet: &Vnet) {
        match &vnet.subnets {
            Ok(subnets) => {
                for subnet in subnets {
                    match &subnet.id {
                        Ok(id) if LEARNS_ROUTES.iter().any(|name| id.name().eq_ignore_ascii_case(name)) => {
                            let message = format!(
                                "{} has a `{}`, and what routes are learned there is not told",
                                vnet.id,
                                id.name()
                            );
                            self.anything(Reason::new(Code::Undecidable, message));
                        }
                        Ok(_) => {}
                        Err(reason) => self.anything(reason.clone()),
                    }
                }
            }
            Err(reason) => self.anything(reason.clone()),
        }
    }

    fn add_routes(&mut self, inventory: &Inventory, tags: &Tags, subnet: &Subnet) {
        let table = match &subnet.route_table {
            Ok(None) => return,
            Ok(Some(id)) => inventory.route_table(id),
            Err(reason) => Err(reason.clone()),
        };
        let routes = table.and_then(|table| Ok((table, table.routes.as_ref().map_err(Clone::clone)?)));
        match routes {
            Ok((table, routes)) => {
                routes.iter().for_each(|route| self.add_route(tags, &table.id, route));
            }
            Err(reason) => self.anything(reason),
        }
    }

    fn add_route(&mut self, tags: &Tags, table: &ResourceId, route: &Route) {
        let text = match &route.prefix {
            Ok(text) => text,
            Err(reason) => return self.anything(reason.clone()),
        };
        let doubt = |what: &str| {
            let message = format!("{table} has a route to {text}, {what}");
            Reason::new(Code::Undecidable, message)
        };
        match text.parse::<Term>() {
            Ok(Term::Prefix(net)) => {
                if Family::of(&net) != self.family {
                    return;
                }
                if net.prefix_len() == 0 {
                    return self.anything(doubt(
                        "a default route, which may make every address a part of VirtualNetwork",
                    ));
                }
                let range = addresses(self.family, &[net]);
                self.bounds.add(&range.difference(&self.family.public()));
                let public = range.intersection(&self.family.public());
                self.bounds
                    .add_possible(&public, doubt("public addresses, which it may take into VirtualNetwork"));
            }
            Ok(Term::Tag(name)) => match tags.find(self.family, &name) {
                Some(set) => self.bounds.add_possible(
                    &set.upper,
                    doubt("public addresses, which it may take into VirtualNetwork"),
                ),
                None => self.anything(tags.missing(&name)),
            },
            Ok(_) | Err(_) => self.anything(doubt("which is no prefix")),
        }
    }
}

fn parsed(of: &ResourceId, texts: &Known<Vec<String>>) -> (Vec<IpNet>, Option<Reason>) {
    match texts {
        Ok(texts) => {
            let broken = texts.iter().find(|text| prefix(text).is_none());
            let problem =
                broken.map(|text| Reason::new(Code::Malformed, format!("`{text}` of {of} is no prefix")));
            (texts.iter().filter_map(|text| prefix(text)).collect(), problem)
        }
        Err(reason) => (Vec::new(), Some(reason.clone())),
    }
}
