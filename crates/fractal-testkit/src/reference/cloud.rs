//! The cloud's state: objects, staged bytes, and the ledger of every call. Decides nothing about faults; `api` does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::conformance::{Call, Object, Trouble};

/// What an object runs and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Hash of the bytes.
    pub code: String,
    /// Settings, everybody's.
    pub settings: BTreeMap<String, String>,
}

/// Where the object's last operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// It succeeded.
    Done,
    /// It goes on.
    Running,
    /// The creation failed, with the cloud's words.
    CreateFailed(String),
    /// The last update failed, with the cloud's words; what ran before still runs.
    UpdateFailed(String),
}

/// An object as reads show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The ownership marker.
    pub owner: Option<String>,
    /// The digest marker.
    pub digest: Option<String>,
    /// What runs, or will once the operation is done.
    pub latest: Version,
    /// Where the last operation stands.
    pub operation: Operation,
}

#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) seen: Seen,
    pub(super) serving: Option<Version>,
    pub(super) fails_late: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, Stored>,
    /// What reads of a place show instead of the truth, and how often still.
    pub(super) stale: BTreeMap<String, (u32, Option<Seen>)>,
    /// Staged bytes by their hash and who staged them.
    pub(super) blobs: BTreeMap<String, String>,
    pub(super) calls: Vec<Call>,
    pub(super) armed: Vec<Armed>,
    pub(super) hung: bool,
}

/// An armed fault, and the calls it has counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Armed {
    pub(super) trouble: Trouble,
    pub(super) seen: usize,
}

/// A handle to the cloud. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cloud(Arc<Mutex<State>>);

impl Cloud {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends every operation in progress.
    pub(super) fn settle(&mut self) {
        self.objects.values_mut().for_each(Stored::settle);
    }

    pub(super) fn objects(&self) -> Vec<Object> {
        let object = |(place, stored): (&String, &Stored)| {
            let serving = stored.serving.as_ref();
            Object {
                place: place.clone(),
                owner: stored.seen.owner.clone(),
                serves: serving.map(|version| version.code.clone()),
                settings: serving
                    .map(|version| version.settings.clone())
                    .unwrap_or_default(),
                digest: stored.seen.digest.clone(),
            }
        };
        self.objects.iter().map(object).collect()
    }
}

impl Stored {
    fn settle(&mut self) {
        if self.seen.operation != Operation::Running {
            return;
        }
        self.seen.operation = match (self.fails_late.take(), &self.serving) {
            (None, _) => {
                self.serving = Some(self.seen.latest.clone());
                Operation::Done
            }
            (Some(words), None) => Operation::CreateFailed(words),
            (Some(words), Some(_)) => Operation::UpdateFailed(words),
        };
    }
}
