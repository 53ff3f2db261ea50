//! A component's document: what is desired, what is known, who works on it, and when it is due.
//!
//! It is one document so that settling is one atomic act.

use std::time::Duration;

use fractal_core::Timestamp;
use fractal_core::artifact::Digest;
use fractal_core::contract::{ComponentId, ComponentKey};
use fractal_core::status::Status;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, VERSION};

/// Worker deaths after which a component is worked on with nothing else in flight.
pub const DEATHS_SHARED_MAX: u32 = 2;
/// Worker deaths while alone after which a component is set aside.
pub const DEATHS_ALONE_MAX: u32 = 5;
/// Wake-ups kept with their reasons; further ones are folded into the last.
pub(crate) const WAKES_MAX: usize = 8;

/// One component in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentDocument {
    version: u32,
    /// Its key.
    pub key: ComponentKey,
    /// Grows with every change of what is desired, removal included.
    pub generation: u64,
    /// Whether it is to be removed. The last body stays known, since others may still depend on it.
    pub tombstone: bool,
    /// The content address of the desired body.
    pub body: Digest,
    /// The components that body depends on.
    #[serde(default)]
    pub dependencies: Vec<ComponentId>,
    /// The last generation that was settled in sync; 0 where none was.
    #[serde(default)]
    pub synced: u64,
    /// What is shown of it.
    #[serde(default)]
    pub status: Status,
    /// The agent's record; `None` before the first note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// When it is worked on next.
    pub due: Timestamp,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseState>,
    /// The last fencing token given out.
    #[serde(default)]
    pub token: u64,
    /// Claims since the last noted progress.
    #[serde(default)]
    pub attempts: u32,
    /// Workers that died in a row while they had other claims too.
    #[serde(default)]
    pub deaths: u32,
    /// Workers that died in a row while it was their only claim.
    #[serde(default)]
    pub deaths_alone: u32,
    /// Whether a claim was taken over since it was last in sync: a full pass has to run.
    #[serde(default)]
    pub taken_over: bool,
    /// Set where it is worked on no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
    /// Wake-ups no settled claim has seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wakes: Vec<Wake>,
    /// The last wake-up's number.
    #[serde(default)]
    pub wake_serial: u64,
    /// The hash of the one plan whose replacements are consented to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// What an agent has to remember of a component. The queue never looks inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which form `value` has.
    pub schema: u32,
    /// The record.
    pub value: Value,
}

/// A lease as it stands in a document. It has no time of day: a challenger watches `beat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseState {
    /// The process that holds it.
    pub holder: String,
    /// Its fencing token.
    pub token: u64,
    /// How long it must stand still before it may be taken over, in milliseconds.
    pub length_ms: u64,
    /// Grows with every write of the holder.
    pub beat: u64,
    /// Whether it was taken with nothing else in flight.
    pub alone: bool,
    /// The wake-ups the holder knows of.
    pub wakes_seen: u64,
}

impl LeaseState {
    /// How long it must stand still before it may be taken over.
    #[must_use]
    pub const fn length(&self) -> Duration {
        Duration::from_millis(self.length_ms)
    }
}

/// Why a component is worked on no more, until it is woken or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// For people.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// A wake-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// Its number, growing within the component.
    pub serial: u64,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Kind for ComponentDocument {
    fn version(&self) -> u32 {
        self.version
    }
}

/// What a live system says about one component.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) generation: u64,
    pub(crate) body: Digest,
    pub(crate) dependencies: Vec<ComponentId>,
}

