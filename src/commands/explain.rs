//! `mlfence explain POLICY [RESOURCE]`: the requirement, the documents behind it, and the fix; for a resource the verdict,
//! what decided it, the fix with the real names, what that fix touches besides, and last every fact that was read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use time::OffsetDateTime;

use crate::audit::{PolicyArguments, Setup, facts_of, judge_and_release, waive};
use crate::cli::{CLEAN, ExplainArguments};
use crate::facts::{Touched, touched};
use crate::findings::judge::{Subject, Violation};
use crate::findings::remediation::Names;
use crate::findings::settle::settle;
use crate::findings::waivers::digest_of_reasons;
use crate::findings::{PolicyResult, Status, Waiver};
use crate::inventory::{Inventory, ResourceId, printable};
use crate::outlets::table::{waived, wrapped};
use crate::policy::Policy;
use crate::{snapshot_file, telemetry};

use super::{Failure, collect, print};

/// Columns of the page.
const WIDTH: usize = 96;

/// How many of a kind are named before the rest is only counted.
const LISTED: usize = 8;

/// Runs the command.
pub fn run(arguments: &ExplainArguments) -> Result<u8, Failure> {
    telemetry::start("warn", false);
    let more = PolicyArguments { waivers: arguments.waivers.clone(), ..arguments.setup.policy_arguments() };
    let setup = Setup::load(arguments.setup.config.as_deref(), &more)?;
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
    let Some(resource) = &arguments.resource else {
        page.documents(policy);
        page.paragraph("judged on", &judged_on(policy));
        page.paragraph("what would fix a violation", &policy.metadata.remediation);
        page.provenance(policy);
        print(&page.text)?;
        return Ok(CLEAN);
    };
    let mut snapshot = match &arguments.snapshot {
        Some(path) => snapshot_file::read(path)?,
        None => collect(&setup.config)?.snapshot,
    };
    let mut judged = judge_and_release(&setup, &mut snapshot, &BTreeSet::from([policy.metadata.id.clone()]));
    waive(&setup, &mut judged, OffsetDateTime::now_utc());
    let results: Vec<&PolicyResult> =
        judged.report.results.iter().filter(|result| concerns(result, resource)).collect();
    if results.is_empty() {
        let kind = policy.metadata.subject.name().replace('_', " ");
        let named: Vec<&str> = judged.report.results.iter().map(|result| result.subject.id.name()).collect();
        return Err(Failure::usage(format!(
            "{} judges no {kind} `{resource}` here; it judges: {}",
            policy.metadata.id,
            if named.is_empty() { "nothing".to_owned() } else { named.join(", ") }
        )));
    }
    for result in &results {
        page.verdict(policy, result, &judged.inventory);
    }
    page.documents(policy);
    page.paragraph("judged on", &judged_on(policy));
    for result in &results {
        if let Some(facts) = facts_of(&setup, &judged, &result.subject) {
            page.facts(&result.subject, &facts);
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

/// What a policy looks at.
fn judged_on(policy: &Policy) -> String {
    let metadata = &policy.metadata;
    let requires: Vec<String> = metadata.requires.iter().map(|kind| kind.name().replace('_', " ")).collect();
    format!("each {}, from {}", metadata.subject.name().replace('_', " "), requires.join(", "))
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn paragraph(&mut self, title: &str, text: &str) {
        // Writing into a String cannot fail.
        for line in wrapped(title, WIDTH) {
            let _ = writeln!(self.text, "{line}");
        }
        for line in text.trim().lines() {
            // What is named by `name = value` hangs below its name.
            let fact = line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
            let indent = if fact { 4 } else { 2 };
            for (at, line) in wrapped(line, WIDTH - indent).iter().enumerate() {
                let indent = if at == 0 { 2 } else { indent };
                let _ = writeln!(self.text, "{:indent$}{line}", "");
            }
            if line.trim().is_empty() {
                self.text.push('\n');
            }
        }
        let _ = writeln!(self.text);
    }

    fn requirement(&mut self, policy: &Policy) {
        let metadata = &policy.metadata;
        let title = format!("{} · {} · {}", metadata.id, metadata.severity, metadata.title);
        self.paragraph(&title, &unwrapped(&metadata.description));
    }

    fn documents(&mut self, policy: &Policy) {
        let told = policy.metadata.documents.iter().map(|document| {
            let superseded = document.superseded.as_deref().map(|by| format!("; {by}")).unwrap_or_default();
            let at = document.url.as_deref().map(|url| format!("\n{url}")).unwrap_or_default();
            format!("{} ({}{superseded}){at}", document.title, document.revised)
        });
        self.paragraph("documents", &told.collect::<Vec<_>>().join("\n"));
    }

    /// What is the matter, what decided it, what would fix it, and what the fix reaches besides.
    fn verdict(&mut self, policy: &Policy, result: &PolicyResult, inventory: &Inventory) {
        let title = title(result);
        let mut said = format!("{}\n", printable(result.subject.id.key()));
        for reason in &result.reasons {
            let _ = writeln!(said, "{}", printable(&reason.to_string()));
        }
        match result.status {
            Status::Pass => {
                said.push_str(
                    "compliance is proven by the facts below, and everything that it rests on was read\n",
                );
            }
            Status::NotApplicable => {
                said.push_str("the precondition is proven not to hold by the facts below\n")
            }
            Status::Fail | Status::Unknown | Status::Waived => {}
        }
        if let [violation] = result.violations.as_slice() {
            let _ = writeln!(said, "{}", message(result, violation));
        }
        let violated = result.status == Status::Fail || result.would_be == Some(Status::Fail);
        if violated && !result.complete {
            said.push_str("there may be more violations: not everything that this rests on is known\n");
        }
        for note in &result.notes {
            let _ = writeln!(said, "note: {}", printable(&note.message));
        }
        self.paragraph(&title, &said);
        if !result.reasons.is_empty() {
            let digest = digest_of_reasons(&result.reasons);
            self.waiver(result.waiver.as_ref(), "accepts: unknown", &digest);
        }
        for (at, violation) in result.violations.iter().enumerate() {
            if result.violations.len() > 1 {
                let title = format!("violation {} of {}", at + 1, result.violations.len());
                self.paragraph(&title, &message(result, violation));
            }
            self.violation(policy, result, violation, inventory);
        }
        let deeds: Vec<String> =
            settle(std::slice::from_ref(result)).deeds.iter().map(|deed| printable(&deed.action)).collect();
        if !deeds.is_empty() {
            self.paragraph("what would settle it", &deeds.join("\n"));
        }
    }

    fn violation(
        &mut self,
        policy: &Policy,
        result: &PolicyResult,
        violation: &Violation,
        inventory: &Inventory,
    ) {
        let mut decided = Vec::new();
        violation.evidence.iter().for_each(|(name, value)| flatten(name, value, &mut decided));
        if !decided.is_empty() {
            self.paragraph("what decided", &decided.join("\n"));
        }
        let key = format!("key: {}", printable(&violation.key));
        self.waiver(violation.waiver.as_ref(), &key, &violation.evidence_digest);
        self.paragraph("what would fix it", &violation.remediation);
        let names = Names::of(&result.subject, &violation.evidence, violation.resource.as_deref());
        let mut changed = names.resources(&policy.metadata.remediation);
        changed.extend(violation.resource.as_deref().and_then(ResourceId::parse));
        let mut lines = Vec::new();
        let mut unread = BTreeSet::new();
        for id in &changed {
            if let Some(touched) = touched(inventory, id) {
                lines.push(reach(id, &touched, &result.subject.id));
                unread.extend(touched.unread.map(|reason| printable(&reason.message)));
            }
        }
        lines.extend(unread.iter().map(|reason| format!("others may use it: {reason}")));
        if !lines.is_empty() {
            self.paragraph("what else that touches", &lines.join("\n"));
        }
    }

    /// The waiver that holds, or the lines by which one would accept just this.
    fn waiver(&mut self, waiver: Option<&Waiver>, what: &str, digest: &str) {
        let told = match waiver {
            None => "none; these lines would pin one to just this, until its facts change".to_owned(),
            Some(waiver) => {
                let pinned =
                    if waiver.evidence.is_some() { "pinned to" } else { "not pinned to its evidence" };
                let waived = printable(&waived(waiver));
                format!("{waived}\nat {}, {pinned}", printable(&waiver.at))
            }
        };
        self.paragraph("waiver", &format!("{told}\n{what}\nevidence: {digest}"));
    }

    fn facts(&mut self, subject: &Subject, facts: &Value) {
        let mut lines = Vec::new();
        flatten("", facts, &mut lines);
        self.paragraph(&format!("facts that policies read of {}", subject.id.name()), &lines.join("\n"));
    }

    fn provenance(&mut self, policy: &Policy) {
        let (since, digest) = (&policy.metadata.since, &policy.digest);
        self.paragraph(
            "from",
            &format!("{} policy {}, since {since}, digest {digest}", policy.origin, policy.package),
        );
    }
}

/// `FAIL · aks compute k8s-1 of workspace mlw-1`.
fn title(result: &PolicyResult) -> String {
    let subject = &result.subject;
    let status = match (result.status, result.would_be) {
        (Status::Fail, _) => "FAIL".to_owned(),
        (status, Some(would_be)) => format!("{}, would be {}", status.name(), would_be.name()),
        (status, None) => status.name().to_owned(),
    };
    let kind = subject.kind.name().replace('_', " ");
    if subject.hidden {
        return format!("{status} · {kind}s that may be hidden");
    }
    let of = subject.workspace.as_ref().filter(|workspace| **workspace != subject.id);
    let of = of.map(|workspace| format!(" of workspace {}", workspace.name())).unwrap_or_default();
    format!("{status} · {kind} {}{of}", subject.id.name())
}

/// What is wrong, with its severity where it is another than the policy's.
fn message(result: &PolicyResult, violation: &Violation) -> String {
    let message = printable(&violation.message);
    if violation.severity == result.severity { message } else { format!("{}: {message}", violation.severity) }
}

/// Whom a change of a resource reaches besides the subject, in one line.
fn reach(id: &ResourceId, touched: &Touched, subject: &ResourceId) -> String {
    let mut by_type: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for known in touched.known.iter().filter(|known| *known != subject) {
        by_type.entry(noun(known)).or_default().push(name_of(known));
    }
    let told: Vec<String> = by_type.iter().map(|(noun, names)| listed(*noun, names)).collect();
    let (what, name) = (noun(id).0, name_of(id));
    if told.is_empty() {
        let kinds: Vec<String> = touched.kinds.iter().map(|kind| kind.name().replace('_', " ")).collect();
        return format!(
            "changing the {what} {name} touches nothing else among the {} that were read",
            kinds.join(", ")
        );
    }
    format!("changing the {what} {name} also touches {}", told.join("; "))
}

/// `2 workspaces: mlw-1, mlw-2`.
fn listed((one, several): (&str, &str), names: &[String]) -> String {
    let shown = names.get(..LISTED).unwrap_or(names).join(", ");
    match names.len() {
        1 => format!("1 {one}: {shown}"),
        n if n > LISTED => format!("{n} {several}: {shown} and {} more", n - LISTED),
        n => format!("{n} {several}: {shown}"),
    }
}

/// A name that tells whose child it is: `vnet-1/snet-1`.
fn name_of(id: &ResourceId) -> String {
    match id.parent() {
        Some(parent) => printable(&format!("{}/{}", parent.name(), id.name())),
        None => printable(id.name()),
    }
}

/// What a resource is called, one and several.
fn noun(id: &ResourceId) -> (&'static str, &'static str) {
    match id.resource_type().as_deref() {
        Some("microsoft.network/virtualnetworks/subnets") => ("subnet", "subnets"),
        Some("microsoft.network/virtualnetworks") => ("VNet", "VNets"),
        Some("microsoft.network/networksecuritygroups") => ("NSG", "NSGs"),
        Some("microsoft.network/routetables") => ("route table", "route tables"),
        Some("microsoft.network/networkinterfaces") => ("network interface", "network interfaces"),
        Some("microsoft.network/privateendpoints") => ("private endpoint", "private endpoints"),
        Some("microsoft.compute/virtualmachinescalesets") => ("scale set", "scale sets"),
        Some("microsoft.containerservice/managedclusters") => ("cluster", "clusters"),
        Some("microsoft.containerinstance/containergroups") => ("container group", "container groups"),
        Some("microsoft.containerregistry/registries") => ("registry", "registries"),
        Some("microsoft.machinelearningservices/workspaces") => ("workspace", "workspaces"),
        None => ("resource group", "resource groups"),
        Some(_) => ("resource", "resources"),
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
            lines.push(format!("{path} is unknown: {}: {}", text("code"), printable(&text("message"))));
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
        Value::String(text) => printable(text),
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
