//! A set of policies that has passed the load gate, and its evaluators.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use regorus::{Engine, Value};
use sha2::{Digest, Sha256};

use super::cases::{self, Case};
use super::engine;
use super::evaluation::{self, CONTRACT, Evaluation, PolicyError};
use super::gate;
use super::metadata::{self, Metadata};
use super::recursion;
use super::references::{Callee, Definition, Target};
use super::shipped::shipped_files;
use super::source::{self, Origin, Parsed, Problem, Role, SourceFile, located};
use super::test_run::{self, TestReport};

/// How a bundle is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Whether a policy from a directory may take the place of the shipped one of the same id.
    pub allow_replace: bool,
    /// Whether shipped policies are taken without evaluating their cases and tests once more. They cannot have changed
    /// since the project's own tests put them through the whole gate; their cases are not read then.
    pub trust_shipped: bool,
}

/// A policy that has passed the load gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What it says of itself.
    pub metadata: Metadata,
    /// Its package, such as `azure.aks.region_matches_workspace`.
    pub package: String,
    /// Its file.
    pub path: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The SHA-256, in hex, of its text and of the libraries that it reads.
    pub digest: String,
    /// The cases of its test file.
    pub cases: Vec<Case>,
}

/// A set of policies that has passed the load gate. Cheap to clone.
#[derive(Clone)]
pub struct Bundle {
    inner: Arc<Inner>,
}

struct Inner {
    policies: Vec<Policy>,
    files: Vec<Parsed>,
    digest: String,
    /// By policy id: an engine that is ready to evaluate it.
    engines: BTreeMap<String, Engine>,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.inner.policies.iter().map(|policy| policy.metadata.id.as_str()).collect();
        f.debug_struct("Bundle").field("policies", &ids).field("digest", &self.inner.digest).finish()
    }
}

/// Evaluates policies; one for each thread.
pub struct Evaluator {
    bundle: Bundle,
    engines: BTreeMap<String, Engine>,
}

impl Bundle {
    /// The policies that are compiled in.
    pub fn shipped() -> Result<Self, Vec<Problem>> {
        Self::load(shipped_files(), &LoadOptions::default())
    }

    /// Loads these files, or says everything that is wrong with them. To add to the shipped policies, pass
    /// [`shipped_files`] and your own.
    pub fn load(files: Vec<SourceFile>, options: &LoadOptions) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut parsed = Vec::new();
        for file in files {
            match source::parse(file) {
                Ok(file) => parsed.push(file),
                Err(problem) => problems.push(problem),
            }
        }
        let broken = !problems.is_empty();
        parsed.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        let metadata = read_metadata(&parsed, &mut problems);
        let (parsed, metadata) = replace(parsed, metadata, *options, &mut problems);
        check_files(&parsed, &metadata, &mut problems);
        // With a file missing, whatever leads to it would be one more problem that is none.
        let recursion = if broken {
            Vec::new()
        } else {
            check_pairs(&parsed, &mut problems);
            recursion::check(&parsed)
        };
        // Evaluating what may recurse could end the process.
        let may_evaluate = !broken && recursion.is_empty();
        problems.extend(recursion);
        if !may_evaluate {
            return Err(sorted(problems));
        }
        // A policy that already has a problem is not evaluated: it may call what is banned. The others are, so that
        // their problems are told in the same breath.
        let faulty: BTreeSet<String> = problems.iter().map(|problem| problem.file.clone()).collect();
        let mut policies = Vec::new();
        let mut engines = BTreeMap::new();
        for (at, metadata) in metadata {
            let mut files = closure(&parsed, at);
            files.extend(parsed.get(at).and_then(|file| test_of(&parsed, &file.package)));
            if files.iter().any(|file| faulty.contains(&file.file.path)) {
                continue;
            }
            // What is compiled in can say nothing new: the project's own tests put it through the whole gate.
            let shipped = |file: &&Parsed| file.file.origin == Origin::Shipped;
            let proven = options.trust_shipped && files.iter().all(shipped);
            match if proven { take(&parsed, at, metadata) } else { admit(&parsed, at, metadata) } {
                Ok((policy, engine)) => {
                    engines.insert(policy.metadata.id.clone(), engine);
                    policies.push(policy);
                }
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(sorted(problems));
        }
        policies.sort_by(|a, b| a.metadata.id.cmp(&b.metadata.id));
        let lines = policies.iter().map(|policy| format!("{} {}\n", policy.metadata.id, policy.digest));
        let digest = digest_of(lines.collect::<Vec<String>>().iter().map(String::as_str));
        Ok(Self { inner: Arc::new(Inner { policies, files: parsed, digest, engines }) })
    }

