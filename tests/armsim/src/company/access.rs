//! Azure RBAC: some built-in role definitions, and assignments of them.

use super::Resource;
use serde_json::{Value, json};

/// A role: the built-in ones under their real guids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but access.
    Contributor,
    /// Reading.
    Reader,
    /// Networks.
    NetworkContributor,
    /// Pulling images.
    AcrPull,
    /// Working in a workspace.
    DataScientist,
    /// A role that the customer made for deploying models, with an action that does not exist.
    MisspeltDeployer,
}

impl Role {
    const BUILT_IN: [Self; 6] = [
        Self::Owner,
        Self::Contributor,
        Self::Reader,
        Self::NetworkContributor,
        Self::AcrPull,
        Self::DataScientist,
    ];

    /// The guid, the same in every tenant.
    pub fn guid(self) -> &'static str {
        match self {
            Self::Owner => "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            Self::Contributor => "b24988ac-6180-42a0-ab88-20f7382dd24c",
            Self::Reader => "acdd72a7-3385-48ef-bd42-f606fba81ae7",
            Self::NetworkContributor => "4d97b98b-1d4f-4787-a291-c67834d212e7",
            Self::AcrPull => "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            Self::DataScientist => "f6c7c914-8db3-469d-8ca1-694a8f32e121",
            Self::MisspeltDeployer => "7c1e5d90-2b3a-4f68-8d17-e09a6b54c3f2",
        }
    }

    /// The definition.
    pub(super) fn definition(self) -> Value {
        let (name, actions, not_actions): (&str, &[&str], &[&str]) = match self {
            Self::Owner => ("Owner", &["*"], &[]),
            Self::Contributor => (
                "Contributor",
                &["*"],
                &[
                    "Microsoft.Authorization/*/Delete",
                    "Microsoft.Authorization/*/Write",
                    "Microsoft.Authorization/elevateAccess/Action",
                    "Microsoft.Blueprint/blueprintAssignments/write",
                    "Microsoft.Blueprint/blueprintAssignments/delete",
                    "Microsoft.Compute/galleries/share/action",
                ],
            ),
            Self::Reader => ("Reader", &["*/read"], &[]),
            Self::NetworkContributor => (
                "Network Contributor",
                &[
                    "Microsoft.Authorization/*/read",
                    "Microsoft.Insights/alertRules/*",
                    "Microsoft.Network/*",
                    "Microsoft.ResourceHealth/availabilityStatuses/read",
                    "Microsoft.Resources/deployments/*",
                    "Microsoft.Resources/subscriptions/resourceGroups/read",
                    "Microsoft.Support/*",
                ],
                &[],
            ),
            Self::AcrPull => ("AcrPull", &["Microsoft.ContainerRegistry/registries/pull/read"], &[]),
            Self::DataScientist => (
                "AzureML Data Scientist",
                &[
                    "Microsoft.MachineLearningServices/workspaces/*/read",
                    "Microsoft.MachineLearningServices/workspaces/*/action",
                    "Microsoft.MachineLearningServices/workspaces/*/delete",
                    "Microsoft.MachineLearningServices/workspaces/*/write",
                ],
                &[
                    "Microsoft.MachineLearningServices/workspaces/delete",
                    "Microsoft.MachineLearningServices/workspaces/write",
                    "Microsoft.MachineLearningServices/workspaces/computes/*/write",
                    "Microsoft.MachineLearningServices/workspaces/computes/*/delete",
                    "Microsoft.MachineLearningServices/workspaces/computes/listKeys/action",
                    "Microsoft.MachineLearningServices/workspaces/listKeys/action",
                ],
            ),
            Self::MisspeltDeployer => (
                "Model Deployer",
                &[
                    "Microsoft.MachineLearningServices/workspaces/*",
                    "Microsoft.Network/virtualNetworks/read",
                    "Microsoft.Network/virtualNetworks/join/action",
                    "Microsoft.Network/virtualNetworks/subnet/join/action",
                ],
                &[],
            ),
        };
        let (kind, scope) = match self {
            Self::MisspeltDeployer => {
                ("CustomRole", "/providers/Microsoft.Management/managementGroups/mg-contoso")
            }
            _ => ("BuiltInRole", "/"),
        };
        let permission =
            json!({"actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": []});
        json!({
            "id": format!("/providers/Microsoft.Authorization/roleDefinitions/{}", self.guid()),
            "name": self.guid(), "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {"roleName": name, "type": kind, "description": "", "assignableScopes": [scope],
                "permissions": [permission], "createdBy": null, "updatedBy": null,
                "createdOn": "2015-02-02T21:55:09.8806423Z", "updatedOn": "2026-01-15T15:12:00.0000000Z"},
        })
    }
}

/// The definitions of all built-in roles here.
pub fn definitions() -> Vec<Value> {
    Role::BUILT_IN.into_iter().map(Role::definition).collect()
}

/// A role assignment.
#[derive(Debug, Clone)]
pub struct RoleAssignment {
    /// Its guid.
    pub guid: String,
    /// `/`, a management group, a subscription, a group or a resource.
    pub scope: String,
    /// The subscription that was asked; role definition ids carry it.
    pub asked: String,
    /// What is granted.
    pub role: Role,
    /// To which object id.
    pub principal: String,
    /// User, Group or ServicePrincipal.
    pub principal_type: String,
}

impl Resource for RoleAssignment {
    fn id(&self) -> String {
        let scope = self.scope.trim_end_matches('/');
        format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", self.guid)
    }

    fn records(&self) -> Vec<Value> {
        let role = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{}",
            self.asked,
            self.role.guid()
        );
        let properties = json!({
            "roleDefinitionId": role, "principalId": self.principal, "principalType": self.principal_type,
            "scope": self.scope, "condition": null, "conditionVersion": null, "description": null,
            "createdOn": "2026-02-11T10:20:30.4567890Z", "updatedOn": "2026-02-11T10:20:30.4567890Z",
            "createdBy": null, "updatedBy": null, "delegatedManagedIdentityResourceId": null,
        });
        vec![json!({"id": self.id(), "name": self.guid, "type": "Microsoft.Authorization/roleAssignments",
            "properties": properties})]
    }
}
