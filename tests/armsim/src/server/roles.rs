//! Lists of role assignments, role definitions and deny assignments at a scope.
//!
//! "Role Assignments - List For Scope" returns what is at, above and below the scope unless a
//! `$filter` narrows it: `atScope()`, `atScopeAndBelow()`, `principalId eq '…'`, `assignedTo('…')`.

use super::errors;
use super::reply::Reply;
use crate::arm_id::ArmId;
use crate::world::World;
use serde_json::Value;
use std::collections::HashSet;

const ASSIGNMENTS: &str = "microsoft.authorization/roleassignments";
const DEFINITIONS: &str = "microsoft.authorization/roledefinitions";

/// The records of one of the three types that ARM lists at the scope, in file order.
pub(super) fn list<'a>(
    world: &'a World,
    scope: &ArmId,
    of: &str,
    filter: Option<&str>,
) -> Result<Vec<&'a Value>, Reply> {
    let filter = Filter::parse(filter.unwrap_or_default())?;
    if of == DEFINITIONS {
        return Ok(definitions(world, scope));
    }
    let answered =
        filter.assigned_to.as_deref().and_then(|principal| recorded_answer(world, principal, scope));
    let listed = world.of_type(of).filter(|(_, place)| world.rights.may_see(place));
    let found = listed.filter(|(record, place)| {
        let relation = relation(world, scope, &scope_of(record, &place.id));
        let by_principal = match (&answered, of) {
            (Some(ids), ASSIGNMENTS) => ids.contains(&place.id),
            _ => filter.principal().is_none_or(|principal| names(record, principal)),
        };
        relation.is_some_and(|relation| filter.takes(relation)) && by_principal
    });
    Ok(found.map(|(record, _)| record).collect())
}

/// A role definition by its guid, whatever scope its id is asked at.
pub(super) fn one<'a>(world: &'a World, id: &ArmId) -> Option<&'a Value> {
    if id.resource_type().as_deref() != Some(DEFINITIONS) {
        return None;
    }
    let guid = name_of(id);
    world.of_type(DEFINITIONS).find(|(_, place)| name_of(&place.id) == guid).map(|(record, _)| record)
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Relation {
    At,
    Above,
    Below,
}

/// How a record's scope stands to the one asked for, management groups included.
pub(super) fn relation(world: &World, asked: &ArmId, of: &ArmId) -> Option<Relation> {
    if of == asked {
        Some(Relation::At)
    } else if of.contains(asked) || under_group(world, asked, of) {
        Some(Relation::Above)
    } else if asked.contains(of) || under_group(world, of, asked) {
        Some(Relation::Below)
    } else {
        None
    }
}

/// The scope of an assignment: its own word, else the head of its id.
pub(super) fn scope_of(record: &Value, id: &ArmId) -> ArmId {
    let told = record.pointer("/properties/scope").and_then(Value::as_str);
    told.map_or_else(|| id.scope(), ArmId::new)
}

fn under_group(world: &World, scope: &ArmId, group: &ArmId) -> bool {
    let Some(name) = group.as_str().strip_prefix("/providers/microsoft.management/managementgroups/") else {
        return false;
    };
    let subscription = scope.subscription().and_then(|id| world.subscriptions.get(id));
    subscription.is_some_and(|subscription| subscription.ancestors.iter().any(|above| above == name))
}

fn definitions<'a>(world: &'a World, scope: &ArmId) -> Vec<&'a Value> {
    let mut seen = HashSet::new();
    let assignable = |record: &Value| {
        let scopes = record.pointer("/properties/assignableScopes").and_then(Value::as_array);
        scopes.into_iter().flatten().filter_map(Value::as_str).any(|told| {
            matches!(relation(world, scope, &ArmId::new(told)), Some(Relation::At | Relation::Above))
        })
    };
    world
        .of_type(DEFINITIONS)
        .filter(|(record, place)| {
            let here = place.id.scope();
            here.as_str() == "/" || here == *scope || assignable(record)
        })
        .filter(|(_, place)| world.rights.may_see(place))
        .filter(|(_, place)| seen.insert(name_of(&place.id).to_owned()))
        .map(|(record, _)| record)
        .collect()
}

fn recorded_answer(world: &World, principal: &str, scope: &ArmId) -> Option<HashSet<ArmId>> {
    let answer = world.estate.answers.iter().find(|answer| {
        let text = |key| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        text("question") == "assigned_to"
            && text("principal").eq_ignore_ascii_case(principal)
            && ArmId::new(text("scope")) == *scope
    })?;
    let ids = answer.get("assignments").and_then(Value::as_array)?;
    Some(ids.iter().filter_map(Value::as_str).map(ArmId::new).collect())
}

fn names(record: &Value, principal: &str) -> bool {
    let is = |value: &Value| value.as_str().is_some_and(|id| id.eq_ignore_ascii_case(principal));
    record.pointer("/properties/principalId").is_some_and(is)
        || record
            .pointer("/properties/principals")
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|one| one.get("id").is_some_and(is)))
}

fn name_of(id: &ArmId) -> &str {
    id.as_str().rsplit('/').next().unwrap_or_default()
}

#[derive(Default)]
struct Filter {
    at_scope: bool,
    below_only: bool,
    principal: Option<String>,
    assigned_to: Option<String>,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, Reply> {
        let mut filter = Self::default();
        for part in text.split(" and ").map(str::trim).filter(|part| !part.is_empty()) {
            let lower = part.to_lowercase();
            if lower == "atscope()" {
                filter.at_scope = true;
            } else if lower == "atscopeandbelow()" {
                filter.below_only = true;
            } else if let Some(principal) = lower.strip_prefix("principalid eq ") {
                filter.principal = Some(principal.trim_matches('\'').to_owned());
            } else if let Some(rest) = lower.strip_prefix("assignedto(") {
                filter.assigned_to = Some(rest.trim_end_matches(')').trim_matches('\'').to_owned());
            } else {
                return Err(errors::error(
                    400,
                    "UnsupportedQuery",
                    &format!("The filter '{part}' is not supported."),
                ));
            }
        }
        Ok(filter)
    }

    fn principal(&self) -> Option<&str> {
        self.principal.as_deref().or(self.assigned_to.as_deref())
    }

    fn takes(&self, relation: Relation) -> bool {
        match relation {
            Relation::At => true,
            // "assignedTo" and "atScope" leave out what lies below.
            Relation::Below => !self.at_scope && self.assigned_to.is_none(),
            Relation::Above => !self.below_only,
        }
    }
}
