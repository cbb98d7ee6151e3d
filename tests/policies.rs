//! The shipped policies, their cases, and what the load gate refuses.
//!
//! `MLFENCE_REGENERATE=1` rewrites `docs/subject.schema.json` instead of comparing it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mlfence::facts::Document;
use mlfence::findings::judge::Subject;
use mlfence::findings::remediation::Names;
use mlfence::policy::{
    Bundle, Evaluation, Judgement, LoadOptions, Origin, Outcome, PolicyError, SHIPPED, SourceFile,
    placeholder, shipped_files,
};
use regorus::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The gate runs every case of every policy, so one load serves all tests.
fn shipped() -> Bundle {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    BUNDLE.get_or_init(|| Bundle::shipped().unwrap_or_else(|problems| panic!("{}", told(&problems)))).clone()
}

fn told(problems: &[mlfence::policy::Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<String>>().join("\n")
}

// ---- What is shipped.

#[test]
fn the_shipped_bundle_holds_every_rule_of_the_source_article() {
    let bundle = shipped();
    let ids: Vec<&str> = bundle.policies().iter().map(|policy| policy.metadata.id.as_str()).collect();
    let expected = [
        "ACI-001", "ACI-002", "ACI-003", "ACI-004", "ACI-005", "ACI-010", "AKS-001", "AKS-002", "AKS-003",
        "AKS-004", "CNI-001", "CNI-002", "CNI-003", "CNI-004", "ILB-001", "ILB-002", "ISO-001", "ISO-002",
        "LIF-001", "NET-001", "NET-002", "NET-003", "NSG-001", "NSG-002", "NSG-003", "PRE-001", "PRE-002",
        "PRE-003", "RBAC-001", "SCO-001",
    ];
    assert_eq!(ids, expected);
    assert_eq!(
        bundle.digest(),
        Bundle::shipped().expect("once more").digest(),
        "it depends on the texts alone"
    );
}

/// Taken without their cases, the shipped policies are the same; what is added still goes through the whole gate.
#[test]
fn trust_in_what_is_shipped_changes_no_policy() {
    let trusting = LoadOptions { trust_shipped: true, ..LoadOptions::default() };
    let taken = Bundle::load(shipped_files(), &trusting).expect("they load");
    let gated = shipped();
    assert_eq!(taken.digest(), gated.digest());
    for (taken, gated) in taken.policies().iter().zip(gated.policies()) {
        assert_eq!((&taken.metadata, &taken.digest), (&gated.metadata, &gated.digest));
        assert!(taken.cases.is_empty() && !gated.cases.is_empty());
    }
    let vacuous = POLICY.replace("compliant if", "compliant if true\n\ncompliant if");
    let files = shipped_files().into_iter().chain([own(PATH, &*vacuous), own(TEST_PATH, TEST)]).collect();
    assert!(Bundle::load(files, &trusting).is_err(), "what is added is not trusted");
}

#[test]
fn every_file_of_the_folder_is_compiled_in() {
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("policies/ is a folder") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rego") {
                let path =
                    path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
                found.insert(path);
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&root().join("policies"), &mut found);
    let compiled: BTreeSet<String> = SHIPPED.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(compiled, found, "src/policy/shipped.rs lists the files of policies/");
}

#[test]
fn file_package_and_id_agree() {
    for policy in shipped().policies() {
        let parts: Vec<&str> = policy.package.split('.').collect();
        let [cloud, domain, name] = parts.as_slice() else {
            panic!("{}: three names make a package", policy.path)
        };
        assert_eq!(policy.path, format!("policies/{cloud}/{domain}/{name}.rego"));
        let prefix = format!("{}-", domain.to_uppercase());
        assert!(policy.metadata.id.starts_with(&prefix), "{}: {}", policy.path, policy.metadata.id);
        assert_eq!(policy.origin, Origin::Shipped);
        assert_eq!(policy.metadata.since, "0.1.0");
    }
}

#[test]
fn every_remediation_is_a_command_with_placeholders() {
    for policy in shipped().policies() {
        let remediation = &policy.metadata.remediation;
        assert!(remediation.contains("az ") && remediation.contains('<'), "{}: {remediation}", policy.path);
    }
}

