//! Mutations of the healthy estate, each against the set of verdicts that the catalogue of rules says it moves. How a
//! fixture tells one is described where they are read, in `support/mutations.rs`.

#[path = "support/mutations.rs"]
mod catalogue;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use armsim::Estate;
use catalogue::{Declaration, Edge, Mutation, declared, fixtures, mutated};
use mlfence::audit::judge_snapshot;
use mlfence::findings::{PolicyResult, Report};
use mlfence::severity::Severity;
use support::{moved, setup, snapshot, subject};

fn judge(estate: &Estate, declaration: &Declaration) -> Report {
    let own = declared(declaration);
    judge_snapshot(own.as_ref().unwrap_or(setup()), &snapshot(estate), &BTreeSet::new()).report
}

/// The result at a place as fixtures write it.
fn result<'a>(report: &'a Report, place: &str) -> Option<&'a PolicyResult> {
    report.results.iter().find(|result| place == format!("{} {}", result.policy, subject(result)))
}

/// Whether a key names a resource: its name stands there alone or as a segment of its id.
fn has_segment(key: &str, name: &str) -> bool {
    key.split(['/', ' ']).any(|segment| segment.eq_ignore_ascii_case(name))
}

/// What the product says of a place, for a reader who must decide who is right.
fn said(report: &Report, place: &str) -> String {
    let Some(result) = result(report, place) else { return "no such verdict".to_owned() };
    let violations =
        result.violations.iter().map(|violation| format!("[{}] {}", violation.key, violation.message));
    let reasons = result.reasons.iter().map(|reason| format!("({}) {}", reason.code.name(), reason.message));
    violations.chain(reasons).collect::<Vec<_>>().join("; ")
}

/// The differences between what a mutation should move and what it moves, a line each.
fn differences(mutation: &Mutation, healthy: &Report, after: &Report) -> Vec<String> {
    let moves: BTreeMap<String, String> = moved(healthy, after)
        .into_iter()
        .map(|((policy, subject), (_, after))| {
            (format!("{policy} {subject}"), after.map_or("gone", mlfence::findings::Status::name).to_owned())
        })
        .collect();
    let places: BTreeSet<&String> = moves.keys().chain(mutation.moves.keys()).collect();
    let mut lines = Vec::new();
    for place in places {
        let (wanted, got) = (mutation.moves.get(place), moves.get(place));
        if wanted != got {
            let unmoved = || result(healthy, place).map_or("gone", |result| result.status.name()).to_owned();
            let (wanted, got) =
                (wanted.cloned().unwrap_or_else(unmoved), got.cloned().unwrap_or_else(unmoved));
            lines.push(format!("{place}: expected {wanted}, is {got}: {}", said(after, place)));
        }
    }
    for (place, names) in &mutation.keys {
        let violations = result(after, place).map_or(&[][..], |result| &result.violations);
        let each_has_one =
            names.iter().all(|name| violations.iter().filter(|one| has_segment(&one.key, name)).count() == 1);
        if violations.len() != names.len() || !each_has_one {
            let keys: Vec<&str> = violations.iter().map(|violation| violation.key.as_str()).collect();
            lines.push(format!("{place}: expected a violation each for {names:?}, has {keys:?}"));
        }
    }
    for (place, severity) in &mutation.severities {
        let told: BTreeSet<Severity> = result(after, place)
            .map_or(&[][..], |result| &result.violations)
            .iter()
            .map(|one| one.severity)
            .collect();
        if told != BTreeSet::from([*severity]) {
            lines.push(format!("{place}: expected severity {severity:?}, has {told:?}"));
        }
    }
    lines
}

#[test]
fn each_mutation_moves_exactly_what_the_catalogue_says() {
    let estate = armsim::company::healthy();
    let healthy = judge(&estate, &Declaration::default());
    let mut failures = String::new();
    for (file, fixture) in fixtures() {
        for mutation in &fixture.mutations {
            let differences = match mutated(&estate, &mutation.change) {
                Ok(mutated) => differences(mutation, &healthy, &judge(&mutated, &mutation.declare)),
                Err(problem) => vec![problem],
            };
            if !differences.is_empty() {
                let _ = writeln!(failures, "\n{file} {} (because {})", mutation.name, mutation.because);
                differences.iter().for_each(|line| _ = writeln!(failures, "    {line}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn each_change_changes_the_estate() {
    let estate = armsim::company::healthy();
    let mut problems = Vec::new();
    for (file, fixture) in fixtures() {
        for Mutation { name, declare, change, .. } in &fixture.mutations {
            match mutated(&estate, change) {
                Err(problem) => problems.push(format!("{file} {name}: {problem}")),
                Ok(mutated) if mutated == estate && *declare == Declaration::default() => {
                    problems.push(format!("{file} {name}: changes nothing"));
                }
                Ok(_) => {}
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn each_edge_of_the_catalogue_has_mutations_or_a_reason() {
    let fixtures = fixtures();
    let names: Vec<&str> = fixtures
        .values()
        .flat_map(|fixture| &fixture.mutations)
        .map(|mutation| mutation.name.as_str())
        .collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    let twice: Vec<&str> = distinct
        .iter()
        .copied()
        .filter(|name| names.iter().filter(|other| *other == name).count() > 1)
        .collect();
    assert_eq!(twice, Vec::<&str>::new(), "two mutations of one name");
    for (file, fixture) in &fixtures {
        for Edge { edge, mutations, inexpressible } in &fixture.edges {
            assert_ne!(
                mutations.is_empty(),
                inexpressible.is_none(),
                "{file}: '{edge}' has mutations or a reason"
            );
            for name in mutations {
                assert!(
                    distinct.contains(name.as_str()),
                    "{file}: '{edge}' names {name}, which is no mutation"
                );
            }
        }
    }
}

/// Policies whose precondition holds for every subject that there can be: an attached cluster; a VNet, which NET-001
/// judges whoever made it, if it can be read; a subnet, which something refers to (PRE-001); any workspace (LIF-001).
/// ACI-010 asks that the service belongs to a workspace, and passes where it has no subnet.
const ALWAYS_APPLY: &[&str] = &["ACI-010", "CNI-002", "LIF-001", "NET-001", "NET-002", "PRE-001"];

#[test]
fn each_policy_has_a_fixture_with_every_verdict() {
    let fixtures = fixtures();
    let shipped: BTreeSet<&str> =
        setup().bundle.policies().iter().map(|policy| policy.metadata.id.as_str()).collect();
    let named: BTreeSet<&str> = fixtures.values().filter_map(|fixture| fixture.policy.as_deref()).collect();
    assert_eq!(named, shipped);
    for (file, fixture) in &fixtures {
        let Some(policy) = &fixture.policy else { continue };
        assert_eq!(policy, file);
        let moves =
            fixtures.values().flat_map(|fixture| &fixture.mutations).flat_map(|mutation| &mutation.moves);
        let verdicts: BTreeSet<&str> = moves
            .filter(|(place, _)| place.split(' ').next() == Some(policy))
            .map(|(_, verdict)| verdict.as_str())
            .collect();
        for wanted in ["fail", "unknown", "not_applicable"] {
            let expected = wanted != "not_applicable" || !ALWAYS_APPLY.contains(&policy.as_str());
            assert_eq!(verdicts.contains(wanted), expected, "{policy}: a mutation to {wanted}");
        }
        assert!(!fixture.edges.is_empty(), "{policy}: the catalogue's edges");
    }
}
