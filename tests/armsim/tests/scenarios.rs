//! Scenarios: each named one shows on the wire what it says, chances do not hang on the order of events, and what
//! cannot be meant is refused.

mod support;
mod wire;

use armsim::{Estate, Options, Scenario, Trouble, company};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use support::{Azure, ids_of, serve, subscription};
use wire::{Raw, ask, serve_scenario};

/// What a scenario is asked.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// A list of ARM: network security groups.
    List,
    Computes,
    Services,
    Graph,
    Token,
}

/// The n-th request of that sort; each is another one to a scenario.
fn request(azure: &Azure, prod: &str, what: Ask, n: usize) -> wire::Sent {
    let workspace = format!(
        "/subscriptions/{prod}/resourceGroups/rg-ml-churn/providers/Microsoft.MachineLearningServices/workspaces/mlw-churn"
    );
    match what {
        Ask::List => azure.arm(&format!(
            "/subscriptions/{prod}/providers/Microsoft.Network/networkSecurityGroups?api-version=2023-09-01&n={n}"
        )),
        Ask::Computes => azure.arm(&format!("{workspace}/computes?api-version=2024-10-01&n={n}")),
        Ask::Services => azure.arm(&format!("{workspace}/services?api-version=2021-04-01&n={n}")),
        Ask::Graph => azure.graph("resources | where type =~ 'microsoft.network/virtualnetworks' | project id, name, type, properties | order by id asc", json!({"$top": 3}), n),
        Ask::Token => azure.token_request(n),
    }
}

trait Requests {
    fn arm(&self, path: &str) -> wire::Sent;
    fn graph(&self, query: &str, options: Value, n: usize) -> wire::Sent;
    fn token_request(&self, n: usize) -> wire::Sent;
}

impl Requests for Azure {
    fn arm(&self, path: &str) -> wire::Sent {
        wire::Sent::get(path, &self.token)
    }

    fn graph(&self, query: &str, options: Value, n: usize) -> wire::Sent {
        let body = json!({"query": query, "options": options, "n": n});
        wire::Sent::post(
            "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01",
            &self.token,
            &body,
        )
    }

    fn token_request(&self, n: usize) -> wire::Sent {
        wire::Sent::token(n)
    }
}

type Check = fn(&Raw) -> bool;

fn retry_after(raw: &Raw) -> Option<&str> {
    raw.headers.get("retry-after").map(String::as_str)
}

fn throttled(raw: &Raw, told: Option<&str>) -> bool {
    raw.status == 429 && retry_after(raw) == told && raw.code() == "SubscriptionRequestsThrottled"
}

/// Seconds between the answer's `Date` and the date of its `Retry-After`.
fn dated_wait(raw: &Raw) -> Option<i64> {
    Some(wire::seconds(retry_after(raw)?)? - wire::seconds(raw.headers.get("date")?)?)
}

fn failed(raw: &Raw, status: u16, code: &str) -> bool {
    raw.status == status && raw.code() == code
}

fn rows(raw: &Raw) -> Vec<Value> {
    let body = raw.json();
    let rows = ["value", "data"].into_iter().find_map(|key| body.get(key)?.as_array().cloned());
    rows.unwrap_or_default()
}

fn ids(raw: &Raw) -> Vec<String> {
    rows(raw).iter().filter_map(|row| row["id"].as_str()).map(str::to_owned).collect()
}

fn unique(ids: Vec<String>) -> usize {
    ids.into_iter().map(|id| id.to_lowercase()).collect::<BTreeSet<_>>().len()
}

fn link(raw: &Raw) -> String {
    raw.json()["nextLink"].as_str().unwrap_or_default().to_owned()
}

/// Network security groups of the demo's ml-prod, and networks on the first page of Resource Graph.
const GROUPS: usize = 6;
const NETWORKS: usize = 3;

