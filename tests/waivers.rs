//! Waivers from the file to the verdict: as somebody meets them on the command line, and what holds of any of them.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use armsim::company;
use mlfence::findings::waivers::{Accepts, State};
use mlfence::findings::{Report, Status, Waiver};
use mlfence::inventory::ResourceId;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use tempfile::TempDir;
use time::macros::date;
use time::{Date, Duration, OffsetDateTime};

struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let demo = company::demo().0;
        demo.save(folder.path().join("demo.jsonl")).expect("saved");
        fs::write(folder.path().join("demo.yaml"), company::declarations(&demo)).expect("written");
        Self { folder }
    }

    fn write(&self, name: &str, text: &str) {
        let path: PathBuf = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// Runs it, and gives the exit code, stdout and stderr.
    fn run(&self, line: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_mlfence"))
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .output()
            .expect("mlfence runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code().expect("not by a signal"), text(stdout), text(stderr))
    }

    /// The report of an audit of one policy, and its exit code.
    fn audit(&self, policy: &str, more: &str) -> (i32, Value) {
        let line =
            format!("audit --snapshot demo.jsonl --config demo.yaml --format json --policy {policy} {more}");
        let (code, out, err) = self.run(&line);
        (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")))
    }
}

/// So many days from today.
fn day(ahead: i64) -> Date {
    OffsetDateTime::now_utc().date() + Duration::days(ahead)
}

fn text(policy: &str, scope: &str, expires: Date, more: &str) -> String {
    format!(
        "- policy: {policy}\n  scope: {scope}\n  reason: known since spring\n  owner: ml-platform\n  expires: {expires}\n{more}"
    )
}

/// The id of a record of the demo by its name.
fn named(name: &str) -> String {
    let estate = company::demo().0;
    let record = estate.records.iter().find(|record| record["name"] == name);
    record.and_then(|record| record["id"].as_str()).unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn of_subject<'a>(report: &'a Value, name: &str) -> &'a Value {
    let results = report["results"].as_array().expect("a list");
    let of = |result: &&Value| result["subject"]["id"].as_str().is_some_and(|id| id.ends_with(name));
    results.iter().find(of).unwrap_or_else(|| panic!("no result of {name}"))
}

#[test]
fn a_waived_violation_is_shown_with_what_it_would_have_been_and_fails_nothing() {
    let desk = Desk::new();
    let cluster = "k8s-mlw-telematics-prod";
    let (code, before) = desk.audit("AKS-001", "");
    assert_eq!((code, &before["waivers"]), (1, &Value::Array(vec![])));
    let waivers = text("AKS-001", &named(cluster), day(300), "  id: region\n");
    desk.write("w.yaml", &format!("waivers:\n{waivers}"));
    let (code, report) = desk.audit("AKS-001", "--waivers w.yaml");
    assert_eq!(code, 0);
    let result = of_subject(&report, cluster);
    assert_eq!((&result["status"], &result["would_be"]), (&"waived".into(), &"fail".into()));
    let (violation, failed) = (&result["violations"][0], &of_subject(&before, cluster)["violations"][0]);
    for kept in ["id", "key", "message", "severity", "resource", "evidence", "evidence_digest", "remediation"]
    {
        assert_eq!(violation[kept], failed[kept], "{kept}");
    }
    let waiver = &violation["waiver"];
    assert_eq!(
        [&waiver["owner"], &waiver["reason"], &waiver["expires"], &waiver["id"], &waiver["at"]],
        ["ml-platform", "known since spring", &day(300).to_string(), "region", "w.yaml:2"]
    );
    assert_eq!(
        (&report["waivers"][0]["state"], &report["waivers"][0]["covers"]),
        (&"active".into(), &1.into())
    );
    assert_eq!(
        (&report["summary"]["waived"], &report["summary"]["violations"]["high"]),
        (&1.into(), &0.into())
    );
    // The workspaces that nobody could see are still not known.
    assert_eq!(desk.audit("AKS-001", "--waivers w.yaml --fail-on-unknown").0, 4);
    let (_, table, _) = desk.run("audit --snapshot demo.jsonl --config demo.yaml --waivers w.yaml");
    let accepted = format!("would be fail; waived until {} by ml-platform: known since spring", day(300));
    assert!(table.contains(&accepted) && table.contains("\nwaivers: 1 active\n"), "{table}");
    assert!(table.lines().last().is_some_and(|line| line.contains("1 waived")), "{table}");
}

/// The demo's workspace serves by v1 in three ways; one of them is accepted.
#[test]
fn the_next_violation_of_a_waived_one_still_fails() {
    let desk = Desk::new();
    let workspace = named("mlw-churn-prod");
    let (_, before) = desk.audit("LIF-001", "");
    let waiver = text("LIF-001", &workspace, day(300), "  key: service score-mlw-churn-prod\n");
    desk.write("w.yaml", &format!("waivers:\n{waiver}"));
    let (code, report) = desk.audit("LIF-001", "--waivers w.yaml");
    let result = of_subject(&report, "workspaces/mlw-churn-prod");
    assert_eq!((code, &result["status"], &result["would_be"]), (1, &"fail".into(), &Value::Null));
    let violations = result["violations"].as_array().expect("a list");
    let waived: Vec<&Value> =
        violations.iter().filter(|v| !v["waiver"].is_null()).map(|v| &v["key"]).collect();
    assert_eq!((violations.len(), waived), (3, vec![&Value::from("service score-mlw-churn-prod")]));
    let standing = |report: &Value| report["summary"]["violations"]["medium"].as_u64().expect("a number");
    assert_eq!(standing(&report) + 1, standing(&before));
}

#[test]
fn a_waiver_that_is_pinned_to_what_explain_prints_lapses_when_the_facts_change() {
    let desk = Desk::new();
    let cluster = "k8s-mlw-telematics-prod";
    let explain = format!("explain AKS-001 {cluster} --snapshot demo.jsonl --config demo.yaml");
    let (_, page, _) = desk.run(&explain);
    let evidence = page.lines().find(|line| line.contains("evidence: sha256:")).expect("a digest");
    let waiver = text("AKS-001", &named(cluster), day(300), &format!("{evidence}\n"));
    desk.write("w.yaml", &format!("waivers:\n{waiver}"));
    assert_eq!(desk.audit("AKS-001", "--waivers w.yaml").0, 0);
    let (_, page, _) = desk.run(&format!("{explain} --waivers w.yaml"));
    let accepted = format!("  would be fail; waived until {} by ml-platform: known since spring\n", day(300));
    assert!(page.contains(&accepted) && page.contains("w.yaml:2, pinned to"), "{page}");
    assert!(page.contains("waived, would be fail · aks compute k8s-mlw-telematics-prod"), "{page}");

    let mut estate = company::demo().0;
    let moved = estate.records.iter_mut().find(|record| record["name"] == "aks-mlw-telematics-prod");
    moved.expect("the cluster")["location"] = "francecentral".into();
    estate.save(desk.folder.path().join("demo.jsonl")).expect("saved");
    let (code, report) = desk.audit("AKS-001", "--waivers w.yaml");
    assert_eq!((code, &report["waivers"][0]["state"]), (1, &"lapsed".into()));
    assert_eq!(of_subject(&report, cluster)["status"], "fail");
}

#[test]
fn the_table_ends_with_the_waivers_that_somebody_should_look_at() {
    let desk = Desk::new();
    let churn = named("mlw-churn-prod");
    let waivers = [
        text("AKS-001", &named("mlw-telematics-prod"), day(-1), ""),
        text("LIF-001", &churn, day(5), "  reason: \"\\e[2Jgone\\nwaivers: none\"\n")
            .replace("  reason: known since spring\n", ""),
        text("NET-001", &churn, day(300), ""),
        text("LIF-001", &named("mlw-vision-dev"), day(300), ""),
    ];
    desk.write("w.yaml", &format!("waivers:\n{}", waivers.concat()));
    let run = "audit --snapshot demo.jsonl --config demo.yaml --waivers w.yaml";
    let (code, table, _) = desk.run(run);
    let (_, last) = table.split_once("\nwaivers: ").expect("waivers");
    assert!(last.starts_with("1 active, 1 expiring, 1 expired, 1 unmatched\n"), "{last}");
    for (state, policy, what) in [
        ("expired", "AKS-001", "is over"),
        ("expiring", "LIF-001", "ends soon"),
        ("unmatched", "NET-001", "covers nothing"),
    ] {
        let at =
            last.find(&format!("\n  {state:<11}{policy} at ")).unwrap_or_else(|| panic!("{state} in {last}"));
        assert!(last[at..].contains(what), "{last}");
    }
    assert!(code == 1 && !table.contains('\u{1b}') && !table.contains("\nwaivers: none"), "{table}");
    // Of policies that were not asked for nothing can be said.
    let (_, report) = desk.audit("AKS-001", "--waivers w.yaml");
    let states: Vec<&Value> =
        report["waivers"].as_array().expect("a list").iter().map(|w| &w["state"]).collect();
    assert_eq!(states, ["expired"]);
}

#[test]
fn what_nobody_can_see_is_accepted_by_its_very_scope_alone() {
    let desk = Desk::new();
    let hidden = "/subscriptions/9d930671-9766-4932-8db0-0cee252b1c6d";
    for (scope, status) in [(hidden, "waived"), ("/", "unknown")] {
        let waiver = text("AKS-001", scope, day(300), "  accepts: unknown\n  allow_broad: true\n");
        desk.write("w.yaml", &format!("waivers:\n{waiver}"));
        let (_, report) = desk.audit("AKS-001", "--waivers w.yaml");
        let result = of_subject(&report, hidden);
        assert_eq!(
            (&result["status"], &result["subject"]["hidden"]),
            (&status.into(), &true.into()),
            "{scope}"
        );
        assert_eq!(result["reason"]["code"], "denied", "the reason is kept");
        let would_be = if status == "waived" { Value::from("unknown") } else { Value::Null };
        assert_eq!(result["would_be"], would_be);
    }
}

#[test]
fn every_problem_of_a_configuration_and_its_waivers_is_told_at_once() {
    let desk = Desk::new();
    let scope = named("mlw-churn-prod");
    desk.write("etc/one.yaml", &format!("waivers:\n{}  owners: x\n", text("LIF-001", &scope, day(300), "")));
    desk.write("etc/two.yaml", &format!("waivers:\n{}", text("ILB-001", &scope, day(100), "")));
    desk.write("etc/three.yaml", "waivers: [\u{1b}]\n");
    desk.write(
        "etc/mlfence.yaml",
        "cloud: mars\nwaivers: { files: [one.yaml, two.yaml, three.yaml, four.yaml], longest: 200d }\n",
    );
    for command in ["config check", "audit --snapshot demo.jsonl", "serve"] {
        let (code, _, told) = desk.run(&format!("{command} --config etc/mlfence.yaml"));
        assert_eq!(code, 2, "{told}");
        for problem in [
            "etc/mlfence.yaml:1: cloud: `mars`",
            "etc/one.yaml:6: waivers[0].expires: is 300 days ahead; at most 200 are allowed (`waivers.longest`)",
            "etc/one.yaml:7: unknown key `owners` in `waivers[0]`; did you mean `owner`?",
            "etc/two.yaml:2: waivers[0]: ILB-001 is critical; to accept it all the same set `allow_broad: true`",
            "etc/three.yaml:1: ",
            "cannot read the waivers etc/four.yaml: ",
        ] {
            assert!(told.contains(problem), "`{problem}` is missing in\n{told}");
        }
        assert!(!told.contains('\u{1b}'), "{told}");
    }
    // A severity of the configuration decides what is critical, and two files are one set.
    desk.write(
        "etc/mlfence.yaml",
        "policies: { severities: { ILB-001: high } }\nwaivers: { files: [two.yaml] }\n",
    );
    let (code, told, _) = desk.run("config check --config etc/mlfence.yaml");
    assert_eq!((code, told.as_str()), (0, "etc/mlfence.yaml: valid, with 30 policies and 1 waiver\n"));
    let (code, _, told) =
        desk.run("audit --snapshot demo.jsonl --config etc/mlfence.yaml --waivers etc/../etc/two.yaml");
    assert_eq!(code, 2);
    assert!(told.contains("accepts the same as the waiver at etc/two.yaml:2"), "{told}");
}

// What holds of any waivers

const TODAY: Date = date!(2026 - 11 - 26);

fn demo() -> &'static Report {
    static DEMO: OnceLock<Report> = OnceLock::new();
    DEMO.get_or_init(|| support::report(&company::demo().0))
}

