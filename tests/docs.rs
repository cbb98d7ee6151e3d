//! What the documents show is what the program takes: every block of commands is run, line for line, against the demo estate
//! with a daemon, a ledger and a Prometheus, or says on its first line what it needs that a test has not; every
//! configuration is read, and every link leads somewhere.
//!
//! A block is fenced by three backticks and a language. `sh` is run, unless it begins with `# needs WHAT`; it must print
//! something, unless it says that it `prints nothing` or only sets variables. `yaml` is a configuration, or waivers. The
//! others are for reading.

#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/serving.rs"]
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use armsim::{Options, RunningServer, Server, company};
use clap::Parser;
use mlfence::config::Config;
use prometheus::Prometheus;
use serde_json::Value;
use serving::{Serving, configure};
use tempfile::TempDir;
use time::OffsetDateTime;

/// What a block may need that a test has not, and the commands that it may then hold.
const NEEDS: &[(&str, &[&str])] = &[
    ("Azure", &["az", "mlfence"]),
    ("systemd", &["systemctl", "journalctl", "rm", "cp", "chown"]),
    ("a build", &["cargo", "make", "opa"]),
];

/// A policy that the demo estate violates, and who does.
const POLICY: &str = "ILB-001";
const RESOURCE: &str = "inf-mlw-pricing-dev";
const SUBSCRIPTION: &str = "8202047b-7ff0-4bdf-ad35-4c6d1669857f";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every document but the README and the change log, by its path from the root.
fn documents() -> BTreeMap<String, String> {
    fn collect(folder: &Path, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                into.insert(name, fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    let mut all = BTreeMap::new();
    collect(&root().join("docs"), &mut all);
    for name in ["CONTRIBUTING.md", "SECURITY.md"] {
        all.insert(name.to_owned(), fs::read_to_string(root().join(name)).expect("a text"));
    }
    all
}

#[derive(Debug)]
struct Block {
    /// The document and the line of its fence.
    place: String,
    language: String,
    text: String,
}

impl Block {
    /// What it needs, if a test cannot run it.
    fn needs(&self) -> Option<&str> {
        self.text.lines().next()?.strip_prefix("# needs ")
    }

    /// Whether nothing but variables is set.
    fn only_sets(&self) -> bool {
        self.text.lines().all(|line| line.is_empty() || line.starts_with('#') || line.starts_with("export "))
    }
}

fn blocks(name: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                inside = true;
                let (place, language) = (format!("{name}:{}", at + 1), language.to_owned());
                blocks.push(Block { place, language, text: String::new() });
            }
            None if inside => {
                let text = &mut blocks.last_mut().expect("inside one").text;
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    assert!(!inside, "{name}: a fence is not closed");
    blocks
}

#[test]
fn every_block_says_what_it_is() {
    for (name, text) in documents() {
        for block in blocks(&name, &text) {
            let known = ["sh", "yaml", "text", "json", "rego", "promql"].contains(&block.language.as_str());
            assert!(known, "{}: `{}` is no language that is looked at", block.place, block.language);
        }
        let mut inside = false;
        for (at, line) in text.lines().enumerate() {
            inside ^= line.trim_start().starts_with("```");
            assert!(
                inside || !line.starts_with("    "),
                "{name}:{}: an indented block escapes the tests",
                at + 1
            );
        }
    }
}

/// The commands of a block, continued lines joined; the first word of each, assignments before it left out.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let words = line.split_whitespace().map(|word| word.trim_matches('"').to_owned());
            words
                .skip_while(|word| {
                    word.split_once('=')
                        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
                })
                .collect()
        })
        .collect()
}

