//! Pages of an ARM list: a kind's name, then a page a line.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| mlfence::azure::fuzzing::arm_list(input));
