//! An AKS cluster, and what AKS makes for it in the node resource group.

use super::network::{Nsg, PublicIp, Rule};
use super::{PrivateEndpoint, Resource, Scope, child, group_record, tracked};
use serde_json::{Value, json};

/// The load balancer's front end that scoring is reached by, with its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontEnd {
    /// In the node subnet.
    Internal(String),
    /// On the internet.
    Public(String),
}

impl FrontEnd {
    /// Its address.
    pub fn address(&self) -> &str {
        match self {
            Self::Internal(address) | Self::Public(address) => address,
        }
    }

    /// Whether it is in the node subnet.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Internal(_))
    }
}

/// The ports that scoring is served at.
const PORTS: [u16; 2] = [80, 443];

/// A front end as the load balancer has it: its name, its properties, the ports that its rules serve.
type Front<'a> = (&'a str, Value, &'a [u16]);

/// An AKS cluster in a network of its owner's.
#[derive(Debug, Clone)]
pub struct Aks {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its region.
    pub location: String,
    /// Its Kubernetes version.
    pub version: String,
    /// The node subnet's id.
    pub subnet: String,
    /// Whether the API server is private.
    pub private: bool,
    /// Whether a private cluster has a public name as well.
    pub public_fqdn: bool,
    /// The service range.
    pub service_cidr: String,
    /// The DNS service's address.
    pub dns_service_ip: String,
    /// The pod range of an overlay network; `None` for plain Azure CNI.
    pub pod_cidr: Option<String>,
    /// The private address of the API server.
    pub api_server_ip: String,
    /// Where models are scored.
    pub front_end: FrontEnd,
    /// The public address that traffic leaves by.
    pub outbound_ip: String,
    /// Object id of the cluster's system-assigned identity.
    pub principal_id: String,
    /// Object id of the kubelet's identity.
    pub kubelet_id: String,
    /// The tenant.
    pub tenant_id: String,
    /// Whether it has the extension of Azure Machine Learning, which v2 needs.
    pub extension: bool,
    /// A guid that names of the cluster's parts are made of.
    pub salt: String,
}

impl Aks {
    /// The node resource group, `MC_…`.
    pub fn node_group(&self) -> Scope {
        Scope {
            subscription: self.scope.subscription.clone(),
            group: format!("MC_{}_{}_{}", self.scope.group, self.name, self.location),
            location: self.location.clone(),
        }
    }

    /// The private name of the API server.
    pub fn private_fqdn(&self) -> String {
        format!("{}-{}.{}.privatelink.{}.azmk8s.io", self.name, self.short(), self.salt, self.location)
    }

    fn fqdn(&self) -> String {
        format!("{}-{}.hcp.{}.azmk8s.io", self.name, self.short(), self.location)
    }

    fn short(&self) -> &str {
        self.salt.get(..8).unwrap_or_default()
    }

    fn cluster(&self) -> Value {
        let nodes = self.node_group();
        let mut network = json!({
            "networkPlugin": "azure", "networkPolicy": "none", "networkDataplane": "azure",
            "loadBalancerSku": "Standard", "outboundType": "loadBalancer",
            "loadBalancerProfile": {"managedOutboundIPs": {"count": 1},
                "effectiveOutboundIPs": [{"id": self.outbound(&nodes).id()}],
                "allocatedOutboundPorts": 0, "idleTimeoutInMinutes": 30, "backendPoolType": "nodeIPConfiguration"},
            "serviceCidr": self.service_cidr, "serviceCidrs": [self.service_cidr],
            "dnsServiceIP": self.dns_service_ip, "ipFamilies": ["IPv4"],
        });
        if let Some(pods) = &self.pod_cidr {
            network["networkPluginMode"] = json!("overlay");
            network["podCidr"] = json!(pods);
            network["podCidrs"] = json!([pods]);
        }
        let identity =
            nodes.id("Microsoft.ManagedIdentity/userAssignedIdentities", &format!("{}-agentpool", self.name));
        let mut properties = json!({
            "powerState": {"code": "Running"}, "kubernetesVersion": self.version, "dnsPrefix": self.name,
            "azurePortalFQDN": format!("{}.portal.hcp.{}.azmk8s.io", self.short(), self.location),
            "agentPoolProfiles": [self.pool("nodepool1", "System"), self.pool("scoring", "User")],
            "servicePrincipalProfile": {"clientId": "msi"}, "nodeResourceGroup": nodes.group, "enableRBAC": true,
            "networkProfile": network, "maxAgentPools": 100, "disableLocalAccounts": false,
            "identityProfile": {"kubeletidentity": {"resourceId": identity, "clientId": self.salt,
                "objectId": self.kubelet_id}},
            "apiServerAccessProfile": self.api_server(),
        });
        if self.private {
            properties["privateFQDN"] = json!(self.private_fqdn());
        }
        if !self.private || self.public_fqdn {
            properties["fqdn"] = json!(self.fqdn());
        }
        // AKS spells its own type with a capital M.
        let mut record =
            tracked(&self.id(), "Microsoft.ContainerService/ManagedClusters", &self.location, properties);
        record["identity"] =
            json!({"type": "SystemAssigned", "principalId": self.principal_id, "tenantId": self.tenant_id});
        record["sku"] = json!({"name": "Base", "tier": "Standard"});
        record
    }

