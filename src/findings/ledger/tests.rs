use crate::findings::waivers::{Accepts, Waiver};
use proptest::prelude::*;

use super::*;
use crate::facts::SubjectKind;
use crate::findings::Status;
use crate::findings::judge::{Origin, Violation, fingerprint};
use crate::inventory::{Code, Reason, ResourceId};
use crate::severity::Severity;

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
        labels: BTreeMap::new(),
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
    advance_on(&Terms::default(), ledger, results, hidden, now)
}

fn advance_on(
    terms: &Terms,
    ledger: &Ledger,
    results: &[PolicyResult],
    hidden: &[Hidden],
    now: i64,
) -> (Ledger, Changes) {
    let (subscriptions, policies) =
        (BTreeSet::from([SUBSCRIPTION.to_owned()]), BTreeSet::from(["AKS-001".to_owned()]));
    let excluded = BTreeSet::new();
    let sweep = Sweep {
        results,
        hidden,
        subscriptions: &subscriptions,
        excluded: &excluded,
        policies: &policies,
        // What a sweep shows as accepted, the files still accept when it cannot be seen.
        waivers: &[Waiver {
            key: None,
            ..waiver("AKS-001", &ResourceId::subscription_scope(SUBSCRIPTION), "")
        }],
    };
    ledger.advance(&sweep, terms, now)
}

/// A sweep that saw nothing at all, of these subscriptions and with these policies.
fn advance_empty(
    ledger: &Ledger,
    subscriptions: &[&str],
    excluded: &[&str],
    policies: &[&str],
) -> (Ledger, Changes) {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let (subscriptions, excluded, policies) = (set(subscriptions), set(excluded), set(policies));
    let sweep = Sweep {
        results: &[],
        hidden: &[],
        subscriptions: &subscriptions,
        excluded: &excluded,
        policies: &policies,
        waivers: &[],
    };
    ledger.advance(&sweep, &Terms::default(), 2)
}

/// The same result, with the violations of these keys accepted.
fn waived(mut result: PolicyResult, keys: &[&str]) -> PolicyResult {
    for violation in &mut result.violations {
        if keys.contains(&violation.key.as_str()) {
            violation.waiver = Some(waiver(&result.policy, &result.subject.id, &violation.key));
        }
    }
    if result.violations.iter().all(|violation| violation.waiver.is_some()) {
        result.status = Status::Waived;
    }
    result
}

fn unknown(name: &str, code: Code) -> PolicyResult {
    let reason = Some(Reason::new(code, "because"));
    PolicyResult { reason, ..result(name, Status::Unknown, &[], false) }
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
    assert_eq!((finding.opened_at, finding.confirmed_at, finding.stale_since), (1, 7, None));
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
        let stale = ledger.open.values().filter(|finding| finding.is_stale()).count();
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
    let (ledger, changes) = advance_empty(&open_one(), &[], &[], &["AKS-001"]);
    assert_eq!((ledger.open.len(), changes), (1, Changes::default()));
}

#[test]
fn a_policy_that_is_gone_takes_its_findings_along() {
    let (_, changes) = advance_empty(&open_one(), &[SUBSCRIPTION], &[], &[]);
    assert_eq!(resolutions(&changes), [Resolution::PolicyRemoved]);
}

/// A subscription that somebody took out of the scope is not one that is out of sight.
#[test]
fn what_the_configuration_leaves_out_is_out_of_scope() {
    let (ledger, changes) = advance_empty(&open_one(), &[], &[SUBSCRIPTION], &["AKS-001"]);
    assert_eq!((ledger.open.len(), resolutions(&changes)), (0, vec![Resolution::OutOfScope]));
    let (ledger, changes) = advance_empty(&open_one(), &["other"], &["another"], &["AKS-001"]);
    assert_eq!((ledger.open.len(), changes), (1, Changes::default()));
}

#[test]
fn a_finding_that_comes_back_is_reopened_with_its_history() {
    let fail = result("c", Status::Fail, &["k"], true);
    let (fixed, _) = advance(&open_one(), &[result("c", Status::Pass, &[], true)], &[], 5);
    let (id, resolved) = fixed.resolved.first_key_value().expect("it is kept");
    assert_eq!((fixed.open.len(), resolved.at, resolved.resolution), (0, 5, Resolution::Fixed));
    let (ledger, changes) = advance(&fixed, std::slice::from_ref(&fail), &[], 9);
    assert_eq!(changes, Changes { reopened: vec![id.clone()], ..Changes::default() });
    let finding = &ledger.open[id];
    assert_eq!((finding.first_seen, finding.opened_at, finding.reopened), (1, 9, 1));
    assert_eq!(ledger.resolved.len(), 0);
}