/// What each named scenario shows, asked often enough. Those about rights and time have tests of their own below.
const SHOWN: &[(&str, Ask, Check)] = &[
    ("throttled", Ask::List, |raw| throttled(raw, Some("1"))),
    ("throttled_by_date", Ask::List, |raw| raw.status == 429 && dated_wait(raw) == Some(1)),
    ("throttled_without_a_wait", Ask::List, |raw| throttled(raw, None)),
    ("throttled_soon", Ask::List, |raw| throttled(raw, Some("soon"))),
    ("throttled_negatively", Ask::List, |raw| throttled(raw, Some("-5"))),
    ("throttled_for_a_day", Ask::List, |raw| throttled(raw, Some("86400"))),
    ("throttled_for_ages", Ask::List, |raw| throttled(raw, Some("999999999999"))),
    ("throttle_storm", Ask::List, |raw| throttled(raw, Some("1"))),
    ("throttled_for_ever", Ask::Computes, |raw| throttled(raw, Some("1"))),
    ("graph_throttled", Ask::Graph, |raw| {
        raw.status == 429
            && raw.code() == "RateLimiting"
            && raw.headers.get("x-ms-user-quota-remaining").is_some_and(|left| left == "0")
    }),
    ("burst_of_500", Ask::List, |raw| failed(raw, 500, "InternalServerError")),
    ("burst_of_502_html", Ask::List, |raw| raw.status == 502 && raw.is_html()),
    ("burst_of_503_empty", Ask::List, |raw| raw.status == 503 && raw.body.is_empty()),
    ("burst_of_503_with_a_wait", Ask::List, |raw| {
        failed(raw, 503, "ServerTimeout") && retry_after(raw) == Some("1")
    }),
    ("burst_of_504", Ask::List, |raw| failed(raw, 504, "GatewayTimeout")),
    ("outage", Ask::List, |raw| failed(raw, 503, "ServerTimeout")),
    ("computes_fail", Ask::Computes, |raw| failed(raw, 500, "InternalServerError")),
    ("graph_fails", Ask::Graph, |raw| raw.status == 502 && raw.body.is_empty()),
    ("closed_before_headers", Ask::List, |raw| raw.status == 0 && raw.ended),
    ("closed_for_ever", Ask::Computes, |raw| raw.status == 0 && raw.ended),
    ("bodies_break_off", Ask::List, |raw| {
        raw.status == 200 && raw.ended && !raw.complete && raw.body.len() == 100 && raw.promised().is_none()
    }),
    ("bodies_cut_short", Ask::List, |raw| {
        raw.ended && raw.body.len() == 50 && raw.promised().is_some_and(|all| all > 1000)
    }),
    ("bodies_cut_short_for_ever", Ask::Graph, |raw| {
        raw.ended && raw.body.len() == 1 && raw.promised() > Some(1000)
    }),
    ("body_stalls", Ask::List, |raw| !raw.ended && raw.body.len() == 20 && raw.promised() > Some(1000)),
    ("slow_bodies", Ask::List, |raw| raw.complete && raw.reads >= 10 && rows(raw).len() == GROUPS),
    ("body_drips_for_ever", Ask::List, |raw| !raw.ended && !raw.complete && raw.blanks_at_the_end() >= 5),
    ("body_floods", Ask::List, |raw| {
        !raw.ended && raw.body.len() > 200_000 && raw.blanks_at_the_end() > 100_000
    }),
    ("gzip_garbage", Ask::List, |raw| raw.is_gzip() && raw.inflated().is_err()),
    ("gzip_truncated", Ask::List, |raw| raw.is_gzip() && raw.complete && raw.inflated().is_err()),
    ("gzip_bomb", Ask::List, |raw| {
        raw.is_gzip() && raw.body.len() < 1 << 20 && raw.inflated().is_ok_and(|all| all.len() > 64 << 20)
    }),
    ("html_with_200", Ask::List, |raw| raw.status == 200 && raw.is_html()),
    ("nested_with_200", Ask::List, |raw| {
        raw.status == 200 && raw.body.starts_with(b"{\"value\":[[[[") && raw.body.len() == 200_010
    }),
    ("empty_with_200", Ask::List, |raw| raw.status == 200 && raw.complete && raw.body.is_empty()),
    ("null_with_200", Ask::List, |raw| raw.status == 200 && raw.body == b"null"),
    ("string_with_200", Ask::List, |raw| raw.status == 200 && raw.body == b"\"OK\""),
    ("huge_row", Ask::List, |raw| raw.body.len() > 4 << 20 && rows(raw).len() == GROUPS),
    ("redirected_302", Ask::List, |raw| raw.status == 302 && raw.leads_elsewhere()),
    ("redirected_307", Ask::List, |raw| raw.status == 307 && raw.leads_elsewhere()),
    ("redirected_308", Ask::Graph, |raw| raw.status == 308 && raw.leads_elsewhere()),
    ("empty_pages", Ask::List, |raw| rows(raw).is_empty() && link(raw).starts_with("http://127.0.0.1:")),
    ("next_link_loops", Ask::List, |raw| {
        raw.asked.ends_with(link(raw).split_once("/subscriptions").unwrap_or_default().1)
            && !link(raw).is_empty()
    }),
    ("next_link_to_other_host", Ask::List, |raw| {
        link(raw).starts_with("https://elsewhere.invalid/subscriptions/")
    }),
    ("next_link_over_other_scheme", Ask::List, |raw| link(raw).starts_with("https://127.0.0.1:")),
    ("next_link_to_other_port", Ask::List, |raw| link(raw).starts_with("http://127.0.0.1:9/")),
    ("next_link_is_no_url", Ask::List, |raw| link(raw) == "::no url at all::"),
    ("next_link_is_a_number", Ask::List, |raw| raw.json()["nextLink"] == 7),
    ("pages_repeat_rows_arm", Ask::List, |raw| rows(raw).len() > GROUPS && unique(ids(raw)) == GROUPS),
    ("pages_lose_rows_arm", Ask::List, |raw| (1..GROUPS).contains(&rows(raw).len()) && link(raw).is_empty()),
    ("pages_lose_rows_graph", Ask::Graph, |raw| {
        rows(raw).len() < NETWORKS
            && raw.json()["count"] == rows(raw).len()
            && raw.json()["totalRecords"].as_u64() > Some(3)
    }),
    ("pages_repeat_rows_graph", Ask::Graph, |raw| rows(raw).len() > NETWORKS && unique(ids(raw)) == NETWORKS),
    ("pages_repeat_rows_instead_graph", Ask::Graph, |raw| {
        rows(raw).len() == NETWORKS && unique(ids(raw)) < NETWORKS
    }),
    ("graph_truncated_text", Ask::Graph, |raw| raw.json()["resultTruncated"] == "true"),
    ("graph_truncated_flag", Ask::Graph, |raw| raw.json()["resultTruncated"] == true),
    ("graph_token_loops", Ask::Graph, |raw| raw.json()["$skipToken"] == "armsim-loop"),
    ("graph_miscounts", Ask::Graph, |raw| raw.json()["count"] == NETWORKS + 1 && rows(raw).len() == NETWORKS),
    ("graph_without_total", Ask::Graph, |raw| {
        raw.json().get("totalRecords").is_none() && rows(raw).len() == NETWORKS
    }),
    ("graph_without_data", Ask::Graph, |raw| {
        raw.json().get("data").is_none() && raw.json()["count"] == NETWORKS
    }),
    ("casing_noise", Ask::List, |raw| {
        let mixed = |text: &str| text.contains(char::is_uppercase) && text.contains(char::is_lowercase);
        let types = rows(raw).iter().all(|row| {
            row["type"]
                .as_str()
                .is_some_and(|of| mixed(of) && of.to_lowercase() == "microsoft.network/networksecuritygroups")
        });
        types
            && ids(raw).iter().all(|id| mixed(id))
            && unique(ids(raw)) == GROUPS
            && !ids(raw)[0].starts_with("/subscriptions/")
    }),
    ("rows_repeated_in_other_case", Ask::Graph, |raw| {
        rows(raw).len() > NETWORKS && unique(ids(raw)) == NETWORKS && {
            let all: BTreeSet<String> = ids(raw).into_iter().collect();
            all.len() > NETWORKS
        }
    }),
    ("extra_fields", Ask::List, |raw| {
        rows(raw)
            .iter()
            .all(|row| row["armsimExtra"]["of"][1] == 1 && row["properties"]["armsimExtra"].is_object())
    }),
    ("novel_values", Ask::List, |raw| raw.text().contains("ArmsimNovelty")),
    ("fields_missing", Ask::List, |raw| {
        let rules = ["access", "direction", "protocol"].map(|key| raw.texts_of(key));
        let lists = |key: &str| rows(raw).iter().filter(|row| row["properties"][key].is_array()).count();
        rules[0] != rules[1] || rules[1] != rules[2] || lists("securityRules") < GROUPS
    }),
    ("fields_null", Ask::List, |raw| raw.text().contains(":null")),
    ("fields_of_other_type", Ask::List, |raw| {
        raw.text().contains("\":7,") || raw.text().contains("\":{}") || raw.text().contains("\"seven\"")
    }),
    ("rows_without_id", Ask::List, |raw| rows(raw).len() == GROUPS && ids(raw).len() < GROUPS),
    ("computes_forbidden", Ask::Computes, |raw| {
        failed(raw, 403, "AuthorizationFailed")
            && raw.text().contains("Microsoft.MachineLearningServices/workspaces/computes/read")
    }),
    ("kinds_denied", Ask::Computes, |raw| failed(raw, 403, "AuthorizationFailed")),
    ("kinds_denied_midway", Ask::Computes, |raw| failed(raw, 403, "AuthorizationFailed")),
    ("everything_denied_midway", Ask::List, |raw| failed(raw, 403, "AuthorizationFailed")),
    ("token_expires", Ask::List, |raw| failed(raw, 401, "ExpiredAuthenticationToken")),
    ("token_revoked", Ask::List, |raw| failed(raw, 401, "InvalidAuthenticationToken")),
    ("token_endpoint_fails", Ask::Token, |raw| raw.status == 500),
    ("token_endpoint_is_html", Ask::Token, |raw| raw.status == 200 && raw.is_html()),
    ("token_endpoint_slow", Ask::Token, |raw| raw.reads >= 2 && raw.json()["access_token"].is_string()),
    ("token_expired_at_birth", Ask::Token, |raw| raw.lives_for() < -3500),
    ("token_clock_behind", Ask::Token, |raw| (-7300..-7100).contains(&raw.lives_for())),
    ("token_clock_ahead", Ask::Token, |raw| raw.lives_for() > 315_000_000),
    ("services_of_unknown_type", Ask::Services, |raw| failed(raw, 404, "InvalidResourceType")),
    ("services_without_provider", Ask::Services, |raw| failed(raw, 400, "NoRegisteredProviderFound")),
    ("clock_ahead", Ask::List, |raw| raw.status == 200 && (10_700..10_900).contains(&raw.clock_offset())),
    ("clock_behind_while_throttled", Ask::List, |raw| {
        raw.status == 429 && dated_wait(raw) == Some(1) && (-18_100..-17_900).contains(&raw.clock_offset())
    }),
];

