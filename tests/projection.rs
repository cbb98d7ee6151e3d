//! What is kept of a record is enough: everything that is read of it is read the same, and nothing else is kept.

#[path = "support/mutations.rs"]
mod catalogue;
#[path = "support/fields.rs"]
mod fields;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use armsim::{Estate, Options, Server, company};
use mlfence::audit::{Setup, judge_snapshot};
use mlfence::inventory::projection::{self, Depth, PROJECTION};
use mlfence::inventory::{Inventory, Kind, Record, Snapshot};
use mlfence::snapshot_file;
use serde_json::{Map, Value, json};
use support::{setup, snapshot};

fn kept(snapshot: &Snapshot) -> Snapshot {
    let mut kept = Snapshot { records: BTreeMap::new(), ..snapshot.clone() };
    snapshot.records.values().cloned().for_each(|record| kept.add(Depth::Rules.keep(record)));
    kept
}

fn keep(body: Value) -> Value {
    let record = Record::from_body(body).expect("a record");
    serde_json::to_value(Depth::Rules.keep(record)).expect("JSON")
}

/// All that is ever read of a snapshot's records; facts, verdicts and reports are made of this.
fn read(snapshot: &Snapshot) -> String {
    format!("{:?}", Inventory::build(snapshot))
}

fn report(setup: &Setup, snapshot: &Snapshot) -> String {
    let report = judge_snapshot(setup, snapshot, &BTreeSet::new()).report;
    serde_json::to_string(&report).expect("JSON")
}

fn generated() -> Estate {
    company::generate(&company::Size { workspaces: 60, seed: 11, subscriptions: 4 }).0
}

/// Estates that hold every kind of record between them.
fn estates() -> Vec<Snapshot> {
    [company::healthy(), company::demo().0, generated()].iter().map(snapshot).collect()
}

#[test]
fn the_report_from_what_is_kept_is_the_one_from_everything_byte_for_byte() {
    for whole in estates() {
        assert_eq!(report(setup(), &kept(&whole)), report(setup(), &whole));
    }
}

/// Every mutation of the catalogue is read alike; of each fixture, the first is judged too.
#[test]
fn each_mutation_of_the_catalogue_is_read_from_what_is_kept_as_from_everything() {
    let healthy = company::healthy();
    for (file, fixture) in catalogue::fixtures() {
        for (at, mutation) in fixture.mutations.iter().enumerate() {
            let whole = snapshot(&catalogue::mutated(&healthy, &mutation.change).expect("a change"));
            let kept = kept(&whole);
            assert_eq!(read(&kept), read(&whole), "{file} {}", mutation.name);
            if at == 0 {
                let own = catalogue::declared(&mutation.declare);
                let setup = own.as_ref().unwrap_or(setup());
                assert_eq!(report(setup, &kept), report(setup, &whole), "{file} {}", mutation.name);
            }
        }
    }
}

/// Whatever stands where a fact looks is kept, so that what was malformed, empty or null is so still.
#[test]
fn a_declared_field_is_read_alike_whatever_stands_there() {
    let odd = [
        json!(null),
        json!(""),
        json!(" "),
        json!(42),
        json!(true),
        json!("x"),
        json!([]),
        json!({}),
        json!([null]),
        json!(["x", 1]),
        json!([{"surprise": true}, 7]),
        json!([["x"]]),
        json!({"surprise": true}),
        json!({"surprise": {"surprise": 1}, "other": "x"}),
    ];
    let estates = estates();
    for field in projection::fields() {
        // Reading looks at one record at a time, so those of the field's kind are enough.
        let of_kind = |whole: &Snapshot| {
            let mut whole = whole.clone();
            whole.records.retain(|_, record| record.kind() == Some(field.kind));
            whole
        };
        let holding = |whole: Snapshot| {
            let times = fields::change(&whole, field, &|_, _| ()).1;
            (times > 0).then_some(whole)
        };
        // The first estate that holds the field; no other test rests on one of them holding it.
        let Some(whole) = estates.iter().map(of_kind).find_map(holding) else { continue };
        for value in &odd {
            let put = |object: &mut Map<String, Value>, key: &str| {
                drop(object.insert(key.to_owned(), value.clone()))
            };
            let changed = fields::change(&whole, field, &put).0;
            assert_eq!(read(&kept(&changed)), read(&changed), "{} {} = {value}", field.kind, field.path);
        }
    }
}

