//! What the caller may not read: 403 where ARM refuses, silence where Azure leaves out.

mod support;

use armsim::{Estate, Options, company};
use serde_json::{Value, json};
use support::{Azure, serve, subscription};

const WORKSPACES: &str = "Microsoft.MachineLearningServices/workspaces";
const GROUPS: &str = "Microsoft.Network/networkSecurityGroups";

async fn permissions(azure: &Azure, scope: &str) -> support::Answer {
    azure.get(&format!("{scope}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01")).await
}

async fn list(azure: &Azure, scope: &str, of: &str) -> support::Answer {
    azure.get(&format!("{scope}/providers/{of}?api-version=2024-10-01")).await
}

async fn graph(azure: &Azure, of: &str) -> Vec<String> {
    let query = format!("resources | where type =~ '{of}' | project id | order by id asc");
    azure.query(&query, json!({"$top": 1000})).await.ids()
}

fn prod_of(estate: &Estate) -> String {
    format!("/subscriptions/{}", subscription(estate, "ml-prod"))
}

#[tokio::test]
async fn a_reader_is_told_so() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let azure = serve(estate, Options::default()).await;
    let reader = json!([{"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}]);
    assert_eq!(permissions(&azure, &prod).await.body["value"], reader);
}

#[tokio::test]
async fn a_denied_subscription_is_listed_but_nothing_below_it_answers() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let azure = serve(estate, Options { deny: vec![prod.to_uppercase()], ..Options::default() }).await;
    assert!(azure.get("/subscriptions?api-version=2022-12-01").await.ids().contains(&prod));
    let refused = list(&azure, &prod, WORKSPACES).await;
    assert_eq!((refused.status, refused.code()), (403, "AuthorizationFailed"));
    let message = refused.body["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("'Microsoft.MachineLearningServices/workspaces/read'"), "{message}");
    assert!(message.contains(&format!("'{prod}'")), "{message}");
    assert_eq!(permissions(&azure, &prod).await.status, 403);
    assert_eq!(azure.get(&format!("{prod}/resourcegroups?api-version=2021-04-01")).await.status, 403);
    assert_eq!(graph(&azure, WORKSPACES).await.len(), 1);
}

#[tokio::test]
async fn a_denied_group_is_refused_itself_and_left_out_of_lists() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let group = format!("{prod}/resourceGroups/rg-ml-churn");
    let azure = serve(estate, Options { deny: vec![group.clone()], ..Options::default() }).await;
    assert_eq!(list(&azure, &group, WORKSPACES).await.status, 403);
    assert_eq!(list(&azure, &group, &format!("{WORKSPACES}/mlw-churn")).await.status, 403);
    assert_eq!(list(&azure, &group, &format!("{WORKSPACES}/mlw-churn/computes")).await.status, 403);
    let left = list(&azure, &prod, WORKSPACES).await;
    assert_eq!((left.status, left.ids().len()), (200, 1));
    assert_eq!(graph(&azure, WORKSPACES).await.len(), 2);
    let groups = azure.get(&format!("{prod}/resourcegroups?api-version=2021-04-01")).await;
    assert!(!groups.ids().contains(&group));
}

#[tokio::test]
async fn a_hidden_subscription_is_not_found() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let azure = serve(estate, Options { hide: vec![prod.clone()], ..Options::default() }).await;
    assert!(!azure.get("/subscriptions?api-version=2022-12-01").await.ids().contains(&prod));
    let refused = list(&azure, &prod, WORKSPACES).await;
    assert_eq!((refused.status, refused.code()), (404, "SubscriptionNotFound"));
    assert_eq!(graph(&azure, WORKSPACES).await.len(), 1);
}

#[tokio::test]
async fn rights_on_one_group_only_are_silent_about_the_rest() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let group = format!("{prod}/resourceGroups/rg-ml-fraud");
    let azure = serve(estate, Options { readable_only: vec![group.clone()], ..Options::default() }).await;
    let seen = list(&azure, &prod, WORKSPACES).await;
    assert_eq!((seen.status, seen.ids()), (200, vec![format!("{group}/providers/{WORKSPACES}/mlw-fraud")]));
    assert_eq!(permissions(&azure, &prod).await.body, json!({"value": []}));
    assert_ne!(permissions(&azure, &group).await.body, json!({"value": []}));
    assert_eq!(
        azure.get(&format!("{prod}/resourcegroups?api-version=2021-04-01")).await.ids(),
        [group.as_str()]
    );
    assert_eq!(list(&azure, &format!("{prod}/resourceGroups/rg-ml-churn"), WORKSPACES).await.status, 403);
    assert_eq!(graph(&azure, WORKSPACES).await.len(), 2);
}

