//! The token endpoints, and what becomes of their tokens.
//!
//! App Service's managed identity endpoint (`IDENTITY_ENDPOINT`, secret in `X-IDENTITY-HEADER`,
//! `expires_on` a string of Unix seconds) and Entra's client credentials grant. Tokens are opaque.

use super::clock::{american, seconds};
use super::errors;
use super::options::SECRET;
use super::reply::Reply;
use super::request::Request;
use axum::http::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The lifetime that the answers promise.
const LIFETIME: Duration = Duration::from_secs(3600);

/// All tokens handed out, and when ARM stops taking them.
pub(super) struct Tokens {
    valid_for: Duration,
    issued: HashMap<String, Issued>,
}

struct Issued {
    end: SystemTime,
    /// The client id of whom it was handed to.
    principal: String,
}

impl Tokens {
    pub(super) fn new(valid_for: Option<Duration>) -> Self {
        Self { valid_for: valid_for.unwrap_or(LIFETIME), issued: HashMap::new() }
    }

    /// How long ARM takes tokens that are handed out from now on.
    pub(super) fn set_validity(&mut self, valid_for: Option<Duration>) {
        self.valid_for = valid_for.unwrap_or(LIFETIME);
    }

    pub(super) fn expire_all(&mut self) {
        self.issued.values_mut().for_each(|token| token.end = UNIX_EPOCH);
    }

    /// Refuses the token in this answer as expired.
    pub(super) fn expire(&mut self, answer: &Value) {
        let token = answer.get("access_token").and_then(Value::as_str);
        if let Some(issued) = token.and_then(|token| self.issued.get_mut(token)) {
            issued.end = UNIX_EPOCH;
        }
    }

    fn issue(&mut self, principal: &str) -> (String, SystemTime) {
        let now = SystemTime::now();
        let token = format!("armsim-token-{}", self.issued.len() + 1);
        let issued = Issued { end: now + self.valid_for, principal: principal.to_owned() };
        self.issued.insert(token.clone(), issued);
        (token, now + LIFETIME)
    }

    /// `GET /msi/token?api-version=2019-08-01&resource=…`
    pub(super) fn managed_identity(&mut self, request: &Request<'_>) -> Reply {
        let refuse = |status: u16, message: &str| {
            Reply::json(status, &json!({"statusCode": status, "message": message}))
        };
        if request.method != Method::GET {
            return errors::method_not_allowed(request);
        }
        if request.header("x-identity-header") != Some(SECRET) {
            return refuse(401, "the X-IDENTITY-HEADER is missing or wrong");
        }
        if request.parameter("api-version") != Some("2019-08-01") {
            return refuse(400, "the api-version is missing or not supported");
        }
        let Some(resource) = request.parameter("resource") else {
            return refuse(400, "the resource parameter is missing");
        };
        let (token, end) = self.issue(request.parameter("client_id").unwrap_or(errors::CLIENT));
        let mut body = json!({
            "access_token": token, "token_type": "Bearer", "resource": resource,
            "expires_on": seconds(end).to_string(),
        });
        if let Some(client) = request.parameter("client_id") {
            body["client_id"] = Value::from(client);
        }
        Reply::json(200, &body)
    }

    /// `POST /{tenant}/oauth2/v2.0/token`, and the older `/{tenant}/oauth2/token`, which names a resource and tells numbers
    /// as strings.
    pub(super) fn entra(&mut self, request: &Request<'_>) -> Reply {
        if *request.method != Method::POST {
            return errors::method_not_allowed(request);
        }
        let form: HashMap<String, String> = form_urlencoded::parse(request.body).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str);
        if field("grant_type") != Some("client_credentials") {
            return entra_error(400, "unsupported_grant_type", 70003, "The grant type is not supported.");
        }
        let resource = field("resource").filter(|_| !request.lower_segments().contains(&"v2.0"));
        if field("client_id").is_none() || field("scope").or(resource).is_none() {
            return entra_error(
                400,
                "invalid_request",
                900_144,
                "The request body must contain client_id and scope.",
            );
        }
        match (field("client_secret"), field("client_assertion")) {
            (Some(SECRET), _) => {}
            (None, Some(assertion)) if !assertion.is_empty() => {}
            (None, None) => {
                let message = "The request body must contain client_assertion or client_secret.";
                return entra_error(401, "invalid_client", 7_000_218, message);
            }
            _ => {
                return entra_error(401, "invalid_client", 7_000_215, "Invalid client secret provided.");
            }
        }
        let (token, end) = self.issue(field("client_id").unwrap_or(errors::CLIENT));
        let lifetime = LIFETIME.as_secs();
        if let Some(resource) = resource {
            return Reply::json(
                200,
                &json!({"token_type": "Bearer", "expires_in": lifetime.to_string(), "resource": resource,
                    "expires_on": seconds(end).to_string(), "access_token": token}),
            );
        }
        Reply::json(
            200,
            &json!({"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}),
        )
    }

    /// The principal whose request ARM lets in.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<String, Reply> {
        let header = request.header("authorization").ok_or_else(errors::authentication_failed)?;
        let token = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(errors::authentication_failed()),
        };
        let Issued { end, principal } = self.issued.get(token).ok_or_else(errors::invalid_token)?;
        let now = SystemTime::now();
        if *end <= now {
            return Err(errors::expired_token(&american(*end), &american(now)));
        }
        Ok(principal.clone())
    }
}

fn entra_error(status: u16, error: &str, code: u64, message: &str) -> Reply {
    let trace = "00000000-0000-4000-8000-000000000000";
    Reply::json(
        status,
        &json!({"error": error, "error_description": format!("AADSTS{code}: {message} Trace ID: {trace}"),
            "error_codes": [code], "trace_id": trace, "correlation_id": trace}),
    )
}
