//! Dry runs that need no repetition: their answer was clean a moment ago, and nothing it depends on has changed since.
//!
//! It spares a rollout that is looked at every few seconds, and the rounds of one pass, most of their calls.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fractal_core::artifact::Digest;
use serde_json::{Value, json};

use crate::compare;
use crate::inventory::Entry;

/// How long it is believed that applying changes nothing. The API server's defaults and webhooks change without a trace in the object.
const CLEAN: Duration = Duration::from_secs(60);
/// How long it is believed that an object can be made: as long as one pass takes. Quotas and policies are others' objects.
const MAKEABLE: Duration = Duration::from_secs(10);
/// Most answers kept, some 100 bytes each.
const MOST: usize = 20_000;

/// Clean answers, by object.
#[derive(Default)]
pub(crate) struct Tried {
    answers: Mutex<HashMap<String, (Instant, Digest)>>,
}

/// All that a dry run's answer depends on, as far as it can be seen.
pub(crate) struct Trial {
    object: String,
    state: Digest,
    believed: Duration,
}

impl Trial {
    /// Of applying `object`, where `live` is.
    pub(crate) fn of(entry: &Entry, object: &Value, live: Option<&Value>) -> Self {
        let there = live.map(|live| json!([compare::mark(live), compare::owned(live)]));
        Self {
            object: entry.to_string(),
            state: Digest::sha256(json!([object, there]).to_string()),
            believed: if live.is_some() { CLEAN } else { MAKEABLE },
        }
    }
}

impl Tried {
    /// Whether the same trial was clean a moment ago.
    pub(crate) fn was_clean(&self, trial: &Trial) -> bool {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers
            .get(&trial.object)
            .is_some_and(|(at, state)| *state == trial.state && at.elapsed() < trial.believed)
    }

    /// Remembers a clean trial.
    pub(crate) fn is_clean(&self, trial: Trial) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(trial.object, (Instant::now(), trial.state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_until_the_object_or_what_is_wanted_changes() {
        let live = |value: &str, version: &str| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": "a", "namespace": "b", "resourceVersion": version }, "data": { "k": value },
            })
        };
        let wanted = |value: &str| json!({ "data": { "k": value } });
        let entry = Entry::of(&live("1", "1")).unwrap();
        let trial = |wanted: Value, live: Option<&Value>| Trial::of(&entry, &wanted, live);
        let tried = Tried::default();
        let clean = || trial(wanted("1"), Some(&live("1", "1")));
        assert!(!tried.was_clean(&clean()));
        tried.is_clean(clean());
        assert!(tried.was_clean(&clean()));
        assert!(tried.was_clean(&trial(wanted("1"), Some(&live("1", "2")))));
        assert!(!tried.was_clean(&trial(wanted("2"), Some(&live("1", "1")))));
        assert!(!tried.was_clean(&trial(wanted("1"), Some(&live("2", "1")))));
        assert!(!tried.was_clean(&trial(wanted("1"), None)));
    }
}