#[test]
fn whoever_comes_back_after_the_retention_is_new() {
    let terms = Terms { retention_seconds: 10, ..Terms::default() };
    let pass = [result("c", Status::Pass, &[], true)];
    let (fixed, _) = advance_on(&terms, &open_one(), &pass, &[], 5);
    assert_eq!(advance_on(&terms, &fixed, &pass, &[], 14).0.resolved.len(), 1);
    let (forgotten, changes) = advance_on(&terms, &fixed, &pass, &[], 15);
    assert_eq!((forgotten, changes), (Ledger::default(), Changes::default()));
}

#[test]
fn only_the_second_sight_in_a_row_opens_and_only_the_second_proof_resolves() {
    let terms = Terms { open_after: 2, resolve_after: 2, ..Terms::default() };
    let step = |ledger: &Ledger, status, now| match status {
        // A gap: it counts neither way.
        Status::Unknown => advance_on(&terms, ledger, &[], &[hidden_at("/subscriptions/s")], now),
        Status::Fail => advance_on(&terms, ledger, &[result("c", status, &["k"], true)], &[], now),
        status => advance_on(&terms, ledger, &[result("c", status, &[], true)], &[], now),
    };
    let mut ledger = Ledger::default();
    use Status::{Fail, Pass, Unknown};
    // What each sweep says, and (open, opened, reopened, resolved) after it.
    for (now, (status, expected)) in [
        (Fail, (0, 0, 0, 0)),
        (Pass, (0, 0, 0, 0)),
        (Fail, (0, 0, 0, 0)),
        (Unknown, (0, 0, 0, 0)),
        (Fail, (1, 1, 0, 0)),
        (Pass, (1, 0, 0, 0)),
        (Fail, (1, 0, 0, 0)),
        (Pass, (1, 0, 0, 0)),
        (Unknown, (1, 0, 0, 0)),
        (Pass, (0, 0, 0, 1)),
        (Fail, (0, 0, 0, 0)),
        (Pass, (0, 0, 0, 0)),
        (Fail, (0, 0, 0, 0)),
        (Fail, (1, 0, 1, 0)),
    ]
    .into_iter()
    .enumerate()
    {
        let (next, changes) = step(&ledger, status, now as i64);
        let counts = (next.open.len(), changes.opened.len(), changes.reopened.len(), changes.resolved.len());
        assert_eq!(counts, expected, "sweep {now}: {status:?}");
        ledger = next;
    }
}

#[test]
fn a_decision_needs_no_second_proof() {
    let terms = Terms { resolve_after: 5, ..Terms::default() };
    let accepted = [waived(result("c", Status::Fail, &["k"], true), &["k"])];
    let (_, changes) = advance_on(&terms, &open_one(), &accepted, &[], 2);
    assert_eq!(resolutions(&changes), [Resolution::Waived]);
}

#[test]
fn a_waived_violation_ends_alone_and_comes_back_with_the_end_of_its_waiver() {
    let both = result("c", Status::Fail, &["k", "l"], true);
    let (ledger, _) = advance(&Ledger::default(), std::slice::from_ref(&both), &[], 1);
    let (ledger, changes) = advance(&ledger, &[waived(both.clone(), &["k"])], &[], 2);
    assert_eq!((ledger.open.len(), resolutions(&changes)), (1, vec![Resolution::Waived]));
    let (ledger, changes) = advance(&ledger, &[waived(both.clone(), &["k", "l"])], &[], 3);
    assert_eq!((ledger.open.len(), resolutions(&changes)), (0, vec![Resolution::Waived]));
    let (ledger, changes) = advance(&ledger, &[both], &[], 4);
    assert_eq!((ledger.open.len(), changes.reopened.len()), (2, 2));
}

