//! Role assignments, and what Azure answers when asked which of them reach a principal.

use std::collections::BTreeSet;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ObjectId, PrincipalType, RoleId};
use crate::inventory::field::{self, Part};
use crate::inventory::snapshot::Answer;
use crate::inventory::{Known, Record, ResourceId};

/// A role granted to a principal at a scope and below.
#[derive(Clone, Debug)]
pub struct RoleAssignment {
    /// Its id.
    pub id: ResourceId,
    /// Where it applies.
    pub scope: Known<ResourceId>,
    /// What is granted.
    pub role: Known<RoleId>,
    /// To whom.
    pub principal: Known<ObjectId>,
    /// What kind of object that is.
    pub principal_type: Known<PrincipalType>,
    /// The condition that narrows it.
    pub condition: Known<Option<String>>,
    /// The managed identity of another directory that it is for.
    pub delegated: Known<Option<ResourceId>>,
    /// When it was made; none where it is not told or no time.
    pub created_on: Option<OffsetDateTime>,
}

impl RoleAssignment {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let created = field::ASSIGNMENT_CREATED.text(part).ok().flatten();
        Self {
            id: record.id().clone(),
            scope: field::ASSIGNMENT_SCOPE.told_id(part),
            role: field::ASSIGNMENT_ROLE.told_text(part).and_then(|text| {
                RoleId::parse(text)
                    .ok_or_else(|| field::ASSIGNMENT_ROLE.not_understood(part, "a role definition's id"))
            }),
            principal: field::ASSIGNMENT_PRINCIPAL.told_text(part).and_then(|text| {
                ObjectId::parse(text)
                    .ok_or_else(|| field::ASSIGNMENT_PRINCIPAL.not_understood(part, "an object id"))
            }),
            principal_type: field::ASSIGNMENT_PRINCIPAL_TYPE.told_text(part).map(PrincipalType::of),
            condition: field::ASSIGNMENT_CONDITION.text(part).map(|text| text.map(str::to_owned)),
            delegated: field::ASSIGNMENT_DELEGATED.id(part),
            created_on: created.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok()),
        }
    }

    /// Whether it may reach principals other than the one that it names.
    pub fn may_be_shared(&self) -> bool {
        self.principal_type != Ok(PrincipalType::Single)
            || self.principal.as_ref().map_or(true, ObjectId::is_everyone)
    }
}

/// Azure's answer to `assignedTo`: the assignments at and above a scope that reach a principal, groups resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedTo {
    /// The scope that it was asked at.
    pub scope: ResourceId,
    /// The assignments that Azure named.
    pub assignments: BTreeSet<ResourceId>,
}

impl AssignedTo {
    /// None for other questions, and for an answer about nobody.
    pub(super) fn read(answer: &Answer) -> Option<(ObjectId, Self)> {
        if answer.question != "assigned_to" {
            return None;
        }
        let assignments = answer.assignments.iter().filter_map(|id| ResourceId::parse(id)).collect();
        Some((ObjectId::parse(&answer.principal)?, Self { scope: answer.scope.clone(), assignments }))
    }
}
