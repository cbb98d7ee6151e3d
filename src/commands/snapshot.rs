//! `mlfence snapshot`: what Azure says, into a file.

use crate::audit::{PolicyArguments, Setup};
use crate::cli::{CLEAN, SnapshotArguments};
use crate::inventory::Depth;
use crate::{snapshot_file, telemetry};

use super::{Failure, collect_at, narrow, print};

/// Runs the command.
pub fn run(arguments: &SnapshotArguments) -> Result<u8, Failure> {
    telemetry::start("warn", false);
    let mut setup = Setup::load(arguments.config.as_deref(), &PolicyArguments::default())?;
    narrow(&mut setup.config, &arguments.scope)?;
    // Before Azure is asked: a large tenant takes its time.
    let folder = arguments.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Failure::usage(format!("there is no folder {}", folder.display())));
    }
    let depth = if arguments.full { Depth::Everything } else { Depth::Rules };
    let snapshot = collect_at(&setup.config, depth)?.snapshot;
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
