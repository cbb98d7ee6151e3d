//! The ledger's file: what is written is read back, what is not a ledger is never touched, and the file stays bounded.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use armsim::{Estate, company};
use mlfence::facts::Hidden;
use mlfence::findings::ledger::{Changes, Ledger, Resolution, Resolved, Sweep, Terms};
use mlfence::inventory::{Code, Reason, ResourceId};
use mlfence::store::{APPLICATION_ID, Event, Kept, KeptSweep, Post, Store, Trouble};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

const DAY: i64 = 24 * 3600;

/// A folder, and the path of a ledger in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    (folder, path)
}

/// What a sweep of `estate` makes of `before`.
fn advance(before: &Kept, estate: &Estate, terms: &Terms, now: i64) -> (Kept, Changes) {
    let judged = support::judge(&support::snapshot(estate));
    let seen: BTreeSet<String> =
        estate.header.subscriptions.iter().map(|s| s.id.to_ascii_lowercase()).collect();
    let sweep = Sweep {
        results: &judged.report.results,
        hidden: &judged.hidden,
        subscriptions: &seen,
        excluded: &BTreeSet::new(),
        policies: &judged.policies,
        waivers: &[],
    };
    let (ledger, changes) = before.ledger.advance(&sweep, terms, now);
    (Kept { ledger, seen, last: Some(next_sweep(before, now)) }, changes)
}

fn next_sweep(before: &Kept, now: i64) -> KeptSweep {
    let number = before.last.as_ref().map_or(0, |last| last.number) + 1;
    KeptSweep {
        number,
        taken_at: "2026-11-23T05:00:00Z".to_owned(),
        finished_at: now,
        gaps: 1,
        results: [2, 3, 4, 5, 6],
    }
}

async fn reopened(path: &Path) -> Kept {
    let (_, kept) = Store::open(path).await.unwrap_or_else(|error| panic!("{error}"));
    kept
}

/// Another program's connection, as an operator may have one.
async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.expect("a connection")
}

async fn run(connection: &mut SqliteConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.expect("it runs");
}

async fn count(connection: &mut SqliteConnection, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await.expect("a number")
}

#[tokio::test]
async fn every_state_is_read_back_as_it_was_written() {
    let (_folder, path) = place();
    let (mut store, mut kept) = Store::open(&path).await.expect("a new ledger");
    assert_eq!(kept, Kept::default());
    let demo = company::demo().0;
    let mut half = demo.clone();
    half.header.subscriptions.retain(|one| one.name != "ml-dev");
    // One workspace has moved away from v1: that is proven.
    let mut fixed = demo.clone();
    fixed.records.retain(|record| {
        let id = record["id"].as_str().unwrap_or_default();
        !["services", "computes"].iter().any(|of| id.contains(&format!("/workspaces/mlw-churn-prod/{of}/")))
    });
    // Opened, made stale, resolved, reopened, and seen once too little.
    let (once, thrice) = (Terms::default(), Terms { open_after: 3, ..Terms::default() });
    let mut met = BTreeSet::new();
    for (now, (estate, terms)) in
        [(&demo, once), (&half, once), (&fixed, once), (&demo, thrice), (&demo, once)].into_iter().enumerate()
    {
        let (after, changes) = advance(&kept, estate, &terms, now as i64);
        store.commit(&kept, &after, &changes, &Post::default(), 0).await.expect("written");
        drop(store);
        let read;
        (store, read) = Store::open(&path).await.expect("it opens");
        assert_eq!(read, after, "sweep {now}");
        let open = after.ledger.open.values();
        met.extend(open.clone().any(|finding| finding.is_stale()).then_some("stale"));
        met.extend(open.clone().any(|finding| finding.reopened > 0).then_some("reopened"));
        met.extend((!after.ledger.resolved.is_empty()).then_some("resolved"));
        met.extend((!after.ledger.unknowns.is_empty()).then_some("unknown"));
        kept = after;
    }
    assert_eq!(met, BTreeSet::from(["reopened", "resolved", "stale", "unknown"]));
    let (pending, _) = advance(&Kept::default(), &demo, &thrice, 9);
    assert_eq!((pending.ledger.pending.len(), pending.ledger.open.len()), (42, 0));
    let after = Kept { last: Some(next_sweep(&kept, 9)), ..pending };
    store.commit(&kept, &after, &Changes::default(), &Post::default(), 0).await.expect("written");
    // Every way to end, whichever of them this estate knows.
    let mut ended = Kept { last: Some(next_sweep(&after, 10)), ..after.clone() };
    let findings = std::mem::take(&mut ended.ledger.pending).into_iter();
    ended.ledger.resolved = findings
        .zip(Resolution::ALL)
        .map(|((id, finding), resolution)| (id, Resolved { finding, at: 10, resolution }))
        .collect();
    assert_eq!(ended.ledger.resolved.len(), Resolution::ALL.len());
    store.commit(&after, &ended, &Changes::default(), &Post::default(), 0).await.expect("written");
    drop(store);
    assert_eq!(reopened(&path).await, ended);
}