/// By the failing cases of each policy: what mlfence can name it names, and only what a person must choose is left,
/// which is called so (`<choose-…>`).
#[test]
fn every_placeholder_is_filled_or_is_for_a_person_to_choose() {
    let bundle = shipped();
    let mut evaluator = bundle.evaluator();
    for policy in bundle.policies() {
        let template = &policy.metadata.remediation;
        let mut left: Option<BTreeSet<&str>> = None;
        for case in policy.cases.iter().filter(|case| case.want == Judgement::Fail) {
            let document: Document = serde_json::from_value(case.document.clone()).expect("it is one");
            let subject = Subject {
                kind: document.subject.kind,
                id: document.subject.id,
                workspace: document.subject.workspace,
                hidden: false,
            };
            let document = Value::from_json_str(&case.document.to_string()).expect("JSON");
            for violation in evaluator.evaluate(policy, &document).expect("evaluated").violations {
                let names = Names::of(&subject, &violation.evidence, violation.resource.as_deref());
                let filled = names.fill(template);
                let open = placeholders(template).filter(|name| filled.contains(&format!("<{name}>")));
                let open: BTreeSet<&str> = open.collect();
                left = Some(left.map_or(open.clone(), |left| &left & &open));
            }
        }
        let unnamed: Vec<_> =
            left.into_iter().flatten().filter(|name| !name.starts_with("choose-")).collect();
        assert!(
            unnamed.is_empty(),
            "{}: no violation of the failing cases fills {unnamed:?}; add to the evidence what the fix needs, or call \
             it `<choose-…>` (policies/README.md, Remediation)",
            policy.path
        );
    }
}

fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('<').filter_map(|(at, _)| placeholder(&text[at..])).map(|(name, _)| name)
}

#[test]
fn every_case_is_judged_as_it_wants() {
    let bundle = shipped();
    let mut evaluator = bundle.evaluator();
    for policy in bundle.policies() {
        for case in &policy.cases {
            let _: Document =
                serde_json::from_value(case.document.clone()).expect("a case's document is one");
            let document = Value::from_json_str(&case.document.to_string()).expect("JSON");
            let said = evaluator
                .evaluate(policy, &document)
                .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            assert_eq!(said.judge(), case.want, "{} {}: {said:?}", policy.metadata.id, case.name);
        }
    }
}

#[test]
fn every_policy_has_cases_of_each_kind() {
    let always = ["ACI-010", "CNI-002", "LIF-001", "NET-001", "NET-002", "PRE-001"];
    for policy in shipped().policies() {
        for judgement in Judgement::ALL {
            let count = policy.cases.iter().filter(|case| case.want == judgement).count();
            let none = judgement == Judgement::NotApplicable && always.contains(&policy.metadata.id.as_str());
            assert_eq!(count == 0, none, "{}: {count} cases want {}", policy.path, judgement.name());
        }
    }
}

