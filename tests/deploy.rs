//! What is shipped in `deploy/`, and the Dockerfile, hold together with the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mlfence::audit::{PolicyArguments, Setup};
use mlfence::config::Config;
use mlfence::findings::waivers::{self, Waiver, read::Rules};
use mlfence::yaml;
use serde_json::Value;

const RULES: &str = "deploy/prometheus/mlfence.rules.yaml";
const RULE_TESTS: &str = "deploy/prometheus/mlfence.rules.test.yaml";
const DASHBOARD: &str = "deploy/grafana/mlfence.json";
const EXAMPLE: &str = "deploy/mlfence.yaml";
const WAIVERS: &str = "deploy/waivers.yaml";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of a text that begin with one of `prefixes`, where a word is what may stand in a metric's name.
fn words<'a>(text: &'a str, prefixes: &[&str]) -> BTreeSet<&'a str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

/// What stands between quotation marks right after each `before`.
fn literals_after<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

// The example configuration

fn parse(text: &str) -> Config {
    Config::parse(text).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{EXAMPLE}:\n{}", problems.join("\n"))
    })
}

#[test]
fn the_example_configuration_is_the_default_one() {
    assert_eq!(parse(&read(EXAMPLE)), Config::default());
}

#[test]
fn each_other_value_that_the_example_shows_is_valid() {
    let text = read(EXAMPLE);
    let keys: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split(':').next())
        .collect();
    let shown: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            keys.iter().any(|key| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(": ")))
        })
        .collect();
    for line in &shown {
        assert_ne!(parse(line), Config::default(), "shows the default: {line}");
    }
    for kind in ["managed_identity", "workload_identity", "client_secret"] {
        assert!(shown.iter().any(|line| line.contains(kind)), "no line shows the credential {kind}");
    }
}

#[test]
fn the_example_names_every_key() {
    let code =
        ["src/config/read.rs", "src/config/alertmanager.rs", "src/config/http.rs"].map(read).join("\n");
    let mut keys = literals_after(&code, "take(\"");
    keys.extend(literals_after(&code, "text(\""));
    assert!(keys.len() > 20, "the keys are no longer found in src/config/read.rs: {keys:?}");
    let text = read(EXAMPLE);
    let shown: BTreeSet<&str> = text
        .split(':')
        .filter_map(|before| before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next())
        .collect();
    let missing: Vec<&&str> = keys.difference(&shown).collect();
    assert!(missing.is_empty(), "{EXAMPLE} lacks {missing:?}");
}

// The example waivers

/// The waivers of a text, and the problems with it, on a day when the example is valid.
fn example_waivers(text: &str) -> (Vec<Waiver>, Vec<String>) {
    let bundle = Setup::load(None, &PolicyArguments::default()).expect("the shipped policies load").bundle;
    let policies =
        bundle.policies().iter().map(|policy| (policy.metadata.id.clone(), policy.metadata.severity));
    let rules = Rules {
        today: time::macros::date!(2026 - 11 - 26),
        longest: Config::default().waivers.longest,
        policies: &policies.collect(),
    };
    let mut waivers = Vec::new();
    let problems = waivers::read::read(WAIVERS, text, &rules, &mut waivers);
    (waivers, problems.iter().map(ToString::to_string).collect())
}

#[test]
fn the_example_waivers_are_valid_and_show_every_key() {
    let text = read(WAIVERS);
    let (waivers, problems) = example_waivers(&text);
    assert_eq!((waivers.len(), problems), (3, vec![]));
    let code: String = read("src/findings/waivers/read.rs").split_whitespace().collect();
    let mut keys = literals_after(&code, "take(\"");
    keys.extend(literals_after(&code, "&muttable,\""));
    assert!(keys.len() == 11, "the keys are no longer found in src/findings/waivers/read.rs: {keys:?}");
    for key in keys {
        let shown =
            text.lines().any(|line| line.trim_start_matches(['-', ' ']).starts_with(&format!("{key}:")));
        assert!(shown, "{WAIVERS} lacks {key}");
    }
}

/// Each of the three needs what it says that it needs.
#[test]
fn the_example_waivers_need_what_they_show() {
    let text = read(WAIVERS);
    let without = |line: &str| example_waivers(&text.replace(line, "")).1.len();
    assert_eq!(without("  allow_broad: true\n"), 1);
    assert_eq!(without("  expires: 2027-06-30\n"), 1);
    assert_eq!(without("  accepts: unknown             # fail if not told\n"), 0);
}

// The image

