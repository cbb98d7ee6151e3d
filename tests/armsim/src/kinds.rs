//! The kinds of records that a snapshot can hold, and where Azure keeps each.

/// One kind: its name in the snapshot, its resource types, and the ways to read it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Snake-case plural, as in the snapshot's header and in gap lines.
    pub name: &'static str,
    /// Lower-case resource types, as in Resource Graph's `type` column.
    pub types: &'static [&'static str],
    /// The Resource Graph table that has it; `None` where Resource Graph does not know the type.
    pub table: Option<&'static str>,
    /// The permission that a list or get needs.
    pub action: &'static str,
    /// The ARM api-version that an estate written by this crate claims, for kinds read through ARM.
    pub arm_api_version: Option<&'static str>,
}

impl Kind {
    /// The read permissions of all its types; the first is [`Kind::action`].
    pub fn actions(&self) -> impl Iterator<Item = String> {
        self.types.iter().map(|of| read_action(of, of)).filter({
            let mut last = String::new();
            move |action| std::mem::replace(&mut last, action.clone()) != *action
        })
    }
}

const fn graph(
    name: &'static str,
    types: &'static [&'static str],
    table: &'static str,
    action: &'static str,
) -> Kind {
    Kind { name, types, table: Some(table), action, arm_api_version: None }
}

const fn arm(
    name: &'static str,
    types: &'static [&'static str],
    action: &'static str,
    api_version: &'static str,
) -> Kind {
    Kind { name, types, table: None, action, arm_api_version: Some(api_version) }
}

/// All kinds, in the order in which an estate's header lists them.
pub const KINDS: &[Kind] = &[
    graph(
        "subscriptions",
        &["microsoft.resources/subscriptions"],
        "resourcecontainers",
        "Microsoft.Resources/subscriptions/read",
    ),
    graph(
        "resource_groups",
        &["microsoft.resources/subscriptions/resourcegroups"],
        "resourcecontainers",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    ),
    graph(
        "workspaces",
        &["microsoft.machinelearningservices/workspaces"],
        "resources",
        "Microsoft.MachineLearningServices/workspaces/read",
    ),
    arm(
        "computes",
        &["microsoft.machinelearningservices/workspaces/computes"],
        "Microsoft.MachineLearningServices/workspaces/computes/read",
        "2024-10-01",
    ),
    arm(
        "services",
        &["microsoft.machinelearningservices/workspaces/services"],
        "Microsoft.MachineLearningServices/workspaces/services/read",
        "2021-04-01",
    ),
    graph(
        "online_endpoints",
        &[
            "microsoft.machinelearningservices/workspaces/onlineendpoints",
            "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments",
            "microsoft.machinelearningservices/workspaces/serverlessendpoints",
        ],
        "resources",
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read",
    ),
    arm(
        "outbound_rules",
        &["microsoft.machinelearningservices/workspaces/outboundrules"],
        "Microsoft.MachineLearningServices/workspaces/outboundRules/read",
        "2024-10-01",
    ),
    graph(
        "aks_clusters",
        &["microsoft.containerservice/managedclusters"],
        "resources",
        "Microsoft.ContainerService/managedClusters/read",
    ),
    graph(
        "scale_sets",
        &["microsoft.compute/virtualmachinescalesets"],
        "resources",
        "Microsoft.Compute/virtualMachineScaleSets/read",
    ),
    graph(
        "connected_clusters",
        &["microsoft.kubernetes/connectedclusters"],
        "resources",
        "Microsoft.Kubernetes/connectedClusters/read",
    ),
    graph(
        "extensions",
        &["microsoft.kubernetesconfiguration/extensions"],
        "kubernetesconfigurationresources",
        "Microsoft.KubernetesConfiguration/extensions/read",
    ),
    graph(
        "container_groups",
        &["microsoft.containerinstance/containergroups"],
        "resources",
        "Microsoft.ContainerInstance/containerGroups/read",
    ),
    graph(
        "network_profiles",
        &["microsoft.network/networkprofiles"],
        "resources",
        "Microsoft.Network/networkProfiles/read",
    ),
    graph(
        "registries",
        &["microsoft.containerregistry/registries"],
        "resources",
        "Microsoft.ContainerRegistry/registries/read",
    ),
    graph(
        "virtual_networks",
        &["microsoft.network/virtualnetworks"],
        "resources",
        "Microsoft.Network/virtualNetworks/read",
    ),
    graph(
        "network_security_groups",
        &["microsoft.network/networksecuritygroups"],
        "resources",
        "Microsoft.Network/networkSecurityGroups/read",
    ),
    graph(
        "application_security_groups",
        &["microsoft.network/applicationsecuritygroups"],
        "resources",
        "Microsoft.Network/applicationSecurityGroups/read",
    ),
    graph(
        "security_admin_rules",
        &["microsoft.network/effectivesecurityadminrules"],
        "networkresources",
        "Microsoft.Network/effectiveSecurityAdminRules/read",
    ),
    graph(
        "private_endpoints",
        &["microsoft.network/privateendpoints"],
        "resources",
        "Microsoft.Network/privateEndpoints/read",
    ),
    graph(
        "network_interfaces",
        &["microsoft.network/networkinterfaces"],
        "resources",
        "Microsoft.Network/networkInterfaces/read",
    ),
    graph(
        "load_balancers",
        &["microsoft.network/loadbalancers"],
        "resources",
        "Microsoft.Network/loadBalancers/read",
    ),
    graph(
        "public_ip_addresses",
        &["microsoft.network/publicipaddresses"],
        "resources",
        "Microsoft.Network/publicIPAddresses/read",
    ),
    graph(
        "nat_gateways",
        &["microsoft.network/natgateways"],
        "resources",
        "Microsoft.Network/natGateways/read",
    ),
    graph(
        "route_tables",
        &["microsoft.network/routetables"],
        "resources",
        "Microsoft.Network/routeTables/read",
    ),
    Kind {
        name: "role_assignments",
        types: &["microsoft.authorization/roleassignments"],
        table: Some("authorizationresources"),
        action: "Microsoft.Authorization/roleAssignments/read",
        // Resource Graph leaves inherited assignments out unless asked; ARM never does.
        arm_api_version: Some("2022-04-01"),
    },
    graph(
        "role_definitions",
        &["microsoft.authorization/roledefinitions"],
        "authorizationresources",
        "Microsoft.Authorization/roleDefinitions/read",
    ),
    arm(
        "deny_assignments",
        &["microsoft.authorization/denyassignments"],
        "Microsoft.Authorization/denyAssignments/read",
        "2022-04-01",
    ),
    arm(
        "service_tags",
        &["microsoft.network/servicetags", "microsoft.network/locations/servicetags"],
        "Microsoft.Network/locations/serviceTags/read",
        "2023-09-01",
    ),
    graph(
        "private_dns_zones",
        &["microsoft.network/privatednszones", "microsoft.network/privatednszones/virtualnetworklinks"],
        "resources",
        "Microsoft.Network/privateDnsZones/read",
    ),
];

