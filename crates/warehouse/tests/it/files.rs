//! Files that are new, old, foreign, damaged, full, or open elsewhere.

use std::env;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use events::unit::UnixMillis;
use rusqlite::Connection;
use warehouse::contract::sample::{self, HOUR, NETWORK};
use warehouse::page::Page;
use warehouse::sqlite::{Options, ReadOnly, Sqlite, VERSION};
use warehouse::view::{JobFilter, ScoreFilter};
use warehouse::{Error, Reader, Warehouse as _};

fn file() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("warehouse.sqlite");
    (directory, path)
}

fn open(path: &Path) -> Result<Sqlite, Error> {
    Sqlite::open(path, Options::default())
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let (_directory, path) = file();
    drop(open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for refused in [open(&path).map(drop), ReadOnly::open(&path).map(drop)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Newer { found: 99, known: VERSION, .. }), "{error}");
        assert!(error.to_string().contains("schema 99"), "{error}");
    }
    let connection = Connection::open(&path).unwrap();
    let version = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    assert_eq!(connection.pragma_query_value(None, "user_version", version).unwrap(), 99);
}

#[test]
fn an_older_file_is_brought_up_to_date_by_its_writer_alone() {
    let (_directory, path) = file();
    drop(open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "INSERT INTO agenda (network, hour, touched, at_once, looked_ms)
                VALUES (2, 5, 1, 0, 7), (2, 22, 0, 0, 8), (2, 23, 0, 0, 9), (2, 47, 0, 0, 10);
             INSERT INTO known_hour (network, hour, latest, jobs, updated_ms)
                VALUES (2, 22, 0, 0, 8), (2, 23, 0, 0, 9), (2, 47, NULL, 0, 10);
             DROP TABLE refusal_note; DROP TABLE tested; DROP TABLE rollup; DROP TABLE rollup_part; DROP TABLE rollup_day; DROP TABLE offered; DROP TABLE region; DROP TABLE offerer; DROP TABLE register; DROP TABLE span; DROP INDEX agenda_unrolled;
             ALTER TABLE agenda DROP COLUMN unrolled_ms;
             ALTER TABLE agenda DROP COLUMN at_once; PRAGMA user_version = 2",
        )
        .unwrap();
    drop(connection);
    let refused = ReadOnly::open(&path).map(drop).unwrap_err();
    assert!(matches!(refused, Error::Older { found: 2, known: VERSION, .. }), "{refused}");
    let touched = open(&path).unwrap().touched_hours(NETWORK).unwrap();
    let waiting: Vec<(u64, bool)> = touched.iter().map(|row| (row.hour.0, row.at_once)).collect();
    // The hours that are settled are looked at again, to count them for people to look at.
    assert_eq!(waiting, [(5, false), (22, true), (23, true)]);
    assert!(touched.iter().all(|row| row.looked_ms.is_some()));
    // Of the hours settled before there were longer windows, those that end a day get theirs.
    let unrolled = open(&path).unwrap().unrolled_hours(NETWORK).unwrap();
    let hours: Vec<u64> = unrolled.iter().map(|row| row.hour.0).collect();
    assert_eq!(hours, [23]);
    ReadOnly::open(&path).unwrap();
}

/// Whether the file has the index by which single jobs are found.
fn finds_jobs(path: &Path) -> bool {
    let connection = Connection::open(path).unwrap();
    let query = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = 'job_by_id'";
    connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap() == 1
}

#[test]
fn what_waits_while_many_hours_are_recorded_is_made_up_for() {
    let (_directory, path) = file();
    let home = open(&path).unwrap();
    assert!(finds_jobs(&path));
    home.begin_fill().unwrap();
    assert!(!finds_jobs(&path));
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 5)).unwrap();
    home.end_fill().unwrap();
    assert!(finds_jobs(&path));
    // Where there are jobs, nothing waits: making it up would cost more than it saves.
    home.begin_fill().unwrap();
    assert!(finds_jobs(&path));
}

#[test]
fn nothing_waits_for_more_jobs_than_can_be_sorted_in_memory() {
    let (_directory, path) = file();
    let home = open(&path).unwrap();
    home.begin_fill().unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 5)).unwrap();
    assert!(!finds_jobs(&path));
    // As if a million had been recorded before these.
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("UPDATE job SET id = 1000000 WHERE id = 5").unwrap();
    drop(connection);
    home.record_hour(&sample::record(NETWORK, HOUR.next(), 0, 5)).unwrap();
    assert!(finds_jobs(&path));
    assert_eq!(home.job(NETWORK, sample::job_id(1)).unwrap().len(), 2);
}

#[test]
fn what_a_killed_writer_let_wait_is_made_up_for_by_the_next() {
    let (_directory, path) = file();
    let home = open(&path).unwrap();
    home.begin_fill().unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 5)).unwrap();
    drop(home);
    assert!(!finds_jobs(&path));
    assert_eq!(ReadOnly::open(&path).unwrap().job(NETWORK, sample::job_id(1)).unwrap().len(), 1);
    drop(open(&path).unwrap());
    assert!(finds_jobs(&path));
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let (directory, path) = file();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    drop(connection);
    assert!(matches!(open(&path), Err(Error::Foreign { .. })));
    assert!(matches!(ReadOnly::open(&path), Err(Error::Foreign { .. })));
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("INSERT INTO theirs VALUES (1)").unwrap();

    let text = directory.path().join("text");
    std::fs::write(&text, "no database at all ".repeat(1000)).unwrap();
    for refused in [open(&text).map(drop), ReadOnly::open(&text).map(drop)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(!error.is_retryable());
    }
}

