//! The embedded engine: one SQLite file in WAL mode, shared by any number of processes on one host.
//!
//! One thread per handle owns the only connection. It takes all requests that wait, answers the reads, and writes the
//! rest in one transaction with one sync: speed is the number of syncs, nothing else.
//! Where the file is removed or replaced meanwhile, every operation says so.
//! It does not work on network file systems, since SQLite's shared memory does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::{Semaphore, oneshot, watch};

use super::{
    Change, Changes, Cursor, Expected, Revision, Store, StoreError, StoreFuture, Stored, check,
};

mod follow;
mod place;
mod request;
mod schema;
mod worker;

use follow::Follow;
use request::{Page, Read, Request, Write};
use worker::Worker;

/// Requests that may wait at once; more of them wait before they are built. Bounds memory to about this many documents.
const QUEUED_MAX: usize = 1024;

/// A handle on one SQLite file. Dropping it closes the file.
pub struct Sqlite {
    link: Arc<Link>,
    path: Option<PathBuf>,
}

/// The way to the thread, shared with watches.
struct Link {
    requests: Sender<Request>,
    room: Semaphore,
    seen: watch::Receiver<Seen>,
}

/// What the thread knows of the file: watches wait for it to move.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    cursor: Cursor,
    swept: Revision,
}

impl Sqlite {
    /// Opens the file, creating it where it is missing, readable by its owner only. Blocks for as long as SQLite needs.
    ///
    /// # Errors
    /// Where the file cannot be opened or has another format.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        Self::start(schema::open(path)?, Some(path.into()))
    }

    /// A store in memory: as volatile as it sounds, for tests and dry runs.
    ///
    /// # Errors
    /// Where SQLite cannot be started.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(schema::in_memory()?, None)
    }

    /// The file; `None` in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn start(file: schema::File, path: Option<PathBuf>) -> Result<Self, StoreError> {
        let (requests, inbox) = channel();
        let (seen_by, seen) = watch::channel(file.seen.clone());
        let worker = Worker::new(file, inbox, seen_by);
        std::thread::Builder::new()
            .name("queue-store".into())
            .stack_size(512 * 1024)
            .spawn(move || worker.run())
            .map_err(|error| StoreError::Engine(Box::new(error)))?;
        Ok(Self {
            link: Arc::new(Link {
                requests,
                room: Semaphore::new(QUEUED_MAX),
                seen,
            }),
            path,
        })
    }
}

impl Link {
    async fn ask<T>(
        &self,
        build: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let _room = self.room.acquire().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(build(reply))
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn page(&self, prefix: String, after: Revision) -> Result<Page, StoreError> {
        self.ask(|reply| {
            Request::Read(Read::Changes {
                prefix,
                after,
                reply,
            })
        })
        .await
    }
}

impl Store for Sqlite {
    fn cursor(&self) -> StoreFuture<'_, Cursor> {
        Box::pin(self.link.ask(|reply| Request::Read(Read::Cursor { reply })))
    }

    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Stored>> {
        Box::pin(self.link.ask(|reply| {
            Request::Read(Read::Get {
                key: key.into(),
                reply,
            })
        }))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
        body: Vec<u8>,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            check(key, &body)?;
            let write = |reply| {
                Request::Write(Write {
                    key: key.into(),
                    expected,
                    body: Some(body),
                    reply,
                })
            };
            self.link.ask(write).await
        })
    }

    fn delete<'a>(&'a self, key: &'a str, expected: Revision) -> StoreFuture<'a, Revision> {
        let expected = Expected::At(expected);
        Box::pin(self.link.ask(move |reply| {
            Request::Write(Write {
                key: key.into(),
                expected,
                body: None,
                reply,
            })
        }))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> StoreFuture<'a, Vec<Stored>> {
        Box::pin(self.link.ask(|reply| {
            Request::Read(Read::List {
                prefix: prefix.into(),
                reply,
            })
        }))
    }

    fn watch(&self, prefix: &str, from: Option<Cursor>) -> Box<dyn Changes> {
        Box::new(Follow::new(Arc::clone(&self.link), prefix, from))
    }
}
