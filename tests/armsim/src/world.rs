//! An estate made ready to be asked: indexed by id, list and type, with the caller's rights.

mod directory;
mod rights;

use crate::arm_id::ArmId;
use crate::estate::Estate;
use crate::server::Options;
pub(crate) use directory::{Directory, MEMBER_OF, Member};
pub(crate) use rights::{Rights, Standing};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Where a record stands, worked out once from its id.
pub(crate) struct Place {
    pub(crate) id: ArmId,
    /// Lower case; empty where neither id nor record tells.
    pub(crate) resource_type: String,
}

/// A subscription that the estate knows.
pub(crate) struct Subscription {
    /// Its record, or a minimal one made from the header.
    pub(crate) record: Value,
    /// Management groups above, nearest first, lower case.
    pub(crate) ancestors: Vec<String>,
}

/// The estate as served.
pub(crate) struct World {
    pub(crate) estate: Estate,
    pub(crate) places: Vec<Place>,
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    pub(crate) rights: Rights,
    pub(crate) directory: Directory,
    by_id: HashMap<ArmId, usize>,
    lists: HashMap<String, Vec<usize>>,
    by_type: HashMap<String, Vec<usize>>,
    groups: HashSet<ArmId>,
}

impl World {
    pub(crate) fn new(mut estate: Estate, options: &Options) -> Self {
        let subscriptions = subscriptions_of(&mut estate);
        let mut world = Self {
            rights: Rights::default(),
            directory: Directory::new(&estate.answers),
            places: Vec::with_capacity(estate.records.len()),
            subscriptions,
            by_id: HashMap::new(),
            lists: HashMap::new(),
            by_type: HashMap::new(),
            groups: HashSet::new(),
            estate,
        };
        for index in 0..world.estate.records.len() {
            world.place(index);
        }
        world.rights = Rights::new(options, &world);
        world
    }

    fn place(&mut self, index: usize) {
        let record = &self.estate.records[index];
        let id = crate::estate::id_of(record).unwrap_or_else(|| ArmId::new(""));
        let told = record.get("type").and_then(Value::as_str).unwrap_or_default();
        let resource_type = id.resource_type().unwrap_or_else(|| told.to_lowercase());
        self.by_type.entry(resource_type.clone()).or_default().push(index);
        self.lists.entry(id.collection().to_owned()).or_default().push(index);
        if let (Some(group), Some(subscription)) = (id.resource_group_id(), id.subscription_id()) {
            // A resource directly in a group also stands in the list of the whole subscription.
            if let Some(rest) = id.collection().strip_prefix(group.as_str())
                && rest.matches('/').count() == 3
            {
                self.lists.entry(format!("{subscription}{rest}")).or_default().push(index);
            }
            self.groups.insert(group);
        }
        self.by_id.insert(id.clone(), index);
        self.places.push(Place { id, resource_type });
    }

    /// The record with that id.
    pub(crate) fn find(&self, id: &ArmId) -> Option<(&Value, &Place)> {
        self.by_id.get(id).map(|&index| (&self.estate.records[index], &self.places[index]))
    }

    /// The records that ARM shows in the list at that (canonical) path.
    pub(crate) fn list(&self, path: &str) -> impl Iterator<Item = (&Value, &Place)> {
        self.at(self.lists.get(path))
    }

    /// All records of a lower-case type.
    pub(crate) fn of_type(&self, resource_type: &str) -> impl Iterator<Item = (&Value, &Place)> {
        self.at(self.by_type.get(resource_type))
    }

    /// All lower-case types that occur.
    pub(crate) fn types(&self) -> impl Iterator<Item = &str> {
        self.by_type.keys().map(String::as_str)
    }

    /// Whether there is such a resource group, itself or by what it holds.
    pub(crate) fn has_group(&self, group: &ArmId) -> bool {
        self.groups.contains(group)
    }

    fn at<'a>(&'a self, indexes: Option<&'a Vec<usize>>) -> impl Iterator<Item = (&'a Value, &'a Place)> {
        indexes.into_iter().flatten().map(|&index| (&self.estate.records[index], &self.places[index]))
    }
}

/// The subscriptions of header and records; one that only the header names gets a record.
fn subscriptions_of(estate: &mut Estate) -> BTreeMap<String, Subscription> {
    let mut found = BTreeMap::new();
    for record in &estate.records {
        let Some(id) = crate::estate::id_of(record) else {
            continue;
        };
        let (Some(guid), true) = (id.subscription(), id.subscription_id().as_ref() == Some(&id)) else {
            continue;
        };
        let ancestors = record
            .pointer("/properties/managementGroupAncestorsChain")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|group| group.get("name").and_then(Value::as_str))
            .map(str::to_lowercase)
            .collect();
        found.insert(guid.to_owned(), Subscription { record: record.clone(), ancestors });
    }
    for name in &estate.header.subscriptions {
        let record = json!({
            "id": format!("/subscriptions/{}", name.id), "name": name.name, "subscriptionId": name.id,
            "displayName": name.name, "state": "Enabled", "tenantId": estate.header.tenant_id,
        });
        found.entry(name.id.to_lowercase()).or_insert_with(|| {
            estate.records.push(record.clone());
            Subscription { record, ancestors: Vec::new() }
        });
    }
    found
}
