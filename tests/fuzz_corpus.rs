//! The kept inputs of the fuzz targets whose readers are public, replayed without the fuzzer. The other targets' inputs are
//! replayed beside their readers, in `azure::fuzzing` and `policy::fuzzing`.

#[path = "fuzz/targets/config.rs"]
mod config;
#[path = "fuzz/targets/resource_id.rs"]
mod resource_id;
#[path = "fuzz/targets/security_rules.rs"]
mod security_rules;
#[path = "fuzz/targets/snapshot.rs"]
mod snapshot;
#[path = "fuzz/targets/snapshot_file.rs"]
mod snapshot_file;

include!("fuzz/replay.rs");

#[test]
fn what_was_found_by_fuzzing_configurations_still_holds() {
    replay("config", config::check);
}

#[test]
fn what_was_found_by_fuzzing_ids_still_holds() {
    replay("resource_id", resource_id::check);
}

#[test]
fn what_was_found_by_fuzzing_security_rules_still_holds() {
    replay("security_rules", security_rules::check);
}

#[test]
fn what_was_found_by_fuzzing_snapshots_still_holds() {
    replay("snapshot", snapshot::check);
}

#[test]
fn what_was_found_by_fuzzing_snapshot_files_still_holds() {
    replay("snapshot_file", snapshot_file::check);
}

#[test]
fn every_fuzz_target_is_replayed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |path: &str| fs::read_to_string(root.join(path)).expect("a source");
    let replays =
        ["tests/fuzz_corpus.rs", "src/azure/fuzzing.rs", "src/policy/fuzzing.rs"].map(text).concat();
    let targets = fs::read_dir(root.join("tests/fuzz/targets")).expect("the targets");
    for target in targets {
        let path = target.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(replays.contains(&format!("replay(\"{name}\"")), "`{name}` is not replayed");
    }
}
