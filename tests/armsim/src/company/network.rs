//! Virtual networks with their subnets and peerings, NSGs, route tables, NAT gateways, public
//! addresses.

use super::{Resource, Scope, child, tracked};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A subnet of a [`Vnet`].
#[derive(Debug, Clone, Default)]
pub struct Subnet {
    /// Its name.
    pub name: String,
    /// Its prefix.
    pub prefix: String,
    /// The NSG's id.
    pub nsg: Option<String>,
    /// The route table's id.
    pub route_table: Option<String>,
    /// The NAT gateway's id.
    pub nat_gateway: Option<String>,
    /// The service it is delegated to, e.g. `Microsoft.ContainerInstance/containerGroups`.
    pub delegated_to: Option<String>,
    /// Service endpoints, e.g. `Microsoft.Storage`.
    pub service_endpoints: Vec<String>,
}

impl Subnet {
    /// A subnet with nothing attached.
    pub fn new(name: &str, prefix: impl ToString) -> Self {
        Self { name: name.to_owned(), prefix: prefix.to_string(), ..Self::default() }
    }

    fn record(&self, vnet: &str) -> Value {
        let of = "Microsoft.Network/virtualNetworks/subnets";
        let mut properties = json!({
            "addressPrefix": self.prefix, "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled", "delegations": [], "serviceEndpoints": [],
        });
        let references = [
            ("networkSecurityGroup", &self.nsg),
            ("routeTable", &self.route_table),
            ("natGateway", &self.nat_gateway),
        ];
        for (key, id) in references {
            if let Some(id) = id {
                properties[key] = json!({ "id": id });
            }
        }
        if let Some(service) = &self.delegated_to {
            let subnet = format!("{vnet}/subnets/{}", self.name);
            let actions = json!({"serviceName": service,
                "actions": ["Microsoft.Network/virtualNetworks/subnets/action"]});
            properties["delegations"] =
                json!([child(&subnet, "delegations", "delegation", &format!("{of}/delegations"), actions)]);
        }
        properties["serviceEndpoints"] = self
            .service_endpoints
            .iter()
            .map(|service| json!({"service": service, "locations": ["*"], "provisioningState": "Succeeded"}))
            .collect();
        child(vnet, "subnets", &self.name, of, properties)
    }
}

/// A virtual network.
#[derive(Debug, Clone)]
pub struct Vnet {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// Its address space.
    pub prefixes: Vec<String>,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// Custom DNS servers; empty means Azure's.
    pub dns_servers: Vec<String>,
    peerings: Vec<(String, String, bool)>,
}

impl Vnet {
    /// A network without subnets, in the scope's region.
    pub fn new(scope: &Scope, name: &str, prefix: impl ToString) -> Self {
        Self {
            scope: scope.clone(),
            name: name.to_owned(),
            location: scope.location.clone(),
            prefixes: vec![prefix.to_string()],
            subnets: Vec::new(),
            dns_servers: Vec::new(),
            peerings: Vec::new(),
        }
    }

    /// The id of one of its subnets.
    pub fn subnet_id(&self, name: &str) -> String {
        format!("{}/subnets/{name}", self.id())
    }

    /// Peers two networks; with `connected` false the other side was taken away, so that this side
    /// shows as disconnected.
    pub fn peer(&mut self, other: &mut Vnet, connected: bool) {
        self.peerings.push((other.id(), other.prefixes.first().cloned().unwrap_or_default(), connected));
        if connected {
            other.peerings.push((self.id(), self.prefixes.first().cloned().unwrap_or_default(), true));
        }
    }
}

impl Resource for Vnet {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Network/virtualNetworks", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let of = "Microsoft.Network/virtualNetworks";
        let id = self.id();
        let subnets: Vec<Value> = self.subnets.iter().map(|subnet| subnet.record(&id)).collect();
        let peerings = self.peerings.iter().map(|(remote, prefix, connected)| {
            let name = format!("peer-{}", remote.rsplit('/').next().unwrap_or_default());
            let (state, sync) = if *connected { ("Connected", "FullyInSync") } else { ("Disconnected", "RemoteNotInSync") };
            let properties = json!({
                "peeringState": state, "peeringSyncLevel": sync, "remoteVirtualNetwork": {"id": remote},
                "remoteAddressSpace": {"addressPrefixes": [prefix]},
                "remoteVirtualNetworkAddressSpace": {"addressPrefixes": [prefix]},
                "allowVirtualNetworkAccess": true, "allowForwardedTraffic": true, "allowGatewayTransit": false,
                "useRemoteGateways": false, "doNotVerifyRemoteGateways": false,
            });
            child(&id, "virtualNetworkPeerings", &name, &format!("{of}/virtualNetworkPeerings"), properties)
        });
        let mut properties = json!({
            "addressSpace": {"addressPrefixes": self.prefixes}, "subnets": subnets,
            "virtualNetworkPeerings": peerings.collect::<Vec<_>>(), "enableDdosProtection": false,
        });
        if !self.dns_servers.is_empty() {
            properties["dhcpOptions"] = json!({"dnsServers": self.dns_servers});
        }
        vec![tracked(&id, of, &self.location, properties)]
    }
}

