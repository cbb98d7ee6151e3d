//! Faults on demand, counts, and an estate that changes under a running server.

mod support;

use armsim::{Fault, Options, company};
use serde_json::json;
use support::{serve, subscription};

#[tokio::test]
async fn a_fault_fails_as_often_as_asked_and_then_no_more() {
    let estate = company::healthy();
    let prod = subscription(&estate, "ml-prod");
    let path = format!("/subscriptions/{prod}/resourcegroups?api-version=2021-04-01");
    let fault = Fault { path: "RESOURCEGROUPS".to_owned(), status: 429, retry_after: Some(1), times: 2 };
    let azure = serve(estate, Options { fail_next: vec![fault], ..Options::default() }).await;
    for _ in 0..2 {
        let answer = azure.get(&path).await;
        assert_eq!((answer.status, answer.code()), (429, "SubscriptionRequestsThrottled"));
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(azure.get("/subscriptions?api-version=2022-12-01").await.status, 200);
    }
    assert_eq!(azure.get(&path).await.status, 200);
}

#[tokio::test]
async fn resource_graph_throttles_in_its_own_words() {
    let azure = serve(company::healthy(), Options::default()).await;
    azure
        .server
        .fail_next("path=resourcegraph,status=429,retry_after=3".parse().expect("the fault is well formed"));
    let answer = azure.query("resources", json!({})).await;
    assert_eq!((answer.code(), answer.details()), ("RateLimiting", vec!["RateLimiting"]));
    assert_eq!(answer.headers["x-ms-user-quota-remaining"], "0");
    assert_eq!(azure.query("resources", json!({})).await.status, 200);
}

#[tokio::test]
async fn calls_are_counted_by_kind_and_status() {
    let estate = company::healthy();
    let dev = subscription(&estate, "ml-dev");
    let azure = serve(estate, Options::default()).await;
    azure.server.reset_stats();
    let workspace = format!(
        "/subscriptions/{dev}/resourceGroups/rg-ml-vision/providers/Microsoft.MachineLearningServices/workspaces/mlw-vision"
    );
    for path in ["", "/computes", "/services", "/onlineEndpoints"] {
        azure.get(&format!("{workspace}{path}?api-version=2021-04-01")).await;
    }
    azure
        .get(&format!(
            "/subscriptions/{dev}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
        ))
        .await;
    azure.query("resources", json!({})).await;
    azure.get(&format!("{workspace}/services?api-version=2024-10-01")).await;
    let stats = azure.server.stats();
    for (kind, calls) in [
        ("workspaces", 1),
        ("computes", 1),
        ("services", 2),
        ("online_endpoints", 1),
        ("permissions", 1),
        ("resource_graph", 1),
        ("token", 0),
    ] {
        assert_eq!(stats.of(kind), calls, "{kind}");
    }
    assert_eq!((stats.total, stats.with_status(200), stats.with_status(404)), (7, 6, 1));
    let shown = azure.send("GET", "/_armsim/stats", &[], "").await;
    assert_eq!(shown.body, json!(stats));
}

#[tokio::test]
async fn an_estate_can_be_replaced_under_way() {
    let mut estate = company::healthy();
    let prod = subscription(&estate, "ml-prod");
    let azure = serve(estate.clone(), Options::default()).await;
    let id = format!(
        "/subscriptions/{prod}/resourceGroups/rg-ml-churn/providers/Microsoft.Network/virtualNetworks/vnet-mlw-churn"
    );
    let path = format!("{id}?api-version=2023-09-01");
    let vnet = estate.record_mut(&id.to_uppercase()).expect("the network is there");
    vnet["location"] = "northeurope".into();
    azure.server.replace_estate(estate.clone());
    assert_eq!(azure.get(&path).await.body["location"], "northeurope");
    assert!(estate.remove(&id).is_some());
    azure.server.replace_estate(estate);
    assert_eq!(azure.get(&path).await.code(), "ResourceNotFound");
}

#[tokio::test]
async fn a_server_that_was_shut_down_is_gone() {
    let azure = serve(company::healthy(), Options::default()).await;
    let host = azure.server.base_url().trim_start_matches("http://").to_owned();
    azure.server.shutdown().await.expect("the server ends cleanly");
    assert!(tokio::net::TcpStream::connect(host).await.is_err());
}
