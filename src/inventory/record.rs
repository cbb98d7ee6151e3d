//! One resource as ARM returned it, secrets dropped.

use serde::Serialize;
use serde_json::{Map, Value};

use super::secrets;
use super::{Kind, ResourceId};

/// The body of one ARM resource, minus the fields that can carry secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Record {
    #[serde(skip)]
    id: ResourceId,
    #[serde(skip)]
    kind: Option<Kind>,
    body: Map<String, Value>,
}

/// Why a body is no record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// The body is not a JSON object.
    #[error("a record must be a JSON object")]
    NotAnObject,
    /// `id` is missing, null, blank or not a string.
    #[error("a record must have an `id`")]
    NoId,
}

impl Record {
    /// Takes a body as Azure sent it. Fields that carry secrets are dropped here, and nowhere else.
    pub fn from_body(body: Value) -> Result<Self, RecordError> {
        let Value::Object(body) = body else { return Err(RecordError::NotAnObject) };
        let id =
            body.get("id").and_then(Value::as_str).and_then(ResourceId::parse).ok_or(RecordError::NoId)?;
        Ok(Self::of(id, body))
    }

    fn of(id: ResourceId, mut body: Map<String, Value>) -> Self {
        let told = body.get("type").and_then(Value::as_str).and_then(Kind::of_arm_type);
        let kind = told.or_else(|| id.resource_type().as_deref().and_then(Kind::of_arm_type));
        // A body whose type lies must not keep what its id says is secret.
        let by_id = id.resource_type().as_deref().and_then(Kind::of_arm_type);
        for kind in [kind, by_id].into_iter().flatten() {
            secrets::drop_from(kind, &mut body);
        }
        Self { id, kind, body }
    }

    /// The record's id.
    pub fn id(&self) -> &ResourceId {
        &self.id
    }

    /// The record's kind, by its `type`, else by its id; none for types that mlfence has no use for.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// The body.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// The record with another body. What it is stays, so the body must keep what tells it.
    pub(super) fn with_body(self, change: impl FnOnce(Map<String, Value>) -> Map<String, Value>) -> Self {
        Self { body: change(self.body), ..self }
    }

    /// Lays a later record of the same id over this one: the later fields win, object by object. A later
    /// `null` does not erase what was told before, because Azure's answers write null for "not told here"; nor does a
    /// type that says nothing erase one that does.
    pub fn overlay(&mut self, mut later: Record) {
        if later.kind.is_none() {
            later.body.remove("type");
        }
        let mut body = std::mem::take(&mut self.body);
        merge(&mut body, later.body);
        // The whole is read anew: a replay has nothing but the whole, and a type that comes late brings secrets with it.
        *self = Self::of(later.id, body);
    }
}

fn merge(earlier: &mut Map<String, Value>, later: Map<String, Value>) {
    for (key, value) in later {
        match (earlier.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (Some(_), Value::Null) => {}
            (_, value) => {
                earlier.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_fields_win_object_by_object() {
        let mut record =
            Record::from_body(json!({"id":"/a/b","properties":{"x":1,"list":[1],"deep":{"k":1}}}))
                .expect("record");
        record.overlay(
            Record::from_body(json!({"id":"/A/B","location":"we","properties":{"x":2,"list":[],"deep":{"m":null},"y":null}})).expect("record"),
        );
        let expected = json!({"id":"/A/B","location":"we","properties":{"x":2,"list":[],"deep":{"k":1,"m":null},"y":null}});
        assert_eq!(Value::Object(record.body().clone()), expected);
    }

    #[test]
    fn what_is_laid_together_is_what_its_whole_reads_as() {
        let id = "/subscriptions/s/a/b/c";
        let aks = "Microsoft.ContainerService/managedClusters";
        let profile = json!({"linuxProfile": 1});
        for (bodies, type_told) in [
            ([json!({"id": id, "type": aks}), json!({"id": id, "type": "", "properties": profile})], aks),
            ([json!({"id": id, "properties": profile}), json!({"id": id, "type": aks})], aks),
            ([json!({"id": id, "type": aks}), json!({"id": id, "type": "x/y"})], aks),
        ] {
            let [mut record, later] = bodies.map(|body| Record::from_body(body).expect("a record"));
            record.overlay(later);
            assert_eq!((record.kind(), &record.body()["type"]), (Some(Kind::AksClusters), &json!(type_told)));
            let secret =
                record.body().get("properties").and_then(|properties| properties.get("linuxProfile"));
            assert_eq!(secret, None, "a field that carries secrets was kept");
            assert_eq!(Record::from_body(Value::Object(record.body().clone())), Ok(record));
        }
    }

    #[test]
    fn a_body_without_id_is_refused() {
        assert_eq!(Record::from_body(json!({"id":null})).err(), Some(RecordError::NoId));
        assert_eq!(Record::from_body(json!([1])).err(), Some(RecordError::NotAnObject));
    }
}
