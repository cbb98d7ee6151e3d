//! Which questions about groups are worth a request: none where the lists decide, and no two where one will do.

mod support;

use armsim::company::{Role, RoleAssignment};
use armsim::{Estate, company};
use mlfence::expectations::{Declarations, Expectations};
use mlfence::facts::{MOST_QUESTIONS, WorthAsking, worth_asking};
use mlfence::inventory::{Inventory, ResourceId};
use serde_json::{Value, json};

const DEPLOYER: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const NETWORKERS: &str = "bbbbbbbb-0000-0000-0000-000000000001";
const EVERYONE: &str = "00000000-0000-0000-0000-000000000000";
const OWN_GROUP: &str = "/providers/Microsoft.Management/managementGroups/mg-contoso";

fn declared(deployers: &[&str]) -> Declarations {
    let deployers = deployers.iter().map(|id| (*id).to_owned()).collect();
    let default = Expectations { deployers: Some(deployers), ..Expectations::default() };
    Declarations { default, ..Declarations::default() }
}

fn ask(estate: &Estate, declarations: &Declarations) -> WorthAsking {
    worth_asking(&Inventory::build(&support::snapshot(estate)), declarations)
}

/// Principal and `GROUP/VNET/SUBNET` of each question.
fn asked(estate: &Estate, declarations: &Declarations) -> Vec<(String, String)> {
    let worth = ask(estate, declarations);
    assert_eq!(worth.left_out, 0);
    let place = |id: &ResourceId| {
        let segments: Vec<&str> = id.key().split('/').collect();
        format!("{}/{}/{}", segments[4], segments[8], segments[10])
    };
    worth.questions.iter().map(|one| (one.principal.to_string(), place(&one.scope))).collect()
}

fn grants(estate: &mut Estate, keep: impl Fn(&Value) -> bool) {
    estate.records.retain(|record| {
        record["type"] != "Microsoft.Authorization/roleAssignments" || keep(&record["properties"])
    });
}

fn grant(estate: &mut Estate, name: &str, role: Role, to: &str, kind: &str, at: &str) {
    use company::Resource;
    let asked = estate.header.subscriptions[0].id.clone();
    let (guid, scope) = (name.to_owned(), at.to_owned());
    let (principal, principal_type) = (to.to_owned(), kind.to_owned());
    estate.records.extend(RoleAssignment { guid, scope, asked, role, principal, principal_type }.records());
}

/// No group has anything.
fn without_groups() -> Estate {
    let mut estate = company::healthy();
    grants(&mut estate, |grant| grant["principalType"] != "Group");
    estate
}

fn is(grant: &Value, role: Role) -> bool {
    grant["roleDefinitionId"].as_str().is_some_and(|id| id.ends_with(role.guid()))
}

fn group_of(estate: &Estate, name: &str) -> String {
    let groups = estate.records.iter().filter(|record| record["name"] == name);
    groups.filter_map(|record| record["id"].as_str()).next().expect("a group").to_owned()
}

#[test]
fn direct_grants_need_no_question() {
    assert_eq!(asked(&company::healthy(), &Declarations::default()), []);
    assert_eq!(asked(&company::demo().0, &Declarations::default()), []);
    let mut direct = company::healthy();
    grant(&mut direct, "d", Role::NetworkContributor, DEPLOYER, "User", OWN_GROUP);
    assert_eq!(asked(&direct, &declared(&[DEPLOYER])), []);
}

#[test]
fn without_a_grant_to_a_group_there_is_nothing_to_ask() {
    let mut estate = without_groups();
    assert_eq!(asked(&estate, &declared(&[DEPLOYER])), []);
    // Nor where the groups have nothing of use, however many there are.
    grant(&mut estate, "r", Role::Reader, NETWORKERS, "Group", "/");
    grant(&mut estate, "p", Role::AcrPull, NETWORKERS, "Group", OWN_GROUP);
    assert_eq!(asked(&estate, &declared(&[DEPLOYER])), []);
    assert_eq!(asked(&estate, &Declarations::default()), []);
}

