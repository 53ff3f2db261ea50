//! When something is tried again: a pure function of what happened and a random number.

use std::time::Duration;

use fractal_core::Class;

/// Bound of the first pause after a fault that may pass.
const TRANSIENT_FIRST: Duration = Duration::from_millis(500);
/// Largest bound after such faults.
const TRANSIENT_MAX: Duration = Duration::from_secs(60);
/// Bound of the first pause after a fault that waits for someone: what was made a moment ago (a role, an artifact) is soon there.
const BLOCKED_FIRST: Duration = Duration::from_secs(2);
/// Largest bound after such faults.
const BLOCKED_MAX: Duration = Duration::from_secs(300);
/// First and longest pause while a cloud operation runs.
const WAIT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Longest pause another side may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(900);

/// The pause after a fault, or none where only a change helps. `attempt` counts from 1, `jitter` is drawn evenly from 0 to 1.
pub(crate) fn after_fault(class: Class, attempt: u32, jitter: f64) -> Option<Duration> {
    match class {
        Class::Transient { retry_after } => {
            let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
            Some(asked + spread(bound(TRANSIENT_FIRST, TRANSIENT_MAX, attempt), jitter))
        }
        Class::Blocked => Some(spread(bound(BLOCKED_FIRST, BLOCKED_MAX, attempt), jitter)),
        Class::Terminal => None,
    }
}

/// The pause while a cloud operation runs that has been running for `elapsed`: half as long again, within bounds.
pub(crate) fn while_waiting(elapsed: Duration) -> Duration {
    (elapsed / 2).clamp(WAIT.0, WAIT.1)
}

/// An interval with a tenth of jitter, so that a fleet does not move in step.
pub(crate) fn around(interval: Duration, jitter: f64) -> Duration {
    interval.mul_f64(0.95 + jitter.clamp(0.0, 1.0) / 10.0)
}

fn bound(first: Duration, max: Duration, attempt: u32) -> Duration {
    first
        .saturating_mul(
            1_u32
                .checked_shl(attempt.saturating_sub(1))
                .unwrap_or(u32::MAX),
        )
        .min(max)
}

/// From half the bound to the bound: spread enough to break step, and never at once.
fn spread(bound: Duration, jitter: f64) -> Duration {
    bound.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound_and_honour_retry_after() {
        let transient = Class::Transient { retry_after: None };
        let pauses: Vec<_> = (1..=9)
            .map(|attempt| after_fault(transient, attempt, 1.0).unwrap().as_millis())
            .collect();
        assert_eq!(
            pauses,
            [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
        );
        let asked = Class::Transient {
            retry_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(after_fault(asked, 1, 0.0).unwrap().as_millis(), 7250);
        let absurd = Class::Transient {
            retry_after: Some(Duration::from_secs(315_360_000)),
        };
        assert!(after_fault(absurd, 1, 1.0).unwrap() <= RETRY_AFTER_MAX + TRANSIENT_FIRST);
    }

    #[test]
    fn blocked_is_tried_soon_at_first_and_terminal_never() {
        assert_eq!(after_fault(Class::Blocked, 1, 1.0).unwrap().as_secs(), 2);
        assert_eq!(after_fault(Class::Blocked, 40, 1.0).unwrap().as_secs(), 300);
        assert_eq!(after_fault(Class::Terminal, 1, 1.0), None);
    }

    #[test]
    fn waiting_grows_with_what_has_been_waited() {
        let check = |elapsed, pause| {
            assert_eq!(
                while_waiting(Duration::from_millis(elapsed)).as_millis(),
                pause
            )
        };
        check(0, 250);
        check(2000, 1000);
        check(60_000, 5000);
    }
}
