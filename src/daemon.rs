//! Sweeps, again and again: the timetable, the order of the steps, reload and shutdown. How a step works is its
//! own module's affair.

mod files;
mod history;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::audit::{Judged, PolicyArguments, Setup, SetupError, Sources, judge_and_release, waive};
use crate::azure::{self, CollectError};
use crate::config;
use crate::findings::Status;
use crate::findings::ledger::{Changes, Sweep};
use crate::inventory::Snapshot;
use crate::outlets::alertmanager::{self, Book, Outbox, Tally};
use crate::outlets::http::{self, Doors, Face, Listeners, Published, Swept};
use crate::outlets::metrics::{Metrics, Traffic, View};
use crate::outlets::webhook;
use crate::policy::Listed;
use crate::snapshot_file;
use crate::store::KeptSweep;
use crate::sweep;

use self::files::Files;
pub use self::history::History;
use self::telling::{BOOK, TAGS, notified};

/// What the daemon is started with.
pub struct Options {
    /// The configuration file, read again on a reload.
    pub config: PathBuf,
    /// Policies from the command line, read again on a reload.
    pub policies: PolicyArguments,
    /// The files as they were right before the start.
    pub sources: Sources,
}

impl Options {
    fn sources(&self) -> Sources {
        Sources::read(&self.config, &self.policies)
    }
}

