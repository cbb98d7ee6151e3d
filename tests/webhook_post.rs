//! Which events a sweep makes, for whom, and what they say.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use armsim::{Estate, company};
use mlfence::config::{SecretSource, Webhook};
use mlfence::findings::Report;
use mlfence::findings::ledger::{Changes, Ledger, Resolution, Resolved, Sweep, Terms};
use mlfence::inventory::ResourceId;
use mlfence::outlets::webhook::event::Envelope;
use mlfence::outlets::webhook::{View, post};
use mlfence::severity::Severity;
use mlfence::store::Post;
use serde_json::Value;
use url::Url;

/// When the sweeps of these tests end: 2026-11-20T10:00:00Z.
const AT: i64 = 1_795_168_800;

fn webhook(name: &str, minimum_severity: Severity, digest_above: usize) -> Webhook {
    Webhook {
        name: name.to_owned(),
        url: Url::parse("https://tickets.example").expect("a URL"),
        minimum_severity,
        secret: SecretSource::Environment("X".to_owned()),
        digest_above,
        keep: Duration::from_secs(7 * 86_400),
    }
}

/// What a sweep of `estate` makes of `before`.
fn advance(before: &Ledger, estate: &Estate) -> (Ledger, Changes, Report) {
    let judged = support::judge(&support::snapshot(estate));
    let sweep = Sweep {
        results: &judged.report.results,
        hidden: &judged.hidden,
        subscriptions: &estate.header.subscriptions.iter().map(|s| s.id.to_ascii_lowercase()).collect(),
        excluded: &BTreeSet::new(),
        policies: &judged.policies,
        waivers: &[],
    };
    let (after, changes) = before.advance(&sweep, &Terms::default(), AT);
    (after, changes, judged.report)
}

struct Case<'a> {
    before: &'a Ledger,
    after: &'a Ledger,
    changes: &'a Changes,
    report: &'a Report,
    first: bool,
    told: BTreeSet<(String, String)>,
    link: Option<Url>,
}

impl Case<'_> {
    fn post(&self, receivers: &[Webhook]) -> Post {
        let envelope = Envelope { ledger: "00c0ffee00c0ffee", sweep: 7, at: AT, link: self.link.as_ref() };
        post(
            receivers,
            &View {
                envelope,
                before: self.before,
                after: self.after,
                changes: self.changes,
                report: self.report,
                first: self.first,
                told: &self.told,
            },
        )
    }
}

fn bodies(post: &Post) -> Vec<Value> {
    post.events.iter().map(|event| serde_json::from_str(&event.body).expect("JSON")).collect()
}

fn kinds(post: &Post, receiver: &str) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for event in post.events.iter().filter(|event| event.receivers.iter().any(|name| name == receiver)) {
        let body: Value = serde_json::from_str(&event.body).expect("JSON");
        *kinds.entry(body["type"].as_str().expect("a type").to_owned()).or_default() += 1;
    }
    kinds
}

