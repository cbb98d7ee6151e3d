//! Answers in the server's place: throttling, failures, refusals, redirects, and bodies that are no answer.

use super::trouble::{Code, Text, What};
use crate::arm_id::ArmId;
use crate::server::reply::Reply;
use crate::server::request::Request;
use crate::server::{errors, faults};
use serde_json::{Value, json};

/// How deep the nested body is.
const DEPTH: usize = 100_000;

const HTML: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Our services aren't \
                    available right now</h1><p>We're working to restore all services as soon as possible.</p>\
                    </body></html>\n";

/// The answer of a trouble that lets nobody through. `line` is the path and query as sent.
pub(super) fn instead(what: &What, request: &Request<'_>, line: &str) -> Option<Reply> {
    match what {
        What::Throttle { retry_after } => Some(faults::recorded(429, retry_after.bearable(), request)),
        What::Answer { status, body, retry_after } => {
            Some(answer(*status, *body, retry_after.bearable(), request))
        }
        What::Redirect { status, base } => {
            let reply = Reply::bytes(*status, "text/html; charset=utf-8", Vec::new());
            Some(reply.header("location", format!("{base}{line}")))
        }
        What::Refuse { code } => Some(refusal(*code, request)),
        _ => None,
    }
}

fn answer(status: u16, body: Text, wait: Option<u64>, request: &Request<'_>) -> Reply {
    let json = |text: String| Reply::bytes(status, "application/json; charset=utf-8", text.into_bytes());
    match body {
        Text::Recorded => faults::recorded(status, wait, request),
        Text::Empty => json(String::new()),
        Text::Html => Reply::bytes(status, "text/html", HTML.as_bytes().to_vec()),
        Text::Nested => {
            let key =
                if request.lower_segments().contains(&"microsoft.resourcegraph") { "data" } else { "value" };
            let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
            json(format!("{{\"{key}\":{open}{close}}}"))
        }
        Text::Null => json("null".to_owned()),
        Text::String => json("\"OK\"".to_owned()),
    }
}

fn refusal(code: Code, request: &Request<'_>) -> Reply {
    let segments = request.segments();
    let at = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    let below: &[&str] = at.map_or(&[], |at| &segments[at + 1..]);
    let namespace = below.first().copied().unwrap_or("Microsoft.Resources");
    let types: Vec<&str> = below.iter().skip(1).step_by(2).copied().collect();
    let version = request.parameter("api-version").unwrap_or_default();
    match code {
        Code::AuthorizationFailed => {
            errors::authorization_failed(&format!("{namespace}/{}/read", types.join("/")), &request.path)
        }
        Code::InvalidAuthenticationToken => errors::invalid_token(),
        Code::InvalidResourceType => errors::invalid_resource_type(namespace, version),
        Code::NoRegisteredProviderFound => {
            let message = format!(
                "No registered resource provider found for location 'westeurope' and API version '{version}' for \
                 type '{}'. The supported api-versions are '2023-10-01, 2024-04-01, 2024-10-01'. The supported \
                 locations are 'westeurope, northeurope'.",
                types.join("/")
            );
            errors::error(400, "NoRegisteredProviderFound", &message)
        }
        Code::SubscriptionNotFound => {
            let id = ArmId::new(&request.path);
            errors::subscription_not_found(id.subscription().unwrap_or_default())
        }
    }
}

/// Moves a token's promised end to `offset` seconds from now: App Service tells the moment, Entra the time left.
pub(super) fn edit_token(what: &What, body: &mut Value, now: i64) {
    let What::TokenExpiry { offset, .. } = what else { return };
    for (key, value) in [
        ("expires_on", json!(now.saturating_add(*offset).to_string())),
        ("expires_in", json!(offset)),
        ("ext_expires_in", json!(offset)),
    ] {
        if body.get(key).is_some() {
            body[key] = value;
        }
    }
}
