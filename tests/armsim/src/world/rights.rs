//! What the caller may read: from the options, and from the gaps of the served snapshot.
//!
//! Azure RBAC shows itself in three documented ways: a call outside the caller's rights is 403
//! AuthorizationFailed, a list leaves out what the caller may not read, and a subscription without
//! any right is not found at all.

use super::{Place, World};
use crate::arm_id::ArmId;
use crate::kinds::{self, Kind};
use crate::server::Options;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// From so many denied kinds on, a subscription counts as denied altogether.
const KINDS_OF_A_WHOLE_DENIAL: usize = 10;

/// How a subscription looks to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Unknown or hidden: 404 SubscriptionNotFound.
    NotFound,
    /// Listed, but every call below it is 403.
    Denied,
    /// Readable, wholly or in part.
    Readable,
}

/// The caller's rights over the estate.
#[derive(Default)]
pub(crate) struct Rights {
    hidden: HashSet<String>,
    denied: Vec<ArmId>,
    readable_only: BTreeMap<String, Vec<ArmId>>,
    /// The action patterns that the caller's one role grants.
    granted: Vec<String>,
    /// Subscriptions whose rights are partial without our knowing where (a gap said so).
    partial: BTreeSet<String>,
    /// (subscription, action pattern): named in the permissions answer, and refused.
    denied_actions: Vec<(String, String)>,
    /// (subscription, action): named in the permissions answer, but rows that are there are served.
    partial_actions: Vec<(String, String)>,
    /// (subscription, action pattern): named in the permissions answer, and left out of lists without an error.
    left_out: Vec<(String, String)>,
    /// (scope below a subscription, action).
    denied_at: Vec<(ArmId, String)>,
}

impl Rights {
    pub(crate) fn new(options: &Options, world: &World) -> Self {
        let mut rights = Self {
            hidden: options.hide.iter().map(|id| guid_of(id)).collect(),
            denied: options.deny.iter().map(|scope| ArmId::new(scope)).collect(),
            granted: match options.grant_only.as_slice() {
                [] => vec!["*/read".to_owned()],
                some => some.to_vec(),
            },
            denied_actions: options
                .deny_actions
                .iter()
                .map(|(subscription, action)| (guid_of(subscription), action.clone()))
                .collect(),
            left_out: options
                .left_out
                .iter()
                .map(|(subscription, action)| (guid_of(subscription), action.clone()))
                .collect(),
            ..Self::default()
        };
        for group in options.readable_only.iter().map(|id| ArmId::new(id)) {
            if let Some(subscription) = group.subscription() {
                rights.readable_only.entry(subscription.to_owned()).or_default().push(group);
            }
        }
        rights.honour_gaps(world);
        rights
    }

    fn honour_gaps(&mut self, world: &World) {
        let mut whole: BTreeMap<(String, bool), BTreeMap<&'static str, &'static Kind>> = BTreeMap::new();
        for gap in &world.estate.gaps {
            let text = |key| gap.get(key).and_then(Value::as_str).unwrap_or_default();
            let partial = match text("reason") {
                "denied" => false,
                "partial_rights" => true,
                _ => continue,
            };
            let Some(kind) = kinds::by_name(text("source")) else {
                continue;
            };
            let scope = ArmId::new(text("scope"));
            match scope.subscription() {
                Some(guid) if scope.subscription_id().as_ref() == Some(&scope) => {
                    whole.entry((guid.to_owned(), partial)).or_default().insert(kind.name, kind);
                }
                Some(_) if !partial => {
                    self.denied_at.extend(kind.actions().map(|action| (scope.clone(), action)));
                }
                _ => {}
            }
        }
        for ((subscription, partial), kinds) in whole {
            let all = kinds.len() >= KINDS_OF_A_WHOLE_DENIAL;
            if all && partial {
                self.partial.insert(subscription);
            } else if all {
                self.denied.push(ArmId::new(&format!("/subscriptions/{subscription}")));
            } else {
                for kind in kinds.into_values() {
                    // Rows of a kind that was read in part are what Azure showed: they stay.
                    let into = match partial && holds(world, &subscription, kind) {
                        true => &mut self.partial_actions,
                        false => &mut self.denied_actions,
                    };
                    into.extend(kind.actions().map(|action| (subscription.clone(), action)));
                }
            }
        }
    }

    pub(crate) fn standing(&self, world: &World, subscription: &str) -> Standing {
        if self.hidden.contains(subscription) || !world.subscriptions.contains_key(subscription) {
            return Standing::NotFound;
        }
        let id = ArmId::new(&format!("/subscriptions/{subscription}"));
        if self.denied.iter().any(|scope| scope.contains(&id)) {
            Standing::Denied
        } else {
            Standing::Readable
        }
    }

