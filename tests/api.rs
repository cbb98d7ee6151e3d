//! The HTTP API of a real daemon on an armsim: what it tells, what it refuses, and that its document is the one in `docs/`.

#[path = "support/serving.rs"]
mod serving;
mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use armsim::{Estate, Fault, Options, RunningServer, Server, company};
use mlfence::outlets::http::api;
use serde_json::{Value, json};
use serving::{Answer, Serving, configure};
use tempfile::TempDir;

/// What `mlfence token` would have printed. The hashes are those of `printf %s … | sha256sum`.
const READER: &str = "mlfence_reader-token";
const OPERATOR: &str = "mlfence_operator-token";
const PROMETHEUS: &str = "mlfence_prometheus-token";

fn sha256(token: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", "printf %s \"$0\" | sha256sum | cut -d' ' -f1", token])
        .output()
        .expect("sha256sum runs");
    String::from_utf8(output.stdout).expect("hex").trim().to_owned()
}

fn tokens() -> String {
    format!(
        "[{{ name: reader, sha256: {}, scopes: [read] }}, {{ name: operator, sha256: {}, scopes: [trigger] }}, \
         {{ name: prometheus, sha256: {}, scopes: [metrics] }}]",
        sha256(READER),
        sha256(OPERATOR),
        sha256(PROMETHEUS)
    )
}

async fn simulated(estate: Estate) -> RunningServer {
    Server::start(estate, Options::default()).await.expect("armsim starts")
}

struct Daemon {
    serving: Serving,
    config: PathBuf,
    folder: TempDir,
}

impl std::ops::Deref for Daemon {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.serving
    }
}

/// A daemon on the demo's company, with `http` as its table and after its first sweep.
fn daemon(server: &RunningServer, http: &str) -> Daemon {
    let started = start(server, http);
    started.log("last sweep");
    started
}

fn start(server: &RunningServer, http: &str) -> Daemon {
    let folder = tempfile::tempdir().expect("a folder");
    let more = format!("http: {http}\n{}", company::declarations(&company::demo().0));
    let config = configure(folder.path(), server, "1h", &folder.path().join("ledger.db"), &more);
    Daemon { serving: Serving::start(server, &config), config, folder }
}

/// Waits for something, and gives up where that never comes.
async fn until(came: impl Fn() -> bool) {
    let asking = async {
        while !came() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), asking).await.expect("it comes");
}

const LOOPBACK: &str = "{ listen: '127.0.0.1:0' }";

fn ids(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

fn get(daemon: &Daemon, path: &str) -> Value {
    let answer = daemon.ask("GET", path, &[]);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), ["application/json"], "{path}");
    assert_eq!(answer.header("x-content-type-options"), ["nosniff"], "{path}");
    answer.json()
}

#[test]
fn the_document_is_the_one_in_docs() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let expected = format!("{:#}\n", api::document());
    if env::var_os("MLFENCE_REGENERATE").is_some() {
        fs::write(&path, expected).expect("written");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/openapi.json is out of date; run with MLFENCE_REGENERATE=1");
}

/// The demo's company has 42 violations, of which the tests of the daemon know too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_are_listed_filtered_and_paged() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, LOOPBACK);
    let all = get(&daemon, "/api/v1/findings");
    assert_eq!((&all["total"], &all["next"], &all["ready"]), (&json!(42), &Value::Null, &json!(true)));
    assert_eq!((&all["complete"], &all["gaps"], &all["unknown"]), (&json!(false), &json!(23), &json!(35)));
    let items = all["items"].as_array().expect("a list");
    let keys: Vec<_> = items.iter().map(|it| (&it["policy"], &it["subject"]["id"], &it["key"])).collect();
    assert!(keys.is_sorted_by(
        |a, b| (a.0.as_str(), a.1.as_str(), a.2.as_str()) < (b.0.as_str(), b.1.as_str(), b.2.as_str())
    ));
    assert!(items.iter().all(|it| it["state"] == "open" && it["evidence"] == Value::Null));

    let total =
        |query: &str| get(&daemon, &format!("/api/v1/findings?{query}"))["total"].as_u64().expect("a number");
    let by = |severity: &str| items.iter().filter(|it| it["severity"] == severity).count() as u64;
    assert!(["critical", "high", "medium"].iter().all(|severity| by(severity) > 0), "the demo shows them");
    for severity in ["critical", "high", "medium", "low"] {
        assert_eq!(total(&format!("severity={severity}")), by(severity));
    }
    assert_eq!(total("severity=critical,medium"), by("critical") + by("medium"));
    assert_eq!(total("minimum_severity=high"), by("critical") + by("high"));
    assert_eq!(total("policy=AKS-001"), 1);
    assert_eq!(total("state=resolved,waived,pending"), 0);
    assert_eq!(total("state=open"), 42);
    let of = |name: &str| items.iter().filter(|it| it["subscription_name"] == name).count() as u64;
    assert!(of("ml-dev") > 0 && of("ml-dev") < 42);
    assert!(total("subscription=ml-dev") >= of("ml-dev"));
    assert_eq!(total("subscription=ML-DEV"), total("subscription=8202047b-7ff0-4bdf-ad35-4c6d1669857f"));
    assert_eq!(total("text=VNET-MLW-vision-dev%20is%20not"), 1);
    assert_eq!(total("text=no-such-text"), 0);

    let mut paged = Vec::new();
    let mut query = "limit=5".to_owned();
    loop {
        let page = get(&daemon, &format!("/api/v1/findings?{query}"));
        assert_eq!(page["total"], 42);
        paged.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => query = format!("limit=5&cursor={next}"),
            None => break,
        }
        // A sweep in between takes nothing from the order.
        if paged.len() == 10 {
            assert_eq!(daemon.ask("POST", "/api/v1/sweeps", &[]).status, 202);
            daemon.log("last sweep");
        }
    }
    assert_eq!(paged, ids(&all));
    server.shutdown().await.expect("armsim ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finding_is_told_with_evidence_and_history() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, LOOPBACK);
    let id = ids(&get(&daemon, "/api/v1/findings?policy=ACI-001")).remove(0);
    let finding = get(&daemon, &format!("/api/v1/findings/{id}"));
    assert_eq!(finding["id"], id.as_str());
    assert!(finding["evidence"]["vnet"].as_str().is_some_and(|vnet| vnet.ends_with("/vnet-mlw-vision-dev")));
    assert!(finding["documents"][0]["title"].is_string());
    let history = finding["history"].as_array().expect("a list");
    assert_eq!(history.len(), 1);
    assert_eq!((&history[0]["change"], &history[0]["sweep"]), (&json!("opened"), &json!(1)));
    let answer = daemon.ask("GET", "/api/v1/findings/00000000000000000000000000000000", &[]);
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (404, "there is no finding of this id, or no longer")
    );
    server.shutdown().await.expect("armsim ends");
}

