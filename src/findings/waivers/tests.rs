use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Map;
use time::macros::date;

use super::read::{LARGEST_FILE, Rules, read};
use super::*;
use crate::facts::SubjectKind;
use crate::findings::judge::{Origin, fingerprint};
use crate::inventory::Code;
use crate::severity::Severity;

const GUID: &str = "00000000-0000-0000-0000-000000000001";
const TODAY: Date = date!(2026 - 11 - 26);

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).expect("an id")
}

fn group(name: &str) -> String {
    format!("/subscriptions/{GUID}/resourceGroups/{name}")
}

fn cluster(group_name: &str) -> ResourceId {
    id(&format!("{}/providers/Microsoft.ContainerService/managedClusters/aks", group(group_name)))
}

fn waiver(scope: &str) -> Waiver {
    Waiver {
        id: None,
        policy: "AKS-002".to_owned(),
        scope: id(scope),
        key: None,
        accepts: Accepts::Fail,
        reason: "known".to_owned(),
        owner: "ml-platform".to_owned(),
        expires: date!(2027 - 06 - 30),
        evidence: None,
        allow_broad: false,
        at: "w.yaml:2".to_owned(),
    }
}

fn result(subject: ResourceId, status: Status, keys: &[&str]) -> PolicyResult {
    let violation = |key: &&str| {
        let evidence = Map::from_iter([("fqdn".to_owned(), (*key).into())]);
        Violation {
            id: fingerprint("AKS-002", &subject, key),
            key: (*key).to_owned(),
            message: String::new(),
            severity: Severity::High,
            resource: None,
            evidence_digest: digest_of_evidence(None, &evidence),
            evidence,
            remediation: String::new(),
            waiver: None,
        }
    };
    PolicyResult {
        policy: "AKS-002".to_owned(),
        title: String::new(),
        severity: Severity::High,
        status,
        violations: keys.iter().map(violation).collect(),
        subject: Subject { kind: SubjectKind::AksCluster, id: subject, workspace: None, hidden: false },
        labels: BTreeMap::new(),
        reason: None,
        reasons: Vec::new(),
        waiver: None,
        would_be: None,
        complete: true,
        doubts: Vec::new(),
        notes: Vec::new(),
        documents: Vec::new(),
        origin: Origin { bundle: String::new(), digest: String::new() },
    }
}

fn unknown(subject: ResourceId, hidden: bool) -> PolicyResult {
    let mut result = result(subject, Status::Unknown, &[]);
    result.subject.hidden = hidden;
    result.reasons = vec![Reason::new(Code::Denied, "aks_clusters of the subscription were not read")];
    result.reason = result.reasons.first().cloned();
    result.complete = false;
    result
}

/// What one waiver makes of one result.
#[track_caller]
fn check(waiver: &Waiver, result: &PolicyResult, status: Status, state: State) -> PolicyResult {
    let mut results = [result.clone()];
    let standings = apply(std::slice::from_ref(waiver), &mut results, TODAY);
    let [result] = results;
    assert_eq!((result.status, standings[0].state), (status, state), "{waiver:?}");
    let waived = (status == Status::Waived).then_some(());
    assert_eq!(result.would_be.map(drop), waived, "what it would be stands beside `waived`, and only there");
    result
}

#[test]
fn a_scope_matches_on_segment_boundaries_whatever_its_case() {
    let fail = result(cluster("rg"), Status::Fail, &["k"]);
    let upper = group("rg").to_uppercase();
    for (scope, state) in [
        (group("rg").as_str(), State::Active),
        (upper.as_str(), State::Active),
        (group("r").as_str(), State::Unmatched),
        (group("rg2").as_str(), State::Unmatched),
        (cluster("rg").as_spelled(), State::Active),
        (cluster("rg2").as_spelled(), State::Unmatched),
    ] {
        let status = if state == State::Active { Status::Waived } else { Status::Fail };
        check(&waiver(scope), &fail, status, state);
    }
    check(
        &waiver(&group("rg")),
        &result(cluster("rg2"), Status::Fail, &["k"]),
        Status::Fail,
        State::Unmatched,
    );
}

