//! The estate's assignments, sorted so that a question looks only at what can concern it.

use std::collections::BTreeMap;

use super::membership::Membership;
use crate::inventory::authorization::{
    Authorization, DenyAssignment, PrincipalType, RoleAssignment, is_management_group,
};
use crate::inventory::{Coverage, Inventory, ObjectId, ResourceId, RoleId};

/// The engine for one inventory.
pub struct Access<'a> {
    rights: &'a Authorization,
    coverage: &'a Coverage,
    /// By folded scope.
    places: BTreeMap<&'a str, Place<'a>>,
    /// The management groups at which something stands.
    groups: Vec<&'a ResourceId>,
    /// What does not tell its scope.
    adrift: Place<'a>,
    by_principal: BTreeMap<&'a str, Vec<&'a RoleAssignment>>,
    members: BTreeMap<ObjectId, Membership<'a>>,
}

/// What stands at one scope.
#[derive(Default)]
pub(super) struct Place<'a> {
    direct: BTreeMap<&'a str, Vec<&'a RoleAssignment>>,
    /// Assignments to groups, and those that do not tell to whom: by role, because as long as nothing is known of
    /// memberships one of each role says all.
    shared: BTreeMap<Option<&'a RoleId>, Vec<&'a RoleAssignment>>,
    denies: Vec<&'a DenyAssignment>,
}

impl<'a> Place<'a> {
    /// Assignments that name this principal.
    pub(super) fn direct(&self, principal: &ObjectId) -> &[&'a RoleAssignment] {
        self.direct.get(principal.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Assignments that may reach anybody, by role.
    pub(super) fn shared(&self) -> impl Iterator<Item = &[&'a RoleAssignment]> {
        self.shared.values().map(Vec::as_slice)
    }

    /// Deny assignments.
    pub(super) fn denies(&self) -> &[&'a DenyAssignment] {
        &self.denies
    }
}

impl<'a> Access<'a> {
    /// Sorts an inventory's assignments.
    pub fn index(inventory: &'a Inventory) -> Self {
        let rights = &inventory.authorization;
        let mut index = Self {
            rights,
            coverage: &inventory.coverage,
            places: BTreeMap::new(),
            groups: Vec::new(),
            adrift: Place::default(),
            by_principal: BTreeMap::new(),
            members: BTreeMap::new(),
        };
        for assignment in rights.assignments.values() {
            let place = index.place_of(assignment.scope.as_ref().ok());
            if let Ok(principal) = &assignment.principal {
                place.direct.entry(principal.as_str()).or_default().push(assignment);
            }
            if assignment.may_be_shared() {
                place.shared.entry(assignment.role.as_ref().ok()).or_default().push(assignment);
            }
            if let Ok(principal) = &assignment.principal {
                index.by_principal.entry(principal.as_str()).or_default().push(assignment);
            }
        }
        for deny in rights.denies.values() {
            index.place_of(deny.scope.as_ref().ok()).denies.push(deny);
        }
        // Azure resolves the groups of users and service principals only; of a group its answer tells nothing.
        let asked = rights.answers.iter().filter(|(who, _)| !index.is_group(who));
        index.members = asked
            .map(|(principal, answers)| (principal.clone(), Membership::of(&index, principal, answers)))
            .collect();
        index
    }

    fn place_of(&mut self, scope: Option<&'a ResourceId>) -> &mut Place<'a> {
        let Some(scope) = scope else { return &mut self.adrift };
        if is_management_group(scope) && !self.places.contains_key(scope.key()) {
            self.groups.push(scope);
        }
        self.places.entry(scope.key()).or_default()
    }

    pub(super) fn rights(&self) -> &'a Authorization {
        self.rights
    }

    pub(super) fn coverage(&self) -> &'a Coverage {
        self.coverage
    }

    pub(super) fn place(&self, scope: &str) -> Option<&Place<'a>> {
        self.places.get(scope)
    }

    /// The places of management groups; for scopes of which it is not known what is above them.
    pub(super) fn group_places(&self) -> impl Iterator<Item = (&'a ResourceId, &Place<'a>)> {
        self.groups.iter().filter_map(|group| Some((*group, self.places.get(group.key())?)))
    }

    pub(super) fn adrift(&self) -> &Place<'a> {
        &self.adrift
    }

    /// Every assignment that names this principal, wherever.
    pub(super) fn of_principal(&self, principal: &ObjectId) -> &[&'a RoleAssignment] {
        self.by_principal.get(principal.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Whether an assignment tells that this principal is a group.
    pub(super) fn is_group(&self, principal: &ObjectId) -> bool {
        let is_group = |assignment: &&RoleAssignment| assignment.principal_type == Ok(PrincipalType::Group);
        self.of_principal(principal).iter().any(is_group)
    }

    /// Whether anything is granted to a group, or to somebody who may be one.
    pub(super) fn has_shared(&self) -> bool {
        self.places.values().any(|place| !place.shared.is_empty())
    }

    /// Works something out as if this were known of the groups of a principal.
    pub(super) fn supposing<T>(
        &mut self,
        principal: &ObjectId,
        supposed: Membership<'a>,
        work: impl FnOnce(&Self) -> T,
    ) -> T {
        let known = self.members.insert(principal.clone(), supposed);
        let result = work(self);
        match known {
            Some(known) => self.members.insert(principal.clone(), known),
            None => self.members.remove(principal),
        };
        result
    }

    /// What Azure answered about the groups of this principal.
    pub(super) fn membership(&self, principal: &ObjectId) -> Option<&Membership<'a>> {
        self.members.get(principal)
    }
}
