//! What the operator declares because the estate cannot tell it.

use std::collections::BTreeMap;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::ResourceId;

/// The declarations for one workspace, after the workspace's own were laid over the defaults. A key that
/// nobody declared is `null`: "not declared", which is not the same as an empty list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expectations {
    /// Object ids of the principals that must be able to join the subnet.
    pub deployers: Option<Vec<String>>,
    /// Prefixes outside the VNet that must reach scoring; an empty list says that nobody does.
    #[schemars(with = "Option<Vec<String>>")]
    pub callers: Option<Vec<IpNet>>,
    /// Whether the clusters' API servers must be private.
    pub control_plane: Option<Openness>,
    /// Whether scoring must be private.
    pub scoring: Option<Openness>,
    /// How widely the cluster identity's network role must be granted.
    pub role_scope: Option<RoleScope>,
    /// `none` declares that no security admin rules of a network manager apply.
    pub security_admin_rules: Option<NoSecurityAdminRules>,
    /// `trusted` declares that the appliance behind a default route lets the required traffic out.
    pub egress_appliance: Option<EgressAppliance>,
}

/// Must something be private, or may it be anything?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Openness {
    /// Only reachable from inside.
    Private,
    /// No demand.
    Any,
}

/// How widely the cluster identity's network role must be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleScope {
    /// On the resource group of the VNet, as the source article asks.
    ResourceGroup,
    /// On the VNet or subnet is enough.
    LeastPrivilege,
}

/// The declaration that no security admin rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoSecurityAdminRules {
    /// There are none.
    None,
}

/// The declaration about the appliance behind a default route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EgressAppliance {
    /// It lets the required traffic out.
    Trusted,
}

impl Expectations {
    /// These declarations, with `other`'s wherever it declares something.
    pub fn overlaid(&self, other: &Self) -> Self {
        Self {
            deployers: other.deployers.clone().or_else(|| self.deployers.clone()),
            callers: other.callers.clone().or_else(|| self.callers.clone()),
            control_plane: other.control_plane.or(self.control_plane),
            scoring: other.scoring.or(self.scoring),
            role_scope: other.role_scope.or(self.role_scope),
            security_admin_rules: other.security_admin_rules.or(self.security_admin_rules),
            egress_appliance: other.egress_appliance.or(self.egress_appliance),
        }
    }
}

/// The declarations of a configuration: a default, and what single workspaces lay over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations {
    /// For every workspace.
    pub default: Expectations,
    /// Key by key over the default.
    pub workspaces: BTreeMap<ResourceId, Expectations>,
}

impl Declarations {
    /// What is declared for a workspace.
    pub fn of(&self, workspace: &ResourceId) -> Expectations {
        match self.workspaces.get(workspace) {
            Some(own) => self.default.overlaid(own),
            None => self.default.clone(),
        }
    }
}
