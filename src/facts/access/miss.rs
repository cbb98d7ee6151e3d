//! Beside a no: which grants came near, so that somebody sees what went wrong.

use super::answer::{Miss, MissKind};
use super::judge::{Asked, Gathered};
use crate::inventory::Truth;

/// How many of each kind are worth telling.
const TOLD: usize = 3;

/// How many of a principal's assignments are looked at.
const LOOKED_AT: usize = 1000;

/// The near misses, sorted by kind, those nearest to the scope first.
pub(super) fn near(asked: &Asked<'_>, gathered: &Gathered<'_>) -> Vec<Miss> {
    let scope = asked.ancestry.scope();
    let access = asked.access;
    let mut misses = Vec::new();
    for assignment in access.of_principal(&asked.question.principal).iter().take(LOOKED_AT) {
        let Ok(at) = &assignment.scope else { continue };
        let right = asked.demand.met_by(access, &assignment.role, scope).suffices();
        let kind = match (asked.ancestry.is_below(at), right) {
            (Truth::No, true) if scope.contains(at) => MissKind::NarrowerScope,
            (Truth::No, true) => MissKind::OtherScope,
            (Truth::Yes, false) => MissKind::OtherRole,
            _ => continue,
        };
        misses.push(Miss { kind, grant: asked.grant(assignment, None) });
    }
    // A group that has some of it, such as Reader, has come no nearer than everybody else.
    let sufficing = gathered
        .strangers
        .iter()
        .filter(|assignment| asked.demand.met_by(access, &assignment.role, scope).suffices());
    for assignment in sufficing {
        let via = assignment.principal.as_ref().ok();
        misses.push(Miss { kind: MissKind::Group, grant: asked.grant(assignment, via) });
    }
    if let Some(kubelet) = asked.question.kubelet.as_ref().filter(|id| **id != asked.question.principal) {
        let theirs = asked.gather(kubelet);
        let right = theirs.candidates.iter().filter(|one| one.suffices());
        misses.extend(
            right.map(|one| Miss {
                kind: MissKind::Kubelet,
                grant: asked.grant(one.assignment, Some(kubelet)),
            }),
        );
    }
    let depth = |miss: &Miss| miss.grant.scope.as_ref().map_or(0, |at| at.key().matches('/').count());
    misses.sort_by_cached_key(|miss| (miss.kind, depth(miss), miss.grant.assignment.clone()));
    let mut told = std::collections::BTreeMap::new();
    misses.retain(|miss| {
        let count = told.entry(miss.kind).or_insert(0);
        *count += 1;
        *count <= TOLD
    });
    misses
}
