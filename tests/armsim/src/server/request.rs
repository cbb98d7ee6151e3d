//! One request, taken apart: the path in both cases, the query, the body.

use crate::kinds;
use axum::http::{HeaderMap, Method, Uri, header};
use percent_encoding::percent_decode_str;

/// A request as the handlers see it.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    /// The path, unescaped, in the case of the caller.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// Scheme and host as the client sees them, without a slash at the end: links lead there again.
    pub(super) base_url: String,
    lower: String,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: &'a Method, uri: &Uri, headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        let path = percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let base_url = base_url(uri, headers);
        Self { method, lower: path.to_lowercase(), path, query, headers, body, base_url }
    }

    /// The path's segments in lower case.
    pub(super) fn lower_segments(&self) -> Vec<&str> {
        self.lower.split('/').filter(|s| !s.is_empty()).collect()
    }

    /// The path's segments in the caller's case.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|s| !s.is_empty()).collect()
    }

    /// The subscription that the path is in.
    pub(super) fn subscription(&self) -> Option<&str> {
        match self.segments().as_slice() {
            [first, id, ..] if first.eq_ignore_ascii_case("subscriptions") => Some(id),
            _ => None,
        }
    }

    /// Whether the directory's graph is asked, not Resource Manager.
    pub(super) fn is_of_directory(&self) -> bool {
        let host = self.base_url.split_once("://").map_or("", |(_, host)| host);
        host.starts_with("graph.") || host.starts_with("microsoftgraph.")
    }

    /// A query parameter; its name in any case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the body claims that media type, whatever its parameters.
    pub(super) fn has_content_type(&self, media_type: &str) -> bool {
        self.header(header::CONTENT_TYPE.as_str())
            .and_then(|value| value.split(';').next())
            .is_some_and(|value| value.trim().eq_ignore_ascii_case(media_type))
    }

    /// Lower-case path and query, for matching faults.
    pub(super) fn line(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{}?{}", self.lower, query.join("&").to_lowercase())
    }
}

/// A proxied request names scheme and host in its URI; one to our own address in its `Host` only.
fn base_url(uri: &Uri, headers: &HeaderMap) -> String {
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            format!("http://{host}")
        }
    }
}

/// Whether groups are to be resolved for one principal.
fn asks_whom_it_reaches(request: &Request<'_>) -> bool {
    request.parameter("$filter").is_some_and(|filter| filter.to_lowercase().contains("assignedto("))
}

/// What the request asks for, as the statistics name it.
pub(super) fn kind_of(request: &Request<'_>) -> &'static str {
    let segments = request.lower_segments();
    match segments.as_slice() {
        ["subscriptions"] | ["subscriptions", _] => return "subscriptions",
        ["subscriptions", _, "resourcegroups"] | ["subscriptions", _, "resourcegroups", _] => {
            return "resource_groups";
        }
        ["subscriptions", _, "locations"] => return "locations",
        ["tenants"] => return "tenants",
        ["providers"] | ["subscriptions", _, "providers"] => return "providers",
        ["subscriptions", _, "resources"] | ["subscriptions", _, "resourcegroups", _, "resources"] => {
            return "resources";
        }
        ["msi", "token"] | [_, "oauth2", "v2.0", "token"] | [_, "oauth2", "token"] => return "token",
        [_, "discovery", "instance"]
        | [.., ".well-known", "openid-configuration"]
        | ["metadata", "endpoints"] => return "discovery",
        ["providers", "microsoft.resourcegraph", "resources"] => return "resource_graph",
        _ => {}
    }
    let Some(at) = segments.iter().rposition(|s| *s == "providers") else {
        return "other";
    };
    let Some((namespace, rest)) = segments[at + 1..].split_first() else {
        return "other";
    };
    let types: Vec<&str> = rest.iter().step_by(2).copied().collect();
    match format!("{namespace}/{}", types.join("/")).as_str() {
        "microsoft.authorization/permissions" => "permissions",
        "microsoft.authorization/roleassignments" if asks_whom_it_reaches(request) => "assigned_to",
        "microsoft.network/virtualnetworks/subnets" => "subnets",
        "microsoft.network/locations/servicetags" => "service_tags",
        of if rest.is_empty() => {
            debug_assert!(of.ends_with('/'), "a namespace alone names no type");
            "providers"
        }
        of => kinds::by_type(of).map_or("other", |kind| kind.name),
    }
}
