//! The filter `assignedTo('…')`: the one way in which ARM shows who is in which group.

mod support;

use armsim::company::{Company, Role, RoleAssignment, Scope};
use armsim::{Estate, Options, company};
use serde_json::json;
use support::{Azure, serve};

const ALICE: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const BOB: &str = "aaaaaaaa-0000-0000-0000-000000000002";
const INNER: &str = "bbbbbbbb-0000-0000-0000-000000000001";
const OUTER: &str = "bbbbbbbb-0000-0000-0000-000000000002";
const NOBODYS: &str = "bbbbbbbb-0000-0000-0000-000000000003";

/// A subscription below a management group, with a network, and grants at every height. Nobody is in any group yet.
fn estate() -> (Estate, Scope) {
    let mut company = Company::new("groups.example", 0);
    let subscription = company.subscription("one", &[("mg-one", "One")]);
    let scope = company.group(&subscription, "rg-net", "westeurope");
    let vnet = scope.id("Microsoft.Network/virtualNetworks", "vnet");
    company.push(json!({"id": vnet, "name": "vnet", "type": "Microsoft.Network/virtualNetworks", "properties": {"subnets": []}}));
    for (name, at, principal, kind) in [
        ("above", "/providers/Microsoft.Management/managementGroups/mg-one", OUTER, "Group"),
        ("direct", scope.group_id().as_str(), ALICE, "User"),
        ("beside", "/subscriptions/99999999-9999-9999-9999-999999999999", OUTER, "Group"),
        ("below", vnet.as_str(), INNER, "Group"),
        ("nobodys", scope.group_id().as_str(), NOBODYS, "Group"),
        ("bobs", "/", BOB, "User"),
    ] {
        company.add(&RoleAssignment {
            guid: name.to_owned(),
            scope: at.to_owned(),
            asked: subscription.clone(),
            role: Role::NetworkContributor,
            principal: principal.to_owned(),
            principal_type: kind.to_owned(),
        });
    }
    (company.finish(), scope)
}

/// The names of the assignments that reach somebody at a scope, or the status of the refusal.
async fn reach(azure: &Azure, scope: &str, filter: &str) -> Result<Vec<String>, u16> {
    let path = format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter={filter}"
    );
    let answer = azure.get(&path).await;
    if answer.status != 200 {
        return Err(answer.status);
    }
    let mut names: Vec<String> =
        answer.ids().iter().filter_map(|id| id.rsplit('/').next()).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

fn of(principal: &str) -> String {
    format!("assignedTo('{principal}')")
}

#[tokio::test]
async fn groups_are_resolved_however_deep_and_only_at_above_and_below() {
    let (mut estate, scope) = estate();
    estate.member(INNER, ALICE);
    estate.member(OUTER, INNER);
    // Groups in a circle end.
    estate.member(INNER, OUTER);
    let azure = serve(estate, Options::default()).await;
    let group = scope.group_id();
    let all = Ok(vec!["above".to_owned(), "below".to_owned(), "direct".to_owned()]);
    assert_eq!(reach(&azure, &group, &of(ALICE)).await, all);
    assert_eq!(reach(&azure, &group, &of(&ALICE.to_uppercase())).await, all);
    let above = Ok(vec!["above".to_owned(), "direct".to_owned()]);
    assert_eq!(reach(&azure, &group, &format!("atScope()%20and%20{}", of(ALICE))).await, above);
    assert_eq!(reach(&azure, &group, &of(BOB)).await, Ok(vec!["bobs".to_owned()]));
    assert_eq!(reach(&azure, &group, &of("cccccccc-0000-0000-0000-000000000001")).await, Ok(vec![]));
    assert_eq!(azure.server.stats().of("assigned_to"), 5);
    assert_eq!(azure.server.stats().of("role_assignments"), 0);
}

/// "You cannot pass an object ID for a group."
#[tokio::test]
async fn a_group_is_refused() {
    let (mut estate, scope) = estate();
    estate.member("dddddddd-0000-0000-0000-000000000001", ALICE);
    let azure = serve(estate, Options::default()).await;
    for group in [OUTER, "dddddddd-0000-0000-0000-000000000001"] {
        assert_eq!(reach(&azure, &scope.group_id(), &of(group)).await, Err(400));
    }
}

/// What a capture answered is answered again to the letter, and what it did not answer is refused, not made up.
#[tokio::test]
async fn a_capture_answers_what_it_holds() {
    let (mut estate, scope) = estate();
    let group = scope.group_id();
    let id = |at: &str, name: &str| {
        format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", at.trim_end_matches('/'))
    };
    let gone = id(&group, "gone");
    let above = id("/providers/Microsoft.Management/managementGroups/mg-one", "above");
    let answer = json!({"question": "assigned_to", "principal": ALICE, "scope": group.to_lowercase(),
        "assignments": [above, id(&group, "direct"), gone]});
    estate.answers.push(answer);
    let azure = serve(estate.clone(), Options::default()).await;
    let told = Ok(vec!["above".to_owned(), "direct".to_owned(), "gone".to_owned()]);
    assert_eq!(reach(&azure, &group, &of(ALICE)).await, told);
    // At the subscription only what that answer tells, too, is asked about.
    let subscription = format!("/subscriptions/{}", scope.subscription);
    assert_eq!(
        reach(&azure, &subscription, &format!("atScope()%20and%20{}", of(ALICE))).await,
        Ok(vec!["above".to_owned()])
    );
    let vnet = scope.id("Microsoft.Network/virtualNetworks", "vnet");
    assert_eq!(reach(&azure, &vnet, &of(ALICE)).await, Err(403));
    assert_eq!(reach(&azure, &group, &of(BOB)).await, Err(403));
    // A directory tells all.
    estate.member(OUTER, BOB);
    let azure = serve(estate, Options::default()).await;
    assert_eq!(reach(&azure, &group, &of(BOB)).await, Ok(vec!["above".to_owned(), "bobs".to_owned()]));
    assert_eq!(reach(&azure, &group, &of(ALICE)).await, told);
}

/// The estates that come with armsim know their directory.
#[tokio::test]
async fn estates_know_who_is_in_their_groups() {
    let estate = Estate::from_jsonl(&company::healthy().to_jsonl()).expect("well formed");
    let admin = estate.answers.iter().find_map(|answer| answer["principal"].as_str()).expect("somebody");
    let admin = admin.to_owned();
    let azure = serve(estate, Options::default()).await;
    let subscriptions = azure.get("/subscriptions?api-version=2022-12-01").await.ids();
    let answer = reach(&azure, &subscriptions[0], &of(&admin)).await.expect("an answer");
    assert_eq!(answer.len(), 1);
    assert_eq!(reach(&azure, &subscriptions[0], &of(ALICE)).await, Ok(vec![]));
}
