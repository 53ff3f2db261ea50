//! The durable, append-only record of every call, and of the state those calls made.
//!
//! One journal line holds a call and its effects, so an effect without its record, or the reverse, cannot survive a kill. Bytes (zips,
//! objects, blobs) lie in files of their own, written before the line that names them.
//!
//! The registry keeps its state in files of its own: killed between a rename and its line, it holds an effect that was neither recorded nor answered.

mod journal;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::journal::{Journal, Record};
use crate::clock::Clock;
use crate::error::SimError;
use crate::exchange::Reply;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// It did what it asks for.
    Accepted,
    /// The service answered an error; nothing changed.
    Refused,
    /// An armed fault kept it from changing anything.
    FaultBefore,
    /// It did what it asks for, and the connection was cut instead of answering.
    LostAnswer,
}

/// One call, as it was identified before anything was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) resource: String,
    pub(crate) mutating: bool,
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps, across restarts.
    pub seq: u64,
    /// Milliseconds since the Unix epoch, by the simulation's clock.
    pub at_ms: u64,
    /// `lambda`, `s3`, `sts`, `iam`, `ecr`, `eks`, `azure`, `gcp`, `vault` or `registry`.
    pub service: String,
    /// The operation's name in the service's own description.
    pub operation: String,
    /// Twelve digits; empty for the registry.
    pub account: String,
    /// Empty for the registry.
    pub region: String,
    /// A function's name, `bucket/key`, `repository@digest`; empty where the call names none.
    pub resource: String,
    /// Whether the operation is one that changes something.
    pub mutating: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// HTTP status of the answer, sent or not; 0 for a reset connection.
    pub status: u16,
    /// The service's error code.
    pub code: Option<String>,
    /// The request, with packages replaced by length and SHA-256.
    pub request: Value,
    /// The fault that struck it.
    pub fault: Option<u64>,
}

impl Entry {
    /// Whether this call changed something in the cloud.
    #[must_use]
    pub fn is_accepted_write(&self) -> bool {
        self.mutating && matches!(self.outcome, Outcome::Accepted | Outcome::LostAnswer)
    }
}

/// The ledger of one simulated cloud or registry. Clones share the same ledger.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    journal: Journal,
    documents: BTreeMap<String, Value>,
    entries: Vec<Entry>,
    clock: Clock,
}

/// What a call did: its answer and what the ledger keeps of its request.
pub(crate) struct Done {
    pub(crate) reply: Reply,
    pub(crate) request: Value,
}

/// The fault that struck a call that is being recorded.
#[derive(Clone, Copy)]
pub(crate) enum Struck {
    Nothing,
    Before(u64),
    LosesAnswer(u64),
}

impl Ledger {
    /// Replays the journal in `folder`, or begins one.
    pub(crate) fn open(folder: &Path, fsync: bool, clock: Clock) -> Result<Self, SimError> {
        let (journal, records) = Journal::open(folder, fsync)?;
        let mut state = State {
            journal,
            documents: BTreeMap::new(),
            entries: Vec::new(),
            clock,
        };
        for record in records {
            state.take(record);
        }
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Every entry after sequence number `after`; 0 gives all.
    #[must_use]
    pub fn since(&self, after: u64) -> Vec<Entry> {
        let first = usize::try_from(after).unwrap_or(usize::MAX);
        self.lock()
            .entries
            .get(first..)
            .unwrap_or_default()
            .to_vec()
    }

    /// The last sequence number; 0 before the first call.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.lock().entries.len() as u64
    }

    /// Runs `effect` on the state and makes it durable together with its record. An error answer has no effects.
    pub(crate) fn commit(
        &self,
        call: &Call,
        struck: Struck,
        effect: impl FnOnce(&mut Transaction<'_>) -> Done,
    ) -> Result<Reply, SimError> {
        let mut state = self.lock();
        let mut transaction = Transaction {
            documents: &state.documents,
            changes: BTreeMap::new(),
        };
        let done = effect(&mut transaction);
        let changes = if done.reply.is_success() {
            transaction.changes
        } else {
            BTreeMap::new()
        };
        let entry = state.entry(call, struck, &done);
        let record = Record { entry, changes };
        state.journal.append(&record)?;
        state.take(record);
        Ok(done.reply)
    }

    /// Reads the state without a record: for the control interface.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&Transaction<'_>) -> T) -> T {
        let state = self.lock();
        f(&Transaction {
            documents: &state.documents,
            changes: BTreeMap::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn entry(&self, call: &Call, struck: Struck, done: &Done) -> Entry {
        let (fault, outcome) = match struck {
            Struck::Before(id) => (Some(id), Outcome::FaultBefore),
            Struck::LosesAnswer(id) if done.reply.is_success() => (Some(id), Outcome::LostAnswer),
            Struck::LosesAnswer(id) => (Some(id), Outcome::Refused),
            Struck::Nothing if done.reply.is_success() => (None, Outcome::Accepted),
            Struck::Nothing => (None, Outcome::Refused),
        };
        let call = call.clone();
        Entry {
            seq: (self.entries.len() as u64).saturating_add(1),
            at_ms: self.clock.now_ms(),
            service: call.service,
            operation: call.operation,
            account: call.account,
            region: call.region,
            resource: call.resource,
            mutating: call.mutating,
            outcome,
            status: done.reply.status,
            code: done.reply.error.clone(),
            request: done.request.clone(),
            fault,
        }
    }

    fn take(&mut self, record: Record) {
        for (key, change) in record.changes {
            match change {
                Some(document) => self.documents.insert(key, document),
                None => self.documents.remove(&key),
            };
        }
        self.entries.push(record.entry);
    }
}

/// The state as one call sees it, its own changes included.
pub(crate) struct Transaction<'a> {
    documents: &'a BTreeMap<String, Value>,
    changes: BTreeMap<String, Option<Value>>,
}

impl Transaction<'_> {
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let document = match self.changes.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.documents.get(key),
        };
        document.and_then(|document| T::deserialize(document).ok())
    }

    pub(crate) fn put<T: Serialize>(&mut self, key: String, document: &T) {
        if let Ok(document) = serde_json::to_value(document) {
            self.changes.insert(key, Some(document));
        }
    }

    pub(crate) fn delete(&mut self, key: String) {
        self.changes.insert(key, None);
    }

    /// Keys below `prefix` after `after`, in byte order, as they were before this call.
    pub(crate) fn keys<'s>(
        &'s self,
        prefix: &'s str,
        after: &str,
    ) -> impl Iterator<Item = &'s str> {
        let start = if after > prefix {
            after.to_owned()
        } else {
            prefix.to_owned()
        };
        let skip = start.clone();
        self.documents
            .range(start..)
            .map(|(key, _)| key.as_str())
            .filter(move |key| *key != skip)
            .take_while(move |key| key.starts_with(prefix))
    }
}
