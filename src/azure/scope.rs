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
    /// None if they cannot be understood, so that it is open what they choose.
    pub(super) tags: Option<BTreeMap<String, String>>,
}

/// The management groups above a subscription, as far as they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Above {
    /// By name and by display name, folded.
    pub(super) names: BTreeSet<String>,
    /// Whether each of them told both: what is missing may be the one that was meant.
    pub(super) whole: bool,
}

impl Above {
    /// Reads a chain of ancestors. An empty one tells nothing: a root group stands above every subscription.
    pub(super) fn read(chain: &[Value]) -> Self {
        let text = |group: &Value, key: &str| group.get(key).and_then(Value::as_str).map(str::to_lowercase);
        let told = |group| [text(group, "name"), text(group, "displayName")];
        let whole = !chain.is_empty() && chain.iter().flat_map(told).all(|name| name.is_some());
        Self { names: chain.iter().flat_map(told).flatten().collect(), whole }
    }
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
        let tag = |(name, value): (&String, &Value)| match value {
            Value::Null => Some((name.to_lowercase(), String::new())),
            value => Some((name.to_lowercase(), value.as_str()?.to_owned())),
        };
        let tags = match row.get("tags") {
            None | Some(Value::Null) => Some(BTreeMap::new()),
            Some(tags) => tags.as_object().and_then(|tags| tags.iter().map(tag).collect()),
        };
        let name = text("displayName").unwrap_or_default().to_owned();
        let (tenant, state) = (text("tenantId").map(str::to_owned), text("state").map(str::to_owned));
        Some((id, Self { name, tenant, state, tags }))
    }

    /// Whether what is in it is read. Of a `Disabled` one it is not proven that all lists still tell everything. A state that
    /// nobody knows yet is asked about all the same.
    pub(super) fn is_live(&self) -> bool {
        !self.is("Disabled") && !self.is_deleted()
    }

    /// Whether Azure says that it is gone, and everything in it.
    pub(super) fn is_deleted(&self) -> bool {
        self.is("Deleted")
    }

    fn is(&self, state: &str) -> bool {
        self.state.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(state))
    }
}

/// Whether a visible subscription is swept. `above` are the management groups above it, if they were told.
pub(super) fn membership(scope: &Scope, id: &str, visible: &Visible, above: Option<&Above>) -> Membership {
    let included =
        if scope.include.is_empty() { Some(true) } else { chosen(&scope.include, id, visible, above) };
    match (included, chosen(&scope.exclude, id, visible, above)) {
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

/// A selection chooses by any of its three ways; none if that hangs on something that was not told.
fn chosen(selection: &Selection, id: &str, visible: &Visible, above: Option<&Above>) -> Option<bool> {
    let by_tags = match &visible.tags {
        _ if selection.tags.is_empty() => Some(false),
        // The names of Azure's tags don't heed case, their values do.
        Some(tags) => {
            Some(selection.tags.iter().all(|(name, value)| tags.get(&name.to_lowercase()) == Some(value)))
        }
        None => None,
    };
    let by_groups = match above {
        _ if selection.management_groups.is_empty() => Some(false),
        Some(above) if !above.names.is_disjoint(&selection.management_groups) => Some(true),
        Some(above) if above.whole => Some(false),
        _ => None,
    };
    let ways = [Some(selection.subscriptions.contains(id)), by_tags, by_groups];
    if ways.contains(&Some(true)) {
        return Some(true);
    }
    (!ways.contains(&None)).then_some(false)
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
            let above = groups
                .map(|names| Above { names: names.into_iter().map(str::to_owned).collect(), whole: true });
            let scope = Scope { include, exclude };
            assert_eq!(membership(&scope, &id, &visible, above.as_ref()), expected, "{scope:?} {above:?}");
        }
    }

    /// A finding is over when its subscription is left out, so that a field which is lost must not leave it out.
    #[test]
    fn what_was_not_told_leaves_nothing_out() {
        let corp = || Scope { include: selection(&[], &["corp"], &[]), exclude: selection(&[], &[], &[]) };
        let (id, plain) = Visible::read(&json!({"subscriptionId":"s1"})).expect("a subscription");
        let other = json!({"name": "other", "displayName": "Other"});
        for (chain, expected) in [
            (json!([other]), Membership::Out),
            (json!([other, {"name": "corp"}]), Membership::In),
            (json!([]), Membership::Unknown),
            (json!([other, {"displayName": "Sales"}]), Membership::Unknown),
            (json!([other, {"name": "sales"}]), Membership::Unknown),
            (json!([other, {"name": null, "displayName": "Sales"}]), Membership::Unknown),
            (json!([other, 7]), Membership::Unknown),
        ] {
            let above = Above::read(chain.as_array().expect("a list"));
            assert_eq!(membership(&corp(), &id, &plain, Some(&above)), expected, "{chain}");
        }
        for exclude in [false, true] {
            let (prod, none) = (selection(&[], &[], &[("env", "prod")]), selection(&[], &[], &[]));
            let scope = match exclude {
                true => Scope { include: none, exclude: prod },
                false => Scope { include: prod, exclude: none },
            };
            for tags in [json!("prod"), json!(["env"]), json!({"env": 7})] {
                let row = json!({"subscriptionId": "s1", "tags": tags});
                let (id, visible) = Visible::read(&row).expect("a subscription");
                assert_eq!(membership(&scope, &id, &visible, None), Membership::Unknown, "{row} {exclude}");
            }
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
