//! Which alerts a sweep leaves: their identity, their life, and the digest of a first start.

use std::collections::BTreeMap;
use std::time::Duration;

use mlfence::config::Alertmanager;
use mlfence::facts::SubjectKind;
use mlfence::findings::judge::{Origin, Subject, Violation};
use mlfence::findings::ledger::Finding;
use mlfence::findings::report::{SCHEMA, Summary};
use mlfence::findings::settle::Settlement;
use mlfence::findings::{PolicyResult, Report, Status};
use mlfence::inventory::{Inventory, ResourceId};
use mlfence::outlets::alertmanager::{Alert, Book, View};
use mlfence::policy::DocumentRef;
use mlfence::severity::Severity;
use serde_json::json;

const WORKSPACE: &str =
    "/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/w";
const DAY: i64 = 86_400;

fn subject(name: &str) -> Subject {
    let id = ResourceId::parse(&format!("{WORKSPACE}/computes/{name}")).expect("an id");
    Subject { kind: SubjectKind::AksCompute, workspace: id.parent(), id, hidden: false }
}

fn finding(name: &str, severity: Severity, opened_at: i64) -> (String, Finding) {
    let finding = Finding {
        policy: "AKS-001".to_owned(),
        policy_digest: String::new(),
        subject: subject(name),
        key: "k".to_owned(),
        severity,
        message: String::new(),
        remediation: String::new(),
        resource: None,
        evidence: String::new(),
        first_seen: opened_at,
        opened_at,
        confirmed_at: opened_at,
        stale_since: None,
        reopened: 0,
        streak: 0,
    };
    (format!("id of {name}"), finding)
}

fn report(open: &BTreeMap<String, Finding>) -> Report {
    let result = |(id, finding): (&String, &Finding)| PolicyResult {
        policy: finding.policy.clone(),
        title: "The cluster is near".to_owned(),
        severity: Severity::High,
        status: Status::Fail,
        subject: finding.subject.clone(),
        labels: BTreeMap::new(),
        reason: None,
        reasons: Vec::new(),
        violations: vec![Violation {
            id: id.clone(),
            key: finding.key.clone(),
            message: "It is\u{1b}[31m far away".to_owned(),
            severity: finding.severity,
            resource: None,
            evidence: serde_json::Map::new(),
            remediation: "Move it".to_owned(),
            waiver: None,
            evidence_digest: String::new(),
        }],
        waiver: None,
        would_be: None,
        doubts: Vec::new(),
        complete: true,
        notes: Vec::new(),
        documents: vec![DocumentRef {
            key: None,
            title: "Limits".to_owned(),
            url: Some("https://learn.example/limits".to_owned()),
            revised: String::new(),
            superseded: None,
        }],
        origin: Origin { bundle: String::new(), digest: String::new() },
    };
    Report {
        schema: SCHEMA,
        taken_at: String::new(),
        summary: Summary::default(),
        gaps: Vec::new(),
        settle: Vec::new(),
        waivers: Vec::new(),
        results: open.iter().filter(|(_, finding)| !finding.is_stale()).map(result).collect(),
        settlement: Settlement::default(),
        subscriptions: BTreeMap::new(),
    }
}

/// The tags that become labels, by their own names.
fn allowed(tags: &[&str]) -> Vec<(String, String)> {
    tags.iter().map(|tag| ((*tag).to_owned(), (*tag).to_owned())).collect()
}

fn owned_by(owner: &str) -> Inventory {
    let mut inventory = Inventory::default();
    let tags = BTreeMap::from([("owner".to_owned(), owner.to_owned())]);
    inventory.tags.insert(ResourceId::parse(WORKSPACE).expect("an id"), tags);
    inventory
}

fn sweep(
    book: &mut Book,
    tags: &[&str],
    inventory: &Inventory,
    open: &[(String, Finding)],
    now: i64,
) -> Vec<Alert> {
    let open: BTreeMap<String, Finding> = open.iter().cloned().collect();
    let report = report(&open);
    let labels = allowed(tags);
    let view = View { open: &open, report: &report, inventory, labels: &labels, first: false, now };
    book.advance(&Alertmanager::default(), &view, DAY)
}

