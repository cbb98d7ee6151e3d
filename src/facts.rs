//! What follows from the graph: the facts that policies read, one document per subject.
//!
//! Pure. Which policies read a fact, and how bad a fact is, is not known here.

pub mod access;
mod aci;
mod cluster;
pub mod document;
mod endpoints;
pub mod exposure;
mod hosting;
mod ranges;
mod subjects;
mod unknown;
mod worth_asking;

pub use document::{Document, Fact, Search, SubjectKind};
pub use subjects::{Hidden, Subjects, derive};
pub use worth_asking::{MOST_QUESTIONS, WorthAsking, worth_asking};
