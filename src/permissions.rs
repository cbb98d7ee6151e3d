//! What mlfence may have to be allowed: the least-privilege role, and what a sweep found missing of it.
//!
//! Which actions a sweep needs, and what a gap says of them, is `azure`'s knowledge.

mod check;
mod role;

pub use check::{Check, Missing, Open, SCHEMA, Unprovable};
pub use role::{NAME, Role, RoleError};
