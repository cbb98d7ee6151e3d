//! What serves models beside AKS: v1 services on ACI with their container groups, registries that
//! hold the images, Arc clusters.

use super::{PrivateEndpoint, Resource, Scope, tracked};
use serde_json::{Value, json};

/// A container group.
#[derive(Debug, Clone)]
pub struct ContainerGroup {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// The image it runs.
    pub image: String,
    /// Its address.
    pub address: String,
    /// Its subnet; without one it is public.
    pub subnet: Option<String>,
}

impl Resource for ContainerGroup {
    fn id(&self) -> String {
        self.scope.id("Microsoft.ContainerInstance/containerGroups", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let ports = json!([{"protocol": "TCP", "port": 5001}]);
        let container = json!({"name": self.name, "properties": {"image": self.image, "ports": ports,
            "environmentVariables": [], "resources": {"requests": {"memoryInGB": 1.5, "cpu": 1.0}}}});
        let mut address = json!({"ports": ports, "ip": self.address,
            "type": if self.subnet.is_some() { "Private" } else { "Public" }});
        if self.subnet.is_none() {
            address["dnsNameLabel"] = json!(self.name);
            address["fqdn"] = json!(format!("{}.{}.azurecontainer.io", self.name, self.scope.location));
        }
        let mut properties = json!({"sku": "Standard", "containers": [container], "initContainers": [],
            "restartPolicy": "Always", "osType": "Linux", "ipAddress": address,
            "imageRegistryCredentials": [], "instanceView": {"events": [], "state": "Running"}});
        if let Some(subnet) = &self.subnet {
            properties["subnetIds"] = json!([{ "id": subnet }]);
        }
        vec![tracked(
            &self.id(),
            "Microsoft.ContainerInstance/containerGroups",
            &self.scope.location,
            properties,
        )]
    }
}

/// A v1 service on ACI, with its container group.
#[derive(Debug, Clone)]
pub struct AciService {
    /// The workspace's id.
    pub workspace: String,
    /// The service's name.
    pub name: String,
    /// The group that runs it.
    pub group: ContainerGroup,
}

impl Resource for AciService {
    fn id(&self) -> String {
        format!("{}/services/{}", self.workspace, self.name)
    }

    fn records(&self) -> Vec<Value> {
        let group = &self.group;
        let names: Vec<&str> = group.subnet.iter().flat_map(|id| id.split('/')).collect();
        let vnet = match names.as_slice() {
            [.., vnet, _, subnet] => json!({"vnetName": vnet, "subnetName": subnet}),
            _ => Value::Null,
        };
        let public = group.subnet.is_none();
        let fqdn = format!("{}.{}.azurecontainer.io", group.name, group.scope.location);
        let host = if public { fqdn.clone() } else { format!("{}:80", group.address) };
        let properties = json!({
            "computeType": "ACI", "deploymentType": "HttpRealtimeEndpoint", "location": group.scope.location,
            "scoringUri": format!("http://{host}/score"), "swaggerUri": format!("http://{host}/swagger.json"),
            "authEnabled": true, "sslEnabled": false, "appInsightsEnabled": false, "cname": null,
            "publicIp": public.then_some(&group.address), "publicFqdn": public.then_some(&fqdn),
            "vnetConfiguration": vnet, "encryptionProperties": null, "kvTags": {}, "description": null,
            "containerResourceRequirements": {"cpu": 1.0, "memoryInGB": 1.5},
            "properties": {"hasInferenceSchema": "False", "hasHttps": "False"}, "state": "Healthy",
        });
        let record = json!({"id": self.id(), "name": self.name, "location": group.scope.location,
            "type": "Microsoft.MachineLearningServices/workspaces/services", "properties": properties});
        std::iter::once(record).chain(group.records()).collect()
    }
}

/// A v1 service on AKS.
#[derive(Debug, Clone)]
pub struct AksService {
    /// The workspace's id.
    pub workspace: String,
    /// The service's name.
    pub name: String,
    /// The name of the compute that it runs on.
    pub compute: String,
    /// The address of the scoring front end.
    pub address: String,
}

impl Resource for AksService {
    fn id(&self) -> String {
        format!("{}/services/{}", self.workspace, self.name)
    }

