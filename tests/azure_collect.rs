//! The collection against a loopback Azure of a few subscriptions, one kind of trouble per test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mlfence::azure::{Client, CollectError, Collected};
use mlfence::config::{Config, Credential, Endpoints, SecretSource, Selection};
use mlfence::inventory::authorization::AskAssignedTo;
use mlfence::inventory::{Coverage, Depth, GapReason, Kind, ObjectId, ResourceId, Snapshot};
use serde_json::{Value, json};

use fake::{Call, Fake, Reply};

const S1: &str = "00000000-0000-0000-0000-000000000001";
const S2: &str = "00000000-0000-0000-0000-000000000002";
const S3: &str = "00000000-0000-0000-0000-000000000003";
const SECRET: &str = "the-client-secret";

/// A listener that answers as a script says, else as a healthy estate would.
mod fake {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    #[derive(Clone, Debug)]
    pub(crate) struct Call {
        pub(crate) method: String,
        pub(crate) path: String,
        pub(crate) query: String,
        pub(crate) headers: BTreeMap<String, String>,
        pub(crate) body: Value,
        /// How many calls of the same method and path came before.
        pub(crate) before: usize,
        /// Where this server listens.
        pub(crate) base: String,
    }

    pub(crate) enum Reply {
        Json(u16, Vec<(&'static str, String)>, Value),
        Text(u16, Vec<(&'static str, String)>, &'static str),
        /// Promises more than it sends.
        Cut(&'static str),
        /// Never answers.
        Hang,
        /// Sends without end.
        Flood,
    }

    impl Reply {
        pub(crate) fn ok(body: Value) -> Self {
            Reply::Json(200, Vec::new(), body)
        }
    }

    type Script = Box<dyn Fn(&Call) -> Reply + Send + Sync>;

    pub(crate) struct Fake {
        pub(crate) base: String,
        calls: Arc<Mutex<Vec<Call>>>,
        under_way: Arc<Mutex<UnderWay>>,
        task: tokio::task::JoinHandle<()>,
    }

    /// Requests that are being answered, and the most at any time.
    #[derive(Default)]
    struct UnderWay {
        now: usize,
        most: usize,
    }

    impl Fake {
        pub(crate) async fn start(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            let base = format!("http://{}", listener.local_addr().expect("an address"));
            let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
            let script: Arc<Script> = Arc::new(Box::new(script));
            let under_way: Arc<Mutex<UnderWay>> = Arc::default();
            let (seen, at, count) = (calls.clone(), base.clone(), under_way.clone());
            let task = tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, seen.clone(), script.clone(), at.clone(), count.clone()));
                }
            });
            Self { base, calls, under_way, task }
        }

        pub(crate) fn calls(&self) -> Vec<Call> {
            self.calls.lock().expect("no panic").clone()
        }

        /// The most requests that were under way at any time.
        pub(crate) fn most_under_way(&self) -> usize {
            self.under_way.lock().expect("no panic").most
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    async fn serve(
        mut stream: TcpStream,
        seen: Arc<Mutex<Vec<Call>>>,
        script: Arc<Script>,
        base: String,
        under_way: Arc<Mutex<UnderWay>>,
    ) {
        let Some(mut call) = read(&mut stream, base).await else { return };
        {
            let mut seen = seen.lock().expect("no panic");
            call.before =
                seen.iter().filter(|old| (&old.method, &old.path) == (&call.method, &call.path)).count();
            seen.push(call.clone());
        }
        {
            let mut count = under_way.lock().expect("no panic");
            count.now += 1;
            count.most = count.most.max(count.now);
        }
        // Lets others arrive; the count falls before the answer leaves, so that it never overstates.
        tokio::task::yield_now().await;
        under_way.lock().expect("no panic").now -= 1;
        let (status, headers, body, promised) = match script(&call) {
            Reply::Json(status, headers, body) => (status, headers, body.to_string(), None),
            Reply::Text(status, headers, body) => (status, headers, body.to_owned(), None),
            Reply::Cut(body) => (200, Vec::new(), body.to_owned(), Some(body.len() + 100)),
            Reply::Hang => return std::future::pending().await,
            Reply::Flood => {
                let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
                let mut sent = stream.write_all(head).await;
                let spaces = vec![b' '; 1 << 20];
                while sent.is_ok() {
                    sent = stream.write_all(&spaces).await;
                }
                return;
            }
        };
        let mut head = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n",
            promised.unwrap_or(body.len())
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    async fn read(stream: &mut TcpStream, base: String) -> Option<Call> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = serde_json::from_slice(&bytes[end..]).unwrap_or(Value::Null);
        Some(Call { method, path: path.to_owned(), query: query.to_owned(), headers, body, before: 0, base })
    }
}

fn workspace(subscription: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/{name}"
    )
}

fn nsg(number: usize) -> Value {
    let id = format!(
        "/subscriptions/{S1}/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg{number:03}"
    );
    json!({"id": id, "type": "microsoft.network/networksecuritygroups", "subscriptionId": S1, "location": "westeurope"})
}

/// What Resource Graph knows: two subscriptions, three workspaces, five NSGs, a role.
fn rows() -> Vec<Value> {
    let mut rows: Vec<Value> = [S1, S2, S3]
        .iter()
        .map(|id| {
            let group = if *id == S1 { "mg-prod" } else { "mg-dev" };
            let chain = json!([{"name": group, "displayName": format!("Display {group}")}, {"name": "root", "displayName": "Tenant Root Group"}]);
            json!({"id": format!("/subscriptions/{id}"), "type": "microsoft.resources/subscriptions", "subscriptionId": id,
                   "name": format!("Sub {id}"), "properties": {"managementGroupAncestorsChain": chain}})
        })
        .collect();
    for (subscription, name) in [(S1, "ws-a"), (S1, "ws-b"), (S2, "ws-c")] {
        rows.push(json!({"id": workspace(subscription, name), "type": "microsoft.machinelearningservices/workspaces",
                         "subscriptionId": subscription, "location": "northeurope", "properties": {}}));
    }
    rows.extend((0..5).map(nsg));
    rows.push(
        json!({"id": "/providers/Microsoft.Authorization/RoleDefinitions/reader", "subscriptionId": "",
                     "type": "microsoft.authorization/roledefinitions"}),
    );
    rows
}

fn error(status: u16, code: &str) -> Reply {
    Reply::Json(
        status,
        vec![("retry-after", "0".into())],
        json!({"error": {"code": code, "message": "Words."}}),
    )
}

fn authorization_failed(action: &str, scope: &str) -> Reply {
    let message = format!(
        "The client 'jane@contoso.com' with object id 'x' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid."
    );
    Reply::Json(403, Vec::new(), json!({"error": {"code": "AuthorizationFailed", "message": message}}))
}

/// The answers of a healthy estate.
fn healthy(call: &Call) -> Reply {
    if call.path.ends_with("/oauth2/v2.0/token") {
        return Reply::ok(
            json!({"access_token": format!("TOKEN{}", call.before), "expires_in": 3600, "token_type": "Bearer"}),
        );
    }
    if !call.headers.get("authorization").is_some_and(|value| value.starts_with("Bearer TOKEN")) {
        return error(401, "AuthenticationFailed");
    }
    if call.path == "/providers/Microsoft.ResourceGraph/resources" {
        return graph(call, rows());
    }
    if call.path == "/subscriptions" {
        let of = |id: &&str| json!({"id": format!("/subscriptions/{id}"), "subscriptionId": id, "displayName": format!("Sub {id}"), "tenantId": "tenant", "state": "Enabled"});
        let listed: Vec<Value> = [S1, S2].iter().map(of).collect();
        return Reply::ok(json!({"value": listed}));
    }
    if call.path.ends_with("/permissions") {
        return Reply::ok(json!({"value": [{"actions": ["*/read"], "notActions": []}], "nextLink": null}));
    }
    if call.path.ends_with("/serviceTags") {
        let id = format!("/subscriptions/{S1}/providers/Microsoft.Network/serviceTags/Public");
        return Reply::ok(
            json!({"id": id, "name": "Public", "type": "Microsoft.Network/serviceTags", "values": [{"name": "AzureCloud"}]}),
        );
    }
    if call.path.ends_with("/computes") {
        return Reply::ok(json!({"value": [compute(&call.path, "c1")]}));
    }
    Reply::ok(json!({"value": []}))
}

