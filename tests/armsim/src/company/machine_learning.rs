//! Azure Machine Learning: workspaces, attached computes, managed online endpoints, outbound rules.

use super::declarations::CALLERS;
use super::{FrontEnd, PrivateEndpoint, Resource, Scope, tracked};
use serde_json::{Value, json};

const WORKSPACES: &str = "Microsoft.MachineLearningServices/workspaces";

/// A workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Where it is.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// Its immutable guid.
    pub guid: String,
    /// The tenant.
    pub tenant_id: String,
    /// Object id of its identity.
    pub principal_id: String,
    /// Its registry's id.
    pub registry: Option<String>,
    /// Its private endpoints.
    pub endpoints: Vec<PrivateEndpoint>,
    /// Whether it answers on the public network.
    pub public: bool,
    /// Who calls its models from outside its network, as a tag notes it: prefixes, with blanks between.
    pub callers: Option<String>,
}

impl Workspace {
    /// The id that a workspace of that name has.
    pub fn id_of(scope: &Scope, name: &str) -> String {
        scope.id(WORKSPACES, name)
    }
}

impl Resource for Workspace {
    fn id(&self) -> String {
        Self::id_of(&self.scope, &self.name)
    }

    fn records(&self) -> Vec<Value> {
        let plain: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
        let connections: Vec<Value> =
            self.endpoints.iter().map(|endpoint| endpoint.connection(WORKSPACES)).collect();
        let public = if self.public { "Enabled" } else { "Disabled" };
        let region = &self.scope.location;
        let properties = json!({
            "workspaceId": self.guid, "friendlyName": self.name, "description": "", "hbiWorkspace": false,
            // AML writes the ids of its dependencies with a small g here and there.
            "storageAccount": self.scope.id("Microsoft.Storage/storageAccounts", &format!("st{plain}"))
                .replacen("/resourceGroups/", "/resourcegroups/", 1),
            "keyVault": self.scope.id("Microsoft.KeyVault/vaults", &format!("kv{plain}")),
            "applicationInsights": self.scope.id("microsoft.insights/components", &format!("appi{plain}")),
            "containerRegistry": self.registry, "imageBuildCompute": null,
            "publicNetworkAccess": public, "allowPublicAccessWhenBehindVnet": self.public && !self.endpoints.is_empty(),
            "privateLinkCount": connections.len(), "privateEndpointConnections": connections,
            "managedNetwork": {"isolationMode": "Disabled"}, "v1LegacyMode": false,
            "discoveryUrl": format!("https://{region}.api.azureml.ms/discovery"),
            "mlFlowTrackingUri": format!("azureml://{region}.api.azureml.ms/mlflow/v1.0{}", self.id()),
        });
        let mut record = tracked(&self.id(), WORKSPACES, region, properties);
        record["kind"] = json!("Default");
        record["sku"] = json!({"name": "Basic", "tier": "Basic"});
        if let Some(callers) = &self.callers {
            record["tags"] = json!({CALLERS: callers});
        }
        record["identity"] =
            json!({"type": "SystemAssigned", "principalId": self.principal_id, "tenantId": self.tenant_id});
        let mut records = vec![record];
        records.extend(self.endpoints.iter().flat_map(Resource::records));
        records
    }
}

/// A v1 compute of type AKS.
#[derive(Debug, Clone)]
pub struct AksCompute {
    /// The workspace's id.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// The workspace's region.
    pub location: String,
    /// The cluster's id.
    pub cluster: String,
    /// The private name of the API server.
    pub cluster_fqdn: String,
    /// Where models are scored.
    pub front_end: FrontEnd,
    /// The name of the subnet of the internal load balancer.
    pub subnet_name: String,
    /// Present where AML created the cluster itself.
    pub created_with: Option<AksNetworking>,
}

/// What AML noted of the network when it created a cluster.
#[derive(Debug, Clone)]
pub struct AksNetworking {
    /// The node subnet.
    pub subnet: String,
    /// The service range.
    pub service_cidr: String,
    /// The DNS service's address.
    pub dns_service_ip: String,
    /// The Docker bridge's range, as an address with a length.
    pub docker_bridge_cidr: String,
}

impl Resource for AksCompute {
    fn id(&self) -> String {
        format!("{}/computes/{}", self.workspace, self.name)
    }

    fn records(&self) -> Vec<Value> {
        let networking = self.created_with.as_ref().map(|networking| {
            json!({"subnetId": networking.subnet, "serviceCidr": networking.service_cidr,
                "dnsServiceIP": networking.dns_service_ip, "dockerBridgeCidr": networking.docker_bridge_cidr})
        });
        let front = json!({"systemServiceType": "ScoringFrontEnd", "publicIpAddress": self.front_end.address(),
            "version": "0.1.0"});
        let internal = self.front_end.is_internal();
        let inner = json!({
            "clusterFqdn": self.cluster_fqdn, "systemServices": [front], "agentCount": 6,
            "agentVmSize": "Standard_D4s_v5", "clusterPurpose": "FastProd",
            "sslConfiguration": {"status": "Disabled", "cname": null, "leafDomainLabel": null,
                "overwriteExistingDomain": false},
            "aksNetworkingConfiguration": networking,
            "loadBalancerType": if internal { "InternalLoadBalancer" } else { "PublicIp" },
            "loadBalancerSubnet": internal.then_some(&self.subnet_name),
        });
        vec![compute(self, "AKS", &self.location, &self.cluster, self.created_with.is_none(), &inner)]
    }
}

