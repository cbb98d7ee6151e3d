//! Waivers: what somebody accepted, why, and until when, laid on the verdicts of a sweep.
//!
//! A waiver takes the edge off a violation or an unknown and never hides it: evidence and reasons stay, with the waiver
//! beside them, and nothing becomes a pass. The texts of waivers are read in [`read`]; files, and what day it is, are the
//! caller's affair.

pub mod read;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Date;

use super::ledger::Finding;
use crate::inventory::{Reason, ResourceId};

use super::judge::{Subject, Violation};
use super::{PolicyResult, Status};

/// How many days before its end a waiver is reported as expiring.
pub const SOON_DAYS: i64 = 14;

/// One accepted violation or unknown, or all of a policy below a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waiver {
    /// The name that its author gave it.
    pub id: Option<String>,
    /// The policy that it is about.
    pub policy: String,
    /// Where it holds: this scope and everything below it.
    pub scope: ResourceId,
    /// The key of the violation that it accepts; every one below the scope if none is told.
    pub key: Option<String>,
    /// What it accepts.
    pub accepts: Accepts,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds, UTC.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub expires: Date,
    /// The digest of the evidence for which it was given; with other evidence it does not hold.
    pub evidence: Option<String>,
    /// Whether it may cover a whole subscription, or a critical policy.
    pub allow_broad: bool,
    /// The file and the line that it stands on.
    pub at: String,
}

/// What a waiver accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accepts {
    /// Violations.
    Fail,
    /// That a verdict is not known.
    Unknown,
}

/// How a waiver stands after a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It covers something.
    Active,
    /// It covers something, and ends within two weeks.
    Expiring,
    /// Its last day is over; it does nothing.
    Expired,
    /// It covers nothing that the sweep found.
    Unmatched,
    /// The evidence is another than the one it was given for; it does nothing.
    Lapsed,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] =
        [State::Active, State::Expiring, State::Expired, State::Unmatched, State::Lapsed];

    /// The name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Expiring => "expiring",
            State::Expired => "expired",
            State::Unmatched => "unmatched",
            State::Lapsed => "lapsed",
        }
    }
}

/// A waiver, and how it stands after a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Standing {
    /// The waiver.
    #[serde(flatten)]
    pub waiver: Waiver,
    /// How it stands.
    pub state: State,
    /// How many violations and unknowns it covers.
    pub covers: usize,
}

impl Waiver {
    /// Whether its last day is over.
    pub fn expired(&self, today: Date) -> bool {
        today > self.expires
    }

    /// Whether it holds at a place. A hidden subject stands for whatever is below its scope, so only a waiver that names
    /// that very scope was meant for it.
    fn reaches(&self, subject: &Subject, resource: Option<&ResourceId>) -> bool {
        if subject.hidden {
            return self.scope == subject.id;
        }
        self.scope.contains(&subject.id) || resource.is_some_and(|resource| self.scope.contains(resource))
    }

    /// Whether it still covers a finding that cannot be seen now, as it last was.
    pub(super) fn keeps(&self, finding: &Finding, today: Date) -> bool {
        let resource = finding.resource.as_deref().and_then(ResourceId::parse);
        self.accepts == Accepts::Fail
            && !self.expired(today)
            && self.policy == finding.policy
            && self.key.as_ref().is_none_or(|key| *key == finding.key)
            && self.reaches(&finding.subject, resource.as_ref())
            && self.evidence.as_ref().is_none_or(|pinned| *pinned == finding.evidence)
    }

    /// What decides between several waivers that cover the same: the narrowest one.
    fn narrowest_first(&self) -> impl Ord + '_ {
        (Reverse(self.scope.key().len()), &self.scope, self.key.is_none(), &self.key, self.accepts)
    }
}

/// What the sweep made of one waiver.
#[derive(Clone, Copy, Default)]
struct Use {
    covers: usize,
    other_evidence: bool,
}