#[test]
fn an_event_is_a_cloudevent_and_tells_everything_of_its_finding() {
    let nothing = Ledger::default();
    let (after, changes, report) = advance(&nothing, &company::demo().0);
    let link = Url::parse("https://mlfence.example/base/").expect("a URL");
    let case = Case {
        before: &nothing,
        after: &after,
        changes: &changes,
        report: &report,
        first: false,
        told: BTreeSet::new(),
        link: Some(link),
    };
    let sent = case.post(&[webhook("tickets", Severity::Low, 20)]);
    assert_eq!(sent.events.len(), 42, "an event for each finding of the demo estate");
    let ids: BTreeSet<&str> = sent.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), 42);
    assert_eq!(sent.told.len(), 42);
    for (event, body) in sent.events.iter().zip(bodies(&sent)) {
        let id = event.finding.as_deref().expect("a finding");
        let finding = &after.open[id];
        // Required by CloudEvents 1.0, and what of the rest is told.
        let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
        let expected = ["data", "datacontenttype", "id", "source", "specversion", "subject", "time", "type"];
        assert_eq!(keys, expected);
        assert_eq!(body["specversion"], "1.0");
        assert_eq!(body["id"], format!("00c0ffee00c0ffee-7-{AT}-{id}"));
        assert_eq!(body["id"], event.id.as_str());
        assert_eq!(body["type"], "mlfence.finding.opened");
        assert_eq!(body["source"], "https://mlfence.example/base/");
        assert_eq!(body["subject"], finding.subject.id.key());
        assert_eq!(body["time"], "2026-11-20T10:00:00Z");
        assert_eq!(body["data"]["change"], "opened");
        assert_eq!(body["data"]["sweep"], 7);
        let told = &body["data"]["finding"];
        assert_eq!(told["id"], id);
        assert_eq!(told["policy"], finding.policy.as_str());
        assert_eq!(told["key"], finding.key.as_str());
        assert_eq!(told["severity"], finding.severity.name());
        assert_eq!(told["state"], "open");
        assert_eq!(told["message"], finding.message.as_str());
        assert_eq!(told["remediation"], finding.remediation.as_str());
        assert_eq!(told["first_seen"], "2026-11-20T10:00:00Z");
        assert_eq!(told["resolution"], Value::Null);
        assert_eq!(told["link"], format!("https://mlfence.example/base/findings/{id}"));
        let mut results = report.results.iter().filter(|result| result.policy == finding.policy);
        assert_eq!(told["title"], results.next().expect("judged").title.as_str());
        let mut violations = report.results.iter().flat_map(|result| &result.violations);
        let seen = violations.find(|violation| violation.id == id).expect("it was seen");
        assert_eq!(told["evidence"], Value::Object(seen.evidence.clone()));
    }
    // Without an address the ledger stands for the daemon.
    let case = Case { link: None, ..case };
    let body = &bodies(&case.post(&[webhook("tickets", Severity::Low, 20)]))[0];
    assert_eq!(body["source"], "/mlfence/00c0ffee00c0ffee");
    assert_eq!(body["data"]["finding"]["link"], Value::Null);
}

#[test]
fn the_first_flood_is_one_event_that_counts_save_for_critical_findings() {
    let nothing = Ledger::default();
    let (after, changes, report) = advance(&nothing, &company::demo().0);
    let count =
        |severity: Severity| after.open.values().filter(|finding| finding.severity == severity).count();
    let critical = count(Severity::Critical);
    let high = critical + count(Severity::High);
    assert!(critical > 0 && high > critical && high < 42, "the demo estate shows nothing here");
    let mut case = Case {
        before: &nothing,
        after: &after,
        changes: &changes,
        report: &report,
        first: true,
        told: BTreeSet::new(),
        link: None,
    };
    let receivers = [
        webhook("all", Severity::Low, 41),
        webhook("calm", Severity::Low, 42),
        webhook("high", Severity::High, 0),
        webhook("also_high", Severity::High, 1),
    ];
    let sent = case.post(&receivers);
    let digest = |opened: usize| {
        BTreeMap::from([
            ("mlfence.finding.opened".to_owned(), opened),
            ("mlfence.findings.digest".to_owned(), 1),
        ])
    };
    assert_eq!(kinds(&sent, "all"), digest(critical));
    assert_eq!(kinds(&sent, "calm"), BTreeMap::from([("mlfence.finding.opened".to_owned(), 42)]));
    assert_eq!(kinds(&sent, "high"), digest(critical));
    assert_eq!(kinds(&sent, "also_high"), digest(critical));
    let digests: Vec<Value> =
        bodies(&sent).into_iter().filter(|body| body["type"] == "mlfence.findings.digest").collect();
    assert_eq!(digests.len(), 2, "one for each severity that is asked for");
    let of_all = digests.iter().find(|body| body["id"].as_str().is_some_and(|id| id.ends_with("digest-low")));
    let of_all = &of_all.expect("a digest of everything")["data"]["digest"];
    for severity in Severity::WORST_FIRST {
        assert_eq!(of_all["counts"][severity.name()], count(severity));
    }
    assert_eq!(of_all["findings"].as_array().map(Vec::len), Some(42));
    assert_eq!(of_all["findings"][0]["severity"], "critical");
    // What was counted was told of: its end is told too.
    let told = |name: &str| sent.told.iter().filter(|(receiver, _)| receiver == name).count();
    assert_eq!((told("all"), told("calm"), told("high")), (42, 42, high));

    case.first = false;
    assert_eq!(kinds(&case.post(&receivers), "all").get("mlfence.findings.digest"), None);
}