    /// The policies, by id.
    pub fn policies(&self) -> &[Policy] {
        &self.inner.policies
    }

    /// The policy of an id.
    pub fn policy(&self, id: &str) -> Option<&Policy> {
        self.inner.policies.iter().find(|policy| policy.metadata.id == id)
    }

    /// The SHA-256, in hex, of all policies.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// An evaluator, for one thread.
    pub fn evaluator(&self) -> Evaluator {
        Evaluator { bundle: self.clone(), engines: self.inner.engines.clone() }
    }

    /// Runs every test rule, and tells which lines of the policies the tests and cases reach, if asked.
    pub fn run_tests(&self, coverage: bool) -> TestReport {
        let files = &self.inner.files;
        let mut report = TestReport::default();
        let mut lines = BTreeMap::new();
        for policy in &self.inner.policies {
            let Some(test) = test_of(files, &policy.package) else { continue };
            let Some(at) = files.iter().position(|file| file.package == policy.package) else { continue };
            let Ok(mut engine) = engine::over(test_closure(files, test), &policy.package) else { continue };
            engine.set_enable_coverage(coverage);
            report.tests.extend(test_run::run(test, &mut engine));
            if coverage {
                for case in &policy.cases {
                    let document = Value::from_json_str(&case.document.to_string());
                    let _ = document.map(|document| engine::evaluate(&mut engine, document));
                }
                test_run::add_coverage(&engine, &closure(files, at), &mut lines);
            }
        }
        report.tests.sort();
        report.coverage = lines.into_values().collect();
        report
    }
}

impl Evaluator {
    /// The bundle whose policies are evaluated.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Evaluates a policy of the bundle on a subject document.
    pub fn evaluate(&mut self, policy: &Policy, document: &Value) -> Result<Evaluation, PolicyError> {
        let id = &policy.metadata.id;
        let error = |cause: String| PolicyError { policy: id.clone(), cause };
        let Some(engine) = self.engines.get_mut(id) else {
            return Err(error("the bundle holds no such policy".to_owned()));
        };
        let value = engine::evaluate(engine, document.clone()).map_err(|cause| {
            error(match located(&policy.path, &cause) {
                (Some(line), message) => format!("{}:{line}: {message}", policy.path),
                (None, message) => message,
            })
        })?;
        evaluation::read(&value, policy.metadata.severity).map_err(error)
    }
}

/// The metadata of each policy, by the position of its file.
fn read_metadata(files: &[Parsed], problems: &mut Vec<Problem>) -> BTreeMap<usize, Metadata> {
    let mut found = BTreeMap::new();
    for (at, file) in files.iter().enumerate().filter(|(_, file)| file.role == Role::Policy) {
        match metadata::read(&file.file.text, file.outline.package_line) {
            Ok(metadata) => {
                found.insert(at, metadata);
            }
            Err(complaints) => {
                problems.extend(complaints.into_iter().map(|(line, message)| file.problem(line, message)));
            }
        }
    }
    found
}

/// Leaves out each shipped policy, and its test, whose id a policy from a directory has taken.
fn replace(
    files: Vec<Parsed>,
    metadata: BTreeMap<usize, Metadata>,
    options: LoadOptions,
    problems: &mut Vec<Problem>,
) -> (Vec<Parsed>, BTreeMap<usize, Metadata>) {
    let mut dropped: BTreeSet<String> = BTreeSet::new();
    for (at, own) in &metadata {
        let Some(file) = files.get(*at).filter(|file| file.file.origin != Origin::Shipped) else { continue };
        let shipped = metadata.iter().find_map(|(other, metadata)| {
            files.get(*other).filter(|other| metadata.id == own.id && other.file.origin == Origin::Shipped)
        });
        let Some(shipped) = shipped else { continue };
        if options.allow_replace {
            dropped.insert(shipped.file.path.clone());
            let test = format!("{}_test", shipped.package);
            let tests =
                files.iter().filter(|other| other.package == test && other.file.origin == Origin::Shipped);
            dropped.extend(tests.map(|test| test.file.path.clone()));
        } else {
            let message =
                format!("would replace the shipped policy {}; say --allow-replace if that is meant", own.id);
            problems.push(file.problem(file.outline.package_line, message));
        }
    }
    let mut kept = Vec::new();
    let mut renumbered = BTreeMap::new();
    let mut metadata = metadata;
    for (at, file) in files.into_iter().enumerate() {
        if file.file.origin == Origin::Shipped && dropped.contains(&file.file.path) {
            continue;
        }
        if let Some(metadata) = metadata.remove(&at) {
            renumbered.insert(kept.len(), metadata);
        }
        kept.push(file);
    }
    (kept, renumbered)
}

