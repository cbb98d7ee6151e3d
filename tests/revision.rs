//! The build script's word on the commit, run in repositories of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The build script, compiled, and a repository with the files that it looks at.
struct Bench {
    folder: TempDir,
}

/// Neither the caller's repository nor the machine's habits reach the commands.
fn command(program: &Path, at: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(at).env_clear().env("PATH", std::env::var_os("PATH").expect("a PATH"));
    command.env("HOME", at).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CEILING_DIRECTORIES", "/");
    for (who, what) in [("NAME", "somebody"), ("EMAIL", "somebody@example.com")] {
        command.env(format!("GIT_AUTHOR_{who}"), what).env(format!("GIT_COMMITTER_{who}"), what);
    }
    command
}

fn run(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn git(at: &Path, arguments: &[&str]) -> String {
    let mut git = command(Path::new("git"), at);
    git.args(arguments);
    run(git)
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a folder") };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "-o"]).arg(bench.path("script")).arg(script);
        run(rustc);
        bench.sources("repository");
        let at = bench.path("repository");
        git(&at, &["init", "--quiet"]);
        bench.commit("repository");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sources(&self, name: &str) {
        for file in ["src/lib.rs", "policies/a.rego", "build.rs", "Cargo.toml", "Cargo.lock"] {
            let path = self.path(name).join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "\n").expect("a file");
        }
    }

    /// Commits everything, and tells the commit's name.
    fn commit(&self, name: &str) -> String {
        let at = self.path(name);
        git(&at, &["add", "--all"]);
        git(&at, &["commit", "--quiet", "--allow-empty", "--message", "more"]);
        git(&at, &["rev-parse", "HEAD"])
    }

    /// What the script says in that folder.
    fn says(&self, name: &str, profile: &str, told: Option<&str>) -> Vec<String> {
        let mut script = command(&self.path("script"), &self.path(name));
        script.env("PROFILE", profile);
        if let Some(told) = told {
            script.env("MLFENCE_REVISION", told);
        }
        run(script).lines().map(str::to_owned).collect()
    }

    fn revision(&self, name: &str, profile: &str, told: Option<&str>) -> String {
        let said = self.says(name, profile, told);
        let mut revisions =
            said.iter().filter_map(|line| line.strip_prefix("cargo:rustc-env=MLFENCE_REVISION="));
        let revision = revisions.next().expect("a revision").to_owned();
        assert_eq!(revisions.next(), None);
        revision
    }
}

#[test]
fn a_release_build_knows_its_commit_and_whether_the_sources_differ_from_it() {
    let bench = Bench::new();
    let commit = bench.commit("repository");
    assert_eq!(bench.revision("repository", "release", None), commit);
    // What the program is not made of.
    fs::write(bench.path("repository/README.md"), "words").expect("written");
    assert_eq!(bench.revision("repository", "release", None), commit);
    fs::write(bench.path("repository/src/new.rs"), "\n").expect("written");
    assert_eq!(bench.revision("repository", "release", None), format!("{commit}, modified"));
    let next = bench.commit("repository");
    assert_ne!(commit, next);
    assert_eq!(bench.revision("repository", "release", None), next);
}

#[test]
fn a_worktree_and_a_detached_head_have_their_own_commit() {
    let bench = Bench::new();
    let first = bench.commit("repository");
    git(&bench.path("repository"), &["worktree", "add", "--quiet", "../tree"]);
    let second = bench.commit("tree");
    assert_ne!(first, second);
    assert_eq!(bench.revision("tree", "release", None), second);
    git(&bench.path("tree"), &["checkout", "--quiet", "--detach", &first]);
    assert_eq!(bench.revision("tree", "release", None), first);
}

/// Cargo runs the script again when one of the files that it names has changed; each commit must change one.
#[test]
fn a_commit_changes_a_watched_file() {
    let bench = Bench::new();
    git(&bench.path("repository"), &["worktree", "add", "--quiet", "../tree"]);
    for name in ["repository", "tree"] {
        bench.commit(name);
        let watched: Vec<PathBuf> = bench
            .says(name, "release", None)
            .iter()
            .filter_map(|line| line.strip_prefix("cargo:rerun-if-changed="))
            .map(|path| bench.path(name).join(path))
            .collect();
        let texts = || watched.iter().filter_map(|path| fs::read(path).ok()).collect::<Vec<_>>();
        for path in &watched {
            assert!(path.exists(), "cargo would build anew each time for {}", path.display());
        }
        let before = texts();
        bench.commit(name);
        assert_ne!(before, texts(), "{name}: {watched:?}");
    }
}

#[test]
fn without_a_repository_of_its_own_it_believes_what_it_is_told() {
    let bench = Bench::new();
    bench.sources("repository/vendor");
    bench.sources("alone");
    for name in ["repository/vendor", "alone"] {
        assert_eq!(bench.revision(name, "release", None), "unknown commit", "{name}");
        assert_eq!(bench.revision(name, "release", Some("unknown")), "unknown commit", "{name}");
        assert_eq!(bench.revision(name, "release", Some("4f2a")), "4f2a", "{name}");
    }
}

#[test]
fn a_debug_build_asks_no_repository() {
    let bench = Bench::new();
    assert_eq!(bench.revision("repository", "debug", None), "debug build");
    assert_eq!(bench.revision("repository", "debug", Some("4f2a")), "4f2a");
    let said = bench.says("repository", "debug", None).join("\n");
    assert!(!said.contains(".git"), "{said}");
}
