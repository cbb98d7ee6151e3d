//! What all estates here share: the tenant with its management groups and roles, and the hub
//! networks of the connectivity subscription, to which spokes are peered.

use super::network::{NatGateway, PublicIp, RouteTable, Subnet, Vnet};
use super::{
    Block, Company, DEPLOYER, DnsZone, Nsg, PrivateEndpoint, Resource, Role, RoleAssignment, Rule, Scope,
    definitions, service_tags,
};
use crate::Estate;
use crate::arm_id::ArmId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The hub's address space; spokes take theirs from the rest of 10.0.0.0/8.
const HUB: Block = Block::wide(255);
/// Who calls models from there.
pub(super) const HUB_CALLERS: &str = "10.255.1.0/24";
/// The last quarter of it, for endpoints.
const ENDPOINTS: u32 = 3;
/// Region of everything unless told otherwise.
pub(super) const REGION: &str = "westeurope";

/// The shared part of an estate in the making.
pub(super) struct Landscape {
    pub(super) company: Company,
    /// The connectivity subscription's group.
    pub(super) connectivity: Scope,
    hubs: Vec<Hub>,
    linked: Vec<String>,
    /// Whom and where to ask for role assignments.
    asked: Vec<(String, String)>,
    /// Whether the customer's own role is there.
    custom_role: bool,
}

struct Hub {
    vnet: Vnet,
    next_address: u32,
}

impl Landscape {
    pub(super) fn new(domain: &str, seed: u64) -> Self {
        let mut company = Company::new(domain, seed);
        let platform = [("mg-connectivity", "Connectivity"), ("mg-contoso", "Contoso")];
        let subscription = company.subscription("connectivity", &platform);
        let connectivity = company.group(&subscription, "rg-connectivity-we", REGION);
        definitions().into_iter().for_each(|definition| company.push(definition));
        company.push(service_tags(&subscription));
        let mut land = Self {
            company,
            connectivity,
            hubs: Vec::new(),
            linked: Vec::new(),
            asked: Vec::new(),
            custom_role: false,
        };
        land.grant("/", Role::Reader, "auditors", "Group");
        let group = "/providers/Microsoft.Management/managementGroups/mg-contoso";
        land.grant(group, Role::Owner, "platform-admins", "Group");
        // Somebody is in it, so that the directory is known: nobody else is in any group.
        let [admins, admin] = ["platform-admins", "platform-admin-1"]
            .map(|name| land.company.guid(&format!("principal {name}")));
        land.company.member(&admins, &admin);
        land.add_hub();
        land
    }

    /// A subscription for machine learning.
    pub(super) fn subscription(&mut self, name: &str) -> String {
        self.company.subscription(name, &[("mg-landingzones", "Landing zones"), ("mg-contoso", "Contoso")])
    }

    /// Another hub network; spokes are peered with the latest.
    pub(super) fn add_hub(&mut self) {
        let name = format!("vnet-hub-we-{:02}", self.hubs.len() + 1);
        let scope = &self.connectivity;
        let allow = Rule::allow_in("allow-vnet-https", 200, "VirtualNetwork", &["443"]);
        let rules = vec![allow, Rule::deny_in("deny-internet", 4000, "Internet")];
        let nsg = Nsg::new(scope, &format!("nsg-{name}-pe"), rules);
        let route = |name: &str, prefix: &str, hop: &str| {
            (name.to_owned(), prefix.to_owned(), hop.to_owned(), String::new())
        };
        let routes = RouteTable {
            scope: scope.clone(),
            name: format!("rt-{name}-dns"),
            location: REGION.to_owned(),
            routes: vec![
                route("aad", "AzureActiveDirectory", "Internet"),
                route("private", "10.0.0.0/8", "VnetLocal"),
            ],
        };
        let address = PublicIp {
            scope: scope.clone(),
            name: format!("pip-nat-{name}"),
            location: REGION.to_owned(),
            address: format!("20.86.100.{}", self.hubs.len() + 1),
            used_by: None,
        };
        let nat = NatGateway { scope: scope.clone(), name: format!("nat-{name}"), public_ip: address.id() };
        let mut vnet = Vnet::new(scope, &name, HUB);
        vnet.subnets = vec![
            Subnet::new("AzureFirewallSubnet", HUB.part(26, 0)),
            Subnet::new("GatewaySubnet", HUB.part(27, 2)),
            Subnet {
                route_table: Some(routes.id()),
                nat_gateway: Some(nat.id()),
                ..Subnet::new("snet-dns", HUB.part(24, 1))
            },
            Subnet { nsg: Some(nsg.id()), ..Subnet::new("snet-pe", HUB.quarter(ENDPOINTS)) },
        ];
        self.company.add(&nsg);
        self.company.add(&routes);
        self.company.add(&address);
        self.company.add(&nat);
        self.linked.push(vnet.id());
        self.hubs.push(Hub { vnet, next_address: 4 });
    }

