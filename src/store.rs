//! The ledger on disk: an SQLite file that one daemon owns. A sweep is one transaction, so that a process which is killed at
//! any instant loses the sweep in flight at most.
//!
//! What is kept is written and read here as it is; when a finding opens or ends is the affair of `findings`. The SQL is such
//! that PostgreSQL takes it too.

mod error;
mod file;
mod load;
pub mod outbox;
mod rows;
mod write;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::Mutex;

use crate::findings::ledger::{Changes, Ledger};

pub use error::{StoreError, Trouble};
pub use file::APPLICATION_ID;
pub use outbox::{Backlog, Event, Post, Waiting};

/// Everything that outlives a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The findings and unknowns.
    pub ledger: Ledger,
    /// The guids of the subscriptions that the last sweep saw.
    pub seen: BTreeSet<String>,
    /// The last sweep; none before the first one.
    pub last: Option<KeptSweep>,
}

/// What is kept of a sweep besides the findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptSweep {
    /// Counted from 1, over restarts.
    pub number: i64,
    /// When Azure was read; RFC 3339, UTC.
    pub taken_at: String,
    /// When it ended; seconds since 1970.
    pub finished_at: i64,
    /// How much could not be read.
    pub gaps: i64,
    /// How many results had each status, in the order of `Status::ALL`.
    pub results: [i64; 5],
}

/// What happened to a finding in one sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptChange {
    /// The sweep's number.
    pub sweep: i64,
    /// When that sweep ended; seconds since 1970.
    pub at: i64,
    /// `opened`, `reopened`, `changed` or `resolved`.
    pub change: String,
    /// The severity that the finding had then.
    pub severity: String,
    /// Why it was resolved, if it was.
    pub resolution: Option<String>,
}

/// An open ledger: a file, or one in memory that ends with the process.
pub struct Store {
    path: PathBuf,
    connection: SqliteConnection,
    identity: String,
    /// After the connection, for they are dropped in this order; a ledger in memory has none.
    held: Option<file::Held>,
}

/// A store that several tasks use, one at a time.
pub type Shared = Arc<Mutex<Store>>;

impl Store {
    /// Opens the ledger at `path`, or makes a new one, and reads what it keeps. A file that is foreign, damaged or of a newer
    /// mlfence is refused and not touched.
    pub async fn open(path: &Path) -> Result<(Self, Kept), StoreError> {
        let wrong = |trouble| StoreError { path: path.to_owned(), trouble };
        let (mut connection, held) = file::open(path).await.map_err(wrong)?;
        let identity =
            outbox::identity(&mut connection).await.map_err(|cause| wrong(Trouble::Write(cause)))?;
        let mut store = Self { path: path.to_owned(), connection, identity, held: Some(held) };
        let kept = store.load().await?;
        Ok((store, kept))
    }

    /// A new ledger in memory.
    pub async fn in_memory() -> Result<Self, StoreError> {
        let path = PathBuf::from("in memory");
        let made = async {
            let mut connection = file::in_memory().await?;
            let identity = outbox::identity(&mut connection).await.map_err(Trouble::Write)?;
            Ok((connection, identity))
        };
        match made.await {
            Ok((connection, identity)) => Ok(Self { path, connection, identity, held: None }),
            Err(trouble) => Err(StoreError { path, trouble }),
        }
    }

    /// What tells this ledger from every other one.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Leaves the file at rest: what is in its log goes into it. A store that is dropped instead loses nothing.
    pub async fn close(self) {
        // Whatever fails now is in the log, where the next start finds it.
        let _ = self.connection.close().await;
    }

    /// Reads what the file keeps.
    pub async fn load(&mut self) -> Result<Kept, StoreError> {
        let loaded = load::kept(&mut self.connection).await;
        loaded.map_err(|trouble| StoreError { path: self.path.clone(), trouble })
    }

    /// Writes what a sweep made of `before`, which is what the file keeps now, and the events that tell of it: all of it, or
    /// nothing. Sweeps that ended before `forget_before` go, and their changes with them.
    pub async fn commit(
        &mut self,
        before: &Kept,
        after: &Kept,
        changes: &Changes,
        post: &Post,
        forget_before: i64,
    ) -> Result<(), StoreError> {
        if let Some(Err(trouble)) = self.held.as_ref().map(file::Held::in_place) {
            return Err(StoreError { path: self.path.clone(), trouble });
        }
        let written = write::sweep(&mut self.connection, before, after, changes, post, forget_before).await;
        self.written(written)
    }

    /// The open findings of which each receiver has heard: receiver, finding.
    pub async fn told(&mut self) -> Result<BTreeSet<(String, String)>, StoreError> {
        let read = outbox::told(&mut self.connection).await;
        self.read(read)
    }

    /// The events that wait for a receiver after a position, in the order of sending: their positions and findings, at most
    /// `limit` of them.
    pub async fn events_after(
        &mut self,
        receiver: &str,
        position: i64,
        limit: i64,
    ) -> Result<Vec<(i64, Option<String>)>, StoreError> {
        let read = outbox::after(&mut self.connection, receiver, position, limit).await;
        self.read(read)
    }

    /// The event at a position, if it still waits for anybody.
    pub async fn event(&mut self, position: i64) -> Result<Option<Waiting>, StoreError> {
        let read = outbox::event(&mut self.connection, position).await;
        self.read(read)
    }

    /// Notes that a receiver has taken an event.
    pub async fn taken(&mut self, receiver: &str, position: i64) -> Result<(), StoreError> {
        let written = outbox::taken(&mut self.connection, receiver, position).await;
        self.written(written)
    }

    /// How it stands with every receiver that waits for something or has lost something.
    pub async fn backlog(&mut self) -> Result<Vec<Backlog>, StoreError> {
        let read = outbox::backlog(&mut self.connection).await;
        self.read(read)
    }

    fn read<T>(&self, read: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        read.map_err(|cause| StoreError { path: self.path.clone(), trouble: rows::unreadable(cause) })
    }

    fn written<T>(&self, written: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        written.map_err(|cause| StoreError { path: self.path.clone(), trouble: Trouble::Write(cause) })
    }

    /// The last sweeps, the newest first: at most `limit` of those with a number below `before`.
    pub async fn sweeps(&mut self, before: Option<i64>, limit: i64) -> Result<Vec<KeptSweep>, StoreError> {
        let read = load::sweeps(&mut self.connection, before, limit).await;
        read.map_err(|trouble| StoreError { path: self.path.clone(), trouble })
    }

    /// What became of a finding, the oldest first, as long as the retention reaches.
    pub async fn changes_of(&mut self, finding: &str) -> Result<Vec<KeptChange>, StoreError> {
        let read = load::changes_of(&mut self.connection, finding).await;
        read.map_err(|trouble| StoreError { path: self.path.clone(), trouble })
    }

    /// What an outlet wrote down last.
    pub async fn outlet(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let state = sqlx::query_scalar("SELECT state FROM outlets WHERE name = $1").bind(name);
        let read = state.fetch_optional(&mut self.connection).await;
        read.map_err(|cause| StoreError {
            path: self.path.clone(),
            trouble: Trouble::Damaged(cause.to_string()),
        })
    }

    /// Writes down what an outlet must know after a restart.
    pub async fn keep_outlet(&mut self, name: &str, state: &str) -> Result<(), StoreError> {
        let kept = sqlx::query(
            "INSERT INTO outlets (name, state) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET state = excluded.state",
        );
        let written = kept.bind(name).bind(state).execute(&mut self.connection).await;
        written
            .map(drop)
            .map_err(|cause| StoreError { path: self.path.clone(), trouble: Trouble::Write(cause) })
    }
}