/// Named scenarios that one answer cannot show.
const SHOWN_ELSEWHERE: &[&str] =
    &["subscription_vanishes", "rights_shrink", "rights_shrink_on_call", "late_answers", "bad_day"];

#[test]
fn every_named_scenario_is_looked_at() {
    let mut looked: Vec<&str> =
        SHOWN.iter().map(|(name, ..)| *name).chain(SHOWN_ELSEWHERE.iter().copied()).collect();
    let mut all = Scenario::NAMES.to_vec();
    looked.sort_unstable();
    all.sort_unstable();
    assert_eq!(looked, all);
}

#[tokio::test]
async fn every_named_scenario_shows_what_it_says() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    assert_eq!(ids_of(&estate, "Microsoft.Network/networkSecurityGroups", &prod).len(), GROUPS);
    let options = Options { time_scale: 50.0, ..Options::default() };
    let mut unseen = Vec::new();
    for (name, what, shown) in SHOWN {
        let scenario = Scenario::named(name, 5).expect("it is in the catalogue");
        let azure = serve_scenario(estate.clone(), scenario, options.clone()).await;
        let mut last = None;
        for n in 0..40 {
            let raw = ask(&azure, request(&azure, &prod, *what, n)).await;
            last = (!shown(&raw)).then_some(raw);
            if last.is_none() {
                break;
            }
        }
        if let Some(raw) = last {
            let start: String = raw.text().chars().take(200).collect();
            unseen.push(format!("{name}: {} {:?} {start}", raw.status, raw.headers));
        }
    }
    assert!(unseen.is_empty(), "not seen in 40 answers, the last of which was\n{}", unseen.join("\n"));
}

