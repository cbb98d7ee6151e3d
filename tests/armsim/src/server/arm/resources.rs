//! "Resources - List": what a subscription or a resource group holds, whatever its type, without properties.

use crate::arm_id::ArmId;
use crate::kinds;
use crate::server::errors;
use crate::server::paging::Pages;
use crate::server::reply::Reply;
use crate::server::request::Request;
use crate::world::{Place, World};
use serde_json::{Map, Value, json};

const FIELDS: &[&str] = &[
    "id",
    "name",
    "type",
    "kind",
    "location",
    "tags",
    "sku",
    "plan",
    "identity",
    "zones",
    "managedBy",
    "extendedLocation",
];

/// The resources at or below the scope that the filter lets through.
pub(super) fn list(world: &World, scope: &ArmId, request: &Request<'_>, pages: &Pages) -> Reply {
    let filter = request.parameter("$filter").unwrap_or_default();
    let Some(conditions) = conditions(filter) else {
        let message = format!("Invalid $filter '{filter}' specified in the query string.");
        return errors::error(400, "InvalidFilterInQueryString", &message);
    };
    let all = world.estate.records.iter().zip(&world.places);
    let found: Vec<(&Value, &Place)> = all
        .filter(|(record, place)| is_tracked(record, place) && scope.contains(&place.id))
        .filter(|(record, place)| conditions.iter().all(|condition| condition.holds(record, place)))
        .filter(|(_, place)| world.rights.may_see(place))
        .collect();
    pages.page(request, "value", json!({}), &found, |(record, _)| {
        let fields = FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), record.get(*name)?.clone())));
        Value::Object(fields.collect::<Map<_, _>>())
    })
}

/// Whether Resource Manager keeps the resource itself. It asks a provider for the rest: computes, assignments, subnets.
fn is_tracked(record: &Value, place: &Place) -> bool {
    place.id.resource_group().is_some()
        && kinds::table_of(&place.resource_type) == Some("resources")
        && record.get("location").is_some()
}

/// `field eq 'value'`, the documented fields in any case.
struct Condition {
    field: String,
    value: String,
}

/// `None` where the filter is not one that we know.
fn conditions(filter: &str) -> Option<Vec<Condition>> {
    let parts = filter.split(" and ").map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (field, value) = part.split_once(" eq ")?;
            let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?.to_lowercase();
            let field = field.trim().to_lowercase();
            matches!(
                field.as_str(),
                "resourcetype" | "name" | "location" | "resourcegroup" | "tagname" | "tagvalue"
            )
            .then_some(Condition { field, value })
        })
        .collect()
}

impl Condition {
    fn holds(&self, record: &Value, place: &Place) -> bool {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let tags = || record.get("tags").and_then(Value::as_object).into_iter().flatten();
        match self.field.as_str() {
            "resourcetype" => place.resource_type == self.value,
            "resourcegroup" => place.id.resource_group() == Some(&self.value),
            "tagname" => tags().any(|(name, _)| name.to_lowercase() == self.value),
            "tagvalue" => {
                tags().any(|(_, value)| value.as_str().unwrap_or_default().to_lowercase() == self.value)
            }
            // "West Europe" and "westeurope" are one region.
            "location" => text("location").replace(' ', "") == self.value.replace(' ', ""),
            field => text(field) == self.value,
        }
    }
}
