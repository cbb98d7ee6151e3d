//! The life of unknown verdicts: since when nobody can tell.

use std::collections::BTreeMap;

use crate::facts::SubjectKind;
use crate::findings::judge::Subject;
use crate::findings::{PolicyResult, Status};
use crate::inventory::{Code, ResourceId};

use super::Sweep;
use super::resolution::Told;

/// A verdict that is unknown, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The code of the reason that the last sweep gave first.
    pub code: Code,
    /// When it began; seconds since 1970. Another reason does not begin it anew.
    pub since: i64,
    /// When a sweep last found it unknown.
    pub last: i64,
}

type Unknowns = BTreeMap<(String, Subject), Unknown>;

/// The unknowns after a sweep. Which workspace was seen to use a subject may change with what could be read, and makes it no
/// other.
pub(super) fn advance(before: &Unknowns, sweep: &Sweep<'_>, told: &Told<'_>, now: i64) -> Unknowns {
    let known: BTreeMap<_, &Unknown> = before.iter().map(|(key, unknown)| (identity(key), unknown)).collect();
    let mut after = Unknowns::new();
    for result in sweep.results {
        if let Some(code) = unknown(result) {
            let key = (result.policy.clone(), result.subject.clone());
            let since = known.get(&identity(&key)).map_or(now, |known| known.since);
            after.insert(key, Unknown { code, since, last: now });
        }
    }
    for (key, unknown) in before {
        if !after.contains_key(key) && !is_over(&key.0, &key.1, told) {
            after.insert(key.clone(), *unknown);
        }
    }
    after
}

fn identity((policy, subject): &(String, Subject)) -> (&str, SubjectKind, &ResourceId, bool) {
    (policy, subject.kind, &subject.id, subject.hidden)
}

/// The first reason of a verdict that is unknown, accepted by a waiver or not.
fn unknown(result: &PolicyResult) -> Option<Code> {
    let open = match result.status {
        Status::Unknown => true,
        // What is accepted is still unknown, and so is what may hide beside accepted violations.
        Status::Waived => result.violations.is_empty() || result.reason.is_some(),
        Status::Fail | Status::Pass | Status::NotApplicable => false,
    };
    result.reason.as_ref().filter(|_| open).map(|reason| reason.code)
}

/// Whether an unknown that this sweep does not show is settled. A hidden subject is gone with the gap that hid it.
fn is_over(policy: &str, subject: &Subject, told: &Told<'_>) -> bool {
    subject.hidden
        || !told.judged(policy)
        || told.verdict(policy, subject).is_some()
        || told.is_excluded(policy, subject)
        || told.is_gone(subject)
}
