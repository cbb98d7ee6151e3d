//! The least-privilege role in the two forms that Azure's tools take: a role definition for `az`, and Bicep.

use std::fmt::Write;

use serde::Serialize;

use crate::azure::needs;
use crate::config::Selection;

/// The role's name.
pub const NAME: &str = "mlfence reader";

const DESCRIPTION: &str =
    "Reads what mlfence judges: the network around Azure Machine Learning inferencing. No action but read.";
const GROUPS: &str = "/providers/Microsoft.Management/managementGroups/";

/// A custom role, as `az role definition create --role-definition @FILE` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Role {
    name: &'static str,
    is_custom: bool,
    description: &'static str,
    actions: Vec<&'static str>,
    not_actions: [&'static str; 0],
    data_actions: [&'static str; 0],
    not_data_actions: [&'static str; 0],
    assignable_scopes: Vec<String>,
}

/// Why there is no such role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// Azure takes one.
    #[error(
        "a custom role is assignable in one management group only, not in {0}; name one above them all, or print a role for each"
    )]
    ManagementGroups(String),
    /// It would end the text that it stands in.
    #[error("`{0}` is no name of a management group: they have letters, digits, and - _ ( ) . only")]
    Name(String),
}

impl Role {
    /// The role, assignable in what is selected; tags select nothing that a role could be assignable in. Where nothing
    /// is selected stands a placeholder that Azure refuses.
    pub fn new(selection: &Selection) -> Result<Self, RoleError> {
        let groups: Vec<&str> = selection.management_groups.iter().map(String::as_str).collect();
        let named = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "-_().".contains(c));
        if let Some(name) = groups.iter().find(|name| !named(name)) {
            return Err(RoleError::Name((*name).to_owned()));
        }
        if groups.len() > 1 {
            return Err(RoleError::ManagementGroups(groups.join(", ")));
        }
        let subscriptions = selection.subscriptions.iter().map(|guid| format!("/subscriptions/{guid}"));
        let mut scopes: Vec<String> =
            groups.iter().map(|name| format!("{GROUPS}{name}")).chain(subscriptions).collect();
        if scopes.is_empty() {
            scopes.push(format!("{GROUPS}<management-group>"));
        }
        Ok(Self {
            name: NAME,
            is_custom: true,
            description: DESCRIPTION,
            actions: needs::actions().into_iter().collect(),
            not_actions: [],
            data_actions: [],
            not_data_actions: [],
            assignable_scopes: scopes,
        })
    }

    /// Whether it is assignable in subscriptions only, so that a deployment in Bicep is one of a subscription.
    pub fn at_subscription(&self) -> bool {
        self.assignable_scopes.iter().all(|scope| scope.starts_with("/subscriptions/"))
    }

    /// The role in Bicep, to be deployed at the management group, or at the subscription where only such are selected.
    /// It is assignable where it is deployed, unless the parameter says otherwise.
    pub fn bicep(&self) -> String {
        let (target, here) = if self.at_subscription() {
            ("subscription", "subscription().id")
        } else {
            ("managementGroup", "managementGroup().id")
        };
        // A lone scope is where it is deployed, and so is what nobody has named.
        let scopes: Vec<String> = match self.assignable_scopes.as_slice() {
            [_] => vec![here.to_owned()],
            several => several.iter().map(|scope| format!("'{scope}'")).collect(),
        };
        let list = |items: &[String], indent: usize| {
            let mut text = String::from("[\n");
            for item in items {
                let _ = writeln!(text, "{:indent$}  {item}", "");
            }
            let _ = write!(text, "{:indent$}]", "");
            text
        };
        let actions: Vec<String> = self.actions.iter().map(|action| format!("'{action}'")).collect();
        format!(
            "\
targetScope = '{target}'

@description('Where the role may be assigned: ids of subscriptions, and of one management group at most.')
param assignableScopes array = {scopes}

resource reader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {{
  name: guid({here}, '{NAME}')
  properties: {{
    roleName: '{NAME}'
    type: 'CustomRole'
    description: '{DESCRIPTION}'
    assignableScopes: assignableScopes
    permissions: [
      {{
        actions: {actions}
        notActions: []
        dataActions: []
        notDataActions: []
      }}
    ]
  }}
}}

output roleDefinitionId string = reader.id
",
            scopes = list(&scopes, 0),
            actions = list(&actions, 8),
        )
    }
}
