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
use crate::severity::Severity;
use crate::yaml::{self, Node, Problem};

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
    /// When the daemon sweeps.
    pub schedule: Schedule,
    /// Where the daemon listens.
    pub listen: SocketAddr,
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
            schedule: Schedule::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
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
        let (config, problems) = yaml::read(text, config);
        (config.unwrap_or_default(), problems)
    }

    /// Where a daemon with this configuration listens, whatever else may be wrong with the text: a running daemon keeps
    /// what it had, and its health must not hang on a file that somebody is editing.
    pub fn listen_of(text: &str) -> SocketAddr {
        let listen = yaml::read(text, |node| {
            let mut http = node.table()?.take("http")?.table()?;
            http.take("listen")?.parsed()
        });
        listen.0.flatten().unwrap_or(Self::default().listen)
    }
}

fn config(node: &Node<'_>) -> Config {
    let mut config = Config::default();
    let Some(mut table) = node.table() else { return config };
    if let Some(node) = table.take("cloud") {
        let words =
            [("public", Cloud::Public), ("us_government", Cloud::UsGovernment), ("china", Cloud::China)];
        config.cloud = node.one_of(&words).unwrap_or(config.cloud);
    }
    config.endpoints = table.take("endpoints").and_then(|node| endpoints(&node));
    if let Some(node) = table.take("credential") {
        config.credential = credential(&node).unwrap_or(config.credential);
    }
    if let Some(mut scope) = table.take("scope").and_then(|node| node.table()) {
        config.scope.include = scope.take("include").map(|node| selection(&node)).unwrap_or_default();
        config.scope.exclude = scope.take("exclude").map(|node| selection(&node)).unwrap_or_default();
        scope.finish();
    }
    if let Some(mut collection) = table.take("collection").and_then(|node| node.table()) {
        let into = &mut config.collection;
        if let Some(n) = collection.take("concurrency").and_then(|node| node.integer(1..=64)) {
            into.concurrency = usize::try_from(n).unwrap_or(into.concurrency);
        }
        set_duration(collection.take("deadline"), 1, &mut into.deadline);
        set_duration(collection.take("request_timeout"), 1, &mut into.request_timeout);
        collection.finish();
    }
    if let Some(node) = table.take("expectations") {
        config.expectations = declarations(&node);
    }
    if let Some(node) = table.take("policies") {
        config.policies = policies(&node);
    }
    if let Some(mut schedule) = table.take("schedule").and_then(|node| node.table()) {
        set_duration(schedule.take("interval"), 10, &mut config.schedule.interval);
        if let Some(node) = schedule.take("jitter") {
            config.schedule.jitter = jitter(&node).unwrap_or(config.schedule.jitter);
        }
        schedule.finish();
    }
    if let Some(mut http) = table.take("http").and_then(|node| node.table()) {
        if let Some(listen) = http.take("listen").and_then(|node| node.parsed()) {
            config.listen = listen;
        }
        http.finish();
    }
    table.finish();
    config
}

fn endpoints(node: &Node<'_>) -> Option<Endpoints> {
    let mut table = node.table()?;
    let resource_manager = table.take("resource_manager").map(|node| endpoint(&node));
    let authority = table.take("authority").map(|node| endpoint(&node));
    table.finish();
    let (Some(resource_manager), Some(authority)) = (resource_manager, authority) else {
        node.problem("`resource_manager` and `authority` must be set together, else a token of one Azure would be sent to another");
        return None;
    };
    Some(Endpoints { resource_manager: resource_manager?, authority: authority? })
}

/// Plain http is for a simulator on this machine; anywhere else a token would travel in the clear.
fn endpoint(node: &Node<'_>) -> Option<Url> {
    let url: Url = node.parsed()?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if !(url.scheme() == "https" || url.scheme() == "http" && loopback) {
        node.problem("must be https; plain http is allowed on loopback only");
        return None;
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
        node.problem("must be a scheme, a host and a port, and nothing else");
        return None;
    }
    Some(url)
}

