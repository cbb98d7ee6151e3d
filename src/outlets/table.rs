//! The report as text for people: by workspace, worst first, then what could not be read, what would settle it, and the
//! waivers that somebody should look at.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::findings::waivers::{Accepts, Standing, State};
use crate::findings::{PolicyResult, Report, Status, Waiver};
use crate::inventory::{Gap, ResourceId, printable};
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
        "{} in {}{}, {}, taken {}",
        plural(summary.workspaces, "workspace"),
        plural(summary.subscriptions, "subscription"),
        incomplete(report),
        plural(summary.records, "record"),
        printable(&report.taken_at)
    )?;
    for (name, results) in groups(report) {
        writeln!(out)?;
        write_group(out, &name, &results, layout)?;
    }
    write_gaps(out, &report.gaps, layout)?;
    write_settle(out, report, layout)?;
    write_waivers(out, &report.waivers, layout)?;
    writeln!(out)?;
    writeln!(out, "{}", totals(report))
}

/// How many subscriptions were not read completely.
fn incomplete(report: &Report) -> String {
    let named = report.gaps.iter().filter_map(|gap| gap.scope.subscription());
    let some = named.collect::<std::collections::BTreeSet<_>>().len();
    let everywhere = report.gaps.iter().any(|gap| gap.scope.subscription().is_none());
    match if everywhere { report.summary.subscriptions } else { some } {
        0 => String::new(),
        n => format!(" ({n} of them not read completely)"),
    }
}

