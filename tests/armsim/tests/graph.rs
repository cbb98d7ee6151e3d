//! Resource Graph: the query subset, the shape of rows, and the refusals.

mod support;

use armsim::{Options, company};
use serde_json::{Value, json};
use support::{Azure, serve, subscription};

async fn demo() -> (Azure, String, String) {
    let (estate, _) = company::demo();
    let (prod, finance) = (subscription(&estate, "ml-prod"), subscription(&estate, "finance-ml"));
    (serve(estate, Options::default()).await, prod, finance)
}

#[tokio::test]
async fn a_row_has_the_projected_columns_only_and_its_type_in_lower_case() {
    let (azure, prod, _) = demo().await;
    let query = "Resources | where type =~ 'Microsoft.ContainerService/ManagedClusters' \
                 | project id, type, resourceGroup, subscriptionId, plugin = properties.networkProfile.networkPlugin \
                 | order by id asc";
    let answer = azure.query_in(query, Some(&[&prod]), json!({"resultFormat": "objectArray"})).await;
    let row = &answer.body["data"][0];
    let id = row["id"].as_str().expect("a row has its id");
    assert!(id.contains("/resourcegroups/"), "the id keeps the provider's case");
    assert_eq!(
        row,
        &json!({"id": id, "type": "microsoft.containerservice/managedclusters", "resourceGroup": "rg-churn-prod",
            "subscriptionId": prod, "plugin": "azure"})
    );
    assert!(answer.headers.contains_key("x-ms-user-quota-remaining"));
    assert_eq!(answer.headers["x-ms-user-quota-resets-after"], "00:00:05");
}

#[tokio::test]
async fn conditions_select_rows() {
    let (azure, ..) = demo().await;
    let count =
        async |query: &str| azure.query(query, json!({"$top": 1000})).await.body["totalRecords"].clone();
    let all = count("resources | where type == 'microsoft.network/networkinterfaces' | project id").await;
    assert!(all.as_u64().is_some_and(|n| n > 0));
    let endpoints = "resources | where type in~ ('Microsoft.Network/networkInterfaces', 'x/y') \
                     and isnotempty(properties.privateEndpoint.id) | project id";
    assert_eq!(count(endpoints).await, all);
    let nothing = endpoints.replace("privateEndpoint.id", "nosuch");
    assert_eq!(count(&nothing).await, 0);
    assert_eq!(
        count("resources | where type == 'Microsoft.Network/networkInterfaces' | project id").await,
        0
    );
    let named = "resources | where type =~ 'microsoft.machinelearningservices/workspaces' | where name == 'mlw-fraud-prod' | project id";
    assert_eq!(count(named).await, 1);
}

#[tokio::test]
async fn a_type_is_a_row_of_its_own_table_or_of_none() {
    let (azure, ..) = demo().await;
    for (table, of, rows) in [
        ("resources", "microsoft.network/privatednszones/virtualnetworklinks", true),
        ("resourcecontainers", "microsoft.resources/subscriptions/resourcegroups", true),
        ("resourcecontainers", "microsoft.resources/subscriptions", true),
        ("authorizationresources", "microsoft.authorization/roleassignments", true),
        ("authorizationresources", "microsoft.authorization/roledefinitions", true),
        ("kubernetesconfigurationresources", "microsoft.kubernetesconfiguration/extensions", true),
        ("resources", "microsoft.kubernetesconfiguration/extensions", false),
        ("resources", "microsoft.authorization/roleassignments", false),
        ("resources", "microsoft.machinelearningservices/workspaces/computes", false),
        ("resources", "microsoft.machinelearningservices/workspaces/services", false),
        ("resources", "microsoft.machinelearningservices/workspaces/outboundrules", false),
        ("authorizationresources", "microsoft.authorization/denyassignments", false),
        ("resources", "microsoft.network/servicetags", false),
        ("networkresources", "microsoft.network/virtualnetworks", false),
    ] {
        let answer = azure.query(&format!("{table} | where type =~ '{of}' | project id"), json!({})).await;
        assert_eq!(answer.body["count"].as_u64().map(|n| n > 0), Some(rows), "{table} {of}");
    }
}

#[tokio::test]
async fn inherited_role_assignments_are_rows_only_when_asked_for() {
    let (azure, prod, _) = demo().await;
    let query = "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' | project id, properties";
    let inherited = async |filter: &str| {
        let options = json!({"$top": 1000, "authorizationScopeFilter": filter});
        let answer = azure.query_in(query, Some(&[&prod]), options).await;
        let rows = answer.body["data"].as_array().cloned().unwrap_or_default();
        rows.iter().any(|row| row["properties"]["scope"] == "/")
    };
    assert!(!inherited("AtScopeAndBelow").await);
    assert!(inherited("AtScopeAboveAndBelow").await);
}

