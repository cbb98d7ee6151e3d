//! A believable company with something wrong in it.

use super::hub::{HUB_CALLERS, Landscape, REGION};
use super::pattern::{Pattern, Serving};
use super::{
    AciService, ArcCluster, Block, ContainerGroup, Expected, Flaw, KubernetesCompute, OnlineEndpoint,
    OutboundRule, Registry, Resource, Role, Workspace,
};
use crate::Estate;
use serde_json::json;

/// Name, second octet of its network, what serves, what is wrong.
type Plan = (&'static str, u8, &'static [Serving], &'static [Flaw]);

const PROD: &[Plan] = &[
    ("churn-prod", 10, &[Serving::AksV1, Serving::Aci], &[]),
    ("fraud-prod", 20, &[Serving::KubernetesV2], &[]),
    (
        "telematics-prod",
        30,
        &[Serving::KubernetesV2],
        &[
            Flaw::OtherRegion,
            Flaw::PublicFqdn,
            Flaw::EndpointElsewhere,
            Flaw::ReservedRange,
            Flaw::RoleOnNetworkAlone,
            Flaw::StaleAddress,
            Flaw::RouteToNowhere,
        ],
    ),
];

const DEV: &[Plan] = &[
    (
        "pricing-dev",
        40,
        &[Serving::AksV1, Serving::AksV1Created],
        &[
            Flaw::NothingPrivate,
            Flaw::ServiceOverlap,
            Flaw::DnsOutside,
            Flaw::DelegatedNodes,
            Flaw::DockerBridge,
            Flaw::CallersShutOut,
            Flaw::MisspeltJoin,
        ],
    ),
    (
        "vision-dev",
        50,
        &[Serving::Aci],
        &[
            Flaw::AciOtherGroup,
            Flaw::AciEndpointElsewhere,
            Flaw::AciRegistryInside,
            Flaw::AciUndelegated,
            Flaw::DeployerOnSubnetsAlone,
        ],
    ),
    (
        "warranty-dev",
        60,
        &[Serving::AksV1],
        &[Flaw::RoleOfKubelet, Flaw::RegistryForgotten, Flaw::BalancerSubnetGone],
    ),
];

/// Contoso Mobility: seven workspaces in `ml-prod` and `ml-dev`, a hub in `connectivity`, and
/// `finance-ml`, of which nothing may be read.
///
/// `mlw-churn-prod` (v1 AKS and ACI) and `mlw-fraud-prod` (v2, by the hub) are in order;
/// `mlw-telematics-prod`, `mlw-pricing-dev` (all of it public, and still the partners are shut out), `mlw-vision-dev` and
/// `mlw-warranty-dev` (locked down by hand, and too far) violate each policy at least once;
/// `mlw-sandbox-dev` has no endpoint, an Arc cluster, a managed online endpoint and a public ACI.
pub fn demo() -> (Estate, Vec<Expected>) {
    let mut land = Landscape::new("contoso-mobility.example", 0);
    let mut expected = Vec::new();
    let (prod, dev) = (land.subscription("ml-prod"), land.subscription("ml-dev"));
    land.company.denied_subscription("finance-ml");
    for (subscription, plans) in [(&prod, PROD), (&dev, DEV)] {
        land.grant(&format!("/subscriptions/{subscription}"), Role::Reader, "ml-engineers", "Group");
        for (name, second, serving, flaws) in plans {
            let scope = land.company.group(subscription, &format!("rg-{name}"), REGION);
            let name = format!("mlw-{name}");
            let pattern = Pattern {
                scope: &scope,
                name: &name,
                block: Block::wide(*second),
                serving,
                flaws,
                callers: flaws.is_empty().then_some(HUB_CALLERS),
                closed: false,
            };
            let workspace = pattern.build(&mut land, &mut expected);
            land.grant(&workspace, Role::DataScientist, &format!("scientists-{name}"), "Group");
            land.company.add(&OutboundRule {
                workspace,
                name: "pypi".to_owned(),
                fqdn: "pypi.org".to_owned(),
            });
        }
    }
    sandbox(&mut land, &dev);
    land.push(deny_assignment(&prod, &land.company.guid("deny assignment")));
    expected.sort();
    (land.finish(), expected)
}

/// A workspace that somebody tries things in: nothing private about it.
fn sandbox(land: &mut Landscape, subscription: &str) {
    let scope = land.company.group(subscription, "rg-sandbox-dev", REGION);
    let name = "mlw-sandbox-dev";
    let registry = Registry {
        scope: scope.clone(),
        name: "crmlwsandboxdev".to_owned(),
        endpoints: vec![],
        public: true,
    };
    land.company.add(&registry);
    let workspace = land.company.add(&Workspace {
        scope: scope.clone(),
        name: name.to_owned(),
        guid: land.company.guid("workspace sandbox"),
        tenant_id: land.company.tenant_id().to_owned(),
        principal_id: land.company.guid("principal sandbox"),
        registry: Some(registry.id()),
        endpoints: vec![],
        public: true,
        callers: None,
    });
    let arc = land.company.add(&ArcCluster { scope: scope.clone(), name: "arc-plant-stuttgart".to_owned() });
    let location = REGION.to_owned();
    land.company.add(&KubernetesCompute {
        workspace: workspace.clone(),
        name: "k8s-plant".to_owned(),
        location: location.clone(),
        cluster: arc,
    });
    land.company.add(&OnlineEndpoint {
        workspace: workspace.clone(),
        name: "demand-forecast".to_owned(),
        location,
        public: true,
    });
    let group = ContainerGroup {
        scope,
        name: "score-playground-7d1c".to_owned(),
        image: format!("{}/azureml/azureml_0f1e2d3c4b5a69788796a5b4c3d2e1f0:latest", registry.login_server()),
        address: "20.86.12.34".to_owned(),
        subnet: None,
    };
    land.company.add(&AciService { workspace, name: "score-playground".to_owned(), group });
}

/// What a managed application's or node group's lock-down leaves behind.
fn deny_assignment(subscription: &str, guid: &str) -> serde_json::Value {
    let scope = format!("/subscriptions/{subscription}/resourceGroups/rg-churn-prod");
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/denyAssignments/{guid}"),
        "name": guid, "type": "Microsoft.Authorization/denyAssignments",
        "properties": {
            "denyAssignmentName": "protect the production registry", "description": "", "scope": scope,
            "permissions": [{"actions": ["Microsoft.ContainerRegistry/registries/delete"], "notActions": [],
                "dataActions": [], "notDataActions": []}],
            "doNotApplyToChildScopes": false, "isSystemProtected": true, "excludePrincipals": [],
            "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
        },
    })
}
