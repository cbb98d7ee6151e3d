//! From the facts of one workspace to what is drawn of them.

use std::collections::BTreeMap;

use crate::facts::document::{DeployerRight, EndpointNetwork, Right};
use crate::facts::{Document, Fact, SubjectKind};
use crate::findings::PolicyResult;
use crate::inventory::ResourceId;
use crate::inventory::graph::vnet_of;

use super::model::{Frame, Group, Lane, Mark, Node, Picture, Stands};
use super::verdicts::Verdicts;
use super::{aci, aks, called};

/// Everything that the picture is made from.
pub(super) struct Survey<'a> {
    pub(super) workspace: &'a ResourceId,
    documents: &'a [Document],
    pub(super) verdicts: Verdicts<'a>,
}

/// Where something lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Network {
    /// In this VNet.
    Vnet(ResourceId),
    /// In no VNet.
    None,
    /// Nobody knows.
    Unknown(String),
}

/// What is drawn of a workspace.
pub(super) fn picture(workspace: &ResourceId, documents: &[Document], results: &[&PolicyResult]) -> Picture {
    let survey = Survey { workspace, documents, verdicts: Verdicts::of(results) };
    let mut blocks: BTreeMap<Network, Vec<Frame>> = BTreeMap::new();
    for document in documents {
        let block = match document.subject.kind {
            SubjectKind::AksCompute => aks::block(&survey, document),
            SubjectKind::AciService => aci::block(&survey, document),
            _ => None,
        };
        if let Some((network, frames)) = block {
            blocks.entry(network).or_default().extend(frames);
        }
    }
    let own = survey.document(SubjectKind::Workspace, workspace);
    survey.deployers(own, &mut blocks);
    // Where something may be that nobody could see, its absence is no picture.
    let hidden = survey.verdicts.hidden();
    let mut doubts = Vec::new();
    if blocks.is_empty() {
        match own {
            None => doubts.push(
                "the last sweep did not read this workspace: nothing of its network is drawn".to_owned(),
            ),
            Some(_) if !hidden.is_empty() => {
                doubts
                    .push("what serves for it could not be read: nothing of its network is drawn".to_owned());
            }
            Some(_) => {
                blocks.insert(Network::None, vec![survey.nothing(own)]);
            }
        }
    }
    doubts.extend(hidden);
    let mut groups: Vec<Group> =
        blocks.into_iter().map(|(network, frames)| group(&network, frames)).collect();
    survey.subnets(&mut groups);
    let (marks, _) = survey.verdicts.rest(SubjectKind::Workspace, workspace);
    Picture { title: format!("Workspace {}", called(workspace)), lines: lines(own), marks, doubts, groups }
}

fn group(network: &Network, frames: Vec<Frame>) -> Group {
    let title = match network {
        Network::Vnet(id) => {
            let group = id.resource_group_name().map(|group| format!(", resource group {group}"));
            format!("VNet {}{}", called(id), group.unwrap_or_default())
        }
        Network::None => "In no VNet".to_owned(),
        Network::Unknown(reason) => format!("In which VNet is not known: {reason}"),
    };
    let vnet = match network {
        Network::Vnet(id) => Some(id.clone()),
        _ => None,
    };
    Group { title, vnet, frames }
}

fn lines(document: Option<&Document>) -> Vec<String> {
    let Some(facts) = document.and_then(|document| document.workspace.as_ref()) else {
        return vec!["its facts are not known".to_owned()];
    };
    vec![
        format!("resource group {}", called(&facts.resource_group)),
        told("region", &facts.location),
        match &facts.private_endpoint {
            Fact::Known { value: true } => "has a private endpoint".to_owned(),
            Fact::Known { value: false } => "has no private endpoint".to_owned(),
            Fact::Unknown { unknown } => format!("private endpoint not known: {}", unknown.message),
        },
    ]
}

/// A fact after its name.
pub(super) fn told(what: &str, fact: &Fact<String>) -> String {
    match fact {
        Fact::Known { value } => format!("{what} {value}"),
        Fact::Unknown { unknown } => format!("{what} not known: {}", unknown.message),
    }
}

