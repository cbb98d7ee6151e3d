//! The README's tables are what the program is. `MLFENCE_REGENERATE=1` rewrites them instead of comparing.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use mlfence::config::{self, Config, Detail};
use mlfence::findings::Ledger;
use mlfence::findings::ledger::{Sweep, Terms};
use mlfence::outlets::metrics::{Metrics, Traffic, View};
use serde_json::Value;
use std::time::Duration;

fn readme() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// Compares, or rewrites, what stands between the markers of `name`.
fn check(name: &str, expected: &str) {
    let text = fs::read_to_string(readme()).expect("readable");
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let start = text.find(&begin).unwrap_or_else(|| panic!("no marker {begin}")) + begin.len();
    let stop = text.find(&end).unwrap_or_else(|| panic!("no marker {end}"));
    if env::var_os("MLFENCE_REGENERATE").is_some() {
        fs::write(readme(), format!("{}{expected}{}", &text[..start], &text[stop..])).expect("written");
        return;
    }
    assert_eq!(
        &text[start..stop],
        expected,
        "README's table of {name} is out of date; run with MLFENCE_REGENERATE=1"
    );
}

/// One test, because all tables stand in one file.
#[test]
fn the_tables_are_up_to_date() {
    check("policies", &policies());
    check("metrics", &metrics());
    check("role", &role());
}

fn policies() -> String {
    let mut table = "| id | severity | judged on | requirement |\n|---|---|---|---|\n".to_owned();
    for policy in support::setup().bundle.policies() {
        let metadata = &policy.metadata;
        writeln!(
            table,
            "| {} | {} | {} | {} |",
            metadata.id,
            metadata.severity,
            metadata.subject.name(),
            metadata.title
        )
        .expect("a string");
    }
    table
}

/// The actions of the role that the command prints, by resource provider.
fn role() -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mlfence")).arg("permissions").output().expect("mlfence runs");
    let role: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut providers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for action in role["Actions"].as_array().expect("a list").iter().filter_map(Value::as_str) {
        let (provider, rest) = action.split_once('/').expect("a provider");
        let of = rest.strip_suffix("/read").expect("a read");
        providers.entry(provider).or_default().push(format!("`{of}`"));
    }
    let mut table = "| provider | reads |\n|---|---|\n".to_owned();
    for (provider, types) in providers {
        writeln!(table, "| {provider} | {} |", types.join(", ")).expect("a string");
    }
    table
}

/// The metrics of a daemon that has seen everything once.
fn metrics() -> String {
    let estate = armsim::company::demo().0;
    let judged = support::judge(&support::snapshot(&estate));
    let mut metrics = Metrics::new("digest").expect("metrics");
    metrics.traffic(&Traffic {
        requests: BTreeMap::from([("computes", 1)]),
        retries: 1,
        failures: BTreeMap::from([("denied", 1)]),
        throttle_wait: Duration::ZERO,
    });
    metrics.phase("total", Duration::ZERO);
    metrics.policy_errors(&judged.report);
    metrics.notified(vec!["high"]);
    metrics.backlog(["tickets"].into_iter(), &[]);
    metrics.reloaded(true, 1);
    metrics.detail(&config::Metrics { detail: Detail::All, ..config::Metrics::default() }, &[]);
    metrics.certificate(true).expect("a metric");
    let sweep = Sweep {
        results: &judged.report.results,
        hidden: &judged.hidden,
        subscriptions: &std::collections::BTreeSet::new(),
        excluded: &std::collections::BTreeSet::new(),
        policies: &judged.policies,
        waivers: &[],
    };
    let (ledger, _) = Ledger::default().advance(&sweep, &Terms::default(), 1);
    let view = View {
        report: &judged.report,
        inventory: &judged.inventory,
        open: &ledger.open,
        unknowns: &ledger.unknowns,
        finished_at: 1,
        outdated: false,
    };
    let exposition = metrics.render(Some(&view)).expect("rendered");
    let mut rows: BTreeMap<&str, (&str, &str, String)> = BTreeMap::new();
    for line in exposition.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(help)) => {
                drop(rows.insert(name, ("", help, String::new())))
            }
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                rows.entry(name).and_modify(|row| row.0 = kind);
            }
            _ => {
                let Some((name, labels)) = line.split_once('{') else { continue };
                let name = name.trim_end_matches("_bucket");
                let labels = labels.split('}').next().unwrap_or_default();
                let names: Vec<&str> =
                    labels.split("\",").filter_map(|label| label.split('=').next()).collect();
                if let Some(row) = rows.get_mut(name)
                    && row.2.is_empty()
                {
                    row.2 = names.into_iter().filter(|name| *name != "le").collect::<Vec<_>>().join(", ");
                }
            }
        }
    }
    let mut table = "| metric | type | labels | what |\n|---|---|---|---|\n".to_owned();
    for (name, (kind, help, labels)) in rows {
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").expect("a string");
    }
    table
}

/// The configuration that the README shows is one that mlfence takes.
#[test]
fn the_configuration_in_the_readme_is_valid() {
    let text = fs::read_to_string(readme()).expect("readable");
    let from = text.find("    cloud: public").expect("the example is there");
    let example: String = text[from..]
        .lines()
        .take_while(|line| line.starts_with("    "))
        .map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line)))
        .collect();
    Config::parse(&example).unwrap_or_else(|problems| panic!("{problems:?}\n{example}"));
}
