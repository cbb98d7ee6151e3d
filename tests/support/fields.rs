//! One field of every record of its kind, changed in one way: how tests take single facts away.

use mlfence::inventory::field::Field;
use mlfence::inventory::{Record, Snapshot};
use serde_json::{Map, Value};

/// What is done to the object that holds the field, and the field's key in it.
pub(crate) type Change<'a> = &'a dyn Fn(&mut Map<String, Value>, &str);

/// Applies `change` wherever a record of the field's kind has the field; `[]` in its path stands for the items of a
/// list or a map. Gives the changed snapshot, and how often there was something to change.
pub(crate) fn change(snapshot: &Snapshot, field: &Field, change: Change<'_>) -> (Snapshot, usize) {
    let mut changed = snapshot.clone();
    changed.records.clear();
    let mut times = 0;
    for record in snapshot.records.values() {
        let mut body = Value::Object(record.body().clone());
        if record.kind() == Some(field.kind) {
            times += walk(&mut body, field.path, change);
        }
        changed.add(Record::from_body(body).expect("still a record"));
    }
    (changed, times)
}

fn walk(value: &mut Value, path: &str, change: Change<'_>) -> usize {
    let Some(object) = value.as_object_mut() else { return 0 };
    let Some((head, rest)) = path.split_once('.') else {
        let there = object.get(path).is_some_and(|value| !value.is_null());
        if there {
            change(object, path);
        }
        return there.into();
    };
    match head.strip_suffix("[]").map(|list| object.get_mut(list)) {
        Some(Some(Value::Array(items))) => items.iter_mut().map(|item| walk(item, rest, change)).sum(),
        Some(Some(Value::Object(map))) => map.values_mut().map(|item| walk(item, rest, change)).sum(),
        Some(_) => 0,
        None => object.get_mut(head).map_or(0, |inner| walk(inner, rest, change)),
    }
}