#[test]
fn every_test_passes_and_reaches_every_line() {
    let report = shipped().run_tests(true);
    let failed: Vec<_> = report.tests.iter().filter(|test| test.outcome != Outcome::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.tests.len() >= 44, "{} tests", report.tests.len());
    let missed: Vec<_> = report.coverage.iter().filter(|file| !file.not_covered.is_empty()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!(report.coverage.len(), 35, "30 policies and five libraries");
    assert!(shipped().run_tests(false).coverage.is_empty());
}

#[test]
fn the_published_schemas_are_in_step() {
    for (name, schema) in [
        ("subject", schemars::schema_for!(Document)),
        ("report", schemars::schema_for!(mlfence::findings::Report)),
        ("permissions", schemars::schema_for!(mlfence::permissions::Check)),
        ("event", schemars::schema_for!(mlfence::outlets::webhook::event::CloudEvent)),
    ] {
        let generated = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        let path = root().join(format!("docs/{name}.schema.json"));
        if std::env::var_os("MLFENCE_REGENERATE").is_some() {
            std::fs::write(&path, &generated).expect("the schema can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(kept, generated, "docs/{name}.schema.json: run this test with MLFENCE_REGENERATE=1");
    }
}

// ---- What the gate refuses.

const POLICY: &str = r#"# METADATA
# title: The cluster is private
# description: An example.
# custom:
#   id: OWN-001
#   severity: medium
#   subject: aks_cluster
#   requires: [aks_clusters]
#   documents:
#   - title: Our handbook
#     revised: "2026-01-01"
#   remediation: az aks update --name <aks>
#   since: 0.1.0
package own.private

applies := input.cluster.own_vnet.value

violations contains {"key": "public", "message": "it is public", "evidence": {"vnets": count(vnets)}} if {
	applies
	input.cluster.private.value == false
	vnets := input.cluster.vnets.value
}

undecided contains reason if {
	not applies == false
	some fact in [input.cluster.own_vnet, input.cluster.private, input.cluster.vnets]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.cluster.private.value
	count(input.cluster.vnets.value) > 0
}
"#;

const TEST: &str = r#"package own.private_test

import data.mlfence.testing
import data.own.private as policy

cases := {
	"violates": {
		"note": "public",
		"want": "fail",
		"keys": ["public"],
		"document": testing.changed(testing.aks_cluster, {"cluster": {"private": {"value": false}}}),
	},
	"complies": {"note": "private", "want": "pass", "document": testing.aks_cluster},
	"unknown": {
		"note": "not told",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"cluster": {"private": testing.unknown("not_told")}}),
	},
	"not_applicable": {
		"note": "a VNet made by AKS",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {"cluster": {"own_vnet": {"value": false}}}),
	},
}

test_it_passes if {
	policy.compliant with input as cases.complies.document
}
"#;

const PATH: &str = "own/private.rego";
const TEST_PATH: &str = "own/private_test.rego";

fn own(path: &str, text: impl Into<String>) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.into(),
        origin: Origin::Directory("/etc/policies".to_owned()),
    }
}

fn load(files: Vec<SourceFile>) -> Result<Bundle, Vec<String>> {
    let testing = shipped_files().into_iter().filter(|file| file.path.starts_with("policies/testing/"));
    Bundle::load(testing.chain(files).collect(), &LoadOptions::default())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

/// Loads the example with `from` replaced by `to` in the policy.
fn load_with(from: &str, to: &str) -> Result<Bundle, Vec<String>> {
    assert!(POLICY.contains(from), "the example holds {from:?}");
    load(vec![own(PATH, POLICY.replacen(from, to, 1)), own(TEST_PATH, TEST)])
}

/// The example with lines put behind it.
fn load_and(lines: &str) -> Result<Bundle, Vec<String>> {
    load(vec![own(PATH, format!("{POLICY}\n{lines}")), own(TEST_PATH, TEST)])
}

/// The line on which `lines` of [`load_and`] begin.
fn after() -> usize {
    POLICY.lines().count() + 2
}

#[track_caller]
fn refused(result: Result<Bundle, Vec<String>>, expected: &[&str]) {
    let problems = result.expect_err("the gate refuses this");
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem}\n  should contain {expected}");
    }
}

#[test]
fn the_example_is_admitted() {
    let bundle = load(vec![own(PATH, POLICY), own(TEST_PATH, TEST)]).expect("it is right");
    let policy = bundle.policy("OWN-001").expect("it is there");
    assert_eq!(policy.origin.to_string(), "/etc/policies");
    assert_eq!(policy.digest.len(), 64);
}

#[test]
fn a_syntax_error_names_its_line() {
    refused(
        load_with("compliant if {", "compliant if if {"),
        &["own/private.rego:35: unexpected keyword `if`"],
    );
}

#[test]
fn missing_metadata_is_refused() {
    refused(load_with("# METADATA", "# About"), &["own/private.rego:14: a comment block `# METADATA`"]);
}

