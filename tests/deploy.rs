//! What is shipped in `deploy/`, and the Dockerfile, hold together with the program. Rules and dashboards are `tests/monitoring.rs`'
//! affair.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use mlfence::audit::{PolicyArguments, Setup};
use mlfence::config::Config;
use mlfence::findings::waivers::{self, Waiver, read::Rules};

const EXAMPLE: &str = "deploy/mlfence.yaml";
const WAIVERS: &str = "deploy/waivers.yaml";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
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
    let code = [
        "src/config/read.rs",
        "src/config/alertmanager.rs",
        "src/config/http.rs",
        "src/config/metrics.rs",
        "src/config/webhook.rs",
    ]
    .map(read)
    .join("\n");
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

// The image; tests/deploy/container.py runs it

/// The instructions of the Dockerfile, comments left out, continued lines joined and the images' names put in.
fn instructions() -> Vec<String> {
    let text = read("Dockerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut joined = lines.join("\n").replace("\\\n", " ");
    for argument in ["RUST_IMAGE", "BASE_IMAGE"] {
        let image = literal(&joined, &format!("ARG {argument}="));
        joined = joined.replace(&format!("FROM ${{{argument}}}"), &format!("FROM {image}"));
    }
    joined.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The rest of the line that begins so.
fn literal(text: &str, before: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix(before))
        .unwrap_or_else(|| panic!("no {before}"))
        .to_owned()
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
    let version = literal(&manifest, "rust-version = ");
    let base = format!("FROM rust:{}.", version.trim_matches('"'));
    assert!(instructions.iter().any(|line| line.starts_with(&base)), "no stage begins with {base}");
}

#[test]
fn every_base_of_the_image_has_a_tag_and_the_last_stages_run_without_root_and_shell() {
    let instructions = instructions();
    let mut stages: Vec<&[String]> = Vec::new();
    let starts: Vec<usize> =
        (0..instructions.len()).filter(|&at| instructions[at].starts_with("FROM ")).collect();
    for (nth, &at) in starts.iter().enumerate() {
        stages.push(&instructions[at..starts.get(nth + 1).copied().unwrap_or(instructions.len())]);
    }
    let mut names = BTreeSet::new();
    let mut images = 0;
    for stage in &stages {
        let mut words = stage[0].split(' ').skip(1);
        let base = words.next().unwrap_or_default();
        let tag = base.rsplit_once(':').map(|(_, tag)| tag);
        assert!(names.contains(base) || tag.is_some_and(|tag| tag != "latest"), "{base} is not pinned");
        names.extend(words.nth(1));
        // What is shipped has an entry point.
        if stage.iter().any(|line| line.starts_with("ENTRYPOINT ")) {
            assert!(stage.contains(&"USER 65532:65532".to_owned()), "{}", stage[0]);
            assert!(!stage.iter().any(|line| line.starts_with("RUN ")), "there is no shell in {}", stage[0]);
            images += 1;
        }
    }
    assert_eq!(images, 2);
    let last = stages.last().expect("a stage");
    assert!(last.iter().any(|line| line.starts_with("HEALTHCHECK ") && line.contains("\"health\"")));
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
