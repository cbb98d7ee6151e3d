//! The snapshot file: what is read back, and what is refused with its line and reason.

mod support;

use std::fs;

use mlfence::inventory::{Depth, Record, Snapshot};
use mlfence::snapshot_file;
use serde_json::json;

const HEADER: &str = r#"{"mlfence":"snapshot/1","taken_at":"2026-11-23T05:00:00Z","tenant_id":null,"cloud":"public","subscriptions":[{"id":"s","name":"n"}],"kinds":{"workspaces":{"via":"resource_graph"}}}"#;
const END: &str = r#"{"end":{"records":0,"answers":0,"gaps":0}}"#;

fn refusal(text: &str) -> String {
    Snapshot::read(text.as_bytes()).expect_err("must be refused").to_string()
}

#[test]
fn a_snapshot_survives_every_compression() {
    let estate = armsim::company::demo().0;
    let text = estate.to_jsonl();
    // As it is read to be judged.
    let snapshot = Snapshot::read_at(text.as_bytes(), Depth::Rules).expect("read");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["x.jsonl", "x.jsonl.zst", "x.jsonl.gz"] {
        let path = folder.path().join(name);
        snapshot_file::write(&path, &snapshot).expect("written");
        assert_eq!(snapshot_file::read(&path).expect("read"), snapshot, "{name}");
    }
    let plain = fs::metadata(folder.path().join("x.jsonl")).expect("there").len();
    let packed = fs::metadata(folder.path().join("x.jsonl.zst")).expect("there").len();
    assert!(packed * 3 < plain, "zstd did not pack: {packed} of {plain}");
}

#[test]
fn what_is_written_is_the_published_form() {
    let mut snapshot = Snapshot::read(format!("{HEADER}\n{END}\n").as_bytes()).expect("read");
    snapshot.add(
        Record::from_body(json!({"id": "/subscriptions/s", "type": "Microsoft.Resources/subscriptions"}))
            .expect("a record"),
    );
    let mut text = Vec::new();
    snapshot.write(&mut text).expect("written");
    let text = String::from_utf8(text).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], HEADER);
    assert_eq!(
        lines[1],
        r#"{"record":{"id":"/subscriptions/s","type":"Microsoft.Resources/subscriptions"}}"#
    );
    assert_eq!(lines[2], r#"{"end":{"records":1,"answers":0,"gaps":0}}"#);
}

#[test]
fn damaged_files_are_refused_with_line_and_reason() {
    let cases = [
        (String::new(), "line 1: the file is truncated: it is empty"),
        ("{}\n".to_owned(), "line 1: not an mlfence snapshot"),
        (
            HEADER.replace("snapshot/1", "snapshot/2"),
            "the format is `snapshot/2`, this mlfence reads `snapshot/1` only",
        ),
        (format!("{HEADER}\n"), "truncated: its last line is not an `end` line"),
        (
            format!("{HEADER}\n{{\"record\":{{\"id\":\"/a\"}}}}\n{END}\n"),
            "line 3: the file is truncated: its end line counts",
        ),
        (
            format!("{HEADER}\n{{\"record\":{{\"name\":\"x\"}}}}\n{END}\n"),
            "line 2: a record must have an `id`",
        ),
        (format!("{HEADER}\n{{\"record\":{{\"id\"\n{END}\n"), "line 2: EOF while parsing"),
        (format!("{HEADER}\n{{\"surprise\":1}}\n{END}\n"), "line 2: unknown variant `surprise`"),
        (
            format!(
                "{HEADER}\n{{\"gap\":{{\"source\":\"cats\",\"scope\":\"/\",\"reason\":\"denied\"}}}}\n{END}\n"
            ),
            "line 2: unknown variant `cats`",
        ),
        (format!("{HEADER}\n{END}\nmore\n"), "line 3: there is text after the `end` line"),
        (HEADER.replace("\"cloud\"", "\"clowd\""), "line 1: unknown field `clowd`"),
    ];
    for (text, expected) in cases {
        let found = refusal(&text);
        assert!(found.contains(expected), "expected `{expected}`, found `{found}`");
    }
}

