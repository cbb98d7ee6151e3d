//! GET on Azure Resource Manager: tenants, subscriptions, groups, lists, one resource by id, permissions,
//! service tags.
//!
//! The order of refusals is ARM's: version, subscription, rights, and only then existence, so that
//! a caller without rights cannot tell what exists.

mod provider;
mod resources;
mod target;

use super::paging::Pages;
use super::reply::Reply;
use super::request::Request;
use super::{errors, roles, shape};
use crate::arm_id::ArmId;
use crate::kinds;
use crate::world::{Place, Standing, World};
use serde_json::{Value, json};
use target::{Target, What, target};

/// "services" are gone from the specification after this version.
const LAST_WITH_V1_SERVICES: &str = "2021-04-01";
const V1_SERVICES: &str = "microsoft.machinelearningservices/workspaces/services";

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
        What::Tenants => tenants(world, pages, request),
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
        What::Providers => provider::list(world, pages, request),
        What::Provider => provider::one(world, target.namespace),
        What::Resources => resources(world, &target, request, pages),
        What::Permissions => {
            let value = world.rights.permissions(&ArmId::new(&target.scope));
            Reply::json(200, &json!({ "value": value }))
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
        What::Tenants | What::Subscriptions | What::Providers | What::Provider => true,
        What::Permissions => world.rights.may_ask_permissions(&scope),
        What::ServiceTags => {
            world.rights.may_ask_subscription(scope.subscription().unwrap_or_default(), &action)
        }
        What::Groups | What::Locations | What::RoleList | What::Resources | What::List => {
            world.rights.may_list(&scope, &action)
        }
        What::One => world.rights.may_read(&scope, &action),
    };
    if allowed { Ok(()) } else { Err(refused()) }
}

fn resources(world: &World, target: &Target<'_>, request: &Request<'_>, pages: &Pages) -> Reply {
    let scope = ArmId::new(&target.scope);
    match scope.resource_group() {
        Some(_) if !world.has_group(&scope) => absent(world, &scope, &target.scope),
        _ => resources::list(world, &scope, request, pages),
    }
}

fn list(world: &World, target: &Target<'_>, version: &str, request: &Request<'_>, pages: &Pages) -> Reply {
    let parent = ArmId::new(&target.scope);
    let mut inline: Vec<Value> = Vec::new();
    if parent.resource_type().is_some_and(|of| !of.starts_with("microsoft.resources/")) {
        match world.find(&parent) {
            Some((record, _)) => inline = inline_children(record, target.id.as_str()).cloned().collect(),
            None if is_place(world, &parent) => {}
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

/// What lists are asked of that is no resource: a provider's region, a management group.
fn is_place(world: &World, parent: &ArmId) -> bool {
    match parent.resource_type().as_deref() {
        Some("microsoft.management/managementgroups") => {
            let name = parent.as_str().rsplit('/').next().unwrap_or_default();
            world.subscriptions.values().any(|one| one.ancestors.iter().any(|above| above == name))
        }
        Some(of) => of.ends_with("/locations"),
        None => false,
    }
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
        return Reply::json(200, &shape::subscription(&subscription.record));
    }
    if let Some((record, place)) = world.find(&target.id) {
        return Reply::json(200, &shape::arm(record, place, version));
    }
    if let Some(record) = roles::one(world, &target.id) {
        return Reply::json(200, record);
    }
    let parent = target.id.collection().rsplit_once('/').map(|(parent, _)| ArmId::new(parent));
    let inline = parent.and_then(|parent| world.find(&parent)).and_then(|(record, _)| {
        inline_children(record, target.id.collection())
            .find(|child| crate::estate::id_of(child).as_ref() == Some(&target.id))
    });
    match inline {
        Some(child) => Reply::json(200, child),
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

/// "Tenants - List": the one tenant of the estate.
fn tenants(world: &World, pages: &Pages, request: &Request<'_>) -> Reply {
    pages.page(request, "value", json!({}), &[&world.estate.header.tenant_id], |tenant| {
        json!({"id": format!("/tenants/{tenant}"), "tenantId": tenant, "tenantCategory": "Home", "countryCode": "NL",
            "displayName": "Contoso", "domains": ["contoso.example"], "defaultDomain": "contoso.example",
            "tenantType": "AAD"})
    })
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
        Some(record) => Reply::json(200, record),
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
