//! x
pub mod config;
pub mod expectations;
pub mod inventory;
pub mod severity;
pub mod yaml;
pub mod facts;
