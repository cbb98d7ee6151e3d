//! The part of the load gate that evaluates: nothing may be proven from nothing, and each policy must say
//! of its own cases what they want.

use regorus::{Engine, Value};

use super::bundle::Policy;
use super::cases::{self, Case};
use super::engine;
use super::evaluation::{self, Evaluation, Judgement};
use super::references::Target;
use super::source::{Parsed, located};
use super::test_run::{self, Outcome};
use crate::facts::Document;
use crate::inventory::{Code, Reason};

/// A complaint, with the line of the policy's file if it has one.
type Complaint = (Option<usize>, String);

/// What the policy proves from an empty document and from one in which every fact is unknown: it must be nothing.
pub(super) fn check_on_nothing(policy: &Policy, engine: &mut Engine) -> Vec<Complaint> {
    let reason = Reason::new(Code::NotAsked, "nothing was asked");
    let unknown = Document::all_unknown(policy.metadata.subject, &reason);
    let unknown = serde_json::to_string(&unknown).unwrap_or_default();
    let mut complaints = Vec::new();
    for (what, document) in
        [("an empty document", "{}"), ("a document whose facts are all unknown", &unknown)]
    {
        match evaluate(policy, engine, document) {
            Err(error) => complaints.push(placed(policy, &format!("on {what}: "), &error)),
            Ok(evaluation) => {
                let mut claims = Vec::new();
                if evaluation.compliant {
                    claims.push("`compliant`");
                }
                if evaluation.applies == Some(false) {
                    claims.push("`applies := false`");
                }
                if !evaluation.violations.is_empty() {
                    claims.push("a violation");
                }
                if !claims.is_empty() {
                    let message = format!("claims {} on {what}; prove it from facts", claims.join(" and "));
                    complaints.push((None, message));
                }
            }
        }
    }
    complaints
}

/// Whether the policy says of each case what it wants, and whether a pass rests on an empty list.
pub(super) fn check_cases(
    policy: &Policy,
    files: &[&Parsed],
    engine: &mut Engine,
    cases: &[Case],
) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for case in cases {
        let said = match evaluate(policy, engine, &case.document.to_string()) {
            Ok(evaluation) => evaluation,
            Err(error) => {
                complaints.push(placed(policy, &format!("case `{}`: ", case.name), &error));
                continue;
            }
        };
        let keys: Vec<&str> = said.violations.iter().map(|violation| violation.key.as_str()).collect();
        let mut wanted: Vec<&str> = case.keys.iter().flatten().map(String::as_str).collect();
        wanted.sort_unstable();
        if said.judge() != case.want {
            let message = format!(
                "case `{}` wants {}, but the policy says {}",
                case.name,
                case.want.name(),
                describe(&said)
            );
            complaints.push((None, message));
        } else if case.keys.is_some() && keys != wanted {
            let message =
                format!("case `{}` wants the keys {wanted:?}, but the policy finds {keys:?}", case.name);
            complaints.push((None, message));
        }
        if case.want == Judgement::Pass && said.compliant {
            complaints.extend(check_pass(policy, files, engine, case));
        }
        if said.judge() == case.want {
            complaints.extend(check_ignorance(policy, files, engine, case));
        }
    }
    complaints
}

