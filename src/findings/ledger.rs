//! The life of findings over sweeps: opened, confirmed, gone stale behind a gap, resolved.
//!
//! The old ledger and a sweep's report give the new ledger and what changed. Nothing here reads a clock or
//! a disk; the daemon keeps the ledger in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Hidden, SubjectKind};
use crate::inventory::ResourceId;
use crate::severity::Severity;

use super::judge::Subject;
use super::{PolicyResult, Status};

/// A violation with identity and history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The policy's id.
    pub policy: String,
    /// Who violates it.
    pub subject: Subject,
    /// What tells it from the subject's other findings.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// When it was first seen; seconds since 1970.
    pub opened_at: i64,
    /// When a sweep last saw it.
    pub confirmed_at: i64,
    /// Whether the last sweep could not tell if it still stands.
    pub stale: bool,
}

/// Why a finding was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// The subject was judged again, and the violation is gone.
    Fixed,
    /// The subject is gone, and everything that could hide it was read.
    ResourceDeleted,
    /// The policy is no longer in the bundle, or switched off.
    PolicyRemoved,
}

impl Resolution {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Resolution::Fixed => "fixed",
            Resolution::ResourceDeleted => "resource_deleted",
            Resolution::PolicyRemoved => "policy_removed",
        }
    }
}

/// Findings by fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The findings that are open.
    pub open: BTreeMap<String, Finding>,
}

/// What a sweep changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Fingerprints that are new.
    pub opened: Vec<String>,
    /// Fingerprints that are gone, and why.
    pub resolved: Vec<(String, Resolution)>,
}

/// What a sweep saw, as far as the life of findings hangs on it.
pub struct Sweep<'a> {
    /// Its results.
    pub results: &'a [PolicyResult],
    /// Where subjects may be hidden.
    pub hidden: &'a [Hidden],
    /// The guids of the subscriptions that were swept.
    pub subscriptions: &'a BTreeSet<String>,
    /// The ids of the policies that were judged.
    pub policies: &'a BTreeSet<String>,
}

impl Ledger {
    /// The ledger after a sweep. A finding is resolved only by proof; what a gap hides stays, stale.
    pub fn advance(&self, sweep: &Sweep<'_>, now: i64) -> (Ledger, Changes) {
        let mut next = Ledger::default();
        let mut changes = Changes::default();
        let mut results: BTreeMap<(&str, &ResourceId), &PolicyResult> = BTreeMap::new();
        for result in sweep.results.iter().filter(|result| !result.subject.hidden) {
            results.insert((&result.policy, &result.subject.id), result);
            for violation in result.violations.iter().filter(|_| result.status == Status::Fail) {
                let known = self.open.get(&violation.id);
                if known.is_none() {
                    changes.opened.push(violation.id.clone());
                }
                let finding = Finding {
                    policy: result.policy.clone(),
                    subject: result.subject.clone(),
                    key: violation.key.clone(),
                    severity: violation.severity,
                    opened_at: known.map_or(now, |known| known.opened_at),
                    confirmed_at: now,
                    stale: false,
                };
                next.open.insert(violation.id.clone(), finding);
            }
        }
        for (id, finding) in &self.open {
            if next.open.contains_key(id) {
                continue;
            }
            let result = results.get(&(finding.policy.as_str(), &finding.subject.id)).copied();
            match resolution(finding, result, sweep) {
                Some(resolution) => changes.resolved.push((id.clone(), resolution)),
                None => {
                    next.open.insert(id.clone(), Finding { stale: true, ..finding.clone() });
                }
            }
        }
        changes.opened.sort();
        (next, changes)
    }
}

fn resolution(finding: &Finding, result: Option<&PolicyResult>, sweep: &Sweep<'_>) -> Option<Resolution> {
    if !sweep.policies.contains(&finding.policy) {
        return Some(Resolution::PolicyRemoved);
    }
    match result {
        Some(result) => match result.status {
            Status::Pass | Status::NotApplicable => Some(Resolution::Fixed),
            // Other violations stand; this one is gone only if none could be hidden.
            Status::Fail if result.complete => Some(Resolution::Fixed),
            Status::Fail | Status::Unknown | Status::Waived => None,
        },
        None => gone(&finding.subject, sweep).then_some(Resolution::ResourceDeleted),
    }
}

/// Whether a subject that no longer appears is proven to be gone.
fn gone(subject: &Subject, sweep: &Sweep<'_>) -> bool {
    let swept = |id: &ResourceId| id.subscription().is_some_and(|guid| sweep.subscriptions.contains(guid));
    let swept = swept(&subject.id) && subject.workspace.as_ref().is_none_or(swept);
    let hidden = sweep.hidden.iter().filter(|hidden| hidden.kind == subject.kind).any(|hidden| {
        // A cluster or a subnet is brought to light by any workspace that uses it, wherever that is.
        matches!(subject.kind, SubjectKind::AksCluster | SubjectKind::Subnet)
            || hidden.scope.contains(&subject.id)
            || subject.workspace.as_ref().is_some_and(|workspace| hidden.scope.contains(workspace))
            // A gap inside the subject's subscription may hide what linked it to its workspace.
            || subject.id.subscription_id().is_some_and(|subscription| subscription.contains(&hidden.scope))
    });
    swept && !hidden
}

#[cfg(test)]
mod tests;
