//! The metadata block, opened to fuzzing: what must hold whatever a policy's author writes.
//!
//! Compiled for unit tests and under `cfg(fuzzing)` only. Targets and corpora are in `tests/fuzz`.

use super::metadata;

/// A policy's text down to `package`: the block is valid, or each problem stands on a line of it.
pub fn metadata_block(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let package = text.lines().position(|line| line.starts_with("package")).map(|at| at + 1);
    let package = package.unwrap_or_else(|| text.lines().count().max(1));
    match metadata::read(text, package) {
        Ok(metadata) => {
            for told in [&metadata.id, &metadata.title, &metadata.description, &metadata.remediation] {
                assert!(!told.trim().is_empty() && text.contains(told.lines().next().unwrap_or_default()));
            }
            assert!(!metadata.requires.is_empty() && !metadata.documents.is_empty());
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            // YAML breaks lines at carriage returns too.
            let last = package + text.replace("\r\n", "\n").matches('\r').count();
            for (line, message) in problems {
                assert!((1..=last).contains(&line) && !message.is_empty(), "of {last}: {line}: {message}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    include!("../../tests/fuzz/replay.rs");

    #[test]
    fn what_was_found_by_fuzzing_metadata_still_holds() {
        replay("policy_metadata", super::metadata_block);
    }
}
