// Replays a kept corpus without the fuzzer. Included where the tests are, which is in two crates.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Holds every input of a target's corpus against the target's property, and names the inputs that fail. A corpus that is
/// missing or empty fails as well.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let (mut inputs, mut failed) = (0, Vec::new());
    for entry in entries {
        let path = entry.expect("an entry").path();
        let input = fs::read(&path).expect("a kept input is readable");
        inputs += 1;
        if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
            failed.push(path.display().to_string());
        }
    }
    assert!(failed.is_empty(), "inputs of `{target}` fail:\n{}", failed.join("\n"));
    assert!(inputs > 0, "{} holds no inputs", folder.display());
}
