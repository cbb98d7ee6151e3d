//! A snapshot's text: what reads is written and reads back as the same, and no beginning of it reads.

#![cfg_attr(fuzzing, no_main)]

use mlfence::inventory::Snapshot;

/// What must hold of any text.
pub(crate) fn check(input: &[u8]) {
    let Ok(snapshot) = Snapshot::read(input) else { return };
    let written = write(&snapshot);
    let again = Snapshot::read(written.as_slice()).expect("what was written can be read");
    assert_eq!(again, snapshot);
    assert_eq!(write(&again), written);
    // A file that lost its end must not pass for an estate with fewer resources.
    let whole = input.trim_ascii_end();
    let breaks = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    for cut in breaks.chain([whole.len() - 1]) {
        assert!(Snapshot::read(&whole[..cut]).is_err(), "it reads without its end, to byte {cut}");
    }
}

fn write(snapshot: &Snapshot) -> Vec<u8> {
    let mut written = Vec::new();
    snapshot.write(&mut written).expect("memory takes everything");
    written
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));
