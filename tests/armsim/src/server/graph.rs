//! Resource Graph: `POST /providers/Microsoft.ResourceGraph/resources`.
//!
//! Documented behaviour that a client must cope with: subscriptions and rows that the caller may
//! not read are left out without a sign; `resultTruncated` is a string; paging needs the projected
//! `id`; answers are capped at 16 MiB; other media types than JSON are a 500.

use super::kql::{self, Direction, Path, Query, Stage};
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
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

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

/// Rows on a page where the caller asks for no number.
const DEFAULT_TOP: usize = 100;

/// The answer to a query with a valid token.
pub(super) fn answer(world: &World, request: &Request<'_>, options: &Options) -> Reply {
    if *request.method != Method::POST {
        return errors::method_not_allowed(request);
    }
    if request.parameter("api-version").is_none_or(str::is_empty) {
        return errors::missing_api_version();
    }
    if !request.has_content_type("application/json") {
        return errors::error(500, "InternalServerError", "The server encountered an internal error.");
    }
    let body: Body = match serde_json::from_slice(request.body) {
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
    if settings
        .and_then(|s| s.result_format.as_deref())
        .is_some_and(|f| !f.eq_ignore_ascii_case("objectArray"))
    {
        return bad_request(&[(
            "UnsupportedResultFormat",
            "armsim answers with resultFormat objectArray only.",
        )]);
    }
    let answered = run(world, &body, top, options);
    let reply = answered.unwrap_or_else(|refused| refused);
    reply
        .header("x-ms-user-quota-remaining", "14")
        .header("x-ms-user-quota-resets-after", "00:00:05")
        .header("x-ms-ratelimit-remaining-tenant-resource-requests", "14")
}

fn run(world: &World, body: &Body, top: usize, options: &Options) -> Result<Reply, Reply> {
    let query = kql::parse(&body.query).map_err(|failure| parser_failure(&failure))?;
    let subscriptions = subscriptions(world, body)?;
    let settings = body.options.as_ref();
    let scope_filter = settings.and_then(|s| s.authorization_scope_filter.as_deref()).unwrap_or_default();
    let mut table =
        Table { world, rows: rows(world, &query, &subscriptions, scope_filter)?, columns: None, cut: false };
    for stage in &query.stages {
        table.apply(stage)?;
    }
    page(&table, body, top, options)
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

type Row<'a> = (&'a Value, &'a Place);

fn rows<'a>(
    world: &'a World,
    query: &Query,
    subscriptions: &BTreeSet<String>,
    scope_filter: &str,
) -> Result<Vec<Row<'a>>, Reply> {
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

/// Rows on their way through the stages of a query.
struct Table<'a> {
    world: &'a World,
    rows: Vec<Row<'a>>,
    /// The columns left by `project`, and where each comes from.
    columns: Option<Vec<(String, Path)>>,
    /// Whether `take` cut rows off.
    cut: bool,
}

