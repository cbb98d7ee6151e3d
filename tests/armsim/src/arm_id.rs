//! ARM ids: compared without case, taken apart by segment.
//!
//! "Resource ids are case-insensitive" is ARM's documented rule; ids also come without a leading
//! slash or with a trailing one. Nothing else in this crate folds the case of an id.

use std::fmt;

/// An ARM id or scope in its canonical form: leading slash, no trailing one, lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArmId(String);

impl ArmId {
    /// The canonical form of whatever a caller or a record calls an id; `/` is the tenant's root.
    pub fn new(text: &str) -> Self {
        let segments = text.trim().split('/').filter(|s| !s.is_empty());
        let mut id = String::with_capacity(text.len() + 1);
        for segment in segments {
            id.push('/');
            id.push_str(&segment.to_lowercase());
        }
        if id.is_empty() {
            id.push('/');
        }
        Self(id)
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|s| !s.is_empty())
    }

    fn value_after(&self, position: usize, keyword: &str) -> Option<&str> {
        let mut segments = self.segments().skip(position);
        (segments.next() == Some(keyword)).then(|| segments.next()).flatten()
    }

    /// The subscription's guid, of anything in or below a subscription.
    pub fn subscription(&self) -> Option<&str> {
        self.value_after(0, "subscriptions")
    }

    /// The resource group's name, of anything in or below one.
    pub fn resource_group(&self) -> Option<&str> {
        self.subscription()?;
        self.value_after(2, "resourcegroups")
    }

    /// The id of the resource group that holds this.
    pub fn resource_group_id(&self) -> Option<ArmId> {
        let (subscription, group) = (self.subscription()?, self.resource_group()?);
        Some(Self(format!("/subscriptions/{subscription}/resourcegroups/{group}")))
    }

    /// The id of the subscription that holds this.
    pub fn subscription_id(&self) -> Option<ArmId> {
        Some(Self(format!("/subscriptions/{}", self.subscription()?)))
    }

    /// The lower-case resource type, as Resource Graph's `type` column has it.
    pub fn resource_type(&self) -> Option<String> {
        let segments: Vec<&str> = self.segments().collect();
        let Some(at) = segments.iter().rposition(|s| *s == "providers") else {
            return match segments.as_slice() {
                ["subscriptions", _] => Some("microsoft.resources/subscriptions".to_owned()),
                ["subscriptions", _, "resourcegroups", _] => {
                    Some("microsoft.resources/subscriptions/resourcegroups".to_owned())
                }
                _ => None,
            };
        };
        let (namespace, pairs) = segments.get(at + 1..)?.split_first()?;
        if pairs.is_empty() || pairs.len() % 2 != 0 {
            return None;
        }
        let types: Vec<&str> = pairs.iter().step_by(2).copied().collect();
        Some(format!("{namespace}/{}", types.join("/")))
    }

    /// Everything but the last segment: the list in which ARM shows this resource.
    pub fn collection(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(head, _)| head)
    }

    /// For an extension resource (a role assignment, a cluster extension), what it is attached to.
    pub fn scope(&self) -> ArmId {
        match self.0.rfind("/providers/") {
            Some(0) | None => Self("/".to_owned()),
            Some(at) => Self(self.0[..at].to_owned()),
        }
    }

    /// Whether `other` is this or lies below it, on segment boundaries.
    pub fn contains(&self, other: &ArmId) -> bool {
        self.0 == "/"
            || other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBNET: &str =
        "subscriptions/S/ResourceGroups/RG/providers/Microsoft.Network/virtualNetworks/V/subnets/A/";

    #[test]
    fn an_id_is_taken_apart_whatever_its_case_and_slashes() {
        let id = ArmId::new(SUBNET);
        assert_eq!(id.subscription(), Some("s"));
        assert_eq!(id.resource_group(), Some("rg"));
        assert_eq!(id.resource_type().as_deref(), Some("microsoft.network/virtualnetworks/subnets"));
        assert!(id.collection().ends_with("/virtualnetworks/v/subnets"));
    }

    #[test]
    fn scopes_contain_on_segment_boundaries_only() {
        let group = ArmId::new("/subscriptions/s/resourceGroups/rg");
        assert!(group.contains(&ArmId::new(SUBNET)));
        assert!(!group.contains(&ArmId::new("/subscriptions/s/resourceGroups/rg2")));
        assert!(ArmId::new("/").contains(&group));
    }

    #[test]
    fn an_extension_resource_is_of_its_last_provider() {
        let id = ArmId::new(&format!("/{SUBNET}providers/Microsoft.Authorization/roleAssignments/x"));
        assert_eq!(id.resource_type().as_deref(), Some("microsoft.authorization/roleassignments"));
        assert_eq!(id.scope(), ArmId::new(SUBNET));
        assert_eq!(
            ArmId::new("/providers/Microsoft.Authorization/roleAssignments/x").scope(),
            ArmId::new("/")
        );
    }
}
