//! Breakers: a registry that fails to answer is left alone for a while, and asked again by one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fractal_core::artifact::RegistryHost;
use fractal_core::{Class, Fault};

/// First pause after a failure; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(2);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// One breaker per registry.
#[derive(Debug, Default)]
pub(super) struct Breakers(Mutex<HashMap<RegistryHost, Breaker>>);

#[derive(Debug)]
struct Breaker {
    failures: u32,
    until: Instant,
    fault: Fault,
}

impl Breakers {
    /// What the registry's last failure was, while it is left alone. After the pause the first who asks gets through, the others wait on.
    pub(super) fn is_open(&self, host: &RegistryHost) -> Option<Fault> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = all.get_mut(host)?;
        let now = Instant::now();
        if breaker.until > now {
            return Some(breaker.fault.clone());
        }
        breaker.until = now + pause(breaker.failures);
        None
    }

    /// Takes in an answer. Only a fault of the registry itself counts; that an artifact is missing is an answer.
    pub(super) fn learn(&self, host: &RegistryHost, fault: Option<&Fault>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = fault.filter(|fault| matches!(fault.class, Class::Transient { .. }));
        let Some(fault) = failed else {
            all.remove(host);
            return;
        };
        let failures = all.get(host).map_or(0, |known| known.failures) + 1;
        let breaker = Breaker {
            failures,
            until: Instant::now() + pause(failures),
            fault: fault.clone(),
        };
        all.insert(host.clone(), breaker);
    }
}

fn pause(failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
    FIRST
        .saturating_mul(doubled.unwrap_or(u32::MAX))
        .min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fractal_core::Reason;

    #[test]
    fn a_failing_registry_is_left_alone_and_an_answer_closes_the_breaker() {
        let (breakers, host) = (Breakers::default(), "r.example.com".parse().unwrap());
        let down = Fault::transient(Reason::new("Down"), "down");
        assert_eq!(breakers.is_open(&host), None);
        breakers.learn(&host, Some(&down));
        assert_eq!(breakers.is_open(&host), Some(down));
        let missing = Fault::blocked(Reason::new("Missing"), "missing");
        breakers.learn(&host, Some(&missing));
        assert_eq!(breakers.is_open(&host), None, "it answered");
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<_> = (1..=7).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
    }
}