/// Each workspace's group has a team with Contributor; one subnet of each network tells of it, and of what is above.
#[test]
fn one_subnet_answers_for_its_network() {
    let estate = company::healthy();
    let questions = asked(&estate, &declared(&[DEPLOYER]));
    let places: Vec<&str> = questions.iter().map(|(_, place)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "rg-ml-churn/vnet-mlw-churn/snet-aks",
            "rg-ml-fraud/vnet-mlw-fraud/snet-aks",
            "rg-ml-vision/vnet-mlw-vision/snet-aci"
        ]
    );
    assert!(questions.iter().all(|(principal, _)| principal == DEPLOYER));
    let twice = asked(&estate, &declared(&[DEPLOYER, &DEPLOYER.to_uppercase()]));
    assert_eq!(twice, questions);
}

/// Whoever is in a group at one place is in it at every place.
#[test]
fn one_question_tells_of_a_group_everywhere() {
    let mut estate = without_groups();
    grant(&mut estate, "n", Role::NetworkContributor, NETWORKERS, "Group", OWN_GROUP);
    assert_eq!(asked(&estate, &declared(&[DEPLOYER])).len(), 1);
    // The subnet that tells of the most is asked, though another comes first.
    let prod = group_of(&estate, "rg-ml-fraud");
    grant(&mut estate, "o", Role::Owner, "bbbbbbbb-0000-0000-0000-000000000002", "Group", &prod);
    let questions = asked(&estate, &declared(&[DEPLOYER]));
    assert_eq!(questions, [(DEPLOYER.to_owned(), "rg-ml-fraud/vnet-mlw-fraud/snet-aks".to_owned())]);
}

/// The role is asked for at the VNet's group, so an identity that may only join its subnet leaves it open.
#[test]
fn the_identity_of_a_cluster_is_asked_about_where_the_cluster_lives() {
    let mut estate = company::healthy();
    let group = group_of(&estate, "rg-ml-fraud");
    let is_of_cluster =
        |grant: &Value| is(grant, Role::NetworkContributor) && grant["scope"] == group.as_str();
    let principal = estate
        .records
        .iter()
        .map(|record| &record["properties"])
        .find(|grant| is_of_cluster(grant))
        .and_then(|grant| grant["principalId"].as_str())
        .expect("the cluster's grant")
        .to_owned();
    grants(&mut estate, |grant| !is_of_cluster(grant));
    let place = "rg-ml-fraud/vnet-mlw-fraud/snet-aks".to_owned();
    assert_eq!(asked(&estate, &Declarations::default()), [(principal.clone(), place.clone())]);
    let subnet =
        format!("{group}/providers/Microsoft.Network/virtualNetworks/vnet-mlw-fraud/subnets/snet-aks");
    grant(&mut estate, "s", Role::NetworkContributor, &principal, "ServicePrincipal", &subnet);
    assert_eq!(asked(&estate, &Declarations::default()), [(principal.clone(), place)]);
    // A cluster that no workspace uses is nobody's question.
    estate.records.retain(|record| {
        record["type"] != "Microsoft.MachineLearningServices/workspaces/computes"
            || !record["id"].as_str().is_some_and(|id| id.contains("mlw-fraud"))
    });
    assert_eq!(asked(&estate, &Declarations::default()), []);
}

#[test]
fn groups_and_what_is_no_guid_are_never_asked_about() {
    let mut estate = company::healthy();
    grant(&mut estate, "n", Role::Reader, NETWORKERS, "Group", "/");
    for deployer in [NETWORKERS, EVERYONE, "jane@contoso.example", "x') or ('", ""] {
        assert_eq!(asked(&estate, &declared(&[deployer])), [], "{deployer}");
    }
}

