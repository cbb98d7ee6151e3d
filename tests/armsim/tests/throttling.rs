//! Azure's allowances: what answers tell of them, and what follows when they are used up.

mod support;

use armsim::{Options, company};
use serde_json::{Value, json};
use support::{Answer, Azure, serve, subscription};

/// Azure's time all but stands still, so that nothing comes back during a test, however slow the machine.
const FROZEN: f64 = 1.0 / 1_048_576.0;

async fn frozen(read_burst: u32) -> (Azure, String, String) {
    let estate = company::healthy();
    let (prod, dev) = (subscription(&estate, "ml-prod"), subscription(&estate, "ml-dev"));
    let options = Options { time_scale: FROZEN, read_burst, ..Options::default() };
    (serve(estate, options).await, prod, dev)
}

fn groups(subscription: &str) -> String {
    format!("/subscriptions/{subscription}/resourcegroups?api-version=2021-04-01")
}

fn left<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(&format!("x-ms-ratelimit-remaining-{name}")).map_or("", String::as_str)
}

#[tokio::test]
async fn every_answer_tells_how_many_reads_are_left() {
    let (azure, prod, dev) = frozen(250).await;
    for expected in [("249", "3749"), ("248", "3748")] {
        let answer = azure.get(&groups(&prod)).await;
        assert_eq!(
            (left(&answer, "subscription-reads"), left(&answer, "subscription-global-reads")),
            expected
        );
    }
    let other = azure.get(&groups(&dev)).await;
    assert_eq!(left(&other, "subscription-reads"), "249");
    let tenant = azure.get("/subscriptions?api-version=2022-12-01").await;
    assert_eq!((left(&tenant, "tenant-reads"), left(&tenant, "subscription-reads")), ("249", ""));
    // Refusals cost a read as well.
    let missing = azure.get(&format!("/subscriptions/{prod}/resourcegroups/no?api-version=2021-04-01")).await;
    assert_eq!((missing.status, left(&missing, "subscription-reads")), (404, "247"));
}

#[tokio::test]
async fn who_has_read_too_much_of_a_subscription_is_told_to_wait() {
    let (azure, prod, dev) = frozen(5).await;
    for _ in 0..5 {
        assert_eq!(azure.get(&groups(&prod)).await.status, 200);
    }
    let refused = azure.get(&groups(&prod)).await;
    assert_eq!((refused.status, refused.code()), (429, "SubscriptionRequestsThrottled"));
    // 5 reads at 25 a second are 0.2 s, in a time that runs 2^20 times slower: 209715.2 s.
    assert_eq!(refused.headers["retry-after"], "209716");
    assert_eq!(left(&refused, "subscription-reads"), "0");
    assert_eq!(
        refused.body["error"]["message"],
        format!(
            "Number of 'read' requests for subscription '{prod}' actor '00000000-0000-4000-8000-00000000c11e' \
             exceeded. Please try again after '209716' seconds."
        )
    );
    // Other subscriptions, the tenant and other principals have allowances of their own.
    assert_eq!(azure.get(&groups(&dev)).await.status, 200);
    assert_eq!(azure.get("/subscriptions?api-version=2022-12-01").await.status, 200);
    let path = "/msi/token?api-version=2019-08-01&resource=r&client_id=another";
    let token = azure.send("GET", path, &[("X-IDENTITY-HEADER", "armsim")], "").await;
    let token = format!("Bearer {}", token.body["access_token"].as_str().expect("there is a token"));
    let answer = azure.send("GET", &groups(&prod), &[("Authorization", &token)], "").await;
    assert_eq!((answer.status, left(&answer, "subscription-reads")), (200, "4"));
    assert_eq!(azure.server.stats().with_status(429), 1);
}

#[tokio::test]
async fn the_sixteenth_query_in_five_seconds_is_refused_in_resource_graph_s_words() {
    let (azure, prod, _) = frozen(250).await;
    for expected in (0..15).rev() {
        let answer = azure.query("resources | project id", json!({})).await;
        assert_eq!(
            (answer.status, &answer.headers["x-ms-user-quota-remaining"]),
            (200, &expected.to_string())
        );
        assert_eq!(left(&answer, "tenant-resource-requests"), expected.to_string());
    }
    let mut refused = azure.query("resources | project id", json!({})).await;
    assert_eq!(
        (refused.status, refused.code(), refused.details()),
        (429, "RateLimiting", vec!["RateLimiting"])
    );
    assert_eq!(refused.headers["x-ms-user-quota-remaining"], "0");
    assert!(refused.headers.contains_key("retry-after"));
    let message = refused.body["error"]["message"].take();
    let message = message.as_str().expect("there is a message");
    assert!(
        message.starts_with("Please provide below info when asking for support: timestamp = "),
        "{message}"
    );
    assert_eq!(
        refused.body["error"],
        json!({"code": "RateLimiting", "message": Value::Null, "details": [{"code": "RateLimiting", "message":
            "Client application has been throttled and should not attempt to repeat the request until an amount of time \
             has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."}]})
    );
    assert_eq!(azure.get(&groups(&prod)).await.status, 200);
}

#[tokio::test]
async fn the_limits_can_be_lifted_or_time_made_to_fly() {
    let estate = company::healthy();
    for options in [
        Options { rate_limits: false, time_scale: FROZEN, read_burst: 5, ..Options::default() },
        Options { time_scale: 1e9, read_burst: 5, ..Options::default() },
    ] {
        let azure = serve(estate.clone(), options).await;
        let prod = subscription(&estate, "ml-prod");
        for _ in 0..20 {
            assert_eq!(azure.get(&groups(&prod)).await.status, 200);
            assert_eq!(azure.query("resources | project id", json!({})).await.status, 200);
        }
    }
}
