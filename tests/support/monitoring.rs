//! What is shipped for Prometheus and Grafana, as data: rules, dashboards, their queries, and the metrics that there are.
#![allow(dead_code)] // Each test binary uses its own part.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mlfence::yaml;
use serde_json::Value;

pub(crate) const RULES: &str = "deploy/prometheus/mlfence.rules.yaml";
pub(crate) const RULE_TESTS: &str = "deploy/prometheus/mlfence.rules.test.yaml";
pub(crate) const DASHBOARDS: [&str; 2] = ["deploy/grafana/mlfence.json", "deploy/grafana/workspace.json"];
pub(crate) const RUNBOOKS: &str = "docs/runbooks";

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of a text that begin with one of `prefixes`, where a word is what may stand in a metric's name.
pub(crate) fn words<'a>(text: &'a str, prefixes: &[&str]) -> BTreeSet<&'a str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

/// What stands between quotation marks right after each `before`.
pub(crate) fn literals_after<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The text of a module and of those below it, without blanks, so that line breaks don't matter.
pub(crate) fn code(module: &str) -> String {
    fn collect(path: &Path, into: &mut String) {
        if path.is_file() {
            into.push_str(
                &fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            );
        }
        for entry in fs::read_dir(path.with_extension("")).into_iter().flatten() {
            collect(&entry.expect("an entry").path(), into);
        }
    }
    let mut text = String::new();
    collect(&root().join(module), &mut text);
    text.split_whitespace().collect()
}

/// The names of the exposition: those that the daemon's code registers, and what a histogram makes of one.
pub(crate) fn exposed() -> BTreeSet<String> {
    let code = code("src/outlets/metrics.rs");
    let names = literals_after(&code, "\"mlfence_");
    let mut names: BTreeSet<String> = names.into_iter().map(|rest| format!("mlfence_{rest}")).collect();
    assert!(names.len() > 10, "the metrics are no longer found in src/outlets/metrics.rs: {names:?}");
    for name in literals_after(&code, "HistogramOpts::new(\"") {
        names.remove(name);
        names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
    }
    names
}

/// A rule that alerts or records.
pub(crate) struct Rule {
    pub(crate) alert: Option<String>,
    pub(crate) record: Option<String>,
    pub(crate) expr: String,
    pub(crate) severity: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) runbook: Option<String>,
}

impl Rule {
    pub(crate) fn name(&self) -> &str {
        self.alert.as_deref().or(self.record.as_deref()).expect("a rule alerts or records")
    }
}

pub(crate) fn rules() -> Vec<Rule> {
    let rule = |node: &yaml::Node<'_>| {
        let mut table = node.table()?;
        let mut text = |key| table.take(key).and_then(|node| node.string());
        let (alert, record, expr) = (text("alert"), text("record"), text("expr")?);
        let mut labels = table.take("labels").and_then(|node| node.table());
        let mut annotations = table.take("annotations").and_then(|node| node.table());
        let severity =
            labels.as_mut().and_then(|table| table.take("severity")).and_then(|node| node.string());
        let mut annotation =
            |key| annotations.as_mut().and_then(|table| table.take(key)).and_then(|node| node.string());
        let (summary, description) = (annotation("summary"), annotation("description"));
        let runbook = annotation("runbook_url");
        Some(Rule { alert, record, expr, severity, summary, description, runbook })
    };
    let groups = yaml::read(&read(RULES), |node| {
        let groups = node.table().and_then(|mut table| table.take("groups"));
        groups.map(|groups| {
            groups.list_of(|group| group.table()?.take("rules").map(|rules| rules.list_of(rule)))
        })
    });
    let rules: Vec<Rule> = groups.0.flatten().expect("groups").into_iter().flatten().collect();
    assert!(rules.len() > 10, "the rules are no longer found");
    rules
}

pub(crate) fn dashboard(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every value of a key, however deep.
pub(crate) fn values_of<'a>(key: &str, value: &'a Value, into: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            into.extend(map.get(key));
            map.values().for_each(|value| values_of(key, value, into));
        }
        Value::Array(list) => list.iter().for_each(|value| values_of(key, value, into)),
        _ => {}
    }
}

/// The queries of a dashboard's panels.
pub(crate) fn queries(path: &str) -> BTreeSet<String> {
    let dashboard = dashboard(path);
    let mut found = Vec::new();
    values_of("expr", &dashboard, &mut found);
    let queries: BTreeSet<String> =
        found.iter().filter_map(|query| query.as_str()).map(str::to_owned).collect();
    assert!(queries.len() > 10, "the queries of {path} are no longer found");
    queries
}

/// The queries behind a dashboard's variables, `label_values(SELECTOR, LABEL)`, as selector and label.
pub(crate) fn variables(path: &str) -> Vec<(String, String)> {
    let dashboard = dashboard(path);
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let queries = variables.iter().filter_map(|variable| variable["query"]["query"].as_str());
    queries
        .map(|query| {
            let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inside.and_then(|inside| inside.rsplit_once(", ")).expect("label_values");
            (selector.to_owned(), label.to_owned())
        })
        .collect()
}
