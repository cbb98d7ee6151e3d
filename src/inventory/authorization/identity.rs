//! Whom a cluster acts as. The control plane's identity manages networks, the kubelet's only pulls images; mixing
//! them up is the commonest false verdict.

use super::ObjectId;
use crate::inventory::field::{self, Field, Part};
use crate::inventory::{Code, Known, Reason, ResourceId};

/// The identities of a cluster.
#[derive(Clone, Debug)]
pub struct Identities {
    /// Those that the control plane may use; at least one.
    pub control_plane: Known<Vec<Principal>>,
    /// That of the nodes.
    pub kubelet: Known<Option<ObjectId>>,
}

/// An identity by the id that role assignments name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// Its object id.
    pub object_id: ObjectId,
    /// The resource of a user-assigned identity; none for the cluster's own.
    pub identity: Option<ResourceId>,
}

impl Identities {
    /// Reads a cluster's record.
    pub(in crate::inventory) fn read(part: Part<'_>, cluster: &ResourceId) -> Self {
        let kubelet = field::CLUSTER_KUBELET.text(part).map(|text| text.and_then(ObjectId::parse));
        Self { control_plane: control_plane(part, cluster), kubelet }
    }
}

fn control_plane(part: Part<'_>, cluster: &ResourceId) -> Known<Vec<Principal>> {
    let client = optional(&field::CLUSTER_CLIENT, part)?;
    let kind = optional(&field::CLUSTER_IDENTITY_TYPE, part)?;
    let folded: String = kind
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_ascii_lowercase();
    let (mut system, mut user) = (false, false);
    for word in folded.split(',').filter(|word| !word.is_empty()) {
        match word {
            "systemassigned" => system = true,
            "userassigned" => user = true,
            "none" => {}
            _ => return Err(field::CLUSTER_IDENTITY_TYPE.not_understood(part, "a known identity type")),
        }
    }
    let managed = client.is_none_or(|client| client.eq_ignore_ascii_case("msi"));
    match (managed, system || user) {
        (true, true) => {}
        (true, false) => return Err(unidentified(cluster, client)),
        (false, true) => {
            let message = format!(
                "{cluster} names a service principal in `{}`, and yet has a managed identity",
                field::CLUSTER_CLIENT.path
            );
            return Err(Reason::new(Code::Contradiction, message));
        }
        (false, false) => {
            let message = format!(
                "{cluster} uses a service principal, of which `{}` tells the application id only; \
                 role assignments name the object id, which the directory would have to tell",
                field::CLUSTER_CLIENT.path
            );
            return Err(Reason::new(Code::NotAsked, message));
        }
    }
    let mut principals = Vec::new();
    if system {
        let object_id = object_id(&field::CLUSTER_IDENTITY_PRINCIPAL, part)?;
        principals.push(Principal { object_id, identity: None });
    }
    if user {
        for (key, entry) in field::CLUSTER_USER_IDENTITIES.entries(part)? {
            let object_id = object_id(&field::CLUSTER_USER_PRINCIPAL, entry)?;
            principals.push(Principal { object_id, identity: ResourceId::parse(key) });
        }
    }
    principals.sort();
    Ok(principals)
}

fn unidentified(cluster: &ResourceId, client: Option<&str>) -> Reason {
    let (kind, path) = (field::CLUSTER_IDENTITY_TYPE.path, field::CLUSTER_CLIENT.path);
    match client {
        Some(_) => Reason::new(
            Code::NotTold,
            format!("{cluster} uses a managed identity by `{path}`, but `{kind}` does not tell which"),
        ),
        None => Reason::new(Code::NotTold, format!("{cluster} tells neither `{path}` nor `{kind}`")),
    }
}

fn object_id(field: &Field, part: Part<'_>) -> Known<ObjectId> {
    let id = ObjectId::parse(field.told_text(part)?).filter(|id| !id.is_everyone());
    id.ok_or_else(|| field.not_understood(part, "an identity's object id"))
}

/// A text that may be told elsewhere.
fn optional<'a>(field: &Field, part: Part<'a>) -> Known<Option<&'a str>> {
    match field.text(part) {
        Err(reason) if reason.code == Code::NotTold => Ok(None),
        told => told,
    }
}
