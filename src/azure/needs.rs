//! The actions that a sweep needs, from the kinds that it asks for, and which of them a gap speaks of. A role with
//! exactly these actions shows as much as Reader does. Writing such a role down is left to `permissions`.

use std::collections::BTreeSet;

use super::failure;
use super::rights;
use super::subscriptions::NOT_VISIBLE;
use super::{resource_graph, sweep};
use crate::inventory::{Depth, Gap, GapReason, Kind};

/// Lets a caller ask for its own permissions, without which no list of a subscription proves anything.
const OWN_PERMISSIONS: &str = "Microsoft.Authorization/permissions/read";

/// The kinds that a sweep asks for.
pub fn kinds() -> BTreeSet<Kind> {
    let lists = sweep::ARM_KINDS.iter().map(|(kind, _)| *kind).filter(|kind| Depth::Rules.asks(*kind));
    resource_graph::kinds(Depth::Rules).chain(lists).collect()
}

/// The actions that show every record of a kind.
pub fn of(kind: Kind) -> impl Iterator<Item = &'static str> {
    rights::needed(kind)
}

/// Every action that a sweep needs.
pub fn actions() -> BTreeSet<&'static str> {
    kinds().into_iter().flat_map(of).chain([OWN_PERMISSIONS]).collect()
}

/// What a gap says about rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lack {
    /// Actions that are not held at the gap's scope.
    pub missing: BTreeSet<String>,
    /// Actions of which the gap leaves open whether they are held there.
    pub open: BTreeSet<&'static str>,
    /// Whether every action that the role can name is held, and the kind is not proven complete all the same.
    pub unprovable: bool,
}

/// Reads a gap. An action counts as missing only where Azure, or the caller's own permissions, said so; whatever else
/// went wrong leaves the question open.
pub fn lack(gap: &Gap) -> Lack {
    let named = match gap.reason {
        // The role names all that it can.
        GapReason::PartialRights if gap.detail == rights::NO_ACTION_KNOWN => {
            return Lack { unprovable: true, ..Lack::default() };
        }
        GapReason::Denied | GapReason::PartialRights => named(&gap.detail),
        // Any role on a subscription makes it visible.
        GapReason::NotFound if gap.detail == NOT_VISIBLE && gap.source == Kind::Subscriptions => {
            of(gap.source).map(str::to_owned).collect()
        }
        _ => BTreeSet::new(),
    };
    let open: BTreeSet<&'static str> = of(gap.source).collect();
    if named.contains(OWN_PERMISSIONS) {
        // Service tags are read from any subscription, and which one refused is told by its other gaps.
        let missing = if gap.scope.subscription().is_some() { named } else { BTreeSet::new() };
        return Lack { missing, open, unprovable: false };
    }
    if !named.is_empty() {
        return Lack { missing: named, ..Lack::default() };
    }
    // A refusal in no more words, of a list or of all that the kind needs. A refused token, or a Resource Graph that has
    // not heard of a new role yet, is told in words of its own, and no role would help.
    let refused = gap.detail.is_empty() || gap.detail.contains("AuthorizationFailed");
    match gap.reason {
        GapReason::Denied | GapReason::PartialRights if refused => {
            Lack { missing: open.into_iter().map(str::to_owned).collect(), ..Lack::default() }
        }
        _ => Lack { open, ..Lack::default() },
    }
}

/// Whether Azure does not offer the list, by its own words, which no right would change.
pub fn is_not_offered(gap: &Gap) -> bool {
    gap.reason == GapReason::Unsupported && failure::is_not_offered(&gap.detail)
}

