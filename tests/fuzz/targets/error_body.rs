//! A body that is no success: a line of its status and the URL that was asked, then the body.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| mlfence::azure::fuzzing::error_body(input));