/// Why the daemon ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The listener ended.
    #[error("the HTTP listener ended: {0}")]
    Listener(std::io::Error),
    /// The credential cannot even be built.
    #[error(transparent)]
    Azure(#[from] CollectError),
    /// Nobody is told of findings any more.
    #[error("a task that sends alerts or events ended")]
    Outlets,
    /// Nobody looks after the files any more.
    #[error("the task that watches the files ended")]
    Files,
    /// A metric is ill-formed.
    #[error("the metrics cannot be rendered: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Runs until `shutdown` completes. Each message on `reload`, and each change of their files, reads the configuration and
/// the policies anew; if they are not valid, what ran before stays.
pub async fn run(
    setup: Setup,
    options: Options,
    history: History,
    listeners: Listeners,
    reload: mpsc::Receiver<()>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), DaemonError> {
    let mut daemon = Daemon::new(setup, history)?;
    daemon.recall().await;
    let (publish, views) = watch::channel(Arc::new(daemon.before_the_first_sweep().await?));
    let (trigger, mut triggered) = mpsc::channel(1);
    let certificate = listeners.certificate.as_ref().map(http::Certificate::trouble);
    let mut certificate = certificate.unwrap_or_else(|| watch::channel(None).1);
    if listeners.certificate.is_some() {
        daemon.metrics.certificate(true)?;
    }
    let doors = Doors { http: daemon.doors.subscribe(), certificate: certificate.clone() };
    let face = Face { views, store: daemon.history.store(), trigger, doors };
    let (stop, stopped) = watch::channel(false);
    let listening = tokio::spawn(http::serve(listeners, face, stop_signal(stopped)));
    let mut listening = pin!(listening);
    // What stood before a restart is renewed at once: the first sweep may fail for days.
    let (outbox, sent) = watch::channel(Arc::clone(&daemon.outbox));
    let (counted, mut tally) = watch::channel(Tally::default());
    // What waits since before the restart is sent at once.
    let (orders, ordered) = watch::channel(Arc::new(daemon.orders()));
    let (counted_events, mut events) = watch::channel(webhook::Tally::default());
    let mut telling = JoinSet::new();
    telling.spawn(alertmanager::run(sent, counted));
    telling.spawn(webhook::run(ordered, daemon.history.store(), counted_events));
    let mut files = Files::watch(Arc::new(options), reload);
    let mut shutdown = pin!(shutdown);
    'sweeps: loop {
        let started = Instant::now();
        // What was loaded while it swept takes effect after it; who may read does at once, for a token may be taken back.
        let mut loaded = Vec::new();
        let doors = Arc::clone(&daemon.doors);
        let published = {
            // A sweep holds nothing that a dropped await could break: what it would have published is simply not.
            let mut sweep = pin!(daemon.sweep());
            loop {
                tokio::select! {
                    published = &mut sweep => break published?,
                    () = &mut shutdown => break 'sweeps,
                    ended = &mut listening => return Err(listener_error(ended)),
                    read = files.loaded() => {
                        let read = read.ok_or(DaemonError::Files)?;
                        if let Ok(setup) = &read {
                            open(&doors, &setup.config.http);
                        }
                        loaded.push(read);
                    }
                }
            }
        };
        // Published first, told after: who reads of a sweep in the log finds it at the listener.
        let (failed, detail) = (daemon.is_in_trouble(), published.detail.clone());
        publish.send_replace(Arc::new(daemon.with_refusal(published)));
        if failed {
            error!("{detail}")
        } else {
            info!("{detail}")
        }
        outbox.send_replace(Arc::clone(&daemon.outbox));
        orders.send_replace(Arc::new(daemon.orders()));
        let mut pause = pin!(tokio::time::sleep(daemon.pause().saturating_sub(started.elapsed())));
        // Whoever asks again and again gets no more of Azure than the shortest interval would.
        let least = daemon.setup.config.least_interval();
        let mut rest = pin!(tokio::time::sleep(least.saturating_sub(started.elapsed())));
        let mut rested = false;
        loop {
            if !loaded.is_empty() {
                loaded.into_iter().for_each(|read| daemon.reload(read));
                orders.send_replace(Arc::new(daemon.orders()));
                break;
            }
            tokio::select! {
                () = &mut pause => break,
                () = &mut shutdown => break 'sweeps,
                ended = &mut listening => return Err(listener_error(ended)),
                Some(_) = telling.join_next() => return Err(DaemonError::Outlets),
                // What was sent between two sweeps is seen by the next scrape.
                Ok(()) = tally.changed() => {
                    let sent = *tally.borrow_and_update();
                    daemon.metrics.notifications("alertmanager", sent.accepted, sent.failures);
                    let metrics = daemon.render()?;
                    publish.send_modify(|view| *view = Arc::new(Published { metrics, ..(**view).clone() }));
                }
                Ok(()) = events.changed() => {
                    let sent = *events.borrow_and_update();
                    daemon.metrics.notifications("webhook", sent.accepted, sent.failures);
                    daemon.count_backlog().await;
                    let metrics = daemon.render()?;
                    publish.send_modify(|view| *view = Arc::new(Published { metrics, ..(**view).clone() }));
                }
                () = &mut rest, if !rested => rested = true,
                // Until then it stays in the channel, and whoever asks next learns that one is waiting.
                Some(()) = triggered.recv(), if rested => break,
                Ok(()) = certificate.changed() => {
                    let taken = certificate.borrow_and_update().is_none();
                    daemon.metrics.certificate(taken)?;
                    let metrics = daemon.render()?;
                    publish.send_modify(|view| *view = Arc::new(Published { metrics, ..(**view).clone() }));
                }
                read = files.loaded() => loaded.push(read.ok_or(DaemonError::Files)?),
            }
        }
    }
    info!("shutting down");
    let _ = stop.send(true);
    // What was under way is sent again after the next start, by the same id.
    let _ = tokio::time::timeout(Duration::from_secs(1), telling.shutdown()).await;
    // Scrapes under way get a moment; an idle keep-alive connection must not hold the process.
    let _ = tokio::time::timeout(Duration::from_secs(2), listening).await;
    // Bounded, for somebody may hold the file's lock; the log keeps what was committed.
    let _ = tokio::time::timeout(Duration::from_secs(1), daemon.history.close()).await;
    Ok(())
}

/// Lets in whom the table says from now on. What is open to those without a token hangs on the address that is bound, and
/// where the metrics are on the listeners that there are, not on those of the next start.
fn open(doors: &watch::Sender<Arc<config::Http>>, http: &config::Http) {
    let (listen, metrics) = (doors.borrow().listen, doors.borrow().metrics);
    doors.send_replace(Arc::new(config::Http { listen, metrics, ..http.clone() }));
}

