//! The graph of rules over a whole bundle: what refers to nothing, and what refers to itself.
//!
//! Nodes are rules by package and first name, so `o.a` and `o.b` are one node; a reference to a package, or
//! one that is computed, refers to every rule below its fixed part. Both err on the side of finding a cycle.

use std::collections::{BTreeMap, BTreeSet};

use super::builtins;
use super::references::{Callee, Definition, Target};
use super::source::{Parsed, Problem, Role};

/// A rule: its package and its first name, joined; or a builtin, which `with` may replace.
type Node = Vec<String>;

/// How many rules may refer to each other in a row. The engine recurses with each, so a chain of thousands
/// would overflow the stack just as a cycle does; an honest policy has three or four.
const DEEPEST_CHAIN: usize = 16;

struct Graph<'a> {
    files: &'a [Parsed],
    /// Where each rule is first defined: the file's index and the line.
    nodes: BTreeMap<Node, (usize, usize)>,
    /// The functions by full path, with the number of their arguments.
    functions: BTreeMap<Vec<String>, usize>,
    edges: BTreeMap<Node, BTreeSet<Node>>,
    problems: Vec<Problem>,
}

/// Every reference of these files that leads nowhere or where it may not, and every recursion.
pub(super) fn check(files: &[Parsed]) -> Vec<Problem> {
    let mut graph = Graph {
        files,
        nodes: BTreeMap::new(),
        functions: BTreeMap::new(),
        edges: BTreeMap::new(),
        problems: Vec::new(),
    };
    graph.define();
    graph.connect();
    graph.find_cycles();
    graph.find_long_chains();
    graph.problems
}