/// What a sweep made of the ledger is written as a whole: if one row is refused, none is there.
#[tokio::test]
async fn a_sweep_that_fails_half_way_leaves_the_one_before() {
    let (_folder, path) = place();
    let (mut store, empty) = Store::open(&path).await.expect("a new ledger");
    let (first, changes) = advance(&empty, &company::demo().0, &Terms::default(), 1);
    store.commit(&empty, &first, &changes, &Post::default(), 0).await.expect("written");
    let (second, changes) = advance(&first, &company::healthy(), &Terms::default(), 2);
    // The subscriptions are what is written last.
    let mut other = connect(&path).await;
    let refuse =
        "CREATE TRIGGER refuse BEFORE DELETE ON subscriptions BEGIN SELECT RAISE(ABORT, 'refused'); END";
    run(&mut other, refuse.to_owned()).await;
    let lost = Kept { seen: BTreeSet::new(), ..second };
    let event = Event {
        id: "a".to_owned(),
        finding: None,
        made_at: 2,
        body: "{}".to_owned(),
        receivers: vec!["tickets".to_owned()],
    };
    let post = Post { events: vec![event], ..Post::default() };
    let error = store.commit(&first, &lost, &changes, &post, 0).await.expect_err("refused");
    assert!(matches!(error.trouble, Trouble::Write(_)), "{error}");
    assert_eq!(store.load().await.expect("it reads"), first);
    assert_eq!(store.backlog().await.expect("it reads"), [], "nobody may hear of it");
    run(&mut other, "DROP TRIGGER refuse".to_owned()).await;
    store.commit(&first, &lost, &changes, &post, 0).await.expect("written the second time");
    assert_eq!(store.load().await.expect("it reads"), lost);
    assert_eq!(store.backlog().await.expect("it reads")[0].waiting, 1);
}

#[tokio::test]
async fn one_daemon_at_a_time_has_the_file() {
    let (_folder, path) = place();
    let (store, _) = Store::open(&path).await.expect("a new ledger");
    let error = Store::open(&path).await.err().expect("it is in use");
    assert!(matches!(error.trouble, Trouble::InUse), "{error}");
    assert!(error.to_string().contains("in use by another mlfence"), "{error}");
    drop(store);
    reopened(&path).await;
}

/// Refused with these words, and not a byte is another one, nor anything put beside it but the lock of a file of ours.
async fn refused(path: &Path, words: &[&str]) {
    let before = fs::read(path).expect("readable");
    let error = Store::open(path).await.err().unwrap_or_else(|| panic!("{words:?}: it was taken"));
    for word in words.iter().chain(&["left as it is", "move"]) {
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        let word = word.replace("left as it is", "was left as it is");
        assert!(error.to_string().contains(&word), "no `{word}` in: {error}");
    }
    assert!(fs::read(path).expect("readable") == before, "it was written to: {error}");
}