fn scenario(troubles: &[&str]) -> Scenario {
    Scenario::parse(&troubles.join("\n")).expect("the troubles are well formed")
}

/// Asks until an answer is whole: five times at most, and once more with a new token.
async fn persist(azure: &mut Azure, sent: impl Fn(&Azure) -> wire::Sent) -> Raw {
    let mut renewed = false;
    let mut last = Raw::default();
    for _ in 0..5 {
        last = ask(azure, sent(azure)).await;
        if last.code() == "ExpiredAuthenticationToken" && !renewed {
            renewed = true;
            azure.token = azure.fresh_token().await;
            last = ask(azure, sent(azure)).await;
        }
        if last.status == 200 && last.complete {
            return last;
        }
    }
    panic!("not answered in five tries: {} {}", last.status, last.text());
}

/// The ids of all pages, without case.
async fn listed(azure: &mut Azure, path: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut next = path.to_owned();
    while !next.is_empty() {
        let page = persist(azure, |azure| azure.arm(next.trim_start_matches(azure.server.base_url()))).await;
        all.extend(ids(&page).iter().map(|id| id.to_lowercase()));
        next = link(&page);
    }
    all
}

async fn queried(azure: &mut Azure, query: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut options = json!({"$top": 25});
    loop {
        let page = persist(azure, |azure| azure.graph(query, options.clone(), 0)).await;
        all.extend(ids(&page).iter().map(|id| id.to_lowercase()));
        match page.json()["$skipToken"].as_str() {
            Some(token) => options["$skipToken"] = json!(token),
            None => return all,
        }
    }
}