/// The instructions of the Dockerfile, comments left out and continued lines joined.
fn instructions() -> Vec<String> {
    let text = read("Dockerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    joined.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn everything_that_the_image_copies_exists_and_reaches_the_build() {
    let ignored = read(".dockerignore");
    let mut sources = 0;
    for instruction in instructions() {
        let Some(arguments) = instruction.strip_prefix("COPY ") else { continue };
        let mut paths: Vec<&str> = arguments.split_whitespace().collect();
        if paths.iter().any(|word| word.starts_with("--from=")) {
            continue;
        }
        paths.pop();
        for path in paths.iter().filter(|word| !word.starts_with("--")) {
            assert!(root().join(path).exists(), "the Dockerfile copies {path}, which does not exist");
            let line = format!("!{path}");
            assert!(ignored.lines().any(|other| other == line), ".dockerignore keeps {path} from the build");
            sources += 1;
        }
    }
    assert!(sources > 0, "the Dockerfile copies nothing");
}

#[test]
fn the_image_has_every_workspace_member_and_the_compiler_that_cargo_asks_for() {
    let manifest = read("Cargo.toml");
    let instructions = instructions();
    let members =
        manifest.lines().find_map(|line| line.strip_prefix("members = [")).expect("workspace members");
    for member in members.split('"').skip(1).step_by(2) {
        let path = format!("{member}/Cargo.toml");
        assert!(instructions.iter().any(|line| line.contains(&path)), "the Dockerfile does not copy {path}");
    }
    // Cargo refuses a manifest whose targets have no file.
    let mut lines = manifest.lines();
    while lines.by_ref().any(|line| line.trim() == "[[bench]]") {
        let name = lines.by_ref().find_map(|line| line.strip_prefix("name = ")).expect("a bench has a name");
        let path = format!("benches/{}.rs", name.trim_matches('"'));
        assert!(instructions.iter().any(|line| line.contains(&path)), "the Dockerfile does not make {path}");
    }
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a rust-version");
    let base = format!("FROM rust:{}.", version.trim_matches('"'));
    assert!(instructions.iter().any(|line| line.starts_with(&base)), "no stage begins with {base}");
}

#[test]
fn every_base_of_the_image_has_a_tag_and_the_last_stage_runs_without_root_and_shell() {
    let instructions = instructions();
    let bases: Vec<&str> = instructions.iter().filter_map(|line| line.strip_prefix("FROM ")).collect();
    for base in &bases {
        let image = base.split(' ').next().unwrap_or_default();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{image} is not pinned");
    }
    let at = instructions.iter().rposition(|line| line.starts_with("FROM ")).expect("a stage");
    let last = &instructions[at..];
    assert!(last.contains(&"USER 65532:65532".to_owned()));
    assert!(last.iter().any(|line| line.starts_with("HEALTHCHECK ") && line.contains("\"health\"")));
    for line in last {
        assert!(!line.starts_with("RUN "), "there is no shell to run this: {line}");
    }
}

// Rules and dashboard

/// The names of the exposition: those that the daemon's code registers, and what a histogram makes of one.
fn exposed() -> BTreeSet<String> {
    // Without blanks, so that line breaks don't matter.
    let code: String = read("src/outlets/metrics.rs").split_whitespace().collect();
    let names = literals_after(&code, "\"mlfence_");
    let mut names: BTreeSet<String> = names.into_iter().map(|rest| format!("mlfence_{rest}")).collect();
    assert!(names.len() > 10, "the metrics are no longer found in src/outlets/metrics.rs: {names:?}");
    for name in literals_after(&code, "HistogramOpts::new(\"") {
        names.remove(name);
        names.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
    }
    names
}

struct Rule {
    alert: Option<String>,
    record: Option<String>,
    expr: String,
    severity: Option<String>,
    summary: Option<String>,
    description: Option<String>,
}

fn rules() -> Vec<Rule> {
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
        Some(Rule { alert, record, expr, severity, summary, description })
    };
    let groups = yaml::read(&read(RULES), |node| {
        let groups = node.table().and_then(|mut table| table.take("groups"));
        groups.map(|groups| {
            groups.list_of(|group| group.table()?.take("rules").map(|rules| rules.list_of(rule)))
        })
    });
    groups.0.flatten().expect("groups").into_iter().flatten().collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).unwrap_or_else(|error| panic!("{DASHBOARD}: {error}"))
}

