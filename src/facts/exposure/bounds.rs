//! What is certainly, and what is possibly, in a set of addresses; and why the two differ.

use super::family::Family;
use super::packets::Addresses;
use crate::inventory::Reason;

/// A set of addresses, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// What is certainly in it.
    pub(super) lower: Addresses,
    /// What is possibly in it; never less than `lower`.
    pub(super) upper: Addresses,
    /// Why the two differ; empty if they do not.
    pub(super) doubts: Vec<Reason>,
}

impl Bounds {
    /// A set that is known.
    pub(super) fn known(addresses: Addresses) -> Self {
        Self { lower: addresses.clone(), upper: addresses, doubts: Vec::new() }
    }

    /// A set of which nothing is known.
    pub(super) fn unknown(family: Family, doubt: Reason) -> Self {
        Self { lower: family.nothing(), upper: family.everything(), doubts: vec![doubt] }
    }

    /// Adds what is certainly in the set.
    pub(super) fn add(&mut self, addresses: &Addresses) {
        self.lower = self.lower.union(addresses);
        self.upper = self.upper.union(addresses);
    }

    /// Adds what is possibly in the set.
    pub(super) fn add_possible(&mut self, addresses: &Addresses, doubt: Reason) {
        // What is in anyhow raises no doubt.
        if !self.lower.covers(addresses) {
            self.upper = self.upper.union(addresses);
            self.doubts.push(doubt);
        }
    }

    /// Adds another set.
    pub(super) fn join(&mut self, other: &Bounds) {
        self.lower = self.lower.union(&other.lower);
        self.upper = self.upper.union(&other.upper);
        self.doubts.extend(other.doubts.iter().cloned());
    }
}
