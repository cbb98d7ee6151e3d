//! `mlfence explain POLICY [RESOURCE]`: the requirement, the documents behind it, and the fix; for a resource also the
//! verdict and the facts that it rests on.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::audit::{Setup, facts_of, judge_snapshot};
use crate::cli::{CLEAN, ExplainArguments};
use crate::findings::{PolicyResult, Status};
use crate::inventory::ResourceId;
use crate::policy::Policy;
use crate::{snapshot_file, telemetry};

use super::{Failure, collect, print};

/// Runs the command.
pub fn run(arguments: &ExplainArguments) -> Result<u8, Failure> {
    telemetry::start("warn", false);
    let setup = Setup::load(arguments.setup.config.as_deref(), &arguments.setup.policy_arguments())?;
    let policies = setup.bundle.policies();
    let wanted = policies.iter().find(|policy| policy.metadata.id.eq_ignore_ascii_case(&arguments.policy));
    let Some(policy) = wanted else {
        let ids: Vec<&str> = policies.iter().map(|policy| policy.metadata.id.as_str()).collect();
        return Err(Failure::usage(format!(
            "there is no policy `{}`; the policies are {}",
            arguments.policy,
            ids.join(", ")
        )));
    };
    let mut page = Page::default();
    page.requirement(policy);
    if let Some(resource) = &arguments.resource {
        let snapshot = match &arguments.snapshot {
            Some(path) => snapshot_file::read(path)?,
            None => collect(&setup.config)?.snapshot,
        };
        let judged = judge_snapshot(&setup, &snapshot, &BTreeSet::from([policy.metadata.id.clone()]));
        let results: Vec<&PolicyResult> =
            judged.report.results.iter().filter(|result| concerns(result, resource)).collect();
        if results.is_empty() {
            let kind = policy.metadata.subject.name().replace('_', " ");
            let named: Vec<&str> =
                judged.report.results.iter().map(|result| result.subject.id.name()).collect();
            return Err(Failure::usage(format!(
                "{} judges no {kind} `{resource}` here; it judges: {}",
                policy.metadata.id,
                if named.is_empty() { "nothing".to_owned() } else { named.join(", ") }
            )));
        }
        for result in results {
            page.verdict(result, facts_of(&setup, &judged, &result.subject).as_ref());
        }
    }
    page.provenance(policy);
    print(&page.text)?;
    Ok(CLEAN)
}

/// Whether a result is about a resource: as its subject, as its workspace, or as what a violation points at.
fn concerns(result: &PolicyResult, resource: &str) -> bool {
    let is = |id: &ResourceId| {
        id.name().eq_ignore_ascii_case(resource) || ResourceId::parse(resource).as_ref() == Some(id)
    };
    is(&result.subject.id)
        || result.subject.workspace.as_ref().is_some_and(is)
        || result
            .violations
            .iter()
            .filter_map(|v| ResourceId::parse(v.resource.as_deref()?))
            .any(|id| is(&id))
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn paragraph(&mut self, title: &str, text: &str) {
        // Ids, flags and addresses break at blanks only, so that they can be copied.
        let options = textwrap::Options::new(96)
            .initial_indent("  ")
            .subsequent_indent("  ")
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        // Writing into a String cannot fail.
        let _ = writeln!(self.text, "{title}");
        for line in text.trim().lines() {
            let line: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            let _ = writeln!(self.text, "{}", textwrap::fill(&line, &options));
        }
        let _ = writeln!(self.text);
    }

    fn requirement(&mut self, policy: &Policy) {
        let metadata = &policy.metadata;
        let requires: Vec<&str> = metadata.requires.iter().map(|kind| kind.name()).collect();
        let documents: Vec<String> = metadata
            .documents
            .iter()
            .map(|document| {
                let superseded =
                    document.superseded.as_deref().map(|by| format!("; {by}")).unwrap_or_default();
                let at = document.url.as_deref().map(|url| format!("\n{url}")).unwrap_or_default();
                format!("{} ({}{superseded}){at}", document.title, document.revised)
            })
            .collect();
        let title = format!("{} · {} · {}", metadata.id, metadata.severity, metadata.title);
        self.paragraph(&title, &unwrapped(&metadata.description));
        let judged =
            format!("each {}, from {}", metadata.subject.name().replace('_', " "), requires.join(", "));
        self.paragraph("judged on", &judged);
        self.paragraph("documents", &documents.join("\n"));
        self.paragraph("what would fix a violation", &metadata.remediation);
    }

    fn verdict(&mut self, result: &PolicyResult, facts: Option<&Value>) {
        let subject = &result.subject;
        let status = if result.status == Status::Fail { "FAIL" } else { result.status.name() };
        let hidden = if subject.hidden { ", where subjects may be hidden" } else { "" };
        let mut said = String::new();
        for violation in &result.violations {
            let _ = writeln!(said, "{}: {}", violation.severity, violation.message);
            let mut evidence = Vec::new();
            violation.evidence.iter().for_each(|(name, value)| flatten(name, value, &mut evidence));
            for line in evidence {
                let _ = writeln!(said, "    {line}");
            }
        }
        for reason in &result.reasons {
            let _ = writeln!(said, "{reason}");
        }
        for note in &result.notes {
            let _ = writeln!(said, "note: {}", note.message);
        }
        if said.is_empty() {
            said.push_str(match result.status {
                Status::Pass => {
                    "compliance is proven by the facts below, and everything that it rests on was read"
                }
                _ => "the precondition is proven not to hold by the facts below",
            });
        }
        self.paragraph(&format!("{status} · {}{hidden}", subject.id), &said);
        if let Some(facts) = facts {
            let mut lines = Vec::new();
            flatten("", facts, &mut lines);
            self.paragraph("facts that policies read of it", &lines.join("\n"));
        }
    }

    fn provenance(&mut self, policy: &Policy) {
        let (since, digest) = (&policy.metadata.since, &policy.digest);
        self.paragraph(
            "from",
            &format!("{} policy {}, since {since}, digest {digest}", policy.origin, policy.package),
        );
    }
}

/// The leaves of the facts, one a line: `workspace.private_endpoint = true`. What nobody declared is left out.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fact) if fact.len() == 1 && fact.contains_key("value") => {
            fact.values().for_each(|value| flatten(path, value, lines));
        }
        Value::Object(fact) if fact.len() == 1 && fact.contains_key("unknown") => {
            let text = |key: &str| fact["unknown"][key].as_str().unwrap_or_default().to_owned();
            lines.push(format!("{path} is unknown: {}: {}", text("code"), text("message")));
        }
        Value::Object(object) => {
            for (key, value) in object {
                let meta = path.is_empty() && matches!(key.as_str(), "schema" | "subject");
                let undeclared = key == "expectations" || path.ends_with("expectations");
                if !(meta || undeclared && value.is_null()) {
                    flatten(&below(key), value, lines);
                }
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object()) => {
            items.iter().enumerate().for_each(|(at, item)| flatten(&format!("{path}[{at}]"), item, lines));
        }
        value => lines.push(format!("{path} = {}", shown(value))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}

/// The lines of each paragraph as one, to be wrapped anew.
fn unwrapped(text: &str) -> String {
    let paragraphs =
        text.trim().split("\n\n").map(|paragraph| paragraph.lines().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
