//! The scoring router of a cluster: what is declared of it, where it is reached, and whether that is private.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::expectations::{Expectations, Openness};
use crate::inventory::extensions::Extension;
use crate::inventory::kubernetes::Cluster;
use crate::inventory::machine_learning::{Compute, ComputeKind, ScoringUri, is_private_address};
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId};

use super::document::{Fact, Router, RouterKind};
use super::frontends::{Frontends, Serving};
use super::ranges::Ranges;
use super::{balancer_subnets, cluster, subjects};

/// The router's facts, and the frontends that they were read off.
pub(super) struct Found {
    pub(super) facts: Router,
    pub(super) serving: Leading,
}

/// The frontends that lead to scoring.
#[derive(Clone, Debug, Default)]
pub(super) struct Leading {
    pub(super) found: Vec<Serving>,
    /// Why these may not be all of them.
    pub(super) missing: Option<Reason>,
}

impl Leading {
    /// All of them, or why they are not known.
    pub(super) fn all(&self) -> Known<&[Serving]> {
        self.missing.clone().map_or(Ok(&self.found), Err)
    }

    fn public(&self) -> impl Iterator<Item = &Serving> {
        self.found.iter().filter(|serving| serving.facts.public)
    }

    fn unknown(reason: Reason) -> Self {
        Self { found: Vec::new(), missing: Some(reason) }
    }
}

/// The scoring router of a compute.
pub(super) fn facts(
    inventory: &Inventory,
    compute: &Compute,
    cluster: &Known<&Cluster>,
    expectations: &Expectations,
    private_endpoint: &Fact<bool>,
    service: &Ranges,
) -> Found {
    let records = Records::of(inventory, compute);
    let declared = declared(inventory, compute, cluster);
    let frontends = cluster.clone().map(|cluster| Frontends::of(inventory, cluster));
    let addresses = records.addresses();
    let serving = match &frontends {
        Ok(frontends) => serving(frontends, &addresses, &declared, &records),
        Err(reason) => Leading::unknown(reason.clone()),
    };
    let private = private(&declared, &serving, &frontends, &addresses)
        .and_then(|private| if private { behind_nodes(inventory, compute, cluster) } else { Ok(false) });
    let declared_subnet = match &compute.kind {
        Ok(ComputeKind::Aks) | Err(_) => compute.router.subnet.clone(),
        // An annotation of the service, which Azure does not show.
        Ok(ComputeKind::Kubernetes) => Ok(None),
        Ok(ComputeKind::Other) => Err(subjects::unknown_type(&compute.id)),
    };
    let vnets = cluster.clone().and_then(|cluster| cluster::vnets(inventory, cluster));
    let subnets = balancer_subnets::of(inventory, &serving, &declared, &declared_subnet, &vnets, service);
    let demanded = match expectations.scoring {
        Some(Openness::Private) => Fact::of(true),
        Some(Openness::Any) => Fact::of(false),
        None => private_endpoint.clone(),
    };
    let facts = Router {
        private_demanded: demanded,
        declared: declared.into(),
        declared_subnet: declared_subnet.into(),
        addresses: addresses.into(),
        ports: records.ports(inventory, compute, cluster).into(),
        frontends: serving.all().map(|all| all.iter().map(|serving| serving.facts.clone()).collect()).into(),
        public_frontends: match private {
            Ok(false) => serving.public().map(|serving| serving.facts.clone()).collect(),
            _ => Vec::new(),
        },
        private: private.into(),
        balancer_subnets: subnets.into(),
        settled: match &frontends {
            Ok(Frontends { unsettled: None, .. }) => Fact::of(true),
            Ok(Frontends { unsettled: Some(reason), .. }) | Err(reason) => {
                Fact::Unknown { unknown: reason.clone() }
            }
        },
    };
    Found { facts, serving }
}

