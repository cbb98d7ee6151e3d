//! The form of an event: CloudEvents 1.0 in JSON. Which events there are is left to `post`.
//!
//! Names and texts come from Azure. They are cut where they are too long, and hold no control characters and none that turn
//! the direction of writing, for they end in tickets and chats.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use crate::findings::PolicyResult;
use crate::findings::judge::Violation;
use crate::findings::ledger::stamp;
use crate::findings::ledger::{Finding, Resolved};
use crate::inventory::printable;
use crate::severity::Severity;

/// The longest text, in characters.
const LONGEST_TEXT: usize = 4096;
/// The longest name, in characters. ARM ids are shorter.
const LONGEST_NAME: usize = 1024;
/// The longest evidence, in bytes of JSON. CloudEvents asks everybody to take events of 64 KiB.
const LONGEST_EVIDENCE: usize = 16 << 10;
/// Findings that a digest lists.
const LISTED: usize = 200;

/// An event, as it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: &'static str,
    /// The same each time this event is sent, and no other event's.
    pub id: String,
    /// `mlfence.finding.opened`, `.reopened`, `.changed` or `.resolved`, or `mlfence.findings.digest`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The daemon's address, or else `/mlfence/` and its ledger's id.
    pub source: String,
    /// The ARM id of the resource, in lower case; none for a digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When the sweep ended that saw the change; RFC 3339, UTC.
    pub time: String,
    /// Always `application/json`.
    pub datacontenttype: &'static str,
    /// What happened.
    pub data: Data,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Data {
    /// `opened`, `reopened`, `changed`, `resolved` or `digest`.
    pub change: &'static str,
    /// The number of the sweep that saw it.
    pub sweep: i64,
    /// The finding as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<Told>,
    /// The first findings, instead of an event for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Told {
    /// Its fingerprint: the same as long as there is such a finding, whatever becomes of it.
    pub id: String,
    /// The policy's id.
    pub policy: String,
    /// What tells it from the subject's other findings of this policy.
    pub key: String,
    /// The requirement; none if the policy is gone.
    pub title: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// How bad it was before; told if that changed.
    pub severity_before: Option<Severity>,
    /// `open` or `resolved`.
    pub state: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The deciding facts; none if it was not seen in this sweep, or if they are too long.
    pub evidence: Option<Map<String, Value>>,
    /// Their digest, to pin a waiver to.
    pub evidence_digest: String,
    /// What would fix it.
    pub remediation: String,
    /// The documents behind the policy.
    pub documents: Vec<Document>,
    /// The kind of the resource that violates the policy.
    pub subject_kind: &'static str,
    /// Its ARM id, in lower case.
    pub subject: String,
    /// The resource to look at, if it is another.
    pub resource: Option<String>,
    /// The workspace that it belongs to.
    pub workspace: Option<String>,
    /// When it was seen for the first time; RFC 3339, UTC, as all times.
    pub first_seen: String,
    /// When it was opened, or opened again.
    pub opened_at: String,
    /// When a sweep last saw it.
    pub confirmed_at: String,
    /// How often it came back.
    pub reopened: u32,
    /// When it was resolved.
    pub resolved_at: Option<String>,
    /// Why: `fixed`, `resource_deleted`, `waived`, `policy_removed` or `out_of_scope`.
    pub resolution: Option<&'static str>,
    /// Where people read of it.
    pub link: Option<String>,
}

/// A document behind a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// Its address.
    pub url: Option<String>,
}

/// The first findings of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Digest {
    /// How many of each severity there are; those of critical severity have events of their own besides.
    pub counts: Map<String, Value>,
    /// The worst ones, at most 200.
    pub findings: Vec<Listed>,
    /// How many more there are.
    pub more: usize,
    /// Where people read of them.
    pub link: Option<String>,
}

/// A finding in a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Listed {
    /// Its fingerprint.
    pub id: String,
    /// The policy's id.
    pub policy: String,
    /// How bad it is.
    pub severity: Severity,
    /// The ARM id of the resource, in lower case.
    pub subject: String,
}

/// What all events of a sweep have in common.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The ledger's id.
    pub ledger: &'a str,
    /// The sweep's number.
    pub sweep: i64,
    /// When it ended; seconds since 1970.
    pub at: i64,
    /// Where people find the daemon.
    pub link: Option<&'a Url>,
}

