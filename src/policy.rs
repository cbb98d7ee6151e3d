//! Policies: `.rego` texts in, violations out.
//!
//! [`Bundle::load`] is the gate: it parses, reads the metadata, refuses recursion and costly or impure
//! builtins, and runs each policy's own cases and tests; a bundle that exists has passed. An [`Evaluator`]
//! then evaluates one policy on one subject document. What a fact means, what a verdict's history is and
//! who is told is not known here. Pure: file texts are arguments.

mod builtins;
mod bundle;
mod cases;
mod engine;
mod evaluation;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod listed;
mod metadata;
mod recursion;
mod references;
mod shipped;
mod source;
mod test_run;

pub use bundle::{Bundle, Evaluator, LoadOptions, Policy};
pub use cases::Case;
pub use evaluation::{Evaluation, Judgement, Note, PolicyError, Violation};
pub use listed::{Listed, ListedOrigin};
pub use metadata::{DocumentRef, Metadata, RelatedResource, placeholder};
pub use shipped::{SHIPPED, shipped_files};
pub use source::{LARGEST_FILE, Origin, Problem, SourceFile};
pub use test_run::{Coverage, Outcome, TestReport, TestResult};