impl Survey<'_> {
    /// The document of a subject.
    pub(super) fn document(&self, kind: SubjectKind, id: &ResourceId) -> Option<&Document> {
        self.documents.iter().find(|document| document.subject.kind == kind && document.subject.id == *id)
    }

    /// The workspace at the left of a relation. Of what policies require there, what applies is told, or else all of it.
    pub(super) fn workspace_lane(&self, required: &[(&str, &str)], subject: &ResourceId) -> Option<Lane> {
        let policies: Vec<&str> = required.iter().map(|(policy, _)| *policy).collect();
        let marks = self.verdicts.marks(&policies, subject);
        let applies = |policy: &str| {
            marks.iter().any(|mark| mark.policy == policy && mark.stands != Stands::NotApplicable)
        };
        let none = !policies.iter().any(|policy| applies(policy));
        let told: Vec<&str> =
            required.iter().filter(|(policy, _)| none || applies(policy)).map(|(_, what)| *what).collect();
        (!marks.is_empty()).then(|| Lane {
            far: "Workspace".to_owned(),
            notes: vec![called(self.workspace).to_owned()],
            what: told.join(", "),
            marks,
            ..Lane::default()
        })
    }

    /// The workspace's private endpoint at the left of a relation; inside the frame if it lies in this VNet.
    pub(super) fn endpoint_lane(
        &self,
        networks: Option<&Fact<Vec<EndpointNetwork>>>,
        vnet: &Network,
        policy: &str,
        subject: &ResourceId,
    ) -> Option<Lane> {
        let marks = match vnet {
            Network::Vnet(vnet) if self.is_of_several(policy, subject) => {
                self.verdicts.marks_at(&[policy], subject, vnet)
            }
            _ => self.verdicts.marks(&[policy], subject),
        };
        let (notes, inside) = match networks {
            Some(Fact::Known { value }) => {
                let here = |network: &&EndpointNetwork| Network::Vnet(network.vnet.clone()) == *vnet;
                match value.iter().find(here).or_else(|| value.first()) {
                    Some(network) if here(&network) => (
                        vec![
                            called(&network.endpoint).to_owned(),
                            format!("subnet {}", called(&network.subnet)),
                        ],
                        true,
                    ),
                    Some(network) => (
                        vec![called(&network.endpoint).to_owned(), format!("VNet {}", called(&network.vnet))],
                        false,
                    ),
                    None => (vec!["there is none".to_owned()], false),
                }
            }
            Some(Fact::Unknown { unknown }) => (vec![format!("not known: {}", unknown.message)], false),
            None => (vec!["not known".to_owned()], false),
        };
        (!marks.is_empty()).then(|| Lane {
            far: "Private endpoint".to_owned(),
            notes,
            inside,
            what: "must lie in the VNet".to_owned(),
            marks,
            ..Lane::default()
        })
    }

    /// Whether a policy's violations on a subject name the VNets one by one.
    fn is_of_several(&self, policy: &str, subject: &ResourceId) -> bool {
        let networks =
            self.document(SubjectKind::AciService, subject).and_then(|document| document.service.as_ref());
        policy == "ACI-002"
            && networks.and_then(|service| service.networks.value()).is_some_and(|all| all.len() > 1)
    }

    /// The rights of the deployers, beside the networks that they must join.
    fn deployers(&self, own: Option<&Document>, blocks: &mut BTreeMap<Network, Vec<Frame>>) {
        let Some(facts) = own.and_then(|document| document.deployers.as_ref()) else { return };
        let mut nodes: BTreeMap<ResourceId, Node> = BTreeMap::new();
        let mut add = |policy: &str, rights: &[DeployerRight], what: &str| {
            for right in rights {
                let Ok(vnet) = vnet_of(&right.id) else { continue };
                let node = nodes.entry(vnet.clone()).or_insert_with(|| Node {
                    title: "The network itself".to_owned(),
                    lines: vec![format!("VNet {}", called(&vnet))],
                    ..Node::default()
                });
                node.left.push(Lane {
                    far: "Deployer".to_owned(),
                    notes: vec![right.principal.clone()],
                    what: format!("must join {what} {}", called(&right.id)),
                    marks: of_right(
                        self.verdicts.marks_at(&[policy], self.workspace, &right.id),
                        &[&right.join],
                    ),
                    by: deciding(&[&right.join]),
                    ..Lane::default()
                });
            }
        };
        add("PRE-002", &facts.vnet_rights, "VNet");
        add("PRE-003", &facts.subnet_rights, "subnet");
        for (vnet, node) in nodes {
            blocks
                .entry(Network::Vnet(vnet))
                .or_default()
                .insert(0, Frame { nodes: vec![node], ..Frame::default() });
        }
    }

    /// Verdicts on subnets that no arrow shows stand in their frames; a subnet that has none, such as one of pods, gets one.
    fn subnets(&self, groups: &mut Vec<Group>) {
        for document in self.documents.iter().filter(|document| document.subject.kind == SubjectKind::Subnet)
        {
            let id = &document.subject.id;
            let (marks, _) = self.verdicts.rest(SubjectKind::Subnet, id);
            if marks.is_empty() {
                continue;
            }
            let mut frames = groups.iter_mut().flat_map(|group| &mut group.frames);
            if let Some(frame) = frames.find(|frame| frame.subnets.contains(id)) {
                frame.marks.extend(marks);
                continue;
            }
            let own = Frame {
                title: Some(format!("Subnet {}", called(id))),
                subnets: vec![id.clone()],
                marks,
                nodes: Vec::new(),
            };
            let vnet = vnet_of(id).ok();
            match groups.iter_mut().find(|group| group.vnet.is_some() && group.vnet == vnet) {
                Some(group) => group.frames.push(own),
                None => groups.push(group(&vnet.map_or(Network::None, Network::Vnet), vec![own])),
            }
        }
    }

    /// A workspace of which nothing is seen that serves in a network.
    fn nothing(&self, own: Option<&Document>) -> Frame {
        let endpoint =
            own.and_then(|document| document.workspace.as_ref()).map(|facts| &facts.endpoint_networks);
        let lines = match endpoint {
            Some(Fact::Known { value }) => value
                .iter()
                .map(|network| {
                    format!(
                        "private endpoint {} in VNet {}",
                        called(&network.endpoint),
                        called(&network.vnet)
                    )
                })
                .collect(),
            Some(Fact::Unknown { unknown }) => {
                vec![format!("private endpoints not known: {}", unknown.message)]
            }
            None => Vec::new(),
        };
        Frame {
            nodes: vec![Node {
                title: "No AKS cluster and no web service was seen".to_owned(),
                lines,
                unknown: true,
                ..Node::default()
            }],
            ..Frame::default()
        }
    }
}

