//! The files of a bundle: where they come from, what part they play, and what is wrong with them.

use std::fmt;

use regorus::Engine;
use regorus::unstable::{Module, Ref};

use super::references::{self, Outline};

/// A larger text is refused unread; it is also the engine's own limit.
pub const LARGEST_FILE: usize = 1024 * 1024;

/// How deeply brackets may be nested: the engine's parser tries each level twice, so its time doubles with each.
const DEEPEST: usize = 12;

/// One `.rego` file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path as shown in messages, with `/` between folders.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a file comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Compiled into the program.
    Shipped,
    /// Read from this directory.
    Directory(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Shipped => f.write_str("shipped"),
            Origin::Directory(directory) => f.write_str(directory),
        }
    }
}

/// Something wrong with a bundle, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file's path.
    pub file: String,
    /// The line, counted from one, where there is one.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// What part a file plays, told by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// A policy, with metadata.
    Policy,
    /// Rules that policies share; in a folder `lib`.
    Library,
    /// The cases and tests of a policy; `*_test.rego`.
    Test,
    /// Documents that tests share; in a folder `testing`.
    Testing,
}

impl Role {
    /// The folders that count are those below the origin: a bundle may well live in `/usr/lib`.
    fn of(file: &SourceFile) -> Self {
        let root = match &file.origin {
            Origin::Shipped => "policies",
            Origin::Directory(directory) => directory,
        };
        let below = file.path.strip_prefix(root.trim_end_matches('/')).unwrap_or(&file.path);
        let mut folders: Vec<&str> = below.split('/').collect();
        let name = folders.pop().unwrap_or_default();
        if name.ends_with("_test.rego") {
            Role::Test
        } else if folders.contains(&"testing") {
            Role::Testing
        } else if folders.contains(&"lib") {
            Role::Library
        } else {
            Role::Policy
        }
    }
}

/// A file that could be parsed.
pub(super) struct Parsed {
    pub(super) file: SourceFile,
    pub(super) role: Role,
    pub(super) package: String,
    pub(super) outline: Outline,
}

impl Parsed {
    pub(super) fn problem(&self, line: impl Into<Option<usize>>, message: impl Into<String>) -> Problem {
        Problem { file: self.file.path.clone(), line: line.into(), message: message.into() }
    }
}

/// Parses one file by itself, so that one broken file does not hide the problems of the next.
pub(super) fn parse(file: SourceFile) -> Result<Parsed, Problem> {
    let problem = |line, message: String| Problem { file: file.path.clone(), line, message };
    if file.text.len() > LARGEST_FILE {
        let message = format!("the file has {} bytes; at most {LARGEST_FILE} are read", file.text.len());
        return Err(problem(None, message));
    }
    if let Some(line) = too_deep(&file.text) {
        let message = format!("brackets are nested more than {DEEPEST} deep, which takes the parser forever");
        return Err(problem(Some(line), message));
    }
    let mut engine = Engine::new();
    if let Err(error) = engine.add_policy(file.path.clone(), file.text.clone()) {
        let (line, message) = located(&file.path, &error.to_string());
        return Err(problem(line, message));
    }
    let modules: &Vec<Ref<Module>> = engine.get_modules();
    let Some(module) = modules.first() else {
        return Err(problem(None, "the file holds no package".to_owned()));
    };
    let outline = references::outline(module).map_err(|(line, message)| problem(Some(line), message))?;
    let package = outline.package.join(".");
    Ok(Parsed { role: Role::of(&file), package, outline, file })
}

/// The line at which brackets are nested too deeply. Comments and texts don't count; a quote that never ends is the
/// parser's to complain of.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let (mut line, mut quote, mut escaped, mut comment) = (1, None, false, false);
    for c in text.chars() {
        line += usize::from(c == '\n');
        match (c, quote) {
            ('\n', _) => comment = false,
            _ if comment => {}
            (_, Some('"')) if escaped => escaped = false,
            ('\\', Some('"')) => escaped = true,
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '`', None) => quote = Some(c),
            ('#', None) => comment = true,
            ('(' | '[' | '{', None) => {
                depth += 1;
                if depth > DEEPEST {
                    return Some(line);
                }
            }
            (')' | ']' | '}', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The line and the message of an engine error, which is one text: `--> path:line:column`, the excerpt,
/// `error: …`.
pub(super) fn located(path: &str, error: &str) -> (Option<usize>, String) {
    let line = error.lines().find_map(|line| {
        let place = line.strip_prefix("--> ")?.strip_prefix(path)?.strip_prefix(':')?;
        place.split(':').next()?.parse().ok()
    });
    (line, brief(error))
}

/// An engine error without the excerpt, in one line.
pub(super) fn brief(error: &str) -> String {
    let message = match error.split_once("error: ") {
        Some((_, message)) => message,
        None => error,
    };
    let words: Vec<&str> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    words.join("; ")
}