/// A waiver that is likely to meet something: made of a result of the demo, and then perhaps of something else.
fn waiver() -> impl Strategy<Value = Waiver> {
    let parts = (any::<Index>(), any::<Index>(), any::<Index>(), 0..9_usize, 0..4_usize, -2..30_i64);
    (parts, any::<[bool; 4]>()).prop_map(
        |((of, other, violation, cut, key, ahead), [fail, elsewhere, pin, changed])| {
            let results = &demo().results;
            let result = of.get(results);
            let place = if elsewhere { other.get(results) } else { result };
            let violation = (!result.violations.is_empty()).then(|| violation.get(&result.violations));
            let segments: Vec<&str> = place.subject.id.key().split('/').skip(1).collect();
            let scope = format!("/{}", segments[..segments.len().saturating_sub(cut)].join("/"));
            Waiver {
                policy: result.policy.clone(),
                scope: ResourceId::parse(&scope).expect("an id"),
                key: violation.filter(|_| fail && key == 0).map(|violation| violation.key.clone()),
                accepts: if fail { Accepts::Fail } else { Accepts::Unknown },
                expires: TODAY + Duration::days(ahead),
                evidence: violation.filter(|_| pin).map(|violation| match changed {
                    true => format!("sha256:{}", "0".repeat(64)),
                    false => violation.evidence_digest.clone(),
                }),
                allow_broad: true,
                ..long_waiver()
            }
        },
    )
}