    /// The latest hub's network, to be peered with.
    pub(super) fn peer(&mut self, spoke: &mut Vnet, connected: bool) {
        if let Some(hub) = self.hubs.last_mut() {
            spoke.peer(&mut hub.vnet, connected);
        }
        self.linked.push(spoke.id());
    }

    /// An endpoint in the latest hub.
    pub(super) fn endpoint(&mut self, name: &str, target: &str, group: &str) -> PrivateEndpoint {
        let (subnet, address) = match self.hubs.last_mut() {
            Some(hub) => {
                hub.next_address += 1;
                (hub.vnet.subnet_id("snet-pe"), HUB.quarter(ENDPOINTS).address(hub.next_address))
            }
            None => Default::default(),
        };
        endpoint(&self.connectivity, REGION, name, target, group, subnet, address)
    }

    /// Assigns a role to the principal of that name.
    pub(super) fn grant(&mut self, scope: &str, role: Role, principal: &str, principal_type: &str) {
        let assignment = RoleAssignment {
            guid: self.company.guid(&format!("assignment {principal} {} {scope}", role.guid())),
            scope: scope.to_owned(),
            asked: self.connectivity.subscription.clone(),
            role,
            principal: self.principal(principal),
            principal_type: principal_type.to_owned(),
        };
        self.company.add(&assignment);
    }

    /// Assigns a role to the deployer.
    pub(super) fn grant_deployer(&mut self, scope: &str, role: Role) {
        if role == Role::MisspeltDeployer && !std::mem::replace(&mut self.custom_role, true) {
            self.company.push(role.definition());
        }
        let assignment = RoleAssignment {
            guid: self.company.guid(&format!("assignment {DEPLOYER} {} {scope}", role.guid())),
            scope: scope.to_owned(),
            asked: self.connectivity.subscription.clone(),
            role,
            principal: DEPLOYER.to_owned(),
            principal_type: "ServicePrincipal".to_owned(),
        };
        self.company.add(&assignment);
    }

    /// The object id of the principal of that name.
    pub(super) fn principal(&self, name: &str) -> String {
        self.company.guid(&format!("principal {name}"))
    }

    /// Keeps what Azure would answer when asked which assignments reach a principal at a subnet. A right that nobody gave
    /// directly is proven to be missing only by such an answer, for a grant to a group may give it.
    pub(super) fn ask(&mut self, principal: &str, subnet: &str) {
        self.asked.push((principal.to_owned(), subnet.to_owned()));
    }

    /// Puts the hubs and the zones in, and ends the work.
    pub(super) fn finish(mut self) -> Estate {
        for hub in &self.hubs {
            self.company.add(&hub.vnet);
        }
        for name in
            ["privatelink.api.azureml.ms", "privatelink.notebooks.azure.net", "privatelink.azurecr.io"]
        {
            let networks = self.linked.clone();
            self.company.add(&DnsZone { scope: self.connectivity.clone(), name: name.to_owned(), networks });
        }
        self.answer();
        self.company.finish()
    }

    fn answer(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        if asked.is_empty() {
            return;
        }
        let about: BTreeSet<&str> = asked.iter().map(|(principal, _)| principal.as_str()).collect();
        let mut grants: BTreeMap<&str, Vec<(ArmId, &str)>> = BTreeMap::new();
        for record in self.company.records() {
            let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
            if let (Some(principal), Some(scope), Some(id)) =
                (text("/properties/principalId"), text("/properties/scope"), text("/id"))
                && about.contains(principal)
            {
                grants.entry(principal).or_default().push((ArmId::new(scope), id));
            }
        }
        let answer = |(principal, subnet): &(String, String)| {
            let at = ArmId::new(subnet);
            let own = grants.get(principal.as_str()).into_iter().flatten();
            // At, above and below. Nobody who is asked about is in a group.
            let reach = own.filter(|(scope, _)| scope.contains(&at) || at.contains(scope));
            let ids: Vec<&str> = reach.map(|(_, id)| *id).collect();
            json!({"question": "assigned_to", "principal": principal, "scope": subnet, "assignments": ids})
        };
        let answers: Vec<Value> = asked.iter().map(answer).collect();
        self.company.answers(answers);
    }

    /// Adds a record as it is.
    pub(super) fn push(&mut self, record: Value) {
        self.company.push(record);
    }
}

/// An approved endpoint.
pub(super) fn endpoint(
    scope: &Scope,
    location: &str,
    name: &str,
    target: &str,
    group: &str,
    subnet: String,
    address: String,
) -> PrivateEndpoint {
    let host = target.rsplit('/').next().unwrap_or_default();
    let fqdn = match group {
        "registry" => format!("{host}.azurecr.io"),
        _ => format!("{host}.workspace.{location}.api.azureml.ms"),
    };
    PrivateEndpoint {
        scope: scope.clone(),
        name: name.to_owned(),
        location: location.to_owned(),
        subnet,
        target: target.to_owned(),
        group: group.to_owned(),
        status: "Approved".to_owned(),
        address,
        fqdns: vec![fqdn],
    }
}
