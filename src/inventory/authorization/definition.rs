//! Role definitions.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Pattern;
use crate::inventory::field::{self, Field, Part};
use crate::inventory::{Code, Known, Reason, Record};

/// The guid of a role definition, folded: the last segment of its id, because the rest says only where it was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RoleId(Box<str>);

impl RoleId {
    /// Reads an id, with or without the path before the guid.
    pub fn parse(text: &str) -> Option<Self> {
        let last = text.trim().trim_end_matches('/').rsplit('/').next()?.to_ascii_lowercase();
        (!last.is_empty()).then(|| Self(last.into()))
    }

    /// The folded guid.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A role: what it lets its holder do to resources themselves. Its data actions play no part in that.
#[derive(Clone, Debug)]
pub struct RoleDefinition {
    /// Its guid.
    pub role: RoleId,
    /// Its display name, which custom roles may reuse; never decide by it.
    pub name: Known<String>,
    /// Whether the customer made it.
    pub custom: Known<bool>,
    /// Its entries: a role gives what one of them gives.
    pub permissions: Known<Vec<Permission>>,
    /// Whether it also gives data actions.
    pub data_actions: Known<bool>,
}

/// One entry: its actions without its exclusions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// What it gives, sorted.
    pub actions: Known<Vec<Pattern>>,
    /// What it leaves out of that, sorted. Never taken from what another entry or role gives.
    pub not_actions: Known<Vec<Pattern>>,
    /// The condition that narrows it.
    pub condition: Known<Option<String>>,
}

impl RoleDefinition {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let entries = field::ROLE_PERMISSIONS.list(part);
        let fields = [&field::ROLE_ACTIONS, &field::ROLE_NOT_ACTIONS, &field::ROLE_CONDITION];
        let data_actions = entries.clone().and_then(|entries| {
            let lists: Known<Vec<_>> =
                entries.into_iter().map(|entry| field::ROLE_DATA_ACTIONS.texts(entry)).collect();
            Ok(lists?.iter().any(|list| !list.is_empty()))
        });
        Self {
            // A record's id has a last segment, or it would be the root scope's.
            role: RoleId::parse(record.id().key()).unwrap_or_else(|| RoleId("/".into())),
            name: field::ROLE_NAME.told_text(part).map(str::to_owned),
            custom: field::ROLE_TYPE.told_text(part).map(|word| word.eq_ignore_ascii_case("CustomRole")),
            permissions: entries.map(|entries| Permission::read_all(entries, fields)),
            data_actions,
        }
    }

    /// Takes another telling of the same role into account.
    pub(super) fn agree(&mut self, other: Self) {
        let differ = |field: &Field| {
            let message =
                format!("role definition {} is told twice with different `{}`", self.role, field.path);
            Reason::new(Code::Contradiction, message)
        };
        if let (Ok(one), Ok(two)) = (&self.data_actions, &other.data_actions)
            && one != two
        {
            self.data_actions = Err(differ(&field::ROLE_DATA_ACTIONS));
        }
        self.permissions = match (self.permissions.clone(), other.permissions) {
            (Ok(one), Ok(two)) if one == two => Ok(one),
            (Ok(_), Ok(_)) => Err(differ(&field::ROLE_PERMISSIONS)),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        };
        if self.name.is_err() {
            self.name = other.name;
        }
    }

    /// Its name, or its guid where the name is not told.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|_| self.role.as_str())
    }
}

impl Permission {
    /// Reads a list of entries by the fields for actions, exclusions and condition. Sorted, because Azure's order is
    /// not stable.
    pub(super) fn read_all(entries: Vec<Part<'_>>, fields: [&Field; 3]) -> Vec<Self> {
        let [actions, not_actions, condition] = fields;
        let patterns = |field: &Field, part| {
            let mut patterns: Vec<Pattern> =
                field.texts(part)?.iter().map(|text| Pattern::parse(text)).collect();
            patterns.sort();
            patterns.dedup();
            Ok(patterns)
        };
        let mut all: Vec<Self> = entries
            .into_iter()
            .map(|part| Self {
                actions: patterns(actions, part),
                not_actions: patterns(not_actions, part),
                condition: condition.text(part).map(|text| text.map(str::to_owned)),
            })
            .collect();
        all.sort();
        all
    }
}
