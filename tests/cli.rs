//! The command line as a person or a script meets it: what is printed, and the exit code.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use armsim::company;
use serde_json::Value;
use tempfile::TempDir;

struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Whoever serves by v1 is not healthy (LIF-001).
        support::without_v1().save(folder.path().join("healthy.jsonl")).expect("saved");
        let demo = company::demo().0;
        demo.save(folder.path().join("demo.jsonl")).expect("saved");
        for (name, estate) in [("healthy.yaml", company::healthy()), ("demo.yaml", demo)] {
            fs::write(folder.path().join(name), company::declarations(&estate)).expect("written");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("written");
        path
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mlfence"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("IDENTITY_ENDPOINT")
            .env_remove("IDENTITY_HEADER")
            .output()
            .expect("mlfence runs")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended by a signal: {output:?}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn exit_codes() {
    let desk = Desk::new();
    let mut unknown = support::without_v1();
    let guid = unknown.header.subscriptions[0].id.clone();
    unknown.gaps.push(serde_json::json!({"source": "workspaces", "scope": format!("/subscriptions/{guid}"), "reason": "denied", "detail": ""}));
    unknown.save(desk.path("unknown.jsonl")).expect("saved");
    let mut nothing = company::healthy();
    nothing.records.clear();
    nothing
        .gaps
        .push(serde_json::json!({"source": "workspaces", "scope": "/", "reason": "denied", "detail": ""}));
    nothing.save(desk.path("nothing.jsonl")).expect("saved");
    for (arguments, expected) in [
        (&["audit", "--snapshot", "healthy.jsonl"][..], 0),
        (&["audit", "--snapshot", "healthy.jsonl", "--config", "healthy.yaml", "--fail-on-unknown"], 0),
        // Who deploys is not declared.
        (&["audit", "--snapshot", "healthy.jsonl", "--fail-on-unknown"], 4),
        (&["audit", "--snapshot", "demo.jsonl"], 1),
        (&["audit", "--snapshot", "demo.jsonl", "--fail-on", "high"], 1),
        (&["audit", "--snapshot", "demo.jsonl", "--fail-on", "critical"], 1),
        (&["audit", "--snapshot", "demo.jsonl", "--policy", "AKS-001", "--fail-on", "critical"], 0),
        (
            &[
                "audit",
                "--snapshot",
                "demo.jsonl",
                "--policy",
                "AKS-001",
                "--fail-on",
                "critical",
                "--fail-on-unknown",
            ],
            4,
        ),
        (&["audit", "--snapshot", "unknown.jsonl"], 0),
        (&["audit", "--snapshot", "unknown.jsonl", "--fail-on-unknown"], 4),
        (&["audit", "--snapshot", "nothing.jsonl"], 3),
        (&["audit", "--snapshot", "missing.jsonl"], 2),
        (&["audit", "--snapshot", "demo.jsonl", "--policy", "XYZ-999"], 2),
        (&["audit", "--snapshot", "demo.jsonl", "--fail-on", "terrible"], 2),
        (&["explain", "AKS-002"], 0),
        (&["explain", "nope"], 2),
        (&["policy", "check"], 0),
        (&["policy", "list"], 0),
        (&["policy", "test", "--coverage"], 0),
        (&["serve", "--config", "missing.yaml"], 2),
        (&["no-such-command"], 2),
    ] {
        let output = desk.run(arguments);
        assert_eq!(code(&output), expected, "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    }
}

/// Results go to stdout, everything else to stderr; without a terminal there is neither progress nor colour.
#[test]
fn streams_are_kept_apart() {
    let desk = Desk::new();
    let output = desk.run(&["audit", "--snapshot", "demo.jsonl", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("stdout is JSON and nothing else");
    assert_eq!(stderr(&output), "");
    assert_eq!(report["schema"], "mlfence.report/1");
    for key in ["taken_at", "summary", "gaps", "settle", "results"] {
        assert!(report.get(key).is_some(), "{key}");
    }
    let first = &report["results"][0];
    for key in
        ["policy", "severity", "status", "subject", "reason", "violations", "notes", "documents", "origin"]
    {
        assert!(first.get(key).is_some(), "{key}: {first}");
    }
    for key in ["kind", "id", "workspace", "hidden"] {
        assert!(first["subject"].get(key).is_some(), "{key}: {first}");
    }
    let violated = report["results"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|r| r["status"] == "fail")
        .expect("a failure");
    for key in ["id", "key", "message", "severity", "resource", "evidence", "remediation", "waiver"] {
        assert!(violated["violations"][0].get(key).is_some(), "{key}: {violated}");
    }
    let table = stdout(&desk.run(&["audit", "--snapshot", "demo.jsonl"]));
    assert!(!table.contains('\u{1b}'), "colour codes in a pipe");
}

#[test]
fn the_table_is_worst_first_and_ends_with_what_would_settle() {
    let desk = Desk::new();
    let table = stdout(&desk.run(&["audit", "--snapshot", "demo.jsonl", "--config", "demo.yaml"]));
    let at = |text: &str| table.find(text).unwrap_or_else(|| panic!("`{text}` is missing in\n{table}"));
    assert!(at("workspace mlw-pricing-dev") < at("workspace mlw-telematics-prod"));
    assert!(at("workspace mlw-telematics-prod") < at("workspace mlw-vision-dev"));
    assert!(at("workspace mlw-vision-dev") < at("workspace mlw-churn-prod"));
    assert!(at("workspace mlw-churn-prod") < at("workspace mlw-fraud-prod"));
    assert!(at("workspace mlw-fraud-prod") < at("\nnot read\n"));
    assert!(at("\nnot read\n") < at("1 permission would settle 30 of 35 unknowns"));
    assert!(at("not visible in subscription finance-ml") < at("\nnot read\n"));
}

#[test]
fn filters_hide_results_and_nothing_else() {
    let desk = Desk::new();
    let output = desk.run(&[
        "audit",
        "--snapshot",
        "demo.jsonl",
        "--format",
        "json",
        "--status",
        "fail",
        "--policy",
        "aks-001",
        "--policy",
        "NET-003",
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = report["results"].as_array().expect("a list");
    let policies: Vec<&str> = results.iter().filter_map(|result| result["policy"].as_str()).collect();
    assert_eq!(policies, ["AKS-001", "NET-003"]);
    assert!(!report["gaps"].as_array().expect("a list").is_empty());
    assert!(report["summary"]["results"]["pass"].as_u64() > Some(0));
}

#[test]
fn severities_and_switches_of_the_configuration_are_visible() {
    let desk = Desk::new();
    desk.write(
        "mlfence.yaml",
        "policies: { disabled: [NET-003], severities: { AKS-001: critical, ACI-004: low } }\n",
    );
    let list = stdout(&desk.run(&["policy", "list", "--config", "mlfence.yaml"]));
    let line = |id: &str| {
        list.lines()
            .find(|line| line.trim_start().starts_with(id))
            .unwrap_or_else(|| panic!("{id} in {list}"))
            .to_owned()
    };
    assert!(line("NET-003").contains("off"), "{list}");
    assert!(line("AKS-001").contains("critical (was high)"), "{list}");
    let output = desk.run(&[
        "audit",
        "--snapshot",
        "demo.jsonl",
        "--config",
        "mlfence.yaml",
        "--format",
        "json",
        "--status",
        "fail",
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let severity = |id: &str| {
        let results = report["results"].as_array().expect("a list");
        results.iter().find(|r| r["policy"] == id).map(|r| r["violations"][0]["severity"].clone())
    };
    assert_eq!(severity("AKS-001"), Some("critical".into()));
    assert_eq!(severity("ACI-004"), Some("low".into()));
    assert_eq!(severity("NET-003"), None);
}

#[test]
fn a_bad_configuration_is_refused_with_every_problem_and_its_line() {
    let desk = Desk::new();
    desk.write(
        "bad.yaml",
        "cloud: public\nexpectatoins: {}\nexpectations:\n  default:\n    callers: [10.0.0.0/33]\npolicies:\n  disabled: [XYZ-001]\n",
    );
    for arguments in [
        &["config", "check", "--config", "bad.yaml"][..],
        &["serve", "--config", "bad.yaml"],
        &["audit", "--config", "bad.yaml"],
    ] {
        let output = desk.run(arguments);
        let text = stderr(&output);
        assert_eq!(code(&output), 2, "{text}");
        assert!(
            text.contains("bad.yaml:2: unknown key `expectatoins`; did you mean `expectations`?"),
            "{text}"
        );
        assert!(
            text.contains(
                "bad.yaml:5: expectations.default.callers[0]: `10.0.0.0/33` is no address or prefix"
            ),
            "{text}"
        );
    }
    desk.write("ids.yaml", "policies:\n  disabled: [XYZ-001]\n  severities:\n    ABC-002: low\n");
    let text = stderr(&desk.run(&["config", "check", "--config", "ids.yaml"]));
    assert!(text.contains("ids.yaml:2: policies: there is no policy `XYZ-001`"), "{text}");
    assert!(text.contains("ids.yaml:4: policies: there is no policy `ABC-002`"), "{text}");
    let text = stderr(&desk.run(&["config", "check", "--config", "missing.yaml"]));
    assert!(text.contains("missing.yaml"), "{text}");
}

/// A policy of one's own with a metadata block, to be made bad in one way each.
fn policy(id: &str, package: &str, body: &str) -> String {
    format!(
        "# METADATA\n# title: t\n# description: d\n# custom:\n#   id: {id}\n#   severity: low\n#   subject: aks_cluster\n#   requires: [aks_clusters]\n\
         #   documents:\n#   - title: t\n#     revised: \"2026-01-01\"\n#   remediation: r\n#   since: 0.1.0\npackage {package}\n\n{body}\n"
    )
}

#[test]
fn bad_policies_are_refused_with_file_and_line_all_at_once() {
    let desk = Desk::new();
    let all = [
        (
            "recursion.rego",
            policy("BAD-001", "bad.recursion", "f(x) := f(x)\napplies if f(1)"),
            "recursion.rego:1",
        ),
        (
            "metadata.rego",
            "package bad.metadata\n\napplies := true\n".to_owned(),
            "metadata.rego:1: a comment block `# METADATA`",
        ),
        ("duplicate.rego", policy("AKS-001", "bad.duplicate", "applies := true"), "AKS-001"),
        ("banned.rego", policy("BAD-002", "bad.banned", "applies if http.send({})"), "banned.rego:1"),
    ];
    for (name, text, _) in &all {
        desk.write(&format!("bad/{name}"), text);
    }
    let output = desk.run(&["policy", "check", "--policies", "bad"]);
    let text = stderr(&output);
    assert_eq!(code(&output), 2, "{text}");
    for (_, _, expected) in &all {
        assert!(text.contains(expected), "`{expected}` is missing in\n{text}");
    }
    // These need to be evaluated, so they are told where nothing could end the process; again all at once.
    for (at, name, body) in [
        (
            5,
            "eager",
            "applies := true\ncompliant := true\nviolations contains v if {\n\tsome v in input.nothing\n}",
        ),
        (
            6,
            "both",
            "applies := true\ncompliant := true\nviolations contains {\"key\": \"k\", \"message\": \"m\", \"evidence\": {}}",
        ),
        (7, "dismissive", "applies := false\nviolations contains v if {\n\tsome v in input.nothing\n}"),
    ] {
        desk.write(
            &format!("hasty/{name}.rego"),
            &policy(&format!("BAD-00{at}"), &format!("bad.{name}"), body),
        );
        desk.write(
            &format!("hasty/{name}_test.rego"),
            &format!("package bad.{name}_test\n\ncases := {{}}\n\ntest_nothing := true\n"),
        );
    }
    let output = desk.run(&["policy", "check", "--policies", "hasty"]);
    let text = stderr(&output);
    assert_eq!(code(&output), 2, "{text}");
    for expected in ["eager.rego", "both.rego", "dismissive.rego"] {
        let line = text
            .lines()
            .find(|line| line.contains(expected))
            .unwrap_or_else(|| panic!("{expected} in\n{text}"));
        assert!(line.contains("compliant") || line.contains("applies"), "{line}");
    }
}

#[test]
fn a_damaged_snapshot_names_file_line_and_reason() {
    let desk = Desk::new();
    let whole = fs::read_to_string(desk.path("demo.jsonl")).expect("readable");
    let cut: String = whole.lines().take(40).map(|line| format!("{line}\n")).collect();
    desk.write("cut.jsonl", &cut);
    let output = desk.run(&["audit", "--snapshot", "cut.jsonl"]);
    assert_eq!(code(&output), 2);
    let text = stderr(&output);
    assert!(text.contains("cut.jsonl: line 41: the file is truncated"), "{text}");
}

/// Without anybody to ask there is no audit, and the message says what to do.
#[test]
fn an_audit_without_credential_says_so() {
    let desk = Desk::new();
    desk.write(
        "mlfence.yaml",
        "endpoints: { resource_manager: 'http://127.0.0.1:1', authority: 'http://127.0.0.1:1' }\ncredential: { type: managed_identity }\n",
    );
    let output = desk.run(&["audit", "--config", "mlfence.yaml"]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("IDENTITY_ENDPOINT"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn explain_tells_requirement_documents_and_fix() {
    let desk = Desk::new();
    let text = stdout(&desk.run(&["explain", "aks-002"]));
    for part in [
        "AKS-002 · high",
        "judged on",
        "documents",
        "2021-11-05",
        "what would fix a violation",
        "az aks update",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

#[test]
fn explain_tells_a_resources_verdict_and_the_facts_behind_it() {
    let desk = Desk::new();
    let explain =
        |policy: &str, resource: &str| desk.run(&["explain", policy, resource, "--snapshot", "demo.jsonl"]);
    let text = stdout(&explain("AKS-001", "k8s-mlw-telematics-prod"));
    in_order(
        &text,
        &[
            "AKS-001 · high",
            "FAIL · aks compute k8s-mlw-telematics-prod of workspace mlw-telematics-prod\n  /subscriptions/",
            "the cluster is in northeurope, the workspace in westeurope",
            "what decided",
            "cluster_location = northeurope",
            "what would fix it",
            "--workspace-name mlw-telematics-prod",
            "--name k8s-mlw-telematics-prod\n",
            "what else that touches",
            "documents",
            "judged on",
            "facts that policies read of k8s-mlw-telematics-prod",
            "workspace.location = westeurope",
            "from\n",
        ],
    );
    let text = stdout(&explain("AKS-002", "mlw-churn-prod"));
    assert!(
        text.contains("pass · aks cluster aks-mlw-churn-prod")
            && text.contains("cluster.public_fqdn = false"),
        "{text}"
    );
    assert!(!text.contains("fix"), "a pass needs none:\n{text}");
    let missing = explain("AKS-002", "nobody");
    assert_eq!(code(&missing), 2);
    assert!(
        stderr(&missing).contains("judges no aks cluster `nobody` here; it judges: "),
        "{}",
        stderr(&missing)
    );
}

#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is missing, or too early, in\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

/// A command can be pasted, and who pastes it knows whom it concerns besides.
#[test]
fn explain_names_the_real_cluster_and_what_else_the_fix_touches() {
    let desk = Desk::new();
    desk.write("declared.yaml", "expectations: { default: { control_plane: private } }\n");
    let text = stdout(&desk.run(&[
        "explain",
        "ISO-002",
        "aks-mlw-pricing-dev",
        "--snapshot",
        "demo.jsonl",
        "--config",
        "declared.yaml",
    ]));
    let (estate, _) = company::demo();
    let record =
        estate.records.iter().find(|record| record["name"] == "aks-mlw-pricing-dev").expect("the cluster");
    let id = record["id"].as_str().expect("an id");
    let subscription = id.split('/').nth(2).expect("a subscription");
    in_order(
        &text,
        &[
            "FAIL · aks cluster aks-mlw-pricing-dev",
            "what would fix it",
            &format!("az aks update --subscription {subscription} \\\n"),
            "    --resource-group rg-pricing-dev --name aks-mlw-pricing-dev",
            "--apiserver-subnet-id <choose-subnet-id>",
            "what else that touches",
            "changing the cluster aks-mlw-pricing-dev also touches 1 workspace: mlw-pricing-dev",
            "others may use it: workspaces of /subscriptions/",
            "documents",
        ],
    );
    let wide: Vec<&str> =
        text.lines().filter(|line| line.chars().count() > 96 && line.trim().contains(' ')).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

/// Whoever may name things in Azure may not write the page.
#[test]
fn a_hostile_value_forges_no_line_of_explain() {
    let desk = Desk::new();
    let (mut estate, _) = company::demo();
    let cluster = estate
        .records
        .iter_mut()
        .find(|record| record["name"] == "aks-mlw-telematics-prod")
        .expect("the cluster");
    cluster["properties"]["fqdn"] = "x\nwhat would fix it\n  az group delete\u{1b}[2J".into();
    estate.save(desk.path("hostile.jsonl")).expect("saved");
    let text =
        stdout(&desk.run(&["explain", "AKS-002", "aks-mlw-telematics-prod", "--snapshot", "hostile.jsonl"]));
    assert!(text.contains("az group delete"), "it is shown:\n{text}");
    assert_eq!(text.lines().filter(|line| line.trim() == "what would fix it").count(), 1, "{text}");
    assert!(
        !text.contains('\u{1b}') && !text.lines().any(|line| line.trim().starts_with("az group")),
        "{text}"
    );
}

/// Every command of the report is ready to be pasted, but for what a person must choose.
#[test]
fn no_violation_of_the_demo_leaves_a_name_out_that_is_known() {
    let mut filled = 0;
    for result in support::report(&company::demo().0).results {
        for violation in &result.violations {
            let text = &violation.remediation;
            let left =
                text.match_indices('<').filter_map(|(at, _)| mlfence::policy::placeholder(&text[at..]));
            for (name, _) in left {
                assert!(
                    name.starts_with("choose-"),
                    "{} {}: `<{name}>` is left in\n{text}",
                    result.policy,
                    violation.key
                );
            }
            let name = result.subject.workspace.as_ref().map_or("mlw", |id| id.name());
            filled += usize::from(text.contains(name) || text.contains(result.subject.id.name()));
        }
    }
    assert!(filled >= 10, "only {filled} name the workspace or the subject");
}

/// The demo's cluster subnet allows the registry's regional tag, and denies the internet inbound and outbound.
#[test]
fn ask_flow_answers_with_the_deciding_rule_and_a_packet() {
    let desk = Desk::new();
    desk.write("declared.yaml", "expectations: { default: { security_admin_rules: none } }\n");
    let (estate, _) = company::demo();
    let vnet =
        estate.records.iter().find(|record| record["name"] == "vnet-mlw-churn-prod").expect("the VNet");
    let at = format!("{}/subnets/snet-aks", vnet["id"].as_str().expect("an id"));
    let ask = |direction: &str, remote: &str, more: &[&str]| {
        let mut arguments =
            vec!["ask", "flow", "--at", &at, "--direction", direction, "--remote", remote, "--port", "443"];
        arguments.extend(["--snapshot", "demo.jsonl", "--format", "json"]);
        arguments.extend(more);
        let output = desk.run(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let declared = ["--config", "declared.yaml"];
    let registry = ask("outbound", "AzureContainerRegistry.WestEurope", &declared);
    assert_eq!(
        (&registry["verdict"], &registry["decided_by"][0]),
        (&"allow".into(), &"subnet:allow-acr".into())
    );
    assert_eq!(registry["witness"]["allowed"]["port"], 443);
    let caller = ask("inbound", "8.8.8.8", &declared);
    assert_eq!((&caller["verdict"], &caller["reason"]), (&"deny".into(), &Value::Null));
    assert!(caller["witness"]["denied"]["source"] == "8.8.8.8", "{caller}");
    // Undeclared, and not readable everywhere: rules that come before every group may overrule it.
    let undeclared = ask("outbound", "AzureContainerRegistry.WestEurope", &[]);
    assert_eq!(undeclared["verdict"], "unknown");
    assert!(
        undeclared["reason"]["message"].as_str().is_some_and(|text| text.contains("security admin rules")),
        "{undeclared}"
    );
    for (arguments, complaint) in [
        (
            &["ask", "flow", "--at", "x", "--direction", "inbound", "--remote", "Internet"][..],
            "--at takes an ARM id",
        ),
        (
            &["ask", "flow", "--at", "/x", "--direction", "inbound", "--remote", "300.1.1.1"],
            "neither an address",
        ),
        (
            &["ask", "flow", "--at", "/x", "--direction", "inbound", "--remote", "Internet", "--port", "9-1"],
            "neither a port",
        ),
        (&["ask", "access", "--principal", "p", "--scope", "/"], "--action"),
    ] {
        let output = desk.run(arguments);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(complaint), "{}", stderr(&output));
    }
}

/// The demo's cluster identity is Network Contributor on its VNet's resource group, and nothing elsewhere.
#[test]
fn ask_access_answers_with_the_deciding_assignment() {
    let desk = Desk::new();
    let (estate, _) = company::demo();
    let cluster =
        estate.records.iter().find(|record| record["name"] == "aks-mlw-churn-prod").expect("the cluster");
    let principal = cluster["identity"]["principalId"].as_str().expect("an object id").to_owned();
    let vnet =
        estate.records.iter().find(|record| record["name"] == "vnet-mlw-churn-prod").expect("the VNet");
    let group = vnet["id"].as_str().expect("an id").split("/providers/").next().expect("a group").to_owned();
    let ask = |wanted: [&str; 2], scope: &str| {
        let mut arguments = vec!["ask", "access", "--principal", &principal, "--scope", scope];
        arguments.extend(wanted);
        arguments.extend(["--snapshot", "demo.jsonl", "--format", "json"]);
        let output = desk.run(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    for wanted in [
        ["--role", "Network Contributor"],
        ["--role", "4d97b98b-1d4f-4787-a291-c67834d212e7"],
        ["--action", "Microsoft.Network/virtualNetworks/subnets/join/action"],
    ] {
        let answer = ask(wanted, &group);
        assert_eq!(answer["verdict"], "yes", "{answer}");
        assert_eq!(answer["witness"]["grants"][0]["role_name"], "Network Contributor");
    }
    let elsewhere = ask(["--role", "Owner"], &group);
    assert_ne!(elsewhere["verdict"], "yes", "{elsewhere}");
}

/// Reports of the same file are the same bytes.
#[test]
fn the_same_input_gives_the_same_bytes() {
    let desk = Desk::new();
    let one = desk.run(&["audit", "--snapshot", "demo.jsonl", "--format", "json"]).stdout;
    let two = desk.run(&["audit", "--snapshot", "demo.jsonl", "--format", "json"]).stdout;
    assert!(one == two && !one.is_empty());
    assert!(Path::new(&desk.path("demo.jsonl")).exists());
}

/// A folder whose links lead in circles, and a pipe in it, neither hang nor crash.
#[cfg(unix)]
#[test]
fn a_policy_folder_with_loops_and_pipes_ends() {
    let desk = Desk::new();
    desk.write("loop/a/keep.txt", "");
    for (target, link) in [("..", "loop/a/up"), ("../..", "loop/a/further"), (".", "loop/a/self")] {
        std::os::unix::fs::symlink(target, desk.path(link)).expect("a link");
    }
    let text = stderr(&desk.run(&["policy", "check", "--policies", "loop"]));
    assert!(text.contains("loop holds no policies"), "{text}");
    let made = Command::new("mkfifo").arg(desk.path("loop/a/pipe.rego")).status().expect("mkfifo runs");
    assert!(made.success());
    let output = desk.run(&["policy", "check", "--policies", "loop"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("pipe.rego: is no regular file"), "{}", stderr(&output));
}

/// Whom to ask stands beside what is wrong, as far as the operator allows the tags.
#[test]
fn a_report_shows_the_tags_that_are_allowed() {
    let desk = Desk::new();
    let mut estate = company::demo().0;
    for record in &mut estate.records {
        record["tags"]["Owner"] = "ann\u{1b}[31m".into();
        record["tags"]["cost"] = "7".into();
    }
    estate.save(desk.path("tagged.jsonl")).expect("saved");
    let config = desk.write("labels.yaml", "labels_from_tags: [owner, team]\n");
    let run = |more: &[&str]| {
        let config = config.to_str().expect("text");
        desk.run(&[&["audit", "--snapshot", "tagged.jsonl", "--config", config], more].concat())
    };
    let report: Value = serde_json::from_str(&stdout(&run(&["--format", "json"]))).expect("JSON");
    let results = report["results"].as_array().expect("results");
    let failed: Vec<&Value> = results.iter().filter(|result| result["status"] == "fail").collect();
    assert!(!failed.is_empty());
    for result in failed {
        assert_eq!(result["labels"], serde_json::json!({"owner": "ann [31m"}), "{result}");
    }
    let table = stdout(&run(&[]));
    assert!(table.contains("owner=ann [31m") && !table.contains('\u{1b}'), "{table}");
}

/// Runs it with a pipe as its stdin; it must end by itself.
fn ends(desk: &Desk, arguments: &[&str]) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_mlfence"))
        .args(arguments)
        .current_dir(desk.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mlfence runs");
    let until = Instant::now() + Duration::from_secs(60);
    while process.try_wait().expect("it is ours").is_none() {
        if Instant::now() > until {
            process.kill().expect("it runs");
            panic!("{arguments:?} did not end");
        }
        thread::sleep(Duration::from_millis(10));
    }
    process.wait_with_output().expect("it ended")
}

/// `--config <(…)` of a shell is a pipe too, which a reload finds empty.
#[test]
fn a_configuration_that_is_a_pipe_is_refused_in_the_same_words_by_everybody() {
    let desk = Desk::new();
    let made = Command::new("mkfifo").arg(desk.path("pipe.yaml")).status().expect("mkfifo runs");
    assert!(made.success());
    for config in ["pipe.yaml", "/dev/stdin"] {
        for command in [&["config", "check"][..], &["serve"], &["health"]] {
            let output = ends(&desk, &[command, &["--config", config]].concat());
            let said = stderr(&output);
            assert_eq!(code(&output), 2, "{command:?}: {said}");
            let words = format!("cannot read the configuration {config}: is no regular file but a pipe");
            assert!(said.contains(&words), "{command:?}: {said}");
        }
    }
    desk.write("large.yaml", &"# nothing\n".repeat(200_000));
    let output = ends(&desk, &["config", "check", "--config", "large.yaml"]);
    assert_eq!((code(&output), stderr(&output).contains("is larger than 1048576 bytes")), (2, true));
}
