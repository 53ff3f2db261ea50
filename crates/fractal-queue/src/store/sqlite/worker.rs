//! The thread that owns the connection: drains what waits, answers reads, commits writes together, notices other processes.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use tokio::sync::watch;

use super::super::{CHANGES_MAX, Change, Expected, Revision, StoreError, Stored};
use super::Seen;
use super::place::Place;
use super::request::{Page, Read, Request, Write};
use super::schema::{self, engine, read_seen, revision};

/// Most requests taken into one round: bounds how long the first of them waits for the last.
const ROUND_MAX: usize = 512;
/// How often other processes' writes are looked for while somebody watches. One pragma, no read of the file.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often old deletes are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// The first size of a page's list.
const PAGE_HINT: usize = 16;

pub(super) struct Worker {
    connection: Connection,
    place: Option<Place>,
    /// The file was not in its place when it was last looked for.
    displaced: bool,
    inbox: Receiver<Request>,
    seen: watch::Sender<Seen>,
    data_version: i64,
    looked: Instant,
    swept: Instant,
}

impl Worker {
    pub(super) fn new(
        file: schema::File,
        inbox: Receiver<Request>,
        seen: watch::Sender<Seen>,
    ) -> Self {
        let now = Instant::now();
        Self {
            connection: file.connection,
            place: file.place,
            displaced: false,
            inbox,
            seen,
            data_version: 0,
            looked: now,
            swept: now,
        }
    }

    pub(super) fn run(mut self) {
        while let Some(first) = self.wait() {
            if let Some(path) = self.displaced() {
                first.refuse(StoreError::FileReplaced { path });
                continue;
            }
            let (reads, writes) = self.round(first);
            if !reads.is_empty() {
                self.read(reads);
            }
            if !writes.is_empty() {
                self.write(writes);
            }
            self.look();
        }
    }

    /// The next request. Looks for other processes' writes meanwhile, but only where somebody watches.
    fn wait(&mut self) -> Option<Request> {
        loop {
            // One receiver is the handle's own.
            if self.seen.receiver_count() <= 1 {
                return self.inbox.recv().ok();
            }
            match self.inbox.recv_timeout(LOOK_EVERY) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.look(),
            }
        }
    }

    /// The path where the open file no longer lies: what is written to it is lost then.
    fn displaced(&mut self) -> Option<PathBuf> {
        let place = self.place.as_ref()?;
        let displaced = !place.is_kept();
        let path = place.path().to_owned();
        if displaced != std::mem::replace(&mut self.displaced, displaced) {
            let shown = path.display();
            if displaced {
                tracing::error!(path = %shown, "the store's file was removed or replaced");
            } else {
                tracing::warn!(path = %shown, "the store's file is in its place again");
            }
            // A watch that waits is woken, asks, and is told.
            self.seen.send_modify(|_| {});
        }
        displaced.then_some(path)
    }

    fn round(&self, first: Request) -> (Vec<Read>, Vec<Write>) {
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for request in std::iter::once(first)
            .chain(self.inbox.try_iter())
            .take(ROUND_MAX)
        {
            match request {
                Request::Read(read) => reads.push(read),
                Request::Write(write) => writes.push(write),
            }
        }
        (reads, writes)
    }

    fn look(&mut self) {
        if self.looked.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked = Instant::now();
        if self.displaced().is_some() {
            return;
        }
        if self.swept.elapsed() >= SWEEP_EVERY {
            self.swept = Instant::now();
            if let Err(error) = schema::sweep(&mut self.connection, schema::now_seconds()) {
                tracing::warn!(error = %fractal_core::fault::chain(&error), "old deletes were not swept");
            }
            self.publish();
        }
        let version = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0));
        match version {
            Ok(version) if version == self.data_version => {}
            Ok(version) => {
                self.data_version = version;
                self.publish();
            }
            Err(error) => tracing::warn!(%error, "the store was not looked at"),
        }
    }

    fn publish(&self) {
        match read_seen(&self.connection) {
            Ok(now) => drop(
                self.seen
                    .send_if_modified(|seen| std::mem::replace(seen, now.clone()) != now),
            ),
            Err(error) => {
                tracing::warn!(error = %fractal_core::fault::chain(&error), "the store was not looked at")
            }
        }
    }

    fn read(&mut self, reads: Vec<Read>) {
        // A reader that went away needs no answer.
        for read in reads {
            match read {
                Read::Cursor { reply } => {
                    drop(reply.send(read_seen(&self.connection).map(|seen| seen.cursor)))
                }
                Read::Get { key, reply } => drop(reply.send(get(&self.connection, &key))),
                Read::List { prefix, reply } => drop(reply.send(list(&self.connection, &prefix))),
                Read::Changes {
                    prefix,
                    after,
                    reply,
                } => drop(reply.send(changes(&mut self.connection, &prefix, after))),
            }
        }
    }

    /// One transaction, one sync. A refused write does not hold the others up.
    fn write(&mut self, writes: Vec<Write>) {
        match commit(&mut self.connection, &writes) {
            Ok(results) => {
                self.publish();
                for (write, result) in writes.into_iter().zip(results) {
                    drop(write.reply.send(result));
                }
            }
            Err(StoreError::Busy) => refuse(writes, || StoreError::Busy),
            Err(error) => {
                let why = fractal_core::fault::chain(&error);
                refuse(writes, || StoreError::Engine(why.clone().into()));
            }
        }
    }
}

