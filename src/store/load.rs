//! Reading everything that the file keeps, at a daemon's start.

use sqlx::sqlite::SqliteConnection;

use super::rows::{self, Stored, unreadable};
use super::{Kept, KeptChange, KeptSweep, Trouble};

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
    kept.last = sweeps(connection, None, 1).await?.pop();
    Ok(kept)
}

pub(super) async fn sweeps(
    connection: &mut SqliteConnection,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<KeptSweep>, Trouble> {
    let newest = sqlx::query("SELECT * FROM sweeps WHERE number < $1 ORDER BY number DESC LIMIT $2");
    let newest = newest.bind(before.unwrap_or(i64::MAX)).bind(limit);
    newest.fetch_all(connection).await.map_err(unreadable)?.iter().map(rows::sweep).collect()
}

pub(super) async fn changes_of(
    connection: &mut SqliteConnection,
    finding: &str,
) -> Result<Vec<KeptChange>, Trouble> {
    let changes = sqlx::query(
        "SELECT changes.sweep, sweeps.finished_at, changes.change, changes.severity, changes.resolution
         FROM changes JOIN sweeps ON sweeps.number = changes.sweep
         WHERE changes.fingerprint = $1 ORDER BY changes.sweep",
    );
    changes.bind(finding).fetch_all(connection).await.map_err(unreadable)?.iter().map(rows::change).collect()
}
