//! The command line: what may be typed, and which command it becomes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::audit::PolicyArguments;
use crate::commands;
use crate::facts::exposure::{PortRange, Protocols, Term};
use crate::severity::Severity;

/// Nothing at or above the asked severity.
pub const CLEAN: u8 = 0;
/// Violations.
pub const FINDINGS: u8 = 1;
/// Wrong usage, configuration or policies.
pub const USAGE: u8 = 2;
/// The audit itself could not be completed.
pub const INCOMPLETE: u8 = 3;
/// Unknowns, where `--fail-on-unknown` was asked.
pub const UNKNOWN: u8 = 4;

/// Version and commit; `build.rs` knows the latter.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("MLFENCE_REVISION"), ")");

/// Does the network fence around your Azure Machine Learning inferencing hold?
#[derive(Debug, Parser)]
#[command(version = VERSION, about, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge an estate once and print the verdicts.
    ///
    /// Exit codes: 0 nothing at or above --fail-on, 1 violations, 2 usage or configuration, 3 the audit could not
    /// be completed, 4 unknowns with --fail-on-unknown.
    Audit(AuditArguments),
    /// Sweep again and again, and serve metrics.
    Serve(ServeArguments),
    /// Write what Azure says into a file, to be judged later or elsewhere.
    Snapshot(SnapshotArguments),
    /// Tell what a policy demands and why; with a resource, also its verdict and the facts behind it.
    Explain(ExplainArguments),
    /// Ask one question about network rules or role assignments.
    #[command(subcommand)]
    Ask(AskCommand),
    /// The policies: list, check, test.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the least-privilege role that a sweep needs, or check what is missing of it.
    ///
    /// Without --check or --snapshot nothing is asked: the role is printed, assignable where the scope flags, or
    /// `scope.include` of the configuration, say. `az role definition create --role-definition @FILE` takes it.
    ///
    /// With --check a sweep is run as the configured identity; with --snapshot a file is looked at. Exit codes then:
    /// 0 nothing is missing, 1 something is missing, 2 usage or configuration, 3 the check could not be completed.
    Permissions(PermissionsArguments),
    /// Ask the local daemon whether it is well; for container health checks.
    Health(HealthArguments),
    /// Make a token for the daemon's page and API.
    Token(TokenArguments),
}

/// Where the configuration and further policies are.
#[derive(Clone, Debug, Default, Args)]
pub struct SetupArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A folder of policies to add to the shipped ones; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub policies: Vec<PathBuf>,
    /// Let added policies replace shipped ones of the same id.
    #[arg(long)]
    pub allow_replace: bool,
}

impl SetupArguments {
    /// The part about policies.
    pub fn policy_arguments(&self) -> PolicyArguments {
        PolicyArguments {
            directories: self.policies.clone(),
            allow_replace: self.allow_replace,
            whole_gate: false,
            waivers: Vec::new(),
        }
    }
}

/// Which subscriptions to read; they replace what the configuration includes.
#[derive(Clone, Debug, Default, Args)]
pub struct ScopeArguments {
    /// Read this subscription only; may be repeated.
    #[arg(long, value_name = "GUID")]
    pub subscription: Vec<String>,
    /// Read the subscriptions below this management group only; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub management_group: Vec<String>,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArguments {
    #[command(flatten)]
    pub(crate) setup: SetupArguments,
    /// A file of waivers, besides those of the configuration; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) waivers: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    /// Judge this snapshot file instead of a live tenant.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subscription", "management_group"])]
    pub(crate) snapshot: Option<PathBuf>,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Exit with 1 if a violation that no waiver covers is at least this severe: low, medium, high or critical.
    #[arg(long, value_name = "SEVERITY", default_value = "low")]
    pub(crate) fail_on: Severity,
    /// Exit with 4 if a verdict is unknown, no waiver accepts that, and no violation was found.
    #[arg(long)]
    pub(crate) fail_on_unknown: bool,
    /// Judge this policy only; may be repeated.
    #[arg(long, value_name = "ID")]
    pub(crate) policy: Vec<String>,
    /// Print only results of this status; may be repeated.
    #[arg(long, value_enum)]
    pub(crate) status: Vec<StatusArgument>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// A folder of policies to add to the shipped ones; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) policies: Vec<PathBuf>,
    /// Let added policies replace shipped ones of the same id.
    #[arg(long)]
    pub(crate) allow_replace: bool,
    /// How to write the log.
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    pub(crate) log_format: LogFormat,
}

