//! What can be asked.

use time::OffsetDateTime;

use super::Access;
use crate::inventory::authorization::Pattern;
use crate::inventory::{ObjectId, ResourceId, RoleId};

/// Does this principal have what is wanted at this scope?
#[derive(Clone, Debug)]
pub struct Question {
    /// Who.
    pub principal: ObjectId,
    /// What.
    pub wanted: Wanted,
    /// Where: an ARM id, a management group, or the root scope.
    pub scope: ResourceId,
    /// The node identity of the same cluster, which often got what the principal lacks.
    pub kubelet: Option<ObjectId>,
    /// The time of the sweep, for remarks on grants too fresh to work.
    pub now: Option<OffsetDateTime>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A control-plane action; a pattern asks for all actions that it matches.
    Action(Pattern),
    /// A role, or everything that it gives.
    Role(RoleId),
}

impl Wanted {
    /// An action; blank text is none.
    pub fn action(text: &str) -> Option<Self> {
        let pattern = Pattern::parse(text);
        (!pattern.is_blank()).then_some(Self::Action(pattern))
    }

    /// A role by its guid or id.
    pub fn role(text: &str) -> Option<Self> {
        RoleId::parse(text).map(Self::Role)
    }
}

impl Question {
    /// A question without a time and without a node identity.
    pub fn new(principal: ObjectId, wanted: Wanted, scope: ResourceId) -> Self {
        Self { principal, wanted, scope, kubelet: None, now: None }
    }
}

/// Why a text names no role.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RoleError {
    /// No role of this name was read.
    #[error("no role named `{name}` is among the role definitions that were read; give its guid instead")]
    NotFound {
        /// The name.
        name: String,
    },
    /// Several roles have this name.
    #[error("`{name}` names {} roles, give the guid of one of them: {}", .guids.len(), join(.guids))]
    Ambiguous {
        /// The name.
        name: String,
        /// The roles of that name.
        guids: Vec<RoleId>,
    },
}

fn join(guids: &[RoleId]) -> String {
    guids.iter().map(RoleId::as_str).collect::<Vec<_>>().join(", ")
}

impl Access<'_> {
    /// The role that a person means: by guid, by ARM id, or by the name of one definition that was read.
    pub fn role(&self, text: &str) -> Result<RoleId, RoleError> {
        let name = text.trim();
        let definitions = &self.rights().definitions;
        if let Some(role) = RoleId::parse(name).filter(|role| definitions.contains_key(role) || is_guid(role))
        {
            return Ok(role);
        }
        let named = definitions
            .values()
            .filter(|definition| definition.name.as_ref().is_ok_and(|told| told.eq_ignore_ascii_case(name)));
        let mut guids: Vec<RoleId> = named.map(|definition| definition.role.clone()).collect();
        match guids.pop() {
            None => Err(RoleError::NotFound { name: name.to_owned() }),
            Some(only) if guids.is_empty() => Ok(only),
            Some(last) => {
                guids.push(last);
                Err(RoleError::Ambiguous { name: name.to_owned(), guids })
            }
        }
    }
}

fn is_guid(role: &RoleId) -> bool {
    let text = role.as_str();
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}