fn compute(list: &str, name: &str) -> Value {
    json!({"id": format!("{list}/{name}"), "name": name, "type": "Microsoft.MachineLearningServices/workspaces/computes"})
}

/// Resource Graph: filters by type and subscription, and pages by `$top`.
fn graph(call: &Call, rows: Vec<Value>) -> Reply {
    assert_eq!(call.headers.get("content-type").map(String::as_str), Some("application/json"));
    assert_eq!(call.body["options"]["resultFormat"], "objectArray");
    let query = call.body["query"].as_str().expect("a query");
    let subscriptions: Vec<&str> =
        call.body["subscriptions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let asked = |row: &&Value| {
        let of = row["subscriptionId"].as_str().unwrap_or_default();
        query.contains(&format!("'{}'", row["type"].as_str().unwrap_or_default()))
            && (of.is_empty() || subscriptions.contains(&of))
    };
    let found: Vec<&Value> = rows.iter().filter(asked).collect();
    let top = usize::try_from(call.body["options"]["$top"].as_u64().expect("a $top")).expect("small");
    let from: usize =
        call.body["options"]["$skipToken"].as_str().map_or(0, |token| token.parse().expect("our token"));
    let page: Vec<&&Value> = found.iter().skip(from).take(top).collect();
    let mut body = json!({"totalRecords": found.len(), "count": page.len(), "data": page, "facets": [], "resultTruncated": "false"});
    if from + page.len() < found.len() {
        body["$skipToken"] = json!((from + page.len()).to_string());
    }
    Reply::ok(body)
}

fn asks_for(call: &Call, arm_type: &str) -> bool {
    call.body["query"].as_str().is_some_and(|query| query.contains(&format!("'{arm_type}'")))
}

fn config(base: &str) -> (Config, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{SECRET}\n")).expect("written");
    let mut config = Config {
        endpoints: Some(Endpoints {
            resource_manager: base.parse().expect("a URL"),
            authority: base.parse().expect("a URL"),
        }),
        credential: Credential::ClientSecret {
            tenant_id: "00000000-0000-0000-0000-0000000000aa".into(),
            client_id: "client".into(),
            secret: SecretSource::File(file.path().to_owned()),
        },
        ..Config::default()
    };
    config.collection.deadline = Duration::from_secs(120);
    (config, file)
}

async fn sweep(config: &Config, earlier: &[&str]) -> Result<Collected, CollectError> {
    sweep_at(config, Depth::Rules, earlier).await
}

async fn sweep_at(config: &Config, depth: Depth, earlier: &[&str]) -> Result<Collected, CollectError> {
    let earlier: BTreeSet<String> = earlier.iter().map(|id| (*id).to_owned()).collect();
    let client = Client::new(config)?.with_depth(depth).at_speed(100.0);
    client.sweep(&earlier, time::macros::datetime!(2026-11-25 10:00:00.5 +1), &|_| {}).await
}

async fn collect(fake: &Fake) -> Snapshot {
    let (config, _file) = config(&fake.base);
    sweep(&config, &[]).await.expect("a sweep").snapshot
}

/// The kinds that a sweep for rules asks for.
fn kinds_of_rules() -> BTreeSet<Kind> {
    Kind::ALL.iter().copied().filter(|kind| Depth::Rules.asks(*kind)).collect()
}

fn gaps(snapshot: &Snapshot) -> Vec<(Kind, String, GapReason, String)> {
    let gaps = snapshot.gaps.iter();
    gaps.map(|gap| (gap.source, gap.scope.key().to_owned(), gap.reason, gap.detail.clone())).collect()
}

fn gap(kind: Kind, scope: &str, reason: GapReason, detail: &str) -> (Kind, String, GapReason, String) {
    (kind, scope.to_ascii_lowercase(), reason, detail.to_owned())
}

fn of_kind(snapshot: &Snapshot, kind: Kind) -> Vec<&str> {
    snapshot
        .records
        .values()
        .filter(|record| record.kind() == Some(kind))
        .map(|record| record.id().name())
        .collect()
}

fn scope(subscription: &str) -> String {
    format!("/subscriptions/{subscription}")
}

#[tokio::test]
async fn a_healthy_estate_is_read_without_a_gap_and_twice_the_same() {
    let fake = Fake::start(healthy).await;
    let (config, _file) = config(&fake.base);
    let client = Client::new(&config).expect("a client");
    let now = time::macros::datetime!(2026-11-25 10:00:00.5 +1);
    let seen = std::sync::Mutex::new(Vec::new());
    let first = client
        .sweep(&BTreeSet::new(), now, &|progress| seen.lock().expect("ours").push(progress))
        .await
        .expect("a sweep");
    assert_eq!(gaps(&first.snapshot), []);
    let header = &first.snapshot.header;
    assert_eq!(
        (header.taken_at.as_str(), header.tenant_id.as_deref()),
        ("2026-11-25T09:00:00Z", Some("tenant"))
    );
    assert_eq!(header.subscriptions.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [S1, S2]);
    assert_eq!(header.kinds.keys().copied().collect::<BTreeSet<_>>(), kinds_of_rules());
    assert_eq!(header.projection.as_deref(), Some("rules/2"));
    assert_eq!(header.kinds[&Kind::Services].api_version.as_deref(), Some("2021-04-01"));
    assert_eq!(of_kind(&first.snapshot, Kind::Workspaces), ["ws-a", "ws-b", "ws-c"]);
    assert_eq!(of_kind(&first.snapshot, Kind::Computes), ["c1", "c1", "c1"]);
    assert_eq!(of_kind(&first.snapshot, Kind::RoleDefinitions), ["reader"]);
    assert_eq!(of_kind(&first.snapshot, Kind::ServiceTags), ["Public"]);
    let subscription = &first.snapshot.records[&ResourceId::subscription_scope(S1)];
    assert_eq!(
        subscription.body()["state"],
        "Enabled",
        "the list's fields and Resource Graph's are laid together"
    );
    assert_eq!(subscription.body()["properties"]["managementGroupAncestorsChain"][0]["name"], "mg-prod");
    let last = *seen.lock().expect("ours").last().expect("progress");
    assert_eq!((last.done, last.to_string().as_str()), (last.of, "checking rights once more (2/2)"));

    let numbers = &first.numbers;
    assert_eq!(
        (numbers.requests["computes"], numbers.requests["permissions"], numbers.requests["token"]),
        (3, 4, 1)
    );
    assert_eq!((numbers.requests["service_tags"], numbers.retries, numbers.failures.len()), (1, 0, 0));
    for call in fake.calls() {
        let sign_in = call.path.ends_with("/oauth2/v2.0/token");
        let query = call.path == "/providers/Microsoft.ResourceGraph/resources";
        assert_eq!(call.method == "POST", sign_in || query, "{} {}", call.method, call.path);
        assert!(sign_in || call.query.starts_with("api-version=20"), "{}?{}", call.path, call.query);
        assert!(sign_in || call.headers["user-agent"].starts_with("mlfence/"), "{:?}", call.headers);
    }
    assert!(fake.calls().iter().any(|call| call.path.ends_with("/locations/northeurope/serviceTags")));

    let second = client.sweep(&BTreeSet::new(), now, &|_| {}).await.expect("a sweep");
    assert!(!second.numbers.requests.contains_key("token"), "the token is kept between sweeps");
    let bytes = |snapshot: &Snapshot| {
        let mut out = Vec::new();
        snapshot.write(&mut out).expect("written");
        out
    };
    assert_eq!(bytes(&first.snapshot), bytes(&second.snapshot));
}

