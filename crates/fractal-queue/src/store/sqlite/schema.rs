//! Opening the file: permissions, settings, tables, and the incarnation that tells a restored copy from the original.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use super::super::{Cursor, Incarnation, Revision, StoreError};
use super::Seen;
use super::place::Place;

/// The format of the tables below.
const FORMAT: i64 = 1;
/// How long a writer waits for another process.
const BUSY: Duration = Duration::from_secs(15);
/// Several processes that open one new file at once get in each other's way while it is switched to WAL.
const OPEN_ATTEMPTS: u32 = 50;
/// Deletes are remembered this long, so that a watch can tell.
const TOMBSTONE_AGE_SECONDS: u64 = 7 * 24 * 3600;

// The revision is the row id: a write moves the document to the end, and a watch is one range scan.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS documents (
        revision INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, body BLOB, deleted_at INTEGER);
    CREATE TABLE IF NOT EXISTS store (
        one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, incarnation TEXT NOT NULL,
        identity TEXT NOT NULL, revision INTEGER NOT NULL, swept INTEGER NOT NULL);";

// FULL, since an answered write has to survive a loss of power. The cache is small: an idle agent has 15 MiB in all.
const SETTINGS: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -512;
    PRAGMA mmap_size = 0;
    PRAGMA journal_size_limit = 8388608;
    PRAGMA temp_store = MEMORY;";

/// An open file, and what it said when it was opened.
pub(super) struct File {
    pub(super) connection: Connection,
    pub(super) seen: Seen,
    /// `None` in memory.
    pub(super) place: Option<Place>,
}

pub(super) fn open(path: &Path) -> Result<File, StoreError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
        path: path.into(),
        source,
    };
    create(path).map_err(|error| failed(error.into()))?;
    let mut attempt = 0;
    loop {
        match prepare(path) {
            Err(StoreError::Busy) if attempt < OPEN_ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(Duration::from_millis(fastrand::u64(5..40)));
            }
            Err(StoreError::Engine(source)) => return Err(failed(source)),
            other => return other,
        }
    }
}

pub(super) fn in_memory() -> Result<File, StoreError> {
    let connection = Connection::open_in_memory().map_err(engine)?;
    settle(connection, "memory")
}

/// Documents hold what people deploy: nobody else on the host has to read them. SQLite gives its side files the same mode.
///
/// A file that is there is not opened: closing it again would drop the POSIX locks of every other handle of this process
/// (<https://sqlite.org/howtocorrupt.html>, 2.2).
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map(drop),
    }
}

fn prepare(path: &Path) -> Result<File, StoreError> {
    let connection = Connection::open(path).map_err(engine)?;
    connection.busy_timeout(BUSY).map_err(engine)?;
    connection
        .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
        .map_err(engine)?;
    let file = settle(connection, &identity(path))?;
    Ok(File {
        place: Some(Place::of(path)),
        ..file
    })
}

/// What a copy of the file does not share with it. Inode numbers are reused, so the time of birth is part of it.
fn identity(path: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(path) else {
        return String::new();
    };
    let born = metadata
        .created()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    format!("{inode}-{}", born.as_nanos())
}

fn settle(mut connection: Connection, identity: &str) -> Result<File, StoreError> {
    connection.execute_batch(SETTINGS).map_err(engine)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(engine)?;
    transaction.execute_batch(TABLES).map_err(engine)?;
    let known: Option<(i64, String)> = transaction
        .query_row("SELECT format, identity FROM store", (), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
        .map_err(engine)?;
    match known {
        None => {
            let row = (FORMAT, random_id(), identity);
            transaction
                .execute("INSERT INTO store VALUES (1, ?1, ?2, ?3, 0, 0)", row)
                .map_err(engine)?;
        }
        Some((format, _)) if format != FORMAT => {
            return Err(StoreError::Format {
                found: format,
                known: FORMAT,
            });
        }
        Some((_, known)) if known != identity => {
            let row = (random_id(), identity);
            transaction
                .execute("UPDATE store SET incarnation = ?1, identity = ?2", row)
                .map_err(engine)?;
        }
        Some(_) => {}
    }
    transaction.commit().map_err(engine)?;
    sweep(&mut connection, now_seconds())?;
    let seen = read_seen(&connection)?;
    Ok(File {
        connection,
        seen,
        place: None,
    })
}

/// Forgets deletes that are older than any watch has to be.
pub(super) fn sweep(connection: &mut Connection, now: u64) -> Result<(), StoreError> {
    let before = i64::try_from(now.saturating_sub(TOMBSTONE_AGE_SECONDS)).unwrap_or(i64::MAX);
    let old = "SELECT max(revision) FROM documents WHERE body IS NULL AND deleted_at < ?1";
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(engine)?;
    let last: Option<i64> = transaction
        .query_row(old, (before,), |row| row.get(0))
        .map_err(engine)?;
    if let Some(last) = last {
        transaction
            .execute(
                "DELETE FROM documents WHERE body IS NULL AND deleted_at < ?1",
                (before,),
            )
            .map_err(engine)?;
        transaction
            .execute("UPDATE store SET swept = max(swept, ?1)", (last,))
            .map_err(engine)?;
    }
    transaction.commit().map_err(engine)
}

pub(super) fn read_seen(connection: &Connection) -> Result<Seen, StoreError> {
    let mut statement = connection
        .prepare("SELECT incarnation, revision, swept FROM store")
        .map_err(engine)?;
    let row = |row: &rusqlite::Row<'_>| {
        let incarnation = Incarnation::new(row.get::<_, String>(0)?);
        Ok(Seen {
            cursor: Cursor {
                incarnation,
                revision: revision(row, 1)?,
            },
            swept: revision(row, 2)?,
        })
    };
    statement.query_row((), row).map_err(engine)
}

pub(super) fn revision(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    row.get(column)
        .map(|number: i64| Revision::new(number.unsigned_abs()))
}

pub(super) fn now_seconds() -> u64 {
    std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// 128 bits from the keys std seeds its hash maps with, which the operating system gives.
fn random_id() -> String {
    let word = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", word(), word())
}

pub(super) fn engine(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
        _ => StoreError::Engine(Box::new(error)),
    }
}