impl Envelope<'_> {
    /// The id of this sweep's event about something. A ledger that was put back from a copy counts its sweeps again, but not
    /// at the same time. No full stop is in it, which parts what is signed.
    pub(super) fn id(&self, of: &str) -> String {
        format!("{}-{}-{}-{of}", self.ledger, self.sweep, self.at)
    }

    pub(super) fn event(&self, id: String, kind: &str, subject: Option<String>, data: Data) -> CloudEvent {
        CloudEvent {
            specversion: "1.0",
            id,
            kind: format!("mlfence.{kind}"),
            source: match self.link {
                Some(link) => link.to_string(),
                None => format!("/mlfence/{}", self.ledger),
            },
            subject,
            time: stamp(self.at),
            datacontenttype: "application/json",
            data,
        }
    }

    fn page(&self, path: &str) -> Option<String> {
        let mut link = self.link?.clone();
        link.set_path(&format!("{}/{path}", link.path().trim_end_matches('/')));
        Some(link.to_string())
    }

    /// A finding as it is told, with what the report of the sweep says of it.
    pub(super) fn told(
        &self,
        id: &str,
        finding: &Finding,
        resolved: Option<&Resolved>,
        policy: Option<&PolicyResult>,
        seen: Option<&Violation>,
    ) -> Told {
        let documents = policy.map_or(&[][..], |result| &result.documents);
        Told {
            id: id.to_owned(),
            policy: text(&finding.policy),
            key: text(&finding.key),
            title: policy.map(|result| text(&result.title)),
            severity: finding.severity,
            severity_before: None,
            state: if resolved.is_some() { "resolved" } else { "open" },
            message: text(&finding.message),
            evidence: seen.and_then(|violation| evidence(&violation.evidence)),
            evidence_digest: finding.evidence.clone(),
            remediation: text(&finding.remediation),
            documents: documents
                .iter()
                .map(|document| Document { title: text(&document.title), url: document.url.clone() })
                .collect(),
            subject_kind: finding.subject.kind.name(),
            subject: name(&finding.subject.id.to_string()),
            resource: finding.resource.as_deref().map(name),
            workspace: finding.subject.workspace.as_ref().map(|id| name(&id.to_string())),
            first_seen: stamp(finding.first_seen),
            opened_at: stamp(finding.opened_at),
            confirmed_at: stamp(finding.confirmed_at),
            reopened: finding.reopened,
            resolved_at: resolved.map(|resolved| stamp(resolved.at)),
            resolution: resolved.map(|resolved| resolved.resolution.name()),
            link: self.page(&format!("findings/{id}")),
        }
    }

    pub(super) fn digest(&self, mut findings: Vec<(&String, &Finding)>) -> Digest {
        let count = |severity| findings.iter().filter(|(_, finding)| finding.severity == severity).count();
        let counts = Severity::WORST_FIRST
            .iter()
            .map(|severity| (severity.name().to_owned(), count(*severity).into()));
        let counts = counts.collect();
        findings.sort_by_key(|(id, finding)| (std::cmp::Reverse(finding.severity), *id));
        let listed = |(id, finding): &(&String, &Finding)| Listed {
            id: (*id).clone(),
            policy: text(&finding.policy),
            severity: finding.severity,
            subject: name(&finding.subject.id.to_string()),
        };
        Digest {
            counts,
            findings: findings.iter().take(LISTED).map(listed).collect(),
            more: findings.len().saturating_sub(LISTED),
            link: self.page(""),
        }
    }
}

/// The deciding facts, if they are short enough for an event.
fn evidence(facts: &Map<String, Value>) -> Option<Map<String, Value>> {
    let facts: Map<String, Value> =
        facts.iter().map(|(key, value)| (text(key), clean_value(value))).collect();
    let length = serde_json::to_string(&facts).map_or(usize::MAX, |json| json.len());
    (length <= LONGEST_EVIDENCE).then_some(facts)
}

fn clean_value(value: &Value) -> Value {
    match value {
        Value::String(value) => text(value).into(),
        Value::Array(values) => values.iter().map(clean_value).collect(),
        Value::Object(values) => {
            Value::Object(values.iter().map(|(key, value)| (text(key), clean_value(value))).collect())
        }
        other => other.clone(),
    }
}

/// A text for people, which may have lines.
fn text(value: &str) -> String {
    let lines: Vec<String> = value.split('\n').map(|line| clean(&line.replace('\t', " "))).collect();
    cut(&lines.join("\n"), LONGEST_TEXT)
}

/// A name on one line.
fn name(value: &str) -> String {
    cut(&clean(value), LONGEST_NAME)
}

/// What can be printed on one line. What Unicode calls no character is none in a CloudEvent either.
fn clean(value: &str) -> String {
    let none =
        |c: char| matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff) || ('\u{fdd0}'..='\u{fdef}').contains(&c);
    printable(value).chars().map(|c| if none(c) { '\u{fffd}' } else { c }).collect()
}

fn cut(value: &str, longest: usize) -> String {
    match value.char_indices().nth(longest) {
        Some(_) => value.chars().take(longest - 1).chain(['…']).collect(),
        None => value.to_owned(),
    }
}
