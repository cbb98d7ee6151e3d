//! The metadata block of a policy: it is valid or each problem has its line.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| mlfence::policy::fuzzing::metadata_block(input));
