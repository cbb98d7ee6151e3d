//! ARM lists, page by page. A list that loses a page keeps the rows that it has and tells what it lost.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::client::Session;
use super::failure::Failure;
use super::request::Request;
use crate::inventory::{Depth, GapReason, Kind, Record};

/// A list of more pages than this is a loop of another sort.
const MOST_PAGES: usize = 10_000;

/// How many different things are said of a list's rows.
const MOST_COMPLAINTS: usize = 10;

/// What a list gave.
#[derive(Default)]
pub(super) struct Listing {
    /// The first page without its rows.
    pub(super) head: Map<String, Value>,
    /// The rows of all pages that were read.
    pub(super) rows: Vec<Value>,
    /// How many pages were read; none where there can be no list.
    pub(super) pages: usize,
    /// Why rows are missing; none if the list is complete.
    pub(super) lost: Option<Failure>,
}

/// Whether a list's provider must be registered: below a workspace, which is of that provider itself, and of
/// authorization, which always is.
fn must_be_registered(request: &Request) -> bool {
    let path = request.url().path().to_ascii_lowercase();
    path.contains("/workspaces/") || path.contains("/microsoft.authorization/")
}

/// Reads a list whose rows stand under `key`: `value`, or `values` for service tags.
#[tracing::instrument(name = "arm", skip_all, fields(source = of, path = first.url().path()))]
pub(super) async fn list(session: &Session<'_>, of: &'static str, first: Request, key: &str) -> Listing {
    let mut listing = Listing::default();
    let mut seen = BTreeSet::new();
    let mut next = Some(first);
    while let Some(request) = next.take() {
        let answer = session.send(of, &request).await;
        let link = match answer.and_then(|answer| listing.take(answer, key)) {
            Ok(link) => link,
            // The provider is not registered here, so nothing of its kinds exists here; on a second page it makes no
            // sense.
            Err(failure) if failure.is_unregistered() && seen.is_empty() && !must_be_registered(&request) => {
                break;
            }
            Err(failure) => {
                listing.lost = Some(failure);
                break;
            }
        };
        let Some(link) = link else { break };
        listing.lost = match Request::follow(&session.arm.endpoint, &link) {
            Err(error) => Some(Failure::new(GapReason::Malformed, error.to_string())),
            Ok(_) if seen.len() >= MOST_PAGES => {
                Some(Failure::new(GapReason::Truncated, format!("the list has more than {MOST_PAGES} pages")))
            }
            Ok(_) if !seen.insert(link) => Some(Failure::new(GapReason::Malformed, "a nextLink came twice")),
            Ok(request) => {
                next = Some(request);
                None
            }
        };
    }
    listing
}

impl Listing {
    /// Takes a page in, and gives the link to the next one. A page may be empty and still have a next one.
    pub(super) fn take(&mut self, answer: Value, key: &str) -> Result<Option<String>, Failure> {
        let malformed = |what: &str| Err(Failure::new(GapReason::Malformed, what));
        let Value::Object(mut page) = answer else { return malformed("a list is no object") };
        match page.remove(key) {
            Some(Value::Array(mut rows)) => self.rows.append(&mut rows),
            _ => return malformed(&format!("a list has no `{key}`")),
        }
        let link = match page.remove("nextLink") {
            None | Some(Value::Null) => None,
            Some(Value::String(link)) if link.is_empty() => None,
            Some(Value::String(link)) => Some(link),
            Some(_) => return malformed("a nextLink is no text"),
        };
        if self.head.is_empty() {
            self.head = page;
        }
        self.pages += 1;
        Ok(link)
    }

    /// The rows as records of the kind that was asked for, with what is kept of them, and what is wrong with the list.
    pub(super) fn into_records(self, kind: Kind, depth: Depth) -> (Vec<Record>, Vec<Failure>) {
        let mut lost: Vec<Failure> = self.lost.into_iter().collect();
        let mut records = Vec::new();
        for row in self.rows {
            let wrong = match Record::from_body(row) {
                Ok(record) if record.kind() == Some(kind) => {
                    records.push(depth.keep(record));
                    continue;
                }
                Ok(_) => "a row is of another type than the list".to_owned(),
                Err(error) => format!("a row was unreadable: {error}"),
            };
            // One of each sort says it all, however many millions there are.
            if !lost.iter().any(|failure| failure.detail == wrong) && lost.len() < MOST_COMPLAINTS {
                lost.push(Failure::new(GapReason::Malformed, wrong));
            }
        }
        (records, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_end_of_a_list_is_a_link_that_is_missing_null_or_empty() {
        let cases = [
            (json!({"value":[1]}), Ok(None)),
            (json!({"value":[], "nextLink": null}), Ok(None)),
            (json!({"value":[], "nextLink": ""}), Ok(None)),
            (json!({"value":[], "nextLink": "https://h/x"}), Ok(Some("https://h/x".to_owned()))),
            (json!({"value":[], "nextLink": 7}), Err("a nextLink is no text".to_owned())),
            (json!({"value":null}), Err("a list has no `value`".to_owned())),
            (json!({}), Err("a list has no `value`".to_owned())),
            (json!([]), Err("a list is no object".to_owned())),
        ];
        for (page, expected) in cases {
            let told = Listing::default().take(page.clone(), "value").map_err(|failure| failure.detail);
            assert_eq!(told, expected, "{page}");
        }
    }

    #[test]
    fn unreadable_rows_are_told_and_the_others_kept() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/outboundRules/r";
        let rows = vec![
            json!({"id": id, "type": "workspace/outboundRules"}),
            json!({"name": "x"}),
            json!(7),
            json!({"id": "/a/b"}),
        ];
        let listing = Listing { rows, ..Listing::default() };
        let (records, lost) = listing.into_records(Kind::OutboundRules, Depth::Everything);
        assert_eq!(records.len(), 1);
        assert_eq!(lost.len(), 3);
        assert!(lost.iter().all(|failure| failure.reason == GapReason::Malformed));
    }
}
