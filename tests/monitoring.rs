//! The rules of Prometheus, their runbooks and the dashboards of Grafana hold together with the program and with each other.
//! What their queries return is `tests/queries.rs`' affair.

#[path = "support/monitoring.rs"]
mod monitoring;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use mlfence::yaml;
use monitoring::{
    DASHBOARDS, RULE_TESTS, RULES, RUNBOOKS, Rule, code, dashboard, exposed, queries, read, root, rules,
    values_of, words,
};
use serde_json::Value;

fn alerts() -> Vec<(String, Rule)> {
    rules().into_iter().filter_map(|rule| Some((rule.alert.clone()?, rule))).collect()
}

#[test]
fn rules_and_dashboards_name_only_metrics_that_exist() {
    let exposed = exposed();
    let rules = rules();
    let recorded: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.record.as_deref()).collect();
    // Whole files: descriptions, variables and unit tests name metrics too.
    let mut files: Vec<String> =
        [RULES, RULE_TESTS].into_iter().chain(DASHBOARDS).map(str::to_owned).collect();
    files.extend(pages().into_keys().map(|name| format!("{RUNBOOKS}/{name}.md")));
    for file in files {
        // The program's own name before a colon names nothing.
        for name in
            words(&read(&file), &["mlfence_", "mlfence:"]).into_iter().filter(|name| *name != "mlfence:")
        {
            // A histogram goes by its own name in texts.
            let known = exposed.contains(name) || exposed.contains(&format!("{name}_sum"));
            assert!(known || recorded.contains(name), "{file} names {name}, which does not exist");
        }
    }
}

#[test]
fn the_dashboards_show_every_metric() {
    let queries: Vec<String> = DASHBOARDS.iter().flat_map(|path| queries(path)).collect();
    let queries = queries.join("\n");
    let shown = words(&queries, &["mlfence_"]);
    for name in exposed() {
        assert!(shown.contains(name.as_str()), "no panel shows {name}");
    }
}

// Rules

#[test]
fn every_alert_says_how_bad_it_is_what_to_do_and_where_more_stands() {
    for (alert, rule) in alerts() {
        let severity = rule.severity.as_deref();
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{alert}: severity {severity:?}");
        assert!(rule.summary.is_some(), "{alert} has no summary");
        assert!(rule.description.is_some(), "{alert} has no description");
        assert_eq!(rule.runbook, Some(format!("{RUNBOOKS}/{alert}.md")), "{alert}");
    }
}

#[test]
fn no_rule_hangs_on_verdicts_as_judged() {
    for rule in rules() {
        assert!(!words(&rule.expr, &["mlfence_results"]).contains("mlfence_results"), "{}", rule.expr);
    }
}

#[test]
fn the_codes_in_rules_are_codes_of_verdicts() {
    let codes = read("src/inventory/reason.rs");
    let mut found = 0;
    for rule in rules() {
        for pattern in rule.expr.split("code").skip(1) {
            let pattern = pattern.trim_start_matches(['=', '!', '~']);
            let Some(pattern) = pattern.strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            for code in pattern.split('|') {
                assert!(
                    codes.contains(&format!("\"{code}\"")),
                    "{code} is no code of src/inventory/reason.rs"
                );
                found += 1;
            }
        }
    }
    assert!(found > 0, "no rule selects by code any more");
}

/// Each code of an unknown verdict is one alert's: none alerts twice, and none nobody.
#[test]
fn every_code_of_an_unknown_verdict_has_one_alert() {
    let reasons = read("src/inventory/reason.rs");
    let block =
        reasons.split("codes! {").nth(1).and_then(|rest| rest.split("\n}").next()).expect("the codes");
    let codes: Vec<&str> = block
        .lines()
        .filter_map(|line| line.trim_end_matches(',').strip_suffix('"')?.rsplit('"').next())
        .collect();
    assert!(codes.len() > 15 && codes.contains(&"undeclared"), "{codes:?}");
    let selectors: Vec<(String, bool, Vec<String>)> = alerts()
        .into_iter()
        .filter_map(|(alert, rule)| {
            let (_, rest) = rule.expr.split_once("mlfence_unknown_results{code")?;
            let negated = rest.starts_with('!');
            let pattern = rest.split('"').nth(1)?;
            Some((alert, negated, pattern.split('|').map(str::to_owned).collect()))
        })
        .collect();
    for code in codes {
        let of: Vec<&str> = selectors
            .iter()
            .filter(|(_, negated, listed)| listed.iter().any(|listed| listed == code) != *negated)
            .map(|(alert, ..)| alert.as_str())
            .collect();
        // MlfencePolicyErrors counts errors, not verdicts.
        let expected = if code == "policy_error" { 0 } else { 1 };
        assert_eq!(of.len(), expected, "{code}: {of:?}");
    }
}

