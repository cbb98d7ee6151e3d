//! Reading everything that the file keeps, at a daemon's start.

use sqlx::sqlite::SqliteConnection;

use crate::findings::Status;

use super::rows::{self, Stored, integer, text, unreadable};
use super::{Kept, KeptSweep, Trouble};

pub(super) async fn kept(connection: &mut SqliteConnection) -> Result<Kept, Trouble> {
    let mut kept = Kept::default();
    let findings =
        sqlx::query("SELECT * FROM findings").fetch_all(&mut *connection).await.map_err(unreadable)?;
    for row in &findings {
        match rows::finding(row)? {
            (id, Stored::Open(finding)) => drop(kept.ledger.open.insert(id, finding)),
            (id, Stored::Pending(finding)) => drop(kept.ledger.pending.insert(id, finding)),
            (id, Stored::Resolved(resolved)) => drop(kept.ledger.resolved.insert(id, resolved)),
        }
    }
    let unknowns =
        sqlx::query("SELECT * FROM unknowns").fetch_all(&mut *connection).await.map_err(unreadable)?;
    kept.ledger.unknowns = unknowns.iter().map(rows::unknown).collect::<Result<_, _>>()?;
    let seen = sqlx::query_scalar::<_, String>("SELECT guid FROM subscriptions");
    kept.seen = seen.fetch_all(&mut *connection).await.map_err(unreadable)?.into_iter().collect();
    let last = sqlx::query("SELECT * FROM sweeps ORDER BY number DESC LIMIT 1");
    if let Some(row) = last.fetch_optional(connection).await.map_err(unreadable)? {
        let mut results = [0; 5];
        for (count, status) in results.iter_mut().zip(Status::ALL) {
            *count = integer(&row, status.name())?;
        }
        kept.last = Some(KeptSweep {
            number: integer(&row, "number")?,
            taken_at: text(&row, "taken_at")?,
            finished_at: integer(&row, "finished_at")?,
            gaps: integer(&row, "gaps")?,
            results,
        });
    }
    Ok(kept)
}