/// A body that holds a value at a path, and beside every key of the way one that nobody declares.
fn planted(path: &str, value: &Value) -> Value {
    path.rsplit('.').fold(value.clone(), |inner, segment| match segment.strip_suffix("[]") {
        Some(list) => json!({list: [inner, 7, null], "undeclared": {"deep": "CANARY"}}),
        None => json!({segment: inner, "undeclared": {"deep": "CANARY"}}),
    })
}

/// An id and a type of a kind.
fn named(kind: Kind) -> (String, &'static str) {
    let of = kind.arm_types()[0];
    let id = match kind {
        Kind::Subscriptions => "/subscriptions/s".to_owned(),
        Kind::ResourceGroups => "/subscriptions/s/resourceGroups/g".to_owned(),
        _ => {
            let (provider, types) = of.split_once('/').expect("a provider and a type");
            let types: Vec<String> = types.split('/').map(|name| format!("{name}/x")).collect();
            format!("/subscriptions/s/resourceGroups/g/providers/{provider}/{}", types.join("/"))
        }
    };
    (id, of)
}

fn body(kind: Kind, path: &str, value: &Value) -> Value {
    let (id, of) = named(kind);
    let mut body = planted(path, value);
    // Over what was planted there, so that the record stays what it is.
    body["id"] = json!(id);
    body["type"] = json!(of);
    body
}

/// What stands at a path, the first elements of lists.
fn at<'a>(body: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(body, |value, segment| match segment.strip_suffix("[]") {
        Some(list) => &value[list][0],
        None => &value[segment],
    })
}

#[test]
fn a_declared_field_is_kept_and_nothing_beside_it() {
    let values =
        [json!("text"), json!(""), json!(null), json!(7), json!(false), json!(["a", 1, null]), json!([])];
    for (kind, path) in projection::paths().filter(|(kind, _)| *kind != Kind::SecurityAdminRules) {
        if ["id", "type"].contains(&path.as_str()) {
            continue;
        }
        for value in &values {
            let kept = keep(body(kind, &path, value));
            assert_eq!(at(&kept, &path), value, "{kind} {path}: {kept}");
            if let Some((list, _)) = path.rsplit_once("[]") {
                let items = &at(&kept, list);
                assert_eq!(items.as_array().map(Vec::len), Some(3), "{kind} {path}: {kept}");
                assert_eq!((&items[1], &items[2]), (&json!(7), &json!(null)), "{kind} {path}: {kept}");
            }
            assert!(!kept.to_string().contains("CANARY"), "{kind} {path}: {kept}");
            assert_eq!(keep(kept.clone()), kept, "{kind} {path}: twice");
        }
        // Objects that no path leads into keep their place, not what is in them.
        for (value, expected) in [
            (json!({"x": "CANARY"}), Value::is_object as fn(&Value) -> bool),
            (json!([{"x": "CANARY"}]), Value::is_array),
        ] {
            let kept = keep(body(kind, &path, &value));
            assert!(expected(at(&kept, &path)), "{kind} {path}: {kept}");
        }
    }
}

#[test]
fn a_field_that_nobody_declares_is_gone_and_a_secret_too() {
    let (id, of) = named(Kind::VirtualNetworks);
    let subnet = json!({"id": format!("{id}/subnets/a"), "etag": "W/1", "properties": {
        "addressPrefix": "10.0.0.0/24", "purpose": "p", "delegations": [],
        "ipConfigurations": [{"id": "a"}, {"id": "b"}], "networkSecurityGroup": {"id": "n", "resourceGuid": "g"}}});
    let body = json!({"id": id, "type": of, "name": "x", "location": "we", "etag": "W/1", "tags": {"owner": "o"},
        "properties": {"resourceGuid": "g", "addressSpace": {"addressPrefixes": ["10.0.0.0/16"], "ipamPoolPrefixAllocations": []},
                       "subnets": [subnet], "virtualNetworkPeerings": null}});
    let expected = json!({"id": id, "type": of, "name": "x", "location": "we", "tags": {"owner": "o"},
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                       "subnets": [{"id": format!("{id}/subnets/a"), "properties": {
                           "addressPrefix": "10.0.0.0/24", "delegations": [],
                           "ipConfigurations": [{}, {}], "networkSecurityGroup": {"id": "n"}}}],
                       "virtualNetworkPeerings": null}});
    assert_eq!(keep(body), expected);

    let (id, of) = named(Kind::Services);
    let kept = keep(
        json!({"id": id, "type": of, "tags": {"owner": "o"}, "properties": {"state": "Healthy", "sslKey": "S", "keys": {"primaryKey": "S"}}}),
    );
    assert_eq!(kept, json!({"id": id, "type": of, "properties": {"state": "Healthy"}}));
}

