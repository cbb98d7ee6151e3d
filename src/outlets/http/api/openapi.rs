//! The OpenAPI document, written from the table of routes and the types of their answers.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use axum::http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::problem::{MEDIA_TYPE, Sent};
use super::routes::{Answer, Route, routes};
use super::{DOCUMENT, auth};

/// The document as it is served.
pub(super) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| document().to_string())
}

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let operation = operation(&route, &mut generator);
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    let own = json!({"get": {
        "operationId": "getDocument", "summary": "This document", "responses": responses(
            StatusCode::OK,
            json!({"application/json": {"schema": {"type": "object"}}}),
            &[],
            &mut generator,
        ),
    }});
    paths.insert(DOCUMENT.to_owned(), own);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mlfence",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Whether the network fence around Azure Machine Learning inferencing holds",
            "description": "Reads need a token of the scope `read`, a sweep on demand one of the scope `trigger`; \
                without tokens in the configuration, on loopback only, none is needed. Times are RFC 3339, UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The token is the password, of any user."},
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let (status, answer) = &route.answer;
    let content = match answer {
        Answer::Json(make) => json!({"application/json": {"schema": make(generator)}}),
        Answer::File(media_type) => json!({*media_type: {}}),
    };
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "description": route.description,
        "parameters": parameters(route, generator),
        "responses": responses(*status, content, route.problems, generator),
    });
    let scope = auth::needed(&route.method, route.path).map(|scope| scope.name());
    operation["x-scope"] = scope.into();
    operation
}

fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true, "description": "Its fingerprint.",
            "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        }));
    }
    let schema = route.query.map(|make| make(generator)).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, mut property) in properties {
        let description = property.as_object_mut().and_then(|it| it.remove("description"));
        let schema = given(property);
        let mut parameter =
            json!({"name": name, "in": "query", "description": description, "schema": schema});
        if schema["type"] == "array" {
            parameter["style"] = "form".into();
            parameter["explode"] = false.into();
        }
        parameters.push(parameter);
    }
    parameters
}

/// A parameter is left out rather than null.
fn given(mut schema: Value) -> Value {
    if let Some(either) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        either.retain(|schema| schema["type"] != "null");
        if let [only] = either.as_slice() {
            return only.clone();
        }
    }
    if let Some(types) = schema.get("type").and_then(Value::as_array) {
        let types: Vec<&Value> = types.iter().filter(|name| **name != "null").collect();
        if let [only] = types.as_slice() {
            schema["type"] = (*only).clone();
        }
    }
    if let Some(object) = schema.as_object_mut() {
        object.remove("default").filter(Value::is_null);
    }
    schema
}

/// What stands before every route may refuse too.
const ALWAYS: [StatusCode; 3] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE];

fn responses(
    status: StatusCode,
    content: Value,
    problems: &[StatusCode],
    generator: &mut SchemaGenerator,
) -> Value {
    let problem: Schema = generator.subschema_for::<Sent<'_>>();
    let mut responses = Map::new();
    let told = json!({"description": status.canonical_reason(), "content": content});
    responses.insert(status.as_str().to_owned(), told);
    let refusals: BTreeSet<u16> = problems.iter().chain(&ALWAYS).map(StatusCode::as_u16).collect();
    for refusal in refusals {
        let reason = StatusCode::from_u16(refusal).ok().and_then(|status| status.canonical_reason());
        let told = json!({"description": reason, "content": {MEDIA_TYPE: {"schema": problem}}});
        responses.insert(refusal.to_string(), told);
    }
    Value::Object(responses)
}
