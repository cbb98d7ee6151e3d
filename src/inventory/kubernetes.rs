//! AKS clusters.

use std::collections::BTreeSet;

use super::authorization::{Identities, ObjectId, Principal};
use super::field::{self, Part};
use super::machine_learning::fold_region;
use super::network::{singular_and_plural, subnet_id};
use super::state::State;
use super::{Code, Known, Reason, Record, ResourceId};

/// An AKS cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its id.
    pub id: ResourceId,
    /// Its region, folded; with its edge zone, if it lies in one.
    pub location: Known<String>,
    /// Its provisioning state.
    pub state: Known<State>,
    /// `enablePrivateCluster`, where told.
    pub private_flag: Known<Option<bool>>,
    /// `enablePrivateClusterPublicFQDN`; on unless turned off, so absence is not "off".
    pub public_fqdn_flag: Known<Option<bool>>,
    /// The public name.
    pub fqdn: Known<Option<String>>,
    /// The private name.
    pub private_fqdn: Known<Option<String>>,
    /// `system`, `none` or the id of a zone.
    pub private_dns_zone: Known<Option<String>>,
    /// Its Kubernetes version.
    pub version: Known<String>,
    /// The resource group of its nodes, load balancers and, if AKS made it, its VNet.
    pub node_resource_group: Known<ResourceId>,
    /// The subnets of its pools.
    pub pools: Known<Vec<Pool>>,
    /// The subnet of its API server, with API server VNet integration.
    pub api_server_subnet: Known<Option<ResourceId>>,
    /// Its service ranges.
    pub service_cidrs: Known<Vec<String>>,
    /// Its pod ranges; empty on flat Azure CNI, where pods use the subnet.
    pub pod_cidrs: Known<Vec<String>>,
    /// The address of its DNS service.
    pub dns_service_ip: Known<String>,
    /// The Docker bridge range, which only old API versions tell.
    pub docker_bridge_cidr: Known<Option<String>>,
    /// The address families that it speaks, folded; empty where an old API version does not tell them: IPv4 then.
    pub families: Known<Vec<String>>,
    /// How its nodes reach the internet, folded: `loadbalancer`, `userdefinedrouting`, `none`, ….
    pub outbound_type: Known<String>,
    /// Whom it acts as.
    pub identities: Identities,
}

/// Where a node pool lives.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name.
    pub name: Known<String>,
    /// Whether its nodes are machines of a scale set.
    pub scale_set: Known<bool>,
    /// Whether its nodes have public addresses of their own.
    pub public_nodes: Known<bool>,
    /// The nodes' subnet; none in a VNet that AKS made.
    pub node_subnet: Known<Option<ResourceId>>,
    /// The pods' subnet, where they have their own.
    pub pod_subnet: Known<Option<ResourceId>>,
}