/// The default rules are read by the fields of the others, security admin rules text by text.
#[test]
fn what_stands_outside_the_table_is_kept() {
    let rule = json!({"name": "AllowVnetInBound", "properties": {"priority": 65000, "access": "Allow", "sourcePortRange": "*"}});
    let (id, of) = named(Kind::NetworkSecurityGroups);
    let mut more = rule.clone();
    more["properties"]["description"] = json!("Allow inbound traffic from all VMs in VNET");
    let kept = keep(json!({"id": id, "type": of, "properties": {"defaultSecurityRules": [more]}}));
    assert_eq!(kept["properties"]["defaultSecurityRules"], json!([rule]));

    let (id, of) = named(Kind::SecurityAdminRules);
    let whole = json!({"id": id, "type": of, "properties": {"anything": [{"at": "/subscriptions/s/…"}]}});
    assert_eq!(keep(whole.clone()), whole);
}

/// A record that may be read as another kind, once another line is laid over it, is not cut down.
#[test]
fn a_record_whose_kind_is_open_is_kept_as_it_is() {
    let (id, own) = named(Kind::VirtualNetworks);
    for (of, open) in [
        (json!("Microsoft.Network/networkSecurityGroups"), true),
        (json!("Microsoft.Web/sites"), false),
        (json!(null), false),
        (json!(own.to_uppercase()), false),
    ] {
        let body = json!({"id": id, "type": of, "properties": {"anything": 1}});
        assert_eq!(keep(body.clone()) == body, open, "{of}");
    }
    let foreign = json!({"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/x", "properties": {"anything": 1}});
    assert_eq!(keep(foreign.clone()), foreign);
}

/// Azure tells some resources twice; what is laid over each other may be cut down before or after.
#[test]
fn records_may_be_laid_over_each_other_before_or_after() {
    let odd = [
        json!(null),
        json!({}),
        json!([]),
        json!("x"),
        json!({"a": 1}),
        json!([{"a": 1}]),
        json!([{"b": 2}, 7]),
    ];
    for (kind, path) in
        projection::paths().filter(|(kind, path)| *kind == Kind::AksClusters && path.contains('.'))
    {
        for (one, two) in odd.iter().flat_map(|one| odd.iter().map(move |two| (one, two))) {
            let record = |value| Record::from_body(body(kind, &path, value)).expect("a record");
            let (mut before, mut after) = (Depth::Rules.keep(record(one)), record(one));
            before.overlay(Depth::Rules.keep(record(two)));
            after.overlay(record(two));
            assert_eq!(before, Depth::Rules.keep(after), "{kind} {path}: {one} under {two}");
        }
    }
}

#[test]
fn everything_is_everything() {
    for whole in estates() {
        for record in whole.records.values() {
            assert_eq!(&Depth::Everything.keep(record.clone()), record);
        }
    }
    assert!(Kind::ALL.iter().all(|kind| Depth::Everything.asks(*kind)));
}

/// By the facts, none of which reads these kinds, and by the policies, none of which requires them.
#[test]
fn kinds_that_no_rule_reads_are_not_asked_for() {
    let left_out: BTreeSet<&str> =
        Kind::ALL.iter().filter(|kind| !Depth::Rules.asks(**kind)).map(|kind| kind.name()).collect();
    let expected = [
        "application_security_groups",
        "connected_clusters",
        "outbound_rules",
        "private_dns_zones",
        "resource_groups",
    ];
    assert_eq!(left_out, BTreeSet::from(expected));
    for policy in setup().bundle.policies() {
        for kind in &policy.metadata.requires {
            assert!(Depth::Rules.asks(*kind), "{} requires {kind}", policy.metadata.id);
        }
    }
    // Without their records, everything is judged as with them.
    for whole in estates() {
        let mut less = whole.clone();
        less.records.retain(|_, record| record.kind().is_some_and(|kind| Depth::Rules.asks(kind)));
        less.header.kinds.retain(|kind, _| Depth::Rules.asks(*kind));
        less.gaps.retain(|gap| Depth::Rules.asks(gap.source));
        let results = |snapshot| judge_snapshot(setup(), snapshot, &BTreeSet::new()).report.results;
        assert_eq!(results(&less), results(&whole));
    }
}

