//! Who is judged: every subject that the inventory shows, and the places where one may be hidden.

use std::collections::{BTreeMap, BTreeSet};

use crate::expectations::{Declarations, Expectations, Openness, RoleScope};
use crate::inventory::coverage::{reason, unasked};
use crate::inventory::machine_learning::{Compute as ComputeNode, ComputeKind, Workspace as WorkspaceNode};
use crate::inventory::state::{State, unsettled};
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId, kubernetes};

use super::declared::{Declared, demanded, undeclared};
use super::document::{
    Attachment, ClusterAccess, Compute, ComputeType, Demands, Deployers, Document, Egress, EndpointPath,
    Fact, SCHEMA, Scoring, Search, Subject, SubjectKind, Workspace,
};
use super::engines::Engines;
use super::hosting::{self, Hosting};
use super::ranges::Ranges;
use super::scoring::Balanced;
use super::unknown::AllUnknown;
use super::{aci, cluster, egress, endpoints, reach, rights, router};

/// Everybody who is judged.
#[derive(Clone, Debug, Default)]
pub struct Subjects {
    /// A document per subject, in the order of their kinds and ids.
    pub documents: Vec<Document>,
    /// Where subjects may be that nobody could see.
    pub hidden: Vec<Hidden>,
}

/// A scope in which subjects of a kind may be hidden.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hidden {
    /// The kind of the subjects.
    pub kind: SubjectKind,
    /// The scope of the gap.
    pub scope: ResourceId,
    /// Why they cannot be seen.
    pub reason: Reason,
}

/// Derives every subject's facts.
pub fn derive(inventory: &Inventory, declarations: &Declarations) -> Subjects {
    let survey = Survey::of(inventory);
    Subjects {
        documents: survey.documents(declarations, None),
        hidden: hidden(inventory, &survey.computes, &survey.hosting),
    }
}

/// The documents of one workspace alone, exactly as [`derive`] gives them: its own, and those of the computes, clusters,
/// web services and subnets that it uses, however many other workspaces use them too.
pub fn derive_workspace(
    inventory: &Inventory,
    declarations: &Declarations,
    workspace: &ResourceId,
) -> Vec<Document> {
    Survey::of(inventory).documents(declarations, Some(workspace))
}

/// Who there is to be judged, before anything is asked of anybody.
struct Survey<'a> {
    inventory: &'a Inventory,
    computes: Vec<&'a ComputeNode>,
    by_cluster: BTreeMap<ResourceId, Vec<&'a ComputeNode>>,
    services: Vec<aci::Found<'a>>,
    hosting: Hosting,
}

impl<'a> Survey<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let computes = computes(inventory);
        let by_cluster = by_cluster(&computes);
        let services = aci::find(inventory);
        let hosting = Hosting::find(inventory, &by_cluster, &services);
        Self { inventory, computes, by_cluster, services, hosting }
    }

    /// The documents of everybody, or of those that one workspace uses.
    fn documents(&self, declarations: &Declarations, only: Option<&ResourceId>) -> Vec<Document> {
        let inventory = self.inventory;
        let wanted = |workspace: &ResourceId| only.is_none_or(|only| only == workspace);
        let engines = &Engines::of(inventory);
        let balanced = Balanced::of(inventory);
        let mut documents = Vec::new();
        for compute in self.computes.iter().filter(|compute| wanted(&compute.workspace)) {
            let alone = vec![*compute];
            let target = compute.target.as_ref().ok();
            let shared = target.and_then(|target| self.by_cluster.get(target)).unwrap_or(&alone);
            documents.push(aks_compute(engines, declarations, compute, shared));
        }
        for (id, attached) in &self.by_cluster {
            let deleting = inventory.cluster(id).is_ok_and(|cluster| cluster.state == Ok(State::Deleting));
            if !deleting && attached.iter().any(|compute| wanted(&compute.workspace)) {
                documents.push(aks_cluster(engines, &balanced, declarations, id, attached));
            }
        }
        for found in &self.services {
            if only.is_none() || found.workspace.as_ref() == only {
                documents.extend(aci_service(inventory, declarations, found));
            }
        }
        for (id, place) in &self.hosting.subnets {
            if only.is_none_or(|only| place.workspaces.contains(only)) {
                documents.extend(hosting::document(engines, declarations, id, place));
            }
        }
        let workspaces = inventory.workspaces.values().filter(|workspace| wanted(&workspace.id));
        let staying = workspaces.filter(|workspace| workspace.state != Ok(State::Deleting));
        documents.extend(staying.map(|node| {
            let own = declarations.of(&node.id);
            let deployers = rights::of_deployers(
                engines,
                &node.id,
                own.deployers.as_deref(),
                &self.computes,
                &self.services,
            );
            workspace(inventory, own, node, deployers)
        }));
        documents.sort_by(|a, b| a.subject.cmp(&b.subject));
        documents
    }
}

