//! The requests that mlfence can express: a GET below the configured Azure Resource Manager, and the one POST
//! that Resource Graph needs. The type is the allow-list: its fields are private, so that no other module can
//! spell another method, another path for a POST, or another host. Sending is left to `client`.

use serde_json::Value;
use url::Url;

use super::pace::Limit;
use crate::inventory::authorization::AskAssignedTo;

/// The one path that is ever sent a POST.
const RESOURCE_GRAPH: &str = "/providers/Microsoft.ResourceGraph/resources";
const RESOURCE_GRAPH_VERSION: &str = "2024-04-01";
/// The api-version by which role assignments are asked for.
const ASSIGNED_TO_VERSION: &str = "2022-04-01";

/// Scheme, host and port of the Azure Resource Manager that tokens are meant for.
#[derive(Clone, Debug)]
pub(super) struct Endpoint(Url);

/// A request that reads.
#[derive(Clone, Debug)]
pub(super) struct Request {
    url: Url,
    /// The body of a Resource Graph query; none for a GET.
    query: Option<Vec<u8>>,
}

/// Why a `nextLink` is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkError {
    #[error("a nextLink is no URL")]
    Unreadable,
    #[error("a nextLink leads away from the configured Azure Resource Manager and was not followed")]
    Foreign,
}

impl Endpoint {
    pub(super) fn new(url: Url) -> Self {
        Self(url)
    }

    /// Whether a token may travel to this URL.
    pub(super) fn owns(&self, url: &Url) -> bool {
        url.scheme() == self.0.scheme()
            && url.host() == self.0.host()
            && url.port_or_known_default() == self.0.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none()
    }

    /// Whether the endpoint is on this machine, out of any proxy's way.
    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    fn at(&self, path: &str, api_version: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url.query_pairs_mut().clear().append_pair("api-version", api_version);
        url
    }
}

impl Request {
    /// GET of a path.
    pub(super) fn get(endpoint: &Endpoint, path: &str, api_version: &str) -> Self {
        Self { url: endpoint.at(path, api_version), query: None }
    }

    /// GET of a list below a scope that Azure named. None if it would not arrive as it is spelled: dots among its segments
    /// would be resolved, and lead to another list.
    pub(super) fn below(endpoint: &Endpoint, scope: &str, path: &str, api_version: &str) -> Option<Self> {
        let path = format!("{scope}/{path}");
        let request = Self::get(endpoint, &path, api_version);
        (request.url.path().split('/').count() == path.split('/').count()).then_some(request)
    }

    /// GET of the role assignments at a scope that reach a principal, groups resolved. None if either would not arrive in
    /// the URL as it is: an answer to another question would be worse than none.
    pub(super) fn assigned_to(endpoint: &Endpoint, ask: &AskAssignedTo) -> Option<Self> {
        let path = format!("{}/providers/Microsoft.Authorization/roleAssignments", ask.scope.as_spelled());
        let mut url = endpoint.at(&path, ASSIGNED_TO_VERSION);
        // Dots among the segments would be resolved, and lead elsewhere.
        let arrives = ask.principal.is_guid() && url.path().split('/').count() == path.split('/').count();
        let query = format!("api-version={ASSIGNED_TO_VERSION}&$filter=assignedTo('{}')", ask.principal);
        url.set_query(Some(&query));
        arrives.then_some(Self { url, query: None })
    }

    /// GET of a `nextLink`, verbatim: its page token is opaque, and rebuilding the URL could re-encode it.
    pub(super) fn follow(endpoint: &Endpoint, link: &str) -> Result<Self, LinkError> {
        let url = Url::parse(link).map_err(|_| LinkError::Unreadable)?;
        if !endpoint.owns(&url) {
            return Err(LinkError::Foreign);
        }
        Ok(Self { url, query: None })
    }

