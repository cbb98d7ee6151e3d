//! Who may do what, as Azure told it: role assignments, role definitions, deny assignments, the management groups
//! above each subscription, and answers about group membership. What follows from them is `facts::access`'s affair.

mod assignment;
mod definition;
mod deny;
mod identity;
mod pattern;
mod principal;
mod truth;

use std::collections::BTreeMap;

pub use assignment::{AskAssignedTo, AssignedTo, RoleAssignment};
pub use definition::{Permission, RoleDefinition, RoleId};
pub use deny::{DenyAssignment, Effect, Party};
pub use identity::{Identities, Principal};
pub use pattern::Pattern;
pub use principal::{ObjectId, PrincipalType};
pub use truth::Truth;

use super::field::{self, Part};
use super::snapshot::Via;
use super::{Code, Kind, Known, Reason, Record, ResourceId, Snapshot};

/// The oldest api-version of role assignments that shows conditions.
const SHOWS_CONDITIONS: &str = "2022-04-01";

/// What a snapshot tells of rights.
#[derive(Clone, Debug, Default)]
pub struct Authorization {
    /// Role assignments.
    pub assignments: BTreeMap<ResourceId, RoleAssignment>,
    /// Role definitions by guid, whatever scope they were asked at.
    pub definitions: BTreeMap<RoleId, RoleDefinition>,
    /// Deny assignments.
    pub denies: BTreeMap<ResourceId, DenyAssignment>,
    /// The management groups above each subscription (folded guid), the nearest first.
    pub chains: BTreeMap<String, Known<Vec<ResourceId>>>,
    /// What Azure answered to `assignedTo`, by the principal that it was asked for.
    pub answers: BTreeMap<ObjectId, Vec<AssignedTo>>,
    /// Why conditions of role assignments may be hidden.
    pub conditions_hidden: Option<Reason>,
}

impl Authorization {
    /// Reads what a snapshot tells.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut all = Self { conditions_hidden: conditions_hidden(snapshot), ..Self::default() };
        for (id, record) in &snapshot.records {
            let Some(kind) = record.kind() else { continue };
            match kind {
                Kind::RoleAssignments => {
                    let mut read = RoleAssignment::read(record);
                    read.scope = fit(kind, id).and(read.scope);
                    all.assignments.insert(id.clone(), read);
                }
                Kind::RoleDefinitions => {
                    let mut read = RoleDefinition::read(record);
                    read.permissions = fit(kind, id).and(read.permissions);
                    all.define(read);
                }
                Kind::DenyAssignments => {
                    let mut read = DenyAssignment::read(record);
                    read.scope = fit(kind, id).and(read.scope);
                    all.denies.insert(id.clone(), read);
                }
                Kind::Subscriptions if id.subscription_id().as_ref() == Some(id) => {
                    all.chains.insert(id.subscription().unwrap_or_default().to_owned(), chain(record));
                }
                _ => {}
            }
        }
        for answer in &snapshot.answers {
            if let Some((principal, answer)) = AssignedTo::read(answer) {
                all.answers.entry(principal).or_default().push(answer);
            }
        }
        all
    }

    /// A definition is told once per subscription that was asked; where two tellings differ, none is trusted.
    fn define(&mut self, definition: RoleDefinition) {
        match self.definitions.entry(definition.role.clone()) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(definition);
            }
            std::collections::btree_map::Entry::Occupied(mut earlier) => earlier.get_mut().agree(definition),
        }
    }
}

/// A record that cannot be what it says tells nothing for sure.
fn fit(kind: Kind, id: &ResourceId) -> Known<()> {
    if id.resource_type().as_deref().and_then(Kind::of_arm_type) == Some(kind) {
        return Ok(());
    }
    let message = format!("a record says by its `type` that it is one of the {kind}, but its id is {id}");
    Err(Reason::new(Code::Malformed, message))
}

/// A management group by its name.
pub fn management_group(name: &str) -> Option<ResourceId> {
    let name = name.trim();
    let plain = !name.is_empty() && !name.contains('/');
    plain.then(|| ResourceId::parse(&format!("/providers/Microsoft.Management/managementGroups/{name}")))?
}

/// Whether a scope is a management group.
pub fn is_management_group(scope: &ResourceId) -> bool {
    let name = scope.key().strip_prefix("/providers/microsoft.management/managementgroups/");
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

fn chain(record: &Record) -> Known<Vec<ResourceId>> {
    let part = Part::of(record);
    let read = |part| {
        let name = field::SUBSCRIPTION_CHAIN_NAME.told_text(part)?;
        management_group(name)
            .ok_or_else(|| field::SUBSCRIPTION_CHAIN_NAME.not_understood(part, "a management group's name"))
    };
    field::SUBSCRIPTION_CHAIN.list(part)?.into_iter().map(read).collect()
}

fn conditions_hidden(snapshot: &Snapshot) -> Option<Reason> {
    let source = snapshot.header.kinds.get(&Kind::RoleAssignments)?;
    let version = source.api_version.as_deref()?;
    // The date leads; `-preview` of the same date shows them too.
    let old = source.via == Via::Arm && version.get(..SHOWS_CONDITIONS.len())? < SHOWS_CONDITIONS;
    old.then(|| {
        let message = format!(
            "role_assignments were read by api-version {version}, which hides `{}`; {SHOWS_CONDITIONS} tells it",
            field::ASSIGNMENT_CONDITION.path
        );
        Reason::new(Code::NotTold, message)
    })
}
