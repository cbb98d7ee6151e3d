//! How a text may be nested, found out before it is loaded.
//!
//! The loader recurses into nested values and writes aliases out, so a small text could take a whole stack. How many values
//! aliases may become, the loader bounds itself.

use saphyr_parser::{Event, Parser};

/// Tables and lists within each other.
pub(super) const DEEPEST: usize = 64;

/// The line where a text goes beyond the bounds; what is no YAML at all is left to the loader.
pub(super) fn exceeded(text: &str) -> Option<usize> {
    // For each value that is open, whether it has an anchor.
    let mut open = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => open.push(anchor > 0),
            Event::SequenceEnd | Event::MappingEnd => drop(open.pop()),
            // Anchors that hold aliases could nest without an end.
            Event::Alias(_) if open.contains(&true) => return Some(span.start.line()),
            _ => {}
        }
        if open.len() > DEEPEST {
            return Some(span.start.line());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_in_every_style() {
        let flow = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!((exceeded(&flow(64)), exceeded(&flow(65))), (None, Some(1)));
        assert_eq!(exceeded(&"- ".repeat(500_000)), Some(1));
        let indented: String = (0..70).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert_eq!(exceeded(&indented), Some(65));
    }

    #[test]
    fn an_alias_is_fine_where_it_cannot_nest() {
        assert_eq!(exceeded("a: &x [1]\nb: *x\nc: [*x, *x]\n"), None);
        assert_eq!(exceeded("a: &x [1]\nb: &y [*x, *x]\n"), Some(2));
    }
}