#[test]
fn every_problem_of_the_metadata_is_told_with_its_line() {
    let policy = POLICY
        .replace("id: OWN-001", "id: own1")
        .replace("severity: medium", "severity: awful")
        .replace("requires: [aks_clusters]", "requires: [aks_cluster]")
        .replace("title: The cluster is private", "titel: The cluster is private")
        .replace("since: 0.1.0", "since: soon");
    refused(
        load(vec![own(PATH, policy), own(TEST_PATH, TEST)]),
        &[
            "own/private.rego:2: metadata: `title` is missing",
            "own/private.rego:2: metadata: unknown key `titel`; did you mean `title`?",
            "own/private.rego:5: metadata: custom.id: `own1`: an id looks like ACI-001",
            "own/private.rego:6: metadata: custom.severity: `awful`: `awful` is no severity",
            "own/private.rego:8: metadata: custom.requires[0]: `aks_cluster` is not known",
            "own/private.rego:13: metadata: custom.since: `soon`: a version looks like 0.1.0",
        ],
    );
}

#[test]
fn a_remediation_that_could_not_be_filled_safely_is_refused() {
    let remedy =
        |text: &str| load_with("remediation: az aks update --name <aks>", &format!("remediation: {text}"));
    remedy("az aks update --name <cluster> -g <cluster-rg>, version 1.29 -> 1.30").expect("it is right");
    for text in [
        "az aks update --name <Cluster>",
        "az x <cluster_rg>",
        "az x <a b>",
        "az x <>",
        "az x <a",
        "if x < 3",
    ] {
        refused(remedy(text), &["own/private.rego:12: metadata: custom.remediation: `<"]);
    }
    let within = "stands within quotes; a value that needs quotes brings its own";
    refused(remedy("az x --name \"<cluster>\""), &[within]);
    refused(remedy("az x --query '[?name==<cluster>]'"), &[within]);
    remedy("az x --query '[].name' --name <cluster>").expect("beside quotes is no harm");
    remedy("the cluster's own <cluster>").expect("an apostrophe in words is none");
}

#[test]
fn problems_of_several_files_are_told_at_once() {
    let broken = POLICY.replace("package own.private", "package own.other\n\nx := {");
    refused(
        load(vec![
            own("own/other.rego", broken),
            own(PATH, POLICY.replace("OWN-001", "OWN")),
            own(TEST_PATH, TEST),
        ]),
        &["own/other.rego:18: ", "own/private.rego:5: metadata: custom.id"],
    );
}

#[test]
fn an_id_and_a_package_are_taken_once() {
    let twin = POLICY.replace("package own.private", "package own.twin");
    let test = TEST.replace("own.private", "own.twin");
    let files = || vec![own(PATH, POLICY), own(TEST_PATH, TEST)];
    let twins = [files(), vec![own("own/twin.rego", &*twin), own("own/twin_test.rego", &*test)]].concat();
    refused(load(twins), &["own/twin.rego:14: the id OWN-001 is taken by own/private.rego"]);
    let same = POLICY.replace("OWN-001", "OWN-002");
    let same = [files(), vec![own("own/same.rego", same)]].concat();
    refused(load(same), &["own/same.rego:14: the package own.private is taken by own/private.rego"]);
}

#[test]
fn a_shipped_policy_is_replaced_on_demand_only() {
    let policy = POLICY.replace("OWN-001", "AKS-002");
    let files = || shipped_files().into_iter().chain([own(PATH, &*policy), own(TEST_PATH, TEST)]).collect();
    let problems = Bundle::load(files(), &LoadOptions::default()).expect_err("not allowed");
    assert_eq!(
        told(&problems),
        "own/private.rego:14: would replace the shipped policy AKS-002; say --allow-replace if that is meant"
    );
    let bundle = Bundle::load(files(), &LoadOptions { allow_replace: true, ..LoadOptions::default() })
        .expect("allowed");
    assert_eq!(bundle.policies().len(), 30);
    let replaced = bundle.policy("AKS-002").expect("it is there");
    assert_eq!(replaced.package, "own.private");
    assert_eq!(replaced.origin, Origin::Directory("/etc/policies".to_owned()));
    assert_ne!(bundle.digest(), shipped().digest());
}

