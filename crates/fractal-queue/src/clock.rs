//! Time, passed in: a wall clock for due times that people read, a monotonic one for leases. Rules never ask the system itself.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fractal_core::Timestamp;

/// Both clocks a queue needs.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: shown, and compared with due times. It may jump.
    fn wall(&self) -> Timestamp;

    /// Time since some moment in this process. It never jumps, and no two processes share it.
    fn monotonic(&self) -> Duration;
}

/// The clocks of this machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Clocks that move by hand: leases of minutes are tested in microseconds.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// Clocks that show `wall`.
    #[must_use]
    pub const fn at(wall: Timestamp) -> Self {
        Self {
            now: Mutex::new((wall, Duration::ZERO)),
        }
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        let mut now = self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        now.0 = now
            .0
            .plus_millis(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
        now.1 = now.1.saturating_add(by);
    }

    fn now(&self) -> (Timestamp, Duration) {
        *self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.now().0
    }

    fn monotonic(&self) -> Duration {
        self.now().1
    }
}
