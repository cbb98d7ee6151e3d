//! What a sweep proves of a finding that it did not see. A gap proves nothing.

use std::collections::BTreeMap;

use time::Date;

use crate::facts::SubjectKind;
use crate::findings::judge::{Subject, Violation};
use crate::findings::{PolicyResult, Status};
use crate::inventory::ResourceId;

use super::{Finding, Resolution, Sweep};

/// A sweep's results, to be asked about one finding.
pub(super) struct Told<'a> {
    sweep: &'a Sweep<'a>,
    results: BTreeMap<(&'a str, &'a ResourceId), &'a PolicyResult>,
    /// Violations that nobody accepted, by fingerprint.
    pub(super) violations: BTreeMap<&'a str, (&'a PolicyResult, &'a Violation)>,
    /// Violations that somebody accepted, by fingerprint.
    pub(super) waived: BTreeMap<&'a str, (&'a PolicyResult, &'a Violation)>,
}

impl<'a> Told<'a> {
    pub(super) fn by(sweep: &'a Sweep<'a>) -> Self {
        let mut told =
            Self { sweep, results: BTreeMap::new(), violations: BTreeMap::new(), waived: BTreeMap::new() };
        for result in sweep.results.iter().filter(|result| !result.subject.hidden) {
            told.results.insert((&result.policy, &result.subject.id), result);
            if !matches!(result.status, Status::Fail | Status::Waived) {
                continue;
            }
            for violation in &result.violations {
                // One that is accepted never hides its neighbour.
                let accepted = violation.waiver.is_some() || result.status == Status::Waived;
                let list = if accepted { &mut told.waived } else { &mut told.violations };
                list.insert(&violation.id, (result, violation));
            }
        }
        told
    }

    /// The verdict on a subject, if there is one.
    pub(super) fn verdict(&self, policy: &str, subject: &Subject) -> Option<&'a PolicyResult> {
        self.results.get(&(policy, &subject.id)).copied()
    }

    /// Why a finding that was not seen, accepted or not, is over; none where that is not proven.
    pub(super) fn resolution(&self, policy: &str, subject: &Subject) -> Option<Resolution> {
        if !self.sweep.policies.contains(policy) {
            return Some(Resolution::PolicyRemoved);
        }
        let verdict = self.verdict(policy, subject);
        if verdict.is_some_and(proves_absence) {
            return Some(Resolution::Fixed);
        }
        if self.is_excluded(policy, subject) {
            return Some(Resolution::OutOfScope);
        }
        (verdict.is_none() && self.is_gone(subject)).then_some(Resolution::ResourceDeleted)
    }

    /// Whether the configuration leaves the subject out. Which workspace was seen to use a cluster or a subnet is no part of
    /// it: as long as there is a verdict, or a gap that may hide another workspace, it is not left out with that one.
    pub(super) fn is_excluded(&self, policy: &str, subject: &Subject) -> bool {
        let excluded =
            |id: &ResourceId| id.subscription().is_some_and(|guid| self.sweep.excluded.contains(guid));
        let used_elsewhere =
            || is_shared(subject) && (self.verdict(policy, subject).is_some() || self.may_be_hidden(subject));
        excluded(&subject.id) || subject.workspace.as_ref().is_some_and(excluded) && !used_elsewhere()
    }

    /// Whether a subject that no longer appears is proven to be gone.
    pub(super) fn is_gone(&self, subject: &Subject) -> bool {
        let swept =
            |id: &ResourceId| id.subscription().is_some_and(|guid| self.sweep.subscriptions.contains(guid));
        swept(&subject.id) && subject.workspace.as_ref().is_none_or(swept) && !self.may_be_hidden(subject)
    }

    fn may_be_hidden(&self, subject: &Subject) -> bool {
        let mut hidden = self.sweep.hidden.iter().filter(|hidden| hidden.kind == subject.kind);
        hidden.any(|hidden| {
            is_shared(subject)
                || hidden.scope.contains(&subject.id)
                || subject.workspace.as_ref().is_some_and(|workspace| hidden.scope.contains(workspace))
                // A gap inside the subject's subscription may hide what linked it to its workspace.
                || subject.id.subscription_id().is_some_and(|subscription| subscription.contains(&hidden.scope))
        })
    }

    /// Whether a waiver still covers a finding that the sweep could not see.
    pub(super) fn is_accepted(&self, finding: &Finding, today: Date) -> bool {
        self.sweep.waivers.iter().any(|waiver| waiver.keeps(finding, today))
    }

    /// Whether the sweep judged with this policy.
    pub(super) fn judged(&self, policy: &str) -> bool {
        self.sweep.policies.contains(policy)
    }
}

/// A cluster or a subnet is brought to light by any workspace that uses it, wherever that is.
fn is_shared(subject: &Subject) -> bool {
    matches!(subject.kind, SubjectKind::AksCluster | SubjectKind::Subnet)
}

/// Whether a verdict shows that a violation which it does not list is not there.
fn proves_absence(verdict: &PolicyResult) -> bool {
    match verdict.status {
        Status::Pass | Status::NotApplicable => true,
        // Other violations stand; this one is gone only if none could be hidden.
        Status::Fail | Status::Waived => verdict.complete && !verdict.violations.is_empty(),
        Status::Unknown => false,
    }
}
