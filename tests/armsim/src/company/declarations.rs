//! What the operator of these estates would declare: nothing in Azure tells it, and the lists of violations rest on it.

use crate::Estate;
use serde_json::{Value, json};
use std::fmt::Write;

/// Object id of the service principal that deploys models, the same in every estate here.
pub const DEPLOYER: &str = "5f0c2d1e-7a64-4b0f-9c55-3d1a0b7e4c21";

/// The tag by which a workspace's owner notes which prefixes call its models from outside its network.
pub(super) const CALLERS: &str = "scoring-callers";

/// A configuration's `expectations` for an estate of this crate: everything private, one deployer, no callers but those
/// that a workspace's tag notes, no security admin rules.
pub fn declarations(estate: &Estate) -> String {
    let mut text = format!(
        "expectations:\n  default:\n    control_plane: private\n    scoring: private\n    deployers: [\"{DEPLOYER}\"]\n    \
         callers: []\n    security_admin_rules: none\n"
    );
    let noted = estate.records.iter().filter_map(|record| {
        let callers = record.get("tags")?.get(CALLERS)?.as_str()?;
        Some((record.get("id")?.as_str()?, callers))
    });
    let mut workspaces = String::new();
    for (id, callers) in noted {
        let prefixes: Vec<Value> = callers.split(' ').map(Value::from).collect();
        // A JSON text is YAML; writing to a string does not fail.
        let _ = writeln!(workspaces, "    {}: {{ callers: {} }}", json!(id), json!(prefixes));
    }
    if !workspaces.is_empty() {
        text.push_str("  workspaces:\n");
        text.push_str(&workspaces);
    }
    text
}