    fn api_server(&self) -> Value {
        if self.private {
            json!({"enablePrivateCluster": true, "privateDNSZone": "system",
                "enablePrivateClusterPublicFQDN": self.public_fqdn, "privateClusterVersion": "v1"})
        } else {
            json!({"enablePrivateCluster": false})
        }
    }

    fn pool(&self, name: &str, mode: &str) -> Value {
        json!({
            "name": name, "mode": mode, "count": 3, "vmSize": "Standard_D4s_v5", "osDiskSizeGB": 128,
            "osDiskType": "Managed", "maxPods": if self.pod_cidr.is_some() { 110 } else { 30 },
            "type": "VirtualMachineScaleSets", "vnetSubnetID": self.subnet, "enableAutoScaling": false,
            "provisioningState": "Succeeded", "powerState": {"code": "Running"},
            "orchestratorVersion": self.version, "enableNodePublicIP": false, "osType": "Linux", "osSKU": "Ubuntu",
        })
    }

    fn extension(&self) -> Value {
        let of = "Microsoft.KubernetesConfiguration/extensions";
        let id = format!("{}/providers/{of}/azureml", self.id());
        let internal = self.front_end.is_internal().then_some("azure");
        let properties = json!({"extensionType": "microsoft.azureml.kubernetes", "autoUpgradeMinorVersion": true,
            "releaseTrain": "stable", "version": null, "currentVersion": "1.1.76", "provisioningState": "Succeeded",
            "scope": {"cluster": {"releaseNamespace": "azureml"}}, "configurationProtectedSettings": {},
            "configurationSettings": {"enableInference": "True", "inferenceRouterServiceType": "LoadBalancer",
                "internalLoadBalancerProvider": internal, "allowInsecureConnections": "False",
                "sslCname": format!("scoring.{}.example", self.name)}});
        json!({"id": id, "name": "azureml", "type": of, "properties": properties})
    }

    fn scale_set(&self, nodes: &Scope, pool: &str, nsg: &str) -> Value {
        let of = "Microsoft.Compute/virtualMachineScaleSets";
        let name = format!("aks-{pool}-{}-vmss", self.short());
        let configuration = json!({"name": name, "properties": {
            "primary": true, "enableIPForwarding": true, "enableAcceleratedNetworking": true,
            "networkSecurityGroup": {"id": nsg},
            "ipConfigurations": [{"name": "ipconfig1", "properties": {"primary": true,
                "privateIPAddressVersion": "IPv4", "subnet": {"id": self.subnet}}}],
        }});
        let properties = json!({
            "orchestrationMode": "Uniform", "overprovision": false, "singlePlacementGroup": false,
            "virtualMachineProfile": {"networkProfile": {"networkInterfaceConfigurations": [configuration]}},
        });
        let mut record = tracked(&nodes.id(of, &name), of, &self.location, properties);
        record["sku"] = json!({"name": "Standard_D4s_v5", "tier": "Standard", "capacity": 3});
        record["tags"] = json!({"aks-managed-poolName": pool});
        record
    }

    fn outbound(&self, nodes: &Scope) -> PublicIp {
        PublicIp {
            scope: nodes.clone(),
            name: self.salt.clone(),
            location: self.location.clone(),
            address: self.outbound_ip.clone(),
            used_by: Some(format!("{}/frontendIPConfigurations/{}", balancer_id(nodes), self.salt)),
        }
    }