#[test]
fn a_violation_is_reached_by_its_resource_too() {
    let mut fail = result(cluster("rg"), Status::Fail, &["k", "l"]);
    fail.violations[0].resource =
        Some(format!("{}/providers/Microsoft.Network/networkSecurityGroups/n", group("net")));
    let fail = check(&waiver(&group("net")), &fail, Status::Fail, State::Active);
    assert_eq!(fail.violations.iter().map(|v| v.waiver.is_some()).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn the_last_day_counts_and_the_day_after_does_not() {
    let fail = result(cluster("rg"), Status::Fail, &["k"]);
    for (expires, status, state) in [
        (date!(2026 - 11 - 25), Status::Fail, State::Expired),
        (date!(2026 - 11 - 26), Status::Waived, State::Expiring),
        (date!(2026 - 12 - 10), Status::Waived, State::Expiring),
        (date!(2026 - 12 - 11), Status::Waived, State::Active),
    ] {
        check(&Waiver { expires, ..waiver(&group("rg")) }, &fail, status, state);
    }
}

#[test]
fn one_waived_violation_does_not_hide_the_next() {
    let fail = result(cluster("rg"), Status::Fail, &["k", "l"]);
    let of = |key: &str| Waiver { key: Some(key.to_owned()), ..waiver(&group("rg")) };
    let one = check(&of("k"), &fail, Status::Fail, State::Active);
    assert!(one.violations[0].waiver.is_some() && one.violations[1].waiver.is_none());
    let mut results = [fail];
    apply(&[of("k"), of("l")], &mut results, TODAY);
    assert_eq!((results[0].status, results[0].would_be), (Status::Waived, Some(Status::Fail)));
    assert_eq!(results[0].violations.len(), 2, "they are kept");
}

#[test]
fn a_waived_critical_violation_does_not_make_the_next_one_worse() {
    let mut fail = result(cluster("rg"), Status::Fail, &["k", "l"]);
    fail.violations[0].severity = Severity::Critical;
    let k = Waiver { key: Some("k".to_owned()), ..waiver(&group("rg")) };
    assert_eq!(check(&k, &fail, Status::Fail, State::Active).worst(), Severity::High);
}

#[test]
fn a_pinned_waiver_lapses_when_the_facts_change() {
    let mut fail = result(cluster("rg"), Status::Fail, &["k"]);
    let pinned =
        Waiver { evidence: Some(fail.violations[0].evidence_digest.clone()), ..waiver(&group("rg")) };
    check(&pinned, &fail, Status::Waived, State::Active);
    let changed = Map::from_iter([("fqdn".to_owned(), "elsewhere".into())]);
    fail.violations[0].evidence_digest = digest_of_evidence(None, &changed);
    check(&pinned, &fail, Status::Fail, State::Lapsed);
    let expired = Waiver { expires: date!(2026 - 11 - 25), ..pinned };
    check(&expired, &fail, Status::Fail, State::Expired);
}

/// Worked out by `printf '%s' TEXT | sha256sum` over the texts that are named.
#[test]
fn a_digest_hangs_on_facts_and_not_on_their_spelling() {
    let evidence = |value: &str| Map::from_iter([("b".to_owned(), value.into()), ("a".to_owned(), 1.into())]);
    // {"evidence":{"a":1,"b":"x"},"resource":null}
    let expected = "sha256:363625c6c436d2b1f49b3d14bb7cc0a31451ec0fcf3cd1998b307272b5a9295f";
    assert_eq!(digest_of_evidence(None, &evidence("x")), expected);
    assert_eq!(digest_of_evidence(None, &evidence("X")), expected);
    assert_ne!(digest_of_evidence(None, &evidence("y")), expected);
    assert_ne!(digest_of_evidence(Some("/r"), &evidence("x")), expected);
    let reasons = [Reason::new(Code::Denied, "b"), Reason::new(Code::Denied, "a")];
    // {"reasons":["denied: a","denied: b"]}
    assert_eq!(
        digest_of_reasons(&reasons),
        "sha256:e824c731cbbe0f687d1eb02bc6df3de5c787dc86546f6e80488b3161814cbc65"
    );
}

#[test]
fn an_unknown_is_waived_with_its_reason_kept_and_only_by_a_waiver_that_says_so() {
    let unknown = unknown(cluster("rg"), false);
    check(&waiver(&group("rg")), &unknown, Status::Unknown, State::Unmatched);
    let accepts = Waiver { accepts: Accepts::Unknown, ..waiver(&group("rg")) };
    let waived = check(&accepts, &unknown, Status::Waived, State::Active);
    assert_eq!((waived.would_be, &waived.reason), (Some(Status::Unknown), &unknown.reason));
    assert!(!waived.undecided() && waived.waiver == Some(accepts.clone()));
    check(&accepts, &result(cluster("rg"), Status::Fail, &["k"]), Status::Fail, State::Unmatched);
    let pinned = Waiver { evidence: Some(digest_of_reasons(&unknown.reasons)), ..accepts };
    check(&pinned, &unknown, Status::Waived, State::Active);
    let mut other = unknown;
    other.reasons.push(Reason::new(Code::Throttled, "later"));
    check(&pinned, &other, Status::Unknown, State::Lapsed);
}

#[test]
fn a_hidden_subject_needs_a_waiver_for_that_very_scope() {
    let accepts = |scope: &str| Waiver { accepts: Accepts::Unknown, ..waiver(scope) };
    let hidden = unknown(id(&group("rg")), true);
    check(&accepts(&group("rg")), &hidden, Status::Waived, State::Active);
    for wider in [format!("/subscriptions/{GUID}"), "/".to_owned()] {
        check(&accepts(&wider), &hidden, Status::Unknown, State::Unmatched);
    }
}

/// Behind accepted violations others may be hidden; accepting the ones that were seen does not accept those.
#[test]
fn what_may_be_hidden_behind_waived_violations_stays_undecided() {
    let mut fail = result(cluster("rg"), Status::Fail, &["k"]);
    fail.complete = false;
    fail.doubts = vec![Reason::new(Code::Denied, "network rules were not read")];
    let waived = check(&waiver(&group("rg")), &fail, Status::Waived, State::Active);
    assert!(waived.undecided(), "{waived:?}");
    assert_eq!(waived.reasons, fail.doubts);
    let unknown = Waiver { accepts: Accepts::Unknown, ..waiver(&group("rg")) };
    let mut results = [fail];
    apply(&[waiver(&group("rg")), unknown], &mut results, TODAY);
    assert!(!results[0].undecided() && results[0].would_be == Some(Status::Fail));
}

#[test]
fn nothing_is_waived_that_is_neither_a_violation_nor_unknown() {
    for status in [Status::Pass, Status::NotApplicable, Status::Fail] {
        for accepts in [Accepts::Fail, Accepts::Unknown] {
            let waiver = Waiver { accepts, ..waiver("/") };
            let before = result(cluster("rg"), status, &[]);
            assert_eq!(check(&waiver, &before, status, State::Unmatched), before);
        }
    }
}

#[test]
fn the_narrowest_of_several_waivers_is_shown_and_each_counts() {
    let wide = waiver(&group("rg"));
    let narrow = Waiver { owner: "fraud".to_owned(), ..waiver(cluster("rg").as_spelled()) };
    for waivers in [[wide.clone(), narrow.clone()], [narrow.clone(), wide]] {
        let mut results = [result(cluster("rg"), Status::Fail, &["k"])];
        let standings = apply(&waivers, &mut results, TODAY);
        assert_eq!(results[0].violations[0].waiver.as_ref(), Some(&narrow));
        assert!(standings.iter().all(|standing| (standing.state, standing.covers) == (State::Active, 1)));
    }
}

// Reading

fn rules(policies: &BTreeMap<String, Severity>) -> Rules<'_> {
    Rules { today: TODAY, longest: Duration::from_secs(366 * 86_400), policies }
}

fn told(text: &str) -> (Vec<Waiver>, Vec<String>) {
    let policies = [("AKS-002", Severity::High), ("ILB-001", Severity::Critical)];
    let policies = policies.map(|(id, severity)| (id.to_owned(), severity)).into();
    let mut waivers = Vec::new();
    let problems = read("w.yaml", text, &rules(&policies), &mut waivers);
    (waivers, problems.iter().map(ToString::to_string).collect())
}

/// A waiver as text, with `more` lines of it.
fn text(policy: &str, scope: &str, more: &str) -> String {
    format!("- policy: {policy}\n  scope: {scope}\n  reason: r\n  owner: o\n  expires: 2027-01-31\n{more}")
}

#[test]
fn a_waiver_reads_as_it_is_written() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let more = format!("  id: w\n  key: k\n  accepts: fail\n  evidence: {digest}\n  allow_broad: true\n");
    let (waivers, problems) = told(&format!("# why\nwaivers:\n{}", text("ILB-001", &group("rg"), &more)));
    assert_eq!(problems, Vec::<String>::new());
    let expected = Waiver {
        id: Some("w".to_owned()),
        policy: "ILB-001".to_owned(),
        key: Some("k".to_owned()),
        reason: "r".to_owned(),
        owner: "o".to_owned(),
        expires: date!(2027 - 01 - 31),
        evidence: Some(digest),
        allow_broad: true,
        at: "w.yaml:3".to_owned(),
        ..waiver(&group("rg"))
    };
    assert_eq!(waivers, [expected]);
    let (waivers, problems) =
        told(&format!("waivers:\n{}", text("AKS-002", &group("rg"), "  accepts: unknown\n")));
    assert_eq!((waivers[0].accepts, problems.len()), (Accepts::Unknown, 0));
    assert_eq!(told("waivers: []\n"), (vec![], vec![]));
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let text = format!(
        "\
waivers:
- policy: AKS-999
  scope: {rg}
  reason: r
  owner: o
  expires: 2027-11-28
- policy: AKS-002
  scope: rg-ml
  expires: 31.1.2027
  ower: o
- policy: AKS-002
  scope: /subscriptions/{GUID}
  reason: r
  owner: 12
  expires: 2027-01-31
- {{policy: ILB-001, scope: {rg}, reason: r, owner: o, expires: 2027-11-27}}
- {{policy: AKS-002, scope: {rg}, reason: r, owner: o, expires: 2020-01-31, id: a}}
- {{policy: AKS-002, scope: {rg}/, reason: q, owner: p, expires: 2027-01-31}}
- {{policy: AKS-002, scope: {rg}2, reason: q, owner: p, expires: 2027-01-31, id: a}}
- {{policy: AKS-002, scope: {rg}, reason: r, owner: o, expires: 2027-01-31, accepts: unknown, key: k}}
- {{policy: AKS-002, scope: {rg}3, reason: r, owner: o, expires: 2027-01-31, accepts: all, evidence: x, allow_broad: yes}}
- hello
waiver: []
",
        rg = group("rg")
    );
    let expected = [
        "2: waivers[0].policy: there is no policy `AKS-999`; `mlfence policy list` names them",
        "6: waivers[0].expires: is 367 days ahead; at most 366 are allowed (`waivers.longest`)",
        "7: waivers[1]: `owner` is missing: who answers for it",
        "7: waivers[1]: `reason` is missing: why this is accepted",
        "8: waivers[1].scope: `rg-ml` is no ARM id; it begins with /subscriptions/GUID",
        "9: waivers[1].expires: `31.1.2027` is no day such as 2027-01-31",
        "10: unknown key `ower` in `waivers[1]`; did you mean `owner`?",
        "11: waivers[2]: covers a whole subscription or more; narrow `scope`, or set `allow_broad: true`",
        "14: waivers[2].owner: must be text; put it into quotes",
        "16: waivers[3]: ILB-001 is critical; to accept it all the same set `allow_broad: true`",
        "18: waivers[5]: accepts the same as the waiver at w.yaml:17",
        "19: waivers[6]: has the id of the waiver at w.yaml:17",
        "20: waivers[7].key: only a violation has a key; leave it out of a waiver that accepts `unknown`",
        "21: waivers[8].accepts: `all` is not known; use one of: fail, unknown",
        "21: waivers[8].allow_broad: must be true or false",
        "21: waivers[8].evidence: must be the digest that `mlfence explain POLICY RESOURCE` prints, sha256:…",
        "22: waivers[9]: must be a table of keys and values",
        "23: unknown key `waiver`; did you mean `waivers`?",
    ];
    assert_eq!(told(&text).1, expected);
}

