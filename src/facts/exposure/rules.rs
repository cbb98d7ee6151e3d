//! The rules of a group in the order of their numbers, resolved for one direction and family.

use std::ops::BitOr;

use super::bounds::Bounds;
use super::family::Family;
use super::operand::{Given, Operand, Resolver};
use super::packets::{Addresses, Packets, Ports, every_port};
use super::protocol::Protocols;
use super::term::PortRange;
use crate::inventory::security::{Access, Direction, Rule, Side, Told};
use crate::inventory::{Code, Known, Reason, ResourceId};

/// The possible ways in which packets leave a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes(u8);

impl Outcomes {
    pub(super) const NONE: Self = Self(0);
    /// On to the next group.
    pub(super) const PASS: Self = Self(1);
    /// Stopped.
    pub(super) const STOP: Self = Self(1 << 1);
    /// Through, past every group that follows.
    pub(super) const THROUGH: Self = Self(1 << 2);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Outcomes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A rule, resolved.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) name: String,
    pub(super) priority: Option<i64>,
    pub(super) outcomes: Outcomes,
    pub(super) source: Operand,
    pub(super) destination: Operand,
    source_ports: PortBounds,
    ports: PortBounds,
    protocols: (Protocols, Protocols),
    /// Whether the rule is certainly of the direction, and in its place.
    certain: bool,
    /// Why it is not known which packets it is about.
    pub(super) doubts: Vec<Reason>,
}

#[derive(Clone, Debug)]
struct PortBounds {
    lower: Ports,
    upper: Ports,
}

/// The packets that a rule is certainly, and possibly, about.
pub(super) struct Entry {
    pub(super) lower: Option<Packets>,
    pub(super) upper: Packets,
}

/// Rules of one number: the order among them is not known.
pub(super) struct Step {
    /// Where the rules stand in the list.
    pub(super) rules: std::ops::Range<usize>,
}

const OWN: std::ops::RangeInclusive<i64> = 100..=4096;
const DEFAULT: std::ops::RangeInclusive<i64> = 65000..=65500;

/// Resolves a group's rules of one direction, and puts them in order. The order in which they are told never matters.
pub(super) fn resolve(
    resolver: Resolver<'_>,
    group: &ResourceId,
    own: &[Rule],
    told_default: &[Rule],
    direction: Direction,
) -> Vec<Resolved> {
    let mut rules: Vec<Resolved> =
        own.iter().filter_map(|rule| one(resolver, group, rule, direction, Some(&OWN))).collect();
    let missing = super::defaults::missing(told_default, direction);
    let default = told_default.iter().chain(&missing);
    rules.extend(default.filter_map(|rule| one(resolver, group, rule, direction, Some(&DEFAULT))));
    in_order(group, rules)
}

/// Resolves security admin rules.
pub(super) fn resolve_admin(
    resolver: Resolver<'_>,
    of: &ResourceId,
    rules: &[Rule],
    direction: Direction,
) -> Vec<Resolved> {
    let rules = rules.iter().filter_map(|rule| {
        let mut resolved = one(resolver, of, rule, direction, None)?;
        if rule.access == Ok(Access::AlwaysAllow) {
            resolved.outcomes = Outcomes::THROUGH;
        }
        Some(resolved)
    });
    in_order(of, rules.collect())
}

fn in_order(group: &ResourceId, mut rules: Vec<Resolved>) -> Vec<Resolved> {
    // A rule whose number is not known may come anywhere, so it is asked first, as a possibility only.
    rules.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    let steps = steps(&rules);
    for step in steps {
        let range = step.rules;
        let Some(many) = rules.get_mut(range).filter(|many| many.len() > 1) else { continue };
        let names: Vec<String> = many.iter().map(|rule| format!("`{}`", rule.name)).collect();
        for rule in many.iter_mut().filter(|rule| rule.priority.is_some()) {
            let message = format!(
                "rules {} of {group} share one `priority`, so their order is not known",
                names.join(" and ")
            );
            rule.doubts.push(Reason::new(Code::Contradiction, message));
        }
    }
    rules
}