/// By alert: how many cases of its unit tests expect it to fire, and how many not to.
fn cases() -> BTreeMap<String, (usize, usize)> {
    let tests = yaml::read(&read(RULE_TESTS), |node| {
        let tests = node.table().and_then(|mut table| table.take("tests"));
        tests.map(|tests| {
            tests.list_of(|test| {
                let cases = test.table()?.take("alert_rule_test")?;
                Some(cases.list_of(|case| {
                    let mut table = case.table()?;
                    let alert = table.take("alertname")?.string()?;
                    Some((alert, table.take("exp_alerts").is_some()))
                }))
            })
        })
    });
    let mut cases: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (alert, fires) in tests.0.flatten().expect("tests").into_iter().flatten() {
        let counts = cases.entry(alert).or_default();
        if fires { counts.0 += 1 } else { counts.1 += 1 }
    }
    cases
}

#[test]
fn every_alert_is_tested_firing_with_all_its_texts_and_silent() {
    let cases = cases();
    for (alert, _) in alerts() {
        let (fires, silent) = cases.get(&alert).copied().unwrap_or_default();
        assert!(fires > 0, "no unit test has {alert} fire");
        assert!(silent > 0, "no unit test has {alert} silent");
    }
}

// promtool

fn promtool(arguments: &[&str], file: &Path) {
    let output = Command::new("promtool").args(arguments).arg(file).output().unwrap_or_else(|error| {
        panic!("promtool cannot be run ({error}); it is part of the Debian package `prometheus`")
    });
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {} {}:\n{text}", arguments.join(" "), file.display());
}

#[test]
fn promtool_accepts_the_rules() {
    promtool(&["check", "rules", "--lint-fatal"], &root().join(RULES));
}

#[test]
fn the_rules_pass_their_own_tests() {
    promtool(&["test", "rules"], &root().join(RULE_TESTS));
}

/// The command in the rules' own head, which makes addresses of the runbooks' paths.
#[test]
fn the_runbooks_paths_become_addresses_by_the_command_that_the_rules_show() {
    let text = read(RULES);
    let command = text.lines().find_map(|line| line.strip_prefix("#   sed ")).expect("the command");
    let folder = root().join("deploy/prometheus");
    let output = Command::new("sh").args(["-c", &format!("sed {command}")]).current_dir(folder).output();
    let installed = String::from_utf8(output.expect("sh runs").stdout).expect("text");
    let addresses =
        installed.matches("runbook_url: https://git.example/mlfence/docs/runbooks/Mlfence").count();
    assert_eq!(addresses, alerts().len());
}

#[test]
fn promtool_accepts_every_query_of_the_dashboards() {
    let queries = DASHBOARDS.iter().flat_map(|path| queries(path));
    let rules: Vec<Value> = queries
        .enumerate()
        .map(|(at, query)| serde_json::json!({"record": format!("dashboard:query:{at}"), "expr": query}))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dashboard.rules.yaml");
    // JSON is YAML.
    let text = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string();
    fs::write(&file, text).expect("a file");
    promtool(&["check", "rules"], &file);
}

// Runbooks

/// The pages by their names, without the one that lists them.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(root().join(RUNBOOKS)).expect("the folder of runbooks") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert_eq!(path.extension().and_then(|extension| extension.to_str()), Some("md"), "{name}");
        if name != "README" {
            pages.insert(name, fs::read_to_string(&path).expect("a text"));
        }
    }
    pages
}

