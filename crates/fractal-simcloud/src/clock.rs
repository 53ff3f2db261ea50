//! The simulation's time: the system's, or one that moves only when told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// Milliseconds since the Unix epoch, shared by quota buckets, settling and tokens. Clones share the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    frozen: Option<u64>,
    advanced: Arc<AtomicU64>,
}

impl Clock {
    /// The system's time, plus whatever is advanced.
    #[must_use]
    pub fn system() -> Self {
        Self {
            frozen: None,
            advanced: Arc::default(),
        }
    }

    /// Stands still at the moment it is made, and moves by [`Clock::advance`] only.
    #[must_use]
    pub fn manual() -> Self {
        Self {
            frozen: Some(system_ms()),
            advanced: Arc::default(),
        }
    }

    /// Moves time forward by so many milliseconds.
    pub fn advance(&self, milliseconds: u64) {
        self.advanced.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.frozen
            .unwrap_or_else(system_ms)
            .saturating_add(self.advanced.load(Ordering::SeqCst))
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        at(self.now_ms())
    }
}

/// The moment so many milliseconds after the Unix epoch.
pub(crate) fn at(milliseconds: u64) -> OffsetDateTime {
    let nanos = i128::from(milliseconds).saturating_mul(1_000_000);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn system_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
