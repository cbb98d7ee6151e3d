//! The words that rules, routes and questions use for addresses and ports.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use super::family::net;
use super::packets::Ports;

/// A word for a set of addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// Every address of every family.
    Any,
    /// A prefix or a single address.
    Prefix(IpNet),
    /// The VNet and what is joined to it.
    VirtualNetwork,
    /// What the public internet reaches outside the VNet.
    Internet,
    /// The platform's health probe.
    AzureLoadBalancer,
    /// Any other service tag, folded.
    Tag(String),
}

/// Why a text is no such word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an address, a prefix, nor the name of a service tag")]
pub struct NoTerm;

impl FromStr for Term {
    type Err = NoTerm;

    fn from_str(text: &str) -> Result<Self, NoTerm> {
        let text = text.trim();
        if let Some(net) = net(text) {
            return Ok(Term::Prefix(net));
        }
        let folded = text.to_ascii_lowercase();
        Ok(match folded.as_str() {
            "*" | "any" => Term::Any,
            "virtualnetwork" => Term::VirtualNetwork,
            "internet" => Term::Internet,
            "azureloadbalancer" => Term::AzureLoadBalancer,
            _ => {
                let letters = folded.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
                // A text that starts with a digit is a misspelt address rather than a tag.
                if !letters || !folded.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    return Err(NoTerm);
                }
                Term::Tag(folded)
            }
        })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Any => f.write_str("*"),
            Term::Prefix(net) => write!(f, "{net}"),
            Term::VirtualNetwork => f.write_str("VirtualNetwork"),
            Term::Internet => f.write_str("Internet"),
            Term::AzureLoadBalancer => f.write_str("AzureLoadBalancer"),
            Term::Tag(name) => f.write_str(name),
        }
    }
}

/// A range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last; not below the first.
    pub last: u16,
}

/// Why a text is no range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a port, a range such as 80-90, nor `*`")]
pub struct NoPorts;

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// The ports of several ranges.
    pub(super) fn ports<'a>(ranges: impl IntoIterator<Item = &'a PortRange>) -> Ports {
        Ports::of(ranges.into_iter().map(|range| (range.first, range.last)))
    }
}

impl FromStr for PortRange {
    type Err = NoPorts;

    fn from_str(text: &str) -> Result<Self, NoPorts> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::ALL);
        }
        let port = |text: &str| {
            let text = text.trim();
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| digits).ok_or(NoPorts)
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (port(first)?, port(last)?),
            None => (port(text)?, port(text)?),
        };
        if first <= last { Ok(Self { first, last }) } else { Err(NoPorts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let term = |text: &str| text.parse::<Term>().map(|term| term.to_string()).ok();
        for (text, expected) in [
            (" 10.1.2.3/16 ", Some("10.1.0.0/16")),
            ("20.51.10.7", Some("20.51.10.7/32")),
            ("::/0", Some("::/0")),
            ("*", Some("*")),
            ("Any", Some("*")),
            ("virtualnetwork", Some("VirtualNetwork")),
            ("INTERNET", Some("Internet")),
            ("AzureContainerRegistry.WestUS2", Some("azurecontainerregistry.westus2")),
            ("10.0.0.0/8,10.1.0.0/16", None),
            ("10.0.0.0/33", None),
            ("10.0.0", None),
            ("010.0.0.1", None),
            ("10.0.0.1/", None),
            ("10.0.0.1/+8", None),
            ("::ffff:10.0.0.1", None),
            ("2001:4860::8888", Some("2001:4860::8888/128")),
            ("", None),
            ("a tag", None),
        ] {
            assert_eq!(term(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ports() {
        let range = |text: &str| text.parse::<PortRange>().ok().map(|range| (range.first, range.last));
        for (text, expected) in [
            ("*", Some((0, 65535))),
            ("443", Some((443, 443))),
            ("8000-8010", Some((8000, 8010))),
            (" 80 - 90 ", Some((80, 90))),
            ("8010-8000", None),
            ("65536", None),
            ("+80", None),
            ("80,443", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
