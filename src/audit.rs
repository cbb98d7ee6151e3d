//! One sweep, end to end: a snapshot in, a report out. What the `audit` command and the daemon share.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::num::NonZero;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::{fs, io, thread};

use time::{OffsetDateTime, UtcOffset};

use crate::config::Config;
use crate::facts::{self, Document, Hidden};
use crate::findings::judge::{Subject, judge_hidden};
use crate::findings::labels;
use crate::findings::waivers::{self, Waiver};
use crate::findings::{PolicyResult, Report, judge};
use crate::inventory::{Inventory, Snapshot, printable};
use crate::policy::{self, Bundle, Listed, LoadOptions, Origin, Policy, PolicyError, SourceFile};
use crate::severity::Severity;

mod sources;

pub use self::sources::Sources;

/// Everything that stands before a sweep: a valid configuration, a bundle that passed the load gate, and waivers.
#[derive(Clone)]
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// The policies.
    pub bundle: Bundle,
    /// What is accepted.
    pub waivers: Vec<Waiver>,
}

/// Every problem of a configuration, its policies and its waivers, each with its file and line.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SetupError(pub Vec<String>);

/// Policies and waivers from the command line, on top of the configuration's.
#[derive(Clone, Debug, Default)]
pub struct PolicyArguments {
    /// Folders of policies.
    pub directories: Vec<PathBuf>,
    /// Whether they may replace shipped ones.
    pub allow_replace: bool,
    /// Whether shipped policies too are put through the whole gate, with their cases and tests.
    pub whole_gate: bool,
    /// Files of waivers.
    pub waivers: Vec<PathBuf>,
}

/// Reads and validates a configuration file, or takes the defaults. No policy is loaded, which takes longer than a
/// question to the engines.
pub fn load_config(path: Option<&Path>) -> Result<Config, SetupError> {
    match path.map(read_config).transpose()? {
        None => Ok(Config::default()),
        Some((config, problems)) if problems.is_empty() => Ok(config),
        Some((_, problems)) => Err(SetupError(problems)),
    }
}

impl Setup {
    /// Reads and validates a configuration file (or takes the defaults) and loads every policy and waiver.
    pub fn load(path: Option<&Path>, arguments: &PolicyArguments) -> Result<Self, SetupError> {
        let (mut config, mut problems) = match path {
            None => (Config::default(), Vec::new()),
            Some(path) => read_config(path)?,
        };
        config.policies.directories.extend(arguments.directories.iter().cloned());
        config.policies.allow_replace |= arguments.allow_replace;
        config.waivers.files.extend(arguments.waivers.iter().cloned());
        let bundle = load_bundle(&config, path, arguments.whole_gate);
        let mut waivers = Vec::new();
        match &bundle {
            Ok(bundle) => problems.extend(read_waivers(&config, bundle, &mut waivers)),
            Err(SetupError(more)) => problems.extend(more.iter().cloned()),
        }
        match bundle {
            Ok(bundle) if problems.is_empty() => Ok(Self { config, bundle, waivers }),
            _ => Err(SetupError(problems)),
        }
    }

    /// Every policy with what the configuration makes of it.
    pub fn listed(&self) -> Vec<Listed> {
        let listed = |policy: &Policy| {
            let enabled = !self.config.policies.disabled.contains(&policy.metadata.id);
            Listed::of(policy, severity_of(&self.config, policy), enabled)
        };
        self.bundle.policies().iter().map(listed).collect()
    }
}

/// The largest configuration, in bytes.
const LARGEST_CONFIG: usize = 1 << 20;

/// The text of a configuration file, or why there is none.
pub fn config_text(path: &Path) -> Result<String, String> {
    let text = read_bounded(path, LARGEST_CONFIG).and_then(|text| {
        let whole = text.len() <= LARGEST_CONFIG;
        whole
            .then_some(text)
            .ok_or_else(|| io::Error::other(format!("is larger than {LARGEST_CONFIG} bytes")))
    });
    text.map_err(|error| format!("cannot read the configuration {}: {error}", path.display()))
}

/// The configuration as far as it can be read, and every problem with it.
fn read_config(path: &Path) -> Result<(Config, Vec<String>), SetupError> {
    let text = config_text(path).map_err(|problem| SetupError(vec![problem]))?;
    // Half-written, as seen by a reload: that would silently be every default at once.
    if text.trim().is_empty() {
        return Err(SetupError(vec![format!("the configuration {} is empty", path.display())]));
    }
    let (mut config, problems) = Config::read(&text);
    let problems = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    beside(path, &mut config);
    Ok((config, problems))
}

/// Paths in the file mean places beside the file, wherever mlfence was started.
fn beside(path: &Path, config: &mut Config) {
    let folder = path.parent().unwrap_or(Path::new("."));
    for named in config.policies.directories.iter_mut().chain(&mut config.waivers.files) {
        *named = folder.join(&named);
    }
    if let Some(ledger) = &mut config.ledger.path {
        *ledger = folder.join(&ledger);
    }
    if let Some(tls) = &mut config.http.tls {
        tls.certificate = folder.join(&tls.certificate);
        tls.key = folder.join(&tls.key);
    }
    if let Some(authorization) = &mut config.alertmanager.authorization {
        let path = authorization.path_mut();
        *path = folder.join(&path);
    }
    for file in config.webhooks.iter_mut().filter_map(|webhook| webhook.secret_file_mut()) {
        *file = folder.join(&file);
    }
}