/// What is recorded of where a compute's deployments are scored.
struct Records {
    uris: Vec<ScoringUri>,
    /// The addresses of the front end, as a v1 compute records them.
    front_end: Vec<String>,
    hidden: Option<Reason>,
}

impl Records {
    fn of(inventory: &Inventory, compute: &Compute) -> Self {
        let coverage = &inventory.coverage;
        let lists = [Kind::Services, Kind::OnlineEndpoints];
        let mut hidden = lists
            .into_iter()
            .find_map(|kind| coverage.incomplete(kind, &compute.workspace))
            .or_else(|| untold(inventory, compute));
        let mut uris = Vec::new();
        for deployment in deployments(inventory, compute) {
            match deployment.scoring {
                Ok(uri) => uris.extend(uri.clone()),
                Err(reason) => drop(hidden.get_or_insert(reason.clone())),
            }
        }
        let front_end = match &compute.router.addresses {
            Ok(addresses) => addresses.clone(),
            Err(reason) if compute.kind == Ok(ComputeKind::Aks) => {
                hidden.get_or_insert(reason.clone());
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        Self { uris, front_end, hidden }
    }

    /// The addresses that scoring is reached at. A record of one is enough; without any, names that only DNS could
    /// resolve, or records out of sight, make it unknown.
    fn addresses(&self) -> Known<Vec<String>> {
        let hosts = self.uris.iter().map(|uri| &uri.host).chain(&self.front_end);
        let addresses: BTreeSet<String> = hosts.clone().filter_map(|host| address(host)).collect();
        if !addresses.is_empty() {
            return Ok(addresses.into_iter().collect());
        }
        if let Some(name) = hosts.clone().next() {
            return Err(by_name(name));
        }
        self.hidden.clone().map_or(Ok(Vec::new()), Err)
    }

    /// Why scoring may be recorded at other addresses than those that are told: by a name, or out of sight.
    fn open(&self) -> Option<Reason> {
        let mut hosts = self.uris.iter().map(|uri| &uri.host).chain(&self.front_end);
        let name = hosts.find(|host| address(host).is_none());
        name.map(|name| by_name(name)).or_else(|| self.hidden.clone())
    }

    /// The ports of scoring: by the scoring URIs, else by whether the router speaks TLS.
    fn ports(&self, inventory: &Inventory, compute: &Compute, cluster: &Known<&Cluster>) -> Known<Vec<u16>> {
        let told: BTreeSet<u16> = self.uris.iter().map(|uri| uri.port).collect();
        if !told.is_empty() {
            return Ok(told.into_iter().collect());
        }
        let tls = match compute.kind.clone()? {
            ComputeKind::Aks => compute.router.tls.clone()?,
            _ => !extension(inventory, cluster)?.insecure.clone()?,
        };
        Ok(vec![if tls { 443 } else { 80 }])
    }
}

/// The address that a host is, in the one form that an address has.
pub(super) fn address(host: &str) -> Option<String> {
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string())
}

/// The reason that a host gives which is no address.
pub(super) fn by_name(host: &str) -> Reason {
    Reason::new(Code::Undecidable, format!("scoring is recorded at `{host}`, which only DNS could resolve"))
}

/// A deployment on a compute.
pub(super) struct Deployment<'a> {
    pub(super) id: &'a ResourceId,
    pub(super) state: &'a Known<State>,
    pub(super) scoring: &'a Known<Option<ScoringUri>>,
}