fn waiver(policy: &str, scope: &ResourceId, key: &str) -> Waiver {
    Waiver {
        id: None,
        policy: policy.to_owned(),
        scope: scope.clone(),
        key: Some(key.to_owned()),
        accepts: Accepts::Fail,
        reason: "r".to_owned(),
        owner: "o".to_owned(),
        expires: time::macros::date!(2027 - 01 - 01),
        evidence: None,
        allow_broad: false,
        at: String::new(),
    }
}

/// One sweep that cannot see anything, under these waivers.
fn advance_blind(ledger: &Ledger, waivers: &[Waiver], retention_seconds: i64, now: i64) -> (Ledger, Changes) {
    let (subscriptions, policies) =
        (BTreeSet::from([SUBSCRIPTION.to_owned()]), BTreeSet::from(["AKS-001".to_owned()]));
    let sweep = Sweep {
        results: &[unknown("c", Code::Denied)],
        hidden: &[hidden_at("/subscriptions/s")],
        subscriptions: &subscriptions,
        excluded: &BTreeSet::new(),
        policies: &policies,
        waivers,
    };
    ledger.advance(&sweep, &Terms { retention_seconds, ..Terms::default() }, now)
}

/// The last thing seen was the violation, and nobody accepts it any more.
#[test]
fn a_waiver_that_ends_behind_a_gap_leaves_its_finding_open_and_stale() {
    const DAY: i64 = 86_400;
    let last_day = time::macros::datetime!(2027-01-01 23:59 UTC).unix_timestamp();
    let accepted = [waived(result("c", Status::Fail, &["k"], true), &["k"])];
    let (ledger, _) = advance(&open_one(), &accepted, &[], last_day - 200 * DAY);
    let mine = waiver("AKS-001", &subject("c").id, "k");
    let (held, changes) = advance_blind(&ledger, std::slice::from_ref(&mine), 90 * DAY, last_day);
    assert_eq!((held.open.len(), held.resolved.len(), changes), (0, 1, Changes::default()), "still accepted");

    let other = waiver("AKS-001", &subject("d").id, "k");
    let pinned = Waiver { evidence: Some("sha256:other".to_owned()), ..mine.clone() };
    let unknown_only = Waiver { accepts: Accepts::Unknown, ..mine.clone() };
    for (waivers, now, why) in [
        (vec![mine], last_day + DAY, "its last day is over"),
        (vec![], last_day, "it was taken out"),
        (vec![other], last_day, "it is of another cluster"),
        (vec![pinned], last_day, "it is for other facts"),
        (vec![unknown_only], last_day, "it accepts no violation"),
    ] {
        let (open, changes) = advance_blind(&ledger, &waivers, 90 * DAY, now);
        let finding = open.open.values().next().expect(why);
        assert_eq!(
            (finding.stale_since, finding.reopened, changes.reopened.len()),
            (Some(now), 1, 1),
            "{why}"
        );
        assert_eq!(open.resolved.len(), 0, "{why}");
    }
}

/// What was seen of it while it was accepted counts for nothing once it is proven gone.
#[test]
fn what_is_fixed_while_it_is_waived_stays_fixed_when_the_waiver_is_taken_out() {
    const KEEP: i64 = 1_000;
    let accepted = [waived(result("c", Status::Fail, &["k"], true), &["k"])];
    for (proof, expected) in [
        (vec![result("c", Status::Pass, &[], true)], Resolution::Fixed),
        (vec![result("c", Status::Fail, &["other"], true)], Resolution::Fixed),
        (vec![], Resolution::ResourceDeleted),
    ] {
        let (ledger, _) = advance(&open_one(), &accepted, &[], 2);
        let id = ledger.resolved.keys().next().expect("it is kept").clone();
        let (ledger, changes) = advance(&ledger, &proof, &[], 3);
        assert_eq!((ledger.resolved[&id].resolution, ledger.resolved[&id].at), (expected, 3));
        assert_eq!(resolutions(&changes), [], "nobody was told that it is open");
        let (ledger, changes) = advance_blind(&ledger, &[], KEEP, 4);
        assert!(!ledger.open.contains_key(&id) && changes.reopened.is_empty(), "{expected:?}");
        // Seen again while it is accepted, it is accepted again, and comes back with the end of that.
        let (ledger, changes) = advance(&ledger, &accepted, &[], 5);
        assert_eq!((ledger.resolved[&id].resolution, changes.reopened.len()), (Resolution::Waived, 0));
        assert_eq!(advance_blind(&ledger, &[], KEEP, 6).1.reopened, [id]);
    }
}

