//! A finding: a violation with identity and history.

use crate::findings::PolicyResult;
use crate::findings::judge::{Subject, Violation};
use crate::severity::Severity;

/// A violation with identity and history. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The policy's id.
    pub policy: String,
    /// The digest of the policy as it last saw the violation.
    pub policy_digest: String,
    /// Who violates it.
    pub subject: Subject,
    /// What tells it from the subject's other findings.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What would fix it.
    pub remediation: String,
    /// The resource to look at, if it is another than the subject.
    pub resource: Option<String>,
    /// The digest of the deciding facts, the one that a waiver can be pinned to.
    pub evidence: String,
    /// When it was seen for the first time, whatever became of it in between.
    pub first_seen: i64,
    /// When it was opened, or opened again.
    pub opened_at: i64,
    /// When a sweep last saw it.
    pub confirmed_at: i64,
    /// Since when sweeps cannot tell whether it still stands; none if the last one could.
    pub stale_since: Option<i64>,
    /// How often it came back after it was resolved.
    pub reopened: u32,
    /// How many sweeps in a row spoke for leaving the state it is in: saw it before it was opened or after it was proven gone,
    /// proved it gone while it is open or resolved by a decision.
    pub streak: u32,
}

impl Finding {
    /// The finding of a violation as a sweep sees it now, with the history of `known`.
    pub(super) fn sighted(
        result: &PolicyResult,
        violation: &Violation,
        known: Option<&Finding>,
        now: i64,
    ) -> Self {
        Self {
            policy: result.policy.clone(),
            policy_digest: result.origin.digest.clone(),
            subject: result.subject.clone(),
            key: violation.key.clone(),
            severity: violation.severity,
            message: violation.message.clone(),
            remediation: violation.remediation.clone(),
            resource: violation.resource.clone(),
            evidence: violation.evidence_digest.clone(),
            first_seen: known.map_or(now, |known| known.first_seen),
            opened_at: known.map_or(now, |known| known.opened_at),
            confirmed_at: now,
            stale_since: None,
            reopened: known.map_or(0, |known| known.reopened),
            streak: 0,
        }
    }

    /// Whether the last sweep could not tell if it still stands.
    pub fn is_stale(&self) -> bool {
        self.stale_since.is_some()
    }

    /// Whether it is another than it was. Another version of the policy may lay the same facts out otherwise, so its
    /// evidence is taken over without a word.
    pub(super) fn moved(&self, was: &Finding) -> bool {
        self.severity != was.severity
            || self.policy_digest == was.policy_digest && self.evidence != was.evidence
    }
}

/// A finding that is over, or accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The finding as it last was.
    pub finding: Finding,
    /// When it was resolved, by the reason that holds now; seconds since 1970.
    pub at: i64,
    /// Why. A violation that was accepted before anybody was told of it is kept here, too.
    pub resolution: Resolution,
}

impl Resolved {
    /// Another reason holds from now on. That is no change to whoever was told that it is over.
    pub(super) fn turn(&mut self, resolution: Resolution, now: i64) {
        if self.resolution != resolution {
            self.resolution = resolution;
            self.at = now;
        }
    }
}

/// Why a finding was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// The subject was judged again, and the violation is gone.
    Fixed,
    /// The subject is gone, and everything that could hide it was read.
    ResourceDeleted,
    /// Somebody accepted it; it comes back when the waiver ends, seen or not.
    Waived,
    /// The policy is no longer in the bundle, or switched off; as with a waiver, until it is there again.
    PolicyRemoved,
    /// The configuration leaves its subscription out; as with a waiver, until it no longer does.
    OutOfScope,
}

impl Resolution {
    /// Every reason.
    pub const ALL: [Resolution; 5] = [
        Resolution::Fixed,
        Resolution::ResourceDeleted,
        Resolution::Waived,
        Resolution::PolicyRemoved,
        Resolution::OutOfScope,
    ];

    /// The name in metrics and in the ledger's file.
    pub fn name(self) -> &'static str {
        match self {
            Resolution::Fixed => "fixed",
            Resolution::ResourceDeleted => "resource_deleted",
            Resolution::Waived => "waived",
            Resolution::PolicyRemoved => "policy_removed",
            Resolution::OutOfScope => "out_of_scope",
        }
    }

    /// Whether it is a person's decision, which no number of sweeps makes surer.
    pub(super) fn is_decision(self) -> bool {
        matches!(self, Resolution::Waived | Resolution::PolicyRemoved | Resolution::OutOfScope)
    }
}