/// Loads the shipped policies and those of the configuration through the load gate.
fn load_bundle(config: &Config, path: Option<&Path>, whole_gate: bool) -> Result<Bundle, SetupError> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for directory in &config.policies.directories {
        let before = files.len();
        if let Err(error) = collect_rego(directory, &mut files) {
            problems.push(format!("cannot read the policies in {}: {error}", directory.display()));
        } else if files.len() == before {
            // A folder that was mounted wrongly must not look like one whose policies all pass.
            problems.push(format!("{} holds no policies (*.rego)", directory.display()));
        }
    }
    let options = LoadOptions { allow_replace: config.policies.allow_replace, trust_shipped: !whole_gate };
    let all = policy::shipped_files().into_iter().chain(files).collect();
    let bundle = match Bundle::load(all, &options) {
        Ok(bundle) => Some(bundle),
        Err(found) => {
            problems.extend(found.iter().map(ToString::to_string));
            None
        }
    };
    if let Some(bundle) = &bundle {
        let ids: BTreeSet<&str> =
            bundle.policies().iter().map(|policy| policy.metadata.id.as_str()).collect();
        let file = path.map(|path| path.display().to_string()).unwrap_or_default();
        for (id, line) in config.policies.lines.iter().filter(|(id, _)| !ids.contains(id.as_str())) {
            problems.push(format!(
                "{file}:{line}: policies: there is no policy `{id}`; `mlfence policy list` names them"
            ));
        }
    }
    match bundle {
        Some(bundle) if problems.is_empty() => Ok(bundle),
        _ => Err(SetupError(problems)),
    }
}