    fn balancer(&self, nodes: &Scope, name: &str, fronts: &[Front<'_>]) -> Value {
        let of = "Microsoft.Network/loadBalancers";
        let id = nodes.id(of, name);
        let (mut ends, mut rules) = (Vec::new(), Vec::new());
        for (front, properties, ports) in fronts {
            let kind = format!("{of}/frontendIPConfigurations");
            let end = child(&id, "frontendIPConfigurations", front, &kind, properties.clone());
            for port in *ports {
                let properties = json!({"frontendIPConfiguration": {"id": end["id"]}, "protocol": "Tcp",
                    "frontendPort": port, "backendPort": port, "enableFloatingIP": true});
                let rule = format!("azureml-fe-{port}");
                rules.push(child(
                    &id,
                    "loadBalancingRules",
                    &rule,
                    &format!("{of}/loadBalancingRules"),
                    properties,
                ));
            }
            ends.push(end);
        }
        let body = json!({"frontendIPConfigurations": ends, "backendAddressPools": [], "loadBalancingRules": rules,
            "probes": [], "inboundNatRules": [], "inboundNatPools": []});
        let mut record = tracked(&id, of, &self.location, body);
        record["sku"] = json!({"name": "Standard", "tier": "Regional"});
        record["tags"] = json!({"aks-managed-cluster-name": self.name});
        record
    }
}

/// The public load balancer, which every cluster here has for its way out.
fn balancer_id(nodes: &Scope) -> String {
    nodes.id("Microsoft.Network/loadBalancers", "kubernetes")
}

impl Resource for Aks {
    /// AKS writes its ids with a small g in `resourcegroups`.
    fn id(&self) -> String {
        let id = self.scope.id("Microsoft.ContainerService/managedClusters", &self.name);
        id.replacen("/resourceGroups/", "/resourcegroups/", 1)
    }

    fn records(&self) -> Vec<Value> {
        let nodes = self.node_group();
        let mut nsg = Nsg::new(&nodes, &format!("aks-agentpool-{}-nsg", self.short()), Vec::new());
        let outbound = self.outbound(&nodes);
        let front = format!("a{}", self.salt.replace('-', ""));
        let by = |id: String| json!({"publicIPAddress": {"id": id}, "privateIPAllocationMethod": "Dynamic"});
        let mut public = vec![(self.salt.as_str(), by(outbound.id()), &[][..])];
        let mut more = outbound.records();
        match &self.front_end {
            FrontEnd::Internal(address) => {
                let internal = json!({"privateIPAddress": address, "privateIPAllocationMethod": "Dynamic",
                    "privateIPAddressVersion": "IPv4", "subnet": {"id": self.subnet}});
                more.push(self.balancer(&nodes, "kubernetes-internal", &[(&front, internal, &PORTS)]));
            }
            FrontEnd::Public(address) => {
                let scoring = PublicIp {
                    name: format!("kubernetes-{front}"),
                    address: address.clone(),
                    used_by: Some(format!("{}/frontendIPConfigurations/{front}", balancer_id(&nodes))),
                    ..outbound
                };
                public.push((&front, by(scoring.id()), &PORTS));
                more.extend(scoring.records());
                // AKS opens its own group for a public service, never that of the subnet.
                let name = format!("k8s-azure-lb_allow_IPv4_{}", self.short());
                let open = Rule::allow_in(&name, 500, "Internet", &["80", "443"]);
                nsg.rules.push(Rule { destination: address.clone(), ..open });
            }
        }
        let mut records = vec![
            self.cluster(),
            group_record(&nodes, &self.id()),
            self.scale_set(&nodes, "nodepool1", &nsg.id()),
            self.scale_set(&nodes, "scoring", &nsg.id()),
            self.balancer(&nodes, "kubernetes", &public),
        ];
        records.extend(nsg.records());
        records.extend(more);
        if self.extension {
            records.push(self.extension());
        }
        if self.private {
            let api_server = PrivateEndpoint {
                scope: nodes,
                name: "kube-apiserver".to_owned(),
                location: self.location.clone(),
                subnet: self.subnet.clone(),
                target: self.id(),
                group: "management".to_owned(),
                status: "Approved".to_owned(),
                address: self.api_server_ip.clone(),
                fqdns: vec![self.private_fqdn()],
            };
            records.extend(api_server.records());
        }
        records
    }
}
