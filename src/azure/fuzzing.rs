//! The readers of Azure's answers, opened to fuzzing: what must hold whatever bytes a server sends.
//!
//! Compiled for unit tests and under `cfg(fuzzing)` only; the product has none of it. Each function takes one input of its
//! fuzz target: a line that says what was asked, then what Azure answered. Expected values are worked out here a second
//! time, from the answer alone. Targets and corpora are in `tests/fuzz`; the test at the end replays the corpora.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use time::macros::datetime;
use tokio::time::Instant;
use url::Url;

use super::arm::Listing;
use super::failure::{Failure, LONGEST_DETAIL};
use super::pace::{Limit, Pace};
use super::request::{Endpoint, Request};
use super::resource_graph::{self, Answer, Page, Pages};
use super::retry;
use crate::inventory::{Depth, GapReason, Kind, Record};

/// Pages of an ARM list: every row becomes a record of the kind asked for, or is told; links lead home.
pub fn arm_list(input: &[u8]) {
    let (kind, pages) = asked(input, Kind::OutboundRules);
    let endpoint = Endpoint::new(Url::parse("https://management.azure.com").expect("a URL"));
    let (mut listing, mut rows) = (Listing::default(), Vec::new());
    for page in &pages {
        match listing.take(page.clone(), "value") {
            Ok(link) => {
                rows.extend(page["value"].as_array().expect("a page that was taken").iter().cloned());
                let Some(link) = link else { break };
                if let Ok(request) = Request::follow(&endpoint, &link) {
                    let url = request.url().as_str();
                    assert!(url.starts_with("https://management.azure.com/"), "{link} leads to {url}");
                    assert!(request.method() == "GET" && request.body().is_none());
                }
            }
            Err(failure) => {
                assert_eq!(failure.reason, GapReason::Malformed);
                rows.clone_from(&listing.rows);
                break;
            }
        }
    }
    assert_eq!(listing.rows, rows);
    let (records, lost) = listing.into_records(kind, Depth::Everything);
    let readable = rows.iter().filter(|row| id_of(row).is_some()).count();
    let told = |words: &str| lost.iter().any(|failure| failure.detail.starts_with(words));
    assert!(records.len() <= readable, "more records than rows");
    assert_eq!(told("a row was unreadable"), readable < rows.len());
    assert_eq!(told("a row is of another type"), records.len() < readable);
    assert!(records.iter().all(|record| record.kind() == Some(kind)));
    records.iter().for_each(reads_back);
}

/// Pages of a Resource Graph answer: every row becomes a record that was asked for, is of a subscription that was not, or is
/// told; and no page can hide that rows are missing.
pub fn graph_pages(input: &[u8]) {
    let (kind, pages) = asked(input, Kind::NetworkSecurityGroups);
    let queries = || resource_graph::queries(Depth::Everything);
    let query = queries().find(|query| query.kinds.contains(&kind)).or_else(|| queries().next());
    let query = query.expect("there are queries");
    let subscriptions = ["s".to_owned(), "11111111-1111-1111-1111-111111111111".to_owned()];
    let (mut read, mut answer) = (Pages::new(query, &subscriptions, Depth::Everything), Answer::default());
    let (mut rows, mut announced, mut untold, mut cut) = (Vec::new(), 0, false, false);
    for page in pages {
        let Ok(taken) = Page::read(page.clone()) else { break };
        let of_page = page["data"].as_array().expect("a page that was read");
        rows.extend(of_page.iter().cloned());
        let number = |key: &str| page.get(key).and_then(Value::as_u64);
        announced = announced.max(number("totalRecords").unwrap_or(0));
        untold |= number("totalRecords").is_none();
        let truncated = page.get("resultTruncated");
        cut |= truncated.is_some_and(|told| *told == true || told.as_str() == Some("true"));
        cut |= number("count").is_some_and(|count| count != of_page.len() as u64);
        read.take(taken, &mut answer);
    }
    let ids: BTreeSet<String> = rows.iter().filter_map(id_of).collect();
    let without_id = rows.iter().filter(|row| id_of(row).is_none()).count();
    let complaint = read.complaint();
    if announced > (ids.len() + without_id) as u64 || untold || cut {
        assert!(complaint.is_some(), "rows are missing, and nothing is said of it");
    }
    assert!(answer.records.len() <= rows.len(), "more records than rows");
    for record in &answer.records {
        assert!(record.kind().is_some_and(|kind| query.kinds.contains(&kind)));
        reads_back(record);
    }
    let kept: BTreeSet<&str> = answer.records.iter().map(|record| record.id().key()).collect();
    for row in &rows {
        let told = row.get("subscriptionId").and_then(Value::as_str).filter(|told| !told.is_empty());
        let of = told.map(str::to_ascii_lowercase).or_else(|| subscription_in(&id_of(row)?));
        let foreign = match &of {
            Some(of) => !subscriptions.contains(of),
            None => query.kinds != [Kind::RoleDefinitions],
        };
        let is_kept = id_of(row).is_some_and(|id| kept.contains(id.as_str()));
        let is_told = answer.unreadable.iter().any(|(_, subscription)| *subscription == of);
        assert!(is_kept || is_told || foreign, "a row vanished: {row}");
    }
}