/// Verdicts on rights of several, as far as they concern these: a violation may be another's.
pub(super) fn of_right(mut marks: Vec<Mark>, rights: &[&Right]) -> Vec<Mark> {
    let lacking = rights.iter().any(|right| right.held.value() == Some(&false));
    for mark in marks.iter_mut().filter(|mark| mark.finding.is_some() && !lacking) {
        mark.stands = mark.stands.max(Stands::Untold);
        mark.finding = None;
    }
    marks
}

/// The assignments behind rights: those that give them, those that take them, or what came near.
pub(super) fn deciding(rights: &[&Right]) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut tell = |text: String| {
        if !told.contains(&text) {
            told.push(text);
        }
    };
    for right in rights {
        for denial in &right.denied_by {
            let scope = denial.scope.as_ref().map_or("an unknown scope", |scope| called(scope));
            tell(format!("deny assignment at {scope}"));
        }
        let gives = right.held.value() != Some(&false);
        if let (true, Some(grant)) = (gives, right.given_by.first()) {
            let scope = grant.scope.as_ref().map_or("an unknown scope", |scope| called(scope));
            tell(format!("{} at {scope}", grant.role_name.as_deref().unwrap_or("a role")));
        }
        if let (false, Some(miss)) = (gives, right.misses.first()) {
            let scope = miss.grant.scope.as_ref().map_or("an unknown scope", |scope| called(scope));
            tell(format!("only {} at {scope}", miss.grant.role_name.as_deref().unwrap_or("a role")));
        }
    }
    told.join("; ")
}
