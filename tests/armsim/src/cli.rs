//! The command line, and the commands behind it.

use armsim::arm_id::ArmId;
use armsim::{Estate, Fault, Options, Scenario, Server, Trouble, company};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Azure, small enough to test against.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a snapshot as if it were Azure, on the loopback interface, until interrupted.
    Serve(Box<Serve>),
    /// Write one of the estates that come with armsim, and what its operator declares in FILE.expectations.yaml; the demo's
    /// violations are listed in FILE.expected.json.
    Estate {
        /// Which one.
        which: Which,
        /// The snapshot to write: .jsonl, .jsonl.zst or .jsonl.gz.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Write a large estate with known violations, listed beside it in FILE.expected.json; they hold under the declarations
    /// in FILE.expectations.yaml.
    Generate {
        /// How many workspaces.
        #[arg(long)]
        workspaces: u32,
        /// Same seed, same bytes.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Over how many subscriptions the workspaces are spread; the hub has one more.
        #[arg(long, default_value_t = 3)]
        subscriptions: u32,
        /// The snapshot to write: .jsonl, .jsonl.zst or .jsonl.gz.
        #[arg(short, long)]
        output: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// Every policy passes for some subject.
    Healthy,
    /// A believable company with at least one violation of every policy.
    Demo,
}

#[derive(Args)]
struct Serve {
    /// The snapshot: .jsonl, .jsonl.zst or .jsonl.gz.
    snapshot: PathBuf,
    /// The loopback port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where to write the certificate authority (PEM) that a client must trust who takes this server for its HTTPS proxy
    /// and thereby for Azure.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A scope (subscription, resource group, resource) that answers 403; lists leave it out.
    #[arg(long, value_name = "ARM-SCOPE", value_parser = scope)]
    deny: Vec<String>,
    /// A subscription that does not exist for the caller.
    #[arg(long, value_name = "SUBSCRIPTION-ID")]
    hide: Vec<String>,
    /// A resource group that is all the caller may read of its subscription.
    #[arg(long, value_name = "RESOURCE-GROUP-ID", value_parser = group)]
    readable_only: Vec<String>,
    /// An action refused in a subscription, e.g. ID=Microsoft.Network/networkSecurityGroups/read.
    #[arg(long, value_name = "SUBSCRIPTION-ID=ACTION", value_parser = denied_action)]
    deny_action: Vec<(String, String)>,
    /// An action pattern that is all the caller holds; may be repeated. Without it that is */read.
    #[arg(long, value_name = "ACTION")]
    grant_only: Vec<String>,
    /// Refuse tokens after that time, though they promise an hour.
    #[arg(long, value_name = "SECONDS")]
    expire_tokens_after: Option<u64>,
    /// Items on a page of an ARM list.
    #[arg(long, default_value_t = Options::default().page_size)]
    page_size: usize,
    /// Rows on a page of Resource Graph at most.
    #[arg(long, default_value_t = Options::default().graph_page_size)]
    graph_page_size: usize,
    /// Throttle nobody.
    #[arg(long)]
    no_rate_limits: bool,
    /// Reads that a principal can save up in a subscription, refilled with 25 a second.
    #[arg(long, value_name = "READS", default_value_t = Options::default().read_burst, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    read_burst: u32,
    /// Azure seconds per real second: allowances come back, and the slowness of a scenario passes, that much faster.
    #[arg(long, value_name = "FACTOR", default_value_t = Options::default().time_scale, value_parser = factor)]
    time_scale: f64,
    /// A wait before every answer.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    latency_ms: u64,
    /// The next requests to fail, e.g. path=computes,status=429,retry_after=1,times=2.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// What goes wrong: a file (a JSON list, or a trouble a line), or a scenario's name; `random` draws one.
    #[arg(long, value_name = "FILE|NAME")]
    scenario: Option<String>,
    /// Same seed, same troubles.
    #[arg(long, value_name = "NUMBER")]
    scenario_seed: Option<u64>,
    /// One more trouble, e.g. throttle,kind=computes,probability=0.3,retry_after=date:5.
    #[arg(long, value_name = "TROUBLE")]
    trouble: Vec<Trouble>,
}

/// A scope that means nothing would silently deny nothing.
fn scope(text: &str) -> Result<String, String> {
    match ArmId::new(text).subscription() {
        Some(_) => Ok(text.to_owned()),
        None => Err(format!("'{text}' is not an ARM id below /subscriptions")),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor > 0.0);
    factor.ok_or_else(|| format!("'{text}' is not a number above zero"))
}

fn group(text: &str) -> Result<String, String> {
    let id = ArmId::new(text);
    match id.resource_group_id() {
        Some(group) if group == id => Ok(text.to_owned()),
        _ => Err(format!("'{text}' is not the id of a resource group")),
    }
}

fn denied_action(text: &str) -> Result<(String, String), String> {
    let (subscription, action) =
        text.split_once('=').ok_or_else(|| format!("'{text}' is not of the form SUBSCRIPTION-ID=ACTION"))?;
    Ok((subscription.to_owned(), action.to_owned()))
}

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    match cli.command {
        Command::Serve(serve) => tokio::runtime::Runtime::new()?.block_on(serve.run()),
        Command::Estate { which: Which::Healthy, output } => write(&company::healthy(), None, &output),
        Command::Estate { which: Which::Demo, output } => {
            let (estate, expected) = company::demo();
            write(&estate, Some(&expected), &output)
        }
        Command::Generate { workspaces, seed, subscriptions, output } => {
            let (estate, expected) = company::generate(&company::Size { workspaces, seed, subscriptions });
            write(&estate, Some(&expected), &output)
        }
    }
}

