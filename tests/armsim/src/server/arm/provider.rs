//! Resource providers: their namespaces, types and api-versions.

use super::V1_SERVICES;
use crate::kinds;
use crate::server::errors;
use crate::server::paging::Pages;
use crate::server::reply::Reply;
use crate::server::request::Request;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// "Providers - List": all of them registered.
pub(super) fn list(world: &World, pages: &Pages, request: &Request<'_>) -> Reply {
    let namespaces: BTreeSet<&str> =
        types(world).filter_map(|of| of.split_once('/')).map(|(namespace, _)| namespace).collect();
    let namespaces: Vec<&str> = namespaces.into_iter().collect();
    pages.page(request, "value", json!({}), &namespaces, |namespace| {
        described(world, &as_written(namespace)).unwrap_or_default()
    })
}

/// The namespace in its own spelling, where the kinds tell.
fn as_written(namespace: &str) -> String {
    let known = kinds::KINDS.iter().filter_map(|kind| kind.action.split('/').next());
    known.into_iter().find(|known| known.eq_ignore_ascii_case(namespace)).unwrap_or(namespace).to_owned()
}

/// "Providers - Get", for the types that the estate has or that this server knows.
pub(super) fn one(world: &World, namespace: &str) -> Reply {
    match described(world, namespace) {
        Some(provider) => Reply::json(200, &provider),
        None => {
            let message = format!("The resource namespace '{namespace}' is invalid.");
            errors::error(404, "InvalidResourceNamespace", &message)
        }
    }
}

fn types(world: &World) -> impl Iterator<Item = &str> {
    kinds::KINDS.iter().flat_map(|kind| kind.types.iter().copied()).chain(world.types())
}

fn described(world: &World, namespace: &str) -> Option<Value> {
    let prefix = format!("{}/", namespace.to_lowercase());
    let types: BTreeSet<&str> = types(world).filter_map(|of| of.strip_prefix(&prefix)).collect();
    if types.is_empty() {
        return None;
    }
    let types: Vec<Value> = types
        .into_iter()
        .map(|of| {
            let versions = if format!("{prefix}{of}") == V1_SERVICES {
                json!(["2021-04-01", "2021-03-01-preview", "2020-09-01-preview"])
            } else {
                json!(["2024-10-01", "2023-09-01", "2023-03-01", "2022-04-01", "2021-04-01"])
            };
            json!({"resourceType": of, "locations": [], "apiVersions": versions})
        })
        .collect();
    Some(json!({"id": format!("/providers/{namespace}"), "namespace": namespace,
        "registrationState": "Registered", "resourceTypes": types}))
}
