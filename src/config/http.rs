//! The table `http`: where the daemon listens, and who may read what there. How a request is let in is the outlet's affair.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::yaml::Node;

/// Where the daemon listens, and who may read what there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The address of page, API and health; of metrics too, unless they have one of their own.
    pub listen: SocketAddr,
    /// The address of the metrics alone.
    pub metrics: Option<SocketAddr>,
    /// Who is known.
    pub tokens: Vec<Token>,
    /// What those without a token may do, if it is said.
    pub said_anonymous: Option<BTreeSet<Scope>>,
    /// The certificate of every listener; plain http without one.
    pub tls: Option<Tls>,
    /// Whether the last sweep's snapshot may be downloaded.
    pub snapshot: bool,
}

/// Somebody who is known by a token. The token itself never stands in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, for the log.
    pub name: String,
    /// SHA-256 of the token's text.
    pub sha256: [u8; 32],
    /// What it is good for.
    pub scopes: BTreeSet<Scope>,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read the metrics.
    Metrics,
    /// Read everything, the metrics included.
    Read,
    /// Ask for a sweep.
    Trigger,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Metrics, Scope::Read, Scope::Trigger];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Metrics => "metrics",
            Scope::Read => "read",
            Scope::Trigger => "trigger",
        }
    }

    /// Whether somebody with these scopes has this one.
    pub fn is_in(self, scopes: &BTreeSet<Scope>) -> bool {
        scopes.contains(&self) || self == Scope::Metrics && scopes.contains(&Scope::Read)
    }
}

/// A certificate with its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
            metrics: None,
            tokens: Vec::new(),
            said_anonymous: None,
            tls: None,
            snapshot: false,
        }
    }
}

impl Http {
    /// What those without a token may do. Unless it is said: nothing where there are tokens; everything on loopback, which
    /// only this machine reaches; elsewhere read the metrics, as of any exporter, and no finding.
    pub fn anonymous(&self) -> BTreeSet<Scope> {
        match &self.said_anonymous {
            Some(said) => said.clone(),
            None if !self.tokens.is_empty() => BTreeSet::new(),
            None if self.listen.ip().is_loopback() => Scope::ALL.into(),
            None => BTreeSet::from([Scope::Metrics]),
        }
    }
}

pub(super) fn read(node: &Node<'_>) -> Http {
    let mut into = Http::default();
    let Some(mut table) = node.table() else { return into };
    if let Some(listen) = table.take("listen").and_then(|node| node.parsed()) {
        into.listen = listen;
    }
    if let Some(mut metrics) = table.take("metrics").and_then(|node| node.table()) {
        if let Some(listen) = metrics.take("listen") {
            into.metrics = listen.parsed();
            if into.metrics == Some(into.listen) && into.listen.port() != 0 {
                listen.problem("is the address of `http.listen`; leave it out, or choose another port");
            }
        }
        metrics.finish();
    }
    if let Some(list) = table.take("tokens") {
        into.tokens = list.list_of(token);
        let twice = |at: usize, token: &Token| into.tokens[..at].iter().any(|other| other.name == token.name);
        if into.tokens.iter().enumerate().any(|(at, token)| twice(at, token)) {
            list.problem("two tokens have the same name");
        }
    }
    if let Some(list) = table.take("anonymous") {
        let said = scopes(&list);
        // A list that cannot be read must not pass for one that forbids everything.
        if said.is_empty() && into.tokens.is_empty() && list.list().is_empty() {
            list.problem("nobody could read anything: name `tokens`, or leave this out");
        }
        into.said_anonymous = Some(said);
    }
    if let Some(mut tls) = table.take("tls").and_then(|node| node.table()) {
        let certificate = tls.take("certificate").and_then(|node| node.string());
        let key = tls.take("key").and_then(|node| node.string());
        tls.finish();
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                into.tls = Some(Tls { certificate: certificate.into(), key: key.into() });
            }
            (None, None) => {}
            _ => node.problem("`tls` needs `certificate` and `key`, the names of two PEM files"),
        }
    }
    into.snapshot = table.take("snapshot").and_then(|node| node.boolean()).unwrap_or(into.snapshot);
    table.finish();
    into
}

fn token(node: &Node<'_>) -> Option<Token> {
    let mut table = node.table()?;
    let name = table.take("name").and_then(|node| name(&node));
    let digest = table.take("sha256");
    let sha256 = digest.as_ref().and_then(|node| {
        let read = node.string().and_then(|text| digest_of(&text));
        if read.is_none() {
            // Not with its text: somebody may have written the token itself.
            node.problem("must be the 64 hex digits of a token's SHA-256; `mlfence token` prints them");
        }
        read
    });
    let list = table.take("scopes");
    let scopes = list.as_ref().map(scopes).unwrap_or_else(|| BTreeSet::from([Scope::Read]));
    if scopes.is_empty() {
        node.problem("`scopes` is empty, so the token is good for nothing; use read, metrics or trigger");
    }
    if digest.is_none() || name.is_none() {
        node.problem("a token needs `name` and `sha256`; `mlfence token` prints both");
    }
    table.finish();
    Some(Token { name: name?, sha256: sha256?, scopes })
}

/// A name as it may stand in a log.
fn name(node: &Node<'_>) -> Option<String> {
    let name = node.string()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.len() <= 64 && name.chars().all(plain) {
        return Some(name);
    }
    node.problem("must be at most 64 letters, digits, dots, dashes and underscores");
    None
}

fn digest_of(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim().as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

fn scopes(list: &Node<'_>) -> BTreeSet<Scope> {
    let words = Scope::ALL.map(|scope| (scope.name(), scope));
    list.list_of(|item| item.one_of(&words)).into_iter().collect()
}