#[test]
fn recursion_is_refused_before_it_overflows_the_stack() {
    let line = after();
    let at = |lines: &str| load_and(lines);
    let place = format!("own/private.rego:{line}: recursion, which would overflow the stack: ");
    for lines in [
        "_f(x) := _f(x - 1)\n",
        "_f(x) := _g(x)\n\n_g(x) := _h(x)\n\n_h(x) := _f(x)\n",
        "_f(x) := data.own.private._f(x)\n",
        "_f(x) := data.own[\"private\"]._f(x)\n",
        "_f(x) := [y | y := _f(x)]\n",
        "_f(x) := {y: 1 | y := _f(x)}\n",
        "_f(x) if {\n\tevery y in x {\n\t\t_f(y)\n\t}\n}\n",
        "_f(x) := 1 if x else := _f(x)\n",
        "_f(x) := y if {\n\tsome y in [_f(x)]\n}\n",
        "_f(x) := {\"a\": [1, {_f(x)}]}[\"a\"]\n",
        "_f(x) := -_f(x) if not _f(x) in {1}\n",
        "_a := _b\n\n_b contains 1 if _a\n",
    ] {
        refused(at(lines), &[&place]);
    }
    // A package as a whole, or one whose name is computed, contains the rule that asks.
    for lines in ["_f(x) := data.own[x]\n", "_a := data.own.private\n", "_a := data[\"own\"]\n"] {
        let problems = at(lines).expect_err("refused");
        assert!(problems.iter().any(|problem| problem.contains("recursion")), "{lines}: {problems:#?}");
    }
}

#[test]
fn recursion_through_a_library_or_a_replaced_function_is_refused() {
    let library = "package lib.shared\n\nf(x) := g(x)\n\ng(x) := f(x)\n";
    let files = vec![own(PATH, POLICY), own(TEST_PATH, TEST), own("lib/shared.rego", library)];
    refused(
        load(files),
        &["lib/shared.rego:3: recursion, which would overflow the stack: `data.lib.shared.f`"],
    );
    let mocked = format!(
        "{TEST}\n_mine(x) := count(x)\n\ntest_loop if {{\n\tcount([1]) == 1 with count as _mine\n}}\n"
    );
    refused(
        load(vec![own(PATH, POLICY), own(TEST_PATH, mocked)]),
        &["recursion, which would overflow the stack"],
    );
}

#[test]
fn a_chain_that_would_overflow_the_stack_is_refused() {
    let chain = |length: usize| {
        let link = |at: usize| format!("_f{at}(x) := [[[_f{}([[[x]]])]]]\n\n", at + 1);
        format!("_x := _f0(1)\n\n{}_f{length}(x) := x\n", (0..length).map(link).collect::<String>())
    };
    load_and(&chain(14)).expect("long, but harmless");
    for length in [16, 4000] {
        refused(load_and(&chain(length)), &["more than 16 rules refer to each other in a row"]);
    }
}

#[test]
fn impure_costly_and_unknown_builtins_are_refused() {
    for (call, why) in [
        (
            "http.send({\"method\": \"get\", \"url\": \"https://example.org\"})",
            "`http.send` may not be called: a policy",
        ),
        ("time.now_ns()", "`time.now_ns` may not be called: a verdict may not depend on the clock"),
        ("rand.intn(\"x\", 5)", "`rand.intn` may not be called: a verdict must be the same each time"),
        ("numbers.range(1, 1000000000)", "`numbers.range` may not be called: its result can be of any size"),
        ("numbers.range_step(1, 9, 2)", "`numbers.range_step` may not be called"),
        ("opa.runtime()", "`opa.runtime` may not be called"),
        ("net.cidr_expand(\"10.0.0.0/8\")", "`net.cidr_expand` may not be called"),
        ("bits.lsh(1, 1000000000)", "`bits.lsh` may not be called"),
        ("uuid.rfc4122(\"x\")", "`uuid.rfc4122` may not be called"),
        ("nonsense(1)", "`nonsense` is neither a function of this bundle nor a builtin"),
        ("data.own.nothing(1)", "`data.own.nothing` is no function of this bundle"),
        ("count([1], 2, 3)", "`count` takes 1 arguments, not 3"),
        ("sprintf(\"%999999999d\", [1])", "`sprintf` needs its format as literal text without a width"),
        ("sprintf(input.format, [1])", "`sprintf` needs its format as literal text without a width"),
    ] {
        let expected = format!("own/private.rego:{}: {why}", after());
        refused(load_and(&format!("_x := {call}\n")), &[&expected]);
    }
    let line = after() + 2;
    let expected = format!("own/private.rego:{line}: `data.own.private._f` takes 1 arguments, not 3");
    refused(load_and("_f(x) := x\n\n_x := _f(1, 2, 3)\n"), &[&expected]);
}