/// A rule of an [`Nsg`].
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// 100 to 4096.
    pub priority: u32,
    /// Inbound rather than outbound.
    pub inbound: bool,
    /// Allow rather than deny.
    pub allow: bool,
    /// Tcp, Udp, …, or `*`.
    pub protocol: String,
    /// Prefix, tag or `*`.
    pub source: String,
    /// Prefix, tag or `*`.
    pub destination: String,
    /// Ports, ranges or `*`.
    pub ports: Vec<String>,
}

impl Rule {
    /// Allows TCP from outside in.
    pub fn allow_in(name: &str, priority: u32, source: &str, ports: &[&str]) -> Self {
        Self::new(name, priority, true, true, source, "*", ports)
    }

    /// Allows TCP from inside out.
    pub fn allow_out(name: &str, priority: u32, destination: &str, ports: &[&str]) -> Self {
        Self::new(name, priority, false, true, "VirtualNetwork", destination, ports)
    }

    /// Denies everything from a source.
    pub fn deny_in(name: &str, priority: u32, source: &str) -> Self {
        Self { protocol: "*".to_owned(), ..Self::new(name, priority, true, false, source, "*", &["*"]) }
    }

    /// Denies everything to a destination.
    pub fn deny_out(name: &str, priority: u32, destination: &str) -> Self {
        Self { protocol: "*".to_owned(), ..Self::new(name, priority, false, false, "*", destination, &["*"]) }
    }

    fn new(
        name: &str,
        priority: u32,
        inbound: bool,
        allow: bool,
        source: &str,
        destination: &str,
        ports: &[&str],
    ) -> Self {
        Self {
            name: name.to_owned(),
            priority,
            inbound,
            allow,
            protocol: "Tcp".to_owned(),
            source: source.to_owned(),
            destination: destination.to_owned(),
            ports: ports.iter().map(|port| (*port).to_owned()).collect(),
        }
    }

    fn record(&self, nsg: &str, list: &str) -> Value {
        let mut properties = json!({
            "protocol": self.protocol, "priority": self.priority,
            "direction": if self.inbound { "Inbound" } else { "Outbound" },
            "access": if self.allow { "Allow" } else { "Deny" },
            "sourcePortRange": "*", "sourcePortRanges": [], "destinationPortRanges": [],
            "sourceAddressPrefix": self.source, "sourceAddressPrefixes": [],
            "destinationAddressPrefix": self.destination, "destinationAddressPrefixes": [],
        });
        // One port is given in the singular field, several in the plural.
        match self.ports.as_slice() {
            [one] => properties["destinationPortRange"] = json!(one),
            more => properties["destinationPortRanges"] = json!(more),
        }
        child(nsg, list, &self.name, &format!("Microsoft.Network/networkSecurityGroups/{list}"), properties)
    }
}

/// A network security group.
#[derive(Debug, Clone)]
pub struct Nsg {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// Its own rules; Azure adds six default ones.
    pub rules: Vec<Rule>,
}

impl Nsg {
    /// A group in the scope's region.
    pub fn new(scope: &Scope, name: &str, rules: Vec<Rule>) -> Self {
        Self { scope: scope.clone(), name: name.to_owned(), location: scope.location.clone(), rules }
    }
}

impl Resource for Nsg {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Network/networkSecurityGroups", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let id = self.id();
        let default = |name: &str, priority, inbound, allow, source: &str, destination: &str| {
            let rule = Rule::new(name, priority, inbound, allow, source, destination, &["*"]);
            Rule { protocol: "*".to_owned(), ..rule }.record(&id, "defaultSecurityRules")
        };
        let defaults = [
            default("AllowVnetInBound", 65000, true, true, "VirtualNetwork", "VirtualNetwork"),
            default("AllowAzureLoadBalancerInBound", 65001, true, true, "AzureLoadBalancer", "*"),
            default("DenyAllInBound", 65500, true, false, "*", "*"),
            default("AllowVnetOutBound", 65000, false, true, "VirtualNetwork", "VirtualNetwork"),
            default("AllowInternetOutBound", 65001, false, true, "*", "Internet"),
            default("DenyAllOutBound", 65500, false, false, "*", "*"),
        ];
        let rules: Vec<Value> = self.rules.iter().map(|rule| rule.record(&id, "securityRules")).collect();
        let properties = json!({"securityRules": rules, "defaultSecurityRules": defaults});
        vec![tracked(&id, "Microsoft.Network/networkSecurityGroups", &self.location, properties)]
    }
}

