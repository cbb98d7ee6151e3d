use proptest::prelude::*;

use super::*;
use crate::findings::judge::{Origin, Violation, fingerprint};
use crate::inventory::{Code, Reason};

const SUBSCRIPTION: &str = "s";

fn subject(name: &str) -> Subject {
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/computes/{name}"
    );
    let id = ResourceId::parse(&id).expect("an id");
    Subject { kind: SubjectKind::AksCompute, workspace: id.parent(), id, hidden: false }
}

fn result(name: &str, status: Status, keys: &[&str], complete: bool) -> PolicyResult {
    let subject = subject(name);
    let violation = |key: &&str| Violation {
        id: fingerprint("AKS-001", &subject.id, key),
        key: (*key).to_owned(),
        message: String::new(),
        severity: Severity::High,
        resource: None,
        evidence: serde_json::Map::new(),
        evidence_digest: String::new(),
        remediation: String::new(),
        waiver: None,
    };
    PolicyResult {
        policy: "AKS-001".to_owned(),
        title: String::new(),
        severity: Severity::High,
        status,
        violations: keys.iter().map(violation).collect(),
        subject,
        reason: None,
        reasons: Vec::new(),
        waiver: None,
        would_be: None,
        complete,
        doubts: Vec::new(),
        notes: Vec::new(),
        documents: Vec::new(),
        origin: Origin { bundle: String::new(), digest: String::new() },
    }
}

fn advance(ledger: &Ledger, results: &[PolicyResult], hidden: &[Hidden], now: i64) -> (Ledger, Changes) {
    let (subscriptions, policies) =
        (BTreeSet::from([SUBSCRIPTION.to_owned()]), BTreeSet::from(["AKS-001".to_owned()]));
    ledger.advance(&Sweep { results, hidden, subscriptions: &subscriptions, policies: &policies }, now)
}

fn open_one() -> Ledger {
    let (ledger, changes) = advance(&Ledger::default(), &[result("c", Status::Fail, &["k"], true)], &[], 1);
    assert_eq!((ledger.open.len(), changes.opened.len()), (1, 1));
    ledger
}

fn resolutions(changes: &Changes) -> Vec<Resolution> {
    changes.resolved.iter().map(|(_, resolution)| *resolution).collect()
}

fn hidden_at(scope: &str) -> Hidden {
    Hidden {
        kind: SubjectKind::AksCompute,
        scope: ResourceId::parse(scope).expect("a scope"),
        reason: Reason::new(Code::Denied, "gone"),
    }
}

#[test]
fn a_finding_is_confirmed_and_keeps_its_beginning() {
    let (ledger, changes) = advance(&open_one(), &[result("c", Status::Fail, &["k"], false)], &[], 7);
    let finding = ledger.open.values().next().expect("it is open");
    assert_eq!((finding.opened_at, finding.confirmed_at, finding.stale), (1, 7, false));
    assert_eq!(changes, Changes::default());
}

#[test]
fn only_proof_resolves() {
    for (status, keys, complete, expected) in [
        (Status::Pass, &[][..], true, vec![Resolution::Fixed]),
        (Status::NotApplicable, &[], true, vec![Resolution::Fixed]),
        (Status::Unknown, &[], false, vec![]),
        // Another violation stands; this one is gone only if none could be hidden.
        (Status::Fail, &["other"], true, vec![Resolution::Fixed]),
        (Status::Fail, &["other"], false, vec![]),
    ] {
        let (ledger, changes) = advance(&open_one(), &[result("c", status, keys, complete)], &[], 2);
        assert_eq!(resolutions(&changes), expected, "{status:?} {keys:?} {complete}");
        let stale = ledger.open.values().filter(|finding| finding.stale).count();
        assert_eq!(stale, usize::from(expected.is_empty()), "{status:?} {keys:?} {complete}");
    }
}

#[test]
fn a_subject_that_is_gone_resolves_only_where_nothing_hides_it() {
    let (_, changes) = advance(&open_one(), &[], &[], 2);
    assert_eq!(resolutions(&changes), [Resolution::ResourceDeleted]);
    let workspace =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w";
    for scope in ["/", "/subscriptions/s", workspace, "/subscriptions/s/resourceGroups/other"] {
        let (ledger, changes) = advance(&open_one(), &[], &[hidden_at(scope)], 2);
        assert_eq!((ledger.open.len(), changes), (1, Changes::default()), "hidden at {scope}");
    }
    let (_, changes) = advance(&open_one(), &[], &[hidden_at("/subscriptions/t")], 2);
    assert_eq!(resolutions(&changes), [Resolution::ResourceDeleted], "hidden elsewhere");
}