fn waived(waivers: &[Waiver]) -> Report {
    let mut report = demo().clone();
    report.waive(waivers, TODAY);
    report
}

/// The report without what waivers put into it, by hand.
fn stripped(mut report: Report) -> Report {
    report.waivers.clear();
    for result in &mut report.results {
        let violated = result.would_be == Some(Status::Fail);
        result.status = result.would_be.take().unwrap_or(result.status);
        result.waiver = None;
        if violated {
            (result.reason, result.reasons) = (None, Vec::new());
        }
        result.violations.iter_mut().for_each(|violation| violation.waiver = None);
    }
    let (summary, settlement, settle) = (&demo().summary, &demo().settlement, &demo().settle);
    Report { summary: summary.clone(), settlement: settlement.clone(), settle: settle.clone(), ..report }
}

/// Whoever waives all that is seen of an incomplete failure is told what may still be hidden.
#[test]
fn an_incomplete_failure_says_what_may_hide_more_once_it_is_waived() {
    let (mut complete, mut incomplete) = (0, 0);
    for result in demo().results.iter().filter(|result| result.status == Status::Fail) {
        let (policy, scope) = (result.policy.clone(), result.subject.id.clone());
        let report = waived(&[Waiver { policy, scope, ..long_waiver() }]);
        let after = report.results.iter().find(|r| r.policy == result.policy && r.subject == result.subject);
        let after = after.expect("the same result");
        assert_eq!(after.status, Status::Waived, "{} {}", result.policy, result.subject.id);
        assert_eq!(after.undecided(), !result.complete, "{} {}", result.policy, result.subject.id);
        assert_eq!(report.unknowns(), demo().unknowns() + usize::from(!result.complete));
        *(if result.complete { &mut complete } else { &mut incomplete }) += 1;
    }
    assert!(complete > 0 && incomplete > 0, "{complete} complete, {incomplete} not");
}