/// A name stands for one set of fields for good: a snapshot that lacks a field which is read today would be believed that
/// there is none.
#[test]
fn the_name_of_the_projection_stands_for_these_fields() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/projection")
        .join(format!("{}.txt", PROJECTION.replace('/', "-")));
    let lines: BTreeSet<String> =
        projection::paths().map(|(kind, path)| format!("{kind} {path}\n")).collect();
    let text: String = lines.into_iter().collect();
    if env::var_os("MLFENCE_REGENERATE").is_some() {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
        fs::write(&path, &text).expect("written");
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        text,
        "other fields are another projection: give PROJECTION the next number, and run with MLFENCE_REGENERATE=1"
    );
}

#[test]
fn the_header_tells_what_was_kept_and_other_projections_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.jsonl");
    let whole = snapshot(&company::healthy());
    assert_eq!(whole.header.projection, None, "armsim tells everything");
    snapshot_file::write(&path, &whole).expect("written");
    let header =
        |path: &Path| fs::read_to_string(path).expect("text").lines().next().expect("a line").to_owned();
    assert!(!header(&path).contains("projection"));

    // Read to be judged, it is no larger than one that was taken so.
    let judged = snapshot_file::read(&path).expect("read");
    assert_eq!(judged.records, kept(&whole).records);
    assert_eq!(judged.header.projection.as_deref(), Some("rules/2"));
    snapshot_file::write(&path, &judged).expect("written");
    assert!(header(&path).contains(r#""projection":"rules/2""#));
    assert_eq!(snapshot_file::read(&path).expect("read"), judged);
    assert_eq!(report(setup(), &judged), report(setup(), &whole));

    let other = fs::read_to_string(&path).expect("text").replacen("rules/2", "rules/0", 1);
    fs::write(&path, other).expect("written");
    let refused = snapshot_file::read(&path).expect_err("must be refused").to_string();
    assert!(refused.contains("hold what `rules/0` reads") && refused.contains("--full"), "{refused}");
}

#[test]
fn what_is_kept_is_much_less() {
    let bytes = |snapshot: &Snapshot| {
        let mut text = Vec::new();
        snapshot.write(&mut text).expect("written");
        text.len()
    };
    for whole in estates() {
        assert!(
            bytes(&kept(&whole)) * 3 < bytes(&whole) * 2,
            "{} of {}",
            bytes(&kept(&whole)),
            bytes(&whole)
        );
    }
}

/// The command takes what rules read; with --full every field, and the kinds that no rule reads.
#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_command_keeps_everything_with_full() {
    let server = Server::start(company::healthy(), Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let (config, output) = (folder.path().join("mlfence.yaml"), folder.path().join("capture.jsonl"));
    let url = server.base_url();
    let text = format!(
        "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\ncredential: {{ type: managed_identity }}\n"
    );
    fs::write(&config, text).expect("written");
    let take = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mlfence"));
        command.arg("snapshot").arg("-o").arg(&output).arg("--config").arg(&config).args(more);
        command.env("IDENTITY_ENDPOINT", server.identity_endpoint());
        command.env("IDENTITY_HEADER", armsim::server::SECRET).env_remove("MLFENCE_LOG");
        let told = command.output().expect("mlfence runs");
        assert_eq!(told.status.code(), Some(0), "{told:?}");
        Snapshot::read(fs::read(&output).expect("the file").as_slice()).expect("a snapshot")
    };
    let of_rules = take(&[]);
    assert_eq!(of_rules.header.projection.as_deref(), Some("rules/2"));
    assert_eq!(of_rules, kept(&of_rules));
    assert_eq!(server.stats().of("outbound_rules"), 0);
    assert!(!of_rules.header.kinds.contains_key(&Kind::PrivateDnsZones));

    let full = take(&["--full"]);
    assert_eq!(full.header.projection, None);
    assert_eq!(
        full.header.kinds.keys().copied().collect::<BTreeSet<_>>(),
        Kind::ALL.iter().copied().collect()
    );
    assert!(server.stats().of("outbound_rules") > 0);
    assert!(full.records.values().any(|record| record.kind() == Some(Kind::PrivateDnsZones)));
    let vnets = |snapshot: &Snapshot| -> Vec<Value> {
        let vnets = snapshot.records.values().filter(|record| record.kind() == Some(Kind::VirtualNetworks));
        vnets.map(|record| record.body()["properties"]["enableDdosProtection"].clone()).collect()
    };
    assert!(vnets(&full).iter().all(Value::is_boolean), "a field that no rule reads: {:?}", vnets(&full));
    assert!(of_rules.records.len() < full.records.len());
}
