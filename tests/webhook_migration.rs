//! A ledger of the first schema, made as the program of that time made it, gains the outbox and loses nothing.

use std::fs;
use std::path::Path;

use mlfence::findings::ledger::Changes;
use mlfence::store::{APPLICATION_ID, Event, Kept, KeptSweep, Post, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

async fn run(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect("it runs");
}

/// SHA-384 of the first migration, as `_sqlx_migrations` keeps it; by sha384sum.
const CHECKSUM: &str =
    "8542296d95b10f3381594253e05fa451b1b01ae0b7cb40d8ddc861a2d5323d08ecdbcd04e98c106591837230db37132d";

/// The tables as the first schema had them, and what sqlx writes of a migration that ran.
async fn first_schema(path: &Path) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.expect("a connection");
    run(&mut connection, &format!("PRAGMA application_id = {APPLICATION_ID}")).await;
    let sql = fs::read_to_string("src/store/migrations/1_ledger.sql").expect("readable");
    run(&mut connection, &sql).await;
    run(
        &mut connection,
        &format!(
            "CREATE TABLE _sqlx_migrations (
                version BIGINT PRIMARY KEY, description TEXT NOT NULL,
                installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
                checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
            INSERT INTO _sqlx_migrations VALUES (1, 'ledger', '2026-11-20 10:00:00', TRUE, x'{CHECKSUM}', 7);
            INSERT INTO sweeps VALUES (41, '2026-11-20T10:00:00Z', 1795168800, 0, 1, 2, 3, 4, 5);
            INSERT INTO findings VALUES ('0123456789abcdef0123456789abcdef', 'open', 'LIF-001', 'd', 'workspace',
                '/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/w', NULL,
                'k', 'medium', 'm', 'r', NULL, 'e', 1, 2, 3, NULL, 0, 0, NULL, NULL);
            INSERT INTO changes VALUES (41, '0123456789abcdef0123456789abcdef', 'opened', 'medium', 'e', NULL);"
        ),
    )
    .await;
    run(&mut connection, "PRAGMA journal_mode = WAL").await;
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_ledger_of_the_first_schema_gains_the_outbox_and_keeps_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    first_schema(&path).await;
    let (mut store, kept) = Store::open(&path).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(kept.last.as_ref().map(|last| (last.number, last.results)), Some((41, [1, 2, 3, 4, 5])));
    assert_eq!(kept.ledger.open["0123456789abcdef0123456789abcdef"].message, "m");
    // What was before the outbox is nobody's news.
    assert_eq!(store.backlog().await.expect("read"), []);
    assert_eq!(store.told().await.expect("read").len(), 0);
    let identity = store.identity().to_owned();
    assert!(identity.len() == 16 && identity.chars().all(|c| c.is_ascii_hexdigit()), "{identity}");

    let last = KeptSweep { number: 42, finished_at: 1_795_168_900, ..KeptSweep::default() };
    let after = Kept { last: Some(last), ..kept.clone() };
    let event = Event {
        id: "a".to_owned(),
        finding: None,
        made_at: 1_795_168_900,
        body: "{}".to_owned(),
        receivers: vec!["tickets".to_owned()],
    };
    let post = Post { events: vec![event], ..Post::default() };
    store.commit(&kept, &after, &Changes::default(), &post, 0).await.expect("written");
    drop(store);
    let (mut store, read) = Store::open(&path).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read, after);
    assert_eq!(store.identity(), identity, "it is another ledger now");
    let waiting = store.events_after("tickets", 0, 9).await.expect("read");
    assert_eq!(waiting.len(), 1);
    assert_eq!(store.event(waiting[0].0).await.expect("read").map(|event| event.id), Some("a".to_owned()));
    drop(store);

    // The program of before refuses a file with a version above its own, which was 1.
    let options = SqliteConnectOptions::new().filename(&path).read_only(true);
    let mut connection = options.connect().await.expect("a connection");
    let version: i64 = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(&mut connection)
        .await
        .expect("a number");
    assert_eq!(version, 2);
}

#[tokio::test]
async fn no_two_ledgers_are_taken_for_each_other() {
    let (one, other) = (Store::in_memory().await.expect("one"), Store::in_memory().await.expect("another"));
    assert_ne!(one.identity(), other.identity());
}
