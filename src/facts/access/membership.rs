//! Which groups a principal is in, as far as Azure's answers to `assignedTo` tell. The directory itself is never read.

use std::collections::BTreeSet;

use super::Access;
use super::ancestry::Ancestry;
use crate::inventory::authorization::{AssignedTo, RoleAssignment};
use crate::inventory::{ObjectId, ResourceId, Truth};

/// What the answers about one principal tell.
pub(super) struct Membership<'a> {
    listed: BTreeSet<&'a ResourceId>,
    /// Assignments at or above an answer's scope that it does not name.
    left_out: BTreeSet<&'a ResourceId>,
    member: BTreeSet<&'a str>,
    stranger: BTreeSet<&'a str>,
    /// Assignments that Azure named and that are not among those read.
    unread: Vec<&'a ResourceId>,
    /// Supposed of every group alike, for want of an answer.
    supposed: Option<bool>,
}

impl<'a> Membership<'a> {
    /// As if the principal were in every group, or in none.
    pub(super) fn supposed(in_all: bool) -> Self {
        Self { supposed: Some(in_all), ..Self::unknown() }
    }

    fn unknown() -> Self {
        Self {
            listed: BTreeSet::new(),
            left_out: BTreeSet::new(),
            member: BTreeSet::new(),
            stranger: BTreeSet::new(),
            unread: Vec::new(),
            supposed: None,
        }
    }

    pub(super) fn of(access: &Access<'a>, principal: &ObjectId, answers: &'a [AssignedTo]) -> Self {
        // An answer with somebody else's assignment in it was no answer to the question.
        let foreign = |id: &ResourceId| {
            access.rights().assignments.get(id).is_some_and(|told| told.is_of_another(principal))
        };
        let answers: Vec<&'a AssignedTo> =
            answers.iter().filter(|answer| !answer.assignments.iter().any(foreign)).collect();
        let mut all = Self {
            listed: answers.iter().flat_map(|answer| &answer.assignments).collect(),
            ..Self::unknown()
        };
        for id in &all.listed {
            match access.rights().assignments.get(*id) {
                None => all.unread.push(id),
                Some(assignment) => all.member.extend(group_of(assignment, principal)),
            }
        }
        for answer in answers {
            let ancestry = Ancestry::of(access.rights(), access.coverage(), &answer.scope);
            for place in ancestry.places().filter_map(|scope| access.place(scope)) {
                let here = place.direct(principal).iter().chain(place.shared().flatten());
                for assignment in here.filter(|assignment| !answer.assignments.contains(&assignment.id)) {
                    all.left_out.insert(&assignment.id);
                    all.stranger.extend(group_of(assignment, principal));
                }
            }
        }
        // Two answers that contradict each other tell nothing.
        let both: Vec<&str> = all.member.intersection(&all.stranger).copied().collect();
        for group in both {
            all.member.remove(group);
            all.stranger.remove(group);
        }
        all
    }

    /// Whether the principal is in this group.
    pub(super) fn in_group(&self, group: &str) -> Truth {
        if let Some(in_all) = self.supposed {
            return in_all.into();
        }
        match (self.member.contains(group), self.stranger.contains(group)) {
            (true, _) => Truth::Yes,
            (_, true) => Truth::No,
            _ => Truth::Maybe,
        }
    }

    /// Whether an answer names an assignment, and none that should leaves it out.
    pub(super) fn names(&self, assignment: &ResourceId) -> bool {
        self.listed.contains(assignment) && !self.left_out.contains(assignment)
    }

    /// Whether an answer that should name an assignment leaves it out.
    pub(super) fn leaves_out(&self, assignment: &ResourceId) -> bool {
        self.left_out.contains(assignment)
    }

    /// Assignments that reach the principal by Azure's word, of which nothing else was read.
    pub(super) fn unread(&self) -> &[&'a ResourceId] {
        &self.unread
    }
}

/// The group through which an assignment reaches others than the one it names.
pub(super) fn group_of<'a>(assignment: &'a RoleAssignment, principal: &ObjectId) -> Option<&'a str> {
    let named = assignment.principal.as_ref().ok()?;
    (assignment.may_be_shared() && named != principal && !named.is_everyone()).then(|| named.as_str())
}