/// A body that is no success, below `STATUS URL`: its words are short, on one line, and name no person.
pub fn error_body(input: &[u8]) {
    let (first, body) = split(input);
    let (status, url) = first.split_once(' ').unwrap_or((&first, ""));
    let status = status.parse().unwrap_or(400);
    let url = Url::parse(url).unwrap_or_else(|_| Url::parse("https://h/").expect("a URL"));
    let failure = Failure::of_answer(status, body, &url);
    let detail = &failure.detail;
    assert!(detail.chars().count() <= LONGEST_DETAIL && !detail.is_empty(), "{detail:?}");
    assert!(!detail.contains('@'), "an address is told: {detail:?}");
    assert!(!detail.chars().any(char::is_control), "it is no line: {detail:?}");
    // A scope that a right is missing on holds guids of its own; whoever asked is named before it.
    let words = detail.split(" on /").next().unwrap_or_default();
    let person = "8e4201ec-a5ea-4b6a-be58-75c610acbbe8";
    let asked = url.as_str().contains(person);
    assert!(asked || !words.to_ascii_lowercase().contains(person), "a person is told: {detail:?}");
    if matches!(status, 401 | 403) && !failure.is_payload_too_large() {
        assert_eq!(failure.reason, GapReason::Denied);
    }
}

/// Headers, one a line: waits are what the headers say, and never an overflow.
pub fn waiting_headers(input: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.insert(name, value);
        }
    }
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let (early, late) = (datetime!(2000-01-01 0:00 UTC), datetime!(2100-01-01 0:00 UTC));
    let (one, other) = (retry::retry_after(&headers, early), retry::retry_after(&headers, late));
    match text("retry-after") {
        None => assert_eq!((one, other), (None, None)),
        Some(text) if !text.is_empty() && text.len() < 19 && text.bytes().all(|b| b.is_ascii_digit()) => {
            let seconds = text.bytes().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            assert_eq!(
                (one, other),
                (Some(Duration::from_secs(seconds)), Some(Duration::from_secs(seconds)))
            );
        }
        // Later clocks see less of the wait left, and none see a wait where others see none.
        Some(_) => assert!(one >= other && one.is_some() == other.is_some()),
    }
    let window = Limit::Queries.read(&headers).resets_after;
    if let Some(reset) = text("x-ms-user-quota-resets-after")
        && let [hours, minutes, seconds] = reset.split(':').collect::<Vec<_>>()[..]
        && let (Ok(hours), Ok(minutes), Ok(seconds)) =
            (hours.parse::<u16>(), minutes.parse::<u16>(), seconds.parse::<u16>())
    {
        let expected = 3600 * u64::from(hours) + 60 * u64::from(minutes) + u64::from(seconds);
        assert_eq!(window, Some(Duration::from_secs(expected)));
    }
    let now = Instant::now();
    for limit in [Limit::Reads, Limit::Queries] {
        let mut pace = Pace::new(limit, 1.0, now);
        let sent = pace.admit(now).expect("nothing was sent yet");
        pace.answered(sent, limit.read(&headers), now);
        if let Err(until) = pace.admit(now) {
            assert!(until > now && until <= now + Duration::from_secs(60), "a wait of {:?}", until - now);
        }
    }
}

/// The kind that the first line names, and the JSON of every other line.
fn asked(input: &[u8], or: Kind) -> (Kind, Vec<Value>) {
    let (first, rest) = split(input);
    let kind = Kind::ALL.iter().find(|kind| kind.name() == first).copied().unwrap_or(or);
    let pages = rest.split(|byte| *byte == b'\n').map_while(|page| serde_json::from_slice(page).ok());
    (kind, pages.collect())
}

fn split(input: &[u8]) -> (String, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (String::from_utf8_lossy(&input[..end]).into_owned(), input.get(end + 1..).unwrap_or_default())
}

/// The folded id of a row that has one.
fn id_of(row: &Value) -> Option<String> {
    let id = row.as_object()?.get("id")?.as_str()?;
    let blank = id.trim().is_empty();
    let bare = id.trim_matches(|c: char| c == '/' || c.is_whitespace());
    (!blank).then(|| format!("/{}", bare.to_ascii_lowercase()))
}

fn subscription_in(id: &str) -> Option<String> {
    let name = id.strip_prefix("/subscriptions/")?.split('/').next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// A record is a fixed point: what is kept of a body is kept when it is read again from a snapshot.
fn reads_back(record: &Record) {
    let again = Record::from_body(Value::Object(record.body().clone()));
    assert_eq!(again.as_ref(), Ok(record));
}

#[cfg(test)]
mod tests {
    include!("../../tests/fuzz/replay.rs");

    #[test]
    fn what_was_found_by_fuzzing_azures_answers_still_holds() {
        replay("arm_list", super::arm_list);
        replay("graph_pages", super::graph_pages);
        replay("error_body", super::error_body);
        replay("waiting_headers", super::waiting_headers);
    }
}
