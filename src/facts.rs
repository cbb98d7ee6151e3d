//! What follows from the graph: the facts that policies read, one document per subject.
//!
//! Pure. Which policies read a fact, and how bad a fact is, is not known here.

pub mod document;

pub use document::{Document, Fact, Search, SubjectKind};