#[test]
fn what_leads_nowhere_or_to_another_policy_is_refused() {
    let expected = format!("own/private.rego:{}: refers to data.lib.nothing, which no file", after());
    refused(load_and("_x := data.lib.nothing\n"), &[&expected]);
    let other = POLICY.replace("package own.private", "package own.other").replace("OWN-001", "OWN-002");
    let other = format!("{other}\n_x := data.own.private.compliant\n");
    let test = TEST.replace("own.private", "own.other");
    let files = vec![
        own("own/other.rego", other),
        own("own/other_test.rego", test),
        own(PATH, POLICY),
        own(TEST_PATH, TEST),
    ];
    refused(
        load(files),
        &["reads data.own.private.compliant: a policy may not read the package own.private"],
    );
}

#[test]
fn heads_in_which_the_engine_would_lose_results_are_refused() {
    let expected = format!("own/private.rego:{}: `fact.unknown` may be undefined in a rule's head", after());
    refused(
        load_and("undecided contains fact.unknown if some fact in [input.cluster.private]\n"),
        &[&expected],
    );
    let message = format!("own/private.rego:{}: `with` belongs into tests", after());
    refused(load_and("_x if count(input) == 0 with input as {}\n"), &[&message]);
}

#[test]
fn compliant_on_nothing_is_refused() {
    let result =
        load_with("compliant if {\n\tapplies\n", "compliant if {\n\tnot applies == false\n}\n\n_rest if {\n");
    let problems = result.expect_err("refused");
    assert!(
        problems
            .iter()
            .any(|it| it == "own/private.rego: claims `compliant` on an empty document; prove it from facts"),
        "{problems:#?}"
    );
}

#[test]
fn not_applicable_on_nothing_is_refused() {
    let result = load_with(
        "applies := input.cluster.own_vnet.value",
        "default applies := false\n\napplies if input.cluster.own_vnet.value",
    );
    let problems = result.expect_err("refused");
    for what in ["an empty document", "a document whose facts are all unknown"] {
        let expected = format!("own/private.rego: claims `applies := false` on {what}");
        assert!(problems.iter().any(|problem| problem.starts_with(&expected)), "{problems:#?}");
    }
}

#[test]
fn a_violation_beside_compliant_is_refused() {
    let result = load_with("\tinput.cluster.private.value == false\n", "\tinput.cluster.private.value\n");
    let problems = result.expect_err("refused");
    let expected = "own/private.rego: case `complies`: `compliant` is true beside the violation `public`";
    assert!(problems.iter().any(|problem| problem == expected), "{problems:#?}");
}

#[test]
fn a_pass_that_rests_on_an_empty_list_is_refused() {
    let vacuous = "\tevery vnet in input.cluster.vnets.value {\n\t\tvnet.id\n\t}\n";
    refused(
        load_with("\tcount(input.cluster.vnets.value) > 0\n", vacuous),
        &["own/private.rego: case `complies` is still `compliant` with `cluster.vnets.value` emptied"],
    );
    let declared = TEST
        .replace("\"want\": \"pass\",", "\"want\": \"pass\", \"may_be_empty\": [\"cluster.vnets.value\"],");
    let policy = POLICY.replace("\tcount(input.cluster.vnets.value) > 0\n", vacuous);
    load(vec![own(PATH, policy), own(TEST_PATH, declared)]).expect("declared as legitimate");
}

#[test]
fn a_pass_while_something_changes_is_refused() {
    refused(
        load_with("\tsome reason in input.unsettled\n", "\tsome reason in input.cluster.nothing\n"),
        &["own/private.rego: case `complies` passes while `unsettled` says that a change is under way"],
    );
}

