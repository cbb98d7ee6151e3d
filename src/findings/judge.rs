//! One verdict per policy and subject, by the order of judgement of the policy contract.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::facts::{Document, Hidden, SubjectKind};
use crate::inventory::{Code, Coverage, Kind, Reason, ResourceId};
use crate::policy::{DocumentRef, Evaluation, Note, Policy, PolicyError};
use crate::severity::Severity;

use super::remediation::Names;
use super::waivers::{self, Waiver};

/// What a policy says of a subject. Exactly one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// At least one violation that no waiver covers.
    Fail,
    /// Neither proven compliant nor proven violated.
    Unknown,
    /// Every violation, or the unknown, is accepted.
    Waived,
    /// Compliance is proven.
    Pass,
    /// The precondition is proven not to hold.
    NotApplicable,
}

impl Status {
    /// Every status, worst first.
    pub const ALL: [Status; 5] =
        [Status::Fail, Status::Unknown, Status::Waived, Status::Pass, Status::NotApplicable];

    /// The name in reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Status::Fail => "fail",
            Status::Unknown => "unknown",
            Status::Waived => "waived",
            Status::Pass => "pass",
            Status::NotApplicable => "not_applicable",
        }
    }
}

/// The verdict of one policy on one subject.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PolicyResult {
    /// The policy's id.
    pub policy: String,
    /// The policy's title.
    pub title: String,
    /// The policy's severity, as configured.
    pub severity: Severity,
    /// The verdict.
    pub status: Status,
    /// Who was judged.
    pub subject: Subject,
    /// The tags of its resource, VNet or workspace that the configuration allows (`labels_from_tags`), by label.
    pub labels: BTreeMap<String, String>,
    /// Why it is unknown, or why more may be wrong than what is waived; none for other verdicts.
    pub reason: Option<Reason>,
    /// Every reason, the first included; what must be settled before there is a verdict.
    #[serde(skip)]
    pub reasons: Vec<Reason>,
    /// The waiver that accepts the reason.
    pub waiver: Option<Waiver>,
    /// What the status would be without waivers; none where they change nothing.
    pub would_be: Option<Status>,
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// Whether other violations may still be hidden.
    #[serde(skip)]
    pub complete: bool,
    /// Why other violations may still be hidden beside those that were told.
    #[serde(skip)]
    pub doubts: Vec<Reason>,
    /// Remarks.
    pub notes: Vec<Note>,
    /// The documents behind the policy.
    pub documents: Vec<DocumentRef>,
    /// Where the policy came from.
    pub origin: Origin,
}

/// Who was judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Subject {
    /// The kind of subject.
    pub kind: SubjectKind,
    /// Its ARM id in lower case; for a hidden one the scope of the gap.
    pub id: ResourceId,
    /// The workspace that it belongs to.
    pub workspace: Option<ResourceId>,
    /// Whether this stands for subjects that nobody could see.
    pub hidden: bool,
}

/// Where a policy came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Origin {
    /// `shipped`, or the folder that it was loaded from.
    pub bundle: String,
    /// SHA-256 of its text and of the libraries that it imports.
    pub digest: String,
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Violation {
    /// The fingerprint: stable over time, order and spelling.
    pub id: String,
    /// What tells it from other violations of the same policy and subject.
    pub key: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// How bad it is.
    pub severity: Severity,
    /// The resource to look at, if it is another than the subject.
    pub resource: Option<String>,
    /// The deciding facts.
    pub evidence: Map<String, Value>,
    /// What would fix it, with the names filled in that are known.
    pub remediation: String,
    /// The digest of the deciding facts, to pin a waiver to.
    pub evidence_digest: String,
    /// The waiver that covers it.
    pub waiver: Option<Waiver>,
}