/// The v1 services and online endpoints that run on a compute, as far as they are seen and tell it.
pub(super) fn deployments<'a>(inventory: &'a Inventory, compute: &Compute) -> Vec<Deployment<'a>> {
    let services = inventory.services.values().filter(|service| {
        service.workspace == compute.workspace
            && service.on_aci != Ok(true)
            && service.state != Ok(State::Deleting)
            && service.compute.as_ref().is_ok_and(|name| name.eq_ignore_ascii_case(compute.id.name()))
    });
    let endpoints = inventory.online_endpoints.values().filter(|endpoint| {
        endpoint.state != Ok(State::Deleting)
            && endpoint.compute.as_ref().is_ok_and(|told| told.as_ref() == Some(&compute.id))
    });
    services
        .map(|service| Deployment { id: &service.id, state: &service.state, scoring: &service.scoring })
        .chain(endpoints.map(|endpoint| Deployment {
            id: &endpoint.id,
            state: &endpoint.state,
            scoring: &endpoint.scoring,
        }))
        .collect()
}

/// Why a deployment of the workspace may run on this compute unseen: it does not tell its compute, or one that nobody
/// knows.
pub(super) fn untold(inventory: &Inventory, compute: &Compute) -> Option<Reason> {
    let workspace = &compute.workspace;
    let known = |id: &ResourceId| inventory.computes.contains_key(id);
    let strange = |of: &ResourceId, told: &str| {
        let message = format!("{of} says that it runs on `{told}`, which is no compute of its workspace");
        Reason::new(Code::NotFound, message)
    };
    for service in inventory.services.values() {
        if service.workspace != *workspace || service.on_aci == Ok(true) {
            continue;
        }
        match (&service.on_aci, &service.compute) {
            (Err(reason), _) | (_, Err(reason)) => return Some(reason.clone()),
            (Ok(_), Ok(name)) if !known(&workspace.child(&format!("computes/{name}"))) => {
                return Some(strange(&service.id, name));
            }
            _ => {}
        }
    }
    for endpoint in inventory.online_endpoints.values().filter(|one| one.workspace == *workspace) {
        match &endpoint.compute {
            Err(reason) => return Some(reason.clone()),
            Ok(Some(id)) if !known(id) => return Some(strange(&endpoint.id, id.as_spelled())),
            Ok(_) => {}
        }
    }
    None
}

/// The extension that makes a cluster serve models.
fn extension<'a>(inventory: &'a Inventory, cluster: &Known<&Cluster>) -> Known<&'a Extension> {
    let cluster = cluster.clone()?;
    if let Some(reason) = inventory.coverage.incomplete(Kind::Extensions, &cluster.id) {
        return Err(reason);
    }
    let below = inventory.extensions.values().filter(|extension| cluster.id.contains(&extension.id));
    let mut found = Vec::new();
    for extension in below {
        if extension.state != Ok(State::Deleting) && extension.machine_learning.clone()? {
            found.push(extension);
        }
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let message =
                format!("{} has no extension of Azure Machine Learning that tells its router", cluster.id);
            Err(Reason::new(Code::NotFound, message))
        }
        _ => {
            let message = format!("{} has several extensions of Azure Machine Learning", cluster.id);
            Err(Reason::new(Code::Ambiguous, message))
        }
    }
}

/// How the router is declared to be reached.
pub(super) fn declared(
    inventory: &Inventory,
    compute: &Compute,
    cluster: &Known<&Cluster>,
) -> Known<RouterKind> {
    let unknown = |what: &str, value: &str, of: &ResourceId| {
        Reason::new(Code::Malformed, format!("`{what}` of {of} is `{value}`, which is not known"))
    };
    match compute.kind.clone()? {
        ComputeKind::Aks => match compute.router.balancer.clone()?.as_deref() {
            Some("internalloadbalancer") => Ok(RouterKind::InternalLoadBalancer),
            Some("publicip") | None => Ok(RouterKind::PublicLoadBalancer),
            Some(other) => Err(unknown("loadBalancerType", other, &compute.id)),
        },
        ComputeKind::Other => Err(subjects::unknown_type(&compute.id)),
        ComputeKind::Kubernetes => {
            let extension = extension(inventory, cluster)?;
            if let Some(reason) = unsettled(&extension.state, &extension.id) {
                return Err(reason);
            }
            match extension.router.clone()?.as_str() {
                "loadbalancer" => Ok(match extension.balancer_provider.clone()?.as_deref() {
                    Some("azure") => RouterKind::InternalLoadBalancer,
                    _ => RouterKind::PublicLoadBalancer,
                }),
                "nodeport" | "clusterip" => Ok(RouterKind::NoLoadBalancer),
                other => Err(unknown("inferenceRouterServiceType", other, &extension.id)),
            }
        }
    }
}

