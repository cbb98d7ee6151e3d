//! What is wanted, pattern by pattern, and whether a role gives it.

use super::{Access, Wanted, condition};
use crate::inventory::authorization::{Pattern, Permission, RoleDefinition};
use crate::inventory::{Code, Kind, Known, Reason, ResourceId, RoleId, Truth};

/// Everything that is wanted.
pub(super) struct Demand<'a> {
    /// The role itself, if one was asked for.
    pub(super) role: Option<&'a RoleId>,
    /// The action, if one was asked for.
    pub(super) action: Option<&'a Pattern>,
    /// The patterns, each of which some grant must give.
    pub(super) items: Vec<Item<'a>>,
    /// Why the items are not known for what the role gives.
    pub(super) open: Option<Reason>,
    /// What the role gives beyond items, which is not compared.
    pub(super) more: Option<Reason>,
}

/// A pattern that is wanted.
pub(super) struct Item<'a> {
    pub(super) pattern: &'a Pattern,
    /// What the wanted role itself leaves out of it.
    pub(super) exempt: &'a [Pattern],
}

/// What one role gives of a demand.
pub(super) struct Gives {
    /// By item.
    pub(super) items: Vec<Truth>,
    /// Whether it is the wanted role.
    pub(super) exact: Truth,
    /// Why it is a maybe.
    pub(super) reasons: Vec<Reason>,
}

impl Gives {
    /// Whether it may give anything of what is wanted.
    pub(super) fn useful(&self) -> bool {
        self.exact != Truth::No || self.items.iter().any(|given| *given != Truth::No)
    }

    /// Whether it surely gives all of it.
    pub(super) fn suffices(&self) -> bool {
        self.exact == Truth::Yes
            || !self.items.is_empty() && self.items.iter().all(|given| *given == Truth::Yes)
    }
}

impl<'a> Demand<'a> {
    pub(super) fn of(access: &Access<'a>, wanted: &'a Wanted, scope: &ResourceId) -> Self {
        match wanted {
            Wanted::Action(pattern) => Self {
                role: None,
                action: Some(pattern),
                items: vec![Item { pattern, exempt: &[] }],
                open: None,
                more: None,
            },
            Wanted::Role(role) => Self::of_role(access, role, scope),
        }
    }

    fn of_role(access: &Access<'a>, role: &'a RoleId, scope: &ResourceId) -> Self {
        let mut demand = Self { role: Some(role), action: None, items: Vec::new(), open: None, more: None };
        let definition = match definition(access, role, scope) {
            Ok(definition) => definition,
            Err(reason) => return Self { open: Some(reason), ..demand },
        };
        match &definition.permissions {
            Ok(entries) => {
                for entry in entries {
                    match (&entry.actions, &entry.not_actions) {
                        (Ok(actions), Ok(exempt)) => {
                            demand.items.extend(actions.iter().map(|pattern| Item { pattern, exempt }));
                        }
                        (Err(reason), _) | (_, Err(reason)) => demand.open = Some(reason.clone()),
                    }
                }
            }
            Err(reason) => demand.open = Some(reason.clone()),
        }
        let label = definition.label();
        match &definition.data_actions {
            Ok(false) if demand.items.is_empty() && demand.open.is_none() => {
                demand.open =
                    Some(Reason::new(Code::Unproven, format!("role {label} gives no action to compare by")));
            }
            Ok(false) => {}
            Ok(true) => {
                let message = format!(
                    "role {label} gives data actions, which are not compared: only the role itself proves it"
                );
                demand.more = Some(Reason::new(Code::Undecidable, message));
            }
            Err(reason) => demand.more = Some(reason.clone()),
        }
        demand
    }

    /// What a role gives of this. Without a definition that is open.
    pub(super) fn met_by(&self, access: &Access<'a>, role: &Known<RoleId>, scope: &ResourceId) -> Gives {
        let (exact, definition) = match role {
            Ok(role) => ((self.role == Some(role)).into(), definition(access, role, scope)),
            Err(reason) => (Truth::Maybe, Err(reason.clone())),
        };
        let exact = if self.role.is_none() { Truth::No } else { exact };
        let mut reasons = Vec::new();
        let entries =
            definition.and_then(|found| Ok((found, found.permissions.as_ref().map_err(Clone::clone)?)));
        let items = match entries {
            Ok((definition, entries)) => self
                .items
                .iter()
                .map(|item| {
                    let mut doubts = Vec::new();
                    let given = entries.iter().map(|entry| self.given(item, entry, definition, &mut doubts));
                    let given = Truth::any(given);
                    if given == Truth::Maybe {
                        reasons.append(&mut doubts);
                    }
                    given
                })
                .collect(),
            Err(reason) => {
                reasons.push(reason);
                vec![Truth::Maybe; self.items.len()]
            }
        };
        Gives { items, exact, reasons }
    }

    /// Whether one entry gives one item.
    fn given(
        &self,
        item: &Item<'_>,
        entry: &Permission,
        definition: &RoleDefinition,
        reasons: &mut Vec<Reason>,
    ) -> Truth {
        let mut doubts = Vec::new();
        let mut told = |patterns: &Known<Vec<Pattern>>, test: &dyn Fn(&Pattern) -> Truth| match patterns {
            Ok(patterns) => Truth::any(patterns.iter().map(test)),
            Err(reason) => {
                doubts.push(reason.clone());
                Truth::Maybe
            }
        };
        let granted = told(&entry.actions, &|pattern| pattern.covers(item.pattern));
        if granted == Truth::No {
            return Truth::No;
        }
        let excluded = told(&entry.not_actions, &|pattern| {
            if item.exempt.iter().any(|exempt| exempt.covers(pattern) == Truth::Yes) {
                return Truth::No;
            }
            pattern.meets(item.pattern)
        });
        let mut given = granted.and(!excluded);
        if given == Truth::Maybe && doubts.is_empty() {
            let message = format!(
                "role {} gives {} only if `/*/` in a pattern may stand for one slash, which Azure does not document",
                definition.label(),
                item.pattern
            );
            doubts.push(Reason::new(Code::Undecidable, message));
        }
        if given != Truth::No
            && let Some(doubt) = self.doubted(&entry.condition, || format!("role {}", definition.label()))
        {
            given = Truth::Maybe;
            doubts.push(doubt);
        }
        if given == Truth::Maybe {
            reasons.extend(doubts);
        }
        given
    }

    /// Why a condition may stand in the way; none if there is none, or if it cannot touch the action. Of a role's
    /// many actions that is not worked out.
    pub(super) fn doubted(
        &self,
        condition: &Known<Option<String>>,
        whose: impl FnOnce() -> String,
    ) -> Option<Reason> {
        match condition {
            Ok(None) => None,
            Err(reason) => Some(reason.clone()),
            Ok(Some(text)) => {
                let clear = self.action.is_some_and(|action| condition::holds(text, action) == Truth::Yes);
                (!clear).then(|| {
                    let message = format!("the condition of {} is not evaluated", whose());
                    Reason::new(Code::Undecidable, message)
                })
            }
        }
    }
}

/// The definition of a role, or why it is not known.
fn definition<'a>(access: &Access<'a>, role: &RoleId, scope: &ResourceId) -> Known<&'a RoleDefinition> {
    access.rights().definitions.get(role).ok_or_else(|| {
        access.coverage().hides(Kind::RoleDefinitions, scope).unwrap_or_else(|| {
            let message = format!("role definition {role} is not among the role_definitions that were read");
            Reason::new(Code::NotFound, message)
        })
    })
}
