//! GET on Azure Resource Manager: subscriptions, groups, lists, one resource by id, permissions,
//! service tags.
//!
//! The order of refusals is ARM's: version, subscription, rights, and only then existence, so that
//! a caller without rights cannot tell what exists.

use super::paging::{Pages, arm_reply};
use super::reply::Reply;
use super::request::Request;
use super::{errors, roles, shape};
use crate::arm_id::ArmId;
use crate::kinds;
use crate::world::{Place, Standing, World};
use serde_json::{Value, json};

/// "services" are gone from the specification after this version.
const LAST_WITH_V1_SERVICES: &str = "2021-04-01";
const V1_SERVICES: &str = "microsoft.machinelearningservices/workspaces/services";

/// What a path asks for.
struct Target<'a> {
    what: What,
    /// Type in the caller's spelling, e.g. `Microsoft.Network/virtualNetworks`.
    asked_type: String,
    /// The scope that rights are checked at, in the caller's spelling.
    scope: String,
    id: ArmId,
    namespace: &'a str,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Subscriptions,
    Groups,
    Locations,
    Provider,
    Permissions,
    ServiceTags,
    RoleList,
    List,
    One,
}

/// The answer to a GET with a valid token.
pub(super) fn answer(world: &World, request: &Request<'_>, pages: &Pages) -> Reply {
    let segments = request.segments();
    let Some(target) = target(&segments) else {
        return errors::invalid_path(&request.path);
    };
    let version = match api_version(request) {
        Ok(version) => version,
        Err(refused) => return refused,
    };
    if let Err(refused) = admit(world, &target, version) {
        return refused;
    }
    let subscription = target.id.subscription().unwrap_or_default();
    match target.what {
        What::Subscriptions => {
            let seen: Vec<&Value> = world
                .subscriptions
                .iter()
                .filter(|(id, _)| world.rights.standing(world, id) != Standing::NotFound)
                .map(|(_, subscription)| &subscription.record)
                .collect();
            let count = json!({"count": {"type": "Total", "value": seen.len()}});
            pages.page(request, "value", count, &seen, |record| shape::subscription(record))
        }
        What::Locations => locations(world, subscription, pages, request),
        What::Provider => provider(world, target.namespace),
        What::Permissions => {
            let value = world.rights.permissions(&ArmId::new(&target.scope));
            arm_reply(&json!({ "value": value }))
        }
        What::ServiceTags => service_tags(world, subscription, request),
        What::RoleList => {
            let scope = ArmId::new(&target.scope);
            match roles::list(world, &scope, &target.asked_type.to_lowercase(), request.parameter("$filter"))
            {
                Ok(found) => {
                    pages.page(request, "value", json!({}), &found, |record| record.clone().into_owned())
                }
                Err(refused) => refused,
            }
        }
        What::Groups | What::List => list(world, &target, version, request, pages),
        What::One => one(world, &target, version, request),
    }
}

fn api_version<'a>(request: &'a Request<'_>) -> Result<&'a str, Reply> {
    let version =
        request.parameter("api-version").filter(|v| !v.is_empty()).ok_or_else(errors::missing_api_version)?;
    let date = shape::date(version).as_bytes();
    let is_date = date.len() == 10
        && date.iter().enumerate().all(
            |(i, b)| {
                if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() }
            },
        );
    if is_date { Ok(version) } else { Err(errors::invalid_api_version(version)) }
}

fn target<'a>(segments: &[&'a str]) -> Option<Target<'a>> {
    let join = |part: &[&str]| format!("/{}", part.join("/"));
    let id = ArmId::new(&join(segments));
    let plain = |what, asked_type: &str, scope: String| {
        Some(Target { what, asked_type: asked_type.to_owned(), scope, id: id.clone(), namespace: "" })
    };
    let lower: Vec<String> = segments.iter().map(|s| s.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match lower.as_slice() {
        ["subscriptions"] => {
            return plain(What::Subscriptions, "Microsoft.Resources/subscriptions", join(&[]));
        }
        ["subscriptions", _] => {
            return plain(What::One, "Microsoft.Resources/subscriptions", join(segments));
        }
        ["subscriptions", _, "resourcegroups"] => {
            return plain(
                What::Groups,
                "Microsoft.Resources/subscriptions/resourceGroups",
                join(&segments[..2]),
            );
        }
        ["subscriptions", _, "resourcegroups", _] => {
            return plain(What::One, "Microsoft.Resources/subscriptions/resourceGroups", join(segments));
        }
        ["subscriptions", _, "locations"] => {
            return plain(
                What::Locations,
                "Microsoft.Resources/subscriptions/locations",
                join(&segments[..2]),
            );
        }
        _ => {}
    }
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
    Some(Target { what, asked_type, scope, id, namespace })
}

/// The checks that come before existence.
fn admit(world: &World, target: &Target<'_>, version: &str) -> Result<(), Reply> {
    let lower_type = target.asked_type.to_lowercase();
    let action = kinds::read_action(&lower_type, &target.asked_type);
    let refused = || errors::authorization_failed(&action, &target.scope);
    if let Some(subscription) = target.id.subscription() {
        match world.rights.standing(world, subscription) {
            Standing::NotFound => return Err(errors::subscription_not_found(subscription)),
            Standing::Denied => return Err(refused()),
            Standing::Readable => {}
        }
    }
    if lower_type == V1_SERVICES && shape::date(version) > LAST_WITH_V1_SERVICES {
        return Err(errors::invalid_resource_type(target.namespace, version));
    }
    let scope = ArmId::new(&target.scope);
    let allowed = match target.what {
        What::Subscriptions | What::Provider => true,
        // Own permissions need no right but some right: the answer is empty where there is none.
        What::Permissions => {
            scope.subscription_id().as_ref() == Some(&scope) || world.rights.may_read(&scope, "*/read")
        }
        What::ServiceTags => {
            world.rights.may_ask_subscription(scope.subscription().unwrap_or_default(), &action)
        }
        What::Groups | What::Locations | What::RoleList | What::List => {
            world.rights.may_list(&scope, &action)
        }
        What::One => world.rights.may_read(&scope, &action),
    };
    if allowed { Ok(()) } else { Err(refused()) }
}

