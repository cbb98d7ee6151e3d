//! Counts of what was served.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Requests served, by kind and by status; `GET /_armsim/stats` shows it as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// All requests.
    pub total: u64,
    /// By kind of what was asked: `workspaces`, `permissions`, `resource_graph`, `token`, …
    pub kinds: BTreeMap<String, u64>,
    /// By HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// How often each trouble of the scenario struck.
    #[serde(default)]
    pub troubles: BTreeMap<String, u64>,
}

impl Stats {
    /// Requests of that kind.
    pub fn of(&self, kind: &str) -> u64 {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    /// Answers with that status.
    pub fn with_status(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    pub(super) fn struck(&mut self, trouble: &str) {
        *self.troubles.entry(trouble.to_owned()).or_default() += 1;
    }

    pub(super) fn count(&mut self, kind: &str, status: u16) -> u64 {
        self.total += 1;
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
        *self.statuses.entry(status).or_default() += 1;
        self.total
    }
}