/// What is fixed, and what is accepted, is still told, by the states that say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_or_accepted_is_found_by_its_state() {
    let (estate, _) = company::demo();
    let server = simulated(estate.clone()).await;
    let daemon = daemon(&server, LOOPBACK);
    let before = ids(&get(&daemon, "/api/v1/findings"));
    // A policy that is switched off, and a waiver.
    let one = get(&daemon, "/api/v1/findings?policy=ACI-001");
    let scope = one["items"][0]["subject"]["id"].as_str().expect("an id");
    let waivers = daemon.folder.path().join("waivers.yaml");
    let soon = time::OffsetDateTime::now_utc().date() + time::Duration::days(60);
    let text = format!(
        "waivers:\n- {{ policy: ACI-001, scope: '{scope}', reason: moves, owner: o@example.com, expires: {soon} }}\n"
    );
    fs::write(&waivers, text).expect("written");
    let config = fs::read_to_string(&daemon.config).expect("readable");
    let more = format!("{config}waivers: {{ files: [waivers.yaml] }}\npolicies: {{ disabled: [AKS-001] }}\n");
    fs::write(&daemon.config, more).expect("written");
    daemon.signal("HUP");
    daemon.log("last sweep");
    assert_eq!(get(&daemon, "/api/v1/findings")["total"], 40);
    let waived = get(&daemon, "/api/v1/findings?state=waived");
    assert_eq!((&waived["total"], &waived["items"][0]["policy"]), (&json!(1), &json!("ACI-001")));
    assert_eq!(waived["items"][0]["resolution"], "waived");
    let id = ids(&waived).remove(0);
    assert_eq!(get(&daemon, &format!("/api/v1/findings/{id}"))["waiver"]["reason"], "moves");
    let resolved = get(&daemon, "/api/v1/findings?state=resolved");
    assert_eq!(
        (&resolved["total"], &resolved["items"][0]["resolution"]),
        (&json!(1), &json!("policy_removed"))
    );
    let every = get(&daemon, "/api/v1/findings?state=open,stale,pending,waived,resolved");
    assert_eq!(ids(&every), before, "nothing is lost, and the order is the same");
    let listed = get(&daemon, "/api/v1/waivers");
    assert_eq!((&listed["total"], &listed["items"][0]["state"]), (&json!(1), &json!("active")));
    let policies = get(&daemon, "/api/v1/policies");
    let off: Vec<&Value> =
        policies["items"].as_array().expect("a list").iter().filter(|it| it["enabled"] == false).collect();
    assert_eq!((off.len(), &off[0]["id"]), (1, &json!("AKS-001")));
    server.shutdown().await.expect("armsim ends");
}

/// A violation that was accepted before it was first seen is in no ledger, and yet nothing passes by a waiver.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_from_the_beginning_is_told_too() {
    let server = simulated(company::demo().0).await;
    let folder = tempfile::tempdir().expect("a folder");
    let soon = time::OffsetDateTime::now_utc().date() + time::Duration::days(60);
    let scope = "/subscriptions/8202047b-7ff0-4bdf-ad35-4c6d1669857f/resourcegroups/rg-vision-dev";
    let text = format!(
        "waivers:\n- {{ policy: ACI-001, scope: {scope}, reason: moves, owner: o@example.com, expires: {soon} }}\n"
    );
    fs::write(folder.path().join("waivers.yaml"), text).expect("written");
    let more = format!("waivers: {{ files: [waivers.yaml] }}\n{}", company::declarations(&company::demo().0));
    let config = configure(folder.path(), &server, "1h", &folder.path().join("ledger.db"), &more);
    let daemon = Daemon { serving: Serving::start(&server, &config), config, folder };
    daemon.log("last sweep");
    assert_eq!(get(&daemon, "/api/v1/findings")["total"], 41);
    let waived = get(&daemon, "/api/v1/findings?state=waived");
    assert_eq!((&waived["total"], &waived["items"][0]["policy"]), (&json!(1), &json!("ACI-001")));
    assert_eq!(waived["items"][0]["opened_at"], Value::Null);
    server.shutdown().await.expect("armsim ends");
}

