//! One side of a rule as bounds: what its words certainly and possibly stand for.
//!
//! `VirtualNetwork` and `Internet` are kept as words: an address is uncertain in both at once, and in no way
//! in neither, so the decision tries each [`World`] that the address may live in.

use super::bounds::Bounds;
use super::family::{Family, PLATFORM, addresses};
use super::members::Members;
use super::packets::Addresses;
use super::tags::{self, Tags};
use super::term::Term;
use crate::inventory::security::Side;
use crate::inventory::{Code, Inventory, Reason};

/// In which of the two great tags an address is taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct World {
    pub(super) vnet: bool,
    pub(super) internet: bool,
}

/// What is given of an address besides its number: the world, and the unread tag that the question is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub(super) world: World,
    pub(super) tag: Option<&'a str>,
}

/// A side of a rule, resolved for one family.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    bounds: Bounds,
    names_vnet: bool,
    names_internet: bool,
    /// Holds unread members of a group, all of which lie in the VNet.
    some_of_vnet: bool,
    /// Tags that are not in the list.
    unread: Vec<String>,
    everything: Addresses,
}

/// What words are resolved against.
#[derive(Clone, Copy)]
pub(super) struct Resolver<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) tags: &'a Tags,
    pub(super) members: &'a Members,
    pub(super) family: Family,
}

impl Operand {
    /// Resolves a side. `name` names a field for people, with its rule and group.
    pub(super) fn resolve(
        resolver: Resolver<'_>,
        side: &Side,
        side_name: &str,
        name: &dyn Fn(&str) -> String,
    ) -> Self {
        let family = resolver.family;
        let mut operand = Self {
            bounds: Bounds::known(family.nothing()),
            names_vnet: false,
            names_internet: false,
            some_of_vnet: false,
            unread: Vec::new(),
            everything: family.everything(),
        };
        if let Some(reason) = &side.hidden_addresses {
            let message = format!("{}: {}", name(side_name), reason.message);
            return operand.malformed(family, Reason { message, ..reason.clone() });
        }
        let mut families = Vec::new();
        let mut any = !side.groups.is_empty();
        for told in side.prefixes.iter().filter(|told| !told.text.is_empty()) {
            any = true;
            match told.text.parse::<Term>() {
                Ok(Term::Prefix(net)) => {
                    families.push(Family::of(&net));
                    if net.prefix_len() == 0 && Family::of(&net) == Family::V4 && family == Family::V6 {
                        let message = format!(
                            "{} is `0.0.0.0/0`, and whether that covers IPv6 is not documented",
                            name(told.field)
                        );
                        let doubt = Reason::new(Code::Undecidable, message);
                        operand.bounds.add_possible(&family.everything(), doubt);
                    } else {
                        operand.bounds.add(&addresses(family, &[net]));
                    }
                }
                Ok(term) => operand.add(resolver, term, &name(told.field)),
                Err(_) => {
                    let message = format!(
                        "{} is `{}`, which is no prefix, address or tag",
                        name(told.field),
                        told.text
                    );
                    return operand.malformed(family, Reason::new(Code::Malformed, message));
                }
            }
        }
        families.dedup();
        if families.len() > 1 {
            let message = format!("{} mixes IPv4 and IPv6, which Azure refuses", name(side_name));
            return operand.malformed(family, Reason::new(Code::Malformed, message));
        }
        for id in &side.groups {
            let members = resolver.members.find(resolver.inventory, family, id);
            operand.some_of_vnet |= !members.doubts.is_empty();
            operand.bounds.join(&members);
        }
        if !any {
            let message = format!("{} is not told", name(side_name));
            return operand.malformed(family, Reason::new(Code::Malformed, message));
        }
        operand
    }

    fn add(&mut self, resolver: Resolver<'_>, term: Term, name: &str) {
        let family = resolver.family;
        match term {
            Term::Any => self.bounds.add(&family.everything()),
            Term::Prefix(net) => self.bounds.add(&addresses(family, &[net])),
            Term::VirtualNetwork => self.names_vnet = true,
            Term::Internet => self.names_internet = true,
            Term::AzureLoadBalancer => self.bounds.add(&platform(family)),
            Term::Tag(tag) => match resolver.tags.find(family, &tag) {
                Some(set) => {
                    let named = |doubt: &Reason| Reason {
                        message: format!("{name}: {}", doubt.message),
                        ..doubt.clone()
                    };
                    let doubts = set.doubts.iter().map(named).collect();
                    self.bounds.join(&Bounds { doubts, ..set.clone() });
                }
                None => {
                    let reason = resolver.tags.missing(&tag);
                    let message = format!("{name}: {}", reason.message);
                    // The platform's own tags are in no list; they stand for its addresses alone.
                    let upper = match tag.as_str() {
                        "azureplatformdns" | "azureplatformimds" => family.platform(),
                        _ => family.everything(),
                    };
                    self.bounds.add_possible(&upper, Reason { message, ..reason });
                    self.unread.push(tag);
                }
            },
        }
    }

    fn malformed(mut self, family: Family, reason: Reason) -> Self {
        self.bounds = Bounds::unknown(family, reason);
        self.names_vnet = false;
        self.names_internet = false;
        self
    }

    /// What the side certainly and possibly holds of addresses of which this is given.
    pub(super) fn under(&self, given: Given<'_>) -> (Addresses, Addresses) {
        let named = (self.names_vnet && given.world.vnet)
            || (self.names_internet && given.world.internet)
            || given.tag.is_some_and(|tag| self.unread.iter().any(|unread| tags::contains(unread, tag)));
        if named {
            return (self.everything.clone(), self.everything.clone());
        }
        let upper = if self.some_of_vnet && given.world.vnet { &self.everything } else { &self.bounds.upper };
        (self.bounds.lower.clone(), upper.clone())
    }

    /// The side under fixed bounds of the two great tags.
    pub(super) fn within(&self, vnet: &Bounds, internet: &Bounds) -> Bounds {
        let mut bounds = self.bounds.clone();
        if self.names_vnet {
            bounds.join(vnet);
        }
        if self.names_internet {
            bounds.join(internet);
        }
        if self.some_of_vnet {
            bounds.upper = bounds.upper.union(&vnet.upper);
        }
        bounds
    }

    /// Why what it stands for is not known.
    pub(super) fn doubts(&self) -> &[Reason] {
        &self.bounds.doubts
    }

    /// Whether it names one of the tags that switch off the platform's exemption.
    pub(super) fn names_platform(side: &Side) -> bool {
        side.prefixes.iter().any(|told| told.text.to_ascii_lowercase().starts_with("azureplatform"))
    }
}

/// The platform's address for probes.
pub(super) fn platform(family: Family) -> Addresses {
    addresses(family, &[ipnet::IpNet::from(std::net::IpAddr::from(PLATFORM))])
}
