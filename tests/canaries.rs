//! Secrets planted wherever an answer to a plain GET is known to carry one: none may reach a log at its most talkative, a
//! snapshot, a report or an error. The paths are those of Azure's documentation, not of the list in `src`.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use armsim::{Estate, Fault, Options, RunningServer, Server, company};
use serde_json::{Value, json};

const CANARY: &str = "CANARY-3f9c";

/// Type, path of keys from the body (`0` makes a list of one), and what is planted there.
fn plants() -> Vec<(&'static str, &'static str, Value)> {
    const WORKSPACES: &str = "microsoft.machinelearningservices/workspaces";
    const COMPUTES: &str = "microsoft.machinelearningservices/workspaces/computes";
    const SERVICES: &str = "microsoft.machinelearningservices/workspaces/services";
    const GROUPS: &str = "microsoft.containerinstance/containergroups";
    const CLUSTERS: &str = "microsoft.containerservice/managedclusters";
    let canary = || json!(CANARY);
    let variables = || json!([{"name": "DB", "value": CANARY, "secureValue": CANARY}]);
    vec![
        (WORKSPACES, "properties.sdkTelemetryAppInsightsKey", canary()),
        (
            COMPUTES,
            "properties.properties.sslConfiguration",
            json!({"status": "Enabled", "key": CANARY, "cert": CANARY}),
        ),
        (COMPUTES, "properties.properties.relayConnectionString", canary()),
        (COMPUTES, "properties.properties.serviceBusConnectionString", canary()),
        (SERVICES, "properties.sslKey", canary()),
        (SERVICES, "properties.sslCertificate", canary()),
        (SERVICES, "properties.keys", json!({"primaryKey": CANARY, "secondaryKey": CANARY})),
        (
            SERVICES,
            "properties.environmentImageRequest",
            json!({"environment": {"docker": {"baseImageRegistry": {"address": "r", "username": "u", "password": CANARY}}}}),
        ),
        (SERVICES, "properties.models", json!([{"name": "m", "url": format!("https://s/m?sig={CANARY}")}])),
        (GROUPS, "properties.imageRegistryCredentials", json!([{"server": "r", "username": CANARY}])),
        (
            GROUPS,
            "properties.diagnostics",
            json!({"logAnalytics": {"workspaceId": "w", "workspaceKey": CANARY}}),
        ),
        (GROUPS, "properties.containers.*.properties.environmentVariables", variables()),
        (CLUSTERS, "properties.linuxProfile", json!({"ssh": {"publicKeys": [{"keyData": CANARY}]}})),
    ]
}

/// Sets a value wherever the path leads; `*` stands for every item of a list. Gives how often.
fn set(body: &mut Value, path: &str, value: &Value) -> usize {
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    match (head, rest, body) {
        ("*", rest, Value::Array(items)) => items.iter_mut().map(|item| set(item, rest, value)).sum(),
        (key, "", Value::Object(object)) => {
            object.insert(key.to_owned(), value.clone());
            1
        }
        (key, rest, Value::Object(object)) => {
            set(object.entry(key).or_insert_with(|| json!({})), rest, value)
        }
        _ => 0,
    }
}

fn planted() -> Estate {
    let mut estate = company::demo().0;
    for (of, path, value) in plants() {
        let records = estate
            .records
            .iter_mut()
            .filter(|record| record["type"].as_str().is_some_and(|told| told.eq_ignore_ascii_case(of)));
        let times: usize = records.map(|record| set(record, path, &value)).sum();
        assert!(times > 0, "nothing of {of} to plant at {path}");
    }
    estate
}

/// A credential of the secret form, since that secret must not be seen either.
fn run(server: &RunningServer, folder: &Path, arguments: &[&str]) -> Output {
    let secret = folder.join("secret");
    std::fs::write(&secret, armsim::server::SECRET).expect("written");
    let (url, config) = (server.base_url(), folder.join("mlfence.yaml"));
    let text = format!(
        "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\n\
         credential: {{ type: client_secret, tenant_id: 11111111-1111-1111-1111-111111111111, \
         client_id: 22222222-2222-2222-2222-222222222222, secret_file: '{}' }}\n{}",
        secret.display(),
        company::declarations(&company::demo().0)
    );
    std::fs::write(&config, text).expect("written");
    Command::new(env!("CARGO_BIN_EXE_mlfence"))
        .args(arguments)
        .arg("--config")
        .arg(&config)
        .env("MLFENCE_LOG", "trace")
        .current_dir(folder)
        .output()
        .expect("mlfence runs")
}

/// Whatever a token looks like in armsim, and whatever was planted.
fn clean(what: &str, text: &str) {
    for secret in [CANARY, armsim::server::SECRET, "armsim-token-"] {
        let at =
            text.find(secret).map(|at| text[at.saturating_sub(200)..].chars().take(260).collect::<String>());
        assert_eq!(at, None, "{what} holds {secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_a_log_a_snapshot_or_a_report() {
    let server = Server::start(planted(), Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["audit", "--format", "json"][..],
        &["snapshot", "-o", "snapshot.jsonl"],
        &["snapshot", "--full", "-o", "full.jsonl"],
        &["explain", "ACI-001", "churn-aci"],
    ] {
        let output = run(&server, folder.path(), arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(err.contains("asked Azure"), "the log talks: {err}");
        clean(&format!("{arguments:?}: stdout"), &out);
        clean(&format!("{arguments:?}: the log"), &err);
    }
    for name in ["snapshot.jsonl", "full.jsonl"] {
        let snapshot = std::fs::read_to_string(folder.path().join(name)).expect("a snapshot");
        assert!(snapshot.lines().count() > 100, "{name}");
        clean(name, &snapshot);
    }
    server.shutdown().await.expect("armsim ends");
}

/// Errors are Azure's words: they may say the token back, and name people.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_an_error() {
    let server = Server::start(planted(), Options::default()).await.expect("armsim starts");
    for (path, status) in
        [("computes", 403), ("services", 404), ("roleassignments", 401), ("resourcegraph", 400)]
    {
        server.fail_next(Fault { path: path.to_owned(), status, retry_after: None, times: 40 });
    }
    server.fail_next(Fault { path: String::new(), status: 502, retry_after: None, times: 1 });
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(&server, folder.path(), &["audit"]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("not read completely"), "gaps are told: {out}");
    clean("stdout", &out);
    clean("the log", &err);
    server.shutdown().await.expect("armsim ends");
}
