//! Is a rule hidden by the rules before it? That a rule is hidden, and that a flow is stopped, are two findings: a
//! deny below an allow for the registry hides the default rule, and yet the registry is reached.

use serde::Serialize;

use super::bounds::Bounds;
use super::family::Family;
use super::operand::Resolver;
use super::packets::Packets;
use super::rules::{Outcomes, Resolved, resolve};
use super::{Exposure, vnet};
use crate::inventory::security::Direction;
use crate::inventory::{Code, Known, Reason, ResourceId};

/// How much of a rule the rules before it leave, and what took the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shadow {
    /// How much of the rule can still decide.
    pub reachable: Reachable,
    /// How much of what was taken was taken by denies.
    pub denied: Hidden,
    /// The rules that took something, in their order.
    pub by: Vec<String>,
    /// Why more of it may be taken by denies; empty if that is certain.
    pub doubts: Vec<Reason>,
}

/// How much of a rule can still decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reachable {
    /// No earlier rule touches it.
    Full,
    /// Some of it is decided earlier.
    Partial,
    /// It can never decide.
    None,
}

/// How much of what was taken was taken by denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hidden {
    /// Nothing.
    None,
    /// Some.
    Some,
    /// All.
    All,
}

impl Exposure<'_> {
    /// How far the rule of that name is hidden in a group that is attached at `subnet`. Asked of IPv4.
    pub fn shadow(
        &self,
        subnet: &ResourceId,
        group: &ResourceId,
        direction: Direction,
        rule: &str,
    ) -> Known<Shadow> {
        let family = Family::V4;
        let group = self.inventory.security_group(group)?;
        let own = group.rules.as_ref().map_err(Clone::clone)?;
        let default = group.default_rules.as_deref().unwrap_or_default();
        let resolver =
            Resolver { inventory: self.inventory, tags: &self.tags, members: &self.members, family };
        let rules = resolve(resolver, &group.id, own, default, direction);
        let vnet = vnet::bounds(self.inventory, &self.tags, family, subnet);
        let internet = Bounds {
            lower: family.public().difference(&vnet.upper),
            upper: family.everything().difference(&vnet.lower),
            doubts: vnet.doubts.clone(),
        };
        let at = rules.iter().position(|resolved| resolved.name.eq_ignore_ascii_case(rule));
        let missing =
            || Reason::new(Code::NotFound, format!("{} has no rule `{rule}` of that direction", group.id));
        let (earlier, rest) = rules.split_at(at.ok_or_else(missing)?);
        let hidden = rest.first().ok_or_else(missing)?;
        Ok(subtract(earlier, hidden, &vnet, &internet))
    }
}

fn subtract(earlier: &[Resolved], hidden: &Resolved, vnet: &Bounds, internet: &Bounds) -> Shadow {
    let entries = hidden.entries_within(vnet, internet);
    let mut left: Vec<Packets> = entries.iter().filter_map(|entry| entry.lower.clone()).collect();
    let mut possible: Vec<Packets> = entries.into_iter().map(|entry| entry.upper).collect();
    let (mut by, mut doubts) = (Vec::new(), Vec::new());
    let (mut allows, mut denies) = (false, false);
    for rule in earlier {
        let may_deny = rule.outcomes.has(Outcomes::STOP);
        // Of rules with one number it is not known which comes first.
        let certain = rule.priority != hidden.priority && rule.outcomes != Outcomes::PASS | Outcomes::STOP;
        let (mut took, mut may_take) = (false, false);
        for entry in rule.entries_within(vnet, internet) {
            may_take |= possible.iter().any(|packets| packets.meets(&entry.upper));
            if let Some(lower) = entry.lower.filter(|_| certain) {
                took |= left.iter().any(|packets| packets.meets(&lower));
                left = without(left, &lower);
                possible = without(possible, &lower);
            }
        }
        if took {
            by.push(rule.name.clone());
            allows |= !may_deny;
            denies |= may_deny;
        } else if may_take && may_deny {
            let message = format!("rule `{}` may hide a part of rule `{}`", rule.name, hidden.name);
            doubts.push(Reason::new(Code::Undecidable, message));
            doubts.extend(rule.doubts.iter().chain(&vnet.doubts).cloned());
        }
    }
    Shadow {
        reachable: match (left.is_empty(), by.is_empty()) {
            (true, _) => Reachable::None,
            (false, true) => Reachable::Full,
            (false, false) => Reachable::Partial,
        },
        denied: match (denies, allows) {
            (false, _) => Hidden::None,
            (true, true) => Hidden::Some,
            (true, false) => Hidden::All,
        },
        by,
        doubts,
    }
}

fn without(packets: Vec<Packets>, by: &Packets) -> Vec<Packets> {
    let cut = |packets: Packets| match packets.cut(by) {
        None => vec![packets],
        Some((_, outside)) => outside,
    };
    packets.into_iter().flat_map(cut).collect()
}