/// The fingerprint of a finding: 128 bits of SHA-256 over policy, subject and key, with their lengths so that
/// no two of them run together.
pub fn fingerprint(policy: &str, subject: &ResourceId, key: &str) -> String {
    let mut hash = Sha256::new();
    for part in [policy, subject.key(), key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Judges what a policy said of a subject.
///
/// The order: policy error; violations; undecided; not applicable; compliant; else unknown. Two nets hang below
/// the policy's own word: a pass or not-applicable needs every required kind read completely wherever the subject
/// reaches, and a pass needs its resources settled.
pub fn judge(
    policy: &Policy,
    severity: Severity,
    document: &Document,
    said: Result<Evaluation, PolicyError>,
    coverage: &Coverage,
) -> PolicyResult {
    let subject = Subject {
        kind: document.subject.kind,
        id: document.subject.id.clone(),
        workspace: document.subject.workspace.clone(),
        hidden: false,
    };
    let mut result = blank(policy, severity, subject);
    let said = match said {
        Ok(said) => said,
        Err(error) => {
            result.set_unknown(vec![Reason::new(Code::PolicyError, error.to_string())]);
            return result;
        }
    };
    result.notes = said.notes;
    let missing = missing(policy, document, coverage);
    result.complete = said.undecided.is_empty() && missing.is_empty() && document.unsettled.is_empty();
    if said.applies == Some(true) && !said.violations.is_empty() {
        result.status = Status::Fail;
        result.doubts = [said.undecided, missing, document.unsettled.clone()].concat();
        let told = said.violations.into_iter();
        result.violations = told.map(|told| violation(policy, severity, &result.subject, told)).collect();
        return result;
    }
    let settled = match (said.applies, said.compliant) {
        _ if !said.undecided.is_empty() => Err([said.undecided, missing].concat()),
        (Some(false), _) if missing.is_empty() => Ok(Status::NotApplicable),
        (Some(true), true) if missing.is_empty() && document.unsettled.is_empty() => Ok(Status::Pass),
        (Some(true), true) => Err([missing, document.unsettled.clone()].concat()),
        (Some(false), _) => Err(missing),
        (None, _) => Err([vec![no_proof(policy, "whether it applies")], missing].concat()),
        (Some(true), false) => Err([vec![no_proof(policy, "compliance")], missing].concat()),
    };
    match settled {
        Ok(status) => result.status = status,
        Err(reasons) => result.set_unknown(reasons),
    }
    result
}

fn violation(
    policy: &Policy,
    severity: Severity,
    subject: &Subject,
    told: crate::policy::Violation,
) -> Violation {
    let names = Names::of(subject, &told.evidence, told.resource.as_deref());
    Violation {
        id: fingerprint(&policy.metadata.id, &subject.id, &told.key),
        key: told.key,
        message: told.message,
        severity: told.severity.map_or(severity, |own| own.min(severity)),
        remediation: names.remedy(&policy.metadata.remediation),
        evidence_digest: waivers::digest_of_evidence(told.resource.as_deref(), &told.evidence),
        resource: told.resource,
        evidence: told.evidence,
        waiver: None,
    }
}

/// The verdict on subjects that nobody could see. Besides what hides them, whatever else the policy requires there
/// must be read before there is a verdict.
pub fn judge_hidden(
    policy: &Policy,
    severity: Severity,
    hidden: &Hidden,
    coverage: &Coverage,
) -> PolicyResult {
    let subject = Subject { kind: hidden.kind, id: hidden.scope.clone(), workspace: None, hidden: true };
    let mut result = blank(policy, severity, subject);
    let required = policy.metadata.requires.iter().filter_map(|kind| coverage.hides(*kind, &hidden.scope));
    result.set_unknown(std::iter::once(hidden.reason.clone()).chain(required).collect());
    result
}

fn blank(policy: &Policy, severity: Severity, subject: Subject) -> PolicyResult {
    PolicyResult {
        policy: policy.metadata.id.clone(),
        title: policy.metadata.title.clone(),
        severity,
        status: Status::Unknown,
        subject,
        labels: BTreeMap::new(),
        reason: None,
        reasons: Vec::new(),
        waiver: None,
        would_be: None,
        violations: Vec::new(),
        complete: false,
        doubts: Vec::new(),
        notes: Vec::new(),
        documents: policy.metadata.documents.clone(),
        origin: Origin { bundle: policy.origin.to_string(), digest: policy.digest.clone() },
    }
}

fn no_proof(policy: &Policy, what: &str) -> Reason {
    Reason::new(Code::NoProof, format!("{} could not prove {what} from what is known", policy.metadata.id))
}

/// Why a required kind may be missing somewhere the subject reaches.
fn missing(policy: &Policy, document: &Document, coverage: &Coverage) -> Vec<Reason> {
    let mut missing = Vec::new();
    for kind in &policy.metadata.requires {
        for scope in required_scopes(*kind, document) {
            missing.extend(coverage.incomplete(*kind, &scope));
        }
    }
    missing.dedup();
    missing
}

/// Children of a workspace matter for the subject's own workspace only; everything else for each subscription.
fn required_scopes(kind: Kind, document: &Document) -> Vec<ResourceId> {
    match &document.subject.workspace {
        Some(workspace) if kind.of_workspace() && document.subject.kind != SubjectKind::AksCluster => {
            vec![workspace.clone()]
        }
        // A subject that names no subscription may reach anywhere; "none" here would be vacuous.
        _ if document.subject.subscriptions.is_empty() => vec![ResourceId::root()],
        _ => document.subject.subscriptions.iter().map(|id| ResourceId::subscription_scope(id)).collect(),
    }
}

impl PolicyResult {
    fn set_unknown(&mut self, mut reasons: Vec<Reason>) {
        let mut seen = Vec::new();
        reasons.retain(|reason| {
            !seen.contains(reason) && {
                seen.push(reason.clone());
                true
            }
        });
        self.status = Status::Unknown;
        self.reason = reasons.first().cloned();
        self.reasons = reasons;
        self.complete = false;
    }

    /// The worst severity of the result: of the violations that stand, else of the waived ones, else the policy's.
    pub fn worst(&self) -> Severity {
        let worst = |waived: bool| {
            let of = self.violations.iter().filter(|violation| violation.waiver.is_some() == waived);
            of.map(|violation| violation.severity).max()
        };
        worst(false).or_else(|| worst(true)).unwrap_or(self.severity)
    }

    /// Why something about it is not known that no waiver accepts.
    pub fn open_reason(&self) -> Option<&Reason> {
        self.reason.as_ref().filter(|_| self.waiver.is_none())
    }

    /// Whether something about it is not known that no waiver accepts.
    pub fn undecided(&self) -> bool {
        self.status == Status::Unknown || self.open_reason().is_some()
    }

    /// The subscription that the result counts under; empty for scopes above subscriptions.
    pub fn subscription(&self) -> &str {
        self.subject.id.subscription().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_hangs_on_policy_subject_and_key_alone() {
        let id = |text: &str| ResourceId::parse(text).expect("an id");
        let one = fingerprint("AKS-001", &id("/subscriptions/S/resourceGroups/G"), "k");
        assert_eq!(one, fingerprint("AKS-001", &id("subscriptions/s/resourcegroups/g/"), "k"));
        assert_ne!(one, fingerprint("AKS-001", &id("/subscriptions/S/resourceGroups/G"), "l"));
        assert_ne!(fingerprint("A", &id("/b"), "c"), fingerprint("A/", &id("/b"), "c"));
        assert_eq!(one.len(), 32);
    }
}
