//! Events that wait for their receivers: written with a sweep, taken out one by one. What an event says, and who hears of it,
//! is not known here.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use sqlx::sqlite::{SqliteConnection, SqliteRow, SqliteTransaction};
use sqlx::{Connection, Row};

/// What a sweep adds to the outbox, and what it forgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// New events, in the order in which they are to be sent.
    pub events: Vec<Event>,
    /// Receivers and findings of which they have heard from now on.
    pub told: BTreeSet<(String, String)>,
    /// Findings that are over.
    pub over: BTreeSet<String>,
    /// How long events wait, by receiver; for receivers that are not among them see `keep_others_since`.
    pub keep_since: Vec<(String, i64)>,
    /// Events made before this are dropped, whoever they wait for; seconds since 1970.
    pub keep_others_since: i64,
}

/// An event that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, the same for every receiver and each time it is sent.
    pub id: String,
    /// The finding that it is about, if it is about one.
    pub finding: Option<String>,
    /// When it was made; seconds since 1970.
    pub made_at: i64,
    /// What is sent.
    pub body: String,
    /// Who is to take it.
    pub receivers: Vec<String>,
}

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the order of sending.
    pub position: i64,
    /// Its id.
    pub id: String,
    /// The finding that it is about, if it is about one.
    pub finding: Option<String>,
    /// What is sent.
    pub body: String,
}

/// How it stands with a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The receiver's name.
    pub receiver: String,
    /// How many events wait for it.
    pub waiting: i64,
    /// How many it has lost for good, as long as there is this ledger.
    pub dropped: i64,
}

/// So many events wait for one receiver at most. An event takes some two thousand bytes.
pub const MOST_WAITING: i64 = 20_000;

/// Positions of one sweep's events lie together; no sweep has as many.
const PER_SWEEP: i64 = 1_000_000_000;

/// The ledger's own id, made when it is asked for the first time.
pub(super) async fn identity(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    let known = sqlx::query_scalar("SELECT id FROM ledger").fetch_optional(&mut *connection).await?;
    if let Some(id) = known {
        return Ok(id);
    }
    // The keys of the standard library's maps are random bytes of the operating system.
    let id = format!("{:016x}", RandomState::new().hash_one(()));
    sqlx::query("INSERT INTO ledger (id) VALUES ($1)").bind(&id).execute(connection).await?;
    Ok(id)
}

pub(super) async fn told(
    connection: &mut SqliteConnection,
) -> Result<BTreeSet<(String, String)>, sqlx::Error> {
    let rows = sqlx::query("SELECT receiver, fingerprint FROM told").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("receiver")?, row.try_get("fingerprint")?))).collect()
}

