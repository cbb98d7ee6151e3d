//! What would settle the unknowns: the few deeds behind many of them, the most useful first.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::inventory::{ResourceId, SettleBy};

use super::PolicyResult;

/// A deed, and what it would settle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Deed {
    /// The kind of deed.
    pub by: SettleBy,
    /// Where.
    pub at: ResourceId,
    /// What exactly: actions to grant, keys to declare.
    pub what: Vec<String>,
    /// The deed in words.
    pub action: String,
    /// How many unknown results need nothing but this deed and the ones listed before it.
    pub unknowns: usize,
}

/// What would settle which unknowns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// The deeds, the most useful first.
    pub deeds: Vec<Deed>,
    /// How many unknown results all the deeds together would settle.
    pub settled: usize,
    /// How many unknown results there are.
    pub unknowns: usize,
}

type Key = (SettleBy, ResourceId);

/// Works out the deeds. An unknown counts as settled once nothing that anybody could do is left for it; one that
/// has a reason nobody can do anything about is never promised.
pub fn settle(results: &[PolicyResult]) -> Settlement {
    let mut what: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    let mut needs: Vec<BTreeSet<Key>> = Vec::new();
    let unknown: Vec<&PolicyResult> = results.iter().filter(|result| result.undecided()).collect();
    for result in &unknown {
        let deeds: Option<Vec<_>> = result.reasons.iter().map(|reason| reason.settle.as_ref()).collect();
        let Some(deeds) = deeds else { continue };
        let mut keys = BTreeSet::new();
        for deed in deeds {
            let key = (deed.by, deed.at.clone());
            what.entry(key.clone()).or_default().insert(deed.what.clone());
            keys.insert(key);
        }
        needs.push(keys);
    }
    let settled = needs.len();
    let mut waiting: BTreeMap<Key, BTreeSet<usize>> = BTreeMap::new();
    for (at, keys) in needs.iter().enumerate() {
        for key in keys {
            waiting.entry(key.clone()).or_default().insert(at);
        }
    }
    let mut alone: BTreeMap<Key, usize> = BTreeMap::new();
    for keys in needs.iter().filter(|keys| keys.len() == 1) {
        keys.iter().for_each(|key| *alone.entry(key.clone()).or_default() += 1);
    }
    let mut deeds = Vec::new();
    // The deed that settles most at once; where none does alone, the one that most of them wait for.
    let score = |key: &Key, waiting: &BTreeSet<usize>, alone: &BTreeMap<Key, usize>| {
        (alone.get(key).copied().unwrap_or_default(), waiting.len())
    };
    while let Some((best, _)) = waiting
        .iter()
        .max_by(|(a, x), (b, y)| score(a, x, &alone).cmp(&score(b, y, &alone)).then_with(|| b.cmp(a)))
    {
        let best = best.clone();
        let mut unknowns = 0;
        for at in waiting.remove(&best).unwrap_or_default() {
            let Some(keys) = needs.get_mut(at) else { continue };
            keys.remove(&best);
            match keys.len() {
                0 => unknowns += 1,
                1 => keys.iter().for_each(|key| *alone.entry(key.clone()).or_default() += 1),
                _ => {}
            }
        }
        let whats: Vec<String> = what.remove(&best).unwrap_or_default().into_iter().collect();
        let (by, at) = best;
        deeds.push(Deed { by, action: words(by, &at, &whats), at, what: whats, unknowns });
    }
    Settlement { deeds, settled, unknowns: unknown.len() }
}

/// Whether the deed is said by a role rather than action by action.
fn is_role(by: SettleBy, what: &[String]) -> bool {
    by == SettleBy::Permission && what.len() > 2
}

fn words(by: SettleBy, at: &ResourceId, what: &[String]) -> String {
    match by {
        // A whole kind of estate is missing: the built-in role is the shorter way to say it.
        SettleBy::Permission if is_role(by, what) => format!("grant Reader on {at}"),
        SettleBy::Permission => format!("grant {} on {at}", join(what)),
        // The keys stand under `expectations.default` or, for one workspace, under `expectations.workspaces`.
        SettleBy::Declaration => {
            let keys: Vec<String> =
                what.iter().map(|key| key.trim_start_matches("expectations.").to_owned()).collect();
            format!(
                "declare {} (expectations.default, or expectations.workspaces for {at} alone)",
                join(&keys)
            )
        }
        SettleBy::Scope if at.subscription().is_some() => {
            format!("include {at} in the sweep, with Reader on it")
        }
        SettleBy::Scope => format!("take a snapshot that holds {}", what.join(", ")),
        SettleBy::Retry => format!("sweep again: {} of {at} could not be read this time", what.join(", ")),
    }
}

impl Settlement {
    /// One line: how much the deeds would settle; none if there is nothing unknown.
    pub fn headline(&self) -> Option<String> {
        if self.unknowns == 0 {
            return None;
        }
        let mut counts: BTreeMap<SettleBy, usize> = BTreeMap::new();
        for deed in &self.deeds {
            // A role is one grant, and a wider sweep one sweep, whatever they bring.
            let one = is_role(deed.by, &deed.what) || deed.by == SettleBy::Scope;
            *counts.entry(deed.by).or_default() += if one { 1 } else { deed.what.len() };
        }
        let parts: Vec<String> = counts
            .iter()
            .map(|(by, n)| {
                let noun = match by {
                    SettleBy::Permission => "permission",
                    SettleBy::Declaration => "declaration",
                    SettleBy::Scope => "wider scope",
                    SettleBy::Retry => "repeated read",
                };
                format!("{n} {noun}{}", if *n == 1 { "" } else { "s" })
            })
            .collect();
        Some(match parts.as_slice() {
            [] => format!("nothing that mlfence knows of would settle {}", self.unknowns_in_words()),
            parts => format!("{} would settle {} of {}", join(parts), self.settled, self.unknowns_in_words()),
        })
    }
}

impl Settlement {
    fn unknowns_in_words(&self) -> String {
        format!("{} unknown{}", self.unknowns, if self.unknowns == 1 { "" } else { "s" })
    }
}

fn join(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
