//! GET on ARM: paths in any case, versions, what does not exist, children inside their parents.

mod support;

use armsim::{Options, company};
use serde_json::Value;
use support::{Azure, ids_of, serve, subscription};

const WORKSPACES: &str = "Microsoft.MachineLearningServices/workspaces";

async fn healthy() -> (Azure, String, String) {
    let estate = company::healthy();
    let (prod, dev) = (subscription(&estate, "ml-prod"), subscription(&estate, "ml-dev"));
    (serve(estate, Options::default()).await, prod, dev)
}

#[tokio::test]
async fn a_path_may_be_in_any_case() {
    let (azure, prod, _) = healthy().await;
    let path = format!("/subscriptions/{prod}/resourceGroups/rg-ml-churn/providers/{WORKSPACES}/mlw-churn");
    let plain = azure.get(&format!("{path}?api-version=2024-10-01")).await;
    assert_eq!((plain.status, &plain.body["name"]), (200, &"mlw-churn".into()));
    assert_eq!(azure.get(&format!("{}?API-VERSION=2024-10-01", path.to_uppercase())).await.body, plain.body);
    let list =
        format!("/SUBSCRIPTIONS/{prod}/PROVIDERS/{}/?api-version=2024-10-01", WORKSPACES.to_uppercase());
    assert_eq!(azure.get(&list).await.ids().len(), 2);
}

#[tokio::test]
async fn the_api_version_is_required_and_must_be_one() {
    let (azure, ..) = healthy().await;
    assert_eq!(azure.get("/subscriptions").await.code(), "MissingApiVersionParameter");
    assert_eq!(azure.get("/subscriptions?api-version=latest").await.code(), "InvalidApiVersionParameter");
}