/// Every alert that can reach somebody, and how severe it is: by the rules, and those that the daemon sends itself.
fn every_alert() -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        alerts().into_iter().map(|(alert, rule)| (alert, rule.severity.unwrap_or_default())).collect();
    let code = code("src/outlets/alertmanager.rs");
    let sent = words(&code, &["Mlfence"]);
    assert!(sent.contains("MlfenceFinding"), "the alerts that the daemon sends are no longer found");
    all.extend(sent.into_iter().map(|name| (name.to_owned(), "the finding's own".to_owned())));
    all
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let alerts = every_alert();
    let names: Vec<&String> = alerts.keys().collect();
    assert_eq!(pages().keys().collect::<Vec<&String>>(), names);
}

#[test]
fn every_page_tells_meaning_impact_diagnosis_and_mitigation() {
    let alerts = every_alert();
    for (name, page) in pages() {
        let headings: Vec<&str> =
            page.lines().filter(|line| line.starts_with('#') && !line.contains("needs")).collect();
        let headings: Vec<&str> =
            headings.into_iter().filter(|line| line.starts_with("# M") || line.starts_with("## ")).collect();
        let expected = [&format!("# {name}"), "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
        assert_eq!(headings, expected, "{name}");
        let severity = alerts.get(&name).map(String::as_str).unwrap_or_default();
        assert!(
            page.contains(&format!("Severity: {severity}")),
            "{name} does not say `Severity: {severity}`"
        );
        assert!(page.contains("```sh\n"), "{name} shows no command");
    }
}

#[test]
fn the_list_of_runbooks_is_complete() {
    let text = read(&format!("{RUNBOOKS}/README.md"));
    for (name, severity) in every_alert() {
        let row =
            text.lines().find(|line| line.starts_with(&format!("| [{name}]({name}.md) | {severity} |")));
        assert!(row.is_some(), "docs/runbooks/README.md has no row for {name}, {severity}");
    }
}

// Dashboards

#[test]
fn the_dashboards_ask_whichever_prometheus_is_chosen() {
    let mut uids = BTreeSet::new();
    for path in DASHBOARDS {
        let dashboard = dashboard(path);
        let mut sources = Vec::new();
        values_of("datasource", &dashboard, &mut sources);
        assert!(!sources.is_empty());
        for source in sources {
            assert_eq!(source["uid"], "${datasource}");
        }
        let mut found = Vec::new();
        values_of("panels", &dashboard, &mut found);
        let panels: Vec<&Value> = found.into_iter().filter_map(Value::as_array).flatten().collect();
        let unique: BTreeSet<Option<u64>> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
        assert_eq!(unique.len(), panels.len(), "{path}: two panels have one id");
        uids.insert(dashboard["uid"].as_str().expect("a uid").to_owned());
    }
    assert_eq!(uids.len(), DASHBOARDS.len(), "two dashboards have one uid");
    // A link from panel to panel names a dashboard that there is.
    for path in DASHBOARDS {
        for link in read(path).split("\"/d/").skip(1) {
            let uid: String = link.chars().take_while(|c| *c != '?').collect();
            assert!(uids.contains(&uid), "{path} links to {uid}");
        }
    }
}

/// No panel covers another one or leaves the 24 columns.
#[test]
fn the_panels_have_places_of_their_own() {
    for path in DASHBOARDS {
        let dashboard = dashboard(path);
        let mut taken: BTreeMap<(u64, u64), &Value> = BTreeMap::new();
        for panel in dashboard["panels"].as_array().expect("panels") {
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
            assert!(at("x") + at("w") <= 24, "{path}: {} is too wide", panel["title"]);
            for (x, y) in
                (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                let other = taken.insert((x, y), &panel["title"]);
                assert_eq!(other, None, "{path}: {} lies over it", panel["title"]);
            }
        }
    }
}

/// The codes whose remedy the dashboard tells are codes.
#[test]
fn the_remedies_on_the_dashboard_are_those_of_codes() {
    let codes = read("src/inventory/reason.rs");
    let dashboard = dashboard("deploy/grafana/workspace.json");
    let mut properties = Vec::new();
    values_of("properties", &dashboard, &mut properties);
    let maps: Vec<&Value> = properties
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter(|property| property["id"] == "mappings")
        .map(|property| &property["value"][0]["options"])
        .filter(|options| options["denied"].is_object())
        .collect();
    assert!(!maps.is_empty(), "the remedies are no longer found");
    for code in maps.iter().flat_map(|map| map.as_object().expect("a map").keys()) {
        assert!(codes.contains(&format!("\"{code}\"")), "{code} is no code");
    }
}
