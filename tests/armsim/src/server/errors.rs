//! Azure's error bodies, one function per documented code.

use super::reply::Reply;
use super::request::Request;
use crate::arm_id::ArmId;
use serde_json::{Value, json};

/// The client (application) id that errors name.
pub(super) const CLIENT: &str = "00000000-0000-4000-8000-00000000c11e";
/// The caller's object id that errors name.
const OBJECT: &str = "00000000-0000-4000-8000-0000000000b1";

pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": code, "message": message}}))
}

/// An error that ARM itself gives, before any resource provider is asked.
fn gateway(status: u16, code: &str, message: &str) -> Reply {
    error(status, code, message).header("x-ms-failure-cause", "gateway")
}

pub(super) fn authentication_failed() -> Reply {
    gateway(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        .header("www-authenticate", challenge("invalid_request"))
}

pub(super) fn invalid_token() -> Reply {
    gateway(401, "InvalidAuthenticationToken", "The access token is invalid.")
        .header("www-authenticate", challenge("invalid_token"))
}

pub(super) fn expired_token(expiry: &str, now: &str) -> Reply {
    let message =
        format!("The access token expiry UTC time '{expiry}' is earlier than current UTC time '{now}'.");
    gateway(401, "ExpiredAuthenticationToken", &message)
        .header("www-authenticate", challenge("invalid_token"))
}

fn challenge(reason: &str) -> String {
    format!(
        "Bearer authorization_uri=\"https://login.microsoftonline.com/common\", error=\"{reason}\", \
         error_description=\"The access token is missing, unknown or expired.\""
    )
}

pub(super) fn authorization_failed(action: &str, scope: &str) -> Reply {
    let message = format!(
        "The client '{CLIENT}' with object id '{OBJECT}' does not have authorization to perform action \
         '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please \
         refresh your credentials."
    );
    gateway(403, "AuthorizationFailed", &message)
}

/// The directory's graph, of which the client may read nothing; management tools go on without names.
pub(super) fn directory_denied() -> Reply {
    error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

/// The wording that was recorded for a subscription; the tenant's is modelled on it.
pub(super) fn requests_throttled(subscription: Option<&str>, actor: &str, seconds: u64) -> Reply {
    let (code, place) = match subscription {
        Some(id) => ("SubscriptionRequestsThrottled", format!("subscription '{id}' ")),
        None => ("TenantRequestsThrottled", "tenant ".to_owned()),
    };
    let message = format!(
        "Number of 'read' requests for {place}actor '{actor}' exceeded. Please try again after '{seconds}' seconds."
    );
    gateway(429, code, &message)
}

/// Resource Graph's throttling.
pub(super) fn rate_limiting() -> Reply {
    let message = "Client application has been throttled and should not attempt to repeat the request until \
                   an amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help.";
    of_graph(429, "RateLimiting", &json!([{"code": "RateLimiting", "message": message}]))
}

pub(super) fn subscription_not_found(subscription: &str) -> Reply {
    gateway(404, "SubscriptionNotFound", &format!("The subscription '{subscription}' could not be found."))
}

pub(super) fn group_not_found(group: &str) -> Reply {
    gateway(404, "ResourceGroupNotFound", &format!("Resource group '{group}' could not be found."))
}

pub(super) fn resource_not_found(path: &str) -> Reply {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let provider = segments.iter().rposition(|s| s.eq_ignore_ascii_case("providers"));
    let what = provider.map_or_else(|| path.to_owned(), |at| segments[at + 1..].join("/"));
    let id = ArmId::new(path);
    let message = match (id.resource_group(), segments.get(3)) {
        (Some(_), Some(group)) => format!(
            "The Resource '{what}' under resource group '{group}' was not found. For more details please go \
             to https://aka.ms/ARMResourceNotFoundFix"
        ),
        _ => format!("The Resource '{what}' was not found."),
    };
    gateway(404, "ResourceNotFound", &message)
}

pub(super) fn invalid_resource_type(namespace: &str, api_version: &str) -> Reply {
    let message = format!(
        "The resource type could not be found in the namespace '{namespace}' for api version '{api_version}'."
    );
    gateway(404, "InvalidResourceType", &message)
}

/// The message of Resource Graph's refusals, whose reason stands in the details. The time is no real one, so that the same
/// requests are answered with the same bytes.
const FOR_SUPPORT: &str = "Please provide below info when asking for support: timestamp = \
                           2026-01-01T00:00:00.0000000Z, correlationId = 00000000-0000-4000-8000-000000000000.";

/// A refusal of Resource Graph.
pub(super) fn of_graph(status: u16, code: &str, details: &Value) -> Reply {
    Reply::json(status, &json!({"error": {"code": code, "message": FOR_SUPPORT, "details": details}}))
}

pub(super) fn missing_api_version() -> Reply {
    gateway(
        400,
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
    )
}

pub(super) fn invalid_api_version(told: &str) -> Reply {
    gateway(400, "InvalidApiVersionParameter", &format!("The api-version '{told}' is invalid."))
}

pub(super) fn method_not_allowed(request: &Request<'_>) -> Reply {
    let message = format!("The requested resource does not support http method '{}'.", request.method);
    error(405, "MethodNotAllowed", &message).header("allow", "GET")
}

pub(super) fn invalid_path(path: &str) -> Reply {
    gateway(404, "NotFound", &format!("The requested path '{path}' is not known."))
}
