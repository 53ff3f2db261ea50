//! The steps: each one visible effect, as a value.

use std::fmt;

use fractal_core::artifact::Digest;
use fractal_core::reconcile::{self, Effect};
use serde::Serialize;

use crate::observed::Variables;
use crate::place::Staged;

/// One visible effect on Lambda or its staging bucket.
///
/// Revisions and variables are not serialised: a plan's hash says what is done, and must not change with every read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// Puts the zip into the staging bucket.
    Stage {
        /// Where.
        object: Staged,
        /// The zip's digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
    /// Makes the function, its markers included.
    Create {
        /// What it runs.
        code: String,
    },
    /// Changes settings.
    Settings {
        /// Which, for people.
        changes: Vec<String>,
        /// All variables the function has afterwards, others' included.
        #[serde(skip)]
        variables: Variables,
        /// The revision this was planned from.
        #[serde(skip)]
        revision: String,
    },
    /// Changes the code.
    Code {
        /// What it runs.
        code: String,
        /// The revision this was planned from.
        #[serde(skip)]
        revision: String,
    },
    /// Writes the digest marker.
    Mark {
        /// The artifact's digest.
        digest: Digest,
    },
    /// Deletes the function.
    Delete {
        /// Why.
        because: Deletion,
    },
    /// Deletes a staged zip.
    Unstage {
        /// Where.
        object: Staged,
    },
}

/// Why a function is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Deletion {
    /// It is not wanted any more.
    Undeploy,
    /// It never came to run; Lambda keeps such a function unusable.
    FailedCreation,
    /// Lambda cannot turn a zip function into an image function or back.
    PackageChange,
}

impl reconcile::Step for Step {
    fn effect(&self) -> Effect {
        match self {
            Self::Stage { .. } => Effect::Stage,
            Self::Create { .. } => Effect::Create,
            Self::Settings { .. } | Self::Code { .. } | Self::Mark { .. } => Effect::Update,
            Self::Delete {
                because: Deletion::PackageChange,
            } => Effect::Replace,
            Self::Delete { .. } | Self::Unstage { .. } => Effect::Delete,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage { object, size, .. } => write!(f, "stage {size} bytes at {object}"),
            Self::Create { code } => write!(f, "create the function with {code}"),
            Self::Settings { changes, .. } => write!(f, "update settings: {}", changes.join(", ")),
            Self::Code { code, .. } => write!(f, "update the code to {code}"),
            Self::Mark { digest } => write!(f, "mark digest {}", digest.short()),
            Self::Delete {
                because: Deletion::Undeploy,
            } => f.write_str("delete the function"),
            Self::Delete {
                because: Deletion::FailedCreation,
            } => f.write_str("delete the function whose creation failed"),
            Self::Delete {
                because: Deletion::PackageChange,
            } => f.write_str("delete the function, its package type changes"),
            Self::Unstage { object } => write!(f, "delete {object}"),
        }
    }
}
