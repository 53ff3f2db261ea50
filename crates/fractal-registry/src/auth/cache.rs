//! Credentials and tokens at hand: asked for once however many wait, renewed before they run out, kept through a short outage.
//!
//! It knows nothing of what it keeps, nor of how that is asked for.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fractal_core::{Class, Fault};
use serde_json::Value;
use tokio::time::Instant;

/// Longest time before its end at which something is renewed.
const EARLY_MAX: Duration = Duration::from_secs(5 * 60);
/// Longest time anything is kept, whatever its service says.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Shortest: a service that says nothing, zero or less is asked again after this.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long something is kept whose service says nothing readable.
const UNSAID: Duration = Duration::from_secs(60);
/// After a renewal failed for a reason that may pass, what is still good serves this long before the next try.
const RESPITE: Duration = Duration::from_secs(10);
/// Entries held before those that ran out are dropped.
const HELD_MAX: usize = 256;

/// Something with an end.
#[derive(Debug, Clone)]
pub struct Issued<T> {
    /// What was issued.
    pub value: T,
    /// How long it holds from now, as its service says.
    pub lifetime: Duration,
}

impl<T> Issued<T> {
    /// With the seconds a service says: services write them as numbers and as texts. What is neither means a minute.
    #[must_use]
    pub fn lasting(value: T, seconds: &Value) -> Self {
        let seconds = seconds
            .as_f64()
            .or_else(|| seconds.as_str()?.trim().parse().ok());
        let lifetime = match seconds.filter(|seconds| seconds.is_finite()) {
            Some(seconds) => Duration::from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64())),
            None => UNSAID,
        };
        Self { value, lifetime }
    }
}

/// What was issued, by key.
pub struct Cache<K, T>(Mutex<HashMap<K, Slot<T>>>);

type Slot<T> = Arc<tokio::sync::Mutex<State<T>>>;

struct State<T> {
    held: Option<Held<T>>,
    /// The last failure: whoever waited for that very answer gets it, instead of asking in turn.
    failed: Option<(Fault, Instant)>,
}

struct Held<T> {
    value: T,
    since: Instant,
    renew_at: Instant,
    until: Instant,
}

impl<K, T> Default for Cache<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, T> fmt::Debug for Cache<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Cache<K, T> {
    /// What is at hand for `key`, or what `ask` gives.
    ///
    /// With `fresh`, what was at hand when this was called is not given again. Calls that wait for the same answer share it,
    /// be it good or bad. Where `ask` fails for a reason that may pass and what is at hand still holds, that one is given.
    ///
    /// # Errors
    /// What `ask` says.
    pub async fn get<F>(&self, key: &K, fresh: bool, ask: impl FnOnce() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<Issued<T>, Fault>> + Send,
    {
        let called = Instant::now();
        let slot = self.slot(key);
        let mut state = slot.lock().await;
        if let Some(at_hand) = state.at_hand(called, Instant::now(), fresh) {
            return at_hand;
        }
        match ask().await {
            Ok(issued) => Ok(state.keep(issued, Instant::now())),
            Err(fault) => state.survive(fault, Instant::now(), fresh),
        }
    }

    fn slot(&self, key: &K) -> Slot<T> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= HELD_MAX && !slots.contains_key(key) {
            let now = Instant::now();
            slots.retain(|_, slot| {
                slot.try_lock().map_or(true, |state| {
                    state.held.as_ref().is_some_and(|held| held.until > now)
                })
            });
        }
        slots.entry(key.clone()).or_default().clone()
    }
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self {
            held: None,
            failed: None,
        }
    }
}

impl<T: Clone> State<T> {
    fn at_hand(&self, called: Instant, now: Instant, fresh: bool) -> Option<Result<T, Fault>> {
        if let Some((fault, at)) = &self.failed
            && *at >= called
        {
            return Some(Err(fault.clone()));
        }
        let held = self.held.as_ref()?;
        let good = now < held.renew_at && (!fresh || held.since >= called);
        good.then(|| Ok(held.value.clone()))
    }

    fn keep(&mut self, issued: Issued<T>, now: Instant) -> T {
        let lifetime = issued.lifetime.clamp(SHORTEST, LONGEST);
        self.failed = None;
        self.held = Some(Held {
            value: issued.value.clone(),
            since: now,
            renew_at: now + (lifetime - EARLY_MAX.min(lifetime / 5)),
            until: now + lifetime,
        });
        issued.value
    }