/// Ids, packages and rules that clash or are missing.
fn check_files(files: &[Parsed], metadata: &BTreeMap<usize, Metadata>, problems: &mut Vec<Problem>) {
    let mut ids: BTreeMap<&str, &Parsed> = BTreeMap::new();
    for (at, metadata) in metadata {
        let Some(file) = files.get(*at) else { continue };
        if let Some(first) = ids.insert(&metadata.id, file) {
            // Shipped beside one's own is told by `replace` already.
            let own = |file: &Parsed| file.file.origin != Origin::Shipped;
            if own(first) == own(file) {
                let message = format!("the id {} is taken by {}", metadata.id, first.file.path);
                problems.push(file.problem(file.outline.package_line, message));
            }
        }
    }
    for (at, file) in files.iter().enumerate() {
        let line = file.outline.package_line;
        let (own, package) = (&file.outline.package, &file.package);
        if own.iter().any(|part| !part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
            problems.push(file.problem(line, "the package's name may hold letters, digits and `_` only"));
        }
        let engines = package == engine::ENTRY_PACKAGE || package.starts_with("mlfence.engine.");
        if engines {
            problems.push(file.problem(line, format!("the package {package} is the engine's own")));
        }
        for other in files.iter().take(at) {
            if other.package == *package {
                let message = format!("the package {package} is taken by {}", other.file.path);
                problems.push(file.problem(line, message));
            } else if own.starts_with(&other.outline.package) || other.outline.package.starts_with(own) {
                let message = format!(
                    "the package {package} may not nest with {} of {}",
                    other.package, other.file.path
                );
                problems.push(file.problem(line, message));
            }
        }
        match file.role {
            Role::Policy => check_policy_file(file, problems),
            Role::Test => check_test_file(file, problems),
            Role::Library | Role::Testing => {
                let is_contract = |name: &String| CONTRACT.contains(&name.as_str());
                for rule in
                    file.outline.rules.iter().filter(|rule| rule.path.first().is_some_and(is_contract))
                {
                    let name = rule.path.join(".");
                    let message = format!(
                        "a file in a folder `lib` or `testing` may not define `{name}`; only policies judge"
                    );
                    problems.push(file.problem(rule.line, message));
                }
            }
        }
    }
}

fn check_policy_file(file: &Parsed, problems: &mut Vec<Problem>) {
    let name = |rule: &Definition| rule.path.first().cloned().unwrap_or_default();
    for rule in &file.outline.rules {
        let name = name(rule);
        if rule.arguments.is_some() && CONTRACT.contains(&name.as_str()) {
            problems.push(
                file.problem(rule.line, format!("`{name}` belongs to the contract and can be no function")),
            );
        }
        if rule.arguments.is_none() && !CONTRACT.contains(&name.as_str()) && !name.starts_with('_') {
            problems.push(file.problem(rule.line, evaluation::unknown_rule(&name)));
        }
    }
    for needed in ["applies", "violations", "compliant"] {
        if !file.outline.rules.iter().any(|rule| name(rule) == needed) {
            problems
                .push(file.problem(file.outline.package_line, format!("the policy has no rule `{needed}`")));
        }
    }
}

/// That each policy has its test file, and each test file its policy.
fn check_pairs(files: &[Parsed], problems: &mut Vec<Problem>) {
    for file in files {
        let tested = file.package.strip_suffix("_test");
        let is_tested = |other: &Parsed| other.role == Role::Policy && Some(other.package.as_str()) == tested;
        let message = match file.role {
            Role::Policy if test_of(files, &file.package).is_none() => {
                format!("the policy has no test file of package {}_test", file.package)
            }
            Role::Test if !files.iter().any(is_tested) => {
                "the package of a test file is that of its policy with `_test` added; there is no such policy"
                    .to_owned()
            }
            _ => continue,
        };
        problems.push(file.problem(file.outline.package_line, message));
    }
}

fn check_test_file(file: &Parsed, problems: &mut Vec<Problem>) {
    let line = file.outline.package_line;
    if !file.outline.rules.iter().any(|rule| rule.path.first().is_some_and(|name| name == "cases")) {
        problems.push(file.problem(line, "the test file has no rule `cases`"));
    }
}

/// One policy, alone with its libraries; nothing is evaluated.
fn take(files: &[Parsed], at: usize, metadata: Metadata) -> Result<(Policy, Engine), Vec<Problem>> {
    let Some(file) = files.get(at) else { return Err(Vec::new()) };
    let own = closure(files, at);
    let engine = engine::over(own.iter().copied(), &file.package)
        .map_err(|(line, message)| vec![file.problem(line, message)])?;
    let policy = Policy {
        metadata,
        package: file.package.clone(),
        path: file.file.path.clone(),
        origin: file.file.origin.clone(),
        digest: digest_of(own.iter().map(|file| file.file.text.as_str())),
        cases: Vec::new(),
    };
    Ok((policy, engine))
}