    fn records(&self) -> Vec<Value> {
        let (address, name) = (&self.address, &self.name);
        let namespace = self.workspace.rsplit('/').next().unwrap_or_default();
        let properties = json!({
            "computeType": "AKS", "computeName": self.compute, "namespace": format!("azureml-{namespace}"),
            "deploymentType": "HttpRealtimeEndpoint", "numReplicas": 1, "isDefault": null,
            "scoringUri": format!("http://{address}:80/api/v1/service/{name}/score"),
            "swaggerUri": format!("http://{address}/api/v1/service/{name}/swagger.json"),
            "authEnabled": true, "aadAuthEnabled": false, "appInsightsEnabled": false, "autoScaler": null,
            "kvTags": {}, "description": null, "state": "Healthy",
            "properties": {"hasInferenceSchema": "False", "hasHttps": "False"},
        });
        vec![json!({"id": self.id(), "name": name, "properties": properties,
            "type": "Microsoft.MachineLearningServices/workspaces/services"})]
    }
}

/// A premium registry.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its private endpoints.
    pub endpoints: Vec<PrivateEndpoint>,
    /// Whether it answers on the public network.
    pub public: bool,
}

impl Registry {
    const TYPE: &str = "Microsoft.ContainerRegistry/registries";

    /// The id that a registry of that name has.
    pub fn id_of(scope: &Scope, name: &str) -> String {
        scope.id(Self::TYPE, name)
    }

    /// The host to pull from.
    pub fn login_server(&self) -> String {
        format!("{}.azurecr.io", self.name)
    }
}

impl Resource for Registry {
    fn id(&self) -> String {
        Self::id_of(&self.scope, &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let connections: Vec<Value> =
            self.endpoints.iter().map(|endpoint| endpoint.connection(Self::TYPE)).collect();
        let properties = json!({
            "loginServer": self.login_server(), "creationDate": "2026-01-12T08:00:00.0000000Z",
            "adminUserEnabled": false, "publicNetworkAccess": if self.public { "Enabled" } else { "Disabled" },
            "networkRuleSet": {"defaultAction": "Allow", "ipRules": []}, "networkRuleBypassOptions": "AzureServices",
            "privateEndpointConnections": connections, "dataEndpointEnabled": false, "dataEndpointHostNames": [],
            "anonymousPullEnabled": false, "zoneRedundancy": "Disabled", "encryption": {"status": "disabled"},
            "policies": {"exportPolicy": {"status": "enabled"}, "quarantinePolicy": {"status": "disabled"}},
        });
        let mut record = tracked(&self.id(), Self::TYPE, &self.scope.location, properties);
        record["sku"] = json!({"name": "Premium", "tier": "Premium"});
        let mut records = vec![record];
        records.extend(self.endpoints.iter().flat_map(Resource::records));
        records
    }
}

/// An Arc-connected cluster with the AzureML extension.
#[derive(Debug, Clone)]
pub struct ArcCluster {
    /// Where its Azure representation is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
}

impl Resource for ArcCluster {
    fn id(&self) -> String {
        self.scope.id("Microsoft.Kubernetes/connectedClusters", &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let of = "Microsoft.Kubernetes/connectedClusters";
        let cluster = json!({"connectivityStatus": "Connected", "distribution": "rancher_rke", "infrastructure": "generic",
            "kubernetesVersion": "1.31.4", "totalNodeCount": 5, "totalCoreCount": 40, "agentVersion": "1.21.10",
            "offering": "None"});
        let extension_type = "Microsoft.KubernetesConfiguration/extensions";
        let id = format!("{}/providers/{extension_type}/azureml", self.id());
        let extension = json!({"extensionType": "microsoft.azureml.kubernetes", "autoUpgradeMinorVersion": true,
            "releaseTrain": "stable", "version": null, "currentVersion": "1.1.76",
            "scope": {"cluster": {"releaseNamespace": "azureml"}}, "configurationProtectedSettings": {},
            "configurationSettings": {"enableInference": "true", "inferenceRouterServiceType": "LoadBalancer",
                "internalLoadBalancerProvider": "azure", "allowInsecureConnections": "true"}});
        vec![
            tracked(&self.id(), of, &self.scope.location, cluster),
            json!({"id": id, "name": "azureml", "type": extension_type, "properties": extension}),
        ]
    }
}
