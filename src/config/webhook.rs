//! The list `webhooks`: which receivers hear of changes of findings, and which addresses none of them may have. How an event
//! looks and how it is brought there is left to the outlet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use url::{Host, Url};

use super::SecretSource;
use super::read::{is_loopback, set_duration};
use crate::severity::Severity;
use crate::yaml::Node;

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What it is known by in the ledger, in logs and metrics, whatever its address.
    pub name: String,
    /// Where it takes events.
    pub url: Url,
    /// Findings that never reach it are not told.
    pub minimum_severity: Severity,
    /// Where the secrets are that its events are signed with.
    pub secret: SecretSource,
    /// With more first findings than this, one event counts them.
    pub digest_above: usize,
    /// How long an event waits for it.
    pub keep: Duration,
}

/// How long an event waits unless it is said otherwise.
pub const KEEP: Duration = Duration::from_secs(7 * 86_400);

/// Files beside the configuration are told by their folder.
impl Webhook {
    pub(crate) fn secret_file_mut(&mut self) -> Option<&mut std::path::PathBuf> {
        match &mut self.secret {
            SecretSource::File(path) => Some(path),
            SecretSource::Environment(_) => None,
        }
    }
}

pub(super) fn read(node: &Node<'_>) -> Vec<Webhook> {
    let webhooks = node.list_of(webhook);
    let twice = |at: usize, one: &Webhook| webhooks[..at].iter().any(|other| other.name == one.name);
    if let Some((_, one)) = webhooks.iter().enumerate().find(|(at, one)| twice(*at, one)) {
        node.problem(format!("two receivers have the name `{}`", one.name));
    }
    webhooks
}

fn webhook(node: &Node<'_>) -> Option<Webhook> {
    let mut table = node.table()?;
    let name = table.take("name");
    if name.is_none() {
        node.problem("`name` is missing; the ledger knows the receiver by it");
    }
    let url = table.take("url");
    if url.is_none() {
        node.problem("`url` is missing");
    }
    let (name, url) = (name.and_then(|node| plain_name(&node)), url.and_then(|node| address(&node)));
    let severity = table.take("minimum_severity").map(|node| node.parsed());
    let file = table.take("secret_file").map(|node| node.string());
    let environment = table.take("secret_env").map(|node| node.string());
    let secret = match (environment, file) {
        (Some(name), None) => name.map(SecretSource::Environment),
        (None, Some(path)) => path.map(|path| SecretSource::File(path.into())),
        _ => {
            node.problem("name the secret's place by exactly one of `secret_env` and `secret_file`");
            None
        }
    };
    let mut digest_above = 20;
    if let Some(n) = table.take("digest_above").and_then(|node| node.integer(0..=1_000_000)) {
        digest_above = usize::try_from(n).unwrap_or(digest_above);
    }
    let mut keep = KEEP;
    set_duration(table.take("keep").as_ref(), Duration::from_secs(3600), &mut keep);
    table.finish();
    let minimum_severity = severity.unwrap_or(Some(Severity::High))?;
    Some(Webhook { name: name?, url: url?, minimum_severity, secret: secret?, digest_above, keep })
}

fn plain_name(node: &Node<'_>) -> Option<String> {
    let name = node.string()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > 64 || !name.chars().all(plain) {
        node.problem("must be at most 64 letters, digits, `-`, `_` and `.`");
        return None;
    }
    Some(name)
}

/// An address without secrets, to which they may be sent.
fn address(node: &Node<'_>) -> Option<Url> {
    // Not `parsed`, which would repeat the text, and with it what may be a password.
    let text = node.string()?;
    let Ok(url) = text.trim().parse::<Url>() else {
        node.problem("must be an address such as https://tickets.example/hooks/mlfence");
        return None;
    };
    if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)) {
        node.problem("must be https; plain http is allowed on loopback only");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        node.problem("must hold no user, password or query, which may be secrets; events are signed instead");
        return None;
    }
    if url.fragment().is_some() {
        node.problem("must end with the path");
        return None;
    }
    if let Some(why) = literal(&url).and_then(forbidden) {
        node.problem(format!("leads to {why}, where no receiver is"));
        return None;
    }
    Some(url)
}

/// The address that a URL names by number.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

/// What kind of address this is, if no receiver can have it: such addresses answer on behalf of the platform, with
/// credentials and configuration.
pub fn forbidden(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => forbidden_v4(ip),
        IpAddr::V6(ip) => forbidden_v6(ip),
    }
}

fn forbidden_v4(ip: Ipv4Addr) -> Option<&'static str> {
    match ip.octets() {
        [0, ..] => Some("an unspecified address"),
        [169, 254, ..] => Some("a link-local address, or a cloud's metadata service"),
        [168, 63, 129, 16] => Some("Azure's wire server"),
        // Alibaba Cloud's, and Oracle Cloud's.
        [100, 100, 100, 200] | [192, 0, 0, 192] => Some("a cloud's metadata service"),
        [224..=239, ..] => Some("a multicast address"),
        [240..=255, ..] => Some("a reserved or broadcast address"),
        _ => None,
    }
}

fn forbidden_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        forbidden_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => None,
        // The unspecified address among them. Mapped addresses reach IPv4 hosts; the compatible form is obsolete.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => embedded(high, low),
        // Translated (NAT64), and tunnelled (6to4).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        // Amazon's and Google's.
        [0xfd00, 0xec2, ..] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some("a cloud's metadata service"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_receiver_has_are_known_in_every_form() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::ffff:168.63.129.16",
            "::ffff:0.0.0.0",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::a83f:8110",
            "2002:a9fe:a9fe::1",
        ];
        for text in refused {
            let ip = text.parse().expect("an address");
            assert!(forbidden(ip).is_some(), "{text} is taken");
        }
        let taken = [
            "127.0.0.1",
            "10.0.0.4",
            "192.168.1.1",
            "168.63.129.17",
            "169.253.0.1",
            "203.0.113.7",
            "::1",
            "::ffff:10.0.0.4",
            "64:ff9b::10.0.0.4",
            "2001:db8::1",
            "fd00:ec3::254",
            "fdff::1",
            "2002:a00:4::1",
        ];
        for text in taken {
            let ip = text.parse().expect("an address");
            assert_eq!(forbidden(ip), None, "{text}");
        }
    }
}
