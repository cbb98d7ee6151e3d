//! The estate in which nothing is wrong.

use super::hub::{HUB_CALLERS, Landscape, REGION};
use super::pattern::{Pattern, Serving};
use super::{Block, OutboundRule};
use crate::Estate;

/// The healthy estate: three subscriptions (`connectivity`, `ml-prod`, `ml-dev`), three workspaces.
///
/// Under [`declarations`](super::declarations) each of these policies passes for at least one subject, and none fails:
///
/// * `mlw-churn` (W1), endpoint in its own network: an attached v1 AKS compute on a private cluster,
///   and one that AML created on Kubernetes 1.18.14 with a recorded Docker bridge. AKS-001, AKS-002,
///   AKS-003 (same network), CNI-001 to CNI-004, NET-001, NET-002, NET-003 (the created cluster alone),
///   ISO-001, ISO-002, ILB-001, ILB-002, SCO-001, RBAC-001, NSG-001 (callers in the hub), NSG-002.
/// * `mlw-fraud` (W2), endpoint in the hub: a v2 Kubernetes compute on a private overlay cluster in
///   a peered network. AKS-003 (peered), and the others of W1 but NET-003, which does not apply.
/// * `mlw-vision` (W3), endpoint in its own network: a v1 ACI service there, in a delegated subnet
///   and the workspace's group, with a public registry outside. ACI-001 to ACI-004, and NSG-002 and NSG-003, for its
///   subnet lets out what is required alone, the registry among it.
///
/// The deployer is a contributor of each workspace's group: PRE-001 to PRE-003.
pub fn healthy() -> Estate {
    let mut land = Landscape::new("contoso.example", 0);
    let (prod, dev) = (land.subscription("ml-prod"), land.subscription("ml-dev"));
    let workspaces = [
        (&prod, "churn", 10, &[Serving::AksV1, Serving::AksV1Created][..]),
        (&prod, "fraud", 20, &[Serving::KubernetesV2][..]),
        (&dev, "vision", 30, &[Serving::Aci][..]),
    ];
    let mut none = Vec::new();
    for (subscription, name, second, serving) in workspaces {
        let scope = land.company.group(subscription, &format!("rg-ml-{name}"), REGION);
        let name = format!("mlw-{name}");
        let aci = serving == [Serving::Aci];
        let pattern = Pattern {
            scope: &scope,
            name: &name,
            block: Block::wide(second),
            serving,
            flaws: &[],
            callers: (!aci).then_some(HUB_CALLERS),
            closed: aci,
        };
        let workspace = pattern.build(&mut land, &mut none);
        land.company.add(&OutboundRule { workspace, name: "pypi".to_owned(), fqdn: "pypi.org".to_owned() });
    }
    land.finish()
}
