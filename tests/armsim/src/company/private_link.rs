//! Private endpoints with their NICs, and private DNS zones with their links.

use super::{Resource, Scope, child, tracked};
use serde_json::{Value, json};

/// A private endpoint.
#[derive(Debug, Clone)]
pub struct PrivateEndpoint {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its region, which is its network's.
    pub location: String,
    /// The subnet it is in.
    pub subnet: String,
    /// The resource behind it.
    pub target: String,
    /// The sub-resource: `amlworkspace`, `registry`, `management`, …
    pub group: String,
    /// Approved, Pending, Rejected or Disconnected.
    pub status: String,
    /// Its private address.
    pub address: String,
    /// The names that lead to it.
    pub fqdns: Vec<String>,
}

impl PrivateEndpoint {
    fn nic_id(&self) -> String {
        self.scope.id("Microsoft.Network/networkInterfaces", &format!("{}-nic", self.name))
    }

    fn state(&self) -> Value {
        let description = if self.status == "Approved" { "Auto-Approved" } else { "" };
        json!({"status": self.status, "description": description, "actionsRequired": "None"})
    }

    /// The entry of the target's `privateEndpointConnections`. A workspace also tells the subnet.
    pub fn connection(&self, target_type: &str) -> Value {
        let list = "privateEndpointConnections";
        let mut endpoint = json!({"id": self.id()});
        if target_type.eq_ignore_ascii_case("Microsoft.MachineLearningServices/workspaces") {
            endpoint["subnetArmId"] = json!(self.subnet);
        }
        let properties =
            json!({"privateEndpoint": endpoint, "privateLinkServiceConnectionState": self.state()});
        let mut connection =
            child(&self.target, list, &self.name, &format!("{target_type}/{list}"), properties);
        connection["location"] = json!(self.location);
        connection
    }
}

impl Resource for PrivateEndpoint {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Network/privateEndpoints", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let id = self.id();
        let link = json!({"privateLinkServiceId": self.target, "groupIds": [self.group],
            "privateLinkServiceConnectionState": self.state()});
        let of = "Microsoft.Network/privateEndpoints";
        let links = format!("{of}/privateLinkServiceConnections");
        let endpoint = json!({
            "subnet": {"id": self.subnet}, "networkInterfaces": [{"id": self.nic_id()}],
            "privateLinkServiceConnections": [child(&id, "privateLinkServiceConnections", &self.name, &links, link)],
            "manualPrivateLinkServiceConnections": [], "ipConfigurations": [], "customNetworkInterfaceName": "",
            "customDnsConfigs": self.fqdns.iter()
                .map(|fqdn| json!({"fqdn": fqdn, "ipAddresses": [self.address]})).collect::<Vec<_>>(),
        });
        let nic_type = "Microsoft.Network/networkInterfaces";
        let configuration = json!({
            "privateIPAddress": self.address, "privateIPAllocationMethod": "Dynamic", "primary": true,
            "privateIPAddressVersion": "IPv4", "subnet": {"id": self.subnet},
            "privateLinkConnectionProperties": {"groupId": self.group, "requiredMemberName": self.group,
                "fqdns": self.fqdns},
        });
        let configurations = format!("{nic_type}/ipConfigurations");
        let nic = json!({
            "ipConfigurations": [child(&self.nic_id(), "ipConfigurations", "privateEndpointIpConfig",
                &configurations, configuration)],
            "privateEndpoint": {"id": id}, "enableAcceleratedNetworking": false, "enableIPForwarding": false,
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []}, "nicType": "Standard",
        });
        vec![
            tracked(&id, of, &self.location, endpoint),
            tracked(&self.nic_id(), nic_type, &self.location, nic),
        ]
    }
}

/// A private DNS zone with links to networks.
#[derive(Debug, Clone)]
pub struct DnsZone {
    /// Where it is.
    pub scope: Scope,
    /// The zone's name.
    pub name: String,
    /// The ids of the networks it is linked to.
    pub networks: Vec<String>,
}

impl Resource for DnsZone {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Network/privateDnsZones", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let (id, of) = (self.id(), "Microsoft.Network/privateDnsZones");
        let zone = json!({"numberOfRecordSets": 2, "numberOfVirtualNetworkLinks": self.networks.len(),
            "maxNumberOfRecordSets": 25000});
        let links = self.networks.iter().map(|network| {
            let name = format!("link-{}", network.rsplit('/').next().unwrap_or_default());
            let properties = json!({"virtualNetwork": {"id": network}, "registrationEnabled": false,
                "virtualNetworkLinkState": "Completed"});
            let link = format!("{id}/virtualNetworkLinks/{name}");
            tracked(&link, &format!("{of}/virtualNetworkLinks"), "global", properties)
        });
        std::iter::once(tracked(&id, of, "global", zone)).chain(links).collect()
    }
}