fn credential(node: &Node<'_>) -> Option<Credential> {
    #[derive(Clone, Copy)]
    enum Type {
        ManagedIdentity,
        WorkloadIdentity,
        ClientSecret,
        AzureCli,
    }
    let mut table = node.table()?;
    let types = [
        ("managed_identity", Type::ManagedIdentity),
        ("workload_identity", Type::WorkloadIdentity),
        ("client_secret", Type::ClientSecret),
        ("azure_cli", Type::AzureCli),
    ];
    let Some(kind) = table.take("type") else {
        node.problem(
            "`type` is missing; use one of: managed_identity, workload_identity, client_secret, azure_cli",
        );
        return None;
    };
    let kind = kind.one_of(&types)?;
    let mut text = |key| table.take(key).and_then(|node| node.string());
    let credential = match kind {
        Type::ManagedIdentity => Some(Credential::ManagedIdentity { client_id: text("client_id") }),
        Type::WorkloadIdentity => Some(Credential::WorkloadIdentity {
            client_id: text("client_id"),
            tenant_id: text("tenant_id"),
            token_file: text("token_file").map(PathBuf::from),
        }),
        Type::AzureCli => Some(Credential::AzureCli { tenant_id: text("tenant_id") }),
        Type::ClientSecret => {
            let (tenant_id, client_id) = (text("tenant_id"), text("client_id"));
            let secret = match (text("secret_env"), text("secret_file")) {
                (Some(name), None) => Some(SecretSource::Environment(name)),
                (None, Some(path)) => Some(SecretSource::File(path.into())),
                _ => {
                    node.problem("name the secret's place by exactly one of `secret_env` and `secret_file`");
                    None
                }
            };
            for (key, value) in [("tenant_id", &tenant_id), ("client_id", &client_id)] {
                if value.is_none() {
                    node.problem(format!("a client_secret credential needs `{key}`"));
                }
            }
            match (tenant_id, client_id, secret) {
                (Some(tenant_id), Some(client_id), Some(secret)) => {
                    Some(Credential::ClientSecret { tenant_id, client_id, secret })
                }
                _ => None,
            }
        }
    };
    table.finish();
    credential
}

fn selection(node: &Node<'_>) -> Selection {
    let mut selection = Selection::default();
    let Some(mut table) = node.table() else { return selection };
    if let Some(list) = table.take("subscriptions") {
        selection.subscriptions = list.list_of(guid).into_iter().collect();
    }
    if let Some(list) = table.take("management_groups") {
        let names = list.list_of(|item| item.string());
        selection.management_groups = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
    }
    if let Some(tags) = table.take("tags").and_then(|node| node.table()) {
        for (name, value) in tags.into_entries() {
            if let Some(value) = value.string() {
                selection.tags.insert(name, value);
            }
        }
    }
    table.finish();
    selection
}

fn guid(node: &Node<'_>) -> Option<String> {
    let text = node.string()?.trim().to_ascii_lowercase();
    if is_guid(&text) {
        return Some(text);
    }
    node.problem(format!("`{text}` is no GUID such as 00000000-0000-0000-0000-000000000000"));
    None
}

/// Whether a text has the form of a GUID.
pub fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.trim().split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

fn declarations(node: &Node<'_>) -> Declarations {
    let mut declarations = Declarations::default();
    let Some(mut table) = node.table() else { return declarations };
    if let Some(node) = table.take("default") {
        declarations.default = expectations(&node);
    }
    if let Some(workspaces) = table.take("workspaces").and_then(|node| node.table()) {
        for (name, node) in workspaces.into_entries() {
            let id = ResourceId::parse(&name);
            let workspace = "microsoft.machinelearningservices/workspaces";
            match id.filter(|id| id.resource_type().as_deref() == Some(workspace)) {
                Some(id) => {
                    declarations.workspaces.insert(id, expectations(&node));
                }
                None => node
                    .problem("the key must be the ARM id of a workspace (/subscriptions/…/workspaces/NAME)"),
            }
        }
    }
    table.finish();
    declarations
}

