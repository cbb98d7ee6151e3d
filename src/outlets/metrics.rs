//! Prometheus metrics. Names are a public interface; series are bounded by policies × subscriptions.
//!
//! Every sweep renders the whole exposition once. A scrape gets that text, so it is consistent with itself and
//! costs nothing.

mod detail;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use self::detail::Tags;
use self::detail::{Details, Verdicts};
use crate::config;
use crate::findings::judge::Subject;
use crate::findings::ledger::{Changes, Finding, Resolution, Unknown};
use crate::findings::waivers::State;
use crate::findings::{Report, Status};
use crate::inventory::{Code, Inventory, Kind, ResourceId};
use crate::severity::Severity;
use crate::store::Backlog;

/// What a finished sweep published.
pub struct View<'a> {
    /// The report.
    pub report: &'a Report,
    /// The graph.
    pub inventory: &'a Inventory,
    /// Every open finding.
    pub open: &'a BTreeMap<String, Finding>,
    /// Every unknown verdict, and since when.
    pub unknowns: &'a BTreeMap<(String, Subject), Unknown>,
    /// When the sweep ended; seconds since 1970.
    pub finished_at: i64,
    /// Whether a later sweep failed before it could show anything.
    pub outdated: bool,
}

/// What was sent to Azure during a sweep.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Requests by what they asked for.
    pub requests: BTreeMap<&'static str, u64>,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that failed, by reason.
    pub failures: BTreeMap<&'static str, u64>,
    /// Time spent waiting because Azure asked for it.
    pub throttle_wait: Duration,
}

/// The counters that live as long as the process.
pub struct Metrics {
    requests: IntCounterVec,
    retries: IntCounter,
    failures: IntCounterVec,
    throttle_wait: CounterVec,
    opened: IntCounter,
    resolved: IntCounterVec,
    commit_failures: IntCounter,
    commit_successful: Gauge,
    policy_errors: IntCounterVec,
    duration: HistogramVec,
    source_success: BTreeMap<(String, Kind), i64>,
    notifications: IntCounterVec,
    notification_failures: IntCounterVec,
    notified: IntGaugeVec,
    events_waiting: IntGaugeVec,
    events_dropped: IntCounterVec,
    reload_successful: Gauge,
    reload_success: Gauge,
    certificate: Option<Gauge>,
    bundle: String,
    details: Details,
}

/// Names and labels are constants, so building a metric of them cannot fail; should it ever, the metric is left
/// out rather than the daemon taken down.
type Built<T> = Result<T, prometheus::Error>;