/// The part of the gate that evaluates.
fn admit(files: &[Parsed], at: usize, metadata: Metadata) -> Result<(Policy, Engine), Vec<Problem>> {
    let Some(file) = files.get(at) else { return Err(Vec::new()) };
    let Some(test) = test_of(files, &file.package) else { return Err(Vec::new()) };
    let (mut policy, mut engine) = take(files, at, metadata)?;
    let own = closure(files, at);
    let of_policy = |(line, message): (Option<usize>, String)| file.problem(line, message);
    let of_test = |(line, message): (Option<usize>, String)| test.problem(line, message);
    let on_nothing = gate::check_on_nothing(&policy, &mut engine);
    let mut problems: Vec<Problem> = on_nothing.into_iter().map(of_policy).collect();
    let mut tests =
        engine::over(test_closure(files, test), &file.package).map_err(|error| vec![of_test(error)])?;
    let cases_line = test.outline.rules.iter().find(|rule| rule.path == ["cases"]).map(|rule| rule.line);
    match engine::evaluate_test(&mut tests, &format!("data.{}.cases", test.package)) {
        Err(error) => {
            let (line, message) = located(&test.file.path, &error);
            problems.push(test.problem(line.or(cases_line), message));
        }
        Ok(value) => match cases::read(&value, policy.metadata.subject, may_not_apply(file)) {
            Err(complaints) => {
                problems.extend(complaints.into_iter().map(|message| test.problem(cases_line, message)));
            }
            Ok(cases) => {
                let complaints = gate::check_cases(&policy, &own, &mut engine, &cases);
                problems.extend(complaints.into_iter().map(of_policy));
                policy.cases = cases;
            }
        },
    }
    problems.extend(gate::check_tests(test, &mut tests).into_iter().map(of_test));
    // A fresh engine: what the gate evaluated does not travel into every evaluator.
    engine.set_input(Value::new_object());
    if problems.is_empty() { Ok((policy, engine)) } else { Err(problems) }
}

/// Whether the policy can say `applies := false` at all; some apply to every subject of their kind.
fn may_not_apply(file: &Parsed) -> bool {
    file.outline.rules.iter().any(|rule| rule.path == ["applies"] && !rule.only_true)
}

fn test_of<'a>(files: &'a [Parsed], package: &str) -> Option<&'a Parsed> {
    let package = format!("{package}_test");
    files.iter().find(|file| file.role == Role::Test && file.package == package)
}

/// A policy's file and every library that it reads, directly or through another, by path.
fn closure(files: &[Parsed], at: usize) -> Vec<&Parsed> {
    let mut reached = BTreeSet::from([at]);
    let mut queue = vec![at];
    while let Some(file) = queue.pop().and_then(|at| files.get(at)) {
        let imports = file.outline.imports.iter().map(|(path, _)| path);
        let references = file.outline.rules.iter().flat_map(|rule| &rule.references);
        let paths: Vec<&Vec<String>> =
            imports.chain(references.filter_map(|reference| data_path(&reference.target))).collect();
        for (other, library) in files.iter().enumerate().filter(|(_, file)| file.role == Role::Library) {
            let package = &library.outline.package;
            let read = paths.iter().any(|path| package.starts_with(path) || path.starts_with(package));
            if read && reached.insert(other) {
                queue.push(other);
            }
        }
    }
    reached.into_iter().filter_map(|at| files.get(at)).collect()
}

fn data_path(target: &Target) -> Option<&Vec<String>> {
    match target {
        Target::Data { path }
        | Target::Call { callee: Callee::Data(path), .. }
        | Target::Replaced { replaced: Some(Callee::Data(path)), .. } => Some(path),
        Target::Input { .. } | Target::Name { .. } | Target::Call { .. } | Target::Replaced { .. } => None,
    }
}

/// What a test file may read: its policy, the libraries and the shared documents.
fn test_closure<'a>(files: &'a [Parsed], test: &'a Parsed) -> impl Iterator<Item = &'a Parsed> {
    files.iter().filter(move |file| {
        file.package == test.package
            || test.package.strip_suffix("_test") == Some(&file.package)
            || matches!(file.role, Role::Library | Role::Testing)
    })
}

/// Lengths go in too, so that no two lists of texts share a digest.
fn digest_of<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    let mut digest = String::new();
    for byte in hasher.finalize() {
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}
