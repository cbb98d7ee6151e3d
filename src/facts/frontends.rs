//! The load balancers in front of a cluster: which frontends lead to its services, and where.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::inventory::balancers::{Frontend as FrontendNode, LoadBalancer};
use crate::inventory::kubernetes::Cluster;
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Inventory, Kind, Known, Reason, ResourceId};

use super::document::Frontend;

/// A frontend that leads to a service of the cluster: one with rules. AKS keeps others for outbound traffic.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    pub(super) facts: Frontend,
    /// Where its rules lead.
    pub(super) ways: Vec<Way>,
    /// `standard`, …
    pub(super) sku: Known<String>,
}

/// Where a rule leads.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The port of the frontend.
    pub(super) port: u16,
    /// The port of the backends.
    pub(super) backend_port: u16,
    /// Whether packets keep the frontend's address as their destination.
    pub(super) floating: Known<bool>,
}

/// The frontends of a cluster that lead to services.
#[derive(Clone, Debug, Default)]
pub(super) struct Frontends {
    pub(super) serving: Vec<Serving>,
    /// The names of public frontends that lead to single nodes by address translation.
    pub(super) translated: Vec<String>,
    /// Why there may be more, or others.
    pub(super) hidden: Option<Reason>,
    /// Why what was read may not be in effect.
    pub(super) unsettled: Option<Reason>,
}

impl Serving {
    /// Whether both are the same frontend.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.facts.load_balancer == other.facts.load_balancer && self.facts.name == other.facts.name
    }
}

impl Frontends {
    /// The frontends of every load balancer in the cluster's node resource group.
    pub(super) fn of(inventory: &Inventory, cluster: &Cluster) -> Self {
        let mut all = Self::default();
        let group = match &cluster.node_resource_group {
            Ok(group) => group,
            Err(reason) => return Self { hidden: Some(reason.clone()), ..all },
        };
        all.hidden = inventory.coverage.incomplete(Kind::LoadBalancers, group);
        for balancer in inventory.load_balancers.values().filter(|balancer| group.contains(&balancer.id)) {
            if balancer.state == Ok(State::Deleting) {
                continue;
            }
            if let Err(reason) = all.add(inventory, balancer) {
                all.hidden.get_or_insert(reason);
            }
            if let Some(reason) = unsettled(&balancer.state, &balancer.id) {
                all.unsettled.get_or_insert(reason);
            }
        }
        all
    }

    fn add(&mut self, inventory: &Inventory, balancer: &LoadBalancer) -> Known<()> {
        let rules = balancer.rules.as_ref().map_err(Clone::clone)?;
        let translated = balancer.translated.as_ref().map_err(Clone::clone)?;
        let listed = balancer.frontends.as_ref().map_err(Clone::clone)?;
        let ids = listed.iter().map(|frontend| frontend.id.clone()).collect::<Known<Vec<_>>>()?;
        let led = rules.iter().map(|rule| rule.frontend.clone()).collect::<Known<Vec<_>>>()?;
        // A rule that leads from a frontend which is not listed: the list is not all of them.
        if let Some(unlisted) = led.iter().chain(translated).find(|id| !ids.contains(id)) {
            let message = format!("{} has a rule for {unlisted}, which it does not list", balancer.id);
            self.hidden.get_or_insert(Reason::new(crate::inventory::Code::NotFound, message));
        }
        for frontend in listed {
            let id = frontend.id.clone()?;
            let mut ways = Vec::new();
            for rule in rules {
                if rule.frontend.clone()? == id {
                    ways.push(Way {
                        port: rule.port.clone()?,
                        backend_port: rule.backend_port.clone()?,
                        floating: rule.floating_ip.clone(),
                    });
                }
            }
            if translated.contains(&id) && frontend.subnet.clone()?.is_none() {
                self.translated.push(id.name().to_owned());
            }
            if ways.is_empty() {
                continue;
            }
            let subnet = frontend.subnet.clone()?;
            let facts = Frontend {
                load_balancer: balancer.id.clone(),
                name: frontend.name.clone().unwrap_or_else(|_| id.name().to_owned()),
                public: subnet.is_none(),
                address: address(inventory, frontend, subnet.is_some()).into(),
                ports: ways.iter().map(|way| way.port).collect::<BTreeSet<u16>>().into_iter().collect(),
                floating_ip: one(ways.iter().map(|way| way.floating.clone()), &id).into(),
                subnet,
            };
            self.serving.push(Serving { facts, ways, sku: balancer.sku.clone() });
        }
        Ok(())
    }

    /// Whether a frontend serves an address: not proven to be none while frontends, or their addresses, are not known.
    pub(super) fn serves(&self, address: &str) -> Known<bool> {
        if self.at(address).next().is_some() {
            return Ok(true);
        }
        let untold = self.serving.iter().find_map(|serving| serving.facts.address.reason());
        self.hidden.as_ref().or(untold).map_or(Ok(false), |reason| Err(reason.clone()))
    }

    /// The frontends at an address, with those of the same service in the other address family.
    pub(super) fn at<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a Serving> {
        let here = move |serving: &Serving| {
            serving.facts.address.value().is_some_and(|told| same_address(told, address))
        };
        let service = |name: &str| {
            let name = name.to_ascii_lowercase();
            name.strip_suffix("-ipv6").map_or(name.clone(), str::to_owned)
        };
        let names: Vec<String> = self
            .serving
            .iter()
            .filter(|serving| here(serving))
            .map(|serving| service(&serving.facts.name))
            .collect();
        self.serving.iter().filter(move |serving| names.contains(&service(&serving.facts.name)))
    }
}

/// The one value of all rules of a frontend.
fn one(values: impl Iterator<Item = Known<bool>>, frontend: &ResourceId) -> Known<bool> {
    let values = values.collect::<Known<Vec<bool>>>()?;
    match (values.iter().all(|value| *value), values.iter().any(|value| *value)) {
        (true, _) => Ok(true),
        (_, false) => Ok(false),
        _ => Err(Reason::new(
            crate::inventory::Code::Ambiguous,
            format!("some rules of {frontend} keep its address as the destination, and some do not"),
        )),
    }
}

fn address(inventory: &Inventory, frontend: &FrontendNode, internal: bool) -> Known<String> {
    if internal {
        return frontend.private_address.clone();
    }
    match frontend.public_address.clone()? {
        Some(id) => inventory.public_address(&id)?.address.clone(),
        None => {
            let prefix = frontend.public_prefix.clone()?;
            let of = prefix.map_or_else(|| "nothing that is told".to_owned(), |id| id.to_string());
            Err(Reason::new(
                crate::inventory::Code::NotTold,
                format!("a frontend takes its address from {of}"),
            ))
        }
    }
}

pub(super) fn same_address(one: &str, other: &str) -> bool {
    match (one.trim().parse::<IpAddr>(), other.trim().parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one.to_canonical() == other.to_canonical(),
        _ => false,
    }
}