#[tokio::test]
async fn a_subscription_row_tells_its_management_groups() {
    let (azure, prod, _) = demo().await;
    let query = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id, name, properties";
    let answer = azure.query_in(query, Some(&[&prod]), json!({})).await;
    let row = &answer.body["data"][0];
    assert_eq!(row["name"], "ml-prod");
    assert_eq!(row["properties"]["managementGroupAncestorsChain"][1]["name"], "mg-contoso");
}

#[tokio::test]
async fn unreadable_subscriptions_are_dropped_without_a_sign_until_none_is_left() {
    let (azure, prod, finance) = demo().await;
    let query = "resources | project id | order by id asc";
    let alone = azure.query_in(query, Some(&[&prod]), json!({})).await;
    let both = azure.query_in(query, Some(&[&prod, &finance]), json!({})).await;
    assert_eq!(alone.body, both.body);
    let none = azure.query_in(query, Some(&[&finance]), json!({})).await;
    assert_eq!((none.status, none.code()), (400, "BadRequest"));
    assert_eq!(none.details(), ["NoValidSubscriptionsInQueryRequest"]);
    let odd = azure.query_in(query, Some(&["not-a-guid"]), json!({})).await;
    assert_eq!(odd.details(), ["SubscriptionsContainInvalidGuids"]);
}

#[tokio::test]
async fn a_management_group_stands_for_its_subscriptions() {
    let (azure, ..) = demo().await;
    let query = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id";
    let body = json!({"query": query, "managementGroups": ["mg-landingzones"]});
    let answer =
        azure.post("/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01", &body).await;
    assert_eq!(answer.ids().len(), 2);
}

#[tokio::test]
async fn a_query_that_means_nothing_is_a_bad_request_with_its_reason_in_details() {
    let (azure, ..) = demo().await;
    for (query, detail) in [
        ("resources | where type ~ 'x'", "ParserFailure"),
        ("resources | summarize max(name)", "ParserFailure"),
        ("resources | join kind=inner (resources) on id", "ParserFailure"),
        ("resources | mv-expand tags", "ParserFailure"),
        ("nowhere | project id", "InvalidQuery"),
        ("resources | project id, nosuch", "InvalidQuery"),
        ("resources | project name | order by id asc", "InvalidQuery"),
    ] {
        let answer = azure.query(query, json!({})).await;
        assert_eq!((answer.status, answer.code()), (400, "BadRequest"), "{query}");
        assert_eq!(answer.details(), ["InvalidQuery", detail], "{query}");
    }
    let sorted_first = "resources | order by id asc | project name";
    assert_eq!(azure.query(sorted_first, json!({})).await.status, 200);
}

#[tokio::test]
async fn another_media_type_than_json_is_a_server_error() {
    let (azure, ..) = demo().await;
    let authorization = format!("Bearer {}", azure.token);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "text/plain")];
    let path = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01";
    let body = json!({"query": "resources"}).to_string();
    assert_eq!(azure.send("POST", path, &headers, &body).await.status, 500);
    let charset = [headers[0], ("Content-Type", "application/json; charset=utf-8")];
    assert_eq!(azure.send("POST", path, &charset, &body).await.status, 200);
}

#[tokio::test]
async fn the_docker_bridge_is_unknown_to_resource_graph() {
    let (mut estate, _) = company::demo();
    for record in &mut estate.records {
        if record["type"] == "Microsoft.ContainerService/ManagedClusters" {
            record["properties"]["networkProfile"]["dockerBridgeCidr"] = "172.17.0.1/16".into();
        }
    }
    let azure = serve(estate, Options::default()).await;
    let query =
        "resources | where type =~ 'microsoft.containerservice/managedclusters' | project id, properties";
    let rows = azure.query(query, json!({})).await.body["data"].clone();
    for row in rows.as_array().expect("there are rows") {
        assert_eq!(row.pointer("/properties/networkProfile/dockerBridgeCidr"), None::<&Value>);
        assert!(row.pointer("/properties/networkProfile/serviceCidr").is_some());
    }
}