#[test]
fn what_is_waived_is_proven_gone_as_often_as_what_is_open() {
    let terms = Terms { open_after: 2, resolve_after: 2, ..Terms::default() };
    let fail = result("c", Status::Fail, &["k"], true);
    let pass = [result("c", Status::Pass, &[], true)];
    let accepted = [waived(fail.clone(), &["k"])];
    let (ledger, _) = advance_on(&terms, &open_one(), &accepted, &[], 2);
    let is = |ledger: &Ledger| ledger.resolved.values().map(|one| one.resolution).collect::<Vec<_>>();
    let (once, _) = advance_on(&terms, &ledger, &pass, &[], 3);
    assert_eq!(is(&once), [Resolution::Waived]);
    // A gap counts neither way, and the next proof is the second one.
    let (gap, _) = advance_on(&terms, &once, &[unknown("c", Code::Denied)], &[], 4);
    assert_eq!(is(&advance_on(&terms, &gap, &pass, &[], 5).0), [Resolution::Fixed]);
    // Sight in between begins the row anew.
    let (seen, _) = advance_on(&terms, &once, &accepted, &[], 4);
    assert_eq!(is(&advance_on(&terms, &seen, &pass, &[], 5).0), [Resolution::Waived]);
    // A decision took it away at once, and so its end brings it back at once.
    let (back, changes) = advance_on(&terms, &once, &[fail], &[], 4);
    assert_eq!((back.open.len(), changes.reopened.len()), (1, 1));
}

/// A pin holds for the facts as they last were, not as they were before somebody accepted them.
#[test]
fn what_is_waived_is_kept_as_it_is_seen() {
    let seen = |evidence: &str, severity| {
        let mut result = result("c", Status::Fail, &["k"], true);
        result.violations[0].evidence_digest = evidence.to_owned();
        result.violations[0].severity = severity;
        result.violations[0].message = evidence.to_owned();
        result
    };
    let (ledger, _) = advance(&Ledger::default(), &[seen("sha256:a", Severity::High)], &[], 1);
    let id = ledger.open.keys().next().expect("it is open").clone();
    let mut ledger = ledger;
    // It moves with the sweep that first shows it as accepted, and once more while it is.
    for (now, evidence) in [(2, "sha256:b"), (3, "sha256:c")] {
        let accepted = [waived(seen(evidence, Severity::Low), &["k"])];
        ledger = advance(&ledger, &accepted, &[], now).0;
        let Resolved { finding, at, resolution } = &ledger.resolved[&id];
        assert_eq!((finding.evidence.as_str(), finding.message.as_str()), (evidence, evidence));
        assert_eq!((finding.severity, finding.first_seen, finding.confirmed_at), (Severity::Low, 1, now));
        assert_eq!((*at, *resolution), (2, Resolution::Waived));
    }
    let pinned = |evidence: &str| Waiver {
        evidence: Some(evidence.to_owned()),
        ..waiver("AKS-001", &subject("c").id, "k")
    };
    let (held, changes) = advance_blind(&ledger, &[pinned("sha256:c")], 1_000, 4);
    assert_eq!((held.open.len(), changes), (0, Changes::default()));
    let (lapsed, changes) = advance_blind(&ledger, &[pinned("sha256:a")], 1_000, 4);
    assert_eq!((lapsed.open.len(), changes.reopened), (1, vec![id]));
}

/// Accepted before anybody was told of it, it still stands when nobody accepts it any more.
#[test]
fn what_is_waived_from_its_first_sight_is_known() {
    let accepted = [waived(result("c", Status::Fail, &["k"], true), &["k"])];
    let mine = waiver("AKS-001", &subject("c").id, "k");
    let (mut ledger, changes) = advance(&Ledger::default(), &accepted, &[], 1);
    assert_eq!((ledger.open.len(), ledger.resolved.len(), changes), (0, 1, Changes::default()));
    // However long it is accepted, it is not forgotten, seen or not.
    let brief = Terms { retention_seconds: 10, ..Terms::default() };
    let (seen, changes) = advance_on(&brief, &ledger, &accepted, &[], 100);
    assert_eq!((seen.resolved.len(), changes), (1, Changes::default()));
    let (unseen, changes) = advance_blind(&seen, std::slice::from_ref(&mine), 10, 200);
    assert_eq!((unseen.resolved.len(), changes), (1, Changes::default()));
    ledger = unseen;
    let (ledger, changes) = advance_blind(&ledger, &[], 10, 300);
    let finding = ledger.open.values().next().expect("it stands");
    assert_eq!((finding.first_seen, finding.opened_at, finding.stale_since), (1, 300, Some(300)));
    assert_eq!((changes.opened.len(), changes.reopened.len()), (0, 1));
}