    fn survive(&mut self, fault: Fault, now: Instant, fresh: bool) -> Result<T, Fault> {
        let may_pass = matches!(fault.class, Class::Transient { .. });
        if let Some(held) = self.held.as_mut().filter(|held| held.until > now)
            && may_pass
            && !fresh
        {
            held.renew_at = (now + RESPITE).min(held.until);
            tracing::warn!(error = %fault, "credential not renewed, the one at hand still holds");
            return Ok(held.value.clone());
        }
        if !may_pass {
            self.held = None;
        }
        self.failed = Some((fault.clone(), now));
        Err(fault)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use fractal_core::Reason;

    use super::*;

    const PASSING: Class = Class::Transient { retry_after: None };

    fn fault(class: Class) -> Fault {
        Fault::new(class, Reason::new("X"), "x")
    }

    fn issued(value: u32, seconds: u64) -> Issued<u32> {
        let lifetime = Duration::from_secs(seconds);
        Issued { value, lifetime }
    }

    /// A state that holds `1` for an hour from the moment it is given.
    fn an_hour(now: Instant) -> State<u32> {
        let mut state = State::default();
        state.keep(issued(1, 3600), now);
        state
    }

    fn after(now: Instant, seconds: u64) -> Instant {
        now + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn all_who_wait_share_one_answer_good_or_bad() {
        let (cache, count) = (Cache::default(), AtomicU32::new(0));
        let good = async |fresh: bool| {
            let ask = || async {
                tokio::task::yield_now().await;
                Ok(issued(count.fetch_add(1, Ordering::SeqCst) + 1, 600))
            };
            cache.get(&"good", fresh, ask).await.unwrap()
        };
        assert_eq!(
            tokio::join!(good(false), good(false), good(true)),
            (1, 1, 1)
        );
        assert_eq!(tokio::join!(good(true), good(true)), (2, 2));
        assert_eq!(good(false).await, 2);
        let bad = async || {
            let ask = || async {
                tokio::task::yield_now().await;
                count.fetch_add(1, Ordering::SeqCst);
                Err(fault(PASSING))
            };
            cache.get(&"bad", false, ask).await.is_err()
        };
        assert_eq!(tokio::join!(bad(), bad(), bad()), (true, true, true));
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn it_is_renewed_before_its_end() {
        let now = Instant::now();
        let state = an_hour(now);
        assert_eq!(
            state.at_hand(after(now, 3299), after(now, 3299), false),
            Some(Ok(1))
        );
        assert_eq!(
            state.at_hand(after(now, 3300), after(now, 3300), false),
            None
        );
        assert_eq!(state.at_hand(after(now, 1), after(now, 1), true), None);
    }

    #[test]
    fn what_still_holds_outlasts_an_outage_but_no_refusal() {
        let now = Instant::now();
        let late = after(now, 3400);
        let mut state = an_hour(now);
        assert_eq!(state.survive(fault(PASSING), late, false), Ok(1));
        assert_eq!(state.at_hand(late, late, false), Some(Ok(1)), "the respite");
        assert_eq!(state.at_hand(late, late + RESPITE, false), None);
        assert!(
            state.survive(fault(PASSING), late, true).is_err(),
            "the one at hand was refused"
        );
        assert!(
            an_hour(now)
                .survive(fault(PASSING), after(now, 3600), false)
                .is_err()
        );
        let mut refused = an_hour(now);
        assert!(refused.survive(fault(Class::Blocked), late, false).is_err());
        assert!(refused.held.is_none());
    }

    #[test]
    fn g07_a_lifetime_is_read_as_services_write_it() {
        let check = |said: Value, expected: u64| {
            let issued = Issued::lasting((), &said);
            assert_eq!(issued.lifetime, Duration::from_secs(expected), "{said}");
        };
        check(3599.into(), 3599);
        check("3599".into(), 3599);
        check(0.into(), 0);
        check((-1).into(), 0);
        check(1e300.into(), LONGEST.as_secs());
        check("NaN".into(), 60);
        check(Value::Null, 60);
        check("soon".into(), 60);
    }

    #[test]
    fn a_lifetime_is_clamped() {
        let now = Instant::now();
        let check = |seconds: u64, expected: Duration| {
            let mut state = State::default();
            state.keep(issued(1, seconds), now);
            assert_eq!(state.held.unwrap().until, now + expected);
        };
        check(0, SHORTEST);
        check(60, Duration::from_secs(60));
        check(u64::MAX, LONGEST);
    }
}