/// The actions that a gap's words name, in the spelling of the role where it has them.
fn named(detail: &str) -> BTreeSet<String> {
    let known = actions();
    detail
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| {
            let folded = word.to_ascii_lowercase();
            folded.starts_with("microsoft.") && folded.ends_with("/read")
        })
        .map(|word| {
            let same = known.iter().find(|action| action.eq_ignore_ascii_case(word));
            same.map_or(word, |action| *action).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::ResourceId;

    const COMPUTES: &str = "Microsoft.MachineLearningServices/workspaces/computes/read";

    fn check(source: Kind, reason: GapReason, detail: &str, missing: &[&str], open: &[&'static str]) {
        let scope = ResourceId::subscription_scope("s");
        let told = lack(&Gap { source, scope, reason, detail: detail.to_owned() });
        let expected = Lack {
            missing: missing.iter().map(|action| (*action).to_owned()).collect(),
            open: open.iter().copied().collect(),
            unprovable: false,
        };
        assert_eq!(told, expected, "{source} {reason:?} {detail}");
    }

    #[test]
    fn what_azure_names_is_missing_and_nothing_else() {
        use GapReason::*;
        let denied = "AuthorizationFailed: missing microsoft.machinelearningservices/workspaces/COMPUTES/read on /subscriptions/s";
        check(Kind::Computes, Denied, denied, &[COMPUTES], &[]);
        let named = "DenyAssignmentAuthorizationFailed: The client … has permission to perform action 'Microsoft.MachineLearningServices/workspaces/computes/read' on scope '/subscriptions/s'; however, the access is denied because of the deny assignment";
        check(Kind::Computes, Denied, named, &[COMPUTES], &[]);
        let partial = "missing Microsoft.Network/virtualNetworks/read on the whole subscription";
        check(
            Kind::VirtualNetworks,
            PartialRights,
            partial,
            &["Microsoft.Network/virtualNetworks/read"],
            &[],
        );
        check(
            Kind::Computes,
            Denied,
            "AuthorizationFailed: missing Microsoft.New/x/read",
            &["Microsoft.New/x/read"],
            &[],
        );
    }

    #[test]
    fn a_refusal_without_words_is_of_all_that_the_kind_needs() {
        for detail in ["", "AuthorizationFailed"] {
            check(Kind::Computes, GapReason::Denied, detail, &[COMPUTES], &[]);
            check(Kind::Computes, GapReason::PartialRights, detail, &[COMPUTES], &[]);
        }
    }

    #[test]
    fn where_own_permissions_may_not_be_read_the_others_are_open() {
        let detail =
            "AuthorizationFailed: missing Microsoft.Authorization/permissions/read on /subscriptions/s";
        check(Kind::Computes, GapReason::Denied, detail, &[OWN_PERMISSIONS], &[COMPUTES]);
        let gap = |source| Gap {
            source,
            scope: ResourceId::root(),
            reason: GapReason::Denied,
            detail: detail.to_owned(),
        };
        assert_eq!(lack(&gap(Kind::ServiceTags)).missing, BTreeSet::new());
    }

    #[test]
    fn what_no_single_action_shows_is_neither_missing_nor_forgotten() {
        let scope = ResourceId::subscription_scope("s");
        let detail = rights::NO_ACTION_KNOWN.to_owned();
        let gap = Gap { source: Kind::SecurityAdminRules, scope, reason: GapReason::PartialRights, detail };
        assert_eq!(lack(&gap), Lack { unprovable: true, ..Lack::default() });
    }

    #[test]
    fn an_invisible_subscription_lacks_the_right_that_shows_it() {
        let read = "Microsoft.Resources/subscriptions/read";
        check(Kind::Subscriptions, GapReason::NotFound, NOT_VISIBLE, &[read], &[]);
        check(Kind::Computes, GapReason::NotFound, NOT_VISIBLE, &[], &[COMPUTES]);
        check(Kind::Subscriptions, GapReason::NotFound, "the subscription is disabled", &[], &[read]);
    }

    #[test]
    fn whatever_is_not_about_rights_leaves_them_open() {
        use GapReason::*;
        for reason in [Throttled, Timeout, Truncated, Malformed, Unsupported, NotAsked, NotFound] {
            check(Kind::Computes, reason, "", &[], &[COMPUTES]);
        }
        for detail in [
            "ExpiredAuthenticationToken",
            "InvalidAuthenticationToken",
            "Resource Graph does not show this subscription to this identity",
        ] {
            check(Kind::Computes, Denied, detail, &[], &[COMPUTES]);
            check(Kind::Computes, PartialRights, detail, &[], &[COMPUTES]);
        }
    }
}
