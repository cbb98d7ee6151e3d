//! The command line: what may be typed, and which command it becomes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::audit::PolicyArguments;
use crate::commands;
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

/// Does the network fence around your Azure Machine Learning inferencing hold?
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true, max_term_width = 100)]
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
    /// Write everything that Azure says into a file, to be judged later or elsewhere.
    Snapshot(SnapshotArguments),
    /// Tell what a policy demands and why; with a resource, also its verdict and the facts behind it.
    Explain(ExplainArguments),
    /// The policies: list, check, test.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask the local daemon whether it is well; for container health checks.
    Health(HealthArguments),
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
        PolicyArguments { directories: self.policies.clone(), allow_replace: self.allow_replace }
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
    #[command(flatten)]
    pub(crate) scope: ScopeArguments,
    /// Judge this snapshot file instead of a live tenant.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subscription", "management_group"])]
    pub(crate) snapshot: Option<PathBuf>,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Exit with 1 if a violation is at least this severe: low, medium, high or critical.
    #[arg(long, value_name = "SEVERITY", default_value = "low")]
    pub(crate) fail_on: Severity,
    /// Exit with 4 if a verdict is unknown and no violation was found.
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
    /// Read the configuration and every policy it names, and report every problem.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
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
    /// Accepted.
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
            Command::Policy(command) => commands::policy::run(&command),
            Command::Config(ConfigCommand::Check { config }) => commands::config::check(&config),
            Command::Health(arguments) => commands::health::run(&arguments),
        };
        match code {
            Ok(code) => ExitCode::from(code),
            Err(failure) => failure.report(),
        }
    }
}