/// A route table.
#[derive(Debug, Clone)]
pub struct RouteTable {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// (name, prefix or tag, next hop type, next hop address or empty)
    pub routes: Vec<(String, String, String, String)>,
}

impl Resource for RouteTable {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Network/routeTables", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let id = self.id();
        let routes = self.routes.iter().map(|(name, prefix, hop, address)| {
            let mut properties =
                json!({"addressPrefix": prefix, "nextHopType": hop, "hasBgpOverride": false});
            if !address.is_empty() {
                properties["nextHopIpAddress"] = json!(address);
            }
            child(&id, "routes", name, "Microsoft.Network/routeTables/routes", properties)
        });
        let properties = json!({"disableBgpRoutePropagation": false, "routes": routes.collect::<Vec<_>>()});
        vec![tracked(&id, "Microsoft.Network/routeTables", &self.location, properties)]
    }
}

/// A NAT gateway with its public address.
#[derive(Debug, Clone)]
pub struct NatGateway {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// The id of its public address.
    pub public_ip: String,
}

impl Resource for NatGateway {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Network/natGateways", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let properties = json!({"idleTimeoutInMinutes": 4, "publicIpAddresses": [{"id": self.public_ip}]});
        let mut record =
            tracked(&self.id(), "Microsoft.Network/natGateways", &self.scope.location, properties);
        record["sku"] = json!({"name": "Standard", "tier": "Regional"});
        vec![record]
    }
}

/// A public address.
#[derive(Debug, Clone)]
pub struct PublicIp {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// The address.
    pub address: String,
    /// The id of the frontend or NIC configuration that has it.
    pub used_by: Option<String>,
}

impl Resource for PublicIp {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Network/publicIPAddresses", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let mut properties = json!({
            "ipAddress": self.address, "publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4, "ipTags": [],
        });
        if let Some(id) = &self.used_by {
            properties["ipConfiguration"] = json!({ "id": id });
        }
        let mut record =
            tracked(&self.id(), "Microsoft.Network/publicIPAddresses", &self.location, properties);
        record["sku"] = json!({"name": "Standard", "tier": "Regional"});
        vec![record]
    }
}

/// Fills in what Azure keeps on both sides: which subnets an NSG, route table or NAT gateway serves,
/// and which endpoints and NIC configurations a subnet holds.
pub(super) fn refer_back(records: &mut [Value]) {
    let mut subnets_of: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut held_by: BTreeMap<String, [Vec<Value>; 2]> = BTreeMap::new();
    for record in records.iter() {
        for subnet in record.pointer("/properties/subnets").and_then(Value::as_array).into_iter().flatten() {
            for key in ["networkSecurityGroup", "routeTable", "natGateway"] {
                if let Some(id) = subnet.pointer(&format!("/properties/{key}/id")).and_then(Value::as_str) {
                    subnets_of.entry(id.to_lowercase()).or_default().push(json!({"id": subnet["id"]}));
                }
            }
        }
        let subnet_of =
            |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_lowercase);
        if record["type"] == "Microsoft.Network/privateEndpoints"
            && let Some(subnet) = subnet_of(record, "/properties/subnet/id")
        {
            held_by.entry(subnet).or_default()[0].push(json!({"id": record["id"]}));
        }
        for key in ["ipConfigurations", "frontendIPConfigurations"] {
            let configurations = record.pointer(&format!("/properties/{key}")).and_then(Value::as_array);
            for configuration in configurations.into_iter().flatten() {
                if let Some(subnet) = subnet_of(configuration, "/properties/subnet/id") {
                    held_by.entry(subnet).or_default()[1].push(json!({"id": configuration["id"]}));
                }
            }
        }
    }
    for record in records.iter_mut() {
        let id = record["id"].as_str().unwrap_or_default().to_lowercase();
        if let Some(subnets) = subnets_of.remove(&id) {
            record["properties"]["subnets"] = json!(subnets);
        }
        if record["type"] != "Microsoft.Network/virtualNetworks" {
            continue;
        }
        for subnet in record["properties"]["subnets"].as_array_mut().into_iter().flatten() {
            let id = subnet["id"].as_str().unwrap_or_default().to_lowercase();
            if let Some([endpoints, configurations]) = held_by.remove(&id) {
                for (key, ids) in [("privateEndpoints", endpoints), ("ipConfigurations", configurations)] {
                    if !ids.is_empty() {
                        subnet["properties"][key] = json!(ids);
                    }
                }
            }
        }
    }
}