/// The computes that are, or may be, AKS clusters.
pub(super) fn computes(inventory: &Inventory) -> Vec<&ComputeNode> {
    inventory.computes.values().filter(|compute| is_aks(inventory, compute)).collect()
}

/// Computes by the cluster behind them.
pub(super) fn by_cluster<'a>(computes: &[&'a ComputeNode]) -> BTreeMap<ResourceId, Vec<&'a ComputeNode>> {
    let mut by_cluster: BTreeMap<ResourceId, Vec<&ComputeNode>> = BTreeMap::new();
    for compute in computes {
        if let Ok(target) = &compute.target {
            by_cluster.entry(target.clone()).or_default().push(compute);
        }
    }
    by_cluster
}

/// Whether a compute is, or may be, an AKS cluster of a workspace that is not going away.
fn is_aks(inventory: &Inventory, compute: &ComputeNode) -> bool {
    let gone = compute.state == Ok(State::Deleting)
        || inventory
            .workspace(&compute.workspace)
            .is_ok_and(|workspace| workspace.state == Ok(State::Deleting));
    let target = compute.target.as_ref().ok().and_then(ResourceId::resource_type);
    let cluster = match (&compute.kind, target.as_deref()) {
        (Ok(ComputeKind::Aks), _) => true,
        // A v2 attachment may be an Arc cluster.
        (Ok(ComputeKind::Kubernetes), target) => target != Some("microsoft.kubernetes/connectedclusters"),
        // A type that is not told, or not known yet, with a cluster behind it.
        (Ok(ComputeKind::Other) | Err(_), Some(target)) => {
            target == "microsoft.containerservice/managedclusters"
        }
        (Ok(ComputeKind::Other), None) => false,
        (Err(_), None) => true,
    };
    cluster && !gone
}

fn aks_compute(
    engines: &Engines<'_>,
    declarations: &Declarations,
    compute: &ComputeNode,
    shared: &[&ComputeNode],
) -> Document {
    let inventory = engines.inventory;
    let workspace = inventory.workspace(&compute.workspace);
    let node = compute.target.clone().and_then(|id| inventory.cluster(&id));
    let vnets = node.clone().and_then(|cluster| cluster::vnets(inventory, cluster));
    let paths =
        vnets.clone().map(|vnets| vnets.iter().map(|vnet| path(inventory, &workspace, vnet)).collect());
    let mut states = vec![(&compute.state, &compute.id)];
    states.extend(workspace.as_ref().ok().map(|workspace| (&workspace.state, &workspace.id)));
    states.extend(node.as_ref().ok().map(|cluster| (&cluster.state, &cluster.id)));
    let mut touched = vec![compute.id.clone()];
    touched.extend(compute.target.clone().ok());
    touched.extend(vnets.unwrap_or_default());
    let expectations = declarations.of(&compute.workspace);
    let workspace_facts = workspace_facts(inventory, &compute.workspace, &workspace);
    let mut service = Ranges::default();
    match &node {
        Ok(cluster) => service = cluster::service_ranges(cluster, shared),
        Err(reason) => service.hide(reason.clone()),
    }
    // A cluster on its way out is no witness.
    let live = node.clone().and_then(|cluster| match &cluster.state {
        Ok(State::Deleting) => {
            Err(Reason::new(Code::Transitional, format!("{} is being deleted", cluster.id)))
        }
        _ => Ok(cluster),
    });
    let router::Found { facts: router, serving } =
        router::facts(inventory, compute, &live, &expectations, &workspace_facts.private_endpoint, &service);
    let callers = match &expectations.callers {
        Some(callers) => Ok(callers.iter().map(ToString::to_string).collect()),
        None => Err(undeclared(
            "callers",
            &compute.workspace,
            "who outside the VNet must reach scoring is not declared",
        )),
    };
    let declared = Declared::of(declarations, [compute.workspace.clone()]);
    let flows = reach::of_compute(engines, &live, &compute.workspace, &router, &serving, callers, &declared);
    Document {
        subject: subject(SubjectKind::AksCompute, &compute.id, Some(compute.workspace.clone()), &touched),
        workspace: Some(workspace_facts),
        router: Some(router),
        flows: Some(flows),
        compute: Some(Compute {
            id: compute.id.clone(),
            name: compute.id.name().to_owned(),
            r#type: compute.kind.clone().and_then(|kind| compute_type(kind, &compute.id)).into(),
            attached: compute.attached.clone().and_then(|told| told.ok_or_else(|| not_told(compute))).into(),
            attachment_failed: compute.state.clone().map(|state| state.has_failed()).into(),
            cluster_exists: compute.target.clone().and_then(|id| inventory.has_cluster(&id)).into(),
            same_cluster: node.clone().and_then(|cluster| same_cluster(compute, cluster)).into(),
            endpoint_paths: paths.into(),
        }),
        cluster: Some(cluster::facts(inventory, &compute.target, shared)),
        ..document(&states, expectations)
    }
}