/// Of a subnet of which one thing is wrong and accepted, another may be wrong that nobody could read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_in_part_is_unknown_for_the_rest() {
    let server = simulated(company::demo().0).await;
    let folder = tempfile::tempdir().expect("a folder");
    let soon = time::OffsetDateTime::now_utc().date() + time::Duration::days(60);
    let scope = "/subscriptions/8202047b-7ff0-4bdf-ad35-4c6d1669857f/resourcegroups/rg-warranty-dev";
    let text = format!(
        "waivers:\n- {{ policy: ILB-002, scope: {scope}, reason: moves, owner: o@example.com, expires: {soon} }}\n"
    );
    fs::write(folder.path().join("waivers.yaml"), text).expect("written");
    let more = format!("waivers: {{ files: [waivers.yaml] }}\n{}", company::declarations(&company::demo().0));
    let config = configure(folder.path(), &server, "1h", &folder.path().join("ledger.db"), &more);
    let daemon = Daemon { serving: Serving::start(&server, &config), config, folder };
    daemon.log("last sweep");
    // The demo has 35 unknown verdicts; this one is waived, and open for what its load balancer's subnet may be.
    assert_eq!(get(&daemon, "/api/v1/findings")["unknown"], 36);
    let page = daemon.ask("GET", "/?status=unknown&policy=ILB-002", &[]).text();
    assert!(page.contains("inf-mlw-warranty-dev"), "it is not listed among the unknown: {page}");
    server.shutdown().await.expect("armsim ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_stand_as_their_findings_and_what_they_share_say() {
    let (mut estate, _) = company::demo();
    // A second workspace attaches the cluster of the first one that has any.
    let is =
        |record: &Value, of: &str| record["type"].as_str().is_some_and(|told| told.eq_ignore_ascii_case(of));
    let compute = estate.records.iter().find(|record| {
        is(record, "microsoft.machinelearningservices/workspaces/computes")
            && record["properties"]["resourceId"]
                .as_str()
                .is_some_and(|id| id.ends_with("/aks-mlw-telematics-prod"))
    });
    let compute = compute.expect("a compute with a cluster").clone();
    let own = compute["id"].as_str().expect("an id").to_owned();
    let (owner, name) = own.split_once("/computes/").expect("a compute");
    let other =
        estate.records.iter().filter(|record| is(record, "microsoft.machinelearningservices/workspaces"));
    let other = other.filter_map(|record| record["id"].as_str()).find(|id| !id.eq_ignore_ascii_case(owner));
    let other = other.expect("another workspace").to_owned();
    let mut twin = compute.clone();
    twin["id"] = json!(format!("{other}/computes/{name}"));
    let cluster = compute["properties"]["resourceId"].as_str().expect("a cluster").to_ascii_lowercase();
    estate.records.push(twin);
    let server = simulated(estate).await;
    let daemon = daemon(&server, LOOPBACK);
    let list = get(&daemon, "/api/v1/workspaces");
    assert_eq!((&list["total"], &list["next"]), (&json!(7), &Value::Null));
    let all = get(&daemon, "/api/v1/findings?limit=500");
    let of_cluster =
        all["items"].as_array().expect("a list").iter().filter(|it| it["subject"]["id"] == cluster.as_str());
    let of_cluster: BTreeSet<&str> = of_cluster.filter_map(|it| it["id"].as_str()).collect();
    assert!(!of_cluster.is_empty(), "the demo's cluster {cluster} has findings");
    for workspace in list["items"].as_array().expect("a list") {
        let id = workspace["id"].as_str().expect("an id");
        let own = get(&daemon, &format!("/api/v1/findings?limit=500&workspace={id}"));
        let sum: u64 =
            workspace["findings"].as_object().expect("counts").values().filter_map(Value::as_u64).sum();
        assert_eq!(own["total"], sum, "{workspace}");
        let own: BTreeSet<String> = ids(&own).into_iter().collect();
        let shares = id.eq_ignore_ascii_case(owner) || id.eq_ignore_ascii_case(&other);
        assert_eq!(of_cluster.iter().all(|finding| own.contains(*finding)), shares, "{id}");
        assert!(workspace["results"]["fail"].as_u64() <= Some(sum), "{workspace}");
    }
    let first = get(&daemon, "/api/v1/workspaces?limit=4");
    let rest =
        get(&daemon, &format!("/api/v1/workspaces?cursor={}", first["next"].as_str().expect("a cursor")));
    let paged: Vec<String> = ids(&first).into_iter().chain(ids(&rest)).collect();
    assert_eq!((paged, &rest["next"]), (ids(&list), &Value::Null));

    // After a restart nobody can tell yet who shares the cluster, nor how subscriptions are called: that is no "nothing".
    let Daemon { serving, config, folder } = daemon;
    serving.kill();
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 100 });
    let daemon = Daemon { serving: Serving::start(&server, &config), config, folder };
    daemon.log("the sweep failed");
    for workspace in [owner, &other] {
        let kept = get(&daemon, &format!("/api/v1/findings?limit=500&workspace={workspace}"));
        let kept: BTreeSet<String> = ids(&kept).into_iter().collect();
        assert!(of_cluster.iter().all(|finding| kept.contains(*finding)), "{workspace}");
    }
    assert_eq!(daemon.ask("GET", "/api/v1/findings?subscription=ml-dev", &[]).status, 503);
    server.shutdown().await.expect("armsim ends");
}