/// The frontends that serve scoring. Without a recorded address it is those with rules, if they are all of the kind
/// that is declared; otherwise it is not told which of them leads to the router.
fn serving(
    frontends: &Frontends,
    addresses: &Known<Vec<String>>,
    declared: &Known<RouterKind>,
    records: &Records,
) -> Leading {
    if let Ok(addresses) = addresses
        && !addresses.is_empty()
    {
        let mut leading = serving_at(frontends, addresses);
        // A router without a load balancer is reached at addresses of nodes, or of the cluster's inside.
        if *declared == Ok(RouterKind::NoLoadBalancer) && frontends.hidden.is_none() {
            leading.missing = None;
        }
        // Another record may lead to a public frontend, where there is one.
        let mut others = frontends.serving.iter().filter(|serving| serving.facts.public);
        if others.any(|other| !leading.found.iter().any(|found| found.is(other))) {
            leading.missing = leading.missing.or_else(|| records.open());
        }
        return leading;
    }
    // What scoring is recorded at by name may resolve to anything, and leads through the cluster's frontends all the same.
    // A record that nobody saw may name an address that none of them has.
    let unseen = addresses.as_ref().err().filter(|reason| reason.code != Code::Undecidable);
    if let Some(reason) = frontends.hidden.as_ref().or(unseen) {
        return Leading::unknown(reason.clone());
    }
    let recorded: BTreeSet<u16> = records.uris.iter().map(|uri| uri.port).collect();
    let scoring = |serving: &&Serving| {
        serving.facts.ports.iter().any(|port| matches!(port, 80 | 443) || recorded.contains(port))
    };
    let candidates: Vec<Serving> = frontends.serving.iter().filter(scoring).cloned().collect();
    let public = candidates.iter().filter(|serving| serving.facts.public).count();
    let of_declared_kind = match declared {
        _ if candidates.is_empty() => true,
        Ok(RouterKind::InternalLoadBalancer) | Err(_) => public == 0,
        Ok(RouterKind::PublicLoadBalancer) => public == candidates.len(),
        Ok(RouterKind::NoLoadBalancer) => return Leading::default(),
    };
    if of_declared_kind {
        return Leading { found: candidates, missing: None };
    }
    let untold = addresses.as_ref().err().map(|reason| format!(": {}", reason.message));
    let message = format!(
        "no address of scoring is recorded, so it is not told which frontend leads to the router{}",
        untold.unwrap_or_default()
    );
    Leading::unknown(Reason::new(Code::Ambiguous, message))
}

/// The frontends at the recorded addresses.
fn serving_at(frontends: &Frontends, addresses: &[String]) -> Leading {
    let mut leading = Leading::default();
    for address in addresses {
        leading.found.extend(frontends.at(address).cloned());
        let missing = match frontends.serves(address) {
            Ok(true) => continue,
            Ok(false) => Reason::new(
                Code::NotFound,
                format!(
                    "scoring is recorded at {address}, but no frontend of the cluster's load balancers has this address"
                ),
            ),
            Err(reason) => reason,
        };
        leading.missing.get_or_insert(missing);
    }
    let name = |serving: &Serving| (serving.facts.load_balancer.clone(), serving.facts.name.clone());
    leading.found.sort_by_key(name);
    leading.found.dedup_by_key(|serving| name(serving));
    leading
}