/// Arguments of `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArguments {
    /// The file to write; .zst and .gz are compressed.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep every field that carries no secret, and ask for what no rule reads too; other versions of mlfence can judge
    /// such a file. Otherwise it holds what the rules of this one read.
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The policy's id, such as AKS-001.
    pub(crate) policy: String,
    /// A resource, by ARM id or name: what the policy says of it, and from what.
    pub(crate) resource: Option<String>,
    /// Look at this snapshot file instead of a live tenant.
    #[arg(long, value_name = "FILE", requires = "resource")]
    pub(crate) snapshot: Option<PathBuf>,
    /// Which policies, and what is declared.
    #[command(flatten)]
    pub(crate) setup: SetupArguments,
    /// A file of waivers, besides those of the configuration; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) waivers: Vec<PathBuf>,
}

/// `ask …`
#[derive(Debug, Subcommand)]
pub enum AskCommand {
    /// Do the security groups of a subnet or interface let this traffic through? Policies ask at the nodes, whose
    /// interfaces may have groups of their own.
    Flow(FlowArguments),
    /// Does this principal hold an action, or a role, at a scope?
    Access(AccessArguments),
}

/// Where an engine's question is put to, and how the answer is printed.
#[derive(Debug, Args)]
pub struct AskArguments {
    /// Ask this snapshot file instead of a live tenant.
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// Arguments of `ask flow`.
#[derive(Debug, Args)]
pub struct FlowArguments {
    /// The subnet or network interface whose security groups are asked, by ARM id.
    #[arg(long, value_name = "SUBNET|NIC")]
    pub(crate) at: String,
    /// outbound or inbound, seen from there.
    #[arg(long, value_enum)]
    pub(crate) direction: DirectionArgument,
    /// The far side: service tags, prefixes or addresses.
    #[arg(long, value_name = "TAG|CIDR|IP", value_delimiter = ',', required = true)]
    pub(crate) remote: Vec<Term>,
    /// The ports that the flow goes to.
    #[arg(long, value_name = "P|A-B", value_delimiter = ',', default_value = "*")]
    pub(crate) port: Vec<PortRange>,
    /// The near side, if not the place's own addresses.
    #[arg(long, value_name = "CIDR|IP", value_delimiter = ',')]
    pub(crate) local: Vec<Term>,
    /// The ports that the flow comes from.
    #[arg(long, value_name = "P|A-B", value_delimiter = ',', default_value = "*")]
    pub(crate) source_port: Vec<PortRange>,
    /// tcp, udp, icmp, esp, ah or any.
    #[arg(long, default_value = "tcp", value_parser = protocols)]
    pub(crate) protocol: Protocols,
    /// Where to ask, and how to print.
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

fn protocols(text: &str) -> Result<Protocols, String> {
    Protocols::named(text).ok_or_else(|| "use tcp, udp, icmp, esp, ah or any".to_owned())
}

/// Arguments of `ask access`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("wanted").required(true))]
pub struct AccessArguments {
    /// The principal's object id in the directory; not its application id.
    #[arg(long, value_name = "OBJECT-ID")]
    pub(crate) principal: String,
    /// An action, such as Microsoft.Network/virtualNetworks/subnets/join/action.
    #[arg(long, group = "wanted")]
    pub(crate) action: Option<String>,
    /// A role or everything that it gives, by guid or by name.
    #[arg(long, group = "wanted")]
    pub(crate) role: Option<String>,
    /// The scope, by ARM id.
    #[arg(long, value_name = "ID")]
    pub(crate) scope: String,
    /// Where to ask, and how to print.
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

/// Which way a flow goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DirectionArgument {
    /// From the place to the far side.
    Outbound,
    /// From the far side to the place.
    Inbound,
}

/// `policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Every policy that would be judged.
    List {
        /// Which policies.
        #[command(flatten)]
        setup: SetupArguments,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Take the policies through the load gate and report every problem.
    Check {
        /// Which policies.
        #[command(flatten)]
        setup: SetupArguments,
    },
    /// Run the policies' own tests.
    Test {
        /// Which policies.
        #[command(flatten)]
        setup: SetupArguments,
        /// Also tell which lines of the policies the tests reach; lines that none reaches make it fail.
        #[arg(long)]
        coverage: bool,
    },
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the configuration and every policy and waiver it names, and report every problem.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Arguments of `permissions`.
#[derive(Debug, Args)]
pub struct PermissionsArguments {
    /// Sweep, and tell which needed action is missing at which scope.
    #[arg(long)]
    pub(crate) check: bool,
    /// Check this snapshot file instead of a live tenant.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "subscription", "management_group"])]
    pub(crate) snapshot: Option<PathBuf>,
    /// json or bicep for the role (json if not told), table or json for a check (table if not told).
    #[arg(long, value_enum)]
    pub(crate) format: Option<PermissionsFormat>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
}

/// How to print the role, or what is missing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PermissionsFormat {
    /// A check, for people.
    Table,
    /// A role as `az role definition create` takes it; a check for programs.
    Json,
    /// A role to be deployed.
    Bicep,
}

/// Arguments of `health`.
#[derive(Debug, Args)]
pub struct HealthArguments {
    /// The daemon's configuration file, for its address.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Fail until the first sweep has finished.
    #[arg(long)]
    pub(crate) ready: bool,
}

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArguments {
    /// Whose it is, for the log: letters, digits, dots, dashes and underscores.
    #[arg(long, default_value = "reader", value_parser = token_name)]
    pub(crate) name: String,
    /// What it is good for; may be repeated.
    #[arg(long, value_enum, default_value = "read")]
    pub(crate) scope: Vec<ScopeArgument>,
}

fn token_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("use at most 64 letters, digits, dots, dashes and underscores".to_owned())
    }
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScopeArgument {
    /// Read everything, the metrics included.
    Read,
    /// Read the metrics alone.
    Metrics,
    /// Ask for a sweep.
    Trigger,
}

impl ScopeArgument {
    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ScopeArgument::Read => "read",
            ScopeArgument::Metrics => "metrics",
            ScopeArgument::Trigger => "trigger",
        }
    }
}