/// What may be hidden counts for those whom it may concern: a workspace whose computes nobody may list has unknowns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_shows_at_the_workspaces_that_it_may_concern() {
    let server = simulated(company::demo().0).await;
    server.fail_next(Fault {
        path: "mlw-fraud-prod/computes".to_owned(),
        status: 403,
        retry_after: None,
        times: 9,
    });
    let daemon = daemon(&server, LOOPBACK);
    let list = get(&daemon, "/api/v1/workspaces");
    let items = list["items"].as_array().expect("a list");
    let fraud = items.iter().find(|it| it["name"] == "mlw-fraud-prod").expect("it is seen");
    assert!(fraud["results"]["unknown"].as_u64() > Some(0), "{fraud}");
    server.shutdown().await.expect("armsim ends");
}

/// Nothing known is no list without items.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_sweep_nothing_is_claimed() {
    let server = simulated(company::demo().0).await;
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 100 });
    let daemon = start(&server, LOOPBACK);
    daemon.log("the sweep failed");
    for path in ["findings", "findings/00000000000000000000000000000000", "workspaces", "waivers"] {
        let answer = daemon.ask("GET", &format!("/api/v1/{path}"), &[]);
        assert_eq!((answer.status, answer.header("retry-after")), (503, vec!["10"]), "{path}");
        assert_eq!(answer.problem(), "no sweep has finished yet, and the last one failed", "{path}");
    }
    assert_eq!(get(&daemon, "/api/v1/sweeps")["items"], json!([]));
    let policies = get(&daemon, "/api/v1/policies");
    assert_eq!((&policies["ready"], &policies["complete"]), (&json!(false), &json!(false)));
    assert!(policies["trouble"].as_str().is_some_and(|trouble| trouble.contains("failed")), "{policies}");
    server.shutdown().await.expect("armsim ends");
}

/// After a restart the ledger's findings stand in, and are said to be unconfirmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_kept_findings_stand_in_as_stale() {
    let server = simulated(company::demo().0).await;
    let Daemon { serving, config, folder } = daemon(&server, LOOPBACK);
    serving.kill();
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 100 });
    let daemon = Daemon { serving: Serving::start(&server, &config), config, folder };
    daemon.log("the sweep failed");
    let list = get(&daemon, "/api/v1/findings?limit=500");
    assert_eq!(
        (&list["ready"], &list["complete"], &list["total"]),
        (&json!(false), &json!(false), &json!(42))
    );
    assert!(list["items"].as_array().expect("a list").iter().all(|it| it["state"] == "stale"));
    assert!(list["taken_at"].is_string());
    let id = ids(&list).remove(0);
    let one = get(&daemon, &format!("/api/v1/findings/{id}"));
    assert_eq!((&one["evidence"], &one["history"][0]["change"]), (&Value::Null, &json!("opened")));
    assert_eq!(daemon.ask("GET", "/api/v1/workspaces", &[]).status, 503);
    server.shutdown().await.expect("armsim ends");
}

/// A sweep that fails leaves the one before up, which is no longer all that there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sweep_is_told_beside_what_the_one_before_found() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, LOOPBACK);
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 100 });
    assert_eq!(daemon.ask("POST", "/api/v1/sweeps", &[]).status, 202);
    daemon.log("the sweep failed");
    let list = get(&daemon, "/api/v1/findings");
    assert_eq!(
        (&list["total"], &list["ready"], &list["complete"]),
        (&json!(42), &json!(true), &json!(false))
    );
    assert!(list["trouble"].as_str().is_some_and(|trouble| trouble.starts_with("the last sweep failed")));
    server.shutdown().await.expect("armsim ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_most_one_sweep_waits() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, LOOPBACK);
    // The next one takes long enough that both questions fall into it.
    server.replace_options(Options { latency: std::time::Duration::from_millis(300), ..Options::default() });
    server.reset_stats();
    let ask = || daemon.ask("POST", "/api/v1/sweeps", &[]).json()["already_waiting"].clone();
    assert_eq!(ask(), false);
    // It has begun once Azure is asked.
    until(|| server.stats().total > 0).await;
    assert_eq!((ask(), ask(), ask()), (json!(false), json!(true), json!(true)));
    assert_eq!(get(&daemon, "/api/v1/sweeps")["waiting"], true);
    daemon.log("last sweep");
    daemon.log("last sweep");
    let sweeps = get(&daemon, "/api/v1/sweeps");
    assert_eq!(sweeps["waiting"], false);
    let numbers: Vec<i64> =
        sweeps["items"].as_array().expect("a list").iter().filter_map(|it| it["number"].as_i64()).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(sweeps["items"][0]["results"]["fail"], 34);
    let first = get(&daemon, "/api/v1/sweeps?limit=2");
    let rest =
        get(&daemon, &format!("/api/v1/sweeps?limit=2&cursor={}", first["next"].as_str().expect("more")));
    assert_eq!((&rest["items"][0]["number"], &rest["next"]), (&json!(1), &Value::Null));
    server.shutdown().await.expect("armsim ends");
}

