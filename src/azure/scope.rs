//! Which subscriptions are swept: the configured choice over what the caller can see.
//!
//! Three-valued, because a subscription whose management groups were not told can be neither swept nor forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::{Scope, Selection};

/// A subscription that `/subscriptions` listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Visible {
    pub(super) name: String,
    pub(super) tenant: Option<String>,
    pub(super) state: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

/// Whether a subscription belongs to the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    In,
    Out,
    /// It hangs on management groups that were not told.
    Unknown,
}

impl Visible {
    /// Reads a row of `/subscriptions`: the folded guid and what is known of it.
    pub(super) fn read(row: &Value) -> Option<(String, Self)> {
        let text = |key: &str| row.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let id = text("subscriptionId").or_else(|| text("id")?.rsplit('/').next())?.to_ascii_lowercase();
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return None;
        }
        let mut tags = BTreeMap::new();
        for (name, value) in row.get("tags").and_then(Value::as_object).into_iter().flatten() {
            tags.insert(name.to_lowercase(), value.as_str().unwrap_or_default().to_owned());
        }
        let name = text("displayName").unwrap_or_default().to_owned();
        let (tenant, state) = (text("tenantId").map(str::to_owned), text("state").map(str::to_owned));
        Some((id, Self { name, tenant, state, tags }))
    }

    /// Whether Azure answers for the resources in it; `Disabled` and `Deleted` subscriptions are not read. A state that
    /// nobody knows yet is asked about all the same.
    pub(super) fn is_live(&self) -> bool {
        let gone = ["Disabled", "Deleted"];
        !self.state.as_deref().is_some_and(|state| gone.iter().any(|name| name.eq_ignore_ascii_case(state)))
    }
}

/// Whether a visible subscription is swept. `groups` are the management groups above it, if they were told.
pub(super) fn membership(
    scope: &Scope,
    id: &str,
    visible: &Visible,
    groups: Option<&BTreeSet<String>>,
) -> Membership {
    let included =
        if scope.include.is_empty() { Some(true) } else { chosen(&scope.include, id, visible, groups) };
    match (included, chosen(&scope.exclude, id, visible, groups)) {
        (Some(false), _) | (_, Some(true)) => Membership::Out,
        (Some(true), Some(false)) => Membership::In,
        _ => Membership::Unknown,
    }
}

/// Whether a subscription that is out of sight would belong to the sweep, as far as its guid tells.
pub(super) fn may_belong(scope: &Scope, id: &str) -> bool {
    let include = &scope.include;
    let only_guids = include.management_groups.is_empty() && include.tags.is_empty();
    !scope.exclude.subscriptions.contains(id)
        && (include.is_empty() || !only_guids || include.subscriptions.contains(id))
}

/// A selection chooses by any of its three ways.
fn chosen(
    selection: &Selection,
    id: &str,
    visible: &Visible,
    groups: Option<&BTreeSet<String>>,
) -> Option<bool> {
    // The names of Azure's tags don't heed case, their values do.
    let tagged = |(name, value): (&String, &String)| visible.tags.get(&name.to_lowercase()) == Some(value);
    let by_tags = !selection.tags.is_empty() && selection.tags.iter().all(tagged);
    if selection.subscriptions.contains(id) || by_tags {
        return Some(true);
    }
    if selection.management_groups.is_empty() {
        return Some(false);
    }
    groups.map(|groups| !groups.is_disjoint(&selection.management_groups))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selection(subscriptions: &[&str], groups: &[&str], tags: &[(&str, &str)]) -> Selection {
        Selection {
            subscriptions: subscriptions.iter().map(|id| (*id).to_owned()).collect(),
            management_groups: groups.iter().map(|id| (*id).to_owned()).collect(),
            tags: tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn choices() {
        use Membership::*;
        let none = || selection(&[], &[], &[]);
        let prod = [("Env", "prod")];
        let cases = [
            (none(), none(), None, In),
            (selection(&["s1"], &[], &[]), none(), None, In),
            (selection(&["s2"], &[], &[]), none(), None, Out),
            (none(), selection(&["s1"], &[], &[]), None, Out),
            (selection(&["s1"], &[], &[]), selection(&["s1"], &[], &[]), None, Out),
            (selection(&[], &["corp"], &[]), none(), Some(vec!["corp", "root"]), In),
            (selection(&[], &["corp"], &[]), none(), Some(vec!["root"]), Out),
            (selection(&[], &["corp"], &[]), none(), None, Unknown),
            (selection(&["s1"], &["corp"], &[]), none(), None, In),
            (none(), selection(&[], &["corp"], &[]), None, Unknown),
            (selection(&["s2"], &[], &[]), selection(&[], &["corp"], &[]), None, Out),
            (selection(&[], &[], &prod), none(), None, In),
            (selection(&[], &[], &[("env", "Prod")]), none(), None, Out),
            (selection(&[], &[], &[("env", "prod"), ("team", "ml")]), none(), None, Out),
            (none(), selection(&[], &[], &prod), None, Out),
        ];
        let (id, visible) =
            Visible::read(&json!({"subscriptionId":"S1","tags":{"env":"prod"}})).expect("a subscription");
        for (include, exclude, groups, expected) in cases {
            let groups: Option<BTreeSet<String>> =
                groups.map(|names| names.into_iter().map(str::to_owned).collect());
            let scope = Scope { include, exclude };
            assert_eq!(membership(&scope, &id, &visible, groups.as_ref()), expected, "{scope:?} {groups:?}");
        }
    }

    #[test]
    fn states() {
        for (state, expected) in [
            ("Enabled", true),
            ("warned", true),
            ("PastDue", true),
            ("Disabled", false),
            ("Deleted", false),
            ("", true),
        ] {
            let (_, visible) =
                Visible::read(&json!({"id":"/subscriptions/x","state":state})).expect("a subscription");
            assert_eq!(visible.is_live(), expected, "{state}");
        }
        assert_eq!(Visible::read(&json!({"subscriptionId":"../x"})), None);
        assert_eq!(Visible::read(&json!({"displayName":"x"})), None);
    }
}
