//! What can go wrong above the store, and how it reads as a fault.

use fractal_core::fault::{Class, Fault, Reason, chain};

use crate::intake::IntakeError;
use crate::store::StoreError;

/// A document in the store cannot be used.
pub const DOCUMENT_UNREADABLE: Reason = Reason::new("DocumentUnreadable");
/// Another worker holds the claim now.
pub const CLAIM_LOST: Reason = Reason::new("ClaimLost");

/// Why the queue refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The store refused or failed.
    #[error("the queue's store cannot be used")]
    Store(#[from] StoreError),
    /// A document is no valid JSON of its kind.
    #[error("document `{key}` cannot be read")]
    Document {
        /// Its key.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A document was written by another version.
    #[error("document `{key}` has version {found}, this release reads version {known}")]
    Version {
        /// Its key.
        key: String,
        /// What it says.
        found: u32,
        /// What is understood.
        known: u32,
    },
    /// A body that a live system names is not in the store.
    #[error("body `{digest}` of component {component} is missing")]
    BodyMissing {
        /// The body's address.
        digest: String,
        /// The component.
        component: String,
    },
    /// Other writers were faster every time.
    #[error("document `{key}` is written by too many others at once")]
    Contended {
        /// Its key.
        key: String,
    },
    /// Another worker has taken the claim over, or the component is gone: write nothing more.
    #[error("the claim on {component} is lost")]
    Lost {
        /// The component.
        component: String,
    },
    /// There is no such document.
    #[error("there is no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// A live system was refused.
    #[error("the live system is refused")]
    Intake(#[from] IntakeError),
}

impl From<&QueueError> for Fault {
    fn from(error: &QueueError) -> Self {
        match error {
            QueueError::Store(error) => Self::from(error),
            QueueError::Intake(error) => Self::from(error),
            QueueError::Lost { .. } => Self::transient(CLAIM_LOST, error.to_string()),
            QueueError::Contended { .. } => {
                Self::transient(crate::store::STORE_UNAVAILABLE, error.to_string())
            }
            QueueError::Document { .. }
            | QueueError::Version { .. }
            | QueueError::BodyMissing { .. } => {
                Self::new(Class::Blocked, DOCUMENT_UNREADABLE, chain(error))
                    .next("submit the live system again with this release")
            }
            QueueError::NotFound { .. } => Self::terminal(DOCUMENT_UNREADABLE, error.to_string())
                .next("look at what `fractal status` lists"),
        }
    }
}