/// The rules by their numbers.
pub(super) fn steps(rules: &[Resolved]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let same = at
            .checked_sub(1)
            .and_then(|before| rules.get(before))
            .is_some_and(|before| before.priority == rule.priority && rule.priority.is_some());
        match steps.last_mut() {
            Some(step) if same => step.rules.end = at + 1,
            _ => steps.push(Step { rules: at..at + 1 }),
        }
    }
    steps
}

/// One rule; none if it is certainly of the other direction.
fn one(
    resolver: Resolver<'_>,
    group: &ResourceId,
    rule: &Rule,
    direction: Direction,
    numbers: Option<&std::ops::RangeInclusive<i64>>,
) -> Option<Resolved> {
    if rule.direction.as_ref().is_ok_and(|told| *told != direction) {
        return None;
    }
    let name = |field: &str| format!("`{field}` of rule `{}` of {group}", rule.name);
    let of_rule = |reason: &Reason, field: &str| {
        let message = format!("{}: {}", name(field), reason.message);
        Reason { message, ..reason.clone() }
    };
    let mut doubts = Vec::new();
    let mut certain = true;
    if let Err(reason) = &rule.direction {
        doubts.push(of_rule(reason, "direction"));
        certain = false;
    }
    let priority = priority(&rule.priority, numbers);
    if let Err(reason) = &priority {
        doubts.push(of_rule(reason, "priority"));
        certain = false;
    }
    let outcomes = match &rule.access {
        Ok(Access::Allow) => Outcomes::PASS,
        Ok(Access::Deny) => Outcomes::STOP,
        Ok(Access::AlwaysAllow) => {
            if numbers.is_some() {
                let message = format!("{} is `AlwaysAllow`, which only admin rules can be", name("access"));
                doubts.push(Reason::new(Code::Malformed, message));
            }
            Outcomes::PASS | Outcomes::STOP
        }
        Err(reason) => {
            doubts.push(of_rule(reason, "access"));
            Outcomes::PASS | Outcomes::STOP
        }
    };
    let protocols = match rule.protocol.as_ref().map(|text| (text, Protocols::named(text))) {
        // What `Icmp` means for IPv6 is not documented.
        Ok((text, Some(named))) if named == Protocols::ICMP && resolver.family == Family::V6 => {
            let message =
                format!("{} is `{text}`, and whether that covers ICMPv6 is not documented", name("protocol"));
            doubts.push(Reason::new(Code::Undecidable, message));
            (Protocols::NONE, named)
        }
        Ok((_, Some(named))) => (named, named),
        Ok((text, None)) => {
            let message = format!("{} is `{text}`, which is not known", name("protocol"));
            doubts.push(Reason::new(Code::Malformed, message));
            (Protocols::NONE, Protocols::ANY)
        }
        Err(reason) => {
            doubts.push(of_rule(reason, "protocol"));
            (Protocols::NONE, Protocols::ANY)
        }
    };
    let source = Operand::resolve(resolver, &rule.source, "sourceAddressPrefix", &name);
    let destination = Operand::resolve(resolver, &rule.destination, "destinationAddressPrefix", &name);
    let source_ports = ports(&rule.source, "sourcePortRange", &name, &mut doubts);
    let ports = ports(&rule.destination, "destinationPortRange", &name, &mut doubts);
    let all = every_port();
    if protocols.1.difference(Protocols::WITH_PORTS) != Protocols::NONE
        && !(source_ports.lower == all && ports.lower == all)
    {
        let message =
            format!("rule `{}` of {group} restricts ports, which mean nothing for its protocol", rule.name);
        doubts.push(Reason::new(Code::Undecidable, message));
    }
    doubts.extend(source.doubts().iter().chain(destination.doubts()).cloned());
    Some(Resolved {
        name: rule.name.clone(),
        priority: priority.ok(),
        outcomes,
        source,
        destination,
        source_ports,
        ports,
        protocols,
        certain,
        doubts,
    })
}