/// The Resource Graph tables that are served.
pub const TABLES: &[&str] = &[
    "resources",
    "resourcecontainers",
    "authorizationresources",
    "networkresources",
    "kubernetesconfigurationresources",
];

/// Documented Resource Graph tables of which no estate has rows.
pub const OTHER_TABLES: &[&str] = &[
    "advisorresources",
    "alertsmanagementresources",
    "appserviceresources",
    "batchresources",
    "computeresources",
    "desktopvirtualizationresources",
    "dnsresources",
    "extendedlocationresources",
    "featureresources",
    "guestconfigurationresources",
    "healthresourcechanges",
    "healthresources",
    "insightsresources",
    "iotsecurityresources",
    "maintenanceresources",
    "managedservicesresources",
    "patchassessmentresources",
    "patchinstallationresources",
    "policyresources",
    "quotaresources",
    "recoveryservicesresources",
    "resourcechanges",
    "resourcecontainerchanges",
    "securityresources",
    "servicehealthresources",
    "supportresources",
];

/// The kind with that name.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The kind of a lower-case resource type.
pub fn by_type(resource_type: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.types.contains(&resource_type))
}

/// The Resource Graph table of a lower-case resource type. A type outside [`KINDS`] that has a
/// namespace is an ordinary tracked resource.
pub(crate) fn table_of(resource_type: &str) -> Option<&'static str> {
    match by_type(resource_type) {
        Some(kind) => kind.table,
        None if resource_type == "microsoft.management/managementgroups" => Some("resourcecontainers"),
        // Child resources without a tracked parent type of their own are not rows.
        None if resource_type.matches('/').count() == 1 => Some("resources"),
        None => None,
    }
}

/// The read permission of a type in ARM's own spelling where known, else as given.
pub(crate) fn read_action(resource_type: &str, as_asked: &str) -> String {
    match by_type(resource_type) {
        // A kind may hold several types; its action is that of the first.
        Some(kind) if kind.types[0] == resource_type || kind.name == "service_tags" => kind.action.to_owned(),
        _ => format!("{as_asked}/read"),
    }
}
