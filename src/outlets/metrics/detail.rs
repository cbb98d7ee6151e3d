//! Series of single findings and unknown verdicts, under a limit. They carry resource names, so they are off unless the
//! configuration asks for them.

use std::collections::BTreeMap;

use prometheus::{GaugeVec, IntGauge, Opts, Registry};

use super::{Built, View};
use crate::config::Detail;
use crate::findings::Report;
use crate::findings::judge::Subject;
use crate::findings::labels::value;
use crate::findings::ledger::{Finding, Unknown};
use crate::inventory::ResourceId;

type Labels = BTreeMap<String, String>;

/// The labels that tags gave, by the finding's fingerprint.
pub type Tags = BTreeMap<String, Labels>;

/// What the configuration says, and the tags of findings that a gap hides now.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) settings: crate::config::Metrics,
    /// The names of the labels that tags become.
    pub(super) names: Vec<String>,
    /// The tags of each open finding, as a sweep last saw them: else a gap would make another series of it.
    pub(super) tags: Tags,
}

/// The findings and unknowns of one moment.
pub(super) struct Verdicts<'a> {
    pub(super) open: &'a BTreeMap<String, Finding>,
    /// None before this process's first sweep ended: no finding is confirmed yet.
    pub(super) view: Option<&'a View<'a>>,
}

impl Details {
    /// Registers the series, the most severe findings first and among them the oldest, and how many were held back.
    pub(super) fn register(&self, registry: &Registry, verdicts: &Verdicts<'_>) -> Built<()> {
        if self.settings.detail == Detail::Off {
            return Ok(());
        }
        let mut findings: Vec<(&String, &Finding)> = verdicts.open.iter().collect();
        findings.sort_by_key(|(id, finding)| {
            (std::cmp::Reverse(finding.severity), finding.opened_at, (*id).clone())
        });
        let mut unknowns: Vec<(&(String, Subject), &Unknown)> = match (self.settings.detail, verdicts.view) {
            (Detail::All, Some(view)) => view.unknowns.iter().collect(),
            _ => Vec::new(),
        };
        unknowns.sort_by_key(|(key, unknown)| (unknown.since, *key));
        let room = self.settings.detail_limit;
        let held_back = (findings.len() + unknowns.len()).saturating_sub(room);
        findings.truncate(room);
        unknowns.truncate(room - findings.len());
        self.findings(registry, &findings, verdicts)?;
        if self.settings.detail == Detail::All {
            self.unknowns(registry, &unknowns, verdicts)?;
        }
        let gauge = IntGauge::new(
            "mlfence_finding_series_suppressed",
            "Findings and unknown verdicts without a series of their own, because `metrics.detail_limit` was reached.",
        )?;
        gauge.set(i64::try_from(held_back).unwrap_or(i64::MAX));
        registry.register(Box::new(gauge))
    }

    /// Takes over the tags of the findings that a sweep saw, and forgets those that are no longer open.
    pub(super) fn learn(&mut self, report: &Report, open: &BTreeMap<String, Finding>) {
        if self.settings.detail == Detail::Off {
            self.tags.clear();
            return;
        }
        self.tags.retain(|id, _| open.contains_key(id));
        for result in &report.results {
            for violation in result.violations.iter().filter(|violation| open.contains_key(&violation.id)) {
                self.tags.insert(violation.id.clone(), result.labels.clone());
            }
        }
    }

    pub(super) fn tags(&self) -> Option<&Tags> {
        (self.settings.detail != Detail::Off && !self.names.is_empty()).then_some(&self.tags)
    }

    fn findings(
        &self,
        registry: &Registry,
        findings: &[(&String, &Finding)],
        verdicts: &Verdicts<'_>,
    ) -> Built<()> {
        let own = ["finding", "policy", "severity", "subscription", "workspace", "resource", "state"];
        let opened = self.gauge(
            "mlfence_finding_open_timestamp_seconds",
            "When each open finding was opened, with its resource; only with `metrics.detail`.",
            &own,
        )?;
        for (id, finding) in findings {
            let stale = verdicts.view.is_none() || finding.is_stale();
            let place = Place::of(&finding.subject);
            let state = if stale { "stale" } else { "confirmed" };
            let severity = finding.severity.name();
            let own = [
                id.as_str(),
                &finding.policy,
                severity,
                &place.subscription,
                &place.workspace,
                &place.resource,
                state,
            ];
            self.set(&opened, &own, self.tags.get(*id), finding.opened_at);
        }
        registry.register(Box::new(opened))
    }

    fn unknowns(
        &self,
        registry: &Registry,
        unknowns: &[(&(String, Subject), &Unknown)],
        verdicts: &Verdicts<'_>,
    ) -> Built<()> {
        let own = ["policy", "code", "subscription", "workspace", "resource"];
        let since = self.gauge(
            "mlfence_unknown_since_timestamp_seconds",
            "Since when each unknown verdict has been unknown, with its resource; only with `metrics.detail: all`.",
            &own,
        )?;
        let tags: BTreeMap<(&str, &Subject), &Labels> = verdicts
            .view
            .iter()
            .flat_map(|view| &view.report.results)
            .map(|result| ((result.policy.as_str(), &result.subject), &result.labels))
            .collect();
        for ((policy, subject), unknown) in unknowns {
            let place = Place::of(subject);
            let own = [
                policy.as_str(),
                unknown.code.name(),
                &place.subscription,
                &place.workspace,
                &place.resource,
            ];
            self.set(&since, &own, tags.get(&(policy.as_str(), subject)).copied(), unknown.since);
        }
        registry.register(Box::new(since))
    }

    fn gauge(&self, name: &str, help: &str, own: &[&str]) -> Built<GaugeVec> {
        let names: Vec<&str> = own.iter().copied().chain(self.names.iter().map(String::as_str)).collect();
        GaugeVec::new(Opts::new(name, help), &names)
    }

    fn set(&self, gauge: &GaugeVec, own: &[&str], tags: Option<&Labels>, at: i64) {
        let tag = |name: &String| tags.and_then(|tags| tags.get(name)).map_or("", String::as_str);
        let values: Vec<&str> = own.iter().copied().chain(self.names.iter().map(tag)).collect();
        gauge.with_label_values(&values).set(at as f64);
    }
}

/// Where a subject is, made fit for labels.
struct Place {
    subscription: String,
    workspace: String,
    resource: String,
}

impl Place {
    fn of(subject: &Subject) -> Self {
        let label = |id: &ResourceId| value(&id.to_string()).unwrap_or_default();
        Self {
            subscription: subject.id.subscription().unwrap_or_default().to_owned(),
            workspace: subject.workspace.as_ref().map(label).unwrap_or_default(),
            resource: label(&subject.id),
        }
    }
}
