//! Pages: every item exactly once, by the links and tokens that Azure documents.

mod support;

use armsim::{Options, company};
use serde_json::json;
use support::{ids_of, serve, subscription};

#[tokio::test]
async fn following_next_links_collects_everything_exactly_once() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    let expected = ids_of(&estate, "Microsoft.Network/networkSecurityGroups", &prod);
    assert!(expected.len() > 4, "there is something to page");
    let path = format!(
        "/subscriptions/{prod}/providers/Microsoft.Network/networkSecurityGroups?api-version=2023-09-01"
    );
    for page_size in 1..=expected.len() + 1 {
        let options = Options { page_size, ..Options::default() };
        let azure = serve(estate.clone(), options).await;
        let items = azure.all(&path).await;
        let mut ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected, "pages of {page_size}");
    }
}

#[tokio::test]
async fn a_next_link_is_absolute_and_keeps_the_query() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    let options = Options { page_size: 1, ..Options::default() };
    let azure = serve(estate, options).await;
    let path = "providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=atScope()";
    let page = azure.get(&format!("/subscriptions/{prod}/{path}")).await;
    let link = page.body["nextLink"].as_str().expect("there is a second page");
    assert!(link.starts_with(azure.server.base_url()), "{link}");
    for part in ["api-version=2022-04-01", "%24filter=atScope", "%24skipToken="] {
        assert!(link.contains(part), "{link} has no {part}");
    }
    assert_eq!(azure.all(link).await.len() + 1, 3);
}

#[tokio::test]
async fn a_page_that_holds_all_has_no_next_link() {
    let estate = company::healthy();
    let prod = subscription(&estate, "ml-prod");
    let azure = serve(estate, Options { page_size: 2, ..Options::default() }).await;
    let path = "providers/Microsoft.MachineLearningServices/workspaces?api-version=2024-10-01";
    let page = azure.get(&format!("/subscriptions/{prod}/{path}")).await;
    assert_eq!((page.ids().len(), page.body.get("nextLink")), (2, None));
}

#[tokio::test]
async fn a_token_of_another_list_is_refused() {
    let estate = company::healthy();
    let prod = subscription(&estate, "ml-prod");
    let azure = serve(estate, Options::default()).await;
    let path =
        "providers/Microsoft.Network/loadBalancers?api-version=2023-09-01&$skipToken=00000000000000002";
    assert_eq!(azure.get(&format!("/subscriptions/{prod}/{path}")).await.status, 400);
}

#[tokio::test]
async fn resource_graph_pages_by_skip_token_in_order() {
    let (estate, _) = company::demo();
    let azure = serve(estate, Options::default()).await;
    let query =
        "resources | where type =~ 'microsoft.network/networkinterfaces' | project id | order by id asc";
    let whole = azure.query(query, json!({"$top": 1000})).await;
    assert_eq!(whole.body.get("$skipToken"), None);
    let mut ids = Vec::new();
    let mut options = json!({"$top": 3});
    loop {
        let page = azure.query(query, options.clone()).await;
        assert_eq!(page.body["resultTruncated"], "false");
        assert_eq!(page.body["totalRecords"], whole.body["totalRecords"]);
        assert_eq!(page.body["count"], json!(page.ids().len()));
        ids.extend(page.ids());
        match page.body.get("$skipToken") {
            Some(token) => options = json!({"$top": 3, "$skipToken": token}),
            None => break,
        }
    }
    assert_eq!(ids, whole.ids());
    assert!(ids.len() > 6 && ids.is_sorted());
}

#[tokio::test]
async fn without_the_id_resource_graph_cuts_and_says_so_in_a_string() {
    let (estate, _) = company::demo();
    let azure = serve(estate, Options::default()).await;
    let page = azure.query("resources | project name", json!({"$top": 5})).await;
    assert_eq!(page.body["resultTruncated"], "true");
    assert_eq!(page.body.get("$skipToken"), None);
    assert_eq!(page.body["count"], 5);
}

#[tokio::test]
async fn resource_graph_never_gives_more_than_its_page() {
    let (estate, _) = company::demo();
    let azure = serve(estate, Options { graph_page_size: 4, ..Options::default() }).await;
    let page = azure.query("resources | project id | order by id asc", json!({"$top": 100_000})).await;
    assert_eq!(page.body["count"], 4);
    assert!(page.body["$skipToken"].is_string());
}

#[tokio::test]
async fn an_answer_over_the_cap_is_refused() {
    let (estate, _) = company::demo();
    let azure = serve(estate, Options { graph_response_cap: 20_000, ..Options::default() }).await;
    let query = "resources | where type =~ 'microsoft.network/virtualnetworks' | project id, properties | order by id asc";
    let page = azure.query(query, json!({"$top": 1000})).await;
    assert_eq!((page.status, page.details()), (400, vec!["ResponsePayloadTooLarge"]));
    assert_eq!(azure.query(query, json!({"$top": 1})).await.status, 200);
}