#[tokio::test]
async fn a_table_has_typed_columns_and_rows_of_cells() {
    let (azure, prod, _) = demo().await;
    let query = "where type =~ 'Microsoft.ContainerService/ManagedClusters' | order by id asc \
                 | project id, properties, plugin = tostring(properties.networkProfile.networkPlugin)";
    let objects = azure.query_in(query, Some(&[&prod]), json!({"resultFormat": "objectArray"})).await.body;
    let table = azure.query_in(query, Some(&[&prod]), json!({"resultFormat": "table"})).await.body;
    assert_eq!(
        table["data"]["columns"],
        json!([{"name": "id", "type": "string"}, {"name": "properties", "type": "object"},
            {"name": "plugin", "type": "string"}])
    );
    assert_eq!((&table["count"], &table["totalRecords"]), (&objects["count"], &objects["totalRecords"]));
    let (rows, first) = (&table["data"]["rows"], &objects["data"][0]);
    assert_eq!(rows[0], json!([first["id"], first["properties"], "azure"]));
    let all = azure.query_in("resources", Some(&[&prod]), json!({"resultFormat": "table"})).await.body;
    let columns = all["data"]["columns"].as_array().expect("a table has columns");
    for (name, of) in [("type", "string"), ("tags", "object"), ("zones", "object"), ("tenantId", "string")] {
        assert!(columns.contains(&json!({"name": name, "type": of})), "{name}");
    }
    let odd = azure.query(query, json!({"resultFormat": "csv"})).await;
    assert_eq!((odd.status, odd.details()), (400, vec!["InvalidRequestContent"]));
}

#[tokio::test]
async fn the_api_version_decides_the_format_and_knows_the_scope_filter_or_not() {
    let (azure, prod, _) = demo().await;
    let path = "/providers/Microsoft.ResourceGraph/resources?api-version=";
    let body = json!({"query": "resources | project id"});
    for (version, table) in
        [("2018-09-01-preview", true), ("2019-04-01", true), ("2021-03-01", false), ("2024-04-01", false)]
    {
        let answer = azure.post(&format!("{path}{version}"), &body).await.body;
        assert_eq!(answer["data"].is_object(), table, "{version}");
    }
    let query =
        "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' | project id";
    let rows = async |version: &str| {
        let options = json!({"$top": 1000, "authorizationScopeFilter": "AtScopeAboveAndBelow"});
        let body = json!({"query": query, "subscriptions": [prod], "options": options});
        azure.post(&format!("{path}{version}"), &body).await.ids().len()
    };
    assert!(rows("2021-03-01").await < rows("2022-10-01").await);
}

#[tokio::test]
async fn counting_and_grouping_agree_with_the_rows() {
    let (azure, prod, _) = demo().await;
    let query = async |text: &str| azure.query_in(text, Some(&[&prod]), json!({"$top": 1000})).await.body;
    let rows = query("resources | project id, type").await;
    let total = rows["totalRecords"].as_u64().expect("there is a number");
    assert_eq!(query("resources | count").await["data"], json!([{"Count": total}]));
    assert_eq!(query("resources | summarize count()").await["data"], json!([{"count_": total}]));
    let clusters = rows["data"].as_array().into_iter().flatten();
    let clusters = clusters.filter(|row| row["type"] == "microsoft.containerservice/managedclusters").count();
    let by_type = query("resources | summarize n = count() by type | order by n desc").await;
    let groups = by_type["data"].as_array().expect("there are groups");
    assert!(groups.contains(&json!({"type": "microsoft.containerservice/managedclusters", "n": clusters})));
    assert_eq!(groups.iter().filter_map(|group| group["n"].as_u64()).sum::<u64>(), total);
    assert!(groups.windows(2).all(|pair| pair[0]["n"].as_u64() >= pair[1]["n"].as_u64()));
}

#[tokio::test]
async fn columns_are_added_and_texts_compared_as_kusto_does() {
    let (azure, ..) = demo().await;
    let query = async |text: &str| azure.query(text, json!({"$top": 1000})).await.body;
    let extended = query(
        "resources | where tolower(type) == 'microsoft.machinelearningservices/workspaces' \
         | extend upper = name, access = properties.publicNetworkAccess | where upper startswith 'MLW-FRAUD'",
    )
    .await;
    let row = &extended["data"][0];
    assert_eq!((&row["upper"], &extended["count"]), (&json!("mlw-fraud-prod"), &json!(1)));
    assert_eq!(row["access"], row["properties"]["publicNetworkAccess"]);
    let all = query("resources | project id").await["totalRecords"].as_u64();
    let some = query("resources | where name contains 'FRAUD' | project id").await["totalRecords"].as_u64();
    let others =
        query("resources | where name !contains 'fraud' | project id").await["totalRecords"].as_u64();
    assert_eq!(some.zip(others).map(|(some, others)| some + others), all);
    assert!(some > Some(0));
}

#[tokio::test]
async fn rows_can_be_skipped_and_a_table_without_rows_is_no_error() {
    let (azure, ..) = demo().await;
    let query = "resources | project id | order by id asc";
    let all = azure.query(query, json!({"$top": 1000})).await.ids();
    let some = azure.query(query, json!({"$top": 2, "$skip": 3})).await.ids();
    assert_eq!(some, all[3..5]);
    let none = azure.query("PolicyResources | project id", json!({})).await;
    assert_eq!((none.status, &none.body["totalRecords"]), (200, &json!(0)));
}