/// The results by workspace, the worst first. A cluster that several workspaces share, and what is hidden, stand
/// under names of their own.
fn groups(report: &Report) -> Vec<(String, Vec<&PolicyResult>)> {
    let mut groups: BTreeMap<String, Vec<&PolicyResult>> = BTreeMap::new();
    for result in &report.results {
        let subject = &result.subject;
        let name = match &subject.workspace {
            Some(workspace) => place(report, workspace, &format!("workspace {}", workspace.name())),
            None if subject.hidden => format!("not visible in {}", known_as(report, &subject.id)),
            None => place(
                report,
                &subject.id,
                &format!("{} {}, of several workspaces or none", subject.kind.name(), subject.id.name()),
            ),
        };
        groups.entry(name).or_default().push(result);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    let badness = |results: &[&PolicyResult]| {
        let of =
            |status, severity| results.iter().filter(|r| r.status == status && r.worst() == severity).count();
        let fails = Severity::WORST_FIRST.map(|severity| of(Status::Fail, severity));
        (fails, Severity::WORST_FIRST.map(|severity| of(Status::Unknown, severity)))
    };
    groups.sort_by(|(a, x), (b, y)| badness(y).cmp(&badness(x)).then_with(|| a.cmp(b)));
    groups
}

fn place(report: &Report, id: &ResourceId, what: &str) -> String {
    format!("{what}  (resource group {}, {})", id.resource_group_name().unwrap_or("-"), known_as(report, id))
}

/// A scope's subscription by the name that people know it by, with its guid.
fn known_as(report: &Report, scope: &ResourceId) -> String {
    match scope.subscription() {
        Some(guid) => match report.subscriptions.get(guid) {
            Some(name) if !name.is_empty() => format!("subscription {name}, {guid}"),
            _ => format!("subscription {guid}"),
        },
        None => scope.to_string(),
    }
}

fn write_group(out: &mut String, name: &str, results: &[&PolicyResult], layout: Layout) -> fmt::Result {
    writeln!(out, "{}", paint(&printable(name), "1", layout))?;
    let mut listed: Vec<&PolicyResult> = results
        .iter()
        .copied()
        .filter(|r| !matches!(r.status, Status::Pass | Status::NotApplicable))
        .collect();
    listed.sort_by_key(|r| (r.status, std::cmp::Reverse(r.worst()), r.policy.clone(), r.subject.clone()));
    while let Some(first) = listed.first().copied() {
        let (same, rest): (Vec<_>, Vec<_>) = listed.iter().copied().partition(|other| alike(first, other));
        write_results(out, if same.is_empty() { std::slice::from_ref(&first) } else { &same }, layout)?;
        listed = rest.into_iter().filter(|other| !std::ptr::eq(*other, first)).collect();
    }
    for status in [Status::Pass, Status::NotApplicable] {
        let mut policies: BTreeMap<&str, usize> = BTreeMap::new();
        for result in results.iter().filter(|result| result.status == status) {
            *policies.entry(result.policy.as_str()).or_default() += 1;
        }
        if !policies.is_empty() {
            let list: Vec<String> = policies
                .iter()
                .map(|(id, n)| if *n == 1 { (*id).to_owned() } else { format!("{id} ×{n}") })
                .collect();
            let label = if status == Status::Pass { "pass" } else { "n/a" };
            let color = if status == Status::Pass { "32" } else { "2" };
            write_wrapped(
                out,
                &format!("  {}", paint(&format!("{label:<8}"), color, layout)),
                10,
                &list.join(", "),
                layout,
            )?;
        }
    }
    Ok(())
}

/// Unknowns in one place for the same reason are one entry, however many policies they concern.
fn alike(a: &PolicyResult, b: &PolicyResult) -> bool {
    let same = |a: &PolicyResult| (a.status, a.subject.id.clone(), a.reason.clone(), a.notes.clone());
    a.status == Status::Unknown && same(a) == same(b) && (a.subject.hidden || a.reasons == b.reasons)
}

fn write_results(out: &mut String, alike: &[&PolicyResult], layout: Layout) -> fmt::Result {
    let Some(result) = alike.first() else { return Ok(()) };
    let (label, color) = match result.status {
        Status::Fail => ("FAIL", if result.worst() >= Severity::High { "1;31" } else { "31" }),
        Status::Unknown => ("unknown", "33"),
        Status::Waived => ("waived", "36"),
        Status::Pass => ("pass", "32"),
        Status::NotApplicable => ("n/a", "2"),
    };
    let subject = if result.subject.hidden { "subjects that may be there" } else { result.subject.id.name() };
    let same = alike.iter().all(|other| other.worst() == result.worst());
    let severity = if same { result.worst().name() } else { "" };
    let head = format!("  {} {severity:<9}", paint(&format!("{label:<8}"), color, layout));
    match alike {
        [result] => write_wrapped(
            out,
            &head,
            20,
            &format!("{:<9}{} · {subject}", result.policy, result.title),
            layout,
        )?,
        several => {
            let policies: Vec<&str> = several.iter().map(|result| result.policy.as_str()).collect();
            write_wrapped(out, &head, 20, &format!("{} · {subject}", policies.join(", ")), layout)?;
        }
    }
    for violation in &result.violations {
        write_wrapped(out, "", 11, &violation.message, layout)?;
        if let Some(waiver) = &violation.waiver {
            write_wrapped(out, "", 11, &waived(waiver), layout)?;
            continue;
        }
        for (at, line) in violation.remediation.trim().lines().enumerate() {
            let head = if at == 0 { format!("{:11}fix: ", "") } else { String::new() };
            write_wrapped(out, &head, 16, line, layout)?;
        }
    }
    if let (Status::Fail, false) = (result.status, result.labels.is_empty()) {
        let labels: Vec<String> =
            result.labels.iter().map(|(name, value)| format!("{name}={}", printable(value))).collect();
        write_wrapped(out, "", 11, &labels.join(", "), layout)?;
    }
    if let (Status::Fail, Some(document)) = (result.status, result.documents.first()) {
        write_wrapped(out, "", 11, &format!("see: {} ({})", document.title, document.revised), layout)?;
    }
    let shown = if result.subject.hidden { 1 } else { result.reasons.len() };
    for reason in result.reasons.iter().take(shown) {
        write_wrapped(out, "", 11, &format!("{}: {}", reason.code.name(), reason.message), layout)?;
    }
    if let Some(waiver) = &result.waiver {
        write_wrapped(out, "", 11, &waived(waiver), layout)?;
    }
    for note in &result.notes {
        write_wrapped(out, "", 11, &format!("note: {}", note.message), layout)?;
    }
    Ok(())
}

/// What is accepted, by whom and until when.
pub(crate) fn waived(waiver: &Waiver) -> String {
    let Waiver { expires, owner, reason, .. } = waiver;
    let would_be = match waiver.accepts {
        Accepts::Fail => Status::Fail,
        Accepts::Unknown => Status::Unknown,
    };
    format!("would be {}; waived until {expires} by {owner}: {reason}", would_be.name())
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
        let names: Vec<&str> = gaps.iter().map(|gap| gap.source.name()).collect();
        let kinds = match names.as_slice() {
            few if few.len() <= 8 => few.join(", "),
            many => format!("{} and {} more kinds", many.get(..6).unwrap_or(many).join(", "), many.len() - 6),
        };
        write_wrapped(out, "  ", 2, &format!("{scope}: {reason}: {kinds}"), layout)?;
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

/// How many there are, and each one that somebody should do something about.
fn write_waivers(out: &mut String, waivers: &[Standing], layout: Layout) -> fmt::Result {
    if waivers.is_empty() {
        return Ok(());
    }
    let counts: Vec<String> = State::ALL
        .iter()
        .map(|state| (waivers.iter().filter(|standing| standing.state == *state).count(), state.name()))
        .filter(|(n, _)| *n > 0)
        .map(|(n, name)| format!("{n} {name}"))
        .collect();
    writeln!(out)?;
    writeln!(out, "{}", paint(&format!("waivers: {}", counts.join(", ")), "1", layout))?;
    for Standing { waiver, state, .. } in waivers {
        let what = match state {
            State::Active => continue,
            State::Expiring => "ends soon",
            State::Expired => "is over, and does nothing",
            State::Unmatched => "covers nothing that this sweep found",
            State::Lapsed => "was given for other evidence, and does nothing",
        };
        let Waiver { policy, scope, key, owner, expires, at, .. } = waiver;
        let key = key.as_ref().map(|key| format!(", key {key}")).unwrap_or_default();
        // The whole id stands where the waiver does.
        let name = if scope.name().is_empty() { scope.key() } else { scope.name() };
        let text = format!("{policy} at {name}{key}, until {expires}, by {owner}: {what} ({at})");
        write_wrapped(out, &format!("  {:<11}", state.name()), 13, &text, layout)?;
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
    for line in wrapped(text, width) {
        writeln!(out, "{head}{line}")?;
        head = " ".repeat(indent);
    }
    Ok(())
}

/// The lines of a text. A command that is longer than one goes on as a shell reads it.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let text = printable(text);
    if text.trim().is_empty() {
        return Vec::new();
    }
    if ["az ", "kubectl "].iter().any(|program| text.starts_with(program)) && text.chars().count() > width {
        return command(&text, width);
    }
    textwrap::wrap(&text, options(width)).into_iter().map(Into::into).collect()
}

/// Broken before options only, and never within quotes: a blank there belongs to a name.
fn command(text: &str, width: usize) -> Vec<String> {
    let mut quoted = false;
    let mut words = vec![String::new()];
    for c in text.chars() {
        quoted ^= c == '\'';
        match words.last_mut() {
            Some(word) if c != ' ' || quoted => word.push(c),
            _ => words.push(String::new()),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for option in words.chunk_by(|_, next| !next.starts_with("--")).map(|words| words.join(" ")) {
        // Room for the sign that the command goes on.
        match lines.last_mut() {
            Some(line) if line.chars().count() + option.chars().count() + 3 <= width => {
                line.push(' ');
                line.push_str(&option);
            }
            Some(line) => {
                line.push_str(" \\");
                lines.push(format!("  {option}"));
            }
            None => lines.push(option),
        }
    }
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_neither_forge_lines_nor_steer_the_terminal() {
        for hostile in
            ["a\nFAIL", "a\u{1b}[2J", "a\rb", "a\u{7}", "a\u{9b}31m", "\u{202e}txt", "a\u{0}b", "a\u{2028}b"]
        {
            let mut out = String::new();
            let layout = Layout { width: 80, color: false };
            write_wrapped(&mut out, "  ", 2, hostile, layout).expect("a string");
            assert_eq!(out.lines().count(), 1, "{hostile:?}");
            assert!(
                out.trim_end_matches('\n').chars().all(|c| !c.is_control() && c != '\u{202e}'),
                "{out:?}"
            );
        }
    }

    #[test]
    fn a_long_command_goes_on_as_a_shell_reads_it_and_keeps_names_whole() {
        let lines = wrapped("az x update --resource-group 'a  b (c)' --name n --ids one two", 34);
        assert_eq!(lines, ["az x update \\", "  --resource-group 'a  b (c)' \\", "  --name n --ids one two"]);
        assert_eq!(wrapped("az x --name n", 34), ["az x --name n"]);
        assert_eq!(wrapped("see az x --name n", 12), ["see az x", "--name n"]);
    }
}
