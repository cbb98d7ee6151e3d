//! A question about flows, and its answer.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::protocol::Protocols;
use super::term::{PortRange, Term};
use crate::inventory::security::{Access, Direction};
use crate::inventory::{Known, Reason, ResourceId};

/// What is asked: may these packets be opened here?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Which way.
    pub direction: Direction,
    /// The far side. Several terms are one set.
    pub remote: Vec<Term>,
    /// The near side; none for the place's own addresses.
    pub local: Option<Vec<Term>>,
    /// The ports that the flow comes from.
    pub source_ports: Vec<PortRange>,
    /// The ports that it goes to.
    pub ports: Vec<PortRange>,
    /// What it speaks.
    pub protocols: Protocols,
}

impl Flow {
    /// A TCP flow from any port.
    pub fn tcp(direction: Direction, remote: Vec<Term>, ports: Vec<PortRange>) -> Self {
        Self {
            direction,
            remote,
            local: None,
            source_ports: vec![PortRange::ALL],
            ports,
            protocols: Protocols::TCP,
        }
    }
}

/// What is known of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every packet arrives.
    Allow,
    /// No packet does.
    Deny,
    /// Some certainly do, and some certainly do not.
    Partial,
    /// It hangs on something that is not known.
    Unknown,
}

impl Verdict {
    /// The verdict as it stands in answers.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
            Verdict::Partial => "partial",
            Verdict::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The answer to a [`Flow`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What the groups say of it. Take [`Answer::proven`] to rest something on it.
    pub verdict: Verdict,
    /// What decides packets, or may decide them, in the order in which they pass it.
    pub decided_by: Vec<Decider>,
    /// A packet of each kind.
    pub witness: Witnesses,
    /// Why the verdict is unknown; empty if it is not.
    pub reasons: Vec<Reason>,
    /// What may overrule the verdict and was not read.
    pub reservations: Vec<Reason>,
    /// What is being changed, or failed to be: that packets arrive may not hold, that they are stopped is told.
    pub unsettled: Vec<Reason>,
}

/// One thing that decides. It is written as `<attachment>:<rule>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decider {
    /// A rule.
    Rule {
        /// Where its group is attached.
        attachment: Attachment,
        /// Its group; none for security admin rules.
        group: Option<ResourceId>,
        /// Its name.
        rule: String,
        /// Its number, where it has a valid one.
        priority: Option<i64>,
        /// What it does, where told.
        access: Option<Access>,
    },
    /// The platform's services are not filtered.
    PlatformExempt,
    /// There is no group on the way.
    NoGroup,
}

/// Where rules are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attachment {
    /// At a network manager.
    Admin,
    /// At the subnet.
    Subnet,
    /// At the network interface.
    NetworkInterface,
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decider::Rule { attachment, rule, .. } => {
                let attachment = match attachment {
                    Attachment::Admin => "admin",
                    Attachment::Subnet => "subnet",
                    Attachment::NetworkInterface => "networkInterface",
                };
                write!(f, "{attachment}:{rule}")
            }
            Decider::PlatformExempt => f.write_str("platform-exempt"),
            Decider::NoGroup => f.write_str("no-nsg"),
        }
    }
}

impl Serialize for Decider {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A packet of each kind that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Witnesses {
    /// One that certainly arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Witness>,
    /// One that certainly does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<Witness>,
    /// One of which it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<Witness>,
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Its protocol.
    pub protocol: String,
    /// Where it comes from.
    pub source: String,
    /// The port that it comes from, where its protocol has ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// Where it goes to.
    pub destination: String,
    /// The port that it goes to, where its protocol has ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |f: &mut fmt::Formatter<'_>, address: &str, port: Option<u16>| match port {
            Some(port) if address.contains(':') => write!(f, " [{address}]:{port}"),
            Some(port) => write!(f, " {address}:{port}"),
            None => write!(f, " {address}"),
        };
        f.write_str(&self.protocol)?;
        end(f, &self.source, self.source_port)?;
        f.write_str(" →")?;
        end(f, &self.destination, self.port)
    }
}

impl Answer {
    /// An answer that something which was not read makes impossible.
    pub fn unknown(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Unknown,
            decided_by: Vec::new(),
            witness: Witnesses::default(),
            reasons: vec![reason],
            reservations: Vec::new(),
            unsettled: Vec::new(),
        }
    }

    /// The verdict, if nothing that was not read can overrule it: what a policy's verdict may rest on.
    pub fn proven(&self) -> Known<Verdict> {
        match (self.verdict, self.open().next()) {
            (verdict, None) if verdict != Verdict::Unknown => Ok(verdict),
            (_, Some(reason)) => Err(reason.clone()),
            (_, None) => Err(Reason::new(crate::inventory::Code::Undecidable, "no reason was found")),
        }
    }

    /// Everything that keeps the verdict from being proven.
    pub fn open(&self) -> impl Iterator<Item = &Reason> {
        let told = matches!(self.verdict, Verdict::Deny | Verdict::Partial);
        let unsettled = if told { [].iter() } else { self.unsettled.iter() };
        self.reasons.iter().chain(&self.reservations).chain(unsettled)
    }

    /// What decides, as texts.
    pub fn deciders(&self) -> Vec<String> {
        self.decided_by.iter().map(ToString::to_string).collect()
    }

    /// One answer for several places or questions, all of which count: `allow` if every packet arrives everywhere.
    pub fn together(answers: impl IntoIterator<Item = Answer>) -> Option<Answer> {
        answers.into_iter().reduce(|one, other| {
            let (a, b) = (one.verdict, other.verdict);
            let some = |kind: fn(&Witnesses) -> &Option<Witness>| {
                kind(&one.witness).clone().or_else(|| kind(&other.witness).clone())
            };
            let witness = Witnesses {
                allowed: some(|witness| &witness.allowed),
                denied: some(|witness| &witness.denied),
                undecided: some(|witness| &witness.undecided),
            };
            let arrives = witness.allowed.is_some() || a == Verdict::Allow || b == Verdict::Allow;
            let stopped = witness.denied.is_some() || a == Verdict::Deny || b == Verdict::Deny;
            let verdict = match (a, b) {
                (Verdict::Allow, Verdict::Allow) => Verdict::Allow,
                (Verdict::Deny, Verdict::Deny) => Verdict::Deny,
                _ if arrives && stopped => Verdict::Partial,
                _ => Verdict::Unknown,
            };
            let reasons =
                if verdict == Verdict::Unknown { united(one.reasons, other.reasons) } else { Vec::new() };
            Answer {
                verdict,
                decided_by: united(one.decided_by, other.decided_by),
                witness,
                reasons,
                reservations: united(one.reservations, other.reservations),
                unsettled: united(one.unsettled, other.unsettled),
            }
        })
    }
}

/// Both lists, each member once, in the order of their first appearance.
fn united<T: PartialEq>(mut one: Vec<T>, other: Vec<T>) -> Vec<T> {
    for item in other {
        if !one.contains(&item) {
            one.push(item);
        }
    }
    one
}