/// Everything that a small client reads of the demo.
async fn swept(azure: &mut Azure, prod: &str) -> Vec<BTreeSet<String>> {
    let mut all = Vec::new();
    for path in [
        format!(
            "/subscriptions/{prod}/providers/Microsoft.Network/networkSecurityGroups?api-version=2023-09-01"
        ),
        format!(
            "/subscriptions/{prod}/resourceGroups/rg-churn-prod/providers/Microsoft.MachineLearningServices/workspaces/mlw-churn-prod/computes?api-version=2024-10-01"
        ),
        format!(
            "/subscriptions/{prod}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
        ),
        "/subscriptions?api-version=2022-12-01".to_owned(),
    ] {
        all.push(listed(azure, &path).await);
    }
    for table in ["resources", "resourcecontainers"] {
        all.push(
            queried(azure, &format!("{table} | project id, name, type, properties | order by id asc")).await,
        );
    }
    all
}

#[tokio::test]
async fn a_persistent_client_gets_everything_from_every_recoverable_scenario() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    let options = Options { time_scale: 100.0, page_size: 2, ..Options::default() };
    let mut kind = serve(estate.clone(), options.clone()).await;
    let everything = swept(&mut kind, &prod).await;
    assert!(everything.iter().all(|list| !list.is_empty()), "{everything:?}");
    let named = Scenario::NAMES.iter().filter_map(|name| Scenario::named(name, 11));
    let drawn = (0..20).map(Scenario::random);
    let mut struck = 0;
    for scenario in named.chain(drawn).filter(Scenario::recoverable) {
        let mut azure = serve_scenario(estate.clone(), scenario.clone(), options.clone()).await;
        // The second sweep meets troubles too, and a client of a daemon makes many.
        for _ in 0..2 {
            assert_eq!(swept(&mut azure, &prod).await, everything, "{scenario}");
        }
        struck += azure.server.stats().troubles.values().sum::<u64>();
    }
    assert!(struck > 1000, "{struck} troubles");
}

#[test]
fn what_can_be_borne_and_what_nobody_can_notice_is_told() {
    let told = |keep: fn(&Scenario) -> bool| -> Vec<&str> {
        let all =
            Scenario::NAMES.iter().filter(|name| Scenario::named(name, 1).is_some_and(|one| keep(&one)));
        all.copied().collect()
    };
    assert_eq!(told(Scenario::undetectable), ["pages_lose_rows_arm"]);
    assert_eq!(
        told(Scenario::recoverable),
        [
            "throttled",
            "throttled_by_date",
            "throttled_without_a_wait",
            "throttled_soon",
            "throttled_negatively",
            "throttle_storm",
            "graph_throttled",
            "burst_of_500",
            "burst_of_502_html",
            "burst_of_503_empty",
            "burst_of_503_with_a_wait",
            "burst_of_504",
            "closed_before_headers",
            "bodies_break_off",
            "bodies_cut_short",
            "slow_bodies",
            "huge_row",
            "empty_pages",
            "pages_repeat_rows_arm",
            "pages_repeat_rows_graph",
            "casing_noise",
            "rows_repeated_in_other_case",
            "extra_fields",
            "token_expires",
            "token_endpoint_slow",
            "token_clock_behind",
            "token_clock_ahead",
            "clock_ahead",
            "clock_behind_while_throttled",
            "late_answers",
            "bad_day",
        ]
    );
    assert!(Scenario::default().recoverable() && !Scenario::default().undetectable());
}