fn refuse(writes: Vec<Write>, error: impl Fn() -> StoreError) {
    for write in writes {
        drop(write.reply.send(Err(error())));
    }
}

fn commit(
    connection: &mut Connection,
    writes: &[Write],
) -> Result<Vec<Result<Revision, StoreError>>, StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(engine)?;
    let mut last = read_seen(&transaction)?.cursor.revision;
    let mut results = Vec::with_capacity(writes.len());
    for write in writes {
        let found = current(&transaction, &write.key)?;
        if !holds(write.expected, found) {
            let found = found
                .filter(|found| found.alive)
                .map(|found| found.revision);
            results.push(Err(StoreError::Conflict {
                key: write.key.clone(),
                found,
            }));
            continue;
        }
        last = Revision::new(last.get() + 1);
        store(&transaction, write, last)?;
        results.push(Ok(last));
    }
    transaction
        .execute("UPDATE store SET revision = ?1", (number(last),))
        .map_err(engine)?;
    transaction.commit().map_err(engine)?;
    Ok(results)
}

#[derive(Clone, Copy)]
struct Found {
    revision: Revision,
    alive: bool,
}

fn holds(expected: Expected, found: Option<Found>) -> bool {
    let found = found
        .filter(|found| found.alive)
        .map(|found| found.revision);
    match expected {
        Expected::Absent => found.is_none(),
        Expected::At(revision) => found == Some(revision),
    }
}

fn current(connection: &Connection, key: &str) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT revision, body IS NOT NULL FROM documents WHERE key = ?1";
    let mut statement = connection.prepare(sql).map_err(engine)?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Found {
            revision: revision(row, 0)?,
            alive: row.get(1)?,
        })
    };
    statement.query_row((key,), row).optional().map_err(engine)
}

fn store(connection: &Connection, write: &Write, at: Revision) -> Result<(), StoreError> {
    let sql = "INSERT INTO documents (revision, key, body, deleted_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (key) DO UPDATE SET revision = ?1, body = ?3, deleted_at = ?4";
    let mut statement = connection.prepare(sql).map_err(engine)?;
    let deleted_at = write
        .body
        .is_none()
        .then(schema::now_seconds)
        .map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    statement
        .execute((number(at), &write.key, &write.body, deleted_at))
        .map_err(engine)?;
    Ok(())
}

fn get(connection: &Connection, key: &str) -> Result<Option<Stored>, StoreError> {
    let sql = "SELECT key, revision, body FROM documents WHERE key = ?1 AND body IS NOT NULL";
    let mut statement = connection.prepare(sql).map_err(engine)?;
    statement
        .query_row((key,), stored)
        .optional()
        .map_err(engine)
}

fn list(connection: &Connection, prefix: &str) -> Result<Vec<Stored>, StoreError> {
    let sql = "SELECT key, revision, body FROM documents WHERE key >= ?1 AND key < ?2 AND body IS NOT NULL ORDER BY key";
    let mut statement = connection.prepare(sql).map_err(engine)?;
    let rows = statement
        .query_map((prefix, after_prefix(prefix)), stored)
        .map_err(engine)?;
    rows.collect::<Result<_, _>>().map_err(engine)
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        key: row.get(0)?,
        revision: revision(row, 1)?,
        body: row.get(2)?,
    })
}

/// Keys are printable ASCII, so that every key with the prefix is below it with `DEL` behind.
fn after_prefix(prefix: &str) -> String {
    format!("{prefix}\u{7f}")
}

fn changes(connection: &mut Connection, prefix: &str, after: Revision) -> Result<Page, StoreError> {
    // One moment for the state and the rows.
    let transaction = connection.transaction().map_err(engine)?;
    let seen = read_seen(&transaction)?;
    // The plus signs keep the planner on the range of revisions: in the steady state it is short, a prefix is not.
    let sql = "SELECT key, revision, body FROM documents WHERE revision > ?1 AND +key >= ?2 AND +key < ?3 ORDER BY revision LIMIT ?4";
    let limit = i64::try_from(CHANGES_MAX).unwrap_or(i64::MAX);
    let mut changes = Vec::with_capacity(PAGE_HINT);
    {
        let mut statement = transaction.prepare(sql).map_err(engine)?;
        let mut rows = statement
            .query((number(after), prefix, after_prefix(prefix), limit))
            .map_err(engine)?;
        while let Some(row) = rows.next().map_err(engine)? {
            changes.push(change(row).map_err(engine)?);
        }
    }
    let full = changes.len() == CHANGES_MAX;
    let upto = changes
        .last()
        .filter(|_| full)
        .map_or(seen.cursor.revision, |last: &Change| last.revision);
    Ok(Page {
        changes,
        upto,
        seen,
    })
}

fn change(row: &rusqlite::Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        key: row.get(0)?,
        revision: revision(row, 1)?,
        body: row.get(2)?,
    })
}

fn number(revision: Revision) -> i64 {
    i64::try_from(revision.get()).unwrap_or(i64::MAX)
}