/// A waiver of violations that holds for long, to be given a policy and a scope.
fn long_waiver() -> Waiver {
    Waiver {
        id: None,
        policy: String::new(),
        scope: ResourceId::root(),
        key: None,
        accepts: Accepts::Fail,
        reason: "r".to_owned(),
        owner: "o".to_owned(),
        expires: TODAY + Duration::days(300),
        evidence: None,
        allow_broad: true,
        at: "w.yaml:1".to_owned(),
    }
}

#[test]
fn without_waivers_the_report_is_the_one_without() {
    assert_eq!(&waived(&[]), demo());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_waivers_make_anything_better_than_waived_or_take_anything_away(
        waivers in prop::collection::vec(waiver(), 1..12)
    ) {
        let report = waived(&waivers);
        for (before, after) in demo().results.iter().zip(&report.results) {
            let moved = before.status != after.status;
            prop_assert!(!moved || after.status == Status::Waived && after.would_be == Some(before.status));
            prop_assert!(after.would_be.is_some() == moved);
            if matches!(before.status, Status::Pass | Status::NotApplicable) {
                prop_assert_eq!(before, after);
            }
            // Nothing that is over, for another policy, for another place or for another key.
            let mut carried: Vec<(&Waiver, Option<&str>)> = after.waiver.iter().map(|waiver| (waiver, None)).collect();
            let violations = &after.violations;
            carried.extend(violations.iter().filter_map(|v| Some((v.waiver.as_ref()?, Some(v.key.as_str())))));
            for (waiver, key) in carried {
                prop_assert!(waivers.contains(waiver) && waiver.expires >= TODAY && waiver.policy == after.policy);
                prop_assert_eq!(waiver.accepts == Accepts::Fail, key.is_some());
                prop_assert!(waiver.key.is_none() || waiver.key.as_deref() == key);
            }
            let all = !violations.is_empty() && violations.iter().all(|violation| violation.waiver.is_some());
            prop_assert!(before.status != Status::Fail || all == (after.status == Status::Waived));
        }
        prop_assert_eq!(&stripped(report), demo());
    }

    #[test]
    fn waivers_work_alike_in_any_order(waivers in prop::collection::vec(waiver(), 1..12).prop_shuffle()) {
        // Of the same place and key there is one waiver in a file.
        let place = |waiver: &Waiver| {
            (waiver.policy.clone(), waiver.scope.clone(), waiver.key.clone(), waiver.accepts)
        };
        let mut unique: Vec<Waiver> = Vec::new();
        for waiver in waivers {
            if unique.iter().all(|earlier| place(earlier) != place(&waiver)) {
                unique.push(waiver);
            }
        }
        let forwards = waived(&unique);
        let backwards = waived(&unique.iter().rev().cloned().collect::<Vec<_>>());
        prop_assert_eq!(&forwards.results, &backwards.results);
        let count = |report: &Report, state| report.waivers.iter().filter(|w| w.state == state).count();
        for state in State::ALL {
            prop_assert_eq!(count(&forwards, state), count(&backwards, state));
        }
    }
}

