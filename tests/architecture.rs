//! The architecture's arrows, read off the sources: who may use whom, and who may touch the world.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules a module may use, besides itself. `main.rs` and `lib.rs` stand apart.
const ARROWS: &[(&str, &[&str])] = &[
    ("yaml", &[]),
    ("severity", &[]),
    ("inventory", &[]),
    ("expectations", &["inventory"]),
    ("config", &["inventory", "expectations", "severity", "yaml"]),
    ("facts", &["inventory", "expectations", "yaml"]),
    ("policy", &["inventory", "facts", "severity", "yaml"]),
    ("findings", &["inventory", "facts", "policy", "severity", "yaml"]),
    ("azure", &["inventory", "config"]),
    // What only `facts` can find worth asking, `azure` asks; neither knows of the other.
    ("sweep", &["azure", "facts", "inventory", "expectations"]),
    ("snapshot_file", &["inventory"]),
    ("permissions", &["azure", "config", "findings", "inventory"]),
    ("outlets", &["expectations", "facts", "policy", "inventory", "findings", "severity", "config", "store"]),
    ("audit", &["inventory", "facts", "policy", "findings", "config", "severity"]),
    ("store", &["facts", "findings", "inventory"]),
    (
        "daemon",
        &[
            "audit",
            "azure",
            "config",
            "findings",
            "inventory",
            "outlets",
            "policy",
            "severity",
            "snapshot_file",
            "store",
            "sweep",
        ],
    ),
    ("telemetry", &[]),
    ("cli", &["audit", "commands", "facts", "severity"]),
    (
        "commands",
        &[
            "audit",
            "azure",
            "cli",
            "config",
            "daemon",
            "facts",
            "findings",
            "inventory",
            "outlets",
            "permissions",
            "policy",
            "snapshot_file",
            "sweep",
            "telemetry",
        ],
    ),
];

/// What the pure stages may not name: the world.
const WORLD: &[&str] = &[
    "tokio",
    "reqwest",
    "std::fs",
    "std::net::Tcp",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant",
    "now_utc",
    "println!",
    "eprintln!",
];
const PURE: &[&str] =
    &["inventory", "facts", "policy", "findings", "expectations", "severity", "yaml", "config"];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, into: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                into.insert(path, text);
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all
}

/// The top-level module of a file below `src/`.
fn module(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("below src");
    let first = below.components().next().expect("a component").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Code lines, without comments; a comment may name anything.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The top-level modules that a line names by `crate::`.
fn used(line: &str) -> Vec<String> {
    line.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => group
                .split('}')
                .next()
                .unwrap_or_default()
                .split(',')
                .map(|part| part.trim().to_owned())
                .collect(),
            None => vec![rest.to_owned()],
        })
        .map(|name| name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn every_arrow_is_allowed() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let from = module(&path);
        if from == "main" || from == "lib" {
            continue;
        }
        let allowed = ARROWS.iter().find(|(name, _)| *name == from).map(|(_, to)| *to);
        let Some(allowed) = allowed else {
            wrong.push(format!("{}: module `{from}` is not in the list of arrows", path.display()));
            continue;
        };
        for (at, line) in code(&text) {
            for to in used(line) {
                if to != from && !allowed.contains(&to.as_str()) {
                    wrong.push(format!("{}:{at}: `{from}` may not use `{to}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_stages_touch_nothing() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !PURE.contains(&module(&path).as_str()) {
            continue;
        }
        for (at, line) in code(&text) {
            for word in WORLD {
                if line.contains(word) {
                    wrong.push(format!("{}:{at}: names `{word}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_outlet_uses_another() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if module(&path) == "outlets" && stem != "outlets" {
            // What lies in an outlet's folder may use the outlet, which is one step up.
            let folder = path.parent().and_then(Path::file_name).expect("a folder");
            let up = if folder == "outlets" { "super::" } else { "super::super::" };
            let others = code(&text).filter(|(_, line)| {
                line.contains(up) && !line.contains("super::*") || line.contains("outlets::")
            });
            wrong.extend(others.map(|(at, line)| format!("{}:{at}: {line}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_opens_with_its_purpose() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|(path, text)| !text.starts_with("//!") && !path.ends_with("tests.rs"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a module doc:\n{}", silent.join("\n"));
}

/// The checks themselves can fail.
#[test]
fn arrows_are_read_off_every_form_of_use() {
    assert_eq!(used("use crate::inventory::Kind;"), ["inventory"]);
    assert_eq!(used("use crate::{azure, facts::Fact};"), ["azure", "facts"]);
    assert_eq!(used("    crate::daemon::run(crate::audit::x())"), ["daemon", "audit"]);
    assert_eq!(used("use std::fmt;"), Vec::<String>::new());
}