#[tokio::test]
async fn a_denied_kind_is_refused_by_arm_and_missing_in_resource_graph() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let action = format!("{GROUPS}/read");
    let before = serve(company::healthy(), Options::default()).await;
    let options = Options { deny_actions: vec![(prod.clone(), action.clone())], ..Options::default() };
    let azure = serve(estate, options).await;
    assert_eq!(list(&azure, &prod, GROUPS).await.status, 403);
    assert_eq!(list(&azure, &prod, WORKSPACES).await.status, 200);
    assert_eq!(permissions(&azure, &prod).await.body["value"][0]["notActions"], json!([action]));
    let rest: Vec<String> =
        graph(&before, GROUPS).await.into_iter().filter(|id| !id.starts_with(&prod)).collect();
    assert!(!rest.is_empty());
    assert_eq!(graph(&azure, GROUPS).await, rest);
}

#[tokio::test]
async fn a_role_of_single_actions_shows_those_and_nothing_else() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let actions = [format!("{GROUPS}/read"), "Microsoft.Authorization/permissions/read".to_owned()];
    let azure = serve(estate, Options { grant_only: actions.to_vec(), ..Options::default() }).await;
    assert_eq!(list(&azure, &prod, GROUPS).await.status, 200);
    assert_eq!(list(&azure, &prod, WORKSPACES).await.code(), "AuthorizationFailed");
    assert!(!graph(&azure, GROUPS).await.is_empty());
    assert!(graph(&azure, WORKSPACES).await.is_empty());
    assert_eq!(permissions(&azure, &prod).await.body["value"][0]["actions"], json!(actions));
    azure.server.replace_options(Options { grant_only: actions[..1].to_vec(), ..Options::default() });
    assert_eq!(permissions(&azure, &prod).await.status, 403);
}

#[tokio::test]
async fn rights_can_change_under_way() {
    let estate = company::healthy();
    let prod = prod_of(&estate);
    let azure = serve(estate, Options::default()).await;
    assert_eq!(list(&azure, &prod, WORKSPACES).await.status, 200);
    azure.server.replace_options(Options { deny: vec![prod.clone()], ..Options::default() });
    assert_eq!(list(&azure, &prod, WORKSPACES).await.status, 403);
}

fn gap(source: &str, scope: &str, reason: &str) -> Value {
    json!({"source": source, "scope": scope, "reason": reason})
}

#[tokio::test]
async fn a_subscription_with_gaps_for_all_kinds_is_denied() {
    let (estate, _) = company::demo();
    let finance = format!("/subscriptions/{}", subscription(&estate, "finance-ml"));
    let azure = serve(estate, Options::default()).await;
    assert!(azure.get("/subscriptions?api-version=2022-12-01").await.ids().contains(&finance));
    assert_eq!(list(&azure, &finance, WORKSPACES).await.code(), "AuthorizationFailed");
    assert_eq!(permissions(&azure, &finance).await.status, 403);
}

#[tokio::test]
async fn a_denied_kind_of_a_snapshot_is_denied_again() {
    let mut estate = company::healthy();
    let prod = prod_of(&estate);
    estate.records.retain(|record| {
        record["type"] != GROUPS || !record["id"].as_str().is_some_and(|id| id.starts_with(&prod))
    });
    estate.gaps.push(gap("network_security_groups", &prod, "denied"));
    let azure = serve(estate, Options::default()).await;
    assert_eq!(list(&azure, &prod, GROUPS).await.status, 403);
    assert_eq!(
        permissions(&azure, &prod).await.body["value"][0]["notActions"],
        json!([format!("{GROUPS}/read")])
    );
}

#[tokio::test]
async fn a_gap_below_a_subscription_denies_that_list_only() {
    let mut estate = company::healthy();
    let prod = prod_of(&estate);
    let workspace = format!("{prod}/resourceGroups/rg-ml-churn/providers/{WORKSPACES}/mlw-churn");
    estate.gaps.push(gap("computes", &workspace, "denied"));
    let azure = serve(estate, Options::default()).await;
    let get = async |path: &str| azure.get(&format!("{path}?api-version=2021-04-01")).await.status;
    assert_eq!(get(&format!("{workspace}/computes")).await, 403);
    assert_eq!(get(&format!("{workspace}/services")).await, 200);
    assert_eq!(get(&workspace).await, 200);
    assert_eq!(get(&workspace.replace("churn", "fraud")).await, 200);
}

#[tokio::test]
async fn partial_rights_on_every_kind_serve_what_is_there_and_prove_nothing() {
    let mut estate = company::healthy();
    let prod = prod_of(&estate);
    let gaps: Vec<Value> =
        armsim::kinds::KINDS.iter().map(|kind| gap(kind.name, &prod, "partial_rights")).collect();
    estate.gaps = gaps;
    let azure = serve(estate, Options::default()).await;
    assert_eq!(permissions(&azure, &prod).await.body, json!({"value": []}));
    assert_eq!(list(&azure, &prod, WORKSPACES).await.ids().len(), 2);
}

#[tokio::test]
async fn gaps_that_are_not_about_rights_deny_nothing() {
    let mut estate = company::healthy();
    let prod = prod_of(&estate);
    estate.gaps.push(gap("network_security_groups", &prod, "throttled"));
    let azure = serve(estate, Options::default()).await;
    assert_eq!(list(&azure, &prod, GROUPS).await.status, 200);
}
