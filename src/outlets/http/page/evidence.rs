//! Evidence as people read it: objects as lists of definitions, lists of like objects as tables.

use std::collections::BTreeSet;

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::layout::wide;
use super::text::{sentence, shortened};

/// How deep evidence is unfolded; what lies deeper is shown as it is written.
const DEEPEST: usize = 6;

/// How many entries of one list are shown.
const MOST: usize = 200;

/// The deciding facts.
pub(super) fn facts(evidence: &Map<String, Value>) -> Markup {
    html! {
        @if evidence.is_empty() { p { "The policy told none." } } @else { (object(evidence, 0)) }
    }
}

fn object(fields: &Map<String, Value>, depth: usize) -> Markup {
    html! {
        dl.facts {
            @for (key, value) in fields.iter().take(MOST) {
                div { dt { (label(key)) } dd { (shown(value, &label(key), depth + 1)) } }
            }
        }
        (left_out(fields.len()))
    }
}

fn shown(value: &Value, what: &str, depth: usize) -> Markup {
    match value {
        Value::Null => html! { "none" },
        Value::Bool(yes) => html! { (if *yes { "yes" } else { "no" }) },
        Value::Number(number) => html! { (number) },
        Value::String(text) if text.is_empty() => html! { "(empty)" },
        Value::String(text) => sentence(text),
        Value::Array(list) if list.is_empty() => html! { "none" },
        Value::Object(fields) if fields.is_empty() => html! { "none" },
        _ if depth > DEEPEST => html! { code { (shortened(&value.to_string(), 2_000)) } },
        Value::Array(list) => match columns(list) {
            Some(columns) => table(list, &columns, what),
            None => html! {
                ul { @for entry in list.iter().take(MOST) { li { (shown(entry, what, depth + 1)) } } }
                (left_out(list.len()))
            },
        },
        Value::Object(fields) => object(fields, depth),
    }
}

/// The columns of a list of flat objects.
fn columns(list: &[Value]) -> Option<BTreeSet<&str>> {
    let mut columns = BTreeSet::new();
    for entry in list {
        for (key, value) in entry.as_object()? {
            if value.is_object() || value.is_array() {
                return None;
            }
            columns.insert(key.as_str());
        }
    }
    (list.len() > 1 && !columns.is_empty() && columns.len() <= 6).then_some(columns)
}

fn table(list: &[Value], columns: &BTreeSet<&str>, what: &str) -> Markup {
    html! {
        (wide(what, &html! {
            table {
                caption { (what) }
                thead { tr { @for column in columns { th scope="col" { (label(column)) } } } }
                tbody {
                    @for entry in list.iter().take(MOST) {
                        tr { @for column in columns { td { @if let Some(value) = entry.get(column) { (shown(value, what, DEEPEST)) } } } }
                    }
                }
            }
        }))
        (left_out(list.len()))
    }
}

fn left_out(total: usize) -> Markup {
    html! { @if total > MOST { p { "and " (total - MOST) " more, which the report in JSON lists" } } }
}

/// A field's name in words.
fn label(key: &str) -> String {
    shortened(&key.replace('_', " "), 60)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn markup(value: &Value) -> String {
        facts(value.as_object().expect("an object")).into_string()
    }

    #[test]
    fn every_form_of_evidence_is_told_in_words() {
        let told = markup(
            &json!({"outbound_type": "none", "table": null, "open": false, "ports": [80, 443], "empty": []}),
        );
        for part in ["outbound type", "<dd>none</dd>", "<dd>no</dd>", "<li>80</li><li>443</li>"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        let rows = markup(&json!({"frontends": [{"name": "a", "public": true}, {"name": "<b>"}]}));
        for part in ["<th scope=\"col\">public</th>", "<td>yes</td>", "&lt;b&gt;", "<td></td>"] {
            assert!(rows.contains(part), "{part} in {rows}");
        }
    }

    #[test]
    fn no_depth_and_no_length_breaks_it() {
        let mut deep = json!("the bottom");
        for _ in 0..100 {
            deep = json!({ "in": [deep] });
        }
        assert!(markup(&deep).contains("the bottom"));
        let long = markup(&json!({"list": (0..1_000).collect::<Vec<_>>()}));
        assert!(long.contains("and 800 more"), "{}", long.len());
    }
}