/// No membership would make these a yes.
#[test]
fn what_groups_cannot_settle_is_not_asked() {
    let mut conditional = without_groups();
    grant(&mut conditional, "n", Role::NetworkContributor, NETWORKERS, "Group", OWN_GROUP);
    let mut denied = conditional.clone();
    let mut unread = conditional.clone();
    for record in &mut conditional.records {
        if record["properties"]["principalId"] == NETWORKERS {
            record["properties"]["condition"] = json!("@Resource[x] StringEquals 'y'");
        }
    }
    assert_eq!(asked(&conditional, &declared(&[DEPLOYER])), []);

    let deny = |scope: &str, principals: Value, excluded: Value| {
        json!({"id": format!("{scope}/providers/Microsoft.Authorization/denyAssignments/d"), "name": "d",
            "type": "Microsoft.Authorization/denyAssignments", "properties": {
                "denyAssignmentName": "d", "scope": scope, "doNotApplyToChildScopes": false,
                "permissions": [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}],
                "principals": principals, "excludePrincipals": excluded, "isSystemProtected": true}})
    };
    let everyone = || json!([{"id": EVERYONE, "type": "SystemDefined"}]);
    let networkers = || json!([{"id": NETWORKERS, "type": "Group"}]);
    denied.records.push(deny(OWN_GROUP, everyone(), json!([])));
    assert_eq!(asked(&denied, &declared(&[DEPLOYER])), []);
    // Whoever is in the group that has the grant is spared as well. The three clusters have the grant, and may be spared.
    denied.records.pop();
    denied.records.push(deny(OWN_GROUP, everyone(), networkers()));
    let about_deployer = |estate: &Estate| {
        let all = asked(estate, &declared(&[DEPLOYER]));
        (all.len(), all.iter().filter(|(principal, _)| principal == DEPLOYER).count())
    };
    assert_eq!(about_deployer(&denied), (4, 1));
    grant(&mut denied, "d", Role::Owner, DEPLOYER, "User", OWN_GROUP);
    assert_eq!(about_deployer(&denied), (4, 1));

    unread.records.retain(|record| record["type"] != "Microsoft.Authorization/roleDefinitions");
    assert_eq!(asked(&unread, &declared(&[DEPLOYER])), []);
}

#[test]
fn answers_leave_no_question_open_and_no_subnet_is_asked_that_is_gone() {
    let estate = company::healthy();
    let mut answered = estate.clone();
    for question in ask(&estate, &declared(&[DEPLOYER])).questions {
        answered.answers.push(json!({"question": "assigned_to", "principal": DEPLOYER,
            "scope": question.scope.to_string(), "assignments": []}));
    }
    assert_eq!(asked(&answered, &declared(&[DEPLOYER])), []);
    // One answer missing, and it is asked for again.
    answered.answers.pop();
    assert_eq!(asked(&answered, &declared(&[DEPLOYER])).len(), 1);

    let mut gone = estate;
    gone.records.retain(|record| {
        record["name"] != "vnet-mlw-fraud" || record["type"] != "Microsoft.Network/virtualNetworks"
    });
    let questions = asked(&gone, &declared(&[DEPLOYER]));
    assert!(questions.iter().all(|(_, place)| !place.contains("fraud")), "{questions:?}");
    assert_eq!(questions.len(), 2);
}

/// What one workspace declares is asked where that one serves.
#[test]
fn deployers_are_those_of_the_workspace() {
    let estate = company::healthy();
    let workspace = estate.records.iter().find(|record| record["name"] == "mlw-fraud").expect("a workspace");
    let id = ResourceId::parse(workspace["id"].as_str().expect("text")).expect("an id");
    let own = Expectations { deployers: Some(vec![DEPLOYER.to_owned()]), ..Expectations::default() };
    let mut declarations = Declarations::default();
    declarations.workspaces.insert(id, own);
    assert_eq!(
        asked(&estate, &declarations),
        [(DEPLOYER.to_owned(), "rg-ml-fraud/vnet-mlw-fraud/snet-aks".to_owned())]
    );
}

#[test]
fn there_is_a_bound_and_what_is_beyond_it_is_counted() {
    let people: Vec<String> =
        (0..=MOST_QUESTIONS).map(|n| format!("aaaaaaaa-0000-0000-0000-{n:012x}")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut estate = without_groups();
    grant(&mut estate, "n", Role::NetworkContributor, NETWORKERS, "Group", OWN_GROUP);
    let worth = ask(&estate, &declared(&people));
    assert_eq!((worth.questions.len(), worth.left_out), (MOST_QUESTIONS, 1));
}
