//! The program: writes estates, serves one, ends when told to.

use armsim::Estate;
use std::io::{BufRead, BufReader};
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

#[test]
fn what_cannot_be_meant_is_refused() {
    for arguments in [
        &["serve", "missing.jsonl"][..],
        &["serve", "x.jsonl", "--deny", "nonsense"],
        &["serve", "x.jsonl", "--readable-only", "/subscriptions/s"],
        &["serve", "x.jsonl", "--fault", "times=2"],
    ] {
        let output = armsim(arguments).output().expect("the program runs");
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