#[test]
fn an_alert_names_the_finding_and_what_to_do() {
    let open = [finding("c", Severity::High, 60)];
    let alerts = sweep(&mut Book::default(), &["owner", "team"], &owned_by("ann"), &open, 60);
    let life = Duration::from_secs(86_400);
    let link = url::Url::parse("https://mlfence.example/").expect("a URL");
    let wire: Vec<_> = alerts.iter().map(|alert| alert.wire(120, life, Some(&link))).collect();
    assert_eq!(
        json!(wire),
        json!([{
            "labels": {
                "alertname": "MlfenceFinding", "policy": "AKS-001", "severity": "high", "subscription": "s",
                "workspace": WORKSPACE, "resource": format!("{WORKSPACE}/computes/c"), "finding": "id of c",
                "owner": "ann",
            },
            "annotations": {
                "summary": "AKS-001 violated by c: The cluster is near", "description": "It is [31m far away",
                "remediation": "Move it", "documents": "Limits: https://learn.example/limits",
                "runbook_url": "https://learn.example/limits",
            },
            "startsAt": "1970-01-01T00:01:00Z", "endsAt": "1970-01-02T00:02:00Z",
            "generatorURL": "https://mlfence.example/",
        }])
    );
}

#[test]
fn below_the_minimum_nothing_is_sent() {
    let open = [finding("a", Severity::Medium, 1), finding("b", Severity::Low, 1)];
    assert_eq!(sweep(&mut Book::default(), &[], &Inventory::default(), &open, 1), []);
}

/// Another owner, and a gap that hides the resource with its tags: neither may resolve the alert and page anew.
#[test]
fn labels_and_beginning_stay_as_long_as_the_finding_is_open() {
    let mut book = Book::default();
    let tags = &["owner"];
    let (id, open) = finding("c", Severity::High, 5);
    let first = sweep(&mut book, tags, &owned_by("ann"), &[(id.clone(), open.clone())], 5);
    let moved = sweep(&mut book, tags, &owned_by("bob"), &[(id.clone(), open.clone())], 6);
    let stale = Finding { stale_since: Some(6), ..open };
    let hidden = sweep(&mut book, tags, &Inventory::default(), &[(id, stale)], 7);
    assert_eq!(moved, first);
    assert_eq!((hidden.len(), &hidden[0].labels, hidden[0].starts_at), (1, &first[0].labels, 5));
    assert_eq!(hidden[0].ended_at, None);
    assert_eq!(hidden[0].annotations["description"], first[0].annotations["description"]);
    assert!(hidden[0].annotations["stale"].contains("1970-01-01T00:00:05Z"), "{:?}", hidden[0].annotations);
}

/// Other tags are asked for while a gap hides the resource: the alert goes on with the tags that are known, and gets the others
/// when they can be seen.
#[test]
fn other_tags_that_nobody_can_see_leave_the_known_ones_alone() {
    let mut book = Book::default();
    let (id, open) = finding("c", Severity::High, 5);
    let first = sweep(&mut book, &["owner"], &owned_by("ann"), &[(id.clone(), open.clone())], 5);
    let stale = Finding { stale_since: Some(6), ..open.clone() };
    let hidden = sweep(&mut book, &["owner", "team"], &Inventory::default(), &[(id.clone(), stale)], 6);
    assert_eq!((hidden.len(), &hidden[0].labels), (1, &first[0].labels));
    let mut inventory = owned_by("ann");
    for tags in inventory.tags.values_mut() {
        tags.insert("team".to_owned(), "ml".to_owned());
    }
    let seen = sweep(&mut book, &["owner", "team"], &inventory, &[(id, open)], 7);
    let labels = |at: usize| (seen[at].labels.get("owner"), seen[at].labels.get("team"), seen[at].ended_at);
    let (ann, ml) = ("ann".to_owned(), "ml".to_owned());
    assert_eq!((labels(0), labels(1)), ((Some(&ann), Some(&ml), None), (Some(&ann), None, Some(7))));
}

/// A clock that was set back: the end is told as it is, or the alert would fire until the clock is there again.
#[test]
fn an_alert_that_began_in_the_future_can_be_ended_now() {
    let alert = Alert { starts_at: 1_000_000, ended_at: Some(60), ..Alert::default() };
    let wire = alert.wire(60, Duration::from_secs(60), None);
    assert_eq!(
        (&wire["startsAt"], &wire["endsAt"]),
        (&json!("1970-01-01T00:01:00Z"), &json!("1970-01-01T00:01:00Z"))
    );
    let stands = Alert { starts_at: 1_000_000, ..Alert::default() }.wire(60, Duration::from_secs(60), None);
    assert_eq!(stands["endsAt"], json!("1970-01-01T00:02:00Z"));
}