impl Table<'_> {
    fn apply(&mut self, stage: &Stage) -> Result<(), Reply> {
        match stage {
            Stage::Where(condition) => {
                for path in condition.paths() {
                    self.resolve(path)?;
                }
                let rows = std::mem::take(&mut self.rows);
                self.rows = rows
                    .into_iter()
                    .filter(|row| {
                        condition.holds(&|path| {
                            self.resolve(path).map_or_else(|_| String::new(), |p| self.text(row, &p))
                        })
                    })
                    .collect();
            }
            Stage::Project(columns) => {
                let resolved: Result<Vec<_>, Reply> =
                    columns.iter().map(|(name, path)| Ok((name.clone(), self.resolve(path)?))).collect();
                self.columns = Some(resolved?);
            }
            Stage::OrderBy(orders) => {
                // Stable sorts, the least significant column first.
                for (path, direction) in orders.iter().rev() {
                    let path = self.resolve(path)?;
                    let mut rows = std::mem::take(&mut self.rows);
                    rows.sort_by_cached_key(|row| self.text(row, &path));
                    if *direction == Direction::Descending {
                        rows.reverse();
                    }
                    self.rows = rows;
                }
            }
            Stage::Take(count) => {
                self.cut |= self.rows.len() > *count;
                self.rows.truncate(*count);
            }
        }
        Ok(())
    }

    /// The path in terms of the record's own columns.
    fn resolve(&self, path: &Path) -> Result<Path, Reply> {
        let unknown = || {
            invalid_query(&format!("Failed to resolve column or scalar expression named '{}'", path.column))
        };
        match &self.columns {
            None => {
                let known = shape::COLUMNS.iter().find(|column| column.eq_ignore_ascii_case(&path.column));
                let column = (*known.ok_or_else(unknown)?).to_owned();
                Ok(Path { column, keys: path.keys.clone() })
            }
            Some(columns) => {
                let (_, source) =
                    columns.iter().find(|(name, _)| *name == path.column).ok_or_else(unknown)?;
                let mut source = source.clone();
                source.keys.extend(path.keys.iter().cloned());
                Ok(source)
            }
        }
    }

    fn value(&self, (record, place): &Row<'_>, path: &Path) -> Value {
        let tenant = &self.world.estate.header.tenant_id;
        match shape::column(record, place, tenant, &path.column) {
            Some(column) if path.keys.is_empty() => column.into_owned(),
            Some(column) => path.below(&column).clone(),
            None => Value::Null,
        }
    }

    fn text(&self, (record, place): &Row<'_>, path: &Path) -> String {
        let tenant = &self.world.estate.header.tenant_id;
        let column = shape::column(record, place, tenant, &path.column);
        match column.as_deref().map(|column| path.below(column)) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn object(&self, row: &Row<'_>) -> Value {
        let mut object = Map::new();
        match &self.columns {
            Some(columns) => {
                for (name, path) in columns {
                    object.insert(name.clone(), self.value(row, path));
                }
            }
            None => {
                for column in shape::COLUMNS {
                    let path = Path { column: (*column).to_owned(), keys: Vec::new() };
                    object.insert((*column).to_owned(), self.value(row, &path));
                }
            }
        }
        Value::Object(object)
    }

    /// Whether pages can be told apart: the result has the resource's id.
    fn has_id(&self) -> bool {
        self.columns.as_ref().is_none_or(|columns| {
            columns.iter().any(|(name, path)| name == "id" && path.column == "id" && path.keys.is_empty())
        })
    }
}

fn page(table: &Table<'_>, body: &Body, top: usize, options: &Options) -> Result<Reply, Reply> {
    let settings = body.options.as_ref();
    let start = match settings.and_then(|s| s.skip_token.as_deref()) {
        Some(token) => paging::decode(token, &body.query)
            .ok_or_else(|| bad_request(&[("InvalidSkipToken", "The skip token is not of this query.")]))?,
        None => settings.and_then(|s| s.skip).unwrap_or_default(),
    };
    let total = table.rows.len();
    let end = total.min(start.saturating_add(top));
    let data: Vec<Value> =
        table.rows.get(start..end).unwrap_or_default().iter().map(|row| table.object(row)).collect();
    let more = end < total;
    let pages = table.has_id() && !table.cut;
    let mut answer = json!({
        "totalRecords": total, "count": data.len(), "data": data, "facets": [],
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
    refused(&details)
}

/// Resource Graph's own form: the real reason is in `details`.
fn bad_request(details: &[(&str, &str)]) -> Reply {
    let details: Vec<Value> =
        details.iter().map(|(code, message)| json!({"code": code, "message": message})).collect();
    refused(&json!(details))
}

fn refused(details: &Value) -> Reply {
    let message = "Please provide below info when asking for support.";
    Reply::json(400, &json!({"error": {"code": "BadRequest", "message": message, "details": details}}))
}