/// Puts a sweep's events into the outbox, within the sweep's transaction.
pub(super) async fn put(
    transaction: &mut SqliteTransaction<'_>,
    sweep: i64,
    post: &Post,
) -> Result<(), sqlx::Error> {
    for (at, event) in (0..).zip(&post.events) {
        let position = sweep.saturating_mul(PER_SWEEP).saturating_add(at);
        sqlx::query(
            "INSERT INTO events (position, id, fingerprint, made_at, body) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(position)
        .bind(&event.id)
        .bind(event.finding.as_deref())
        .bind(event.made_at)
        .bind(&event.body)
        .execute(&mut **transaction)
        .await?;
        for receiver in &event.receivers {
            let add = sqlx::query("INSERT INTO deliveries (receiver, position) VALUES ($1, $2)");
            add.bind(receiver).bind(position).execute(&mut **transaction).await?;
        }
    }
    for (receiver, finding) in &post.told {
        let add = "INSERT INTO told (receiver, fingerprint) VALUES ($1, $2) ON CONFLICT (receiver, fingerprint) DO NOTHING";
        sqlx::query(add).bind(receiver).bind(finding).execute(&mut **transaction).await?;
    }
    for finding in &post.over {
        let forget = sqlx::query("DELETE FROM told WHERE fingerprint = $1");
        forget.bind(finding).execute(&mut **transaction).await?;
    }
    drop_old(transaction, post).await
}

/// Drops what has waited too long, and the oldest of what is too much, and counts it.
async fn drop_old(transaction: &mut SqliteTransaction<'_>, post: &Post) -> Result<(), sqlx::Error> {
    let receivers = sqlx::query_scalar::<_, String>("SELECT DISTINCT receiver FROM deliveries");
    let mut any = false;
    for receiver in receivers.fetch_all(&mut **transaction).await? {
        let own = post.keep_since.iter().find(|(name, _)| *name == receiver);
        let since = own.map_or(post.keep_others_since, |(_, since)| *since);
        let old = sqlx::query(
            "DELETE FROM deliveries WHERE receiver = $1
             AND position IN (SELECT position FROM events WHERE made_at < $2)",
        );
        let old = old.bind(&receiver).bind(since).execute(&mut **transaction).await?.rows_affected();
        let many = sqlx::query(
            "DELETE FROM deliveries WHERE receiver = $1 AND position <= (
                 SELECT position FROM deliveries WHERE receiver = $1 ORDER BY position DESC LIMIT 1 OFFSET $2)",
        );
        let many = many.bind(&receiver).bind(MOST_WAITING).execute(&mut **transaction).await?.rows_affected();
        let lost = i64::try_from(old.saturating_add(many)).unwrap_or(i64::MAX);
        if lost > 0 {
            any = true;
            let count = sqlx::query(
                "INSERT INTO losses (receiver, events) VALUES ($1, $2)
                 ON CONFLICT (receiver) DO UPDATE SET events = losses.events + excluded.events",
            );
            count.bind(&receiver).bind(lost).execute(&mut **transaction).await?;
        }
    }
    if any {
        let orphans = "DELETE FROM events WHERE NOT EXISTS (
            SELECT 1 FROM deliveries WHERE deliveries.position = events.position)";
        sqlx::query(orphans).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// The events that wait for a receiver after a position, without their bodies: at most `limit`, in the order of sending.
pub(super) async fn after(
    connection: &mut SqliteConnection,
    receiver: &str,
    position: i64,
    limit: i64,
) -> Result<Vec<(i64, Option<String>)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT events.position, events.fingerprint
         FROM deliveries JOIN events ON events.position = deliveries.position
         WHERE deliveries.receiver = $1 AND deliveries.position > $2 ORDER BY deliveries.position LIMIT $3",
    );
    let rows = rows.bind(receiver).bind(position).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("position")?, row.try_get("fingerprint")?))).collect()
}

pub(super) async fn event(
    connection: &mut SqliteConnection,
    position: i64,
) -> Result<Option<Waiting>, sqlx::Error> {
    let row = sqlx::query("SELECT position, id, fingerprint, body FROM events WHERE position = $1");
    row.bind(position).fetch_optional(connection).await?.as_ref().map(waiting).transpose()
}

fn waiting(row: &SqliteRow) -> Result<Waiting, sqlx::Error> {
    Ok(Waiting {
        position: row.try_get("position")?,
        id: row.try_get("id")?,
        finding: row.try_get("fingerprint")?,
        body: row.try_get("body")?,
    })
}

/// Notes that a receiver has taken an event.
pub(super) async fn taken(
    connection: &mut SqliteConnection,
    receiver: &str,
    position: i64,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let delivery = sqlx::query("DELETE FROM deliveries WHERE receiver = $1 AND position = $2");
    delivery.bind(receiver).bind(position).execute(&mut *transaction).await?;
    let event = sqlx::query(
        "DELETE FROM events WHERE position = $1
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.position = events.position)",
    );
    event.bind(position).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// How it stands with every receiver that waits for something or has lost something, in the order of their names.
pub(super) async fn backlog(connection: &mut SqliteConnection) -> Result<Vec<Backlog>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT receiver, CAST(SUM(waiting) AS BIGINT) AS waiting, CAST(SUM(dropped) AS BIGINT) AS dropped FROM (
             SELECT receiver, COUNT(*) AS waiting, 0 AS dropped FROM deliveries GROUP BY receiver
             UNION ALL SELECT receiver, 0 AS waiting, events AS dropped FROM losses) AS each_way
         GROUP BY receiver ORDER BY receiver",
    );
    let read = |row: &SqliteRow| {
        Ok(Backlog {
            receiver: row.try_get("receiver")?,
            waiting: row.try_get("waiting")?,
            dropped: row.try_get("dropped")?,
        })
    };
    rows.fetch_all(connection).await?.iter().map(read).collect()
}