fn expectations(node: &Node<'_>) -> Expectations {
    let mut expectations = Expectations::default();
    let Some(mut table) = node.table() else { return expectations };
    let openness = [("private", Openness::Private), ("any", Openness::Any)];
    expectations.deployers = table.take("deployers").map(|node| node.list_of(guid));
    expectations.callers = table.take("callers").map(|node| node.list_of(|item| prefix(item)));
    expectations.control_plane = table.take("control_plane").and_then(|node| node.one_of(&openness));
    expectations.scoring = table.take("scoring").and_then(|node| node.one_of(&openness));
    expectations.role_scope = table.take("role_scope").and_then(|node| {
        node.one_of(&[
            ("resource_group", RoleScope::ResourceGroup),
            ("least_privilege", RoleScope::LeastPrivilege),
        ])
    });
    expectations.security_admin_rules = table
        .take("security_admin_rules")
        .and_then(|node| node.one_of(&[("none", NoSecurityAdminRules::None)]));
    expectations.egress_appliance =
        table.take("egress_appliance").and_then(|node| node.one_of(&[("trusted", EgressAppliance::Trusted)]));
    table.finish();
    expectations
}

/// A prefix or a single address. Host bits are refused: who writes 10.1.2.3/8 meant something else.
fn prefix(node: &Node<'_>) -> Option<ipnet::IpNet> {
    let text = node.string()?;
    let net = match text.trim().parse::<std::net::IpAddr>() {
        Ok(address) => Some(address.into()),
        Err(_) => text.trim().parse::<ipnet::IpNet>().ok(),
    };
    match net {
        Some(net) if net.addr() == net.network() => Some(net),
        Some(net) => {
            node.problem(format!("`{text}` has host bits set; did you mean {}?", net.trunc()));
            None
        }
        None => {
            node.problem(format!("`{text}` is no address or prefix such as 203.0.113.0/24"));
            None
        }
    }
}

fn policies(node: &Node<'_>) -> Policies {
    let mut policies = Policies::default();
    let Some(mut table) = node.table() else { return policies };
    if let Some(list) = table.take("directories") {
        policies.directories = list.list_of(|item| item.string().map(PathBuf::from));
    }
    policies.allow_replace = table.take("allow_replace").and_then(|node| node.boolean()).unwrap_or(false);
    if let Some(list) = table.take("disabled") {
        for item in list.list() {
            if let Some(id) = item.string() {
                policies.lines.insert(id.clone(), item.line());
                policies.disabled.insert(id);
            }
        }
    }
    if let Some(severities) = table.take("severities").and_then(|node| node.table()) {
        for (id, node) in severities.into_entries() {
            if let Some(severity) = node.parsed() {
                policies.lines.insert(id.clone(), node.line());
                policies.severities.insert(id, severity);
            }
        }
    }
    table.finish();
    policies
}

fn jitter(node: &Node<'_>) -> Option<f64> {
    let text = node.string()?;
    let share = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match share {
        Some(share) if (0.0..=50.0).contains(&share) => Some(share / 100.0),
        _ => {
            node.problem(format!("`{text}` is no share from 0% to 50%"));
            None
        }
    }
}

fn set_duration(node: Option<Node<'_>>, at_least_seconds: u64, into: &mut Duration) {
    let Some(node) = node else { return };
    let Some(text) = node.string() else { return };
    match humantime::parse_duration(text.trim()) {
        Ok(value) if value >= Duration::from_secs(at_least_seconds) => *into = value,
        Ok(_) => node.problem(format!("must be at least {at_least_seconds}s")),
        Err(error) => node.problem(format!("`{text}` is no duration such as 15m: {error}")),
    }
}

#[cfg(test)]
mod tests;