/// The retention is for what is over; what is only set aside must be found again by whoever takes the decision back.
#[test]
fn a_decision_is_remembered_as_long_as_it_stands() {
    let (none, subscriptions) = (BTreeSet::new(), BTreeSet::from([SUBSCRIPTION.to_owned()]));
    let removed = Sweep {
        results: &[],
        hidden: &[],
        subscriptions: &subscriptions,
        excluded: &none,
        policies: &none,
        waivers: &[],
    };
    let brief = Terms { resolve_after: 2, retention_seconds: 10, ..Terms::default() };
    let (decided, changes) = open_one().advance(&removed, &brief, 2);
    assert_eq!(resolutions(&changes), [Resolution::PolicyRemoved]);
    let (decided, changes) = decided.advance(&removed, &brief, 1_000);
    assert_eq!(changes, Changes::default());
    assert_eq!(advance_blind(&decided, &[], 10, 1_001).1.reopened.len(), 1);
    // One proof of two is none, however old the decision is.
    let (half, _) = advance_on(&brief, &decided, &[result("c", Status::Pass, &[], true)], &[], 1_001);
    assert_eq!(advance_blind(&half, &[], 10, 1_002).1.reopened.len(), 1);
}

/// Nobody has decided it any more, and nobody proved it gone.
#[test]
fn a_configuration_put_right_behind_a_gap_leaves_its_findings_open_and_stale() {
    let mine = waiver("AKS-001", &subject("c").id, "k");
    let terms = Terms { resolve_after: 2, ..Terms::default() };
    for (subscriptions, excluded, policies, expected) in [
        (&[SUBSCRIPTION][..], &[][..], &[][..], Resolution::PolicyRemoved),
        (&[], &[SUBSCRIPTION], &["AKS-001"], Resolution::OutOfScope),
    ] {
        let (decided, changes) = advance_empty(&open_one(), subscriptions, excluded, policies);
        assert_eq!(resolutions(&changes), [expected]);
        let (decided, changes) = advance_empty(&decided, subscriptions, excluded, policies);
        assert_eq!((decided.open.len(), changes), (0, Changes::default()), "it holds");
        let (back, changes) = advance_blind(&decided, &[], 1_000, 3);
        let finding = back.open.values().next().expect("it stands");
        assert_eq!((finding.first_seen, finding.stale_since, finding.reopened), (1, Some(3), 1));
        assert_eq!((back.resolved.len(), changes.reopened.len()), (0, 1));

        // Somebody else accepts it now, and that holds until it ends, too.
        let (accepted, changes) = advance_blind(&decided, std::slice::from_ref(&mine), 1_000, 3);
        assert_eq!((accepted.open.len(), changes), (0, Changes::default()));
        assert_eq!(advance_blind(&accepted, &[], 1_000, 4).1.reopened.len(), 1);

        // Proven gone in between, it stays gone; one proof of two leaves it where it is.
        let pass = [result("c", Status::Pass, &[], true)];
        let (gone, changes) = advance(&decided, &pass, &[], 3);
        assert_eq!((gone.open.len(), changes), (0, Changes::default()));
        assert_eq!(advance_blind(&gone, &[], 1_000, 4).1, Changes::default());
        let (half, _) = advance_on(&terms, &decided, &pass, &[], 3);
        assert_eq!(advance_blind(&half, &[], 1_000, 4).1.reopened.len(), 1);
    }
    // What was fixed before somebody decided about it is still fixed when that ends.
    let (fixed, _) = advance(&open_one(), &[result("c", Status::Pass, &[], true)], &[], 1);
    for (subscriptions, excluded, policies) in
        [(&[SUBSCRIPTION][..], &[][..], &[][..]), (&[], &[SUBSCRIPTION], &["AKS-001"])]
    {
        let (decided, _) = advance_empty(&fixed, subscriptions, excluded, policies);
        assert_eq!(advance_blind(&decided, &[], 1_000, 3).1, Changes::default());
    }
}