/// Every value of a key, however deep.
fn values_of<'a>(key: &str, value: &'a Value, into: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            into.extend(map.get(key));
            map.values().for_each(|value| values_of(key, value, into));
        }
        Value::Array(list) => list.iter().for_each(|value| values_of(key, value, into)),
        _ => {}
    }
}

fn dashboard_queries() -> Vec<String> {
    let dashboard = dashboard();
    let mut found = Vec::new();
    values_of("expr", &dashboard, &mut found);
    let queries: Vec<String> = found.iter().filter_map(|query| query.as_str()).map(str::to_owned).collect();
    assert!(queries.len() > 10, "the dashboard's queries are no longer found");
    queries
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_exist() {
    let exposed = exposed();
    let rules = rules();
    let recorded: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.record.as_deref()).collect();
    let check = |place: &str, text: &str| {
        for name in words(text, &["mlfence_", "mlfence:"]) {
            assert!(
                exposed.contains(name) || recorded.contains(name),
                "{place} names {name}, which does not exist"
            );
        }
    };
    // Whole files: descriptions, variables and unit tests name metrics too.
    for file in [RULES, RULE_TESTS, DASHBOARD] {
        check(file, &read(file));
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let queries = dashboard_queries().join("\n");
    let shown = words(&queries, &["mlfence_"]);
    for name in exposed() {
        assert!(shown.contains(name.as_str()), "no panel shows {name}");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let rules = rules();
    let alerts: Vec<&Rule> = rules.iter().filter(|rule| rule.alert.is_some()).collect();
    assert!(alerts.len() > 5, "the alerts are no longer found");
    for rule in alerts {
        let alert = rule.alert.as_deref().unwrap_or_default();
        let severity = rule.severity.as_deref();
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{alert}: severity {severity:?}");
        assert!(rule.summary.is_some(), "{alert} has no summary");
        assert!(rule.description.is_some(), "{alert} has no description");
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

#[test]
fn the_dashboard_asks_whichever_prometheus_is_chosen() {
    let dashboard = dashboard();
    let mut sources = Vec::new();
    values_of("datasource", &dashboard, &mut sources);
    assert!(!sources.is_empty());
    for source in sources {
        assert_eq!(source["uid"], "${datasource}");
    }
    let mut ids = Vec::new();
    values_of("panels", &dashboard, &mut ids);
    let panels: Vec<&Value> = ids.into_iter().filter_map(Value::as_array).flatten().collect();
    let unique: BTreeSet<Option<u64>> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(unique.len(), panels.len(), "two panels have one id");
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

#[test]
fn promtool_accepts_every_query_of_the_dashboard() {
    let rules: Vec<Value> = dashboard_queries()
        .iter()
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

// amtool

#[test]
fn amtool_accepts_the_configuration_of_alertmanager_and_routes_what_mlfence_sends() {
    let file = root().join("deploy/alertmanager/alertmanager.yaml");
    let amtool = |arguments: &[&str], more: &[&str]| {
        let output = Command::new("amtool").args(arguments).arg(&file).args(more).output();
        let output = output.unwrap_or_else(|error| {
            panic!(
                "amtool cannot be run ({error}); it is part of the Debian package `prometheus-alertmanager`"
            )
        });
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text.trim().to_owned()
    };
    amtool(&["check-config"], &[]);
    for (labels, receivers) in [
        (&["alertname=MlfenceAbsent", "severity=critical"][..], "pagerduty"),
        (&["alertname=MlfenceFinding", "severity=high", "team=fraud"], "teams"),
        (&["alertname=MlfenceFinding", "severity=critical", "team=fraud"], "pagerduty,teams"),
        (&["alertname=MlfenceFinding", "severity=high"], "slack"),
        (&["alertname=MlfenceDigest", "severity=high"], "slack"),
    ] {
        assert_eq!(amtool(&["config", "routes", "test", "--config.file"], labels), receivers, "{labels:?}");
    }
}

// systemd

#[test]
fn the_unit_runs_a_command_that_exists_and_reloads_as_the_daemon_expects() {
    let unit = read("deploy/systemd/mlfence.service");
    let line = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    assert_eq!(line("ExecStart="), "/usr/bin/mlfence serve --config /etc/mlfence/mlfence.yaml");
    assert_eq!(line("ExecReload="), "/bin/kill -HUP $MAINPID");
    assert_eq!(line("Restart="), "on-failure");
    assert_eq!(line("RestartPreventExitStatus="), mlfence::cli::USAGE.to_string());
    for setting in ["DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes"] {
        assert!(unit.lines().any(|line| line == setting), "the unit lacks {setting}");
    }
}
