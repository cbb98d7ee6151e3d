//! What a sweep found missing of the role: its gaps, read action by action. The schema is `mlfence.permissions/1`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::azure::needs::{self, Lack};
use crate::findings::{PolicyResult, Status};
use crate::inventory::{Gap, GapReason, Kind, ResourceId, SettleBy, Snapshot};

/// The version of the check's form.
pub const SCHEMA: &str = "mlfence.permissions/1";

/// Which needed actions the identity that took a snapshot did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// When Azure was read; RFC 3339, UTC.
    pub taken_at: String,
    /// Every action that a sweep needs.
    pub needed: BTreeSet<&'static str>,
    /// The subscriptions that were looked at: guids and names.
    pub subscriptions: BTreeMap<String, String>,
    /// What is missing where.
    pub missing: Vec<Missing>,
    /// What could not be checked.
    pub open: Vec<Open>,
    /// What is not proven complete although every action that is known to show it is held.
    pub unprovable: Vec<Unprovable>,
}

/// An action that is not held at a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Missing {
    /// The action.
    pub action: String,
    /// Where. `/` is said of what any one subscription would do for.
    pub scope: ResourceId,
    /// The kinds of records that it hides there.
    pub hides: BTreeSet<Kind>,
    /// How many unknown results name the right to read these kinds there among what would settle them.
    pub unknowns: usize,
    /// The policies of those results.
    pub policies: BTreeSet<String>,
    /// Azure's words, or mlfence's.
    pub details: BTreeSet<String>,
}

/// Actions of which it is not known whether they are held at a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Open {
    /// Where.
    pub scope: ResourceId,
    /// Why.
    pub reason: GapReason,
    /// Azure's words, or mlfence's.
    pub detail: String,
    /// The actions.
    pub actions: BTreeSet<&'static str>,
}

/// A kind of record of which no single action is known to show all, so that none of the needed ones proves it complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unprovable {
    /// The kind.
    pub kind: Kind,
    /// Where.
    pub scopes: BTreeSet<ResourceId>,
    /// What would show it, or do in its place.
    pub detail: String,
}

impl Check {
    /// Reads the gaps of a snapshot; the results tell what each missing action costs.
    pub fn of(snapshot: &Snapshot, results: &[PolicyResult]) -> Self {
        let asked = needs::kinds();
        let mut missing: BTreeMap<(String, ResourceId), Missing> = BTreeMap::new();
        let mut open: BTreeMap<(ResourceId, GapReason, String), BTreeSet<&'static str>> = BTreeMap::new();
        let mut unprovable: BTreeMap<(Kind, String), BTreeSet<ResourceId>> = BTreeMap::new();
        for gap in snapshot.gaps.iter().filter(|gap| asked.contains(&gap.source)) {
            let Lack { missing: actions, open: unproven, unprovable: beyond_actions } = needs::lack(gap);
            if beyond_actions {
                unprovable.entry((gap.source, gap.detail.clone())).or_default().insert(gap.scope.clone());
            }
            for action in actions {
                let entry = missing.entry((action.clone(), gap.scope.clone())).or_insert_with(|| Missing {
                    action,
                    scope: gap.scope.clone(),
                    hides: BTreeSet::new(),
                    unknowns: 0,
                    policies: BTreeSet::new(),
                    details: BTreeSet::new(),
                });
                entry.hides.insert(gap.source);
                entry.details.extend((!gap.detail.is_empty()).then(|| gap.detail.clone()));
            }
            if !is_moot(gap, &snapshot.gaps) {
                let key = (gap.scope.clone(), gap.reason, gap.detail.clone());
                open.entry(key).or_default().extend(unproven);
            }
        }
        for kind in asked.iter().filter(|kind| !snapshot.header.kinds.contains_key(kind)) {
            let detail = "not part of this snapshot".to_owned();
            open.entry((ResourceId::root(), GapReason::NotAsked, detail))
                .or_default()
                .extend(needs::of(*kind));
        }
        let known = |action: &str, scope: &ResourceId| {
            missing.keys().any(|(other, above)| other == action && above.contains(scope))
        };
        for ((scope, ..), actions) in &mut open {
            actions.retain(|action| !known(action, scope));
        }
        let mut missing: Vec<Missing> = missing.into_values().collect();
        missing.iter_mut().for_each(|missing| missing.cost(results));
        let subscriptions = snapshot.header.subscriptions.iter();
        Self {
            schema: SCHEMA,
            taken_at: snapshot.header.taken_at.clone(),
            needed: needs::actions(),
            subscriptions: subscriptions.map(|s| (s.id.to_ascii_lowercase(), s.name.clone())).collect(),
            missing,
            open: open
                .into_iter()
                .filter(|(_, actions)| !actions.is_empty())
                .map(|((scope, reason, detail), actions)| Open { scope, reason, detail, actions })
                .collect(),
            unprovable: unprovable
                .into_iter()
                .map(|((kind, detail), scopes)| Unprovable { kind, scopes, detail })
                .collect(),
        }
    }

    /// Whether no question about an action is left open, and there was a subscription to ask about.
    pub fn is_complete(&self) -> bool {
        self.open.is_empty() && !self.subscriptions.is_empty()
    }
}

impl Missing {
    fn cost(&mut self, results: &[PolicyResult]) {
        let waits = |result: &&PolicyResult| {
            let mut deeds = result.reasons.iter().filter_map(|reason| reason.settle.as_ref());
            result.status == Status::Unknown
                && deeds.any(|deed| {
                    deed.by == SettleBy::Permission
                        && deed.at == self.scope
                        && self.hides.iter().any(|kind| kind.read_action() == deed.what)
                })
        };
        let waiting: Vec<&PolicyResult> = results.iter().filter(waits).collect();
        self.unknowns = waiting.len();
        self.policies = waiting.iter().map(|result| result.policy.clone()).collect();
    }
}

/// Whether no right would close this gap: Azure does not offer that one list, and says so. Where it is the account of the
/// caller's permissions that is not offered, every kind has the same gap; other refused requests may hide a missing right.
fn is_moot(gap: &Gap, gaps: &[Gap]) -> bool {
    let same =
        |other: &&Gap| (&other.scope, other.reason, &other.detail) == (&gap.scope, gap.reason, &gap.detail);
    needs::is_not_offered(gap) && gaps.iter().filter(same).count() == 1
}