fn cluster(workspace: Option<&str>) -> Subject {
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/k";
    let workspace = workspace.map(|guid| {
        let id = format!(
            "/subscriptions/{guid}/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
        );
        ResourceId::parse(&id).expect("an id")
    });
    Subject {
        kind: SubjectKind::AksCluster,
        id: ResourceId::parse(id).expect("an id"),
        workspace,
        hidden: false,
    }
}

fn of_cluster(status: Status, workspace: Option<&str>) -> PolicyResult {
    let subject = cluster(workspace);
    let mut told = result("c", status, if status == Status::Fail { &["k"] } else { &[] }, true);
    for violation in &mut told.violations {
        violation.id = fingerprint("AKS-001", &subject.id, "k");
    }
    if status == Status::Unknown {
        told.reason = Some(Reason::new(Code::Denied, "d"));
    }
    PolicyResult { subject, ..told }
}

/// The only workspace that was seen to use a cluster is left out now; another one, which a gap hides, may use it.
#[test]
fn a_cluster_is_not_left_out_with_one_of_the_workspaces_that_use_it() {
    let seen = of_cluster(Status::Fail, Some("t"));
    let (ledger, _) = advance(&Ledger::default(), &[seen], &[], 1);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let (subscriptions, excluded, policies) = (names(&["s"]), names(&["t"]), names(&["AKS-001"]));
    let step = |results: &[PolicyResult], hidden: &[Hidden]| {
        let (subscriptions, excluded, policies) = (&subscriptions, &excluded, &policies);
        let sweep = Sweep { results, hidden, subscriptions, excluded, policies, waivers: &[] };
        ledger.advance(&sweep, &Terms::default(), 2)
    };
    let gap = Hidden { kind: SubjectKind::AksCluster, ..hidden_at("/subscriptions/s") };
    for (results, hidden, why) in [
        (vec![of_cluster(Status::Unknown, None)], vec![], "another one shows it, and it is not known"),
        (vec![], vec![gap], "another one may be hidden"),
    ] {
        let (after, changes) = step(&results, &hidden);
        assert_eq!((after.open.len(), changes), (1, Changes::default()), "{why}");
    }
    assert_eq!(resolutions(&step(&[], &[]).1), [Resolution::OutOfScope]);
}

/// Which workspace uses a cluster alone hangs on which could be read.
#[test]
fn an_unknown_grows_no_younger_when_another_workspace_comes_to_light() {
    let mut ledger = Ledger::default();
    for (now, workspace) in [(1, None), (2, Some("s")), (3, Some("t")), (4, None)] {
        ledger = advance(&ledger, &[of_cluster(Status::Unknown, workspace)], &[], now).0;
        let unknowns: Vec<_> =
            ledger.unknowns.values().map(|unknown| (unknown.since, unknown.last)).collect();
        assert_eq!(unknowns, [(1, now)]);
    }
}

/// Accepting that nobody can tell is no proof that a violation is gone.
#[test]
fn a_waived_unknown_resolves_nothing() {
    let accepted = PolicyResult { status: Status::Waived, ..unknown("c", Code::Denied) };
    let (ledger, changes) = advance(&open_one(), &[accepted], &[], 2);
    assert_eq!((ledger.open.len(), changes), (1, Changes::default()));
}

#[test]
fn stale_is_told_since_when_and_ends_with_the_next_sight() {
    let gap = |ledger: &Ledger, now| advance(ledger, &[unknown("c", Code::Denied)], &[], now).0;
    let ledger = gap(&gap(&open_one(), 5), 6);
    assert_eq!(ledger.open.values().next().and_then(|finding| finding.stale_since), Some(5));
    let (ledger, _) = advance(&ledger, &[result("c", Status::Fail, &["k"], true)], &[], 7);
    assert_eq!(ledger.open.values().next().and_then(|finding| finding.stale_since), None);
}

