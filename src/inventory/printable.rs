//! Texts from outside, made fit to be shown.

/// The text on one line: control characters and those that turn the direction of writing would let a resource's name
/// forge lines or steer the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a character is none that is seen as itself: a control character, one that turns the direction of writing or
/// breaks a line, or one without any width, which makes two names look alike.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
