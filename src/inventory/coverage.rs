//! What was read completely: silence means "none" only here.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Gap, GapReason, Kind, Reason, ResourceId, SettleBy, Snapshot};

/// Which kinds were read completely in which scopes.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    kinds: BTreeSet<Kind>,
    subscriptions: BTreeSet<String>,
    gaps: BTreeMap<Kind, Vec<Gap>>,
}

impl Coverage {
    /// The coverage that a snapshot claims and proves.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut gaps: BTreeMap<Kind, Vec<Gap>> = BTreeMap::new();
        for gap in &snapshot.gaps {
            let mut gap = gap.clone();
            // Which subscriptions lie below a management group is itself something that was read, or not.
            if gap.scope.subscription().is_none() {
                gap.scope = ResourceId::root();
            }
            gaps.entry(gap.source).or_default().push(gap);
        }
        gaps.values_mut().for_each(|gaps| gaps.sort());
        Self {
            kinds: snapshot.header.kinds.keys().copied().collect(),
            subscriptions: snapshot.header.subscriptions.iter().map(|s| s.id.to_ascii_lowercase()).collect(),
            gaps,
        }
    }

    /// Why a record of this kind that would stand at or below `scope` may not have been seen although it is
    /// there; none if `scope` itself was read completely. Gaps strictly inside `scope` do not count here.
    pub fn hides(&self, kind: Kind, scope: &ResourceId) -> Option<Reason> {
        if !self.kinds.contains(&kind) {
            return Some(unasked(kind));
        }
        if let Some(subscription) = scope.subscription()
            && !self.subscriptions.contains(subscription)
        {
            let message = format!("subscription {subscription} is not part of this sweep ({kind})");
            let at = ResourceId::subscription_scope(subscription);
            return Some(Reason::new(Code::NotAsked, message).settled_by(
                SettleBy::Scope,
                "the subscription",
                &at,
            ));
        }
        self.gaps_of(kind).find(|gap| gap.scope.contains(scope)).map(reason)
    }

    /// Why a search for records of this kind at or below `scope` may miss some; none if it was read completely,
    /// gaps inside `scope` included.
    pub fn incomplete(&self, kind: Kind, scope: &ResourceId) -> Option<Reason> {
        self.hides(kind, scope)
            .or_else(|| self.gaps_of(kind).find(|gap| scope.contains(&gap.scope)).map(reason))
    }

    /// Notes a gap that showed only when the records were looked at.
    pub(super) fn add(&mut self, gap: Gap) {
        let gaps = self.gaps.entry(gap.source).or_default();
        gaps.push(gap);
        gaps.sort();
        gaps.dedup();
    }

    /// Why what was read of this record itself may not be all of it.
    pub fn within(&self, kind: Kind, id: &ResourceId) -> Option<Reason> {
        self.gaps_of(kind).find(|gap| id.contains(&gap.scope)).map(reason)
    }

    /// Why subscriptions may exist that nobody saw.
    pub fn hidden_subscriptions(&self) -> Option<Reason> {
        self.gaps_of(Kind::Subscriptions).find(|gap| gap.scope.subscription().is_none()).map(reason)
    }

    /// Why a search for records of this kind over every subscription of the snapshot may miss some.
    pub fn incomplete_anywhere(&self, kind: Kind) -> Option<Reason> {
        if !self.kinds.contains(&kind) {
            return Some(unasked(kind));
        }
        if let Some(reason) = self.hidden_subscriptions() {
            return Some(reason);
        }
        self.gaps_of(kind).next().map(reason)
    }

    /// The gaps of a kind, in a stable order.
    pub fn gaps_of(&self, kind: Kind) -> impl Iterator<Item = &Gap> {
        self.gaps.get(&kind).into_iter().flatten()
    }

    /// Whether the kind was asked for at all.
    pub fn asked(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The subscriptions of the snapshot, folded guids.
    pub fn subscriptions(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.iter().map(String::as_str)
    }
}

/// The reason that a kind gives which was not asked for.
pub fn unasked(kind: Kind) -> Reason {
    Reason::new(Code::NotAsked, format!("{kind} are not part of this snapshot")).settled_by(
        SettleBy::Scope,
        kind.name(),
        &ResourceId::root(),
    )
}

/// The reason that a gap gives to whatever it hides.
pub fn reason(gap: &Gap) -> Reason {
    let detail = if gap.detail.is_empty() { String::new() } else { format!(": {}", gap.detail) };
    let reason =
        Reason::new(gap.reason.into(), format!("{} of {} were not read{detail}", gap.source, gap.scope));
    match gap.reason {
        GapReason::Denied | GapReason::PartialRights => {
            reason.settled_by(SettleBy::Permission, gap.source.read_action(), &gap.scope)
        }
        GapReason::NotAsked => reason.settled_by(SettleBy::Scope, gap.source.name(), &gap.scope),
        GapReason::Throttled | GapReason::Timeout | GapReason::Truncated | GapReason::Malformed => {
            reason.settled_by(SettleBy::Retry, gap.source.name(), &gap.scope)
        }
        GapReason::Unsupported | GapReason::NotFound => reason,
    }
}