#[tokio::test]
async fn what_is_no_ledger_is_refused_and_left_alone() {
    let (_folder, path) = place();
    fs::write(&path, "a letter").expect("written");
    refused(&path, &["no SQLite database"]).await;
    fs::write(&path, "").expect("written");
    refused(&path, &["is damaged", "empty"]).await;
    fs::remove_file(&path).expect("removed");
    let mut other = connect(&path).await;
    run(&mut other, "CREATE TABLE letters (text TEXT); INSERT INTO letters VALUES ('dear')".to_owned()).await;
    other.close().await.expect("closed");
    refused(&path, &["another program"]).await;
    let mut other = connect(&path).await;
    run(&mut other, "PRAGMA application_id = 7".to_owned()).await;
    other.close().await.expect("closed");
    refused(&path, &["another program"]).await;
}

#[tokio::test]
async fn a_folder_is_no_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Store::open(folder.path()).await.err().expect("refused");
    assert!(error.to_string().contains("no regular file"), "{error}");
    let error = Store::open(&folder.path().join("none/ledger.db")).await.err().expect("refused");
    assert!(error.to_string().contains("its folder must be there"), "{error}");
}

/// A ledger with something in it, at rest.
async fn full(path: &Path) {
    let (mut store, empty) = Store::open(path).await.expect("a new ledger");
    let (first, changes) = advance(&empty, &company::demo().0, &Terms::default(), 1);
    store.commit(&empty, &first, &changes, &Post::default(), 0).await.expect("written");
    store.close().await;
}

#[tokio::test]
async fn a_ledger_of_a_newer_mlfence_is_refused_and_left_alone() {
    let (_folder, path) = place();
    full(&path).await;
    let mut other = connect(&path).await;
    let newer = "INSERT INTO _sqlx_migrations VALUES (99, 'later', '2027-01-01', TRUE, x'00', 0)";
    run(&mut other, newer.to_owned()).await;
    other.close().await.expect("closed");
    refused(&path, &["newer mlfence", "99", "knows 2"]).await;
}

#[tokio::test]
async fn a_damaged_ledger_is_refused_and_left_alone() {
    let (_folder, path) = place();
    full(&path).await;
    let whole = fs::read(&path).expect("readable");
    // Its header says whose it is: four bytes at 68.
    assert_eq!(whole[68..72], APPLICATION_ID.to_be_bytes());
    for damage in [
        // Cut in the header, and behind it.
        whole[..60].to_vec(),
        whole[..whole.len() / 2].to_vec(),
        // A page of noise, and a schema overwritten.
        [&whole[..8192], &vec![0xa5; 4096], &whole[12288..]].concat(),
        [&whole[..100], &vec![0xff; 3000], &whole[3100..]].concat(),
    ] {
        fs::write(&path, damage).expect("written");
        refused(&path, &["is damaged"]).await;
    }
    fs::write(&path, &whole).expect("written");
    let mut other = connect(&path).await;
    run(&mut other, "UPDATE findings SET severity = 'dreadful'".to_owned()).await;
    other.close().await.expect("closed");
    refused(&path, &["is damaged", "dreadful"]).await;
}

/// SQLite would play what is left of the old file into a new one.
#[tokio::test]
async fn a_log_without_its_ledger_is_not_played_into_a_new_one() {
    let (folder, path) = place();
    fs::write(folder.path().join("ledger.db-wal"), "something").expect("written");
    let error = Store::open(&path).await.err().expect("refused");
    assert!(error.to_string().contains("ledger.db-wal is still there"), "{error}");
    assert!(!path.exists());
}

