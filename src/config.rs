//! The configuration: the file's text in, the validated [`Config`] or every problem out. All defaults
//! stand here. How a value is used is the affair of whoever reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::expectations::{
    Declarations, EgressAppliance, Expectations, NoSecurityAdminRules, Openness, RoleScope,
};
use crate::inventory::ResourceId;
pub use crate::inventory::is_guid;
use crate::severity::Severity;
use crate::yaml::{self, Node, Problem};

pub use self::alertmanager::Alertmanager;
pub use self::http::Http;
pub use self::metrics::{Detail, Metrics};
pub(crate) use self::read::is_loopback;
pub use self::webhook::Webhook;

/// A configuration that survived validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which Azure.
    pub cloud: Cloud,
    /// Endpoints of a simulated Azure; both together, or neither.
    pub endpoints: Option<Endpoints>,
    /// Who asks.
    pub credential: Credential,
    /// Which subscriptions.
    pub scope: Scope,
    /// How the estate is read.
    pub collection: Collection,
    /// What only the operator knows.
    pub expectations: Declarations,
    /// Which policies, and how severe.
    pub policies: Policies,
    /// What is accepted.
    pub waivers: Waivers,
    /// When the daemon sweeps.
    pub schedule: Schedule,
    /// Tags that become labels of alerts, reports and the metrics of single findings: the tag's folded name, and the
    /// label's.
    pub labels: Vec<(String, String)>,
    /// How detailed the metrics are.
    pub metrics: Metrics,
    /// Where alerts go.
    pub alertmanager: Alertmanager,
    /// Who hears of changes.
    pub webhooks: Vec<Webhook>,
    /// What the daemon remembers.
    pub ledger: Ledger,
    /// Where the daemon listens, and who may read what there.
    pub http: Http,
}

/// A national cloud of Azure. The hosts are those of Microsoft's SDK tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// The public cloud.
    Public,
    /// Azure US Government.
    UsGovernment,
    /// Azure China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// The name in snapshots and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Cloud::Public => "public",
            Cloud::UsGovernment => "us_government",
            Cloud::China => "china",
        }
    }

    /// Where Azure Resource Manager answers.
    pub fn resource_manager(self) -> &'static str {
        match self {
            Cloud::Public => "https://management.azure.com",
            Cloud::UsGovernment => "https://management.usgovcloudapi.net",
            Cloud::China => "https://management.chinacloudapi.cn",
        }
    }

    /// The token scope to ask for; in US Government it is not the host's name.
    pub fn token_scope(self) -> &'static str {
        match self {
            Cloud::Public => "https://management.azure.com/.default",
            Cloud::UsGovernment => "https://management.core.usgovcloudapi.net/.default",
            Cloud::China => "https://management.chinacloudapi.cn/.default",
        }
    }
}

/// Endpoints of a simulated Azure.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoints {
    /// Instead of the cloud's Azure Resource Manager.
    pub resource_manager: Url,
    /// Instead of the cloud's sign-in host.
    pub authority: Url,
}

/// Who asks Azure. There is no chain of guesses: one kind is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The managed identity of the machine, App Service or container app.
    ManagedIdentity {
        /// A user-assigned identity; the system-assigned one if absent.
        client_id: Option<String>,
    },
    /// Workload identity of Kubernetes; what is absent comes from the webhook's environment variables.
    WorkloadIdentity {
        /// Instead of `AZURE_CLIENT_ID`.
        client_id: Option<String>,
        /// Instead of `AZURE_TENANT_ID`.
        tenant_id: Option<String>,
        /// Instead of `AZURE_FEDERATED_TOKEN_FILE`.
        token_file: Option<PathBuf>,
    },
    /// A service principal with a secret. The secret itself never stands in the configuration.
    ClientSecret {
        /// The directory.
        tenant_id: String,
        /// The application id.
        client_id: String,
        /// Where the secret is.
        secret: SecretSource,
    },
    /// Whoever is signed in with the Azure CLI.
    AzureCli {
        /// The directory, if not the CLI's default one.
        tenant_id: Option<String>,
    },
}

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Environment(String),
    /// A file, such as a mounted Kubernetes secret.
    File(PathBuf),
}

/// Which of the visible subscriptions are swept. With nothing included, all are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only these.
    pub include: Selection,
    /// Not these, even if included.
    pub exclude: Selection,
}

/// A choice of subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// By guid, folded.
    pub subscriptions: BTreeSet<String>,
    /// By the name of a management group anywhere above, folded.
    pub management_groups: BTreeSet<String>,
    /// By tags, all of which must match.
    pub tags: BTreeMap<String, String>,
}

