//! `mlfence permissions`: the least-privilege role, or what is missing of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use comfy_table::{ContentArrangement, Table, presets};

use crate::audit::{PolicyArguments, Setup, judge_snapshot, load_config};
use crate::cli::{CLEAN, FINDINGS, INCOMPLETE, PermissionsArguments, PermissionsFormat};
use crate::config::is_guid;
use crate::inventory::{Code, ResourceId, printable};
use crate::permissions::{Check, Missing, NAME, Open, Role, Unprovable};
use crate::{snapshot_file, telemetry};

use super::{Failure, collect, narrow, print};

/// How many policies, kinds or subscriptions a line of the table names.
const FEW: usize = 6;

/// Runs the command.
pub fn run(arguments: &PermissionsArguments) -> Result<u8, Failure> {
    telemetry::start("warn", false);
    if arguments.check || arguments.snapshot.is_some() { check(arguments) } else { role(arguments) }
}

fn role(arguments: &PermissionsArguments) -> Result<u8, Failure> {
    let mut config = load_config(arguments.config.as_deref())?;
    narrow(&mut config, &arguments.scope)?;
    let role = Role::new(&config.scope.include).map_err(Failure::usage)?;
    let (text, then) = match arguments.format {
        None | Some(PermissionsFormat::Json) => {
            (json(&role)?, "az role definition create --role-definition @FILE".to_owned())
        }
        Some(PermissionsFormat::Bicep) => {
            let at =
                if role.at_subscription() { "sub create" } else { "mg create --management-group-id NAME" };
            (role.bicep(), format!("az deployment {at} --location REGION --template-file FILE"))
        }
        Some(PermissionsFormat::Table) => {
            return Err(Failure::usage(
                "--format table needs --check or --snapshot; a role is printed as json or bicep",
            ));
        }
    };
    print(&text)?;
    if io::stdout().is_terminal() {
        // What to do with it is for people; a closed stderr takes nothing from the role.
        let _ = writeln!(io::stderr(), "\nsave it as a file, then: {then}");
    }
    Ok(CLEAN)
}

fn check(arguments: &PermissionsArguments) -> Result<u8, Failure> {
    if arguments.format == Some(PermissionsFormat::Bicep) {
        return Err(Failure::usage("--format bicep is for the role; a check is printed as table or json"));
    }
    let mut setup = Setup::load(arguments.config.as_deref(), &PolicyArguments::default())?;
    let snapshot = match &arguments.snapshot {
        Some(path) => snapshot_file::read(path)?,
        None => {
            narrow(&mut setup.config, &arguments.scope)?;
            collect(&setup.config)?.snapshot
        }
    };
    let judged = judge_snapshot(&setup, &snapshot, &BTreeSet::new());
    let check = Check::of(&snapshot, &judged.report.results);
    let text = match arguments.format {
        Some(PermissionsFormat::Json) => json(&check)?,
        _ => table(&check),
    };
    print(&text)?;
    let code = exit_code(&check);
    if code == INCOMPLETE {
        return Err(Failure::incomplete("not every needed action could be checked"));
    }
    Ok(code)
}

fn exit_code(check: &Check) -> u8 {
    match (check.missing.is_empty(), check.is_complete()) {
        (false, _) => FINDINGS,
        (true, false) => INCOMPLETE,
        (true, true) => CLEAN,
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Failure::incomplete(format!("cannot write the result: {error}")))
}

fn table(check: &Check) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    if !check.missing.is_empty() {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(["MISSING ACTION", "SCOPE", "HIDES"]);
        // Where nobody wraps, ids and actions stay whole, and can be copied.
        if io::stdout().is_terminal()
            && let Some((width, _)) = terminal_size::terminal_size()
        {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.0);
        }
        for missing in &check.missing {
            table.add_row([
                printable(&missing.action),
                place(check, &missing.scope, "any one subscription"),
                hides(missing),
            ]);
        }
        let _ = writeln!(out, "{}\n", table.trim_fmt());
    }
    if !check.open.is_empty() {
        let _ = writeln!(out, "could not be checked");
        check.open.iter().for_each(|open| write_open(&mut out, check, open));
        out.push('\n');
    }
    write_unprovable(&mut out, check);
    write_grant(&mut out, check);
    let subscriptions = plural(check.subscriptions.len(), "subscription");
    let needed = plural(check.needed.len(), "needed action");
    let _ = match exit_code(check) {
        CLEAN => writeln!(out, "nothing is missing: {needed}, {subscriptions}"),
        _ => {
            let missing: BTreeSet<&str> = check.missing.iter().map(|m| m.action.as_str()).collect();
            let open: BTreeSet<&&str> = check.open.iter().flat_map(|open| &open.actions).collect();
            writeln!(
                out,
                "{needed}, {subscriptions}: {} missing somewhere, {} not checked everywhere",
                missing.len(),
                open.len()
            )
        }
    };
    out
}

