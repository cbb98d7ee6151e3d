//! A small estate to ask about flows: one VNet with a subnet and an interface in it, to be changed at will.

use mlfence::facts::exposure::{Answer, Exposure, Flow};
use mlfence::inventory::{Gap, GapReason, Inventory, Kind, Record, ResourceId, Snapshot};
use serde_json::{Value, json};

pub(crate) const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";

/// The id of a network resource.
pub(crate) fn id(kind: &str, name: &str) -> String {
    format!("{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/{kind}/{name}")
}

pub(crate) fn subnet() -> String {
    format!("{}/subnets/nodes", id("virtualNetworks", "vnet"))
}

pub(crate) fn interface() -> String {
    id("networkInterfaces", "nic")
}

pub(crate) fn resource(text: &str) -> ResourceId {
    ResourceId::parse(text).expect("test ids are not blank")
}

/// Records, and what was not read.
#[derive(Clone)]
pub(crate) struct Estate {
    pub(crate) vnet: Value,
    pub(crate) interface: Value,
    pub(crate) records: Vec<Value>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) unasked: Vec<Kind>,
}

impl Estate {
    /// The VNet 10.1.0.0/16 with the subnet 10.1.0.0/24, and the interface 10.1.0.4, without any group.
    pub(crate) fn new() -> Self {
        Self {
            vnet: json!({
                "id": id("virtualNetworks", "vnet"), "type": "Microsoft.Network/virtualNetworks", "name": "vnet",
                "properties": {
                    "provisioningState": "Succeeded",
                    "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
                    "subnets": [{"id": subnet(), "name": "nodes", "properties": {
                        "provisioningState": "Succeeded", "addressPrefix": "10.1.0.0/24",
                    }}],
                    "virtualNetworkPeerings": [],
                },
            }),
            interface: json!({
                "id": interface(), "type": "Microsoft.Network/networkInterfaces", "name": "nic",
                "properties": {"ipConfigurations": [{"name": "one", "properties": {
                    "privateIPAddress": "10.1.0.4", "subnet": {"id": subnet()},
                }}]},
            }),
            records: Vec::new(),
            gaps: Vec::new(),
            unasked: Vec::new(),
        }
    }

    /// Puts a group on the subnet.
    pub(crate) fn on_subnet(mut self, rules: Vec<Value>) -> Self {
        self.vnet["properties"]["subnets"][0]["properties"]["networkSecurityGroup"] =
            json!({"id": id("networkSecurityGroups", "subnet-nsg")});
        self.records.push(group("subnet-nsg", rules));
        self
    }

    /// Puts a group on the interface.
    pub(crate) fn on_interface(mut self, rules: Vec<Value>) -> Self {
        self.interface["properties"]["networkSecurityGroup"] =
            json!({"id": id("networkSecurityGroups", "nic-nsg")});
        self.records.push(group("nic-nsg", rules));
        self
    }

    /// Gives the subnet a route table; `None` for one that nobody read.
    pub(crate) fn with_routes(mut self, prefixes: Option<&[&str]>) -> Self {
        let table = id("routeTables", "routes");
        self.vnet["properties"]["subnets"][0]["properties"]["routeTable"] = json!({"id": table});
        match prefixes {
            Some(prefixes) => {
                let routes: Vec<Value> = prefixes
                    .iter()
                    .map(|prefix| json!({"name": "r", "properties": {"addressPrefix": prefix, "nextHopType": "VirtualAppliance"}}))
                    .collect();
                self.records.push(json!({"id": table, "type": "Microsoft.Network/routeTables", "properties": {"routes": routes}}));
            }
            None => self.hide(Kind::RouteTables),
        }
        self
    }

    /// Loads service tags.
    pub(crate) fn with_tags(mut self, tags: &Value) -> Self {
        let values: Vec<Value> = tags
            .as_object()
            .expect("tags by their names")
            .iter()
            .map(|(name, prefixes)| json!({"name": name, "id": name, "properties": {"addressPrefixes": prefixes}}))
            .collect();
        self.records.push(json!({
            "id": format!("{SUBSCRIPTION}/providers/Microsoft.Network/serviceTags/Public"),
            "type": "Microsoft.Network/serviceTags", "changeNumber": "376", "cloud": "Public", "values": values,
        }));
        self
    }

    /// Makes a kind unreadable.
    pub(crate) fn hide(&mut self, kind: Kind) {
        self.gaps.push(Gap {
            source: kind,
            scope: resource(SUBSCRIPTION),
            reason: GapReason::Denied,
            detail: "AuthorizationFailed".to_owned(),
        });
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let kinds: serde_json::Map<String, Value> = Kind::ALL
            .iter()
            .filter(|kind| !self.unasked.contains(kind))
            .map(|kind| (kind.name().to_owned(), json!({"via": "resource_graph"})))
            .collect();
        let header = json!({
            "mlfence": "snapshot/1", "taken_at": "2026-11-23T05:00:00Z", "tenant_id": "t", "cloud": "public",
            "subscriptions": [{"id": "00000000-0000-0000-0000-000000000001", "name": "one"}], "kinds": kinds,
        });
        let mut snapshot = Snapshot::new(serde_json::from_value(header).expect("a header"));
        for record in [&self.vnet, &self.interface].into_iter().chain(&self.records) {
            snapshot.add(Record::from_body(record.clone()).expect("a record"));
        }
        snapshot.gaps = self.gaps.clone();
        snapshot
    }

    pub(crate) fn inventory(&self) -> Inventory {
        Inventory::build(&self.snapshot())
    }

    /// Asks at the interface, without a declaration on security admin rules.
    pub(crate) fn ask(&self, flow: &Flow) -> Answer {
        let inventory = self.inventory();
        Exposure::of(&inventory).ask_flow(&resource(&interface()), flow, None)
    }
}

/// A group's record, without its default rules.
pub(crate) fn group(name: &str, rules: Vec<Value>) -> Value {
    json!({
        "id": id("networkSecurityGroups", name), "type": "Microsoft.Network/networkSecurityGroups", "name": name,
        "properties": {"provisioningState": "Succeeded", "securityRules": rules},
    })
}

/// A rule in ARM's form: `from` and `to` as prefix, tag or `*`.
#[allow(clippy::too_many_arguments)]
pub(crate) fn rule(
    name: &str,
    number: i64,
    way: &str,
    does: &str,
    speaks: &str,
    from: &str,
    to: &str,
    ports: &str,
) -> Value {
    json!({"name": name, "properties": {
        "priority": number, "direction": way, "access": does, "protocol": speaks,
        "sourceAddressPrefix": from, "sourcePortRange": "*", "destinationAddressPrefix": to, "destinationPortRange": ports,
        "sourceAddressPrefixes": [], "destinationAddressPrefixes": [],
    }})
}