/// Lays waivers on results, and tells how each of them stands, in their order.
///
/// A result whose violations are all covered is `waived`, with what it would have been beside it. Where other violations
/// may still be hidden behind it, the reasons for that show on it, until a waiver accepts them too.
pub fn apply(waivers: &[Waiver], results: &mut [PolicyResult], today: Date) -> Vec<Standing> {
    let mut uses = vec![Use::default(); waivers.len()];
    let mut of_policy: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, waiver) in waivers.iter().enumerate().filter(|(_, waiver)| !waiver.expired(today)) {
        of_policy.entry(&waiver.policy).or_default().push(at);
    }
    for list in of_policy.values_mut() {
        list.sort_by(|a, b| waivers[*a].narrowest_first().cmp(&waivers[*b].narrowest_first()));
    }
    for result in results {
        if let Some(list) = of_policy.get(result.policy.as_str()) {
            let candidates: Vec<(usize, &Waiver)> = list.iter().map(|at| (*at, &waivers[*at])).collect();
            waive(result, &candidates, &mut uses);
        }
    }
    waivers.iter().zip(uses).map(|(waiver, used)| standing(waiver, used, today)).collect()
}

fn waive(result: &mut PolicyResult, candidates: &[(usize, &Waiver)], uses: &mut [Use]) {
    for violation in &mut result.violations {
        let resource = violation.resource.as_deref().and_then(ResourceId::parse);
        let meant = candidates.iter().copied().filter(|(_, waiver)| {
            waiver.accepts == Accepts::Fail
                && waiver.key.as_ref().is_none_or(|key| *key == violation.key)
                && waiver.reaches(&result.subject, resource.as_ref())
        });
        violation.waiver = covering(meant, &violation.evidence_digest, uses);
    }
    let waived = |violation: &Violation| violation.waiver.is_some();
    if result.status == Status::Fail && !result.violations.is_empty() && result.violations.iter().all(waived)
    {
        result.would_be = Some(Status::Fail);
        result.status = Status::Waived;
        result.reasons = result.doubts.clone();
        result.reason = result.reasons.first().cloned();
    }
    if result.reason.is_none() {
        return;
    }
    let meant = candidates
        .iter()
        .copied()
        .filter(|(_, waiver)| waiver.accepts == Accepts::Unknown && waiver.reaches(&result.subject, None));
    result.waiver = covering(meant, &digest_of_reasons(&result.reasons), uses);
    if result.status == Status::Unknown && result.waiver.is_some() {
        result.would_be = Some(Status::Unknown);
        result.status = Status::Waived;
    }
}

/// The first waiver whose pin, if it has one, fits. Each one that fits counts as used.
fn covering<'a>(
    meant: impl Iterator<Item = (usize, &'a Waiver)>,
    digest: &str,
    uses: &mut [Use],
) -> Option<Waiver> {
    let mut first = None;
    for (at, waiver) in meant {
        if waiver.evidence.as_deref().is_none_or(|pinned| pinned == digest) {
            uses[at].covers += 1;
            first = first.or(Some(waiver));
        } else {
            uses[at].other_evidence = true;
        }
    }
    first.cloned()
}

fn standing(waiver: &Waiver, used: Use, today: Date) -> Standing {
    let state = match used {
        _ if waiver.expired(today) => State::Expired,
        Use { covers: 0, other_evidence: true } => State::Lapsed,
        Use { covers: 0, .. } => State::Unmatched,
        _ if (waiver.expires - today).whole_days() <= SOON_DAYS => State::Expiring,
        _ => State::Active,
    };
    Standing { waiver: waiver.clone(), state, covers: used.covers }
}

/// The digest of a violation's facts, to pin a waiver to. How Azure spells a name today is no fact.
pub fn digest_of_evidence(resource: Option<&str>, evidence: &serde_json::Map<String, Value>) -> String {
    digest(&json!({"resource": resource, "evidence": evidence}))
}

/// The digest of the reasons why a verdict is not known, to pin a waiver to; their order is no fact.
pub fn digest_of_reasons(reasons: &[Reason]) -> String {
    let mut told: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    told.sort();
    digest(&json!({"reasons": told}))
}

fn digest(value: &Value) -> String {
    // The keys of a JSON object are kept in order, so equal facts are equal texts.
    let text = value.to_string().to_ascii_lowercase();
    let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn as_text<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

#[cfg(test)]
mod tests;
