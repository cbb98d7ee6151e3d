//! How much of a record is kept: the fields that some fact reads, or everything.
//!
//! What rules read is the table of fields and the few lines here beside it, made into one tree per kind: a field that
//! joins the table is kept from then on. Only keys that no declared path leads through are dropped, so that whatever
//! decides something survives: values of the wrong type, `null`, `""`, the length of a list, items that are no objects.
//! Secrets are gone before, by `secrets`; who fetches records at which depth is for others to say.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::field::{ACCESS_ALL, ALL, FLOW_ALL, Field, NSG_DEFAULT_RULES, NSG_RULES, SERVING_ALL};
use super::{Kind, Record};

/// The name of this projection in a snapshot's header. Records of another one may lack what is read today, and a missing
/// field can mean "there is none"; so each set of fields has a name of its own, and other names are refused.
pub const PROJECTION: &str = "rules/2";

/// How much of an estate is asked for and kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// What rules read.
    #[default]
    Rules,
    /// Every kind, and every field that carries no secret.
    Everything,
}

/// Kept of every record: what it is, and where.
const ALWAYS: &[&str] = &["id", "type", "name", "location"];

/// What the choice of subscriptions rests on: read before there are facts, and again when a snapshot is replayed.
const CHOOSING: &[(Kind, &str)] = &[
    (Kind::Subscriptions, "displayName"),
    (Kind::Subscriptions, "state"),
    (Kind::Subscriptions, "tenantId"),
    (Kind::Subscriptions, "tags[]"),
    (Kind::Subscriptions, "properties.managementGroupAncestorsChain[].displayName"),
];

/// Whose a resource is, as its tags tell; alerts are routed by it.
const OWNERSHIP: &[(Kind, &str)] = &[
    (Kind::Workspaces, "tags[]"),
    (Kind::AksClusters, "tags[]"),
    (Kind::ContainerGroups, "tags[]"),
    (Kind::VirtualNetworks, "tags[]"),
];

/// Kinds of which every text is read, since nobody documents where the one that counts stands.
const WHOLE: &[Kind] = &[Kind::SecurityAdminRules];

/// A list whose elements are read by the fields of another one.
const ALIKE: &[(&Field, &Field)] = &[(&NSG_RULES, &NSG_DEFAULT_RULES)];

impl Depth {
    /// How a snapshot's header names what was kept; none if that is everything.
    pub fn projection(self) -> Option<&'static str> {
        match self {
            Depth::Rules => Some(PROJECTION),
            Depth::Everything => None,
        }
    }

    /// Whether records of a kind are asked for: for rules only if something is read of them.
    pub fn asks(self, kind: Kind) -> bool {
        self == Depth::Everything || WHOLE.contains(&kind) || fields().any(|field| field.kind == kind)
    }

    /// The record with what is kept of it.
    pub fn keep(self, record: Record) -> Record {
        match (self, certain_kind(&record)) {
            (Depth::Rules, Some(kind)) if !WHOLE.contains(&kind) => {
                let kept = TREES.get(&kind).unwrap_or(&NOTHING);
                record.with_body(|body| kept.of_object(body))
            }
            _ => record,
        }
    }
}

/// The kind by which a record will be read, whatever is laid over it later. Where its type and its id disagree, or tell
/// nothing, that is open, and the record is kept as it is.
fn certain_kind(record: &Record) -> Option<Kind> {
    let (kind, id) = (record.kind()?, record.id());
    let by_id = match id.resource_type() {
        Some(of) => Kind::of_arm_type(&of),
        None if id.subscription_id().as_ref() == Some(id) => Some(Kind::Subscriptions),
        None if id.resource_group().as_ref() == Some(id) => Some(Kind::ResourceGroups),
        None => None,
    };
    (by_id == Some(kind)).then_some(kind)
}

/// Every field of the table.
pub fn fields() -> impl Iterator<Item = &'static Field> {
    [ALL, FLOW_ALL, ACCESS_ALL, SERVING_ALL].into_iter().flatten().copied()
}

/// Every path that is kept, by kind, in the table's notation.
pub fn paths() -> impl Iterator<Item = (Kind, String)> {
    let always = Kind::ALL.iter().flat_map(|kind| ALWAYS.iter().map(|path| (*kind, (*path).to_owned())));
    let choosing = CHOOSING.iter().chain(OWNERSHIP).map(|(kind, path)| (*kind, (*path).to_owned()));
    let declared = fields().map(|field| (field.kind, field.path.to_owned()));
    let alike = fields().flat_map(|field| {
        let below = move |list: &Field| field.path.strip_prefix(list.path)?.strip_prefix("[].");
        let twins = ALIKE.iter().filter(|(list, _)| list.kind == field.kind);
        twins.filter_map(move |(list, twin)| Some((field.kind, format!("{}[].{}", twin.path, below(list)?))))
    });
    always.chain(choosing).chain(declared).chain(alike)
}

static TREES: LazyLock<BTreeMap<Kind, Kept>> = LazyLock::new(|| {
    let mut trees: BTreeMap<Kind, Kept> = BTreeMap::new();
    for (kind, path) in paths() {
        trees.entry(kind).or_default().add(&path);
    }
    trees
});

static NOTHING: Kept = Kept { keys: BTreeMap::new(), elements: None };

/// What is kept of a value.
#[derive(Debug, Default)]
struct Kept {
    /// By the keys of an object.
    keys: BTreeMap<Box<str>, Kept>,
    /// Of each element of a list or a map.
    elements: Option<Box<Kept>>,
}

impl Kept {
    fn add(&mut self, path: &str) {
        let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
        let name = head.strip_suffix("[]");
        let mut place = self.keys.entry(name.unwrap_or(head).into()).or_default();
        if name.is_some() {
            place = place.elements.get_or_insert_default();
        }
        if let Some(rest) = rest {
            place.add(rest);
        }
    }

    fn of_value(&self, value: Value) -> Value {
        match value {
            Value::Object(object) => Value::Object(self.of_object(object)),
            Value::Array(items) => {
                let elements = self.elements.as_deref().unwrap_or(&NOTHING);
                let mut items: Vec<Value> = items.into_iter().map(|item| elements.of_item(item)).collect();
                // A parser guesses the length of a list, and a list may be kept for weeks.
                items.shrink_to_fit();
                Value::Array(items)
            }
            other => other,
        }
    }

    /// Lists in lists are no form of Azure's; no path leads into them, and they are nobody's to change.
    fn of_item(&self, item: Value) -> Value {
        if item.is_object() { self.of_value(item) } else { item }
    }

    /// A new map, because one that only loses its keys keeps their room.
    fn of_object(&self, object: Map<String, Value>) -> Map<String, Value> {
        let entries = object.into_iter();
        match &self.elements {
            Some(elements) => entries.map(|(key, value)| (key, elements.of_item(value))).collect(),
            None => entries
                .filter_map(|(key, value)| {
                    let kept = self.keys.get(key.as_str())?;
                    Some((key, kept.of_value(value)))
                })
                .collect(),
        }
    }
}