fn write(
    estate: &Estate,
    expected: Option<&[company::Expected]>,
    output: &Path,
) -> Result<(), Box<dyn Error>> {
    let beside = |ending: &str| {
        let mut path = output.as_os_str().to_owned();
        path.push(ending);
        path
    };
    estate.save(output)?;
    std::fs::write(beside(".expectations.yaml"), company::declarations(estate))?;
    if let Some(expected) = expected {
        std::fs::write(beside(".expected.json"), company::expected_json(expected))?;
    }
    Ok(())
}

/// A name of the catalogue wins over a file of that name, which `./NAME` still reaches.
fn scenario(told: Option<&str>, seed: Option<u64>, more: Vec<Trouble>) -> Result<Scenario, Box<dyn Error>> {
    let drawn = seed.unwrap_or_default();
    let mut scenario = match told {
        None => Scenario::default(),
        Some("random") => Scenario::random(drawn),
        Some(name) => match Scenario::named(name, drawn) {
            Some(scenario) => scenario,
            None => {
                let text = std::fs::read_to_string(name).map_err(|error| {
                    let names = Scenario::NAMES.join(", ");
                    format!("scenario '{name}' is neither a file ({error}) nor one of random, {names}")
                })?;
                Scenario::parse(&text).map_err(|error| format!("scenario {name}: {error}"))?
            }
        },
    };
    scenario.seed = seed.unwrap_or(scenario.seed);
    scenario.troubles.extend(more);
    Ok(scenario)
}

impl Serve {
    async fn run(self) -> Result<(), Box<dyn Error>> {
        let options = Options {
            port: self.port,
            deny: self.deny,
            hide: self.hide,
            readable_only: self.readable_only,
            deny_actions: self.deny_action,
            grant_only: self.grant_only,
            expire_tokens_after: self.expire_tokens_after.map(Duration::from_secs),
            page_size: self.page_size,
            graph_page_size: self.graph_page_size,
            rate_limits: !self.no_rate_limits,
            read_burst: self.read_burst,
            time_scale: self.time_scale,
            latency: Duration::from_millis(self.latency_ms),
            fail_next: self.fault,
            scenario: scenario(self.scenario.as_deref(), self.scenario_seed, self.trouble)?,
            ..Options::default()
        };
        let estate = Estate::load(&self.snapshot)?;
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let server = Server::start(estate, options).await?;
        // In the form that a shell can read.
        let mut out = std::io::stdout();
        if let Some(file) = &self.ca {
            std::fs::write(file, server.authority_pem())?;
            writeln!(out, "HTTPS_PROXY={}", server.base_url())?;
            writeln!(out, "SSL_CERT_FILE={}", file.display())?;
            writeln!(out, "REQUESTS_CA_BUNDLE={}", file.display())?;
        }
        writeln!(out, "ARM_ENDPOINT={}", server.base_url())?;
        writeln!(out, "IDENTITY_ENDPOINT={}", server.identity_endpoint())?;
        writeln!(out, "IDENTITY_HEADER={}", armsim::server::SECRET)?;
        out.flush()?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        server.shutdown().await?;
        Ok(())
    }
}
