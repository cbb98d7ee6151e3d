//! What the log tells of a sweep: each request within the source that it was for.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use armsim::{Options, Server, company};

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_logged_within_its_source() {
    let server = Server::start(company::demo().0, Options::default()).await.expect("armsim starts");
    let folder = tempfile::tempdir().expect("a folder");
    let (config, url) = (folder.path().join("mlfence.yaml"), server.base_url());
    let text = format!(
        "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\ncredential: {{ type: managed_identity }}\n"
    );
    std::fs::write(&config, text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_mlfence"))
        .args(["snapshot", "-o", "snapshot.jsonl", "--config"])
        .arg(&config)
        .env("IDENTITY_ENDPOINT", server.identity_endpoint())
        .env("IDENTITY_HEADER", armsim::server::SECRET)
        .env("MLFENCE_LOG", "mlfence=debug")
        .current_dir(folder.path())
        .output()
        .expect("mlfence runs");
    let log = String::from_utf8(output.stderr).expect("text");
    let asked: Vec<&str> = log.lines().filter(|line| line.contains("asked Azure")).collect();
    let stats = server.stats();
    assert_eq!(asked.len() as u64, stats.total - stats.of("token"), "{log}");
    // `arm{source="computes" path="…"}: asked Azure …` and `resource_graph{kinds="virtual_networks,…" …}: asked Azure …`
    let sources: BTreeSet<&str> = asked
        .iter()
        .map(|line| {
            let (_, named) = line
                .split_once("arm{source=\"")
                .or_else(|| line.split_once("resource_graph{kinds=\""))
                .unwrap_or_else(|| panic!("of no source: {line}"));
            named.split(['"', ',']).next().unwrap_or_default()
        })
        .collect();
    for source in ["computes", "services", "role_assignments", "permissions", "service_tags", "workspaces"] {
        assert!(sources.contains(source), "{source} is missing: {sources:?}");
    }
}
