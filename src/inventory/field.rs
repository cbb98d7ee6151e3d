//! Every field of a record that facts rest on, and what its absence means: the one table.
//!
//! `null`, a missing key and `""` all mean "not set" in Azure's answers, for the same field at different
//! times. Whether "not set" means "there is none" or "this version does not tell" differs by field.

use serde_json::{Map, Value};

use super::{Code, Kind, Known, Reason, Record, ResourceId};

/// What the absence of a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// There is none: no private endpoint, no delegation.
    Nothing,
    /// It is not known; whatever rests on it is unknown.
    NotTold,
    /// Another field tells the same, or decides together with this one; if that is absent too, it is unknown.
    Elsewhere,
}

/// A field that facts read.
#[derive(Debug)]
pub struct Field {
    /// The kind of record.
    pub kind: Kind,
    /// The keys from the record's body; `[]` stands for each element of a list.
    pub path: &'static str,
    /// What it means if the key is missing or null.
    pub absent: Absent,
    /// What it means if it is `[]` or `""`.
    pub empty: Absent,
}

/// An object of a record: the whole body, or an element of one of its lists.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    id: &'a ResourceId,
    object: Option<&'a Map<String, Value>>,
}

impl<'a> Part<'a> {
    /// The body of a record.
    pub fn of(record: &'a Record) -> Self {
        Self { id: record.id(), object: Some(record.body()) }
    }

    fn element(self, value: &'a Value) -> Self {
        Self { id: self.id, object: value.as_object() }
    }
}

impl Field {
    /// What stands at the path; none for null.
    fn raw<'a>(&self, part: Part<'a>) -> Known<Option<&'a Value>> {
        let tail = self.path.rsplit("[].").next().unwrap_or(self.path);
        let mut keys = tail.split('.');
        let last = keys.next_back().unwrap_or(tail);
        let mut object = part.object;
        for key in keys {
            object = match object.and_then(|object| object.get(key)) {
                Some(Value::Object(inner)) => Some(inner),
                Some(Value::Null) | None => None,
                Some(_) => return Err(self.malformed(part, "an object")),
            };
        }
        Ok(object.and_then(|object| object.get(last)).filter(|value| !value.is_null()))
    }

    /// Whether there is an object at all; for fields whose own fields are read by themselves.
    pub fn is_object(&self, part: Part<'_>) -> Known<bool> {
        match self.raw(part)? {
            None => Ok(false),
            Some(Value::Object(_)) => Ok(true),
            Some(_) => Err(self.malformed(part, "an object")),
        }
    }

    /// The value; none where its absence means that there is none.
    fn value<'a>(&self, part: Part<'a>) -> Known<Option<&'a Value>> {
        let value = self.raw(part)?;
        let meaning = match value {
            None => self.absent,
            Some(Value::String(text)) if text.trim().is_empty() => self.empty,
            Some(Value::Array(items)) if items.is_empty() => self.empty,
            Some(value) => return Ok(Some(value)),
        };
        match meaning {
            Absent::Nothing => Ok(None),
            Absent::NotTold | Absent::Elsewhere => {
                let message = format!("{} does not tell `{}`", part.id, self.path);
                Err(Reason::new(Code::NotTold, message))
            }
        }
    }

    /// The value as text.
    pub fn text<'a>(&self, part: Part<'a>) -> Known<Option<&'a str>> {
        match self.value(part)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim())),
            Some(_) => Err(self.malformed(part, "text")),
        }
    }

    /// The value as text, for fields whose absence is not "none".
    pub fn told_text<'a>(&self, part: Part<'a>) -> Known<&'a str> {
        let missing = || Reason::new(Code::NotTold, format!("{} does not tell `{}`", part.id, self.path));
        self.text(part)?.ok_or_else(missing)
    }

    /// The value as a truth; Azure writes some of them as text.
    pub fn flag(&self, part: Part<'_>) -> Known<Option<bool>> {
        match self.value(part)? {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(self.malformed(part, "true or false")),
        }
    }

    /// The value as a truth, for fields whose absence is not "none".
    pub fn told_flag(&self, part: Part<'_>) -> Known<bool> {
        let missing = || Reason::new(Code::NotTold, format!("{} does not tell `{}`", part.id, self.path));
        self.flag(part)?.ok_or_else(missing)
    }

    /// Whether there is a value at all.
    pub fn is_told(&self, part: Part<'_>) -> Known<bool> {
        Ok(self.value(part)?.is_some())
    }

    /// The value as a whole number; Azure writes some of them as text.
    pub fn number(&self, part: Part<'_>) -> Known<Option<i64>> {
        let number = match self.value(part)? {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| self.malformed(part, "a whole number"))
    }

    /// The elements of a list.
    pub fn list<'a>(&self, part: Part<'a>) -> Known<Vec<Part<'a>>> {
        self.no_text(part)?;
        match self.value(part)? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                if items.iter().any(|item| !item.is_object()) {
                    return Err(self.malformed(part, "a list of objects"));
                }
                Ok(items.iter().map(|item| part.element(item)).collect())
            }
            Some(_) => Err(self.malformed(part, "a list")),
        }
    }

    /// Blank text stands for an unset text, never for an empty list.
    fn no_text(&self, part: Part<'_>) -> Known<()> {
        let tail = self.path.rsplit("[].").next().unwrap_or(self.path);
        let mut keys = tail.split('.').peekable();
        let mut object = part.object;
        while let (Some(inside), Some(key)) = (object, keys.next()) {
            match inside.get(key) {
                Some(Value::String(_)) if keys.peek().is_none() => return Err(self.malformed(part, "a list")),
                Some(Value::Object(inner)) => object = Some(inner),
                _ => break,
            }
        }
        Ok(())
    }

    /// The texts of a list.
    pub fn texts(&self, part: Part<'_>) -> Known<Vec<String>> {
        self.no_text(part)?;
        match self.value(part)? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let texts: Option<Vec<String>> =
                    items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned())).collect();
                texts.ok_or_else(|| self.malformed(part, "a list of texts"))
            }
            Some(_) => Err(self.malformed(part, "a list")),
        }
    }

    /// The value as an ARM id.
    pub fn id(&self, part: Part<'_>) -> Known<Option<ResourceId>> {
        Ok(self.text(part)?.and_then(ResourceId::parse))
    }

    /// The value as an ARM id, for fields whose absence is not "none".
    pub fn told_id(&self, part: Part<'_>) -> Known<ResourceId> {
        let text = self.told_text(part)?;
        ResourceId::parse(text).ok_or_else(|| self.malformed(part, "an ARM id"))
    }

    fn malformed(&self, part: Part<'_>, expected: &str) -> Reason {
        Reason::new(Code::Malformed, format!("`{}` of {} is not {expected}", self.path, part.id))
    }
}