#[test]
fn every_change_is_told_once_to_those_whom_it_concerns() {
    let nothing = Ledger::default();
    let (before, _, report) = advance(&nothing, &company::demo().0);
    let of = |severity: Severity| {
        let mut found = before.open.iter().filter(move |(_, finding)| finding.severity == severity);
        found.next().expect("there is one").0.clone()
    };
    let (high, medium, low) = (of(Severity::High), of(Severity::Medium), of(Severity::Low));
    // One falls to low, one is fixed, one comes back.
    let mut after = before.clone();
    after.open.get_mut(&high).expect("open").severity = Severity::Low;
    let fixed = after.open.remove(&medium).expect("open");
    let resolved = Resolved { finding: fixed, at: AT, resolution: Resolution::ResourceDeleted };
    after.resolved.insert(medium.clone(), resolved);
    after.open.get_mut(&low).expect("open").reopened = 3;
    let changes = Changes {
        opened: Vec::new(),
        reopened: vec![low.clone()],
        changed: vec![high.clone()],
        resolved: vec![(medium.clone(), Resolution::ResourceDeleted)],
    };
    let mut case = Case {
        before: &before,
        after: &after,
        changes: &changes,
        report: &report,
        first: false,
        told: [("knows", &high), ("knows", &medium)].map(|(name, id)| (name.to_owned(), id.clone())).into(),
        link: None,
    };
    let sent = case.post(&[
        webhook("all", Severity::Low, 0),
        webhook("knows", Severity::High, 0),
        webhook("new", Severity::High, 0),
    ]);
    let told: Vec<(String, String, Vec<String>)> = sent
        .events
        .iter()
        .zip(bodies(&sent))
        .map(|(event, body)| {
            let kind = body["type"].as_str().expect("a type").to_owned();
            (kind, event.finding.clone().expect("a finding"), event.receivers.clone())
        })
        .collect();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let expected = [
        ("mlfence.finding.reopened".to_owned(), low.clone(), names(&["all"])),
        // It was told as high; that it fell, and its end, are told although it is below what is asked for now.
        ("mlfence.finding.changed".to_owned(), high.clone(), names(&["all", "knows"])),
        ("mlfence.finding.resolved".to_owned(), medium.clone(), names(&["all", "knows"])),
    ];
    assert_eq!(told, expected);
    assert_eq!(sent.over, BTreeSet::from([medium.clone()]));
    let bodies = bodies(&sent);
    assert_eq!(bodies[0]["data"]["finding"]["reopened"], 3);
    assert_eq!(bodies[1]["data"]["finding"]["severity"], "low");
    assert_eq!(bodies[1]["data"]["finding"]["severity_before"], "high");
    let resolved = &bodies[2]["data"]["finding"];
    assert_eq!(
        (&resolved["state"], &resolved["resolution"]),
        (&"resolved".into(), &"resource_deleted".into())
    );
    assert_eq!(resolved["resolved_at"], "2026-11-20T10:00:00Z");
    assert_eq!(resolved["evidence"], Value::Null, "what is gone has no facts");

    let nothing_changed = Changes::default();
    case.changes = &nothing_changed;
    assert_eq!(case.post(&[webhook("all", Severity::Low, 0)]).events, []);
    // Nobody asks for events; what was told of a finding that is over is forgotten all the same.
    case.changes = &changes;
    let silent = case.post(&[]);
    assert_eq!((silent.events.len(), silent.over.len()), (0, 1));
}

