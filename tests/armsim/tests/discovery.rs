//! What stock clients ask before and around the resources: authorities, clouds, tenants, providers, generic lists.

mod support;

use armsim::{Options, company};
use serde_json::{Value, json};
use support::{Azure, serve, subscription};

async fn demo() -> (Azure, String) {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    (serve(estate, Options::default()).await, prod)
}

/// Answered at Azure's name, without a token.
async fn ask(azure: &Azure, url: &str) -> Value {
    let answer = azure.send("GET", url, &[], "").await;
    assert_eq!(answer.status, 200, "{url}: {}", answer.body);
    answer.body
}

#[tokio::test]
async fn a_tenant_s_openid_configuration_leads_to_its_token_endpoint() {
    let (azure, _) = demo().await;
    let host = "http://login.microsoftonline.com";
    let body = ask(&azure, &format!("{host}/t1/v2.0/.well-known/openid-configuration")).await;
    assert_eq!(body["token_endpoint"], format!("{host}/t1/oauth2/v2.0/token"));
    assert_eq!(body["issuer"], format!("{host}/t1/v2.0"));
    let older = ask(&azure, &format!("{host}/t1/.well-known/openid-configuration")).await;
    assert_eq!(older["token_endpoint"], format!("{host}/t1/oauth2/token"));
    assert_eq!(older["issuer"], "https://sts.windows.net/t1/");
    let form = "grant_type=client_credentials&client_id=c&client_secret=armsim&resource=r";
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let token = azure.send("POST", "/t1/oauth2/token", &headers, form).await;
    assert_eq!((&token.body["expires_in"], &token.body["resource"]), (&json!("3600"), &json!("r")));
}

#[tokio::test]
async fn instance_discovery_knows_the_aliases_of_an_authority() {
    let (azure, _) = demo().await;
    let host = "http://login.microsoftonline.com";
    let asked = "https%3A%2F%2Flogin.microsoftonline.com%2Ft1%2Foauth2%2Fv2.0%2Fauthorize";
    let path = format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={asked}");
    let body = ask(&azure, &format!("{host}{path}")).await;
    assert_eq!(body["tenant_discovery_endpoint"], format!("{host}/t1/v2.0/.well-known/openid-configuration"));
    assert_eq!(
        body["metadata"][0],
        json!({"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
            "aliases": ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]})
    );
}

#[tokio::test]
async fn the_metadata_of_clouds_has_an_old_form_and_a_new_one() {
    let (azure, _) = demo().await;
    let path = "/metadata/endpoints?api-version=";
    let old = ask(&azure, &format!("http://management.azure.com{path}2015-01-01")).await;
    assert_eq!(
        old,
        json!({"galleryEndpoint": "https://gallery.azure.com/", "graphEndpoint": "https://graph.windows.net/",
            "portalEndpoint": "https://portal.azure.com", "authentication": {
                "loginEndpoint": "https://login.microsoftonline.com/",
                "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"]}})
    );
    let china = ask(&azure, &format!("http://management.chinacloudapi.cn{path}2015-01-01")).await;
    assert_eq!(china["authentication"]["loginEndpoint"], "https://login.chinacloudapi.cn/");
    for version in ["2019-05-01", "2022-09-01"] {
        let clouds = ask(&azure, &format!("http://management.azure.com{path}{version}")).await;
        let names: Vec<&Value> =
            clouds.as_array().into_iter().flatten().map(|cloud| &cloud["name"]).collect();
        assert_eq!(names, ["AzureCloud", "AzureChinaCloud", "AzureUSGovernment"]);
        assert_eq!(clouds[0]["resourceManager"], "https://management.azure.com/");
        assert_eq!(clouds[2]["authentication"]["audiences"][0], "https://management.core.usgovcloudapi.net/");
    }
}

#[tokio::test]
async fn asked_at_its_own_address_a_client_is_led_back_there_and_not_to_azure() {
    let (azure, _) = demo().await;
    let clouds = ask(&azure, "/metadata/endpoints?api-version=2019-05-01").await;
    let here = format!("{}/", azure.server.base_url());
    assert_eq!(clouds[0]["resourceManager"], here);
    assert_eq!(clouds[0]["authentication"]["loginEndpoint"], here);
}

#[tokio::test]
async fn the_tenant_and_the_providers_are_listed() {
    let (azure, prod) = demo().await;
    let tenants = azure.all("/tenants?api-version=2022-12-01").await;
    let (estate, _) = company::demo();
    assert_eq!(tenants[0]["tenantId"], estate.header.tenant_id);
    for at in [String::new(), format!("/subscriptions/{prod}")] {
        let providers = azure.all(&format!("{at}/providers?api-version=2021-04-01")).await;
        let network = providers.iter().find(|one| one["namespace"] == "Microsoft.Network");
        let network = network.expect("the network provider is listed");
        assert_eq!(network["registrationState"], "Registered");
        let types = network["resourceTypes"].as_array().expect("a provider has types");
        assert!(types.iter().any(|one| one["resourceType"] == "virtualnetworks"));
    }
}