/// What came of each request, asked four times, without what numbers and dates the answers.
async fn outcomes(estate: &Estate, scenario: &Scenario, order: &[usize]) -> BTreeMap<usize, Vec<String>> {
    let azure = serve_scenario(estate.clone(), scenario.clone(), Options::default()).await;
    let prod = subscription(estate, "ml-prod");
    let azure = std::sync::Arc::new(azure);
    let mut tasks = tokio::task::JoinSet::new();
    for &n in order {
        let (azure, prod) = (azure.clone(), prod.clone());
        tasks.spawn(async move {
            let what = [Ask::List, Ask::Graph, Ask::Computes][n % 3];
            let mut came = Vec::new();
            for _ in 0..4 {
                let raw = ask(&azure, request(&azure, &prod, what, n)).await;
                let body = raw.text().replace(azure.server.base_url(), "");
                came.push(format!("{} {} {body}", raw.status, raw.complete));
            }
            (n, came)
        });
    }
    tasks.join_all().await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seed_decides_whatever_the_order_of_concurrent_requests() {
    let (estate, _) = company::demo();
    let mut unkind = scenario(&[
        "throttle,probability=0.2,tries=2",
        "answer,status=503,body=empty,probability=0.2",
        "cut_short,at=40,probability=0.2",
        "lose_rows,share=0.3,probability=0.5",
        "casing,probability=0.5",
        "damage,how=type,share=0.5,probability=0.5",
        "empty_page,probability=0.2",
    ]);
    unkind.seed = 42;
    let forth: Vec<usize> = (0..24).collect();
    let back: Vec<usize> = forth.iter().rev().copied().collect();
    let first = outcomes(&estate, &unkind, &forth).await;
    assert_eq!(outcomes(&estate, &unkind, &back).await, first);
    let other = Scenario { seed: 43, ..unkind };
    assert_ne!(outcomes(&estate, &other, &forth).await, first);
}

#[tokio::test]
async fn after_and_times_count_matching_requests_and_tries_the_same_one() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    let counted = scenario(&["answer,status=500,kind=computes,after=2,times=3"]);
    let azure = serve_scenario(estate.clone(), counted, Options::default()).await;
    let mut statuses = Vec::new();
    for n in 0..7 {
        assert_eq!(ask(&azure, request(&azure, &prod, Ask::List, n)).await.status, 200);
        statuses.push(ask(&azure, request(&azure, &prod, Ask::Computes, n)).await.status == 500);
    }
    assert_eq!(statuses, [false, false, true, true, true, false, false]);
    assert_eq!(azure.server.stats().troubles["answer"], 3);

    let tried = scenario(&["answer,status=500,tries=2", "answer,status=502,tries=3"]);
    let azure = serve_scenario(estate, tried, Options::default()).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(ask(&azure, request(&azure, &prod, Ask::List, 0)).await.status);
    }
    assert_eq!(statuses, [500, 500, 502, 200, 500, 500, 502, 200]);
    assert_eq!(ask(&azure, request(&azure, &prod, Ask::List, 1)).await.status, 500);
}

#[tokio::test]
async fn an_empty_page_leads_to_the_page_itself_and_a_looping_token_to_the_same_rows() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    let unkind = scenario(&["empty_page", "graph_says,lie=token_loop"]);
    let azure = serve_scenario(estate, unkind, Options::default()).await;
    let empty = ask(&azure, request(&azure, &prod, Ask::List, 0)).await;
    assert_eq!(rows(&empty).len(), 0);
    let page = ask(&azure, azure.arm(link(&empty).trim_start_matches(azure.server.base_url()))).await;
    assert_eq!((rows(&page).len(), link(&page)), (GROUPS, String::new()));

    let query = "resources | project id | order by id asc";
    let first = ask(&azure, azure.graph(query, json!({"$top": 2}), 0)).await;
    let token = first.json()["$skipToken"].clone();
    let second = ask(&azure, azure.graph(query, json!({"$top": 2, "$skipToken": token}), 0)).await;
    assert_eq!((ids(&second).len(), ids(&second), &second.json()["$skipToken"]), (2, ids(&first), &token));
}