/// How to print results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs; the form is documented and stable.
    Json,
}

/// How to write the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// A status to filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusArgument {
    /// Violated.
    Fail,
    /// Not decided.
    Unknown,
    /// Accepted by a waiver.
    Waived,
    /// Proven.
    Pass,
    /// Does not apply, proven.
    #[value(name = "not_applicable", alias = "n/a")]
    NotApplicable,
}

impl Cli {
    /// Runs the command and gives the process's exit code.
    pub fn run(self) -> ExitCode {
        let code = match self.command {
            Command::Audit(arguments) => commands::audit::run(&arguments),
            Command::Serve(arguments) => commands::serve::run(arguments),
            Command::Snapshot(arguments) => commands::snapshot::run(&arguments),
            Command::Explain(arguments) => commands::explain::run(&arguments),
            Command::Ask(command) => commands::ask::run(&command),
            Command::Policy(command) => commands::policy::run(&command),
            Command::Permissions(arguments) => commands::permissions::run(&arguments),
            Command::Config(ConfigCommand::Check { config }) => commands::config::check(&config),
            Command::Health(arguments) => commands::health::run(&arguments),
            Command::Token(arguments) => commands::token::run(&arguments),
        };
        match code {
            Ok(code) => ExitCode::from(code),
            Err(failure) => failure.report(),
        }
    }
}