#[tokio::test]
async fn resources_of_all_types_are_listed_without_properties() {
    let (azure, prod) = demo().await;
    let path = format!("/subscriptions/{prod}/resources?api-version=2021-04-01");
    let all = azure.all(&path).await;
    let of = |wanted: &str| {
        all.iter()
            .filter(|one| one["type"].as_str().is_some_and(|of| of.eq_ignore_ascii_case(wanted)))
            .count()
    };
    assert!(of("Microsoft.Network/virtualNetworks") > 0 && of("Microsoft.Network/networkInterfaces") > 0);
    // The provider keeps these, Resource Manager does not.
    assert_eq!(of("Microsoft.MachineLearningServices/workspaces/computes"), 0);
    assert_eq!(of("Microsoft.Authorization/roleAssignments"), 0);
    assert!(all.iter().all(|one| one.get("properties").is_none() && one["location"].is_string()));

    let filter = "&$filter=resourceType%20eq%20'Microsoft.Network/virtualNetworks'";
    let networks = azure.all(&format!("{path}{filter}")).await;
    assert_eq!(networks.len(), of("Microsoft.Network/virtualNetworks"));
    let group =
        networks[0]["id"].as_str().and_then(|id| id.split('/').nth(4)).expect("an id names its group");
    let below = format!("/subscriptions/{prod}/resourceGroups/{group}/resources?api-version=2021-04-01");
    let below = azure.all(&below).await;
    let by_group = azure.all(&format!("{path}&$filter=resourceGroup%20eq%20'{group}'")).await;
    assert!(!below.is_empty() && below.len() < all.len());
    assert_eq!(below, by_group);
    let odd = azure.get(&format!("{path}&$filter=size%20gt%203")).await;
    assert_eq!((odd.status, odd.code()), (400, "InvalidFilterInQueryString"));
    let none = format!("/subscriptions/{prod}/resourceGroups/no/resources?api-version=2021-04-01");
    assert_eq!(azure.get(&none).await.code(), "ResourceGroupNotFound");
}

#[tokio::test]
async fn a_list_of_a_type_that_is_not_modelled_is_empty_at_every_scope() {
    let (azure, prod) = demo().await;
    let group = format!("/subscriptions/{prod}/resourceGroups/rg-churn-prod");
    let workspaces = format!("/subscriptions/{prod}/providers/Microsoft.MachineLearningServices/workspaces");
    let workspaces = azure.all(&format!("{workspaces}?api-version=2024-10-01")).await;
    let workspace = workspaces[0]["id"].as_str().expect("a workspace has an id");
    for list in [
        format!("/subscriptions/{prod}/providers/Microsoft.Web/sites"),
        format!("/subscriptions/{prod}/providers/Microsoft.Compute/locations/westeurope/usages"),
        format!("{group}/providers/Microsoft.Web/sites"),
        format!("{workspace}/providers/Microsoft.Insights/diagnosticSettings"),
        format!("{workspace}/datastores"),
        "/providers/Microsoft.Management/managementGroups/mg-contoso/providers/Microsoft.Authorization/policyAssignments"
            .to_owned(),
        "/providers/Microsoft.Billing/billingAccounts".to_owned(),
        format!("/subscriptions/{prod}/tagNames"),
    ] {
        let answer = azure.get(&format!("{list}?api-version=2024-01-01")).await;
        assert_eq!((answer.status, &answer.body), (200, &json!({"value": []})), "{list}");
        assert_eq!(azure.get(&list).await.code(), "MissingApiVersionParameter", "{list}");
    }
    let elsewhere = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Web/sites";
    let answer = azure.get(&format!("{elsewhere}?api-version=2024-01-01")).await;
    assert_eq!(answer.code(), "SubscriptionNotFound");
}

#[tokio::test]
async fn a_role_is_found_by_its_name() {
    let (azure, prod) = demo().await;
    let roles = format!(
        "/subscriptions/{prod}/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01"
    );
    let all = azure.all(&roles).await;
    assert!(all.len() > 1);
    let name = all[0]["properties"]["roleName"].as_str().expect("a role has a name");
    let filter = format!("&$filter=roleName%20eq%20'{}'", name.replace(' ', "%20"));
    assert_eq!(azure.all(&format!("{roles}{filter}")).await, all[..1]);
    assert!(azure.all(&format!("{roles}&$filter=roleName%20eq%20'No%20such'")).await.is_empty());
}
