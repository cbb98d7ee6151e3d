//! Role assignments, and what Azure answers when asked which of them reach a principal.

use std::collections::BTreeSet;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ObjectId, PrincipalType, RoleId};
use crate::inventory::field::{self, Part};
use crate::inventory::snapshot::Answer;
use crate::inventory::{Code, Known, Reason, Record, ResourceId};

/// The only question that is asked beyond lists.
const ASSIGNED_TO: &str = "assigned_to";

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

    /// Whether it surely reaches nobody but a principal that is not this one.
    pub fn is_of_another(&self, principal: &ObjectId) -> bool {
        !self.may_be_shared() && self.principal.as_ref() != Ok(principal)
    }
}

/// A question beyond lists: which assignments reach a principal at a scope, groups resolved? Azure answers it for users
/// and service principals only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskAssignedTo {
    /// Who.
    pub principal: ObjectId,
    /// Where.
    pub scope: ResourceId,
}

impl AskAssignedTo {
    /// The answer that all of Azure's rows make. Rows that cannot be an answer make none: somebody else's assignment
    /// among them shows that the filter was not heeded, and the groups beside it would look like the principal's own.
    pub fn answered_by(&self, rows: &[Record]) -> Known<Answer> {
        let foreign = |row: &&Record| RoleAssignment::read(row).is_of_another(&self.principal);
        if let Some(row) = rows.iter().find(foreign) {
            let message = format!(
                "asked for the assignments of {}, Azure names {}, which is somebody else's",
                self.principal,
                row.id()
            );
            return Err(Reason::new(Code::Contradiction, message));
        }
        let mut ids: Vec<&ResourceId> = rows.iter().map(Record::id).collect();
        ids.sort();
        ids.dedup();
        Ok(Answer {
            question: ASSIGNED_TO.to_owned(),
            principal: self.principal.to_string(),
            scope: self.scope.clone(),
            assignments: ids.into_iter().map(ToString::to_string).collect(),
        })
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
        if answer.question != ASSIGNED_TO {
            return None;
        }
        let assignments = answer.assignments.iter().filter_map(|id| ResourceId::parse(id)).collect();
        Some((ObjectId::parse(&answer.principal)?, Self { scope: answer.scope.clone(), assignments }))
    }
}
