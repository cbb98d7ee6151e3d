//! Lists of role assignments, role definitions and deny assignments at a scope.
//!
//! "Role Assignments - List For Scope" returns what is at, above and below the scope unless a
//! `$filter` narrows it: `atScope()`, `atScopeAndBelow()`, `principalId eq '…'`, `assignedTo('…')`, or a name.

use super::errors;
use super::reply::Reply;
use crate::arm_id::ArmId;
use crate::world::{Member, World};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashSet;

const ASSIGNMENTS: &str = "microsoft.authorization/roleassignments";
const GROUPS: [&str; 2] = ["Group", "ForeignGroup"];
const DEFINITIONS: &str = "microsoft.authorization/roledefinitions";

/// The records of one of the three types that ARM lists at the scope, in file order.
pub(super) fn list<'a>(
    world: &'a World,
    scope: &ArmId,
    of: &str,
    filter: Option<&str>,
) -> Result<Vec<Cow<'a, Value>>, Reply> {
    let filter = Filter::parse(filter.unwrap_or_default())?;
    if of == DEFINITIONS {
        return Ok(definitions(world, scope, &filter).into_iter().map(Cow::Borrowed).collect());
    }
    if let (Some(principal), ASSIGNMENTS) = (&filter.assigned_to, of) {
        return assigned_to(world, scope, principal, &filter);
    }
    let listed = world.of_type(of).filter(|(_, place)| world.rights.may_see(place));
    let found = listed.filter(|(record, place)| {
        let relation = relation(world, scope, &scope_of(record, &place.id));
        let by_principal = filter.principal().is_none_or(|principal| names(record, principal));
        relation.is_some_and(|relation| filter.takes(relation)) && by_principal && filter.names(record)
    });
    Ok(found.map(|(record, _)| Cow::Borrowed(record)).collect())
}

/// `assignedTo('…')`: what names a user or a service principal, and what names a group that it is in, however deep. "You
/// cannot pass an object ID for a group." What was answered when the estate was captured is answered again; what
/// nobody can tell, because the capture holds neither that answer nor a directory, is refused rather than made up.
fn assigned_to<'a>(
    world: &'a World,
    scope: &ArmId,
    principal: &str,
    filter: &Filter,
) -> Result<Vec<Cow<'a, Value>>, Reply> {
    if let Some(ids) = world.directory.captured(principal, scope) {
        let row = |id: &String| match world.find(&ArmId::new(id)) {
            Some((record, _)) => Cow::Borrowed(record),
            // Named when it was captured, and in no list: made or removed meanwhile.
            None => Cow::Owned(unlisted(id)),
        };
        return Ok(ids.iter().map(row).collect());
    }
    let is_of = |record: &Value, kinds: &[&str]| {
        let kind = record.pointer("/properties/principalType").and_then(Value::as_str).unwrap_or_default();
        kinds.iter().any(|one| one.eq_ignore_ascii_case(kind))
    };
    let mut all = world.of_type(ASSIGNMENTS);
    let group = all.any(|(record, _)| names(record, principal) && is_of(record, &GROUPS));
    if group || world.directory.has_group(principal) {
        let message = format!(
            "The object id '{principal}' is of a group; assignedTo takes a user or a service principal."
        );
        return Err(errors::error(400, "BadRequest", &message));
    }
    let mut found = Vec::new();
    for (record, place) in world.of_type(ASSIGNMENTS).filter(|(_, place)| world.rights.may_see(place)) {
        let at = scope_of(record, &place.id);
        if !relation(world, scope, &at).is_some_and(|relation| filter.takes(relation)) {
            continue;
        }
        let reaches = if names(record, principal) {
            Member::Yes
        } else if is_of(record, &GROUPS) {
            let named = record.pointer("/properties/principalId").and_then(Value::as_str).unwrap_or_default();
            world.directory.is_member(principal, named, &place.id, |asked| {
                matches!(relation(world, asked, &at), Some(Relation::At | Relation::Above))
            })
        } else {
            Member::No
        };
        match reaches {
            Member::Yes => found.push(Cow::Borrowed(record)),
            Member::No => {}
            Member::Untold => {
                let action = "Microsoft.Authorization/roleAssignments/read";
                return Err(errors::authorization_failed(action, scope.as_str()));
            }
        }
    }
    Ok(found)
}

fn unlisted(id: &str) -> Value {
    let name = id.rsplit('/').next().unwrap_or_default();
    json!({"id": id, "name": name, "type": "Microsoft.Authorization/roleAssignments",
        "properties": {"scope": ArmId::new(id).scope().as_str()}})
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

/// Built-in ones and those that can be assigned at the scope; below it only where `atScopeAndBelow()` asks.
fn definitions<'a>(world: &'a World, scope: &ArmId, filter: &Filter) -> Vec<&'a Value> {
    let mut seen = HashSet::new();
    let assignable = |record: &Value| {
        let scopes = record.pointer("/properties/assignableScopes").and_then(Value::as_array);
        scopes.into_iter().flatten().filter_map(Value::as_str).any(|told| {
            match relation(world, scope, &ArmId::new(told)) {
                Some(Relation::At | Relation::Above) => true,
                Some(Relation::Below) => filter.below_only,
                None => false,
            }
        })
    };
    world
        .of_type(DEFINITIONS)
        .filter(|(record, place)| {
            let here = place.id.scope();
            here.as_str() == "/" || here == *scope || assignable(record)
        })
        .filter(|(record, place)| world.rights.may_see(place) && filter.names(record))
        .filter(|(_, place)| seen.insert(name_of(&place.id).to_owned()))
        .map(|(record, _)| record)
        .collect()
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
    /// (property, value) that must agree: a role's name or type, a deny assignment's name.
    named: Vec<(&'static str, String)>,
}

/// The properties that a filter may compare, as the documentation of the three lists names them.
const NAMED: [(&str, &str); 3] =
    [("rolename eq ", "roleName"), ("type eq ", "type"), ("denyassignmentname eq ", "denyAssignmentName")];

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
            } else if let Some((start, property)) = NAMED.iter().find(|(start, _)| lower.starts_with(start)) {
                filter.named.push((property, lower[start.len()..].trim_matches('\'').to_owned()));
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

    fn names(&self, record: &Value) -> bool {
        self.named.iter().all(|(property, value)| {
            let told =
                record.pointer("/properties").and_then(|all| all.get(property)).and_then(Value::as_str);
            told.is_some_and(|told| told.to_lowercase() == *value)
        })
    }

    fn takes(&self, relation: Relation) -> bool {
        match relation {
            Relation::At => true,
            Relation::Below => !self.at_scope,
            Relation::Above => !self.below_only,
        }
    }
}
