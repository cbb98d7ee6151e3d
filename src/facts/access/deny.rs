//! Deny assignments: they go before any grant.

use super::answer::Denial;
use super::grant::Item;
use super::judge::Asked;
use crate::inventory::authorization::{DenyAssignment, Effect, Party, Pattern, Permission, PrincipalType};
use crate::inventory::{Code, Kind, Known, ObjectId, Reason, Truth};

/// Whether something takes what is wanted.
pub(super) struct Denied {
    pub(super) truth: Truth,
    pub(super) denials: Vec<Denial>,
    pub(super) reasons: Vec<Reason>,
}

/// A truth, and why it is open.
struct Part {
    truth: Truth,
    reasons: Vec<Reason>,
}

impl Part {
    fn sure(truth: impl Into<Truth>) -> Self {
        Self { truth: truth.into(), reasons: Vec::new() }
    }

    fn open(reason: Reason) -> Self {
        Self { truth: Truth::Maybe, reasons: vec![reason] }
    }

    /// One of all; the reasons of those that are open.
    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Self::sure(false);
        for part in parts {
            any.truth = any.truth.or(part.truth);
            any.reasons.extend(part.reasons);
        }
        any
    }

    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::sure(true);
        for part in parts {
            all.truth = all.truth.and(part.truth);
            all.reasons.extend(part.reasons);
        }
        all
    }

    fn negated(self) -> Self {
        Self { truth: !self.truth, ..self }
    }
}

/// Weighs every deny assignment that may stand at or above the scope. Without the whole list, that there is none is
/// not proven.
pub(super) fn denied(asked: &Asked<'_>) -> Denied {
    let access = asked.access;
    let mut denied = Denied { truth: Truth::No, denials: Vec::new(), reasons: Vec::new() };
    for deny in standing(asked) {
        let part = weigh(asked, deny);
        if part.truth != Truth::No {
            denied.truth = denied.truth.or(part.truth);
            denied.denials.push(Denial {
                assignment: deny.id.clone(),
                scope: deny.scope.clone().ok(),
                certain: part.truth == Truth::Yes,
            });
            if part.truth == Truth::Maybe {
                denied.reasons.extend(part.reasons);
            }
        }
    }
    if denied.truth != Truth::Yes
        && let Some(reason) = asked.ancestry.hidden(access.rights(), access.coverage(), Kind::DenyAssignments)
    {
        denied.truth = Truth::Maybe;
        denied.reasons.push(reason);
    }
    denied
}

/// Every deny assignment that may stand at or above the scope.
fn standing<'q>(asked: &'q Asked<'q>) -> impl Iterator<Item = &'q DenyAssignment> {
    let access = asked.access;
    let above =
        asked.ancestry.places().filter_map(|scope| access.place(scope)).flat_map(|place| place.denies());
    let unsure = access.group_places().filter(|_| asked.ancestry.doubt().is_some());
    let unsure = unsure
        .filter(|(group, _)| asked.ancestry.is_below(group) == Truth::Maybe)
        .flat_map(|(_, place)| place.denies());
    above.chain(unsure).chain(access.adrift().denies()).copied()
}

/// Who is named by deny assignments that take what is wanted from some and not from others.
pub(super) fn named_where_open<'q>(asked: &'q Asked<'q>) -> impl Iterator<Item = &'q ObjectId> {
    let open = standing(asked).filter(|deny| weigh(asked, deny).truth == Truth::Maybe);
    let parties = open.flat_map(|deny| deny.principals.iter().chain(&deny.excluded).flatten());
    parties.filter_map(|party| party.id.as_ref().ok())
}

fn weigh(asked: &Asked<'_>, deny: &DenyAssignment) -> Part {
    let effect = match &deny.effect {
        Ok(Effect::Enforced) => Part::sure(true),
        Ok(Effect::Audit) => Part::sure(false),
        Ok(Effect::Other) => Part::open(Reason::new(
            Code::Undecidable,
            format!("{} has a `denyAssignmentEffect` that is not known", deny.id),
        )),
        Err(reason) => Part::open(reason.clone()),
    };
    let condition = asked.demand.doubted(&deny.condition, || deny.id.to_string());
    let condition = condition.map_or_else(|| Part::sure(true), Part::open);
    let parts = [
        effect,
        scope(asked, deny),
        parties(asked, deny, &deny.principals),
        parties(asked, deny, &deny.excluded).negated(),
        takes(asked, deny),
        condition,
    ];
    Part::all(parts)
}

