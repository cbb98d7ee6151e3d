//! The part of the table that tells where models are scored and how nodes reach the internet.

use super::{Absent, Field, Kind};

// Columns: path, meaning of absence, meaning of emptiness.
fields! {
    /// The fields that scoring and the way out rest on.
    SERVING_ALL;
    LoadBalancers {
        // Decides only where no security group is on the way.
        BALANCER_SKU "sku.name" Elsewhere Elsewhere;
        BALANCER_STATE "properties.provisioningState" NotTold NotTold;
        BALANCER_FRONTENDS "properties.frontendIPConfigurations" NotTold Nothing;
        FRONTEND_ID "properties.frontendIPConfigurations[].id" NotTold NotTold;
        // The id tells it too.
        FRONTEND_NAME "properties.frontendIPConfigurations[].name" Elsewhere Elsewhere;
        // Set on internal frontends only, and only there is the private address the frontend's.
        FRONTEND_SUBNET "properties.frontendIPConfigurations[].properties.subnet.id" Nothing Nothing;
        FRONTEND_ADDRESS "properties.frontendIPConfigurations[].properties.privateIPAddress" NotTold NotTold;
        FRONTEND_PUBLIC "properties.frontendIPConfigurations[].properties.publicIPAddress.id" Nothing Nothing;
        FRONTEND_PREFIX "properties.frontendIPConfigurations[].properties.publicIPPrefix.id" Nothing Nothing;
        // Ways in beside the rules; AKS makes none.
        BALANCER_NAT_RULES "properties.inboundNatRules" Nothing Nothing;
        NAT_RULE_FRONTEND "properties.inboundNatRules[].properties.frontendIPConfiguration.id" NotTold NotTold;
        BALANCER_NAT_POOLS "properties.inboundNatPools" Nothing Nothing;
        NAT_POOL_FRONTEND "properties.inboundNatPools[].properties.frontendIPConfiguration.id" NotTold NotTold;
        BALANCING_RULES "properties.loadBalancingRules" NotTold Nothing;
        BALANCING_FRONTEND "properties.loadBalancingRules[].properties.frontendIPConfiguration.id" NotTold NotTold;
        BALANCING_PORT "properties.loadBalancingRules[].properties.frontendPort" NotTold NotTold;
        BALANCING_BACKEND_PORT "properties.loadBalancingRules[].properties.backendPort" NotTold NotTold;
        BALANCING_FLOATING "properties.loadBalancingRules[].properties.enableFloatingIP" NotTold NotTold;
    }
    PublicIpAddresses {
        // Missing while a dynamic address is not allocated.
        PUBLIC_ADDRESS "properties.ipAddress" NotTold NotTold;
    }
    Computes {
        // Missing altogether in some answers; what is null inside it is told.
        COMPUTE_INNER "properties.properties" NotTold NotTold;
        // Public is the default.
        COMPUTE_BALANCER "properties.properties.loadBalancerType" Nothing Nothing;
        COMPUTE_BALANCER_SUBNET "properties.properties.loadBalancerSubnet" Nothing Nothing;
        COMPUTE_SYSTEM_SERVICES "properties.properties.systemServices" Nothing Nothing;
        // The scoring URIs of the deployments tell the address as well.
        SYSTEM_SERVICE_TYPE "properties.properties.systemServices[].systemServiceType" Elsewhere Elsewhere;
        // Private too, in spite of its name.
        SYSTEM_SERVICE_ADDRESS "properties.properties.systemServices[].publicIpAddress" Nothing Nothing;
        COMPUTE_TLS "properties.properties.sslConfiguration.status" Elsewhere Elsewhere;
    }
    Services {
        // Only services on AKS have one.
        SERVICE_COMPUTE_NAME "properties.computeName" NotTold NotTold;
    }
    OnlineEndpoints {
        ONLINE_STATE "properties.provisioningState" NotTold NotTold;
        // `Managed`, or the word for Kubernetes; the compute tells that too.
        ONLINE_KIND "kind" Elsewhere Elsewhere;
        // The Kubernetes compute; managed endpoints have none.
        ONLINE_COMPUTE "properties.compute" Elsewhere Elsewhere;
        // Null until the first deployment is ready.
        ONLINE_URI "properties.scoringUri" Nothing Nothing;
    }
    Extensions {
        EXTENSION_TYPE "properties.extensionType" NotTold NotTold;
        // Not every answer tells it; a failed extension says so.
        EXTENSION_STATE "properties.provisioningState" Elsewhere Elsewhere;
        // Their keys are case-sensitive.
        EXTENSION_ROUTER "properties.configurationSettings.inferenceRouterServiceType" NotTold NotTold;
        EXTENSION_PROVIDER "properties.configurationSettings.internalLoadBalancerProvider" Nothing Nothing;
        // Off by default.
        EXTENSION_INSECURE "properties.configurationSettings.allowInsecureConnections" Nothing Nothing;
    }
    ScaleSets {
        SCALE_SET_STATE "properties.provisioningState" Nothing Nothing;
        // The name tells the pool too.
        SCALE_SET_POOL "tags.aks-managed-poolName" Nothing Nothing;
    }
    NatGateways {
        NAT_STATE "properties.provisioningState" NotTold NotTold;
        NAT_ADDRESSES "properties.publicIpAddresses" Nothing Nothing;
        NAT_PREFIXES "properties.publicIpPrefixes" Nothing Nothing;
    }
    AksClusters {
        CLUSTER_POOL_NAME "properties.agentPoolProfiles[].name" NotTold NotTold;
        // Pools of the oldest clusters do not tell it, and are availability sets.
        CLUSTER_POOL_TYPE "properties.agentPoolProfiles[].type" NotTold NotTold;
        // Off by default.
        CLUSTER_POOL_PUBLIC "properties.agentPoolProfiles[].enableNodePublicIP" Nothing Nothing;
        // Clusters from before there was a choice do not tell it.
        CLUSTER_OUTBOUND "properties.networkProfile.outboundType" NotTold NotTold;
    }
    VirtualNetworks {
        SUBNET_NAT "properties.subnets[].properties.natGateway.id" Nothing Nothing;
        // Absent while nothing lives in the subnet.
        SUBNET_IP_CONFIGURATIONS "properties.subnets[].properties.ipConfigurations" Nothing Nothing;
    }
    RouteTables {
        ROUTES_STATE "properties.provisioningState" NotTold NotTold;
        // Learned routes are taken in unless this says otherwise.
        ROUTES_NOT_LEARNED "properties.disableBgpRoutePropagation" Nothing Nothing;
    }
    Registries {
        REGISTRY_LOCATION "location" NotTold NotTold;
        // One host per region with a replica, where dedicated data endpoints are on.
        REGISTRY_DATA_HOSTS "properties.dataEndpointHostNames" Nothing Nothing;
    }
}