impl Graph<'_> {
    fn define(&mut self) {
        for (at, file) in self.files.iter().enumerate() {
            for rule in &file.outline.rules {
                self.nodes.entry(node(&file.outline.package, &rule.path)).or_insert((at, rule.line));
                if let Some(arguments) = rule.arguments {
                    let path: Vec<String> = file.outline.package.iter().chain(&rule.path).cloned().collect();
                    self.functions.insert(path, arguments);
                }
            }
        }
    }

    fn connect(&mut self) {
        for file in self.files {
            for (path, line) in &file.outline.imports {
                if self.below(path).is_empty() {
                    let message =
                        format!("imports data.{}, which no file of this bundle defines", path.join("."));
                    self.problems.push(file.problem(*line, message));
                }
                self.check_reach(file, *line, path);
            }
            for rule in &file.outline.rules {
                let from = node(&file.outline.package, &rule.path);
                self.check_head(file, rule);
                for reference in &rule.references {
                    let targets = self.targets(file, reference.line, &reference.target);
                    self.edges.entry(from.clone()).or_default().extend(targets);
                    if let Target::Replaced { replaced, by } = &reference.target {
                        let by: BTreeSet<Node> =
                            by.iter().flat_map(|target| self.targets(file, reference.line, target)).collect();
                        if matches!(file.role, Role::Policy | Role::Library) {
                            // Beside `some … in` the engine silently ignores it.
                            let message = "`with` belongs into tests; give a function an argument instead";
                            self.problems.push(file.problem(reference.line, message));
                        }
                        let replaced = replaced.as_ref().map(|replaced| self.replaced(file, replaced));
                        for replaced in replaced.into_iter().flatten() {
                            self.edges.entry(replaced).or_default().extend(by.iter().cloned());
                        }
                    }
                }
            }
        }
        self.problems.sort();
        self.problems.dedup();
    }

    /// The nodes that a reference leads to; one that leads nowhere is noted.
    fn targets(&mut self, file: &Parsed, line: usize, target: &Target) -> Vec<Node> {
        let package = &file.outline.package;
        match target {
            Target::Input { .. } | Target::Replaced { .. } => Vec::new(),
            Target::Name { name } => {
                let node = node(package, std::slice::from_ref(name));
                self.nodes.contains_key(&node).then_some(node).into_iter().collect()
            }
            Target::Data { path } => {
                let found = self.below(path);
                if found.is_empty() {
                    let message =
                        format!("refers to data.{}, which no file of this bundle defines", path.join("."));
                    self.problems.push(file.problem(line, message));
                }
                self.check_reach(file, line, path);
                found
            }
            Target::Call { callee, arguments, format } => {
                let path = match callee {
                    Callee::Data(path) => path.clone(),
                    Callee::Name(name) => {
                        package.iter().cloned().chain(name.split('.').map(str::to_owned)).collect()
                    }
                };
                if let Some(expected) = self.functions.get(&path).copied() {
                    // One argument more than the function takes receives its result.
                    if *arguments != expected && *arguments != expected + 1 {
                        let name = path.join(".");
                        let message = format!("`data.{name}` takes {expected} arguments, not {arguments}");
                        self.problems.push(file.problem(line, message));
                    }
                    self.check_reach(file, line, &path);
                    return self.below(&path);
                }
                match callee {
                    Callee::Name(name) => {
                        let complaint = builtins::complaint(name, *arguments, format.as_deref());
                        self.problems.extend(complaint.map(|message| file.problem(line, message)));
                        vec![builtin(name)]
                    }
                    Callee::Data(path) => {
                        let message = format!("`data.{}` is no function of this bundle", path.join("."));
                        self.problems.push(file.problem(line, message));
                        Vec::new()
                    }
                }
            }
        }
    }

    /// Heads that may be undefined, and functions that would stand before a builtin.
    fn check_head(&mut self, file: &Parsed, rule: &Definition) {
        let package = &file.outline.package;
        for head in &rule.head {
            let node = node(package, std::slice::from_ref(&head.text));
            let imported = file.outline.aliases.contains(&head.text);
            if head.name && !imported && !self.nodes.contains_key(&node) {
                continue;
            }
            let message = format!(
                "`{}` may be undefined in a rule's head, and the engine then drops other results; bind it to a \
                 variable in the body",
                head.text
            );
            self.problems.push(file.problem(head.line, message));
        }
        if let [name] = rule.path.as_slice()
            && rule.arguments.is_some()
            && builtins::is_allowed(name)
        {
            self.problems
                .push(file.problem(rule.line, format!("the function `{name}` has the name of a builtin")));
        }
    }

    /// What a `with` replaces.
    fn replaced(&self, file: &Parsed, replaced: &Callee) -> Vec<Node> {
        match replaced {
            Callee::Data(path) => self.below(path),
            Callee::Name(name) => {
                let own =
                    node(&file.outline.package, &[name.split('.').next().unwrap_or_default().to_owned()]);
                if self.nodes.contains_key(&own) { vec![own] } else { vec![builtin(name)] }
            }
        }
    }

    /// Every rule that a path leads to: the rule that it goes into, or those below it.
    fn below(&self, path: &[String]) -> Vec<Node> {
        let inside =
            self.nodes.range(path.to_vec()..).map(|(node, _)| node).take_while(|node| node.starts_with(path));
        let around =
            (0..path.len()).filter_map(|length| Some(self.nodes.get_key_value(path.get(..length)?)?.0));
        inside.chain(around).cloned().collect()
    }

    /// Policies read facts and libraries only: no policy reads another's verdict.
    fn check_reach(&mut self, file: &Parsed, line: usize, path: &[String]) {
        let own_policy = file.package.strip_suffix("_test");
        let stranger = self.files.iter().find(|other| {
            let package = &other.outline.package;
            let meant = package.starts_with(path) || path.starts_with(package);
            let allowed = other.package == file.package
                || other.role == Role::Library
                || (file.role == Role::Test
                    && (other.role == Role::Testing || own_policy == Some(&other.package)))
                || (file.role == Role::Testing && other.role == Role::Testing);
            meant && !allowed
        });
        if let Some(stranger) = stranger {
            let message = format!(
                "reads data.{}: a {} may not read the package {}",
                path.join("."),
                match file.role {
                    Role::Policy => "policy",
                    Role::Library => "library",
                    Role::Test => "test",
                    Role::Testing => "collection of test documents",
                },
                stranger.package
            );
            self.problems.push(file.problem(line, message));
        }
    }

    /// One problem for each knot of rules that refer to each other.
    fn find_cycles(&mut self) {
        let mut told: BTreeSet<Node> = BTreeSet::new();
        for start in self.knotted() {
            if told.contains(&start) {
                continue;
            }
            let Some(cycle) = self.cycle_through(&start) else { continue };
            told.extend(cycle.iter().cloned());
            let names: Vec<String> = cycle.iter().map(|node| format!("`{}`", shown(node))).collect();
            let message = format!(
                "recursion, which would overflow the stack: {} (a local variable counts as the rule of its name)",
                names.join(" refers to ")
            );
            // A builtin that `with` replaces has no place of its own.
            if let Some((file, line)) = cycle.iter().find_map(|node| self.nodes.get(node))
                && let Some(file) = self.files.get(*file)
            {
                let problem = file.problem(*line, message);
                self.problems.push(problem);
            }
        }
    }

    /// The rules that lie on a cycle or between two: what is left after taking away, again and again, those that
    /// nothing refers to and those that refer to nothing. So a search from each stays cheap for honest bundles.
    fn knotted(&self) -> Vec<Node> {
        let edges: BTreeSet<(&Node, &Node)> =
            self.edges.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to))).collect();
        let backward = without_starts(edges).into_iter().map(|(from, to)| (to, from)).collect();
        let left: BTreeSet<&Node> = without_starts(backward).into_iter().map(|(node, _)| node).collect();
        left.into_iter().cloned().collect()
    }

    /// One problem for each rule with which a chain of references grows too long.
    fn find_long_chains(&mut self) {
        let mut level: BTreeSet<&Node> = self.nodes.keys().collect();
        let mut length = 0;
        // What has not run out after as many steps is too long, or a cycle, which is told already.
        while !level.is_empty() && length < DEEPEST_CHAIN {
            level = level.iter().flat_map(|node| self.edges.get(*node)).flatten().collect();
            length += 1;
        }
        if !self.knotted().is_empty() {
            return;
        }
        let Some((node, (file, line))) = level.iter().find_map(|node| self.nodes.get_key_value(*node)) else {
            return;
        };
        let message = format!(
            "more than {DEEPEST_CHAIN} rules refer to each other in a row, down to `{}`",
            shown(node)
        );
        if let Some(file) = self.files.get(*file) {
            let problem = file.problem(*line, message);
            self.problems.push(problem);
        }
    }

    /// The shortest way from a rule back to itself, without recursing ourselves.
    fn cycle_through(&self, start: &Node) -> Option<Vec<Node>> {
        let mut came_from: BTreeMap<&Node, &Node> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for next in self.edges.get(at).into_iter().flatten() {
                if next == start {
                    let mut way = vec![start.clone()];
                    let mut step = at;
                    while step != start {
                        way.push(step.clone());
                        step = came_from.get(step)?;
                    }
                    way.push(start.clone());
                    way.reverse();
                    return Some(way);
                }
                if !came_from.contains_key(next) {
                    came_from.insert(next, at);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// These edges without those that no cycle leads to, in one pass.
fn without_starts<'n>(mut edges: BTreeSet<(&'n Node, &'n Node)>) -> BTreeSet<(&'n Node, &'n Node)> {
    let mut incoming: BTreeMap<&Node, usize> = BTreeMap::new();
    let mut outgoing: BTreeMap<&Node, Vec<&'n Node>> = BTreeMap::new();
    for (from, to) in &edges {
        *incoming.entry(to).or_default() += 1;
        incoming.entry(from).or_default();
        outgoing.entry(from).or_default().push(to);
    }
    let mut starts: Vec<&'n Node> =
        edges.iter().map(|(from, _)| *from).filter(|from| incoming.get(from) == Some(&0)).collect();
    while let Some(start) = starts.pop() {
        for next in outgoing.remove(start).into_iter().flatten() {
            edges.remove(&(start, next));
            if let Some(count) = incoming.get_mut(next) {
                *count -= 1;
                if *count == 0 {
                    starts.push(next);
                }
            }
        }
    }
    edges
}

fn node(package: &[String], path: &[String]) -> Node {
    package.iter().chain(path.iter().take(1)).cloned().collect()
}

/// Builtins stand in the graph because `with` may replace them; no package begins with an empty name.
fn builtin(name: &str) -> Node {
    vec![String::new(), name.to_owned()]
}

fn shown(node: &Node) -> String {
    match node.split_first() {
        Some((first, rest)) if first.is_empty() => rest.join("."),
        _ => format!("data.{}", node.join(".")),
    }
}
