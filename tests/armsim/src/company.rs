//! Estates made to measure: builders that write records as ARM gives them, and the three estates
//! that come with this crate.
//!
//! Everything here is deterministic: guids are hashes of names, nothing reads a clock.
//!
//! * [`healthy`]: every policy passes for at least one subject.
//! * [`demo`]: a believable company with at least one violation of every policy.
//! * [`generate`]: many workspaces, with violations that are listed beside them.
//!
//! What is violated in them, and what passes, holds under [`declarations`]: some policies have nothing to judge, or cannot
//! tell, unless somebody says what he wants.
//!
//! A [`Company`] collects resources; a [`Resource`] is anything that knows its records.

mod access;
mod address;
mod aks;
mod declarations;
mod demo;
mod flaw;
mod generate;
mod healthy;
mod hub;
mod machine_learning;
mod network;
mod pattern;
mod private_link;
mod serving;
mod tags;

pub use access::{Role, RoleAssignment, definitions};
pub use address::Block;
pub use aks::{Aks, FrontEnd};
pub use declarations::{DEPLOYER, declarations};
pub use demo::demo;
pub use flaw::{Expected, Flaw};
pub use generate::{Size, generate};
pub use healthy::healthy;
pub use machine_learning::{
    AksCompute, KubernetesCompute, KubernetesEndpoint, OnlineEndpoint, OutboundRule, Workspace,
};
pub use network::{NatGateway, Nsg, PublicIp, RouteTable, Rule, Subnet, Vnet};
pub use private_link::{DnsZone, PrivateEndpoint};
pub use serving::{AciService, AksService, ArcCluster, ContainerGroup, Registry};
pub use tags::service_tags;

use crate::estate::{Estate, FORMAT, Header, SubscriptionName};
use crate::kinds::KINDS;
use serde_json::{Map, Value, json};

/// When the estates claim to have been taken.
const TAKEN_AT: &str = "2026-11-23T05:00:00Z";

/// Something that knows its id and its records.
pub trait Resource {
    /// The ARM id of the main record.
    fn id(&self) -> String;
    /// All records: the resource, and what Azure makes along with it.
    fn records(&self) -> Vec<Value>;
}

/// A resource group: where resources are put.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The subscription's guid.
    pub subscription: String,
    /// The group's name.
    pub group: String,
    /// The region of the group, and of what is put there unless told otherwise.
    pub location: String,
}

impl Scope {
    /// The id of the group.
    pub fn group_id(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", self.subscription, self.group)
    }

    /// The id of a resource of that type and name in the group.
    pub fn id(&self, of: &str, name: &str) -> String {
        format!("{}/providers/{of}/{name}", self.group_id())
    }
}

/// An estate in the making.
#[derive(Debug)]
pub struct Company {
    estate: Estate,
    seed: u64,
    domain: String,
}

impl Company {
    /// A tenant of that name, without subscriptions.
    pub fn new(domain: &str, seed: u64) -> Self {
        let kinds: Map<String, Value> = KINDS
            .iter()
            .map(|kind| {
                let via = match kind.arm_api_version {
                    Some(version) => json!({"via": "arm", "api_version": version}),
                    None => json!({"via": "resource_graph"}),
                };
                (kind.name.to_owned(), via)
            })
            .collect();
        let header = Header {
            mlfence: FORMAT.to_owned(),
            taken_at: TAKEN_AT.to_owned(),
            tenant_id: guid(seed, domain),
            cloud: "public".to_owned(),
            subscriptions: Vec::new(),
            kinds,
            more: Map::new(),
        };
        Self { estate: Estate::new(header), seed, domain: domain.to_owned() }
    }

    /// A guid that depends on seed, tenant and name alone.
    pub fn guid(&self, name: &str) -> String {
        guid(self.seed, &format!("{}/{name}", self.domain))
    }

    /// The tenant's guid.
    pub fn tenant_id(&self) -> &str {
        &self.estate.header.tenant_id
    }

    /// Adds a subscription below those management groups, nearest first; the tenant's root group is
    /// above them all. Returns its guid.
    pub fn subscription(&mut self, name: &str, groups: &[(&str, &str)]) -> String {
        let id = self.name_subscription(name);
        let tenant = self.tenant_id().to_owned();
        let root = (tenant.as_str(), "Tenant Root Group");
        let chain: Vec<Value> = groups
            .iter()
            .chain([&root])
            .map(|(name, display)| json!({"name": name, "displayName": display}))
            .collect();
        let policies = json!({"locationPlacementId": "Public_2014-09-01", "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off"});
        self.estate.records.push(json!({
            "id": format!("/subscriptions/{id}"), "name": name, "type": "Microsoft.Resources/subscriptions",
            "subscriptionId": id, "displayName": name, "state": "Enabled", "tenantId": tenant,
            "authorizationSource": "RoleBased", "managedByTenants": [], "subscriptionPolicies": policies,
            "tags": {},
            "properties": {"managementGroupAncestorsChain": chain, "managedByTenants": [], "state": "Enabled",
                "subscriptionPolicies": policies},
        }));
        id
    }

