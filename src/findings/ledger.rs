//! The life of findings over sweeps: seen, opened, confirmed, changed, gone stale behind a gap, resolved, reopened; and
//! of unknown verdicts: since when.
//!
//! The old ledger and a sweep's results give the new ledger and what changed. Nothing here reads a clock or a disk;
//! `store` keeps a ledger, and knows none of these rules.

mod advance;
mod finding;
mod resolution;
mod unknowns;

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::facts::Hidden;

use super::PolicyResult;
use super::judge::Subject;
use super::waivers::Waiver;

pub use finding::{Finding, Resolution, Resolved};
pub use unknowns::Unknown;

/// A time of the ledger as people and machines are told it: RFC 3339, UTC.
pub fn stamp(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

/// What is remembered from sweep to sweep. A fingerprint is in one of the first three at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The findings that are open, by fingerprint.
    pub open: BTreeMap<String, Finding>,
    /// Seen for the first time, but not yet often enough to be opened.
    pub pending: BTreeMap<String, Finding>,
    /// The findings that were resolved, as long as they are kept: whoever comes back is known.
    pub resolved: BTreeMap<String, Resolved>,
    /// Unknown verdicts by policy and subject.
    pub unknowns: BTreeMap<(String, Subject), Unknown>,
}

/// How much it takes to move a finding, and how long it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How many sweeps in a row must see a violation before it is a finding.
    pub open_after: u32,
    /// How many sweeps in a row must prove that it is gone before the finding is resolved.
    pub resolve_after: u32,
    /// How long a resolved finding is kept, in seconds.
    pub retention_seconds: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { open_after: 1, resolve_after: 1, retention_seconds: 90 * 24 * 3600 }
    }
}

/// What a sweep changed, by fingerprint, each list in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New ones.
    pub opened: Vec<String>,
    /// Resolved ones that came back.
    pub reopened: Vec<String>,
    /// Open ones whose severity or deciding facts moved.
    pub changed: Vec<String>,
    /// Those that are gone, and why.
    pub resolved: Vec<(String, Resolution)>,
}

impl Changes {
    fn in_order(&mut self) {
        self.opened.sort_unstable();
        self.reopened.sort_unstable();
        self.changed.sort_unstable();
        self.resolved.sort_unstable();
    }
}

/// What a sweep saw, as far as the life of findings hangs on it.
pub struct Sweep<'a> {
    /// Its results.
    pub results: &'a [PolicyResult],
    /// Where subjects may be hidden.
    pub hidden: &'a [Hidden],
    /// The guids of the subscriptions that were swept.
    pub subscriptions: &'a BTreeSet<String>,
    /// The guids of those that the configuration leaves out. One that is merely out of sight is not among them.
    pub excluded: &'a BTreeSet<String>,
    /// The ids of the policies that were judged.
    pub policies: &'a BTreeSet<String>,
    /// What is accepted, whether it was seen or not.
    pub waivers: &'a [Waiver],
}

#[cfg(test)]
mod tests;
