//! Resource Graph: `POST /providers/Microsoft.ResourceGraph/resources`.
//!
//! Documented behaviour that a client must cope with: subscriptions and rows that the caller may
//! not read are left out without a sign; `resultTruncated` is a string; paging needs the projected
//! `id`; answers are capped at 16 MiB; other media types than JSON are a 500.

mod table;

use super::kql::{self, Query, Stage};
use super::options::Options;
use super::paging;
use super::reply::Reply;
use super::request::Request;
use super::roles::{self, Relation};
use super::{errors, shape};
use crate::arm_id::ArmId;
use crate::kinds;
use crate::world::{Place, Standing, World};
use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use table::{Row, Table};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: String,
    #[serde(default)]
    subscriptions: Option<Vec<String>>,
    #[serde(default)]
    management_groups: Option<Vec<String>>,
    #[serde(default)]
    options: Option<Settings>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Settings {
    #[serde(rename = "$skipToken", default)]
    skip_token: Option<String>,
    #[serde(rename = "$top", default)]
    top: Option<i64>,
    #[serde(rename = "$skip", default)]
    skip: Option<usize>,
    #[serde(default)]
    result_format: Option<String>,
    #[serde(default)]
    authorization_scope_filter: Option<String>,
}

/// Up to this version the published examples are answered with tables where no format is asked for, later with objects.
const LAST_WITH_TABLES: &str = "2019-04-01";

/// The last api-version whose options have no `authorizationScopeFilter`.
const LAST_WITHOUT_SCOPE_FILTER: &str = "2021-03-01";

/// Rows on a page where the caller asks for no number.
const DEFAULT_TOP: usize = 100;

/// The answer to a query with a valid token.
pub(super) fn answer(world: &World, request: &Request<'_>, options: &Options) -> Reply {
    if *request.method != Method::POST {
        return errors::method_not_allowed(request);
    }
    let Some(version) = request.parameter("api-version").filter(|version| !version.is_empty()) else {
        return errors::missing_api_version();
    };
    let version = shape::date(version);
    if !request.has_content_type("application/json") {
        return errors::error(500, "InternalServerError", "The server encountered an internal error.");
    }
    let mut body: Body = match serde_json::from_slice(request.body) {
        Ok(body) => body,
        Err(e) => return bad_request(&[("InvalidRequestContent", &e.to_string())]),
    };
    let settings = body.options.as_ref();
    let asked = |told: Option<usize>| told.unwrap_or(DEFAULT_TOP).min(options.graph_page_size).max(1);
    let top = match settings.and_then(|settings| settings.top) {
        Some(top) if top < 1 => {
            return bad_request(&[("InvalidTop", "The value of '$top' must be positive.")]);
        }
        top => asked(top.and_then(|top| usize::try_from(top).ok())),
    };
    let format = match Format::of(settings.and_then(|s| s.result_format.as_deref()), version) {
        Ok(format) => format,
        Err(refused) => return refused,
    };
    if version <= LAST_WITHOUT_SCOPE_FILTER
        && let Some(settings) = &mut body.options
    {
        settings.authorization_scope_filter = None;
    }
    run(world, &body, top, format, options).unwrap_or_else(|refused| refused)
}

/// How the rows of an answer are written.
#[derive(Clone, Copy)]
enum Format {
    ObjectArray,
    Table,
}

impl Format {
    fn of(asked: Option<&str>, version: &str) -> Result<Self, Reply> {
        match asked.map(str::to_lowercase).as_deref() {
            Some("objectarray") => Ok(Self::ObjectArray),
            Some("table") => Ok(Self::Table),
            Some(other) => {
                let message =
                    format!("The value '{other}' of 'resultFormat' is neither table nor objectArray.");
                Err(bad_request(&[("InvalidRequestContent", &message)]))
            }
            None if version <= LAST_WITH_TABLES => Ok(Self::Table),
            None => Ok(Self::ObjectArray),
        }
    }
}

fn run(world: &World, body: &Body, top: usize, format: Format, options: &Options) -> Result<Reply, Reply> {
    let query = kql::parse(&body.query).map_err(|failure| parser_failure(&failure))?;
    let subscriptions = subscriptions(world, body)?;
    let settings = body.options.as_ref();
    let scope_filter = settings.and_then(|s| s.authorization_scope_filter.as_deref()).unwrap_or_default();
    let mut table = Table::new(world, rows(world, &query, &subscriptions, scope_filter)?);
    for stage in &query.stages {
        table.apply(stage)?;
    }
    page(&table, body, top, format, options)
}

