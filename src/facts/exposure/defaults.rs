//! The six rules that every group has, and nobody can take away.

use crate::inventory::security::{Access, Direction, Rule, Side, Told};

struct Default {
    name: &'static str,
    direction: Direction,
    priority: i64,
    source: &'static str,
    destination: &'static str,
    access: Access,
}

const DEFAULTS: [Default; 6] = [
    Default {
        name: "AllowVnetInBound",
        direction: Direction::Inbound,
        priority: 65000,
        source: "VirtualNetwork",
        destination: "VirtualNetwork",
        access: Access::Allow,
    },
    Default {
        name: "AllowAzureLoadBalancerInBound",
        direction: Direction::Inbound,
        priority: 65001,
        source: "AzureLoadBalancer",
        destination: "*",
        access: Access::Allow,
    },
    Default {
        name: "DenyAllInBound",
        direction: Direction::Inbound,
        priority: 65500,
        source: "*",
        destination: "*",
        access: Access::Deny,
    },
    Default {
        name: "AllowVnetOutBound",
        direction: Direction::Outbound,
        priority: 65000,
        source: "VirtualNetwork",
        destination: "VirtualNetwork",
        access: Access::Allow,
    },
    Default {
        name: "AllowInternetOutBound",
        direction: Direction::Outbound,
        priority: 65001,
        source: "*",
        destination: "Internet",
        access: Access::Allow,
    },
    Default {
        name: "DenyAllOutBound",
        direction: Direction::Outbound,
        priority: 65500,
        source: "*",
        destination: "*",
        access: Access::Deny,
    },
];

/// The default rules of a direction that were not told. Documents differ in the case of their names.
pub(super) fn missing(told: &[Rule], direction: Direction) -> Vec<Rule> {
    let is = |rule: &Rule, default: &Default| {
        let direction = rule.direction.as_ref();
        let named = rule.name.eq_ignore_ascii_case(default.name);
        named && direction.ok().is_none_or(|told| *told == default.direction)
            || rule.priority == Ok(default.priority) && direction == Ok(&default.direction)
    };
    let of_direction = DEFAULTS.iter().filter(|default| default.direction == direction);
    of_direction.filter(|default| !told.iter().any(|rule| is(rule, default))).map(rule).collect()
}

fn rule(default: &Default) -> Rule {
    let told = |field, text: &str| vec![Told { field, text: text.to_owned() }];
    Rule {
        name: default.name.to_owned(),
        priority: Ok(default.priority),
        direction: Ok(default.direction),
        access: Ok(default.access),
        protocol: Ok("*".to_owned()),
        source: Side {
            prefixes: told("sourceAddressPrefix", default.source),
            ports: told("sourcePortRange", "*"),
            ..Side::default()
        },
        destination: Side {
            prefixes: told("destinationAddressPrefix", default.destination),
            ports: told("destinationPortRange", "*"),
            ..Side::default()
        },
    }
}
