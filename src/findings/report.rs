//! The report of one sweep, `mlfence.report/1`: what is printed, served and compared.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use time::Date;

use crate::inventory::{Gap, Inventory, Snapshot};
use crate::severity::Severity;

use super::settle::{Deed, Settlement, settle};
use super::waivers::{self, Standing, Waiver};
use super::{PolicyResult, Status};

/// The version of the report's form.
pub const SCHEMA: &str = "mlfence.report/1";

/// What one sweep found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// When Azure was read; RFC 3339, UTC.
    pub taken_at: String,
    /// Numbers.
    pub summary: Summary,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// What would settle the unknowns.
    pub settle: Vec<Deed>,
    /// Each waiver, and how it stands.
    pub waivers: Vec<Standing>,
    /// A verdict for every policy and subject, in the order of policies and subjects.
    pub results: Vec<PolicyResult>,
    /// How many unknowns the deeds settle.
    #[serde(skip)]
    pub settlement: Settlement,
    /// The names of the subscriptions, by their folded guids.
    #[serde(skip)]
    pub subscriptions: BTreeMap<String, String>,
}

/// The numbers of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Results by status; every status is there.
    pub results: BTreeMap<&'static str, usize>,
    /// Violations that no waiver covers, by severity; every severity is there.
    pub violations: BTreeMap<&'static str, usize>,
    /// Violations that a waiver covers.
    pub waived: usize,
    /// Workspaces that were seen.
    pub workspaces: usize,
    /// Subscriptions that were swept.
    pub subscriptions: usize,
    /// Records that were read.
    pub records: usize,
    /// Unknown results that the deeds under `settle` would settle.
    pub settled: usize,
}

impl Report {
    /// Puts a report together. The snapshot's records may be gone by then.
    pub fn new(snapshot: &Snapshot, inventory: &Inventory, mut results: Vec<PolicyResult>) -> Self {
        results.sort_by(|a, b| (&a.policy, &a.subject).cmp(&(&b.policy, &b.subject)));
        let mut gaps = snapshot.gaps.clone();
        gaps.sort();
        gaps.dedup();
        let mut report = Self {
            schema: SCHEMA,
            taken_at: snapshot.header.taken_at.clone(),
            summary: Summary {
                workspaces: inventory.workspaces.len(),
                subscriptions: snapshot.header.subscriptions.len(),
                records: inventory.records,
                ..Summary::default()
            },
            gaps,
            settle: Vec::new(),
            waivers: Vec::new(),
            results,
            settlement: Settlement::default(),
            subscriptions: snapshot
                .header
                .subscriptions
                .iter()
                .map(|subscription| (subscription.id.to_ascii_lowercase(), subscription.name.clone()))
                .collect(),
        };
        report.count_results();
        report
    }

    /// Lays waivers on the results of a report that has none yet.
    pub fn waive(&mut self, waivers: &[Waiver], today: Date) {
        self.waivers = waivers::apply(waivers, &mut self.results, today);
        if self.waivers.iter().any(|standing| standing.covers > 0) {
            self.count_results();
        }
    }

    fn count_results(&mut self) {
        let results = &self.results;
        let count = |status| results.iter().filter(|result| result.status == status).count();
        let violations = || results.iter().flat_map(|result| &result.violations);
        let standing = |severity: Severity| {
            violations()
                .filter(|violation| violation.waiver.is_none() && violation.severity == severity)
                .count()
        };
        self.summary.results = Status::ALL.iter().map(|status| (status.name(), count(*status))).collect();
        self.summary.violations = Severity::WORST_FIRST.iter().map(|s| (s.name(), standing(*s))).collect();
        self.summary.waived = violations().filter(|violation| violation.waiver.is_some()).count();
        self.settlement = settle(results);
        self.summary.settled = self.settlement.settled;
        self.settle = self.settlement.deeds.clone();
    }

    /// How many results have something about them that is not known, and that no waiver accepts.
    pub fn unknowns(&self) -> usize {
        self.results.iter().filter(|result| result.undecided()).count()
    }

    /// Whether a violation at or above `severity` stands.
    pub fn fails_at(&self, severity: Severity) -> bool {
        self.results.iter().any(|result| result.status == Status::Fail && result.worst() >= severity)
    }

    /// How many results have this status.
    pub fn count(&self, status: Status) -> usize {
        self.summary.results.get(status.name()).copied().unwrap_or_default()
    }
}
