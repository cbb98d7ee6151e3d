//! `mlfence policy list|check|test`.

use std::fmt::Write;

use crate::audit::{PolicyArguments, Setup};
use crate::cli::{CLEAN, FINDINGS, Format, PolicyCommand, SetupArguments};
use crate::policy::{Bundle, Origin, Outcome};

use super::{Failure, print};

/// Runs the command.
pub fn run(command: &PolicyCommand) -> Result<u8, Failure> {
    match command {
        PolicyCommand::List { setup, format } => {
            let setup = load(setup, false)?;
            print(&list(&setup, *format)?)?;
            Ok(CLEAN)
        }
        PolicyCommand::Check { setup } => {
            let setup = load(setup, true)?;
            let bundle = &setup.bundle;
            let own = bundle.policies().iter().filter(|policy| policy.origin != Origin::Shipped).count();
            print(&format!(
                "{} policies ({own} of your own), all through the load gate (digest {})\n",
                bundle.policies().len(),
                bundle.digest()
            ))?;
            Ok(CLEAN)
        }
        PolicyCommand::Test { setup, coverage } => test(&load(setup, true)?.bundle, *coverage),
    }
}

fn load(arguments: &SetupArguments, whole_gate: bool) -> Result<Setup, Failure> {
    let policies = PolicyArguments { whole_gate, ..arguments.policy_arguments() };
    Ok(Setup::load(arguments.config.as_deref(), &policies)?)
}

fn list(setup: &Setup, format: Format) -> Result<String, Failure> {
    let list = setup.listed();
    if format == Format::Json {
        return serde_json::to_string_pretty(&list)
            .map(|text| text + "\n")
            .map_err(|error| Failure::incomplete(format!("cannot write the list: {error}")));
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(["ID", "SEVERITY", "SUBJECT", "TITLE"]);
    for (listed, policy) in list.iter().zip(setup.bundle.policies()) {
        let own = policy.metadata.severity;
        let severity = match (listed.enabled, listed.severity == own) {
            (false, _) => "off".to_owned(),
            (true, true) => own.to_string(),
            (true, false) => format!("{} (was {own})", listed.severity),
        };
        table.add_row([listed.id.as_str(), &severity, listed.subject.name(), &listed.title]);
    }
    Ok(format!("{}\n", table.trim_fmt()))
}

fn test(bundle: &Bundle, coverage: bool) -> Result<u8, Failure> {
    let report = bundle.run_tests(coverage);
    let mut out = String::new();
    let mut failed = 0;
    for test in &report.tests {
        let failure = match &test.outcome {
            Outcome::Passed => continue,
            Outcome::Failed => "is false or undefined",
            Outcome::Error(error) => error,
        };
        failed += 1;
        // Writing into a String cannot fail.
        let _ = writeln!(out, "FAIL {}:{}: {} {failure}", test.file, test.line, test.name);
    }
    let mut reached = true;
    if coverage {
        for file in &report.coverage {
            let total = file.covered.len() + file.not_covered.len();
            let _ = writeln!(out, "{:>4}/{total:<4} {}", file.covered.len(), file.file);
            if !file.not_covered.is_empty() {
                reached = false;
                let lines: Vec<String> = file.not_covered.iter().map(ToString::to_string).collect();
                let _ = writeln!(out, "          not reached: line {}", lines.join(", "));
            }
        }
    }
    if !reached {
        let _ = writeln!(out, "not every line is reached by a test");
    }
    let _ = writeln!(out, "{} passed, {failed} failed", report.tests.len() - failed);
    print(&out)?;
    Ok(if failed == 0 && reached { CLEAN } else { FINDINGS })
}