#[test]
fn a_finding_changes_with_its_severity_and_facts_but_not_with_its_policy() {
    let with = |severity, evidence: &str, digest: &str| {
        let mut result = result("c", Status::Fail, &["k"], true);
        result.violations[0].severity = severity;
        result.violations[0].evidence_digest = evidence.to_owned();
        result.origin.digest = digest.to_owned();
        result
    };
    let before = with(Severity::High, "a", "1");
    let (ledger, _) = advance(&Ledger::default(), &[before], &[], 1);
    for (after, expected) in [
        (with(Severity::High, "a", "1"), 0),
        (with(Severity::Low, "a", "1"), 1),
        (with(Severity::High, "b", "1"), 1),
        (with(Severity::High, "a", "2"), 0),
        // Another version may lay the same facts out otherwise.
        (with(Severity::High, "b", "2"), 0),
        (with(Severity::Low, "a", "2"), 1),
    ] {
        let (next, changes) = advance(&ledger, std::slice::from_ref(&after), &[], 2);
        assert_eq!((changes.changed.len(), changes.opened.len()), (expected, 0), "{after:?}");
        assert_eq!(advance(&next, &[after], &[], 3).1, Changes::default());
    }
}

#[test]
fn an_unknown_keeps_its_beginning_until_there_is_a_verdict() {
    let since = |ledger: &Ledger| {
        ledger
            .unknowns
            .values()
            .map(|unknown| (unknown.code, unknown.since, unknown.last))
            .collect::<Vec<_>>()
    };
    let (ledger, _) = advance(&Ledger::default(), &[unknown("c", Code::Denied)], &[], 1);
    let (ledger, _) = advance(&ledger, &[unknown("c", Code::Timeout)], &[], 4);
    assert_eq!(since(&ledger), [(Code::Timeout, 1, 4)]);
    // Out of sight is not settled.
    let (ledger, _) = advance(&ledger, &[], &[hidden_at("/subscriptions/s")], 5);
    assert_eq!(since(&ledger), [(Code::Timeout, 1, 4)]);
    for end in [vec![result("c", Status::Pass, &[], true)], vec![]] {
        assert_eq!(since(&advance(&ledger, &end, &[], 6).0), []);
    }
    for (subscriptions, excluded, policies) in [(&["s"][..], &[][..], &[][..]), (&[], &["s"], &["AKS-001"])] {
        assert_eq!(since(&advance_empty(&ledger, subscriptions, excluded, policies).0), []);
    }
}

