//! The estate as Azure told it: records and gaps, then typed nodes and edges.
//!
//! Pure: texts come in, values go out. How a record was fetched is `azure`'s affair, what follows from
//! the graph is `facts`'.

pub mod authorization;
pub mod balancers;
pub mod containers;
pub mod coverage;
pub mod extensions;
pub mod field;
pub mod graph;
pub mod id;
pub mod kind;
pub mod kubernetes;
pub mod machine_learning;
pub mod network;
pub mod nodes;
pub mod printable;
pub mod projection;
pub mod reason;
pub mod record;
pub mod routes;
mod secrets;
pub mod security;
pub mod snapshot;
pub mod state;
pub mod tags;

pub use authorization::{Authorization, ObjectId, RoleId, Truth};
pub use coverage::Coverage;
pub use graph::Inventory;
pub use id::{ResourceId, is_guid};
pub use kind::Kind;
pub use printable::{is_deceptive, printable};
pub use projection::Depth;
pub use reason::{Code, Known, Reason, Settle, SettleBy};
pub use record::Record;
pub use snapshot::{Gap, GapReason, Header, Snapshot};
