//! What follows from the graph: the facts that policies read, one document per subject.
//!
//! Pure. Which policies read a fact, and how bad a fact is, is not known here.

pub mod access;
mod aci;
mod balancer_subnets;
mod cluster;
mod declared;
pub mod document;
mod egress;
mod endpoints;
mod engines;
pub mod exposure;
mod frontends;
mod hosting;
mod ranges;
mod reach;
mod rights;
mod router;
mod scoring;
mod subjects;
pub mod touched;
mod unknown;
mod users;
mod worth_asking;

pub use document::{Document, Fact, Search, SubjectKind};
pub use subjects::{Hidden, Subjects, derive, derive_workspace};
pub use touched::{Touched, touched};
pub use users::users;
pub use worth_asking::{MOST_QUESTIONS, WorthAsking, worth_asking};
