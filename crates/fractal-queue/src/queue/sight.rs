//! What this process has seen standing still: leases and presences are judged without a common clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A counter that its owner moves while it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beat {
    /// Whose counter: a lease's token.
    pub(super) token: u64,
    pub(super) count: u64,
}

/// By document key: the last beat, and since when, on our own monotonic clock, it has not moved.
#[derive(Default)]
pub(super) struct Sightings {
    seen: Mutex<HashMap<Box<str>, (Beat, Duration)>>,
}

impl Sightings {
    /// Looks at a beat, and says for how long it has stood still as far as we watched.
    pub(super) fn look(&self, key: &str, beat: Beat, now: Duration) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(key) {
            Some((known, since)) if *known == beat => now.saturating_sub(*since),
            Some(known) => {
                *known = (beat, now);
                Duration::ZERO
            }
            None => {
                seen.insert(key.into(), (beat, now));
                Duration::ZERO
            }
        }
    }

    /// Forgets a key whose lease is gone.
    pub(super) fn forget(&self, key: &str) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}
