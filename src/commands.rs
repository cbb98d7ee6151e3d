//! What each command does, from its arguments to its exit code.

pub mod ask;
pub mod audit;
pub mod config;
pub mod explain;
pub mod health;
pub mod permissions;
pub mod policy;
pub mod serve;
pub mod snapshot;
pub mod token;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use time::OffsetDateTime;

use crate::audit::SetupError;
use crate::azure::{self, CollectError, Progress};
use crate::cli::{INCOMPLETE, ScopeArguments, USAGE};
use crate::config::{Config, Selection, is_guid};
use crate::inventory::Depth;
use crate::snapshot_file::SnapshotFileError;
use crate::sweep;

/// Why a command ended without its result.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Wrong usage, configuration or policies.
    pub fn usage(message: impl Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    /// The work itself could not be completed.
    pub fn incomplete(message: impl Display) -> Self {
        Self { code: INCOMPLETE, message: message.to_string() }
    }

    /// Says it on stderr, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        // A closed stderr leaves the exit code, which is what a script reads.
        let _ = writeln!(io::stderr(), "mlfence: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        let SetupError(problems) = &error;
        match problems.as_slice() {
            [one] => Self::usage(one),
            many => Self::usage(format!("{} problems\n{}", many.len(), many.join("\n"))),
        }
    }
}

impl From<SnapshotFileError> for Failure {
    fn from(error: SnapshotFileError) -> Self {
        Self::usage(error)
    }
}

impl From<CollectError> for Failure {
    fn from(error: CollectError) -> Self {
        Self::incomplete(error)
    }
}

/// Prints a result. A reader that went away early (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::incomplete(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// The runtime of one-shot commands: they wait for the network, and nothing else.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::incomplete(format!("cannot start: {error}")))
}

/// Lets the scope of the command line replace what the configuration includes.
fn narrow(config: &mut Config, scope: &ScopeArguments) -> Result<(), Failure> {
    if scope.subscription.is_empty() && scope.management_group.is_empty() {
        return Ok(());
    }
    if let Some(name) = scope.subscription.iter().find(|guid| !is_guid(guid)) {
        return Err(Failure::usage(format!(
            "--subscription takes a GUID, `{name}` is none; `az account list` shows them"
        )));
    }
    let fold = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect();
    config.scope.include = Selection {
        subscriptions: fold(&scope.subscription),
        management_groups: fold(&scope.management_group),
        ..Selection::default()
    };
    Ok(())
}

/// Reads of a live tenant what rules read, once, with progress on a terminal.
fn collect(config: &Config) -> Result<azure::Collected, Failure> {
    collect_at(config, Depth::Rules)
}

/// The same, and no less than was asked for.
fn collect_at(config: &Config, depth: Depth) -> Result<azure::Collected, Failure> {
    let client = azure::Client::new(config)?.with_depth(depth);
    let runtime = runtime()?;
    let bar = io::stderr().is_terminal().then(|| {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar
    });
    let progress = |progress: Progress| {
        if let Some(bar) = &bar {
            bar.set_message(progress.to_string());
        }
    };
    let (earlier, now) = (BTreeSet::new(), OffsetDateTime::now_utc());
    let collected = runtime.block_on(async {
        tokio::select! {
            collected = sweep::run(&client, &config.expectations, &earlier, now, &progress) => collected.map_err(Failure::from),
            _ = tokio::signal::ctrl_c() => Err(Failure::incomplete("interrupted")),
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if let Some(trouble) = collected.as_ref().ok().and_then(|collected| trouble(&collected.numbers)) {
        // A closed stderr takes nothing from the result.
        let _ = writeln!(io::stderr(), "mlfence: {trouble}");
    }
    collected
}

/// What a sweep met that a person who waited for it should know; none if nothing went wrong on the way.
fn trouble(numbers: &azure::Numbers) -> Option<String> {
    // What failed for good is a gap of the report.
    if numbers.retries == 0 {
        return None;
    }
    let asked: u64 = numbers.requests.values().sum();
    let mut told = format!("asked Azure {asked} times, {} of them again", numbers.retries);
    if numbers.throttle_wait.as_secs() > 0 {
        told += ", and paused for its rate limits";
    }
    Some(told)
}
