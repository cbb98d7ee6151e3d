//! Where the deployments on a cluster are scored, and whose frontends serve those addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::inventory::kubernetes::Cluster;
use crate::inventory::machine_learning::{Compute, ComputeKind, is_private_address};
use crate::inventory::state::unsettled;
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId};

use super::cluster;
use super::document::{RouterKind, Scoring, ScoringRecord, Search};
use super::endpoints::peered;
use super::frontends::Frontends;
use super::router::{self, by_name, untold};

/// The frontends of every cluster, looked up once.
pub(super) struct Balanced<'a> {
    inventory: &'a Inventory,
    clusters: Vec<(&'a Cluster, Frontends)>,
    /// Where the frontends of an address are, as places of `clusters`.
    by_address: BTreeMap<IpAddr, BTreeSet<usize>>,
}

impl<'a> Balanced<'a> {
    /// Looks at the load balancers of every cluster.
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        let of = |cluster| (cluster, Frontends::of(inventory, cluster));
        let clusters: Vec<(&Cluster, Frontends)> = inventory.clusters.values().map(of).collect();
        let mut by_address: BTreeMap<IpAddr, BTreeSet<usize>> = BTreeMap::new();
        for (at, (_, frontends)) in clusters.iter().enumerate() {
            let addresses = frontends.serving.iter().filter_map(|serving| serving.facts.address.value());
            for address in addresses.filter_map(|text| text.trim().parse().ok()) {
                by_address.entry(address).or_default().insert(at);
            }
        }
        Self { inventory, clusters, by_address }
    }

    /// The facts of a cluster that these computes attach.
    pub(super) fn scoring(&self, cluster: &Cluster, computes: &[&Compute]) -> Scoring {
        let inventory = self.inventory;
        let mut hidden = None;
        let mut records = Vec::new();
        for compute in computes {
            let lists = [Kind::Services, Kind::OnlineEndpoints];
            let list =
                lists.into_iter().find_map(|kind| inventory.coverage.incomplete(kind, &compute.workspace));
            hidden = hidden.or(list).or_else(|| untold(inventory, compute));
            for deployment in router::deployments(inventory, compute) {
                let address = match deployment.scoring {
                    Ok(Some(uri)) => read(&uri.host),
                    Ok(None) => Err(Reason::new(
                        Code::NotTold,
                        format!("{} names no scoring address yet", deployment.id),
                    )),
                    Err(reason) => Err(reason.clone()),
                };
                let state = unsettled(deployment.state, deployment.id);
                records.push(self.record(cluster, compute, deployment.id, address, state));
            }
        }
        // What a compute records of its front end belongs to its deployments, and is none itself.
        if !records.is_empty() {
            for compute in computes {
                let addresses = compute.router.addresses.iter().flatten();
                let state = || unsettled(&compute.state, &compute.id);
                records.extend(
                    addresses.map(|host| self.record(cluster, compute, &compute.id, read(host), state())),
                );
                // What is not told at all is told by the deployments; what is told badly may say something else.
                if let (Ok(ComputeKind::Aks), Err(reason)) = (&compute.kind, &compute.router.addresses)
                    && reason.code != Code::NotTold
                {
                    hidden.get_or_insert(reason.clone());
                }
            }
        }
        records.sort_by(|a, b| a.id.cmp(&b.id));
        let addresses: BTreeSet<String> =
            records.iter().filter_map(|record| record.address.value().cloned()).collect();
        Scoring {
            balanced: self.balanced(cluster, computes).into(),
            addresses: addresses.into_iter().collect(),
            complete: hidden.clone().map_or(Ok(true), Err).into(),
            records: Search::of(records, hidden),
        }
    }

    /// Whether the router of one of the computes is reached by a load balancer.
    fn balanced(&self, cluster: &Cluster, computes: &[&Compute]) -> Known<bool> {
        super::endpoints::exists(computes.iter().map(|compute| {
            router::declared(self.inventory, compute, &Ok(cluster))
                .map(|kind| kind != RouterKind::NoLoadBalancer)
        }))
    }

    fn record(
        &self,
        cluster: &Cluster,
        compute: &Compute,
        id: &ResourceId,
        address: Known<String>,
        changing: Option<Reason>,
    ) -> ScoringRecord {
        let own = self.clusters.binary_search_by(|(other, _)| other.id.cmp(&cluster.id)).ok();
        let served_here =
            address.clone().and_then(|address| match own.and_then(|at| self.clusters.get(at)) {
                Some((_, frontends)) => frontends.serves(&address),
                None => Err(Reason::new(Code::NotFound, format!("{} was not read", cluster.id))),
            });
        // What is being changed, or failed to be, on either side proves no service.
        let changing = changing.or_else(|| self.clusters.get(own?)?.1.unsettled.clone());
        let served_here = match (served_here, changing) {
            (Ok(true), Some(reason)) => Err(reason),
            (served_here, _) => served_here,
        };
        let (mut served_by, mut repeated_by) = (Vec::new(), Vec::new());
        let ip = address.as_ref().ok().and_then(|text| text.parse::<IpAddr>().ok());
        let private = ip.is_some_and(is_private_address);
        let places = ip.and_then(|ip| self.by_address.get(&ip)).into_iter().flatten();
        for (other, _) in places.filter(|at| Some(**at) != own).filter_map(|at| self.clusters.get(*at)) {
            match self.connected(cluster, other) {
                Ok(false) if private => repeated_by.push(other.id.clone()),
                Ok(true) => served_by.push(other.id.clone()),
                _ if !private => served_by.push(other.id.clone()),
                _ => {}
            }
        }
        ScoringRecord {
            id: id.clone(),
            name: id.name().to_owned(),
            workspace: compute.workspace.clone(),
            address: address.into(),
            served_here: served_here.into(),
            served_by,
            repeated_by,
        }
    }

    /// Whether two clusters share a VNet, or live in peered ones.
    fn connected(&self, one: &Cluster, other: &Cluster) -> Known<bool> {
        let ones = cluster::vnets(self.inventory, one)?;
        let others = cluster::vnets(self.inventory, other)?;
        let pairs = ones.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
        super::endpoints::exists(
            pairs.map(
                |(one, other)| {
                    if one == other { Ok(true) } else { peered(self.inventory, one, other) }
                },
            ),
        )
    }
}

fn read(host: &str) -> Known<String> {
    router::address(host).ok_or_else(|| by_name(host))
}