fn not_told(compute: &ComputeNode) -> Reason {
    Reason::new(Code::NotTold, format!("{} does not tell whether it was attached", compute.id))
}

/// A cluster that was made anew under its old name is another cluster to Azure Machine Learning.
fn same_cluster(compute: &ComputeNode, cluster: &kubernetes::Cluster) -> Known<bool> {
    let Some(recorded) = compute.cluster_fqdn.clone()? else { return Ok(true) };
    let names = [cluster.private_fqdn.clone()?, cluster.fqdn.clone()?];
    if names.iter().flatten().any(|name| name.eq_ignore_ascii_case(&recorded)) {
        return Ok(true);
    }
    let message =
        format!("{} was attached as `{recorded}`, which is no name of {} any more", compute.id, cluster.id);
    Err(Reason::new(Code::Contradiction, message))
}

fn workspace(
    inventory: &Inventory,
    expectations: Expectations,
    node: &WorkspaceNode,
    deployers: Deployers,
) -> Document {
    let states = [(&node.state, &node.id)];
    Document {
        subject: subject(
            SubjectKind::Workspace,
            &node.id,
            Some(node.id.clone()),
            std::slice::from_ref(&node.id),
        ),
        workspace: Some(workspace_facts(inventory, &node.id, &Ok(node))),
        deployers: Some(deployers),
        ..document(&states, expectations)
    }
}

fn compute_type(kind: ComputeKind, id: &ResourceId) -> Known<ComputeType> {
    match kind {
        ComputeKind::Aks => Ok(ComputeType::Aks),
        ComputeKind::Kubernetes => Ok(ComputeType::Kubernetes),
        ComputeKind::Other => Err(unknown_type(id)),
    }
}

/// Why nothing that hangs on a compute's type can be told.
pub(super) fn unknown_type(id: &ResourceId) -> Reason {
    Reason::new(Code::Undecidable, format!("{id} has a cluster behind it, but a type that is not known"))
}

fn aks_cluster(
    engines: &Engines<'_>,
    balanced: &Balanced<'_>,
    declarations: &Declarations,
    id: &ResourceId,
    attached: &[&ComputeNode],
) -> Document {
    let inventory = engines.inventory;
    let node = inventory.cluster(id);
    let workspaces: BTreeSet<&ResourceId> = attached.iter().map(|compute| &compute.workspace).collect();
    let sole = (workspaces.len() == 1).then(|| workspaces.first().copied().cloned()).flatten();
    let mut touched = vec![id.clone()];
    touched.extend(workspaces.iter().copied().cloned());
    touched.extend(node.clone().and_then(|cluster| cluster::vnets(inventory, cluster)).unwrap_or_default());
    let declared = Declared::of(declarations, workspaces.into_iter().cloned());
    let users = || attached.iter().map(|compute| &compute.workspace);
    let all_unknown = node.as_ref().err();
    let states: Vec<_> = node.iter().map(|cluster| (&cluster.state, &cluster.id)).collect();
    Document {
        subject: subject(SubjectKind::AksCluster, id, sole, &touched),
        cluster: Some(cluster::facts(inventory, &Ok(id.clone()), attached)),
        attachments: Some(
            attached
                .iter()
                .map(|compute| Attachment {
                    workspace: compute.workspace.clone(),
                    compute: compute.id.clone(),
                    expectations: declarations.of(&compute.workspace),
                })
                .collect(),
        ),
        demands: Some(Demands {
            private_control_plane: demanded(inventory, declarations, users(), |expectations| {
                expectations.control_plane == Some(Openness::Private)
            })
            .into(),
            role_on_resource_group: demanded(inventory, declarations, users(), |expectations| {
                expectations.role_scope != Some(RoleScope::LeastPrivilege)
            })
            .into(),
        }),
        egress: all_unknown
            .map(Egress::all_unknown)
            .or_else(|| node.as_ref().ok().map(|cluster| egress::facts(engines, cluster, &declared))),
        access: all_unknown
            .map(ClusterAccess::all_unknown)
            .or_else(|| node.as_ref().ok().map(|cluster| rights::of_cluster(engines, cluster))),
        scoring: all_unknown
            .map(Scoring::all_unknown)
            .or_else(|| node.as_ref().ok().map(|cluster| balanced.scoring(cluster, attached))),
        ..document(&states, declarations.default.clone())
    }
}