/// Killed while a new ledger was made: only its unfinished beginnings are there.
#[tokio::test]
async fn an_unfinished_new_ledger_is_begun_again() {
    for marked in [false, true] {
        let (folder, path) = place();
        let unfinished = folder.path().join("ledger.db.new");
        fs::write(&unfinished, "").expect("written");
        if marked {
            let mut begun = connect(&unfinished).await;
            run(&mut begun, format!("PRAGMA application_id = {APPLICATION_ID}; CREATE TABLE sweeps (x)"))
                .await;
            begun.close().await.expect("closed");
        }
        fs::write(folder.path().join("ledger.db.new-journal"), "something").expect("written");
        let (store, kept) = Store::open(&path).await.expect("a new ledger");
        assert_eq!(kept, Kept::default());
        store.close().await;
        assert_eq!(names(folder.path()), ["ledger.db", "ledger.db.lock"]);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_strangers_file_that_is_called_like_an_unfinished_ledger_is_left_alone() {
    for (name, text) in
        [("ledger.db.new", "a letter"), ("ledger.db.new-wal", "another"), ("ledger.db.new", "SQLite")]
    {
        let (folder, path) = place();
        let file = folder.path().join(name);
        fs::write(&file, text).expect("written");
        if text == "SQLite" {
            fs::remove_file(&file).expect("removed");
            let mut other = connect(&file).await;
            run(&mut other, "CREATE TABLE letters (text TEXT)".to_owned()).await;
            other.close().await.expect("closed");
        }
        let before = fs::read(&file).expect("readable");
        let error = Store::open(&path).await.err().expect("refused");
        assert!(error.to_string().contains(&format!("{name} is in the way")), "{error}");
        assert!(fs::read(&file).expect("it is there") == before);
        assert!(!path.exists());
    }
}

/// By a link, by a second name of the same file, and after somebody took the lock file for litter.
#[tokio::test]
async fn a_ledger_in_use_is_refused_by_whatever_name_it_is_reached() {
    let (folder, path) = place();
    let (mut store, empty) = Store::open(&path).await.expect("a new ledger");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let link = elsewhere.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).expect("linked");
    let twin = elsewhere.path().join("twin.db");
    let in_use = async |path: &Path| match Store::open(path).await {
        Ok(_) => panic!("{} was taken", path.display()),
        Err(error) => assert!(matches!(error.trouble, Trouble::InUse), "{error}"),
    };
    in_use(&link).await;
    assert_eq!(names(elsewhere.path()), ["link.db"]);
    in_use(&folder.path().join("./ledger.db")).await;
    // A link across devices is none of the daemon's affair; both folders are on one.
    fs::hard_link(&path, &twin).expect("linked");
    in_use(&twin).await;
    fs::remove_file(folder.path().join("ledger.db.lock")).expect("removed");
    in_use(&path).await;
    in_use(&link).await;
    // And the one that has it is none the worse for it.
    let (first, changes) = advance(&empty, &company::demo().0, &Terms::default(), 1);
    store.commit(&empty, &first, &changes, &Post::default(), 0).await.expect("written");
    assert_eq!(count(&mut connect(&path).await, "sweeps").await, 1);
    drop(store);
    fs::remove_file(&twin).expect("removed");
    assert_eq!(reopened(&link).await, first);
}

/// A volume that is not mounted: a file in its place would be another ledger as soon as it is.
#[tokio::test]
async fn a_link_to_nothing_is_refused_and_stays() {
    let (folder, path) = place();
    let target = folder.path().join("volume/ledger.db");
    std::os::unix::fs::symlink(&target, &path).expect("linked");
    for volume in [false, true] {
        if volume {
            fs::create_dir(folder.path().join("volume")).expect("made");
        }
        let error = Store::open(&path).await.err().expect("refused");
        assert!(matches!(error.trouble, Trouble::Dangling(_)), "{error}");
        assert!(error.to_string().contains("volume/ledger.db, which is not there"), "{error}");
        assert_eq!(fs::read_link(&path).expect("a link"), target);
    }
    assert_eq!(names(folder.path()), ["ledger.db", "volume"]);
}

/// SQLite would go on in the files that it has open, and nobody would find them again.
#[tokio::test]
async fn a_ledger_that_was_removed_or_replaced_is_not_written_to() {
    for lost in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let (folder, path) = place();
        let (mut store, empty) = Store::open(&path).await.expect("a new ledger");
        let (first, changes) = advance(&empty, &company::demo().0, &Terms::default(), 1);
        store.commit(&empty, &first, &changes, &Post::default(), 0).await.expect("written");
        let (second, changes) = advance(&first, &company::healthy(), &Terms::default(), 2);
        let (file, aside) = (folder.path().join(lost), folder.path().join("aside"));
        let copy = fs::read(&file).expect("readable");
        fs::rename(&file, &aside).expect("moved");
        for replaced in [false, true] {
            if replaced {
                fs::write(&file, &copy).expect("written");
            }
            let error = store.commit(&first, &second, &changes, &Post::default(), 0).await.expect_err(lost);
            assert!(matches!(error.trouble, Trouble::Lost(_)), "{error}");
            assert!(error.to_string().contains(&file.display().to_string()), "{error}");
        }
        // Put back, it is the one that was opened.
        fs::rename(&aside, &file).expect("moved");
        store.commit(&first, &second, &changes, &Post::default(), 0).await.expect(lost);
        drop(store);
        assert_eq!(reopened(&path).await, second, "{lost}");
    }
}

