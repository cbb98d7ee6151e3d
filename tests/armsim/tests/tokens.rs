//! Who is let in: the two token endpoints, and what ARM says to a bad token.

mod support;

use armsim::{Options, company};
use std::time::Duration;
use support::serve;

const LIST: &str = "/subscriptions?api-version=2022-12-01";

#[tokio::test]
async fn without_a_token_arm_challenges() {
    let azure = serve(company::healthy(), Options::default()).await;
    let answer = azure.send("GET", LIST, &[], "").await;
    assert_eq!((answer.status, answer.code()), (401, "AuthenticationFailed"));
    assert!(answer.headers["www-authenticate"].starts_with("Bearer "));
    let answer = azure.send("GET", LIST, &[("Authorization", "Bearer made-up")], "").await;
    assert_eq!((answer.status, answer.code()), (401, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn an_expired_token_is_told_from_an_unknown_one() {
    let azure = serve(
        company::healthy(),
        Options { expire_tokens_after: Some(Duration::ZERO), ..Options::default() },
    )
    .await;
    let answer = azure.get(LIST).await;
    assert_eq!((answer.status, answer.code()), (401, "ExpiredAuthenticationToken"));
}

#[tokio::test]
async fn tokens_can_be_expired_in_the_middle_and_fetched_anew() {
    let mut azure = serve(company::healthy(), Options::default()).await;
    assert_eq!(azure.get(LIST).await.status, 200);
    azure.server.expire_tokens();
    assert_eq!(azure.get(LIST).await.code(), "ExpiredAuthenticationToken");
    azure.token = azure.fresh_token().await;
    assert_eq!(azure.get(LIST).await.status, 200);
}

#[tokio::test]
async fn the_managed_identity_endpoint_wants_its_header_and_tells_the_end_as_a_string() {
    let azure = serve(company::healthy(), Options::default()).await;
    let path = "/msi/token?api-version=2019-08-01&resource=r";
    let answer = azure.send("GET", path, &[("X-IDENTITY-HEADER", "armsim")], "").await;
    assert_eq!(answer.body["resource"], "r");
    let end: u64 =
        answer.body["expires_on"].as_str().and_then(|text| text.parse().ok()).expect("seconds in a string");
    assert!(end > 1_700_000_000);
    assert_eq!(azure.send("GET", path, &[], "").await.status, 401);
    assert_eq!(azure.send("GET", path, &[("X-IDENTITY-HEADER", "wrong")], "").await.status, 401);
}

#[tokio::test]
async fn entra_takes_the_secret_or_an_assertion() {
    let mut azure = serve(company::healthy(), Options::default()).await;
    let form = |credential: &str| {
        format!("grant_type=client_credentials&client_id=c&scope=s%2F.default&{credential}")
    };
    let path = "/some-tenant/oauth2/v2.0/token";
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = azure.send("POST", path, &headers, &form("client_secret=armsim")).await;
    assert!(answer.body["expires_in"].is_u64());
    azure.token = answer.body["access_token"].as_str().expect("there is a token").to_owned();
    assert_eq!(azure.get(LIST).await.status, 200);
    assert_eq!(azure.send("POST", path, &headers, &form("client_assertion=jwt")).await.status, 200);
    let refused = azure.send("POST", path, &headers, &form("client_secret=wrong")).await;
    assert_eq!((refused.status, &refused.body["error"]), (401, &"invalid_client".into()));
    assert!(refused.body["error_description"].as_str().is_some_and(|text| text.starts_with("AADSTS7000215")));
}