/// The exclusions that the caller's own permissions name.
async fn not_granted(azure: &Azure, subscription: &str) -> Vec<String> {
    let path = format!(
        "/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
    );
    let answer = azure.get(&path).await;
    assert_eq!(answer.status, 200);
    let refused = answer.body["value"][0]["notActions"].as_array().cloned().unwrap_or_default();
    refused.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

const GROUPS_IN_GRAPH: &str =
    "resources | where type =~ 'microsoft.network/networksecuritygroups' | project id | order by id asc";

#[tokio::test]
async fn rights_that_shrink_leave_rows_out_without_an_error() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    for name in ["rights_shrink", "rights_shrink_on_call"] {
        let azure =
            serve_scenario(estate.clone(), Scenario::named(name, 1).expect(name), Options::default()).await;
        assert_eq!(not_granted(&azure, &prod).await, Vec::<String>::new(), "{name}");
        assert!(azure.query(GROUPS_IN_GRAPH, json!({})).await.ids().len() > GROUPS, "{name}");
        for n in 3..=10 {
            assert_eq!(
                rows(&ask(&azure, request(&azure, &prod, Ask::List, n)).await).len(),
                GROUPS,
                "{name}"
            );
        }
        if name == "rights_shrink_on_call" {
            azure.server.shrink_rights();
        }
        let list = ask(&azure, request(&azure, &prod, Ask::List, 11)).await;
        assert_eq!((list.status, rows(&list).len()), (200, 0), "{name}");
        let graph = azure.query(GROUPS_IN_GRAPH, json!({})).await;
        assert_eq!((graph.status, &graph.body["totalRecords"]), (200, &json!(0)), "{name}");
        let lost = not_granted(&azure, &prod).await;
        assert!(
            lost.contains(&"Microsoft.Network/networkSecurityGroups/read".to_owned()),
            "{name}: {lost:?}"
        );
        let others = azure
            .query("resources | where type =~ 'microsoft.network/virtualnetworks' | project id", json!({}));
        assert!(!others.await.ids().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_subscription_vanishes_from_arm_with_an_error_and_from_resource_graph_without() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    let path = "/subscriptions?api-version=2022-12-01";
    let chosen = scenario(&[&format!("vanish,subscription={prod},after=2")]);
    let azure = serve_scenario(estate.clone(), chosen, Options::default()).await;
    let before = azure.get(path).await.ids().len();
    assert_eq!(ask(&azure, request(&azure, &prod, Ask::List, 0)).await.status, 200);
    let gone = ask(&azure, request(&azure, &prod, Ask::List, 0)).await;
    assert!(failed(&gone, 404, "SubscriptionNotFound"));
    assert_eq!(azure.get(path).await.ids().len(), before - 1);
    let rows = azure.query(GROUPS_IN_GRAPH, json!({})).await;
    assert!(rows.status == 200 && !rows.ids().is_empty());
    assert!(rows.ids().iter().all(|id| !id.contains(&prod)));

    // The catalogue's one is drawn from those with a workspace, after twenty requests.
    let azure = serve_scenario(
        estate,
        Scenario::named("subscription_vanishes", 1).expect("named"),
        Options::default(),
    )
    .await;
    for _ in 0..20 {
        assert_eq!(azure.get(path).await.ids().len(), before);
    }
    assert_eq!(azure.get(path).await.ids().len(), before - 1);
}

#[tokio::test]
async fn a_denied_kind_is_missing_from_resource_graph_and_named_by_the_permissions() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    let named = Scenario::named("kinds_denied", 1).expect("named");
    let azure = serve_scenario(estate, named, Options::default()).await;
    let graph = azure.query(GROUPS_IN_GRAPH, json!({})).await;
    assert_eq!((graph.status, graph.ids().len()), (200, 0));
    let refused = not_granted(&azure, &prod).await;
    assert!(refused.contains(&"Microsoft.Authorization/roleAssignments/read".to_owned()), "{refused:?}");
}

#[tokio::test]
async fn a_token_that_is_expired_at_birth_is_refused_and_one_of_a_wrong_clock_is_taken() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    for (name, status) in
        [("token_expired_at_birth", 401), ("token_clock_behind", 200), ("token_clock_ahead", 200)]
    {
        let named = Scenario::named(name, 1).expect("named");
        let mut azure = serve_scenario(estate.clone(), named, Options::default()).await;
        azure.token = azure.fresh_token().await;
        assert_eq!(ask(&azure, request(&azure, &prod, Ask::List, 0)).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn answers_come_late() {
    let (estate, _) = company::demo();
    let prod = subscription(&estate, "ml-prod");
    // Of ten draws below 30 seconds, at a hundred seconds of Azure in one, some are above 30 milliseconds.
    let azure = serve_scenario(
        estate,
        scenario(&["latency,milliseconds=30000"]),
        Options { time_scale: 100.0, ..Options::default() },
    )
    .await;
    let began = std::time::Instant::now();
    for n in 0..10 {
        assert_eq!(ask(&azure, request(&azure, &prod, Ask::List, n)).await.status, 200);
    }
    assert!(began.elapsed() >= std::time::Duration::from_millis(300), "a sleep is never too short");
}

#[test]
fn a_scenario_is_read_from_json_and_from_lines() {
    let listed = r#"[{"seed": 9, "name": "mine"},
        {"trouble": "throttle", "kind": "computes", "probability": 0.3, "retry_after": "date:5"}, {"trouble": "casing"}]"#;
    let lines = "# mine\n{\"seed\": 9, \"name\": \"mine\"}\n\nthrottle,kind=computes,probability=0.3,retry_after=date:5\n{\"trouble\": \"casing\"}\n";
    let read = Scenario::parse(listed).expect("the list is well formed");
    assert_eq!(Scenario::parse(lines), Ok(read.clone()));
    assert_eq!((read.name.as_str(), read.seed, read.troubles.len()), ("mine", 9, 2));
    assert_eq!(Scenario::parse(&read.to_string()), Ok(read));
}

#[test]
fn what_cannot_be_meant_is_told_with_its_place() {
    for (text, told) in [
        ("throtle", "throtle: unknown variant `throtle`, expected one of `throttle`"),
        ("", "a trouble needs a name"),
        ("throttle,often", "throttle: 'often' is not of the form key=value"),
        ("throttle,rety_after=1", "throttle: unknown field `rety_after`, expected `retry_after`"),
        ("throttle,retry_after=date:x", "retry_after 'date:x' has no number of seconds after 'date:'"),
        ("throttle,probability=2", "throttle: probability 2 is not between 0 and 1"),
        ("throttle,probability=often", "throttle: probability \"often\" is not between 0 and 1"),
        ("throttle,kind=computers", "throttle: kind 'computers' is not among the kinds of the statistics"),
        ("throttle,api=rest", "throttle: api 'rest' is neither 'arm' nor 'graph'"),
        ("throttle,after=-1", "throttle: after -1 is not a whole number"),
        ("throttle,after=1,after=2", "throttle: 'after' is given twice"),
        ("throttle,seed=x", "throttle: seed \"x\" is not a whole number"),
        ("answer", "answer: missing field `status`"),
        ("answer,status=99", "answer: status 99 is not between 200 and 599"),
        ("answer,status=200,body=xml", "unknown variant `xml`, expected one of `recorded`"),
        ("redirect,status=200", "redirect: status 200 is not between 300 and 399"),
        ("lose_rows,share=3", "lose_rows: share 3 is not between 0 and 1"),
        ("deny,of=computers", "of: 'computers' is neither 'all' nor a kind of record"),
        ("deny,of=computes,probability=0.5", "'tries' and 'probability' mean nothing"),
        ("close,at=3", "close: unknown field `at`"),
        ("slow,seconds=1,pieces=0", "slow: pieces: a body comes in one piece at least"),
    ] {
        let error = text.parse::<Trouble>().expect_err(text);
        assert!(error.contains(told), "{text}: {error}");
    }
    for (text, told) in [
        ("[", "the scenario is no JSON list"),
        ("[{\"trouble\": \"casing\"}, 7]", "trouble 2: 7 is no object"),
        ("casing\n{", "line 2: no JSON"),
        ("casing\n\nclose,at=3", "line 3: close: unknown field `at`"),
        ("{\"sed\": 3}", "line 1: 'sed' is neither the scenario's name nor its seed"),
    ] {
        let error = Scenario::parse(text).expect_err(text);
        assert!(error.starts_with(told), "{text}: {error}");
    }
    assert_eq!(Scenario::named("no such thing", 1), None);
}