#[test]
fn a_cut_compressed_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let snapshot = support::snapshot(&armsim::company::healthy());
    for name in ["cut.jsonl.zst", "cut.jsonl.gz"] {
        let path = folder.path().join(name);
        snapshot_file::write(&path, &snapshot).expect("written");
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() / 2]).expect("cut");
        let error = snapshot_file::read(&path).expect_err("must be refused").to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn two_lines_of_one_record_are_merged() {
    let text = format!(
        "{HEADER}\n{}\n{}\n{}\n",
        r#"{"record":{"id":"/subscriptions/s/resourceGroups/G/providers/a/b/c","properties":{"x":1,"y":1}}}"#,
        r#"{"record":{"id":"/subscriptions/S/resourcegroups/g/providers/A/B/c","properties":{"y":2}}}"#,
        r#"{"end":{"records":2,"answers":0,"gaps":0}}"#,
    );
    let snapshot = Snapshot::read(text.as_bytes()).expect("read");
    let bodies: Vec<_> =
        snapshot.records.values().map(|record| record.body()["properties"].clone()).collect();
    assert_eq!(bodies, [json!({"x": 1, "y": 2})]);
}

#[test]
fn a_number_reads_back_as_the_one_that_was_written() {
    let text = format!(
        "{HEADER}\n{}\n{}\n",
        r#"{"record":{"id":"/subscriptions/s/a/b/c","properties":{"n":1.5e-47}}}"#,
        r#"{"end":{"records":1,"answers":0,"gaps":0}}"#,
    );
    let snapshot = Snapshot::read(text.as_bytes()).expect("read");
    let read = snapshot.records.values().next().expect("a record").body()["properties"]["n"].as_f64();
    assert_eq!(read, Some("1.5e-47".parse().expect("a number")));
    let mut out = Vec::new();
    snapshot.write(&mut out).expect("written");
    assert_eq!(Snapshot::read(out.as_slice()).expect("read"), snapshot);
}

/// A planted secret never comes out of a snapshot, whatever way it went in.
#[test]
fn secrets_do_not_pass_through() {
    let text = format!(
        "{HEADER}\n{}\n{}\n",
        r#"{"record":{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/services/x","type":"Microsoft.MachineLearningServices/workspaces/services","properties":{"SSLKEY":"CANARY","keys":{"primaryKey":"CANARY"},"environmentImageRequest":{"environment":{"docker":{"baseImageRegistry":{"password":"CANARY"}}}},"state":"Healthy"}}}"#,
        r#"{"end":{"records":1,"answers":0,"gaps":0}}"#,
    );
    let snapshot = Snapshot::read(text.as_bytes()).expect("read");
    let mut out = Vec::new();
    snapshot.write(&mut out).expect("written");
    let out = String::from_utf8(out).expect("text");
    assert!(!out.contains("CANARY") && out.contains("Healthy"), "{out}");
}

/// What a link leads to is replaced and the link stays; a pipe takes the bytes and stays a pipe.
#[test]
fn links_and_pipes_stay_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("{HEADER}\n{END}\n");
    let snapshot = Snapshot::read_at(text.as_bytes(), Depth::Rules).expect("read");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("target.jsonl"), "old").expect("written");
    std::os::unix::fs::symlink("target.jsonl", path("link.jsonl")).expect("linked");
    snapshot_file::write(&path("link.jsonl"), &snapshot).expect("written");
    assert!(fs::symlink_metadata(path("link.jsonl")).expect("there").is_symlink());
    assert_eq!(snapshot_file::read(&path("target.jsonl")).expect("read"), snapshot);

    let pipe = path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).expect("read")
    });
    snapshot_file::write(&pipe, &snapshot).expect("written");
    assert_eq!(reader.join().expect("it reads"), fs::read_to_string(path("target.jsonl")).expect("read"));
}