/// The readable subscriptions in scope; the others are dropped silently.
fn subscriptions(world: &World, body: &Body) -> Result<BTreeSet<String>, Reply> {
    let asked: BTreeSet<String> = match (&body.subscriptions, &body.management_groups) {
        (Some(ids), _) if !ids.is_empty() => ids.iter().map(|id| id.to_lowercase()).collect(),
        (_, Some(groups)) if !groups.is_empty() => {
            let groups: Vec<String> = groups.iter().map(|name| name.to_lowercase()).collect();
            let under =
                world.subscriptions.iter().filter(|(_, s)| s.ancestors.iter().any(|a| groups.contains(a)));
            under.map(|(id, _)| id.clone()).collect()
        }
        _ => world.subscriptions.keys().cloned().collect(),
    };
    if let Some(odd) = asked.iter().find(|id| !is_guid(id)) {
        let message = format!("The subscription id '{odd}' is not a guid.");
        return Err(bad_request(&[("SubscriptionsContainInvalidGuids", &message)]));
    }
    let readable: BTreeSet<String> =
        asked.into_iter().filter(|id| world.rights.standing(world, id) == Standing::Readable).collect();
    if readable.is_empty() {
        let message = "There must be at least one subscription that is eligible to contain resources.";
        return Err(bad_request(&[("NoValidSubscriptionsInQueryRequest", message)]));
    }
    Ok(readable)
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(i, c)| match i {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

fn rows<'a>(
    world: &'a World,
    query: &Query,
    subscriptions: &BTreeSet<String>,
    scope_filter: &str,
) -> Result<Vec<Row<'a>>, Reply> {
    if kinds::OTHER_TABLES.contains(&query.table.as_str()) {
        return Ok(Vec::new());
    }
    if !kinds::TABLES.contains(&query.table.as_str()) {
        return Err(invalid_query(&format!("Table '{}' was not found.", query.table)));
    }
    let confined = match query.stages.first() {
        Some(Stage::Where(condition)) => condition.types(),
        _ => None,
    };
    let types: BTreeSet<String> = match confined {
        Some(types) => types.into_iter().collect(),
        None => world.types().map(str::to_owned).collect(),
    };
    let of_table = types.iter().filter(|of| kinds::table_of(of) == Some(query.table.as_str()));
    let rows = of_table.flat_map(|of| world.of_type(of));
    Ok(rows
        .filter(|(record, place)| in_scope(world, record, place, subscriptions, scope_filter))
        .filter(|(_, place)| world.rights.may_see(place))
        .map(|(record, place)| Row::Record(record, place))
        .collect())
}

fn in_scope(
    world: &World,
    record: &Value,
    place: &Place,
    subscriptions: &BTreeSet<String>,
    filter: &str,
) -> bool {
    match place.resource_type.as_str() {
        // Built-in definitions stand at the tenant's root and are rows for everyone.
        "microsoft.authorization/roledefinitions" if place.id.subscription().is_none() => true,
        "microsoft.authorization/roleassignments" => {
            let scope = roles::scope_of(record, &place.id);
            subscriptions.iter().any(|subscription| {
                let asked = ArmId::new(&format!("/subscriptions/{subscription}"));
                let relation = roles::relation(world, &asked, &scope);
                match filter.to_lowercase().as_str() {
                    "atscopeandabove" => matches!(relation, Some(Relation::At | Relation::Above)),
                    "atscopeaboveandbelow" => relation.is_some(),
                    "atscopeexact" => relation == Some(Relation::At),
                    _ => matches!(relation, Some(Relation::At | Relation::Below)),
                }
            })
        }
        _ => place.id.subscription().is_some_and(|id| subscriptions.contains(id)),
    }
}

fn page(
    table: &Table<'_>,
    body: &Body,
    top: usize,
    format: Format,
    options: &Options,
) -> Result<Reply, Reply> {
    let settings = body.options.as_ref();
    let start = match settings.and_then(|s| s.skip_token.as_deref()) {
        Some(token) => paging::decode(token, &body.query)
            .ok_or_else(|| bad_request(&[("InvalidSkipToken", "The skip token is not of this query.")]))?,
        None => settings.and_then(|s| s.skip).unwrap_or_default(),
    };
    let total = table.rows.len();
    let end = total.min(start.saturating_add(top));
    let rows = table.rows.get(start..end).unwrap_or_default();
    let data = match format {
        Format::ObjectArray => table.objects(rows),
        Format::Table => table.table(rows),
    };
    let more = end < total;
    let pages = table.has_id() && !table.cut;
    let mut answer = json!({
        "totalRecords": total, "count": rows.len(), "data": data, "facets": [],
        "resultTruncated": if table.cut || (more && !pages) { "true" } else { "false" },
    });
    if more && pages {
        answer["$skipToken"] = json!(paging::encode(end, &body.query));
    }
    let reply = Reply::json(200, &answer);
    if reply.len() > options.graph_response_cap {
        let message = format!(
            "Response payload size is {}, and has exceeded the limit of {}. Please consider querying less data \
             at a time and make paginated call if needed.",
            reply.len(),
            options.graph_response_cap
        );
        return Err(bad_request(&[("ResponsePayloadTooLarge", &message)]));
    }
    Ok(reply)
}

const INVALID: &str = "Query is invalid. Please refer to the documentation for the Azure Resource Graph service \
                       and fix the error before retrying.";

fn invalid_query(reason: &str) -> Reply {
    bad_request(&[("InvalidQuery", INVALID), ("InvalidQuery", reason)])
}

fn parser_failure(failure: &kql::ParserFailure) -> Reply {
    let details = json!([
        {"code": "InvalidQuery", "message": INVALID},
        {"code": "ParserFailure", "message": "ParserFailure", "line": 1, "characterPositionInLine": failure.at,
         "token": failure.token, "expectedToken": failure.expected},
    ]);
    errors::of_graph(400, "BadRequest", &details)
}

/// Resource Graph's own form: the real reason is in `details`.
fn bad_request(details: &[(&str, &str)]) -> Reply {
    let details: Vec<Value> =
        details.iter().map(|(code, message)| json!({"code": code, "message": message})).collect();
    errors::of_graph(400, "BadRequest", &json!(details))
}