/// The file that is downloaded is one that `audit` judges, to the same verdicts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_offered_only_where_that_is_said() {
    let server = simulated(company::demo().0).await;
    let off = daemon(&server, LOOPBACK);
    let refused = off.ask("GET", "/api/v1/snapshot/latest", &[]);
    assert_eq!(refused.status, 404);
    assert!(refused.problem().contains("`http.snapshot: true`"));
    drop(off);
    let on = daemon(&server, "{ listen: '127.0.0.1:0', snapshot: true }");
    let answer = on.ask("GET", "/api/v1/snapshot/latest", &[]);
    assert_eq!((answer.status, answer.header("content-type")), (200, vec!["application/zstd"]));
    let disposition = answer.header("content-disposition")[0];
    assert!(disposition.starts_with("attachment; filename=\"mlfence-20"), "{disposition}");
    let file = on.folder.path().join("downloaded.jsonl.zst");
    fs::write(&file, &answer.body).expect("written");
    let audit = Command::new(env!("CARGO_BIN_EXE_mlfence"))
        .args(["audit", "--format", "json", "--config"])
        .arg(&on.config)
        .arg("--snapshot")
        .arg(&file)
        .output()
        .expect("mlfence runs");
    let report: Value = serde_json::from_slice(&audit.stdout).expect("a report");
    assert_eq!(report["summary"]["results"]["fail"], 34);
    server.shutdown().await.expect("armsim ends");
}

/// What cannot be meant is a problem that says so, and so is what the framework refuses by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_meant_is_a_problem() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, LOOPBACK);
    let nobody = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers/\
                  Microsoft.MachineLearningServices/workspaces/w";
    for (method, path, status, says) in [
        ("GET", "/api/v1/findings?nix=1", 400, "unknown field `nix`"),
        ("GET", "/api/v1/findings?severity=bad", 400, "unknown variant `bad`"),
        ("GET", "/api/v1/findings?severity=", 400, "unknown variant ``"),
        ("GET", "/api/v1/findings?state=open,nix", 400, "unknown variant `nix`"),
        ("GET", "/api/v1/findings?limit=0", 400, "limit is from 1 to 500"),
        ("GET", "/api/v1/findings?limit=501", 400, "limit is from 1 to 500"),
        ("GET", "/api/v1/findings?limit=1&limit=2", 400, "duplicate field `limit`"),
        ("GET", "/api/v1/findings?policy=aks-1", 400, "a policy's id looks like ACI-001"),
        ("GET", "/api/v1/findings?cursor=bm9uZQ", 400, "cursor: is none"),
        ("GET", "/api/v1/workspaces?cursor=%21", 400, "cursor: is none"),
        ("GET", "/api/v1/sweeps?cursor=WyJhIl0", 400, "cursor: is none"),
        ("GET", "/api/v1/findings?policy=XYZ-999", 404, "nothing is known of the policy `XYZ-999`"),
        (
            "GET",
            "/api/v1/findings?subscription=nowhere",
            404,
            "nothing is known of the subscription `nowhere`",
        ),
        ("GET", &format!("/api/v1/findings?workspace={nobody}"), 404, "nothing is known of the workspace"),
        ("GET", "/api/v1/nothing", 404, "there is nothing at this address"),
        ("GET", "/api", 404, "there is nothing at this address"),
        ("GET", "/api/v1/findings/x/y", 404, "there is nothing at this address"),
        ("GET", "/api/v1/findings/%ff", 400, "Invalid UTF-8"),
        ("DELETE", "/api/v1/findings", 405, "the header Allow tells the methods"),
        ("PUT", "/api/v1/sweeps", 405, "the header Allow tells the methods"),
    ] {
        let answer = daemon.ask(method, path, &[]);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert!(answer.problem().contains(says), "{method} {path}: {}", answer.text());
    }
    let allowed = daemon.ask("PUT", "/api/v1/sweeps", &[]);
    let allowed: BTreeSet<&str> = allowed.header("allow").iter().flat_map(|list| list.split(',')).collect();
    assert_eq!(allowed, BTreeSet::from(["GET", "HEAD", "POST"]));
    // A body that is announced is refused by its size, before it is sent.
    let large = daemon.ask("POST", "/api/v1/sweeps", &[("Content-Length", "20000")]);
    assert_eq!(large.status, 413, "{}", large.text());
    large.problem();
    // So is any: whoever announces one and does not send it holds nobody up.
    let unsent = daemon.ask("POST", "/api/v1/sweeps", &[("Content-Length", "10")]);
    assert_eq!(unsent.status, 400, "{}", unsent.text());
    let headers = [("X-Long", "x".repeat(40_000))];
    let long = daemon.ask("GET", "/api/v1/findings", &[("X-Long", headers[0].1.as_str())]);
    assert_eq!(long.status, 431);
    server.shutdown().await.expect("armsim ends");
}

