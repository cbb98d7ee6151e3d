//! What is inside a row: noise that a reader must bear, and damage.

use super::dice::Dice;
use super::strikes::rows_of;
use super::trouble::{Damage, What};
use serde_json::{Map, Value, json};

const NOVELTY: &str = "ArmsimNovelty";

/// Texts under these keys are names and prose, not members of an enumeration.
const FREE_TEXT: &[&str] = &["id", "name", "type", "displayName", "description", "location", "roleName"];

/// Whether [`edit`] or the token's own edit does anything for it.
pub(super) fn edits(what: &What) -> bool {
    use What::{Casing, Damage, ExtraFields, NovelValues, TokenExpiry};
    matches!(what, Casing {} | NovelValues { .. } | Damage { .. } | ExtraFields {} | TokenExpiry { .. })
}

/// Changes the rows of a page, or a body that is itself one resource.
pub(super) fn edit(what: &What, body: &mut Value, dice: &mut Dice) {
    let change: &mut dyn FnMut(&mut Value) = match what {
        What::Casing {} => &mut |row| vary_case(row, dice),
        What::NovelValues { share } => &mut |row| {
            if let Some(properties) = row.get_mut("properties") {
                novel(properties, *share, dice);
            }
        },
        What::ExtraFields {} => &mut |row| extra(row),
        What::Damage { how, share, field } => &mut |row| {
            if dice.chance(*share) {
                damage(row, *how, field.as_deref(), dice);
            }
        },
        _ => return,
    };
    if let Some(rows) = rows_of(body) {
        rows.iter_mut().for_each(change);
    } else if body.get("id").is_some() {
        change(body);
    }
}

/// Ids and types in random case, wherever they stand: "resource ids are case-insensitive".
pub(super) fn vary_case(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| vary_case(item, dice)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if is_id(text) || (key == "type" && is_type(text)) => {
                        *text = in_random_case(text, dice);
                    }
                    Value::String(_) => {}
                    inner => vary_case(inner, dice),
                }
            }
        }
        Value::String(text) if is_id(text) => *text = in_random_case(text, dice),
        _ => {}
    }
}

fn is_id(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with("/subscriptions/") || text.starts_with("/providers/microsoft.")
}

fn is_type(text: &str) -> bool {
    text.to_ascii_lowercase().starts_with("microsoft.") && text.contains('/')
}

fn in_random_case(text: &str, dice: &mut Dice) -> String {
    let vary = |letter: char| match dice.chance(0.5) {
        true => letter.to_ascii_uppercase(),
        false => letter.to_ascii_lowercase(),
    };
    text.chars().map(vary).collect()
}

/// Members of an enumeration are words like `Succeeded`; some become one that nobody knows yet.
fn novel(value: &mut Value, share: f64, dice: &mut Dice) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| novel(item, share, dice)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) => {
                        if !FREE_TEXT.contains(&key.as_str()) && is_word(text) && dice.chance(share) {
                            *text = NOVELTY.to_owned();
                        }
                    }
                    inner => novel(inner, share, dice),
                }
            }
        }
        _ => {}
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|letter| letter.is_ascii_alphabetic())
}

/// A field that a later api-version may bring, in the row and in its properties at every depth. Other objects may be
/// dictionaries, in which a key has a meaning.
fn extra(value: &mut Value) {
    fn into_properties(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(into_properties),
            Value::Object(fields) => {
                for (key, value) in fields {
                    into_properties(value);
                    if key == "properties"
                        && let Value::Object(properties) = value
                    {
                        add(properties);
                    }
                }
            }
            _ => {}
        }
    }
    into_properties(value);
    if let Value::Object(row) = value {
        add(row);
    }
}

fn add(fields: &mut Map<String, Value>) {
    fields.insert("armsimExtra".to_owned(), json!({"of": [null, 1, "x", {"deep": true}]}));
}

/// Spoils one field: the row's own one of that name, else one of its properties at a random depth.
fn damage(row: &mut Value, how: Damage, field: Option<&str>, dice: &mut Dice) {
    let Some(fields) = row.as_object_mut() else { return };
    if let Some(field) = field {
        return spoil(fields, field, how);
    }
    let has_properties =
        fields.get("properties").is_some_and(|all| all.as_object().is_some_and(|all| !all.is_empty()));
    if !has_properties {
        return damage_within(row, how, dice);
    }
    if let Some(properties) = row.get_mut("properties") {
        damage_within(properties, how, dice);
    }
}

fn damage_within(value: &mut Value, how: Damage, dice: &mut Dice) {
    match value {
        Value::Array(items) => {
            let at = dice.below(items.len());
            if let Some(item) = items.get_mut(at) {
                damage_within(item, how, dice);
            }
        }
        Value::Object(fields) => {
            let at = dice.below(fields.len());
            let Some(key) = fields.keys().nth(at).cloned() else { return };
            let inner = fields.get_mut(&key).filter(|inner| has_objects(inner));
            match inner {
                Some(inner) if dice.chance(0.7) => damage_within(inner, how, dice),
                _ => spoil(fields, &key, how),
            }
        }
        _ => {}
    }
}

fn has_objects(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty() && items.iter().all(has_objects),
        _ => false,
    }
}

fn spoil(fields: &mut Map<String, Value>, key: &str, how: Damage) {
    let Some(value) = fields.get_mut(key) else { return };
    match how {
        Damage::Missing => drop(fields.remove(key)),
        Damage::Null => *value = Value::Null,
        Damage::Type => {
            *value = match value {
                Value::String(_) => json!(7),
                Value::Number(_) => json!("seven"),
                Value::Bool(_) => json!("perhaps"),
                Value::Array(_) => json!({}),
                Value::Object(_) => json!([]),
                Value::Null => json!(0),
            }
        }
    }
}
