//! The course of a scenario under a running server: who asked what how often, and which troubles strike.
//!
//! A chance is drawn from the seed, the request and how often this very request was asked before. Requests under way
//! at the same time therefore meet the same troubles in whatever order they come; only `after` and `times` count
//! arrivals.

use super::Scenario;
use super::dice::{Dice, hash};
use super::matcher::Seen;
use super::strikes::{Strike, Strikes};
use super::trouble::{Trouble, What};
use crate::server::request::Request;
use axum::body::Bytes;
use axum::http::{Method, Uri};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A request as it came, before our own marks are taken off it.
pub(in crate::server) struct Asked {
    identity: u64,
    /// Path and query, as sent.
    pub(super) line: String,
}

impl Asked {
    pub(in crate::server) fn new(method: &Method, uri: &Uri, body: &Bytes) -> Self {
        let line = uri.path_and_query().map_or("/", |line| line.as_str()).to_owned();
        Self { identity: hash(&[method.as_str().as_bytes(), line.as_bytes(), body]), line }
    }
}

/// A scenario, and how far it has come.
pub(in crate::server) struct Course {
    pub(in crate::server) scenario: Scenario,
    counts: Mutex<Counts>,
}

struct Counts {
    requests: HashMap<u64, History>,
    /// Of each trouble.
    troubles: Vec<Count>,
}

/// What became of one request so far.
#[derive(Default)]
struct History {
    asked: u64,
    spoilt_in_a_row: u32,
}

#[derive(Clone, Default)]
struct Count {
    matched: u64,
    struck: u64,
}

impl Course {
    pub(in crate::server) fn new(scenario: Scenario) -> Self {
        let troubles = vec![Count::default(); scenario.troubles.len()];
        Self { scenario, counts: Mutex::new(Counts { requests: HashMap::new(), troubles }) }
    }

    /// The troubles that strike this request. `marked` are the requests that our own empty pages lead to.
    pub(in crate::server) fn meet(&self, asked: Asked, request: &Request<'_>, marked: bool) -> Strikes {
        let mut strikes = Strikes::new(asked);
        if self.scenario.troubles.is_empty() {
            return strikes;
        }
        let seen = Seen::new(request);
        let mut counts = self.counts();
        let Counts { requests, troubles } = &mut *counts;
        let history = requests.entry(strikes.asked.identity).or_default();
        let mut spoilt = false;
        for (index, trouble) in self.scenario.troubles.iter().enumerate() {
            let concerned = trouble.place.matches(&seen) && concerns(&trouble.what, &seen, marked);
            if !concerned || (spoilt && trouble.what.spoils()) {
                continue;
            }
            let mut dice = self.dice(index, &[strikes.asked.identity, history.asked]);
            if !troubles[index].strikes(trouble, history, &mut dice) {
                continue;
            }
            spoilt |= trouble.what.spoils();
            strikes.all.push(Strike { name: trouble.name.clone(), what: trouble.what.clone(), dice });
        }
        history.asked += 1;
        history.spoilt_in_a_row += u32::from(spoilt);
        strikes.spoilt = spoilt;
        strikes
    }

    /// Takes note that the request was answered. A refusal for a token or for haste is asked again and settles
    /// nothing.
    pub(in crate::server) fn answered(&self, strikes: &Strikes, status: u16) {
        if !strikes.spoilt
            && !matches!(status, 401 | 429)
            && let Some(history) = self.counts().requests.get_mut(&strikes.asked.identity)
        {
            history.spoilt_in_a_row = 0;
        }
    }

    /// The changes of rights that wait for a call.
    pub(in crate::server) fn on_call(&self) -> Strikes {
        let mut strikes = Strikes::new(Asked { identity: 0, line: String::new() });
        for (index, trouble) in self.scenario.troubles.iter().enumerate() {
            if waits_for_a_call(&trouble.what) {
                let (name, what) = (trouble.name.clone(), trouble.what.clone());
                strikes.all.push(Strike { name, what, dice: self.dice(index, &[]) });
            }
        }
        strikes
    }

    fn dice(&self, index: usize, seeds: &[u64]) -> Dice {
        let seed = self.scenario.troubles[index].seed.unwrap_or(self.scenario.seed);
        let mut all = vec![seed, index as u64];
        all.extend(seeds);
        Dice::new(&all)
    }

    // Nothing panics while this is held.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn strikes(&mut self, trouble: &Trouble, history: &History, dice: &mut Dice) -> bool {
        let when = &trouble.when;
        self.matched += 1;
        let strikes = self.matched > when.after
            && when.times.is_none_or(|times| self.struck < times)
            && when.tries.is_none_or(|tries| history.spoilt_in_a_row < tries)
            && dice.chance(when.probability);
        self.struck += u64::from(strikes);
        strikes
    }
}

fn waits_for_a_call(what: &What) -> bool {
    matches!(what, What::ShrinkRights { on_call: true, .. })
}

/// Whether the trouble can do anything to such a request at all.
fn concerns(what: &What, seen: &Seen, marked: bool) -> bool {
    match what {
        What::GraphSays { .. } => seen.is_graph(),
        What::EmptyPage {} => seen.is_arm() && !marked,
        What::NextLink { .. } => seen.is_arm(),
        What::TokenExpiry { .. } => seen.is_token(),
        what => !waits_for_a_call(what),
    }
}