/// The `.rego` files of a folder and the folders in it, in the order of their names.
fn collect_rego(root: &Path, files: &mut Vec<SourceFile>) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        // Links may lead in circles; a folder is read once, by whatever name it is reached first.
        if !seen.insert(folder.canonicalize().map_err(at)?) {
            continue;
        }
        let entries = fs::read_dir(&folder).map_err(at)?;
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(at)?;
        paths.sort();
        for path in paths {
            // Kubernetes mounts ConfigMaps as links into folders whose names begin with two dots.
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".."));
            if hidden {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rego") {
                files.push(read_rego(root, path)?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

/// Reads a file, and a byte more than `largest` of a longer one, so that it is its reader that refuses it.
fn read_bounded(path: &Path, largest: usize) -> io::Result<String> {
    let bytes = read_bytes(path, largest)?;
    // The cut may fall into a letter.
    let whole = bytes.len() <= largest;
    match String::from_utf8(bytes) {
        Err(error) if whole => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        Ok(text) => Ok(text),
    }
}

fn read_bytes(path: &Path, largest: usize) -> io::Result<Vec<u8>> {
    // Asked before it is opened: opening a pipe would wait for its writer.
    let kind = fs::metadata(path)?.file_type();
    if kind.is_fifo() {
        return Err(io::Error::other(
            "is no regular file but a pipe; write it into a file, for it is read more than once",
        ));
    }
    if !kind.is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(largest as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_rego(root: &Path, path: PathBuf) -> io::Result<SourceFile> {
    let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let text = read_bounded(&path, policy::LARGEST_FILE).map_err(at)?;
    let origin = Origin::Directory(root.display().to_string());
    Ok(SourceFile { path: path.display().to_string(), text, origin })
}

/// Reads every file of waivers into `waivers`, and gives every problem.
fn read_waivers(config: &Config, bundle: &Bundle, waivers: &mut Vec<Waiver>) -> Vec<String> {
    let policies =
        bundle.policies().iter().map(|policy| (policy.metadata.id.clone(), severity_of(config, policy)));
    let rules = waivers::read::Rules {
        today: OffsetDateTime::now_utc().date(),
        longest: config.waivers.longest,
        policies: &policies.collect(),
    };
    let mut problems = Vec::new();
    for path in &config.waivers.files {
        let file = path.display().to_string();
        match read_bounded(path, waivers::read::LARGEST_FILE) {
            Ok(text) => {
                let found = waivers::read::read(&file, &text, &rules, waivers);
                // Whoever may propose a waiver may not write to the terminal, nor at any length.
                let told =
                    found.iter().map(|problem| printable(&problem.to_string()).chars().take(400).collect());
                problems.extend(told.map(|told: String| format!("{file}:{told}")));
            }
            Err(error) => problems.push(format!("cannot read the waivers {file}: {error}")),
        }
    }
    problems
}

/// A policy's severity as configured.
fn severity_of(config: &Config, policy: &Policy) -> Severity {
    let own = config.policies.severities.get(&policy.metadata.id);
    own.copied().unwrap_or(policy.metadata.severity)
}

/// Lays the waivers on a report, as they stand on the day of `now`.
pub fn waive(setup: &Setup, judged: &mut Judged, now: OffsetDateTime) {
    // Of a policy that was not asked for this time nothing can be said; a waiver of one that is switched off is of no use.
    let told = |waiver: &&Waiver| {
        judged.policies.contains(&waiver.policy) || setup.config.policies.disabled.contains(&waiver.policy)
    };
    let waivers: Vec<Waiver> = setup.waivers.iter().filter(told).cloned().collect();
    judged.report.waive(&waivers, now.to_offset(UtcOffset::UTC).date());
}

/// What came of judging a snapshot.
pub struct Judged {
    /// The report.
    pub report: Report,
    /// Where subjects may be hidden.
    pub hidden: Vec<Hidden>,
    /// The graph that was judged.
    pub inventory: Inventory,
    /// The ids of the policies that were judged.
    pub policies: BTreeSet<String>,
}

/// The facts that policies read of one subject, as JSON; none if the snapshot shows no such subject.
pub fn facts_of(setup: &Setup, judged: &Judged, subject: &Subject) -> Option<serde_json::Value> {
    let subjects = facts::derive(&judged.inventory, &setup.config.expectations);
    let wanted =
        |document: &&Document| document.subject.kind == subject.kind && document.subject.id == subject.id;
    serde_json::to_value(subjects.documents.iter().find(wanted)?).ok()
}

/// Judges a snapshot: builds the graph, derives the facts, asks every policy that is switched on. With `only`,
/// no other policy is asked.
pub fn judge_snapshot(setup: &Setup, snapshot: &Snapshot, only: &BTreeSet<String>) -> Judged {
    judge_inventory(setup, snapshot, Inventory::build(snapshot), only)
}

/// The same, and lets go of the records once the graph is built: nothing after it reads them, and the facts need room
/// too.
pub fn judge_and_release(setup: &Setup, snapshot: &mut Snapshot, only: &BTreeSet<String>) -> Judged {
    let inventory = Inventory::build(snapshot);
    snapshot.records = BTreeMap::new();
    judge_inventory(setup, snapshot, inventory, only)
}

fn judge_inventory(
    setup: &Setup,
    snapshot: &Snapshot,
    inventory: Inventory,
    only: &BTreeSet<String>,
) -> Judged {
    let subjects = facts::derive(&inventory, &setup.config.expectations);
    let switches = &setup.config.policies;
    let policies: Vec<(&Policy, Severity)> = setup
        .bundle
        .policies()
        .iter()
        .filter(|policy| !switches.disabled.contains(&policy.metadata.id))
        .filter(|policy| only.is_empty() || only.contains(&policy.metadata.id))
        .map(|policy| (policy, severity_of(&setup.config, policy)))
        .collect();
    let mut results = evaluate(setup, &policies, &subjects.documents, &inventory);
    for hidden in &subjects.hidden {
        let concerned = policies.iter().filter(|(policy, _)| policy.metadata.subject == hidden.kind);
        results.extend(
            concerned.map(|(policy, severity)| judge_hidden(policy, *severity, hidden, &inventory.coverage)),
        );
    }
    for result in &mut results {
        result.labels = labels::of(&result.subject, &setup.config.labels, &inventory);
    }
    Judged {
        report: Report::new(snapshot, &inventory, results),
        hidden: subjects.hidden,
        policies: policies.iter().map(|(policy, _)| policy.metadata.id.clone()).collect(),
        inventory,
    }
}

/// Documents are independent of each other, so they are shared out over the cores.
fn evaluate(
    setup: &Setup,
    policies: &[(&Policy, Severity)],
    documents: &[Document],
    inventory: &Inventory,
) -> Vec<PolicyResult> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(4);
    // Few documents are judged sooner than threads are started, and each thread keeps memory of its own.
    let workers = cores.min(documents.len() / 64 + 1);
    let share = documents.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let work = |documents: &[Document]| {
            let mut evaluator = setup.bundle.evaluator();
            let mut results = Vec::new();
            for document in documents {
                let value = input(document);
                for (policy, severity) in
                    policies.iter().filter(|(p, _)| p.metadata.subject == document.subject.kind)
                {
                    let said = match &value {
                        Ok(value) => evaluator.evaluate(policy, value),
                        Err(cause) => {
                            Err(PolicyError { policy: policy.metadata.id.clone(), cause: cause.clone() })
                        }
                    };
                    results.push(judge(policy, *severity, document, said, &inventory.coverage));
                }
            }
            results
        };
        let handles: Vec<_> = documents.chunks(share).map(|share| scope.spawn(move || work(share))).collect();
        handles
            .into_iter()
            .flat_map(|handle| match handle.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// The document in the engine's form.
fn input(document: &Document) -> Result<regorus::Value, String> {
    let text = serde_json::to_string(document).map_err(|error| error.to_string())?;
    regorus::Value::from_json_str(&text).map_err(|error| error.to_string())
}
