//! armsim: Azure, small enough to test against.
//!
//! It serves a snapshot file over HTTP the way Azure does: the token endpoints, Azure Resource
//! Manager (ARM) lists and gets, and Resource Graph. It implements the *documented* behaviour of
//! Azure, not what any particular client happens to send, and shares no code with the program that
//! it tests.
//!
//! ```text
//! estate ──▶ world (index, rights) ──▶ server: tokens · arm · graph ──▶ HTTP
//! company (builders) ──▶ estate
//! ```
//!
//! * [`Estate`] reads and writes the snapshot file; its records may be changed freely before serving.
//! * [`Server::start`] serves one on the loopback interface, inside the caller's runtime.
//! * [`company`] writes estates: a healthy one, a believable demo, and large generated ones.

pub mod arm_id;
pub mod company;
pub mod estate;
pub mod kinds;
pub mod server;

mod world;

pub use estate::{Estate, EstateError};
pub use server::{Fault, Options, RunningServer, Scenario, Server, Stats, Trouble};
