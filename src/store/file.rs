//! Opening a ledger's file without ever harming one that is not ours.
//!
//! Everything is looked at read-only first. A new file is made beside under another name and renamed when it is whole, so
//! that there is never a half-made ledger.

use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
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

/// Opens the file, or makes it, and takes its locks.
pub(super) async fn open(path: &Path) -> Result<(SqliteConnection, Held), Trouble> {
    // One file has one lock, by whatever links it is reached.
    let path = &resolved(path)?;
    // Before anything is put beside a file that may belong to somebody else.
    header(path)?;
    let beside = lock_beside(path)?;
    // Asked again: whoever had the lock a moment ago may have made it.
    let own = if header(path)? {
        let own = lock(path)?;
        check(path).await?;
        own
    } else {
        create(path).await?;
        lock(path)?
    };
    let mut connection = options(path).connect().await.map_err(unreachable)?;
    migrate(&mut connection).await?;
    let files = Held::files(path).map_err(unreachable)?;
    Ok((connection, Held { path: path.to_owned(), files, _own: own, _beside: beside }))
}

/// What a store holds as long as it lives: the locks, and which files they are for.
pub(super) struct Held {
    path: PathBuf,
    /// The device and the number of the database and of what SQLite keeps beside it as long as it is open.
    files: [(u64, u64); 3],
    /// Closed after SQLite's own: closing any descriptor of a file drops the process's POSIX locks on it.
    _own: File,
    _beside: File,
}

const FILES: [&str; 3] = ["", "-wal", "-shm"];

impl Held {
    fn files(path: &Path) -> io::Result<[(u64, u64); 3]> {
        let mut files = [(0, 0); 3];
        for (file, end) in files.iter_mut().zip(FILES) {
            let metadata = fs::metadata(beside(path, end))?;
            *file = (metadata.dev(), metadata.ino());
        }
        Ok(files)
    }

    /// Whether the files that SQLite has open are still those that a restart would find. It would write into removed ones
    /// all the same.
    pub(super) fn in_place(&self) -> Result<(), Trouble> {
        for (opened, end) in self.files.iter().zip(FILES) {
            let path = beside(&self.path, end);
            match fs::metadata(&path) {
                Ok(metadata) if (metadata.dev(), metadata.ino()) == *opened => {}
                Ok(_) => return Err(Trouble::Lost(format!("another file is at {}", path.display()))),
                Err(error) => return Err(Trouble::Lost(format!("{}: {error}", path.display()))),
            }
        }
        Ok(())
    }
}

/// The path without links. A link to nothing is refused: what it points to may be mounted later.
fn resolved(path: &Path) -> Result<PathBuf, Trouble> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found.map_err(unreachable),
    }
    if let Ok(to) = fs::read_link(path) {
        return Err(Trouble::Dangling(to));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).map_err(unreachable)?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
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

/// A lock of its own, beside the database: there it is before the database is.
fn lock_beside(path: &Path) -> Result<File, Trouble> {
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

/// A lock on the database itself, which goes along when it is linked or renamed, and does not go when the one beside is
/// removed. It is one of `flock`, which is apart from the POSIX locks that SQLite uses; those come and go with its
/// transactions.
fn lock(path: &Path) -> Result<File, Trouble> {
    // Not open for writing: NFS makes a POSIX lock of this one, in SQLite's way, and refuses that to a reader.
    let own = File::open(path).map_err(unreachable)?;
    match own.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Trouble::InUse),
        // Where there are no such locks, the one beside must do.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(own),
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
    discard(&unfinished)?;
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

/// Removes what a start that was killed left of a new ledger. There is no data in it, but somebody else's file may have
/// the same name.
fn discard(unfinished: &Path) -> Result<(), Trouble> {
    let ends = ["-wal", "-shm", "-journal"];
    let in_the_way = |file: &Path| {
        Trouble::Foreign(format!("{} is in the way, which is no ledger that was begun", file.display()))
    };
    match fs::symlink_metadata(unfinished) {
        // What SQLite puts beside goes first, so it is never left alone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut rest = ends.iter().map(|end| beside(unfinished, end));
            return rest
                .find(|rest| fs::symlink_metadata(rest).is_ok())
                .map_or(Ok(()), |rest| Err(in_the_way(&rest)));
        }
        Err(error) => return Err(unreachable(error)),
        // SQLite makes the file empty and writes its first page, with our mark, at once.
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 => {}
        Ok(metadata) if metadata.is_file() && matches!(header(unfinished), Ok(true)) => {}
        Ok(_) => return Err(in_the_way(unfinished)),
    }
    remove(unfinished, &ends)?;
    remove(unfinished, &[""])
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

fn unreachable(cause: impl Error + 'static) -> Trouble {
    if is_full(&cause) { Trouble::Full(cause.to_string()) } else { Trouble::Unreachable(cause.to_string()) }
}

fn damaged(cause: sqlx::Error) -> Trouble {
    // Even a reader needs room, for the memory that it shares with others.
    if is_full(&cause) { Trouble::Full(cause.to_string()) } else { Trouble::Damaged(cause.to_string()) }
}

/// Whether it failed for want of room, by what the system or SQLite said.
fn is_full(cause: &(dyn Error + 'static)) -> bool {
    // https://www.sqlite.org/rescode.html: SQLITE_FULL, and SQLITE_IOERR_SHMSIZE, which is what a full disk makes of the
    // memory that is shared.
    const CODES: [&str; 2] = ["13", "4874"];
    std::iter::successors(Some(cause), |cause| (*cause).source()).any(|cause| {
        if let Some(sqlx::Error::Database(error)) = cause.downcast_ref::<sqlx::Error>() {
            return error.code().is_some_and(|code| CODES.contains(&&*code));
        }
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_told_from_a_missing_right() {
        let mut connection =
            SqliteConnectOptions::new().in_memory(true).connect().await.expect("a connection");
        // No room for a second page.
        let full = sqlx::raw_sql("PRAGMA max_page_count = 1; CREATE TABLE a (a); CREATE TABLE b (b)");
        let error = full.execute(&mut connection).await.expect_err("full");
        assert!(matches!(damaged(error), Trouble::Full(_)));
        let error = migrate(&mut connection).await.expect_err("full");
        assert!(matches!(error, Trouble::Full(_)), "{error}");
        // ENOSPC, EDQUOT, EACCES of Linux.
        let of = |number| unreachable(io::Error::from_raw_os_error(number));
        assert!(matches!((of(28), of(122)), (Trouble::Full(_), Trouble::Full(_))));
        assert!(matches!(of(13), Trouble::Unreachable(_)));
    }
}