#[test]
fn a_scope_that_only_looks_like_one_is_refused() {
    let service = format!("{}/providers/Microsoft.Network/virtualNetworks/v/subnets/s", group("rg"));
    let below = format!("/subscriptions/{GUID}/providers/Microsoft.X/kind/name");
    for good in
        [group("rg"), service.clone(), below, format!("{service}/providers/N.S/locks/l"), group("providers")]
    {
        let (waivers, problems) = told(&format!("waivers:\n{}", text("AKS-002", &good, "")));
        assert_eq!((waivers.len(), problems), (1, vec![]), "{good}");
    }
    for broad in ["/".to_owned(), format!("/subscriptions/{GUID}"), format!("/subscriptions/{GUID}/")] {
        assert_eq!(told(&format!("waivers:\n{}", text("AKS-002", &broad, ""))).0, [], "{broad}");
        let (waivers, problems) =
            told(&format!("waivers:\n{}", text("AKS-002", &broad, "  allow_broad: true\n")));
        assert_eq!((waivers.len(), problems), (1, vec![]), "{broad}");
    }
    for bad in [
        "/subscriptions/not-a-guid/resourceGroups/rg".to_owned(),
        "/subscriptions".to_owned(),
        "/resourceGroups/rg".to_owned(),
        "/providers/Microsoft.Management/managementGroups/m".to_owned(),
        format!("/subscriptions/{GUID}/resourceGroups"),
        format!("/subscriptions/{GUID}/resourceGroups/"),
        format!("/subscriptions/{GUID}/rg"),
        format!("{}/*", group("rg")),
        format!("{}//providers/N.S/kind/name", group("rg")),
        format!("{}/providers/Microsoft.Network", group("rg")),
        format!("{}/providers/Microsoft.Network/virtualNetworks", group("rg")),
        format!("{}/managedClusters/aks", group("rg")),
    ] {
        let (waivers, problems) =
            told(&format!("waivers:\n{}", text("AKS-002", &bad, "  allow_broad: true\n")));
        assert!(waivers.is_empty() && problems.len() == 1, "{bad}: {problems:?}");
        assert!(problems[0].starts_with("3: waivers[0].scope: "), "{problems:?}");
    }
}