fn scope(asked: &Asked<'_>, deny: &DenyAssignment) -> Part {
    let scope = match &deny.scope {
        Ok(scope) if scope == asked.ancestry.scope() => return Part::sure(true),
        Ok(scope) => scope,
        Err(reason) => return Part::open(reason.clone()),
    };
    let above = match (asked.ancestry.is_below(scope), asked.ancestry.doubt()) {
        (Truth::Maybe, Some(doubt)) => Part::open(doubt.clone()),
        (truth, _) => Part::sure(truth),
    };
    let reaches_children = match &deny.not_children {
        Ok(not_children) => Part::sure(!not_children),
        Err(reason) => Part::open(reason.clone()),
    };
    Part::all([above, reaches_children])
}

/// Whether the principal is among those that a list names.
fn parties(asked: &Asked<'_>, deny: &DenyAssignment, list: &Known<Vec<Party>>) -> Part {
    match list {
        Ok(list) => Part::any(list.iter().map(|party| is_party(asked, deny, party))),
        Err(reason) => Part::open(reason.clone()),
    }
}

fn is_party(asked: &Asked<'_>, deny: &DenyAssignment, party: &Party) -> Part {
    let principal = &asked.question.principal;
    let id = match &party.id {
        Ok(id) if id == principal => return Part::sure(true),
        Ok(id) => id,
        Err(reason) => return Part::open(reason.clone()),
    };
    if id.is_everyone() && party.kind == Ok(PrincipalType::SystemDefined) {
        return Part::sure(true);
    }
    if party.kind == Ok(PrincipalType::Single) && !id.is_everyone() {
        return Part::sure(false);
    }
    let member =
        asked.access.membership(principal).map_or(Truth::Maybe, |answers| answers.in_group(id.as_str()));
    if member != Truth::Maybe {
        return Part::sure(member);
    }
    let message = format!(
        "{} names {id}; whether {principal} is in that group, the directory would have to tell",
        deny.id
    );
    Part::open(Reason::new(Code::NotAsked, message))
}

/// Whether a deny assignment takes some of what is wanted.
fn takes(asked: &Asked<'_>, deny: &DenyAssignment) -> Part {
    let entries = match &deny.permissions {
        Ok(entries) => entries,
        Err(reason) => return Part::open(reason.clone()),
    };
    let demand = &asked.demand;
    let items = demand
        .items
        .iter()
        .flat_map(|item| entries.iter().map(move |entry| entry_takes(asked, deny, entry, item)));
    let beyond = demand.open.as_ref().filter(|_| {
        // What is wanted is not known for sure: any action that is taken may be one of it.
        entries.iter().any(|entry| entry.actions.as_ref().map_or(true, |actions| !actions.is_empty()))
    });
    Part::any(items.chain(beyond.map(|reason| Part::open(reason.clone()))))
}

fn entry_takes(asked: &Asked<'_>, deny: &DenyAssignment, entry: &Permission, item: &Item<'_>) -> Part {
    let taken = match (&entry.actions, &entry.not_actions) {
        (Ok(actions), Ok(spared)) => {
            Truth::any(actions.iter().map(|action| action_taken(action, spared, item)))
        }
        (Ok(actions), Err(reason)) => {
            let touched = Truth::any(actions.iter().map(|action| action.meets(item.pattern)));
            return if touched == Truth::No { Part::sure(false) } else { Part::open(reason.clone()) };
        }
        (Err(reason), _) => return Part::open(reason.clone()),
    };
    let condition = asked.demand.doubted(&entry.condition, || deny.id.to_string());
    match (taken, condition) {
        (Truth::No, _) => Part::sure(false),
        (_, Some(doubt)) => Part::open(doubt),
        (Truth::Yes, None) => Part::sure(true),
        (Truth::Maybe, None) => {
            let message =
                format!("whether {} takes {} hangs on how its patterns are read", deny.id, item.pattern);
            Part::open(Reason::new(Code::Undecidable, message))
        }
    }
}

/// Whether one denied pattern takes some of what is wanted: it does if they meet in something that is neither spared
/// nor left out by the wanted role itself.
fn action_taken(action: &Pattern, spared: &[Pattern], item: &Item<'_>) -> Truth {
    let Some((overlap, whole)) = action.overlap(item.pattern) else {
        return action.meets(item.pattern);
    };
    let left_out = |of: &Pattern| Truth::any(spared.iter().chain(item.exempt).map(|one| one.covers(of)));
    if left_out(action) == Truth::Yes {
        return Truth::No;
    }
    match (left_out(&overlap), whole) {
        (Truth::No, _) => Truth::Yes,
        (Truth::Yes, true) => Truth::No,
        _ => Truth::Maybe,
    }
}
