//! What is remembered of a component between passes: durable with it, and enough to find and delete everything made for it.

use serde::{Deserialize, Serialize};

use crate::artifact::Digest;
use crate::fingerprint::Fingerprint;

/// A component's record, by the platform's places and memos.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<L, M> {
    /// Every place that may hold something of ours. Entered before the first write there, left after confirmed absence.
    pub places: Vec<(L, M)>,
    /// What the last empty plan was made from. Cleared in the first note of a change.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub synced: Option<Synced>,
    /// The last digest that was seen to run.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub stable: Option<Digest>,
    /// The fingerprint of what can never succeed: not tried again until it moves.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Fingerprint>,
    /// A plan that was carried out and came up again unchanged, and how often.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<(Fingerprint, u32)>,
}

const fn none<T>() -> Option<T> {
    None
}

/// What was in sync with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// The fingerprint of what was desired.
    pub fingerprint: Fingerprint,
    /// The cloud's own mark of the object's version, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
}

impl<L, M> Default for Record<L, M> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            synced: None,
            stable: None,
            rejected: None,
            unsettled: None,
        }
    }
}

impl<L: PartialEq + Clone, M: Default + Clone> Record<L, M> {
    /// What is remembered of a place.
    #[must_use]
    pub fn memo(&self, place: &L) -> M {
        self.places
            .iter()
            .find(|(known, _)| known == place)
            .map(|(_, memo)| memo.clone())
            .unwrap_or_default()
    }

    /// Remembers a place.
    pub fn remember(&mut self, place: &L, memo: M) {
        match self.places.iter_mut().find(|(known, _)| known == place) {
            Some((_, known)) => *known = memo,
            None => self.places.push((place.clone(), memo)),
        }
    }

    /// Whether a place is remembered.
    #[must_use]
    pub fn knows(&self, place: &L) -> bool {
        self.places.iter().any(|(known, _)| known == place)
    }

    /// Forgets a place, after its absence is confirmed.
    pub fn forget(&mut self, place: &L) {
        self.places.retain(|(known, _)| known != place);
    }
}
