//! What a path of ARM asks for, and at which scope.
//!
//! Whether there is such a thing, and who may see it, is left to the parent module.

use crate::arm_id::ArmId;

/// What a path asks for.
pub(super) struct Target<'a> {
    pub(super) what: What,
    /// Type in the caller's spelling, e.g. `Microsoft.Network/virtualNetworks`.
    pub(super) asked_type: String,
    /// The scope that rights are checked at, in the caller's spelling.
    pub(super) scope: String,
    pub(super) id: ArmId,
    pub(super) namespace: &'a str,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum What {
    Tenants,
    Subscriptions,
    Groups,
    Locations,
    Providers,
    Provider,
    Permissions,
    ServiceTags,
    RoleList,
    /// The tracked resources of a subscription or group, whatever their type.
    Resources,
    List,
    One,
}

/// `None` where the path means nothing to ARM.
pub(super) fn target<'a>(segments: &[&'a str]) -> Option<Target<'a>> {
    let lower: Vec<String> = segments.iter().map(|s| s.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let (what, asked_type, depth) = match lower.as_slice() {
        ["tenants"] => (What::Tenants, "Microsoft.Resources/tenants", 0),
        ["providers"] => (What::Providers, "Microsoft.Resources/providers", 0),
        ["subscriptions"] => (What::Subscriptions, "Microsoft.Resources/subscriptions", 0),
        ["subscriptions", _] => (What::One, "Microsoft.Resources/subscriptions", 2),
        ["subscriptions", _, "resourcegroups"] => {
            (What::Groups, "Microsoft.Resources/subscriptions/resourceGroups", 2)
        }
        ["subscriptions", _, "resourcegroups", _] => {
            (What::One, "Microsoft.Resources/subscriptions/resourceGroups", 4)
        }
        ["subscriptions", _, "resources"] => {
            (What::Resources, "Microsoft.Resources/subscriptions/resources", 2)
        }
        ["subscriptions", _, "resourcegroups", _, "resources"] => {
            (What::Resources, "Microsoft.Resources/subscriptions/resourceGroups/resources", 4)
        }
        ["subscriptions", _, "locations"] => {
            (What::Locations, "Microsoft.Resources/subscriptions/locations", 2)
        }
        ["subscriptions", _, "providers"] => {
            (What::Providers, "Microsoft.Resources/subscriptions/providers", 2)
        }
        ["subscriptions", _, "tagnames"] => (What::List, "Microsoft.Resources/subscriptions/tagNames", 2),
        _ => return of_provider(segments, &lower),
    };
    Some(Target {
        what,
        asked_type: asked_type.to_owned(),
        scope: join(&segments[..depth]),
        id: ArmId::new(&join(segments)),
        namespace: "",
    })
}

fn join(segments: &[&str]) -> String {
    format!("/{}", segments.join("/"))
}

/// The paths with `/providers/{namespace}` in them, whose last one counts.
fn of_provider<'a>(segments: &[&'a str], lower: &[&str]) -> Option<Target<'a>> {
    let at = lower.iter().rposition(|s| *s == "providers")?;
    let (namespace, pairs) = segments[at + 1..].split_first()?;
    let types: Vec<&str> = pairs.iter().step_by(2).copied().collect();
    let asked_type = format!("{namespace}/{}", types.join("/"));
    let (what, scope) = match (asked_type.to_lowercase().as_str(), pairs.len()) {
        (_, 0) => (What::Provider, join(&segments[..at])),
        ("microsoft.authorization/permissions", 1) => (What::Permissions, join(&segments[..at])),
        ("microsoft.network/locations/servicetags", 3) => (What::ServiceTags, join(&segments[..at])),
        (
            "microsoft.authorization/roleassignments"
            | "microsoft.authorization/roledefinitions"
            | "microsoft.authorization/denyassignments",
            1,
        ) => (What::RoleList, join(&segments[..at])),
        (_, 1) => (What::List, join(&segments[..at])),
        (_, n) if n % 2 == 1 => (What::List, join(&segments[..segments.len() - 1])),
        _ => (What::One, join(segments)),
    };
    Some(Target { what, asked_type, scope, id: ArmId::new(&join(segments)), namespace })
}
