//! Records that tell too little, or nonsense: never a panic, never a yes from it, and a reason that names the record
//! and the field.

mod access_support;
#[path = "support/fields.rs"]
mod fields;

use access_support::*;
use mlfence::facts::access::{Answer, Verdict, Wanted};
use mlfence::inventory::field::{self, Absent, Field};
use mlfence::inventory::{Kind, ResourceId};
use serde_json::{Value, json};

/// The cluster has everything that is asked by one grant, a denial spares it, and a second subscription's chain is read.
fn usual() -> Estate {
    let mut estate = Estate::with_groups();
    estate.grant("g1", NETWORK_CONTRIBUTOR, CLUSTER, &management_group("mg-platform"));
    estate.deny(
        "d1",
        &group(),
        json!({
            "permissions": [{"actions": ["*"], "notActions": ["*/read"]}],
            "excludePrincipals": [{"id": CLUSTER, "type": "ServicePrincipal"}],
        }),
    );
    estate.deny(
        "d2",
        &group(),
        json!({
            "doNotApplyToChildScopes": true, "denyAssignmentEffect": "enforced",
        }),
    );
    estate.deny("d3", &group(), json!({"principals": [{"id": KUBELET, "type": "ServicePrincipal"}]}));
    estate.deny(
        "d6",
        &group(),
        json!({"permissions": [{"actions": ["*"], "notActions": ["Microsoft.Network/*"]}]}),
    );
    estate.deny("d4", &group(), json!({"denyAssignmentEffect": "audit"}));
    estate.deny(
        "d5",
        &group(),
        json!({"permissions": [{"actions": ["Microsoft.Compute/*"], "notActions": []}]}),
    );
    estate
}

fn ask(estate: &Estate) -> Answer {
    estate.ask(&action(JOIN), &subnet())
}

/// The estate with a field changed, and how often there was something to change.
fn change(estate: &Estate, field: &Field, how: fields::Change<'_>) -> (Estate, usize) {
    let (snapshot, times) = fields::change(&estate.snapshot, field, how);
    (Estate { snapshot }, times)
}

fn rights() -> impl Iterator<Item = &'static &'static Field> {
    field::ACCESS_ALL.iter().filter(|field| field.kind != Kind::AksClusters)
}

#[test]
fn the_usual_estate_says_yes() {
    let answer = ask(&usual());
    assert_eq!(answer.verdict, Verdict::Yes, "{answer:#?}");
}

#[test]
fn a_field_that_is_not_told_is_noticed_and_named() {
    // Fields whose absence cannot matter where the principal is named outright.
    let of_groups = [field::ASSIGNMENT_PRINCIPAL_TYPE.path];
    for field in rights() {
        for gone in [None, Some(Value::Null)] {
            let (less, times) = change(&usual(), field, &|object, key| {
                drop(object.remove(key));
                object.extend(gone.clone().map(|null| (key.to_owned(), null)));
            });
            let answer = ask(&less);
            if field.absent == Absent::NotTold && !of_groups.contains(&field.path) {
                assert!(times > 0, "{} {} is nowhere", field.kind, field.path);
                assert_eq!(answer.verdict, Verdict::Unknown, "{} {}: {answer:#?}", field.kind, field.path);
                let named = |reason: &mlfence::inventory::Reason| reason.message.contains(field.path);
                assert!(
                    answer.reasons.iter().any(named),
                    "{} {}: {:?}",
                    field.kind,
                    field.path,
                    answer.reasons
                );
            }
        }
    }
}

#[test]
fn a_group_may_hide_behind_an_untold_type() {
    let mut estate = Estate::with_groups();
    estate.grant_with("g1", OWNER, TEAM, &group(), json!({"principalType": null}));
    let answer = ask(&estate);
    assert_eq!(answer.verdict, Verdict::Unknown);
    assert!(answer.reasons[0].message.contains("properties.principalType"), "{answer:?}");
}

