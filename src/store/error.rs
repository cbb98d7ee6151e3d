//! What can be wrong with a ledger's file, and what to do about it.

use std::path::PathBuf;

/// A ledger that cannot be used, with its path.
#[derive(Debug, thiserror::Error)]
#[error("the ledger {} {trouble}", .path.display())]
pub struct StoreError {
    /// The database's path.
    pub path: PathBuf,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What is wrong with a ledger.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The folder or the file cannot be reached.
    #[error("cannot be opened: {0}; its folder must be there, and mlfence must be allowed to write in it")]
    Unreachable(String),
    /// There is no room.
    #[error("cannot be opened: {0}; the disk is full, or what mlfence may use of it: make room")]
    Full(String),
    /// Its path is a link to something that is not there.
    #[error(
        "is a link to {}, which is not there; nothing was put in its place: mount or restore what it points to, or set `ledger.path` to the file itself", .0.display()
    )]
    Dangling(PathBuf),
    /// Another process has it.
    #[error("is in use by another mlfence; give each daemon a `ledger.path` of its own")]
    InUse,
    /// It was removed, or replaced, after it was opened.
    #[error(
        "could not be written, for it is not where it was opened ({0}), so that a restart would not find it: put the same file back with its -wal and -shm, or restart mlfence, which goes on with what is there then"
    )]
    Lost(String),
    /// It is not a ledger.
    #[error(
        "is none of mlfence's: {0}; it was left as it is: set `ledger.path` to another file, or move this one away"
    )]
    Foreign(String),
    /// It is a ledger that this version cannot read.
    #[error(
        "was written by a newer mlfence (its schema is {found}, this version knows {known}); it was left as it is: run the newer version, or move the file away with its -wal to begin a new history"
    )]
    Newer {
        /// The schema of the file.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// It is a ledger, and broken.
    #[error(
        "is damaged: {0}; it was left as it is: restore it from a copy, or move it away with its -wal to begin a new history"
    )]
    Damaged(String),
    /// A sweep could not be written; the file keeps the one before.
    #[error("could not be written and keeps the sweep before: {0}")]
    Write(sqlx::Error),
}
