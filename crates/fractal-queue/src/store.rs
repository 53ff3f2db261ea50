//! The document store underneath the queue: get, compare-and-set, list, watch.
//!
//! It knows nothing of components, leases or due times: those rules are written once, above this trait.
//! Nothing else is asked of an engine, so that a new one stays small; [`behaviour`] is what each of them has to pass.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

#[doc(hidden)]
pub mod behaviour;
mod error;
mod sqlite;

pub use error::{DOCUMENT_TOO_LARGE, STORE_UNAVAILABLE, StoreError};
pub use sqlite::Sqlite;

/// Largest document, in bytes. A larger one is refused, never truncated.
pub const DOCUMENT_MAX: usize = 256 * 1024;
/// Longest document key, in bytes: four percent-encoded ids and their prefix.
pub const KEY_MAX: usize = 4096;
/// Most changes one call of [`Changes::next`] gives back.
pub const CHANGES_MAX: usize = 256;

/// A future that a store gives back. Boxed, so that a store can be chosen at run time.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// When a document was written: store-wide, each write has a higher one than all before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// Before the first write: a watch from here begins with everything there is.
    pub const ZERO: Self = Self(0);

    /// From a number an engine keeps.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which life of a store revisions belong to. A store restored from a backup has another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(Box<str>);

impl Incarnation {
    /// From the text an engine keeps.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A place in the history of one incarnation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// Which life of the store.
    pub incarnation: Incarnation,
    /// Everything up to this revision has been seen.
    pub revision: Revision,
}

/// What a writer believes about the document it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// There is none.
    Absent,
    /// It is the one written at this revision.
    At(Revision),
}

/// A document as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// When it was written.
    pub revision: Revision,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A document that was written or deleted. Changes in between may be missing: the last one never is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: String,
    /// When.
    pub revision: Revision,
    /// Its bytes; `None` where it was deleted.
    pub body: Option<Vec<u8>>,
}

/// A small document store, shared by several processes.
///
/// # Behaviour
/// 1. A write that was answered is durable: it survives a kill of any process, and a loss of power.
/// 2. `put` and `delete` act only where `expected` holds, and say [`StoreError::Conflict`] where it does not.
/// 3. Revisions are store-wide and grow with every write, deletes included.
/// 4. A document larger than [`DOCUMENT_MAX`] is refused and changes nothing.
/// 5. `list` gives one moment's documents, ordered by key.
/// 6. `watch` from a revision gives the latest state of every document written or deleted after it, ordered by revision;
///    writes of other processes arrive within a second.
/// 7. A watch on a store that was restored says [`StoreError::Restored`], and one from a revision whose deletes were
///    swept says [`StoreError::Expired`]; both mean: read everything again.
pub trait Store: Send + Sync + 'static {
    /// Where the store is now.
    fn cursor(&self) -> StoreFuture<'_, Cursor>;

    /// Reads one document.
    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Stored>>;

    /// Writes one document where `expected` holds.
    fn put<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
        body: Vec<u8>,
    ) -> StoreFuture<'a, Revision>;

    /// Deletes one document where it is still the one written at `expected`.
    fn delete<'a>(&'a self, key: &'a str, expected: Revision) -> StoreFuture<'a, Revision>;

    /// Reads all documents whose keys begin with `prefix`.
    fn list<'a>(&'a self, prefix: &'a str) -> StoreFuture<'a, Vec<Stored>>;

    /// Follows documents whose keys begin with `prefix`. Without `from` it begins with everything there is.
    fn watch(&self, prefix: &str, from: Option<Cursor>) -> Box<dyn Changes>;
}

/// The stream of a watch, pulled by its reader: memory is bounded by [`CHANGES_MAX`] documents.
pub trait Changes: Send {
    /// The next changes, at least one; waits until there are some. A dropped future loses none.
    fn next(&mut self) -> StoreFuture<'_, Vec<Change>>;

    /// The changes there are now, possibly none; never waits for a writer. An empty list says that the reader is up to date.
    fn ready(&mut self) -> StoreFuture<'_, Vec<Change>>;

    /// What has been given back up to now; `None` before the first answer.
    fn cursor(&self) -> Option<Cursor>;
}

/// Checks what every engine has to refuse.
fn check(key: &str, body: &[u8]) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let shown = key.chars().take(64).flat_map(char::escape_debug).collect();
        return Err(StoreError::Key { shown });
    }
    if body.len() > DOCUMENT_MAX {
        return Err(StoreError::TooLarge {
            key: key.into(),
            found: body.len(),
        });
    }
    Ok(())
}
