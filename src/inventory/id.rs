//! ARM resource ids: the one place where their case is folded.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// An ARM id, compared segment by segment without regard to ASCII case.
///
/// Azure returns the same id as `resourceGroups` and `resourcegroups`, with or without a leading slash and
/// with upper-cased group names, so the text is normalised (leading slash, no trailing slash) and a folded key
/// decides equality, order and hash. [`fmt::Display`] and serialisation give the key, so that casing noise
/// never reaches a report; [`ResourceId::name`] keeps the case that Azure used.
#[derive(Clone, Debug)]
pub struct ResourceId {
    text: Box<str>,
    key: Box<str>,
}

impl ResourceId {
    /// Reads an id; blank text is no id. The root scope is `/`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        // Both at once: a blank before the last slash must not be an end of the id that is lost when it is read again.
        let inner = text.trim_matches(|c: char| c == '/' || c.is_whitespace());
        let text: Box<str> = format!("/{inner}").into();
        let key = text.to_ascii_lowercase().into();
        Some(Self { text, key })
    }

    /// The id of a subscription, from its bare guid.
    pub fn subscription_scope(subscription: &str) -> Self {
        let text: Box<str> = format!("/subscriptions/{subscription}").into();
        let key = text.to_ascii_lowercase().into();
        Self { text, key }
    }

    /// The scope above everything, `/`.
    pub fn root() -> Self {
        Self { text: "/".into(), key: "/".into() }
    }

    /// The folded form that decides equality.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The id as Azure spelled it, with leading and without trailing slash.
    pub fn as_spelled(&self) -> &str {
        &self.text
    }

    /// The last segment, in the case that Azure used.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// The subscription's guid, folded; none for ids above subscriptions.
    pub fn subscription(&self) -> Option<&str> {
        let mut segments = self.key.split('/').skip(1);
        match (segments.next(), segments.next()) {
            (Some("subscriptions"), Some(id)) if !id.is_empty() => Some(id),
            _ => None,
        }
    }

    /// The id of the subscription that this id lies in.
    pub fn subscription_id(&self) -> Option<Self> {
        self.subscription().map(|_| self.prefix(2))
    }

    /// The id of the resource group, if the id names one.
    pub fn resource_group(&self) -> Option<Self> {
        let mut segments = self.key.split('/').skip(3);
        match (segments.next(), segments.next()) {
            (Some("resourcegroups"), Some(name)) if !name.is_empty() => Some(self.prefix(4)),
            _ => None,
        }
    }

    /// The name of the resource group, in the case that Azure used.
    pub fn resource_group_name(&self) -> Option<&str> {
        self.resource_group()?;
        self.text.split('/').nth(4)
    }

    /// The folded resource type, such as `microsoft.network/virtualnetworks/subnets`.
    pub fn resource_type(&self) -> Option<String> {
        let (_, after) = self.key.rsplit_once("/providers/")?;
        let mut segments = after.split('/');
        let mut kind = segments.next()?.to_owned();
        let mut any = false;
        while let Some(segment) = segments.next() {
            any = true;
            kind.push('/');
            kind.push_str(segment);
            segments.next();
        }
        any.then_some(kind)
    }

    /// The resource of the given folded type that this id is, or lies below.
    pub fn ancestor(&self, resource_type: &str) -> Option<Self> {
        let (before, after) = self.key.rsplit_once("/providers/")?;
        let wanted = resource_type.split('/').count();
        let mut segments = after.split('/');
        let mut of_type = segments.next()?.to_owned();
        let mut names = 0;
        while let (Some(segment), Some(_name)) = (segments.next(), segments.next()) {
            of_type.push('/');
            of_type.push_str(segment);
            names += 1;
            if names + 1 == wanted {
                break;
            }
        }
        // The provider's namespace, and two segments for each type and its name.
        let taken = before.split('/').count() + 1 + 2 * names;
        (of_type == resource_type).then(|| self.prefix(taken))
    }

    /// The resource that this one is a child of: two segments fewer, never past the provider.
    pub fn parent(&self) -> Option<Self> {
        let kind = self.resource_type()?;
        (kind.matches('/').count() > 1).then(|| self.prefix(self.key.split('/').count() - 3))
    }

    /// Whether `other` is this scope or lies below it, on segment boundaries.
    pub fn contains(&self, other: &Self) -> bool {
        &*self.key == "/"
            || other.key.strip_prefix(&*self.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// A child of this id.
    pub fn child(&self, segments: &str) -> Self {
        let above = if &*self.text == "/" { "" } else { &self.text };
        let text: Box<str> = format!("{above}/{segments}").into();
        let key = text.to_ascii_lowercase().into();
        Self { text, key }
    }

    fn prefix(&self, segments: usize) -> Self {
        let cut = self.text.match_indices('/').nth(segments).map_or(self.text.len(), |(at, _)| at);
        Self { text: self.text[..cut].into(), key: self.key[..cut].into() }
    }
}

/// Whether a text has the form of a GUID.
pub fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.trim().split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for ResourceId {}
impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}
impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}
impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}
impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.key)
    }
}
impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an ARM id may not be blank"))
    }
}
impl JsonSchema for ResourceId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResourceId".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "an ARM id in lower case", "pattern": "^/" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ResourceId {
        ResourceId::parse(text).expect("test ids are not blank")
    }

    #[test]
    fn spelling_does_not_matter() {
        let spelled = [
            "/subscriptions/S1/resourceGroups/RG-ml/providers/Microsoft.Network/virtualNetworks/Vnet",
            "subscriptions/s1/resourcegroups/rg-ML/providers/microsoft.network/virtualnetworks/vnet/",
        ];
        assert_eq!(id(spelled[0]), id(spelled[1]));
        assert_eq!(id(spelled[0]).name(), "Vnet");
        assert_eq!(id(spelled[1]).resource_group(), Some(id("/subscriptions/s1/resourceGroups/rg-ml")));
    }

    #[test]
    fn parts() {
        let subnet =
            id("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n");
        assert_eq!(subnet.resource_type().as_deref(), Some("microsoft.network/virtualnetworks/subnets"));
        let vnet = subnet.ancestor("microsoft.network/virtualnetworks");
        assert_eq!(
            vnet,
            Some(id("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"))
        );
        assert_eq!(vnet.and_then(|v| v.parent()), None);
        assert_eq!(subnet.subscription(), Some("s"));
        assert_eq!(id("/").subscription(), None);
        assert_eq!(id("/providers/Microsoft.Management/managementGroups/m").resource_group(), None);
        assert_eq!(ResourceId::parse("  "), None);
    }

    #[test]
    fn an_id_as_it_is_shown_reads_as_the_same_id() {
        for text in ["a /", " /a/ / ", "/ a", "/\u{a0}/a", "/", " // "] {
            let read = id(text);
            assert_eq!(id(&read.to_string()), read, "{text:?}");
        }
        assert_eq!(id("/subscriptions/s /"), id("/subscriptions/s"));
    }

    #[test]
    fn a_child_of_the_root_has_one_slash() {
        assert_eq!(ResourceId::root().child("networkManager").key(), "/networkmanager");
    }

    #[test]
    fn an_ancestor_is_found_at_any_depth() {
        let vnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v";
        let wanted = "microsoft.network/virtualnetworks";
        assert_eq!(id(vnet).ancestor(wanted), Some(id(vnet)));
        assert_eq!(id(&format!("{vnet}/subnets/n/x/y")).ancestor(wanted), Some(id(vnet)));
        assert_eq!(
            id(&format!("{vnet}/subnets/n"))
                .ancestor("microsoft.network/virtualnetworks/subnets")
                .map(|id| id.name().to_owned()),
            Some("n".to_owned())
        );
        assert_eq!(
            id("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks")
                .ancestor(wanted),
            None
        );
        assert_eq!(id(&format!("{vnet}{}", "/c/d".repeat(20_000))).ancestor("microsoft.network/other"), None);
    }

    #[test]
    fn scopes_contain_on_segment_boundaries() {
        assert!(
            id("/subscriptions/s/resourceGroups/rg-net")
                .contains(&id("/subscriptions/s/resourcegroups/RG-NET/providers/x/y/z"))
        );
        assert!(
            !id("/subscriptions/s/resourceGroups/rg-net")
                .contains(&id("/subscriptions/s/resourceGroups/rg-net-prod"))
        );
        assert!(ResourceId::root().contains(&id("/subscriptions/s")));
    }
}
