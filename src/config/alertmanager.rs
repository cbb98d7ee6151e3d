//! The table `alertmanager`: which instances hear of findings, of which, and what is told of them. How an alert looks
//! and when it is sent is left to the outlet.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::read::{is_loopback, set_duration};
use crate::severity::Severity;
use crate::yaml::Node;

/// Where alerts go, and which. Without an address nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alertmanager {
    /// The instances; each of them gets every alert.
    pub urls: Vec<Url>,
    /// Findings below it are not sent.
    pub minimum_severity: Severity,
    /// How often everything that stands is sent anew.
    pub resend: Duration,
    /// Where people find this daemon; alerts link to it.
    pub external_url: Option<Url>,
    /// What the requests are authorised by.
    pub authorization: Option<Authorization>,
    /// With more findings than this, the first sweep ever sends one alert that counts them.
    pub digest_above: usize,
}

/// What a request is authorised by. Files are read for each request, so that a renewed secret counts at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// A file that holds a bearer token.
    Bearer(PathBuf),
    /// A file that holds `user:password`.
    Basic(PathBuf),
}

impl Authorization {
    /// The file.
    pub fn path(&self) -> &PathBuf {
        match self {
            Authorization::Bearer(path) | Authorization::Basic(path) => path,
        }
    }

    pub(crate) fn path_mut(&mut self) -> &mut PathBuf {
        match self {
            Authorization::Bearer(path) | Authorization::Basic(path) => path,
        }
    }
}

/// A third of the day that an alert lives at least.
const LONGEST_RESEND: Duration = Duration::from_secs(8 * 3600);

impl Default for Alertmanager {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            minimum_severity: Severity::High,
            resend: Duration::from_secs(60),
            external_url: None,
            authorization: None,
            digest_above: 20,
        }
    }
}

pub(super) fn read(node: &Node<'_>) -> Alertmanager {
    let mut into = Alertmanager::default();
    let Some(mut table) = node.table() else { return into };
    if let Some(list) = table.take("urls") {
        into.urls = list.list_of(address);
        let twice = into.urls.iter().enumerate().any(|(at, url)| into.urls[..at].contains(url));
        if twice {
            list.problem("names an instance twice");
        }
    }
    if let Some(severity) = table.take("minimum_severity").and_then(|node| node.parsed()) {
        into.minimum_severity = severity;
    }
    if let Some(node) = table.take("resend") {
        let mut resend = into.resend;
        set_duration(Some(&node), Duration::from_secs(1), &mut resend);
        if resend > LONGEST_RESEND {
            node.problem("must be at most 8h: an alert lives for a day, and must be renewed in time");
        }
        into.resend = resend;
    }
    into.external_url = table.take("external_url").and_then(|node| address(&node));
    let bearer = table.take("bearer_token_file").and_then(|node| node.string());
    let basic = table.take("basic_auth_file").and_then(|node| node.string());
    into.authorization = match (bearer, basic) {
        (Some(_), Some(_)) => {
            node.problem("use only one of `bearer_token_file` and `basic_auth_file`");
            None
        }
        (Some(path), None) => Some(Authorization::Bearer(path.into())),
        (None, Some(path)) => Some(Authorization::Basic(path.into())),
        (None, None) => None,
    };
    if into.authorization.is_some() && into.urls.iter().any(|url| url.scheme() == "http" && !is_loopback(url))
    {
        node.problem("a secret would travel in the clear: use https where there is a token or password");
    }
    if let Some(n) = table.take("digest_above").and_then(|node| node.integer(0..=1_000_000)) {
        into.digest_above = usize::try_from(n).unwrap_or(into.digest_above);
    }
    table.finish();
    into
}

/// An address without secrets; a path may stand before the API's own.
fn address(node: &Node<'_>) -> Option<Url> {
    let url: Url = node.parsed()?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        node.problem("must be an http or https address");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        node.problem("must hold no user or password; name a file with `basic_auth_file`");
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        node.problem("must end with the path");
        return None;
    }
    Some(url)
}