#[tokio::test]
async fn v1_services_are_known_to_old_versions_only() {
    let (azure, _, dev) = healthy().await;
    let services = format!(
        "/subscriptions/{dev}/resourceGroups/rg-ml-vision/providers/{WORKSPACES}/mlw-vision/services"
    );
    for version in ["2021-04-01", "2021-03-01-preview", "2020-09-01-preview"] {
        let answer = azure.get(&format!("{services}?api-version={version}")).await;
        assert_eq!((answer.status, answer.ids().len()), (200, 1), "{version}");
    }
    for version in ["2021-07-01", "2024-10-01"] {
        let answer = azure.get(&format!("{services}?api-version={version}")).await;
        assert_eq!((answer.status, answer.code()), (404, "InvalidResourceType"), "{version}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_told_apart() {
    let (azure, prod, _) = healthy().await;
    let group = format!("/subscriptions/{prod}/resourceGroups/rg-ml-churn");
    for (path, code) in [
        (
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups".to_owned(),
            "SubscriptionNotFound",
        ),
        (format!("/subscriptions/{prod}/resourceGroups/no"), "ResourceGroupNotFound"),
        (format!("/subscriptions/{prod}/resourceGroups/no/providers/{WORKSPACES}"), "ResourceGroupNotFound"),
        (format!("{group}/providers/{WORKSPACES}/no"), "ResourceNotFound"),
        (format!("{group}/providers/{WORKSPACES}/no/computes"), "ResourceNotFound"),
        ("/nonsense".to_owned(), "NotFound"),
    ] {
        let answer = azure.get(&format!("{path}?api-version=2024-10-01")).await;
        assert_eq!((answer.status, answer.code()), (404, code), "{path}");
    }
    let none = azure.get(&format!("{group}/providers/Microsoft.Web/sites?api-version=2024-10-01")).await;
    assert_eq!((none.status, &none.body["value"]), (200, &Value::Array(vec![])));
}

#[tokio::test]
async fn only_get_is_allowed() {
    let (azure, prod, _) = healthy().await;
    let path = format!(
        "/subscriptions/{prod}/resourceGroups/rg-ml-churn/providers/{WORKSPACES}/mlw-churn/listKeys?api-version=2024-10-01"
    );
    assert_eq!(azure.post(&path, &Value::Null).await.status, 405);
}

#[tokio::test]
async fn lists_stand_at_the_subscription_at_the_group_and_at_the_parent() {
    let (azure, prod, _) = healthy().await;
    let count = async |path: String| azure.get(&format!("{path}?api-version=2024-10-01")).await.ids().len();
    assert_eq!(count(format!("/subscriptions/{prod}/providers/{WORKSPACES}")).await, 2);
    let group = format!("/subscriptions/{prod}/resourceGroups/rg-ml-churn");
    assert_eq!(count(format!("{group}/providers/{WORKSPACES}")).await, 1);
    assert_eq!(count(format!("{group}/providers/{WORKSPACES}/mlw-churn/computes")).await, 2);
    assert_eq!(count(format!("{group}/providers/{WORKSPACES}/mlw-churn/outboundRules")).await, 1);
    assert_eq!(
        count(format!("{group}/providers/{WORKSPACES}/mlw-churn/privateEndpointConnections")).await,
        1
    );
    let vnet = format!("{group}/providers/Microsoft.Network/virtualNetworks/vnet-mlw-churn");
    assert_eq!(count(format!("{vnet}/subnets")).await, 3);
    let subnet = azure.get(&format!("{vnet}/subnets/SNET-AKS?api-version=2023-09-01")).await;
    assert_eq!(subnet.body["name"], "snet-aks");
}

#[tokio::test]
async fn subscriptions_and_groups_are_listed_in_arms_form() {
    let (azure, prod, _) = healthy().await;
    let list = azure.get("/subscriptions?api-version=2022-12-01").await;
    let found = list.body["value"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["subscriptionId"] == prod.as_str()));
    let found = found.expect("the subscription is listed");
    assert_eq!((&found["displayName"], &found["state"]), (&"ml-prod".into(), &"Enabled".into()));
    assert_eq!(found.get("properties"), None);
    assert_eq!(&azure.get(&format!("/subscriptions/{prod}?api-version=2022-12-01")).await.body, found);
    let groups = azure.get(&format!("/subscriptions/{prod}/resourcegroups?api-version=2021-04-01")).await;
    // Two of the company's, three node groups.
    assert_eq!(groups.ids().len(), 5);
}

#[tokio::test]
async fn role_assignments_come_from_above_and_below() {
    let (azure, prod, dev) = healthy().await;
    let list = format!(
        "/subscriptions/{prod}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    );
    let scopes = |items: &[Value]| -> Vec<String> {
        items.iter().filter_map(|item| item["properties"]["scope"].as_str()).map(str::to_owned).collect()
    };
    let all = scopes(&azure.all(&list).await);
    assert!(all.contains(&"/".to_owned()));
    assert!(all.iter().any(|scope| scope.ends_with("/managementGroups/mg-contoso")));
    assert!(all.iter().any(|scope| scope.ends_with("/resourceGroups/rg-ml-churn")));
    assert!(!all.iter().any(|scope| scope.contains(&dev)));
    let above = scopes(&azure.all(&format!("{list}&$filter=atScope()")).await);
    assert_eq!(above.len(), 2, "{above:?}");
}

#[tokio::test]
async fn role_assignments_can_be_filtered_by_principal() {
    let estate = company::healthy();
    let prod = subscription(&estate, "ml-prod");
    let scope = format!("/subscriptions/{prod}");
    let assignment = estate
        .records
        .iter()
        .find(|record| record["properties"]["scope"] == "/")
        .expect("there is an assignment at the root");
    let principal = assignment["properties"]["principalId"].as_str().expect("the principal is text");
    let only = [assignment["id"].as_str().expect("the id is text").to_owned()];
    let list =
        format!("{scope}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=");
    let filter = format!("{list}principalId%20eq%20'{principal}'");
    let azure = serve(estate.clone(), Options::default()).await;
    assert_eq!(azure.get(&filter).await.ids(), only);
    assert_eq!(azure.get(&format!("{list}nonsense")).await.status, 400);
}

#[tokio::test]
async fn service_tags_stand_in_values() {
    let (azure, prod, _) = healthy().await;
    let path = "providers/Microsoft.Network/locations/westeurope/serviceTags?api-version=2023-09-01";
    let answer = azure.get(&format!("/subscriptions/{prod}/{path}")).await;
    assert!(answer.body["values"].as_array().is_some_and(|values| values.len() >= 25));
    let mut estate = company::healthy();
    estate.records.retain(|record| record["type"] != "Microsoft.Network/serviceTags");
    azure.server.replace_estate(estate);
    assert_eq!(azure.get(&format!("/subscriptions/{prod}/{path}")).await.status, 404);
}

#[tokio::test]
async fn the_docker_bridge_is_told_by_old_versions_only() {
    let mut estate = company::healthy();
    let prod = subscription(&estate, "ml-prod");
    let id = ids_of(&estate, "Microsoft.ContainerService/managedClusters", &prod).remove(0);
    let cluster = estate.record_mut(&id).expect("the cluster is there");
    cluster["properties"]["networkProfile"]["dockerBridgeCidr"] = "172.17.0.1/16".into();
    let azure = serve(estate, Options::default()).await;
    let path = "/properties/networkProfile/dockerBridgeCidr";
    let old = azure.get(&format!("{id}?api-version=2023-03-01")).await;
    assert_eq!(old.body.pointer(path), Some(&"172.17.0.1/16".into()));
    let new = azure.get(&format!("{id}?api-version=2023-04-01")).await;
    assert_eq!(new.body.pointer(path), None);
}

#[tokio::test]
async fn answers_carry_request_ids_and_what_is_left_of_the_quota() {
    let (azure, prod, _) = healthy().await;
    let answer = azure.get(&format!("/subscriptions/{prod}/resourcegroups?api-version=2021-04-01")).await;
    assert!(answer.headers.contains_key("x-ms-ratelimit-remaining-subscription-reads"));
    assert_eq!(answer.headers["x-ms-request-id"].len(), 36);
}
