//! Service tags: one list per cloud, read from whichever subscription lets it be read. What a tag means is left to
//! `facts`.

use serde_json::Value;

use super::arm;
use super::client::Session;
use super::failure::Failure;
use super::request::Request;
use crate::config::Cloud;
use crate::inventory::{Depth, GapReason, Kind, Record};

pub(super) const API_VERSION: &str = "2023-09-01";
/// After this many refusals the list counts as unreadable.
pub(super) const MOST_SUBSCRIPTIONS: usize = 3;

/// Asks the subscriptions in turn, each with a location, until one has the list. The location only selects the
/// geography that answers; the list always covers the whole cloud.
pub(super) async fn read(
    session: &Session<'_>,
    cloud: Cloud,
    depth: Depth,
    asked: &[(String, String)],
) -> (Option<Record>, Vec<Failure>) {
    let mut refused = Vec::new();
    for (subscription, location) in asked {
        let path = format!(
            "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/serviceTags"
        );
        let request = Request::get(&session.arm.endpoint, &path, API_VERSION);
        let mut listing = arm::list(session, Kind::ServiceTags.name(), request, "values").await;
        if listing.rows.is_empty() {
            let nothing = || Failure::new(GapReason::Truncated, "Azure gave an empty list of service tags");
            refused.push(listing.lost.unwrap_or_else(nothing));
            continue;
        }
        let mut body = std::mem::take(&mut listing.head);
        body.insert("values".to_owned(), Value::Array(listing.rows));
        if !body.get("id").is_some_and(Value::is_string) {
            let id = format!(
                "/subscriptions/{subscription}/providers/Microsoft.Network/serviceTags/{}",
                cloud.name()
            );
            body.insert("id".to_owned(), Value::String(id));
        }
        if !body.get("type").is_some_and(Value::is_string) {
            body.insert("type".to_owned(), Value::String("Microsoft.Network/serviceTags".to_owned()));
        }
        let mut lost: Vec<Failure> = listing.lost.into_iter().collect();
        let record = match Record::from_body(Value::Object(body)) {
            Ok(record) if record.kind() == Some(Kind::ServiceTags) => Some(depth.keep(record)),
            _ => {
                lost.push(Failure::new(GapReason::Malformed, "the list of service tags has no readable id"));
                None
            }
        };
        return (record, lost);
    }
    // The first refusal stands for all: the subscriptions are asked in a stable order.
    refused.truncate(1);
    (None, refused)
}

/// The location to ask in: that of a resource, else one that every subscription of the cloud has.
pub(super) fn location<'a>(cloud: Cloud, resources: impl Iterator<Item = &'a Record>) -> String {
    let told = resources.filter_map(|record| record.body().get("location").and_then(Value::as_str));
    let mut names = told.map(|name| name.replace(' ', "").to_ascii_lowercase());
    let usable = |name: &String| {
        !name.is_empty() && name != "global" && name.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let fallback = match cloud {
        Cloud::Public => "westeurope",
        Cloud::UsGovernment => "usgovvirginia",
        Cloud::China => "chinaeast2",
    };
    names.find(usable).unwrap_or_else(|| fallback.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn locations() {
        let record =
            |location: Value| Record::from_body(json!({"id":"/a/b","location":location})).expect("a record");
        let records =
            [record(json!(null)), record(json!("global")), record(json!("../x")), record(json!("West US 2"))];
        assert_eq!(location(Cloud::Public, records.iter()), "westus2");
        assert_eq!(location(Cloud::China, records[..3].iter()), "chinaeast2");
    }
}