#[test]
fn what_is_not_there_is_not_made_by_reading() {
    let (directory, path) = file();
    assert!(matches!(ReadOnly::open(&path), Err(Error::Open { .. })));
    assert!(!path.exists());
    assert!(matches!(open(&directory.path().join("no/such/file")), Err(Error::Open { .. })));
    // An empty file is a database without a schema.
    std::fs::write(&path, "").unwrap();
    assert!(matches!(ReadOnly::open(&path), Err(Error::Older { found: 0, .. })));
    open(&path).unwrap();
    ReadOnly::open(&path).unwrap();
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_recorded() {
    let (_directory, path) = file();
    let home = open(&path).unwrap();
    let reader = ReadOnly::open(&path).unwrap();
    for revision in 0..3 {
        home.record_hour(&sample::record(NETWORK, HOUR, revision, 5)).unwrap();
        let count = usize::try_from(revision).unwrap() + 1;
        assert_eq!(reader.revisions(NETWORK, HOUR).unwrap().len(), count);
    }
    drop(home);
    assert_eq!(reader.revisions(NETWORK, HOUR).unwrap().len(), 3);
    assert_eq!(ReadOnly::open(&path).unwrap().revisions(NETWORK, HOUR).unwrap().len(), 3);
}

#[test]
fn reading_does_not_wait_for_writing() {
    let (_directory, path) = file();
    let home = open(&path).unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 5)).unwrap();
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; DELETE FROM job; DELETE FROM revision").unwrap();
    // Were it to wait, it would be for ever: nobody ends that transaction meanwhile.
    assert_eq!(home.revisions(NETWORK, HOUR).unwrap().len(), 1);
    assert_eq!(ReadOnly::open(&path).unwrap().revisions(NETWORK, HOUR).unwrap().len(), 1);
    writer.execute_batch("ROLLBACK").unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 1, 6)).unwrap();
}