fn aci_service(
    inventory: &Inventory,
    declarations: &Declarations,
    found: &aci::Found<'_>,
) -> Option<Document> {
    let group = found.group.as_ref().ok().map(|group| &group.id);
    let id = found.id()?;
    let workspace = match &found.workspace {
        Some(id) => inventory.workspace(id),
        None => Err(aci::no_workspace(found)),
    };
    if workspace.as_ref().is_ok_and(|workspace| workspace.state == Ok(State::Deleting)) {
        return None;
    }
    let service = aci::facts(inventory, found, &workspace);
    let mut states = aci::states(found);
    states.extend(workspace.as_ref().ok().map(|workspace| (&workspace.state, &workspace.id)));
    let mut touched = vec![id.clone()];
    touched.extend(group.cloned());
    touched.extend(found.workspace.clone());
    touched.extend(service.networks.value().into_iter().flatten().map(|network| network.subnet.id.clone()));
    Some(Document {
        subject: subject(SubjectKind::AciService, id, found.workspace.clone(), &touched),
        workspace: found.workspace.as_ref().map(|id| workspace_facts(inventory, id, &workspace)),
        service: Some(service),
        ..document(
            &states,
            found.workspace.as_ref().map_or_else(|| declarations.default.clone(), |id| declarations.of(id)),
        )
    })
}

pub(super) fn subject(
    kind: SubjectKind,
    id: &ResourceId,
    workspace: Option<ResourceId>,
    touched: &[ResourceId],
) -> Subject {
    // One id without a subscription, and nobody can tell how far the subject reaches.
    let subscriptions: Option<BTreeSet<String>> =
        touched.iter().map(|id| id.subscription().map(str::to_owned)).collect();
    Subject {
        kind,
        id: id.clone(),
        name: id.name().to_owned(),
        workspace,
        subscriptions: subscriptions.into_iter().flatten().collect(),
    }
}

/// The parts that every document has.
pub(super) fn document(states: &[(&Known<State>, &ResourceId)], expectations: Expectations) -> Document {
    let placeholder = subject(SubjectKind::Workspace, &ResourceId::root(), None, &[]);
    let mut unsettled: Vec<Reason> = states.iter().filter_map(|(state, id)| unsettled(state, id)).collect();
    unsettled.sort();
    Document {
        schema: SCHEMA.to_owned(),
        subject: placeholder,
        expectations,
        unsettled,
        workspace: None,
        compute: None,
        cluster: None,
        attachments: None,
        service: None,
        subnet: None,
        demands: None,
        deployers: None,
        router: None,
        egress: None,
        access: None,
        scoring: None,
        flows: None,
    }
}

fn workspace_facts(inventory: &Inventory, id: &ResourceId, workspace: &Known<&WorkspaceNode>) -> Workspace {
    let pending = |workspace: &WorkspaceNode| {
        let connections = workspace.connections.iter().flatten();
        let mut pending: Vec<ResourceId> = connections
            .filter(|connection| connection.status.as_deref() == Ok("pending"))
            .filter_map(|connection| connection.endpoint.clone().ok())
            .collect();
        pending.sort();
        pending
    };
    let known = workspace.clone();
    Workspace {
        id: id.clone(),
        name: id.name().to_owned(),
        resource_group: id.resource_group().unwrap_or_else(|| id.clone()),
        location: known.clone().and_then(|workspace| workspace.location.clone()).into(),
        private_endpoint: known
            .clone()
            .and_then(|workspace| endpoints::has_endpoint(inventory, workspace))
            .into(),
        pending_endpoints: known.clone().map(pending).unwrap_or_default(),
        v1_computes: v1_computes(inventory, id),
        v1_services: v1_services(inventory, id),
        endpoint_networks: known
            .and_then(|workspace| {
                endpoints::networks(inventory, endpoints::of_workspace(inventory, workspace))
            })
            .into(),
    }
}