/// Everything that is served, by the table that mounts it, so that no route can be forgotten.
fn everything() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = api::table()
        .into_iter()
        .map(|(method, path)| (method.to_string(), path.replace("{id}", &"0".repeat(32))))
        .collect();
    assert!(all.len() >= 8, "{all:?}");
    for path in ["/", "/metrics", api::DOCUMENT, "/api/v1/nothing", "/nothing", "/healthz/x", "//metrics"] {
        all.push(("GET".to_owned(), path.to_owned()));
    }
    all
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn basic(pair: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_refuses_whoever_it_does_not_know() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, &format!("{{ listen: '127.0.0.1:0', tokens: {} }}", tokens()));
    let wrong = [
        None,
        Some(bearer("mlfence_wrong")),
        Some(bearer("")),
        Some(bearer(&sha256(READER))),
        Some(basic(&format!("{READER}:x"))),
        Some(basic(READER)),
        Some("Bearer".to_owned()),
        Some(format!("Digest {READER}")),
        Some(READER.to_owned()),
        Some("Basic \u{7f}".replace('\u{7f}', "%%%")),
    ];
    for (method, path) in everything() {
        let ask = |authorization: Option<&str>| {
            let headers: Vec<(&str, &str)> =
                authorization.iter().map(|value| ("Authorization", *value)).collect();
            daemon.ask(&method, &path, &headers)
        };
        for wrong in &wrong {
            let answer = ask(wrong.as_deref());
            assert_eq!(answer.status, 401, "{method} {path} with {wrong:?}: {}", answer.text());
            let challenges = answer.header("www-authenticate");
            assert!(challenges.iter().any(|it| it.starts_with("Bearer ")), "{challenges:?}");
            assert!(challenges.iter().any(|it| it.starts_with("Basic ")), "{challenges:?}");
            answer.problem();
        }
        let twice = [("Authorization", bearer(READER)), ("Authorization", bearer(READER))];
        let twice: Vec<(&str, &str)> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(daemon.ask(&method, &path, &twice).status, 401, "{method} {path}: two tokens");
        let trigger = method == "POST";
        for (token, may) in [(READER, !trigger), (OPERATOR, trigger), (PROMETHEUS, path == "/metrics")] {
            for authorization in
                [bearer(token), basic(&format!("any user:{token}")), basic(&format!(":{token}"))]
            {
                let answer = ask(Some(&authorization));
                let refused = matches!(answer.status, 401 | 403);
                assert_eq!(
                    refused,
                    !may,
                    "{method} {path} with {token}: {} {}",
                    answer.status,
                    answer.text()
                );
                if refused {
                    assert_eq!(answer.status, 403, "{method} {path}: it is known, and may not");
                    assert!(answer.problem().contains("lacks the scope"), "{}", answer.text());
                }
            }
        }
    }
    // Whoever watches the process asks before anybody knows it, and learns nothing of the tenant.
    for authorization in [None, Some(bearer("mlfence_wrong")), Some(bearer(OPERATOR))] {
        let headers: Vec<(&str, &str)> =
            authorization.iter().map(|value| ("Authorization", value.as_str())).collect();
        let ready = daemon.ask("GET", "/readyz", &headers);
        assert_eq!((ready.status, ready.text().as_str()), (200, "ready\n"), "{authorization:?}");
        assert_eq!(daemon.ask("GET", "/healthz", &headers).text(), "ok\n");
    }
    let told = daemon.ask("GET", "/readyz", &[("Authorization", &bearer(READER))]);
    assert!(told.text().contains("34 fail"), "{}", told.text());
    server.shutdown().await.expect("armsim ends");
}

/// No finding leaves a listener that others can reach, unless it is said who may read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elsewhere_than_on_loopback_only_metrics_and_health_are_served_without_tokens() {
    let server = simulated(company::demo().0).await;
    let reach = |daemon: &Daemon| daemon.address().replace("0.0.0.0", "127.0.0.1");
    let open = daemon(&server, "{ listen: '0.0.0.0:0' }");
    let address = reach(&open);
    for (method, path) in everything() {
        let answer = Answer::of(&address, &method, &path, &[("Host", "mlfence.example")]);
        if path == "/metrics" {
            assert_eq!(answer.status, 200);
        } else {
            assert_eq!(answer.status, 403, "{method} {path}");
            assert!(answer.problem().contains("`http.tokens`"), "{}", answer.text());
        }
    }
    let ready = Answer::of(&address, "GET", "/readyz", &[("Host", "mlfence.example")]);
    assert!(ready.text().contains("34 fail"), "the metrics tell it too: {}", ready.text());
    drop(open);
    let read = daemon(&server, "{ listen: '0.0.0.0:0', anonymous: [read] }");
    let address = reach(&read);
    assert_eq!(Answer::of(&address, "GET", "/api/v1/findings", &[]).json()["total"], 42);
    assert_eq!(Answer::of(&address, "POST", "/api/v1/sweeps", &[]).status, 403);
    server.shutdown().await.expect("armsim ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_can_have_a_listener_of_their_own() {
    let server = simulated(company::demo().0).await;
    let http = format!(
        "{{ listen: '127.0.0.1:0', metrics: {{ listen: '127.0.0.1:0' }}, anonymous: [metrics], tokens: {} }}",
        tokens()
    );
    let daemon = start(&server, &http);
    daemon.log("last sweep");
    let reader = bearer(READER);
    let known = [("Authorization", reader.as_str())];
    assert_eq!(daemon.ask("GET", "/metrics", &known).status, 404, "it left the main listener");
    assert_eq!(daemon.ask("GET", "/api/v1/findings", &known).status, 200);
    let metrics = daemon.metrics_address();
    assert!(Answer::of(&metrics, "GET", "/metrics", &[]).text().contains("mlfence_open_findings"));
    assert_eq!(Answer::of(&metrics, "GET", "/healthz", &[]).status, 200);
    assert_eq!(Answer::of(&metrics, "GET", "/readyz", &[]).status, 200);
    assert_eq!(Answer::of(&metrics, "GET", "/api/v1/findings", &known).status, 404);
    assert_eq!(Answer::of(&metrics, "GET", "/api/v1/findings", &[]).status, 401);
    server.shutdown().await.expect("armsim ends");
}