/// Looks for a pass that would survive where it must not: with a list emptied that the policy reads, or with
/// a change under way.
fn check_pass(policy: &Policy, files: &[&Parsed], engine: &mut Engine, case: &Case) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (list, document) in cases::with_lists_emptied(&case.document) {
        if case.may_be_empty.contains(&list) || !reads(files, &list) {
            continue;
        }
        match evaluate(policy, engine, &document.to_string()) {
            Err(error) => {
                complaints.push(placed(
                    policy,
                    &format!("case `{}` with `{list}` emptied: ", case.name),
                    &error,
                ));
            }
            Ok(said) if said.compliant => {
                let message = format!(
                    "case `{}` is still `compliant` with `{list}` emptied (`every` over nothing is true); demand a \
                     member, or declare the list in the case's `may_be_empty`",
                    case.name
                );
                complaints.push((None, message));
            }
            Ok(_) => {}
        }
    }
    let mut unsettled = case.document.clone();
    if let Some(list) = unsettled.get_mut("unsettled") {
        *list = serde_json::json!([{"code": "transitional", "message": "a change is under way"}]);
    }
    match evaluate(policy, engine, &unsettled.to_string()) {
        Err(error) => {
            complaints.push(placed(
                policy,
                &format!("case `{}` while a change is under way: ", case.name),
                &error,
            ));
        }
        Ok(said) if said.judge() == Judgement::Pass => {
            let message =
                format!("case `{}` passes while `unsettled` says that a change is under way", case.name);
            complaints.push((None, message));
        }
        Ok(_) => {}
    }
    complaints
}

/// Looks for a verdict that comes from knowing less: with one fact unknown that the policy reads, it must say
/// what it said, or unknown.
fn check_ignorance(policy: &Policy, files: &[&Parsed], engine: &mut Engine, case: &Case) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (fact, document) in cases::with_facts_unknown(&case.document) {
        if !reads(files, &fact) {
            continue;
        }
        match evaluate(policy, engine, &document.to_string()) {
            Err(error) => {
                complaints.push(placed(
                    policy,
                    &format!("case `{}` with `{fact}` unknown: ", case.name),
                    &error,
                ));
            }
            Ok(said) if said.judge() != case.want && said.judge() != Judgement::Unknown => {
                let message = format!(
                    "case `{}` wants {}, but with `{fact}` unknown the policy says {}; knowing less may only lead to unknown",
                    case.name,
                    case.want.name(),
                    describe(&said)
                );
                complaints.push((None, message));
            }
            Ok(_) => {}
        }
    }
    complaints
}

/// Whether any of these files reads the list at `path`, or something around or below it.
fn reads(files: &[&Parsed], path: &str) -> bool {
    let path: Vec<&str> = path.split('.').map(|part| part.trim_end_matches("[]")).collect();
    let references = files.iter().flat_map(|file| &file.outline.rules).flat_map(|rule| &rule.references);
    references.into_iter().any(|reference| match &reference.target {
        Target::Input { path: read } => read.iter().zip(&path).all(|(read, part)| read == part),
        Target::Data { .. } | Target::Name { .. } | Target::Call { .. } | Target::Replaced { .. } => false,
    })
}

/// Runs the test rules of a policy's test file; each that does not pass is a complaint with its line.
pub(super) fn check_tests(test: &Parsed, engine: &mut Engine) -> Vec<Complaint> {
    let results = test_run::run(test, engine);
    if results.is_empty() {
        return vec![(None, "has no test; name its rules `test_…`".to_owned())];
    }
    results
        .into_iter()
        .filter_map(|result| match result.outcome {
            Outcome::Passed => None,
            Outcome::Failed => Some((Some(result.line), format!("{} fails", result.name))),
            Outcome::Error(error) => Some((Some(result.line), format!("{}: {error}", result.name))),
        })
        .collect()
}

fn evaluate(policy: &Policy, engine: &mut Engine, document: &str) -> Result<Evaluation, String> {
    let document = Value::from_json_str(document).map_err(|error| error.to_string())?;
    let value = engine::evaluate(engine, document)?;
    evaluation::read(&value, policy.metadata.severity)
}

fn placed(policy: &Policy, before: &str, error: &str) -> Complaint {
    let (line, message) = located(&policy.path, error);
    (line, format!("{before}{message}"))
}

fn describe(said: &Evaluation) -> String {
    let mut words = said.judge().name().to_owned();
    for violation in &said.violations {
        words.push_str(&format!("; violation `{}`: {}", violation.key, violation.message));
    }
    for reason in &said.undecided {
        words.push_str(&format!("; undecided {reason}"));
    }
    words
}