impl ComponentDocument {
    pub(crate) fn new(key: ComponentKey, wanted: Wanted, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            key,
            generation: wanted.generation,
            tombstone: false,
            body: wanted.body,
            dependencies: wanted.dependencies,
            synced: 0,
            status: Status::default(),
            record: None,
            due: now,
            lease: None,
            token: 0,
            attempts: 0,
            deaths: 0,
            deaths_alone: 0,
            taken_over: false,
            set_aside: None,
            wakes: Vec::new(),
            wake_serial: 0,
            approval: None,
        }
    }

    /// Takes in a newer desired body. An older or equal generation changes nothing: messages may be late or repeated.
    pub(crate) fn want(&mut self, wanted: Wanted, now: Timestamp) -> bool {
        if wanted.generation <= self.generation {
            return false;
        }
        self.tombstone = false;
        self.body = wanted.body;
        self.dependencies = wanted.dependencies;
        self.renew_interest(wanted.generation, now);
        true
    }

    /// Takes in that it is wanted no more as of `generation`.
    pub(crate) fn unwant(&mut self, generation: u64, now: Timestamp) -> bool {
        if self.tombstone || generation < self.generation {
            return false;
        }
        self.tombstone = true;
        self.renew_interest(generation.max(self.generation + 1), now);
        true
    }

    fn renew_interest(&mut self, generation: u64, now: Timestamp) {
        self.generation = generation;
        self.due = self.due.min(now);
        self.attempts = 0;
        self.deaths_alone = 0;
        self.set_aside = None;
    }

    /// Whether no agent ever touched it, so that there is nothing to remove.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        self.token == 0 && self.record.is_none()
    }

    /// Whether it waits for others, or for its cloud, rather than for a fault to pass.
    pub(crate) fn is_waiting(&self, now: Timestamp) -> bool {
        self.lease.is_none()
            && self.synced != self.generation
            && self.attempts == 0
            && self.due > now
    }

    /// Whether its next worker must have nothing else in flight; `dead` where the worker it has now is known to be dead.
    #[must_use]
    pub fn must_be_alone(&self, dead: bool) -> bool {
        let one_more = u32::from(dead && self.lease.as_ref().is_some_and(|lease| !lease.alone));
        self.deaths + one_more >= DEATHS_SHARED_MAX
    }

    /// Counts the death of the worker that holds the lease.
    pub(crate) fn bury(&mut self, now: Timestamp) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        self.taken_over = true;
        if !lease.alone {
            self.deaths += 1;
            return;
        }
        self.deaths_alone += 1;
        if self.deaths_alone >= DEATHS_ALONE_MAX {
            let reason = format!(
                "{} workers died on it while they did nothing else",
                self.deaths_alone
            );
            self.set_aside = Some(SetAside { reason, since: now });
        }
    }

    /// Asks for attention. The same reason twice is one wake-up, unless a worker may have read its inputs before the second.
    pub(crate) fn wake(&mut self, reason: &str, now: Timestamp) -> bool {
        let seen = self.lease.as_ref().map_or(0, |lease| lease.wakes_seen);
        let known = self
            .wakes
            .iter()
            .any(|wake| wake.serial > seen && wake.reason == reason);
        if known && self.due <= now && self.set_aside.is_none() {
            return false;
        }
        if !known {
            self.wake_serial += 1;
            if self.wakes.len() >= WAKES_MAX {
                self.wakes.pop();
            }
            self.wakes.push(Wake {
                serial: self.wake_serial,
                reason: reason.into(),
                at: now,
            });
        }
        if self.set_aside.take().is_some() {
            self.deaths_alone = 0;
        }
        self.due = self.due.min(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(generation: u64) -> Wanted {
        let body = Digest::sha256(generation.to_string());
        Wanted {
            generation,
            body,
            dependencies: Vec::new(),
        }
    }

    fn document(generation: u64) -> ComponentDocument {
        let key = serde_json::json!({
            "liveSystem": "Personal/o/bc/shop", "component": "api", "offer": "A.B.C",
            "environment": {"type": "Personal", "ownerId": "o", "shortName": "dev"},
        });
        let now = Timestamp::from_unix_millis(0);
        ComponentDocument::new(
            serde_json::from_value(key).unwrap(),
            wanted(generation),
            now,
        )
    }

    #[test]
    fn q02_a_follower_that_slept_over_a_newer_flip_changes_nothing() {
        let now = Timestamp::from_unix_millis(1);
        let newest = document(7);
        for late in 1..=7 {
            let mut document = newest.clone();
            assert!(
                !document.want(wanted(late), now),
                "generation {late} after 7"
            );
            assert_eq!(document, newest);
        }
        let mut document = newest.clone();
        assert!(!document.unwant(6, now), "a removal before generation 7");
        assert_eq!(document, newest);
        assert!(document.unwant(8, now) && document.tombstone && document.generation == 8);
        assert!(!document.unwant(9, now), "it is being removed already");
        assert!(
            !document.want(wanted(7), now),
            "what was wanted before the removal"
        );
        assert!(document.want(wanted(9), now) && !document.tombstone);
    }

    #[test]
    fn wake_ups_are_bounded_and_the_newest_is_kept() {
        let now = Timestamp::from_unix_millis(1);
        let mut document = document(1);
        for number in 0..100 {
            document.wake(&format!("reason {number}"), now);
        }
        assert_eq!(document.wakes.len(), WAKES_MAX);
        assert_eq!(
            document.wakes.last().map(|wake| wake.reason.as_str()),
            Some("reason 99")
        );
    }
}