macro_rules! fields {
    ($(#[$doc:meta])* $table:ident; $($kind:ident { $($name:ident $path:literal $absent:ident $empty:ident;)+ })+) => {
        $($(
            #[doc = concat!("`", $path, "`")]
            pub const $name: Field = Field {
                kind: Kind::$kind,
                path: $path,
                absent: Absent::$absent,
                empty: Absent::$empty,
            };
        )+)+

        $(#[$doc])*
        pub const $table: &[&Field] = &[$($(&$name),+),+];
    };
}

mod access;
mod serving;
pub use access::*;
pub use serving::*;

// Columns: path, meaning of absence, meaning of emptiness.
fields! {
    /// The whole table.
    ALL;
    Workspaces {
        WORKSPACE_LOCATION "location" NotTold NotTold;
        WORKSPACE_STATE "properties.provisioningState" NotTold NotTold;
        // Older versions leave the list out where there is no connection.
        WORKSPACE_ENDPOINTS "properties.privateEndpointConnections" Nothing Nothing;
        WORKSPACE_ENDPOINT_ID "properties.privateEndpointConnections[].properties.privateEndpoint.id" NotTold NotTold;
        // Told by newer versions; the endpoint's own record tells it too.
        WORKSPACE_ENDPOINT_SUBNET "properties.privateEndpointConnections[].properties.privateEndpoint.subnetArmId" Elsewhere Elsewhere;
        WORKSPACE_ENDPOINT_STATUS "properties.privateEndpointConnections[].properties.privateLinkServiceConnectionState.status" NotTold NotTold;
        WORKSPACE_ENDPOINT_STATE "properties.privateEndpointConnections[].properties.provisioningState" NotTold NotTold;
        // Only a project has a hub.
        WORKSPACE_HUB "properties.hubResourceId" Nothing Nothing;
        // Null until the first image is built.
        WORKSPACE_REGISTRY "properties.containerRegistry" Nothing Nothing;
    }
    Computes {
        COMPUTE_TYPE "properties.computeType" NotTold NotTold;
        // Told by newer versions; an attachment that does not tell it is neither proven attached nor made.
        COMPUTE_ATTACHED "properties.isAttachedCompute" NotTold NotTold;
        // Null while nothing is deployed.
        COMPUTE_FQDN "properties.properties.clusterFqdn" Nothing Nothing;
        COMPUTE_STATE "properties.provisioningState" NotTold NotTold;
        // Null on a broken attachment.
        COMPUTE_RESOURCE "properties.resourceId" NotTold NotTold;
        // Recorded only where Azure Machine Learning made the cluster; the cluster tells it too.
        COMPUTE_SERVICE_CIDR "properties.properties.aksNetworkingConfiguration.serviceCidr" Elsewhere Elsewhere;
        COMPUTE_DNS_SERVICE_IP "properties.properties.aksNetworkingConfiguration.dnsServiceIP" Elsewhere Elsewhere;
        COMPUTE_DOCKER_BRIDGE "properties.properties.aksNetworkingConfiguration.dockerBridgeCidr" Elsewhere Elsewhere;
    }
    Services {
        // A container group at the service's address tells it too.
        SERVICE_COMPUTE_TYPE "properties.computeType" Elsewhere Elsewhere;
        SERVICE_STATE "properties.state" NotTold NotTold;
        SERVICE_VNET "properties.vnetConfiguration.vnetName" Nothing Nothing;
        SERVICE_SUBNET "properties.vnetConfiguration.subnetName" Nothing Nothing;
        // Three ways to tell the address; null until the first deployment is ready.
        SERVICE_SCORING_URI "properties.scoringUri" Nothing Nothing;
        SERVICE_PUBLIC_IP "properties.publicIp" Nothing Nothing;
        SERVICE_PUBLIC_FQDN "properties.publicFqdn" Nothing Nothing;
    }
    AksClusters {
        CLUSTER_LOCATION "location" NotTold NotTold;
        // An edge zone is not its parent region.
        CLUSTER_EDGE_ZONE "extendedLocation.name" Nothing Nothing;
        CLUSTER_STATE "properties.provisioningState" NotTold NotTold;
        CLUSTER_VERSION "properties.kubernetesVersion" NotTold NotTold;
        // The public and the private name tell it as well.
        CLUSTER_PRIVATE "properties.apiServerAccessProfile.enablePrivateCluster" Elsewhere Elsewhere;
        // On unless turned off, so absence is not "off".
        CLUSTER_PUBLIC_FQDN "properties.apiServerAccessProfile.enablePrivateClusterPublicFQDN" NotTold NotTold;
        CLUSTER_DNS_ZONE "properties.apiServerAccessProfile.privateDNSZone" Nothing Nothing;
        CLUSTER_FQDN "properties.fqdn" Nothing Nothing;
        CLUSTER_PRIVATE_FQDN "properties.privateFQDN" Nothing Nothing;
        // Only clusters without a VNet of the customer's are looked up there.
        CLUSTER_NODE_GROUP "properties.nodeResourceGroup" Elsewhere Elsewhere;
        // Every cluster has a node pool.
        CLUSTER_POOLS "properties.agentPoolProfiles" NotTold NotTold;
        // Absent: AKS made the VNet.
        CLUSTER_POOL_SUBNET "properties.agentPoolProfiles[].vnetSubnetID" Nothing Nothing;
        CLUSTER_POD_SUBNET "properties.agentPoolProfiles[].podSubnetID" Nothing Nothing;
        // With API server VNet integration only.
        CLUSTER_API_SUBNET "properties.apiServerAccessProfile.subnetId" Nothing Nothing;
        CLUSTER_NETWORK_PLUGIN "properties.networkProfile.networkPlugin" NotTold NotTold;
        CLUSTER_NETWORK_MODE "properties.networkProfile.networkPluginMode" Nothing Nothing;
        CLUSTER_IP_FAMILIES "properties.networkProfile.ipFamilies" Nothing Nothing;
        // Old clusters return the singular only, new ones both.
        CLUSTER_SERVICE_CIDR "properties.networkProfile.serviceCidr" Elsewhere Elsewhere;
        CLUSTER_SERVICE_CIDRS "properties.networkProfile.serviceCidrs" Elsewhere Elsewhere;
        // Absent on flat Azure CNI, where pods use the subnet.
        CLUSTER_POD_CIDR "properties.networkProfile.podCidr" Elsewhere Elsewhere;
        CLUSTER_POD_CIDRS "properties.networkProfile.podCidrs" Elsewhere Elsewhere;
        CLUSTER_DNS_SERVICE_IP "properties.networkProfile.dnsServiceIP" NotTold NotTold;
        // Gone from api-version 2023-04-01 on.
        CLUSTER_DOCKER_BRIDGE "properties.networkProfile.dockerBridgeCidr" Elsewhere Elsewhere;
    }
    ContainerGroups {
        GROUP_STATE "properties.provisioningState" NotTold NotTold;
        // Old groups have a network profile instead, and newer versions may show neither.
        GROUP_SUBNETS "properties.subnetIds" Elsewhere Elsewhere;
        GROUP_SUBNET_ID "properties.subnetIds[].id" NotTold NotTold;
        GROUP_PROFILE "properties.networkProfile.id" Elsewhere Elsewhere;
        // A group in a VNet has type Private; no address at all proves nothing.
        GROUP_ADDRESS_TYPE "properties.ipAddress.type" Elsewhere Elsewhere;
        GROUP_ADDRESS "properties.ipAddress.ip" Nothing Nothing;
        GROUP_FQDN "properties.ipAddress.fqdn" Nothing Nothing;
        GROUP_CONTAINERS "properties.containers" NotTold NotTold;
        GROUP_IMAGE "properties.containers[].properties.image" NotTold NotTold;
    }
    NetworkProfiles {
        PROFILE_CONFIGURATIONS "properties.containerNetworkInterfaceConfigurations" NotTold NotTold;
        PROFILE_IP_CONFIGURATIONS "properties.containerNetworkInterfaceConfigurations[].properties.ipConfigurations" NotTold NotTold;
        PROFILE_SUBNET "properties.containerNetworkInterfaceConfigurations[].properties.ipConfigurations[].properties.subnet.id" NotTold NotTold;
        PROFILE_INTERFACES "properties.containerNetworkInterfaces" Nothing Nothing;
        PROFILE_CONTAINER "properties.containerNetworkInterfaces[].properties.container.id" Nothing Nothing;
    }
    Registries {
        REGISTRY_STATE "properties.provisioningState" NotTold NotTold;
        REGISTRY_LOGIN_SERVER "properties.loginServer" Elsewhere Elsewhere;
        REGISTRY_SKU "sku.name" Elsewhere Elsewhere;
        REGISTRY_PUBLIC "properties.publicNetworkAccess" NotTold NotTold;
        // Only Premium has one.
        REGISTRY_DEFAULT_ACTION "properties.networkRuleSet.defaultAction" NotTold NotTold;
        // Gone from api-version 2022-02-01-preview on; the subnet's service endpoints give a hint.
        REGISTRY_VNET_RULES "properties.networkRuleSet.virtualNetworkRules" Elsewhere Nothing;
        REGISTRY_VNET_RULE_ID "properties.networkRuleSet.virtualNetworkRules[].id" NotTold NotTold;
        REGISTRY_ENDPOINTS "properties.privateEndpointConnections" NotTold Nothing;
        REGISTRY_ENDPOINT_ID "properties.privateEndpointConnections[].properties.privateEndpoint.id" NotTold NotTold;
        REGISTRY_ENDPOINT_STATUS "properties.privateEndpointConnections[].properties.privateLinkServiceConnectionState.status" NotTold NotTold;
        REGISTRY_ENDPOINT_STATE "properties.privateEndpointConnections[].properties.provisioningState" NotTold NotTold;
    }
    VirtualNetworks {
        VNET_STATE "properties.provisioningState" NotTold NotTold;
        VNET_PREFIXES "properties.addressSpace.addressPrefixes" NotTold NotTold;
        VNET_SUBNETS "properties.subnets" NotTold Nothing;
        SUBNET_ID "properties.subnets[].id" NotTold NotTold;
        SUBNET_STATE "properties.subnets[].properties.provisioningState" NotTold NotTold;
        // One of the two; neither while an address pool's allocation is not resolved.
        SUBNET_PREFIX "properties.subnets[].properties.addressPrefix" Elsewhere Elsewhere;
        SUBNET_PREFIXES "properties.subnets[].properties.addressPrefixes" Elsewhere Elsewhere;
        SUBNET_DELEGATIONS "properties.subnets[].properties.delegations" Nothing Nothing;
        DELEGATION_SERVICE "properties.subnets[].properties.delegations[].properties.serviceName" NotTold NotTold;
        DELEGATION_STATE "properties.subnets[].properties.delegations[].properties.provisioningState" NotTold NotTold;
        SUBNET_SERVICE_ENDPOINTS "properties.subnets[].properties.serviceEndpoints" Nothing Nothing;
        SERVICE_ENDPOINT_SERVICE "properties.subnets[].properties.serviceEndpoints[].service" NotTold NotTold;
        VNET_PEERINGS "properties.virtualNetworkPeerings" Nothing Nothing;
        PEERING_REMOTE "properties.virtualNetworkPeerings[].properties.remoteVirtualNetwork.id" NotTold NotTold;
        PEERING_STATE "properties.virtualNetworkPeerings[].properties.peeringState" NotTold NotTold;
        // Absent: the whole VNets are peered.
        PEERING_COMPLETE "properties.virtualNetworkPeerings[].properties.peerCompleteVnets" Nothing Nothing;
        PEERING_ACCESS "properties.virtualNetworkPeerings[].properties.allowVirtualNetworkAccess" NotTold NotTold;
    }
    PrivateEndpoints {
        // The connection has a state of its own.
        ENDPOINT_STATE "properties.provisioningState" Elsewhere Elsewhere;
        // A workspace's connection tells the subnet as well.
        ENDPOINT_SUBNET "properties.subnet.id" Elsewhere Elsewhere;
        ENDPOINT_CONNECTIONS "properties.privateLinkServiceConnections" Nothing Nothing;
        ENDPOINT_TARGET "properties.privateLinkServiceConnections[].properties.privateLinkServiceId" Nothing Nothing;
        ENDPOINT_STATUS "properties.privateLinkServiceConnections[].properties.privateLinkServiceConnectionState.status" Nothing Nothing;
        ENDPOINT_MANUAL_CONNECTIONS "properties.manualPrivateLinkServiceConnections" Nothing Nothing;
        ENDPOINT_MANUAL_TARGET "properties.manualPrivateLinkServiceConnections[].properties.privateLinkServiceId" Nothing Nothing;
        ENDPOINT_MANUAL_STATUS "properties.manualPrivateLinkServiceConnections[].properties.privateLinkServiceConnectionState.status" Nothing Nothing;
    }
}

fields! {
    /// What flows rest on: the rest of the table.
    FLOW_ALL;
    NetworkSecurityGroups {
        // Absent in trimmed exports; then nothing says that a change is under way.
        NSG_STATE "properties.provisioningState" Nothing Nothing;
        NSG_RULES "properties.securityRules" NotTold Nothing;
        // The same six everywhere; trimmed exports leave them out. Their fields are those of `securityRules`.
        NSG_DEFAULT_RULES "properties.defaultSecurityRules" Nothing Nothing;
        RULE_NAME "properties.securityRules[].name" NotTold NotTold;
        RULE_PRIORITY "properties.securityRules[].properties.priority" NotTold NotTold;
        RULE_DIRECTION "properties.securityRules[].properties.direction" NotTold NotTold;
        RULE_ACCESS "properties.securityRules[].properties.access" NotTold NotTold;
        RULE_PROTOCOL "properties.securityRules[].properties.protocol" NotTold NotTold;
        // Singular, plural and groups are united; a side without any of them is malformed, never "any".
        RULE_SOURCE "properties.securityRules[].properties.sourceAddressPrefix" Elsewhere Elsewhere;
        RULE_SOURCES "properties.securityRules[].properties.sourceAddressPrefixes" Elsewhere Elsewhere;
        RULE_SOURCE_GROUPS "properties.securityRules[].properties.sourceApplicationSecurityGroups" Elsewhere Elsewhere;
        RULE_SOURCE_GROUP "properties.securityRules[].properties.sourceApplicationSecurityGroups[].id" NotTold NotTold;
        RULE_SOURCE_PORT "properties.securityRules[].properties.sourcePortRange" Elsewhere Elsewhere;
        RULE_SOURCE_PORTS "properties.securityRules[].properties.sourcePortRanges" Elsewhere Elsewhere;
        RULE_DESTINATION "properties.securityRules[].properties.destinationAddressPrefix" Elsewhere Elsewhere;
        RULE_DESTINATIONS "properties.securityRules[].properties.destinationAddressPrefixes" Elsewhere Elsewhere;
        RULE_DESTINATION_GROUPS "properties.securityRules[].properties.destinationApplicationSecurityGroups" Elsewhere Elsewhere;
        RULE_DESTINATION_GROUP "properties.securityRules[].properties.destinationApplicationSecurityGroups[].id" NotTold NotTold;
        RULE_DESTINATION_PORT "properties.securityRules[].properties.destinationPortRange" Elsewhere Elsewhere;
        RULE_DESTINATION_PORTS "properties.securityRules[].properties.destinationPortRanges" Elsewhere Elsewhere;
    }
    RouteTables {
        ROUTES "properties.routes" NotTold Nothing;
        ROUTE_PREFIX "properties.routes[].properties.addressPrefix" NotTold NotTold;
        ROUTE_NEXT_HOP "properties.routes[].properties.nextHopType" NotTold NotTold;
        ROUTE_NEXT_HOP_ADDRESS "properties.routes[].properties.nextHopIpAddress" Nothing Nothing;
    }
    NetworkInterfaces {
        INTERFACE_NSG "properties.networkSecurityGroup.id" Nothing Nothing;
        // Marks the interface of a private endpoint.
        INTERFACE_ENDPOINT "properties.privateEndpoint.id" Nothing Nothing;
        INTERFACE_CONFIGURATIONS "properties.ipConfigurations" NotTold NotTold;
        INTERFACE_SUBNET "properties.ipConfigurations[].properties.subnet.id" NotTold NotTold;
        // Missing while a dynamic address is not allocated.
        INTERFACE_ADDRESS "properties.ipConfigurations[].properties.privateIPAddress" NotTold NotTold;
        INTERFACE_GROUPS "properties.ipConfigurations[].properties.applicationSecurityGroups" Nothing Nothing;
        INTERFACE_GROUP "properties.ipConfigurations[].properties.applicationSecurityGroups[].id" NotTold NotTold;
    }
    ScaleSets {
        SCALE_SET_INTERFACES "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations" NotTold NotTold;
        SCALE_SET_NSG "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations[].properties.networkSecurityGroup.id" Nothing Nothing;
        SCALE_SET_CONFIGURATIONS "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations[].properties.ipConfigurations" NotTold NotTold;
        SCALE_SET_SUBNET "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations[].properties.ipConfigurations[].properties.subnet.id" NotTold NotTold;
        SCALE_SET_GROUPS "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations[].properties.ipConfigurations[].properties.applicationSecurityGroups" Nothing Nothing;
        SCALE_SET_GROUP "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations[].properties.ipConfigurations[].properties.applicationSecurityGroups[].id" NotTold NotTold;
    }
    ServiceTags {
        // Text in the list API, a number in the downloadable file.
        TAGS_CHANGE "changeNumber" Nothing Nothing;
        TAGS "values" NotTold NotTold;
        TAG_NAME "values[].name" NotTold NotTold;
        TAG_PREFIXES "values[].properties.addressPrefixes" NotTold NotTold;
    }
    PrivateEndpoints {
        ENDPOINT_GROUPS "properties.applicationSecurityGroups" Nothing Nothing;
        ENDPOINT_GROUP "properties.applicationSecurityGroups[].id" NotTold NotTold;
    }
    VirtualNetworks {
        SUBNET_NSG "properties.subnets[].properties.networkSecurityGroup.id" Nothing Nothing;
        SUBNET_ROUTES "properties.subnets[].properties.routeTable.id" Nothing Nothing;
        // The default was Enabled in old versions and is Disabled in newer ones.
        SUBNET_ENDPOINT_POLICIES "properties.subnets[].properties.privateEndpointNetworkPolicies" NotTold NotTold;
        // Off unless told, by the API's own default.
        PEERING_REMOTE_GATEWAYS "properties.virtualNetworkPeerings[].properties.useRemoteGateways" Nothing Nothing;
    }
}