#[test]
fn a_text_that_is_no_file_of_waivers_is_never_no_waivers() {
    for (text, problem) in [
        ("", "1: is empty; write `waivers: []` for none"),
        (" \n\n", "1: is empty; write `waivers: []` for none"),
        ("# nothing\n", "1: `waivers` is missing; write `waivers: []` for none"),
        ("waivers:\n", "1: `waivers` is missing; write `waivers: []` for none"),
        ("waivers: {}\n", "1: waivers: must be a list"),
    ] {
        assert_eq!(told(text).1, [problem], "{text:?}");
    }
}

#[test]
fn what_an_attacker_may_write_is_bounded() {
    let laughs: String = (1..10).map(|n| format!("a{n}: &a{n} [*a{m}, *a{m}]\n", m = n - 1)).collect();
    for hostile in [
        "#".repeat(LARGEST_FILE + 1),
        "[".repeat(LARGEST_FILE),
        "- ".repeat(LARGEST_FILE / 2),
        "{a: ".repeat(LARGEST_FILE / 4),
        format!("a0: &a0 [x]\n{laughs}"),
        format!("waivers: {}\n", "[".repeat(100) + &"]".repeat(100)),
        "&a [*a]\n".to_owned(),
    ] {
        let (waivers, problems) = told(&hostile);
        assert!(waivers.is_empty() && !problems.is_empty(), "{}", &hostile[..20]);
    }
    let many = text("AKS-002", &group("rg"), "").repeat(6_000);
    let (waivers, problems) = told(&format!("waivers:\n{many}"));
    assert_eq!((waivers.len(), problems.len()), (1, 5_999));
}