impl Metrics {
    /// The metrics of a process that judges with the bundle of this digest.
    pub fn new(bundle_digest: &str) -> Built<Self> {
        let resolved = IntCounterVec::new(
            Opts::new("mlfence_findings_resolved_total", "Findings that were resolved, by reason."),
            &["reason"],
        )?;
        for reason in Resolution::ALL {
            resolved.with_label_values(&[reason.name()]);
        }
        let throttle_wait = CounterVec::new(
            Opts::new(
                "mlfence_azure_throttle_wait_seconds_total",
                "Seconds spent waiting because Azure throttled.",
            ),
            &[],
        )?;
        throttle_wait.with_label_values::<&str>(&[]);
        let commit_successful = Gauge::new(
            "mlfence_ledger_last_commit_successful",
            "0 if the last sweep could not be written into the ledger, else 1.",
        )?;
        // A ledger that could be opened, and nothing to write yet.
        commit_successful.set(1.0);
        Ok(Self {
            requests: IntCounterVec::new(
                Opts::new("mlfence_azure_requests_total", "Requests sent to Azure, by what they asked for."),
                &["source"],
            )?,
            retries: IntCounter::new(
                "mlfence_azure_request_retries_total",
                "Requests to Azure that were sent again: throttled, broken off, refused for the moment.",
            )?,
            failures: IntCounterVec::new(
                Opts::new(
                    "mlfence_azure_request_failures_total",
                    "Requests to Azure that failed, by reason.",
                ),
                &["reason"],
            )?,
            throttle_wait,
            opened: IntCounter::new(
                "mlfence_findings_opened_total",
                "Findings that were opened, or opened again.",
            )?,
            resolved,
            commit_failures: IntCounter::new(
                "mlfence_ledger_commit_failures_total",
                "Sweeps that could not be written into the ledger, whose findings stay as they were.",
            )?,
            commit_successful,
            policy_errors: IntCounterVec::new(
                Opts::new(
                    "mlfence_policy_errors_total",
                    "Evaluations in which a policy failed or broke its contract.",
                ),
                &["policy"],
            )?,
            duration: HistogramVec::new(
                HistogramOpts::new("mlfence_sweep_duration_seconds", "How long the phases of a sweep took.")
                    .buckets(vec![0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0]),
                &["phase"],
            )?,
            source_success: BTreeMap::new(),
            notifications: IntCounterVec::new(
                Opts::new(
                    "mlfence_notifications_total",
                    "Requests that an outlet's receivers took, renewals of alerts included.",
                ),
                &["outlet"],
            )?,
            notification_failures: IntCounterVec::new(
                Opts::new(
                    "mlfence_notification_failures_total",
                    "Requests to an outlet's receivers that failed.",
                ),
                &["outlet"],
            )?,
            notified: IntGaugeVec::new(
                Opts::new(
                    "mlfence_notified_severity_info",
                    "The severities of which an outlet tells every finding; always 1.",
                ),
                &["outlet", "severity"],
            )?,
            events_waiting: IntGaugeVec::new(
                Opts::new("mlfence_webhook_events_waiting", "Events that a receiver has not taken yet."),
                &["receiver"],
            )?,
            events_dropped: IntCounterVec::new(
                Opts::new(
                    "mlfence_webhook_events_dropped_total",
                    "Events that a receiver lost because it did not take them in time, since the ledger began.",
                ),
                &["receiver"],
            )?,
            certificate: None,
            reload_successful: Gauge::new(
                "mlfence_config_last_reload_successful",
                "1 if the last reload of configuration and policies was taken, else 0.",
            )?,
            reload_success: Gauge::new(
                "mlfence_config_last_reload_success_timestamp_seconds",
                "When the configuration and policies in force were read.",
            )?,
            bundle: bundle_digest.to_owned(),
            details: Details::default(),
        })
    }

    /// Notes what was sent to Azure.
    pub fn traffic(&self, traffic: &Traffic) {
        self.retries.inc_by(traffic.retries);
        for (source, n) in &traffic.requests {
            self.requests.with_label_values(&[*source]).inc_by(*n);
        }
        for (reason, n) in &traffic.failures {
            self.failures.with_label_values(&[*reason]).inc_by(*n);
        }
        self.throttle_wait.with_label_values::<&str>(&[]).inc_by(traffic.throttle_wait.as_secs_f64());
    }

    /// Notes how long a phase of a sweep took.
    pub fn phase(&self, phase: &'static str, took: Duration) {
        self.duration.with_label_values(&[phase]).observe(took.as_secs_f64());
    }

    /// Notes what a sweep changed.
    pub fn changes(&self, changes: &Changes) {
        self.opened.inc_by((changes.opened.len() + changes.reopened.len()) as u64);
        for (_, reason) in &changes.resolved {
            self.resolved.with_label_values(&[reason.name()]).inc();
        }
    }

    /// Notes that a sweep could not be kept.
    pub fn commit_failed(&self) {
        self.commit_failures.inc();
        self.commit_successful.set(0.0);
    }

    /// Notes that a sweep was written, if it is to be.
    pub fn committed(&self) {
        self.commit_successful.set(1.0);
    }

    /// Notes that another bundle judges from now on.
    pub fn bundle(&mut self, digest: &str) {
        digest.clone_into(&mut self.bundle);
    }

    /// Notes which findings have series of their own from now on, and the labels that tags become there.
    pub fn detail(&mut self, settings: &config::Metrics, labels: &[(String, String)]) {
        self.details.settings = settings.clone();
        self.details.names = labels.iter().map(|(_, label)| label.clone()).collect();
    }

    /// Takes over the tags of the findings that a sweep saw, and forgets those of findings that are no longer open.
    pub fn learn_tags(&mut self, report: &Report, open: &BTreeMap<String, Finding>) {
        self.details.learn(report, open);
    }

    /// The tags of the open findings by fingerprint, to be recalled after a restart; none where no series shows them.
    pub fn tags(&self) -> Option<&Tags> {
        self.details.tags()
    }

