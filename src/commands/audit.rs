//! `mlfence audit`: one sweep, one report.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};

use time::OffsetDateTime;

use crate::audit::{PolicyArguments, Setup, judge_and_release, waive};
use crate::cli::{AuditArguments, CLEAN, FINDINGS, Format, INCOMPLETE, StatusArgument, UNKNOWN};
use crate::findings::{Report, Status};
use crate::inventory::{Coverage, Kind, ResourceId, Snapshot};
use crate::outlets::table::{self, Layout};
use crate::{snapshot_file, telemetry};

use super::{Failure, collect, narrow, print};

/// Runs the command.
pub fn run(arguments: &AuditArguments) -> Result<u8, Failure> {
    telemetry::start("warn", false);
    let more = PolicyArguments { waivers: arguments.waivers.clone(), ..arguments.setup.policy_arguments() };
    let mut setup = Setup::load(arguments.setup.config.as_deref(), &more)?;
    let only = chosen(&setup, &arguments.policy)?;
    let mut snapshot = match &arguments.snapshot {
        Some(path) => snapshot_file::read(path)?,
        None => {
            narrow(&mut setup.config, &arguments.scope)?;
            collect(&setup.config)?.snapshot
        }
    };
    let any_workspace = snapshot.records.values().any(|record| record.kind() == Some(Kind::Workspaces));
    let mut judged = judge_and_release(&setup, &mut snapshot, &only);
    waive(&setup, &mut judged, OffsetDateTime::now_utc());
    let code = exit_code(&judged.report, &snapshot, arguments);
    print(&shown(judged.report, arguments)?)?;
    if code == INCOMPLETE {
        let message = "no subscription showed its workspaces, so nothing could be judged; the report says what is missing";
        return Err(Failure::incomplete(message));
    }
    if !any_workspace {
        // Not a success that a pipeline on the wrong subscription should go by, nor a failure of the audit.
        let _ = writeln!(io::stderr(), "mlfence: no workspace lies in the scope, so nothing was judged");
    }
    if arguments.setup.config.is_none() && arguments.format == Format::Table {
        print("judged without --config: nothing is declared, and every policy has its own severity\n")?;
    }
    Ok(code)
}

/// The policies that were asked for by id.
fn chosen(setup: &Setup, ids: &[String]) -> Result<BTreeSet<String>, Failure> {
    let known: Vec<&str> = setup.bundle.policies().iter().map(|policy| policy.metadata.id.as_str()).collect();
    let chosen: BTreeSet<String> = ids.iter().map(|id| id.to_ascii_uppercase()).collect();
    let unknown: Vec<&str> = chosen.iter().map(String::as_str).filter(|id| !known.contains(id)).collect();
    match unknown.as_slice() {
        [] => Ok(chosen),
        ids => Err(Failure::usage(format!(
            "there is no policy {}; the policies are {}",
            ids.join(", "),
            known.join(", ")
        ))),
    }
}

fn exit_code(report: &Report, snapshot: &Snapshot, arguments: &AuditArguments) -> u8 {
    if report.fails_at(arguments.fail_on) {
        FINDINGS
    } else if nothing_readable(snapshot) {
        INCOMPLETE
    } else if arguments.fail_on_unknown && report.unknowns() > 0 {
        UNKNOWN
    } else {
        CLEAN
    }
}

/// Whether no subscription showed its workspaces: that nothing was found there says nothing.
fn nothing_readable(snapshot: &Snapshot) -> bool {
    let coverage = Coverage::of(snapshot);
    let mut subscriptions = coverage.subscriptions().peekable();
    let hidden =
        |guid: &str| coverage.hides(Kind::Workspaces, &ResourceId::subscription_scope(guid)).is_some();
    subscriptions.peek().is_none() || subscriptions.all(hidden)
}

/// The report as text. A filter hides results, and neither summary nor gaps.
fn shown(mut report: Report, arguments: &AuditArguments) -> Result<String, Failure> {
    if !arguments.status.is_empty() {
        let wanted: Vec<Status> = arguments.status.iter().map(|status| (*status).into()).collect();
        report.results.retain(|result| wanted.contains(&result.status));
    }
    match arguments.format {
        Format::Json => serde_json::to_string_pretty(&report)
            .map(|text| text + "\n")
            .map_err(|error| Failure::incomplete(format!("cannot write the report: {error}"))),
        Format::Table => {
            let terminal = io::stdout().is_terminal();
            let width = terminal_size::terminal_size().map_or(110, |(width, _)| usize::from(width.0));
            let color = terminal && std::env::var_os("NO_COLOR").is_none();
            Ok(table::render(&report, Layout { width, color }))
        }
    }
}

impl From<StatusArgument> for Status {
    fn from(status: StatusArgument) -> Self {
        match status {
            StatusArgument::Fail => Status::Fail,
            StatusArgument::Unknown => Status::Unknown,
            StatusArgument::Waived => Status::Waived,
            StatusArgument::Pass => Status::Pass,
            StatusArgument::NotApplicable => Status::NotApplicable,
        }
    }
}
