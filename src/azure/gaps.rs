//! The gaps of a sweep, and their tidy form: as wide as they are true, each told once, in a stable order.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::Failure;
use crate::inventory::{Depth, Gap, GapReason, Kind, ResourceId};

/// The gaps as they are noticed, in what a sweep of this depth asks for. The header's silence tells of the other kinds.
#[derive(Default)]
pub(super) struct Gaps {
    depth: Depth,
    found: BTreeSet<Gap>,
}

/// The kinds that lie in subscriptions. Service tags are one list per cloud, read from wherever it can be read.
pub(super) fn kinds_of_subscriptions() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| *kind != Kind::ServiceTags)
}

impl Gaps {
    pub(super) fn new(depth: Depth) -> Self {
        Self { depth, found: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, source: Kind, scope: ResourceId, failure: &Failure) {
        if self.depth.asks(source) {
            self.found.insert(Gap { source, scope, reason: failure.reason, detail: failure.detail.clone() });
        }
    }

    /// A gap of a kind in a whole subscription.
    pub(super) fn of_subscription(&mut self, source: Kind, subscription: &str, failure: &Failure) {
        self.add(source, ResourceId::subscription_scope(subscription), failure);
    }

    /// The same gap for all that a subscription can hold.
    pub(super) fn of_everything(&mut self, subscription: &str, failure: &Failure) {
        for kind in kinds_of_subscriptions() {
            self.of_subscription(kind, subscription, failure);
        }
    }

    /// The gaps in their final form. `workspaces` are those that were asked, by subscription.
    pub(super) fn finish(mut self, workspaces: &BTreeMap<String, Vec<ResourceId>>) -> Vec<Gap> {
        self.hide_children();
        self.collapse(workspaces);
        self.drop_covered();
        self.found.into_iter().collect()
    }

    /// A workspace that was not seen hides what stands in it.
    fn hide_children(&mut self) {
        let told: BTreeSet<_> =
            self.found.iter().map(|gap| (gap.source, gap.scope.clone(), gap.reason)).collect();
        let hidden: Vec<Gap> =
            self.found.iter().filter(|gap| gap.source == Kind::Workspaces).cloned().collect();
        for gap in hidden {
            let children = Kind::ALL.iter().copied().filter(|kind| kind.of_workspace());
            for source in children.filter(|kind| self.depth.asks(*kind)) {
                if !told.contains(&(source, gap.scope.clone(), gap.reason)) {
                    self.found.insert(Gap { source, ..gap.clone() });
                }
            }
        }
    }

    /// One gap for a subscription in place of the same one for each of its workspaces, so that a missing right is
    /// told once. A lone workspace keeps its own: it says more.
    fn collapse(&mut self, workspaces: &BTreeMap<String, Vec<ResourceId>>) {
        let homes: BTreeMap<&ResourceId, (&String, usize)> = workspaces
            .iter()
            .filter(|(_, ids)| ids.len() > 1)
            .flat_map(|(subscription, ids)| ids.iter().map(move |id| (id, (subscription, ids.len()))))
            .collect();
        let mut alike: BTreeMap<_, Vec<Gap>> = BTreeMap::new();
        for gap in &self.found {
            if let Some(home) = homes.get(&gap.scope) {
                alike.entry((*home, gap.source, gap.reason)).or_default().push(gap.clone());
            }
        }
        for (((subscription, all), source, reason), gaps) in alike {
            let scopes: BTreeSet<&ResourceId> = gaps.iter().map(|gap| &gap.scope).collect();
            let Some(first) = gaps.first().filter(|_| scopes.len() == all) else { continue };
            let scope = ResourceId::subscription_scope(subscription);
            let detail = first.detail.replace(first.scope.key(), scope.key());
            for gap in &gaps {
                self.found.remove(gap);
            }
            self.found.insert(Gap { source, scope, reason, detail });
        }
    }

    /// A refusal inside a subscription on which the right is known to be missing says nothing new.
    fn drop_covered(&mut self) {
        let about_rights = |gap: &&Gap| matches!(gap.reason, GapReason::Denied | GapReason::PartialRights);
        let wide: BTreeSet<_> =
            self.found.iter().filter(about_rights).map(|gap| (gap.source, gap.scope.clone())).collect();
        self.found.retain(|gap| {
            let above = gap.scope.subscription_id().filter(|above| *above != gap.scope);
            gap.reason != GapReason::Denied || !above.is_some_and(|above| wide.contains(&(gap.source, above)))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(name: &str) -> ResourceId {
        let id = format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/{name}"
        );
        ResourceId::parse(&id).expect("an id")
    }

    fn told(gaps: Gaps, workspaces: &[&str]) -> Vec<(Kind, String, GapReason, String)> {
        let ids = workspaces.iter().map(|name| workspace(name)).collect();
        let gaps = gaps.finish(&BTreeMap::from([("s".to_owned(), ids)]));
        gaps.into_iter().map(|gap| (gap.source, gap.scope.key().to_owned(), gap.reason, gap.detail)).collect()
    }

    fn denied(name: &str) -> Failure {
        let id = workspace(name);
        Failure::new(GapReason::Denied, format!("AuthorizationFailed: missing x/read on {id}"))
    }

    #[test]
    fn the_same_gap_of_all_workspaces_is_one_of_the_subscription() {
        let mut gaps = Gaps::default();
        for name in ["a", "b"] {
            gaps.add(Kind::Computes, workspace(name), &denied(name));
        }
        gaps.add(Kind::Services, workspace("a"), &denied("a"));
        let expected = [
            (
                Kind::Computes,
                "/subscriptions/s".to_owned(),
                GapReason::Denied,
                "AuthorizationFailed: missing x/read on /subscriptions/s".to_owned(),
            ),
            (Kind::Services, workspace("a").key().to_owned(), GapReason::Denied, denied("a").detail),
        ];
        assert_eq!(told(gaps, &["a", "b"]), expected);
    }

    #[test]
    fn a_lone_workspace_keeps_its_gap() {
        let mut gaps = Gaps::default();
        gaps.add(Kind::Computes, workspace("a"), &denied("a"));
        assert_eq!(told(gaps, &["a"])[0].1, workspace("a").key());
    }

    #[test]
    fn unseen_workspaces_hide_their_children() {
        let sources = |depth| -> Vec<Kind> {
            let mut gaps = Gaps::new(depth);
            gaps.of_subscription(Kind::Workspaces, "s", &Failure::new(GapReason::Truncated, "t"));
            told(gaps, &[]).into_iter().map(|gap| gap.0).collect()
        };
        let of_rules = [Kind::Workspaces, Kind::Computes, Kind::Services, Kind::OnlineEndpoints];
        assert_eq!(sources(Depth::Rules), of_rules);
        assert_eq!(sources(Depth::Everything), [&of_rules[..], &[Kind::OutboundRules]].concat());
    }

    #[test]
    fn a_refusal_under_a_missing_right_is_not_repeated() {
        let mut gaps = Gaps::default();
        gaps.of_subscription(Kind::Computes, "s", &Failure::new(GapReason::PartialRights, "missing x/read"));
        gaps.add(Kind::Computes, workspace("a"), &denied("a"));
        gaps.add(Kind::Computes, workspace("b"), &Failure::new(GapReason::Timeout, "late"));
        let reasons: Vec<GapReason> = told(gaps, &["a", "b"]).into_iter().map(|gap| gap.2).collect();
        assert_eq!(reasons, [GapReason::PartialRights, GapReason::Timeout]);
    }
}