fn write_open(out: &mut String, check: &Check, open: &Open) {
    let actions: Vec<&str> = open.actions.iter().copied().collect();
    let actions = if actions.len() == check.needed.len() {
        "every needed action".to_owned()
    } else if actions.len() > FEW {
        format!("{} actions (--format json lists them)", actions.len())
    } else {
        actions.join(", ")
    };
    let _ = writeln!(out, "  {}: {actions}", place(check, &open.scope, "everywhere"));
    let reason = Code::from(open.reason).name();
    let detail =
        if open.detail.is_empty() { String::new() } else { format!(": {}", printable(&open.detail)) };
    let _ = writeln!(out, "    {reason}{detail}");
}

fn write_unprovable(out: &mut String, check: &Check) {
    if check.unprovable.is_empty() {
        return;
    }
    let _ = writeln!(out, "not proven by single actions");
    for Unprovable { kind, scopes, detail } in &check.unprovable {
        let scopes = match scopes.iter().collect::<Vec<_>>().as_slice() {
            [one] => place(check, one, "everywhere"),
            many => plural(many.len(), "scope"),
        };
        let _ = writeln!(out, "  {kind}, {scopes}: {}", printable(detail));
    }
    out.push('\n');
}

/// What to run: the role on each subscription that lacks something, or on a management group above many.
fn write_grant(out: &mut String, check: &Check) {
    if check.missing.is_empty() {
        return;
    }
    // The lines are pasted into a shell, and a snapshot file may hold anything.
    let guids: BTreeSet<&str> = check
        .missing
        .iter()
        .map(|missing| missing.scope.subscription().filter(|guid| is_guid(guid)).unwrap_or("<subscription>"))
        .collect();
    let (flags, scopes): (String, Vec<String>) = if guids.len() > FEW {
        let scope = "/providers/Microsoft.Management/managementGroups/<management-group>";
        ("--management-group <management-group>".to_owned(), vec![scope.to_owned()])
    } else {
        let flags: Vec<String> = guids.iter().map(|guid| format!("--subscription {guid}")).collect();
        (flags.join(" "), guids.iter().map(|guid| format!("/subscriptions/{guid}")).collect())
    };
    let _ = writeln!(
        out,
        "to grant it, with the role made first where it is not there yet (an update replaces its scopes: name the old ones too)"
    );
    let _ = writeln!(out, "  mlfence permissions {flags} > mlfence-reader.json");
    let _ = writeln!(out, "  az role definition create --role-definition @mlfence-reader.json");
    for scope in scopes {
        let _ = writeln!(
            out,
            "  az role assignment create --role '{NAME}' --assignee-object-id <object-id> --assignee-principal-type ServicePrincipal --scope {scope}"
        );
    }
    let denied = |missing: &Missing| missing.details.iter().any(|detail| detail.contains("DenyAssignment"));
    if check.missing.iter().any(denied) {
        let _ = writeln!(
            out,
            "  no role helps against a deny assignment; whoever made it must except this identity"
        );
    }
    out.push('\n');
}

fn place(check: &Check, scope: &ResourceId, above: &str) -> String {
    let Some(guid) = scope.subscription() else { return above.to_owned() };
    match check.subscriptions.get(guid).filter(|name| !name.is_empty()) {
        Some(name) => format!("{} ({})", printable(scope.key()), printable(name)),
        None => printable(scope.key()),
    }
}

fn hides(missing: &Missing) -> String {
    let kinds = few(missing.hides.iter().map(|kind| kind.name()), "kinds");
    if missing.unknowns == 0 {
        return kinds;
    }
    let policies = few(missing.policies.iter().map(String::as_str), "policies");
    format!("{kinds}; {} of {policies}", plural(missing.unknowns, "unknown"))
}

fn few<'a>(names: impl Iterator<Item = &'a str>, noun: &str) -> String {
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        many if many.len() > FEW => format!("{} {noun}", many.len()),
        names => names.join(", "),
    }
}

fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
