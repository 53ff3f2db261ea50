//! The documents the queue keeps, as they are written: one per component, one per live system, one per agent and per question.
//!
//! They are data with small, total rules on them; reading and writing them is [`crate::queue`]'s business.

pub(crate) mod agent;
pub(crate) mod ask;
pub(crate) mod component;
pub(crate) mod key;
pub(crate) mod live_system;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::QueueError;

/// The version all documents carry. A reader refuses another one: it never guesses.
pub(crate) const VERSION: u32 = 1;

/// A document that is written as JSON and says which version it is.
pub(crate) trait Kind: Serialize + DeserializeOwned + Send {
    /// The version it was written with.
    fn version(&self) -> u32;
}

/// Reads a document of this version.
pub(crate) fn read<D: Kind>(key: &str, body: &[u8]) -> Result<D, QueueError> {
    let document: D = serde_json::from_slice(body).map_err(|source| QueueError::Document {
        key: key.into(),
        source,
    })?;
    if document.version() == VERSION {
        Ok(document)
    } else {
        Err(QueueError::Version {
            key: key.into(),
            found: document.version(),
            known: VERSION,
        })
    }
}

/// Writes a document.
pub(crate) fn write<D: Kind>(key: &str, document: &D) -> Result<Vec<u8>, QueueError> {
    serde_json::to_vec(document).map_err(|source| QueueError::Document {
        key: key.into(),
        source,
    })
}