fn priority(told: &Known<i64>, numbers: Option<&std::ops::RangeInclusive<i64>>) -> Known<i64> {
    let number = told.clone()?;
    match numbers {
        Some(range) if !range.contains(&number) => {
            let message = format!("{number} is not from {} to {}", range.start(), range.end());
            Err(Reason::new(Code::Malformed, message))
        }
        _ => Ok(number),
    }
}

fn ports(
    side: &Side,
    side_name: &str,
    name: &dyn Fn(&str) -> String,
    doubts: &mut Vec<Reason>,
) -> PortBounds {
    let all = every_port();
    let mut unknown = |reason: Reason| {
        doubts.push(reason);
        PortBounds { lower: Ports::none(), upper: all.clone() }
    };
    if let Some(reason) = &side.hidden_ports {
        let message = format!("{}: {}", name(side_name), reason.message);
        return unknown(Reason { message, ..reason.clone() });
    }
    let told: Vec<&Told> = side.ports.iter().filter(|told| !told.text.is_empty()).collect();
    if told.is_empty() {
        return unknown(Reason::new(Code::Malformed, format!("{} is not told", name(side_name))));
    }
    let mut ranges = Vec::new();
    for Told { field, text } in told {
        match text.parse::<PortRange>() {
            Ok(range) => ranges.push(range),
            Err(_) => {
                let message = format!("{} is `{text}`, which is no range of ports", name(field));
                return unknown(Reason::new(Code::Malformed, message));
            }
        }
    }
    let ports = PortRange::ports(&ranges);
    PortBounds { lower: ports.clone(), upper: ports }
}

impl Resolved {
    /// The packets that the rule is about, where this is given of their two ends. Ports mean nothing for some
    /// protocols: a rule that restricts them there may or may not match.
    pub(super) fn entries(&self, source: Given<'_>, destination: Given<'_>) -> Vec<Entry> {
        self.between(self.source.under(source), self.destination.under(destination))
    }

    /// The packets that the rule is about, under fixed bounds of the two great tags.
    pub(super) fn entries_within(&self, vnet: &Bounds, internet: &Bounds) -> Vec<Entry> {
        let ends = |operand: &Operand| {
            let bounds = operand.within(vnet, internet);
            (bounds.lower, bounds.upper)
        };
        self.between(ends(&self.source), ends(&self.destination))
    }

    fn between(&self, source: (Addresses, Addresses), destination: (Addresses, Addresses)) -> Vec<Entry> {
        let all = every_port();
        let free = self.source_ports.lower == all && self.ports.lower == all;
        let mut entries = Vec::with_capacity(2);
        for with_ports in [true, false] {
            let of = |protocols: Protocols| {
                if with_ports {
                    protocols.intersection(Protocols::WITH_PORTS)
                } else {
                    protocols.difference(Protocols::WITH_PORTS)
                }
            };
            let upper = Packets {
                source: source.1.clone(),
                destination: destination.1.clone(),
                source_ports: if with_ports { self.source_ports.upper.clone() } else { all.clone() },
                ports: if with_ports { self.ports.upper.clone() } else { all.clone() },
                protocols: of(self.protocols.1),
            };
            if upper.is_empty() {
                continue;
            }
            let lower = Packets {
                source: source.0.clone(),
                destination: destination.0.clone(),
                source_ports: if with_ports { self.source_ports.lower.clone() } else { all.clone() },
                ports: if with_ports { self.ports.lower.clone() } else { all.clone() },
                protocols: of(self.protocols.0),
            };
            let certain = self.certain && (with_ports || free) && !lower.is_empty();
            entries.push(Entry { lower: certain.then_some(lower), upper });
        }
        entries
    }
}