#[test]
fn a_verdict_from_knowing_less_is_refused() {
    let problems =
        load_with("\tinput.cluster.private.value == false\n", "\tnot input.cluster.private.value == true\n")
            .expect_err("refused");
    let expected = "own/private.rego: case `complies` wants pass, but with `cluster.private` unknown the policy says fail";
    assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{problems:#?}");
}

#[test]
fn breaches_of_the_contract_are_told() {
    for (from, to, expected) in [
        ("\"key\": \"public\", ", "", "missing field `key`"),
        ("\"message\": \"it is public\", ", "", "missing field `message`"),
        ("\"evidence\": {\"vnets\": count(vnets)}", "\"evidence\": 1", "expected a map"),
        ("\"key\": \"public\", ", "\"key\": \"\", ", "a violation has an empty `key`"),
        ("\"key\": \"public\", ", "\"key\": \"public\", \"extra\": 1, ", "unknown field `extra`"),
        (
            "\"key\": \"public\", ",
            "\"key\": \"public\", \"severity\": \"high\", ",
            "the violation `public` claims severity high, but the policy's is medium",
        ),
        (
            "undecided contains reason if {\n\tapplies",
            "undecided contains {\"code\": \"whim\", \"message\": reason} if {\n\tapplies",
            "unknown variant `whim`",
        ),
        (
            "compliant if {",
            "violations contains {\"key\": \"public\", \"message\": \"twice\", \"evidence\": {}} if {\n\tapplies\n\t\
             input.cluster.private.value == false\n}\n\ncompliant if {",
            "two violations have the key `public`",
        ),
        (
            "\tapplies\n\tinput.cluster.private.value == false",
            "\tinput.cluster.private.value",
            "`applies` is false beside the violation `public`",
        ),
        ("compliant if {", "compliant := \"yes\" if {", "`compliant` is not a boolean"),
        ("compliant if {", "compliant := 1 / 0\n\n_b if {", "own/private.rego:"),
    ] {
        let problems = load_with(from, to).expect_err("refused");
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:#?}");
    }
    let expected = format!("own/private.rego:{}: `violation` is no rule of the contract", after());
    refused(load_and("violation contains 1 if input.x\n"), &[&expected]);
}

#[test]
fn cases_and_tests_are_held_to_their_form() {
    let file = |test: String| load(vec![own(PATH, POLICY), own(TEST_PATH, test)]);
    let with = |from: &str, to: &str| {
        assert!(TEST.contains(from), "the example holds {from:?}");
        file(TEST.replacen(from, to, 1))
    };
    refused(
        load(vec![own(PATH, POLICY)]),
        &["own/private.rego:14: the policy has no test file of package own.private_test"],
    );
    refused(
        with("\"want\": \"not_applicable\"", "\"want\": \"unknown\""),
        &["own/private_test.rego:6: no case wants `not_applicable`; each policy needs one of each"],
    );
    refused(
        with("\"private\": {\"value\": false}", "\"privat\": {\"value\": false}"),
        &[
            "own/private_test.rego:6: case `violates`: its document is not of the published form: unknown field `privat`",
        ],
    );
    refused(
        with(
            "\"want\": \"pass\", \"document\": testing.aks_cluster",
            "\"want\": \"pass\", \"document\": testing.aks_compute",
        ),
        &["case `complies`: its document is of the kind aks_compute, but the policy judges aks_cluster"],
    );
    refused(
        with("\"keys\": [\"public\"]", "\"keys\": [\"other\"]"),
        &["case `violates` wants the keys [\"other\"]"],
    );
    refused(
        with("testing.unknown(\"not_told\")", "testing.nothing(1)"),
        &["`data.mlfence.testing.nothing` is no function"],
    );
    refused(
        with(
            "policy.compliant with input as cases.complies.document",
            "policy.compliant with input as cases.unknown.document",
        ),
        &["own/private_test.rego:26: test_it_passes fails"],
    );
    refused(with("test_it_passes", "it_passes"), &["own/private_test.rego: has no test"]);
    refused(
        file(format!("{TEST}\ntest_broken if {{\n\tto_number(\"x\") == 1\n}}\n")),
        &["own/private_test.rego:30: test_broken: "],
    );
}

#[test]
fn a_policy_cannot_pass_as_a_library() {
    let lib = |path: &str, text: &str| own(&format!("/usr/lib/policies/{path}"), text);
    let rooted =
        |file: SourceFile| SourceFile { origin: Origin::Directory("/usr/lib/policies/".to_owned()), ..file };
    let bundle = load(vec![rooted(lib(PATH, POLICY)), rooted(lib(TEST_PATH, TEST))])
        .expect("folders above do not count");
    assert_eq!(bundle.policies().len(), 1);
    let library = "package lib.shared\n\napplies := true\n";
    refused(
        load(vec![own(PATH, POLICY), own(TEST_PATH, TEST), own("lib/shared.rego", library)]),
        &[
            "lib/shared.rego:3: a file in a folder `lib` or `testing` may not define `applies`; only policies judge",
        ],
    );
}

/// The engine's parser doubles its time with each level.
#[test]
fn deeply_nested_brackets_are_refused_unparsed() {
    for (open, close) in [("[", "]"), ("{", "}"), ("(", ")")] {
        let text = format!("package deep\n\nx := {}1{}\n", open.repeat(40), close.repeat(40));
        let file =
            SourceFile { path: "deep.rego".to_owned(), text, origin: Origin::Directory(String::new()) };
        let problems = Bundle::load(vec![file], &LoadOptions::default()).expect_err("refused");
        assert!(told(&problems).starts_with("deep.rego:3: brackets are nested"), "{}", told(&problems));
    }
}

#[test]
fn a_huge_file_is_refused_unread() {
    let huge = format!("{POLICY}{}", "# filler\n".repeat(200_000));
    refused(
        load(vec![own("own/huge.rego", huge), own(PATH, POLICY), own(TEST_PATH, TEST)]),
        &["own/huge.rego: the file has"],
    );
}

// ---- What an evaluation may cost.

fn evaluate(bundle: &Bundle, document: &serde_json::Value) -> Result<Evaluation, PolicyError> {
    let policy = bundle.policy("OWN-001").expect("it is there");
    bundle.evaluator().evaluate(policy, &Value::from_json_str(&document.to_string()).expect("JSON"))
}

#[test]
fn an_evaluation_that_takes_too_long_is_a_policy_error() {
    let join = "_all := input.subject.subscriptions\n\nviolations contains {\"key\": \"x\", \"message\": \"x\", \"evidence\": {}} if {\n\t\
                applies\n\tsome a in _all\n\tsome b in _all\n\tsome c in _all\n\ta < b\n\tb < c\n\tc < a\n}\n";
    let declared = TEST
        .replace("\"want\": \"pass\",", "\"want\": \"pass\", \"may_be_empty\": [\"subject.subscriptions\"],");
    let files = vec![own(PATH, format!("{POLICY}\n{join}")), own(TEST_PATH, declared)];
    let bundle = load(files).expect("it is right, if slow");
    let case =
        bundle.policy("OWN-001").and_then(|policy| policy.cases.iter().find(|case| case.name == "complies"));
    let mut document = case.expect("it is there").document.clone();
    assert_eq!(evaluate(&bundle, &document).map(|said| said.judge()), Ok(Judgement::Pass));
    document["subject"]["subscriptions"] =
        (0..2000).map(|number| number.to_string()).collect::<Vec<String>>().into();
    let error = evaluate(&bundle, &document).expect_err("too slow");
    assert_eq!(error.to_string(), "policy OWN-001: the evaluation took longer than 1000 ms and was stopped");
    // The bundle serves the next subject as if nothing had happened.
    document["subject"]["subscriptions"] = serde_json::json!([]);
    assert_eq!(evaluate(&bundle, &document).map(|said| said.judge()), Ok(Judgement::Pass));
}

#[test]
fn evaluators_of_one_bundle_work_side_by_side() {
    let bundle = shipped();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let bundle = bundle.clone();
            scope.spawn(move || {
                let mut evaluator = bundle.evaluator();
                for policy in bundle.policies() {
                    let case = policy.cases.first().expect("it has cases");
                    let document = Value::from_json_str(&case.document.to_string()).expect("JSON");
                    assert_eq!(evaluator.evaluate(policy, &document).map(|said| said.judge()), Ok(case.want));
                }
            });
        }
    });
}
