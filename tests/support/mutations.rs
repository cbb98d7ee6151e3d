//! Mutations of the healthy estate as fixtures tell them, and how they change it.
//!
//! A fixture under `tests/fixtures/mutations/` holds the mutations of one policy, or of what all policies share (states,
//! ownership). Its `edges` account for each **Edge** and **Tests** entry of the catalogue: mutations that express it, or
//! why no state of an estate does. A mutation is a list of changes, and the exact set of verdicts that they move:
//!
//! * `{"record": R, "set": {PATH: value}, "append": {PATH: value}, "remove": [PATH]}` changes one record;
//! * `{"rewrite": [FROM, TO]}` replaces text in the strings of every record, or of one with `"record": R`;
//! * `{"copy": R, "as": ID, "set": …}` adds a record under another id, `{"add": {…}}` a new one, `{"delete": R}` takes one out;
//! * `{"gap": {…}}` adds a gap, `{"answer": {…}}` what Azure said of a principal's assignments at a subnet, groups resolved.
//!
//! R is the end of an ARM id (`workspaces/mlw-churn`) and must meet exactly one record, and each step must change something. A
//! PATH is dotted; `list[NAME]` is the element of that name, `list[0]` the first one. In strings, `${R}` stands for the id of
//! a record of the healthy estate, `${SUBSCRIPTION}` for the id of one of its subscriptions, and `${unread}` for a subscription that
//! the snapshot does not name. `moves` tells where a verdict is after the change; `gone` says that there is none any more.
//!
//! `declare` changes what the operator of these estates declares by default, key by key; `null` undeclares. Under its key
//! `workspaces` it does so for single ones: `{"callers": null, "workspaces": {"${workspaces/mlw-churn}": {"scoring": "any"}}}`.

#![allow(dead_code)] // Each test binary uses its own part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use armsim::Estate;
use mlfence::audit::Setup;
use mlfence::expectations::Expectations;
use mlfence::inventory::ResourceId;
use mlfence::severity::Severity;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::support::setup;

/// A subscription of which the snapshot says nothing.
const UNREAD: &str = "/subscriptions/11111111-1111-4111-8111-111111111111";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixture {
    /// Whose mutations these are; none for what all policies share.
    pub(crate) policy: Option<String>,
    #[serde(default, rename = "about")]
    _about: String,
    pub(crate) edges: Vec<Edge>,
    pub(crate) mutations: Vec<Mutation>,
}

/// An entry of the catalogue's **Edge** or **Tests** line, with the mutations that express it or the reason why none can.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edge {
    pub(crate) edge: String,
    #[serde(default)]
    pub(crate) mutations: Vec<String>,
    pub(crate) inexpressible: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutation {
    pub(crate) name: String,
    /// The sentence of the catalogue that the set is taken from.
    pub(crate) because: String,
    /// What the operator declares otherwise than armsim's `company::declarations`.
    #[serde(default)]
    pub(crate) declare: Declaration,
    pub(crate) change: Vec<Change>,
    /// Verdicts by `POLICY subject_kind:NAME`; a subnet is `subnet:VNET/NAME`, a hidden subject `subject_kind:hidden:SCOPE`.
    pub(crate) moves: BTreeMap<String, String>,
    /// What tells a verdict's violations apart (the design names a subnet): one violation for each of these names.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, BTreeSet<String>>,
    /// How severe every violation of a verdict is.
    #[serde(default)]
    pub(crate) severities: BTreeMap<String, Severity>,
}