/// A subnet in a shared VNet is known by clusters of other subscriptions; a gap there may hide who uses it.
#[test]
fn a_subnet_is_not_gone_while_a_gap_anywhere_may_hide_its_users() {
    let mut finding = result("c", Status::Fail, &["k"], true);
    finding.subject.kind = SubjectKind::Subnet;
    finding.subject.workspace = None;
    let (ledger, _) = advance(&Ledger::default(), &[finding], &[], 1);
    let hidden = Hidden { kind: SubjectKind::Subnet, ..hidden_at("/subscriptions/t") };
    let (next, changes) = advance(&ledger, &[], &[hidden], 2);
    assert_eq!((next.open.len(), changes), (1, Changes::default()));
    assert_eq!(resolutions(&advance(&ledger, &[], &[], 2).1), [Resolution::ResourceDeleted]);
}

#[test]
fn a_subscription_that_was_not_swept_resolves_nothing() {
    let policies = BTreeSet::from(["AKS-001".to_owned()]);
    let sweep = Sweep { results: &[], hidden: &[], subscriptions: &BTreeSet::new(), policies: &policies };
    let (ledger, changes) = open_one().advance(&sweep, 2);
    assert_eq!((ledger.open.len(), changes), (1, Changes::default()));
}

#[test]
fn a_policy_that_is_gone_takes_its_findings_along() {
    let subscriptions = BTreeSet::from([SUBSCRIPTION.to_owned()]);
    let sweep =
        Sweep { results: &[], hidden: &[], subscriptions: &subscriptions, policies: &BTreeSet::new() };
    assert_eq!(resolutions(&open_one().advance(&sweep, 2).1), [Resolution::PolicyRemoved]);
}

fn any_result() -> impl Strategy<Value = PolicyResult> {
    let status =
        prop::sample::select(vec![Status::Fail, Status::Unknown, Status::Pass, Status::NotApplicable]);
    (prop::sample::select(vec!["a", "b", "c"]), status, prop::bool::ANY, 1..4usize).prop_map(
        |(name, status, complete, n)| {
            let keys = &["k", "l", "m"][..if status == Status::Fail { n } else { 0 }];
            result(name, status, keys, complete)
        },
    )
}

/// One result per subject, as a sweep gives them.
fn any_sweep() -> impl Strategy<Value = Vec<PolicyResult>> {
    prop::collection::vec(any_result(), 0..6).prop_map(|results| {
        let by_subject: BTreeMap<ResourceId, PolicyResult> =
            results.into_iter().map(|result| (result.subject.id.clone(), result)).collect();
        by_subject.into_values().collect()
    })
}

proptest! {
    #[test]
    fn the_same_sweep_twice_changes_nothing(first in any_sweep(), second in any_sweep()) {
        let (ledger, _) = advance(&Ledger::default(), &first, &[], 1);
        let (once, _) = advance(&ledger, &second, &[], 2);
        let (twice, changes) = advance(&once, &second, &[], 2);
        prop_assert_eq!(once, twice);
        prop_assert_eq!(changes, Changes::default());
    }

    #[test]
    fn any_row_of_gaps_resolves_nothing(first in any_sweep(), rounds in 1..5i64) {
        let (mut ledger, _) = advance(&Ledger::default(), &first, &[], 1);
        let open: Vec<String> = ledger.open.keys().cloned().collect();
        for now in 0..rounds {
            let (next, changes) = advance(&ledger, &[], &[hidden_at("/subscriptions/s")], 2 + now);
            prop_assert_eq!(changes, Changes::default());
            ledger = next;
        }
        prop_assert_eq!(ledger.open.keys().cloned().collect::<Vec<_>>(), open);
        prop_assert!(ledger.open.values().all(|finding| finding.stale && finding.confirmed_at == 1));
    }

    #[test]
    fn the_order_of_results_never_matters(first in any_sweep(), second in any_sweep()) {
        let (ledger, _) = advance(&Ledger::default(), &first, &[], 1);
        let mut reversed = second.clone();
        reversed.reverse();
        prop_assert_eq!(advance(&ledger, &second, &[], 2), advance(&ledger, &reversed, &[], 2));
    }
}