    /// Adds a subscription that is listed but of which nothing may be read: a gap for every kind, for what a capture
    /// finds out is that even its permissions may not be read. Service tags are those of the whole cloud, so they have
    /// none.
    pub fn denied_subscription(&mut self, name: &str) -> String {
        let id = self.name_subscription(name);
        let scope = format!("/subscriptions/{id}");
        self.estate.records.push(json!({
            "id": scope, "name": name, "type": "Microsoft.Resources/subscriptions", "subscriptionId": id,
            "displayName": name, "state": "Enabled", "tenantId": self.tenant_id(),
        }));
        let detail =
            format!("AuthorizationFailed: missing Microsoft.Authorization/permissions/read on {scope}");
        for kind in KINDS.iter().filter(|kind| kind.name != "service_tags") {
            self.estate
                .gaps
                .push(json!({"source": kind.name, "scope": scope, "reason": "denied", "detail": detail}));
        }
        id
    }

    fn name_subscription(&mut self, name: &str) -> String {
        let id = self.guid(&format!("subscription {name}"));
        self.estate.header.subscriptions.push(SubscriptionName { id: id.clone(), name: name.to_owned() });
        id
    }

    /// Adds a resource group.
    pub fn group(&mut self, subscription: &str, name: &str, location: &str) -> Scope {
        let scope = Scope {
            subscription: subscription.to_owned(),
            group: name.to_owned(),
            location: location.to_owned(),
        };
        self.estate.records.push(group_record(&scope, ""));
        scope
    }

    /// Adds a resource with all its records; returns its id.
    pub fn add(&mut self, resource: &impl Resource) -> String {
        self.estate.records.extend(resource.records());
        resource.id()
    }

    /// Adds a record as it is.
    pub fn push(&mut self, record: Value) {
        self.estate.records.push(record);
    }

    /// Puts a principal into a group, which only the directory knows.
    pub fn member(&mut self, group: &str, principal: &str) {
        self.estate.member(group, principal);
    }

    fn records(&self) -> &[Value] {
        &self.estate.records
    }

    fn answers(&mut self, answers: Vec<Value>) {
        self.estate.answers.extend(answers);
    }

    /// The estate, with the references filled in that Azure keeps on both sides.
    pub fn finish(mut self) -> Estate {
        network::refer_back(&mut self.estate.records);
        self.estate
    }
}

fn group_record(scope: &Scope, managed_by: &str) -> Value {
    let mut record = json!({
        "id": scope.group_id(), "name": scope.group, "type": "Microsoft.Resources/resourceGroups",
        "location": scope.location, "tags": {}, "properties": {"provisioningState": "Succeeded"},
    });
    if !managed_by.is_empty() {
        record["managedBy"] = json!(managed_by);
    }
    record
}

/// The envelope that all tracked resources share.
fn tracked(id: &str, of: &str, location: &str, mut properties: Value) -> Value {
    if let Some(fields) = properties.as_object_mut() {
        fields.entry("provisioningState").or_insert_with(|| json!("Succeeded"));
    }
    let name = id.rsplit('/').next().unwrap_or_default();
    json!({"id": id, "name": name, "type": of, "location": location, "tags": {}, "properties": properties})
}

/// A child or sub-resource, without location and tags.
fn child(parent: &str, list: &str, name: &str, of: &str, mut properties: Value) -> Value {
    if let Some(fields) = properties.as_object_mut() {
        fields.entry("provisioningState").or_insert_with(|| json!("Succeeded"));
    }
    json!({"id": format!("{parent}/{list}/{name}"), "name": name, "type": of, "properties": properties})
}

/// A list of expected violations as the sidecar file has it.
pub fn expected_json(expected: &[Expected]) -> String {
    let mut text = String::from("[\n");
    for (index, one) in expected.iter().enumerate() {
        text.push_str(if index == 0 { " " } else { ",\n " });
        text.push_str(&json!(one).to_string());
    }
    text.push_str("\n]\n");
    text
}

/// A version-4-looking guid out of a hash of seed and name.
fn guid(seed: u64, name: &str) -> String {
    let (high, low) = (hash(seed, name), hash(seed ^ 0x9e37_79b9_7f4a_7c15, name));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

/// FNV-1a over the name, finished with SplitMix64's mixer.
fn hash(seed: u64, name: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mix(name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// SplitMix64's output function.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
