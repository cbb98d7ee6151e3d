//! `mlfence ask flow|access`: one question, answered by the engines that feed the policies' facts.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::audit::load_config;
use crate::cli::{
    AccessArguments, AskArguments, AskCommand, CLEAN, DirectionArgument, FlowArguments, Format,
};
use crate::config::Config;
use crate::facts::access::{Access, Question, Wanted};
use crate::facts::exposure::{Exposure, Flow, Witness};
use crate::inventory::security::Direction;
use crate::inventory::{Inventory, ObjectId, Reason, ResourceId, printable};
use crate::{snapshot_file, telemetry};

use super::{Failure, collect, print};

/// Runs the command. An answer is an answer, whatever it says: the exit code is 0.
pub fn run(command: &AskCommand) -> Result<u8, Failure> {
    telemetry::start("warn", false);
    let (answer, ask) = match command {
        AskCommand::Flow(arguments) => (flow(arguments)?, &arguments.ask),
        AskCommand::Access(arguments) => (access(arguments)?, &arguments.ask),
    };
    let text = match ask.format {
        Format::Json => serde_json::to_string_pretty(&answer.json)
            .map_err(|error| Failure::incomplete(format!("cannot write the answer: {error}")))?,
        Format::Table => answer.text,
    };
    print(&format!("{}\n", text.trim_end()))?;
    Ok(CLEAN)
}

struct Answer {
    json: Value,
    text: String,
}

/// The estate that is asked, and the configuration that it is asked with.
fn estate(ask: &AskArguments) -> Result<(Config, Inventory), Failure> {
    let config = load_config(ask.config.as_deref())?;
    let snapshot = match &ask.snapshot {
        Some(path) => snapshot_file::read(path)?,
        None => collect(&config)?.snapshot,
    };
    let inventory = Inventory::build(&snapshot);
    Ok((config, inventory))
}

fn id(flag: &str, text: &str) -> Result<ResourceId, Failure> {
    ResourceId::parse(text).filter(|_| text.trim_start().starts_with('/')).ok_or_else(|| {
        Failure::usage(format!("{flag} takes an ARM id such as /subscriptions/…, `{text}` is none"))
    })
}

fn flow(arguments: &FlowArguments) -> Result<Answer, Failure> {
    let at = id("--at", &arguments.at)?;
    let (config, inventory) = estate(&arguments.ask)?;
    let direction = match arguments.direction {
        DirectionArgument::Outbound => Direction::Outbound,
        DirectionArgument::Inbound => Direction::Inbound,
    };
    let question = Flow {
        direction,
        remote: arguments.remote.clone(),
        local: (!arguments.local.is_empty()).then(|| arguments.local.clone()),
        source_ports: arguments.source_port.clone(),
        ports: arguments.port.clone(),
        protocols: arguments.protocol,
    };
    let declared = config.expectations.default.security_admin_rules;
    let answer = Exposure::of(&inventory).ask_flow(&at, &question, declared);
    // What policies rest on: something unread that could overrule the groups makes it unknown.
    let (verdict, reason) = match answer.proven() {
        Ok(verdict) => (verdict.name(), None),
        Err(reason) => ("unknown", Some(reason)),
    };
    let mut text = format!("{verdict}\n");
    if verdict == "unknown" && answer.reasons.is_empty() {
        line(&mut text, &format!("the security groups say {}, but", answer.verdict));
    }
    for reason in answer.open() {
        line(&mut text, &format!("  {reason}"));
    }
    for decider in &answer.decided_by {
        line(&mut text, &format!("  decided by {decider}"));
    }
    let witnesses: [(&str, &Option<Witness>); 3] = [
        ("arrives", &answer.witness.allowed),
        ("does not arrive", &answer.witness.denied),
        ("not known", &answer.witness.undecided),
    ];
    for (what, witness) in witnesses {
        if let Some(witness) = witness {
            line(&mut text, &format!("  {what}: {witness}"));
        }
    }
    let json = json!({
        "verdict": verdict, "decided_by": answer.deciders(), "witness": answer.witness, "reason": reason,
    });
    Ok(Answer { json, text })
}

fn access(arguments: &AccessArguments) -> Result<Answer, Failure> {
    let scope = id("--scope", &arguments.scope)?;
    let principal = ObjectId::parse(&arguments.principal)
        .ok_or_else(|| Failure::usage("--principal takes an object id, not blank text"))?;
    let (_, inventory) = estate(&arguments.ask)?;
    let access = Access::index(&inventory);
    let wanted = match (&arguments.action, &arguments.role) {
        (Some(action), _) => Wanted::action(action),
        (None, Some(role)) => Some(Wanted::Role(access.role(role).map_err(Failure::usage)?)),
        (None, None) => None,
    };
    let wanted = wanted.ok_or_else(|| Failure::usage("name an --action or a --role"))?;
    let answer = access.ask(&Question::new(principal, wanted, scope));
    let reason: Option<&Reason> = answer.reasons.first();
    let verdict = serde_json::to_value(answer.verdict).unwrap_or_default();
    let mut text = format!("{}\n", verdict.as_str().unwrap_or_default());
    for reason in &answer.reasons {
        line(&mut text, &format!("  {reason}"));
    }
    let role = |grant: &crate::facts::access::Grant| {
        let name =
            grant.role_name.clone().or_else(|| grant.role.as_ref().map(|role| role.as_str().to_owned()));
        let at = grant.scope.as_ref().map_or_else(|| "an unknown scope".to_owned(), ToString::to_string);
        format!("{} at {at} ({})", name.unwrap_or_else(|| "an unknown role".to_owned()), grant.assignment)
    };
    for (what, grants) in [("given by", &answer.decided_by), ("perhaps given by", &answer.undecided)] {
        for grant in grants {
            line(&mut text, &format!("  {what} {}", role(grant)));
        }
    }
    for denial in &answer.denied_by {
        let certain = if denial.certain { "denied by" } else { "perhaps denied by" };
        line(&mut text, &format!("  {certain} {}", denial.assignment));
    }
    for miss in &answer.misses {
        let kind = serde_json::to_value(miss.kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default().replace('_', " ");
        line(&mut text, &format!("  came near ({kind}): {}", role(&miss.grant)));
    }
    for note in &answer.notes {
        line(&mut text, &format!("  note: {}", note.message));
    }
    let json = json!({
        "verdict": answer.verdict,
        "decided_by": answer.decided_by.iter().map(|grant| &grant.assignment).collect::<Vec<_>>(),
        "witness": { "grants": answer.decided_by, "undecided": answer.undecided, "denials": answer.denied_by, "misses": answer.misses },
        "reason": reason,
    });
    Ok(Answer { json, text })
}

fn line(text: &mut String, line: &str) {
    let line = printable(line);
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{line}");
}
