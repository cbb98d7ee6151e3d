//! The `# METADATA` block above a policy's `package`: its form, and every problem of it with its line.
//!
//! The engine drops comments, so the block is read here. Its outer keys are OPA's, so that `opa inspect`
//! reads it too; what is mlfence's own stands under `custom`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::facts::SubjectKind;
use crate::inventory::Kind;
use crate::severity::Severity;
use crate::yaml::{self, Node, Table};

/// What a policy says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// The stable id, such as `ACI-001`; never used twice.
    pub id: String,
    /// The requirement in a few words.
    pub title: String,
    /// The requirement, why it exists, and how it is judged.
    pub description: String,
    /// How bad a violation is; a single violation may be less bad, never worse.
    pub severity: Severity,
    /// What the policy judges.
    pub subject: SubjectKind,
    /// The kinds of record without which neither pass nor not_applicable may stand.
    pub requires: Vec<Kind>,
    /// The documents that state the requirement.
    pub documents: Vec<DocumentRef>,
    /// What would fix a violation, with placeholders in angle brackets, such as `<cluster-rg>`.
    pub remediation: String,
    /// The version of mlfence that brought the policy.
    pub since: String,
    /// Further reading.
    pub related_resources: Vec<RelatedResource>,
}

/// A document that states a requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DocumentRef {
    /// A short name of the document.
    pub key: Option<String>,
    /// Its title, and the section where that helps.
    pub title: String,
    /// Its address.
    pub url: Option<String>,
    /// The revision that was read: a date, or several.
    pub revised: String,
    /// By what it was superseded; none if it still holds.
    pub superseded: Option<String>,
}

/// Further reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelatedResource {
    /// Its address.
    pub r#ref: String,
    /// What it is.
    pub description: Option<String>,
}

/// Reads the block above `package`, which stands on `package_line`. Problems carry the lines of the file.
pub(super) fn read(text: &str, package_line: usize) -> Result<Metadata, Vec<(usize, String)>> {
    let above: Vec<&str> = text.lines().take(package_line.saturating_sub(1)).collect();
    let comments = above.iter().rev().take_while(|line| line.starts_with('#')).count();
    let first = above.len() - comments;
    let marker = above.iter().skip(first).position(|line| line.trim_end() == "# METADATA");
    let Some(marker) = marker.map(|at| first + at) else {
        let message = "a comment block `# METADATA` must stand right above `package`".to_owned();
        return Err(vec![(package_line, message)]);
    };
    let block: Vec<&str> = above
        .iter()
        .skip(marker + 1)
        .map(|line| {
            let bare = line.strip_prefix('#').unwrap_or(line);
            bare.strip_prefix(' ').unwrap_or(bare)
        })
        .collect();
    // The first line of the block follows the marker, whose line is `marker + 1` counted from one.
    let offset = marker + 1;
    match yaml::read(&block.join("\n"), metadata) {
        (Some(Some(metadata)), problems) if problems.is_empty() => Ok(metadata),
        (_, problems) if problems.is_empty() => Err(vec![(offset, "the metadata cannot be read".to_owned())]),
        (_, problems) => Err(problems
            .into_iter()
            .map(|problem| {
                let message = match problem.path.as_str() {
                    "" => format!("metadata: {}", problem.message),
                    path => format!("metadata: {path}: {}", problem.message),
                };
                (offset + problem.line, message)
            })
            .collect()),
    }
}

fn metadata(node: &Node<'_>) -> Option<Metadata> {
    let mut outer = node.table()?;
    let title = required(&mut outer, node, "title").and_then(|title| title.string());
    let description = required(&mut outer, node, "description").and_then(|text| text.string());
    if let Some(scope) = outer.take("scope") {
        scope.one_of(&[("package", ())]);
    }
    let related_resources = outer.take("related_resources").map(|list| list.list_of(related_resource));
    let custom = required(&mut outer, node, "custom").and_then(|node| custom(&node));
    outer.finish();
    let custom = custom?;
    Some(Metadata {
        id: custom.id,
        title: title?.trim().to_owned(),
        description: description?.trim().to_owned(),
        severity: custom.severity,
        subject: custom.subject,
        requires: custom.requires,
        documents: custom.documents,
        remediation: custom.remediation,
        since: custom.since,
        related_resources: related_resources.unwrap_or_default(),
    })
}

struct Custom {
    id: String,
    severity: Severity,
    subject: SubjectKind,
    requires: Vec<Kind>,
    documents: Vec<DocumentRef>,
    remediation: String,
    since: String,
}

