//! The part of the table that access rests on, and readers for the shapes that only occur there.

use super::{Absent, Code, Field, Kind, Known, Part, Reason, Value};

// Columns: path, meaning of absence, meaning of emptiness.
fields! {
    /// The fields that access rests on.
    ACCESS_ALL;
    Subscriptions {
        // Every subscription lies below at least one management group, so an empty chain is one that was not shown.
        SUBSCRIPTION_CHAIN "properties.managementGroupAncestorsChain" NotTold NotTold;
        SUBSCRIPTION_CHAIN_NAME "properties.managementGroupAncestorsChain[].name" NotTold NotTold;
    }
    AksClusters {
        // `msi` where a managed identity is used; the identity's type tells it too.
        CLUSTER_CLIENT "properties.servicePrincipalProfile.clientId" Elsewhere Elsewhere;
        // Absent on clusters with a service principal.
        CLUSTER_IDENTITY_TYPE "identity.type" Elsewhere Elsewhere;
        // Null on clusters with user-assigned identities.
        CLUSTER_IDENTITY_PRINCIPAL "identity.principalId" Elsewhere Elsewhere;
        CLUSTER_USER_IDENTITIES "identity.userAssignedIdentities" Elsewhere Elsewhere;
        CLUSTER_USER_PRINCIPAL "identity.userAssignedIdentities[].principalId" NotTold NotTold;
        CLUSTER_KUBELET "properties.identityProfile.kubeletidentity.objectId" Nothing Nothing;
    }
    RoleAssignments {
        ASSIGNMENT_SCOPE "properties.scope" NotTold NotTold;
        ASSIGNMENT_ROLE "properties.roleDefinitionId" NotTold NotTold;
        ASSIGNMENT_PRINCIPAL "properties.principalId" NotTold NotTold;
        // Missing in old versions; then it may be a group.
        ASSIGNMENT_PRINCIPAL_TYPE "properties.principalType" NotTold NotTold;
        // Versions before 2022-04-01 hide it, which the snapshot's header tells.
        ASSIGNMENT_CONDITION "properties.condition" Nothing Nothing;
        ASSIGNMENT_DELEGATED "properties.delegatedManagedIdentityResourceId" Nothing Nothing;
        ASSIGNMENT_CREATED "properties.createdOn" Nothing Nothing;
    }
    RoleDefinitions {
        // For people only; nothing is decided by it.
        ROLE_NAME "properties.roleName" Elsewhere Elsewhere;
        ROLE_TYPE "properties.type" Elsewhere Elsewhere;
        ROLE_PERMISSIONS "properties.permissions" NotTold NotTold;
        ROLE_ACTIONS "properties.permissions[].actions" NotTold Nothing;
        ROLE_NOT_ACTIONS "properties.permissions[].notActions" NotTold Nothing;
        ROLE_DATA_ACTIONS "properties.permissions[].dataActions" Nothing Nothing;
        ROLE_CONDITION "properties.permissions[].condition" Nothing Nothing;
    }
    DenyAssignments {
        DENY_SCOPE "properties.scope" NotTold NotTold;
        DENY_NOT_CHILDREN "properties.doNotApplyToChildScopes" NotTold NotTold;
        DENY_PRINCIPALS "properties.principals" NotTold NotTold;
        DENY_PRINCIPAL_ID "properties.principals[].id" NotTold NotTold;
        DENY_PRINCIPAL_TYPE "properties.principals[].type" Elsewhere Elsewhere;
        DENY_EXCLUDED "properties.excludePrincipals" NotTold Nothing;
        DENY_EXCLUDED_ID "properties.excludePrincipals[].id" NotTold NotTold;
        DENY_EXCLUDED_TYPE "properties.excludePrincipals[].type" Elsewhere Elsewhere;
        DENY_PERMISSIONS "properties.permissions" NotTold NotTold;
        DENY_ACTIONS "properties.permissions[].actions" NotTold Nothing;
        DENY_NOT_ACTIONS "properties.permissions[].notActions" NotTold Nothing;
        DENY_PERMISSION_CONDITION "properties.permissions[].condition" Nothing Nothing;
        // Enforced unless it says `audit`.
        DENY_EFFECT "properties.denyAssignmentEffect" Nothing Nothing;
        DENY_CONDITION "properties.condition" Nothing Nothing;
    }
}

impl Field {
    /// The keys and values of a map, such as the user-assigned identities by their ids; `[]` in the paths of other
    /// fields stands for each value.
    pub fn entries<'a>(&self, part: Part<'a>) -> Known<Vec<(&'a str, Part<'a>)>> {
        match self.value(part)? {
            None => Ok(Vec::new()),
            Some(Value::Object(map)) if map.is_empty() && self.empty != Absent::Nothing => {
                let message = format!("{} does not tell `{}`", part.id, self.path);
                Err(Reason::new(Code::NotTold, message))
            }
            Some(Value::Object(map)) => {
                if map.values().any(|value| !value.is_object()) {
                    return Err(self.malformed(part, "a map of objects"));
                }
                Ok(map.iter().map(|(key, value)| (key.as_str(), part.element(value))).collect())
            }
            Some(_) => Err(self.malformed(part, "a map")),
        }
    }

    /// A reason that names this field of a record, where it is not told.
    pub fn not_told(&self, part: Part<'_>) -> Reason {
        Reason::new(Code::NotTold, format!("{} does not tell `{}`", part.id, self.path))
    }

    /// A reason that names this field of a record, where its text could not be understood.
    pub fn not_understood(&self, part: Part<'_>, expected: &str) -> Reason {
        self.malformed(part, expected)
    }
}