/// Which workspace uses a cluster alone hangs on which could be read.
#[test]
fn a_workspace_that_comes_to_light_or_goes_pages_nobody_anew() {
    let (mut book, none) = (Book::default(), Inventory::default());
    let (id, open) = finding("c", Severity::High, 5);
    for seen in [None, Some("w"), None] {
        let mut used = open.clone();
        used.subject.kind = SubjectKind::AksCluster;
        used.subject.workspace = seen.and_then(|_| used.subject.id.parent());
        let alerts = sweep(&mut book, &[], &none, &[(id.clone(), used)], 6);
        assert_eq!(alerts.len(), 1, "{seen:?}: {alerts:?}");
        assert_eq!((alerts[0].ended_at, alerts[0].labels.get("workspace")), (None, None));
    }
}

#[test]
fn what_is_resolved_ends_and_is_forgotten_when_no_instance_can_hold_it_any_more() {
    let (mut book, none) = (Book::default(), Inventory::default());
    sweep(&mut book, &[], &none, &[finding("c", Severity::High, 5)], 5);
    for now in [10, 11, 10 + DAY - 1] {
        let ended = sweep(&mut book, &[], &none, &[], now);
        assert_eq!(ended.iter().map(|alert| alert.ended_at).collect::<Vec<_>>(), [Some(10)]);
    }
    assert_eq!(sweep(&mut book, &[], &none, &[], 10 + DAY), []);
}

#[test]
fn what_opens_again_has_not_ended() {
    let (mut book, none) = (Book::default(), Inventory::default());
    sweep(&mut book, &[], &none, &[finding("c", Severity::High, 5)], 5);
    sweep(&mut book, &[], &none, &[], 10);
    let again = sweep(&mut book, &[], &none, &[finding("c", Severity::High, 12)], 12);
    let times: Vec<_> = again.iter().map(|alert| (alert.starts_at, alert.ended_at)).collect();
    assert_eq!(times, [(12, None)]);
}

#[test]
fn another_severity_is_another_alert_and_ends_the_one_before() {
    let (mut book, none) = (Book::default(), Inventory::default());
    sweep(&mut book, &[], &none, &[finding("c", Severity::High, 5)], 5);
    let alerts = sweep(&mut book, &[], &none, &[finding("c", Severity::Critical, 5)], 9);
    let told: Vec<_> = alerts
        .iter()
        .map(|alert| (alert.labels["severity"].as_str(), alert.starts_at, alert.ended_at))
        .collect();
    assert_eq!(told, [("critical", 5, None), ("high", 5, Some(9))]);
}

#[test]
fn a_first_sweep_of_many_findings_is_a_digest_and_the_critical_ones() {
    let mut open: BTreeMap<String, Finding> =
        (0..20).map(|at| finding(&format!("c{at}"), Severity::High, 5)).collect();
    open.extend([finding("worst", Severity::Critical, 5), finding("least", Severity::Low, 5)]);
    let (report, none) = (report(&open), Inventory::default());
    let mut book = Book::default();
    let mut told = |first, now, digest_above| {
        let view = View { open: &open, report: &report, inventory: &none, labels: &[], first, now };
        let settings = Alertmanager { digest_above, ..Alertmanager::default() };
        let alerts = book.advance(&settings, &view, DAY);
        let count = |name: &str, ended: bool| {
            let of = |alert: &&Alert| alert.labels["alertname"] == name && alert.ended_at.is_some() == ended;
            alerts.iter().filter(of).count()
        };
        let digest = alerts.iter().find(|alert| alert.labels["alertname"] == "MlfenceDigest").cloned();
        (count("MlfenceFinding", false), count("MlfenceDigest", false), count("MlfenceDigest", true), digest)
    };
    let (single, digests, _, digest) = told(true, 5, 20);
    assert_eq!((single, digests), (1, 1));
    let summary = &digest.expect("a digest").annotations["summary"];
    assert_eq!(summary, "mlfence's first sweep found 1 critical, 20 high");
    let (single, digests, ended, _) = told(false, 6, 20);
    assert_eq!((single, digests, ended), (21, 0, 1));
    // As many as are allowed are no flood.
    book = Book::default();
    let view = View { open: &open, report: &report, inventory: &none, labels: &[], first: true, now: 5 };
    assert_eq!(
        book.advance(&Alertmanager { digest_above: 21, ..Alertmanager::default() }, &view, DAY).len(),
        21
    );
}

#[test]
fn a_book_that_was_written_down_goes_on_where_it_was() {
    let mut book = Book::default();
    let tags = &["owner"];
    let open = [finding("c", Severity::High, 5)];
    sweep(&mut book, tags, &owned_by("ann"), &open, 5);
    let text = serde_json::to_string(&book).expect("JSON");
    let mut read: Book = serde_json::from_str(&text).expect("a book");
    assert_eq!(read, book);
    assert_eq!(sweep(&mut read, tags, &Inventory::default(), &open, 9)[0].labels["owner"], "ann");
}