impl Selection {
    /// Whether nothing is chosen.
    pub fn is_empty(&self) -> bool {
        self.subscriptions.is_empty() && self.management_groups.is_empty() && self.tags.is_empty()
    }
}

/// How the estate is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// ARM requests under way at once, over all subscriptions.
    pub concurrency: usize,
    /// How long one sweep may take.
    pub deadline: Duration,
    /// How long one answer may take.
    pub request_timeout: Duration,
}

impl Default for Collection {
    fn default() -> Self {
        // A bucket of 250 reads refilled at 25/s leaves room for about 8 requests at a time per subscription.
        Self { concurrency: 8, deadline: Duration::from_secs(600), request_timeout: Duration::from_secs(60) }
    }
}

/// Which policies are judged, and how severe they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// Folders whose policies are added to the shipped ones.
    pub directories: Vec<PathBuf>,
    /// Whether an added policy may replace a shipped one of the same id.
    pub allow_replace: bool,
    /// Ids that are switched off.
    pub disabled: BTreeSet<String>,
    /// Severities by id, instead of the policies' own.
    pub severities: BTreeMap<String, Severity>,
    /// The lines of `disabled` and `severities`, to place a complaint about an id that no policy has.
    pub lines: BTreeMap<String, usize>,
}

/// Where waivers stand, and how far ahead one may end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waivers {
    /// Files of waivers.
    pub files: Vec<PathBuf>,
    /// From today to the last day of a waiver, in whole days.
    pub longest: Duration,
}

impl Default for Waivers {
    fn default() -> Self {
        Self { files: Vec::new(), longest: Duration::from_secs(366 * 86_400) }
    }
}

/// When the daemon sweeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// From the start of one sweep to the start of the next.
    pub interval: Duration,
    /// How much of the interval is left to chance, from 0 to 0.5, so that many daemons don't beat in time.
    pub jitter: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { interval: Duration::from_secs(900), jitter: 0.1 }
    }
}

/// What the daemon remembers, where, and how easily a finding opens or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The ledger's file; in memory if absent.
    pub path: Option<PathBuf>,
    /// How long sweeps, changes and resolved findings are kept.
    pub retention: Duration,
    /// How many sweeps in a row must see a violation before it is a finding.
    pub open_after: u32,
    /// How many sweeps in a row must prove it gone before the finding is resolved.
    pub resolve_after: u32,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { path: None, retention: Duration::from_secs(90 * 24 * 3600), open_after: 1, resolve_after: 1 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cloud: Cloud::Public,
            endpoints: None,
            credential: Credential::AzureCli { tenant_id: None },
            scope: Scope::default(),
            collection: Collection::default(),
            expectations: Declarations::default(),
            policies: Policies::default(),
            waivers: Waivers::default(),
            schedule: Schedule::default(),
            labels: Vec::new(),
            metrics: Metrics::default(),
            alertmanager: Alertmanager::default(),
            webhooks: Vec::new(),
            ledger: Ledger::default(),
            http: Http::default(),
        }
    }
}

impl Config {
    /// Reads a configuration's text. Relative paths in it stay as they are.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let (config, problems) = Self::read(text);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Reads a configuration's text as far as it can be read, and gives every problem with it.
    pub fn read(text: &str) -> (Self, Vec<Problem>) {
        let (config, problems) = yaml::read(text, read::config);
        (config.unwrap_or_default(), problems)
    }

    /// Where people find this daemon, if that is told.
    pub fn external_url(&self) -> Option<&Url> {
        self.alertmanager.external_url.as_ref()
    }

    /// The shortest time from the start of one sweep to the start of the next: a simulated Azure has nobody whose rate
    /// limits a hasty daemon would use up.
    pub fn least_interval(&self) -> Duration {
        if self.endpoints.is_some() { Duration::from_millis(100) } else { Duration::from_secs(10) }
    }

    /// Where a daemon with this configuration listens, and whether by TLS, whatever else may be wrong with the text: a
    /// running daemon keeps what it had, and its health must not hang on a file that somebody is editing.
    pub fn listen_of(text: &str) -> (SocketAddr, bool) {
        let found = yaml::read(text, |node| {
            let mut http = node.table()?.take("http")?.table()?;
            let tls = http.take("tls").and_then(|node| node.table());
            let tls =
                tls.is_some_and(|mut tls| tls.take("certificate").is_some() || tls.take("key").is_some());
            Some((http.take("listen").and_then(|node| node.parsed()), tls))
        });
        let (listen, tls) = found.0.flatten().unwrap_or_default();
        (listen.unwrap_or(Http::default().listen), tls)
    }
}

pub mod alertmanager;
pub mod http;
mod labels;
pub mod metrics;
mod read;
#[cfg(test)]
mod tests;
pub mod webhook;
