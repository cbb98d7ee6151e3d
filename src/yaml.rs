//! YAML texts read with their places, so that every problem of a file is reported at once.
//!
//! A thin reading layer over `saphyr`: a [`Node`] is asked for what it should be, and notes a problem with
//! its line when it is something else. What the values mean is the caller's affair.

mod bounds;

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use saphyr::{LoadableYamlNode, MarkedYamlOwned, ScalarOwned, YamlDataOwned};

/// How much of a key is shown in a path, in letters; an ARM id that is a key fits.
const LONGEST_SHOWN: usize = 1024;

/// Something wrong in a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, counted from one.
    pub line: usize,
    /// The path of keys, such as `scope.include.subscriptions[1]`; empty for the whole text.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "{}: {}", self.line, self.message)
        } else {
            write!(f, "{}: {}: {}", self.line, self.path, self.message)
        }
    }
}

/// Reads a text of one YAML document with `read`. Gives its value, if the text is YAML at all, and every problem in
/// the order of their lines.
pub fn read<T>(text: &str, read: impl FnOnce(&Node<'_>) -> T) -> (Option<T>, Vec<Problem>) {
    // The parser reads past the end, to a line that nobody can look at.
    let last = lines(text);
    let problems = RefCell::new(Vec::new());
    if let Some((line, message)) = bounds::exceeded(text) {
        return (None, vec![Problem { line: line.min(last), path: String::new(), message }]);
    }
    let documents = match MarkedYamlOwned::load_from_str(text) {
        Ok(documents) => documents,
        Err(error) => {
            let (line, message) = (error.marker().line().min(last), format!("not YAML: {}", error.info()));
            return (None, vec![Problem { line, path: String::new(), message }]);
        }
    };
    let empty = MarkedYamlOwned::scalar_from_string(String::new());
    let node = documents.first().unwrap_or(&empty);
    if documents.len() > 1 {
        let line = documents.get(1).map_or(1, |second| second.span.start.line());
        let message = "a second document follows; put everything into one".to_owned();
        problems.borrow_mut().push(Problem { line, path: String::new(), message });
    }
    let value = read(&Node { node, line: 1, path: String::new(), problems: &problems });
    let mut problems = problems.into_inner();
    problems.iter_mut().for_each(|problem| problem.line = problem.line.min(last));
    problems.sort();
    problems.dedup();
    (Some(value), problems)
}

/// One value of the text.
pub struct Node<'a> {
    node: &'a MarkedYamlOwned,
    line: usize,
    path: String,
    problems: &'a RefCell<Vec<Problem>>,
}

