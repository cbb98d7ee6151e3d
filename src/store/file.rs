//! Opening a ledger's file without ever harming one that is not ours.
//!
//! Everything is looked at read-only first. A new file is made beside under another name and renamed when it is whole, so
//! that there is never a half-made ledger.

use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlSafeStr};

use super::Trouble;

/// `mlfn`: what an SQLite file's header says of the program that it belongs to.
pub const APPLICATION_ID: u32 = 0x6d6c_666e;

/// In the order of their numbers; one that was released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "ledger", include_str!("migrations/1_ledger.sql")),
    (2, "outbox", include_str!("migrations/2_outbox.sql")),
];

/// Opens the file, or makes it, and takes its lock.
pub(super) async fn open(path: &Path) -> Result<(SqliteConnection, File), Trouble> {
    // Before anything is put beside a file that may belong to somebody else.
    let found = header(path)?;
    let lock = lock(path)?;
    if found {
        check(path).await?;
    } else {
        create(path).await?;
    }
    let mut connection = options(path).connect().await.map_err(unreachable)?;
    migrate(&mut connection).await?;
    Ok((connection, lock))
}

/// A ledger that no file keeps.
pub(super) async fn in_memory() -> Result<SqliteConnection, Trouble> {
    let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true).disable_statement_logging();
    let mut connection = options.connect().await.map_err(unreachable)?;
    migrate(&mut connection).await?;
    Ok(connection)
}

/// Whether there is a file, which then is an SQLite database with our mark. The header is read without SQLite, which
/// would write beside the file.
fn header(path: &Path) -> Result<bool, Trouble> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found.map_err(unreachable)?,
    };
    // Asked before it is opened: opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(Trouble::Foreign("it is no regular file".to_owned()));
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(100).read_to_end(&mut head)).map_err(unreachable)?;
    if head.is_empty() {
        return Err(Trouble::Damaged("it is empty".to_owned()));
    }
    if !head.starts_with(b"SQLite format 3\0") {
        return Err(Trouble::Foreign("it is no SQLite database".to_owned()));
    }
    // https://www.sqlite.org/fileformat.html, "Application ID": four bytes at 68, big-endian.
    match head.get(68..72) {
        Some(id) if id == APPLICATION_ID.to_be_bytes() => Ok(true),
        Some(_) => Err(Trouble::Foreign("it is an SQLite database of another program".to_owned())),
        None => Err(Trouble::Damaged("it ends within its header".to_owned())),
    }
}

/// A lock of its own, beside the database: those of SQLite come and go with its transactions.
fn lock(path: &Path) -> Result<File, Trouble> {
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, ".lock"))
        .map_err(unreachable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Trouble::InUse),
        Err(TryLockError::Error(error)) => Err(unreachable(error)),
    }
}

/// Looks at a file of ours read-only: whole, and not newer than we are.
async fn check(path: &Path) -> Result<(), Trouble> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
    let mut connection = options.connect().await.map_err(damaged)?;
    let faults: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await.map_err(damaged)?;
    if faults != ["ok"] {
        // The first fault may name several pages, each on a line.
        let first = faults.first().map_or("nothing was checked", String::as_str);
        return Err(Trouble::Damaged(first.lines().collect::<Vec<_>>().join(", ")));
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(&mut connection)
        .await
        .map_err(damaged)?;
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    connection.close().await.map_err(damaged)?;
    match found {
        Some(found) if found > known => Err(Trouble::Newer { found, known }),
        _ => Ok(()),
    }
}

/// Makes a new ledger under another name and renames it when it is whole.
async fn create(path: &Path) -> Result<(), Trouble> {
    // SQLite would play the pages of an older file's log into the new one.
    if let Some(rest) = ["-wal", "-journal"].map(|end| beside(path, end)).iter().find(|rest| rest.exists()) {
        return Err(Trouble::Damaged(format!("it is gone, but its {} is still there", rest.display())));
    }
    let unfinished = beside(path, ".new");
    remove(&unfinished, &["", "-wal", "-shm", "-journal"])?;
    // Without a log until it is whole: what cannot be moved from a log into the file, as on a full disk, is lost in silence.
    let new = options(&unfinished).journal_mode(SqliteJournalMode::Delete).create_if_missing(true);
    let mut connection = new.connect().await.map_err(unreachable)?;
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut connection).await.map_err(unreachable)?;
    migrate(&mut connection).await?;
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut connection).await.map_err(unreachable)?;
    connection.close().await.map_err(unreachable)?;
    check(&unfinished).await?;
    remove(&unfinished, &["-wal", "-shm"])?;
    fs::rename(&unfinished, path).map_err(unreachable)?;
    sync_folder(path).map_err(unreachable)
}

/// Removes what there is of these files beside a path.
fn remove(path: &Path, ends: &[&str]) -> Result<(), Trouble> {
    for end in ends {
        match fs::remove_file(beside(path, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unreachable(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Makes a renaming outlive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), Trouble> {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, (*sql).into_sql_str(), false)
    });
    let ran = Migrator::with_migrations(migrations.collect()).run(connection).await;
    ran.map_err(|error| match error {
        MigrateError::Execute(_) | MigrateError::ExecuteMigration(..) => unreachable(error),
        other => Trouble::Damaged(other.to_string()),
    })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A sweep that was shown must outlive a power cut.
        .synchronous(SqliteSynchronous::Full)
        // Somebody may look into the file or copy it meanwhile.
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .disable_statement_logging()
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn unreachable(cause: impl ToString) -> Trouble {
    Trouble::Unreachable(cause.to_string())
}

fn damaged(cause: sqlx::Error) -> Trouble {
    Trouble::Damaged(cause.to_string())
}