#[tokio::test]
async fn a_sweep_can_be_spawned() {
    let fake = Fake::start(healthy).await;
    let (config, _file) = config(&fake.base);
    let task = tokio::spawn(async move {
        let client = Client::new(&config)?;
        let now = time::OffsetDateTime::UNIX_EPOCH;
        mlfence::sweep::run(&client, &config.expectations, &BTreeSet::new(), now, &|_| {}).await
    });
    assert!(task.await.expect("no panic").is_ok());
}

#[tokio::test]
async fn pages_are_turned_even_over_an_empty_one() {
    let fake = Fake::start(|call| {
        let next = |page: &str| format!("{}{}?api-version=2024-10-01&$skipToken={page}", call.base, call.path);
        match (call.path.ends_with("ws-a/computes"), call.query.rsplit('=').next()) {
            (false, _) if asks_for(call, "microsoft.network/networksecuritygroups") => {
                let mut small = call.clone();
                small.body["options"]["$top"] = json!(2);
                graph(&small, rows())
            }
            (false, _) => healthy(call),
            (true, Some("a%2Bb")) => Reply::ok(json!({"value": [], "nextLink": next("third")})),
            (true, Some("third")) => Reply::ok(json!({"value": [compute(&call.path, "c3")], "nextLink": ""})),
            (true, _) => Reply::ok(json!({"value": [compute(&call.path, "c1"), compute(&call.path, "c2")], "nextLink": next("a%2Bb")})),
        }
    })
    .await;
    let snapshot = collect(&fake).await;
    assert_eq!(gaps(&snapshot), []);
    assert_eq!(of_kind(&snapshot, Kind::Computes), ["c1", "c2", "c3", "c1", "c1"]);
    assert_eq!(of_kind(&snapshot, Kind::NetworkSecurityGroups).len(), 5);
}