#[test]
fn a_field_of_the_wrong_type_is_never_a_yes_save_where_nothing_hangs_on_it() {
    let for_people = [
        field::ROLE_NAME.path,
        field::ROLE_TYPE.path,
        field::ASSIGNMENT_CREATED.path,
        field::ASSIGNMENT_DELEGATED.path,
        field::ASSIGNMENT_PRINCIPAL_TYPE.path,
        field::DENY_PRINCIPAL_TYPE.path,
        field::DENY_EXCLUDED_TYPE.path,
        field::ROLE_DATA_ACTIONS.path,
    ];
    for field in rights() {
        for wrong in [json!(42), json!(["x", 1]), json!({"surprise": true}), json!("{"), json!([null])] {
            let (broken, times) =
                change(&usual(), field, &|object, key| drop(object.insert(key.to_owned(), wrong.clone())));
            let answer = ask(&broken);
            let text = wrong.is_string();
            if times > 0 && !text && !for_people.contains(&field.path) {
                assert_ne!(answer.verdict, Verdict::Yes, "{} {} = {wrong}", field.kind, field.path);
            }
        }
    }
}

#[test]
fn an_emptied_list_is_none_only_where_the_table_says_so() {
    for field in rights().filter(|field| field.empty == Absent::NotTold) {
        if field.path == field::ASSIGNMENT_PRINCIPAL_TYPE.path {
            continue;
        }
        let (emptied, _) = change(&usual(), field, &|object, key| {
            let empty = if object[key].is_array() { json!([]) } else { json!("") };
            object.insert(key.to_owned(), empty);
        });
        assert_ne!(ask(&emptied).verdict, Verdict::Yes, "{} {}", field.kind, field.path);
    }
}

#[test]
fn records_of_nothing() {
    for body in [
        Value::Null,
        json!({}),
        json!([]),
        json!("x"),
        json!({"scope": 1, "permissions": {}, "principals": 7}),
    ] {
        let mut estate = Estate::with_groups();
        for (n, kind) in ["roleAssignments", "roleDefinitions", "denyAssignments"].iter().enumerate() {
            let kind = format!("Microsoft.Authorization/{kind}");
            estate.add(json!({"id": format!("/providers/{kind}/x{n}"), "type": kind, "properties": body}));
            estate.add(json!({"id": "/", "type": kind, "properties": body}));
        }
        for wanted in [action(JOIN), role(NETWORK_CONTRIBUTOR), role("x1")] {
            let answer = estate.ask(&wanted, &subnet());
            assert_eq!(answer.verdict, Verdict::Unknown, "{body}: {answer:#?}");
            let told = answer.reasons.iter().any(|reason| reason.message.contains("roleassignments/x0"));
            assert!(told, "{answer:#?}");
        }
    }
}

#[test]
fn an_assignment_without_a_scope_or_principal_gives_nothing() {
    for (more, path) in [
        (json!({"scope": null}), "properties.scope"),
        (json!({"principalId": " "}), "properties.principalId"),
        (json!({"roleDefinitionId": "/"}), "properties.roleDefinitionId"),
    ] {
        let mut estate = Estate::with_groups();
        estate.grant_with("g1", OWNER, CLUSTER, &group(), more);
        let answer = ask(&estate);
        assert_eq!(answer.verdict, Verdict::Unknown, "{path}: {answer:#?}");
        let reason = &answer.reasons[0].message;
        assert!(reason.contains("roleassignments/g1") && reason.contains(path), "{reason}");
    }
}

#[test]
fn a_record_whose_id_is_of_another_kind_gives_nothing() {
    let properties = json!({"roleDefinitionId": OWNER, "principalId": CLUSTER, "principalType": "ServicePrincipal",
        "scope": group(), "condition": null});
    for id in ["/".to_owned(), vnet(), "/providers/Microsoft.Authorization/denyAssignments/x".to_owned()] {
        let mut estate = Estate::with_groups();
        estate.add(
            json!({"id": id, "type": "Microsoft.Authorization/roleAssignments", "properties": properties}),
        );
        let answer = ask(&estate);
        assert_eq!(answer.verdict, Verdict::Unknown, "{id}: {answer:#?}");
    }
    let mut estate = Estate::new();
    estate.above(&["mg-platform"]).grant("g1", OWNER, CLUSTER, &management_group("elsewhere"));
    estate.add(json!({"id": group(), "type": "microsoft.resources/subscriptions",
        "properties": {"managementGroupAncestorsChain": [{"name": "elsewhere"}]}}));
    assert_ne!(ask(&estate).verdict, Verdict::Yes);
}

