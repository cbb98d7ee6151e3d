//! From what policies say to verdicts, waivers, reports and findings with a history.
//!
//! Pure: the time is an argument. Where a ledger is kept, and who is told, is not known here.

pub mod judge;
pub mod labels;
pub mod ledger;
pub mod remediation;
pub mod report;
pub mod settle;
pub mod waivers;

pub use judge::{PolicyResult, Status, judge};
pub use ledger::Ledger;
pub use report::Report;
pub use waivers::Waiver;