fn custom(node: &Node<'_>) -> Option<Custom> {
    let mut table = node.table()?;
    let id = required(&mut table, node, "id").and_then(|node| node.parsed::<PolicyId>());
    let severity = required(&mut table, node, "severity").and_then(|node| node.parsed::<Severity>());
    let subjects = SubjectKind::ALL.map(|kind| (kind.name(), kind));
    let subject = required(&mut table, node, "subject").and_then(|node| node.one_of(&subjects));
    let kinds: Vec<(&str, Kind)> = Kind::ALL.iter().map(|kind| (kind.name(), *kind)).collect();
    let requires = required(&mut table, node, "requires").map(|node| {
        let requires = node.list_of(|kind| kind.one_of(&kinds));
        if node.list().is_empty() {
            node.problem("must name at least one kind of record");
        }
        requires
    });
    let documents = required(&mut table, node, "documents").map(|node| {
        let documents = node.list_of(document);
        if node.list().is_empty() {
            node.problem("must name the document that states the requirement");
        }
        documents
    });
    let remediation = required(&mut table, node, "remediation").and_then(|node| remediation(&node));
    let since = required(&mut table, node, "since").and_then(|node| node.parsed::<Version>());
    table.finish();
    Some(Custom {
        id: id?.0,
        severity: severity?,
        subject: subject?,
        requires: requires?,
        documents: documents?,
        remediation: remediation?.trim().to_owned(),
        since: since?.0,
    })
}

/// A text whose angle brackets are placeholders: a bracket that is none would go into people's shells as it stands.
fn remediation(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    for line in text.lines() {
        for (at, _) in line.match_indices('<') {
            let (before, rest) = line.split_at_checked(at).unwrap_or_default();
            let shown: String = rest.chars().take(24).collect();
            let within = |quote| before.matches(quote).count() % 2 == 1;
            if placeholder(rest).is_none() {
                node.problem(format!(
                    "`{shown}` begins no placeholder: within `<` and `>` stand lower-case letters and dashes, such as \
                     <cluster-rg>; policies/README.md tells which are filled in"
                ));
            } else if line.starts_with("az ") && (within('\'') || within('"')) {
                node.problem(format!(
                    "`{shown}` stands within quotes; a value that needs quotes brings its own, and two pairs undo each \
                     other in a shell"
                ));
            }
        }
    }
    Some(text)
}

/// The placeholder that a text begins with, and what follows it: `cluster-rg` and ` -n` of `<cluster-rg> -n`.
pub fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    plain.then_some((name, after))
}

fn document(node: &Node<'_>) -> Option<DocumentRef> {
    let mut table = node.table()?;
    let key = table.take("key").and_then(|node| node.string());
    let title = required(&mut table, node, "title").and_then(|node| node.string());
    let url = table.take("url").and_then(|node| address(&node));
    let revised = required(&mut table, node, "revised").and_then(|node| node.string());
    let superseded = table.take("superseded").and_then(|node| node.string());
    table.finish();
    Some(DocumentRef { key, title: title?, url, revised: revised?, superseded })
}

fn related_resource(node: &Node<'_>) -> Option<RelatedResource> {
    let mut table = node.table()?;
    let r#ref = required(&mut table, node, "ref").and_then(|node| address(&node));
    let description = table.take("description").and_then(|node| node.string());
    table.finish();
    Some(RelatedResource { r#ref: r#ref?, description })
}

fn required<'a>(table: &mut Table<'a>, node: &Node<'a>, key: &'static str) -> Option<Node<'a>> {
    let found = table.take(key);
    if found.is_none() {
        node.problem(format!("`{key}` is missing"));
    }
    found
}

fn address(node: &Node<'_>) -> Option<String> {
    let address = node.string()?;
    if address.starts_with("https://") && !address.contains(char::is_whitespace) {
        return Some(address);
    }
    node.problem("must be an address that begins with https://");
    None
}

/// `DOMAIN-NNN`.
struct PolicyId(String);

impl FromStr for PolicyId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let fits = text.split_once('-').is_some_and(|(domain, number)| {
            !domain.is_empty()
                && domain.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
                && number.len() == 3
                && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if fits { Ok(Self(text.to_owned())) } else { Err(Malformed("an id looks like ACI-001")) }
    }
}

/// `MAJOR.MINOR.PATCH`.
struct Version(String);

impl FromStr for Version {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let parts: Vec<&str> = text.split('.').collect();
        let number = |part: &&str| part.parse::<u32>().is_ok_and(|number| number.to_string() == **part);
        let fits = parts.len() == 3 && parts.iter().all(number);
        if fits { Ok(Self(text.to_owned())) } else { Err(Malformed("a version looks like 0.1.0")) }
    }
}

struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
