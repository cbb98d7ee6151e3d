//! A web service on Azure Container Instances: its subnet, the workspace's endpoint, the registry.

use crate::facts::document::{AciNetwork, AciService, Ownership};
use crate::facts::{Document, Fact, SubjectKind};

use super::called;
use super::model::{Frame, Lane, Node};
use super::survey::{Network, Survey};

/// What is drawn of a service, and where.
pub(super) fn block(survey: &Survey<'_>, document: &Document) -> Option<(Network, Vec<Frame>)> {
    let service = document.service.as_ref()?;
    let id = &document.subject.id;
    let networks = service.networks.value().map(Vec::as_slice).unwrap_or_default();
    let network = network(service, networks);
    let mut node = Node {
        title: format!("Web service {}", service.name),
        lines: lines(service),
        unknown: service.in_vnet.value().is_none() || service.owner.value().is_none(),
        ..Node::default()
    };
    node.left.extend(survey.workspace_lane(&[("ACI-001", "VNet must be in its resource group")], id));
    let endpoints = document.workspace.as_ref().map(|workspace| &workspace.endpoint_networks);
    node.left.extend(survey.endpoint_lane(endpoints, &network, "ACI-002", id));
    let marks = survey.verdicts.marks(&["ACI-003"], id);
    if !marks.is_empty() {
        let note = match &service.registry {
            Fact::Known { value: Some(registry) } => registry.name.clone(),
            Fact::Known { value: None } => "none yet".to_owned(),
            Fact::Unknown { unknown } => format!("not known: {}", unknown.message),
        };
        node.right.push(Lane {
            far: "Registry".to_owned(),
            notes: vec![note],
            what: "must lie outside the VNet".to_owned(),
            marks,
            ..Lane::default()
        });
    }
    for network in networks {
        super::aks::registries(survey, &network.subnet.id, &mut node);
    }
    let (marks, passes) = survey.verdicts.rest(SubjectKind::AciService, id);
    node.marks = marks;
    node.passes = passes;
    let names: Vec<&str> = networks.iter().map(|network| called(&network.subnet.id)).collect();
    let title = (!names.is_empty()).then(|| format!("Subnet {}", names.join(", ")));
    let subnets = networks.iter().map(|network| network.subnet.id.clone()).collect();
    Some((network, vec![Frame { title, subnets, nodes: vec![node], ..Frame::default() }]))
}

fn network(service: &AciService, networks: &[AciNetwork]) -> Network {
    if let Some(network) = networks.first() {
        return Network::Vnet(network.subnet.vnet.id.clone());
    }
    match (&service.in_vnet, &service.networks) {
        (Fact::Known { value: false }, _) => Network::None,
        (Fact::Unknown { unknown }, _) | (_, Fact::Unknown { unknown }) => {
            Network::Unknown(unknown.message.clone())
        }
        (Fact::Known { value: true }, Fact::Known { .. }) => {
            Network::Unknown("no subnet was told".to_owned())
        }
    }
}

fn lines(service: &AciService) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(group) = &service.container_group {
        lines.push(format!("container group {}", called(group)));
    }
    lines.push(match &service.public_address {
        Fact::Known { value: true } => "public address".to_owned(),
        Fact::Known { value: false } => "private address".to_owned(),
        Fact::Unknown { unknown } => format!("address not known: {}", unknown.message),
    });
    lines.push(match &service.owner {
        Fact::Known { value: Ownership::ServiceRecord } => "the workspace's, by its record".to_owned(),
        Fact::Known { value: Ownership::Image } => "the workspace's, by its image".to_owned(),
        Fact::Unknown { unknown } => format!("whose it is, is not known: {}", unknown.message),
    });
    lines
}
