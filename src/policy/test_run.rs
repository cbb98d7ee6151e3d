//! Running the test rules of a bundle, and which lines of the policies they reach.

use std::collections::{BTreeMap, BTreeSet};

use regorus::{Engine, Value};

use super::engine;
use super::source::{Parsed, located};

/// How the tests of a bundle went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestReport {
    /// Every test rule, by file and line.
    pub tests: Vec<TestResult>,
    /// The lines of policies and libraries, by file; empty unless asked for.
    pub coverage: Vec<Coverage>,
}

/// How one test rule went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestResult {
    /// The test file.
    pub file: String,
    /// The rule's line.
    pub line: usize,
    /// The rule's name.
    pub name: String,
    /// How it went.
    pub outcome: Outcome,
}

/// The outcome of a test rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is true.
    Passed,
    /// It is false or undefined.
    Failed,
    /// It could not be evaluated.
    Error(String),
}

/// Which lines of a file the tests reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The file.
    pub file: String,
    /// Lines that were evaluated.
    pub covered: BTreeSet<u32>,
    /// Lines that were not.
    pub not_covered: BTreeSet<u32>,
}

/// Runs every test rule of a file in the order of their lines.
pub(super) fn run(test: &Parsed, engine: &mut Engine) -> Vec<TestResult> {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in &test.outline.rules {
        if let Some(name) = rule.path.first()
            && name.starts_with("test_")
        {
            rules.entry(name).or_insert(rule.line);
        }
    }
    let mut results: Vec<TestResult> = rules
        .into_iter()
        .map(|(name, line)| {
            let outcome = match engine::evaluate_test(engine, &format!("data.{}.{name}", test.package)) {
                Ok(Value::Bool(true)) => Outcome::Passed,
                Ok(_) => Outcome::Failed,
                Err(error) => Outcome::Error(located(&test.file.path, &error).1),
            };
            TestResult { file: test.file.path.clone(), line, name: name.to_owned(), outcome }
        })
        .collect();
    results.sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
    results
}

/// Adds what an engine reached in the files that `counts` names.
pub(super) fn add_coverage(engine: &Engine, counts: &[&Parsed], coverage: &mut BTreeMap<String, Coverage>) {
    let Ok(report) = engine.get_coverage_report() else { return };
    for file in report.files {
        if !counts.iter().any(|counted| counted.file.path == file.path) {
            continue;
        }
        let of = coverage.entry(file.path.clone()).or_insert_with(|| Coverage {
            file: file.path.clone(),
            covered: BTreeSet::new(),
            not_covered: BTreeSet::new(),
        });
        of.covered.extend(&file.covered);
        of.not_covered.extend(&file.not_covered);
        of.not_covered = of.not_covered.difference(&of.covered).copied().collect();
    }
}