/// A page of elsewhere that turned its own name into a loopback address asks by that name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_loopback_only_this_machine_is_heard() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, LOOPBACK);
    for (method, path) in everything().into_iter().chain([("GET".to_owned(), "/readyz".to_owned())]) {
        for headers in [
            &[("Host", "evil.example:9464")][..],
            &[("Host", "localhost.evil.example")],
            &[("Host", "localhost"), ("Host", "evil.example")],
            &[("Origin", "http://evil.example")],
            &[("Origin", "null")],
        ] {
            let answer = daemon.ask(&method, &path, headers);
            assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
            answer.problem();
        }
        for host in ["localhost", "LocalHost:1", "127.0.0.1", "[::1]:9"] {
            let answer = daemon.ask(&method, &path, &[("Host", host)]);
            assert_ne!(answer.status, 403, "{method} {path} {host}");
        }
    }
    assert_eq!(daemon.ask("GET", "/healthz", &[("Host", "evil.example")]).status, 200);
    for (headers, status) in [
        (&[("Sec-Fetch-Site", "cross-site")][..], 403),
        (&[("Sec-Fetch-Site", "same-site")], 403),
        (&[("Sec-Fetch-Site", "same-origin")], 202),
        (&[("Host", "localhost:1"), ("Origin", "http://localhost:2")], 403),
        (&[("Host", "localhost:1"), ("Origin", "http://localhost:1")], 202),
    ] {
        assert_eq!(daemon.ask("POST", "/api/v1/sweeps", headers).status, status, "{headers:?}");
    }
    server.shutdown().await.expect("armsim ends");
}

/// A password that the browser keeps is sent along by pages of elsewhere too.
/// A proxy on this machine asks by the name that its own callers used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_loopback_a_token_may_come_by_any_name() {
    let server = simulated(company::demo().0).await;
    let http = format!("{{ listen: '127.0.0.1:0', anonymous: [metrics], tokens: {} }}", tokens());
    let daemon = daemon(&server, &http);
    let by = |token: Option<&str>| {
        let authorization = token.map(bearer);
        let mut headers = vec![("Host", "mlfence.example")];
        headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
        daemon.ask("GET", "/api/v1/policies", &headers).status
    };
    assert_eq!((by(Some(READER)), by(None), by(Some("mlfence_none"))), (200, 403, 403));
    server.shutdown().await.expect("armsim ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_password_is_of_no_use_to_another_site() {
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, &format!("{{ listen: '127.0.0.1:0', tokens: {} }}", tokens()));
    let password = basic(&format!("me:{OPERATOR}"));
    for (headers, status) in [
        (&[][..], 202),
        (&[("Host", "mlfence.example"), ("Origin", "https://mlfence.example")], 202),
        (&[("Host", "mlfence.example"), ("Origin", "https://evil.example")], 403),
        (&[("Origin", "null")], 403),
        (&[("Sec-Fetch-Site", "cross-site")], 403),
    ] {
        let headers: Vec<(&str, &str)> =
            headers.iter().copied().chain([("Authorization", password.as_str())]).collect();
        assert_eq!(daemon.ask("POST", "/api/v1/sweeps", &headers).status, status, "{headers:?}");
    }
    server.shutdown().await.expect("armsim ends");
}

/// Names come from Azure, and questions from anybody. Neither may end a header, a JSON string or a line of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_names_and_questions_never_break_out() {
    const HOSTILE: &str = "x\"\r\nSet-Cookie: a=b\r\n\r\n<img src=x onerror=alert(1)>\u{202e}\u{2028}'%00";
    let (estate, _) = company::demo();
    let named = json!(HOSTILE).to_string();
    let text: String = estate
        .records
        .iter()
        .map(|record| {
            let mut record = record.clone();
            if record["name"] == "mlw-vision-dev" {
                record["name"] = json!(HOSTILE);
            }
            record.to_string().replace("vnet-mlw-vision-dev", &named[1..named.len() - 1]) + "\n"
        })
        .collect();
    let records = text.lines().map(|line| serde_json::from_str(line).expect("still JSON")).collect();
    let server = simulated(Estate { records, ..estate }).await;
    let daemon = start(&server, "{ listen: '127.0.0.1:0', snapshot: true }");
    daemon.log("last sweep");
    let mut hostile = 0;
    let id = ids(&get(&daemon, "/api/v1/findings?text=alert(1)")).remove(0);
    let long = "%0d%0aSet-Cookie:%20a=b".repeat(60);
    let mut paths: Vec<String> = everything().into_iter().map(|(_, path)| path).collect();
    paths.push(format!("/api/v1/findings/{id}"));
    for query in ["text", "subscription", "workspace", "policy", "severity", "cursor", "nix%0d%0aX"] {
        paths.push(format!("/api/v1/findings?{query}=%0d%0aSet-Cookie:%20a=b%00%e2%80%ae"));
        paths.push(format!("/api/v1/findings?{query}={long}"));
    }
    paths.push(format!("/api/v1/findings/{long}"));
    paths.push(format!("/api/v1/{long}"));
    for path in paths {
        let answer = daemon.ask("GET", &path, &[]);
        assert!(answer.header("set-cookie").is_empty(), "{path}: {}", answer.head);
        assert_eq!(answer.header("x-content-type-options"), ["nosniff"], "{path}");
        let kind = answer.header("content-type").first().copied().unwrap_or_default();
        if kind.ends_with("json") {
            hostile += usize::from(answer.json().to_string().contains("alert(1)"));
        } else {
            assert!(
                path == "/" || path == "/metrics" || path.starts_with("/api/v1/snapshot"),
                "{path}: {kind}"
            );
        }
    }
    assert!(hostile > 1, "the names were told at all");
    assert_eq!(daemon.ask("POST", "/api/v1/sweeps", &[("X-A", "b")]).status, 202);
    daemon.log("last sweep");
    for line in daemon.logged() {
        assert!(line.starts_with("20"), "a line of the log that nobody wrote: {line:?}");
    }
    server.shutdown().await.expect("armsim ends");
}

