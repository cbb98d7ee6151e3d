//! What the daemon knows after a sweep, put together once for everybody who asks. Cheap to clone; nothing in it changes.

use std::sync::Arc;

use axum::body::Bytes;

use super::api::Index;
use crate::expectations::Declarations;
use crate::findings::Report;
use crate::inventory::Inventory;
use crate::policy::Listed;
use crate::store::{Kept, KeptSweep};

/// What is known.
#[derive(Clone, Default)]
pub struct View {
    /// The last sweep of this process; none before it ended. An earlier process's findings are in `kept`.
    pub swept: Option<Arc<Swept>>,
    /// What the ledger keeps: findings, unknowns.
    pub kept: Arc<Kept>,
    /// The last sweeps, the newest first.
    pub sweeps: Arc<[KeptSweep]>,
    /// The policies in force.
    pub policies: Arc<[Listed]>,
    /// What the operator declares.
    pub declarations: Arc<Declarations>,
    /// The last sweep's snapshot as a file, `.jsonl.zst`; none unless the configuration offers it.
    pub snapshot: Option<Bytes>,
    /// What the API finds its answers by, made when it is first asked.
    pub index: Arc<Index>,
}

/// A sweep as judged.
pub struct Swept {
    /// The report.
    pub report: Report,
    /// The graph that was judged.
    pub inventory: Inventory,
    /// When it ended; seconds since 1970.
    pub finished_at: i64,
}