/// Whether scoring is private.
fn private(
    declared: &Known<RouterKind>,
    serving: &Leading,
    frontends: &Known<Frontends>,
    addresses: &Known<Vec<String>>,
) -> Known<bool> {
    let recorded = addresses.as_ref().is_ok_and(|addresses| !addresses.is_empty());
    let public = serving.public().next().is_some();
    // What serves a recorded address decides, whatever is declared and whatever else is recorded.
    if recorded && public {
        return Ok(false);
    }
    let settled = |verdict: bool| match frontends {
        Ok(Frontends { unsettled: Some(reason), .. }) => Err(reason.clone()),
        _ => Ok(verdict),
    };
    match declared {
        Ok(RouterKind::NoLoadBalancer) => {
            let frontends = frontends.as_ref().map_err(Clone::clone)?;
            // Something else makes it public, such as a gateway in front.
            if let Some(address) = addresses.iter().flatten().find(|address| is_public(address)) {
                let message = format!(
                    "the router has no load balancer of its own, but scoring is recorded at the public address {address}"
                );
                return Err(Reason::new(Code::Undecidable, message));
            }
            if let Some(open) = frontends.serving.iter().find(|serving| serving.facts.public) {
                let message = format!(
                    "the router has no load balancer of its own, but the public frontend {} of {} leads into the cluster, perhaps to it",
                    open.facts.name, open.facts.load_balancer
                );
                return Err(Reason::new(Code::Undecidable, message));
            }
            if let Some(open) = frontends.translated.first() {
                let message = format!(
                    "the router has no load balancer of its own, but the public frontend {open} leads to nodes, perhaps to it"
                );
                return Err(Reason::new(Code::Undecidable, message));
            }
            frontends.hidden.clone().map_or_else(|| settled(true), Err)
        }
        Ok(RouterKind::InternalLoadBalancer) if serving.all()?.is_empty() => {
            let message = "an internal load balancer is declared, but no frontend of the cluster's load balancers leads to scoring";
            Err(Reason::new(Code::NotFound, message))
        }
        Ok(RouterKind::InternalLoadBalancer) if public => Ok(false),
        Ok(RouterKind::InternalLoadBalancer) => settled(true),
        Ok(RouterKind::PublicLoadBalancer) => match serving.all() {
            Ok(all) if all.is_empty() || public => Ok(false),
            Ok(all) => {
                let names: Vec<&str> = all.iter().map(|serving| serving.facts.name.as_str()).collect();
                let message = format!(
                    "a public load balancer is declared, but the internal frontend {} serves scoring",
                    names.join(", ")
                );
                Err(Reason::new(Code::Contradiction, message))
            }
            // Public addresses alone are recorded, and no frontend has one of them any more.
            Err(reason)
                if reason.code == Code::NotFound && serving.found.is_empty() && all_public(addresses) =>
            {
                Ok(false)
            }
            Err(reason) => Err(reason),
        },
        Err(reason) => Err(reason.clone()),
    }
}

/// Whether a router without a load balancer is kept from outsiders by the nodes it is reached at: a node port on nodes
/// with public addresses may be reached from anywhere.
fn behind_nodes(inventory: &Inventory, compute: &Compute, cluster: &Known<&Cluster>) -> Known<bool> {
    if compute.kind == Ok(ComputeKind::Aks) {
        return Ok(true);
    }
    if extension(inventory, cluster)?.router.as_deref() != Ok("nodeport") {
        return Ok(true);
    }
    for pool in cluster.clone()?.pools.as_ref().map_err(Clone::clone)? {
        if pool.public_nodes.clone()? {
            let message = "the router is reached at a port of the nodes, and nodes have public addresses";
            return Err(Reason::new(Code::Undecidable, message));
        }
    }
    Ok(true)
}

fn is_public(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok_and(|address| !is_private_address(address))
}

fn all_public(addresses: &Known<Vec<String>>) -> bool {
    addresses.as_ref().is_ok_and(|all| !all.is_empty() && all.iter().all(|text| is_public(text)))
}
