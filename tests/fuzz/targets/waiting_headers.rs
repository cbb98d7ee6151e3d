//! Headers that say how long to wait, one a line.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| mlfence::azure::fuzzing::waiting_headers(input));
