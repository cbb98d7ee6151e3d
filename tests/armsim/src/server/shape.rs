//! A record in the two shapes in which Azure shows it: ARM's body and Resource Graph's row.
//!
//! Resource Graph "uses the latest non-preview api-version of each provider", so it lacks what was
//! retired; ARM answers by the version asked for.

use crate::world::Place;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The last AKS api-version whose answers have `networkProfile.dockerBridgeCidr`.
const LAST_WITH_DOCKER_BRIDGE: &str = "2023-03-01";

/// Columns of a row of Resource Graph, in the order of `project`-less answers.
pub(super) const COLUMNS: &[&str] = &[
    "id",
    "name",
    "type",
    "tenantId",
    "kind",
    "location",
    "resourceGroup",
    "subscriptionId",
    "managedBy",
    "sku",
    "plan",
    "properties",
    "tags",
    "identity",
    "zones",
    "extendedLocation",
];

/// The body of a GET, or the item of a list.
pub(super) fn arm(record: &Value, place: &Place, api_version: &str) -> Value {
    match place.resource_type.as_str() {
        "microsoft.resources/subscriptions" => subscription(record),
        "microsoft.containerservice/managedclusters" if date(api_version) > LAST_WITH_DOCKER_BRIDGE => {
            without_docker_bridge(without_row_columns(record))
        }
        _ => without_row_columns(record),
    }
}

/// "Subscriptions - List" has its fields at the top; a row of Resource Graph has them elsewhere.
pub(super) fn subscription(record: &Value) -> Value {
    let id = record.get("id").cloned().unwrap_or_default();
    let guid = id.as_str().and_then(|id| id.rsplit('/').next()).unwrap_or_default().to_owned();
    let field = |name: &str| record.get(name).or_else(|| record.get("properties")?.get(name)).cloned();
    let mut body = Map::new();
    body.insert("id".to_owned(), id);
    body.insert("subscriptionId".to_owned(), json!(guid));
    let name = field("displayName").or_else(|| field("name")).unwrap_or_else(|| json!(guid));
    body.insert("displayName".to_owned(), name);
    body.insert("state".to_owned(), field("state").unwrap_or_else(|| json!("Enabled")));
    body.insert(
        "authorizationSource".to_owned(),
        field("authorizationSource").unwrap_or_else(|| json!("RoleBased")),
    );
    body.insert("managedByTenants".to_owned(), field("managedByTenants").unwrap_or_else(|| json!([])));
    for name in ["tenantId", "subscriptionPolicies", "tags"] {
        if let Some(value) = field(name) {
            body.insert(name.to_owned(), value);
        }
    }
    Value::Object(body)
}

fn without_row_columns(record: &Value) -> Value {
    let mut body = record.clone();
    if let Some(fields) = body.as_object_mut() {
        for column in ["tenantId", "subscriptionId", "resourceGroup"] {
            fields.remove(column);
        }
    }
    body
}

fn without_docker_bridge(mut cluster: Value) -> Value {
    if let Some(profile) = cluster.pointer_mut("/properties/networkProfile").and_then(Value::as_object_mut) {
        profile.remove("dockerBridgeCidr");
    }
    cluster
}

/// The date of an api-version, without `-preview`.
pub(super) fn date(api_version: &str) -> &str {
    api_version.get(..10).unwrap_or(api_version)
}

/// One column of the record's row; `None` where Resource Graph has no such column.
pub(super) fn column<'a>(
    record: &'a Value,
    place: &Place,
    tenant: &str,
    name: &str,
) -> Option<Cow<'a, Value>> {
    let known = COLUMNS.iter().find(|column| column.eq_ignore_ascii_case(name))?;
    let field = |name: &str| record.get(name).filter(|value| !value.is_null());
    let owned = |value: Value| Some(Cow::Owned(value));
    let text_or_empty = |name: &str| field(name).map_or_else(|| Cow::Owned(json!("")), Cow::Borrowed);
    let is_subscription = place.resource_type == "microsoft.resources/subscriptions";
    match *known {
        "type" => owned(json!(place.resource_type)),
        "name" if is_subscription => field("displayName").or(field("name")).map(Cow::Borrowed),
        "tenantId" => match field("tenantId") {
            Some(value) => Some(Cow::Borrowed(value)),
            None => owned(json!(tenant)),
        },
        "subscriptionId" => owned(json!(place.id.subscription().unwrap_or_default())),
        "resourceGroup" => owned(json!(place.id.resource_group().unwrap_or_default())),
        "properties" if is_subscription => owned(subscription_properties(record)),
        "properties" if record.pointer("/properties/networkProfile/dockerBridgeCidr").is_some() => {
            owned(without_docker_bridge(record.clone())["properties"].take())
        }
        text @ ("id" | "name" | "kind" | "location" | "managedBy") => Some(text_or_empty(text)),
        other => field(other).map_or_else(|| owned(Value::Null), |value| Some(Cow::Borrowed(value))),
    }
}

fn subscription_properties(record: &Value) -> Value {
    let mut properties = record.get("properties").cloned().unwrap_or_else(|| json!({}));
    if let Some(fields) = properties.as_object_mut() {
        for name in ["state", "subscriptionPolicies", "managedByTenants"] {
            if let Some(value) = record.get(name) {
                fields.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
    properties
}
