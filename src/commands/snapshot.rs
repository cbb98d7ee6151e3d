//! `mlfence snapshot`: everything Azure says, into a file.

use crate::audit::{PolicyArguments, Setup};
use crate::cli::{CLEAN, SnapshotArguments};
use crate::{snapshot_file, telemetry};

use super::{Failure, collect, narrow, print};

/// Runs the command.
pub fn run(arguments: &SnapshotArguments) -> Result<u8, Failure> {
    telemetry::start("warn", false);
    let mut setup = Setup::load(arguments.config.as_deref(), &PolicyArguments::default())?;
    narrow(&mut setup.config, &arguments.scope)?;
    let snapshot = collect(&setup.config)?.snapshot;
    snapshot_file::write(&arguments.output, &snapshot)?;
    print(&format!(
        "{}: {} records of {} subscriptions, {} answers, {} gaps\n",
        arguments.output.display(),
        snapshot.records.len(),
        snapshot.header.subscriptions.len(),
        snapshot.answers.len(),
        snapshot.gaps.len()
    ))?;
    Ok(CLEAN)
}
