//! The condition of a `where`, and whether a row meets it.

use super::Path;

#[derive(Debug, PartialEq)]
pub(in crate::server) enum Predicate {
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    IsNotEmpty(Path),
    /// Equal to one of the values, with or without regard to case.
    Among {
        path: Path,
        values: Vec<String>,
        folded: bool,
    },
    /// Has the text in it, in any case.
    Like {
        path: Path,
        place: Like,
        text: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::server) enum Like {
    Contains,
    StartsWith,
    EndsWith,
}

/// The operators by name.
pub(super) const LIKES: [(&str, Like); 3] =
    [("contains", Like::Contains), ("startswith", Like::StartsWith), ("endswith", Like::EndsWith)];

impl Predicate {
    /// Whether a row passes; `value` gives the row's value of a path, as text.
    pub(in crate::server) fn holds(&self, value: &impl Fn(&Path) -> String) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(value)),
            Self::Or(any) => any.iter().any(|one| one.holds(value)),
            Self::Not(one) => !one.holds(value),
            Self::IsNotEmpty(path) => !value(path).is_empty(),
            Self::Among { path, values, folded } => {
                let told = value(path);
                values.iter().any(|wanted| match folded {
                    true => wanted.to_lowercase() == told.to_lowercase(),
                    false => *wanted == told,
                })
            }
            Self::Like { path, place, text } => {
                let (told, text) = (value(path).to_lowercase(), text.to_lowercase());
                match place {
                    Like::Contains => told.contains(&text),
                    Like::StartsWith => told.starts_with(&text),
                    Like::EndsWith => told.ends_with(&text),
                }
            }
        }
    }

    pub(super) fn negated(self, negated: bool) -> Self {
        if negated { Self::Not(Box::new(self)) } else { self }
    }

    /// All paths that occur.
    pub(in crate::server) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::paths).collect(),
            Self::Not(one) => one.paths(),
            Self::IsNotEmpty(path) | Self::Among { path, .. } | Self::Like { path, .. } => vec![path],
        }
    }

    /// The lower-case types to which the predicate confines its rows, if it does.
    pub(in crate::server) fn types(&self) -> Option<Vec<String>> {
        match self {
            Self::Among { path, values, .. } if path.column == "type" && path.keys.is_empty() => {
                Some(values.iter().map(|value| value.to_lowercase()).collect())
            }
            Self::And(parts) => parts.iter().find_map(Self::types),
            _ => None,
        }
    }
}