/// Tokens are in no line of the log at its most talkative, from the start to the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_reaches_a_log() {
    let server = simulated(company::demo().0).await;
    let folder = tempfile::tempdir().expect("a folder");
    let more = format!("http: {{ listen: '127.0.0.1:0', tokens: {} }}\n", tokens());
    let config = configure(folder.path(), &server, "1h", &folder.path().join("ledger.db"), &more);
    let serving = Serving::start_talking(&server, &config);
    let mut lines = serving.log_through("last sweep");
    let pair = format!("me:{OPERATOR}");
    let secrets = [READER, OPERATOR, "mlfence_wrong-token"];
    for authorization in
        [bearer(READER), bearer("mlfence_wrong-token"), basic(&pair), basic("me:mlfence_wrong-token")]
    {
        for (method, path) in everything() {
            serving.ask(&method, &path, &[("Authorization", &authorization)]);
        }
    }
    lines.extend(serving.log_through("by=\"operator\""));
    serving.signal("TERM");
    lines.extend(serving.log_through("shutting down"));
    for line in &lines {
        for secret in secrets.iter().map(|it| (*it).to_owned()).chain([basic(&pair)[6..].to_owned()]) {
            assert!(!line.contains(&secret), "{line}");
        }
    }
    server.shutdown().await.expect("armsim ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_new_tokens_at_once() {
    let server = simulated(company::demo().0).await;
    let one = |token: &str| format!("tokens: [{{ name: a, sha256: {} }}]", sha256(token));
    let daemon = daemon(&server, &format!("{{ listen: '127.0.0.1:0', {} }}", one(READER)));
    let ask =
        |token: &str| daemon.ask("GET", "/api/v1/policies", &[("Authorization", &bearer(token))]).status;
    assert_eq!((ask(READER), ask(OPERATOR)), (200, 401));
    let config = fs::read_to_string(&daemon.config).expect("readable");
    fs::write(&daemon.config, config.replace(&one(READER), &one(OPERATOR))).expect("written");
    daemon.signal("HUP");
    daemon.log("configuration and policies were reloaded");
    assert_eq!((ask(READER), ask(OPERATOR)), (401, 200));
    // Even while a sweep is under way, which may take its time: a token may be taken back because it got lost.
    server.replace_options(Options { latency: std::time::Duration::from_secs(1), ..Options::default() });
    server.reset_stats();
    fs::write(&daemon.config, config.replace(&one(READER), &one(PROMETHEUS))).expect("written");
    daemon.signal("HUP");
    daemon.log("configuration and policies were reloaded");
    until(|| server.stats().total > 0).await;
    fs::write(&daemon.config, config.replace(&one(READER), &one(OPERATOR))).expect("written");
    daemon.signal("HUP");
    until(|| ask(OPERATOR) == 200).await;
    assert_eq!(ask(PROMETHEUS), 401);
    assert!(daemon.logged().iter().all(|line| !line.contains("last sweep")), "the sweep had ended");
    server.replace_options(Options::default());
    daemon.log("configuration and policies were reloaded");
    // An invalid file leaves the door as it is.
    fs::write(&daemon.config, "http: { tokens: 1 }").expect("written");
    daemon.log("the reload was refused");
    assert_eq!((ask(READER), ask(OPERATOR)), (401, 200));
    server.shutdown().await.expect("armsim ends");
}

/// What the command prints works: the token by its bearer, its line in a configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_command_makes_is_known_by_the_line_that_it_prints() {
    let make = || {
        let output = Command::new(env!("CARGO_BIN_EXE_mlfence"))
            .args(["token", "--name", "grafana", "--scope", "read", "--scope", "trigger"])
            .output()
            .expect("mlfence runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let said = make();
    let token = said.lines().map(str::trim).find(|line| line.starts_with("mlfence_")).expect("a token");
    assert!(token.len() > 43, "32 random bytes: {token}");
    assert!(!make().contains(token), "each is another");
    let line = said.lines().map(str::trim).find(|line| line.starts_with("- {")).expect("a line");
    assert!(line.contains(&sha256(token)) && line.contains("scopes: [read, trigger]"), "{line}");
    let server = simulated(company::demo().0).await;
    let daemon = daemon(&server, &format!("\n  listen: '127.0.0.1:0'\n  tokens:\n  {line}"));
    let known = bearer(token);
    assert_eq!(daemon.ask("GET", "/api/v1/findings", &[("Authorization", &known)]).status, 200);
    assert_eq!(daemon.ask("POST", "/api/v1/sweeps", &[("Authorization", &known)]).status, 202);
    server.shutdown().await.expect("armsim ends");
}
