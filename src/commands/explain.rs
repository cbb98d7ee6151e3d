//! `mlfence explain POLICY`: the requirement, the documents behind it, and the fix.

use std::fmt::Write;

use crate::audit::Setup;
use crate::cli::{CLEAN, ExplainArguments};
use crate::policy::Policy;

use super::{Failure, print};

/// Runs the command.
pub fn run(arguments: &ExplainArguments) -> Result<u8, Failure> {
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
    print(&text(policy))?;
    Ok(CLEAN)
}

fn text(policy: &Policy) -> String {
    let metadata = &policy.metadata;
    let mut out = String::new();
    let mut paragraph = |title: &str, text: &str| {
        let options = textwrap::Options::new(96).initial_indent("  ").subsequent_indent("  ");
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{title}");
        for line in text.trim().lines() {
            let _ = writeln!(out, "{}", textwrap::fill(line, &options));
        }
        let _ = writeln!(out);
    };
    let requires: Vec<&str> = metadata.requires.iter().map(|kind| kind.name()).collect();
    let documents: Vec<String> = metadata
        .documents
        .iter()
        .map(|document| {
            let superseded = document.superseded.as_deref().map(|by| format!("; {by}")).unwrap_or_default();
            let at = document.url.as_deref().map(|url| format!("\n{url}")).unwrap_or_default();
            format!("{} ({}{superseded}){at}", document.title, document.revised)
        })
        .collect();
    paragraph(
        &format!("{} · {} · {}", metadata.id, metadata.severity, metadata.title),
        &unwrapped(&metadata.description),
    );
    paragraph(
        "judged on",
        &format!("each {}, from {}", metadata.subject.name().replace('_', " "), requires.join(", ")),
    );
    paragraph("documents", &documents.join("\n"));
    paragraph("what would fix a violation", &metadata.remediation);
    paragraph(
        "from",
        &format!(
            "{} policy {}, since {}, digest {}",
            policy.origin, policy.package, metadata.since, policy.digest
        ),
    );
    out
}

/// The lines of each paragraph as one, to be wrapped anew.
fn unwrapped(text: &str) -> String {
    let paragraphs =
        text.trim().split("\n\n").map(|paragraph| paragraph.lines().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
