//! The kinds of record, their ARM types, and the read action that proves sight of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($variant:ident $name:literal $action:literal [$($arm:literal),+];)+) => {
        /// A kind of record, named as in snapshot files and metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Kind {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $variant,)+
        }

        impl Kind {
            /// Every kind, in the order of their declaration.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant),+];

            /// The name in snapshot files, metrics and policies' `requires`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name),+ }
            }

            /// The ARM action that lets a caller see records of this kind.
            pub fn read_action(self) -> &'static str {
                match self { $(Kind::$variant => $action),+ }
            }

            /// The folded ARM types of this kind's records.
            pub fn arm_types(self) -> &'static [&'static str] {
                match self { $(Kind::$variant => &[$($arm),+]),+ }
            }
        }
    };
}

kinds! {
    Subscriptions "subscriptions" "Microsoft.Resources/subscriptions/read"
        ["microsoft.resources/subscriptions"];
    ResourceGroups "resource_groups" "Microsoft.Resources/subscriptions/resourceGroups/read"
        ["microsoft.resources/subscriptions/resourcegroups", "microsoft.resources/resourcegroups"];
    Workspaces "workspaces" "Microsoft.MachineLearningServices/workspaces/read"
        ["microsoft.machinelearningservices/workspaces"];
    Computes "computes" "Microsoft.MachineLearningServices/workspaces/computes/read"
        ["microsoft.machinelearningservices/workspaces/computes"];
    Services "services" "Microsoft.MachineLearningServices/workspaces/services/read"
        ["microsoft.machinelearningservices/workspaces/services"];
    OnlineEndpoints "online_endpoints" "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read"
        ["microsoft.machinelearningservices/workspaces/onlineendpoints",
         "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments",
         "microsoft.machinelearningservices/workspaces/serverlessendpoints"];
    OutboundRules "outbound_rules" "Microsoft.MachineLearningServices/workspaces/outboundRules/read"
        ["microsoft.machinelearningservices/workspaces/outboundrules"];
    AksClusters "aks_clusters" "Microsoft.ContainerService/managedClusters/read"
        ["microsoft.containerservice/managedclusters"];
    ScaleSets "scale_sets" "Microsoft.Compute/virtualMachineScaleSets/read"
        ["microsoft.compute/virtualmachinescalesets"];
    ConnectedClusters "connected_clusters" "Microsoft.Kubernetes/connectedClusters/read"
        ["microsoft.kubernetes/connectedclusters"];
    Extensions "extensions" "Microsoft.KubernetesConfiguration/extensions/read"
        ["microsoft.kubernetesconfiguration/extensions"];
    ContainerGroups "container_groups" "Microsoft.ContainerInstance/containerGroups/read"
        ["microsoft.containerinstance/containergroups"];
    NetworkProfiles "network_profiles" "Microsoft.Network/networkProfiles/read"
        ["microsoft.network/networkprofiles"];
    Registries "registries" "Microsoft.ContainerRegistry/registries/read"
        ["microsoft.containerregistry/registries"];
    VirtualNetworks "virtual_networks" "Microsoft.Network/virtualNetworks/read"
        ["microsoft.network/virtualnetworks"];
    NetworkSecurityGroups "network_security_groups" "Microsoft.Network/networkSecurityGroups/read"
        ["microsoft.network/networksecuritygroups"];
    ApplicationSecurityGroups "application_security_groups" "Microsoft.Network/applicationSecurityGroups/read"
        ["microsoft.network/applicationsecuritygroups"];
    SecurityAdminRules "security_admin_rules" "Microsoft.Network/networkManagers/read"
        ["microsoft.network/effectivesecurityadminrules"];
    PrivateEndpoints "private_endpoints" "Microsoft.Network/privateEndpoints/read"
        ["microsoft.network/privateendpoints"];
    NetworkInterfaces "network_interfaces" "Microsoft.Network/networkInterfaces/read"
        ["microsoft.network/networkinterfaces"];
    LoadBalancers "load_balancers" "Microsoft.Network/loadBalancers/read"
        ["microsoft.network/loadbalancers"];
    PublicIpAddresses "public_ip_addresses" "Microsoft.Network/publicIPAddresses/read"
        ["microsoft.network/publicipaddresses"];
    NatGateways "nat_gateways" "Microsoft.Network/natGateways/read"
        ["microsoft.network/natgateways"];
    RouteTables "route_tables" "Microsoft.Network/routeTables/read"
        ["microsoft.network/routetables"];
    RoleAssignments "role_assignments" "Microsoft.Authorization/roleAssignments/read"
        ["microsoft.authorization/roleassignments"];
    RoleDefinitions "role_definitions" "Microsoft.Authorization/roleDefinitions/read"
        ["microsoft.authorization/roledefinitions"];
    DenyAssignments "deny_assignments" "Microsoft.Authorization/denyAssignments/read"
        ["microsoft.authorization/denyassignments"];
    ServiceTags "service_tags" "Microsoft.Network/locations/serviceTags/read"
        ["microsoft.network/servicetags"];
    PrivateDnsZones "private_dns_zones" "Microsoft.Network/privateDnsZones/read"
        ["microsoft.network/privatednszones", "microsoft.network/privatednszones/virtualnetworklinks"];
}

impl Kind {
    /// The kind whose records carry this ARM type, in any case.
    pub fn of_arm_type(arm_type: &str) -> Option<Self> {
        let folded = arm_type.trim().to_ascii_lowercase();
        Self::ALL.iter().copied().find(|kind| kind.arm_types().contains(&folded.as_str()))
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether records of this kind are children of one workspace each.
    pub fn of_workspace(self) -> bool {
        matches!(self, Kind::Computes | Kind::Services | Kind::OnlineEndpoints | Kind::OutboundRules)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