#[test]
fn circles_and_doubles_among_management_groups() {
    for chain in [vec!["a", "b", "a", "b"], vec!["a", "a"], vec!["b", "a", "b"]] {
        let mut estate = Estate::new();
        estate.above(&chain);
        estate.grant("g1", OWNER, CLUSTER, &management_group("a"));
        let answer = ask(&estate);
        assert_eq!(answer.verdict, Verdict::Yes);
        assert_eq!(answer.decided_by.len(), 1);
        // A chain in a circle does not tell what is above one of its groups.
        let above = estate.ask(&action(JOIN), &management_group("b"));
        assert_eq!(above.verdict, Verdict::Unknown, "{chain:?}: {above:#?}");
    }
    let mut estate = Estate::new();
    estate.above(&["a/b"]).grant("g1", OWNER, CLUSTER, &management_group("a"));
    assert_eq!(ask(&estate).verdict, Verdict::Unknown);
}

#[test]
fn thousands_of_exclusions() {
    let many: Vec<String> =
        (0..5000).map(|n| format!("Microsoft.Network/virtualNetworks/part{n}/*/write")).collect();
    let mut estate = Estate::with_groups();
    estate.role("big", "big", true, &json!([[["*"], many]])).grant("g1", "big", CLUSTER, &group());
    assert_eq!(ask(&estate).verdict, Verdict::Yes);
    assert_eq!(estate.ask(&role(NETWORK_CONTRIBUTOR), &group()).verdict, Verdict::No);
    let stars = "*/".repeat(2000);
    estate.role("stars", "stars", true, &json!([[[stars, "a/*/b/".repeat(500)], [stars]]]));
    estate.grant("g2", "stars", CLUSTER, &group());
    for wanted in [action(JOIN), role(NETWORK_CONTRIBUTOR), role("stars"), action(&stars)] {
        ask_everywhere(&estate, &wanted);
    }
}

#[test]
fn two_tellings_of_a_role_that_differ_are_not_trusted() {
    let mut estate = Estate::with_groups();
    estate.grant("g1", OWNER, CLUSTER, &group());
    let twin = |actions: Value| {
        json!({"id": format!("{}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}", subscription()),
            "type": "Microsoft.Authorization/RoleDefinitions",
            "properties": {"roleName": "Owner", "permissions": [{"actions": actions, "notActions": []}]}})
    };
    let mut same = estate.clone();
    same.add(twin(json!(["*"])));
    assert_eq!(ask(&same).verdict, Verdict::Yes);
    estate.add(twin(json!(["*/read"])));
    let answer = ask(&estate);
    assert_eq!((answer.verdict, answer.reasons[0].code.name()), (Verdict::Unknown, "contradiction"));
}

#[test]
fn odd_conditions_leave_it_open() {
    for condition in [
        json!("("),
        json!("!!!!"),
        json!("'"),
        json!({"a": 1}),
        json!(0),
        json!("ActionMatches{'a'}"),
        json!("é"),
    ] {
        let mut estate = Estate::with_groups();
        estate.grant_with("g1", OWNER, CLUSTER, &group(), json!({"condition": condition}));
        assert_eq!(ask(&estate).verdict, Verdict::Unknown, "{condition}");
    }
}

fn ask_everywhere(estate: &Estate, wanted: &Wanted) {
    let odd = [
        "/",
        "/x",
        "//",
        "/subscriptions",
        "/subscriptions//",
        "/providers/Microsoft.Management/managementGroups/",
        "é/ü",
    ];
    let places = odd.iter().filter_map(|text| ResourceId::parse(text)).map(|id| id.as_spelled().to_owned());
    for place in places.chain([subnet(), management_group("mg-platform")]) {
        for who in [CLUSTER, TEAM, EVERYONE, "é", "x"] {
            let answer = estate.ask_for(who, wanted, &place);
            assert!(answer.verdict != Verdict::Yes || who == CLUSTER, "{who} at {place}");
        }
    }
}