    /// Goes on with the tags of before a restart.
    pub fn recall_tags(&mut self, tags: Tags) {
        self.details.tags = tags;
    }

    /// Notes what an outlet has sent since the start.
    pub fn notifications(&self, outlet: &str, accepted: u64, failures: u64) {
        for (counter, total) in [(&self.notifications, accepted), (&self.notification_failures, failures)] {
            let counter = counter.with_label_values(&[outlet]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// Notes of which severities Alertmanager hears every finding. With any, its counters start at 0, so that the first
    /// failure is an increase.
    pub fn notified(&self, severities: Vec<&'static str>) {
        self.notified.reset();
        for severity in severities {
            self.notified.with_label_values(&["alertmanager", severity]).set(1);
            self.notifications("alertmanager", 0, 0);
        }
    }

    /// Notes what waits for the receivers of events, and what they lost; a configured one is there with 0.
    pub fn backlog<'a>(&self, configured: impl Iterator<Item = &'a str>, backlog: &[Backlog]) {
        self.events_waiting.reset();
        for receiver in configured {
            self.events_waiting.with_label_values(&[receiver]).set(0);
            self.events_dropped.with_label_values(&[receiver]);
            self.notifications("webhook", 0, 0);
        }
        for of in backlog {
            self.events_waiting.with_label_values(&[of.receiver.as_str()]).set(of.waiting);
            let dropped = self.events_dropped.with_label_values(&[of.receiver.as_str()]);
            dropped.inc_by(u64::try_from(of.dropped).unwrap_or_default().saturating_sub(dropped.get()));
        }
    }

    /// Notes that configuration and policies were read, or refused, at `now`.
    pub fn reloaded(&self, taken: bool, now: i64) {
        self.reload_successful.set(f64::from(u8::from(taken)));
        if taken {
            self.reload_success.set(now as f64);
        }
    }

    /// Notes that the listeners' certificate was read, or refused. Without TLS there is nothing to note.
    pub fn certificate(&mut self, taken: bool) -> Built<()> {
        let gauge = Gauge::new(
            "mlfence_tls_last_reload_successful",
            "1 if the listeners use the certificate that is in its files, 0 if that was refused; absent without TLS.",
        )?;
        gauge.set(f64::from(u8::from(taken)));
        self.certificate = Some(gauge);
        Ok(())
    }

    /// The exposition: of the last view, or without the series of a sweep before the first one ended.
    pub fn render(&mut self, view: Option<&View<'_>>) -> Built<String> {
        let registry = self.registry()?;
        if let Some(view) = view {
            self.sweep(&registry, view)?;
            results(&registry, view.report)?;
            findings(&registry, view.open, false)?;
            self.details.register(&registry, &Verdicts { open: view.open, view: Some(view) })?;
            unknowns(&registry, view.unknowns)?;
            records(&registry, view)?;
            waivers(&registry, view.report)?;
        }
        text(&registry)
    }

    /// The exposition after a start, until a sweep has finished: the findings that a ledger kept, none of them confirmed
    /// yet, and when they were last looked at.
    pub fn render_kept(&mut self, open: &BTreeMap<String, Finding>, finished_at: i64) -> Built<String> {
        let registry = self.registry()?;
        last_success(&registry, finished_at)?;
        findings(&registry, open, true)?;
        self.details.register(&registry, &Verdicts { open, view: None })?;
        text(&registry)
    }

    /// What is shown whether or not there was a sweep.
    fn registry(&self) -> Built<Registry> {
        let registry = Registry::new();
        for collector in self.lasting() {
            registry.register(collector)?;
        }
        let build = IntGaugeVec::new(Opts::new("mlfence_build_info", "The build; always 1."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        let bundle = IntGaugeVec::new(
            Opts::new(
                "mlfence_policy_bundle_info",
                "The policies in force, by the digest of their bundle; always 1.",
            ),
            &["digest"],
        )?;
        bundle.with_label_values(&[self.bundle.as_str()]).set(1);
        registry.register(Box::new(bundle))?;
        Ok(registry)
    }

    fn lasting(&self) -> Vec<Box<dyn Collector>> {
        let mut all: Vec<Box<dyn Collector>> = vec![
            Box::new(self.requests.clone()),
            Box::new(self.retries.clone()),
            Box::new(self.failures.clone()),
            Box::new(self.throttle_wait.clone()),
            Box::new(self.opened.clone()),
            Box::new(self.resolved.clone()),
            Box::new(self.commit_failures.clone()),
            Box::new(self.commit_successful.clone()),
            Box::new(self.policy_errors.clone()),
            Box::new(self.duration.clone()),
            Box::new(self.notifications.clone()),
            Box::new(self.notification_failures.clone()),
            Box::new(self.notified.clone()),
            Box::new(self.events_waiting.clone()),
            Box::new(self.events_dropped.clone()),
            Box::new(self.reload_successful.clone()),
            Box::new(self.reload_success.clone()),
        ];
        if let Some(certificate) = &self.certificate {
            all.push(Box::new(certificate.clone()));
        }
        all
    }

    /// Notes the policies that failed in a sweep.
    pub fn policy_errors(&self, report: &Report) {
        for result in &report.results {
            // A policy that never failed shows 0, so that its first failure is an increase.
            self.policy_errors.with_label_values(&[result.policy.as_str()]);
            if result.reason.as_ref().is_some_and(|reason| reason.code == Code::PolicyError) {
                self.policy_errors.with_label_values(&[result.policy.as_str()]).inc();
            }
        }
    }

    fn sweep(&mut self, registry: &Registry, view: &View<'_>) -> Built<()> {
        last_success(registry, view.finished_at)?;
        let complete = Gauge::new(
            "mlfence_sweep_complete",
            "1 if the last sweep read everything that it asked for, else 0.",
        )?;
        complete.set(if view.report.gaps.is_empty() && !view.outdated { 1.0 } else { 0.0 });
        registry.register(Box::new(complete))?;
        let labels = &["subscription", "source"];
        let up = IntGaugeVec::new(
            Opts::new(
                "mlfence_source_up",
                "1 if the last sweep that could be judged read this kind of record completely.",
            ),
            labels,
        )?;
        let success = GaugeVec::new(
            Opts::new(
                "mlfence_source_last_success_timestamp_seconds",
                "When this kind of record was last read completely.",
            ),
            labels,
        )?;
        let coverage = &view.inventory.coverage;
        let concerned = concerned(view);
        // That a subscription is swept at all is told of each: the rules hold what was open in one that is not.
        let shown =
            |subscription: &str, kind: Kind| kind == Kind::Subscriptions || concerned.contains(subscription);
        self.source_success.retain(|(subscription, kind), _| shown(subscription, *kind));
        for subscription in coverage.subscriptions() {
            let scope = ResourceId::subscription_scope(subscription);
            let kinds = Kind::ALL.iter().copied().filter(|kind| coverage.asked(*kind));
            for kind in kinds.filter(|kind| shown(subscription, *kind)) {
                let read = coverage.incomplete(kind, &scope).is_none();
                up.with_label_values(&[subscription, kind.name()]).set(read.into());
                if read {
                    self.source_success.insert((subscription.to_owned(), kind), view.finished_at);
                }
            }
        }
        for ((subscription, kind), at) in &self.source_success {
            success.with_label_values(&[subscription.as_str(), kind.name()]).set(*at as f64);
        }
        registry.register(Box::new(up))?;
        registry.register(Box::new(success))
    }
}

fn text(registry: &Registry) -> Built<String> {
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}

fn last_success(registry: &Registry, finished_at: i64) -> Built<()> {
    let last = Gauge::new(
        "mlfence_sweep_last_success_timestamp_seconds",
        "When the last sweep ended that could be judged.",
    )?;
    last.set(finished_at as f64);
    registry.register(Box::new(last))
}

fn results(registry: &Registry, report: &Report) -> Built<()> {
    let results = IntGaugeVec::new(
        Opts::new(
            "mlfence_results",
            "Verdicts of the last sweep, as judged. A gap moves them: alert on mlfence_open_findings.",
        ),
        &["policy", "severity", "status", "subscription"],
    )?;
    let unknown = IntGaugeVec::new(
        Opts::new(
            "mlfence_unknown_results",
            "Unknown verdicts of the last sweep that no waiver accepts, by the code of their first reason.",
        ),
        &["code", "subscription"],
    )?;
    for result in &report.results {
        let severity = result.severity.name();
        // Every status has its series, so that a verdict that goes away falls to 0 instead of vanishing.
        for status in Status::ALL {
            let labels = [result.policy.as_str(), severity, status.name(), result.subscription()];
            results.with_label_values(&labels).add((status == result.status).into());
        }
        if let Some(reason) = result.open_reason() {
            unknown.with_label_values(&[reason.code.name(), result.subscription()]).inc();
        }
    }
    registry.register(Box::new(results))?;
    registry.register(Box::new(unknown))
}

/// With `unconfirmed`, no sweep of this process has seen them yet.
fn findings(registry: &Registry, open: &BTreeMap<String, Finding>, unconfirmed: bool) -> Built<()> {
    let gauge = IntGaugeVec::new(
        Opts::new(
            "mlfence_open_findings",
            "Findings that are open; stale ones could not be checked by the last sweep.",
        ),
        &["policy", "severity", "subscription", "state"],
    )?;
    let oldest = GaugeVec::new(
        Opts::new(
            "mlfence_oldest_open_finding_timestamp_seconds",
            "When the oldest open finding was opened.",
        ),
        &["severity"],
    )?;
    let mut opened: BTreeMap<Severity, i64> = BTreeMap::new();
    for finding in open.values() {
        let subscription = finding.subject.id.subscription().unwrap_or_default();
        for (state, stale) in [("confirmed", false), ("stale", true)] {
            let labels = [finding.policy.as_str(), finding.severity.name(), subscription, state];
            let is_stale = unconfirmed || finding.is_stale();
            gauge.with_label_values(&labels).add((is_stale == stale).into());
        }
        let at = opened.entry(finding.severity).or_insert(finding.opened_at);
        *at = (*at).min(finding.opened_at);
    }
    for (severity, at) in opened {
        oldest.with_label_values(&[severity.name()]).set(at as f64);
    }
    registry.register(Box::new(gauge))?;
    registry.register(Box::new(oldest))
}

fn waivers(registry: &Registry, report: &Report) -> Built<()> {
    let gauge = IntGaugeVec::new(
        Opts::new("mlfence_waivers", "Waivers, by how they stood in the last sweep."),
        &["state"],
    )?;
    for state in State::ALL {
        let n = report.waivers.iter().filter(|standing| standing.state == state).count();
        gauge.with_label_values(&[state.name()]).set(i64::try_from(n).unwrap_or(i64::MAX));
    }
    registry.register(Box::new(gauge))
}

fn unknowns(registry: &Registry, unknowns: &BTreeMap<(String, Subject), Unknown>) -> Built<()> {
    let oldest = GaugeVec::new(
        Opts::new(
            "mlfence_oldest_unknown_result_timestamp_seconds",
            "Since when the oldest unknown verdict has been unknown, by the code of its reason.",
        ),
        &["code"],
    )?;
    let mut since: BTreeMap<Code, i64> = BTreeMap::new();
    for unknown in unknowns.values() {
        let at = since.entry(unknown.code).or_insert(unknown.since);
        *at = (*at).min(unknown.since);
    }
    for (code, at) in since {
        oldest.with_label_values(&[code.name()]).set(at as f64);
    }
    registry.register(Box::new(oldest))
}

/// The subscriptions that have series: those that host subjects, may hide some, or could not be read completely. A tenant
/// may have thousands of others.
fn concerned(view: &View<'_>) -> BTreeSet<String> {
    let results = view.report.results.iter().map(|result| result.subscription());
    let open = view.open.values().filter_map(|finding| finding.subject.id.subscription());
    let gaps = view.report.gaps.iter().filter_map(|gap| gap.scope.subscription());
    results.chain(open).chain(gaps).map(str::to_owned).collect()
}

fn records(registry: &Registry, view: &View<'_>) -> Built<()> {
    let gauge = IntGaugeVec::new(
        Opts::new("mlfence_inventory_records", "Records that the last sweep read."),
        &["subscription", "kind"],
    )?;
    let concerned = concerned(view);
    for ((subscription, kind), n) in &view.inventory.counts {
        if !concerned.contains(subscription) {
            continue;
        }
        gauge
            .with_label_values(&[subscription.as_str(), kind.name()])
            .set(i64::try_from(*n).unwrap_or(i64::MAX));
    }
    registry.register(Box::new(gauge))
}
