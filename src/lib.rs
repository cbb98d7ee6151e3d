//! mlfence watches the network fence around Azure Machine Learning inferencing.
//!
//! ```text
//! azure ──▶ inventory ──▶ facts ──▶ policy ──▶ findings ──▶ outlets
//! (I/O)    └──────────── pure: no I/O, no clock ───────┘      (I/O)
//!          audit: one sweep, end to end      daemon: sweeps, again and again
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`config`] | the configuration's text, validated; every default |
//! | [`expectations`], [`severity`], [`yaml`] | small things that several stages share |
//! | [`inventory`] | records into typed nodes and edges; what was read completely; the snapshot format |
//! | [`facts`] | what follows from the graph: one document of facts per subject |
//! | [`policy`] | loads, checks, tests and evaluates `.rego` texts |
//! | [`findings`] | verdicts, waivers, reports, and the life of findings over sweeps |
//! | [`azure`] | credentials, paging, throttling; gives a snapshot |
//! | [`sweep`] | one live pass: `azure`'s lists, and the questions that `facts` finds worth asking |
//! | [`snapshot_file`] | snapshots on disk |
//! | [`permissions`] | the least-privilege role, and what a sweep found missing of it |
//! | [`outlets`] | table, metrics, HTTP, alerts, webhooks |
//! | [`store`] | the ledger on disk, with the events that wait to be sent |
//! | [`audit`] | one sweep, end to end |
//! | [`daemon`] | the timetable, reload and shutdown |
//! | [`cli`], [`commands`], [`telemetry`] | the command line |
//!
//! # Invariants
//!
//! `tests/architecture.rs` holds the first two.
//!
//! 1. `inventory`, `facts`, `policy` and `findings` do no I/O and read no clock: texts and the time are arguments.
//! 2. Each stage may use the stages before it, never one after; `azure` uses `inventory` and `config` only; no outlet
//!    uses another; nobody uses `daemon` but the command that starts it.
//! 3. Absence of evidence is not compliance. A gap travels with the data to the end: a finding whose source was not
//!    read is neither resolved nor renewed.
//! 4. Unknown is a third value, with a reason. No policy turns it into a violation, and none into a pass.
//! 5. One bad record, policy or answer never ends a sweep.
//! 6. Same input, same bytes out: ordered maps throughout, and ids that hang on no position.

pub mod config;
pub mod expectations;
pub mod severity;
pub mod yaml;

pub mod inventory;

pub mod facts;

pub mod policy;

pub mod findings;

pub mod azure;
pub mod snapshot_file;
pub mod sweep;

pub mod permissions;

pub mod outlets;

pub mod store;

pub mod audit;
pub mod daemon;

pub mod cli;
pub mod commands;
pub mod telemetry;