    /// Whether a list call at that scope is answered at all; it may still leave things out.
    pub(crate) fn may_list(&self, scope: &ArmId, action: &str) -> bool {
        let Some(subscription) = scope.subscription() else {
            return true;
        };
        let in_part = self.readable_only.get(subscription).is_none_or(|groups| {
            scope.resource_group().is_none() || groups.iter().any(|group| group.contains(scope))
        });
        in_part && self.permits(scope, subscription, action)
    }

    /// Whether the caller may read one resource.
    pub(crate) fn may_read(&self, id: &ArmId, action: &str) -> bool {
        let Some(subscription) = id.subscription() else {
            return true;
        };
        let in_part = self.readable_only.get(subscription).is_none_or(|groups| {
            Some(id) == id.subscription_id().as_ref() || groups.iter().any(|group| group.contains(id))
        });
        let left_out =
            self.left_out.iter().any(|(of, pattern)| of == subscription && matches(pattern, action));
        in_part && !left_out && self.permits(id, subscription, action)
    }

    /// [`Self::may_read`] for a record of the estate.
    pub(crate) fn may_see(&self, place: &Place) -> bool {
        self.may_read(&place.id, &kinds::read_action(&place.resource_type, &place.resource_type))
    }

    /// Whether calls about the subscription as a whole (not lists of resources) are answered.
    pub(crate) fn may_ask_subscription(&self, subscription: &str, action: &str) -> bool {
        let scope = ArmId::new(&format!("/subscriptions/{subscription}"));
        !self.readable_only.contains_key(subscription) && self.permits(&scope, subscription, action)
    }

    /// Whether the caller may ask for its own permissions there. On a whole subscription that needs the right to do so
    /// and nothing else: where no role reaches, the answer is empty.
    pub(crate) fn may_ask_permissions(&self, scope: &ArmId) -> bool {
        match scope.subscription() {
            Some(guid) if scope.subscription_id().as_ref() == Some(scope) => {
                self.permits(scope, guid, "Microsoft.Authorization/permissions/read")
            }
            _ => self.may_read(scope, "*/read"),
        }
    }

    fn permits(&self, id: &ArmId, subscription: &str, action: &str) -> bool {
        // "*/read" is asked where some right is enough.
        let granted = action == "*/read" || self.granted.iter().any(|pattern| matches(pattern, action));
        let denied = self.denied.iter().any(|scope| scope.contains(id))
            || self.denied_actions.iter().any(|(of, pattern)| of == subscription && matches(pattern, action))
            || self.denied_at.iter().any(|(scope, of)| scope.contains(id) && matches(of, action));
        granted && !denied
    }

    /// The `value` of the permissions call ("list permissions the caller has for a scope").
    pub(crate) fn permissions(&self, scope: &ArmId) -> Value {
        let Some(subscription) = scope.subscription() else {
            return json!([]);
        };
        if self.partial.contains(subscription) {
            return json!([]);
        }
        if let Some(groups) = self.readable_only.get(subscription)
            && !groups.iter().any(|group| group.contains(scope))
        {
            return json!([]);
        }
        let refused: Vec<&str> = self
            .denied_actions
            .iter()
            .chain(&self.partial_actions)
            .chain(&self.left_out)
            .filter(|(of, _)| of == subscription)
            .map(|(_, action)| action.as_str())
            .collect();
        json!([{"actions": self.granted, "notActions": refused, "dataActions": [], "notDataActions": []}])
    }
}

fn guid_of(subscription: &str) -> String {
    let id = ArmId::new(subscription);
    id.subscription().unwrap_or_else(|| id.as_str().trim_start_matches('/')).to_owned()
}

fn holds(world: &World, subscription: &str, kind: &Kind) -> bool {
    kind.types
        .iter()
        .any(|of| world.of_type(of).any(|(_, place)| place.id.subscription() == Some(subscription)))
}

/// Azure RBAC's wildcard: `*` stands for any characters, slashes included, without case.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn action_patterns_span_slashes_and_ignore_case() {
        assert!(matches("*/read", "Microsoft.Network/virtualNetworks/read"));
        assert!(matches("microsoft.network/*", "Microsoft.Network/networkSecurityGroups/read"));
        assert!(matches("Microsoft.Network/*/read", "Microsoft.Network/virtualNetworks/subnets/read"));
        assert!(!matches(
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/subnets/read"
        ));
        assert!(!matches("Microsoft.Compute/*", "Microsoft.Network/virtualNetworks/read"));
    }
}
