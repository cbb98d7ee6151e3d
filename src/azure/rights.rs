//! What the caller may read, by ARM's own account of its permissions. Azure leaves out silently what a caller may
//! not read, so that an empty list proves nothing without the right to see it.

use serde::Deserialize;

use super::arm::{self, Listing};
use super::client::Session;
use super::failure::Failure;
use super::request::Request;
use crate::inventory::{GapReason, Kind};

const API_VERSION: &str = "2022-04-01";

/// What a role of single actions cannot prove: which action shows the effective security admin rules of network managers.
pub(super) const NO_ACTION_KNOWN: &str = "it is not known which single action shows the effective security admin rules; Reader shows them, or declare `security_admin_rules: none`";

/// The action that the naming of Azure's others would give those rows; a wildcard that holds it shows them.
const EFFECTIVE_RULES: &str = "Microsoft.Network/effectiveSecurityAdminRules/read";

/// The rights of the caller on a whole subscription.
pub(super) struct Rights {
    entries: Vec<Entry>,
    /// Why the account may be incomplete.
    lost: Option<Failure>,
}

/// One role's share of the rights.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    actions: Option<Vec<String>>,
    not_actions: Option<Vec<String>>,
}

/// Asks ARM for the caller's own permissions on a subscription.
pub(super) async fn of(session: &Session<'_>, subscription: &str) -> Rights {
    let path = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions");
    let request = Request::get(&session.arm.endpoint, &path, API_VERSION);
    Rights::read(arm::list(session, "permissions", request, "value").await)
}

impl Rights {
    fn read(listing: Listing) -> Self {
        let mut rights = Self { entries: Vec::new(), lost: listing.lost };
        for row in listing.rows {
            match serde_json::from_value::<Entry>(row) {
                Ok(entry) => rights.entries.push(entry),
                // An entry only adds rights, so that leaving one out errs on the side of a gap.
                Err(_) => {
                    let failure = || {
                        Failure::new(
                            GapReason::Malformed,
                            "an entry of the caller's permissions was unreadable",
                        )
                    };
                    rights.lost.get_or_insert_with(failure);
                }
            }
        }
        rights
    }

    /// Whether not even the permissions may be read; lists of this subscription are then not worth asking.
    pub(super) fn denied(&self) -> bool {
        self.entries.is_empty() && self.lost.as_ref().is_some_and(|lost| lost.reason == GapReason::Denied)
    }

    /// What keeps the records of a kind from being proven complete, each missing action by name; none if the rights suffice.
    pub(super) fn missing(&self, kind: Kind) -> Option<Failure> {
        let missing: Vec<&str> = needed(kind).filter(|action| !self.grants(action)).collect();
        if missing.is_empty() {
            // No action of the rows themselves is documented, and rows that do not show are left out in silence.
            let unproven = kind == Kind::SecurityAdminRules && !self.grants(EFFECTIVE_RULES);
            return unproven.then(|| Failure::new(GapReason::PartialRights, NO_ACTION_KNOWN));
        }
        let words = || format!("missing {} on the whole subscription", missing.join(", "));
        Some(self.lost.clone().unwrap_or_else(|| Failure::new(GapReason::PartialRights, words())))
    }

    /// Granted if one entry has a matching action and no matching exclusion.
    fn grants(&self, action: &str) -> bool {
        let any = |globs: &Option<Vec<String>>| globs.iter().flatten().any(|glob| matches(glob, action));
        self.entries.iter().any(|entry| any(&entry.actions) && !any(&entry.not_actions))
    }
}

/// The actions that show every record of a kind, the types of its children included.
pub(super) fn needed(kind: Kind) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = match kind {
        Kind::OnlineEndpoints => &[
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read",
            "Microsoft.MachineLearningServices/workspaces/serverlessEndpoints/read",
        ],
        Kind::PrivateDnsZones => &["Microsoft.Network/privateDnsZones/virtualNetworkLinks/read"],
        _ => &[],
    };
    std::iter::once(kind.read_action()).chain(more.iter().copied())
}

/// Azure's wildcard: `*` stands for any characters, `/` included; case does not matter.
fn matches(glob: &str, action: &str) -> bool {
    let (glob, action) = (glob.trim().to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(rows: Vec<Value>) -> Rights {
        Rights::read(Listing { rows, ..Listing::default() })
    }

    #[test]
    fn wildcards() {
        let cases = [
            ("*", "Microsoft.Network/virtualNetworks/read", true),
            ("*/read", "Microsoft.Network/virtualNetworks/read", true),
            ("MICROSOFT.network/*/READ", "Microsoft.Network/virtualNetworks/subnets/read", true),
            ("Microsoft.Network/*", "Microsoft.Network/virtualNetworks/read", true),
            ("Microsoft.Network/virtualNetworks/read", "Microsoft.Network/virtualNetworks/read", true),
            ("Microsoft.Network/virtualNetworks/*/read", "Microsoft.Network/virtualNetworks/read", false),
            ("Microsoft.Network/virtualNetworks/rea", "Microsoft.Network/virtualNetworks/read", false),
            ("*/write", "Microsoft.Network/virtualNetworks/read", false),
            ("a*b*a", "aba", true),
            ("ab*ba", "aba", false),
            ("**", "x", true),
            ("", "x", false),
            ("", "", true),
        ];
        for (glob, action, expected) in cases {
            assert_eq!(matches(glob, action), expected, "{glob} {action}");
        }
    }

    #[test]
    fn an_exclusion_counts_within_its_entry_only() {
        let reader = json!({"actions":["*/read"],"notActions":null});
        let narrow = json!({"actions":["*/read"],"notActions":["Microsoft.Network/*"]});
        let check = |rows: Vec<Value>, kind: Kind| {
            told(rows).missing(kind).map(|failure| (failure.reason, failure.detail))
        };
        assert_eq!(check(vec![reader.clone()], Kind::VirtualNetworks), None);
        assert_eq!(check(vec![narrow.clone(), reader], Kind::VirtualNetworks), None);
        let missing = "missing Microsoft.Network/virtualNetworks/read on the whole subscription".to_owned();
        assert_eq!(check(vec![narrow], Kind::VirtualNetworks), Some((GapReason::PartialRights, missing)));
        let missing = "missing Microsoft.MachineLearningServices/workspaces/serverlessEndpoints/read on the whole subscription".to_owned();
        let endpoints = json!({"actions":["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*"]});
        assert_eq!(check(vec![endpoints], Kind::OnlineEndpoints), Some((GapReason::PartialRights, missing)));
        let missing = "missing Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read, Microsoft.MachineLearningServices/workspaces/serverlessEndpoints/read on the whole subscription".to_owned();
        let endpoints =
            json!({"actions":["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read"]});
        assert_eq!(check(vec![endpoints], Kind::OnlineEndpoints), Some((GapReason::PartialRights, missing)));
    }

    #[test]
    fn an_unreadable_entry_is_no_right() {
        let rights = told(vec![json!({"actions":"*"})]);
        assert_eq!(
            rights.missing(Kind::Workspaces).map(|failure| failure.reason),
            Some(GapReason::Malformed)
        );
        assert!(!rights.denied());
    }
}
