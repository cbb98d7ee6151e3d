//! Pages that mislead: links, counts, rows lost and rows repeated. What is inside a row is left to `rows`.

use super::dice::Dice;
use super::rows;
use super::strikes::rows_of;
use super::trouble::{Lie, Link, What};
use crate::server::request::Request;
use axum::body::Bytes;
use serde_json::{Value, json};

/// The query parameter of the page after an empty one.
const MARK: &str = "armsim-page";
/// The `$skipToken` that leads to itself.
const LOOP: &str = "armsim-loop";

/// Takes our own mark off a request; true if there was one.
pub(in crate::server) fn unmark(request: &mut Request<'_>) -> bool {
    let before = request.query.len();
    request.query.retain(|(key, _)| key != MARK);
    request.query.len() < before
}

/// The request of Resource Graph without a `$skipToken` of our own.
pub(in crate::server) fn without_loop(body: Bytes) -> Bytes {
    if !body.windows(LOOP.len()).any(|part| part == LOOP.as_bytes()) {
        return body;
    }
    let Ok(mut asked) = serde_json::from_slice::<Value>(&body) else { return body };
    if let Some(options) = asked.get_mut("options").and_then(Value::as_object_mut)
        && options.get("$skipToken").and_then(Value::as_str) == Some(LOOP)
    {
        options.remove("$skipToken");
    }
    Bytes::from(asked.to_string())
}

/// Whether [`edit`] does anything for it.
pub(super) fn edits(what: &What) -> bool {
    use What::{EmptyPage, GraphSays, HugeRow, LoseRows, NextLink, RepeatRows};
    matches!(
        what,
        EmptyPage {}
            | NextLink { .. }
            | RepeatRows { .. }
            | LoseRows { .. }
            | HugeRow { .. }
            | GraphSays { .. }
    )
}

/// Changes a page. `line` is the request's path and query as sent.
pub(super) fn edit(what: &What, body: &mut Value, dice: &mut Dice, base_url: &str, line: &str) {
    match what {
        What::GraphSays { lie } => lie_of_graph(*lie, body),
        What::EmptyPage {} if rows_of(body).is_some() => {
            let glue = if line.contains('?') { '&' } else { '?' };
            let key = if body.get("values").is_some() { "values" } else { "value" };
            *body = json!({ key: [], "nextLink": format!("{base_url}{line}{glue}{MARK}=1") });
        }
        What::NextLink { to, base } if rows_of(body).is_some() => {
            body["nextLink"] = match to {
                Link::Loop => json!(format!("{base_url}{line}")),
                Link::OtherHost => json!(format!("{base}{line}")),
                Link::OtherScheme => json!(format!("{}{line}", other_scheme(base_url))),
                Link::OtherPort => json!(format!("{}{line}", other_port(base_url))),
                Link::NoUrl => json!("::no url at all::"),
                Link::Number => json!(7),
            };
        }
        What::RepeatRows { share, other_case, instead } => {
            if let Some(rows) = rows_of(body) {
                repeat(rows, *share, *other_case, *instead, dice);
            }
            recount(body);
        }
        What::LoseRows { share } => {
            if let Some(rows) = rows_of(body) {
                lose(rows, *share, dice);
            }
            recount(body);
        }
        What::HugeRow { mebibytes } => {
            if let Some(row) = rows_of(body).and_then(|rows| rows.first_mut()).and_then(Value::as_object_mut)
            {
                let padding = json!("x".repeat(mebibytes << 20));
                match row.get_mut("properties").and_then(Value::as_object_mut) {
                    Some(properties) => properties.insert("armsimPadding".to_owned(), padding),
                    None => row.insert("armsimPadding".to_owned(), padding),
                };
            }
        }
        _ => {}
    }
}

fn lie_of_graph(lie: Lie, body: &mut Value) {
    let Some(page) = body.as_object_mut() else { return };
    let mut say = |key: &str, value: Value| page.insert(key.to_owned(), value);
    match lie {
        Lie::TruncatedText => drop(say("resultTruncated", json!("true"))),
        Lie::TruncatedFlag => drop(say("resultTruncated", json!(true))),
        Lie::TokenLoop => drop(say("$skipToken", json!(LOOP))),
        Lie::WrongCount => {
            let count = page.get("count").and_then(Value::as_u64).unwrap_or_default();
            page.insert("count".to_owned(), json!(count + 1));
        }
        Lie::NoTotal => drop(page.remove("totalRecords")),
        Lie::NoData => drop(page.remove("data")),
    }
}

/// `count` is the number of rows on the page; `totalRecords` stays and tells what was lost.
fn recount(body: &mut Value) {
    if let Some(count) = body.get("data").and_then(Value::as_array).map(Vec::len)
        && body.get("count").is_some_and(Value::is_number)
    {
        body["count"] = json!(count);
    }
}

/// Which rows are meant: that share of them, and one at least.
fn chosen(rows: usize, share: f64, dice: &mut Dice) -> Vec<bool> {
    let mut chosen: Vec<bool> = (0..rows).map(|_| dice.chance(share)).collect();
    let one = dice.below(rows);
    if !chosen.contains(&true)
        && let Some(one) = chosen.get_mut(one)
    {
        *one = true;
    }
    chosen
}

fn lose(rows: &mut Vec<Value>, share: f64, dice: &mut Dice) {
    let mut lost = chosen(rows.len(), share, dice).into_iter();
    rows.retain(|_| !lost.next().unwrap_or_default());
}

fn repeat(rows: &mut Vec<Value>, share: f64, other_case: bool, instead: bool, dice: &mut Dice) {
    let repeated = chosen(rows.len(), share, dice);
    let mut all = Vec::with_capacity(rows.len() * 2);
    let mut rows_left = std::mem::take(rows).into_iter().zip(repeated);
    while let Some((row, again)) = rows_left.next() {
        let mut copy = again.then(|| row.clone());
        all.push(row);
        if let Some(copy) = &mut copy
            && other_case
        {
            rows::vary_case(copy, dice);
        }
        // The copy stands where the next row should.
        if copy.is_none() || !instead || rows_left.next().is_some() {
            all.extend(copy);
        }
    }
    *rows = all;
}

fn other_scheme(base_url: &str) -> String {
    match base_url.strip_prefix("http://") {
        Some(rest) => format!("https://{rest}"),
        None => base_url.replacen("https://", "http://", 1),
    }
}

fn other_port(base_url: &str) -> String {
    match base_url.rsplit_once(':') {
        Some((head, port)) if port.parse::<u16>().is_ok() => format!("{head}:9"),
        _ => format!("{base_url}:9"),
    }
}
