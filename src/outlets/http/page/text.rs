//! Texts, fit to be shown: names of any length and from any hand, times, ages, verdicts.

use maud::{Markup, html};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::findings::Status;
use crate::inventory::{ResourceId, printable};
use crate::severity::Severity;

/// How many characters of a name are shown; the whole stands in its title.
const NAME: usize = 72;

/// How many characters of a sentence are shown. Longer ones come from names that nobody could read.
const SENTENCE: usize = 3_000;

/// A name from outside, on its own whatever the direction it is written in.
pub(super) fn name(text: &str) -> Markup {
    let (short, whole) = (shortened(text, NAME), printable(text));
    html! {
        @if short == whole { bdi { (whole) } } @else { bdi title=(whole) { (short) } }
    }
}

/// A sentence that may hold names from outside.
pub(super) fn sentence(text: &str) -> Markup {
    html! { bdi { (shortened(text, SENTENCE)) } }
}

/// The whole text, made fit to be shown; for what people copy.
pub(super) fn lines(text: &str) -> String {
    let lines: Vec<String> = text.trim().lines().map(printable).collect();
    lines.join("\n")
}

/// A resource, by its name; its id is the title.
pub(super) fn resource(id: &ResourceId) -> Markup {
    html! { bdi title=(printable(id.key())) { (shortened(called(id), NAME)) } }
}

/// What a resource is called: its name, or its id where it has none.
pub(super) fn called(id: &ResourceId) -> &str {
    if id.name().is_empty() { id.key() } else { id.name() }
}

/// At most so many columns of a text, with a sign that there is more.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let text = printable(text);
    if textwrap::core::display_width(&text) <= most {
        return text;
    }
    let mut short = String::new();
    let mut width = 1;
    for c in text.chars() {
        width += textwrap::core::display_width(c.encode_utf8(&mut [0; 4]));
        if width > most {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

const MINUTES: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
const MACHINE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// A moment, in seconds since 1970.
pub(super) fn moment(seconds: i64) -> Markup {
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else { return html! { "at no time" } };
    let (machine, shown) = (at.format(MACHINE), at.format(MINUTES));
    html! {
        time datetime=(machine.unwrap_or_default()) { (shown.unwrap_or_default()) }
    }
}

/// How long ago a moment is.
pub(super) fn age(seconds: i64, now: i64) -> String {
    let passed = now.saturating_sub(seconds).max(0);
    match passed {
        0..60 => format!("{passed} s"),
        60..7_200 => format!("{} min", passed / 60),
        7_200..172_800 => format!("{} h", passed / 3_600),
        _ => format!("{} days", passed / 86_400),
    }
}

/// A verdict: a sign, and the word beside it.
pub(super) fn verdict(status: Status) -> Markup {
    let (class, sign) = match status {
        Status::Fail => ("fail", "✗"),
        Status::Unknown => ("unknown", "?"),
        Status::Waived => ("waived", "~"),
        Status::Pass => ("pass", "✓"),
        Status::NotApplicable => ("na", "–"),
    };
    html! { span.verdict.(class) { span aria-hidden="true" { (sign) } " " (said(status)) } }
}

/// A status in words.
pub(super) fn said(status: Status) -> &'static str {
    if status == Status::NotApplicable { "not applicable" } else { status.name() }
}

/// A severity, as a word.
pub(super) fn severity(severity: Severity) -> Markup {
    html! { span.severity.(severity.name()) { (severity.name()) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        let shown = name("<script>alert(1)</script>\" onload='x'\n\u{202e}gpj").into_string();
        assert_eq!(
            shown,
            "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload='x'\u{fffd}\u{fffd}gpj</bdi>"
        );
        let long = name(&"n".repeat(2_000)).into_string();
        assert!(long.contains(&format!(">{}…<", "n".repeat(71))), "{long}");
        assert!(long.contains(&format!("title=\"{}\"", "n".repeat(2_000))));
    }

    #[test]
    fn wide_letters_count_twice() {
        assert_eq!(shortened("模型模型", 8), "模型模型");
        assert_eq!(shortened("模型模型", 7), "模型模…");
    }

    #[test]
    fn ages() {
        let expected =
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_200, "2 h"), (172_800, "2 days"), (-5, "0 s")];
        for (passed, text) in expected {
            assert_eq!(age(1_000, 1_000 + passed), text);
        }
    }
}
