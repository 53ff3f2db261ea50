//! Token buckets per account, region and class of call: one second of burst, refilled continuously.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Clock;

pub(crate) struct Buckets {
    clock: Clock,
    state: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Thousandths of a call, so that a rate per second is an amount per millisecond.
    level: u64,
    at_ms: u64,
}

impl Buckets {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Takes one call from `key`'s bucket, or says after how many seconds to retry.
    pub(crate) fn take(&self, key: &str, rate: Option<u32>) -> Result<(), u64> {
        let Some(rate) = rate.map(u64::from) else {
            return Ok(());
        };
        let capacity = rate.saturating_mul(1000);
        let now = self.clock.now_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = state.entry(key.to_owned()).or_insert(Bucket {
            level: capacity,
            at_ms: now,
        });
        let refill = now.saturating_sub(bucket.at_ms).saturating_mul(rate);
        bucket.level = bucket.level.saturating_add(refill).min(capacity);
        bucket.at_ms = now;
        match bucket.level.checked_sub(1000) {
            Some(level) => {
                bucket.level = level;
                Ok(())
            }
            None => Err(1),
        }
    }

    /// Fills every bucket.
    pub(crate) fn reset(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_one_second_and_refills_by_time() {
        let clock = Clock::manual();
        let buckets = Buckets::new(clock.clone());
        for _ in 0..15 {
            assert_eq!(buckets.take("a", Some(15)), Ok(()));
        }
        assert_eq!(buckets.take("a", Some(15)), Err(1));
        assert_eq!(buckets.take("b", Some(15)), Ok(()));
        clock.advance(67);
        assert_eq!(buckets.take("a", Some(15)), Ok(()));
        assert_eq!(buckets.take("a", Some(15)), Err(1));
        assert_eq!(buckets.take("a", None), Ok(()));
    }
}
