//! The report as text for people: by workspace, worst first, then what could not be read and what would settle it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::findings::{PolicyResult, Report, Status};
use crate::inventory::{Gap, ResourceId};
use crate::severity::Severity;

/// How the text is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colours may be used.
    pub color: bool,
}

/// Writes the report. Passes and not-applicables are counted, not listed, unless the results were filtered to them.
pub fn render(report: &Report, layout: Layout) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_report(&mut out, report, layout);
    out
}

fn write_report(out: &mut String, report: &Report, layout: Layout) -> fmt::Result {
    let summary = &report.summary;
    writeln!(
        out,
        "{} in {}, {} records, taken {}",
        plural(summary.workspaces, "workspace"),
        plural(summary.subscriptions, "subscription"),
        summary.records,
        report.taken_at
    )?;
    for (name, results) in groups(report) {
        writeln!(out)?;
        write_group(out, &name, &results, layout)?;
    }
    write_gaps(out, &report.gaps, layout)?;
    write_settle(out, report, layout)?;
    writeln!(out)?;
    writeln!(out, "{}", totals(report))
}

/// The results by workspace, the worst first. A cluster that several workspaces share, and what is hidden, stand
/// under names of their own.
fn groups(report: &Report) -> Vec<(String, Vec<&PolicyResult>)> {
    let mut groups: BTreeMap<String, Vec<&PolicyResult>> = BTreeMap::new();
    for result in &report.results {
        let subject = &result.subject;
        let name = match &subject.workspace {
            Some(workspace) => place(workspace, "workspace"),
            None if subject.hidden => "not visible".to_owned(),
            None => place(&subject.id, "shared or unassigned"),
        };
        groups.entry(name).or_default().push(result);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    let badness = |results: &[&PolicyResult]| {
        let of = |status, severity| results.iter().filter(|r| r.status == status && r.worst() == severity).count();
        let fails = Severity::WORST_FIRST.map(|severity| of(Status::Fail, severity));
        (fails, Severity::WORST_FIRST.map(|severity| of(Status::Unknown, severity)))
    };
    groups.sort_by(|(a, x), (b, y)| badness(y).cmp(&badness(x)).then_with(|| a.cmp(b)));
    groups
}

fn place(id: &ResourceId, what: &str) -> String {
    let subscription = id.subscription().unwrap_or("-");
    let group = id.resource_group_name().unwrap_or("-");
    format!("{what} {}  (resource group {group}, subscription {subscription})", id.name())
}

fn write_group(out: &mut String, name: &str, results: &[&PolicyResult], layout: Layout) -> fmt::Result {
    writeln!(out, "{}", paint(name, "1", layout))?;
    let mut listed: Vec<&&PolicyResult> =
        results.iter().filter(|r| !matches!(r.status, Status::Pass | Status::NotApplicable)).collect();
    listed.sort_by_key(|r| (r.status, std::cmp::Reverse(r.worst()), r.policy.clone(), r.subject.clone()));
    for result in listed {
        write_result(out, result, layout)?;
    }
    for status in [Status::Pass, Status::NotApplicable] {
        let mut policies: BTreeMap<&str, usize> = BTreeMap::new();
        for result in results.iter().filter(|result| result.status == status) {
            *policies.entry(result.policy.as_str()).or_default() += 1;
        }
        if !policies.is_empty() {
            let list: Vec<String> =
                policies.iter().map(|(id, n)| if *n == 1 { (*id).to_owned() } else { format!("{id} ×{n}") }).collect();
            let label = if status == Status::Pass { "pass" } else { "n/a" };
            let color = if status == Status::Pass { "32" } else { "2" };
            write_wrapped(out, &format!("  {}", paint(&format!("{label:<8}"), color, layout)), 10, &list.join(", "), layout)?;
        }
    }
    Ok(())
}

fn write_result(out: &mut String, result: &PolicyResult, layout: Layout) -> fmt::Result {
    let (label, color) = match result.status {
        Status::Fail => ("FAIL", if result.worst() >= Severity::High { "1;31" } else { "31" }),
        Status::Unknown => ("unknown", "33"),
        Status::Waived => ("waived", "36"),
        Status::Pass => ("pass", "32"),
        Status::NotApplicable => ("n/a", "2"),
    };
    let subject = if result.subject.hidden { result.subject.id.to_string() } else { result.subject.id.name().to_owned() };
    let head = format!("  {} {:<9}{:<9}", paint(&format!("{label:<8}"), color, layout), result.worst().name(), result.policy);
    write_wrapped(out, &head, 29, &format!("{} · {subject}", result.title), layout)?;
    for violation in &result.violations {
        write_wrapped(out, "", 11, &violation.message, layout)?;
        write_wrapped(out, "", 11, &format!("fix: {}", violation.remediation.trim()), layout)?;
    }
    for reason in &result.reasons {
        write_wrapped(out, "", 11, &format!("{}: {}", reason.code.name(), reason.message), layout)?;
    }
    for note in &result.notes {
        write_wrapped(out, "", 11, &format!("note: {}", note.message), layout)?;
    }
    Ok(())
}

fn write_gaps(out: &mut String, gaps: &[Gap], layout: Layout) -> fmt::Result {
    if gaps.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", paint("not read", "1", layout))?;
    // Many kinds with one cause are one line.
    let mut causes: BTreeMap<(String, String), Vec<&Gap>> = BTreeMap::new();
    for gap in gaps {
        let reason = crate::inventory::Code::from(gap.reason).name().to_owned();
        causes.entry((gap.scope.to_string(), reason)).or_default().push(gap);
    }
    for ((scope, reason), gaps) in causes {
        let kinds: Vec<&str> = gaps.iter().map(|gap| gap.source.name()).collect();
        write_wrapped(out, "  ", 2, &format!("{scope}: {reason}: {}", kinds.join(", ")), layout)?;
        let details: std::collections::BTreeSet<&str> =
            gaps.iter().map(|gap| gap.detail.as_str()).filter(|detail| !detail.is_empty()).collect();
        for detail in details.iter().take(1) {
            write_wrapped(out, "", 4, detail, layout)?;
        }
        if details.len() > 1 {
            writeln!(out, "    (and {} more; --format json lists them)", details.len() - 1)?;
        }
    }
    Ok(())
}

fn write_settle(out: &mut String, report: &Report, layout: Layout) -> fmt::Result {
    let Some(headline) = report.settlement.headline() else { return Ok(()) };
    writeln!(out)?;
    writeln!(out, "{}", paint(&headline, "1", layout))?;
    for deed in &report.settle {
        write_wrapped(out, &format!("  {:>4}  ", deed.unknowns), 8, &deed.action, layout)?;
    }
    Ok(())
}

fn totals(report: &Report) -> String {
    let status: Vec<String> = Status::ALL
        .iter()
        .map(|status| (report.count(*status), status))
        .filter(|(n, status)| *n > 0 || **status == Status::Fail)
        .map(|(n, status)| format!("{n} {}", status.name().replace('_', " ")))
        .collect();
    status.join(" · ")
}

/// Writes a text behind `head` (whose visible width is `indent`), wrapped to the terminal.
fn write_wrapped(out: &mut String, head: &str, indent: usize, text: &str, layout: Layout) -> fmt::Result {
    let width = layout.width.saturating_sub(indent).max(30);
    let mut head = if head.is_empty() { " ".repeat(indent) } else { head.to_owned() };
    for line in text.lines() {
        for line in textwrap::wrap(line, options(width)) {
            writeln!(out, "{head}{line}")?;
            head = " ".repeat(indent);
        }
    }
    Ok(())
}

/// Ids and commands are broken at blanks only, so that they can be copied.
fn options(width: usize) -> textwrap::Options<'static> {
    textwrap::Options::new(width)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false)
}

fn paint(text: &str, code: &str, layout: Layout) -> String {
    if layout.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
