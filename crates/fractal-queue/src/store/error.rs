//! What can go wrong in a store.

use std::path::PathBuf;

use fractal_core::fault::{Fault, Reason, chain};

use super::{DOCUMENT_MAX, KEY_MAX, Revision};

/// The store cannot be reached or used.
pub const STORE_UNAVAILABLE: Reason = Reason::new("StoreUnavailable");
/// A document does not fit into the store.
pub const DOCUMENT_TOO_LARGE: Reason = Reason::new("DocumentTooLarge");

/// Why a store refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The document is not the one the writer believed it to be. Nothing was written.
    #[error("document `{key}` was changed by another writer")]
    Conflict {
        /// Its key.
        key: String,
        /// What it is now; `None` where there is no such document.
        found: Option<Revision>,
    },
    /// The document is too large. Nothing was written.
    #[error("document `{key}` has {found} bytes, at most {DOCUMENT_MAX} are taken")]
    TooLarge {
        /// Its key.
        key: String,
        /// Its size, in bytes.
        found: usize,
    },
    /// A key holds a character that is not taken, or too many of them.
    #[error("`{shown}` is no document key: 1 to {KEY_MAX} printable ASCII characters are")]
    Key {
        /// Its beginning.
        shown: String,
    },
    /// The store is another one than the one the watch began on.
    #[error("the store was restored or replaced")]
    Restored,
    /// Deletes after the watch's revision are no longer known.
    #[error("the store no longer knows all deletes since revision {from}")]
    Expired {
        /// Where the watch stood.
        from: Revision,
    },
    /// The file cannot be opened.
    #[error("cannot open the store `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file was written by a version with another format.
    #[error("the store has format {found}, this version reads format {known}")]
    Format {
        /// What it says.
        found: i64,
        /// What is understood.
        known: i64,
    },
    /// Another process held the file for too long. Nothing was written.
    #[error("the store is locked by another process")]
    Busy,
    /// The file that is open is no longer the one at its path: nobody else would see what is written. Nothing was written.
    #[error("the store's file `{path}` was removed or replaced while it was in use")]
    FileReplaced {
        /// The path.
        path: PathBuf,
    },
    /// The engine's thread has ended.
    #[error("the store is closed")]
    Closed,
    /// The engine failed. A write may or may not have happened.
    #[error("the store failed")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<&StoreError> for Fault {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::TooLarge { .. } => Self::terminal(DOCUMENT_TOO_LARGE, error.to_string())
                .next("make the parameters smaller, or split the live system"),
            StoreError::Open { .. } | StoreError::Format { .. } => {
                Self::blocked(STORE_UNAVAILABLE, chain(error))
                    .next("correct the queue's address, the file's permissions or its version")
            }
            StoreError::FileReplaced { .. } => Self::blocked(STORE_UNAVAILABLE, error.to_string())
                .next("restart this process, so that it opens the file that is there now or makes a new one; or put the removed file back"),
            _ => Self::transient(STORE_UNAVAILABLE, chain(error)),
        }
    }
}
