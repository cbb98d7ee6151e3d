//! What the operator declared for the workspaces of a subject, and the reason that a missing declaration gives.

use crate::expectations::{Declarations, EgressAppliance, Expectations, NoSecurityAdminRules};
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId, SettleBy};

/// The declarations that a subject is judged under.
pub(super) struct Declared<'a> {
    declarations: &'a Declarations,
    workspaces: Vec<ResourceId>,
}

impl<'a> Declared<'a> {
    /// What is declared for these workspaces; for none, what is declared for every workspace.
    pub(super) fn of(
        declarations: &'a Declarations,
        workspaces: impl IntoIterator<Item = ResourceId>,
    ) -> Self {
        let mut workspaces: Vec<ResourceId> = workspaces.into_iter().collect();
        workspaces.sort();
        workspaces.dedup();
        Self { declarations, workspaces }
    }

    fn each(&self) -> Vec<Expectations> {
        match self.workspaces.as_slice() {
            [] => vec![self.declarations.default.clone()],
            workspaces => workspaces.iter().map(|id| self.declarations.of(id)).collect(),
        }
    }

    /// Where a declaration that is missing would have to be made.
    pub(super) fn at(&self) -> ResourceId {
        self.workspaces.first().cloned().unwrap_or_else(ResourceId::root)
    }

    /// That no security admin rules apply. It states a fact of the network, so one workspace's word is enough.
    pub(super) fn security_admin_rules(&self) -> Option<NoSecurityAdminRules> {
        self.each().into_iter().find_map(|expectations| expectations.security_admin_rules)
    }

    /// That the appliance behind a default route lets the required traffic out; likewise.
    pub(super) fn appliance_trusted(&self) -> Known<bool> {
        let trusts =
            |expectations: &Expectations| expectations.egress_appliance == Some(EgressAppliance::Trusted);
        if self.each().iter().any(trusts) {
            return Ok(true);
        }
        let what = "what lies behind the default route decides, and nobody declared that it lets the required traffic out";
        Err(undeclared("egress_appliance", &self.at(), what))
    }

    /// A reason whose declaration belongs to a workspace, whatever place the engine that gave it knew of.
    pub(super) fn rehomed(&self, mut reason: Reason) -> Reason {
        if let Some(settle) = &mut reason.settle
            && settle.by == SettleBy::Declaration
        {
            settle.at = self.at();
        }
        reason
    }
}

/// The reason that a missing declaration gives.
pub(super) fn undeclared(key: &str, workspace: &ResourceId, what: &str) -> Reason {
    let key = format!("expectations.{key}");
    let name = key.trim_start_matches("expectations.");
    let message = format!("{what}: declare `{name}` under `expectations.default`");
    Reason::new(Code::Undeclared, message).settled_by(SettleBy::Declaration, key, workspace)
}

/// Whether a workspace that uses a cluster demands something of it. A workspace of which it is not known what it uses
/// may be one, but only if it is declared to demand it.
pub(super) fn demanded<'a>(
    inventory: &Inventory,
    declarations: &Declarations,
    users: impl IntoIterator<Item = &'a ResourceId>,
    demands: impl Fn(&Expectations) -> bool,
) -> Known<bool> {
    if users.into_iter().any(|workspace| demands(&declarations.of(workspace))) {
        return Ok(true);
    }
    if demands(&declarations.default)
        && let Some(reason) = inventory.coverage.incomplete_anywhere(Kind::Computes)
    {
        return Err(reason);
    }
    let demanding = declarations.workspaces.keys().filter(|workspace| demands(&declarations.of(workspace)));
    let hidden = |workspace: &ResourceId| inventory.coverage.incomplete(Kind::Computes, workspace);
    demanding.filter_map(hidden).next().map_or(Ok(false), Err)
}