/// A year of days on an estate that is fixed and broken again every other day, kept for thirty days.
#[tokio::test]
async fn the_retention_bounds_rows_and_file() {
    let (_folder, path) = place();
    let (mut store, mut kept) = Store::open(&path).await.expect("a new ledger");
    let terms = Terms { retention_seconds: 30 * DAY, ..Terms::default() };
    let judged = [company::demo().0, company::healthy()].map(|e| (support::judge(&support::snapshot(&e)), e));
    let mut sizes = Vec::new();
    for day in 0..365 {
        let now = day * DAY;
        let (judged, estate) = &judged[usize::from(day % 2 == 1)];
        let seen = estate.header.subscriptions.iter().map(|s| s.id.to_ascii_lowercase()).collect();
        let sweep = Sweep {
            results: &judged.report.results,
            hidden: &judged.hidden,
            subscriptions: &seen,
            excluded: &BTreeSet::new(),
            policies: &judged.policies,
            waivers: &[],
        };
        let (ledger, changes) = kept.ledger.advance(&sweep, &terms, now);
        let after = Kept { ledger, seen, last: Some(next_sweep(&kept, now)) };
        store
            .commit(&kept, &after, &changes, &Post::default(), now - terms.retention_seconds)
            .await
            .expect("written");
        kept = after;
        if day == 100 || day == 364 {
            let mut other = connect(&path).await;
            let rows = [
                count(&mut other, "sweeps").await,
                count(&mut other, "changes").await,
                count(&mut other, "findings").await,
                count(&mut other, "unknowns").await,
            ];
            let pages = count(&mut other, "pragma_page_count()").await;
            sizes.push((rows, pages, fs::metadata(&path).expect("there").len()));
        }
    }
    let [(early, ..), (late, ..)] = sizes[..] else { panic!("{sizes:?}") };
    assert_eq!(early[0], 31, "thirty days and today");
    assert_eq!((late[0], late[2]), (early[0], early[2]));
    assert!(late[1] <= early[1], "{sizes:?}");
    assert!(sizes[1].2 <= sizes[0].2 * 5 / 4, "the file grew: {sizes:?}");
}

/// Whatever is out of sight after a restart was seen before it.
#[tokio::test]
async fn a_finding_of_a_subscription_that_vanished_while_nobody_watched_stays() {
    let (_folder, path) = place();
    full(&path).await;
    let kept = reopened(&path).await;
    let demo = company::demo().0;
    let guids: BTreeSet<String> =
        demo.header.subscriptions.iter().map(|s| s.id.to_ascii_lowercase()).collect();
    assert_eq!(kept.seen, guids);
    let judged = support::judge(&support::snapshot(&demo));
    let hidden: Vec<Hidden> = mlfence::facts::SubjectKind::ALL
        .into_iter()
        .map(|kind| Hidden { kind, scope: ResourceId::root(), reason: Reason::new(Code::NotFound, "gone") })
        .collect();
    let sweep = Sweep {
        results: &[],
        hidden: &hidden,
        subscriptions: &kept.seen,
        excluded: &BTreeSet::new(),
        policies: &judged.policies,
        waivers: &[],
    };
    let (ledger, changes): (Ledger, _) = kept.ledger.advance(&sweep, &Terms::default(), 2);
    assert_eq!((ledger.open.len(), changes), (42, Changes::default()));
}