#[test]
fn every_answer_is_of_one_moment() {
    let (_directory, path) = file();
    let home = open(&path).unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 40)).unwrap();
    let is_over = AtomicBool::new(false);
    let read = || {
        let mut answers = 0;
        while !is_over.load(Ordering::Relaxed) || answers == 0 {
            let rows = home.jobs(NETWORK, &JobFilter::default(), &Page::first(1000)).unwrap().rows;
            let revision = rows[0].revision.unwrap();
            // Revisions have 40 and 41 jobs by turns.
            assert_eq!(rows.len(), 40 + usize::try_from(revision % 2).unwrap());
            assert!(rows.iter().all(|row| row.revision == Some(revision)));
            let view = home.hour_record(NETWORK, HOUR, None).unwrap().unwrap();
            assert_eq!(view.revision, view.revisions.last().unwrap().revision);
            answers += 1;
        }
    };
    thread::scope(|scope| {
        // More than there are connections.
        for _ in 0..12 {
            scope.spawn(read);
        }
        for revision in 1..40 {
            let jobs = 40 + u64::from(revision % 2);
            home.record_hour(&sample::record(NETWORK, HOUR, revision, jobs)).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// Records hours until one is refused; tells how many were kept, and why no more.
fn fill(home: &Sqlite) -> (u32, Error) {
    for revision in 0..10_000 {
        if let Err(error) = home.record_hour(&sample::record(
            NETWORK,
            HOUR,
            revision,
            500 + u64::from(revision % 2),
        )) {
            return (revision, error);
        }
    }
    panic!("it never was full");
}

fn expect_revisions(home: &dyn Reader, kept: u32) {
    let revisions = home.revisions(NETWORK, HOUR).unwrap();
    assert_eq!(revisions.len(), usize::try_from(kept).unwrap());
    let jobs = home.jobs(NETWORK, &JobFilter::default(), &Page::first(1000)).unwrap().rows;
    let expected = 500 + usize::try_from((kept - 1) % 2).unwrap();
    assert_eq!(jobs.len(), expected);
}

#[test]
fn a_full_file_is_an_error_and_loses_nothing() {
    let (_directory, path) = file();
    let home = Sqlite::open(&path, Options { bytes_max: Some(2 << 20) }).unwrap();
    let (kept, error) = fill(&home);
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(error.is_retryable());
    assert!(kept > 1);
    expect_revisions(&home, kept);
    home.set_cursor("reader", 1).unwrap();
    drop(home);
    let home = open(&path).unwrap();
    expect_revisions(&home, kept);
    home.record_hour(&sample::record(NETWORK, HOUR, kept, 500 + u64::from(kept % 2))).unwrap();
    expect_revisions(&home, kept + 1);
}

const PATH: &str = "WAREHOUSE_FULL_PATH";

#[test]
#[ignore = "the process with little room of the test below; does nothing by itself"]
fn child() {
    let Ok(path) = env::var(PATH) else { return };
    let home = open(Path::new(&path)).unwrap();
    let (kept, error) = fill(&home);
    assert!(matches!(error, Error::Full { .. }) && error.is_retryable(), "{error}");
    expect_revisions(&home, kept);
}

/// A limit of the system on the size of files stands for the full disk.
#[test]
fn a_limit_of_the_system_is_an_error_and_loses_nothing() {
    let (_directory, path) = file();
    let mut command = Command::new("sh");
    // 4096 blocks of 512 bytes; ignoring the signal turns it into an error of the write.
    command.args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""]);
    command.arg(env::current_exe().unwrap());
    command.args(["--exact", "files::child", "--ignored"]).env(PATH, &path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let home = open(&path).unwrap();
    let kept = u32::try_from(home.revisions(NETWORK, HOUR).unwrap().len()).unwrap();
    assert!(kept > 1);
    expect_revisions(&home, kept);
}

/// Asks everything, and gives the first error.
fn ask_everything(home: &dyn Reader) -> Result<(), Error> {
    let page = Page::first(1000);
    home.batches_sealed(NETWORK, UnixMillis(0)..=UnixMillis(u64::MAX))?;
    home.record_batch_rows(NETWORK)?;
    home.cursor("reader")?;
    home.windows(NETWORK, &page)?;
    home.hour_record(NETWORK, HOUR, None)?;
    home.scores(NETWORK, sla::window::Window::hour(HOUR), &ScoreFilter::default(), &page)?;
    let by_state = JobFilter { operator: Some(sample::operator(1)), ..JobFilter::default() };
    for filter in [JobFilter::default(), by_state] {
        home.jobs(NETWORK, &filter, &page)?;
    }
    home.job(NETWORK, sample::job_id(3))?;
    home.orchestrators(NETWORK, HOUR.end(), &page)?;
    home.publishers(NETWORK, &page)?;
    home.refusals(NETWORK, None)?;
    Ok(())
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let (directory, path) = file();
    let home = open(&path).unwrap();
    home.record_batches(&[sample::batch(NETWORK, 1)], Some(("reader", 2))).unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 200)).unwrap();
    home.record_publishers(&[sample::publisher(NETWORK, 1, 0)]).unwrap();
    ask_everything(&home).unwrap();
    drop(home);
    let length = std::fs::metadata(&path).unwrap().len();
    let copy = directory.path().join("copy.sqlite");
    let mut refused = 0;
    // A stretch of every page, of noise and of zeros by turns.
    for (turn, offset) in (0..length).step_by(2048).enumerate() {
        std::fs::copy(&path, &copy).unwrap();
        let noise: Vec<u8> =
            (0..97u64).map(|at| u8::try_from((at * at + offset) % 256).unwrap()).collect();
        let damage = if turn % 2 == 0 { noise } else { vec![0; 97] };
        let writing = std::fs::OpenOptions::new().write(true).open(&copy).unwrap();
        writing.write_all_at(&damage, offset).unwrap();
        drop(writing);
        let answer = ReadOnly::open(&copy).map(Box::new);
        let answer = answer.and_then(|reader| ask_everything(&*reader));
        if let Err(error) = answer {
            assert!(!error.is_retryable(), "{error}");
            refused += 1;
        }
        // Writing may succeed or fail, as the damage has it.
        if let Err(error) =
            open(&copy).and_then(|home| home.record_hour(&sample::record(NETWORK, HOUR, 1, 201)))
        {
            assert!(!error.is_retryable(), "{error}");
        }
        for suffix in ["-wal", "-shm"] {
            let beside = directory.path().join(format!("copy.sqlite{suffix}"));
            if beside.exists() {
                std::fs::remove_file(beside).unwrap();
            }
        }
    }
    assert!(refused > 10, "{refused} of {length} bytes");
}

#[test]
fn a_changed_scorecard_is_found_when_it_is_read() {
    let (_directory, path) = file();
    let home = open(&path).unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 5)).unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 1, 6)).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "UPDATE revision SET scorecard = (SELECT scorecard FROM revision WHERE revision = 0)",
        )
        .unwrap();
    home.hour_record(NETWORK, HOUR, Some(0)).unwrap();
    let error = home.hour_record(NETWORK, HOUR, Some(1)).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[test]
fn a_home_that_is_only_read_notices_what_another_connection_writes() {
    let (_directory, path) = file();
    let writer = open(&path).unwrap();
    let reader = ReadOnly::open(&path).unwrap();
    let first = reader.version().unwrap();
    assert_eq!(reader.version().unwrap(), first, "nobody wrote");
    for revision in 0..3 {
        let before = reader.version().unwrap();
        writer.record_hour(&sample::record(NETWORK, HOUR, revision, 3)).unwrap();
        let after = reader.version().unwrap();
        assert!(after > before, "revision {revision}");
        reader.jobs(NETWORK, &JobFilter::default(), &Page::first(10)).unwrap();
        assert_eq!(reader.version().unwrap(), after, "reading is not writing");
    }
}
