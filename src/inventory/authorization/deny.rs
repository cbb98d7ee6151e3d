//! Deny assignments.

use super::{ObjectId, Permission, PrincipalType};
use crate::inventory::field::{self, Field, Part};
use crate::inventory::{Known, Record, ResourceId};

/// Actions taken from principals at a scope, whatever was granted.
#[derive(Clone, Debug)]
pub struct DenyAssignment {
    /// Its id.
    pub id: ResourceId,
    /// Where it applies.
    pub scope: Known<ResourceId>,
    /// Whether it stops at its scope.
    pub not_children: Known<bool>,
    /// Whom it hits.
    pub principals: Known<Vec<Party>>,
    /// Whom it spares.
    pub excluded: Known<Vec<Party>>,
    /// What it takes.
    pub permissions: Known<Vec<Permission>>,
    /// Whether it blocks or only records.
    pub effect: Known<Effect>,
    /// The condition that narrows it.
    pub condition: Known<Option<String>>,
}

/// One that a deny assignment names.
#[derive(Clone, Debug)]
pub struct Party {
    /// The object id.
    pub id: Known<ObjectId>,
    /// What kind of object that is.
    pub kind: Known<PrincipalType>,
}

/// What a deny assignment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It blocks.
    Enforced,
    /// It only records.
    Audit,
    /// A word that this build does not know.
    Other,
}

impl DenyAssignment {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let told_flag =
            |field: &Field| field.flag(part)?.ok_or_else(|| field.not_understood(part, "true or false"));
        let parties = |list: &Field, id: &Field, kind: &Field| {
            Ok(list.list(part)?.into_iter().map(|part| Party::read(part, id, kind)).collect())
        };
        let fields = [&field::DENY_ACTIONS, &field::DENY_NOT_ACTIONS, &field::DENY_PERMISSION_CONDITION];
        Self {
            id: record.id().clone(),
            scope: field::DENY_SCOPE.told_id(part),
            not_children: told_flag(&field::DENY_NOT_CHILDREN),
            principals: parties(
                &field::DENY_PRINCIPALS,
                &field::DENY_PRINCIPAL_ID,
                &field::DENY_PRINCIPAL_TYPE,
            ),
            excluded: parties(&field::DENY_EXCLUDED, &field::DENY_EXCLUDED_ID, &field::DENY_EXCLUDED_TYPE),
            permissions: field::DENY_PERMISSIONS.list(part).map(|list| Permission::read_all(list, fields)),
            effect: field::DENY_EFFECT.text(part).map(|word| match word {
                None => Effect::Enforced,
                Some(word) if word.eq_ignore_ascii_case("enforced") => Effect::Enforced,
                Some(word) if word.eq_ignore_ascii_case("audit") => Effect::Audit,
                Some(_) => Effect::Other,
            }),
            condition: field::DENY_CONDITION.text(part).map(|text| text.map(str::to_owned)),
        }
    }
}

impl Party {
    fn read(part: Part<'_>, id: &Field, kind: &Field) -> Self {
        Self {
            id: id.told_text(part).and_then(|text| {
                ObjectId::parse(text).ok_or_else(|| id.not_understood(part, "an object id"))
            }),
            kind: kind.told_text(part).map(PrincipalType::of),
        }
    }
}
