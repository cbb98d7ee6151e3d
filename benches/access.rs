//! What an access question costs on a large estate: 40,000 role assignments, indexed once.

use divan::Bencher;
use mlfence::facts::access::{Access, NETWORK_CONTRIBUTOR, Question, SUBNET_JOIN, Verdict, Wanted};
use mlfence::inventory::snapshot::{FORMAT, Header, Source, Subscription, Via};
use mlfence::inventory::{Inventory, Kind, ObjectId, Record, ResourceId, Snapshot};
use serde_json::json;

const SUBSCRIPTIONS: usize = 20;
const GROUPS: usize = 25;

fn main() {
    divan::main();
}

fn subscription(n: usize) -> String {
    format!("/subscriptions/{n:08}-1111-1111-1111-111111111111")
}

fn group(n: usize) -> String {
    format!("{}/resourceGroups/rg-{}", subscription(n % SUBSCRIPTIONS), n / SUBSCRIPTIONS % GROUPS)
}

fn subnet(n: usize) -> String {
    format!("{}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/aks", group(n))
}

fn principal(n: usize) -> String {
    format!("aaaaaaaa-0000-0000-0000-{n:012}")
}

/// Half of the assignments at subscriptions, the rest at groups and VNets; every third to a group; one principal in
/// four holds several; some at a management group.
fn estate(assignments: usize) -> Inventory {
    let source = Source { via: Via::Arm, api_version: Some("2022-04-01".to_owned()) };
    let mut snapshot = Snapshot::new(Header {
        mlfence: FORMAT.to_owned(),
        taken_at: "2026-11-23T05:00:00Z".to_owned(),
        tenant_id: None,
        cloud: "public".to_owned(),
        projection: None,
        subscriptions: (0..SUBSCRIPTIONS)
            .map(|n| Subscription { id: format!("{n:08}-1111-1111-1111-111111111111"), name: String::new() })
            .collect(),
        kinds: Kind::ALL.iter().map(|kind| (*kind, source.clone())).collect(),
    });
    let mut add = |body| snapshot.add(Record::from_body(body).expect("a record"));
    for n in 0..SUBSCRIPTIONS {
        let chain = json!([{"name": "mg-ml"}, {"name": "mg-platform"}, {"name": "tenant-root"}]);
        add(json!({"id": subscription(n), "type": "microsoft.resources/subscriptions",
            "properties": {"managementGroupAncestorsChain": chain}}));
    }
    let roles: serde_json::Value =
        serde_json::from_str(include_str!("../tests/fixtures/access/roles.json")).expect("JSON");
    let mut guids: Vec<String> = Vec::new();
    for (guid, role) in roles.as_object().expect("an object") {
        let entries: Vec<_> = role["permissions"].as_array().expect("a list").iter().collect();
        let entries: Vec<_> =
            entries.iter().map(|entry| json!({"actions": entry[0], "notActions": entry[1]})).collect();
        add(json!({"id": format!("/providers/Microsoft.Authorization/roleDefinitions/{guid}"),
            "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {"roleName": role["name"], "type": "BuiltInRole", "permissions": entries}}));
        guids.push(guid.clone());
    }
    // Custom roles without a word on networks, as most are.
    for n in 0..100 {
        let guid = format!("ffffffff-0000-0000-0000-{n:012}");
        let actions =
            json!([format!("Microsoft.Storage/storageAccounts/part{n}/*"), "Microsoft.Compute/*/read"]);
        add(json!({"id": format!("/providers/Microsoft.Authorization/roleDefinitions/{guid}"),
            "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {"roleName": format!("custom {n}"), "type": "CustomRole",
                "permissions": [{"actions": actions, "notActions": ["Microsoft.Compute/disks/read"]}]}}));
        guids.push(guid);
    }
    for n in 0..assignments {
        let scope = match n % 10 {
            0..5 => subscription(n % SUBSCRIPTIONS),
            5..8 => group(n),
            8 => format!("{}/providers/Microsoft.Network/virtualNetworks/vnet", group(n)),
            _ if n % 100 == 9 => "/providers/Microsoft.Management/managementGroups/mg-ml".to_owned(),
            _ => format!("{}/providers/Microsoft.Storage/storageAccounts/st{n}", group(n)),
        };
        let kind = if n % 3 == 0 { "Group" } else { "ServicePrincipal" };
        let role = &guids[n * 7 % guids.len()];
        add(json!({"id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{n}"),
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal(n - n % 4), "principalType": kind, "scope": scope, "condition": null,
        }}));
    }
    for n in 0..GROUPS * SUBSCRIPTIONS {
        let scope = group(n);
        add(json!({"id": format!("{scope}/providers/Microsoft.Authorization/denyAssignments/{n}"),
            "type": "Microsoft.Authorization/denyAssignments",
            "properties": {"scope": scope, "doNotApplyToChildScopes": false,
                "permissions": [{"actions": ["*"], "notActions": ["*/read", "Microsoft.Network/*"]}],
                "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
                "excludePrincipals": []}}));
    }
    Inventory::build(&snapshot)
}

/// Many questions of one kind, so that no single lucky one decides.
fn questions(wanted: &Wanted) -> Vec<Question> {
    (0..997)
        .map(|n| {
            let id = |text: &str| ResourceId::parse(text).expect("an id");
            let scope =
                if matches!(wanted, Wanted::Role(_)) { id(&group(n * 13)) } else { id(&subnet(n * 13)) };
            let principal = ObjectId::parse(&principal(n * 40 / 4 * 4)).expect("an id");
            Question::new(principal, wanted.clone(), scope)
        })
        .collect()
}

fn ask(bencher: Bencher<'_, '_>, assignments: usize, wanted: &Wanted) {
    let inventory = estate(assignments);
    let access = Access::index(&inventory);
    let questions = questions(wanted);
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % questions.len();
        access.ask(divan::black_box(&questions[next])).verdict == Verdict::Yes
    });
}

#[divan::bench(args = [4_000, 40_000], sample_count = 1000)]
fn action(bencher: Bencher<'_, '_>, assignments: usize) {
    ask(bencher, assignments, &Wanted::action(SUBNET_JOIN).expect("an action"));
}

#[divan::bench(args = [4_000, 40_000], sample_count = 1000)]
fn role(bencher: Bencher<'_, '_>, assignments: usize) {
    ask(bencher, assignments, &Wanted::role(NETWORK_CONTRIBUTOR).expect("a role"));
}

#[divan::bench(args = [4_000, 40_000], sample_count = 10)]
fn index(bencher: Bencher<'_, '_>, assignments: usize) {
    let inventory = estate(assignments);
    bencher.bench_local(|| drop(divan::black_box(Access::index(&inventory))));
}