#[test]
fn what_cannot_be_run_is_at_least_what_it_says() {
    let make = fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    for (name, text) in documents() {
        for block in blocks(&name, &text).iter().filter(|block| block.language == "sh") {
            let Some(needs) = block.needs() else { continue };
            let allowed = NEEDS.iter().find(|(what, _)| *what == needs).map(|(_, allowed)| *allowed);
            let allowed = allowed.unwrap_or_else(|| panic!("{}: nobody needs {needs}", block.place));
            let syntax = Command::new("bash").args(["-n", "-c", &block.text]).output().expect("bash runs");
            assert!(syntax.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&syntax.stderr));
            for words in commands(&block.text) {
                let word = |at: usize| words.get(at).map(String::as_str).unwrap_or_default();
                assert!(allowed.contains(&word(0)), "{}: {} is run elsewhere", block.place, word(0));
                match word(0) {
                    "mlfence" => {
                        let parsed =
                            mlfence::cli::Cli::try_parse_from(words.iter().take_while(|word| *word != ">"));
                        assert!(parsed.is_ok(), "{}: {words:?}", block.place);
                    }
                    "make" => {
                        assert!(
                            make.contains(&format!("\n{}:", word(1))),
                            "{}: make {}",
                            block.place,
                            word(1)
                        );
                    }
                    "cargo" => {
                        for test in words.windows(2).filter(|pair| pair[0] == "--test").map(|pair| &pair[1]) {
                            let file = root().join(format!("tests/{test}.rs"));
                            assert!(file.exists(), "{}: there is no test {test}", block.place);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn every_configuration_in_the_documents_is_valid() {
    let mut found = 0;
    for (name, text) in documents() {
        for block in blocks(&name, &text).iter().filter(|block| block.language == "yaml") {
            let problems = Config::parse(&block.text).err().unwrap_or_default();
            assert!(problems.is_empty(), "{}: {problems:?}", block.place);
            found += 1;
        }
    }
    assert!(found > 0, "no document shows a configuration");
}

/// The anchors that a document's headings make, as the usual hosts spell them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    for (name, text) in documents() {
        let folder = root().join(&name).parent().expect("a folder").to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { root().join(&name) } else { folder.join(path) };
            assert!(path.exists(), "{name} links to {target}");
            if !anchor.is_empty() {
                let there = fs::read_to_string(&path).expect("a text");
                assert!(
                    anchors(&there).iter().any(|known| known == anchor),
                    "{name}: {target} has no such heading"
                );
            }
        }
    }
}

/// The map of modules names each module once, and none that there is not.
#[test]
fn the_map_of_modules_is_true() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("a text");
    let rows = text.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let mut mapped: Vec<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let library = fs::read_to_string(root().join("src/lib.rs")).expect("a text");
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut modules: Vec<&str> = modules.collect();
    mapped.sort_unstable();
    modules.sort_unstable();
    assert_eq!(mapped, modules);
}

// Running them

/// What the commands find: a configuration, a daemon with a ledger, Prometheus, and programs that tell findings from failures.
struct Site {
    folder: TempDir,
    server: RunningServer,
    daemon: Serving,
    prometheus: Prometheus,
    finding: String,
}

impl Site {
    async fn start() -> Self {
        let estate = company::demo().0;
        let declarations = company::declarations(&estate);
        let options = Options { rate_limits: false, ..Options::default() };
        let server = Server::start(estate, options).await.expect("armsim starts");
        let folder = tempfile::tempdir().expect("a folder");
        let soon = OffsetDateTime::now_utc().date() + time::Duration::days(3);
        let waivers = format!(
            "waivers:\n- policy: ACI-010\n  scope: /subscriptions/{SUBSCRIPTION}\n  reason: moves to AKS\n  owner: ann@example.com\n  \
             expires: {soon}\n  allow_broad: true\n"
        );
        fs::write(folder.path().join("waivers.yaml"), waivers).expect("written");
        // Nobody listens there, as in a bad hour.
        let more = format!(
            "{declarations}waivers: {{ files: [waivers.yaml] }}\nalertmanager: {{ urls: ['http://127.0.0.1:9'], resend: 1s }}\n"
        );
        let ledger = folder.path().join("ledger.db");
        let config = configure(folder.path(), &server, "1h", &ledger, &more);
        let daemon = Serving::start(&server, &config);
        daemon.log("last sweep");
        // The commands ask the daemon by the configuration's address.
        let text = fs::read_to_string(&config).expect("readable").replace("127.0.0.1:0", &daemon.address);
        fs::write(&config, text).expect("written");
        let rules =
            fs::read_to_string(root().join("deploy/prometheus/mlfence.rules.yaml")).expect("the rules");
        let prometheus = Prometheus::start(&daemon.address, &rules);
        let mut site = Self { folder, server, daemon, prometheus, finding: String::new() };
        site.programs();
        site.policies();
        site.settle();
        site.finding = site.fingerprint();
        site
    }

    /// `mlfence`, whose exit codes tell of findings too, and `armsim`, which no other test of this package builds.
    fn programs(&self) {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "armsim"]).current_dir(root());
        assert!(build.status().expect("cargo runs").success());
        let folder = self.folder.path().join("bin");
        fs::create_dir(&folder).expect("a folder");
        let script = format!(
            "#!/bin/sh\n{} \"$@\"\ncode=$?\ncase \"$1:$code\" in audit:1|audit:4|permissions:1) exit 0;; esac\nexit $code\n",
            env!("CARGO_BIN_EXE_mlfence")
        );
        let path = folder.join("mlfence");
        fs::write(&path, script).expect("written");
        assert!(Command::new("chmod").arg("+x").arg(path).status().expect("chmod runs").success());
    }

    /// A folder with a policy of one's own.
    fn policies(&self) {
        let folder = self.folder.path().join("policies");
        fs::create_dir(&folder).expect("a folder");
        for end in ["", "_test"] {
            let text = fs::read_to_string(
                root().join(format!("policies/azure/aks/region_matches_workspace{end}.rego")),
            );
            let text = text
                .expect("a policy")
                .replace("AKS-001", "ORG-001")
                .replace("azure.aks.region", "org.region");
            fs::write(folder.join(format!("region{end}.rego")), text).expect("written");
        }
    }

    /// Rates need a sweep between two scrapes.
    fn settle(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        let waits = |query: &str| {
            while !self.prometheus.ask(query).iter().any(|(_, value)| *value > 0.0) {
                assert!(Instant::now() < until, "{query} returns nothing");
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        waits("mlfence_findings_opened_total");
        let pid = self.daemon.pid().to_string();
        assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().expect("kill runs").success());
        self.daemon.log("last sweep");
        waits("increase(mlfence_azure_requests_total[15m])");
        waits("increase(mlfence_notification_failures_total[15m])");
    }

    fn fingerprint(&self) -> String {
        let output = self
            .run(self.folder.path(), "mlfence audit --config \"$CONFIG\" --policy \"$POLICY\" --format json");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let results = report["results"].as_array().expect("results");
        let violations = results.iter().filter_map(|result| result["violations"].as_array()).flatten();
        let of_resource = violations.filter_map(|violation| violation["id"].as_str()).next();
        of_resource.expect("the demo estate violates it").to_owned()
    }

    /// Runs a block as somebody would who pastes it.
    fn run(&self, place: &Path, script: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let programs = self.folder.path().join("bin");
        let targets = Path::new(env!("CARGO_BIN_EXE_mlfence")).parent().expect("a folder");
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(place)
            .env("PATH", format!("{}:{}:{path}", programs.display(), targets.display()))
            .env("IDENTITY_ENDPOINT", self.server.identity_endpoint())
            .env("IDENTITY_HEADER", armsim::server::SECRET)
            .env("CONFIG", self.folder.path().join("mlfence.yaml"))
            .env("LEDGER", self.folder.path().join("ledger.db"))
            .env("POLICIES", self.folder.path().join("policies"))
            .env("DAEMON", format!("http://{}", self.daemon.address))
            .env("PROMETHEUS", format!("http://{}", self.prometheus.address))
            .envs([("POLICY", POLICY), ("RESOURCE", RESOURCE), ("SUBSCRIPTION", SUBSCRIPTION)])
            .env("FINDING", &self.finding)
            .env_remove("MLFENCE_LOG")
            .output()
            .expect("bash runs")
    }
}

/// A copy of what a newcomer has, to work in: the policies, and what is shipped beside them.
fn checkout() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["policies", "deploy", "docs"] {
        let copied = Command::new("cp").arg("-r").arg(root().join(name)).arg(folder.path()).status();
        assert!(copied.expect("cp runs").success());
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_in_the_documents_works() {
    let site = Site::start().await;
    // What several pages show is run once.
    let mut run = BTreeSet::new();
    for (name, text) in documents() {
        let place = checkout();
        for block in blocks(&name, &text).iter().filter(|block| block.language == "sh") {
            if block.needs().is_some() || run.contains(&block.text) {
                continue;
            }
            let output = site.run(place.path(), &block.text);
            let told = format!(
                "{}\n{}--- printed\n{}{}",
                block.place,
                block.text,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(output.status.success(), "{told}");
            let silent = block.only_sets() || block.text.contains("# prints nothing");
            assert!(silent || !output.stdout.is_empty(), "it prints nothing: {told}");
            run.insert(block.text.clone());
        }
    }
    assert!(run.len() > 30, "the commands are no longer found");
}