impl<'a> Node<'a> {
    /// Notes that this value is wrong.
    pub fn problem(&self, message: impl Into<String>) {
        let problem = Problem { line: self.line, path: self.path.clone(), message: message.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// The line that the value, or its key, stands on.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(&self.node.data, YamlDataOwned::Value(ScalarOwned::Null))
    }

    /// The value as a table; noted as a problem if it is none. No value at all is an empty table.
    pub fn table(&self) -> Option<Table<'a>> {
        let entries = match &self.node.data {
            YamlDataOwned::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| {
                    let name = text(&key.data).unwrap_or_default();
                    // Every value below has it in its own path, so a long key would be there once for each.
                    let shown: String = name.chars().take(LONGEST_SHOWN).collect();
                    let path = if self.path.is_empty() { shown } else { format!("{}.{shown}", self.path) };
                    let line = key.span.start.line();
                    (name, Node { node: value, line, path, problems: self.problems })
                })
                .collect(),
            YamlDataOwned::Value(ScalarOwned::Null) => Vec::new(),
            YamlDataOwned::Value(ScalarOwned::String(text)) if text.is_empty() && self.path.is_empty() => {
                Vec::new()
            }
            _ => {
                self.problem("must be a table of keys and values");
                return None;
            }
        };
        Some(Table { entries, known: Vec::new(), path: self.path.clone() })
    }

    /// The value as a list; noted as a problem if it is none.
    pub fn list(&self) -> Vec<Node<'a>> {
        match &self.node.data {
            YamlDataOwned::Sequence(items) => items
                .iter()
                .enumerate()
                .map(|(at, node)| Node {
                    node,
                    line: node.span.start.line(),
                    path: format!("{}[{at}]", self.path),
                    problems: self.problems,
                })
                .collect(),
            _ => {
                self.problem("must be a list");
                Vec::new()
            }
        }
    }

    /// The value as a list of what `item` reads; items that it refuses are left out.
    pub fn list_of<T>(&self, item: impl Fn(&Node<'a>) -> Option<T>) -> Vec<T> {
        self.list().iter().filter_map(item).collect()
    }

    /// The value as text; numbers and booleans are no texts.
    pub fn string(&self) -> Option<String> {
        match &self.node.data {
            YamlDataOwned::Value(ScalarOwned::String(text)) if !text.trim().is_empty() => Some(text.clone()),
            YamlDataOwned::Value(ScalarOwned::String(_) | ScalarOwned::Null) => {
                self.problem("must not be empty");
                None
            }
            YamlDataOwned::Value(_) => {
                self.problem("must be text; put it into quotes");
                None
            }
            _ => {
                self.problem("must be text");
                None
            }
        }
    }

    /// The value as `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        if let YamlDataOwned::Value(ScalarOwned::Boolean(value)) = &self.node.data {
            return Some(*value);
        }
        self.problem("must be true or false");
        None
    }

    /// The value as a whole number within bounds.
    pub fn integer(&self, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        if let YamlDataOwned::Value(ScalarOwned::Integer(value)) = &self.node.data
            && bounds.contains(value)
        {
            return Some(*value);
        }
        self.problem(format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
        None
    }

    /// The value as anything that can be read from text; its complaint becomes the problem.
    pub fn parsed<T: FromStr>(&self) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        let text = self.string()?;
        text.trim().parse().map_err(|error| self.problem(format!("`{text}`: {error}"))).ok()
    }

    /// The value as one of a few words.
    pub fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.problem(format!("`{text}` is not known; use one of: {}", words.join(", ")));
        None
    }
}

/// A table whose keys are taken one by one; what nobody took is a problem.
pub struct Table<'a> {
    entries: Vec<(String, Node<'a>)>,
    known: Vec<&'static str>,
    path: String,
}

impl<'a> Table<'a> {
    /// Takes the value of a key; a key without a value counts as not set.
    pub fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        let (_, node) = self.entries.remove(at);
        (!node.is_null()).then_some(node)
    }

    /// The entries with free names.
    pub fn into_entries(self) -> Vec<(String, Node<'a>)> {
        self.entries
    }

    /// Ends the reading: each key that was not taken is a problem.
    pub fn finish(self) {
        for (name, node) in &self.entries {
            let near = self.known.iter().find(|known| near(known, name));
            let hint = match near {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            let path = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            let message = format!("unknown key `{name}`{path}; {hint}");
            node.problems.borrow_mut().push(Problem { line: node.line, path: String::new(), message });
        }
    }
}

/// How many lines a text has; YAML breaks them at carriage returns too.
fn lines(text: &str) -> usize {
    text.replace("\r\n", "\n").matches(['\n', '\r']).count() + 1
}

/// Whether two keys differ by a letter or two.
fn near(known: &str, name: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (known.chars().collect(), name.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return false;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()] <= 2
}

fn text(data: &YamlDataOwned<MarkedYamlOwned>) -> Option<String> {
    match data {
        YamlDataOwned::Value(ScalarOwned::String(text)) => Some(text.clone()),
        YamlDataOwned::Value(ScalarOwned::Integer(number)) => Some(number.to_string()),
        YamlDataOwned::Value(ScalarOwned::Boolean(value)) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a megabyte that each of a hundred thousand values has in its path were 50 GB.
    #[test]
    fn a_long_key_is_not_whole_in_every_path_below_it() {
        let text = format!("? \"{}\"\n: {{ a: 1, b: 2 }}\n", "k".repeat(500_000));
        let (shown, problems) = read(&text, |node| {
            let (name, below) = node.table()?.into_entries().pop()?;
            let paths = below.table()?.into_entries().into_iter().map(|(_, node)| node.path.len());
            Some((name.len(), paths.max()?))
        });
        assert_eq!((shown.flatten(), problems), (Some((500_000, LONGEST_SHOWN + 2)), Vec::new()));
    }
}
