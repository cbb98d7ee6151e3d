//! The ways out: what people and machines get to see of a report.

pub mod alertmanager;
pub mod http;
pub mod metrics;
pub mod table;
pub mod webhook;
