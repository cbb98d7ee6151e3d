//! Who is in which group, as far as the estate tells: by its own word, or by what was answered when it was captured.
//!
//! The directory is not Azure Resource Manager's. ARM shows it by one filter alone, `assignedTo('…')`.

use crate::arm_id::ArmId;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The question whose answers tell of groups: `principal` is in those that `assignments` names.
pub(crate) const MEMBER_OF: &str = "member_of";
const ASSIGNED_TO: &str = "assigned_to";

/// Groups and their members.
#[derive(Default)]
pub(crate) struct Directory {
    /// The groups that somebody is in directly.
    above: BTreeMap<String, BTreeSet<String>>,
    groups: BTreeSet<String>,
    /// What was answered when the estate was captured.
    captured: Vec<Captured>,
}

struct Captured {
    principal: String,
    scope: ArmId,
    assignments: Vec<String>,
}

/// Whether somebody is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    Yes,
    No,
    /// Neither a directory nor an answer tells.
    Untold,
}

impl Directory {
    pub(crate) fn new(answers: &[Value]) -> Self {
        let mut directory = Self::default();
        for answer in answers {
            let text = |key| answer.get(key).and_then(Value::as_str).unwrap_or_default();
            let named = answer.get("assignments").and_then(Value::as_array);
            let named = named.into_iter().flatten().filter_map(Value::as_str);
            let principal = text("principal").to_lowercase();
            match text("question") {
                MEMBER_OF => {
                    let groups: Vec<String> = named.map(str::to_lowercase).collect();
                    directory.groups.extend(groups.iter().cloned());
                    directory.above.entry(principal).or_default().extend(groups);
                }
                ASSIGNED_TO => directory.captured.push(Captured {
                    principal,
                    scope: ArmId::new(text("scope")),
                    assignments: named.map(str::to_owned).collect(),
                }),
                _ => {}
            }
        }
        directory
    }

    /// The ids of the assignments that were answered for the principal at exactly this scope.
    pub(crate) fn captured(&self, principal: &str, scope: &ArmId) -> Option<&[String]> {
        let told = |one: &&Captured| one.principal.eq_ignore_ascii_case(principal) && one.scope == *scope;
        self.captured.iter().find(told).map(|one| one.assignments.as_slice())
    }

    /// Whether a group of this id has members.
    pub(crate) fn has_group(&self, id: &str) -> bool {
        self.groups.contains(&id.to_lowercase())
    }

    /// Whether the principal is in the group that an assignment names; `seen_from` tells from which scopes that assignment
    /// is at or above.
    pub(crate) fn is_member(
        &self,
        principal: &str,
        group: &str,
        assignment: &ArmId,
        seen_from: impl Fn(&ArmId) -> bool,
    ) -> Member {
        if !self.groups.is_empty() {
            return if self.is_in(principal, group) { Member::Yes } else { Member::No };
        }
        let mut told = self
            .captured
            .iter()
            .filter(|one| one.principal.eq_ignore_ascii_case(principal) && seen_from(&one.scope));
        match told.next() {
            None => Member::Untold,
            Some(one) if one.assignments.iter().any(|id| ArmId::new(id) == *assignment) => Member::Yes,
            Some(_) => Member::No,
        }
    }

    /// Directly, or by groups in groups, which may lead in circles.
    fn is_in(&self, principal: &str, group: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut from = vec![principal.to_lowercase()];
        while let Some(one) = from.pop() {
            for above in self.above.get(&one).into_iter().flatten() {
                if above.eq_ignore_ascii_case(group) {
                    return true;
                }
                if seen.insert(above.clone()) {
                    from.push(above.clone());
                }
            }
        }
        false
    }
}
