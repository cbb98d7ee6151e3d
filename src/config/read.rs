//! The configuration's text, table by table: what is wrong is noted with its line, and the reading goes on.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn config(node: &Node<'_>) -> Config {
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
        set_duration(collection.take("deadline").as_ref(), SECOND, &mut into.deadline);
        set_duration(collection.take("request_timeout").as_ref(), SECOND, &mut into.request_timeout);
        collection.finish();
    }
    if let Some(node) = table.take("expectations") {
        config.expectations = declarations(&node);
    }
    if let Some(node) = table.take("policies") {
        config.policies = policies(&node);
    }
    if let Some(mut waivers) = table.take("waivers").and_then(|node| node.table()) {
        if let Some(list) = waivers.take("files") {
            config.waivers.files = list.list_of(|item| item.string().map(PathBuf::from));
        }
        set_duration(waivers.take("longest").as_ref(), SECOND * 86_400, &mut config.waivers.longest);
        waivers.finish();
    }
    if let Some(mut schedule) = table.take("schedule").and_then(|node| node.table()) {
        let least = config.least_interval();
        set_duration(schedule.take("interval").as_ref(), least, &mut config.schedule.interval);
        if let Some(node) = schedule.take("jitter") {
            config.schedule.jitter = jitter(&node).unwrap_or(config.schedule.jitter);
        }
        schedule.finish();
    }
    if let Some(list) = table.take("labels_from_tags") {
        config.labels = labels::read(&list);
    }
    if let Some(node) = table.take("metrics") {
        config.metrics = metrics::read(&node);
    }
    if let Some(node) = table.take("alertmanager") {
        config.alertmanager = alertmanager::read(&node);
    }
    if let Some(node) = table.take("webhooks") {
        config.webhooks = webhook::read(&node);
    }
    if let Some(node) = table.take("ledger") {
        ledger(&node, &mut config.ledger);
    }
    if let Some(node) = table.take("http") {
        config.http = http::read(&node);
    }
    table.finish();
    config
}

fn ledger(node: &Node<'_>, into: &mut Ledger) {
    let Some(mut table) = node.table() else { return };
    if let Some(path) = table.take("path").and_then(|node| node.string()) {
        into.path = Some(path).filter(|path| path != "memory").map(PathBuf::from);
    }
    // Long enough that whoever comes back after a while off is known.
    set_duration(table.take("retention").as_ref(), SECOND * 3600, &mut into.retention);
    if let Some(mut confirmations) = table.take("confirmations").and_then(|node| node.table()) {
        set_times(confirmations.take("open"), &mut into.open_after);
        set_times(confirmations.take("resolve"), &mut into.resolve_after);
        confirmations.finish();
    }
    table.finish();
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
    if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)) {
        node.problem("must be https; plain http is allowed on loopback only");
        return None;
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
        node.problem("must be a scheme, a host and a port, and nothing else");
        return None;
    }
    Some(url)
}

/// Whether an address is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
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

/// The object id of one principal. The zero guid stands for everybody, and for a blank that was not filled in.
fn principal(node: &Node<'_>) -> Option<String> {
    let id = guid(node)?;
    if id.bytes().any(|byte| !matches!(byte, b'0' | b'-')) {
        return Some(id);
    }
    node.problem(format!("`{id}` is no principal's object id"));
    None
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
    expectations.deployers = table.take("deployers").map(|node| node.list_of(principal));
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

/// The longest time that is meant; beyond it a unit was mistaken.
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

fn set_times(node: Option<Node<'_>>, into: &mut u32) {
    let times = node.and_then(|node| node.integer(1..=100)).and_then(|times| u32::try_from(times).ok());
    *into = times.unwrap_or(*into);
}

pub(super) fn set_duration(node: Option<&Node<'_>>, least: Duration, into: &mut Duration) {
    let Some(node) = node else { return };
    let Some(text) = node.string() else { return };
    match humantime::parse_duration(text.trim()) {
        Ok(value) if value >= least && value <= LONGEST => *into = value,
        Ok(value) if value > LONGEST => {
            node.problem(format!("must be at most {}", humantime::format_duration(LONGEST)));
        }
        Ok(_) => node.problem(format!("must be at least {}", humantime::format_duration(least))),
        Err(error) => node.problem(format!("`{text}` is no duration such as 15m: {error}")),
    }
}
