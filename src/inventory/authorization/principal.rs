//! Directory objects, by the ids that assignments name.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A directory object id, folded. Never an application (client) id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ObjectId(Box<str>);

impl ObjectId {
    /// Reads an id; blank text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let folded = text.trim().to_ascii_lowercase();
        (!folded.is_empty()).then(|| Self(folded.into()))
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of a GUID, as every object id of a directory has. What has not stays out of URLs.
    pub fn is_guid(&self) -> bool {
        let is_hex = |at: usize, c: char| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        };
        self.0.len() == 36 && self.0.char_indices().all(|(at, c)| is_hex(at, c))
    }

    /// Whether this is the id that stands for everyone in deny assignments.
    pub fn is_everyone(&self) -> bool {
        &*self.0 == "00000000-0000-0000-0000-000000000000"
    }
}

impl Borrow<str> for ObjectId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of directory object a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalType {
    /// A user, a service principal, a managed identity or a device: only itself.
    Single,
    /// A group, of this directory or another.
    Group,
    /// A set that Azure defines, such as everyone.
    SystemDefined,
    /// A word that this build does not know; it may stand for many.
    Other,
}

impl PrincipalType {
    /// Reads Azure's word.
    pub fn of(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "user" | "serviceprincipal" | "device" => Self::Single,
            "group" | "foreigngroup" => Self::Group,
            "systemdefined" => Self::SystemDefined,
            _ => Self::Other,
        }
    }
}
