//! How a text may be nested and how much its anchors and aliases may become, found out before it is loaded.
//!
//! The loader recurses into nested values, keeps a copy of what an anchor names and writes aliases out, so a small text could
//! take a whole stack, or all memory. It bounds the number of values that aliases become, not their size.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, Tag};

/// Tables and lists within each other.
const DEEPEST: usize = 64;

/// What the copies that the loader makes may weigh, in bytes.
const HEAVIEST: usize = 16 << 20;

/// What a value weighs besides its text: its places and its part of a table or list.
const VALUE: usize = 128;

/// Where and how a text goes beyond the bounds; what is no YAML at all is left to the loader.
pub(super) fn exceeded(text: &str) -> Option<(usize, String)> {
    let nested =
        || format!("nested more than {DEEPEST} deep, or an alias within what an anchor names; write it out");
    // For each value that is open its anchor, 0 for none, and its weight so far.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut anchors = BTreeMap::new();
    let mut copies = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let line = span.start.line();
        let (anchor, weight) = match event {
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                open.push((anchor, VALUE + written(tag.as_deref())));
                if open.len() > DEEPEST {
                    return Some((line, nested()));
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop()?,
            Event::Scalar(text, _, anchor, tag) => (anchor, VALUE + text.len() + written(tag.as_deref())),
            // Anchors that hold aliases could nest without an end.
            Event::Alias(_) if open.iter().any(|(anchor, _)| *anchor > 0) => return Some((line, nested())),
            Event::Alias(of) => {
                copies += anchors.get(&of).copied().unwrap_or(VALUE);
                (0, 0)
            }
            _ => continue,
        };
        if anchor > 0 {
            copies += weight;
            anchors.insert(anchor, weight);
        }
        if copies > HEAVIEST {
            return Some((line, "anchors and aliases make too much of it; write it out".to_owned()));
        }
        if let Some((_, outer)) = open.last_mut() {
            *outer += weight;
        }
    }
    None
}

fn written(tag: Option<&Tag>) -> usize {
    tag.map_or(0, |tag| tag.handle.len() + tag.suffix.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<usize> {
        exceeded(text).map(|(line, _)| line)
    }

    #[test]
    fn nesting_is_bounded_in_every_style() {
        let flow = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!((line(&flow(64)), line(&flow(65))), (None, Some(1)));
        assert_eq!(line(&"- ".repeat(500_000)), Some(1));
        let indented: String = (0..70).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert_eq!(line(&indented), Some(65));
    }

    #[test]
    fn an_alias_is_fine_where_it_cannot_nest() {
        assert_eq!(line("a: &x [1]\nb: *x\nc: [*x, *x]\n"), None);
        assert_eq!(line("a: &x [1]\nb: &y [*x, *x]\n"), Some(2));
    }

    #[test]
    fn what_aliases_become_is_bounded_by_its_size() {
        let long = "a".repeat(400_000);
        // The first copy is the anchor's own.
        let repeated = |what: &str, times: usize| format!("x: {what}\ny: [{}]\n", "*a, ".repeat(times));
        for what in [
            format!("&a \"{long}\""),
            format!("&a !{long} b"),
            format!("&a {{ \"{long}\": b }}"),
            format!("&a [[\"{long}\"]]"),
        ] {
            assert_eq!(
                (line(&repeated(&what, 38)), line(&repeated(&what, 45))),
                (None, Some(2)),
                "{what:.9}"
            );
            assert_eq!(line(&repeated(&what, 150_000)), Some(2), "{what:.9}");
        }
        // Anchors around each other are each kept whole.
        let around =
            |times: usize| format!("{}{}{}", "&a [".repeat(times), "1,".repeat(10_000), "]".repeat(times));
        assert_eq!((line(&around(10)), line(&around(20))), (None, Some(1)));
    }
}