/// The properties are about something: each of these happens to waivers as they are made here.
#[test]
fn the_waivers_of_the_properties_reach_what_they_should() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let waivers: Vec<Waiver> =
        (0..3_000).map(|_| waiver().new_tree(&mut runner).expect("a value").current()).collect();
    let report = waived(&waivers);
    for state in State::ALL {
        let n = report.waivers.iter().filter(|standing| standing.state == state).count();
        assert!(n > 20, "{} are {}", n, state.name());
    }
    for would_be in [Status::Fail, Status::Unknown] {
        assert!(report.results.iter().any(|result| result.would_be == Some(would_be)), "{}", would_be.name());
    }
}

/// It is as valid as on the day before, and does nothing any more.
#[test]
fn a_check_remarks_on_waivers_that_have_ended() {
    let desk = Desk::new();
    let scope = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg";
    let waiver = |policy: &str, expires: &str| {
        format!("- {{ policy: {policy}, scope: {scope}, reason: r, owner: o, expires: {expires} }}\n")
    };
    let today = OffsetDateTime::now_utc().date().to_string();
    desk.write(
        "w.yaml",
        &format!("waivers:\n{}{}", waiver("AKS-001", "2020-01-31"), waiver("AKS-002", &today)),
    );
    desk.write("c.yaml", "waivers: { files: [w.yaml] }\n");
    let (code, out, err) = desk.run("config check --config c.yaml");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("valid") && out.contains("2 waivers"), "{out}");
    let remarks: Vec<&str> = out.lines().filter(|line| line.contains("remark")).collect();
    assert_eq!(remarks, ["w.yaml:2: remark: the waiver ended on 2020-01-31 and does nothing"]);
}
