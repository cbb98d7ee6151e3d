//! Tells the program which commit it was built from: `--version` prints it.
//!
//! `MLFENCE_REVISION` says so where there is no repository, as in a container build; else git is asked, for release builds only:
//! a debug build would have to be made anew, with all its tests, after each commit. No time and no path of this machine goes in,
//! so that the same commit gives the same program.

// Which is how a build script speaks to cargo.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

/// What the program is made of.
const SOURCES: &[&str] = &["build.rs", "Cargo.toml", "Cargo.lock", "src", "policies"];

fn main() {
    println!("cargo:rerun-if-env-changed=MLFENCE_REVISION");
    println!("cargo:rerun-if-changed=build.rs");
    let told = std::env::var("MLFENCE_REVISION").ok().map(|text| text.trim().to_owned());
    let revision = match told.filter(|text| !text.is_empty() && text != "unknown") {
        Some(told) => told,
        None if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") => {
            revision().unwrap_or_else(|| "unknown commit".to_owned())
        }
        None => "debug build".to_owned(),
    };
    println!("cargo:rustc-env=MLFENCE_REVISION={revision}");
}

/// The commit that is checked out, and whether the sources differ from it; nothing outside a repository of our own.
fn revision() -> Option<String> {
    // A copy of the sources inside somebody else's repository has none.
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    let mut watched: Vec<String> = SOURCES.iter().map(|&path| path.to_owned()).collect();
    // What a commit or a checkout changes; in a worktree, these lie elsewhere.
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        watched.extend(git(&["rev-parse", "--git-path", name]));
    }
    // Cargo takes a file that does not exist for changed, each time.
    for path in watched.iter().filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={path}");
    }
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    Some(if git(&status)?.is_empty() { commit } else { format!("{commit}, modified") })
}

/// What git prints, if it can be run and is content.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
