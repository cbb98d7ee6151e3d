//! Who asks, and whether they may. What is compared are hashes, and each of them, so that time tells nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::guard;
use super::problem::Problem;
use super::{Doors, Face};
use crate::config::Http;
use crate::config::http::Scope;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The name of the token; none without one.
    pub name: Option<String>,
    /// What they may do.
    pub scopes: BTreeSet<Scope>,
}

impl Caller {
    /// Whether they may do this.
    pub fn may(&self, scope: Scope) -> bool {
        scope.is_in(&self.scopes)
    }
}

/// One listener's door.
#[derive(Clone)]
pub(super) struct Door {
    /// Where it is.
    pub(super) bound: SocketAddr,
    /// Who is known there.
    pub(super) doors: Doors,
}

/// What an address asks of whoever asks it; nothing where a machine must be able to ask before it is known. Whatever is
/// not listed is to be read, so nothing can be forgotten.
pub(super) fn needed(method: &Method, path: &str) -> Option<Scope> {
    match path {
        "/healthz" | "/readyz" => None,
        "/metrics" => Some(Scope::Metrics),
        _ if *method == Method::POST => Some(Scope::Trigger),
        _ => Some(Scope::Read),
    }
}

/// Lets a request in, with its [`Caller`], or refuses it.
pub(super) async fn admit(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let http = door.doors.http.borrow().clone();
    let caller = match check(&http, door.bound, &request) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn check(http: &Http, bound: SocketAddr, request: &Request) -> Result<Caller, Problem> {
    let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
    let anonymous = http.anonymous();
    let write = !method.is_safe();
    let caller = identify(http, anonymous.clone(), headers);
    // Who brings a token of ours may come by any name, as through a proxy: a page of elsewhere has none.
    let stranger = !caller.as_ref().is_ok_and(|caller| caller.name.is_some());
    if path != "/healthz" && bound.ip().to_canonical().is_loopback() && !anonymous.is_empty() && stranger {
        guard::names_this_machine(bound, request.uri(), headers)?;
        guard::same_origin(headers, write)?;
    }
    if write {
        guard::same_origin(headers, write)?;
    }
    let Some(scope) = needed(method, path) else { return Ok(caller.unwrap_or_default()) };
    let caller = caller.map_err(|WrongToken| unknown("this token is not known"))?;
    match caller.name {
        _ if caller.may(scope) => Ok(caller),
        Some(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "this token lacks the scope `{}`; `http.tokens` in the configuration gives it",
                scope.name()
            ),
        )),
        None if http.tokens.is_empty() => Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "the configuration lets nobody do this: name `http.tokens`, or allow it to everybody who reaches this \
                 address by `http.anonymous: [{}]`",
                scope.name()
            ),
        )),
        None => Err(unknown("a token is needed: as a bearer token, or as the password of any user")),
    }
}

fn unknown(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mlfence\""))
        .with(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"mlfence\", charset=\"UTF-8\""),
        )
}

/// A token was given, and is none of ours.
struct WrongToken;

fn identify(http: &Http, anonymous: BTreeSet<Scope>, headers: &HeaderMap) -> Result<Caller, WrongToken> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let first = given.next();
    // Without tokens there is nothing to compare with, and nothing that a wrong one could be refused for.
    let Some(first) = first.filter(|_| !http.tokens.is_empty()) else {
        return Ok(Caller { name: None, scopes: anonymous });
    };
    let token = presented(first).filter(|_| given.next().is_none()).ok_or(WrongToken)?;
    let digest = Sha256::digest(&token);
    let mut found = None;
    for known in &http.tokens {
        if bool::from(known.sha256.as_slice().ct_eq(digest.as_slice())) {
            found = Some(known);
        }
    }
    let known = found.ok_or(WrongToken)?;
    let scopes = known.scopes.union(&anonymous).copied().collect();
    Ok(Caller { name: Some(known.name.clone()), scopes })
}

/// The token of a header: the bearer, or the password of HTTP Basic. An empty one is none.
fn presented(value: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        rest.as_bytes().to_vec()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let pair = STANDARD.decode(rest).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        pair.get(colon + 1..)?.to_vec()
    } else {
        return None;
    };
    (!token.is_empty()).then_some(token)
}

/// Whether the one line about the last sweep is for this caller: it tells facts of the tenant, as the metrics do.
pub(super) fn may_know(caller: &Caller) -> bool {
    caller.may(Scope::Metrics)
}

/// The state of the layer for one listener.
pub(super) fn door(face: &Face, bound: SocketAddr) -> Door {
    Door { bound, doors: face.doors.clone() }
}
