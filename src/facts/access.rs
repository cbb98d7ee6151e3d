//! Who may do what where: scopes and inheritance, groups, actions and their exclusions, denials.
//!
//! One question at a time against an index of the estate's assignments: does a principal have an action at a scope, or
//! does it hold a role, or at least everything that the role gives. The answer is yes, no or unknown, with the
//! assignments that decided. Networks and clusters are others' affair; so are locks and Azure Policy, which can stop
//! what RBAC allows.

mod ancestry;
mod answer;
mod condition;
mod deny;
mod grant;
mod index;
mod judge;
mod membership;
mod miss;
mod open;
mod question;

pub use answer::{Answer, Denial, Grant, Miss, MissKind, Note, NoteCode, Verdict};
pub use index::Access;
pub use question::{Question, RoleError, Wanted};

/// What joining a VNet's subnet needs on the VNet itself, of whoever deploys into it.
pub const VNET_JOIN: &str = "Microsoft.Network/virtualNetworks/join/action";

/// What using one's own subnet needs beside [`SUBNET_JOIN`].
pub const SUBNET_READ: &str = "Microsoft.Network/virtualNetworks/subnets/read";

/// The role that the articles ask for, the same guid in every cloud.
pub const NETWORK_CONTRIBUTOR: &str = "4d97b98b-1d4f-4787-a291-c67834d212e7";

/// What putting something into a subnet needs there.
pub const SUBNET_JOIN: &str = "Microsoft.Network/virtualNetworks/subnets/join/action";

/// The spelling of [`SUBNET_JOIN`] in older articles. There is no such operation: a role that copied it gives nothing.
pub const SUBNET_JOIN_MISSPELT: &str = "Microsoft.Network/virtualNetworks/subnet/join/action";
