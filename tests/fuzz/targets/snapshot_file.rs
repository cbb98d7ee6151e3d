//! Snapshot files: a line `EXTENSION`, then the file's bytes; or `EXTENSION of`, then the text that is packed into the file.

#![cfg_attr(fuzzing, no_main)]

use std::fs;
use std::io::Write;

use mlfence::snapshot_file;

/// What must hold of any file.
pub(crate) fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (first, rest) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let (extension, packing) = match first {
        b"zst" => ("zst", false),
        b"zst of" => ("zst", true),
        b"gz" => ("gz", false),
        b"gz of" => ("gz", true),
        _ => ("jsonl", false),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("given.{extension}"));
    fs::write(&path, if packing { pack(extension, rest) } else { rest.to_vec() }).expect("a file");
    let given = snapshot_file::read(&path);
    if packing {
        let plain = folder.path().join("plain.jsonl");
        fs::write(&plain, rest).expect("a file");
        assert_eq!(snapshot_file::read(&plain).ok(), given.as_ref().ok().cloned(), "packing changed it");
    }
    let Ok(snapshot) = given else { return };
    let path = folder.path().join(format!("written.{extension}"));
    snapshot_file::write(&path, &snapshot).expect("a snapshot that was read can be written");
    assert_eq!(snapshot_file::read(&path).expect("what was written can be read"), snapshot);
    let bytes = fs::read(&path).expect("a file");
    // The last byte of a plain text is its line break.
    for cut in [0, bytes.len() / 4, bytes.len() / 2, bytes.len() - 2] {
        fs::write(&path, &bytes[..cut]).expect("a file");
        assert!(snapshot_file::read(&path).is_err(), "it reads without its end, to byte {cut}");
    }
}

fn pack(extension: &str, text: &[u8]) -> Vec<u8> {
    if extension == "zst" {
        return zstd::encode_all(text, 1).expect("memory takes everything");
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));