fn list(world: &World, target: &Target<'_>, version: &str, request: &Request<'_>, pages: &Pages) -> Reply {
    let parent = ArmId::new(&target.scope);
    let mut inline: Vec<Value> = Vec::new();
    if parent.resource_type().is_some_and(|of| !of.starts_with("microsoft.resources/")) {
        match world.find(&parent) {
            Some((record, _)) => inline = inline_children(record, target.id.as_str()).cloned().collect(),
            None => return absent(world, &parent, &target.scope),
        }
    } else if parent.resource_group().is_some() && !world.has_group(&parent) {
        return absent(world, &parent, &target.scope);
    }
    let found: Vec<(&Value, &Place)> =
        world.list(target.id.as_str()).filter(|(_, place)| world.rights.may_see(place)).collect();
    if found.is_empty() && !inline.is_empty() {
        return pages.page(request, "value", json!({}), &inline, Clone::clone);
    }
    pages.page(request, "value", json!({}), &found, |(record, place)| shape::arm(record, place, version))
}

/// Children that ARM keeps inside the parent's body (subnets, private endpoint connections).
fn inline_children<'a>(parent: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    let name = list.rsplit('/').next().unwrap_or_default().to_owned();
    let properties = parent.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter(move |(key, _)| key.to_lowercase() == name)
        .filter_map(|(_, value)| value.as_array())
        .flatten()
        .filter(|child| child.get("id").is_some())
}

fn one(world: &World, target: &Target<'_>, version: &str, request: &Request<'_>) -> Reply {
    if let (Some(subscription), true) = (
        target.id.subscription().and_then(|id| world.subscriptions.get(id)),
        target.id.subscription_id().as_ref() == Some(&target.id),
    ) {
        return arm_reply(&shape::subscription(&subscription.record));
    }
    if let Some((record, place)) = world.find(&target.id) {
        return arm_reply(&shape::arm(record, place, version));
    }
    if let Some(record) = roles::one(world, &target.id) {
        return arm_reply(record);
    }
    let parent = target.id.collection().rsplit_once('/').map(|(parent, _)| ArmId::new(parent));
    let inline = parent.and_then(|parent| world.find(&parent)).and_then(|(record, _)| {
        inline_children(record, target.id.collection())
            .find(|child| crate::estate::id_of(child).as_ref() == Some(&target.id))
    });
    match inline {
        Some(child) => arm_reply(child),
        None => absent(world, &target.id, &request.path),
    }
}

fn absent(world: &World, id: &ArmId, path: &str) -> Reply {
    match id.resource_group_id() {
        Some(group) if !world.has_group(&group) => {
            let name = path.split('/').filter(|s| !s.is_empty()).nth(3).unwrap_or_default();
            errors::group_not_found(name)
        }
        _ => errors::resource_not_found(path),
    }
}

/// "Service Tags - List": the array is `values`, and the location does not narrow it.
fn service_tags(world: &World, subscription: &str, request: &Request<'_>) -> Reply {
    let types = kinds::by_name("service_tags").map_or(&[][..], |kind| kind.types);
    let mut records: Vec<&Value> =
        types.iter().flat_map(|of| world.of_type(of)).map(|(record, _)| record).collect();
    // The caller's own subscription's copy first, should the snapshot hold several.
    records.sort_by_key(|record| {
        crate::estate::id_of(record).is_none_or(|id| id.subscription() != Some(subscription))
    });
    match records.first() {
        Some(record) => arm_reply(record),
        None => errors::resource_not_found(&request.path),
    }
}

/// "Subscriptions - List Locations", reduced to the regions in which the estate has something.
fn locations(world: &World, subscription: &str, pages: &Pages, request: &Request<'_>) -> Reply {
    let names: std::collections::BTreeSet<String> = world
        .estate
        .records
        .iter()
        .filter_map(|record| record.get("location").and_then(Value::as_str))
        .map(|location| location.replace(' ', "").to_lowercase())
        .filter(|location| !location.is_empty() && location != "global")
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    pages.page(request, "value", json!({}), &names, |name| {
        json!({"id": format!("/subscriptions/{subscription}/locations/{name}"), "name": name, "type": "Region",
            "displayName": name, "regionalDisplayName": name, "metadata": {"regionType": "Physical"}})
    })
}

/// "Providers - Get", for the types that the estate has or that this server knows.
fn provider(world: &World, namespace: &str) -> Reply {
    let prefix = format!("{}/", namespace.to_lowercase());
    let known = kinds::KINDS.iter().flat_map(|kind| kind.types.iter().copied());
    let types: std::collections::BTreeSet<&str> =
        known.chain(world.types()).filter_map(|of| of.strip_prefix(&prefix)).collect();
    if types.is_empty() {
        let message = format!("The resource namespace '{namespace}' is invalid.");
        return errors::error(404, "InvalidResourceNamespace", &message);
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
    arm_reply(&json!({"namespace": namespace, "registrationState": "Registered", "resourceTypes": types}))
}
