//! The `cases` of a policy's test file: documents, and what the policy must say of them.
//!
//! They are data rather than tests because the gate does more with them than run them: it reads each
//! document as the real type, and looks for a pass that rests on an empty list.

use std::collections::BTreeMap;

use regorus::Value;
use serde::Deserialize;
use serde_json::Value as Json;

use super::evaluation::Judgement;
use crate::facts::{Document, SubjectKind};

/// One document, and what a policy must say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What is special about it.
    pub note: String,
    /// What the policy must say.
    pub want: Judgement,
    /// The keys of the violations that it must find, where the case says so.
    pub keys: Option<Vec<String>>,
    /// Lists, such as `cluster.node_subnets.value[].delegations.value`, whose emptiness is legitimate in a pass.
    pub may_be_empty: Vec<String>,
    /// The subject document.
    pub document: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    note: String,
    want: String,
    keys: Option<Vec<String>>,
    #[serde(default)]
    may_be_empty: Vec<String>,
    document: Json,
}

/// Reads the value of a `cases` rule; each complaint names its case. A policy that may not apply needs a case
/// to which it does not.
pub(super) fn read(
    value: &Value,
    subject: SubjectKind,
    may_not_apply: bool,
) -> Result<Vec<Case>, Vec<String>> {
    if *value == Value::Undefined {
        return Err(vec![
            "`cases` is undefined; does it refer to a document that does not exist?".to_owned(),
        ]);
    }
    let written: Result<BTreeMap<String, Json>, _> =
        serde_json::to_value(value).and_then(serde_json::from_value);
    let Ok(written) = written else {
        return Err(vec!["`cases` must be an object from names to cases".to_owned()]);
    };
    let mut cases = Vec::new();
    let mut complaints = Vec::new();
    for (name, case) in written {
        match read_one(&name, case, subject) {
            Ok(case) => cases.push(case),
            Err(complaint) => complaints.push(format!("case `{name}`: {complaint}")),
        }
    }
    for judgement in Judgement::ALL {
        if judgement == Judgement::NotApplicable && !may_not_apply {
            continue;
        }
        if complaints.is_empty() && !cases.iter().any(|case| case.want == judgement) {
            complaints.push(format!("no case wants `{}`; each policy needs one of each", judgement.name()));
        }
    }
    if complaints.is_empty() { Ok(cases) } else { Err(complaints) }
}

fn read_one(name: &str, case: Json, subject: SubjectKind) -> Result<Case, String> {
    let written: Written = serde_json::from_value(case).map_err(|error| error.to_string())?;
    let Some(want) = Judgement::ALL.into_iter().find(|judgement| judgement.name() == written.want) else {
        return Err(format!("wants `{}`; use fail, unknown, not_applicable or pass", written.want));
    };
    if written.keys.is_some() != (want == Judgement::Fail) {
        return Err("`keys` belong to a case that wants `fail`, and to no other".to_owned());
    }
    let document: Document = serde_json::from_value(written.document.clone())
        .map_err(|error| format!("its document is not of the published form: {error}"))?;
    if document.subject.kind != subject {
        let found = document.subject.kind.name();
        return Err(format!("its document is of the kind {found}, but the policy judges {}", subject.name()));
    }
    Ok(Case {
        name: name.to_owned(),
        note: written.note,
        want,
        keys: written.keys,
        may_be_empty: written.may_be_empty,
        document: written.document,
    })
}

/// The document once for each list in it that is not empty, with that list emptied; and the list's path
/// (`a.b[].c`, without positions).
pub(super) fn with_lists_emptied(document: &Json) -> Vec<(String, Json)> {
    let is_filled = |value: &Json| value.as_array().is_some_and(|items| !items.is_empty());
    variants(document, &is_filled, &Json::Array(Vec::new()))
}

/// The document once for each fact in it that is known, with that fact unknown; and the fact's path.
pub(super) fn with_facts_unknown(document: &Json) -> Vec<(String, Json)> {
    let is_known =
        |value: &Json| value.as_object().is_some_and(|fact| fact.len() == 1 && fact.contains_key("value"));
    variants(
        document,
        &is_known,
        &serde_json::json!({"unknown": {"code": "denied", "message": "it could not be read"}}),
    )
}

fn variants(document: &Json, is_meant: &dyn Fn(&Json) -> bool, instead: &Json) -> Vec<(String, Json)> {
    let mut places = Vec::new();
    find(document, is_meant, &Place::default(), &mut places);
    let variant = |place: Place| {
        let mut variant = document.clone();
        if let Some(value) = variant.pointer_mut(&place.pointer) {
            *value = instead.clone();
        }
        (place.path, variant)
    };
    places.into_iter().map(variant).collect()
}

/// Where a value stands: as a path for people and as a JSON pointer.
#[derive(Clone, Default)]
struct Place {
    path: String,
    pointer: String,
}

fn find(value: &Json, is_meant: &dyn Fn(&Json) -> bool, at: &Place, found: &mut Vec<Place>) {
    if is_meant(value) {
        found.push(at.clone());
    }
    match value {
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{}[]", at.path);
                let pointer = format!("{}/{index}", at.pointer);
                find(item, is_meant, &Place { path, pointer }, found);
            }
        }
        Json::Object(fields) => {
            for (name, field) in fields {
                let path = if at.path.is_empty() { name.clone() } else { format!("{}.{name}", at.path) };
                let pointer = format!("{}/{}", at.pointer, name.replace('~', "~0").replace('/', "~1"));
                find(field, is_meant, &Place { path, pointer }, found);
            }
        }
        _ => {}
    }
}