    /// POST of a Resource Graph query.
    pub(super) fn query(endpoint: &Endpoint, body: &Value) -> Self {
        let url = endpoint.at(RESOURCE_GRAPH, RESOURCE_GRAPH_VERSION);
        Self { url, query: Some(body.to_string().into_bytes()) }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn method(&self) -> reqwest::Method {
        if self.query.is_some() { reqwest::Method::POST } else { reqwest::Method::GET }
    }

    pub(super) fn body(&self) -> Option<&[u8]> {
        self.query.as_deref()
    }

    /// The sort of limit that the request draws on.
    pub(super) fn limit(&self) -> Limit {
        if self.query.is_some() { Limit::Queries } else { Limit::Reads }
    }

    /// Which of Azure's rate limits the request draws on: Resource Graph's, a subscription's, or the tenant's.
    pub(super) fn bucket(&self) -> String {
        if self.query.is_some() {
            return "resource_graph".to_owned();
        }
        let mut segments = self.url.path().trim_start_matches('/').split('/');
        match (segments.next(), segments.next()) {
            (Some(first), Some(id)) if first.eq_ignore_ascii_case("subscriptions") => id.to_ascii_lowercase(),
            _ => "tenant".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{ObjectId, ResourceId};
    use serde_json::json;

    fn endpoint() -> Endpoint {
        Endpoint::new(Url::parse("https://management.azure.com").expect("a URL"))
    }

    #[test]
    fn only_reads_can_be_expressed() {
        let requests = [
            Request::get(&endpoint(), "/subscriptions", "2022-12-01"),
            Request::get(&endpoint(), "//evil.example/x?y#z", "1"),
            Request::get(&endpoint(), "/a/../../b", "1"),
            Request::get(&endpoint(), "https://evil.example/", "1"),
            Request::follow(&endpoint(), "https://management.azure.com/x?$skipToken=a%2Bb").expect("ours"),
            Request::query(&endpoint(), &json!({})),
        ];
        for request in requests {
            assert!(endpoint().owns(request.url()), "{}", request.url());
            if request.method() == "POST" {
                assert_eq!(request.url().path(), RESOURCE_GRAPH);
            } else {
                assert_eq!((request.method().as_str(), request.body()), ("GET", None));
            }
        }
    }

    #[test]
    fn links_are_followed_only_home_and_verbatim() {
        let cases = [
            ("https://management.azure.com/a?api-version=1&$skipToken=x%2By%3d", Ok(())),
            ("https://management.azure.com:443/a", Ok(())),
            ("https://MANAGEMENT.azure.com/a", Ok(())),
            ("http://management.azure.com/a", Err(LinkError::Foreign)),
            ("http://management.azure.com:443/a", Err(LinkError::Foreign)),
            ("https://management.azure.com:444/a", Err(LinkError::Foreign)),
            ("https://management.azure.com.evil.example/a", Err(LinkError::Foreign)),
            ("https://management.azure.com@evil.example/a", Err(LinkError::Foreign)),
            ("https://user:pass@management.azure.com/a", Err(LinkError::Foreign)),
            ("/subscriptions?page=2", Err(LinkError::Unreadable)),
            ("", Err(LinkError::Unreadable)),
        ];
        for (link, expected) in cases {
            let followed = Request::follow(&endpoint(), link);
            assert_eq!(followed.as_ref().map(|_| ()).map_err(|error| *error), expected, "{link}");
            if link.contains("skipToken")
                && let Ok(request) = followed
            {
                assert_eq!(request.url().as_str(), link);
            }
        }
    }

    #[test]
    fn only_what_arrives_as_it_is_is_asked() {
        let subnet =
            "/subscriptions/s/resourceGroups/Rg Net/providers/Microsoft.Network/virtualNetworks/v/subnets/a";
        let ask = |principal: &str, scope: &str| {
            let principal = ObjectId::parse(principal).expect("an id");
            let ask = AskAssignedTo { principal, scope: ResourceId::parse(scope).expect("an id") };
            Request::assigned_to(&endpoint(), &ask).map(|request| request.url().to_string())
        };
        assert_eq!(
            ask("AAAAAAAA-0000-0000-0000-00000000000a", subnet).as_deref(),
            Some(
                "https://management.azure.com/subscriptions/s/resourceGroups/Rg%20Net/providers/Microsoft.Network/\
                 virtualNetworks/v/subnets/a/providers/Microsoft.Authorization/roleAssignments\
                 ?api-version=2022-04-01&$filter=assignedTo(%27aaaaaaaa-0000-0000-0000-00000000000a%27)"
            )
        );
        for text in ["x') or principalId eq 'y", "aaaaaaaa-0000-0000-0000-00000000000", "jane@contoso.com"] {
            assert_eq!(ask(text, subnet), None, "{text}");
        }
        let guid = "aaaaaaaa-0000-0000-0000-00000000000a";
        assert_eq!(ask(guid, "/subscriptions/s/resourceGroups/g/../../t"), None);
        assert_eq!(ask(guid, "/subscriptions/s/resourceGroups/%2e%2e"), None);
    }

    #[test]
    fn buckets() {
        let sub = Request::get(&endpoint(), "/Subscriptions/ABC/providers/x/y", "1");
        assert_eq!(sub.bucket(), "abc");
        assert_eq!(Request::get(&endpoint(), "/subscriptions", "1").bucket(), "tenant");
        assert_eq!(Request::query(&endpoint(), &json!({})).bucket(), "resource_graph");
    }
}