#[test]
fn hostile_names_stay_in_their_places() {
    let nothing = Ledger::default();
    let (mut after, _, mut report) = advance(&nothing, &company::demo().0);
    let id = after.open.keys().next().expect("there are findings").clone();
    let hostile = "<script>alert(1)</script>\"},\"type\":\"x\r\n\u{1b}[31m\u{202e}gpj\u{2066}\u{0}\u{85}\u{fffe}\u{fdd0}\u{1ffff}";
    let long = format!("{hostile}{}", "ä".repeat(9000));
    let finding = after.open.get_mut(&id).expect("open");
    finding.message = long.clone();
    finding.remediation = format!("az group\n\tdelete {hostile}");
    finding.resource = Some(long.clone());
    let subject = format!("/subscriptions/s/resourceGroups/g/providers/a.b/c/{hostile}{}", "x".repeat(2000));
    finding.subject.id = ResourceId::parse(&subject).expect("an id");
    finding.subject.workspace = ResourceId::parse(&subject);
    for violation in report.results.iter_mut().flat_map(|result| &mut result.violations) {
        if violation.id == id {
            violation.evidence.insert(hostile.to_owned(), serde_json::json!({ hostile: [hostile, 1] }));
        }
    }
    let changes = Changes { opened: vec![id.clone()], ..Changes::default() };
    let case = Case {
        before: &nothing,
        after: &after,
        changes: &changes,
        report: &report,
        first: true,
        told: BTreeSet::new(),
        link: None,
    };
    for digest_above in [20, 0] {
        let sent = case.post(&[webhook("a", Severity::Low, digest_above)]);
        for (event, body) in sent.events.iter().zip(bodies(&sent)) {
            assert!(body["type"].as_str().is_some_and(|kind| kind.starts_with("mlfence.finding")), "{body}");
            let bad = |c: char| {
                c.is_control() && c != '\n'
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{fdd0}' | '\u{1ffff}')
            };
            // As a receiver reads it, escapes undone.
            fn texts<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
                match value {
                    Value::String(text) => into.push(text),
                    Value::Array(values) => values.iter().for_each(|value| texts(value, into)),
                    Value::Object(values) => values.iter().for_each(|(key, value)| {
                        into.push(key);
                        texts(value, into);
                    }),
                    _ => {}
                }
            }
            let mut all = Vec::new();
            texts(&body, &mut all);
            assert!(all.iter().all(|text| !text.contains(bad)), "{all:?}");
            assert!(!body["subject"].as_str().unwrap_or_default().contains('\n'));
            assert!(event.id.is_ascii() && !event.id.contains(['.', ' ']), "{}", event.id);
            assert!(event.body.len() < 64 << 10, "{} bytes", event.body.len());
        }
    }
    // Facts that are too many are left out, and the event is not.
    let mut longer = report.clone();
    for violation in longer.results.iter_mut().flat_map(|result| &mut result.violations) {
        violation.evidence.insert("long".to_owned(), vec!["x".repeat(4000); 100].into());
    }
    let case = Case { report: &longer, ..case };
    let body = &bodies(&case.post(&[webhook("a", Severity::Low, 20)]))[0];
    assert_eq!(body["data"]["finding"]["evidence"], Value::Null);
    assert_eq!(body["data"]["finding"]["evidence_digest"], after.open[&id].evidence.as_str());
}

/// A digest counts what is opened; what comes back beside the flood is told by itself.
#[test]
fn a_digest_swallows_no_other_change() {
    let nothing = Ledger::default();
    let (after, mut changes, report) = advance(&nothing, &company::demo().0);
    let at = changes.opened.iter().position(|id| after.open[id].severity < Severity::Critical);
    let back = changes.opened.remove(at.expect("one that is not critical"));
    changes.reopened.push(back);
    let case = Case {
        before: &nothing,
        after: &after,
        changes: &changes,
        report: &report,
        first: true,
        told: BTreeSet::new(),
        link: None,
    };
    let sent = kinds(&case.post(&[webhook("all", Severity::Low, 1)]), "all");
    assert_eq!(sent.get("mlfence.findings.digest"), Some(&1));
    assert_eq!(sent.get("mlfence.finding.reopened"), Some(&1));
}