/// A v2 compute of type Kubernetes, on AKS or Arc.
#[derive(Debug, Clone)]
pub struct KubernetesCompute {
    /// The workspace's id.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// The workspace's region.
    pub location: String,
    /// The cluster's id.
    pub cluster: String,
}

impl Resource for KubernetesCompute {
    fn id(&self) -> String {
        format!("{}/computes/{}", self.workspace, self.name)
    }

    fn records(&self) -> Vec<Value> {
        let inner = json!({
            "extensionPrincipalId": null, "extensionInstanceReleaseTrain": "stable", "vcName": null,
            "namespace": "azureml", "defaultInstanceType": "defaultinstancetype",
            "instanceTypes": {"defaultinstancetype": {"nodeSelector": null, "resources": {
                "requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "1", "memory": "4Gi"}}}},
        });
        vec![compute(self, "Kubernetes", &self.location, &self.cluster, true, &inner)]
    }
}

fn compute(
    of: &impl Resource,
    kind: &str,
    location: &str,
    cluster: &str,
    attached: bool,
    inner: &Value,
) -> Value {
    let properties = json!({
        "computeType": kind, "computeLocation": location, "description": null, "disableLocalAuth": false,
        "createdOn": "2026-03-02T09:30:00.0000000+00:00", "modifiedOn": "2026-03-02T09:30:00.0000000+00:00",
        "resourceId": cluster, "isAttachedCompute": attached, "provisioningErrors": null, "properties": inner,
    });
    let mut record = tracked(&of.id(), &format!("{WORKSPACES}/computes"), location, properties);
    record["tags"] = Value::Null;
    record
}

/// A managed online endpoint with one deployment.
#[derive(Debug, Clone)]
pub struct OnlineEndpoint {
    /// The workspace's id.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// The workspace's region.
    pub location: String,
    /// Whether it answers on the public network.
    pub public: bool,
}

impl Resource for OnlineEndpoint {
    fn id(&self) -> String {
        format!("{}/onlineEndpoints/{}", self.workspace, self.name)
    }

    fn records(&self) -> Vec<Value> {
        let access = if self.public { "Enabled" } else { "Disabled" };
        let of = format!("{WORKSPACES}/onlineEndpoints");
        let endpoint = json!({"authMode": "AADToken", "publicNetworkAccess": access, "traffic": {"blue": 100},
            "mirrorTraffic": {}, "properties": {},
            "scoringUri": format!("https://{}.{}.inference.ml.azure.com/score", self.name, self.location)});
        let deployment = json!({"endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2",
            "egressPublicNetworkAccess": access, "model": null});
        let mut endpoint = tracked(&self.id(), &of, &self.location, endpoint);
        endpoint["kind"] = json!("Managed");
        let blue = format!("{}/deployments/blue", self.id());
        let mut deployment = tracked(&blue, &format!("{of}/deployments"), &self.location, deployment);
        deployment["kind"] = json!("Managed");
        deployment["sku"] = json!({"name": "Default", "capacity": 1});
        vec![endpoint, deployment]
    }
}

/// An online endpoint on a Kubernetes compute, with one deployment.
#[derive(Debug, Clone)]
pub struct KubernetesEndpoint {
    /// The compute's id.
    pub compute: String,
    /// Its name.
    pub name: String,
    /// The workspace's region.
    pub location: String,
    /// The address of the scoring front end.
    pub address: String,
}

impl Resource for KubernetesEndpoint {
    fn id(&self) -> String {
        let workspace = self.compute.split("/computes/").next().unwrap_or_default();
        format!("{workspace}/onlineEndpoints/{}", self.name)
    }

    fn records(&self) -> Vec<Value> {
        let of = format!("{WORKSPACES}/onlineEndpoints");
        let uri = format!("https://{}/api/v1/endpoint/{}/score", self.address, self.name);
        let endpoint = json!({"authMode": "AMLToken", "traffic": {"blue": 100}, "mirrorTraffic": {},
            "properties": {}, "compute": self.compute, "scoringUri": uri});
        let deployment = json!({"endpointComputeType": "Kubernetes", "instanceType": null, "model": null});
        let mut endpoint = tracked(&self.id(), &of, &self.location, endpoint);
        endpoint["kind"] = json!("K8S");
        let blue = format!("{}/deployments/blue", self.id());
        let mut deployment = tracked(&blue, &format!("{of}/deployments"), &self.location, deployment);
        deployment["kind"] = json!("K8S");
        deployment["sku"] = json!({"name": "Default", "capacity": 1});
        vec![endpoint, deployment]
    }
}

/// A rule of a workspace's managed network that lets one name out.
#[derive(Debug, Clone)]
pub struct OutboundRule {
    /// The workspace's id.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// The destination's name.
    pub fqdn: String,
}

impl Resource for OutboundRule {
    fn id(&self) -> String {
        format!("{}/outboundRules/{}", self.workspace, self.name)
    }

    fn records(&self) -> Vec<Value> {
        vec![json!({"id": self.id(), "name": self.name, "type": "workspace/outboundRules",
            "properties": {"type": "FQDN", "destination": self.fqdn, "status": "Active", "category": "UserDefined"}})]
    }
}