#[tokio::test]
async fn a_foreign_link_never_sees_the_token() {
    let thief = Fake::start(|_| Reply::ok(json!({"value": []}))).await;
    let link = format!("{}/subscriptions/x?api-version=1", thief.base);
    let fake = Fake::start(move |call| match call.path.ends_with("ws-a/computes") {
        true => Reply::ok(json!({"value": [compute(&call.path, "c1")], "nextLink": link})),
        false if call.path.ends_with("ws-a/services") => {
            Reply::Text(302, vec![("location", link.clone())], "")
        }
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    assert_eq!(thief.calls().len(), 0);
    let foreign = "a nextLink leads away from the configured Azure Resource Manager and was not followed";
    let expected = [
        gap(Kind::Computes, &workspace(S1, "ws-a"), GapReason::Malformed, foreign),
        gap(Kind::Services, &workspace(S1, "ws-a"), GapReason::Malformed, "HTTP 302"),
    ];
    assert_eq!(gaps(&snapshot), expected);
    assert_eq!(of_kind(&snapshot, Kind::Computes).len(), 3, "the rows before the lost page are kept");
}

#[tokio::test]
async fn links_in_a_circle_end() {
    let fake = Fake::start(|call| match call.path.ends_with("ws-c/computes") {
        true => {
            let link = format!("{}{}?api-version=1&$skip=1", call.base, call.path);
            Reply::ok(json!({"value": [compute(&call.path, "c1")], "nextLink": link}))
        }
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    assert_eq!(
        gaps(&snapshot),
        [gap(Kind::Computes, &workspace(S2, "ws-c"), GapReason::Malformed, "a nextLink came twice")]
    );
    assert_eq!(fake.calls().iter().filter(|call| call.path.ends_with("ws-c/computes")).count(), 2);
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let fake = Fake::start(|call| match call.before {
        0 if call.path.ends_with("/roleAssignments") => error(429, "SubscriptionRequestsThrottled"),
        0 | 1 if call.path.ends_with("/resources") => error(429, "RateLimiting"),
        _ => healthy(call),
    })
    .await;
    let (config, _file) = config(&fake.base);
    let collected = sweep(&config, &[]).await.expect("a sweep");
    assert_eq!(gaps(&collected.snapshot), []);
    assert_eq!((collected.numbers.retries, collected.numbers.failures.len()), (4, 0));
}

#[tokio::test]
async fn endless_throttling_becomes_a_gap() {
    let fake = Fake::start(|call| match call.path.as_str() {
        path if path.ends_with("/denyAssignments") => error(429, "SubscriptionRequestsThrottled"),
        // Longer than the sweep may last: there is no point in waiting.
        path if path.ends_with("/roleAssignments") && path.contains(S2) => Reply::Json(
            429,
            vec![("retry-after", "86400".into())],
            json!({"error": {"code": "SubscriptionRequestsThrottled"}}),
        ),
        _ => healthy(call),
    })
    .await;
    let (mut config, _file) = config(&fake.base);
    config.collection.deadline = Duration::from_secs(50);
    let collected = sweep(&config, &[]).await.expect("a sweep");
    let found = gaps(&collected.snapshot);
    for (kind, subscription) in [(Kind::DenyAssignments, S1), (Kind::RoleAssignments, S2)] {
        let expected = gap(kind, &scope(subscription), GapReason::Throttled, "SubscriptionRequestsThrottled");
        assert!(found.contains(&expected), "{found:?}");
    }
    let asked = fake
        .calls()
        .iter()
        .filter(|call| call.path.ends_with("/denyAssignments") && call.path.contains(S1))
        .count();
    assert_eq!(asked, 5);
    assert_eq!(collected.numbers.failures["throttled"], 3);
}

#[tokio::test]
async fn refusals_name_the_missing_right_and_no_person() {
    let fake = Fake::start(|call| match call.path.rsplit('/').next() {
        Some("services") => authorization_failed(
            "Microsoft.MachineLearningServices/workspaces/services/read",
            &call.path[..call.path.len() - "/services".len()],
        ),
        Some("outboundRules") if call.path.contains("ws-a") => error(404, "ResourceNotFound"),
        Some("outboundRules") => error(404, "InvalidResourceType"),
        Some("denyAssignments") => error(409, "MissingSubscriptionRegistration"),
        _ => healthy(call),
    })
    .await;
    let (config, _file) = config(&fake.base);
    let snapshot = sweep_at(&config, Depth::Everything, &[]).await.expect("a sweep").snapshot;
    let services = |scope: &str| {
        format!(
            "AuthorizationFailed: missing Microsoft.MachineLearningServices/workspaces/services/read on {}",
            scope.to_ascii_lowercase()
        )
    };
    let expected = [
        gap(Kind::Services, &scope(S1), GapReason::Denied, &services(&scope(S1))),
        gap(Kind::Services, &workspace(S2, "ws-c"), GapReason::Denied, &services(&workspace(S2, "ws-c"))),
        gap(Kind::OutboundRules, &workspace(S1, "ws-a"), GapReason::NotFound, "ResourceNotFound: Words"),
        gap(
            Kind::OutboundRules,
            &workspace(S1, "ws-b"),
            GapReason::Unsupported,
            "InvalidResourceType: Words",
        ),
        gap(
            Kind::OutboundRules,
            &workspace(S2, "ws-c"),
            GapReason::Unsupported,
            "InvalidResourceType: Words",
        ),
        // Authorization is registered everywhere: the answer proves nothing, least of all that nothing is denied.
        gap(
            Kind::DenyAssignments,
            &scope(S1),
            GapReason::Unsupported,
            "MissingSubscriptionRegistration: Words",
        ),
        gap(
            Kind::DenyAssignments,
            &scope(S2),
            GapReason::Unsupported,
            "MissingSubscriptionRegistration: Words",
        ),
    ];
    assert_eq!(gaps(&snapshot), expected);
}

#[tokio::test]
async fn a_subscription_that_hides_its_rights_is_a_gap_of_everything() {
    let fake = Fake::start(|call| match call.path.ends_with("/permissions") && call.path.contains(S2) {
        true => authorization_failed("Microsoft.Authorization/permissions/read", &scope(S2)),
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let detail =
        format!("AuthorizationFailed: missing Microsoft.Authorization/permissions/read on {}", scope(S2));
    let kinds = kinds_of_rules().into_iter().filter(|kind| *kind != Kind::ServiceTags);
    let expected: Vec<_> = kinds.map(|kind| gap(kind, &scope(S2), GapReason::Denied, &detail)).collect();
    assert_eq!(gaps(&snapshot), expected);
    assert_eq!(
        fake.calls().iter().filter(|call| call.path.contains(S2) && call.method == "GET").count(),
        1,
        "nothing else is asked there"
    );
}

#[tokio::test]
async fn missing_rights_are_partial_whatever_the_lists_say() {
    let fake = Fake::start(|call| match call.path.ends_with("/permissions") && call.path.contains(S1) {
        true => Reply::ok(json!({"value": [
            {"actions": ["*/read"], "notActions": ["Microsoft.MachineLearningServices/workspaces/read", "Microsoft.Network/virtualNetworks/*"]},
        ]})),
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let workspaces = "missing Microsoft.MachineLearningServices/workspaces/read on the whole subscription";
    let networks = "missing Microsoft.Network/virtualNetworks/read on the whole subscription";
    let at = scope(S1);
    let expected = [
        gap(Kind::Workspaces, &at, GapReason::PartialRights, workspaces),
        gap(Kind::Computes, &at, GapReason::PartialRights, workspaces),
        gap(Kind::Services, &at, GapReason::PartialRights, workspaces),
        gap(Kind::OnlineEndpoints, &at, GapReason::PartialRights, workspaces),
        gap(Kind::VirtualNetworks, &at, GapReason::PartialRights, networks),
    ];
    assert_eq!(gaps(&snapshot), expected);
    assert_eq!(of_kind(&snapshot, Kind::Workspaces).len(), 3, "what was shown is kept");
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_and_then_given_up() {
    let fake = Fake::start(|call| match call.path.as_str() {
        path if path.ends_with("/roleAssignments") && path.contains(S1) && call.before == 0 => {
            Reply::Cut("{\"value\": [")
        }
        path if path.ends_with("/denyAssignments") && path.contains(S1) => Reply::Cut("{\"value\": []"),
        path if path.ends_with("/denyAssignments") => Reply::Text(200, Vec::new(), "<html>sign in</html>"),
        _ => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let expected = [
        gap(Kind::DenyAssignments, &scope(S1), GapReason::Malformed, "an answer broke off"),
        gap(Kind::DenyAssignments, &scope(S2), GapReason::Malformed, "an answer is not JSON"),
    ];
    assert_eq!(gaps(&snapshot), expected);
}

#[tokio::test]
async fn a_truncated_result_is_a_gap_of_all_kinds_of_its_query() {
    let fake = Fake::start(|call| match asks_for(call, "microsoft.network/privateendpoints") {
        true => Reply::ok(json!({"totalRecords": 0, "count": 0, "data": [], "resultTruncated": "true"})),
        false if asks_for(call, "microsoft.network/effectivesecurityadminrules") => Reply::Json(
            400,
            Vec::new(),
            json!({"error": {"code": "BadRequest", "message": "timestamp = 2026-01-01T00:00:00Z", "details": [{"code": "InvalidQuery", "message": "Query is invalid. Please refer"}]}}),
        ),
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let mut expected = Vec::new();
    for subscription in [S1, S2] {
        for kind in [Kind::PrivateEndpoints, Kind::NetworkInterfaces] {
            expected.push(gap(
                kind,
                &scope(subscription),
                GapReason::Truncated,
                "Resource Graph cut its result (resultTruncated)",
            ));
        }
        expected.push(gap(
            Kind::SecurityAdminRules,
            &scope(subscription),
            GapReason::Unsupported,
            "InvalidQuery: Query is invalid",
        ));
    }
    expected.sort();
    assert_eq!(gaps(&snapshot), expected);
}

#[tokio::test]
async fn pages_over_16_mib_are_halved_from_the_same_position() {
    let many: Vec<Value> = rows()
        .into_iter()
        .filter(|row| row["type"] != "microsoft.network/networksecuritygroups")
        .chain((0..100).map(nsg))
        .collect();
    let fake = Fake::start(move |call| {
        if call.path != "/providers/Microsoft.ResourceGraph/resources" {
            return healthy(call);
        }
        let options = &call.body["options"];
        let (top, later) = (options["$top"].as_u64().unwrap_or(0), options["$skipToken"].is_string());
        if asks_for(call, "microsoft.network/networksecuritygroups") && (top > 70 || later && top > 20) {
            return Reply::Json(400, Vec::new(), json!({"error": {"code": "BadRequest", "message": "m", "details": [
                {"code": "ResponsePayloadTooLarge", "message": "Response payload size is 17000000, and has exceeded the limit of 16777216"}]}}));
        }
        graph(call, many.clone())
    })
    .await;
    let (config, _file) = config(&fake.base);
    let collected = sweep(&config, &[]).await.expect("a sweep");
    assert_eq!(gaps(&collected.snapshot), []);
    assert_eq!(collected.numbers.failures.len(), 0, "a smaller page is no failure");
    assert_eq!(of_kind(&collected.snapshot, Kind::NetworkSecurityGroups).len(), 100);
    let asked: Vec<(u64, Option<String>)> = fake
        .calls()
        .iter()
        .filter(|call| asks_for(call, "microsoft.network/networksecuritygroups"))
        .map(|call| {
            (
                call.body["options"]["$top"].as_u64().unwrap_or(0),
                call.body["options"]["$skipToken"].as_str().map(str::to_owned),
            )
        })
        .collect();
    let at = |top, token: Option<&str>| (top, token.map(str::to_owned));
    let expected = [
        at(250, None),
        at(125, None),
        at(62, None),
        at(62, Some("62")),
        at(31, Some("62")),
        at(15, Some("62")),
        at(15, Some("77")),
        at(15, Some("92")),
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_vanished_subscription_is_a_gap_and_no_deletion() {
    let fake = Fake::start(healthy).await;
    let (mut config, _file) = config(&fake.base);
    let snapshot = sweep(&config, &[S1, S3]).await.expect("a sweep").snapshot;
    assert_eq!(snapshot.header.subscriptions.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [S1, S2, S3]);
    let detail = "the subscription is not visible to this identity";
    assert!(snapshot.gaps.iter().all(|gap| gap.scope.subscription() == Some(S3) && gap.detail == detail));
    let coverage = Coverage::of(&snapshot);
    for kind in kinds_of_rules().into_iter().filter(|kind| *kind != Kind::ServiceTags) {
        assert!(coverage.hides(kind, &ResourceId::subscription_scope(S3)).is_some(), "{kind}");
        assert!(coverage.incomplete(kind, &ResourceId::subscription_scope(S1)).is_none(), "{kind}");
    }
    config.scope.include.subscriptions = BTreeSet::from([S3.to_owned()]);
    let collected = sweep(&config, &[S1]).await.expect("a sweep");
    let snapshot = collected.snapshot;
    assert_eq!(snapshot.header.subscriptions.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [S3]);
    assert_eq!(collected.excluded, BTreeSet::from([S1.to_owned(), S2.to_owned()]));
    config.scope.exclude.subscriptions = BTreeSet::from([S3.to_owned()]);
    assert_eq!(sweep(&config, &[S3]).await, Err(CollectError::NoSubscription { visible: 2 }));
}

/// Who is out of sight is left out only if the configuration says so; else nobody can tell.
#[tokio::test]
async fn what_the_scope_leaves_out_is_told_apart_from_what_is_out_of_sight() {
    let fake = Fake::start(healthy).await;
    let (mut config, _file) = config(&fake.base);
    let excluded = async |config: &Config| sweep(config, &[S1, S2, S3]).await.expect("a sweep").excluded;
    assert_eq!(excluded(&config).await, BTreeSet::new());
    config.scope.exclude.subscriptions = BTreeSet::from([S3.to_owned(), S2.to_owned()]);
    assert_eq!(excluded(&config).await, BTreeSet::from([S2.to_owned(), S3.to_owned()]));
    config.scope.exclude = Selection::default();
    config.scope.include.management_groups = BTreeSet::from(["mg-prod".to_owned()]);
    // Nobody told the management groups of S3.
    assert_eq!(excluded(&config).await, BTreeSet::from([S2.to_owned()]));
}

#[tokio::test]
async fn a_subscription_unknown_to_resource_graph_is_not_empty() {
    let fake = Fake::start(|call| match call.path == "/providers/Microsoft.ResourceGraph/resources" {
        true => graph(call, rows().into_iter().filter(|row| row["subscriptionId"] != S2).collect()),
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let coverage = Coverage::of(&snapshot);
    for kind in [Kind::Subscriptions, Kind::Workspaces, Kind::Computes, Kind::VirtualNetworks] {
        assert!(coverage.hides(kind, &ResourceId::subscription_scope(S2)).is_some(), "{kind}");
        assert!(coverage.incomplete(kind, &ResourceId::subscription_scope(S1)).is_none(), "{kind}");
    }
}

/// The list that would tell is lost too: what Resource Graph shows nothing of is not empty for that.
#[tokio::test]
async fn a_lost_list_of_subscriptions_hides_no_subscription_that_resource_graph_leaves_out() {
    let fake = Fake::start(|call| match call.path == "/providers/Microsoft.ResourceGraph/resources" {
        true if asks_for(call, "microsoft.resources/subscriptions") => error(403, "Forbidden"),
        true => graph(call, rows().into_iter().filter(|row| row["subscriptionId"] != S2).collect()),
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let coverage = Coverage::of(&snapshot);
    for kind in [Kind::Workspaces, Kind::Computes, Kind::VirtualNetworks] {
        assert!(coverage.hides(kind, &ResourceId::subscription_scope(S2)).is_some(), "{kind}");
        assert!(coverage.incomplete(kind, &ResourceId::subscription_scope(S1)).is_none(), "{kind}");
    }
}

#[tokio::test]
async fn resource_graph_refusing_all_is_explained_by_the_rights_where_they_can() {
    let fake = Fake::start(|call| match call.path.as_str() {
        "/providers/Microsoft.ResourceGraph/resources" => error(403, "Forbidden"),
        path if path.ends_with("/permissions") && path.contains(S1) => Reply::ok(json!({"value": []})),
        _ => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let of = |subscription: &str| {
        let gaps = snapshot.gaps.iter().filter(|gap| gap.scope.subscription() == Some(subscription));
        gaps.filter(|gap| gap.source == Kind::VirtualNetworks).map(|gap| gap.reason).collect::<Vec<_>>()
    };
    assert_eq!((of(S1), of(S2)), (vec![GapReason::PartialRights], vec![GapReason::Denied]));
}

#[tokio::test]
async fn the_scope_follows_management_groups() {
    let fake = Fake::start(healthy).await;
    let (mut config, _file) = config(&fake.base);
    for (name, expected) in [("mg-prod", vec![S1]), ("display mg-dev", vec![S2]), ("root", vec![S1, S2])] {
        config.scope.include =
            Selection { management_groups: BTreeSet::from([name.to_owned()]), ..Selection::default() };
        let snapshot = sweep(&config, &[]).await.expect("a sweep").snapshot;
        assert_eq!(
            snapshot.header.subscriptions.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(),
            expected,
            "{name}"
        );
        assert_eq!(of_kind(&snapshot, Kind::Subscriptions).len(), expected.len());
        assert_eq!(gaps(&snapshot), []);
    }
    config.scope.include.management_groups = BTreeSet::from(["elsewhere".to_owned()]);
    assert_eq!(sweep(&config, &[]).await, Err(CollectError::NoSubscription { visible: 2 }));
}

#[tokio::test]
async fn an_expired_token_is_renewed_once() {
    let fake = Fake::start(|call| match call.headers.get("authorization").map(String::as_str) {
        Some("Bearer TOKEN0") if call.path.contains("/workspaces/") => {
            error(401, "ExpiredAuthenticationToken")
        }
        Some(_) if call.path.ends_with("/denyAssignments") && call.path.contains(S2) => {
            error(401, "ExpiredAuthenticationToken")
        }
        _ => healthy(call),
    })
    .await;
    let (config, _file) = config(&fake.base);
    let collected = sweep(&config, &[]).await.expect("a sweep");
    let expected = [gap(Kind::DenyAssignments, &scope(S2), GapReason::Denied, "ExpiredAuthenticationToken")];
    assert_eq!(gaps(&collected.snapshot), expected);
    assert!((2..=3).contains(&collected.numbers.requests["token"]), "many refusals share one fresh token");
    assert_eq!(
        fake.calls()
            .iter()
            .filter(|call| call.path.ends_with("/denyAssignments") && call.path.contains(S2))
            .count(),
        2
    );
}

#[tokio::test]
async fn nothing_to_judge_is_an_error_with_advice() {
    let refused = Fake::start(|call| match call.path.ends_with("/oauth2/v2.0/token") {
        true => Reply::Json(401, Vec::new(), json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})),
        false => healthy(call),
    })
    .await;
    let (config1, _file1) = config(&refused.base);
    let message = sweep(&config1, &[]).await.expect_err("no token").to_string();
    assert!(message.contains("AADSTS7000215") && message.contains("credential.client_id"), "{message}");
    assert!(!message.contains(SECRET), "{message}");

    let blind = Fake::start(|call| match call.path.as_str() {
        "/subscriptions" => error(401, "InvalidAuthenticationToken"),
        _ => healthy(call),
    })
    .await;
    let (config2, _file2) = config(&blind.base);
    assert_eq!(
        sweep(&config2, &[]).await,
        Err(CollectError::Subscriptions("InvalidAuthenticationToken".into()))
    );

    let (config3, file3) = config(&blind.base);
    std::fs::write(file3.path(), "\n").expect("written");
    assert_eq!(
        sweep(&config3, &[]).await,
        Err(CollectError::Credential("the client secret is empty".into()))
    );
}

#[tokio::test]
async fn what_is_not_read_by_the_deadline_is_a_gap() {
    let fake = Fake::start(|call| match call.path.ends_with("ws-a/services") {
        true => Reply::Hang,
        false => healthy(call),
    })
    .await;
    let (mut config, _file) = config(&fake.base);
    config.collection.deadline = Duration::from_secs(3);
    let snapshot = sweep(&config, &[]).await.expect("a sweep").snapshot;
    let expected = gap(
        Kind::Services,
        &workspace(S1, "ws-a"),
        GapReason::Timeout,
        "not read within the sweep's deadline of 3s",
    );
    assert!(gaps(&snapshot).contains(&expected), "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn unreadable_rows_are_gaps_and_the_others_kept() {
    let fake = Fake::start(|call| match call.path.ends_with("ws-a/computes") {
        true => Reply::ok(json!({"value": [7, {"name": "x"}, compute(&call.path, "c1")]})),
        false if asks_for(call, "microsoft.network/networksecuritygroups") => {
            let rows =
                json!([nsg(1), {"type": "microsoft.network/networksecuritygroups", "subscriptionId": S1}]);
            Reply::ok(json!({"totalRecords": 2, "count": 2, "data": rows, "resultTruncated": "false"}))
        }
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let expected = [
        gap(
            Kind::Computes,
            &workspace(S1, "ws-a"),
            GapReason::Malformed,
            "a row was unreadable: a record must be a JSON object",
        ),
        gap(
            Kind::Computes,
            &workspace(S1, "ws-a"),
            GapReason::Malformed,
            "a row was unreadable: a record must have an `id`",
        ),
        gap(
            Kind::NetworkSecurityGroups,
            &scope(S1),
            GapReason::Malformed,
            "a row of Resource Graph was unreadable",
        ),
    ];
    assert_eq!(gaps(&snapshot), expected);
    assert_eq!(of_kind(&snapshot, Kind::Computes).len(), 3);
    assert_eq!(of_kind(&snapshot, Kind::NetworkSecurityGroups), ["nsg001"]);
}

#[tokio::test]
async fn part_of_the_subscriptions_is_a_gap_above_all() {
    let fake = Fake::start(|call| match (call.path.as_str(), call.query.contains("$skip")) {
        ("/subscriptions", true) => error(503, "ServerTimeout"),
        ("/subscriptions", false) => match healthy(call) {
            Reply::Json(status, headers, mut body) => {
                body["nextLink"] =
                    json!(format!("{}/subscriptions?api-version=2022-12-01&$skip=2", call.base));
                Reply::Json(status, headers, body)
            }
            other => other,
        },
        _ => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    assert_eq!(gaps(&snapshot), [gap(Kind::Subscriptions, "/", GapReason::Timeout, "ServerTimeout: Words")]);
    assert_eq!(of_kind(&snapshot, Kind::Workspaces).len(), 3);
}

#[tokio::test]
async fn an_endless_answer_and_a_silent_sign_in_are_given_up() {
    let fake = Fake::start(|call| match call.path.ends_with("/denyAssignments") && call.path.contains(S1) {
        true => Reply::Flood,
        false => healthy(call),
    })
    .await;
    let expected =
        gap(Kind::DenyAssignments, &scope(S1), GapReason::Malformed, "an answer is longer than 24 MiB");
    assert_eq!(gaps(&collect(&fake).await), [expected]);

    let silent = Fake::start(|_| Reply::Hang).await;
    let (mut config, _file) = config(&silent.base);
    config.collection.request_timeout = Duration::from_secs(1);
    let message = sweep(&config, &[]).await.expect_err("no token").to_string();
    assert!(message.starts_with("cannot sign in to Azure: no answer within 1s; check"), "{message}");
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_configured() {
    let fake = Fake::start(healthy).await;
    let (mut config, _file) = config(&fake.base);
    config.collection.concurrency = 2;
    assert_eq!(gaps(&sweep(&config, &[]).await.expect("a sweep").snapshot), []);
    assert!((1..=2).contains(&fake.most_under_way()), "{}", fake.most_under_way());
}

/// A token bucket of 15 reads, refilled once a second: ARM's in small. Many more lists than it holds must come
/// through, although no request is sent more than five times.
#[tokio::test]
async fn a_storm_of_throttling_is_weathered() {
    let bucket = std::sync::Mutex::new((std::time::Instant::now(), 15u32));
    let fake = Fake::start(move |call| {
        if asks_for(call, "microsoft.machinelearningservices/workspaces") {
            let rows = (0..28).map(|number| {
                let id = workspace(S1, &format!("ws{number}"));
                json!({"id": id, "type": "microsoft.machinelearningservices/workspaces", "subscriptionId": S1})
            });
            return graph(call, rows.collect());
        }
        if call.path.contains("/workspaces/") {
            let mut bucket = bucket.lock().expect("no panic");
            if bucket.0.elapsed() >= Duration::from_secs(1) {
                *bucket = (std::time::Instant::now(), 15);
            }
            if bucket.1 == 0 {
                let body = json!({"error": {"code": "SubscriptionRequestsThrottled"}});
                return Reply::Json(429, vec![("retry-after", "1".into())], body);
            }
            bucket.1 -= 1;
        }
        healthy(call)
    })
    .await;
    let (config, _file) = config(&fake.base);
    let client = Client::new(&config).expect("a client");
    let now = time::macros::datetime!(2026-11-25 10:00 UTC);
    let collected = client.sweep(&BTreeSet::new(), now, &|_| {}).await.expect("a sweep");
    assert_eq!(gaps(&collected.snapshot), []);
    assert_eq!(of_kind(&collected.snapshot, Kind::Computes).len(), 28);
    assert!(collected.numbers.throttle_wait > Duration::ZERO);
}

#[tokio::test]
async fn a_workload_identity_signs_in_at_the_configured_authority() {
    let fake = Fake::start(healthy).await;
    let (config, file) = config(&fake.base);
    let credential = Credential::WorkloadIdentity {
        client_id: Some("client".into()),
        tenant_id: Some("00000000-0000-0000-0000-0000000000bb".into()),
        token_file: Some(file.path().to_owned()),
    };
    let config = Config { credential, ..config };
    assert_eq!(gaps(&sweep(&config, &[]).await.expect("a sweep").snapshot), []);
    let first = fake.calls().remove(0);
    assert_eq!(first.path, "/00000000-0000-0000-0000-0000000000bb/oauth2/v2.0/token");
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_hold_paths_and_no_secrets() {
    // Which levels a place in the code logs at is kept once for the whole process, and other tests listen to none.
    if role().is_none() {
        let output = rerun("logs_hold_paths_and_no_secrets", &[("MLFENCE_TEST_ENDPOINT", "own")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let fake = Fake::start(|call| match call.path.ends_with("/services") {
        true => authorization_failed("x/read", "/"),
        false => healthy(call),
    })
    .await;
    collect(&fake).await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    for expected in ["asked Azure", "/ws-a/services", "status=403", "read the estate"] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    for secret in ["TOKEN0", SECRET, "jane@contoso.com", "uthorization: ", "order by id"] {
        assert!(!text.contains(secret), "{secret} was logged");
    }
}

/// Runs one test of this file in a process of its own, for what hangs on environment variables.
fn rerun(test: &str, variables: &[(&str, &str)]) -> std::process::Output {
    let mut command = std::process::Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env("RUST_BACKTRACE", "0");
    for name in [
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "IDENTITY_SERVER_THUMBPRINT",
        "IMDS_ENDPOINT",
        "MSI_ENDPOINT",
    ] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().expect("it runs")
}

/// The role of a test in the process that [`rerun`] started: who signs in, and at which Azure.
fn role() -> Option<String> {
    std::env::var("MLFENCE_TEST_ENDPOINT").ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_managed_identity_of_an_app_is_asked_with_its_client_id() {
    let credential = Credential::ManagedIdentity { client_id: Some("user-assigned".into()) };
    if let Some(base) = role() {
        let config = Config { credential, ..config(&base).0 };
        assert_eq!(gaps(&sweep(&config, &[]).await.expect("a sweep").snapshot), []);
        return;
    }
    let fake = Fake::start(|call| match call.path.as_str() {
        "/msi/token" => Reply::ok(json!({
            "access_token": "TOKEN0", "token_type": "Bearer", "resource": "https://management.azure.com",
            "expires_on": (time::OffsetDateTime::now_utc().unix_timestamp() + 3600).to_string(),
        })),
        _ => healthy(call),
    })
    .await;
    let endpoint = format!("{}/msi/token", fake.base);
    // A proxy in the environment must not come between: nobody listens at this one.
    let variables = [
        ("MLFENCE_TEST_ENDPOINT", fake.base.as_str()),
        ("IDENTITY_ENDPOINT", &endpoint),
        ("IDENTITY_HEADER", "header"),
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("http_proxy", "http://127.0.0.1:9"),
    ];
    let output = rerun("the_managed_identity_of_an_app_is_asked_with_its_client_id", &variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let asked: Vec<Call> = fake.calls().into_iter().filter(|call| call.path == "/msi/token").collect();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].query.contains("client_id=user-assigned") && asked[0].query.contains("resource=https"),
        "{}",
        asked[0].query
    );

    let without = rerun("the_managed_identity_of_an_app_is_asked_with_its_client_id", &variables[..1]);
    let told = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(
        !without.status.success() && told.contains("IDENTITY_ENDPOINT and IDENTITY_HEADER are not"),
        "{told}"
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_azure_cli_is_started_once_for_many_requests() {
    use std::os::unix::fs::PermissionsExt;
    if let Some(base) = role() {
        let config = Config { credential: Credential::AzureCli { tenant_id: None }, ..config(&base).0 };
        assert_eq!(gaps(&sweep(&config, &[]).await.expect("a sweep").snapshot), []);
        return;
    }
    let fake = Fake::start(healthy).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (program, starts) = (folder.path().join("az"), folder.path().join("starts"));
    let expires = time::OffsetDateTime::now_utc().unix_timestamp() + 3600;
    let answer = json!({"accessToken": "TOKEN0", "expires_on": expires, "expiresOn": "2030-01-01 00:00:00.000000", "tokenType": "Bearer"});
    let script = format!("#!/bin/sh\necho start >> {}\necho '{answer}'\n", starts.display());
    std::fs::write(&program, script).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let variables = [("MLFENCE_TEST_ENDPOINT", fake.base.as_str()), ("PATH", &path)];
    let output = rerun("the_azure_cli_is_started_once_for_many_requests", &variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(&starts).expect("it was started"), "start\n");
}

#[tokio::test]
async fn unknown_membership_is_neither_swept_nor_forgotten() {
    let fake = Fake::start(|call| match asks_for(call, "microsoft.resources/subscriptions") {
        true => {
            let mut rows = rows();
            for row in rows.iter_mut().filter(|row| row["subscriptionId"] == S2) {
                row["properties"] = json!({"managementGroupAncestorsChain": null});
            }
            graph(call, rows)
        }
        false => healthy(call),
    })
    .await;
    let (mut config, _file) = config(&fake.base);
    config.scope.exclude.management_groups = BTreeSet::from(["mg-dev".to_owned()]);
    let snapshot = sweep(&config, &[]).await.expect("a sweep").snapshot;
    assert_eq!(snapshot.header.subscriptions.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [S1, S2]);
    assert!(fake.calls().iter().all(|call| !call.path.contains(S2)), "it is not read");
    let coverage = Coverage::of(&snapshot);
    assert!(coverage.hides(Kind::Workspaces, &ResourceId::subscription_scope(S2)).is_some());
}

/// What was not read is not known, whether or not it ever could be; what Azure says is deleted holds nothing.
#[tokio::test]
async fn a_disabled_subscription_is_a_gap_unless_the_scope_leaves_it_out() {
    const S4: &str = "44444444-4444-4444-4444-444444444444";
    let fake = Fake::start(|call| match call.path.as_str() {
        "/subscriptions" => Reply::ok(json!({"value": [
            {"id": scope(S1), "subscriptionId": S1.to_uppercase(), "state": "Warned"},
            {"id": scope(S2), "subscriptionId": S2, "state": "Disabled", "tags": {"env": "old"}},
            {"id": scope(S4), "subscriptionId": S4, "state": "Deleted"},
        ]})),
        _ => healthy(call),
    })
    .await;
    let (mut config, _file) = config(&fake.base);
    let ids = |collected: &Collected| {
        collected.snapshot.header.subscriptions.iter().map(|s| s.id.clone()).collect::<Vec<_>>()
    };
    let unread = |collected: &Collected, id: &str| {
        let gaps = collected.snapshot.gaps.iter().filter(|gap| gap.scope.subscription() == Some(id));
        gaps.map(|gap| gap.detail.clone()).collect::<BTreeSet<_>>()
    };
    let disabled = "the subscription is disabled, so what is in it was not read: enable it, or exclude it from the scope";
    let deleted = "the subscription is deleted, so nobody can tell what became of what was in it: exclude it from the scope";
    let told = |detail: &str| BTreeSet::from([detail.to_owned()]);
    let first = sweep(&config, &[]).await.expect("a sweep");
    assert_eq!((ids(&first), unread(&first, S2)), (vec![S1.to_owned(), S2.to_owned()], told(disabled)));
    let everything = ResourceId::subscription_scope(S2);
    let coverage = Coverage::of(&first.snapshot);
    for kind in kinds_of_rules().into_iter().filter(|kind| *kind != Kind::ServiceTags) {
        assert!(coverage.hides(kind, &everything).is_some(), "{kind}");
    }
    assert!(fake.calls().iter().all(|call| !call.path.contains(&format!("{S2}/"))), "it is not read");
    let again = sweep(&config, &[S1, S2, S4]).await.expect("a sweep");
    assert_eq!(ids(&again), [S1, S2, S4]);
    assert_eq!((unread(&again, S2), unread(&again, S4)), (told(disabled), told(deleted)));

    // By its id, by its tags, and by the management groups above it.
    let old = BTreeMap::from([("env".to_owned(), "old".to_owned())]);
    for exclude in [
        Selection { subscriptions: BTreeSet::from([S2.to_owned()]), ..Selection::default() },
        Selection { tags: old, ..Selection::default() },
        Selection { management_groups: BTreeSet::from(["mg-dev".to_owned()]), ..Selection::default() },
    ] {
        config.scope.exclude = exclude;
        let collected = sweep(&config, &[S2]).await.expect("a sweep");
        assert_eq!((ids(&collected), unread(&collected, S2)), (vec![S1.to_owned()], BTreeSet::new()));
        assert_eq!(collected.excluded, BTreeSet::from([S2.to_owned()]));
    }
}

/// Answers a question about groups with these rows, and everything else as a healthy estate does.
async fn ask_assigned_to(
    principal: &str,
    reply: impl Fn(&Call) -> Reply + Send + Sync + 'static,
) -> (Option<Vec<String>>, Vec<Call>) {
    let fake = Fake::start(move |call| match call.path.ends_with("/roleAssignments") {
        true => reply(call),
        false => healthy(call),
    })
    .await;
    let (config, _file) = config(&fake.base);
    let client = Client::new(&config).expect("a client").at_speed(100.0);
    let principal = ObjectId::parse(principal).expect("an id");
    let question = AskAssignedTo { principal, scope: ResourceId::parse(&scope(S1)).expect("an id") };
    let (answers, _) = client.ask_assigned_to(&[question], tokio::time::Instant::now(), &|_| {}).await;
    let calls = fake.calls().into_iter().filter(|call| call.path.ends_with("/roleAssignments")).collect();
    (answers.into_iter().next().map(|answer| answer.assignments), calls)
}

fn assignment(name: &str, principal: &str, kind: &str) -> Value {
    json!({"id": format!("/providers/Microsoft.Authorization/RoleAssignments/{name}"), "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {"principalId": principal, "principalType": kind, "scope": "/"}})
}

const PERSON: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const TEAM: &str = "bbbbbbbb-0000-0000-0000-000000000001";

#[tokio::test]
async fn groups_are_asked_of_by_one_filter_and_all_pages_are_read() {
    let (answer, calls) = ask_assigned_to(&PERSON.to_uppercase(), |call| {
        let next = format!("{}{}?{}&$skiptoken=2", call.base, call.path, call.query);
        match call.before {
            0 => Reply::ok(json!({"value": [assignment("2", TEAM, "Group")], "nextLink": next})),
            _ => {
                Reply::ok(json!({"value": [assignment("1", PERSON, "User"), assignment("2", TEAM, "Group")]}))
            }
        }
    })
    .await;
    let id = |name: &str| format!("/providers/microsoft.authorization/roleassignments/{name}");
    assert_eq!(answer, Some(vec![id("1"), id("2")]));
    assert_eq!(calls[0].query, format!("api-version=2022-04-01&$filter=assignedTo(%27{PERSON}%27)"));
    assert_eq!((calls[0].method.as_str(), calls.len()), ("GET", 2));
}

/// What is no answer to the question leaves none: above all not one in which the filter was not heeded, by which a
/// stranger would seem to be in every group.
#[tokio::test]
async fn what_is_no_answer_about_groups_leaves_none() {
    let unfiltered = json!({"value": [assignment("1", TEAM, "Group"), assignment("2", "aaaaaaaa-0000-0000-0000-000000000009", "User")]});
    let foreign_link = json!({"value": [], "nextLink": "https://evil.example/x"});
    let other_type =
        json!({"value": [{"id": "/subscriptions/x", "type": "Microsoft.Resources/subscriptions"}]});
    for body in
        [unfiltered, foreign_link, other_type, json!({"value": [7]}), json!({"value": null}), json!([])]
    {
        let (told, shown) = (body.clone(), body.to_string());
        let (answer, calls) = ask_assigned_to(PERSON, move |_| Reply::ok(told.clone())).await;
        assert_eq!((answer, calls.len()), (None, 1), "{shown}");
    }
    assert_eq!(ask_assigned_to(PERSON, |_| Reply::Cut("{\"value\": [")).await.0, None);
    // An unregistered provider has nothing of its kinds; of role assignments that makes no sense.
    let unregistered = |_: &Call| error(409, "MissingSubscriptionRegistration");
    assert_eq!(ask_assigned_to(PERSON, unregistered).await.0, None);
    // And it is asked of guids only.
    let (answer, calls) =
        ask_assigned_to("x') or principalId eq 'y", |_| Reply::ok(json!({"value": []}))).await;
    assert_eq!((answer, calls.len()), (None, 0));
    assert_eq!(ask_assigned_to(PERSON, |_| Reply::ok(json!({"value": []}))).await.0, Some(vec![]));
}

/// The questions belong to the sweep, and so they end by its deadline.
#[tokio::test]
async fn questions_share_the_deadline_of_their_sweep() {
    let fake = Fake::start(healthy).await;
    let (mut config, _file) = config(&fake.base);
    config.collection.deadline = Duration::from_millis(50);
    let client = Client::new(&config).expect("a client");
    let question = AskAssignedTo {
        principal: ObjectId::parse(PERSON).expect("an id"),
        scope: ResourceId::parse(&scope(S1)).expect("an id"),
    };
    let began = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_millis(60)).await;
    let (answers, numbers) = client.ask_assigned_to(&[question], began, &|_| {}).await;
    assert_eq!((answers.len(), numbers.failures.get("timeout")), (0, Some(&1)));
}

/// `make kusto` has Microsoft's parser read them.
#[tokio::test]
async fn every_query_that_a_sweep_sends_is_written_down_for_microsofts_parser() {
    let fake = Fake::start(healthy).await;
    collect(&fake).await;
    let calls = fake.calls();
    let sent = calls.iter().filter(|call| call.path == "/providers/Microsoft.ResourceGraph/resources");
    let queries: BTreeSet<&str> =
        sent.map(|call| call.body["query"].as_str().expect("a query of one line")).collect();
    let tables: BTreeSet<&str> = queries.iter().filter_map(|query| query.split(' ').next()).collect();
    let expected = [
        "authorizationresources",
        "kubernetesconfigurationresources",
        "networkresources",
        "resourcecontainers",
        "resources",
    ];
    assert_eq!(tables, BTreeSet::from(expected));
    let lines: String = queries.iter().map(|query| format!("{query}\n")).collect();
    assert_eq!(lines.lines().count(), queries.len());
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("queries.kql");
    std::fs::write(file, lines).expect("the queries are kept");
}

/// What is no whole answer, whatever its rows: another 2xx than 200, an error beside the rows.
#[tokio::test]
async fn rows_that_come_with_less_than_a_plain_200_are_no_list() {
    let told = |status, body: Value| {
        move |call: &Call| match call.path.ends_with("/ws-a/computes") {
            true => Reply::Json(status, Vec::new(), body.clone()),
            false => healthy(call),
        }
    };
    let error = json!({"value": [], "error": {"code": "ServerTimeout", "message": "m"}});
    for (status, body, detail) in [
        (202, json!({"value": []}), "HTTP 202"),
        (206, json!({"value": []}), "HTTP 206"),
        (200, error, "an answer holds an error beside its rows"),
    ] {
        let fake = Fake::start(told(status, body)).await;
        let expected = gap(Kind::Computes, &workspace(S1, "ws-a"), GapReason::Malformed, detail);
        assert_eq!(gaps(&collect(&fake).await), [expected]);
    }
}

#[tokio::test]
async fn a_subscription_in_a_state_that_nobody_knows_is_read() {
    for (states, swept) in
        [(["Locked", "Enabled"], 2), (["Disabled", "Enabled"], 1), (["Enabled", "Disabled"], 1)]
    {
        let fake = Fake::start(move |call| match call.path == "/subscriptions" {
            true => {
                let of = |id: &str, state: &str| json!({"id": format!("/subscriptions/{id}"), "subscriptionId": id, "displayName": id, "tenantId": "tenant", "state": state});
                // Told twice, in two states.
                let rows = [of(S1, states[0]), of(S2, states[1]), of(S1, "Disabled")];
                Reply::ok(json!({ "value": rows }))
            }
            false => healthy(call),
        })
        .await;
        collect(&fake).await;
        let read = |id: &str| fake.calls().iter().any(|call| call.path.contains(&format!("{id}/")));
        assert_eq!([S1, S2].into_iter().filter(|id| read(id)).count(), swept, "{states:?}");
    }
}

/// Dots would be resolved on the way, and another list be taken for this one.
#[tokio::test]
async fn an_id_that_would_lead_elsewhere_is_not_asked() {
    let odd = workspace(S1, "%2e%2e");
    let of_odd = odd.clone();
    let fake = Fake::start(move |call| match asks_for(call, "microsoft.machinelearningservices/workspaces") {
        true => {
            let row = json!({"id": of_odd, "type": "microsoft.machinelearningservices/workspaces", "subscriptionId": S1});
            graph(call, vec![row])
        }
        false => healthy(call),
    })
    .await;
    let snapshot = collect(&fake).await;
    let detail = "an id cannot be asked for as it is spelled";
    let of = |kind| gap(kind, &odd, GapReason::Malformed, detail);
    assert_eq!(gaps(&snapshot), [of(Kind::Computes), of(Kind::Services)]);
    assert!(fake.calls().iter().all(|call| !call.path.ends_with("/computes")));
}

/// Millions of rows that are none are one gap, and one word of it.
#[tokio::test]
async fn many_bad_rows_are_told_once() {
    let fake = Fake::start(|call| match call.path.ends_with("/ws-a/computes") {
        true => Reply::ok(json!({"value": vec![0; 100_000]})),
        false => healthy(call),
    })
    .await;
    let detail = "a row was unreadable: a record must be a JSON object";
    let expected = gap(Kind::Computes, &workspace(S1, "ws-a"), GapReason::Malformed, detail);
    assert_eq!(gaps(&collect(&fake).await), [expected]);
}

/// An identity provider that answers nonsense, or says the request back, ends nothing and betrays nothing.
#[tokio::test]
async fn nonsense_from_the_sign_in_is_an_error_without_the_secret() {
    for lifetime in [i64::MAX, i64::MIN] {
        let fake = Fake::start(move |call| match call.path.ends_with("/token") {
            true => {
                Reply::ok(json!({"token_type": "Bearer", "expires_in": lifetime, "access_token": "TOKEN0"}))
            }
            false => healthy(call),
        })
        .await;
        let (config, _file) = config(&fake.base);
        let error = sweep(&config, &[]).await.expect_err("no token");
        assert!(error.to_string().starts_with("cannot sign in to Azure: "), "{error}");
    }
    let fake = Fake::start(|call| match call.path.ends_with("/token") {
        true => {
            let echo = format!("cannot read grant_type=client_credentials&client_secret={SECRET}&scope=x");
            Reply::Json(400, Vec::new(), json!({"error": "invalid_request", "error_description": echo}))
        }
        false => healthy(call),
    })
    .await;
    let (config, _file) = config(&fake.base);
    let error = sweep(&config, &[]).await.expect_err("no token").to_string();
    assert!(!error.contains(SECRET) && error.contains("cannot read"), "{error}");
}
