//! A policy as it is told to people and programs, with what the configuration makes of it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::facts::SubjectKind;
use crate::inventory::Kind;
use crate::severity::Severity;

use super::{DocumentRef, Policy};

/// A policy in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Listed {
    /// The stable id, such as `ACI-001`.
    pub id: String,
    /// The requirement in a few words.
    pub title: String,
    /// The requirement, why it exists, and how it is judged.
    pub description: String,
    /// How bad a violation is, as configured.
    pub severity: Severity,
    /// Whether it is judged; the configuration can switch it off.
    pub enabled: bool,
    /// What it judges.
    pub subject: SubjectKind,
    /// The kinds of record without which neither pass nor not_applicable may stand.
    pub requires: Vec<Kind>,
    /// The documents that state the requirement.
    pub documents: Vec<DocumentRef>,
    /// What would fix a violation, with placeholders in angle brackets.
    pub remediation: String,
    /// The version of mlfence that brought the policy.
    pub since: String,
    /// Where it came from.
    pub origin: ListedOrigin,
}

/// Where a listed policy came from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListedOrigin {
    /// `shipped`, or the folder that it was loaded from.
    pub bundle: String,
    /// SHA-256 of its text and of the libraries that it imports.
    pub digest: String,
}

impl Listed {
    /// A policy with the severity that the configuration gives it.
    pub fn of(policy: &Policy, severity: Severity, enabled: bool) -> Self {
        let metadata = &policy.metadata;
        Self {
            id: metadata.id.clone(),
            title: metadata.title.clone(),
            description: metadata.description.clone(),
            severity,
            enabled,
            subject: metadata.subject,
            requires: metadata.requires.clone(),
            documents: metadata.documents.clone(),
            remediation: metadata.remediation.clone(),
            since: metadata.since.clone(),
            origin: ListedOrigin { bundle: policy.origin.to_string(), digest: policy.digest.clone() },
        }
    }
}
