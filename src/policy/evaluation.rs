//! What a policy says of one subject, held to the contract.
//!
//! Whatever breaks the contract is a [`PolicyError`] and never part of a verdict: a policy that contradicts
//! itself proves nothing.

use std::fmt;

use regorus::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::Reason;
use crate::severity::Severity;

/// The rules that make up the contract.
pub(super) const CONTRACT: [&str; 5] = ["applies", "violations", "undecided", "compliant", "notes"];

/// What one policy says of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// Whether the precondition holds; none if that is not proven either way.
    pub applies: Option<bool>,
    /// The violations, by key.
    pub violations: Vec<Violation>,
    /// Why it cannot be decided.
    pub undecided: Vec<Reason>,
    /// Whether compliance is proven.
    pub compliant: bool,
    /// Remarks.
    pub notes: Vec<Note>,
}

/// One way in which a subject violates a policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// Tells the violations of one subject apart; stable over time.
    pub key: String,
    /// What is wrong, in words.
    pub message: String,
    /// The deciding facts, by readable names.
    pub evidence: serde_json::Map<String, serde_json::Value>,
    /// The resource to look at.
    #[serde(default)]
    pub resource: Option<String>,
    /// How bad this violation is, if less bad than the policy's.
    #[serde(default)]
    pub severity: Option<Severity>,
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What kind of remark.
    pub code: String,
    /// The remark in words.
    pub message: String,
}

/// A policy failed or broke its contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    /// The policy's id.
    pub policy: String,
    /// What happened, in words.
    pub cause: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}: {}", self.policy, self.cause)
    }
}

/// What an evaluation amounts to by itself, before completeness and waivers are considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Judgement {
    /// It applies and is violated.
    Fail,
    /// It cannot be decided.
    Unknown,
    /// The precondition is proven not to hold.
    NotApplicable,
    /// Compliance is proven.
    Pass,
}

impl Judgement {
    /// Every judgement.
    pub const ALL: [Judgement; 4] =
        [Judgement::Fail, Judgement::Unknown, Judgement::NotApplicable, Judgement::Pass];

    /// The name in cases and reports.
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Fail => "fail",
            Judgement::Unknown => "unknown",
            Judgement::NotApplicable => "not_applicable",
            Judgement::Pass => "pass",
        }
    }
}

impl Evaluation {
    /// The order of judgement: a violation, then what is undecided, then whether it applies, then proof.
    pub fn judge(&self) -> Judgement {
        match self.applies {
            Some(true) if !self.violations.is_empty() => Judgement::Fail,
            _ if !self.undecided.is_empty() => Judgement::Unknown,
            Some(false) => Judgement::NotApplicable,
            Some(true) if self.compliant => Judgement::Pass,
            _ => Judgement::Unknown,
        }
    }
}

/// Reads the value of a policy's package. The complaint of an error says which part of the contract it broke.
pub(super) fn read(package: &Value, severity: Severity) -> Result<Evaluation, String> {
    let mut evaluation = Evaluation::default();
    if *package == Value::Undefined {
        return Ok(evaluation);
    }
    let rules = package.as_object().map_err(|_| "the package is no object".to_owned())?;
    for (name, value) in rules.iter() {
        let name = name.as_string().map(|name| name.to_string()).unwrap_or_default();
        match name.as_str() {
            "applies" => evaluation.applies = Some(boolean(&name, value)?),
            "compliant" => evaluation.compliant = boolean(&name, value)?,
            "violations" => evaluation.violations = members(&name, value)?,
            "undecided" => evaluation.undecided = members(&name, value)?,
            "notes" => evaluation.notes = members(&name, value)?,
            _ if name.starts_with('_') => {}
            _ => return Err(unknown_rule(&name)),
        }
    }
    evaluation.violations.sort_by(|a, b| a.key.cmp(&b.key));
    evaluation.undecided.sort();
    evaluation.notes.sort();
    hold_to_contract(&evaluation, severity)?;
    Ok(evaluation)
}

/// What is said of a rule that is not part of the contract.
pub(super) fn unknown_rule(name: &str) -> String {
    let contract = CONTRACT.join(", ");
    format!(
        "`{name}` is no rule of the contract ({contract}); let a helper's name begin with `_`, or make it a function"
    )
}

fn hold_to_contract(evaluation: &Evaluation, severity: Severity) -> Result<(), String> {
    for violation in &evaluation.violations {
        let key = &violation.key;
        if key.trim().is_empty() {
            return Err("a violation has an empty `key`".to_owned());
        }
        if violation.message.trim().is_empty() {
            return Err(format!("the violation `{key}` has an empty `message`"));
        }
        if let Some(own) = violation.severity
            && own > severity
        {
            return Err(format!(
                "the violation `{key}` claims severity {own}, but the policy's is {severity}"
            ));
        }
    }
    let twice = evaluation.violations.windows(2).find(|pair| matches!(pair, [a, b] if a.key == b.key));
    if let Some([violation, _]) = twice {
        return Err(format!("two violations have the key `{}`", violation.key));
    }
    let blank = |message: &str| message.trim().is_empty();
    if evaluation.undecided.iter().any(|reason| blank(&reason.message)) {
        return Err("`undecided` holds an empty `message`".to_owned());
    }
    if evaluation.notes.iter().any(|note| blank(&note.code) || blank(&note.message)) {
        return Err("`notes` holds an empty `code` or `message`".to_owned());
    }
    if let Some(violation) = evaluation.violations.first() {
        let key = &violation.key;
        if evaluation.compliant {
            return Err(format!("`compliant` is true beside the violation `{key}`"));
        }
        if evaluation.applies == Some(false) {
            return Err(format!("`applies` is false beside the violation `{key}`"));
        }
    }
    Ok(())
}

fn boolean(name: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().copied().map_err(|_| format!("`{name}` is not a boolean"))
}

fn members<T: serde::de::DeserializeOwned>(name: &str, value: &Value) -> Result<Vec<T>, String> {
    let set = value.as_set().map_err(|_| format!("`{name}` is not a set; write `{name} contains …`"))?;
    let read = |member| serde_json::from_value(serde_json::to_value(member)?);
    let members: Result<Vec<T>, serde_json::Error> = set.iter().map(read).collect();
    members.map_err(|error| format!("a member of `{name}` is not of the contract's form: {error}"))
}
