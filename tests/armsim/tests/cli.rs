//! The program: writes estates, serves one, ends when told to.

use armsim::Estate;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

fn armsim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_armsim"));
    command.args(arguments);
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is text")
}

#[test]
fn a_generated_estate_has_its_list_beside_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("estate.jsonl.zst");
    let status = armsim(&["generate", "--workspaces", "48", "--seed", "3", "-o", text(&file)]).status();
    assert!(status.expect("the program runs").success());
    assert!(Estate::load(&file).is_ok());
    let list = std::fs::read_to_string(folder.path().join("estate.jsonl.zst.expected.json"));
    let list: serde_json::Value =
        serde_json::from_str(&list.expect("the list is there")).expect("the list is JSON");
    assert!(list.as_array().is_some_and(|list| list.len() >= 24));
    let declared = std::fs::read_to_string(folder.path().join("estate.jsonl.zst.expectations.yaml"));
    assert!(declared.expect("the declarations are there").starts_with("expectations:\n"));
}

#[test]
fn a_server_tells_a_client_its_environment_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("estate.jsonl");
    let status = armsim(&["estate", "healthy", "-o", text(&file)]).status();
    assert!(status.expect("the program runs").success());
    let mut server =
        armsim(&["serve", text(&file)]).stdout(Stdio::piped()).spawn().expect("the program runs");
    let out = BufReader::new(server.stdout.take().expect("the output is piped"));
    let lines: Vec<String> = out.lines().take(3).map_while(Result::ok).collect();
    let base = lines[0].strip_prefix("ARM_ENDPOINT=").expect("the base URL comes first");
    assert!(base.starts_with("http://127.0.0.1:"));
    assert_eq!(lines[1], format!("IDENTITY_ENDPOINT={base}/msi/token"));
    assert_eq!(lines[2], "IDENTITY_HEADER=armsim");
    let killed = Command::new("kill").args(["-TERM", &server.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    assert!(server.wait().expect("the server ends").success());
}

/// What `curl` would print of the body, were it everywhere.
fn fetched(host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    answer
}

#[test]
fn a_scenario_comes_from_a_file_a_name_or_flags() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (file, unkind) = (folder.path().join("estate.jsonl"), folder.path().join("unkind.txt"));
    let status = armsim(&["estate", "healthy", "-o", text(&file)]).status();
    assert!(status.expect("the program runs").success());
    std::fs::write(&unkind, "answer,status=418").expect("the folder can be written");
    for (flags, status) in [
        (&["--scenario", text(&unkind)][..], "418 "),
        (&["--scenario", "outage", "--trouble", "answer,status=409"], "409 "),
        (&["--scenario", "throttle_storm", "--scenario-seed", "3"], "429 "),
        (&["--trouble", "redirect,status=307"], "307 "),
    ] {
        let mut arguments = vec!["serve", text(&file)];
        arguments.extend(flags);
        let mut server = armsim(&arguments).stdout(Stdio::piped()).spawn().expect("the program runs");
        let mut line = String::new();
        let mut out = BufReader::new(server.stdout.take().expect("the output is piped"));
        out.read_line(&mut line).expect("the server says where it is");
        let host = line.trim().strip_prefix("ARM_ENDPOINT=http://").expect("the base URL comes first");
        let answer = fetched(host, "/subscriptions?api-version=2022-12-01");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{flags:?}: {answer}");
        server.kill().expect("the server runs");
        server.wait().expect("the server ends");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for arguments in [
        &["serve", "missing.jsonl"][..],
        &["serve", "x.jsonl", "--deny", "nonsense"],
        &["serve", "x.jsonl", "--readable-only", "/subscriptions/s"],
        &["serve", "x.jsonl", "--fault", "times=2"],
        &["serve", "x.jsonl", "--trouble", "throtle"],
        &["serve", "x.jsonl", "--scenario", "no-such-scenario"],
    ] {
        let output = armsim(arguments).output().expect("the program runs");
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