#[derive(Default, PartialEq, Deserialize)]
pub(crate) struct Declaration {
    #[serde(default)]
    workspaces: BTreeMap<String, Map<String, Value>>,
    #[serde(flatten)]
    default: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Change {
    Rewrite(Rewrite),
    Copy(Copy),
    Edit(Edit),
    Add(Add),
    Delete(Delete),
    Gap(AddGap),
    Answer(AddAnswer),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rewrite {
    record: Option<String>,
    rewrite: (String, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copy {
    copy: String,
    #[serde(rename = "as")]
    id: String,
    #[serde(default)]
    set: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    record: String,
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    append: Map<String, Value>,
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Add {
    add: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delete {
    delete: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddGap {
    gap: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddAnswer {
    answer: Value,
}

/// Every fixture by the name of its file.
pub(crate) fn fixtures() -> BTreeMap<String, Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mutations");
    let names = Names::new(&armsim::company::healthy());
    let mut fixtures = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder of fixtures") {
        let path = entry.expect("an entry of the folder").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8").to_owned();
        let text = std::fs::read_to_string(&path).expect("a readable fixture");
        let mut value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        each_string(&mut value, &mut |text| names.expand(text));
        let mut fixture: Fixture =
            serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"));
        for mutation in &mut fixture.mutations {
            let moves = std::mem::take(&mut mutation.moves).into_iter();
            mutation.moves = moves
                .map(|(mut place, verdict)| {
                    names.expand(&mut place);
                    if let Some(scope) = place.find("hidden:") {
                        place[scope..].make_ascii_lowercase();
                    }
                    (place, verdict)
                })
                .collect();
            let workspaces = std::mem::take(&mut mutation.declare.workspaces).into_iter();
            mutation.declare.workspaces = workspaces
                .map(|(mut workspace, own)| {
                    names.expand(&mut workspace);
                    (workspace, own)
                })
                .collect();
        }
        fixtures.insert(name, fixture);
    }
    fixtures
}

/// The ids that `${…}` stands for.
struct Names {
    subscriptions: BTreeMap<String, String>,
    ids: Vec<String>,
}

impl Names {
    fn new(estate: &Estate) -> Self {
        let told = estate.header.subscriptions.iter();
        let mut subscriptions: BTreeMap<String, String> = told
            .map(|subscription| (subscription.name.clone(), format!("/subscriptions/{}", subscription.id)))
            .collect();
        subscriptions.insert("unread".to_owned(), UNREAD.to_owned());
        Self { subscriptions, ids: estate.records.iter().map(|record| id(record).to_owned()).collect() }
    }

    fn expand(&self, text: &mut String) {
        while let Some(start) = text.find("${") {
            let end =
                start + text[start..].find('}').unwrap_or_else(|| panic!("'{text}' has an open bracket"));
            let name = &text[start + 2..end];
            let id = match self.subscriptions.get(name) {
                Some(id) => id.clone(),
                None => {
                    let meets: Vec<&String> = self.ids.iter().filter(|id| ends(id, name)).collect();
                    assert_eq!(meets.len(), 1, "'{name}' meets {meets:?}");
                    meets[0].clone()
                }
            };
            text.replace_range(start..=end, &id);
        }
    }
}

fn id(record: &Value) -> &str {
    record["id"].as_str().expect("a record has an id")
}

/// Whether the last segments of an ARM id are these.
fn ends(id: &str, suffix: &str) -> bool {
    id.to_ascii_lowercase().ends_with(&format!("/{}", suffix.to_ascii_lowercase()))
}

fn each_string(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_string(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each_string(field, change)),
        _ => {}
    }
}

fn position(estate: &Estate, suffix: &str) -> Result<usize, String> {
    let meets: Vec<usize> =
        (0..estate.records.len()).filter(|&at| ends(id(&estate.records[at]), suffix)).collect();
    match meets[..] {
        [one] => Ok(one),
        _ => Err(format!("'{suffix}' meets {} records", meets.len())),
    }
}

/// The estate after the changes, each of which must meet what it names and change something.
pub(crate) fn mutated(estate: &Estate, changes: &[Change]) -> Result<Estate, String> {
    let mut estate = estate.clone();
    changes.iter().try_for_each(|change| apply(&mut estate, change))?;
    Ok(estate)
}

fn apply(estate: &mut Estate, change: &Change) -> Result<(), String> {
    match change {
        Change::Edit(edit) => {
            let record = position(estate, &edit.record)?;
            self::edit(&mut estate.records[record], edit)?;
        }
        Change::Rewrite(Rewrite { record, rewrite: (from, to) }) => {
            let records = match record {
                Some(record) => {
                    let at = position(estate, record)?;
                    &mut estate.records[at..=at]
                }
                None => &mut estate.records[..],
            };
            let mut hits = 0;
            for record in records {
                each_string(record, &mut |text| {
                    hits += text.matches(from.as_str()).count();
                    *text = text.replace(from.as_str(), to);
                });
            }
            if hits == 0 || from == to {
                return Err(format!("'{from}' stands nowhere"));
            }
        }
        Change::Copy(Copy { copy, id: new, set }) => {
            let mut record = estate.records[position(estate, copy)?].clone();
            let old = id(&record).to_owned();
            each_string(&mut record, &mut |text| *text = text.replace(&old, new));
            record["name"] = Value::from(new.rsplit('/').next().unwrap_or(new));
            for (path, value) in set {
                *at(&mut record, path)? = value.clone();
            }
            put(estate, record)?;
        }
        Change::Add(Add { add }) => put(estate, add.clone())?,
        Change::Delete(Delete { delete }) => {
            let at = position(estate, delete)?;
            estate.records.remove(at);
        }
        Change::Gap(AddGap { gap }) => estate.gaps.push(gap.clone()),
        Change::Answer(AddAnswer { answer }) => estate.answers.push(answer.clone()),
    }
    Ok(())
}

fn edit(record: &mut Value, Edit { set, append, remove, .. }: &Edit) -> Result<(), String> {
    for (path, value) in set {
        let place = at(record, path)?;
        if place == value && !value.is_null() {
            return Err(format!("'{path}' is {value} already"));
        }
        *place = value.clone();
    }
    for (path, value) in append {
        let list = at(record, path)?;
        if list.is_null() {
            *list = Value::Array(Vec::new());
        }
        list.as_array_mut().ok_or_else(|| format!("'{path}' is no list"))?.push(value.clone());
    }
    remove.iter().try_for_each(|path| take(record, path))
}

fn put(estate: &mut Estate, record: Value) -> Result<(), String> {
    if estate.records.iter().any(|other| id(other).eq_ignore_ascii_case(id(&record))) {
        return Err(format!("{} is there already", id(&record)));
    }
    estate.records.push(record);
    Ok(())
}

/// The value at a path; missing fields of objects are made.
fn at<'a>(mut value: &'a mut Value, path: &str) -> Result<&'a mut Value, String> {
    for step in path.split('.') {
        let (field, selector) = selected(step);
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        let fields = value.as_object_mut().ok_or_else(|| format!("'{path}': no object has '{field}'"))?;
        value = fields.entry(field).or_insert(Value::Null);
        if let Some(selector) = selector {
            let items = value.as_array_mut().ok_or_else(|| format!("'{path}': '{field}' is no list"))?;
            let at = item(items, selector).ok_or_else(|| format!("'{path}': no '{selector}'"))?;
            value = &mut items[at];
        }
    }
    Ok(value)
}

/// Takes a field, or an element of a list, away.
fn take(record: &mut Value, path: &str) -> Result<(), String> {
    let missing = || format!("'{path}' is not there");
    let (parent, last) = path.rsplit_once('.').ok_or_else(|| format!("'{path}' has one step only"))?;
    let (field, selector) = selected(last);
    let fields = at(record, parent)?.as_object_mut().ok_or_else(missing)?;
    let Some(selector) = selector else {
        return fields.remove(field).map(drop).ok_or_else(missing);
    };
    let items = fields.get_mut(field).and_then(Value::as_array_mut).ok_or_else(missing)?;
    let at = item(items, selector).ok_or_else(missing)?;
    items.remove(at);
    Ok(())
}

/// `list[NAME]` taken apart.
fn selected(step: &str) -> (&str, Option<&str>) {
    match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
        Some((field, selector)) => (field, Some(selector)),
        None => (step, None),
    }
}

fn item(items: &[Value], selector: &str) -> Option<usize> {
    match selector.parse() {
        Ok(index) => (index < items.len()).then_some(index),
        Err(_) => items.iter().position(|item| item["name"] == selector),
    }
}

/// The shipped policies under a mutation's declarations.
pub(crate) fn declared(declaration: &Declaration) -> Option<Setup> {
    if *declaration == Declaration::default() {
        return None;
    }
    let mut setup = setup().clone();
    let expectations = &mut setup.config.expectations;
    redeclare(&mut expectations.default, &declaration.default);
    for (workspace, keys) in &declaration.workspaces {
        let id = ResourceId::parse(workspace).expect("the id of a workspace");
        redeclare(expectations.workspaces.entry(id).or_default(), keys);
    }
    Some(setup)
}

/// Lays keys over declarations; each must change something.
fn redeclare(expectations: &mut Expectations, keys: &Map<String, Value>) {
    let mut declared = serde_json::to_value(&*expectations).expect("declarations are JSON");
    for (key, value) in keys {
        assert_ne!(&declared[key], value, "'{key}' is declared so already");
        declared[key] = value.clone();
    }
    *expectations = serde_json::from_value(declared).unwrap_or_else(|error| panic!("{keys:?}: {error}"));
}
