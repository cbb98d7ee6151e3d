//! The engine: regorus' interpreter, strict about builtin errors, with a time limit.
//!
//! Its bytecode machine is faster but silently drops results, so it is not compiled in. An engine holds
//! one policy, what it may read, and nothing else: what a policy must not read is simply not there.

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use super::source::{Parsed, located};

/// How long one evaluation of one policy may take; a usual one takes a fraction of a millisecond. It is wall time, and a busy
/// machine must not make verdicts unknown.
const EVALUATION: Duration = Duration::from_secs(1);

/// How long a test rule, which may evaluate a policy many times, may take.
const TEST: Duration = Duration::from_secs(5);

/// How many steps lie between two looks at the clock.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// The rule of the engine's own that stands for the whole package of a policy: evaluating a rule is
/// prepared once, a query for a package would be parsed at each call.
const ENTRY: &str = "data.mlfence.engine.result";

/// A path for the engine's own module; it never shows in a message.
const ENTRY_PATH: &str = "mlfence/engine";

/// The package of the engine's own rule, which no file may claim.
pub(super) const ENTRY_PACKAGE: &str = "mlfence.engine";

/// An engine over some files, whose entry is the package `package`.
pub(super) fn over<'a>(
    files: impl IntoIterator<Item = &'a Parsed>,
    package: &str,
) -> Result<Engine, (Option<usize>, String)> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    // What a policy prints is not ours to show.
    engine.set_gather_prints(true);
    for file in files {
        let added = engine.add_policy(file.file.path.clone(), file.file.text.clone());
        added.map_err(|error| located(&file.file.path, &error.to_string()))?;
    }
    let entry = format!("package {ENTRY_PACKAGE}\n\nresult := data.{package}\n");
    engine
        .add_policy(ENTRY_PATH.to_owned(), entry)
        .map_err(|error| located(ENTRY_PATH, &error.to_string()))?;
    Ok(engine)
}

/// Evaluates the whole package of the engine's policy in one call.
pub(super) fn evaluate(engine: &mut Engine, input: Value) -> Result<Value, String> {
    engine.set_input(input);
    evaluate_rule(engine, ENTRY, EVALUATION)
}

/// Evaluates one rule of a test file.
pub(super) fn evaluate_test(engine: &mut Engine, rule: &str) -> Result<Value, String> {
    engine.set_input(Value::new_object());
    evaluate_rule(engine, rule, TEST)
}

fn evaluate_rule(engine: &mut Engine, rule: &str, limit: Duration) -> Result<Value, String> {
    engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: CHECK_INTERVAL });
    let result = engine.eval_rule(rule.to_owned());
    let _ = engine.take_prints();
    result.map_err(|error| match error.downcast_ref::<regorus::LimitError>() {
        Some(regorus::LimitError::TimeLimitExceeded { .. }) => {
            format!("the evaluation took longer than {} ms and was stopped", limit.as_millis())
        }
        _ => error.to_string(),
    })
}
