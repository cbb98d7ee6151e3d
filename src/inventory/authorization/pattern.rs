//! Patterns of actions: which actions one matches, whether one lies within another, whether two meet.
//!
//! `*` stands for any run of characters, `/` included; case does not matter. Glob crates match texts; containment and
//! overlap of two globs, which roles and denials need, they do not offer.

use std::fmt;

use super::Truth;

/// How many inner `/*/` of one pattern are read both ways; built-in roles have one at most.
const READ_BOTH_WAYS: usize = 5;

/// An action, or a pattern of actions.
///
/// Whether `/*/` may also stand for a single slash is an open point of Azure's: a built-in role rests on it, no
/// document says so. What holds under one reading only is a [`Truth::Maybe`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    text: Box<str>,
    /// What else it may mean, if `/*/` may stand for one slash.
    loose: Box<[Box<str>]>,
    /// It has more `/*/` than are read both ways: it may mean anything.
    boundless: bool,
}

impl Pattern {
    /// Reads a pattern. Blank text matches nothing but itself.
    pub fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        let inner: Vec<usize> =
            text.match_indices('*').map(|(at, _)| at).filter(|at| inner(&text, *at)).collect();
        let boundless = inner.len() > READ_BOTH_WAYS;
        let loose = if boundless { Vec::new() } else { readings(&text, &inner) };
        Self { text: text.into(), loose: loose.into(), boundless }
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether nothing stands in it.
    pub fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether every action of `inner` is one of this pattern's.
    ///
    /// A `*` of the inner pattern is a character like no other: only a `*` of this one swallows it. That is sound for
    /// every meaning of the inner pattern.
    pub fn covers(&self, inner: &Self) -> Truth {
        let strictly = |text: &str| swallows(&self.text, text);
        if self.text == inner.text
            || !inner.boundless && strictly(&inner.text) && inner.loose.iter().all(|text| strictly(text))
        {
            return Truth::Yes;
        }
        let loosely = self.boundless || self.readings().any(|outer| swallows(outer, &inner.text));
        if loosely { Truth::Maybe } else { Truth::No }
    }

    /// Whether some action is of both patterns.
    pub fn meets(&self, other: &Self) -> Truth {
        if meet(&self.text, &other.text) {
            return Truth::Yes;
        }
        let loosely = self.boundless
            || other.boundless
            || self.readings().any(|one| other.readings().any(|two| meet(one, two)));
        if loosely { Truth::Maybe } else { Truth::No }
    }

    /// A pattern of actions of both, where they surely meet, and whether it holds all of them.
    pub fn overlap(&self, other: &Self) -> Option<(Self, bool)> {
        if swallows(&self.text, &other.text) {
            return Some((other.clone(), true));
        }
        if swallows(&other.text, &self.text) {
            return Some((self.clone(), true));
        }
        if !meet(&self.text, &other.text) {
            return None;
        }
        // Both have a `*`, or one would lie within the other: the longer head, both middles, the longer tail.
        let (one, two) = (Anatomy::of(&self.text)?, Anatomy::of(&other.text)?);
        let longer = |a: &'_ str, b: &'_ str| if a.len() >= b.len() { a.to_owned() } else { b.to_owned() };
        let (head, tail) = (longer(one.head, two.head), longer(one.tail, two.tail));
        Some((Self::parse(&format!("{head}*{}*{}*{tail}", one.middle, two.middle)), false))
    }

    fn readings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.text).chain(self.loose.iter().map(|text| &**text))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether the `*` at this place fills a segment between two slashes.
fn inner(text: &str, at: usize) -> bool {
    text[..at].ends_with('/') && text[at + 1..].starts_with('/')
}

/// The texts that are left if some of the inner `*` are dropped, each with the slash after it.
fn readings(text: &str, inner: &[usize]) -> Vec<Box<str>> {
    let sets = 1_u32 << inner.len();
    let reading = |set: u32| {
        let mut reading = String::with_capacity(text.len());
        let mut from = 0;
        for (_, at) in inner.iter().enumerate().filter(|(n, _)| set & (1 << n) != 0) {
            reading.push_str(&text[from..*at]);
            from = at + 2;
        }
        reading.push_str(&text[from..]);
        reading.into()
    };
    (1..sets).map(reading).collect()
}

/// Whether `pattern` matches `text`, in which a `*` is a character that only a `*` of the pattern takes.
fn swallows(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let head = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let Some(tail) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(tail)
}

/// Whether some text matches both. Two patterns that both have a `*` meet as soon as their heads and their tails
/// agree, because the stars take whatever stands in the other's middle.
fn meet(one: &str, two: &str) -> bool {
    match (Anatomy::of(one), Anatomy::of(two)) {
        (Some(a), Some(b)) => {
            (a.head.starts_with(b.head) || b.head.starts_with(a.head))
                && (a.tail.ends_with(b.tail) || b.tail.ends_with(a.tail))
        }
        (None, _) => swallows(two, one),
        (_, None) => swallows(one, two),
    }
}

/// What stands before the first `*`, between the first and the last, and after the last.
struct Anatomy<'a> {
    head: &'a str,
    middle: &'a str,
    tail: &'a str,
}

impl<'a> Anatomy<'a> {
    /// None for a pattern without `*`.
    fn of(pattern: &'a str) -> Option<Self> {
        let (head, rest) = pattern.split_once('*')?;
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        Some(Self { head, middle, tail })
    }
}

#[cfg(test)]
mod tests;
