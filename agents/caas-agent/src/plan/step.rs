//! The steps: each one visible effect, as a value.

use std::fmt;

use fractal_core::Fingerprint;
use fractal_core::artifact::Digest;
use fractal_core::reconcile::{self, Effect};
use serde::Serialize;

use crate::inventory::Entry;
use crate::observed::Change;

/// One visible effect on the cluster.
///
/// Uids and what there was before are not serialised: a plan's hash says what is done, and must not change with every read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "step")]
pub enum Step {
    /// Writes the inventory: everything that may exist from now on.
    Record {
        /// The entries.
        entries: Vec<Entry>,
    },
    /// Makes an object.
    Create {
        /// Which.
        object: Entry,
        /// The digest of the image it runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// Of work that runs once: the hash of what it runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<Fingerprint>,
    },
    /// Changes an object.
    Update {
        /// Which.
        object: Entry,
        /// The digest of the image it runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// Of work that runs once: the hash of what it runs. Changing it starts it anew.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<Fingerprint>,
        /// Whether fields are taken back from someone who changed them by hand.
        force: bool,
        /// Whether the replicas are left out, since someone's autoscaler sets them.
        #[serde(skip)]
        scaled: bool,
        /// What changes.
        #[serde(skip)]
        changes: Vec<Change>,
    },
    /// Keeps the replica count for an autoscaler that takes over.
    HandOver {
        /// The workload.
        object: Entry,
        /// How many there are.
        #[serde(skip)]
        replicas: i64,
    },
    /// Takes an object away to make it anew.
    Replace {
        /// Which.
        object: Entry,
        /// Why it cannot be changed in place.
        why: String,
        /// Exactly this one.
        #[serde(skip)]
        uid: String,
    },
    /// Takes an object away that is not wanted any more.
    Prune {
        /// Which.
        object: Entry,
        /// Exactly this one.
        #[serde(skip)]
        uid: String,
    },
    /// Takes the inventory away, last of all.
    Forget {
        /// Exactly this one.
        #[serde(skip)]
        uid: String,
    },
}

impl Step {
    /// The object it is about; none where that is the inventory.
    #[must_use]
    pub const fn object(&self) -> Option<&Entry> {
        match self {
            Self::Create { object, .. }
            | Self::Update { object, .. }
            | Self::HandOver { object, .. }
            | Self::Replace { object, .. }
            | Self::Prune { object, .. } => Some(object),
            Self::Record { .. } | Self::Forget { .. } => None,
        }
    }
}

impl reconcile::Step for Step {
    fn effect(&self) -> Effect {
        match self {
            Self::Record { .. } => Effect::Stage,
            Self::Create { .. } => Effect::Create,
            Self::Update { .. } | Self::HandOver { .. } => Effect::Update,
            Self::Replace { .. } => Effect::Replace,
            Self::Prune { .. } | Self::Forget { .. } => Effect::Delete,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Record { entries } => entries.iter().map(ToString::to_string).collect(),
            Self::Update { changes, .. } => changes.iter().map(ToString::to_string).collect(),
            Self::Replace { why, .. } => vec![why.clone()],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { entries } => {
                write!(f, "record {} objects in the inventory", entries.len())
            }
            Self::Create { object, .. } => write!(f, "create {object}"),
            Self::Update {
                object, changes, ..
            } => {
                write!(f, "update {object}")?;
                match changes.as_slice() {
                    [] => Ok(()),
                    [one] => write!(f, ": {}", one.path),
                    [first, rest @ ..] => write!(f, ": {} and {} more", first.path, rest.len()),
                }
            }
            Self::HandOver { object, .. } => {
                write!(f, "leave the replicas of {object} to its autoscaler")
            }
            Self::Replace { object, .. } => write!(f, "delete {object} to make it anew"),
            Self::Prune { object, .. } => write!(f, "delete {object}"),
            Self::Forget { .. } => f.write_str("delete the inventory"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "{}: {} -> {}",
            self.path,
            shown(&self.from),
            shown(&self.to)
        )
    }
}
