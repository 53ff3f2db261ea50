//! Where a queue is, as flags and `FRACTAL_QUEUE` say it. Nothing is opened by parsing.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::store::{Sqlite, Store, StoreError};

/// Where the queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueUrl {
    /// `sqlite:PATH`: one file, for processes on one host.
    Sqlite(PathBuf),
}

/// The text names no queue this release can open. It is not repeated: other forms carry credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a queue is written sqlite:PATH")]
pub struct QueueUrlError(());

impl FromStr for QueueUrl {
    type Err = QueueUrlError;

    fn from_str(text: &str) -> Result<Self, QueueUrlError> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            _ => Err(QueueUrlError(())),
        }
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite(path) = self;
        write!(f, "sqlite:{}", path.display())
    }
}

impl QueueUrl {
    /// Opens the store, which is made where there is none.
    ///
    /// # Errors
    /// Where the file cannot be used.
    pub fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let Self::Sqlite(path) = self;
        Ok(Arc::new(Sqlite::open(path)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_by_its_engine_and_place() {
        let url: QueueUrl = "sqlite:state/queue.db".parse().unwrap();
        assert_eq!(url, QueueUrl::Sqlite("state/queue.db".into()));
        assert_eq!(url.to_string(), "sqlite:state/queue.db");
        for text in ["", "sqlite:", "state/queue.db", "nats://user:secret@host"] {
            let error = text.parse::<QueueUrl>().unwrap_err();
            assert_eq!(error.to_string(), "a queue is written sqlite:PATH");
        }
    }
}