fn any_result() -> impl Strategy<Value = PolicyResult> {
    let status =
        prop::sample::select(vec![Status::Fail, Status::Unknown, Status::Pass, Status::NotApplicable]);
    let accepted = prop::sample::subsequence(vec!["k", "l", "m"], 0..3);
    (prop::sample::select(vec!["a", "b", "c"]), status, prop::bool::ANY, 1..4usize, accepted).prop_map(
        |(name, status, complete, n, accepted)| match status {
            Status::Fail => waived(result(name, status, &["k", "l", "m"][..n], complete), &accepted),
            Status::Unknown => unknown(name, if complete { Code::Denied } else { Code::Timeout }),
            _ => result(name, status, &[], complete),
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

/// How often something must be seen, from once to three times.
fn any_terms() -> impl Strategy<Value = Terms> {
    (1..4u32, 1..4u32, 1..6i64).prop_map(|(open_after, resolve_after, retention_seconds)| Terms {
        open_after,
        resolve_after,
        retention_seconds,
    })
}

/// A row of sweeps, each with or without a gap over the whole subscription.
fn any_history() -> impl Strategy<Value = Vec<(Vec<PolicyResult>, bool)>> {
    prop::collection::vec((any_sweep(), prop::bool::ANY), 0..8)
}

fn live(terms: &Terms, history: &[(Vec<PolicyResult>, bool)]) -> (Ledger, i64) {
    let (mut ledger, mut now) = (Ledger::default(), 0);
    for (results, gap) in history {
        now += 1;
        let hidden: Vec<Hidden> = gap.then(|| hidden_at("/subscriptions/s")).into_iter().collect();
        ledger = advance_on(terms, &ledger, results, &hidden, now).0;
    }
    (ledger, now)
}

proptest! {
    #[test]
    fn a_fingerprint_is_in_one_state_and_changes_say_how_it_came_there(
        terms in any_terms(), history in any_history(), last in any_sweep()
    ) {
        let (before, now) = live(&terms, &history);
        let (after, changes) = advance_on(&terms, &before, &last, &[], now + 1);
        for id in after.open.keys().chain(after.pending.keys()).chain(after.resolved.keys()) {
            let states = [
                after.open.contains_key(id), after.pending.contains_key(id), after.resolved.contains_key(id),
            ];
            prop_assert_eq!(states.iter().filter(|held| **held).count(), 1, "{}: {:?}", id, states);
        }
        let mut open: BTreeSet<&String> = before.open.keys().collect();
        for id in changes.opened.iter().chain(&changes.reopened) {
            prop_assert!(open.insert(id), "{} was open", id);
        }
        prop_assert!(changes.opened.iter().all(|id| !before.resolved.contains_key(id)));
        prop_assert!(changes.reopened.iter().all(|id| before.resolved.contains_key(id)));
        for (id, _) in &changes.resolved {
            prop_assert!(open.remove(id), "{} was not open", id);
        }
        prop_assert_eq!(open, after.open.keys().collect::<BTreeSet<_>>());
        for (id, finding) in &after.open {
            let own = fingerprint(&finding.policy, &finding.subject.id, &finding.key);
            prop_assert_eq!(id, &own);
        }
    }

    /// What is open once nobody accepts anything and nothing can be seen hangs on what each violation's last word was.
    #[test]
    fn behind_a_gap_and_without_waivers_whatever_was_last_seen_is_open(history in any_history()) {
        let (ledger, now) = live(&Terms::default(), &history);
        let (after, _) = advance_blind(&ledger, &[], 1_000, now + 1);
        let mut standing = BTreeSet::new();
        for (results, gap) in &history {
            for name in ["a", "b", "c"] {
                let judged = results.iter().find(|result| result.subject == subject(name));
                for key in ["k", "l", "m"] {
                    let id = fingerprint("AKS-001", &subject(name).id, key);
                    let seen = judged.is_some_and(|result| result.violations.iter().any(|one| one.key == key));
                    let gone = judged.map_or(!gap, |result| match result.status {
                        Status::Unknown => false,
                        Status::Pass | Status::NotApplicable => true,
                        Status::Fail | Status::Waived => result.complete,
                    });
                    if seen {
                        standing.insert(id);
                    } else if gone {
                        standing.remove(&id);
                    }
                }
            }
        }
        prop_assert_eq!(after.open.into_keys().collect::<BTreeSet<_>>(), standing);
    }

    #[test]
    fn after_enough_equal_sweeps_nothing_but_times_moves(
        terms in any_terms(), history in any_history(), last in any_sweep()
    ) {
        let (mut ledger, mut now) = live(&terms, &history);
        // What was resolved may still be forgotten, so the clock stands still.
        for _ in 0..3 {
            ledger = advance_on(&terms, &ledger, &last, &[], now + 1).0;
        }
        now += 1;
        let (once, changes) = advance_on(&terms, &ledger, &last, &[], now);
        prop_assert_eq!(changes, Changes::default());
        prop_assert_eq!(once, ledger);
    }

    #[test]
    fn whatever_came_before_a_row_of_gaps_resolves_nothing(
        terms in any_terms(), history in any_history(), rounds in 1..6i64
    ) {
        let (mut ledger, now) = live(&terms, &history);
        let open: Vec<String> = ledger.open.keys().cloned().collect();
        for round in 1..=rounds {
            let (next, changes) = advance_on(&terms, &ledger, &[], &[hidden_at("/subscriptions/s")], now + round);
            prop_assert_eq!(changes, Changes::default());
            ledger = next;
        }
        prop_assert_eq!(ledger.open.keys().cloned().collect::<Vec<_>>(), open);
        prop_assert!(ledger.open.values().all(|finding| finding.is_stale() && finding.confirmed_at <= now));
    }

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
        prop_assert!(ledger.open.values().all(|finding| finding.is_stale() && finding.confirmed_at == 1));
    }

    #[test]
    fn the_order_of_results_never_matters(first in any_sweep(), second in any_sweep()) {
        let (ledger, _) = advance(&Ledger::default(), &first, &[], 1);
        let mut reversed = second.clone();
        reversed.reverse();
        prop_assert_eq!(advance(&ledger, &second, &[], 2), advance(&ledger, &reversed, &[], 2));
    }
}
