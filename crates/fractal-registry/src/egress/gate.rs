//! Per-host gates: when a host asks for a pause, everyone here waits, not only the one who was told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::endpoint::Origin;
use crate::error::{RegistryError, Said};

/// Spread of those who wait at one gate, so that they do not all leave at once.
const SPREAD: Duration = Duration::from_millis(500);

pub(super) struct Gates {
    closed_until: Mutex<HashMap<Origin, Instant>>,
    random: Mutex<fastrand::Rng>,
}

impl Gates {
    pub(super) fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            closed_until: Mutex::default(),
            random: Mutex::new(random),
        }
    }

    /// Waits until the gate opens; fails at once where that is longer than `patience`.
    pub(super) async fn pass(
        &self,
        origin: &Origin,
        at: &Arc<str>,
        patience: Duration,
    ) -> Result<(), RegistryError> {
        let Some(left) = self.left(origin) else {
            return Ok(());
        };
        if left > patience {
            return Err(RegistryError::Throttled {
                at: at.clone(),
                retry_after: Some(left),
                said: Said::default(),
            });
        }
        let spread = self.jitter(SPREAD.min(left));
        tokio::time::sleep(left + spread).await;
        Ok(())
    }

    pub(super) fn hold(&self, origin: &Origin, pause: Duration) {
        let until = Instant::now() + pause;
        let mut gates = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(origin.clone()).or_insert(until);
        *gate = (*gate).max(until);
    }

    pub(super) fn jitter(&self, bound: Duration) -> Duration {
        bound.mul_f64(
            self.random
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .f64(),
        )
    }

    fn left(&self, origin: &Origin) -> Option<Duration> {
        let mut gates = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = gates.get(origin)?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            gates.remove(origin);
            return None;
        }
        Some(left)
    }
}