fn v1_computes(inventory: &Inventory, workspace: &ResourceId) -> Search<ResourceId> {
    let own = || {
        inventory
            .computes
            .values()
            .filter(|compute| compute.workspace == *workspace && compute.state != Ok(State::Deleting))
    };
    let found = own()
        .filter(|compute| compute.kind == Ok(ComputeKind::Aks))
        .map(|compute| compute.id.clone())
        .collect();
    let untold = own().find_map(|compute| compute.kind.as_ref().err().cloned());
    Search::of(found, inventory.coverage.incomplete(Kind::Computes, workspace).or(untold))
}

fn v1_services(inventory: &Inventory, workspace: &ResourceId) -> Search<ResourceId> {
    let own = inventory.services.values().filter(|service| service.workspace == *workspace);
    let found = own
        .filter(|service| service.state != Ok(State::Deleting))
        .map(|service| service.id.clone())
        .collect();
    Search::of(found, inventory.coverage.incomplete(Kind::Services, workspace))
}

/// The way from a VNet of the cluster to the workspace's endpoints.
fn path(inventory: &Inventory, workspace: &Known<&WorkspaceNode>, vnet: &ResourceId) -> EndpointPath {
    let reach = |accepts: &dyn Fn(&ResourceId) -> Known<bool>| -> Fact<bool> {
        workspace
            .clone()
            .and_then(|workspace| {
                endpoints::in_vnet(inventory, endpoints::of_workspace(inventory, workspace), accepts)
            })
            .into()
    };
    EndpointPath {
        vnet: cluster::vnet_ref(vnet),
        same_vnet: reach(&|other| Ok(other == vnet)),
        same_or_peered_vnet: reach(&|other| {
            if other == vnet { Ok(true) } else { endpoints::peered(inventory, vnet, other) }
        }),
    }
}

/// Which kinds of subject a kind of record brings to light.
fn brought_by(kind: Kind) -> &'static [SubjectKind] {
    match kind {
        Kind::Workspaces => &SubjectKind::ALL,
        Kind::Computes => &[SubjectKind::AksCompute, SubjectKind::AksCluster, SubjectKind::Subnet],
        Kind::Services | Kind::ContainerGroups => &[SubjectKind::AciService, SubjectKind::Subnet],
        Kind::AksClusters => &[SubjectKind::Subnet],
        Kind::OnlineEndpoints => &[SubjectKind::OnlineEndpoint],
        _ => &[],
    }
}

/// The widest scopes in which subjects may be hidden, one per kind of subject and scope. An attachment that does not
/// name its cluster hides that cluster.
fn hidden(inventory: &Inventory, computes: &[&ComputeNode], hosting: &Hosting) -> Vec<Hidden> {
    let coverage = &inventory.coverage;
    let mut all = BTreeMap::new();
    // Subscriptions that nobody saw hide everything; named last, so that a nearer cause is named first.
    for kind in Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Subscriptions) {
        let unasked = (!coverage.asked(kind)).then(|| (ResourceId::root(), unasked(kind)));
        let gaps = coverage.gaps_of(kind).map(|gap| (gap.scope.clone(), reason(gap)));
        for (scope, reason) in unasked.into_iter().chain(gaps) {
            for subject in brought_by(kind) {
                all.entry((*subject, scope.clone())).or_insert_with(|| reason.clone());
            }
        }
    }
    if let Some(reason) = coverage.hidden_subscriptions() {
        for subject in SubjectKind::ALL {
            all.entry((subject, ResourceId::root())).or_insert_with(|| reason.clone());
        }
    }
    for compute in computes {
        if let Err(reason) = &compute.target {
            for kind in [SubjectKind::AksCluster, SubjectKind::Subnet] {
                all.entry((kind, compute.id.clone())).or_insert_with(|| reason.clone());
            }
        }
    }
    for (scope, reason) in &hosting.hidden {
        all.entry((SubjectKind::Subnet, scope.clone())).or_insert_with(|| reason.clone());
    }
    let scopes: Vec<(SubjectKind, ResourceId)> = all.keys().cloned().collect();
    all.into_iter()
        .filter(|((kind, scope), _)| {
            !scopes.iter().any(|(other, wider)| other == kind && wider != scope && wider.contains(scope))
        })
        .map(|((kind, scope), reason)| Hidden { kind, scope, reason })
        .collect()
}