impl Cluster {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let id = record.id();
        let optional = |field: &field::Field| field.text(part).map(|text| text.map(str::to_owned));
        let lenient = |field: &field::Field| match field.flag(part) {
            Err(reason) if reason.code == Code::NotTold => Ok(None),
            flag => flag,
        };
        Self {
            id: id.clone(),
            location: field::CLUSTER_LOCATION.told_text(part).map(fold_region).and_then(|region| {
                Ok(match field::CLUSTER_EDGE_ZONE.text(part)? {
                    Some(zone) => format!("{region}, edge zone {}", fold_region(zone)),
                    None => region,
                })
            }),
            state: State::read(&field::CLUSTER_STATE, part),
            private_flag: lenient(&field::CLUSTER_PRIVATE),
            public_fqdn_flag: lenient(&field::CLUSTER_PUBLIC_FQDN),
            fqdn: optional(&field::CLUSTER_FQDN),
            private_fqdn: optional(&field::CLUSTER_PRIVATE_FQDN),
            private_dns_zone: optional(&field::CLUSTER_DNS_ZONE),
            version: field::CLUSTER_VERSION.told_text(part).map(str::to_owned),
            node_resource_group: node_resource_group(part, id),
            pools: field::CLUSTER_POOLS.list(part).map(|list| {
                let read = |part| Pool {
                    name: field::CLUSTER_POOL_NAME.told_text(part).map(str::to_owned),
                    scale_set: field::CLUSTER_POOL_TYPE
                        .told_text(part)
                        .map(|text| text.eq_ignore_ascii_case("VirtualMachineScaleSets")),
                    public_nodes: field::CLUSTER_POOL_PUBLIC.flag(part).map(|flag| flag == Some(true)),
                    node_subnet: subnet_id(&field::CLUSTER_POOL_SUBNET, part),
                    pod_subnet: subnet_id(&field::CLUSTER_POD_SUBNET, part),
                };
                list.into_iter().map(read).collect()
            }),
            api_server_subnet: field::CLUSTER_API_SUBNET.id(part),
            service_cidrs: singular_and_plural(
                &field::CLUSTER_SERVICE_CIDR,
                &field::CLUSTER_SERVICE_CIDRS,
                part,
            ),
            pod_cidrs: pod_cidrs(part),
            dns_service_ip: field::CLUSTER_DNS_SERVICE_IP.told_text(part).map(str::to_owned),
            docker_bridge_cidr: match field::CLUSTER_DOCKER_BRIDGE.text(part) {
                Err(reason) if reason.code == Code::NotTold => Ok(None),
                told => told.map(|text| text.map(str::to_owned)),
            },
            families: field::CLUSTER_IP_FAMILIES
                .texts(part)
                .map(|families| families.iter().map(|family| family.to_ascii_lowercase()).collect()),
            outbound_type: field::CLUSTER_OUTBOUND.told_text(part).map(str::to_ascii_lowercase),
            identities: Identities::read(part, id),
        }
    }

    /// Every subnet that the cluster refers to: of its nodes, its pods and its API server.
    pub fn subnets(&self) -> Known<BTreeSet<ResourceId>> {
        let mut subnets: BTreeSet<ResourceId> = self.api_server_subnet.clone()?.into_iter().collect();
        for pool in self.pools.as_ref().map_err(Clone::clone)? {
            subnets.extend(pool.node_subnet.clone()?);
            subnets.extend(pool.pod_subnet.clone()?);
        }
        Ok(subnets)
    }

    /// The identities of the control plane, by the object ids that role assignments name. Where there are several,
    /// it is not told which one is used, so that a right is proven only if each of them holds it.
    pub fn control_plane_principals(&self) -> Known<Vec<Principal>> {
        self.identities.control_plane.clone()
    }

    /// The identity of the nodes, which pulls images and nothing else; none if AKS shows none.
    pub fn kubelet_principal(&self) -> Known<Option<ObjectId>> {
        self.identities.kubelet.clone()
    }

    /// Whether the API server is private. Where the flag is absent (the profile is null on clusters that
    /// never set it), the names decide: only a private cluster has a private name.
    pub fn private(&self) -> Known<bool> {
        if let Some(flag) = self.private_flag.clone()? {
            return Ok(flag);
        }
        match (self.private_fqdn.clone()?, self.fqdn.clone()?) {
            (Some(_), _) => Ok(true),
            (None, Some(_)) => Ok(false),
            (None, None) => {
                let message =
                    format!("{} tells neither `enablePrivateCluster` nor a name of its API server", self.id);
                Err(Reason::new(Code::NotTold, message))
            }
        }
    }

    /// Whether the API server has a public name.
    pub fn public_fqdn(&self) -> Known<bool> {
        let fqdn = self.fqdn.clone()?;
        match (self.private()?, self.public_fqdn_flag.clone()?, fqdn) {
            (false, _, _) | (true, Some(true), _) => Ok(true),
            (true, Some(false), None) => Ok(false),
            (true, Some(false), Some(fqdn)) => {
                let message = format!("{} says that its public FQDN is off, and yet has `{fqdn}`", self.id);
                Err(Reason::new(Code::Contradiction, message))
            }
            // Without the flag, a public name beside an explicit private mode is the public FQDN; if even the
            // mode was only read off the names, the profile is missing and proves nothing.
            (true, None, Some(_)) if self.private_flag == Ok(Some(true)) => Ok(true),
            (true, None, _) => {
                let message = format!("{} does not tell `{}`", self.id, field::CLUSTER_PUBLIC_FQDN.path);
                Err(Reason::new(Code::NotTold, message))
            }
        }
    }
}

fn node_resource_group(part: Part<'_>, id: &ResourceId) -> Known<ResourceId> {
    let name = field::CLUSTER_NODE_GROUP.told_text(part)?;
    match id.subscription_id() {
        Some(subscription) => Ok(subscription.child(&format!("resourceGroups/{name}"))),
        None => Err(Reason::new(Code::Malformed, format!("{id} names no subscription"))),
    }
}

/// Overlay and kubenet have a pod range; on flat Azure CNI it is absent because pods use subnet addresses.
fn pod_cidrs(part: Part<'_>) -> Known<Vec<String>> {
    let told = singular_and_plural(&field::CLUSTER_POD_CIDR, &field::CLUSTER_POD_CIDRS, part);
    if !matches!(&told, Err(reason) if reason.code == Code::NotTold) {
        return told;
    }
    let plugin = field::CLUSTER_NETWORK_PLUGIN.told_text(part)?;
    let mode = field::CLUSTER_NETWORK_MODE.text(part)?;
    if plugin.eq_ignore_ascii_case("azure") && mode.is_none() { Ok(Vec::new()) } else { told }
}