fn listener_error(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> DaemonError {
    DaemonError::Listener(match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) => std::io::Error::other("it closed"),
        Err(error) => std::io::Error::other(error),
    })
}

async fn stop_signal(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// How many sweeps the view holds; older ones are in the store.
const SHOWN_SWEEPS: i64 = 100;

struct Daemon {
    setup: Arc<Setup>,
    client: azure::Client,
    metrics: Metrics,
    history: History,
    failures: u32,
    last: Option<Arc<Swept>>,
    /// The last sweeps, as the store told them last.
    sweeps: Arc<[KeptSweep]>,
    policies: Arc<[Listed]>,
    book: Book,
    outbox: Arc<Outbox>,
    /// Sweeps that may have written events.
    written: u64,
    /// How many events each receiver has lost, as far as this process or one before told; none before it was looked at.
    dropped: Option<BTreeMap<String, i64>>,
    /// Why the last reload was refused.
    refused: Option<String>,
    /// Who may read; the listeners look here.
    doors: Arc<watch::Sender<Arc<config::Http>>>,
    /// The last sweep's snapshot as a file, if it is offered.
    snapshot: Option<Bytes>,
    /// Why what is shown is older than it should be.
    trouble: Option<String>,
}

impl Daemon {
    fn new(setup: Setup, history: History) -> Result<Self, DaemonError> {
        let mut metrics = Metrics::new(setup.bundle.digest())?;
        metrics.detail(&setup.config.metrics, &setup.config.labels);
        metrics.notified(notified(&setup));
        metrics.reloaded(true, OffsetDateTime::now_utc().unix_timestamp());
        Ok(Self {
            client: azure::Client::new(&setup.config)?,
            metrics,
            policies: setup.listed().into(),
            doors: Arc::new(watch::Sender::new(Arc::new(setup.config.http.clone()))),
            snapshot: None,
            trouble: None,
            setup: Arc::new(setup),
            history,
            failures: 0,
            last: None,
            sweeps: Arc::default(),
            book: Book::default(),
            outbox: Arc::default(),
            written: 0,
            dropped: None,
            refused: None,
        })
    }

    /// Whether the last sweep failed, or could not be kept.
    fn is_in_trouble(&self) -> bool {
        self.failures > 0 || self.history.trouble().is_some()
    }

    async fn before_the_first_sweep(&mut self) -> Result<Published, DaemonError> {
        self.count_backlog().await;
        let detail = match self.history.last() {
            Some(last) => format!(
                "the first sweep has not finished yet; the ledger's last one is of {}, with {} open findings",
                last.taken_at,
                self.history.open_findings().len()
            ),
            None => "the first sweep has not finished yet".to_owned(),
        };
        self.published(false, detail).await
    }

    /// Collect, judge, advance, publish.
    async fn sweep(&mut self) -> Result<Published, DaemonError> {
        let started = Instant::now();
        let now = OffsetDateTime::now_utc();
        let declarations = &self.setup.config.expectations;
        let collected = sweep::run(&self.client, declarations, self.history.seen(), now, &|_| {}).await;
        let collected = match collected {
            Ok(collected) => collected,
            Err(error) => return self.failed(&error).await,
        };
        let collect = started.elapsed();
        self.metrics.traffic(&Traffic {
            requests: collected.numbers.requests,
            retries: collected.numbers.retries,
            failures: collected.numbers.failures,
            throttle_wait: collected.numbers.throttle_wait,
        });
        let (snapshot, excluded) = (collected.snapshot, collected.excluded);
        let subscriptions: BTreeSet<String> = snapshot
            .header
            .subscriptions
            .iter()
            .map(|subscription| subscription.id.to_ascii_lowercase())
            .collect();
        let judging = Instant::now();
        let (judged, file) = self.judge(snapshot).await;
        self.snapshot = file;
        self.metrics.phase("collect", collect);
        self.metrics.phase("judge", judging.elapsed());
        self.metrics.phase("total", started.elapsed());
        let finished_at = OffsetDateTime::now_utc().unix_timestamp();
        let seen = Sweep {
            results: &judged.report.results,
            hidden: &judged.hidden,
            subscriptions: &subscriptions,
            excluded: &excluded,
            policies: &judged.policies,
            waivers: &self.setup.waivers,
        };
        let never_swept = self.history.last().is_none();
        // Committed before anything of it is shown: what was shown outlives the process.
        let committed = self.history.advance(&seen, &judged.report, &self.setup.config, finished_at).await;
        let changes = match committed {
            Ok(changes) => {
                self.metrics.committed();
                changes
            }
            Err(error) => {
                error!("{error}");
                self.metrics.commit_failed();
                Changes::default()
            }
        };
        self.metrics.changes(&changes);
        let first = never_swept && self.history.trouble().is_none();
        self.tell(&judged, first, finished_at);
        self.keep(BOOK, &self.book).await;
        self.written += 1;
        self.count_backlog().await;
        self.failures = 0;
        let report = &judged.report;
        let open = self.history.open_findings();
        let stale = open.values().filter(|finding| finding.is_stale()).count();
        let detail = format!(
            "last sweep {}: {} fail, {} unknown, {} pass; {} open findings ({stale} stale), {} new, {} resolved; {} gaps; {:.1} s{}",
            report.taken_at,
            report.count(Status::Fail),
            report.count(Status::Unknown),
            report.count(Status::Pass),
            open.len(),
            changes.opened.len() + changes.reopened.len(),
            changes.resolved.len(),
            report.gaps.len(),
            started.elapsed().as_secs_f64(),
            self.history.trouble().map(|trouble| format!("; {trouble}")).unwrap_or_default(),
        );
        self.metrics.policy_errors(report);
        self.trouble = self.history.trouble().map(str::to_owned);
        let Judged { report, inventory, .. } = judged;
        self.metrics.learn_tags(&report, self.history.open_findings());
        if let Some(tags) = self.metrics.tags() {
            self.keep(TAGS, tags).await;
        }
        self.last = Some(Arc::new(Swept { report, inventory, finished_at }));
        self.published(true, detail).await
    }

    /// Judges a snapshot, and makes a file of it if one is offered: its records are gone afterwards.
    async fn judge(&self, mut snapshot: Snapshot) -> (Judged, Option<Bytes>) {
        let setup = Arc::clone(&self.setup);
        let judging = tokio::task::spawn_blocking(move || {
            let file = setup.config.http.snapshot.then(|| snapshot_file::packed(&snapshot));
            let mut judged = judge_and_release(&setup, &mut snapshot, &BTreeSet::new());
            waive(&setup, &mut judged, OffsetDateTime::now_utc());
            (judged, file)
        });
        let (judged, file) = match judging.await {
            Ok(judged) => judged,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let file =
            file.and_then(|packed| packed.map_err(|error| error!("no snapshot is offered: {error}")).ok());
        (judged, file.map(Bytes::from))
    }

    /// A sweep that could not even start leaves the last view up.
    async fn failed(&mut self, error: &CollectError) -> Result<Published, DaemonError> {
        self.failures = self.failures.saturating_add(1);
        let detail = match &self.last {
            Some(last) => {
                format!("the sweep failed: {error}; shown is the one of {}", last.report.taken_at)
            }
            None => format!("the sweep failed, none has finished yet: {error}"),
        };
        self.trouble = Some(format!("the last sweep failed: {error}"));
        self.published(self.last.is_some(), detail).await
    }

    /// What is shown from now on.
    async fn published(&mut self, ready: bool, detail: String) -> Result<Published, DaemonError> {
        match self.history.sweeps(SHOWN_SWEEPS).await {
            Ok(sweeps) => self.sweeps = sweeps.into(),
            // Those that were shown stay: none at all would look like a daemon that has only begun.
            Err(error) => error!("{error}"),
        }
        let view = http::View {
            swept: self.last.clone(),
            kept: self.history.kept(),
            sweeps: Arc::clone(&self.sweeps),
            policies: Arc::clone(&self.policies),
            declarations: Arc::new(self.setup.config.expectations.clone()),
            snapshot: self.snapshot.clone(),
            index: Arc::default(),
        };
        Ok(Published {
            metrics: self.render()?,
            ready,
            detail,
            trouble: self.trouble.clone(),
            refused: self.refused.is_some(),
            view,
        })
    }

    fn render(&mut self) -> Result<String, DaemonError> {
        let view = self.last.as_ref().map(|last| View {
            report: &last.report,
            inventory: &last.inventory,
            open: self.history.open_findings(),
            unknowns: self.history.unknowns(),
            finished_at: last.finished_at,
            outdated: self.failures > 0,
        });
        // Until a sweep has finished, what the ledger kept of the one before stands in: no finding seems resolved meanwhile.
        let kept = self.history.last().map(|last| (self.history.open_findings(), last.finished_at));
        Ok(match (&view, kept) {
            (None, Some((open, finished_at))) => self.metrics.render_kept(open, finished_at)?,
            _ => self.metrics.render(view.as_ref())?,
        })
    }

    /// From the start of one sweep to the start of the next; sooner after a failure, later with each further one.
    fn pause(&self) -> Duration {
        let schedule = &self.setup.config.schedule;
        if self.failures > 0 {
            let back_off = Duration::from_secs(15).saturating_mul(1 << self.failures.min(6));
            return back_off.min(schedule.interval);
        }
        let jitter = 1.0 + schedule.jitter * (fastrand::f64() * 2.0 - 1.0);
        schedule.interval.mul_f64(jitter)
    }

    fn reload(&mut self, loaded: Result<Setup, SetupError>) {
        let setup = match loaded {
            Ok(setup) => setup,
            Err(error) => return self.refuse(&error),
        };
        let (http, before) = (&setup.config.http, &self.setup.config.http);
        if http.listen != before.listen {
            warn!("`http.listen` changed; a new address takes effect at the next start");
        }
        if http.metrics != before.metrics {
            warn!("`http.metrics.listen` changed; a new address takes effect at the next start");
        }
        if http.tls.is_some() != before.tls.is_some() {
            warn!("`http.tls` came or went; that takes effect at the next start");
        }
        match azure::Client::new(&setup.config) {
            Ok(client) => self.client = client,
            Err(error) => return self.refuse(&error),
        }
        if setup.config.ledger.path != self.setup.config.ledger.path {
            warn!("`ledger.path` changed; another ledger takes effect at the next start");
        }
        self.metrics.bundle(setup.bundle.digest());
        self.metrics.detail(&setup.config.metrics, &setup.config.labels);
        self.metrics.notified(notified(&setup));
        self.metrics.reloaded(true, OffsetDateTime::now_utc().unix_timestamp());
        self.refused = None;
        // Another address counts even if the next sweep fails.
        Arc::make_mut(&mut self.outbox).settings = setup.config.alertmanager.clone();
        self.policies = setup.listed().into();
        open(&self.doors, &setup.config.http);
        if !setup.config.http.snapshot {
            self.snapshot = None;
        }
        self.setup = Arc::new(setup);
        info!("configuration and policies were reloaded");
    }

    fn refuse(&mut self, error: &dyn std::error::Error) {
        let now = OffsetDateTime::now_utc();
        self.metrics.reloaded(false, now.unix_timestamp());
        // They may have been opened for a setup that is refused after all.
        open(&self.doors, &self.setup.config.http);
        // One line, and no longer than anybody would read.
        let problems: String = error.to_string().replace('\n', "; ").chars().take(1000).collect();
        let at = now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default();
        self.refused = Some(format!("the reload of {at} was refused, what ran before stays: {problems}"));
        warn!("the reload was refused, what ran before stays: {error}");
    }

    /// Whoever asks whether the daemon is ready learns that it does not run what its files say.
    fn with_refusal(&self, published: Published) -> Published {
        match &self.refused {
            Some(refused) => Published { detail: format!("{}; {refused}", published.detail), ..published },
            None => published,
        }
    }
}
