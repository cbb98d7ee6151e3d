//! What lies above a scope: its own path, the management groups over its subscription, the root.

use std::collections::BTreeSet;

use crate::inventory::authorization::{Authorization, is_management_group};
use crate::inventory::{Code, Coverage, Kind, Known, Reason, ResourceId, Truth};

/// A scope and what is above it.
pub(super) struct Ancestry<'a> {
    scope: &'a ResourceId,
    /// The management groups above, the nearest first, or why they are not known.
    groups: Known<Vec<&'a ResourceId>>,
}

impl<'a> Ancestry<'a> {
    pub(super) fn of(rights: &'a Authorization, coverage: &Coverage, scope: &'a ResourceId) -> Self {
        let groups = match scope.subscription() {
            Some(subscription) => match rights.chains.get(subscription) {
                Some(Ok(chain)) => Ok(chain.iter().collect()),
                Some(Err(reason)) => Err(reason.clone()),
                None => Err(coverage.hides(Kind::Subscriptions, scope).unwrap_or_else(|| {
                    let message = format!(
                        "the record of subscription {subscription}, which would tell the management groups above it, \
                         is not among the subscriptions that were read"
                    );
                    Reason::new(Code::NotFound, message)
                })),
            },
            None if is_management_group(scope) => above_group(rights, scope),
            None => Ok(Vec::new()),
        };
        Self { scope, groups }
    }

    pub(super) fn scope(&self) -> &'a ResourceId {
        self.scope
    }

    /// Whether `other` is this scope or above it.
    pub(super) fn is_below(&self, other: &ResourceId) -> Truth {
        if other.contains(self.scope) {
            return Truth::Yes;
        }
        if !is_management_group(other) {
            return Truth::No;
        }
        match &self.groups {
            Ok(groups) => groups.contains(&other).into(),
            Err(_) => Truth::Maybe,
        }
    }

    /// Why it is not known which management groups are above.
    pub(super) fn doubt(&self) -> Option<&Reason> {
        self.groups.as_ref().err()
    }

    /// Each place on this scope's own path, then each known management group above it, then the root, as folded ids:
    /// the nearest first, none twice.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        let key = self.scope.key();
        let cuts = key.rmatch_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        let path = std::iter::once(key).chain(cuts.map(|at| &key[..at]));
        let groups = self.groups.iter().flatten().enumerate().filter(|(at, group)| {
            !group.contains(self.scope)
                && !self.groups.iter().flatten().take(*at).any(|nearer| nearer == *group)
        });
        path.chain(groups.map(|(_, group)| group.key())).chain((key != "/").then_some("/"))
    }

    /// Why a record of this kind at or above the scope may not have been seen. A subscription's lists hold what it
    /// inherits, so those of one subscription below a management group tell the group's too.
    pub(super) fn hidden(&self, rights: &Authorization, coverage: &Coverage, kind: Kind) -> Option<Reason> {
        match self.scope.subscription() {
            Some(_) => coverage.hides(kind, self.scope),
            None => hidden_above(self.scope, rights, coverage, kind),
        }
    }
}

/// The groups above a group, off the chain of any subscription below it.
fn above_group<'a>(rights: &'a Authorization, group: &ResourceId) -> Known<Vec<&'a ResourceId>> {
    let mut unread = None;
    for chain in rights.chains.values() {
        match chain {
            // A chain that runs in a circle does not tell above from below.
            Ok(chain) => match chain.iter().position(|other| other == group) {
                Some(at) if chain.iter().collect::<BTreeSet<_>>().len() == chain.len() => {
                    return Ok(chain[at + 1..].iter().collect());
                }
                _ => {}
            },
            Err(reason) => unread = unread.or(Some(reason.clone())),
        }
    }
    let message = format!("no subscription that was read tells the management groups above {group}");
    Err(unread.unwrap_or_else(|| Reason::new(Code::NotTold, message)))
}

fn hidden_above(
    scope: &ResourceId,
    rights: &Authorization,
    coverage: &Coverage,
    kind: Kind,
) -> Option<Reason> {
    let below = |subscription: &&str| {
        let chain = rights.chains.get(*subscription);
        scope == &ResourceId::root() || matches!(chain, Some(Ok(chain)) if chain.contains(scope))
    };
    let mut first = None;
    for subscription in coverage.subscriptions().filter(below) {
        match coverage.hides(kind, &ResourceId::subscription_scope(subscription)) {
            None => return coverage.hides(kind, scope),
            Some(reason) => first = first.or(Some(reason)),
        }
    }
    let message = format!("no subscription known to be below {scope} was swept, which would tell its {kind}");
    Some(first.unwrap_or_else(|| Reason::new(Code::NotAsked, message)))
}
